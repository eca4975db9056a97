"""Mistakes of the test are told, whatever becomes of the client that met them."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import Reject, on
from pytest_smtpd.smtp.session import Session
from tests.policy.test_responder import HELLO, RCPT, WHERE, Connect

ERROR = ValueError("x")
NOT_DATA = [hook for hook in WHERE if hook != "data"]


# --- a hook whose client has left ------


@pytest.mark.parametrize("hook", NOT_DATA)
def test_what_a_def_hook_raises_when_its_client_has_left_is_told(connected: Connect, hook: Any) -> None:
    leave_while_it_runs(connected, hook, ERROR)


@pytest.mark.parametrize("error", [Reject(), ConnectionError("to the client"), asyncio.CancelledError(), None])
def test_what_is_no_mistake_when_the_client_has_left_is_none(connected: Connect, error: BaseException | None) -> None:
    leave_while_it_runs(connected, "rcpt_to", error)


def leave_while_it_runs(connected: Connect, hook: Any, error: BaseException | None) -> None:
    gate, began = threading.Event(), asyncio.Event()

    def blocked(*args: object) -> None:
        client.loop.call_soon_threadsafe(began.set)
        gate.wait(20)
        if error is not None:
            raise error

    rule = on(hook, call=blocked)
    client = connected(rule)
    client.says(*WHERE[hook][:-1])
    client.begins(*WHERE[hook][-1:])
    client.run(began.wait())
    leaving = client.loop.create_task(client.leave())
    client.run(asyncio.sleep(0))
    gate.set()
    client.run(asyncio.wait_for(leaving, None))
    call = client.last(hook)
    assert (call.outcome, call.error, call.rule) == ("dropped", error if error is ERROR else None, rule)


def in_the_end(began: asyncio.Event) -> Callable[..., Any]:
    async def hook(*args: object) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ERROR

    return hook


def awaitable(hook: Callable[..., Any], *args: object) -> Any:
    """A ``def`` hook whose result has to be awaited."""
    return hook(*args)


@pytest.mark.parametrize("hook", WHERE)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_a_cancelled_hook_raises_in_the_end_is_told(connected: Connect, hook: Any, wrapped: bool) -> None:
    began = asyncio.Event()
    waiting = in_the_end(began)
    client = connected(on(hook, call=functools.partial(awaitable, waiting) if wrapped else waiting))
    client.says(*WHERE[hook][:-1])
    client.begins(*WHERE[hook][-1:])
    client.run(began.wait())
    client.leaves()
    assert [error for _, error in client.errors] == [ERROR]
    assert client.last(hook).outcome == "dropped"


# --- close ------


@pytest.mark.parametrize("reject", [Reject(), Reject(550)])
def test_a_close_hook_that_refuses_is_a_mistake_that_says_so(connected: Connect, reject: Reject) -> None:
    async def hook(session: Session) -> None:
        raise reject

    client = connected(on("close", call=hook))
    client.says("", HELLO)
    client.leaves()
    ((place, error),) = client.errors
    assert (place, type(error), error.__cause__) == ("close", TypeError, reject)
    assert str(error) == "a close hook has nobody to refuse, the connection is gone; let it return"
    assert client.last("close").outcome == "error"


# --- matches ------


def test_a_failure_of_pytest_in_a_match_is_a_mistake_too(connected: Connect) -> None:
    client = connected(on("rcpt_to", when=lambda call: pytest.fail("wrong"), reply=550)).before(RCPT)
    assert client.says(RCPT, "NOOP") == [451, 250]
    assert [str(error) for _, error in client.errors] == ["wrong"]
