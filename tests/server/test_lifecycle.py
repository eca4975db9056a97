"""Starting and stopping a server: orderly from any thread, at once, and nothing stays behind."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket
import sys
import threading
import time
import warnings
from typing import Any

import pytest

from pytest_smtpd import Address, Session, SMTPServer, on
from tests.server.talk import HELLO, MAIL, Connect, Serve, codes, last, script

# --- starting ------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_server_listens_as_soon_as_it_has_started(serve: Serve, host: str) -> None:
    try:
        server = serve(host=host)
    except OSError:
        if host != "::1":
            raise
        pytest.skip("no IPv6 on this machine")
    with socket.create_connection((server.host, server.port), timeout=5) as client:
        assert client.recv(3) == b"220"
    assert (server.host, server.address) == (host, (host, server.port))


def test_a_taken_port_is_an_error_of_the_caller_that_names_it_and_leaves_nothing(serve: Serve) -> None:
    taken = serve()
    before = set(threading.enumerate())
    with pytest.raises(OSError, match=f"smtpd cannot listen on 127.0.0.1:{taken.port}: ") as caught:
        SMTPServer(port=taken.port).start()
    assert caught.value.errno == errno.EADDRINUSE
    assert set(threading.enumerate()) == before
    gc.collect()


def test_a_host_that_is_not_here_is_an_error_that_names_it() -> None:
    with pytest.raises(OSError, match=r"smtpd cannot listen on 192\.0\.2\.1:0: "):
        SMTPServer(host="192.0.2.1").start()


def test_a_server_that_could_not_start_can_start_later(serve: Serve) -> None:
    taken = serve()
    server = SMTPServer(port=taken.port)
    with pytest.raises(OSError):
        server.start()
    taken.stop()
    with server, socket.create_connection(server.address, timeout=5) as client:
        assert client.recv(3) == b"220"


@pytest.mark.skipif(sys.platform != "linux", reason="counts the entries of /proc/self/fd")
def test_a_start_that_fails_for_want_of_a_thread_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    SMTPServer().start().stop()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    server = SMTPServer()
    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            server.start()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    with server:
        pass


def test_starting_and_stopping_twice_changes_nothing(serve: Serve) -> None:
    server = serve()
    port = server.port
    assert server.start() is server
    assert server.port == port
    server.stop()
    server.stop()
    assert server.start().port == port


def test_starts_and_stops_of_many_threads_are_orderly() -> None:
    server, problems = SMTPServer(), list[BaseException]()
    before = set(threading.enumerate())

    def churn() -> None:
        try:
            for _ in range(15):
                server.start()
                server.stop()
        except Exception as error:  # noqa: BLE001 - it is for the test to look at
            problems.append(error)

    threads = [threading.Thread(target=churn) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    server.stop()
    assert problems == []
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, timeout=5)


def test_a_server_that_was_never_started_can_be_stopped_and_asked() -> None:
    server = SMTPServer()
    server.stop()
    server.wait_closed()
    server.catch_up()
    server.verify()
    assert (list(server.envelopes), list(server.log), server.clear().calls()) == ([], [], [])


@pytest.mark.parametrize("name", ["port", "address", "url", "env"])
def test_a_server_that_was_never_started_gives_no_port_that_clients_would_take_for_another(name: str) -> None:
    server = SMTPServer()
    with pytest.raises(RuntimeError, match=r"^smtpd has no port yet; start it: "):
        getattr(server, name)
    assert repr(server) == "<SMTPServer smtpd not started sessions=0 envelopes=0>"
    server.start().stop()
    assert getattr(server, name)


def test_an_error_that_has_no_number_is_shown_without_one() -> None:
    with pytest.raises(OSError, match=r"^smtpd cannot (listen on|start).*too long") as caught:
        SMTPServer(path=f"/tmp/{'x' * 200}").start()
    assert "Errno" not in str(caught.value)


# --- stopping ------


def seconds_of_a_stop(server: SMTPServer) -> float:
    begun = time.perf_counter()
    server.stop()
    return time.perf_counter() - begun


def test_a_stop_does_not_wait_for_a_client_that_does_not_read(serve: Serve, connect: Connect) -> None:
    """Compared with a rule that only drips: a stop waits for neither, however long they would take."""
    server = serve(on("mail_from", raw=b"250-" + b"x" * 30_000_000 + b"\r\n250 x\r\n"))
    wire = connect(server)
    codes(wire, HELLO)
    wire.send(script(MAIL))
    server.log.wait_for("mail_from")
    assert seconds_of_a_stop(server) < 5
    assert server.log.sessions()[0].ended == "stop"


def test_an_error_of_the_close_hook_leaves_no_connection_behind() -> None:
    def wrong(session: Session) -> None:
        raise LookupError("too late")

    server = SMTPServer(on=[on("close", call=wrong)]).start()
    with socket.create_connection(server.address, timeout=5) as client:
        client.sendall(script("QUIT"))
        client.recv(1000)
    server.wait_closed()
    server.stop()
    with pytest.raises(LookupError, match="too late"):
        server.verify()


def test_a_task_that_a_hook_has_started_ends_with_the_server(serve: Serve, connect: Connect) -> None:
    happened: list[str] = []
    tasks: list[asyncio.Task[None]] = []

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            happened.append("ended")

    async def start(address: Address, session: Session) -> None:
        tasks.append(asyncio.create_task(for_ever()))
        await asyncio.sleep(0)

    server = serve(on("mail_from", call=start))
    assert codes(connect(server), HELLO, MAIL) == [250, 250]
    server.stop()
    assert happened == ["ended"]
    assert tasks[0].cancelled()


def test_a_thread_to_which_a_hook_has_gone_ends_with_the_server(serve: Serve, connect: Connect) -> None:
    threads: list[threading.Thread] = []

    async def elsewhere(address: Address, session: Session) -> None:
        threads.append(await asyncio.to_thread(threading.current_thread))

    server = serve(on("mail_from", call=elsewhere))
    assert codes(connect(server), HELLO, MAIL) == [250, 250]
    server.stop()
    assert not threads[0].is_alive()


def test_an_async_hook_cannot_stop_its_own_server_and_is_told_what_it_can_do(connect: Connect) -> None:
    server = SMTPServer()

    @server.on("mail_from")
    async def stop(address: Address, session: Session) -> None:
        server.stop()

    with pytest.raises(RuntimeError, match=r"cannot stop its own server; it can drop its client: drop=True$"), server:
        assert codes(connect(server), HELLO, MAIL) == [250, 451]


def test_a_def_hook_may_stop_its_own_server_and_is_the_one_still_running(serve: Serve, connect: Connect) -> None:
    done = threading.Event()
    seen: list[Any] = []
    server = serve()

    @server.on("mail_from")
    def stop(address: Address, session: Session) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            server.stop()
        seen.extend(str(warning.message) for warning in caught)
        done.set()

    wire = connect(server)
    codes(wire, HELLO)
    wire.send(script(MAIL))
    assert done.wait(10)
    (text,) = seen
    assert text.startswith("smtpd: a hook is still blocked after the server has stopped: ")
    assert text.endswith(".stop")
    for thread in threading.enumerate():
        if thread.name.startswith("smtpd hook"):
            thread.join(5)


@pytest.mark.parametrize("kind", ["def", "async def", "when"])
def test_whatever_blocks_is_named_in_a_warning_and_not_waited_for(serve: Serve, connect: Connect, kind: str) -> None:
    entered, release = threading.Event(), threading.Event()

    def blocking(*args: object) -> bool:
        entered.set()
        release.wait(30)
        return False

    async def blocking_async(*args: object) -> None:
        blocking()

    ways: dict[str, dict[str, Any]] = {"def": {"call": blocking}, "async def": {"call": blocking_async}}
    options = ways.get(kind, {"when": blocking, "reply": 550})
    server = serve(on("mail_from", **options))
    wire = connect(server)
    codes(wire, HELLO)
    wire.send(script(MAIL))
    assert entered.wait(5)
    before = set(threading.enumerate())
    with pytest.warns(RuntimeWarning, match="smtpd: a hook is still blocked after the server has stopped: .*blocking"):
        server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address, timeout=5)
    release.set()
    for thread in before:
        if thread.name.startswith("smtpd"):
            thread.join(10)
            assert not thread.is_alive()


def test_a_client_is_let_go_by_a_stop_wherever_it_is(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", hang=True))
    idle, hanging = connect(server), connect(server)
    codes(hanging, HELLO)
    hanging.send(script(MAIL))
    server.log.wait_for("mail_from", outcome="hung")
    server.stop()
    for wire in (idle, hanging):
        try:
            assert wire.rest() == b""
        except ConnectionResetError:
            continue
    assert {session.ended for session in server.log.sessions()} == {"stop"}
    assert all(session.closed for session in server.log.sessions())


def test_the_log_can_be_asked_when_the_server_has_stopped(serve: Serve, connect: Connect) -> None:
    server = serve()
    codes(connect(server), HELLO, MAIL)
    server.stop()
    assert last(server, "mail_from").code == 250
    assert server.log.wait_for("close", timeout=0)
    server.wait_closed(timeout=0)
    assert "MAIL FROM" in server.log.transcript()


# --- as a context manager ------


def wrong(address: Address, session: Session) -> None:
    raise ZeroDivisionError("wrong")


def test_leaving_the_block_raises_what_a_hook_raised(connect: Connect) -> None:
    with pytest.raises(ZeroDivisionError, match="wrong"), SMTPServer(on=[on("mail_from", call=wrong)]) as server:
        codes(connect(server), HELLO, MAIL)


def test_a_block_that_fails_tells_what_a_hook_has_done_wrong(connect: Connect) -> None:
    def fails() -> None:
        with SMTPServer(name="relay", on=[on("mail_from", call=wrong)]) as server:
            codes(connect(server), HELLO, MAIL)
            raise LookupError("of the block")

    with pytest.raises(LookupError) as caught:
        fails()
    (note,) = caught.value.__notes__
    assert note.startswith("relay: a hook raised:\nTraceback")
    assert note.endswith("ZeroDivisionError: wrong")
    assert 'raise ZeroDivisionError("wrong")' in note


# --- a client that was in time ------


def test_a_client_that_has_spoken_in_time_is_not_told_that_it_was_silent(serve: Serve, connect: Connect) -> None:
    """An async hook blocks the loop for longer than the time-out; that is no silence of the other client."""
    entered, release = threading.Event(), threading.Event()

    async def block_the_loop(address: Address, session: Session) -> None:
        entered.set()
        release.wait(5)

    server = serve(on("mail_from", call=block_the_loop), timeout=0.2)
    slow, quick = connect(server), connect(server)
    codes(slow, HELLO)
    slow.send(script(MAIL))
    assert entered.wait(5)
    quick.send(script("NOOP"))
    begun = time.monotonic()
    while time.monotonic() - begun < 0.3:
        release.wait(0.05)
    release.set()
    assert quick.reply().code == 250


def test_a_client_that_is_gone_before_it_is_served_is_forgotten(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some systems refuse every call on a socket that the client has reset already."""
    server = serve()

    def fail(*args: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    with monkeypatch.context() as broken:
        broken.setattr(socket.socket, "getsockname", fail)
        broken.setattr(socket.socket, "setsockopt", fail)
        with socket.socket() as client:
            client.settimeout(5)
            client.connect(server.address)
            assert client.recv(100) == b""
    assert codes(connect(server), "QUIT") == [221]
    server.wait_closed()
    assert len(server.log.sessions()) == 1


def test_a_call_whose_hook_is_blocked_until_after_the_stop_is_dropped_and_close_is_logged() -> None:
    entered, go = threading.Event(), threading.Event()

    def blocked(address: Address, session: Session) -> None:
        entered.set()
        go.wait(10)

    server = SMTPServer(tls=None, on=[on("mail_from", call=blocked)]).start()
    try:
        with socket.create_connection(server.address, timeout=5) as client:
            client.sendall(b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n")
            assert entered.wait(5)
            with pytest.warns(RuntimeWarning, match="still blocked"):
                server.stop()
    finally:
        go.set()
    outcomes = [(call.hook, call.outcome) for call in server.log if call.hook in ("mail_from", "close")]
    assert outcomes == [("mail_from", "dropped"), ("close", "accepted")]
    assert server.log.sessions()[0].ended == "stop"
