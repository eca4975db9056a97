"""A message's content on its way to a hook: no faster than it is read, and whatever is left is read for it."""

from __future__ import annotations

import asyncio
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_smtpd import Session, Stream, on
from tests.rfc.wire import Wire
from tests.server.talk import BODY, CONTENT, Connect, Serve, codes, last, mistakes, to_data

MEBIBYTE = 1 << 20
PIECE = b"x" * 998 + b"\r\n"


def test_a_hook_reads_while_the_content_arrives(serve: Serve, connect: Connect) -> None:
    sizes: list[tuple[int, int]] = []
    read = threading.Event()

    async def hook(stream: Stream, session: Session) -> None:
        got = 0
        async for chunk in stream:
            got += len(chunk)
            sizes.append((got, stream.size))
            read.set()

    wire = connect(serve(on("data", call=hook)))
    to_data(wire)
    for piece in (b"Subject: Hi\r\n\r\n", b"Hello\r\n"):
        wire.send(piece + b"x")
        assert read.wait(5)
        read.clear()
    assert codes(wire, "\r\n.") == [250]
    assert [got for got, _ in sizes] == sorted({got for got, _ in sizes})
    assert sizes[-1] == (26, 26)
    assert len(sizes) >= 2


def test_what_is_left_is_read_at_once(serve: Serve, connect: Connect) -> None:
    got: list[bytes] = []
    first = threading.Event()

    def hook(stream: Stream, session: Session) -> None:
        got.append(next(iter(stream)))
        first.set()
        got.append(stream.read())
        got.append(stream.read())

    wire = connect(serve(on("data", call=hook)))
    to_data(wire)
    wire.send(CONTENT[:9])
    assert first.wait(5)
    wire.send(CONTENT[9:] + b".\r\n")
    assert wire.reply().code == 250
    assert got == [CONTENT[:9], CONTENT[9:], b""]


@pytest.mark.parametrize("name", ["read", "__iter__"])
def test_to_block_the_loop_is_an_error_that_says_how_to_read(serve: Serve, connect: Connect, name: str) -> None:
    async def hook(stream: Stream, session: Session) -> None:
        list(getattr(stream, name)())

    server = serve(on("data", call=hook))
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY) == [451]
    (error,) = mistakes(server)
    assert isinstance(error, RuntimeError)
    assert str(error) == "an async def hook reads with 'async for chunk in stream' or 'await stream.aread()'"


def test_the_stream_of_a_message_without_a_hook_is_empty_but_knows_its_size(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    to_data(wire)
    codes(wire, BODY)
    stream = last(server, "data").argument
    assert (list(stream), stream.read(), asyncio.run(stream.aread())) == ([], b"", b"")
    assert (stream.size, stream.size_exceeded) == (len(CONTENT), False)
    assert repr(stream) == f"<Stream {len(CONTENT)} bytes>"


@pytest.mark.parametrize(("size", "exceeded"), [(None, False), (21, True), (22, False)])
@pytest.mark.parametrize("hooked", [False, True])
def test_the_stream_knows_whether_the_message_is_too_big(
    serve: Serve, connect: Connect, size: int | None, exceeded: bool, hooked: bool
) -> None:
    async def hook(stream: Stream, session: Session) -> None:
        await stream.aread()
        session.notes["seen"] = stream.size, stream.size_exceeded

    server = serve(*([on("data", call=hook)] if hooked else []), size=size)
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY) == [552 if exceeded else 250]
    stream = last(server, "data").argument
    assert (stream.size, stream.size_exceeded) == (len(CONTENT), exceeded)
    assert server.log.sessions()[0].notes == ({"seen": (22, exceeded)} if hooked else {})


# --- no faster than it is read ------


def pour(wire: Wire, most: int) -> int:
    """Send as much as the server takes, and how much that is; it takes no more if it has not for half a second."""
    sent = 0
    wire.socket.setblocking(False)
    while sent < most and select.select([], [wire.socket], [], 0.5)[1]:
        try:
            sent += wire.socket.send(PIECE * 64)
        except BlockingIOError:
            continue
    wire.socket.settimeout(5)
    return sent


def aligned(sent: int) -> bytes:
    """The rest of the line, and the end."""
    return (PIECE[sent % len(PIECE) :] if sent % len(PIECE) else b"") + b".\r\n"


def reading(release: threading.Event, kind: str) -> Any:
    def plain(stream: Stream, session: Session) -> None:
        release.wait(10)
        session.notes["read"] = len(stream.read())

    async def asynchronous(stream: Stream, session: Session) -> None:
        await asyncio.to_thread(release.wait, 10)
        session.notes["read"] = len(await stream.aread())

    return plain if kind == "def" else asynchronous


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_the_client_has_to_wait_for_a_slow_hook(serve: Serve, connect: Connect, kind: str) -> None:
    release = threading.Event()
    server = serve(on("data", call=reading(release, kind)))
    wire = connect(server)
    to_data(wire)
    sent = pour(wire, 64 * MEBIBYTE)
    assert sent < 64 * MEBIBYTE
    assert last(server, "data").argument.size < 8 * MEBIBYTE, "the rest waits with the client and the kernel"
    release.set()
    wire.send(aligned(sent))
    assert wire.reply().code == 250
    assert server.log.sessions()[0].notes["read"] == server.one().size


def ignoring(stream: Stream, session: Session) -> None:
    """A hook that returns without reading."""


def peeping(stream: Stream, session: Session) -> None:
    next(iter(stream))


async def peeping_async(stream: Stream, session: Session) -> None:
    async for _ in stream:
        return


@pytest.mark.parametrize("hook", [ignoring, peeping, peeping_async])
def test_what_a_hook_leaves_is_read_for_it(serve: Serve, connect: Connect, hook: Any) -> None:
    server = serve(on("data", call=hook))
    wire = connect(server)
    to_data(wire)
    wire.send(PIECE * 4200 + b".\r\n")
    assert wire.reply().code == 250
    assert server.one().size == 4200 * len(PIECE)
    assert last(server, "data").rule is server.rules[0]


def test_a_rule_that_needs_the_content_lets_the_client_send_all_of_it(serve: Serve, connect: Connect) -> None:
    read: list[int] = []
    server = serve(
        on("data", subject="other", reply=550),
        on("data", call=lambda stream, session: read.append(len(stream.read()))),
    )
    wire = connect(server)
    to_data(wire)
    wire.send(PIECE * 4200 + b".\r\n")
    assert wire.reply().code == 250
    assert read == [4200 * len(PIECE)]


@contextmanager
def ending(happened: list[str]) -> Iterator[None]:
    """Note the exception that ends the block."""
    try:
        yield
    except BaseException as error:
        happened.append(type(error).__name__)
        raise


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_stop_ends_a_hook_that_reads(serve: Serve, connect: Connect, kind: str) -> None:
    entered, happened = threading.Event(), list[str]()

    def plain(stream: Stream, session: Session) -> None:
        with ending(happened):
            entered.set()
            stream.read()

    async def asynchronous(stream: Stream, session: Session) -> None:
        with ending(happened):
            entered.set()
            await stream.aread()

    server = serve(on("data", call=plain if kind == "def" else asynchronous))
    wire = connect(server)
    to_data(wire)
    wire.send(b"half a message\r\n")
    assert entered.wait(5)
    server.stop()
    assert happened == ["ConnectionError"]
    assert last(server, "data").outcome == "dropped"
