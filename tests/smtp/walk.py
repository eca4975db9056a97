"""Drives a ``Connection`` by a tape of bytes: what the client sends, in which pieces, and how each event is answered.

A tape is one octet that picks the settings, one that says how many decisions follow, the decisions, and then the
client's octets. Decisions are used round and round; without any, everything comes at once and every event gets the
answer that it suggests. The format is plain, so that a fuzzer may cut and splice it, and a failing tape can be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, pairwise
from typing import Any, Final

from pytest_smtpd.settings import Settings, make_settings
from pytest_smtpd.smtp import events
from pytest_smtpd.smtp.connection import Connection
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.replies import Reply, challenge, standard
from pytest_smtpd.smtp.session import Session, TLSInfo
from pytest_smtpd.smtp.states import State

SETTINGS: Final[tuple[Mapping[str, Any], ...]] = (
    {},
    {"tls": None},
    {"tls": None, "lmtp": True},
    {"tls": None, "auth": {"tim": "tanstaaftanstaaf", "user": "pencil", "": "token"}, "require_auth": False},
    {"tls": None, "proxy_protocol": True, "xclient": True, "xforward": True},
    {"tls": "implicit", "proxy_protocol": True},
    {"tls": "implicit", "auth": {"user": "pencil"}, "auth_requires_tls": True, "lmtp": True},
    {"strict": True, "size": 40, "max_recipients": 2, "max_messages": 1},
    {"require_tls": True, "size": 0, "xclient": True},
    {"tls": None, "disable": {"EHLO", "SIZE", "CHUNKING"}, "hide": {"DSN"}, "auth": None},
    {"tls": None, "lmtp": True, "size": 9, "xclient": True, "disable": {"8BITMIME", "SMTPUTF8"}},
)
_MADE: Final[tuple[Settings, ...]] = tuple(make_settings(given) for given in SETTINGS)

# What a rule or a hook can make a server say: each class, an enhanced code, several lines, what closes, what asks on.
_VERDICTS: Final[tuple[Reply, ...]] = (
    *(standard(code) for code in (200, 211, 250, 251, 299, 300, 354, 399, 400, 421, 451, 499, 500, 521, 535, 550, 599)),
    challenge(""),
    challenge("Z28gb24="),
    Reply(250, None, "two\nlines"),
    Reply(421, "4.3.2", "closing\nnow"),
)
_DETAILS: Final[tuple[Any, ...]] = (None, "someone", {"status": "invalid_token"}, {}, 7)
_KEPT: Final = (None, True, False)
_WELL_FORMED: Final = re.compile(rb"(?:[2-5]\d\d(?:-[^\r\n]*\r\n|(?: [^\r\n]*)?\r\n))*")
# What may wait to be understood: half a command, or half a PROXY header of version 2 with 65535 octets behind its head.
_MOST_WAITING: Final = 16 + 65535


class Tape:
    """A tape being read."""

    def __init__(self, tape: bytes) -> None:
        self.settings = _MADE[tape[0] % len(_MADE)] if tape else _MADE[0]
        count = tape[1] if len(tape) > 1 else 0
        decisions = tape[2 : 2 + count]
        self.sent = tape[2 + len(decisions) :]
        self._decisions: Iterator[int] = cycle(decisions or b"\0")

    def decide(self, choices: int) -> int:
        """One of so many choices; 0 is the usual one."""
        return next(self._decisions) % choices

    def pieces(self) -> Iterator[bytes]:
        """The client's octets, as TCP may deliver them."""
        rest = self.sent
        while rest:
            size = self.decide(256) or len(rest)
            yield rest[:size]
            rest = rest[size:]


