"""Every reply of the file reaches a client byte for byte, where its row says."""

from __future__ import annotations

import socket
from base64 import b64encode

import pytest

from pytest_smtpd import Rule, SMTPServer, providers
from tests.providers.table import ROWS, Row

LOGIN = b"AUTH PLAIN " + b64encode(b"\0app\0s3cret")
WAY = [b"EHLO client.example", b"MAIL FROM:<app@example.com>", b"RCPT TO:<ada@example.com>", b"DATA"]
BEFORE = {
    "connect": [],
    "EHLO": WAY[:1],
    "STARTTLS": [WAY[0], b"STARTTLS"],
    "auth": [WAY[0], LOGIN],
    "AUTH": [WAY[0], LOGIN],
    "mail_from": WAY[:2],
    "MAIL": WAY[:2],
    "rcpt_to": WAY[:3],
    "RCPT": WAY[:3],
    "DATA": WAY,
    "data": [*WAY, b"Subject: Hello\r\n\r\nHello.\r\n."],
}


class Client:
    """Sends lines, and takes just as many bytes as are asked for."""

    def __init__(self, server: SMTPServer) -> None:
        self.socket = socket.create_connection(server.address, timeout=10)
        self.file = self.socket.makefile("rb")

    def read_reply(self) -> bytes:
        lines = [self.file.readline()]
        while lines[-1][3:4] == b"-":
            lines.append(self.file.readline())
        return b"".join(lines)

    def send(self, line: bytes) -> None:
        self.socket.sendall(line + b"\r\n")

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def provoke(client: Client, row: Row) -> bytes:
    """Do what leads to the reply, and give as many bytes as it has."""
    for line in BEFORE[row.fields.get("verb", row.fields["hook"])]:
        assert client.read_reply()[:1] in b"23"
        client.send(line)
    return client.file.read(len(row.wire))


def ends_the_connection(row: Row) -> bool:
    return row.fields["hook"] == "connect" or "drop" in row.fields or row.wire.startswith(b"421")


@pytest.mark.parametrize(("row", "rule"), [*zip(ROWS, providers.replies(), strict=True)], ids=str)
def test_reply_is_sent_as_it_is_written(row: Row, rule: Rule) -> None:
    with SMTPServer(tls=None, on=[rule]) as server:
        client = Client(server)
        try:
            assert provoke(client, row) == row.wire
            if ends_the_connection(row):
                assert client.file.read() == b""
            else:
                client.send(b"NOOP")
                assert client.read_reply()[:3] == b"250"
        finally:
            client.close()
        assert [used.used for used in server.rules] == [1]


def test_rule_serves_as_any_other_rule() -> None:
    rule = providers.replies("gmail", "mailbox full")[0]
    with SMTPServer(tls=None) as server:
        with server.on(rule) as added:
            client = Client(server)
            for line in WAY[:3]:
                client.read_reply()
                client.send(line)
            assert client.read_reply().startswith(b"552 5.2.2 ")
            assert added.used == 1
        client.send(WAY[2])
        assert client.read_reply().startswith(b"250 ")
        client.close()
        assert rule.used == 0
