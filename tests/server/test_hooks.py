"""Hook functions: every kind of callable, on the right thread, with the right arguments, in protocol order."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pytest_smtpd import Address, Auth, Command, Reject, Session, SMTPServer, Stream, TLSInfo, on
from tests.server.talk import (
    ADA,
    BODY,
    DATA,
    HELLO,
    MAIL,
    PLAIN,
    STARTTLS,
    WAYS,
    Connect,
    Serve,
    codes,
    last,
    script,
    told_at,
)


def where() -> str:
    return "loop" if asyncio._get_running_loop() is not None else threading.current_thread().name


def function(address: Address, session: Session) -> None:
    session.notes["where"] = where()


async def coroutine(address: Address, session: Session) -> None:
    await asyncio.sleep(0)
    function(address, session)


def function_that_returns_a_coroutine(address: Address, session: Session) -> Awaitable[None]:
    return coroutine(address, session)


class Plain:
    def __call__(self, address: Address, session: Session) -> None:
        function(address, session)

    method = __call__


class Asynchronous:
    async def __call__(self, address: Address, session: Session) -> None:
        await coroutine(address, session)

    method = __call__


KINDS: dict[str, tuple[Callable[..., Any], str]] = {
    "def": (function, "smtpd hook 1"),
    "async def": (coroutine, "loop"),
    "object": (Plain(), "smtpd hook 1"),
    "method": (Plain().method, "smtpd hook 1"),
    "asynchronous object": (Asynchronous(), "loop"),
    "asynchronous method": (Asynchronous().method, "loop"),
    "partial": (functools.partial(function), "smtpd hook 1"),
    "partial of async def": (functools.partial(coroutine), "loop"),
    "partial of an asynchronous method": (functools.partial(Asynchronous().method), "loop"),
    "partial of an asynchronous object": (functools.partial(Asynchronous()), "loop"),
    "def that returns a coroutine": (function_that_returns_a_coroutine, "loop"),
}


@pytest.mark.parametrize(("hook", "place"), KINDS.values(), ids=KINDS)
def test_every_kind_of_callable_runs_where_it_belongs(
    serve: Serve, connect: Connect, hook: Callable[..., Any], place: str
) -> None:
    server = serve(on("mail_from", call=hook))
    assert codes(connect(server), HELLO, MAIL) == [250, 250]
    assert server.log.sessions()[0].notes == {"where": place}


def test_hooks_never_run_in_the_thread_of_the_test(serve: Serve, connect: Connect) -> None:
    seen: list[threading.Thread] = []
    server = serve(on("mail_from", call=lambda address, session: seen.append(threading.current_thread())), name="mx")
    codes(connect(server), HELLO, MAIL)
    assert seen[0] is not threading.current_thread()
    assert (seen[0].daemon, seen[0].name) == (True, "mx hook 1")


def test_an_async_hook_runs_in_a_task_of_its_own(serve: Serve, connect: Connect) -> None:
    async def hook(address: Address, session: Session) -> None:
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        session.notes["task"] = asyncio.current_task() is not None

    server = serve(on("mail_from", call=hook))
    codes(connect(server), HELLO, MAIL)
    assert server.log.sessions()[0].notes == {"task": True}


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_each_hook_gets_its_argument_and_the_session(serve: Serve, connect: Connect, kind: str) -> None:
    happened: list[tuple[str, list[type]]] = []
    server = serve()

    def hook(name: str) -> Callable[..., Any]:
        def plain(*args: Any) -> str:
            happened.append((name, [type(argument) for argument in args]))
            return "user"

        async def asynchronous(*args: Any) -> str:
            return plain(*args)

        return plain if kind == "def" else asynchronous

    for name in ("connect", "command", "secure", "auth", "mail_from", "rcpt_to", "data", "close"):
        server.on(name)(hook(name))
    wire = connect(server)
    codes(wire, HELLO, STARTTLS)
    wire.secure(server.client_context, "localhost")
    codes(wire, HELLO, PLAIN, MAIL, ADA, DATA, BODY)
    wire.close()
    server.wait_closed()
    assert happened == [
        ("connect", [Session]),
        ("command", [Command, Session]),
        ("command", [Command, Session]),
        ("secure", [TLSInfo, Session]),
        ("command", [Command, Session]),
        ("command", [Command, Session]),
        ("auth", [Auth, Session]),
        ("command", [Command, Session]),
        ("mail_from", [Address, Session]),
        ("command", [Command, Session]),
        ("rcpt_to", [Address, Session]),
        ("command", [Command, Session]),
        ("data", [Stream, Session]),
        ("close", [Session]),
    ]


REFUSED_WITH = {
    "connect": "554 5.3.2",
    "command": "502 5.5.1",
    "auth": "535 5.7.8",
    "mail_from": "550 5.7.1",
    "rcpt_to": "550 5.1.1",
    "data": "554 5.6.0",
}


def refuse(*args: object) -> None:
    raise Reject


async def refuse_async(*args: object) -> None:
    raise Reject


@pytest.mark.parametrize("hook", REFUSED_WITH)
@pytest.mark.parametrize("function", [refuse, refuse_async], ids=["def", "async def"])
def test_a_bare_reject_is_logged_as_the_refusal_of_its_hook(
    serve: Serve, connect: Connect, hook: Any, function: Callable[..., Any]
) -> None:
    server = serve(on(hook, call=function, times=1))
    wire = connect(server, greet=False)
    told_at(hook, wire)
    call = last(server, hook)
    assert (call.outcome, call.rule, call.error) == ("refused", server.rules[0], None)
    assert str(call.reply).startswith(REFUSED_WITH[hook])
    if hook == "connect":
        assert wire.rest() == b""


@pytest.mark.parametrize(
    ("reject", "lines", "closes"),
    [
        (Reject(450, "later"), [b"450 4.0.0 later\r\n"], False),
        (Reject(550, "5.7.1 no\r\n250 yes"), [b"550-5.7.1 no\r\n", b"550 5.7.1 250 yes\r\n"], False),
        (Reject(421, "4.3.2 bye"), [b"421 4.3.2 bye\r\n"], True),
    ],
)
def test_a_reject_says_what_it_was_given_and_421_closes(
    serve: Serve, connect: Connect, reject: Reject, lines: list[bytes], closes: bool
) -> None:
    def hook(address: Address, session: Session) -> None:
        raise reject

    wire = connect(serve(on("rcpt_to", to="ada@*", call=hook)))
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA))
    assert [wire.read_line() for _ in lines] == lines
    if closes:
        assert wire.rest() == b""
    else:
        assert codes(wire, "RCPT TO:<bob@example.com>") == [250]


def test_the_recipients_so_far_are_there_in_rcpt_to(serve: Serve, connect: Connect) -> None:
    seen: list[tuple[str, ...]] = []
    server = serve()

    @server.on("rcpt_to")
    def hook(address: Address, session: Session) -> None:
        assert session.envelope is not None
        seen.append(session.envelope.rcpt_to)

    codes(connect(server), HELLO, MAIL, ADA, "RCPT TO:<bob@example.com>")
    assert seen == [(), ("ada@example.com",)]


def test_notes_are_for_the_tests_own_use_and_nothing_else_can_be_set(serve: Serve, connect: Connect) -> None:
    server = serve()
    raised: list[type] = []

    @server.on("connect")
    def begin(session: Session) -> None:
        session.notes["seen"] = []
        try:
            session.mine = 1  # type: ignore[attr-defined]
        except AttributeError as error:
            raised.append(type(error))

    @server.on("command")
    def note(command: Command, session: Session) -> None:
        session.notes["seen"].append(command.verb)

    for _ in range(2):
        codes(connect(server), HELLO, "NOOP")
    assert raised == [AttributeError] * 2
    assert [session.notes for session in server.log.sessions()] == [{"seen": ["EHLO", "NOOP"]}] * 2


def test_several_connections_have_their_hooks_at_the_same_time(serve: Serve, connect: Connect) -> None:
    """Five hooks that each wait for the others can only end if none of them waits for its turn."""
    everybody = threading.Barrier(5)
    server: SMTPServer = serve(on("mail_from", call=lambda address, session: everybody.wait(5)))
    wires = [connect(server) for _ in range(5)]
    for wire in wires:
        codes(wire, HELLO)
        wire.send(script(MAIL))
    assert [wire.reply().code for wire in wires] == [250] * 5


@pytest.mark.parametrize("hook", WAYS)
def test_a_call_is_pending_while_its_hook_runs(serve: Serve, connect: Connect, hook: Any) -> None:
    began, go = threading.Event(), threading.Event()

    def blocked(*args: object) -> Any:
        began.set()
        go.wait(5)
        return "ada" if hook == "auth" else None

    server = serve(on(hook, call=blocked, skip=len(WAYS[hook]) - 1 if hook == "command" else 0))
    wire = connect(server)
    codes(wire, *WAYS[hook][:-1])
    wire.send(script(WAYS[hook][-1], "NOOP"))
    assert began.wait(5)
    call = last(server, hook)
    pending: Any = (call.outcome, call.reply, call.code, call.duration, call.heard)
    assert pending == ("pending", None, None, None, None)
    assert list(server.log)[-1] is call, "the line behind it has not had its turn"
    go.set()
    assert [wire.reply().code // 100 for _ in range(2)] == [2, 2]
    decided: Any = (call.outcome, call.heard)
    assert decided == ("accepted", True)
    assert call.duration is not None
