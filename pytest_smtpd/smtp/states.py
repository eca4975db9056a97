"""The states of a session, and what may follow what.

An SMTP session remembers where it stands: RCPT means something only after a MAIL that was accepted. This memory is the
*state*, one member of ``State``; there are no flags beside it.

An *event* together with its *reply* moves a session from one state to the next. Most events are commands, and have the
verb as their name. The others have a name from ``EVENTS``: a client has connected, a TLS handshake is complete, content
is arriving, all of it is there. So the greeting is the reply to "connect", the line after the message is the reply to
"content", and a server that refuses a connection or a message does the same thing as one that refuses a command.

The table ``SEQUENCE`` holds all moves: for each state the events that may come there, and for each event the state that
follows, by the first digit of the reply. Two rules read it:

* A command without a row in the current state is out of sequence. The client gets a 503 and nothing else happens.
* The reply moves the session, not the command. A digit that the row does not name leaves the state as it is, so a
  refused RCPT cannot harm its transaction. The digit 0 stands for an event that gets no reply, or gets it later.

On top of the table, a 421 closes the connection in any state (RFC 5321 section 3.8).

The path of an ordinary session::

    CONNECTED --connect 2--> START --EHLO 2--> READY --MAIL 2--> MAIL --RCPT 2--> RCPT --DATA 3--> CONTENT
                                                 ^                                                    |
                                                 +------------------- content, any digit -------------+

Under STARTTLS the session goes from READY through HANDSHAKE and SECURED back to START; with TLS from the first byte
it begins in HANDSHAKE. BDAT (RFC 3030) alternates between CHUNK, while octets arrive, and BETWEEN_CHUNKS.

To follow an example: in RCPT, DATA with a 354 leads to CONTENT, but DATA with a 451, which a rule may have given, is
not in the row. The session stays in RCPT, the recipients are kept, and the client may send DATA once more.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.replies import Reply


class State(Enum):
    """The state of a session; the values are the labels of the state diagram."""

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
        __hash__ = object.__hash__  # members are singletons; the inherited method hashes the name, in Python


Row = Mapping[str, Mapping[int, State]]

# The events that are no commands: their names in the table below, and what they are.
EVENTS: Final[Mapping[str, str]] = {
    "proxy": "a PROXY header",
    "proxy, then TLS": "a PROXY header before TLS",
    "connect": "the server's greeting",
    "implicit TLS": "the handshake of implicit TLS",
    "STARTTLS": "the handshake after STARTTLS",
    "secure": "the verdict of `secure`",
    "response": "the client's line",
    "arriving": "content while it arrives",
    "chunk": "the end of a chunk",
    "content": "the end of the message",
    "discarded": "the end of a message that was refused early",
}

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
_GREETED: Final = dict.fromkeys((0, 2, 3), State.START)
_NOT_GREETED: Final = dict.fromkeys((4, 5), State.CLOSED)
# RFC 3030 section 2: the chunks after a failed one are discarded, so that half a message is never accepted.
_CHUNK: Final = {0: State.CHUNK, 4: State.READY, 5: State.READY}
_DONE: Final = dict.fromkeys(range(6), State.READY)

SEQUENCE: Final[Mapping[State, Row]] = {
    State.PROXY: {"proxy": {0: State.CONNECTED}, "proxy, then TLS": {0: State.HANDSHAKE}},
    State.CONNECTED: {"connect": {**_GREETED, **_NOT_GREETED}},
    State.REFUSED: {"QUIT": {2: State.CLOSED}},
    State.HANDSHAKE: {"implicit TLS": {0: State.CONNECTED}, "STARTTLS": {0: State.SECURED}},
    State.SECURED: {"secure": {**_GREETED, **_NOT_GREETED}},
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
    State.SASL: {"response": dict.fromkeys((2, 4, 5), State.READY)},
    State.MAIL: {**_ANYTIME, **_ABORT, **_ONE_MORE_RECIPIENT},
    State.RCPT: {
        **_ANYTIME,
        **_ABORT,
        **_ONE_MORE_RECIPIENT,
        "DATA": {3: State.CONTENT},
        "BDAT": _CHUNK,
    },
    # An early reply to a message that is still arriving does not change the state: the content still follows. Refused
    # content is "discarded" when all of it has come; after BDAT at once, since its octets are counted.
    State.CONTENT: {"arriving": {}, "content": _DONE, "discarded": {0: State.READY}},
    State.CHUNK: {
        "arriving": {},
        "chunk": {**dict.fromkeys((0, 2, 3), State.BETWEEN_CHUNKS), 4: State.READY, 5: State.READY},
        "content": _DONE,
        "discarded": {0: State.READY},
    },
    State.BETWEEN_CHUNKS: {**_ANYTIME, **_ABORT, "BDAT": _CHUNK},
    State.CLOSED: {},
}

IN_TRANSACTION: Final = frozenset({State.MAIL, State.RCPT, State.CONTENT, State.CHUNK, State.BETWEEN_CHUNKS})
EXPECTS_COMMAND: Final = frozenset(
    {State.REFUSED, State.START, State.READY, State.MAIL, State.RCPT, State.BETWEEN_CHUNKS}
)
# The state of a connection that stays open after a reply which would close it, since a rule sent that as raw bytes.
# RFC 5321 section 3.1: after a 554 greeting only QUIT is of use.
SURVIVES: Final[Mapping[State, State]] = {State.CONNECTED: State.REFUSED, State.SECURED: State.START}

_OUT_OF_SEQUENCE: Final[Mapping[tuple[State, str], Reply]] = {
    **{(State.START, verb): replies.NEED_HELLO for verb in ("MAIL", "RCPT", "DATA", "BDAT", "AUTH")},
    (State.READY, "RCPT"): replies.NEED_MAIL,
    **{(state, "MAIL"): replies.NESTED_MAIL for state in IN_TRANSACTION},
    **{(state, verb): replies.NEED_RECIPIENT for state in (State.READY, State.MAIL) for verb in ("DATA", "BDAT")},
}


def out_of_sequence(state: State, verb: str) -> Reply:
    """The 503 for a command that may not come in this state (RFC 5321 section 4.1.4)."""
    return _OUT_OF_SEQUENCE.get((state, verb), replies.OUT_OF_SEQUENCE)
