"""Time that cannot be frozen, and that a test can move forward.

A server that believed a test's ``time.time`` or ``time.monotonic`` would stand still.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final


def _pick(clock: str, otherwise: Callable[[], float]) -> Callable[[], float]:
    """A function that reads the system clock of this name; ``otherwise`` where that is not possible.

    freezegun patches every module attribute that is ``time.time`` or the like; it leaves ``clock_gettime`` alone.
    """
    if hasattr(time, "clock_gettime"):
        return partial(time.clock_gettime, getattr(time, clock))
    return otherwise


monotonic: Final = _pick("CLOCK_MONOTONIC", time.monotonic)
_since_epoch: Final = _pick("CLOCK_REALTIME", time.time)


def epoch() -> float:
    """What has to be added to ``monotonic()`` to make it seconds since the epoch; looked up once for each server."""
    return _since_epoch() - monotonic()


class Clock:
    """The time of one server, which its own waits and the functions of ``pytest_smtpd.limits`` use.

    It runs like any clock, and a test can move it forward. It never goes back, whatever a test does to the time of its
    process. The log's times (``Call.at``, ``Envelope.at``) are the real ones.
    """

    __module__ = "pytest_smtpd"

    def __init__(self) -> None:
        self.skipped: float = 0.0  # the seconds by which it has been moved forward so far
        self.move: Callable[[float], bool] | None = None  # moves it in the server's thread; None if that does not run
        self._epoch = epoch()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<Clock moved forward by {self.skipped:g} s>"

    def now(self) -> float:
        """Seconds since the epoch, plus those by which the clock has been moved forward."""
        return self.monotonic() + self._epoch

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, plus those by which the clock has been moved: for measuring durations."""
        return monotonic() + self.skipped

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Move the clock forward.

        What clients have sent by now is processed first. Then every wait of the server that ends within that time ends
        at once, in the order of time: a ``delay``, a whole ``drip``, a ``linger``, the ``timeout`` of a silent client.
        They have ended when this returns; hook functions are not waited for.

        Raises ``TypeError`` for a time that is not a number, ``ValueError`` for a negative or infinite one, and
        ``RuntimeError`` in the server's own thread (an ``async def`` hook, a ``when=``), which cannot wait for itself.
        """
        __tracebackhide__ = True
        total = duration(seconds, minutes=minutes, hours=hours, days=days)
        move = self.move
        if move is None or not move(total):
            with self._lock:
                self.skipped += total

    def forked(self) -> None:
        """In the child of a fork: replace the lock, whose holder does not exist here. The server does not run here."""
        self._lock, self.move = threading.Lock(), None


def duration(seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> float:
    """The sum in seconds. Raises ``TypeError`` for what is not a number, ``ValueError`` if negative or infinite."""
    __tracebackhide__ = True
    given = {"seconds": seconds, "minutes": minutes, "hours": hours, "days": days}
    for name, value in given.items():
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise TypeError(f"{name} must be a number, not {value!r}")
        if not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be a number from 0, not {value!r}; time does not go back")
    return float(seconds + 60 * minutes + 3600 * hours + 86400 * days)
