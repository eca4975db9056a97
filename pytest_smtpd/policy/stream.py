"""The content of a message while it arrives, for ``data`` hooks that read it."""

import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from pytest_smtpd.errors import no_attribute
from pytest_smtpd.turn import Resume

_FULL: Final = 1 << 20  # bytes that wait for the hook before the client has to wait too


class Pipe:
    """Chunks on their way from the server's thread to a hook that may be anywhere.

    ``post`` calls a function in the server's thread.
    """

    def __init__(self, post: Callable[[Callable[[], object]], object]) -> None:
        self._post = post
        self._changed = threading.Condition()
        self._sleepers: set[Any] = set()  # futures of asyncio
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._ended = False
        self._broken: str | None = None
        self._abandoned = False
        self._room: Resume | None = None

    # --- in the server's thread -------------------------------------------------------------------------------------

    def put(self, data: bytes) -> None:
        """Content has arrived."""
        with self._changed:
            if not self._abandoned:
                self._chunks.append(data)
                self._waiting += len(data)
        self._wake()

    def end(self, broken: str | None = None) -> None:
        """There is no more content. ``broken`` is why the message is not complete; a complete one stays complete."""
        with self._changed:
            if not self._ended:
                self._ended, self._broken = True, broken
        self._wake()

    def abandon(self) -> None:
        """The hook has stopped reading."""
        with self._changed:
            self._abandoned, self._waiting = True, 0
            self._chunks.clear()
        self._wake()

    @property
    def has_reader(self) -> bool:
        """Whether a coroutine waits in it for more."""
        return bool(self._sleepers) and not self._ended

    @property
    def full(self) -> bool:
        """Whether the client has to wait until the hook has caught up."""
        return self._waiting >= _FULL and not self._ended

    def begin(self, resume: Resume) -> None:
        """Wait until it is not full any more."""
        self._room = resume

    def cancel(self) -> None:
        """The server has stopped waiting for room."""
        self._room = None

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)
        if self._room is not None and not self.full:
            resume, self._room = self._room, None
            resume(None)

    # --- in a hook --------------------------------------------------------------------------------------------------

    def get(self) -> bytes | None:
        """The next chunk, None at the end. Blocks; in a worker thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._ended)
            chunk = self._pop()
        try:
            self._post(self._wake)
        except RuntimeError:
            return chunk  # the server has stopped: nobody is left to be woken
        return chunk

    async def aget(self) -> bytes | None:
        """The next chunk, None at the end. On the server's loop."""
        while not self._chunks and not self._ended:
            await self._sleep()
        chunk = self._pop()
        self._post(self._wake)
        return chunk

    def _pop(self) -> bytes | None:
        if self._chunks:
            chunk = self._chunks.popleft()
            self._waiting -= len(chunk)
            return chunk
        if self._broken is not None:
            raise ConnectionError(self._broken)
        return None

    async def _sleep(self) -> None:
        import asyncio

        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            self._sleepers.discard(sleeper)


class Stream:
    """A message's content, dot-unstuffed, as the client sends it; for ``def`` and for ``async def`` hooks.

    Reading raises ``ConnectionError`` if the client disconnects, or gives up the message, before its end. What a hook
    leaves unread is read for it.
    """

    __module__ = "pytest_smtpd"

    if not TYPE_CHECKING:  # for type checkers, an unknown attribute is an error
        __getattr__ = no_attribute
    __slots__ = ("_pipe", "size", "size_exceeded")

    def __init__(self) -> None:
        self.size: int = 0  #: How many bytes have arrived.
        self.size_exceeded: bool = False  #: Whether that is more than the ``size`` setting allows.
        self._pipe: Pipe | None = None

    def __repr__(self) -> str:
        return f"<Stream {self.size} bytes>"

    def __iter__(self) -> Iterator[bytes]:
        """The chunks, as they arrive. Blocks; only for ``def`` hooks."""
        if self._pipe is None:
            return
        asyncio = sys.modules.get("asyncio")
        if asyncio is not None and asyncio._get_running_loop() is not None and asyncio.current_task() is not None:
            raise RuntimeError("an async def hook reads with 'async for chunk in stream' or 'await stream.aread()'")
        while (chunk := self._pipe.get()) is not None:
            yield chunk

    def read(self) -> bytes:
        """The rest of the message. It blocks, so it is for ``def`` hooks only."""
        return b"".join(self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks, as they arrive. Only for ``async def`` hooks."""
        while self._pipe is not None and (chunk := await self._pipe.aget()) is not None:
            yield chunk

    async def aread(self) -> bytes:
        """The same as ``read``, for ``async def`` hooks."""
        return b"".join([chunk async for chunk in self])

    def open(self, post: Callable[[Callable[[], object]], object]) -> Pipe:
        """The server's end: a hook is going to read."""
        self._pipe = Pipe(post)
        return self._pipe
