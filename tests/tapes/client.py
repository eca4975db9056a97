"""A client of a tape: it never waits, and gives up nothing but its own connection."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from typing import Final

_BLOCK: Final = 65536
_ROUNDS: Final = 8  # of a handshake, at most
_RESET: Final = struct.pack("ii", 1, 0)


class Client:
    """One connection. ``heard`` is what the server has said, decrypted; ``settle`` waits for the server's thread."""

    def __init__(self, address: tuple[str, int] | str, settle: Callable[[], None]) -> None:
        self.heard = b""
        self.secured = False
        self.local: object = None
        self._settle = settle
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        try:
            self._socket.connect(address)
            self.local = self._socket.getsockname()
        except OSError:  # the server has stopped, or is full
            self._socket.close()
        self._socket.setblocking(False) if self.open else None

    @property
    def open(self) -> bool:
        return self._socket.fileno() >= 0

    def send(self, data: bytes) -> None:
        """Send this, as far as the server takes it."""
        if self.secured and self._tls is not None:
            try:
                self._tls.write(data)
            except ssl.SSLError:
                return
            data = self._outgoing.read()
        self._write(data)

    def hear(self) -> None:
        """Take what has come by now."""
        data = self._read()
        if self._tls is None:
            self.heard += data
            return
        self._incoming.write(data)
        try:
            while self.secured and (plain := self._tls.read(_BLOCK)):
                self.heard += plain
        except (ssl.SSLError, OSError):
            self._write(self._outgoing.read())  # an alert, or what TLS has to say by itself

    def shake_hands(self, context: ssl.SSLContext) -> None:
        """Try a TLS handshake, as long as the server takes part in it."""
        if self._tls is not None:
            return
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        for _ in range(_ROUNDS):
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._exchange()
            except (ssl.SSLError, OSError):
                self._exchange()
                return
            else:
                self.secured = True
                self._exchange()
                return

    def _exchange(self) -> None:
        self._write(self._outgoing.read())
        self._settle()
        self._incoming.write(self._read())

    def finish(self) -> None:
        """Close this side."""
        if self.open:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                return

    def reset(self) -> None:
        """Vanish with a RST."""
        if self.open and self._socket.family == socket.AF_INET:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._socket.close()

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def _write(self, data: bytes) -> None:
        while data and self.open:
            try:
                data = data[self._socket.send(data) :]
            except OSError:  # it takes no more, or has gone
                return

    def _read(self) -> bytes:
        data = b""
        while self.open:
            try:
                piece = self._socket.recv(_BLOCK)
            except OSError:  # nothing more yet, or for ever
                break
            if not piece:
                break
            data += piece
        return data
