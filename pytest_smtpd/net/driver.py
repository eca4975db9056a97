"""Drives a conversation's coroutine without a task: input continues it at once instead of a turn of the loop later."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import Any


@coroutine
def until_input() -> Generator[object, None, None]:
    """Wait for ``Driver.wake``."""
    yield _INPUT


_INPUT = object()


class Driver:
    """Runs one coroutine in the loop's thread; it may await ``until_input`` and futures, and be cancelled.

    ``ended`` is called when it is over, however it ended.
    """

    def __init__(self, talk: Coroutine[Any, Any, None], ended: Callable[[], object]) -> None:
        self._talk = talk
        self._ended = ended
        self._future: asyncio.Future[Any] | None = None
        self._wants_input = False
        self.over: bool = False

    @property
    def waiting(self) -> bool:
        """Whether it waits for something else than input: user code, time, a slow client."""
        return self._future is not None

    def wake(self) -> None:
        """There is input, or there will be none."""
        if self._wants_input:
            self._wants_input = False
            self.step()

    def cancel(self) -> None:
        """Cancel what it waits for, if that is not input."""
        if self._future is not None:
            self._future.cancel()

    def abandon(self) -> None:
        """It will never begin."""
        self._talk.close()
        self.over = True

    def step(self, _: object = None) -> None:
        """Go on to the next wait."""
        self._future = None
        try:
            awaited = self._talk.send(None)
        except BaseException as end:
            self.over = True
            self._ended()
            if isinstance(end, StopIteration):
                return
            raise
        if awaited is _INPUT:
            self._wants_input = True
        elif awaited is None:  # asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(self.step)
        else:
            self._future = awaited
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self.step)
