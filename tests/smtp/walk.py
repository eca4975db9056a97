"""Drives the core by a tape of bytes: what the client sends, in which pieces, and how each event is answered.

A tape is one octet that picks the settings, one that says how many decisions follow, the decisions, and then the
client's octets. Decisions are used in turn, again and again; without any, everything comes at once and every event
gets the answer that it suggests. The format is plain, so that a fuzzer may cut and splice it, and a failing tape can be
read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any, Final

from pytest_smtpd.rules.verdict import NOTHING, Ending, Verdict, answer, verdict_of
from pytest_smtpd.settings import Settings, make_settings
from pytest_smtpd.smtp.content import ContentBegins
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.replies import TIMED_OUT, Reply, challenge, standard
from pytest_smtpd.smtp.session import Phase
from pytest_smtpd.smtp.states import IN_TRANSACTION, State
from tests.smtp.core import Core, due, suggested

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

# What a rule or a hook can make a server answer: each class, enhanced codes, several lines, what closes, what asks on.
_REPLIES: Final[tuple[Reply, ...]] = (
    *(standard(code) for code in (200, 211, 250, 251, 299, 300, 354, 399, 400, 421, 451, 499, 500, 521, 535, 550, 599)),
    challenge(""),
    challenge("Z28gb24="),
    Reply(250, None, "two\nlines"),
    Reply(421, "4.3.2", "closing\nnow"),
)
# What a rule can add: a user, an explanation, whether a message is kept, the digit that counts, or bytes in its place.
_MORE: Final[tuple[Mapping[str, Any], ...]] = (
    {},
    {"user": "someone"},
    {"challenge": {}},
    {"challenge": {"status": "invalid_token"}, "user": 7},
    {"keep": True},
    {"keep": False},
    {"digit": 2},
    {"digit": 5},
    {"wire": b"junk"},
    {"ending": Ending.CLOSE},
    {"ending": Ending.STALL},
    {"digit": 0, "wire": b"junk", "reply": None},
)
_WELL_FORMED: Final = re.compile(rb"(?:[2-5]\d\d(?:-[^\r\n]*\r\n|(?: [^\r\n]*)?\r\n))*")
# What may wait to be understood: half a command, or half a PROXY header of version 2 with 65535 octets behind its head.
_MOST_WAITING: Final = 16 + 65535
_CONTENT: Final = (State.CONTENT, State.CHUNK)


class Tape:
    """A tape being read."""

    def __init__(self, tape: bytes) -> None:
        self.settings = _MADE[tape[0] % len(_MADE)] if tape else _MADE[0]
        count = tape[1] if len(tape) > 1 else 0
        decisions = tape[2 : 2 + count]
        self.sent = tape[2 + len(decisions) :]
        self._decisions: Iterator[int] = cycle(decisions or b"\0")

    def choose(self, choices: int) -> int:
        """One of so many choices; 0 is the usual one."""
        return next(self._decisions) % choices

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The client's octets, as TCP may deliver them."""
        while data:
            size = self.choose(256) or len(data)
            yield data[:size]
            data = data[size:]


class Walk(Core):
    """A conversation with the core in which what always has to hold is checked at each step."""

    def __init__(self, tape: Tape) -> None:
        self._choose: Callable[[int], int] = tape.choose
        self._patience = 1000
        super().__init__(tape.settings, cut=tape.pieces, decide=lambda connection, event: self._verdicts(event))

    def listen(self) -> None:
        super().listen()
        while self.state is State.HANDSHAKE and not self.ended:
            self.handshake()
        assert self.connection.buffered <= _MOST_WAITING or self.ended

    def next_event(self) -> Event | None:
        self._patience -= 1
        assert self._patience > 0, "the core does not come to rest"
        if self.state is State.CONNECTED and self._choose(97) == 96:
            return self.connection.overloaded()
        return super().next_event()

    def send(self, data: bytes) -> None:
        self._patience += 8 * len(data)
        super().send(data)

    # --- verdicts ---------------------------------------------------------------------------------------------------

    def _verdicts(self, event: Event) -> Sequence[Verdict] | None:
        if not event.answered:
            return self._early(event)
        choice = self._choose(8)
        if choice < 5:
            return suggested(self.connection, event)
        if choice == 5:  # no answer, and none to come
            return [NOTHING] * due(self.connection, event)
        return [self._any() for _ in range(due(self.connection, event))]

    def _early(self, event: Event) -> Sequence[Verdict] | None:
        """A verdict while the content is still arriving; in LMTP it may be one for each recipient."""
        choice = self._choose(16)
        if choice < 13 or not isinstance(event, ContentBegins):
            return None
        each = choice == 15 and self.connection.options.lmtp
        return [self._any() for _ in range(len(self.session.recipients) if each else 1)]

    def _any(self) -> Verdict:
        more = _MORE[self._choose(len(_MORE))]
        return answer(_REPLIES[self._choose(len(_REPLIES))])._replace(**more)

    # --- what always holds ------------------------------------------------------------------------------------------

    def give(self, event: Event, verdicts: Sequence[Verdict]) -> bytes:
        count = len(self.envelopes)
        said = super().give(event, verdicts)
        assert _WELL_FORMED.fullmatch(said), said
        self._check_transaction()
        for envelope in self.envelopes[count:]:
            limit = self.connection.options.size
            assert envelope.size == len(envelope.content) or (limit is not None and envelope.size > limit)
            self.happened.append(envelope.accepted)
        assert repr(self.session)
        assert repr(event.command)
        return said

    def _check_transaction(self) -> None:
        """There is a transaction where the state says so, and nowhere else; content has somebody to go to."""
        state, mail, phase = self.state, self.session.mail, self.connection._context.phase
        if state is State.CLOSED:
            return
        refused = state in _CONTENT and phase is Phase.DISCARDING  # its rest is still arriving
        assert (mail is not None) == (state in IN_TRANSACTION and not refused), (state, phase)
        assert phase is None or state in (*_CONTENT, State.BETWEEN_CHUNKS), (state, phase)
        assert refused or state not in (State.RCPT, *_CONTENT, State.BETWEEN_CHUNKS) or self.session.recipients, state


def walk(data: bytes) -> Walk:
    """Play a whole tape, and then let the client fall silent."""
    tape = Tape(data)
    walked = Walk(tape)
    walked.send(tape.sent)
    if not walked.ended:
        event = walked.connection.timed_out()
        assert walked.connection.send(event, verdict_of(TIMED_OUT)) == TIMED_OUT.wire
        assert walked.state is State.CLOSED
    return walked
