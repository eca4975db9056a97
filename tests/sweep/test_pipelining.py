"""Clients that send commands before they have read the replies to those before (RFC 2920)."""

from __future__ import annotations

import select
import socket
from typing import BinaryIO

import pytest

from pytest_smtpd import SMTPServer, SweepFailure
from tests.sweep.inner import TIMEOUT


def read_reply(replies: BinaryIO) -> bytes:
    """Return the code of the next reply."""
    while (line := replies.readline())[3:4] == b"-":
        pass
    return line[:3]


def send_line_by_line(server: SMTPServer) -> None:
    """Write MAIL, then RCPT and DATA, in two packets, and read the replies only then."""
    with socket.create_connection(server.address, TIMEOUT) as client, client.makefile("rb") as replies:
        read_reply(replies)
        client.sendall(b"EHLO client.example\r\n")
        read_reply(replies)
        client.sendall(b"MAIL FROM:<app@example.com>\r\n")
        select.select([client], [], [], TIMEOUT)  # the server has replied, and nobody has read it
        client.sendall(b"RCPT TO:<ada@example.com>\r\nDATA\r\n")
        codes = [read_reply(replies) for _ in range(3)]
        if codes[2] == b"354":
            client.sendall(b"Subject: x\r\n\r\nHello.\r\n.\r\n")
            codes.append(read_reply(replies))
        if codes[-1] != b"250" or codes[1] != b"250":
            raise ConnectionError(str(codes))


@pytest.mark.parametrize("point", ["mail_from-451", "mail_from-550"])
def test_commands_that_were_on_their_way_are_not_out_of_step(point: str) -> None:
    """The first of them comes when the server has replied, so that it cannot see that it was on its way."""
    with SMTPServer() as server:
        try:
            for fault in server.sweep(only=point):
                with fault:
                    send_line_by_line(server)
        except SweepFailure as failure:
            pytest.fail(str(failure), pytrace=False)
