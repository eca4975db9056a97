"""What a test replaces in the standard library changes nothing that the server does: delays, stops, forks, files."""

from __future__ import annotations

import asyncio
import builtins
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, on
from tests.rfc.wire import TIMEOUT, connect

real_monotonic = time.monotonic
DELAY = 0.1
seen: list[Any] = []


async def at_once(*args: Any, **kwargs: Any) -> None:
    seen.append(args)


async def never(*args: Any, **kwargs: Any) -> None:
    seen.append(args)
    await asyncio.get_running_loop().create_future()


async def raises(*args: Any, **kwargs: Any) -> None:
    seen.append(args)
    raise AssertionError("nobody should call this")


def returns(value: Any) -> Callable[..., Any]:
    def replacement(*args: Any, **kwargs: Any) -> Any:
        seen.append(args)
        return value

    return replacement


def fails(*args: Any, **kwargs: Any) -> Any:
    seen.append(args)
    raise AssertionError("nobody should call this")


# A test replaces these; what a hook itself does with them is its own affair.
REPLACED: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "asyncio.sleep at once": ((asyncio, "sleep", at_once),),
    "asyncio.sleep never": ((asyncio, "sleep", never),),
    "asyncio.sleep raises": ((asyncio, "sleep", raises),),
    "asyncio.wait": ((asyncio, "wait", raises),),
    "asyncio.wait_for": ((asyncio, "wait_for", raises),),
    "asyncio.gather": ((asyncio, "gather", fails),),
    "asyncio.create_task": ((asyncio, "create_task", fails),),
    "asyncio.ensure_future": ((asyncio, "ensure_future", fails),),
    "asyncio.run": ((asyncio, "run", fails),),
    "time.sleep": ((time, "sleep", fails),),
    "clocks that stand": tuple((time, name, returns(1000.0)) for name in ("time", "monotonic", "perf_counter")),
    "clocks that fail": tuple((time, name, fails) for name in ("time", "monotonic", "perf_counter")),
    "socket": ((socket, "create_connection", fails), (socket, "getaddrinfo", fails)),
    "os.read and os.write": ((os, "read", fails), (os, "write", fails), (os, "close", fails)),
    "os.unlink and os.mkdir": ((os, "unlink", fails), (os, "mkdir", fails), (os, "rmdir", fails), (os, "stat", fails)),
    "open": ((builtins, "open", fails), (os, "open", fails), (Path, "read_bytes", fails), (Path, "write_bytes", fails)),
    "tempfile": ((tempfile, "mkdtemp", fails), (tempfile, "NamedTemporaryFile", fails), (tempfile, "mkstemp", fails)),
}


async def async_hook(*args: Any) -> None:
    loop = asyncio.get_running_loop()
    waiting = loop.create_future()
    loop.call_later(0.01, waiting.set_result, None)
    await waiting


def hook(*args: Any) -> None:
    pass


HOOKS: dict[str, list[Any]] = {
    "no hook": [],
    "def": [on("rcpt_to", call=hook)],
    "async def": [on("rcpt_to", call=async_hook)],
}


def talk(server: SMTPServer) -> float:
    """Send a mail to a server that delays one answer; the seconds that it took."""
    begun = real_monotonic()
    with connect(server, ehlo=True) as client:
        client.steps("STARTTLS")
        client.secure(server.client_context, server.host)
        client.steps("EHLO c", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA")
        client.send(b"Subject: x\r\n\r\ny\r\n.\r\nQUIT\r\n")
        client.rest()
    return real_monotonic() - begun


@pytest.mark.wide
@pytest.mark.parametrize("hooks", HOOKS)
@pytest.mark.parametrize("replaced", REPLACED)
def test_the_server_does_not_notice(monkeypatch: pytest.MonkeyPatch, replaced: str, hooks: str) -> None:
    """Neither replaced before it starts, nor while it serves."""
    rules = [on("mail_from", delay=DELAY), *HOOKS[hooks]]
    seen.clear()
    with SMTPServer(on=rules) as running, SMTPServer(on=rules) as new:
        new.stop()
        ours = running.client_context  # made by the test: what it needs itself may be replaced
        talk(running)
        with monkeypatch.context() as patched:
            for owner, name, replacement in REPLACED[replaced]:
                patched.setattr(owner, name, replacement)
            took = [with_context(running, ours), with_context(new.start(), ours)]
            running.clear()
            running.stop()
            new.stop()
            calls, seen[:] = list(seen), []
        assert calls == []
        assert min(took) >= DELAY
        assert len(new.envelopes) == 1


def with_context(server: SMTPServer, context: Any) -> float:
    begun = real_monotonic()
    with socket.socket() as raw:
        raw.settimeout(TIMEOUT)
        raw.connect(server.address)
        raw.recv(100)
        raw.sendall(b"EHLO c\r\n")
        raw.recv(1000)
        raw.sendall(b"STARTTLS\r\n")
        raw.recv(100)
        with context.wrap_socket(raw, server_hostname=server.host) as client:
            client.sendall(b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n")
            replies = b""
            while b"\r\n354" not in replies:
                replies += client.recv(1000)
            client.sendall(b"Subject: x\r\n\r\ny\r\n.\r\nQUIT\r\n")
            while b"\r\n221" not in replies:
                replies += client.recv(1000)
    return real_monotonic() - begun


def test_a_time_out_and_a_drip_take_real_time_though_clocks_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("time", "monotonic", "perf_counter", "time_ns", "monotonic_ns"):
        monkeypatch.setattr(time, name, returns(5))
    with SMTPServer(timeout=DELAY, on=[on("command", verb="NOOP", drip=0.01)]) as server, socket.socket() as client:
        client.connect(server.address)
        begun = time.clock_gettime(time.CLOCK_MONOTONIC)
        client.sendall(b"NOOP\r\n")
        replies = b""
        while piece := client.recv(100):
            replies += piece
        assert time.clock_gettime(time.CLOCK_MONOTONIC) - begun >= DELAY
        assert replies.splitlines()[-1].startswith(b"421 4.4.2")


def test_waits_of_the_test_end_though_clocks_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    with SMTPServer() as server:
        for name in ("time", "monotonic", "perf_counter"):
            monkeypatch.setattr(time, name, returns(5.0))
        with pytest.raises(AssertionError, match=r"waited 0\.05 s for 1 envelope"):
            server.wait_for(timeout=0.05)
        server.wait_quiet(0.05)
        server.wait_closed(0.05)
