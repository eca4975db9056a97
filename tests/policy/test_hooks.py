"""Calling hooks: every kind of callable, on the right thread, and whatever they raise."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pytest_smtpd import Reject
from pytest_smtpd.calls import Call
from pytest_smtpd.policy import hooks
from pytest_smtpd.policy.workers import Result, Workers
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.replies import RECIPIENT_OK, Reply
from pytest_smtpd.smtp.sasl import Auth
from pytest_smtpd.smtp.session import Session


def run(main: Callable[[Workers], Coroutine[Any, Any, Any]]) -> Any:
    """Run it with a pool of workers, all of whom have gone home afterwards."""

    async def with_workers() -> Any:
        workers = Workers(asyncio.get_running_loop(), "test")
        try:
            return await main(workers)
        finally:
            threads, _ = workers.dismiss()
            for thread in threads:
                await asyncio.to_thread(thread.join, 5)

    return asyncio.run(with_workers())


def outcome(function: Callable[..., Any], *args: Any) -> Result:
    result: Result = run(lambda workers: hooks.run_hook(function, args, workers.submit))
    return result


def where() -> str:
    return "loop" if asyncio._get_running_loop() is not None else "worker"


class Plain:
    def __call__(self, value: int) -> tuple[int, str]:
        return value, where()

    def method(self, value: int) -> tuple[int, str]:
        return value, where()


class Asynchronous:
    async def __call__(self, value: int) -> tuple[int, str]:
        return value, where()

    async def method(self, value: int) -> tuple[int, str]:
        return value, where()


def function(value: int) -> tuple[int, str]:
    return value, where()


async def coroutine(value: int) -> tuple[int, str]:
    await asyncio.sleep(0)
    return value, where()


@pytest.mark.parametrize(
    ("hook", "place"),
    [
        (function, "worker"),
        (coroutine, "loop"),
        (Plain(), "worker"),
        (Plain().method, "worker"),
        (Asynchronous(), "loop"),
        (Asynchronous().method, "loop"),
        (functools.partial(function), "worker"),
        (functools.partial(coroutine), "loop"),
        (functools.partial(Asynchronous().method), "loop"),
        (functools.partial(Asynchronous()), "loop"),
    ],
)
def test_every_kind_of_callable_runs_where_it_belongs(hook: Callable[..., Any], place: str) -> None:
    assert outcome(hook, 7) == ((7, place), None)


class Own(BaseException):
    pass


ERRORS: list[BaseException] = [
    ValueError("x"),
    Reject(550),
    SystemExit(3),
    KeyboardInterrupt(),
    Own(),
    asyncio.CancelledError(),
    TimeoutError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
@pytest.mark.parametrize("kind", ["def", "async def", "awaitable"])
def test_whatever_a_hook_raises_is_handed_back(error: BaseException, kind: str) -> None:
    def plain() -> None:
        raise error

    async def asynchronous() -> None:
        raise error

    hook = {"def": plain, "async def": asynchronous, "awaitable": asynchronous}[kind]
    value, raised = outcome(hook)
    assert value is None
    assert raised is error


def test_a_stop_iteration_is_handed_back_too() -> None:
    """It must not end the coroutine that waits for it."""

    def hook() -> None:
        raise StopIteration

    _, raised = outcome(hook)
    assert isinstance(raised, StopIteration)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_pytest_fail_in_a_hook_is_handed_back(kind: str) -> None:
    def plain() -> None:
        pytest.fail("wrong")

    async def asynchronous() -> None:
        pytest.fail("wrong")

    _, raised = outcome(plain if kind == "def" else asynchronous)
    assert isinstance(raised, pytest.fail.Exception)


def test_a_cancellation_from_outside_ends_the_hook_first() -> None:
    happened: list[str] = []
    began = asyncio.Event()

    async def hook() -> None:
        try:
            happened.append("began")
            began.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            happened.append("ended")

    async def main(workers: Workers) -> None:
        task = asyncio.ensure_future(hooks.run_hook(hook, (), workers.submit))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main)
    assert happened == ["began", "ended"]


def test_an_async_hook_runs_in_a_task_of_its_own() -> None:
    async def hook() -> bool:
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        return asyncio.current_task() is not None

    assert outcome(hook) == (True, None)


# --- what a verdict means ------


def call(hook: Any, argument: Any = None) -> Call:
    return Call(hook, argument, Session(id="s"), 1, 0.0)


def answered(
    hook: Any, value: Any, *, argument: Any = None, recipients: list[str] | None = None
) -> list[tuple[int, str]]:
    answer = hooks.verdict(call(hook, argument), value, RECIPIENT_OK, recipients)
    return [(reply.code, reply.text) for reply in answer.replies]


@pytest.mark.parametrize("value", [None, True, 0, "text", 250])
def test_a_hook_that_returns_accepts(value: Any) -> None:
    assert answered("rcpt_to", value, argument=Address("a@b")) == [(250, "OK")]


@pytest.mark.parametrize(
    ("user", "code"),
    [("ada", 235), (7, 235), ({"id": 1}, 235), (True, 235), (None, 535), (False, 535), ("", 535), (0, 535)],
)
def test_a_falsy_user_is_a_refused_login(user: Any, code: int) -> None:
    answer = hooks.verdict(call("auth", Auth("PLAIN", "ada")), user, None, None)
    assert [reply.code for reply in answer.replies] == [code]
    assert answer.outcome == ("accepted" if code == 235 else "refused")
    assert code == 535 or answer.detail == user


def test_scram_is_refused_while_nobody_has_validated_the_password() -> None:
    proven = Auth("SCRAM-SHA-256", "ada", prove=lambda password: b"v=" if password == "x" else None)
    assert hooks.verdict(call("auth", proven), "ada", None, None).outcome == "refused"
    assert proven.validate_password("x")
    assert hooks.verdict(call("auth", proven), "ada", None, None).outcome == "accepted"


TWO = ["a@x", "b@x"]


@pytest.mark.parametrize(
    ("value", "recipients", "expected"),
    [
        (None, None, [(250, "Message accepted")]),
        ("queued as 7", None, [(250, "queued as 7")]),
        (None, TWO, [(250, "Message accepted")] * 2),
        ("same", TWO, [(250, "same")] * 2),
        (["one", "two"], TWO, [(250, "one"), (250, "two")]),
        (("one", Reject(450, "later")), TWO, [(250, "one"), (450, "later")]),
        ([None, Reject()], TWO, [(250, "Message accepted"), (554, "Message content rejected")]),
        ({"b@x": Reject(550, "no")}, TWO, [(250, "Message accepted"), (550, "no")]),
        ({}, TWO, [(250, "Message accepted")] * 2),
        ([], [], []),
    ],
)
def test_a_data_hook_answers_with_a_text_or_for_each_recipient(
    value: Any, recipients: list[str] | None, expected: list[tuple[int, str]]
) -> None:
    assert answered("data", value, recipients=recipients) == expected


@pytest.mark.parametrize(
    ("value", "recipients", "error"),
    [
        (["one"], None, TypeError),
        ({"a@x": "one"}, None, TypeError),
        (5, None, TypeError),
        (True, None, TypeError),
        (b"x", None, TypeError),
        (["one"], TWO, ValueError),
        (["one", "two", "three"], TWO, ValueError),
        ({"c@x": "one"}, TWO, ValueError),
        ([1, 2], TWO, TypeError),
        (5, TWO, TypeError),
    ],
)
def test_what_means_nothing_is_a_bug_in_the_test(
    value: Any, recipients: list[str] | None, error: type[Exception]
) -> None:
    with pytest.raises(error, match="data hook"):
        answered("data", value, recipients=recipients)


@pytest.mark.parametrize("count", [1, 3])
def test_a_mistake_is_a_451_for_everybody_and_says_nothing_about_itself(count: int) -> None:
    error = ValueError("secret detail")
    answer = hooks.mistake(call("data"), error, count)
    assert [reply.code for reply in answer.replies] == [451] * count
    assert answer.error is error
    assert answer.outcome == "error"
    assert all(b"secret" not in reply.wire for reply in answer.replies)


@pytest.mark.parametrize(
    ("hook", "reject", "reply"),
    [
        ("connect", Reject(), "554 5.3.2"),
        ("mail_from", Reject(), "550 5.7.1"),
        ("rcpt_to", Reject(450), "450 4.0.0"),
        ("data", Reject(message="5.7.1 spam"), "554 5.7.1 spam"),
        ("auth", Reject(454, "later"), "454 4.0.0 later"),
        ("command", Reject(), "502 5.5.1"),
        ("secure", Reject(550), "550 5.7.0"),
    ],
)
def test_a_reject_is_the_reply_it_asks_for(hook: str, reject: Reject, reply: str) -> None:
    answer = hooks.refused(call(hook), reject)
    assert [str(given).startswith(reply) for given in answer.replies] == [True]
    assert isinstance(answer.replies[0], Reply)
    assert answer.outcome == "refused"


def test_a_reject_of_secure_without_a_code_just_closes() -> None:
    answer = hooks.refused(call("secure"), Reject())
    assert answer.replies == ()
    assert answer.dress is not None


def test_the_challenge_of_a_refused_token_is_handed_on() -> None:
    answer = hooks.refused(call("auth"), Reject(data={"status": "400"}))
    assert answer.detail == {"status": "400"}


def test_a_traceback_begins_in_the_users_own_frame() -> None:
    def hook() -> None:
        raise ValueError("x")

    _, error = outcome(hook)
    assert error is not None
    traceback = hooks.users_traceback(error)
    assert traceback is not None
    assert traceback.tb_frame.f_code.co_filename == __file__


# --- workers ------


def test_no_hook_waits_for_another_one() -> None:
    gates = [threading.Event() for _ in range(5)]

    async def main(workers: Workers) -> list[Result]:
        jobs = [workers.submit(gate.wait, (5,)) for gate in gates]
        for gate in reversed(gates):
            gate.set()
        return await asyncio.gather(*jobs)

    assert run(main) == [(True, None)] * 5


def test_an_idle_thread_is_used_again() -> None:
    async def main(workers: Workers) -> set[Any]:
        return {(await workers.submit(threading.get_ident, ()))[0] for _ in range(5)}

    assert len(run(main)) == 1


def test_hook_threads_are_daemons_named_after_their_server() -> None:
    async def main(workers: Workers) -> Any:
        return (await workers.submit(threading.current_thread, ()))[0]

    thread = run(main)
    assert thread.daemon
    assert thread.name == "test hook 1"
    assert not thread.is_alive()


def test_a_hook_that_is_still_blocked_is_named_and_not_waited_for() -> None:
    gate = threading.Event()

    def blocked_hook() -> None:
        gate.wait(5)

    async def main() -> tuple[list[threading.Thread], list[str], set[threading.Thread]]:
        workers = Workers(asyncio.get_running_loop(), "test")
        await workers.submit(print, ())
        before = set(threading.enumerate())
        workers.submit(blocked_hook, ())
        workers.submit(blocked_hook, ())
        threads, names = workers.dismiss()
        return threads, names, set(threading.enumerate()) - before

    threads, names, started = asyncio.run(main())
    assert threads == []
    assert [name.rpartition(".")[2] for name in names] == ["blocked_hook"]
    gate.set()
    for thread in started:
        thread.join(5)
        assert not thread.is_alive()


def test_a_result_for_a_loop_that_has_gone_is_dropped() -> None:
    gate, began = threading.Event(), threading.Event()

    def hook() -> None:
        began.set()
        gate.wait(5)

    async def main() -> set[threading.Thread]:
        before = set(threading.enumerate())
        workers = Workers(asyncio.get_running_loop(), "test")
        workers.submit(hook, ())
        workers.dismiss()
        return set(threading.enumerate()) - before

    (thread,) = asyncio.run(main())
    assert began.wait(5)
    gate.set()
    thread.join(5)
    assert not thread.is_alive()
