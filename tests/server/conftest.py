"""Servers with rules, and clients without a will of their own; nothing may be left of either."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pytest_smtpd import Rule, SMTPServer
from tests.rfc.wire import Wire
from tests.rfc.wire import connect as connect_to
from tests.server.talk import Connect, Serve


@pytest.fixture
def serve() -> Iterator[Serve]:
    """``serve(*rules, **settings)`` starts a server; the nearest rule comes first.

    What its hooks raised by mistake fails the test, unless that has taken it with ``mistakes``.
    """
    before = set(threading.enumerate())
    servers: list[SMTPServer] = []
    with ExitStack() as stack:

        def start(*rules: Rule, **settings: Any) -> SMTPServer:
            server = SMTPServer(on=rules, **settings).start()
            servers.append(server)
            stack.callback(server.stop)
            return server

        yield start
    for server in servers:
        server.verify()
    assert set(threading.enumerate()) <= before


@pytest.fixture
def connect(serve: Serve) -> Iterator[Connect]:
    """``connect(server)`` is a client that has read the greeting; it is closed before the servers stop."""
    with ExitStack() as stack:

        def open_one(server: SMTPServer, *, greet: bool = True) -> Wire:
            return stack.enter_context(connect_to(server, greet=greet))

        yield open_one
