"""Waiting for changes of the log: in a thread, or in a coroutine of asyncio or trio, whose loop must not be blocked."""

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import Any

from pytest_smtpd.clock import monotonic


class Changes:
    """Wakes the threads and coroutines that wait for a change of the log.

    ``awaited`` is how many of them there are. As long as it is 0, ``notify`` need not be called.
    """

    def __init__(self) -> None:
        self.awaited: int = 0
        self._count = 0
        self._condition = threading.Condition(threading.Lock())
        self._listeners: set[Callable[[], object]] = set()

    def notify(self) -> None:
        """The log has changed: wake all threads and coroutines that wait. Called in the server's thread."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()
            listeners = tuple(self._listeners)
        for listener in listeners:
            with contextlib.suppress(RuntimeError):  # the listener's event loop is gone
                listener()

    def wait(self, ready: Callable[[], object], timeout: float) -> bool:
        """Block until ``ready()`` is true, and return True; return False if it is not after ``timeout`` seconds.

        ``ready`` may take time, and may use the server: it is not called under the lock.
        """
        end = monotonic() + timeout
        with self._condition:
            self.awaited += 1
        try:
            while True:
                seen = self._count
                if ready():
                    return True
                if not self._wait_for_more_than(seen, end - monotonic()):
                    return bool(ready())
        finally:
            with self._condition:
                self.awaited -= 1

    def _wait_for_more_than(self, seen: int, seconds: float) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self._count != seen, min(seconds, threading.TIMEOUT_MAX))

    def listen(self, listener: Callable[[], object]) -> None:
        """Call ``listener``, in the server's thread, after each change."""
        with self._condition:
            self.awaited += 1
            self._listeners.add(listener)

    def unlisten(self, listener: Callable[[], object]) -> None:
        """Call ``listener`` no more."""
        with self._condition:
            self.awaited -= 1
            self._listeners.discard(listener)

    def forked(self) -> None:
        """In the child of a fork: start anew, since the threads that held the lock or waited do not exist here."""
        self.__init__()  # type: ignore[misc]


async def wait_async(changes: Changes, ready: Callable[[], object], timeout: float) -> bool:
    """The same as ``Changes.wait``, for a coroutine of asyncio or trio."""
    trio = sys.modules.get("trio")
    if trio is not None and _in_trio(trio):
        return await _wait_trio(trio, changes, ready, timeout)
    return await _wait_asyncio(changes, ready, timeout)


def _in_trio(trio: Any) -> bool:
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        return False
    return True


async def _wait_asyncio(changes: Changes, ready: Callable[[], object], timeout: float) -> bool:
    import asyncio

    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def listener() -> None:
        loop.call_soon_threadsafe(changed.set)

    async def until_ready() -> None:
        while not ready():
            await changed.wait()
            changed.clear()

    changes.listen(listener)
    try:
        await asyncio.wait_for(until_ready(), timeout)
    except TimeoutError:
        return bool(ready())
    finally:
        changes.unlisten(listener)
    return True


async def _wait_trio(trio: Any, changes: Changes, ready: Callable[[], object], timeout: float) -> bool:
    token, changed = trio.lowlevel.current_trio_token(), [trio.Event()]

    def listener() -> None:
        token.run_sync_soon(lambda: changed[0].set())  # noqa: PLW0108  by then, the list may hold another event

    changes.listen(listener)
    try:
        with trio.move_on_after(timeout) as scope:
            while not ready():
                await changed[0].wait()
                changed[0] = trio.Event()
    finally:
        changes.unlisten(listener)
    return not scope.cancelled_caught or bool(ready())
