"""Async hooks that do not end when they should: they are named, and nobody has to wait for them."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, on
from tests.rfc.wire import TIMEOUT, connect

MAIL = b"MAIL FROM:<a@example.com>\r\n"


entered = threading.Semaphore(0)


@pytest.fixture(autouse=True)
def _nobody_has_entered() -> None:
    while entered.acquire(blocking=False):
        pass


async def swallows_once(*args: Any) -> None:
    entered.release()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return


async def swallows_all(*args: Any) -> None:
    while True:
        try:
            entered.release()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


async def swallows_and_goes_on(*args: Any) -> None:
    entered.release()
    while True:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            continue


tasks: list[asyncio.Task[None]] = []


async def starts_a_stubborn_task(*args: Any) -> None:
    tasks.append(asyncio.create_task(swallows_all()))
    await asyncio.sleep(0)


def stop(server: SMTPServer) -> list[str]:
    """Stop it; the texts of all warnings, and of what asyncio says about tasks that it finds."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        server.stop()
        tasks.clear()
        gc.collect()
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("hook", [swallows_all, swallows_and_goes_on, starts_a_stubborn_task])
@pytest.mark.parametrize("at", ["mail_from", "close"])
def test_one_that_swallows_its_cancellation_is_named(at: Any, hook: Any, caplog: pytest.LogCaptureFixture) -> None:
    server = SMTPServer(on=[on(at, call=hook, times=1)]).start()
    with connect(server, ehlo=True) as client:
        client.send(MAIL)
        if at == "mail_from":
            assert entered.acquire(timeout=TIMEOUT)
    assert at == "mail_from" or entered.acquire(timeout=TIMEOUT)
    name = "swallows_all" if hook is starts_a_stubborn_task else hook.__name__
    assert stop(server) == [f"smtpd: a hook is still blocked after the server has stopped: {name}"]
    server.verify()
    assert not caplog.records
    with server, connect(server, ehlo=True) as client:  # on the same port
        client.steps("NOOP")


def test_one_that_ends_when_it_is_cancelled_is_not() -> None:
    server = SMTPServer(on=[on("mail_from", call=swallows_once)]).start()
    with connect(server, ehlo=True) as client:
        client.send(MAIL)
        assert entered.acquire(timeout=TIMEOUT)
        assert stop(server) == []
    server.verify()


def test_several_are_named_once_each() -> None:
    server = SMTPServer(on=[on("mail_from", call=swallows_all)]).start()
    clients = [connect(server, ehlo=True) for _ in range(3)]
    for client in clients:
        client.send(MAIL)
    for _ in clients:
        assert entered.acquire(timeout=TIMEOUT)
    assert stop(server) == ["smtpd: a hook is still blocked after the server has stopped: swallows_all"]
    for client in clients:
        client.close()


@pytest.mark.parametrize("error", [GeneratorExit, KeyboardInterrupt, SystemExit, asyncio.CancelledError, StopIteration])
@pytest.mark.parametrize("kind", ["def", "async def", "after a wait", "when"])
def test_whatever_a_hook_raises_its_client_gets_a_reply(kind: str, error: Any) -> None:
    def hook(*args: Any) -> None:
        raise error

    async def async_hook(*args: Any) -> None:
        raise error

    async def waiting_hook(*args: Any) -> None:
        await asyncio.sleep(0)
        raise error

    hooks = {"def": hook, "async def": async_hook, "after a wait": waiting_hook}
    options: dict[str, Any] = {"when": hook, "reply": 550} if kind == "when" else {"call": hooks[kind]}
    server = SMTPServer(on=[on("mail_from", **options)]).start()
    with connect(server, ehlo=True) as client:
        assert client.say("MAIL FROM:<a@example.com>").code == 451
        client.steps("NOOP")
    server.stop()
    assert len(server.errors) == 1
