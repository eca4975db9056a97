"""The conversation over a socket: the log when the client can see a reply, and what a stop does not wait for."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_smtpd import Address, Reject, Session, SMTPServer, on
from pytest_smtpd.clock import Clock
from pytest_smtpd.net.loop import Listener


class Client:
    """A socket and its lines."""

    def __init__(self, server: SMTPServer) -> None:
        self.socket = socket.create_connection(server.address, timeout=10)
        self.lines = self.socket.makefile("rb")

    def ask(self, *commands: bytes) -> bytes:
        """The last line of the reply to the last command, one at a time."""
        for command in commands:
            self.socket.sendall(command + b"\r\n")
            while (line := self.lines.readline())[3:4] == b"-":
                pass
        return line

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@contextmanager
def connected(server: SMTPServer) -> Iterator[Client]:
    client = Client(server)
    try:
        assert client.lines.readline().startswith(b"220")
        yield client
    finally:
        client.close()


ENVELOPE = (b"EHLO client.example", b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@d.example>", b"DATA")


def test_the_data_call_is_there_when_the_client_may_send() -> None:
    with SMTPServer() as server:
        for number in range(30):
            with connected(server) as client:
                assert client.ask(*ENVELOPE).startswith(b"354")
                assert [call.outcome for call in server.log.calls("data")[number:]] == ["pending"]
                client.ask(b"Subject: x\r\n\r\nx\r\n.", b"QUIT")
        assert len(server.log.calls("data")) == 30


def test_a_354_behind_which_nothing_follows_passes_no_data_hook() -> None:
    with SMTPServer(on=[on("command", verb="DATA", reply=354, drop=True)]) as server:
        with connected(server) as client:
            assert client.ask(*ENVELOPE).startswith(b"354")
            assert client.lines.read() == b""
        server.wait_closed()
        assert server.log.calls("data") == []


def test_a_stop_does_not_wait_for_a_client_that_does_not_read() -> None:
    server = SMTPServer(on=[on("mail_from", raw=b"250-" + b"x" * 30_000_000 + b"\r\n")]).start()
    with connected(server) as client:
        client.ask(b"EHLO client.example")
        client.socket.sendall(b"MAIL FROM:<a@b.example>\r\n")
        server.log.wait_for("mail_from")
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 0.2


def test_an_error_of_the_close_hook_leaves_no_connection_behind() -> None:
    def refuse(session: Session) -> None:
        raise Reject(550, "too late")

    server = SMTPServer(on=[on("close", call=refuse)]).start()
    with connected(server) as client:
        client.ask(b"QUIT")
    server.wait_closed()
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < 0.2
    assert server.errors
    with pytest.raises(type(server.errors[0])):
        server.verify()


def test_an_async_hook_cannot_stop_its_own_server() -> None:
    server = SMTPServer()

    @server.on("mail_from")
    async def stop(address: Address, session: Session) -> None:
        server.stop()

    with pytest.raises(RuntimeError, match="cannot stop its own server"), server, connected(server) as client:
        assert client.ask(*ENVELOPE[:2]).startswith(b"451")


def test_a_task_that_a_hook_has_started_ends_with_the_server() -> None:
    happened: list[str] = []

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            happened.append("ended")

    server = SMTPServer()

    @server.on("mail_from")
    async def start(address: Address, session: Session) -> None:
        tasks.append(asyncio.create_task(for_ever()))
        await asyncio.sleep(0)

    tasks: list[asyncio.Task[None]] = []
    with server, connected(server) as client:
        assert client.ask(*ENVELOPE[:2]).startswith(b"250")
    assert happened == ["ended"]
    assert tasks[0].cancelled()
    tasks.clear()
    gc.collect()
    assert server.errors == []


def test_a_client_that_has_spoken_in_time_is_not_told_that_it_was_silent() -> None:
    server = SMTPServer(timeout=0.1)
    blocked, go_on = threading.Event(), threading.Event()

    @server.on("mail_from")
    async def block_the_loop(address: Address, session: Session) -> None:
        blocked.set()
        go_on.wait(5)

    with server, connected(server) as slow, connected(server) as quick:
        slow.ask(ENVELOPE[0])
        slow.socket.sendall(ENVELOPE[1] + b"\r\n")
        blocked.wait(5)
        quick.socket.sendall(b"NOOP\r\n")
        threading.Timer(0.3, go_on.set).start()  # longer than the time-out
        assert quick.lines.readline().startswith(b"250")


@pytest.mark.parametrize("step", ["connect_accepted_socket", "_connect"])
def test_a_client_that_is_gone_before_it_is_served_is_forgotten(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Some systems refuse every call on a socket that the client has reset already."""
    server = SMTPServer().start()
    listener = server._listener
    assert isinstance(listener, Listener)

    def fail(*args: object) -> None:
        raise OSError(22, "Invalid argument")

    with monkeypatch.context() as broken:
        broken.setattr(listener.loop if step == "connect_accepted_socket" else listener, step, fail)
        with socket.create_connection(server.address, timeout=5) as client:
            assert client.recv(100) == b""
    with connected(server) as next_client:
        assert next_client.ask(b"QUIT").startswith(b"221")
    server.wait_closed()
    server.stop()
    assert server.errors == []


