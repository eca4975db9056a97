"""Waiting for what comes, from threads, asyncio and trio: nothing is missed, and nothing stays behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from pytest_smtpd import SMTPServer, WaitTimeout, on
from tests.server.talk import ADA, BODY, DATA, HELLO, MAIL, PLAIN, Connect, Serve, codes, script, to_data

Run = Callable[[Callable[[], Awaitable[Any]]], Any]


def in_asyncio(main: Callable[[], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        return await main()

    return asyncio.run(run())


def in_trio(main: Callable[[], Awaitable[Any]]) -> Any:
    return trio.run(main)


LOOPS = pytest.mark.parametrize("run", [in_asyncio, in_trio], ids=["asyncio", "trio"])


@contextmanager
def at_the_same_time(*targets: Callable[[], object]) -> Iterator[None]:
    threads = [threading.Thread(target=target) for target in targets]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        for one in threads:
            one.join(20)
        assert not any(one.is_alive() for one in threads)


def deliver(connect: Connect, server: SMTPServer, count: int = 1, to: str = ADA) -> None:
    with connect(server) as wire:
        codes(wire, HELLO)
        for _ in range(count):
            wire.steps(MAIL, to, DATA, BODY)
        codes(wire, "QUIT")


# --- envelopes ------


def test_what_is_there_already_counts_and_needs_no_wait(serve: Serve, connect: Connect) -> None:
    server = serve()
    deliver(connect, server, 2)
    assert server.wait_for(2, timeout=0) == list(server.envelopes)
    assert server.wait_for(timeout=0) == list(server.envelopes), "at least so many"
    assert server.wait_for(0, timeout=0, to="nobody@*") == []


@LOOPS
def test_what_is_there_already_needs_no_wait_in_a_loop_either(serve: Serve, connect: Connect, run: Run) -> None:
    server = serve()
    deliver(connect, server, 2)
    assert run(lambda: server.wait_for_async(2, timeout=0)) == list(server.envelopes)
    run(lambda: server.wait_closed_async(timeout=0))
    assert len(run(lambda: server.log.wait_for_async("data", 2, timeout=0))) == 2


def test_many_messages_of_other_threads_are_all_seen(serve: Serve, connect: Connect) -> None:
    server = serve()
    with at_the_same_time(*[lambda: deliver(connect, server, 20)] * 3):
        assert len(server.wait_for(60, timeout=20)) == 60


@LOOPS
def test_many_messages_of_other_threads_are_all_seen_in_a_loop(serve: Serve, connect: Connect, run: Run) -> None:
    server = serve()
    with at_the_same_time(*[lambda: deliver(connect, server, 20)] * 3):
        assert len(run(lambda: server.wait_for_async(60, timeout=20))) == 60


def test_no_wake_up_is_lost_between_a_look_and_a_wait(serve: Serve, connect: Connect) -> None:
    """The client and the test take turns by the log alone; one lost wake-up, and neither goes on."""
    server, rounds = serve(), 100
    wire = connect(server)
    codes(wire, HELLO)

    def answer() -> None:
        for turn in range(rounds):
            server.log.wait_for("command", turn + 1, timeout=10, verb="NOOP")
            wire.send(script("RSET"))

    with at_the_same_time(answer):
        for turn in range(rounds):
            wire.send(script("NOOP"))
            server.log.wait_for("command", turn + 1, timeout=10, verb="RSET")


def test_a_message_that_was_cleared_away_does_not_count(serve: Serve, connect: Connect) -> None:
    server = serve()
    deliver(connect, server)
    server.clear()
    with pytest.raises(WaitTimeout):
        server.wait_for(timeout=0)
    deliver(connect, server)
    assert len(server.wait_for(timeout=0)) == 1


def test_a_wait_that_clear_interrupts_begins_anew(serve: Serve, connect: Connect) -> None:
    server = serve()
    deliver(connect, server)
    looked = threading.Event()

    def look(envelope: object) -> bool:
        looked.set()
        return True

    def clear_and_deliver() -> None:
        assert looked.wait(5)
        server.clear()
        deliver(connect, server, 2)

    with at_the_same_time(clear_and_deliver):
        assert server.wait_for(2, timeout=10, when=look) == list(server.envelopes)


@pytest.mark.parametrize("count", [-1, 1.5, "1", None, True])
def test_a_count_is_a_number_from_0(serve: Serve, count: Any) -> None:
    server = serve()
    for wait in (lambda: server.wait_for(count), lambda: server.log.wait_for("data", count)):
        with pytest.raises(TypeError, match=r"^count must be a number from 0, not "):
            wait()


@LOOPS
def test_every_wait_ends_in_time(serve: Serve, connect: Connect, run: Run) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO)
    waits: list[Callable[[], object]] = [
        lambda: server.wait_for(timeout=0.01),
        lambda: server.wait_closed(timeout=0.01),
        lambda: server.log.wait_for("data", timeout=0.01),
        lambda: run(lambda: server.wait_for_async(timeout=0.01)),
        lambda: run(lambda: server.wait_closed_async(timeout=0.01)),
        lambda: run(lambda: server.log.wait_for_async("data", timeout=0.01)),
    ]
    for wait in waits:
        with pytest.raises(WaitTimeout) as caught:
            wait()
        assert isinstance(caught.value, AssertionError)
        assert isinstance(caught.value, TimeoutError)
        assert "waited 0.01 s for " in str(caught.value)


def test_a_wait_may_have_no_end(serve: Serve, connect: Connect) -> None:
    server = serve()
    with at_the_same_time(lambda: deliver(connect, server)):
        assert server.wait_for(timeout=float("inf"))


@LOOPS
def test_a_wait_that_is_given_up_leaves_nothing_behind(serve: Serve, connect: Connect, run: Run) -> None:
    """Whoever has given up is not disturbed by what comes later, not even when its loop has gone."""
    server = serve()

    async def give_up() -> None:
        if run is in_trio:
            with trio.move_on_after(0.01):
                await server.wait_for_async(timeout=30)
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(server.wait_for_async(timeout=30), 0.01)

    run(give_up)
    deliver(connect, server)
    assert len(server.envelopes) == 1


# --- calls ------


def test_a_call_counts_from_the_moment_it_begins_and_is_looked_at_again_when_it_is_decided(
    serve: Serve, connect: Connect
) -> None:
    go = threading.Event()
    server = serve(on("mail_from", call=lambda address, session: go.wait(5) and "550 5.7.1 No"))
    wire = connect(server)
    codes(wire, HELLO)
    wire.send(script(MAIL))
    (call,) = server.log.wait_for("mail_from", outcome="pending")
    with pytest.raises(WaitTimeout):
        server.log.wait_for("mail_from", timeout=0, outcome="refused")
    with at_the_same_time(go.set):
        assert server.log.wait_for("mail_from", timeout=5, outcome="refused", code=550) == [call]


@pytest.mark.parametrize(
    ("hook", "match"), [("connect", {"user": "ada"}), ("command", {"verb": "AUTH", "user": "ada"})], ids=str
)
def test_a_call_is_looked_at_again_when_somebody_logs_in(
    serve: Serve, connect: Connect, hook: Any, match: dict[str, Any]
) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO)
    with at_the_same_time(lambda: codes(wire, PLAIN)):
        assert len(server.log.wait_for(hook, timeout=5, **match)) == 1


def test_what_cannot_change_any_more_is_looked_at_once(serve: Serve, connect: Connect) -> None:
    """Else a wait for the last of many calls would cost the square of their number."""
    looked: list[str] = []

    def look(address: str) -> bool:
        looked.append(address)
        return True

    server = serve()
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    with at_the_same_time(lambda: [codes(wire, f"RCPT TO:<{number}@x.example>") for number in range(50)]):
        server.log.wait_for("rcpt_to", 50, timeout=10, to=look)
    assert len(looked) <= 2 * 50


def test_a_condition_may_talk_to_the_server_while_it_is_waited_for(serve: Serve, connect: Connect) -> None:
    server = serve()

    def asks_the_server(call: Any) -> bool:
        return codes(connect(server), "NOOP") == [250]

    with at_the_same_time(lambda: deliver(connect, server)):
        assert server.log.wait_for("connect", timeout=5, when=asks_the_server)


def test_an_error_in_what_is_waited_for_reaches_the_waiter(serve: Serve, connect: Connect) -> None:
    server = serve()
    deliver(connect, server)
    with pytest.raises(ZeroDivisionError):
        server.wait_for(timeout=1, when=lambda envelope: 1 / 0)
    for run in (in_asyncio, in_trio):
        with pytest.raises(ZeroDivisionError):
            run(lambda: server.log.wait_for_async("data", timeout=1, when=lambda call: 1 / 0))


# --- wait_quiet ------


def test_quiet_is_that_nothing_more_has_come_after_that_long(serve: Serve, connect: Connect) -> None:
    server = serve()
    server.wait_quiet(0.01)
    deliver(connect, server)
    server.wait_quiet(0.01, count=1)
    server.wait_quiet(0.01, to="nobody@*")
    server.wait_quiet(0, count=1, to="ada@*")


@LOOPS
def test_quiet_can_be_awaited(serve: Serve, connect: Connect, run: Run) -> None:
    server = serve()
    deliver(connect, server)
    run(lambda: server.wait_quiet_async(0.01, count=1))
    with pytest.raises(AssertionError, match="expected no envelope for 300 s, but 1 came"):
        run(lambda: server.wait_quiet_async(300))


def test_more_is_an_error_at_once_that_shows_them(serve: Serve, connect: Connect) -> None:
    server = serve()
    with (
        at_the_same_time(lambda: deliver(connect, server, 2)),
        pytest.raises(AssertionError) as caught,
    ):
        server.wait_quiet(300, count=1, to="ada@*")
    assert not isinstance(caught.value, TimeoutError)
    first, *shown = str(caught.value).splitlines()
    assert first == "expected 1 envelope with to='ada@*' and no more for 300 s, but 2 came"
    assert shown == ["  <Envelope app@example.com -> ada@example.com 'Hi'>"] * 2


def test_fewer_than_there_should_be_is_an_error_too(serve: Serve) -> None:
    server = serve()
    with pytest.raises(AssertionError, match=r"^expected 1 envelope and no more for 0.01 s, but none came$"):
        server.wait_quiet(0.01, count=1)


def test_a_refused_message_disturbs_no_quiet(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", reply=550))
    wire = connect(server)
    to_data(wire)
    codes(wire, BODY)
    server.wait_quiet(0.01)


def test_an_unknown_key_is_an_error_at_once(serve: Serve) -> None:
    with pytest.raises(TypeError, match="unknown match key 'mail_form' - did you mean 'mail_from'"):
        serve().wait_quiet(300, mail_form="x")  # type: ignore[call-arg]


# --- wait_closed ------


def test_a_close_hook_that_still_runs_is_waited_for(serve: Serve, connect: Connect) -> None:
    entered, go, ended = threading.Event(), threading.Event(), threading.Event()

    def close(session: object) -> None:
        entered.set()
        go.wait(5)
        ended.set()

    server = serve(on("close", call=close))
    connect(server).close()
    assert entered.wait(5)
    with pytest.raises(WaitTimeout):
        server.wait_closed(timeout=0.01)
    with at_the_same_time(go.set):
        server.wait_closed()
    assert ended.is_set()


def test_a_client_that_has_just_connected_is_waited_for(serve: Serve, connect: Connect) -> None:
    """Whatever clients have sent by now is seen, also that they have come."""
    server = serve()
    wire = connect(server, greet=False)
    with pytest.raises(WaitTimeout, match="1 connection still open"):
        server.wait_closed(timeout=0.01)
    wire.close()
    server.wait_closed()
