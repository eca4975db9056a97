"""Mistakes of the test are told, whatever becomes of the client that met them."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import Reject, on
from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp.events import Handshaking
from pytest_smtpd.smtp.session import Session, TLSInfo
from pytest_smtpd.steps import Fin
from tests.policy.client import HELLO, MAIL, RCPT, WHERE, Connect

ERROR = ValueError("x")
NOT_DATA = [hook for hook in WHERE if hook != "data"]


# --- a hook whose client has left ------


@pytest.mark.parametrize("hook", NOT_DATA)
def test_what_a_def_hook_raises_when_its_client_has_left_is_told(connect: Connect, hook: Any) -> None:
    leave_while_it_runs(connect, hook, ERROR)


@pytest.mark.parametrize("error", [Reject(), ConnectionError("to the client"), asyncio.CancelledError(), None])
def test_what_is_no_mistake_when_the_client_has_left_is_none(connect: Connect, error: BaseException | None) -> None:
    leave_while_it_runs(connect, "rcpt_to", error)


def leave_while_it_runs(connect: Connect, hook: Any, error: BaseException | None) -> None:
    gate, began = threading.Event(), asyncio.Event()

    def blocked(*args: object) -> None:
        client.loop.call_soon_threadsafe(began.set)
        gate.wait(20)
        if error is not None:
            raise error

    rule = on(hook, call=blocked)
    client = connect(rule)
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
def test_what_a_cancelled_hook_raises_in_the_end_is_told(connect: Connect, hook: Any, wrapped: bool) -> None:
    began = asyncio.Event()
    waiting = in_the_end(began)
    client = connect(on(hook, call=functools.partial(awaitable, waiting) if wrapped else waiting))
    client.says(*WHERE[hook][:-1])
    client.begins(*WHERE[hook][-1:])
    client.run(began.wait())
    client.leaves()
    assert [error for _, error in client.errors] == [ERROR]
    assert client.last(hook).outcome == "dropped"


# --- close ------


@pytest.mark.parametrize("reject", [Reject(), Reject(550)])
def test_a_close_hook_that_refuses_is_a_mistake_that_says_so(connect: Connect, reject: Reject) -> None:
    async def hook(session: Session) -> None:
        raise reject

    client = connect(on("close", call=hook))
    client.says("", HELLO)
    client.leaves()
    ((place, error),) = client.errors
    assert (place, type(error), error.__cause__) == ("close", TypeError, reject)
    assert str(error) == "a close hook has nobody to refuse, the connection is gone; let it return"
    assert client.last("close").outcome == "error"


# --- matches ------


def test_a_failure_of_pytest_in_a_match_is_a_mistake_too(connect: Connect) -> None:
    client = connect(on("rcpt_to", when=lambda call: pytest.fail("wrong"), reply=550)).before(RCPT)
    assert client.says(RCPT, "NOOP") == [451, 250]
    assert [str(error) for _, error in client.errors] == ["wrong"]


def raises(value: object) -> bool:
    raise ERROR


def handshaking(received: int, *, implicit: bool) -> Handshaking:
    return Handshaking(implicit=implicit, received=received, tls=TLSInfo())


@pytest.mark.parametrize(
    ("rule", "implicit", "received"),
    [
        (on("connect", drop=True, when=raises), True, 0),
        (on("connect", drop="rst", name=raises), True, 0),
        (on("secure", drop=True, when=raises, after=4), True, 4),
        (on("secure", raw=b"\x15", when=raises, after=0), False, 0),
    ],
)
def test_a_mistake_in_a_match_during_the_handshake_closes_and_is_told_by_a_call(
    connect: Connect, rule: Rule, implicit: bool, received: int
) -> None:
    client = connect(rule)
    answer = client.responds(handshaking(received, implicit=implicit))
    assert answer is not None
    assert answer.replies == ()
    assert answer.dress is not None
    assert list(answer.dress(b"")) == [Fin()]
    assert [(call.hook, call.outcome, call.error, call.rule) for call in client.calls] == [
        (rule.hook, "error", ERROR, rule)
    ]
    assert rule.used == 0


def test_only_a_drop_is_judged_before_the_handshake(connect: Connect) -> None:
    """Another rule's match may ask what the handshake has shown."""
    rules = [
        on("connect", when=lambda call: call.session.tls.version == "TLSv1.3", reply=421),
        on("connect", drop=True),
    ]
    client = connect(*rules, tls="implicit")
    assert client.responds(handshaking(0, implicit=True)) is None
    assert client.says("") == [421]
    assert client.errors == []


def test_a_rule_whose_turn_has_not_come_does_not_hold_up_the_drop_behind_it(connect: Connect) -> None:
    waiting, drop = on("connect", when=raises, reply=421, skip=1), on("connect", drop=True)
    ended = on("connect", reply=421)
    ended.end()
    client = connect(ended, drop)
    answer = client.responds(handshaking(0, implicit=True))
    assert answer is not None
    assert (answer.rule, drop.used) == (drop, 1)
    assert connect(waiting, drop.copy()).responds(handshaking(0, implicit=True)) is not None


@pytest.mark.parametrize("hook", ["connect", "secure"])
def test_a_strike_in_a_handshake_may_be_late(connect: Connect, hook: Any) -> None:
    rule = on("connect", drop=True, delay=30) if hook == "connect" else on("secure", drop=True, delay=30, after=0)
    client = connect(rule)
    answer = client.responds(handshaking(0, implicit=True))
    assert answer is not None
    assert answer.rule is rule
    assert client.loop.time() == 30


# --- the rule that a call names ------


@pytest.mark.parametrize("kind", ["implicit", "XCLIENT"])
def test_a_call_that_was_accepted_on_the_way_to_the_greeting_names_its_rule(connect: Connect, kind: str) -> None:
    hook: Any = "secure" if kind == "implicit" else "auth"
    rule = on(hook, call=lambda *args: "ada")
    if kind == "implicit":
        client = connect(rule, tls="implicit")
        assert client.says("") == [220]
    else:
        client = connect(rule, xclient=True).before(MAIL)
        assert client.says("XCLIENT LOGIN=ada") == [220]
    assert (client.last(hook).rule, client.last(hook).outcome) == (rule, "accepted")


def test_the_mistake_of_a_close_hook_is_answered_to_nobody(connect: Connect) -> None:
    client = connect(on("close", call=lambda session: 1 / 0)).before(MAIL)
    client.leaves()
    call = client.last("close")
    assert (call.outcome, call.reply, type(call.error)) == ("error", None, ZeroDivisionError)
