"""A hook call as the log keeps it."""

from typing import Any, Literal

from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp.envelope import Envelope, Transaction
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.smtp.values import short

Outcome = Literal["accepted", "refused", "dropped", "hung", "error", "pending"]


class Call:
    """One passing of a hook point, whether or not anyone hooked it.

    It is in the log from the moment it begins: ``outcome`` is "pending" until it is decided, then "accepted",
    "refused", "dropped", "hung" or "error". ``at`` is in seconds since the epoch, ``duration`` in seconds (None while
    pending), ``number`` counts from 1. ``rule`` is the rule that decided, ``error`` the exception that a hook raised
    by mistake.
    """

    __slots__ = (
        "argument",
        "at",
        "duration",
        "envelope",
        "error",
        "hook",
        "mail",
        "number",
        "outcome",
        "replies",
        "rule",
        "session",
        "silent",
        "traceback",
    )
    __module__ = "pytest_smtpd"

    def __init__(self, hook: HookName, argument: Any, session: Session, number: int, at: float) -> None:
        self.hook: HookName = hook
        self.argument: Any = argument
        self.session: Session = session
        self.number: int = number
        self.at: float = at
        self.duration: float | None = None
        self.outcome: Outcome = "pending"
        self.replies: tuple[Reply, ...] = ()
        self.rule: Rule | None = None
        self.error: BaseException | None = None
        self.silent: bool = False  # whether another call tells the reply in a transcript
        self.traceback: str | None = None  # of error, as it was when it was caught
        self.mail: Transaction | None = session.mail
        self.envelope: Envelope | None = None

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments, as the hook gets them."""
        return (self.session,) if self.argument is None else (self.argument, self.session)

    @property
    def reply(self) -> Reply | None:
        """The answer, or None; of LMTP's answers to a message, the first that accepts, else the first."""
        return next((reply for reply in self.replies if reply.digit == 2), self.replies[0] if self.replies else None)

    @property
    def code(self) -> int | None:
        """The code of ``reply``."""
        return None if self.reply is None else self.reply.code

    def __repr__(self) -> str:
        about = "" if self.argument is None or self.hook == "data" else f" {_about(self.argument)}"
        return f"<Call {self.number} {self.hook}{about} {self.outcome}{f' {self.code}' if self.code else ''}>"


def _about(argument: Any) -> str:
    return short(str(argument) if isinstance(argument, str) else repr(argument)) or "<>"
