"""One TCP connection: the bytes that come and go, in clear or through TLS, and how it ends."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, Final

from pytest_smtpd.net.driver import Driver, until_input
from pytest_smtpd.net.hands import Hands
from pytest_smtpd.net.outlet import Outlet
from pytest_smtpd.net.tls import TLS
from pytest_smtpd.smtp.connection import Connection

_FULL: Final = 1 << 20  # unread bytes after which the client has to wait


class Wire(asyncio.Protocol):
    """Feeds a conversation with what the client says, and carries what it is told.

    ``eof``: the client has finished talking, or is gone. ``deaf``: what it says is thrown away. ``over``: we have said
    our last word. ``leaving``: the server stops. ``ending``: only the ``close`` hook is left.
    """

    transport: asyncio.Transport
    outlet: Outlet

    def __init__(
        self,
        smtp: Connection,
        hands: Hands,
        timeout: float | None,
        talk: Callable[["Wire"], Coroutine[Any, Any, None]],
    ) -> None:
        self.smtp = smtp
        self.hands = hands
        self.tls: TLS | None = None
        self.eof: bool = False
        self.deaf: bool = False
        self.over: bool = False
        self.leaving: bool = False
        self.ending: bool = False
        self._timeout = timeout
        self._in_vain = False  # the last wait ended without input
        self._paused = False  # the client is not being read
        self._lost = False  # the connection is gone
        self._driver = Driver(talk(self), self._part_over)

    # --- called by the transport ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start talking."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.outlet = Outlet(transport)
        self._driver.step()

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self.deaf:
            return
        if self.tls is None:
            self.smtp.receive_data(data)
        else:
            self.tls.feed(data)
            if self.tls.ready:
                self.decrypt(self.tls)
        self._driver.wake()
        if not self._paused and self.smtp.buffered > _FULL:
            self.stop_reading()

    def eof_received(self) -> bool:
        """The client has finished talking; what it said before is still answered."""
        self._client_left()
        return not self.over

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, however it ended."""
        if exc is not None and not self.over:
            self.hands.note(f"the client reset the connection ({type(exc).__name__})")
        self.deaf = True
        self.resume_writing()
        self._client_left()
        self._lost = True
        self._part_over()

    def pause_writing(self) -> None:
        """Some bytes are not sent yet."""
        self.outlet.pause()

    def resume_writing(self) -> None:
        """All is sent."""
        self.outlet.resume()

    def _part_over(self) -> None:
        """The conversation and the connection end in any order; after both, nothing is left."""
        if self._lost and self._driver.over:
            self.hands.gone(self)

    def _client_left(self) -> None:
        self.eof = True
        if not self.ending:
            self._driver.cancel()
            self._driver.wake()

    # --- called by the server ---------------------------------------------------------------------------------------

    async def unmade(self) -> None:
        """The connection was gone before it could be served."""
        self._driver.abandon()
        await self.hands.close()
        self.hands.gone(self)

    def leave(self) -> None:
        """The server stops: whatever is going on here ends now, at a second call the ``close`` hook too."""
        if self.ending and self.leaving:
            self._driver.cancel()
        self.deaf = self.leaving = True
        self._client_left()
        if self._driver.over:
            self.transport.abort()

    # --- called by the conversation: what comes ---------------------------------------------------------------------

    async def more_input(self) -> bool:
        """Wait for the client; False if it has gone, or been silent for too long."""
        if self.eof:
            return False
        self.resume_reading()
        if self._timeout is None:
            await until_input()
            return True
        silent = asyncio.get_running_loop().call_later(self._timeout, self._wake_in_vain)
        self._in_vain = False
        await until_input()
        silent.cancel()
        return not self._in_vain

    def _wake_in_vain(self) -> None:
        self._in_vain = True
        self._driver.wake()

    def stop_reading(self) -> None:
        """The client has to wait."""
        self._paused = True
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """It need not any longer."""
        if self._paused and not self.transport.is_closing():
            self.transport.resume_reading()
        self._paused = False

    def decrypt(self, tls: TLS) -> None:
        """Hand over what has come through TLS."""
        self.smtp.receive_data(tls.decrypt())
        if tls.failure is not None:
            self.tls_failed("TLS", tls.failure)
        if tls.ended or self.deaf:
            self._client_left()
        self.outlet.put(tls.output())

    def tls_failed(self, what: str, error: ssl.SSLError) -> None:
        """Nothing that comes from now on can be understood."""
        reason = error.reason or str(error)
        self.smtp.session.tls_error = reason
        self.hands.note(f"{what} failed: {reason}")
        self.deaf = True

    # --- called by the conversation: what goes, and the ways to end -------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send this, through TLS where it is on."""
        self.outlet.put(self.tls.encrypt(data) if self.tls is not None and self.tls.ready and data else data)

    def close_notify(self) -> None:
        """Where TLS is on, end it in good order."""
        if self.tls is not None and self.tls.ready:
            self.outlet.put(self.tls.close_notify())

    def finish(self) -> None:
        """FIN. Until the client's own, input is read and thrown away: to close with unread input would send RST."""
        self.over = self.deaf = True
        self.resume_reading()
        if not self.eof:
            self.outlet.end()

    def reset(self) -> None:
        """RST."""
        self.over = self.deaf = True
        self.outlet.reset()

    def hang_up(self) -> None:
        """Nobody talks any more. A client that has been told so closes first; one that has left is left."""
        self.deaf = self.ending = True
        self.resume_reading()
        if self.eof or not self.over:
            if not self.over:
                self.close_notify()
            self.over = True
            if self.leaving and self.outlet.unsent:
                self.transport.abort()  # a stop does not wait for a client that does not read
            self.transport.close()
