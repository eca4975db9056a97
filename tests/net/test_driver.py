"""The driver runs a conversation like a task does, but continues it at once; and the socket is bound by its caller."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pytest_smtpd.net.driver import Driver, until_input
from pytest_smtpd.net.loop import Loop, bind


def on_loop(main: Callable[[], Awaitable[Any]]) -> Any:
    async def in_time() -> Any:
        async with asyncio.timeout(10):
            return await main()

    return asyncio.run(in_time())


def test_input_continues_a_conversation_at_once() -> None:
    said: list[str] = []

    async def talk() -> None:
        for word in ("one", "two"):
            await until_input()
            said.append(word)

    async def main() -> None:
        driver = Driver(talk(), lambda: said.append("ended"))
        driver.step()
        assert said == []
        driver.wake()
        assert said == ["one"]
        driver.wake()
        assert said == ["one", "two", "ended"]
        assert driver.over
        driver.wake()

    on_loop(main)


def test_input_does_not_disturb_what_waits_for_something_else() -> None:
    said: list[object] = []

    async def main() -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        ended = asyncio.Event()

        async def talk() -> None:
            said.append(await future)
            await until_input()
            said.append("input")

        driver = Driver(talk(), ended.set)
        driver.step()
        waited = [driver.waiting]
        driver.wake()
        assert said == []
        future.set_result("result")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [*waited, driver.waiting] == [True, False]
        driver.wake()
        await ended.wait()

    on_loop(main)
    assert said == ["result", "input"]


def test_a_conversation_may_let_others_have_their_turn() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def talk() -> None:
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)

        Driver(talk(), ended.set).step()
        assert not ended.is_set()
        await ended.wait()

    on_loop(main)


def test_cancelling_ends_a_wait_for_something_else() -> None:
    said: list[str] = []

    async def main() -> None:
        ended = asyncio.Event()

        async def talk() -> None:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                said.append("cancelled")

        driver = Driver(talk(), ended.set)
        driver.step()
        driver.cancel()
        await ended.wait()
        driver.cancel()

    on_loop(main)
    assert said == ["cancelled"]


def test_cancelling_leaves_a_wait_for_input_alone() -> None:
    said: list[str] = []

    async def talk() -> None:
        await until_input()
        said.append("input")

    async def main() -> None:
        driver = Driver(talk(), lambda: None)
        driver.step()
        driver.cancel()
        await asyncio.sleep(0)
        assert not driver.over
        driver.wake()
        assert driver.over

    on_loop(main)
    assert said == ["input"]


# --- sockets ------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_free_port_listens_at_once(host: str) -> None:
    with bind(host, 0) as listener, socket.create_connection(listener.getsockname(), timeout=5) as client:
        assert client.getpeername() == listener.getsockname()
        assert not listener.getblocking()


def test_a_taken_port_is_an_error_of_the_caller_that_names_it() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match=f"smtpd cannot listen on 127.0.0.1:{port}: "):
            bind("127.0.0.1", port)


def test_a_host_that_does_not_exist_is_an_error_that_names_it() -> None:
    with pytest.raises(OSError, match=r"smtpd cannot listen on 192\.0\.2\.1:0: "):
        bind("192.0.2.1", 0)


def test_the_clock_of_the_loop_cannot_be_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    loop = Loop()
    try:
        assert loop.time() > 0.0
    finally:
        loop.close()


def test_binding_starts_no_thread() -> None:
    before = threading.active_count()
    bind("127.0.0.1", 0).close()
    assert threading.active_count() == before
