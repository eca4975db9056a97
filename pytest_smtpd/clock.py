"""Time that cannot be frozen: a server that believed a test's ``time.time`` or ``time.monotonic`` would stand still."""

import time
from collections.abc import Callable
from functools import partial


def _pick() -> Callable[[], float]:
    """freezegun patches every module attribute that is ``time.monotonic``; it leaves ``clock_gettime`` alone."""
    if hasattr(time, "clock_gettime"):
        return partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    return time.monotonic


class Clock:
    """Seconds that pass evenly: ``monotonic`` for measuring, ``now`` since the epoch (which is looked up once)."""

    monotonic: "staticmethod[[], float]" = staticmethod(_pick())

    def __init__(self) -> None:
        self._offset = time.time() - self.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._offset + self.monotonic()
