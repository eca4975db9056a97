"""The server's end of one connection: sending, delays, paced bytes, and the end of the connection."""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_smtpd.net.pauses import Drain, Pause, Silence
from pytest_smtpd.net.poller import Poller
from pytest_smtpd.net.transport import Transport
from pytest_smtpd.rules.verdict import Ending, Verdict
from pytest_smtpd.smtp.session import Ended
from pytest_smtpd.turn import Steps

if TYPE_CHECKING:
    import ssl

    from pytest_smtpd.net.tls import TLS, SecureClient


class Line:
    """Sends bytes to one client, through TLS once that is on.

    ``client_closed`` is whether the client will send nothing more, ``discarding`` whether what it sends is discarded,
    ``finished`` whether the server has sent its last byte. ``ended`` is how the connection ends, once that is known.
    """

    def __init__(self, poller: Poller, sock: socket.socket, client: "SecureClient") -> None:
        self.transport: Transport = Transport(poller, sock, client)
        self.tls: TLS | None = None
        self.write: Callable[[bytes], None] = self.transport.write  # through TLS once that is on
        self.client_closed: bool = False
        self.discarding: bool = False
        self.finished: bool = False
        self.ended: Ended | None = None
        self._poller = poller
        self._client = client

    def start_tls(self, context: "ssl.SSLContext") -> "TLS":
        """Put TLS between the transport and the conversation, and return it; its handshake has not begun yet."""
        from pytest_smtpd.net.tls import TLS

        self.tls = TLS(self.transport, context, self._client)
        return self.tls

    def secured(self) -> None:
        """The TLS handshake is complete: encrypt what is written from now on."""
        if self.tls is not None:
            self.write = self.tls.write

    def send(self, data: bytes, pace: float, write: Callable[[bytes], None]) -> Steps:
        """Write ``data`` at once, or byte by byte with ``pace`` seconds in between if that is not 0.

        Once the client has closed its side, the rest is written at once. ``write`` is the function that writes.
        """
        place = 0
        while pace and place < len(data) and not self.client_closed:
            write(data[place : place + 1])
            place += 1
            if place < len(data):
                yield from self.pause(pace)
        write(data[place:])

    def pause(self, seconds: float) -> Steps:
        """Wait for a number of seconds. The wait ends early when the client closes its side."""
        if seconds and not self.client_closed:
            yield Pause(self._poller, seconds)

    def end_by(self, verdict: Verdict) -> Steps:
        """End the connection as the verdict of a rule asks for, after ``linger`` seconds and all unsent bytes.

        It is closed, reset, or stalled: then it stays open, without a reply, until the client closes its side.
        """
        yield from self.pause(verdict.linger)
        while self.transport.unsent:
            yield Drain()
        if verdict.ending in (Ending.STALL, Ending.STALL_UNREAD):
            self.discarding = True
            if verdict.ending is Ending.STALL_UNREAD:
                self.transport.pause_reading()
            if not self.client_closed:
                yield Silence(self._poller)
        elif verdict.ending is Ending.RST:
            self.ended = self.ended or "server-reset"
            self.finished = True
            self.transport.reset()
        else:
            self.ended = self.ended or "server"
            self.last_byte(close_notify=verdict.ending is Ending.CLOSE)

    def last_byte(self, *, close_notify: bool) -> None:
        """Send FIN. Until the client's own, input is read and discarded: to close with unread input would send RST."""
        if close_notify:
            self.close_notify()
        self.finished = self.discarding = True
        if self.transport.paused and not self.client_closed:
            self.transport.resume_reading()
        self.transport.finish()

    def close_notify(self) -> None:
        """If TLS is on, send the alert that ends it in good order."""
        if self.tls is not None and self.tls.ready:
            self.tls.close_notify()
