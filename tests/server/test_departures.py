"""What has arrived whole is decided, whether or not the client is still there to hear it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from pytest_smtpd import Address, Reject, Rule, Session, SMTPServer, Stream, on
from tests.rfc.wire import Wire
from tests.server.talk import (
    ADA,
    BOB,
    BODY,
    CONTENT,
    DATA,
    HELLO,
    LAST_CHUNK,
    LHLO,
    MAIL,
    WAYS,
    Connect,
    Serve,
    codes,
    last,
    listen,
    points,
    script,
    to_data,
)

LONG = 600  # seconds: no test waits for them
LEAVE = pytest.mark.parametrize("leave", [Wire.finish, Wire.close], ids=["half-closed", "closed"])


def begun(server: SMTPServer, hook: Any) -> None:
    """Wait until a hook or a wait at this point is under way."""
    server.log.wait_for(hook, outcome="pending")


# --- a message whose end has arrived ------


SLOW: dict[str, list[Rule]] = {
    "a delay": [on("data", delay=LONG)],
    "a late answer": [on("data", reply=250, delay=LONG)],
    "a dripping answer": [on("data", reply=250, drip=LONG)],
    "a lingering drop": [on("data", reply=250, drop=True, linger=LONG)],
    "a delay on BDAT": [on("command", verb="BDAT", delay=LONG)],
}


@LEAVE
@pytest.mark.parametrize("rules", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("chunked", [False, True], ids=["DATA", "BDAT"])
def test_a_message_is_kept_though_the_client_has_lost_its_patience(
    serve: Serve, connect: Connect, rules: list[Rule], chunked: bool, leave: Any
) -> None:
    server = serve(*rules)
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA, *([] if chunked else [DATA]))
    wire.send(f"{LAST_CHUNK if chunked else BODY}\r\n".encode())
    server.catch_up()
    leave(wire)
    server.wait_closed()
    (envelope,) = server.envelopes
    assert envelope.content == (b"hello\r\n" if chunked else CONTENT)
    assert last(server, "data").outcome == "accepted"
    assert server.log.sessions()[0].closed


@LEAVE
@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("refuses", [False, True])
def test_a_hook_runs_to_its_end_and_its_verdict_counts(
    serve: Serve, connect: Connect, kind: str, refuses: bool, leave: Any
) -> None:
    release = threading.Event()

    def plain(stream: Stream, session: Session) -> None:
        stream.read()
        release.wait(5)
        if refuses:
            raise Reject(552, "5.2.2 Full")

    async def asynchronous(stream: Stream, session: Session) -> None:
        await stream.aread()
        await asyncio.to_thread(release.wait, 5)
        if refuses:
            raise Reject(552, "5.2.2 Full")

    server = serve(on("data", call=plain if kind == "def" else asynchronous))
    wire = connect(server)
    to_data(wire)
    wire.send(script(BODY))
    begun(server, "data")
    server.catch_up()
    leave(wire)
    server.catch_up()
    release.set()
    server.wait_closed()
    call = last(server, "data")
    assert (call.outcome, call.code) == (("refused", 552) if refuses else ("accepted", 250))
    assert [envelope.accepted for envelope in server.log.envelopes()] == [not refuses]


@LEAVE
def test_what_was_sent_before_is_processed_in_order(serve: Serve, connect: Connect, leave: Any) -> None:
    entered, release = threading.Event(), threading.Event()
    seen: list[str] = []
    server = serve()

    @server.on("mail_from")
    def slow(address: Address, session: Session) -> None:
        entered.set()
        release.wait(5)
        seen.append("mail_from")

    @server.on("rcpt_to")
    async def quick(address: Address, session: Session) -> None:
        seen.append(address.local)

    @server.on("close")
    def close(session: Session) -> None:
        seen.append("close")

    wire = connect(server)
    codes(wire, HELLO)  # a reply that is left unread would make a reset of the close
    wire.send(script(MAIL, ADA, BOB, DATA, BODY, "NOOP"))
    assert entered.wait(5)
    leave(wire)
    server.catch_up()
    release.set()
    server.wait_closed()
    assert seen == ["mail_from", "ada", "bob", "close"]
    assert server.one().rcpt_to == ("ada@example.com", "bob@example.com")
    assert points(server) == "connect EHLO MAIL mail_from RCPT rcpt_to RCPT rcpt_to DATA data NOOP close"


def test_a_client_that_has_only_closed_its_side_still_hears_its_replies(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", delay=LONG), on("rcpt_to", delay=LONG, reply=550))
    wire = connect(server)
    wire.send(script(HELLO, MAIL, ADA, "QUIT"))
    wire.finish()
    assert listen(wire, 4) == [250, 250, 550, 221]
    assert wire.rest() == b""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"delay": LONG}, b"250 2.1.0 OK\r\n"),
        ({"drip": LONG}, b"250 2.1.0 OK\r\n"),
        ({"delay": LONG, "drip": LONG, "reply": "451 later"}, b"451 later\r\n"),
        ({"reply": "451 later", "linger": LONG, "drop": True}, b"451 later\r\n"),
        ({"hang": True}, b""),
        ({"reply": "451 later", "hang": True}, b"451 later\r\n"),
    ],
)
def test_what_is_left_of_a_rules_own_waits_is_skipped(
    serve: Serve, connect: Connect, options: dict[str, Any], told: bytes
) -> None:
    server = serve(on("mail_from", **options))
    wire = connect(server)
    codes(wire, HELLO)
    wire.send(script(MAIL))
    server.log.wait_for("mail_from")
    wire.finish()
    assert wire.rest() == told
    server.wait_closed()


@pytest.mark.parametrize("option", [{"delay": LONG}, {"reply": 550, "delay": LONG}], ids=str)
def test_in_lmtp_a_message_is_decided_for_each_recipient_though_the_client_has_left(
    serve: Serve, connect: Connect, option: dict[str, Any]
) -> None:
    server = serve(on("data", to="bob@*", **option), lmtp=True)
    wire = connect(server)
    to_data(wire, ADA, BOB, hello=LHLO)
    wire.send(script(BODY))
    assert wire.reply().code == 250
    wire.close()
    server.wait_closed()
    expected = ("ada@example.com",) if "reply" in option else ("ada@example.com", "bob@example.com")
    assert server.one().rcpt_to == expected


def test_a_greeting_that_comes_too_late_is_no_reason_to_forget_the_client(serve: Serve, connect: Connect) -> None:
    server = serve(on("connect", delay=LONG))
    wire = connect(server, greet=False)
    begun(server, "connect")
    wire.finish()
    assert wire.reply().code == 220
    assert wire.rest() == b""
    server.wait_closed()
    assert [(call.hook, call.outcome) for call in server.log] == [("connect", "accepted"), ("close", "accepted")]


# --- a message that will never be whole ------


@LEAVE
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_hook_that_reads_gets_a_connection_error_behind_what_had_come(
    serve: Serve, connect: Connect, kind: str, leave: Any
) -> None:
    got: list[bytes] = []
    read = threading.Event()

    def plain(stream: Stream, session: Session) -> None:
        for chunk in stream:
            got.append(chunk)
            read.set()

    async def asynchronous(stream: Stream, session: Session) -> None:
        async for chunk in stream:
            got.append(chunk)
            read.set()

    server = serve(on("data", call=plain if kind == "def" else asynchronous))
    wire = connect(server)
    to_data(wire)
    wire.send(b"half a message\r\n")
    assert read.wait(5)
    leave(wire)
    server.wait_closed()
    assert b"".join(got).rstrip() == b"half a message"
    assert (last(server, "data").outcome, last(server, "data").error) == ("dropped", None)
    assert server.log.envelopes() == []


def test_a_hook_that_does_not_read_yet_is_not_cancelled_and_gets_its_error_when_it_reads(
    serve: Serve, connect: Connect
) -> None:
    entered, release = threading.Event(), threading.Event()
    happened: list[str] = []
    server = serve()

    @server.on("data")
    async def hook(stream: Stream, session: Session) -> None:
        entered.set()
        await asyncio.to_thread(release.wait, 5)
        try:
            await stream.aread()
        except ConnectionError:
            happened.append("told")
            raise

    @server.on("close")
    def close(session: Session) -> None:
        happened.append("close")

    wire = connect(server)
    to_data(wire)
    wire.send(b"half a message\r\n")
    assert entered.wait(5)
    wire.close()
    server.catch_up()
    release.set()
    server.wait_closed()
    assert happened == ["told", "close"]
    assert last(server, "data").outcome == "dropped"


UNFINISHED: list[tuple[list[str], dict[str, str]]] = [
    ([HELLO, "AUTH LOGIN"], {"AUTH": "dropped"}),
    ([HELLO, MAIL, ADA, DATA, "Subject: x"], {"DATA": "accepted", "data": "dropped"}),
    ([HELLO, MAIL, ADA, "BDAT 90\r\nhello"], {"BDAT": "dropped", "data": "dropped"}),
    ([HELLO, MAIL, ADA, "BDAT 7\r\nhello"], {"BDAT": "accepted", "data": "dropped"}),
]


@pytest.mark.parametrize(("lines", "outcomes"), UNFINISHED)
@pytest.mark.parametrize("leave", [Wire.finish, Wire.close, Wire.reset], ids=["half-closed", "closed", "reset"])
def test_what_is_pending_when_the_client_leaves_is_dropped(
    serve: Serve, connect: Connect, lines: list[str], outcomes: dict[str, str], leave: Any
) -> None:
    server = serve()
    wire = connect(server)
    wire.send(script(*lines))
    server.catch_up()
    leave(wire)
    server.wait_closed()
    assert {name: last(server, name).outcome for name in outcomes} == outcomes
    assert "pending" not in {call.outcome for call in server.log}
    assert len(server.log.calls("close")) == 1
    assert not server.log.envelopes()


# --- a reset ------


@pytest.mark.parametrize("hook", ["connect", *WAYS])
def test_a_reset_cancels_the_pending_hook_and_only_close_follows(serve: Serve, connect: Connect, hook: Any) -> None:
    entered, happened = threading.Event(), list[str]()

    async def waiting(*args: object) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            happened.append("cancelled")

    async def close(session: Session) -> None:
        happened.append("close")

    server = serve(on(hook, call=waiting), on("close", call=close))
    wire = connect(server, greet=False)
    if hook != "connect":
        wire.reply()
        codes(wire, *WAYS[hook][:-1])
    wire.send(script(*WAYS.get(hook, ())[-1:], "NOOP", MAIL))
    assert entered.wait(5)
    pending = last(server, hook)
    wire.reset()
    server.wait_closed()
    assert happened == ["cancelled", "close"]
    assert (pending.outcome, pending.error, pending.rule, pending.heard) == ("dropped", None, server.rules[0], False)
    assert list(server.log)[-2:] == [pending, last(server, "close")]
    assert not server.log.envelopes()


def test_a_blocked_hook_whose_client_has_reset_reads_the_whole_message_all_the_same(
    serve: Serve, connect: Connect
) -> None:
    entered, release, got = threading.Event(), threading.Event(), list[bytes]()

    def hook(stream: Stream, session: Session) -> None:
        entered.set()
        release.wait(5)
        got.append(stream.read())

    server = serve(on("data", call=hook))
    wire = connect(server)
    to_data(wire)
    wire.send(script(BODY))
    assert entered.wait(5)
    server.catch_up()
    wire.reset()
    server.catch_up()
    release.set()
    server.wait_closed()
    assert got == [CONTENT]
    assert last(server, "data").outcome == "dropped"
    assert not server.log.envelopes()


def test_the_close_hook_sees_what_the_client_has_left_behind(serve: Serve, connect: Connect) -> None:
    seen: list[Any] = []
    server = serve()

    @server.on("close", to="ada@*")
    def close(session: Session) -> None:
        assert session.envelope is not None
        seen.append((session.closed, session.user, session.commands, session.envelope.rcpt_to, session.ended))

    wire = connect(server)
    codes(wire, HELLO, WAYS["auth"][-1], MAIL, ADA)
    wire.close()
    server.wait_closed()
    assert seen == [(True, "ada", ("EHLO", "AUTH", "MAIL", "RCPT"), ("ada@example.com",), "client")]
