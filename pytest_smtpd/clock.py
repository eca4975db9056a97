"""Time that cannot be frozen: a server that believed a test's ``time.time`` or ``time.monotonic`` would stand still."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final


def _pick(clock: str, otherwise: Callable[[], float]) -> Callable[[], float]:
    """freezegun patches every module attribute that is ``time.time`` or the like; it leaves ``clock_gettime`` alone."""
    if hasattr(time, "clock_gettime"):
        return partial(time.clock_gettime, getattr(time, clock))
    return otherwise


monotonic: Final = _pick("CLOCK_MONOTONIC", time.monotonic)
_since_epoch: Final = _pick("CLOCK_REALTIME", time.time)


def epoch() -> float:
    """What has to be added to ``monotonic()`` to make it seconds since the epoch; looked up once for each server."""
    return _since_epoch() - monotonic()
