"""The conversation over a socket: what is in the log when the client can see a reply, and what a stop does not wait for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_smtpd import Reject, Session, SMTPServer, on


class Client:
    """A socket and its lines."""

    def __init__(self, server: SMTPServer) -> None:
        self.socket = socket.create_connection(server.address, timeout=10)
        self.lines = self.socket.makefile("rb")

    def ask(self, *commands: bytes) -> bytes:
        """The last line of the reply to the last command, one at a time."""
        for command in commands:
            self.socket.sendall(command + b"\r\n")
            while (line := self.lines.readline())[3:4] == b"-":
                pass
        return line

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@contextmanager
def connected(server: SMTPServer) -> Iterator[Client]:
    client = Client(server)
    try:
        assert client.lines.readline().startswith(b"220")
        yield client
    finally:
        client.close()


ENVELOPE = (b"EHLO client.example", b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@d.example>", b"DATA")


def test_the_data_call_is_there_when_the_client_may_send() -> None:
    with SMTPServer() as server:
        for number in range(30):
            with connected(server) as client:
                assert client.ask(*ENVELOPE).startswith(b"354")
                assert [call.outcome for call in server.log.calls("data")[number:]] == ["pending"]
                client.ask(b"Subject: x\r\n\r\nx\r\n.", b"QUIT")
        assert len(server.log.calls("data")) == 30


def test_a_354_behind_which_nothing_follows_passes_no_data_hook() -> None:
    with SMTPServer(on=[on("command", verb="DATA", reply=354, drop=True)]) as server:
        with connected(server) as client:
            assert client.ask(*ENVELOPE).startswith(b"354")
            assert client.lines.read() == b""
        server.wait_closed()
        assert server.log.calls("data") == []


def test_a_stop_does_not_wait_for_a_client_that_does_not_read() -> None:
    server = SMTPServer(on=[on("mail_from", raw=b"250-" + b"x" * 30_000_000 + b"\r\n")]).start()
    with connected(server) as client:
        client.ask(b"EHLO client.example")
        client.socket.sendall(b"MAIL FROM:<a@b.example>\r\n")
        server.log.wait_for("mail_from")
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 0.2


def test_an_error_of_the_close_hook_leaves_no_connection_behind() -> None:
    def refuse(session: Session) -> None:
        raise Reject(550, "too late")

    server = SMTPServer(on=[on("close", call=refuse)]).start()
    with connected(server) as client:
        client.ask(b"QUIT")
    server.wait_closed()
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < 0.2
    assert server.errors
    with pytest.raises(type(server.errors[0])):
        server.verify()
