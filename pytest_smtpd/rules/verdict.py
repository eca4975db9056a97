"""The verdict: the whole answer to one request, as one value.

A request of a client reaches hook points; rules and hook functions there come to a verdict, or else the RFC does. In
LMTP a message gets a verdict for each recipient (RFC 2033 section 4.2), everything else gets one.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Literal, NamedTuple

from pytest_smtpd.smtp.replies import Reply

Outcome = Literal["accepted", "refused", "dropped", "hung", "error", "pending"]
OUTCOMES: Final[Mapping[Outcome, str]] = {
    "accepted": "what the client asked for was done",
    "refused": "it was not. A reply decides by its first digit, even if the connection is dropped after it",
    "dropped": "the connection was closed without an answer, by a rule or by the client",
    "hung": "there was no answer, and the connection stays open",
    "error": "a hook or a match raised an exception other than `Reject`",
    "pending": "a hook is still running",
}
Rewrite = Callable[[bytes], bytes]


class Ending(Enum):
    """The fate of the connection once the answer has been written."""

    OPEN = "the connection stays open"
    CLOSE = "it is closed in good order: close_notify where TLS is on, then FIN"
    FIN = "FIN alone"
    RST = "RST"
    STALL = "it stays open and nothing more is sent; what the client sends is discarded"
    STALL_UNREAD = "it stays open, nothing more is sent, and nothing more is read"


class Verdict(NamedTuple):
    """The answer to a request, and what happens to the connection.

    ``reply`` is the answer, None where there is none; ``digit`` drives the session: the reply's first digit unless a
    test counts the answer as another, 0 where nothing was answered. ``wire`` are the bytes that are sent instead of
    the reply's; a function makes them from the usual answer's. ``then`` are bytes right behind the answer.

    ``rule`` is the rule that decided, ``decorated_by`` are those that only add to the answer, delay or pace it;
    ``error`` is the exception of a hook. ``user`` is the session's user after a login, ``challenge`` the JSON object
    with which a token is refused. ``keep`` is whether a message is kept, independently of the reply; None: if that is a
    2xx.

    ``delay`` are seconds before the answer, ``pace`` seconds between two of its bytes, ``linger`` seconds between it
    and the ``ending``.
    """

    reply: Reply | None = None
    digit: int = 0
    outcome: Outcome = "accepted"
    rule: Any = None
    decorated_by: tuple[Any, ...] = ()
    error: BaseException | None = None
    user: Any = None
    challenge: Mapping[str, Any] | None = None
    keep: bool | None = None
    wire: bytes | Rewrite | None = None
    then: bytes = b""
    delay: float = 0.0
    pace: float = 0.0
    linger: float = 0.0
    ending: Ending = Ending.OPEN

    @property
    def closes(self) -> bool:
        """Whether a reply that closes the connection may do so: raw bytes close nothing, nor does a hang."""
        return self.wire is None and self.ending is not Ending.STALL and self.ending is not Ending.STALL_UNREAD

    @property
    def proceeds(self) -> bool:
        """Whether the request succeeds, as far as this verdict decides it: answered so, or accepted without a word."""
        return self.digit in (2, 3) or (self.digit == 0 and self.outcome == "accepted" and self.wire is None)

    @property
    def at_once(self) -> bool:
        """Whether the answer is just a reply: no rule does anything else, or slows it down."""
        return self.rule is None and not self.decorated_by

    @property
    def ends(self) -> bool:
        """Whether nothing can be sent after it."""
        return self.ending is not Ending.OPEN


DECORATING: Final = frozenset({"delay", "pace", "then"})  # what a rule can add to the answer of another
NOTHING: Final = Verdict()
KNOWN: Final[dict[bytes, Verdict]] = {}  # the verdicts that give just a reply, by its bytes
_MOST_KNOWN: Final = 256


def verdict_of(reply: Reply | None) -> Verdict:
    """The verdict that gives just this reply; one for all that are alike."""
    if reply is None:
        return NOTHING
    known = KNOWN.get(reply.wire)
    if known is None:
        if len(KNOWN) >= _MOST_KNOWN:
            KNOWN.clear()
        known = KNOWN[reply.wire] = Verdict(reply, reply.digit, "refused" if reply.refuses else "accepted")
    return known


def answer(reply: Reply, **fields: Any) -> Verdict:
    """The verdict that gives this reply, with more of its fields."""
    return Verdict(reply, reply.digit, "refused" if reply.refuses else "accepted", **fields)
