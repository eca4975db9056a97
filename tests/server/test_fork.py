"""A child of a fork holds nothing of the servers that it inherits, may ask them, and cannot hang in them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from pytest_smtpd import SMTPServer, on
from tests.server.talk import ADA, BODY, HELLO, MAIL, Connect, Serve, codes, script, to_data

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


class Child:
    """A process that does something, and lives on until it is let go."""

    def __init__(self, does: Callable[[], object]) -> None:
        self._from_child, to_parent = os.pipe()
        from_parent, self._to_child = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._to_child)
            self._live(does, to_parent, from_parent)
        os.close(to_parent)
        os.close(from_parent)

    def _live(self, does: Callable[[], object], to_parent: int, from_parent: int) -> None:
        try:
            told = repr(does())
        except BaseException as error:  # noqa: BLE001 - it is told to the parent
            told = repr(error)
        try:
            os.write(to_parent, told.encode())
            os.read(from_parent, 1)
        finally:
            os._exit(0)

    def told(self) -> str:
        """What came of it; waits for at most as long as a test may take."""
        return os.read(self._from_child, 65536).decode()

    def end(self) -> None:
        os.close(self._to_child)
        os.close(self._from_child)
        os.waitpid(self.pid, 0)


Fork = Callable[[Callable[[], object]], Child]


@pytest.fixture
def fork() -> Iterator[Fork]:
    children: list[Child] = []

    def new(does: Callable[[], object]) -> Child:
        children.append(Child(does))
        return children[-1]

    yield new
    for child in reversed(children):  # a later one has inherited the pipes of those before it
        child.end()


def test_a_child_that_lives_on_holds_no_connection_open(serve: Serve, connect: Connect, fork: Fork) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO)
    assert fork(int).told() == "0"
    assert codes(wire, "QUIT") == [221]
    assert wire.rest() == b"", "a FIN, although the child lives"


def test_a_child_that_lives_on_does_not_hold_the_port(serve: Serve, fork: Fork) -> None:
    server = serve()
    assert fork(int).told() == "0"
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, timeout=5)
    with SMTPServer(port=server.port) as other:
        assert other.port == server.port


def test_a_connection_goes_on_beside_the_child(serve: Serve, connect: Connect, fork: Fork) -> None:
    server = serve()
    wire = connect(server)
    to_data(wire)
    wire.send(b"Subject: ")
    fork(int).told()
    assert codes(wire, "Hi\r\n.", "QUIT") == [250, 221]
    assert server.one().subject == "Hi"


def test_a_child_may_ask_the_log_as_it_was_at_the_fork(serve: Serve, connect: Connect, fork: Fork) -> None:
    server = serve()
    wire = connect(server)
    to_data(wire)
    codes(wire, BODY)

    def ask() -> object:
        return server.one().subject, len(server.log), server.find(to="nobody@*"), server.envelopes[0].rcpt_to

    known = len(server.log)
    child = fork(ask)
    codes(wire, MAIL, ADA)
    assert child.told() == repr(("Hi", known, [], ("ada@example.com",)))


@pytest.mark.parametrize("wait", ["wait_for", "log.wait_for", "wait_quiet", "wait_closed", "clear", "stop", "catch_up"])
def test_a_child_cannot_hang_in_a_server_of_its_parent(serve: Serve, connect: Connect, fork: Fork, wait: str) -> None:
    server = serve()
    wire = connect(server)
    to_data(wire)
    codes(wire, BODY)
    calls: dict[str, Callable[[], object]] = {
        "wait_for": lambda: len(server.wait_for()),
        "log.wait_for": lambda: len(server.log.wait_for("data")),
        "wait_quiet": lambda: server.wait_quiet(0.01, count=1),
        "wait_closed": lambda: server.wait_closed(timeout=0.01),
        "clear": lambda: len(server.clear().envelopes()),
        "stop": server.stop,
        "catch_up": server.catch_up,
    }
    told = fork(calls[wait]).told()
    assert told in ("None", "1") or (wait == "wait_closed" and told.startswith("WaitTimeout("))
    assert codes(wire, "NOOP") == [250]


def test_a_fork_amid_the_locks_of_other_threads_hangs_nobody(serve: Serve, fork: Fork) -> None:
    """Threads that wait, or make rules, hold locks at the very moment of the fork; the child does not have them."""
    server = serve()
    done = threading.Event()

    def busy() -> None:
        while not done.is_set():
            with server.on("rcpt_to", reply=550):
                server.log.calls("rcpt_to")

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            told = fork(lambda: server.on("rcpt_to", reply=551).used + len(server.log)).told()
            assert told == "0"
    finally:
        done.set()
        for thread in threads:
            thread.join(10)


def test_a_child_may_have_servers_of_its_own(serve: Serve, fork: Fork) -> None:
    serve(on("connect", reply=421))

    def serve_in_the_child() -> object:
        with SMTPServer() as own, socket.create_connection(own.address, timeout=5) as client:
            client.sendall(script("QUIT"))
            return client.makefile("rb").read()[:3]

    assert fork(serve_in_the_child).told() == repr(b"220")


def test_a_child_may_start_again_what_it_has_inherited(serve: Serve, fork: Fork) -> None:
    """On the same port, once the parent does not need it any more."""
    server = serve()
    server.stop()

    def start() -> object:
        with server, socket.create_connection(server.address, timeout=5) as client:
            return client.recv(3)

    assert fork(start).told() == repr(b"220")
