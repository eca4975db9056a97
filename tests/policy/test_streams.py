"""A message's content on its way to a hook: in order, no faster than it is read, and with an error if it breaks off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pytest_smtpd.policy.streams import Pipe, Stream

MEBIBYTE = 1 << 20


def with_pipe(main: Callable[[Stream, Pipe], Awaitable[Any]]) -> Any:
    async def opened() -> Any:
        stream = Stream()
        async with asyncio.timeout(20):
            return await main(stream, stream.open(asyncio.get_running_loop()))

    return asyncio.run(opened())


def read_in_thread(stream: Stream) -> asyncio.Future[list[bytes]]:
    """As a ``def`` hook does."""
    return asyncio.ensure_future(asyncio.to_thread(lambda: list(stream)))


async def read_on_the_loop(stream: Stream) -> list[bytes]:
    """As an ``async def`` hook does."""
    return [chunk async for chunk in stream]


READERS = pytest.mark.parametrize("reader", [read_in_thread, read_on_the_loop], ids=["def", "async def"])


@READERS
def test_chunks_come_in_order_to_the_end(reader: Callable[[Stream], Awaitable[list[bytes]]]) -> None:
    async def main(stream: Stream, pipe: Pipe) -> list[bytes]:
        reading = asyncio.ensure_future(reader(stream))
        for number in range(20):
            pipe.put(str(number).encode())
            await asyncio.sleep(0)
        pipe.end()
        return await reading

    assert with_pipe(main) == [str(number).encode() for number in range(20)]


@READERS
def test_what_came_before_the_reading_began_is_not_lost(reader: Callable[[Stream], Awaitable[list[bytes]]]) -> None:
    async def main(stream: Stream, pipe: Pipe) -> list[bytes]:
        pipe.put(b"a")
        pipe.put(b"b")
        pipe.end()
        return await reader(stream)

    assert with_pipe(main) == [b"a", b"b"]


@READERS
def test_a_client_that_vanishes_is_a_connection_error_behind_what_had_come(
    reader: Callable[[Stream], Awaitable[list[bytes]]],
) -> None:
    got: list[bytes] = []

    async def main(stream: Stream, pipe: Pipe) -> None:
        pipe.put(b"half")
        pipe.end(broken="the client closed the connection")
        if reader is read_on_the_loop:
            async for chunk in stream:
                got.append(chunk)  # noqa: PERF401 - what came before the error counts
        else:
            await asyncio.to_thread(lambda: got.extend(stream))

    with pytest.raises(ConnectionError, match="the client closed the connection"):
        with_pipe(main)
    assert got == [b"half"]


@READERS
def test_a_blocked_reader_is_woken_by_the_break(reader: Callable[[Stream], Awaitable[list[bytes]]]) -> None:
    async def main(stream: Stream, pipe: Pipe) -> None:
        reading = asyncio.ensure_future(reader(stream))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        pipe.end(broken="gone")
        await reading

    with pytest.raises(ConnectionError, match="gone"):
        with_pipe(main)


@READERS
def test_the_client_has_to_wait_for_a_slow_hook(reader: Callable[[Stream], Awaitable[list[bytes]]]) -> None:
    async def main(stream: Stream, pipe: Pipe) -> int:
        pipe.put(bytes(MEBIBYTE))
        waiting = asyncio.ensure_future(pipe.room())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waiting.done()
        reading = asyncio.ensure_future(reader(stream))
        await waiting
        pipe.end()
        return sum(map(len, await reading))

    assert with_pipe(main) == MEBIBYTE


def test_there_is_room_below_the_limit() -> None:
    async def main(stream: Stream, pipe: Pipe) -> None:
        pipe.put(bytes(MEBIBYTE - 1))
        await pipe.room()

    with_pipe(main)


@pytest.mark.parametrize("end", ["abandon", "end"])
def test_nobody_waits_for_room_when_there_is_no_reader_or_no_more_content(end: str) -> None:
    async def main(stream: Stream, pipe: Pipe) -> None:
        pipe.put(bytes(2 * MEBIBYTE))
        waiting = asyncio.ensure_future(pipe.room())
        await asyncio.sleep(0)
        getattr(pipe, end)()
        await waiting
        pipe.put(bytes(2 * MEBIBYTE))
        await pipe.room()

    with_pipe(main)


def test_what_nobody_reads_is_not_kept() -> None:
    async def main(stream: Stream, pipe: Pipe) -> bytes:
        pipe.put(b"a")
        pipe.abandon()
        pipe.put(b"b")
        pipe.end()
        return await stream.aread()

    assert with_pipe(main) == b""


def test_a_reader_is_known_while_it_waits() -> None:
    async def main(stream: Stream, pipe: Pipe) -> list[bool]:
        known = [pipe.has_reader]
        reading = asyncio.ensure_future(read_on_the_loop(stream))
        await asyncio.sleep(0)
        known.append(pipe.has_reader)
        pipe.end()
        await reading
        return [*known, pipe.has_reader]

    assert with_pipe(main) == [False, True, False]


def test_a_cancelled_reader_leaves_nothing_behind() -> None:
    async def main(stream: Stream, pipe: Pipe) -> None:
        reading = asyncio.ensure_future(read_on_the_loop(stream))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert not pipe.has_reader
        pipe.put(b"x")

    with_pipe(main)


def test_read_and_aread_give_all_that_is_left() -> None:
    async def main(stream: Stream, pipe: Pipe) -> tuple[bytes, bytes]:
        pipe.put(b"a")
        pipe.put(b"b")
        first = await stream.__aiter__().__anext__()
        pipe.end()
        return first, await asyncio.to_thread(stream.read)

    assert with_pipe(main) == (b"a", b"b")


def test_reading_in_blocking_form_on_the_loop_is_an_error_that_says_how() -> None:
    async def main(stream: Stream, pipe: Pipe) -> None:
        with pytest.raises(RuntimeError, match="async for chunk in stream"):
            stream.read()

    with_pipe(main)


def test_a_stream_that_nobody_opened_is_empty() -> None:
    stream = Stream()
    assert list(stream) == []
    assert stream.read() == b""
    assert asyncio.run(stream.aread()) == b""
    assert (stream.size, stream.size_exceeded, repr(stream)) == (0, False, "<Stream 0 bytes>")


def test_a_reader_in_a_thread_survives_the_end_of_the_loop() -> None:
    stream = Stream()
    got: list[bytes] = []

    async def main() -> threading.Thread:
        pipe = stream.open(asyncio.get_running_loop())
        thread = threading.Thread(target=lambda: got.extend(stream))
        pipe.put(b"a")
        pipe.end()
        return thread

    thread = asyncio.run(main())
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    assert got == [b"a"]
