"""Waiting for the journal, from threads, asyncio and trio: nothing that happens is missed, and nothing stays behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from pytest_smtpd import WaitTimeout
from pytest_smtpd.record.query import Waiter
from pytest_smtpd.record.waiting import wait_async
from tests.record.scene import Scene


@contextmanager
def thread(*targets: Callable[[], object]) -> Iterator[None]:
    threads = [threading.Thread(target=target) for target in targets]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        for one in threads:
            one.join(20)
        assert not any(one.is_alive() for one in threads)


def test_no_wake_up_is_lost_between_a_look_and_a_wait() -> None:
    """Two threads take turns by the journal alone; one lost wake-up and neither goes on."""
    scene, rounds = Scene(), 300
    session = scene.connect()

    def answer() -> None:
        for turn in range(rounds):
            assert scene.journal.wait(lambda turn=turn: len(scene.journal.calls) > 2 * turn, 10)  # type: ignore[misc]
            scene.journal.begin("close", None, session)

    with thread(answer):
        for turn in range(rounds):
            scene.journal.begin("connect", None, session)
            assert scene.journal.wait(lambda turn=turn: len(scene.journal.calls) > 2 * turn + 1, 10)  # type: ignore[misc]
    assert len(scene.journal.calls) == 2 * rounds


CHANGES: dict[str, Callable[[Scene, Any], object]] = {
    "connected": lambda scene, session: scene.connect(),
    "begin": lambda scene, session: scene.journal.begin("connect", None, session),
    "settle": lambda scene, session: scene.journal.settle(scene.journal.calls[0], scene_answer()),
    "message": lambda scene, session: scene.deliver(session, "b@x"),
    "closed": lambda scene, session: scene.journal.closed(session),
}


def scene_answer() -> Any:
    from pytest_smtpd.steps import NOTHING

    return NOTHING


def state_of(scene: Scene) -> tuple[object, ...]:
    journal = scene.journal
    outcomes = [call.outcome for call in journal.calls]
    return len(journal.sessions), outcomes, len(journal.envelopes), len(journal.open)


@pytest.mark.parametrize("change", sorted(CHANGES))
@pytest.mark.parametrize("how", ["thread", "asyncio", "trio"])
def test_every_change_wakes_whoever_waits(change: str, how: str) -> None:
    scene = Scene()
    session = scene.connect()
    scene.journal.begin("connect", None, session)
    before, looked = state_of(scene), threading.Event()

    def ready() -> bool:
        looked.set()
        return state_of(scene) != before

    def act() -> None:
        assert looked.wait(10)
        CHANGES[change](scene, session)

    with thread(act):
        if how == "thread":
            assert scene.journal.wait(ready, 10)
        elif how == "asyncio":
            assert asyncio.run(wait_async(scene.journal, ready, 10))
        else:
            assert trio.run(wait_async, scene.journal, ready, 10)


@pytest.mark.parametrize(
    "runner", [asyncio.run, lambda coroutine: trio.run(lambda: coroutine)], ids=["asyncio", "trio"]
)
def test_many_changes_from_another_thread_are_all_seen(runner: Callable[[Any], Any]) -> None:
    scene = Scene()
    session = scene.connect()

    def act() -> None:
        for _ in range(500):
            scene.deliver(session, "b@x")

    with thread(act):
        assert runner(wait_async(scene.journal, lambda: len(scene.journal.accepted) == 500, 10))


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_a_wait_ends_in_time(timeout: float) -> None:
    scene = Scene()
    assert not scene.journal.wait(lambda: False, timeout)
    assert not asyncio.run(wait_async(scene.journal, lambda: False, timeout))
    assert not trio.run(wait_async, scene.journal, lambda: False, timeout)


def test_what_is_there_already_needs_no_wait() -> None:
    scene = Scene()
    assert scene.journal.wait(lambda: True, 0)
    assert asyncio.run(wait_async(scene.journal, lambda: True, 0))
    assert trio.run(wait_async, scene.journal, lambda: True, 0)


def test_a_listener_whose_loop_has_gone_does_no_harm() -> None:
    scene, heard = Scene(), []

    def gone() -> None:
        raise RuntimeError("Event loop is closed")

    scene.journal.listen(gone)
    scene.journal.listen(lambda: heard.append(1))
    scene.connect()
    scene.journal.unlisten(gone)
    assert heard == [1]


def test_an_abandoned_wait_leaves_no_listener() -> None:
    scene = Scene()

    async def main() -> None:
        waiting = asyncio.ensure_future(wait_async(scene.journal, lambda: False, 30))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert scene.journal._listeners == set()
    assert scene.journal._waiting == 0


def test_an_error_in_what_is_waited_for_reaches_the_waiter() -> None:
    scene = Scene()
    with pytest.raises(ZeroDivisionError):
        scene.journal.wait(lambda: 1 / 0, 1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(wait_async(scene.journal, lambda: 1 / 0, 1))
    assert scene.journal._waiting == 0


# --- a waiter ------


def test_a_waiter_counts_what_matches_and_what_came_before() -> None:
    scene = Scene()
    session = scene.connect()
    scene.deliver(session, "b@x")
    waiter = Waiter(scene.journal, "Envelope", 2, {"to": "b@x"})
    assert not waiter.ready()
    scene.deliver(session, "c@x")
    scene.deliver(session, "b@x", accepted=False)
    assert not waiter.ready()
    last = scene.deliver(session, "b@x")
    assert waiter.ready()
    assert waiter.found == [scene.journal.accepted[0], last]


def test_a_waiter_looks_again_at_a_call_that_is_decided_later() -> None:
    scene = Scene()
    session = scene.connect()
    call = scene.call("rcpt_to", session, "b@x")
    waiter = Waiter(scene.journal, "Call", 1, {"outcome": "refused"}, "rcpt_to")
    assert not waiter.ready()
    scene.journal.settle(call, scene_answer())
    assert not waiter.ready()
    scene.call("rcpt_to", session, "c@x", "550 no")
    assert waiter.ready()


def test_a_waiter_does_not_count_what_was_cleared() -> None:
    scene = Scene()
    session = scene.connect()
    scene.deliver(session, "b@x")
    waiter = Waiter(scene.journal, "Envelope", 2, {})
    assert not waiter.ready()
    scene.journal.clear()
    scene.deliver(session, "b@x")
    assert not waiter.ready()
    scene.deliver(session, "b@x")
    assert waiter.ready()
    assert waiter.found == scene.journal.accepted


@pytest.mark.parametrize("count", [-1, 1.5, "1", None, True])
def test_a_count_is_a_number_from_0(count: Any) -> None:
    with pytest.raises(TypeError, match="count must be a number from 0"):
        Waiter(Scene().journal, "Envelope", count, {})


def test_waiting_for_nothing_is_over_at_once() -> None:
    assert Scene().log.wait_for("connect", 0) == []


def test_the_log_waits_for_calls_in_threads_and_coroutines() -> None:
    scene = Scene()
    session = scene.connect()

    def act() -> None:
        scene.call("rcpt_to", session, "b@x", "250 ok")
        scene.call("rcpt_to", session, "c@x", "550 no")

    with thread(act):
        found = scene.log.wait_for("rcpt_to", 2, timeout=10)
    assert [call.code for call in found] == [250, 550]
    assert asyncio.run(scene.log.wait_for_async("rcpt_to", code=550)) == found[1:]
    for wait in (scene.log.wait_for, lambda *args, **kwargs: asyncio.run(scene.log.wait_for_async(*args, **kwargs))):
        with pytest.raises(WaitTimeout) as late:
            wait("data")
        assert isinstance(late.value, AssertionError)
        assert isinstance(late.value, TimeoutError)
        assert "waited 0.05 s for 1 data call" in str(late.value)
    with pytest.raises(ValueError, match="did you mean 'rcpt_to'"):
        scene.log.wait_for("rcpt")  # type: ignore[arg-type]


@pytest.mark.parametrize("match", [{}, {"code": 550}, {"outcome": "refused"}], ids=str)
def test_what_cannot_change_is_looked_at_once(match: dict[str, Any]) -> None:
    """Else a wait for the last of many calls would cost the square of their number."""
    looked: list[str] = []

    def look(address: str) -> bool:
        looked.append(address)
        return True

    scene = Scene()
    session = scene.connect()
    waiter = Waiter(scene.journal, "Call", 1000, {**match, "to": look}, "rcpt_to")
    for number in range(50):
        scene.call("rcpt_to", session, f"{number}@x", "550 5.1.1 No")
        assert not waiter.ready()
    assert len(looked) == 50


def test_what_a_login_may_change_is_looked_at_again() -> None:
    scene = Scene()
    session = scene.connect()
    waiter = Waiter(scene.journal, "Call", 1, {"user": "ada"}, "connect")
    scene.call("connect", session, None, "220 hello")
    assert not waiter.ready()
    session.user = "ada"
    assert waiter.ready()
