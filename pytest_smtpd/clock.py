"""Time that cannot be frozen: tests replace ``time.time`` and ``time.monotonic``, and a server that believes them stands still."""

import time
from collections.abc import Callable
from functools import partial


def _pick() -> Callable[[], float]:
    """freezegun patches every module attribute that is ``time.monotonic``; it leaves ``clock_gettime`` alone."""
    if hasattr(time, "clock_gettime"):
        return partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    return time.monotonic


class Clock:
    """Seconds that pass evenly. ``monotonic`` is for measuring; ``now`` is seconds since the epoch, set once, at the start."""

    monotonic = staticmethod(_pick())

    def __init__(self) -> None:
        self._offset = time.time() - self.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._offset + self.monotonic()
