"""Stopping a server under its clients: at once, whatever they are in the middle of."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, Stream, on
from tests.soak.dialogue import Client, client_hello
from tests.soak.residue import nothing_left
from tests.soak.sizes import sized

# "A stop takes milliseconds." The worst of many is allowed what a busy machine may add.
USUAL, WORST = 0.05, 2.0


@dataclass(frozen=True, slots=True)
class State:
    """A client in the middle of something, and what has to be in the log before the server is stopped."""

    reach: Callable[[Client, SMTPServer], object]
    rule: tuple[Any, dict[str, Any]] | None = None
    logged: Any = None
    settings: tuple[tuple[str, Any], ...] = ()


async def never(*_: object) -> None:
    await asyncio.Event().wait()


def read_all(stream: Stream, session: object) -> None:
    stream.read()


async def read_all_async(stream: Stream, session: object) -> None:
    await stream.aread()


def recipient(client: Client, server: SMTPServer) -> None:
    client.greeted().say("MAIL FROM:<app@example.com>")
    client.socket.sendall(b"RCPT TO:<ada@example.com>\r\n")


def content(client: Client, server: SMTPServer) -> None:
    client.greeted().transaction().say("DATA")
    client.socket.sendall(b"Subject: half of it\r\n\r\n" + b"x" * 100_000)


def chunk(client: Client, server: SMTPServer) -> None:
    client.greeted().transaction()
    client.socket.sendall(b"BDAT 200000 LAST\r\n" + b"x" * 100_000)


def complete(client: Client, server: SMTPServer) -> None:
    client.greeted().transaction().say("DATA")
    client.socket.sendall(b"Subject: all of it\r\n\r\n.\r\n")


def handshake(client: Client, server: SMTPServer) -> None:
    client.greeted().say("STARTTLS")
    hello = client_hello(server.client_context)
    client.socket.sendall(hello[: len(hello) // 2])


def first_bytes_of_tls(client: Client, server: SMTPServer) -> None:
    client.socket.sendall(client_hello(server.client_context)[:20])


def half_a_header(client: Client, server: SMTPServer) -> None:
    client.socket.sendall(b"PROXY TCP4 ")


def credentials(client: Client, server: SMTPServer) -> None:
    client.greeted().say("AUTH LOGIN")


def unread_flood(client: Client, server: SMTPServer) -> None:
    client.greeted()
    client.socket.sendall(b"NOOP\r\n" * 2_000)


STATES: dict[str, State] = {
    "only connected": State(lambda client, server: None),
    "greeted": State(lambda client, server: client.greeted()),
    "handshake": State(handshake),
    "implicit handshake": State(first_bytes_of_tls, settings=(("tls", "implicit"),)),
    "PROXY header": State(half_a_header, settings=(("proxy_protocol", True),)),
    "credentials": State(credentials),
    "content": State(content),
    "chunk": State(chunk),
    "flood": State(unread_flood),
    "hang": State(recipient, ("rcpt_to", {"hang": True}), "rcpt_to"),
    "delay": State(recipient, ("rcpt_to", {"delay": 600}), "rcpt_to"),
    "drip": State(recipient, ("rcpt_to", {"reply": 250, "drip": 60}), "rcpt_to"),
    "linger": State(recipient, ("rcpt_to", {"reply": 250, "linger": 600, "drop": True}), "rcpt_to"),
    "hang after the dot": State(complete, ("data", {"accept": True, "hang": True}), "data"),
    "hang in the content": State(content, ("data", {"after": 50_000, "hang": True}), "data"),
    "asynchronous hook": State(recipient, ("rcpt_to", {"call": never}), "rcpt_to"),
    "reading hook": State(content, ("data", {"call": read_all}), "data"),
    "asynchronous reading hook": State(content, ("data", {"call": read_all_async}), "data"),
}


@contextmanager
def in_state(state: State) -> Iterator[SMTPServer]:
    rules = [on(state.rule[0], optional=True, **state.rule[1])] if state.rule else []
    server = SMTPServer(on=rules, **dict(state.settings))
    server.start()
    try:
        with Client(server) as client:
            state.reach(client, server)
            if state.logged:
                server.log.wait_for(state.logged)
            yield server
    finally:
        server.stop()


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_a_stop_in_the_middle_is_quick_and_leaves_nothing(state: State, tmp_path: Path) -> None:
    seconds = []
    with in_state(state):
        pass  # what is made once
    with nothing_left(tmp_path / "temporary"):
        for _ in range(sized(5, 30)):
            with in_state(state) as server:
                begun = perf_counter()
                server.stop()
                seconds.append(perf_counter() - begun)
                assert all(session.closed for session in server.log.sessions())
                server.verify()
    assert median(seconds) < USUAL
    assert max(seconds) < WORST


def test_a_stop_with_many_clients_is_quick() -> None:
    with SMTPServer() as server:
        clients = [Client(server).greeted() for _ in range(sized(100, 1_000))]
        begun = perf_counter()
        server.stop()
        spent = perf_counter() - begun
        assert [client.reply() for client in clients] == [""] * len(clients)
        for client in clients:
            client.close()
    assert spent < WORST


def test_a_stop_does_not_wait_for_a_blocked_hook_and_names_it() -> None:
    release = threading.Event()

    def blocked_by_the_test(address: object, session: object) -> None:
        release.wait()

    server = SMTPServer(on=[on("rcpt_to", call=blocked_by_the_test)])
    server.start()
    with Client(server) as client:
        recipient(client, server)
        server.log.wait_for("rcpt_to")
        begun = perf_counter()
        try:
            with pytest.warns(match="blocked_by_the_test"):
                server.stop()
            assert perf_counter() - begun < WORST
        finally:
            release.set()


def test_stops_from_two_threads_are_one_stop() -> None:
    before = set(threading.enumerate())
    for _ in range(sized(20, 200)):
        server = SMTPServer()
        server.start()
        threads = [threading.Thread(target=server.stop) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert set(threading.enumerate()) <= before
