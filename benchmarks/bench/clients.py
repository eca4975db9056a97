"""Sending mail: smtplib as a test does, Postfix's smtp-source for load, a bare socket for what neither can."""

import smtplib
import socket
import subprocess
from functools import lru_cache
from ssl import SSLContext
from time import perf_counter

from bench import environment
from bench.contenders import UnsupportedError

SENDER, RECIPIENT = "app@example.com", "ada@example.com"
MESSAGE = (
    b"From: app@example.com\r\nTo: ada@example.com\r\nSubject: Welcome\r\n\r\n"
    + b"Thank you for signing up, and have a look around.\r\n" * 18
)


@lru_cache
def context() -> SSLContext:
    """One context for all connections: making it is not what is measured."""
    return environment.client_context()


def connect(port: int, tls: str) -> smtplib.SMTP:
    """A client that has said EHLO where it has to."""
    if tls == "implicit":
        return smtplib.SMTP_SSL("127.0.0.1", port, local_hostname="client.test", context=context(), timeout=30)
    client = smtplib.SMTP("127.0.0.1", port, local_hostname="client.test", timeout=30)
    if tls == "starttls":
        client.starttls(context=context())
    return client


def send_one(port: int, tls: str) -> None:
    """One message on a connection of its own, 1 KB."""
    with connect(port, tls) as client:
        client.sendmail(SENDER, [RECIPIENT], MESSAGE)


def smtp_source(port: int, *options: str) -> float:
    """Run smtp-source, seconds that it took."""
    tool = environment.postfix_tool("smtp-source")
    if tool is None:
        raise UnsupportedError("no smtp-source on this system")
    begun = perf_counter()
    command = [tool, "-M", "client.test", *options, f"127.0.0.1:{port}"]
    done = subprocess.run(command, env=environment.tool_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0 or "fatal" in done.stderr:
        raise UnsupportedError(done.stderr.strip().rpartition(": ")[2] or f"smtp-source ended with {done.returncode}")
    return perf_counter() - begun


class Dialogue:
    """A socket and a reader of replies."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.replies = self.socket.makefile("rb")
        self.reply()

    def reply(self) -> bytes:
        """The next reply's last line."""
        line = self.replies.readline()
        while line[3:4] == b"-":
            line = self.replies.readline()
        return line

    def say(self, *data: bytes) -> bytes:
        """Send, and wait for one reply."""
        for piece in data:
            self.socket.sendall(piece)
        return self.reply()

    def close(self) -> None:
        """Hang up."""
        self.replies.close()
        self.socket.close()
