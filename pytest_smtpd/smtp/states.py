"""Where a session can be, and what may follow what: the only place that knows.

Two rules. A pair of state and event without a row is out of sequence: the client gets a 503 and nothing else happens.
The first digit of the reply picks the next state (0: no reply is due yet); a digit without an entry leaves the state
alone, so a refused RCPT cannot harm its transaction. On top of the table, a 421 always closes (RFC 5321 section 3.8).
"""

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.replies import Reply


class State(Enum):
    """A session's state; the values are the words of the state diagram."""

    PROXY = "PROXY header"
    CONNECTED = "connected"
    REFUSED = "greeting refused"
    HANDSHAKE = "TLS handshake"
    SECURED = "TLS on"
    START = "no greeting yet"
    READY = "ready"
    MAIL = "sender given"
    RCPT = "recipients given"
    CONTENT = "content"
    CHUNK = "BDAT chunk"
    BETWEEN_CHUNKS = "between chunks"
    SASL = "AUTH exchange"
    CLOSED = "closed"

    if not TYPE_CHECKING:
        __hash__ = object.__hash__  # members are singletons; the inherited one hashes the name, in Python


Row = Mapping[str, Mapping[int, State]]

_ANYTIME: Final[Row] = {
    "NOOP": {},
    "HELP": {},
    "VRFY": {},
    "EXPN": {},
    "QUIT": {2: State.CLOSED},
    "HELO": {2: State.READY},
    "EHLO": {2: State.READY},
    "LHLO": {2: State.READY},
}
_ABORT: Final[Row] = {"RSET": {2: State.READY}}
_ONE_MORE_RECIPIENT: Final[Row] = {"RCPT": {2: State.RCPT}}
# RFC 3030 section 2: behind a failed chunk all others are thrown away, so that half a message is never accepted.
_CHUNK: Final = {0: State.CHUNK, 4: State.READY, 5: State.READY}
_DONE: Final = dict.fromkeys(range(6), State.READY)

SEQUENCE: Final[Mapping[State, Row]] = {
    State.PROXY: {},
    State.CONNECTED: {"connect": {**dict.fromkeys((0, 2, 3), State.START), 4: State.CLOSED, 5: State.CLOSED}},
    State.REFUSED: {"QUIT": {2: State.CLOSED}},
    State.HANDSHAKE: {},
    State.SECURED: {"secure": {**dict.fromkeys((0, 2, 3), State.START), 4: State.CLOSED, 5: State.CLOSED}},
    State.START: {
        **_ANYTIME,
        "RSET": {},
        "STARTTLS": {2: State.HANDSHAKE},
        "XCLIENT": {0: State.CONNECTED},
        "XFORWARD": {},
    },
    State.READY: {
        **_ANYTIME,
        "RSET": {},
        "STARTTLS": {2: State.HANDSHAKE},
        "AUTH": {3: State.SASL},
        "MAIL": {2: State.MAIL},
        "XCLIENT": {0: State.CONNECTED},
        "XFORWARD": {},
    },
    State.SASL: {"response": {2: State.READY, 4: State.READY, 5: State.READY}},
    State.MAIL: {**_ANYTIME, **_ABORT, **_ONE_MORE_RECIPIENT},
    State.RCPT: {
        **_ANYTIME,
        **_ABORT,
        **_ONE_MORE_RECIPIENT,
        "DATA": {3: State.CONTENT},
        "BDAT": _CHUNK,
    },
    State.CONTENT: {"content": _DONE},
    State.CHUNK: {"chunk": {2: State.BETWEEN_CHUNKS, 4: State.READY, 5: State.READY}, "content": _DONE},
    State.BETWEEN_CHUNKS: {**_ANYTIME, **_ABORT, "BDAT": _CHUNK},
    State.CLOSED: {},
}

IN_TRANSACTION: Final = frozenset({State.MAIL, State.RCPT, State.CONTENT, State.CHUNK, State.BETWEEN_CHUNKS})
EXPECTS_COMMAND: Final = frozenset(
    {State.REFUSED, State.START, State.READY, State.MAIL, State.RCPT, State.BETWEEN_CHUNKS}
)

_EXPLAINED: Final[Mapping[tuple[State, str], Reply]] = {
    **{(State.START, verb): replies.NEED_HELLO for verb in ("MAIL", "RCPT", "DATA", "BDAT", "AUTH")},
    (State.READY, "RCPT"): replies.NEED_MAIL,
    **{(state, "MAIL"): replies.NESTED_MAIL for state in IN_TRANSACTION},
    **{(state, verb): replies.NEED_RECIPIENT for state in (State.READY, State.MAIL) for verb in ("DATA", "BDAT")},
}


def allowed(state: State, kind: str) -> bool:
    """Whether this event may come in this state."""
    return kind in SEQUENCE[state]


def out_of_sequence(state: State, kind: str) -> Reply:
    """The 503 for what may not come in this state (RFC 5321 section 4.1.4)."""
    return _EXPLAINED.get((state, kind), replies.OUT_OF_SEQUENCE)


def following(state: State, kind: str, digit: int) -> State:
    """The state after a reply with this first digit."""
    return SEQUENCE[state].get(kind, {}).get(digit, state)
