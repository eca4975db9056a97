"""A child of a fork that lives on holds neither the port nor a connection open, may ask the log, and cannot hang."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_smtpd import Address, Session, SMTPServer, on
from tests.rfc.wire import TELLS_NO_CUT, TIMEOUT, Wire, connect
from tests.server.children import child, run

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork"),
    # From 3.12 on Python warns of a fork in a process with several threads, which one with a server always is.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]
MESSAGE = b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\n"


async def async_hook(*args: Any) -> None:
    await asyncio.sleep(0)


def hook(*args: Any) -> None:
    pass


@pytest.fixture(params=["plain", "def hook", "async hook", "TLS", "clients"])
def server(request: pytest.FixtureRequest) -> Iterator[SMTPServer]:
    """Servers that have something to hold on to."""
    hooks = {"def hook": [on("mail_from", call=hook)], "async hook": [on("mail_from", call=async_hook)]}
    with SMTPServer(on=hooks.get(request.param, [])) as server:
        with connect(server) as client:
            if request.param == "TLS":
                client.steps("STARTTLS")
                client.secure(server.client_context, server.host)
            client.send(MESSAGE)
            server.wait_for()
        server.wait_closed()
        others = [connect(server) for _ in range(5)] if request.param == "clients" else []
        yield server
        for other in others:
            other.close()


@contextmanager
def again_and_again(*works: Callable[[], object]) -> Iterator[None]:
    """Do each of these in a thread of its own, for as long as the block lasts."""
    stop = threading.Event()

    def repeat(work: Callable[[], object]) -> None:
        while not stop.is_set():
            work()

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


# --- the port and the connections -----------------------------------------------------------------------------------


def test_the_port_is_free_when_the_server_has_stopped(server: SMTPServer) -> None:
    with child():
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address, timeout=TIMEOUT)
        server.start()
        with connect(server, ehlo=True) as client:
            client.steps("QUIT")


def test_nobody_else_can_answer_at_the_port_either(server: SMTPServer) -> None:
    """A client that connects is served by the parent, however many children there are."""
    with child(), child(), child():
        for _ in range(10):
            with connect(server, ehlo=True) as client:
                client.send(MESSAGE)
                client.steps("RSET")
        assert len(server.wait_for(11)) == 11


def test_the_path_is_free_when_the_server_has_stopped() -> None:
    with SMTPServer(path=True) as server, child():
        path = server.path
        assert path
        server.stop()
        assert not Path(path).exists()
        server.start()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(server.path or "")


def test_a_connected_client_sees_the_stop(server: SMTPServer) -> None:
    with connect(server) as client, child():
        server.stop()
        assert client.rest() == b""


@pytest.mark.parametrize("how", ["quit", "421", "fin", "rst", "silence"])
@pytest.mark.parametrize("tls", [None, "starttls", "implicit"])
def test_a_connected_client_sees_how_its_connection_ends(tls: Any, how: str) -> None:
    rules = {
        "quit": on("command", verb="NOOP", reply="421 4.3.2 Bye"),
        "421": on("mail_from", reply=421),
        "fin": on("command", verb="NOOP", drop="fin"),
        "rst": on("command", verb="NOOP", drop="rst"),
    }
    settings = {"timeout": 0.2} if how == "silence" else {"on": [rules[how]]}
    with SMTPServer(tls=tls, **settings) as server, connect(server, greet=False) as client:
        if tls == "implicit":
            client.secure(server.client_context, server.host)
        client.reply()
        if tls == "starttls":
            client.steps("STARTTLS")
            client.secure(server.client_context, server.host)
        with child():
            if how != "silence":
                client.send(b"EHLO c\r\nMAIL FROM:<>\r\nNOOP\r\n")
            cut = "eof" if tls is None or TELLS_NO_CUT else "cut off"
            # Python's ssl module does not always tell a reset from a connection that was cut off.
            assert ending(client) in {"rst": ("reset", "cut off", cut), "fin": (cut,)}.get(how, ("eof",))


def ending(client: Wire) -> str:
    try:
        client.rest()
    except ConnectionResetError:
        return "reset"
    except ssl.SSLEOFError:
        return "cut off"
    return "eof"


def test_clients_that_are_just_being_accepted_are_not_held_either() -> None:
    """Forks at any moment: afterwards every client that leaves, or is dropped, is told so."""
    with SMTPServer(on=[on("command", verb="NOOP", drop="rst")]) as server:
        endings: list[str] = []

        def noop() -> None:
            with connect(server) as client:
                client.send(b"NOOP\r\n")
                endings.append(ending(client))

        with again_and_again(noop, noop):
            for _ in range(60):
                with child():
                    pass
        assert set(endings) == {"reset"}


# --- the log --------------------------------------------------------------------------------------------------------


def test_a_child_may_ask_the_log_as_it_was_at_the_fork(server: SMTPServer) -> None:
    def ask() -> list[Any]:
        return [
            len(server.envelopes),
            server.one(to="b@example.com").subject,
            len(server.wait_for(timeout=0)),
            len(server.log.wait_for("mail_from", timeout=0)),
            "MAIL FROM:<a@example.com>" in server.log.transcript(),
            repr(server).split()[0],
        ]

    with child(ask) as answer:
        assert answer == [1, "x", 1, 1, True, "<SMTPServer"]


def test_a_wait_in_a_child_ends_in_time(server: SMTPServer) -> None:
    def wait() -> None:
        server.wait_for(2, timeout=0)

    with child(wait) as answer:
        assert answer.startswith("WaitTimeout: waited 0 s for 2 envelopes")


def send(server: SMTPServer) -> None:
    with connect(server) as client:
        client.send(MESSAGE + b"QUIT\r\n")
        client.rest()


def wait(server: SMTPServer) -> None:
    with suppress(AssertionError):
        server.log.wait_for("data", 10**9, timeout=0.0001)


def change(server: SMTPServer) -> None:
    with server.on("connect", delay=0):
        server.catch_up()
    _ = server.env  # but no TLS context: OpenSSL has locks of its own, which a fork leaves locked in the child


def use(server: SMTPServer) -> str:
    with suppress(AssertionError):
        server.wait_for(10**9, timeout=0)
    server.wait_closed(0)
    server.on("connect", reply=421)
    server.clear()
    _ = server.env, server.client_context
    server.stop()
    return "done"


@pytest.mark.parametrize("children", [15, pytest.param(150, marks=pytest.mark.wide)])
def test_a_child_cannot_hang_whatever_the_parent_was_doing_at_the_fork(children: int) -> None:
    """Threads of the parent, which the child does not have, hold every lock now and then."""
    server = SMTPServer(on=[on("mail_from", call=hook), on("rcpt_to", call=async_hook)]).start()
    _ = server.env  # no child may be made amid an import of cryptography: Python would wait for that for ever
    with again_and_again(*(partial(work, server) for work in (send, wait, change))):
        for _ in range(children):
            with child(partial(use, server)) as answer:
                assert answer == "done" or answer.startswith("WaitTimeout")
    server.stop()
    server.verify()


CALLS: dict[str, Callable[[SMTPServer], Any]] = {
    "wait_for": lambda server: len(server.wait_for()),
    "log.wait_for": lambda server: len(server.log.wait_for("data")),
    "wait_quiet": lambda server: server.wait_quiet(0.01, count=1),
    "wait_closed": lambda server: server.wait_closed(0),
    "clear": lambda server: len(server.clear().envelopes()),
    "stop": SMTPServer.stop,
    "catch_up": SMTPServer.catch_up,
    "verify": SMTPServer.verify,
}


@pytest.mark.parametrize("call", CALLS)
def test_a_child_cannot_hang_in_a_server_of_its_parent(server: SMTPServer, call: str) -> None:
    with connect(server) as client:
        client.steps("NOOP")  # a connection is open
        with child(lambda: CALLS[call](server)) as answer:
            assert answer in (None, 1) or (call == "wait_closed" and answer.startswith("WaitTimeout"))
            client.steps("NOOP")


def test_a_connection_goes_on_beside_the_child(server: SMTPServer) -> None:
    with connect(server) as client:
        client.send(MESSAGE[:-10])
        with child():
            client.send(MESSAGE[-10:] + b"QUIT\r\n")
            assert client.rest().endswith(b"221 2.0.0 Bye\r\n")
            assert server.envelopes[-1].content == b"Subject: x\r\n\r\ny\r\n"


def test_a_child_may_have_servers_of_its_own(server: SMTPServer) -> None:
    def serve() -> bytes:
        with SMTPServer() as own, connect(own) as client:
            client.steps("STARTTLS")
            client.secure(own.client_context, own.host)
            client.send(b"QUIT\r\n")
            return client.rest()

    with child(serve) as answer:
        assert answer == b"221 2.0.0 Bye\r\n"


def test_a_child_may_start_again_what_it_has_inherited(server: SMTPServer) -> None:
    """On the same port, once the parent does not need it any more."""
    server.stop()

    def start() -> bytes:
        with server, connect(server) as client:
            client.send(MESSAGE + b"QUIT\r\n")
            return client.rest()[-6:]

    with child(start) as answer:
        assert answer.endswith(b"Bye\r\n")


def test_a_stop_in_a_child_does_the_parent_no_harm(server: SMTPServer) -> None:
    with child(server.stop) as answer:
        assert answer is None
        with connect(server, ehlo=True) as client:
            client.steps("QUIT")


@pytest.mark.parametrize("way", ["os.fork", "multiprocessing", "hook", "async hook"])
def test_a_child_that_ends_as_programs_do_takes_nothing_with_it(way: str, tmp_path: Path) -> None:
    """Its exit runs what its parent has registered: files and sockets stay."""
    output = run(f"""
        import multiprocessing, os, socket, sys, warnings
        from pathlib import Path
        from pytest_smtpd import SMTPServer, on

        warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)

        def fork(*args):
            pid = os.fork()
            if pid == 0:
                if {way!r} == "os.fork":
                    sys.exit(0)
                os._exit(0)
            os.waitpid(pid, 0)

        async def async_fork(*args):
            fork()

        def child():
            server.stop()

        hooks = {{"hook": fork, "async hook": async_fork}}
        rules = [on("mail_from", call=hooks[{way!r}])] if {way!r} in hooks else []
        with SMTPServer(path=True, on=rules) as server, SMTPServer(on=rules) as other:
            ca = server.ca_file

            def talk():
                for family, address in ((socket.AF_UNIX, server.path), (socket.AF_INET, other.address)):
                    with socket.socket(family) as client:
                        client.connect(address)
                        client.sendall(b"EHLO c\\r\\nMAIL FROM:<>\\r\\nQUIT\\r\\n")
                        print(client.makefile().read().splitlines()[-1])

            talk()
            if {way!r} == "os.fork":
                fork()
            elif {way!r} == "multiprocessing":
                process = multiprocessing.get_context("fork").Process(target=child)
                process.start()
                process.join()
                assert process.exitcode == 0
            talk()
            assert Path(ca).exists()
        assert not Path(server.path).exists()
        print("end")
    """)
    assert output.splitlines() == ["221 2.0.0 Bye"] * 4 + ["end"]


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs multiprocessing's fork")
def test_a_pool_of_multiprocessing_that_lives_on(server: SMTPServer) -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
        with connect(server) as client:
            client.steps("NOOP")
            server.stop()
            assert client.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address, timeout=TIMEOUT)
        server.start()


def test_a_fork_in_a_hook_holds_nothing_open() -> None:
    """As an application does that is called by a test's hook."""
    children: list[Any] = []

    def fork(address: Address, session: Session) -> None:
        forked = child()
        forked.__enter__()
        children.append(forked)

    with SMTPServer(on=[on("mail_from", call=fork), on("rcpt_to", drop="rst")]) as server:
        with connect(server, ehlo=True) as client:
            client.steps("MAIL FROM:<a@example.com>")
            client.send(b"RCPT TO:<b@example.com>\r\n")
            with pytest.raises(ConnectionResetError):
                client.rest()
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address, timeout=TIMEOUT)
        children.pop().__exit__(None, None, None)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_child_has_no_listening_socket_and_no_connection_of_ours(server: SMTPServer) -> None:
    def sockets() -> int:
        links = []
        for fd in os.listdir("/proc/self/fd"):  # noqa: PTH208
            with suppress(FileNotFoundError):  # that of the listing itself
                links.append(os.readlink(f"/proc/self/fd/{fd}"))  # noqa: PTH115
        return len([link for link in links if link.startswith("socket:")])

    before = sockets()
    with connect(server) as client:
        client.steps("NOOP")
        with child(sockets) as after:
            assert after < before + 1  # the listening socket and the server's end are gone, the client's end is there
