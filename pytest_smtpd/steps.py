"""What the policy tells the wire to do: an ``Answer``, and the steps it is made of."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pytest_smtpd.calls import Outcome
from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp.replies import Reply


@dataclass(frozen=True, slots=True)
class Send:
    """Put these bytes on the wire (through TLS where it is on)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Let this many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Never say another word; ``reading`` is whether input is still taken (and thrown away)."""

    reading: bool = True


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection in good order: close_notify under TLS, then FIN."""


@dataclass(frozen=True, slots=True)
class Fin:
    """Just FIN."""


@dataclass(frozen=True, slots=True)
class Reset:
    """RST."""


Step = Send | Wait | Stall | Close | Fin | Reset
Dress = Callable[[bytes], Iterable[Step]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A verdict: the replies (none if none is due, or will ever come), and what ``Connection.send`` needs beside them.

    ``dress`` turns the bytes of the replies into steps; None is the usual: send them. ``keep`` and ``again`` belong
    to words said while content is still coming in: whether the rest is kept, and whether it is answered again.
    ``accepted`` is whether the message is kept, where that is not for the replies to say (LMTP: for each recipient).
    ``later`` means that the reply to this command is the answer to a later event. ``each`` are LMTP's replies by
    recipient, where some have none. ``admits`` is whether the session goes on as after a yes, where that is not for
    the outcome to say: behind bytes that are no well-formed reply.
    """

    replies: tuple[Reply, ...] = ()
    outcome: Outcome = "accepted"
    rule: Rule | None = None
    error: BaseException | None = None
    detail: Any = None
    accepted: bool | tuple[bool, ...] | None = None
    closes: bool = True
    dress: Dress | None = None
    keep: bool = False
    again: bool = False
    later: bool = False
    each: tuple[Reply | None, ...] | None = None
    admits: bool | None = None

    @property
    def goes_on(self) -> bool:
        """Whether what was asked for may happen."""
        return self.outcome == "accepted" if self.admits is None else self.admits


NOTHING: Final = Answer()
LATER: Final = Answer(later=True)


@lru_cache(maxsize=256)
def default_answer(reply: Reply) -> Answer:
    """The answer that says just this; one for all that say the same."""
    return said(reply)


def said(*replies: Reply, **facts: Any) -> Answer:
    """The answer that says just these replies."""
    refused = bool(replies) and all(reply.refuses for reply in replies)
    return Answer(replies=replies, outcome="refused" if refused else "accepted", **facts)
