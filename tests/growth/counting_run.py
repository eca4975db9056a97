"""Run in a process of its own: counts the Python calls of a whole run of pytest, and prints their number.

The arguments are those of pytest.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

events: list[str] = []


def note(frame: FrameType, event: str, argument: Any) -> None:
    events.append(event)


sys.setprofile(note)
status = pytest.main(sys.argv[1:])
sys.setprofile(None)
assert status == pytest.ExitCode.OK
print(events.count("call"))
