"""Servers and clients for the conformance tests; everything is closed and nothing may be left running."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.rfc import run
from tests.rfc.dialogue import Dialogue
from tests.rfc.wire import Connect, Serve, Wire, connect

if TYPE_CHECKING:
    from pytest_smtpd import SMTPServer


@pytest.fixture
def serve() -> Iterator[Serve]:
    """``serve(**settings)`` starts a server; stopped afterwards, with every thread it started."""
    from pytest_smtpd import SMTPServer

    before = set(threading.enumerate())
    with ExitStack() as stack:

        def start(**settings: Any) -> SMTPServer:
            return stack.enter_context(SMTPServer(**settings))

        yield start
    assert set(threading.enumerate()) <= before


@pytest.fixture
def client(serve: Serve) -> Iterator[Connect]:
    """``client(server, ehlo=True)`` opens a connection; closed before the servers stop."""
    with ExitStack() as stack:

        def open_one(server: SMTPServer, *, greet: bool = True, ehlo: bool = False) -> Wire:
            return stack.enter_context(connect(server, greet=greet, ehlo=ehlo))

        yield open_one


@pytest.fixture
def converse(serve: Serve) -> Callable[[Dialogue], None]:
    """Holds a dialogue with a server, over a socket."""

    def over_a_socket(dialogue: Dialogue) -> None:
        run.over_a_socket(serve(**dialogue.settings, on=list(dialogue.on)), dialogue)

    return over_a_socket
