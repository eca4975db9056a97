"""Connections for the sample applications: one interface, over blocking sockets and over asyncio.

The methods of a blocking one never suspend, so that one application, a coroutine function, runs in both ways.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class Place(NamedTuple):
    """Where a server is, and how a client reaches it. Without ``verify`` any certificate is good enough."""

    host: str
    port: int
    ca_file: str
    implicit: bool = False
    starttls: bool = False
    lmtp: bool = False
    login: bool = False
    timeout: float = 0.3
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """Make a context that trusts the tests' own authority only."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.verify:
            context.load_verify_locations(self.ca_file)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Link(Protocol):
    secure: bool

    async def line(self) -> bytes: ...
    async def send(self, data: bytes) -> None: ...
    async def start_tls(self, place: Place) -> None: ...
    def patient(self) -> None: ...
    async def close(self) -> None: ...


Dial = Callable[[Place], Awaitable[Link]]


class Blocking:
    """A connection whose every wait blocks the thread."""

    def __init__(self, place: Place) -> None:
        self._socket = socket.create_connection((place.host, place.port), place.timeout)
        self._file = self._socket.makefile("rb")
        self.secure = False

    async def line(self) -> bytes:
        return self._file.readline()

    async def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    async def start_tls(self, place: Place) -> None:
        self._file.close()
        plain = self._socket
        try:
            self._socket = place.context().wrap_socket(plain, server_hostname=place.host)
        except BaseException:
            plain.close()
            raise
        self._file = self._socket.makefile("rb")
        self.secure = True

    def patient(self) -> None:
        self._socket.settimeout(None)

    async def close(self) -> None:
        self._file.close()
        self._socket.close()


class Streams:
    """A connection of asyncio."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> None:
        self._reader, self._writer = reader, writer
        self._timeout: float | None = timeout
        self.secure = False

    async def line(self) -> bytes:
        return await asyncio.wait_for(self._reader.readline(), self._timeout)

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await asyncio.wait_for(self._writer.drain(), self._timeout)

    async def start_tls(self, place: Place) -> None:
        handshake = self._writer.start_tls(place.context(), server_hostname=place.host)
        await asyncio.wait_for(handshake, self._timeout)
        self.secure = True

    def patient(self) -> None:
        self._timeout = None

    async def close(self) -> None:
        self._writer.transport.abort()
        await asyncio.sleep(0)


async def dial_blocking(place: Place) -> Link:
    link = Blocking(place)
    try:
        if place.implicit:
            await link.start_tls(place)
    except BaseException:
        await link.close()
        raise
    return link


async def dial_streams(place: Place) -> Link:
    reader, writer = await asyncio.wait_for(asyncio.open_connection(place.host, place.port), place.timeout)
    link = Streams(reader, writer, place.timeout)
    try:
        if place.implicit:
            await link.start_tls(place)
    except BaseException:
        await link.close()
        raise
    return link


def run_blocking(work: Coroutine[Any, Any, T]) -> T:
    """Run an application whose connections block, to its end, in this thread."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("an application over blocking connections has to run without a loop")


def lines_of(text: Iterable[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in text).encode()