def test_time_stamps_are_real_whatever_a_test_makes_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.clock_gettime(time.CLOCK_REALTIME)
    monkeypatch.setattr(time, "time", lambda: 1.0)
    assert abs(Clock().now() - real) < 60


LOGIN = (b"EHLO client.example", b"AUTH PLAIN AGFkYQBzZWNyZXQ=")


def in_background(*commands: bytes, server: SMTPServer) -> threading.Thread:
    def talk() -> None:
        with connected(server) as client:
            client.ask(*commands, b"QUIT")

    thread = threading.Thread(target=talk)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("hook", "match"), [("connect", {"user": "ada"}), ("command", {"verb": "AUTH", "user": "ada"})], ids=str
)
def test_a_call_is_looked_at_again_when_somebody_logs_in(hook: Any, match: dict[str, Any]) -> None:
    with SMTPServer() as server, connected(server) as client:
        client.ask(LOGIN[0])
        client.socket.sendall(LOGIN[1] + b"\r\n")
        assert len(server.log.wait_for(hook, timeout=5, **match)) == 1
        assert client.lines.readline().startswith(b"235")


def test_a_condition_may_talk_to_the_server_while_it_is_waited_for() -> None:
    with SMTPServer() as server:

        def asks_the_server(call: Any) -> bool:
            with connected(server) as client:
                return client.ask(b"NOOP").startswith(b"250")

        thread = in_background(b"EHLO client.example", server=server)
        assert server.log.wait_for("connect", timeout=5, when=asks_the_server)
        thread.join()


def test_clearing_the_log_does_not_forgive_a_hook() -> None:
    server = SMTPServer()

    @server.on("mail_from")
    def wrong(address: Address, session: Session) -> None:
        raise ZeroDivisionError("wrong")

    server.start()
    with connected(server) as client:
        assert client.ask(*ENVELOPE[:2]).startswith(b"451")
    server.clear()
    server.stop()
    with pytest.raises(ZeroDivisionError, match="wrong"):
        server.verify()


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"timeout": 0.05}, "S: 421 4.4.2 Timeout"), ({"max_clients": 0}, "S: 421 4.3.2 Too many connections")],
    ids=["silent", "too many"],
)
def test_a_reply_that_answers_no_hook_is_in_the_transcript(settings: dict[str, Any], said: str) -> None:
    with SMTPServer(**settings) as server, socket.create_connection(server.address, timeout=10) as client:
        with client.makefile("rb") as lines:
            lines.read()
        server.wait_closed()
        assert said in server.log.transcript()


def test_a_session_begins_when_the_client_connects_and_not_when_its_handshake_is_complete() -> None:
    with SMTPServer(tls="implicit") as server:
        with socket.create_connection(server.address, timeout=10) as client:
            assert server._journal.wait(server.log.sessions, 10)
            connected_by = Clock().now()
            with server.client_context.wrap_socket(client, server_hostname="localhost") as secure:
                secure.recv(1000)
        server.wait_closed()
        (session,), (call,) = server.log.sessions(), server.log.calls("connect")
        assert session.at <= connected_by <= call.at
        greeting = next(line for line in server.log.transcript().splitlines() if "S: 220" in line)
        assert float(greeting.split()[0]) == pytest.approx(call.at + (call.duration or 0) - session.at, abs=0.0006)


def test_a_block_that_fails_tells_what_a_hook_has_done_wrong() -> None:
    def wrong(address: Address, session: Session) -> None:
        raise ZeroDivisionError("wrong")

    def fails() -> None:
        with SMTPServer(name="relay", on=[on("mail_from", call=wrong)]) as server, connected(server) as client:
            client.ask(*ENVELOPE[:2])
            raise LookupError("of the block")

    with pytest.raises(LookupError) as caught:
        fails()
    (note,) = caught.value.__notes__
    assert note.startswith("relay: a hook raised:\nTraceback")
    assert note.endswith("ZeroDivisionError: wrong")
    assert 'raise ZeroDivisionError("wrong")' in note


def test_a_wait_may_have_no_end() -> None:
    def talk() -> None:
        with connected(server) as client:
            client.ask(*ENVELOPE[:2])

    with SMTPServer() as server:
        thread = threading.Timer(0.05, talk)
        thread.start()
        assert server.log.wait_for("mail_from", timeout=float("inf"))
        thread.join()


def test_what_a_rule_says_in_an_exchange_is_told_once() -> None:
    with SMTPServer(on=[on("auth", reply="334 QUJD", times=1)]) as server:
        with connected(server) as client:
            assert client.ask(b"EHLO client.example", b"AUTH PLAIN AGEAYg==") == b"334 QUJD\r\n"
        server.wait_closed()
        told = [line for line in server.log.transcript().splitlines() if "334" in line]
        assert len(told) == 1
        assert told[0].endswith("S: 334 QUJD   by on('auth', reply='334 QUJD', times=1)")
