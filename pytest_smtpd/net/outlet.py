"""Bytes on their way to the client: no faster than it takes them, and the two ways in which they end."""

import asyncio
import contextlib
import socket
import struct
from typing import Final

_RESET: Final = struct.pack("ii", 1, 0)


class Outlet:
    """The sending side of one TCP connection. ``unsent``: some bytes are still in our buffers."""

    def __init__(self, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(high=0)
        self.unsent: bool = False
        self._transport = transport
        self._drained: asyncio.Future[None] | None = None

    def put(self, data: bytes) -> None:
        """Send this, unless the connection is closing."""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def pause(self) -> None:
        """The client has not taken everything yet."""
        self.unsent = True

    def resume(self) -> None:
        """It has; or it is gone."""
        self.unsent = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    async def flush(self) -> None:
        """Until the client has taken what was sent: one that never reads must not fill our memory."""
        while self.unsent and not self._transport.is_closing():
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def end(self) -> None:
        """FIN."""
        if not self._transport.is_closing():
            with contextlib.suppress(OSError):  # the client has reset the connection just now
                self._transport.write_eof()

    def reset(self) -> None:
        """RST, now."""
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()
