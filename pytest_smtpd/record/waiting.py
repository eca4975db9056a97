"""Waiting for the journal without blocking an event loop: asyncio's, or trio's."""

import sys
from collections.abc import Callable
from typing import Any

from pytest_smtpd.record.journal import Journal


async def wait_async(journal: Journal, ready: Callable[[], object], timeout: float) -> bool:
    """The twin of ``Journal.wait`` for a coroutine."""
    trio = sys.modules.get("trio")
    if trio is not None and _in_trio(trio):
        return await _wait_trio(trio, journal, ready, timeout)
    return await _wait_asyncio(journal, ready, timeout)


def _in_trio(trio: Any) -> bool:
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        return False
    return True


async def _wait_asyncio(journal: Journal, ready: Callable[[], object], timeout: float) -> bool:
    import asyncio

    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def listener() -> None:
        loop.call_soon_threadsafe(changed.set)

    async def until_ready() -> None:
        while not ready():
            await changed.wait()
            changed.clear()

    journal.listen(listener)
    try:
        await asyncio.wait_for(until_ready(), timeout)
    except TimeoutError:
        return bool(ready())
    finally:
        journal.unlisten(listener)
    return True


async def _wait_trio(trio: Any, journal: Journal, ready: Callable[[], object], timeout: float) -> bool:
    token, changed = trio.lowlevel.current_trio_token(), [trio.Event()]

    def listener() -> None:
        token.run_sync_soon(lambda: changed[0].set())  # noqa: PLW0108  the event is another one by then

    journal.listen(listener)
    try:
        with trio.move_on_after(timeout) as scope:
            while not ready():
                await changed[0].wait()
                changed[0] = trio.Event()
    finally:
        journal.unlisten(listener)
    return not scope.cancelled_caught or bool(ready())
