"""Finds the function that blocks the server's thread, for a warning that names it."""

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

_OURS: Final = str(Path(__file__).parents[1]) + os.sep
_ASYNCIO: Final = str(Path(os.__file__).with_name("asyncio")) + os.sep


def what_blocks(thread: threading.Thread) -> str:
    """The name of the user's function that this thread has called and that has not returned yet."""
    frame: FrameType | None = sys._current_frames().get(thread.ident or 0)
    name = "a function of a rule"
    while frame is not None and not frame.f_code.co_filename.startswith(_OURS):
        if not frame.f_code.co_filename.startswith(_ASYNCIO):
            name = frame.f_code.co_qualname
        frame = frame.f_back
    return name
