"""A journal that is written by hand, at times that the test chooses."""

from __future__ import annotations

from typing import Any

from pytest_smtpd.calls import Call
from pytest_smtpd.clock import Clock
from pytest_smtpd.record.journal import Journal
from pytest_smtpd.record.query import Log
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.replies import parse_reply
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.steps import Answer, said


class Ticking(Clock):
    """Each look at it is a quarter of a second after the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 1000.0

    def now(self) -> float:
        self.seconds += 0.25
        return self.seconds


class Scene:
    """A journal and those who act in it."""

    def __init__(self) -> None:
        self.clock = Ticking()
        self.journal = Journal(self.clock)
        self.log = Log(self.journal, lambda: 0.05)

    def connect(self, port: int = 4321, address: str = "192.0.2.1") -> Session:
        number, at = len(self.journal.sessions) + 1, self.clock.now()
        session = Session(id=f"s{number}", remote_address=address, remote_port=port, at=at)
        self.journal.connected(session)
        return session

    def call(self, hook: Any, session: Session, argument: Any = None, reply: str | None = None, **facts: Any) -> Call:
        """A call, decided at once unless ``reply`` is None and nothing else is said of it."""
        call = self.journal.begin(hook, argument, session)
        if reply is not None:
            self.journal.settle(call, said(parse_reply(reply), **facts))
        elif facts:
            self.journal.settle(call, Answer(**facts))
        return call

    def deliver(
        self, session: Session, *to: str, mail_from: str = "a@x", subject: str = "Hi", accepted: bool = True
    ) -> Envelope:
        envelope = Envelope(
            id=f"{session.id}.{len(self.journal.envelopes) + 1}",
            mail_from=Address(mail_from),
            rcpt_to=tuple(map(Address, to)),
            content=f"Subject: {subject}\r\n\r\n".encode(),
            size=14,
            session=session,
            accepted=accepted,
        )
        self.journal.message(envelope)
        return envelope
