"""What the tests of the core share: a connection whose events all get the answer that they suggest, or another."""

from __future__ import annotations

from typing import Any

from pytest_smtpd.settings import make_settings
from pytest_smtpd.smtp import events
from pytest_smtpd.smtp.connection import Connection
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.replies import Reply, parse_reply
from pytest_smtpd.smtp.session import Session, TLSInfo
from pytest_smtpd.smtp.states import State

HELLO = b"EHLO client.example\r\n"
MAIL = b"MAIL FROM:<a@example.com>\r\n"
RCPT = b"RCPT TO:<b@example.com>\r\n"
TLS = TLSInfo(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384")


class Line:
    """One connection to the core. ``say`` gives the codes of the replies; ``answers`` maps event names to others."""

    def __init__(self, *, greet: bool = True, **settings: Any) -> None:
        options = make_settings(settings)
        self.smtp = Connection(options, Session(id="core", lmtp=options.lmtp))
        self.answers: dict[str, str | int | None] = {}
        self.envelopes: list[Envelope] = []
        self.events: list[Event] = []
        self.said = b""
        if greet:
            self.say(b"")

    @property
    def session(self) -> Session:
        return self.smtp.session

    @property
    def state(self) -> State:
        return self.smtp.state

    def say(self, *lines: bytes) -> list[int]:
        """Send this; the codes of all replies that come back."""
        self.said = b""
        self.smtp.receive_data(b"".join(lines))
        while (event := self._next()) is not None:
            self.events.append(event)
            if not isinstance(event, events.Passing):
                self._answer(event)
        last = [line for line in self.said.split(b"\r\n") if line[3:4] != b"-"]
        return [int(line[:3]) for line in last if line]

    def _next(self) -> Event | None:
        while (event := self.smtp.next_event()) is None and self.smtp.state is State.HANDSHAKE:
            self.smtp.release()
            self.smtp.secured(TLS)
        return event

    def _answer(self, event: Event) -> None:
        if event.name in self.answers:
            given = self.answers[event.name]
            replies = [] if given is None else [reply(given)]
        else:
            replies = [] if event.default is None else [event.default]
        later = not replies and isinstance(event, events.Bdat | events.Xclient) and event.name not in self.answers
        if isinstance(event, events.Content) and self.smtp.options.lmtp:
            replies *= len(self.session.recipients)
        detail: dict[str, str] | None = {} if isinstance(event, events.Authenticate) else None
        self.said += self.smtp.send(*replies, later=later, detail=detail, at=1.5)
        if self.smtp.envelope is not None:
            self.envelopes.append(self.smtp.envelope)
            self.smtp.envelope = None


def reply(given: str | int) -> Reply:
    """A reply as a user writes it."""
    return parse_reply(str(given))


def with_mail(**settings: Any) -> Line:
    """A line on which a sender and a recipient have been accepted."""
    line = Line(**settings)
    hello = HELLO.replace(b"EHLO", b"LHLO") if settings.get("lmtp") else HELLO
    assert line.say(hello, MAIL, RCPT) == [250, 250, 250]
    return line
