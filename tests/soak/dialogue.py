"""Clients of the soak tests: a raw socket that may be as rude as the test wants, and smtplib for the polite."""

import smtplib
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from pytest_smtpd import SMTPServer

TIMEOUT = 30.0
MESSAGE = "Subject: Welcome\r\n\r\nThank you for signing up.\r\n"


class Client:
    """A connection by hand."""

    def __init__(self, server: SMTPServer) -> None:
        self.socket: socket.socket = socket.create_connection(server.address, timeout=TIMEOUT)
        self._replies = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave with a FIN, or a RST where something was not read."""
        self._replies.close()
        self.socket.close()

    def reply(self) -> str:
        """The last line of the next reply; empty when the server has hung up."""
        line = self._replies.readline()
        while line[3:4] == b"-":
            line = self._replies.readline()
        return line.decode().rstrip()

    def greeted(self) -> Self:
        """After the greeting and EHLO."""
        self.reply()
        self.say("EHLO client.test")
        return self

    def say(self, command: str) -> str:
        """A command and its reply."""
        self.socket.sendall(command.encode() + b"\r\n")
        return self.reply()

    def transaction(self) -> Self:
        """Up to where DATA or BDAT may follow."""
        self.say("MAIL FROM:<app@example.com>")
        self.say("RCPT TO:<ada@example.com>")
        return self

    def pour(self, piece: bytes, times: int) -> bool:
        """Send the same bytes many times; whether the server has taken them all."""
        with suppress(ConnectionError):
            for _ in range(times):
                self.socket.sendall(piece)
            return True
        return False

    def starttls(self, context: ssl.SSLContext) -> Self:
        """Change to TLS."""
        self.say("STARTTLS")
        self._replies.close()
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._replies = self.socket.makefile("rb")
        return self

    def reset(self) -> None:
        """Vanish with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def deliver(server: SMTPServer, to: str = "ada@example.com") -> None:
    """One message from a client that behaves."""
    with smtplib.SMTP(server.host, server.port, local_hostname="client.test", timeout=TIMEOUT) as client:
        client.sendmail("app@example.com", [to], MESSAGE)


def client_hello(context: ssl.SSLContext) -> bytes:
    """The first flight of a handshake."""
    outgoing = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


@contextmanager
def others_are_served(server: SMTPServer) -> Iterator[None]:
    """A polite client gets its message through before the block and after it."""
    before = len(server.envelopes)
    deliver(server)
    yield
    deliver(server)
    assert len(server.envelopes) >= before + 2