class Walk:
    """A conversation with the core; ``history`` is all that can be told of it afterwards."""

    def __init__(self, settings: Settings, decide: Callable[[int], int]) -> None:
        self.connection = Connection(settings, Session(id="walk", lmtp=settings.lmtp))
        self.history: list[object] = []
        self.envelopes: list[Envelope] = []
        self._decide = decide
        self.over = False
        self._patience = 1000

    @property
    def ended(self) -> bool:
        """Whether nothing more can happen."""
        return self.over or self.connection.state is State.CLOSED

    def receive(self, piece: bytes) -> None:
        """The client's next octets, and all that follows from them."""
        self._patience += 8 * len(piece)
        self.connection.receive_data(piece)
        self.listen()

    def listen(self) -> None:
        """Until the core asks for more."""
        while not self.over and (event := self._next()) is not None:
            self._patience -= 1
            assert self._patience > 0, "the core does not come to rest"
            if isinstance(event, events.BadProxyHeader):
                self.over = True
            elif isinstance(event, events.Passing):
                self._while_content_comes(event)
            else:
                self._answer(event)
        assert self.connection.buffered <= _MOST_WAITING or self.ended

    def _next(self) -> Event | None:
        connection = self.connection
        if connection.state is State.CONNECTED and self._decide(97) == 96:
            return connection.overloaded()
        while (event := connection.next_event()) is None:
            if connection.state is not State.HANDSHAKE:
                return None
            connection.release()
            connection.secured(TLSInfo(version="TLSv1.3"))
        return event

    # --- answers ----------------------------------------------------------------------------------------------------

    def _answer(self, event: Event) -> None:
        replies, facts = self._verdict(event)
        codes = [reply.code for reply in replies]
        self._note((type(event).__name__, event.command and event.command.raw, codes))
        said = self.connection.send(*replies, **facts)
        self._check(event, said)

    def _verdict(self, event: Event) -> tuple[list[Reply], dict[str, Any]]:
        choice = self._decide(8)
        if choice < 5:
            return self._usual(event)
        if choice == 5:  # no answer, and none to come
            return [], {}
        facts = {
            "detail": _DETAILS[self._decide(len(_DETAILS))],
            "accepted": _KEPT[self._decide(3)],
            "closes": self._decide(2) == 0,
        }
        return [_VERDICTS[self._decide(len(_VERDICTS))] for _ in range(self._answers_due(event))], facts

    def _usual(self, event: Event) -> tuple[list[Reply], dict[str, Any]]:
        if isinstance(event, events.Bdat | events.Xclient):
            return [], {"later": True}
        if event.default is None:
            return [], {"accepted": True} if isinstance(event, events.Content) else {}
        explained: dict[str, Any] = {"detail": {}} if isinstance(event, events.Authenticate) else {}
        return [event.default] * self._answers_due(event), explained

    def _answers_due(self, event: Event) -> int:
        """RFC 2033 section 4.2: after the content, a reply for each recipient."""
        lmtp = self.connection.options.lmtp and isinstance(event, events.Content)
        return len(self.connection.session.recipients) if lmtp else 1

    def _while_content_comes(self, event: Event) -> None:
        if isinstance(event, events.Chunk):
            self._note(event.data)
        choice = self._decide(16)
        if choice < 12 or self.connection.session.mail is None:
            return
        keep = choice > 13
        replies = [] if choice == 12 else [_VERDICTS[self._decide(len(_VERDICTS))]]
        said = self.connection.interject(*replies, keep=keep, again=keep and choice == 15, closes=self._decide(2) == 0)
        self._check(event, said)

    # --- what always holds ------------------------------------------------------------------------------------------

    def _check(self, event: Event, said: bytes) -> None:
        assert _WELL_FORMED.fullmatch(said), said
        assert isinstance(self.connection.state, State)
        envelope, self.connection.envelope = self.connection.envelope, None
        if envelope is not None:
            self.envelopes.append(envelope)
            self._note((envelope.mail_from, envelope.rcpt_to, envelope.content, envelope.accepted, envelope.reply))
            limit = self.connection.options.size
            assert envelope.size == len(envelope.content) or (limit is not None and envelope.size > limit)
        self.connection.session.commands  # noqa: B018 - stays readable at any time
        assert repr(self.connection.session)
        assert repr(event.command)

    def _note(self, what: object) -> None:
        """Content is one thing, however many pieces it comes in."""
        if isinstance(what, bytes) and self.history and isinstance(self.history[-1], bytes):
            what = self.history.pop() + what  # type: ignore[operator]
        self.history.append(what)


def walk(data: bytes) -> Walk:
    """Play a whole tape, and then let the client fall silent."""
    tape = Tape(data)
    walked = Walk(tape.settings, tape.decide)
    walked.listen()
    for piece in tape.pieces():
        walked.receive(piece)
    if not walked.ended:
        walked.connection.timed_out()
        assert walked.connection.send(standard(421)) == standard(421).wire
        assert walked.ended
    return walked


def converse(sent: bytes, cuts: tuple[int, ...] = (), **settings: Any) -> list[object]:
    """The history of a conversation in which every event gets its own answer, cut at these places."""
    walked = Walk(make_settings(settings), lambda choices: 0)
    walked.listen()
    edges = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    for start, end in pairwise(edges):
        walked.receive(sent[start:end])
    return [*walked.history, walked.connection.state, walked.connection.session.commands]
