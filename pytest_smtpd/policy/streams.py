"""The content of a message while it arrives, for ``data`` hooks that read it."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Final

_FULL: Final = 1 << 20  # bytes that wait for a slow hook before the client has to wait too


class Pipe:
    """Chunks on their way from the server's loop to a hook that may be anywhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._changed = threading.Condition()
        self._sleepers: set[asyncio.Future[None]] = set()
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._ended = False
        self._broken: str | None = None
        self._abandoned = False

    def put(self, data: bytes) -> None:
        """Content has arrived. On the loop."""
        with self._changed:
            if not self._abandoned:
                self._chunks.append(data)
                self._waiting += len(data)
        self._wake()

    def end(self, broken: str | None = None) -> None:
        """There is no more; ``broken`` says why the message is not complete: what is complete stays so. On the loop."""
        with self._changed:
            if not self._ended:
                self._ended, self._broken = True, broken
        self._wake()

    def abandon(self) -> None:
        """Nobody reads any more. On the loop."""
        with self._changed:
            self._abandoned, self._waiting = True, 0
            self._chunks.clear()
        self._wake()

    @property
    def has_reader(self) -> bool:
        """Whether someone waits in it for more."""
        return bool(self._sleepers) and not self._ended

    def get(self) -> bytes | None:
        """The next chunk, None at the end. Blocks; in a worker thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._chunks or self._ended)
            chunk = self._pop()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be woken
            self._loop.call_soon_threadsafe(self._wake)
        return chunk

    async def aget(self) -> bytes | None:
        """The next chunk, None at the end. On the loop."""
        while not self._chunks and not self._ended:
            await self._sleep()
        chunk = self._pop()
        self._wake()
        return chunk

    def _pop(self) -> bytes | None:
        if self._chunks:
            chunk = self._chunks.popleft()
            self._waiting -= len(chunk)
            return chunk
        if self._broken is not None:
            raise ConnectionError(self._broken)
        return None

    async def room(self) -> None:
        """Until the hook has caught up. On the loop."""
        while self._waiting >= _FULL and not self._ended:
            await self._sleep()

    async def _sleep(self) -> None:
        sleeper = self._loop.create_future()
        self._sleepers.add(sleeper)
        try:
            await sleeper
        finally:
            self._sleepers.discard(sleeper)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)


class Stream:
    """A message's content, dot-unstuffed, as the client sends it; for ``def`` and for ``async def`` hooks.

    ``size`` is how many bytes have arrived, ``size_exceeded`` whether that is over the ``size`` setting. Reading
    raises ``ConnectionError`` if the client vanishes, or gives up the message, before its end. What a hook leaves is
    read for it.
    """

    __module__ = "pytest_smtpd"
    __slots__ = ("_pipe", "size", "size_exceeded")

    def __init__(self) -> None:
        self.size: int = 0
        self.size_exceeded: bool = False
        self._pipe: Pipe | None = None

    def __repr__(self) -> str:
        return f"<Stream {self.size} bytes>"

    def __iter__(self) -> Iterator[bytes]:
        """The chunks, as they arrive. Blocks; only for ``def`` hooks."""
        if self._pipe is None:
            return
        if asyncio._get_running_loop() is not None:
            raise RuntimeError("an async def hook reads with 'async for chunk in stream' or 'await stream.aread()'")
        while (chunk := self._pipe.get()) is not None:
            yield chunk

    def read(self) -> bytes:
        """All that is left, to the end of the message. Blocks; only for ``def`` hooks."""
        return b"".join(self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks, as they arrive. Only for ``async def`` hooks."""
        while self._pipe is not None and (chunk := await self._pipe.aget()) is not None:
            yield chunk

    async def aread(self) -> bytes:
        """All that is left, to the end of the message. Only for ``async def`` hooks."""
        return b"".join([chunk async for chunk in self])

    def open(self, loop: asyncio.AbstractEventLoop) -> Pipe:
        """The server's end: a hook is going to read."""
        self._pipe = Pipe(loop)
        return self._pipe
