"""A raw client: it says what it is told, and notes every byte that comes and how the connection ends.

TLS is done over `ssl.MemoryBIO`, so that what TLS saw (a close_notify, an alert) and what TCP saw (FIN, RST, silence)
stay apart. On Linux a FIN that was received stays a FIN, also when a reset follows because the client was still
sending: `recv` returns nothing, and `send` fails with EPIPE; after a reset alone both fail with ECONNRESET.
"""

from __future__ import annotations

import re
import socket
import ssl
from types import TracebackType
from typing import Self

from tests.faults.vocabulary import End

PATIENCE = 5.0
"""Seconds within which whatever must come has come."""
MOMENT = 0.05
"""Seconds for which nothing has to come where nothing may."""
_BLOCK = 16_384


def client_context(ca_file: str, kind: str = "careful") -> ssl.SSLContext:
    """How a client looks at certificates: careful, careless, or one that knows a single version of TLS."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996; distributions may build Python without this default
    if kind == "careless":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    versions = {"tls-1.2": ssl.TLSVersion.TLSv1_2, "tls-1.3": ssl.TLSVersion.TLSv1_3}
    if kind in versions:
        context.minimum_version = context.maximum_version = versions[kind]
    return context


class Observer:
    """One TCP connection, and what became of it."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext) -> None:
        self.end: End | None = None
        self.close_notify = False
        self.alert = ""
        self.secured = False
        self._received = bytearray()
        self._context = context
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._socket = self._connected(address)

    def _connected(self, address: tuple[str, int]) -> socket.socket:
        sock = socket.socket()
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # so that a server that stops reading is noticed
        try:
            sock.connect(address)
        except ConnectionRefusedError:
            self.end = End.REFUSED
        except ConnectionResetError:
            self.end = End.RST
        return sock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    @property
    def is_shaking_hands(self) -> bool:
        """Whether a handshake was begun and has not succeeded: nothing can be said meanwhile."""
        return self._tls is not None and not self.secured

    # ---------------------------------------------------------------- out

    def send(self, data: bytes) -> None:
        """Sends as much as the server takes; notes a reset, and a server that takes no more."""
        for start in range(0, len(data), _BLOCK):
            if self.end is not None:
                return
            self._put(data[start : start + _BLOCK])

    def _put(self, block: bytes) -> None:
        if self._tls is None:
            self._send(block)
        else:
            self._tls.write(block)
            self._flush()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._send(data)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except ConnectionResetError:
            self.end = End.RST
        except BrokenPipeError:
            pass  # the server has ended the connection; recv knows how
        except TimeoutError:
            self.end = End.BLOCKED

    def patience(self, seconds: float) -> None:
        """How long to wait from now on."""
        self._socket.settimeout(seconds)

    # ---------------------------------------------------------------- in

    def line(self) -> bytes:
        """The next line with its end, or what there is of it when nothing more comes."""
        while b"\n" not in self._received and self._more():
            pass
        return self._take(self._received.find(b"\n") + 1 or len(self._received))

    def exactly(self, count: int) -> bytes:
        """The next bytes, fewer when no more come."""
        while len(self._received) < count and self._more():
            pass
        return self._take(min(count, len(self._received)))

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while self._more():
            pass
        return self._take(len(self._received))

    def is_silent(self) -> bool:
        """Whether the connection is open and nothing comes."""
        self.patience(MOMENT)
        while self._more():
            pass  # under TLS, what comes need not be for us
        self.patience(PATIENCE)
        silent = self.end is End.SILENCE and not self._received
        self.end = None if silent else self.end
        return silent

    def _take(self, count: int) -> bytes:
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _more(self) -> bool:
        """Whether something came."""
        data = self._arrived()
        if self._tls is None or not self.secured:
            self._received += data
        elif data:
            self._decrypt(data)
        return self.end is None

    def _arrived(self) -> bytes:
        if self.end in {End.FIN, End.RST, End.REFUSED, End.ALERT}:
            return b""
        try:
            data = self._socket.recv(65_536)
        except ConnectionResetError:
            self.end = End.RST
        except TimeoutError:
            self.end = End.SILENCE
        else:
            self.end = None if data else End.FIN
            return data
        return b""

    # ---------------------------------------------------------------- TLS

    def start_tls(self) -> None:
        """Shakes hands, as far as the server does."""
        self._incoming.write(self._take(len(self._received)))
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        while not self.secured and self.end is None:
            self._shake()
        if self.secured:
            self._decrypt(b"")  # what came along with the end of the handshake

    def _shake(self) -> None:
        assert self._tls is not None
        try:
            self._tls.do_handshake()
            self.secured = True
        except ssl.SSLWantReadError:
            self._flush()
            self._incoming.write(self._arrived())
        except ssl.SSLError as error:
            self._give_up(error)
        self._flush()

    def _decrypt(self, data: bytes) -> None:
        assert self._tls is not None
        self._incoming.write(data)
        try:
            while plain := self._tls.read(65_536):
                self._received += plain
            self.close_notify = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._give_up(error)

    def _give_up(self, error: ssl.SSLError) -> None:
        self.end = End.ALERT
        code = f":{error.verify_code}" if isinstance(error, ssl.SSLCertVerificationError) else ""
        self.alert = f"{error.reason}{code}"

    def end_is_alert(self, pattern: str) -> bool:
        """Whether TLS has given up with this."""
        return self.end is End.ALERT and re.fullmatch(pattern, self.alert) is not None
