"""A ``data`` call from beginning to end: who is cancelled, what is told of mistakes, what becomes of the message."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from pytest_smtpd import on
from pytest_smtpd.policy.streams import Stream
from pytest_smtpd.smtp.session import Session
from tests.policy.client import BODY, DATA, FIRST, LAST, Connect

# --- the client leaves when all has been said ------


@pytest.mark.parametrize("line", [BODY, LAST])
@pytest.mark.parametrize("reads", [True, False])
def test_a_client_that_leaves_after_its_last_byte_cancels_the_hook_before_close(
    connect: Connect, line: str, reads: bool
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

    client = connect(on("data", call=hook), on("close", call=last)).before(DATA)
    client.begins(*([DATA, line] if line == BODY else [line]))
    client.run(began.wait())
    client.run(asyncio.sleep(0))
    client.leaves()
    assert happened == ["cancelled", "close"]
    assert (client.last("data").outcome, client.errors, client.envelopes) == ("dropped", [], [])


def test_a_def_hook_whose_client_left_after_its_last_byte_still_reads_it_all(connect: Connect) -> None:
    began, gate, got = asyncio.Event(), threading.Event(), list[bytes]()

    def hook(stream: Stream, session: Session) -> None:
        client.loop.call_soon_threadsafe(began.set)
        gate.wait(20)
        got.append(stream.read())

    client = connect(on("data", call=hook))
    client.before(BODY)
    client.begins(BODY)
    client.run(began.wait())
    leaving = client.loop.create_task(client.leave())
    client.run(asyncio.sleep(0))
    gate.set()
    client.run(asyncio.wait_for(leaving, None))
    assert got == [b"Subject: Hi\r\n\r\nHello\r\n"]
    assert (client.last("data").outcome, client.errors) == ("dropped", [])


# --- mistakes that the client does not hear of ------


ERROR = ValueError("x")


async def wrong(stream: Stream, session: Session) -> None:
    await stream.aread()
    raise ERROR


def test_a_mistake_of_the_hook_is_told_though_the_message_is_too_big(connect: Connect) -> None:
    client = connect(on("data", call=wrong), size=20).before(BODY)
    assert client.says(BODY, "NOOP") == [552, 250]
    assert client.errors == [("data", ERROR)]
    assert (client.last("data").outcome, client.last("data").code) == ("refused", 552)


def test_a_mistake_of_a_match_is_told_though_the_message_is_too_big(connect: Connect) -> None:
    client = connect(on("data", to=raises, reply=450), size=20).before(BODY)
    assert client.says(BODY) == [552]
    assert client.errors == [("data", ERROR)]


def test_a_mistake_of_the_hook_is_told_though_the_message_was_accepted_early(connect: Connect) -> None:
    early = on("data", after=5, reply=250)
    client = connect(early, on("data", call=wrong)).before(BODY)
    assert client.says(BODY) == [250]
    assert client.errors == [("data", ERROR)]
    call = client.last("data")
    assert (call.outcome, call.code, call.rule) == ("accepted", 250, early)
    assert [envelope.accepted for envelope in client.envelopes] == [True]


def test_a_mistake_of_the_hook_is_told_beside_what_was_said_early(connect: Connect) -> None:
    early = on("data", after=5, reply=552)
    client = connect(early, on("data", call=wrong_when_broken)).before(BODY)
    assert client.sends(b"Subject: Hi") == [552]
    call = client.last("data")
    assert (call.error, call.outcome, call.code, call.rule) == (ERROR, "refused", 552, early)


async def wrong_when_broken(stream: Stream, session: Session) -> None:
    try:
        await stream.aread()
    except ConnectionError:
        raise ERROR from None


def raises(value: object) -> bool:
    raise ERROR


# --- mistakes in the match of rules that do not wait for the end ------


@pytest.mark.parametrize("after", [0, 4, 21])
@pytest.mark.parametrize("line", [BODY, LAST])
def test_a_mistake_in_the_match_of_an_early_rule_is_a_451_at_the_end(connect: Connect, line: str, after: int) -> None:
    early, other = on("data", after=min(after, 7), when=raises, reply=552), on("data", after=7, reply=552)
    client = connect(early, other).before(DATA)
    codes = client.says(*([DATA, line] if line == BODY else [line]), "NOOP")
    assert codes == ([354, 451, 250] if line == BODY else [451, 250])
    call = client.last("data")
    assert (call.outcome, call.error, call.rule, other.used) == ("error", ERROR, early, 0)


def test_a_mistake_in_the_match_of_an_early_rule_waits_for_the_hook(connect: Connect) -> None:
    got: list[bytes] = []

    async def hook(stream: Stream, session: Session) -> None:
        got.append(await stream.aread())

    client = connect(on("data", after=4, when=raises, reply=552), on("data", call=hook)).before(BODY)
    assert client.says(BODY) == [451]
    assert got == [b"Subject: Hi\r\n\r\nHello\r\n"]
    assert client.errors == [("data", ERROR)]


def test_a_mistake_in_the_match_is_told_though_the_client_leaves(connect: Connect) -> None:
    client = connect(on("data", after=4, when=raises, reply=552)).before(BODY)
    client.sends(b"Subject: Hi")
    client.leaves()
    assert client.errors == [("data", ERROR)]
    assert client.last("data").outcome == "dropped"


@pytest.mark.parametrize("key", ["to", "mail_from", "user", "subject", "when"])
def test_a_rule_behind_one_whose_match_was_a_mistake_is_not_asked(connect: Connect, key: Any) -> None:
    options: dict[str, Any] = {key: raises}
    behind = on("data", reply=554, times=1)
    client = connect(on("data", reply=450, **options), behind).before(BODY)
    assert client.says(BODY) == [451]
    assert behind.used == 0


def test_the_last_chunk_of_a_message_that_was_accepted_early_needs_no_more_words(connect: Connect) -> None:
    client = connect(on("data", after=3, reply="250 early")).before(DATA)
    assert [client.says(line) for line in (FIRST, LAST, "NOOP")] == [[250, 250], [], [250]]
    assert [(call.outcome, call.code) for call in client.calls if call.hook == "command"][-3:] == [
        ("accepted", 250),
        ("accepted", None),
        ("accepted", 250),
    ]
