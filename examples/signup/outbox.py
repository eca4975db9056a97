"""Mail on its way: what could not be delivered yet is tried again, later and later, and in the end given up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from signup.mailer import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from email.message import EmailMessage

    Send = Callable[[EmailMessage, Sequence[str]], Mapping[str, Outcome]]
    Clock = Callable[[], float]

MINUTE = 60.0
PAUSES = (5 * MINUTE, 30 * MINUTE, 120 * MINUTE)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message and those of its recipients who do not have it yet."""

    message: EmailMessage
    recipients: tuple[str, ...]
    attempts: int = 0
    due: float = 0.0


@dataclass(frozen=True, slots=True)
class Bounce:
    message: EmailMessage
    recipient: str
    reason: str


class Outbox:
    def __init__(self, send: Send, *, pauses: Sequence[float] = PAUSES, clock: Clock = time.monotonic) -> None:
        self._send = send
        self._pauses = pauses
        self._clock = clock
        self.pending: list[Parcel] = []
        self.bounces: list[Bounce] = []

    def put(self, message: EmailMessage, *recipients: str) -> None:
        self.pending.append(Parcel(message, recipients, due=self._clock()))

    def flush(self) -> None:
        """Try everything that is due. A MailSettingsError leaves the queue as it was."""
        now = self._clock()
        for parcel in [one for one in self.pending if one.due <= now]:
            outcomes = self._send(parcel.message, parcel.recipients)
            self.pending.remove(parcel)
            self._record(parcel, outcomes, now)

    def _record(self, parcel: Parcel, outcomes: Mapping[str, Outcome], now: float) -> None:
        given_up = parcel.attempts >= len(self._pauses)
        again = [who for who, what in outcomes.items() if what.verdict is Verdict.RETRY and not given_up]
        for recipient, outcome in outcomes.items():
            if outcome.verdict is not Verdict.DELIVERED and recipient not in again:
                self.bounces.append(Bounce(parcel.message, recipient, outcome.reason))
        if again:
            due = now + self._pauses[parcel.attempts]
            self.pending.append(Parcel(parcel.message, tuple(again), parcel.attempts + 1, due))
