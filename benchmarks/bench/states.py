"""How long a stop takes while a client is in the middle of something."""

import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter, sleep
from typing import Any

from bench.adapters import Adapter, Ours, load
from bench.clients import SENDER, Dialogue, context

# Longer than any stop that a user would wait for.
PATIENCE = 10.0


def connected(port: int) -> list[Dialogue]:
    return [Dialogue(port)]


def many_connected(port: int) -> list[Dialogue]:
    return [Dialogue(port) for _ in range(100)]


def mid_transfer(port: int) -> list[Dialogue]:
    client = begun_transaction(port)
    client.say(b"DATA\r\n")
    client.socket.sendall(b"Subject: half of it\r\n\r\n" + b"x" * 60_000)
    return [client]


def begun_transaction(port: int) -> Dialogue:
    client = Dialogue(port)
    client.say(b"EHLO client.test\r\n")
    client.say(b"MAIL FROM:<%s>\r\n" % SENDER.encode())
    client.say(b"RCPT TO:<ada@example.com>\r\n")
    return client


def mid_handshake(port: int) -> list[Dialogue]:
    """The first half of a ClientHello."""
    client = Dialogue(port)
    client.say(b"EHLO client.test\r\n")
    client.say(b"STARTTLS\r\n")
    outgoing = ssl.MemoryBIO()
    handshake = context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        handshake.do_handshake()
    except ssl.SSLWantReadError:
        hello = outgoing.read()
        client.socket.sendall(hello[: len(hello) // 2])
    return [client]


def unanswered_recipient(port: int) -> list[Dialogue]:
    client = Dialogue(port)
    client.say(b"EHLO client.test\r\n")
    client.say(b"MAIL FROM:<%s>\r\n" % SENDER.encode())
    client.socket.sendall(b"RCPT TO:<ada@example.com>\r\n")
    return [client]


async def never(*_: object) -> None:
    """An asynchronous hook that does not come back."""
    await load("asyncio").Event().wait()


RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "hang": ("rcpt_to", {"hang": True}),
    "delay": ("rcpt_to", {"delay": 60}),
    "async hook": ("rcpt_to", {"call": never}),
}

STATES: dict[str, tuple[str, Callable[[int], list[Dialogue]]]] = {
    "nobody connected": ("clear", lambda _port: []),
    "connected": ("clear", connected),
    "100 connected": ("clear", many_connected),
    "mid-transfer": ("clear", mid_transfer),
    "mid-handshake": ("starttls", mid_handshake),
    "hang": ("clear", unanswered_recipient),
    "delay": ("clear", unanswered_recipient),
    "async hook": ("clear", unanswered_recipient),
}


def stop_in(state: str, adapter: Adapter) -> float:
    """Start a server, bring a client into a state, and time the stop."""
    tls, reach = STATES[state]
    port = _start_with_rules(adapter, tls, state) if state in RULES else adapter.start(tls)
    with ExitStack() as stack:
        for client in reach(port):
            stack.callback(client.close)
        sleep(0.05)  # what the client sent last has no answer to wait for
        return _timed_stop(adapter)


def _start_with_rules(adapter: Adapter, tls: str, state: str) -> int:
    if not isinstance(adapter, Ours):
        raise NotImplementedError("no such fault")
    hook, action = RULES[state]
    return adapter.start(tls, load("pytest_smtpd").on(hook, **action))


def _timed_stop(adapter: Adapter) -> float:
    begun = perf_counter()
    ending = threading.Thread(target=adapter.stop, daemon=True)
    ending.start()
    ending.join(PATIENCE)
    if ending.is_alive():
        raise TimeoutError(f"still not stopped after {PATIENCE:.0f} s")
    return perf_counter() - begun
