"""Time that cannot be frozen: a server that believed a test's ``time.time`` or ``time.monotonic`` would stand still."""

import time
from collections.abc import Callable
from functools import partial


def _pick(clock: str, otherwise: Callable[[], float]) -> Callable[[], float]:
    """freezegun patches every module attribute that is ``time.time`` or the like; it leaves ``clock_gettime`` alone."""
    if hasattr(time, "clock_gettime"):
        return partial(time.clock_gettime, getattr(time, clock))
    return otherwise


class Clock:
    """Seconds that pass evenly: ``monotonic`` for measuring, ``now`` since the epoch (which is looked up once)."""

    monotonic: "staticmethod[[], float]" = staticmethod(_pick("CLOCK_MONOTONIC", time.monotonic))
    _since_epoch: "staticmethod[[], float]" = staticmethod(_pick("CLOCK_REALTIME", time.time))

    def __init__(self) -> None:
        self._offset = self._since_epoch() - self.monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._offset + self.monotonic()
