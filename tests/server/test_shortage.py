"""A machine that has no descriptor or no thread left, and Ctrl-C at the worst moment: what was begun is undone."""

from __future__ import annotations

import errno
import gc
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, on
from tests.rfc.wire import TIMEOUT, connect

NEEDED = 3  # descriptors: a socket, a selector, and what wakes it
MAIL = b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nQUIT\r\n"


def open_descriptors() -> set[str]:
    gc.collect()
    return set(os.listdir("/dev/fd"))  # noqa: PTH208


def serves(server: SMTPServer) -> bool:
    with socket.socket(socket.AF_INET if server.path is None else socket.AF_UNIX) as client:
        client.settimeout(TIMEOUT)
        client.connect(server.address)
        client.sendall(b"QUIT\r\n")
        return b"".join(iter(lambda: client.recv(1000), b"")).endswith(b"221 2.0.0 Bye\r\n")


def is_open(server: SMTPServer) -> bool:
    try:
        socket.create_connection(server.address, timeout=TIMEOUT).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    SMTPServer().start().stop()  # imports, and whatever a first time opens for good
    descriptors, threads = open_descriptors(), set(threading.enumerate())
    yield
    assert open_descriptors() == descriptors
    assert set(threading.enumerate()) <= threads


# --- descriptors ----------------------------------------------------------------------------------------------------


@contextmanager
def few_descriptors(free: int) -> Iterator[None]:
    """So many more can be opened."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, open_descriptors()))
    held = [os.open(os.devnull, os.O_RDONLY)]
    while held[-1] < highest:  # fill the gaps below
        held.append(os.open(os.devnull, os.O_RDONLY))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(highest, *held) + 1 + free, limits[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in held:
            os.close(descriptor)


@pytest.mark.wide
@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of resources")
@pytest.mark.parametrize("path", [None, True])
@pytest.mark.parametrize("free", range(4))
def test_a_start_with_few_descriptors_leaves_nothing_and_can_be_repeated(free: int, path: Any) -> None:
    server = SMTPServer(path=path)
    with few_descriptors(free):
        if free < NEEDED:
            with pytest.raises(OSError, match=r"^\[Errno \d+\] smtpd cannot (open a socket|start): ") as caught:
                server.start()
            assert caught.value.errno == errno.EMFILE
        else:
            server.start()
        server.stop()
    with server:
        assert serves(server)


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of resources")
def test_clients_wait_until_there_are_descriptors_again() -> None:
    with SMTPServer() as server, socket.socket() as waiting:
        waiting.settimeout(TIMEOUT)
        with few_descriptors(0):
            waiting.connect(server.address)
            waiting.sendall(b"QUIT\r\n")
        with waiting.makefile("rb") as replies:
            assert [line[:3] for line in replies] == [b"220", b"221"]


# --- threads --------------------------------------------------------------------------------------------------------


@contextmanager
def no_threads() -> Iterator[None]:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        yield


@pytest.mark.parametrize("path", [None, True])
def test_a_start_without_a_thread_leaves_nothing_and_can_be_repeated(path: Any) -> None:
    server = SMTPServer(path=path)
    for _ in range(2):
        with no_threads(), pytest.raises(RuntimeError, match="can't start new thread"):
            server.start()
        server.stop()
    with server:
        assert serves(server)


def test_a_hook_without_a_thread_is_an_error_of_the_hook_and_the_server_goes_on() -> None:
    threads: list[str] = []
    server = SMTPServer(on=[on("mail_from", call=lambda *args: threads.append(threading.current_thread().name))])
    server.start()
    with connect(server, ehlo=True) as client:
        with no_threads():
            assert client.say("MAIL FROM:<a@example.com>").code == 451
            client.steps("NOOP")
        assert client.say("MAIL FROM:<a@example.com>").code == 250
    server.stop()
    server.stop()
    assert len(threads) == 1
    with pytest.raises(RuntimeError, match="can't start new thread"):
        server.verify()


# --- Ctrl-C ---------------------------------------------------------------------------------------------------------


def interrupt_once(owner: Any, name: str, *, before: bool) -> Any:
    """Ctrl-C comes when this is called for the first time, before or after it does its work."""
    original: Callable[..., Any] = getattr(owner, name)
    patched = pytest.MonkeyPatch()

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        patched.undo()
        if not before:
            original(*args, **kwargs)
        raise KeyboardInterrupt

    patched.setattr(owner, name, interrupted)
    return patched


@pytest.mark.wide
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("open_clients", [0, 2])
@pytest.mark.parametrize("path", [None, True])
def test_a_stop_after_an_interrupted_stop_completes_it(path: Any, open_clients: int, before: bool) -> None:
    server = SMTPServer(path=path).start()
    clients = [] if path else [connect(server, ehlo=True) for _ in range(open_clients)]
    patched = interrupt_once(threading.Thread, "join", before=before)
    with pytest.raises(KeyboardInterrupt):
        server.stop()
    patched.undo()
    server.stop()
    server.stop()
    assert path is True or not is_open(server)
    assert server.path is None or not os.path.exists(server.path)  # noqa: PTH110
    for client in clients:
        assert client.rest() == b""
        client.close()
    with server:
        assert serves(server)


def test_a_stop_that_is_interrupted_while_a_hook_blocks_can_be_repeated() -> None:
    entered, release = threading.Event(), threading.Event()

    def block(*args: Any) -> None:
        entered.set()
        release.wait(TIMEOUT)

    server = SMTPServer(on=[on("mail_from", call=block)]).start()
    client = connect(server)
    client.send(MAIL)
    assert entered.wait(TIMEOUT)
    patched = interrupt_once(threading.Thread, "join", before=True)
    with pytest.raises(KeyboardInterrupt):
        server.stop()
    patched.undo()
    with pytest.warns(RuntimeWarning, match="a hook is still blocked after the server has stopped: .*block"):
        server.stop()
    assert not is_open(server)
    release.set()
    client.close()
    for thread in threading.enumerate():
        if thread.name.startswith("smtpd"):
            thread.join(TIMEOUT)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("where", ["thread", "listen"])
def test_an_interrupted_start_leaves_nothing_and_can_be_repeated(where: str, before: bool) -> None:
    owner, name = {"thread": (threading.Thread, "start"), "listen": (socket.socket, "getsockname")}[where]
    server = SMTPServer()
    patched = interrupt_once(owner, name, before=before)
    with pytest.raises(KeyboardInterrupt):
        server.start()
    patched.undo()
    server.stop()
    with server:
        assert is_open(server)


# --- several threads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"path": True}, {"tls": "implicit"}], ids=["port", "path", "tls"])
def test_starts_and_stops_of_several_threads_leave_one_state(settings: Any) -> None:
    """Whoever comes last decides; nobody gets an error, and every server that has run is gone."""
    server, problems = SMTPServer(**settings), list[BaseException]()
    gate = threading.Barrier(6)

    def churn(last: Callable[[], object]) -> None:
        try:
            for _ in range(10):
                gate.wait(TIMEOUT)
                server.start()
                _ = server.address, server.url, repr(server)
                server.stop()
                last()
        except Exception as error:  # noqa: BLE001
            problems.append(error)

    threads = [threading.Thread(target=churn, args=(last,)) for last in (server.start, server.stop, int) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.stop()
    assert problems == []
    assert "stopped" in repr(server)


def test_threads_that_start_one_server_get_the_same_port() -> None:
    server, ports, gate = SMTPServer(), list[int](), threading.Barrier(8)

    def start() -> None:
        gate.wait(TIMEOUT)
        ports.append(server.start().port)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.stop()
    assert len(set(ports)) == 1
