"""Mistakes of the test in hooks and matches: 451 for the client, and told, whatever becomes of the client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pytest_smtpd import Reject, Rule, Session, SMTPServer, Stream, on
from tests.server.talk import (
    ADA,
    BOB,
    BODY,
    DATA,
    HELLO,
    LAST_CHUNK,
    MAIL,
    STARTTLS,
    WAYS,
    Connect,
    Serve,
    codes,
    last,
    listen,
    mistakes,
    point,
    script,
    to_data,
    told_at,
)

ERROR = ValueError("a secret")


def raising(error: BaseException, kind: str = "def") -> Callable[..., Any]:
    def plain(*args: object) -> None:
        raise error

    async def asynchronous(*args: object) -> None:
        raise error

    return plain if kind == "def" else asynchronous


# --- hooks ------


ERRORS = [
    ERROR,
    AssertionError("a secret"),
    pytest.fail.Exception("a secret"),
    pytest.skip.Exception("a secret"),
    SystemExit("a secret"),
    KeyboardInterrupt("a secret"),
    ConnectionError("a secret"),
    TimeoutError("a secret"),
    asyncio.CancelledError("a secret"),
]
RAISED = [(error, kind) for error in ERRORS for kind in ("def", "async def")]


@pytest.mark.parametrize("hook", ["connect", *WAYS])
@pytest.mark.parametrize(("error", "kind"), [*RAISED, (StopIteration("a secret"), "def")])
def test_whatever_a_hook_raises_is_a_451_for_the_client_and_told_once(
    serve: Serve, connect: Connect, hook: Any, error: BaseException, kind: str
) -> None:
    server = serve(on(hook, call=raising(error, kind), times=1))
    wire = connect(server, greet=False)
    told = told_at(hook, wire)
    assert told[-1] == 451
    assert mistakes(server) == [error]
    call = last(server, hook)
    assert (call.outcome, call.code, call.error, call.rule) == ("error", 451, error, server.rules[0])
    assert call.reply is not None
    assert call.reply.enhanced == "4.3.0"
    assert "secret" not in str(call.reply)
    if hook == "connect":
        assert wire.rest() == b""
    else:
        assert codes(wire, "NOOP") == [250]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_mistake_after_the_handshake_is_a_451_too(serve: Serve, connect: Connect, tls: str) -> None:
    server = serve(on("secure", call=raising(ERROR, "async def")), tls=tls)
    wire = connect(server, greet=tls == "starttls")
    if tls == "starttls":
        codes(wire, HELLO, STARTTLS)
    wire.secure(server.client_context, "localhost")
    assert wire.reply().code == 451
    assert mistakes(server) == [ERROR]
    assert last(server, "secure").error is ERROR
    assert last(server, "connect").outcome == "accepted"


def test_a_mistake_of_the_close_hook_is_told_and_answered_to_nobody(serve: Serve, connect: Connect) -> None:
    server = serve(on("close", call=raising(ERROR, "async def")))
    connect(server).close()
    server.wait_closed()
    assert mistakes(server) == [ERROR]
    call = last(server, "close")
    assert (call.outcome, call.reply, call.error) == ("error", None, ERROR)


@pytest.mark.parametrize("reject", [Reject(), Reject(550)])
def test_a_close_hook_that_refuses_is_a_mistake_that_says_so(serve: Serve, connect: Connect, reject: Reject) -> None:
    server = serve(on("close", call=raising(reject, "async def")))
    connect(server).close()
    server.wait_closed()
    (error,) = mistakes(server)
    assert isinstance(error, TypeError)
    assert str(error) == "a close hook has nobody to refuse, the connection is gone; let it return"
    assert error.__cause__ is reject


def test_a_reject_that_cannot_be_made_is_a_mistake(serve: Serve, connect: Connect) -> None:
    def hook(address: object, session: object) -> None:
        raise Reject(250)

    server = serve(on("rcpt_to", call=hook))
    assert codes(connect(server), HELLO, MAIL, ADA) == [250, 250, 451]
    assert [type(error) for error in mistakes(server)] == [ValueError]


def test_a_recipient_on_whom_a_hook_failed_has_no_chance_but_the_transaction_goes_on(
    serve: Serve, connect: Connect
) -> None:
    server = serve(on("rcpt_to", to="ada@*", call=raising(ERROR)))
    assert codes(connect(server), HELLO, MAIL, ADA, BOB, DATA, BODY) == [250, 250, 451, 250, 354, 250]
    assert server.one().rcpt_to == ("bob@example.com",)
    assert dict(server.one().refused) == {"ada@example.com": 451}
    mistakes(server)


def test_the_traceback_begins_in_the_frame_of_the_hook(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", call=raising(ValueError("x"))))
    codes(connect(server), HELLO, MAIL)
    (error,) = mistakes(server)
    assert error.__traceback__ is not None
    assert error.__traceback__.tb_frame.f_code.co_filename == __file__
    assert "in plain" in server.log.transcript()


@pytest.mark.parametrize(("hook", "lines"), [("mail_from", [MAIL]), ("rcpt_to", [MAIL, ADA])])
def test_in_lmtp_too_all_but_the_message_has_one_answer(
    serve: Serve, connect: Connect, hook: Any, lines: list[str]
) -> None:
    server = serve(on(hook, call=raising(ERROR)), lmtp=True)
    wire = connect(server)
    assert codes(wire, "LHLO client.example", *lines)[-1] == 451
    assert codes(wire, "NOOP") == [250]
    assert mistakes(server) == [ERROR]


# --- mistakes that the client does not hear of ------


async def wrong_at_the_end(stream: Stream, session: Session) -> None:
    await stream.aread()
    raise ERROR


def wrong_match(value: object) -> bool:
    raise ERROR


@pytest.mark.parametrize("rule", [on("data", call=wrong_at_the_end), on("data", to=wrong_match, reply=450)])
def test_a_mistake_is_told_though_the_message_is_too_big(serve: Serve, connect: Connect, rule: Rule) -> None:
    server = serve(rule, size=20)
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY, "NOOP") == [552, 250]
    assert mistakes(server) == [ERROR]
    assert (last(server, "data").outcome, last(server, "data").code) == ("refused", 552)


def test_a_mistake_is_told_though_the_message_was_accepted_early(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=5, reply=250), on("data", call=wrong_at_the_end))
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY, "NOOP") == [250, 250]
    assert mistakes(server) == [ERROR]
    call = last(server, "data")
    assert (call.outcome, call.code, call.rule) == ("accepted", 250, server.rules[0])
    assert len(server.envelopes) == 1


def test_a_mistake_is_told_though_a_rule_has_accepted_the_chunk(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="BDAT", reply=250), on("data", call=wrong_at_the_end))
    assert codes(connect(server), HELLO, MAIL, ADA, LAST_CHUNK) == [250, 250, 250, 250]
    assert mistakes(server) == [ERROR]


async def wrong_when_broken(stream: Stream, session: Session) -> None:
    try:
        await stream.aread()
    except ConnectionError:
        raise ERROR from None


def test_a_mistake_is_told_beside_an_early_refusal(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=5, reply=552), on("data", call=wrong_when_broken))
    wire = connect(server)
    to_data(wire)
    wire.send(b"Subject: Hi")
    assert wire.reply().code == 552
    assert mistakes(server) == [ERROR]
    call = last(server, "data")
    assert (call.error, call.outcome, call.code, call.rule) == (ERROR, "refused", 552, server.rules[0])


@pytest.mark.parametrize("line", ["RSET", "EHLO again", "QUIT"])
def test_a_mistake_is_told_when_the_message_is_given_up(serve: Serve, connect: Connect, line: str) -> None:
    server = serve(on("data", call=wrong_when_broken))
    codes(connect(server), HELLO, MAIL, ADA, "BDAT 7\r\nhello", line)
    assert mistakes(server) == [ERROR]
    assert last(server, "data").outcome == "dropped"


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("rule", [on("data", call=wrong_when_broken), on("data", after=4, when=wrong_match, reply=552)])
def test_a_mistake_is_told_though_the_client_leaves(serve: Serve, connect: Connect, rule: Rule, how: str) -> None:
    server = serve(rule)
    wire = connect(server)
    to_data(wire)
    wire.send(b"Subject: Hi")
    server.catch_up()
    getattr(wire, how)()
    server.wait_closed()
    assert mistakes(server) == [ERROR]
    call = last(server, "data")
    assert (call.outcome, call.error) == ("dropped", ERROR)


NO_MISTAKE = [Reject(), ConnectionError("to the client"), None]


@pytest.mark.parametrize("error", [ERROR, *NO_MISTAKE], ids=repr)
@pytest.mark.parametrize("hook", ["connect", *WAYS])
def test_what_a_def_hook_raises_when_its_client_has_reset_is_told(
    serve: Serve, connect: Connect, hook: Any, error: BaseException | None
) -> None:
    """A refusal, or the news of the lost client, is no mistake: there is nobody left to be refused."""
    entered, release = threading.Event(), threading.Event()

    def blocked(*args: object) -> None:
        entered.set()
        release.wait(5)
        if error is not None:
            raise error

    server = serve(on(hook, call=blocked))
    leave_while_it_runs(server, connect, hook, entered)
    release.set()
    server.wait_closed()
    call = last(server, hook)
    assert (call.outcome, call.error) == ("dropped", error if error is ERROR else None)
    assert mistakes(server) == [ERROR] * (error is ERROR)
    assert point(list(server.log)[-1]) == "close"


@pytest.mark.parametrize("hook", ["connect", *WAYS])
@pytest.mark.parametrize("awaitable", [False, True])
def test_what_a_cancelled_hook_raises_in_the_end_is_told(
    serve: Serve, connect: Connect, hook: Any, awaitable: bool
) -> None:
    entered = threading.Event()

    async def waiting(*args: object) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ERROR

    def returns_it(*args: object) -> Awaitable[None]:
        return waiting(*args)

    server = serve(on(hook, call=returns_it if awaitable else waiting))
    leave_while_it_runs(server, connect, hook, entered)
    server.wait_closed()
    assert mistakes(server) == [ERROR]
    assert last(server, hook).outcome == "dropped"


def leave_while_it_runs(server: SMTPServer, connect: Connect, hook: str, entered: threading.Event) -> None:
    """A client that resets the connection while a hook runs; the server has seen it when this returns."""
    wire = connect(server, greet=False)
    if hook != "connect":
        wire.reply()
        codes(wire, *WAYS[hook][:-1])
        wire.send(script(WAYS[hook][-1]))
    assert entered.wait(5)
    wire.reset()
    server.catch_up()


# --- matches ------


@pytest.mark.parametrize("hook", ["connect", *WAYS])
def test_a_mistake_in_a_match_is_like_one_in_a_hook(serve: Serve, connect: Connect, hook: Any) -> None:
    server = serve(on(hook, delay=0.001), on(hook, when=wrong_match, reply=250), on(hook, reply=550))
    told = told_at(hook, connect(server, greet=False))
    assert told[-1] == 451
    assert mistakes(server) == [ERROR]
    call = last(server, hook)
    assert (call.outcome, call.error, call.rule) == ("error", ERROR, server.rules[1])
    assert server.rules[2].used == 0


def test_a_failure_of_pytest_in_a_match_is_a_mistake_too(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", when=lambda call: pytest.fail("wrong"), reply=550))
    assert codes(connect(server), HELLO, MAIL, ADA, "NOOP") == [250, 250, 451, 250]
    assert [str(error) for error in mistakes(server)] == ["wrong"]


@pytest.mark.parametrize("key", ["to", "mail_from", "user", "subject", "rcpt_to", "when"])
def test_behind_a_mistake_in_the_match_of_a_message_no_rule_is_asked(serve: Serve, connect: Connect, key: Any) -> None:
    options: dict[str, Any] = {key: wrong_match}
    server = serve(on("data", reply=450, **options), on("data", reply=554, times=1))
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY) == [451]
    assert mistakes(server) == [ERROR]
    assert server.rules[1].used == 0


@pytest.mark.parametrize("after", [0, 4, 7])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_mistake_in_the_match_of_an_early_rule_is_a_451_at_the_end(
    serve: Serve, connect: Connect, chunked: bool, after: int
) -> None:
    server = serve(on("data", after=after, when=wrong_match, reply=552), on("data", after=7, reply=552))
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA)
    lines, expected = ([LAST_CHUNK], [451]) if chunked else ([DATA, BODY], [354, 451])
    assert codes(wire, *lines, "NOOP") == [*expected, 250]
    call = last(server, "data")
    assert (call.outcome, call.error, call.rule) == ("error", ERROR, server.rules[0])
    assert server.rules[1].used == 0
    assert mistakes(server) == [ERROR]


def test_a_mistake_in_the_match_of_an_early_rule_waits_for_the_hook(serve: Serve, connect: Connect) -> None:
    got: list[bytes] = []

    async def hook(stream: Stream, session: Session) -> None:
        got.append(await stream.aread())

    server = serve(on("data", after=4, when=wrong_match, reply=552), on("data", call=hook))
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY) == [451]
    assert got == [b"Subject: Hi\r\n\r\nHello\r\n"]
    assert mistakes(server) == [ERROR]


@pytest.mark.parametrize(
    "match",
    [{"to": wrong_match}, {"to": "bob@*", "when": wrong_match}, {"subject": wrong_match}],
    ids=["to", "when", "subject"],
)
def test_in_lmtp_a_mistake_in_a_match_is_a_451_for_every_recipient(
    serve: Serve, connect: Connect, match: dict[str, Any]
) -> None:
    server = serve(on("data", reply=550, **match), on("data", to="bob@*", reply=552), lmtp=True)
    wire = connect(server)
    to_data(wire, ADA, BOB, hello="LHLO client.example")
    wire.send(script(BODY))
    assert listen(wire, 2) == [451, 451]
    assert mistakes(server) == [ERROR]
    assert (last(server, "data").outcome, server.rules[1].used) == ("error", 0)
    assert codes(wire, "NOOP") == [250]
