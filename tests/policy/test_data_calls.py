"""A ``data`` call from beginning to end: who is cancelled, what is told of mistakes, what becomes of the message."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_smtpd import on
from pytest_smtpd.policy.streams import Stream
from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp.session import Session
from tests.policy.test_responder import BODY, DATA, LAST, Client, Connect


@pytest.fixture
def connected() -> Iterator[Connect]:
    clients: list[Client] = []

    def new(*rules: Rule, **settings: Any) -> Client:
        clients.append(Client(*rules, **settings))
        return clients[-1]

    yield new
    for client in clients:
        client.end()


# --- the client leaves when all has been said ------


@pytest.mark.parametrize("line", [BODY, LAST])
@pytest.mark.parametrize("reads", [True, False])
def test_a_client_that_leaves_after_its_last_byte_cancels_the_hook_before_close(
    connected: Connect, line: str, reads: bool
) -> None:
    began, happened = asyncio.Event(), list[str]()

    async def hook(stream: Stream, session: Session) -> None:
        if reads:
            await stream.aread()
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            happened.append("cancelled")

    async def last(session: Session) -> None:
        happened.append("close")

    client = connected(on("data", call=hook), on("close", call=last)).before(DATA)
    client.begins(*([DATA, line] if line == BODY else [line]))
    client.run(began.wait())
    client.run(asyncio.sleep(0))
    client.leaves()
    assert happened == ["cancelled", "close"]
    assert (client.last("data").outcome, client.errors, client.envelopes) == ("dropped", [], [])


def test_a_def_hook_whose_client_left_after_its_last_byte_still_reads_it_all(connected: Connect) -> None:
    began, gate, got = asyncio.Event(), threading.Event(), list[bytes]()

    def hook(stream: Stream, session: Session) -> None:
        client.loop.call_soon_threadsafe(began.set)
        gate.wait(20)
        got.append(stream.read())

    client = connected(on("data", call=hook)).before(BODY)
    client.begins(BODY)
    client.run(began.wait())
    leaving = client.loop.create_task(client.leave())
    client.run(asyncio.sleep(0))
    gate.set()
    client.run(asyncio.wait_for(leaving, None))
    assert got == [b"Subject: Hi\r\n\r\nHello\r\n"]
    assert (client.last("data").outcome, client.errors) == ("dropped", [])
