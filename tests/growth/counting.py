"""Run in a process of its own: counts the Python calls in the server's thread, and prints them as JSON.

A profile function sees every call. Timing would depend on the machine; the number of calls does not.
"""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest_smtpd
from pytest_smtpd import SMTPServer

PACKAGE = f"{Path(pytest_smtpd.__file__).parent}/"
CONTENT = b"Subject: Hello\r\n\r\n" + b"x" * 76 + b"\r\n"
MESSAGE = CONTENT + (b"y" * 72 + b"\r\n") * 12 + b".\r\n"  # 1 KB
ROUNDS = 20


class Calls:
    """Each call of the server's thread while it is ``on``: the file, the function, and the caller's file."""

    def __init__(self) -> None:
        self.on = False
        self.made: list[tuple[str, str, str]] = []

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if self.on and event == "call":
            caller = "" if frame.f_back is None else frame.f_back.f_code.co_filename
            self.made.append((frame.f_code.co_filename, frame.f_code.co_name, caller))


def reply(client: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") or data.splitlines()[-1][3:4] == b"-":
        more = client.recv(65536)
        assert more, data
        data += more
    return data


def say(client: socket.socket, *commands: bytes) -> None:
    for command in commands:
        client.sendall(command)
        assert reply(client)[:1] in b"23"


def connect(server: SMTPServer) -> socket.socket:
    client = socket.create_connection(server.address, timeout=30)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reply(client)
    return client


def send(server: SMTPServer) -> None:
    with connect(server) as client:
        say(client, b"EHLO client.example\r\n", b"MAIL FROM:<ada@client.example>\r\n")
        say(client, b"RCPT TO:<bob@server.example>\r\n", b"DATA\r\n", MESSAGE, b"QUIT\r\n")
        assert client.recv(1) == b""


def message(server: SMTPServer, calls: Calls) -> float:
    """Calls for one message on a connection of its own, on average.

    Waits are not counted: on a busy machine the thread may wake twice for what otherwise arrives at once.
    """
    send(server)
    server.wait_closed()
    calls.made.clear()
    calls.on = True
    for _ in range(ROUNDS):
        send(server)
    server.wait_closed()
    calls.on = False
    return len([name for _, name, _ in calls.made if name != "select"]) / ROUNDS


def recipient(server: SMTPServer, calls: Calls) -> dict[str, Any]:
    """The files of the package that one RCPT goes through, and the calls from one of them into another."""
    with connect(server) as client:
        say(client, b"EHLO client.example\r\n", b"MAIL FROM:<ada@client.example>\r\n")
        calls.made.clear()
        calls.on = True
        say(client, b"NOOP\r\n", b"RCPT TO:<bob@server.example>\r\n", b"NOOP\r\n")
        calls.on = False
    (turn,) = [turn for turn in turns(calls) if any(call[0].endswith("/smtp/mail.py") for call in turn)]
    ours = [(callee, caller) for callee, _, caller in turn if callee.startswith(PACKAGE)]
    crossing = [pair for pair in ours if pair[1].startswith(PACKAGE) and pair[0] != pair[1]]
    return {
        "files": sorted({callee.removeprefix(PACKAGE) for callee, _ in ours}),
        "crossing": len(crossing),
        "calls": len(ours),
    }


def turns(calls: Calls) -> list[list[tuple[str, str, str]]]:
    """The calls between two waits of the thread."""
    found: list[list[tuple[str, str, str]]] = [[]]
    for call in calls.made:
        if call[0].endswith("/net/poller.py") and call[1] == "select":
            found.append([])
        else:
            found[-1].append(call)
    return found


def main() -> None:
    calls = Calls()
    threading.setprofile(calls)
    with SMTPServer(tls=None) as server:
        print(json.dumps({"message": message(server, calls), "recipient": recipient(server, calls)}))


if __name__ == "__main__":
    main()
