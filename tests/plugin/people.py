"""Everything that people may read about a server: its transcript, its reprs, and the texts of failing queries."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

from pytest_smtpd import SMTPServer


def dialogue(server: SMTPServer, *lines: str | bytes) -> None:
    """Send lines all at once, close the client's side, and read until the server has closed too."""
    octets = [line.encode() if isinstance(line, str) else line for line in lines]
    with socket.create_connection(server.address, timeout=10) as sock, contextlib.suppress(ConnectionError):
        sock.sendall(b"".join(line + b"\r\n" for line in octets))
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    server.wait_closed(timeout=10)


def shown(server: SMTPServer) -> str:
    """All texts, one below the other."""
    return "\n".join([server.log.transcript(), *_reprs(server), *_failures(server)])


def _reprs(server: SMTPServer) -> Iterator[str]:
    yield from map(repr, (server, server.settings, server.log, server.envelopes, server.rules))
    for session in server.log.sessions():
        yield ascii(session.commands)
        yield f"{session!r} {session} {session.tls!r} {session.error!r} {session.ended} {session.id}"
    for call in server.log:
        yield f"{call!r} {call} {call.reply!r} {call.reply} {call.rule!r} {call.envelope!r}"
        yield from (repr(argument) for argument in call.args)
    for envelope in server.log.envelopes():
        yield f"{envelope!r} {envelope.dsn!r} {envelope.attachments!r} {envelope.refused!r}"


def _failures(server: SMTPServer) -> Iterator[str]:
    """The texts of queries for what never came."""
    queries: list[Callable[[], object]] = [
        lambda: server.one(to="nobody@example.com", user="nobody"),
        lambda: server.wait_for(99, timeout=0, user="nobody", subject="none"),
        lambda: server.wait_quiet(0, count=99, user="nobody"),
        lambda: server.log.wait_for("connect", 99, timeout=0, outcome="none"),
        lambda: server.log.wait_for("auth", 99, timeout=0, user="nobody"),
        lambda: server.log.wait_for("mail_from", 99, timeout=0, user="nobody", mail_from="nobody@example.com"),
        lambda: server.log.wait_for("rcpt_to", 99, timeout=0, user="nobody", to="nobody@example.com"),
        lambda: server.log.wait_for("data", 99, timeout=0, user="nobody", subject="none"),
        lambda: server.log.wait_for("command", 99, timeout=0, user="nobody", verb="NONE"),
        lambda: server.log.wait_for("close", 99, timeout=0, user="nobody"),
    ]
    for query in queries:
        try:
            query()
        except AssertionError as error:
            yield str(error)
        else:
            raise RuntimeError("a query was to fail")
