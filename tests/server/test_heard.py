"""``Call.heard``: whether a whole answer was written while the client had not closed its side."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pytest_smtpd import Rule, on
from tests.server.talk import (
    ADA,
    BOB,
    BODY,
    DATA,
    HELLO,
    LAST_CHUNK,
    LHLO,
    MAIL,
    PLAIN,
    TOKEN,
    Connect,
    Serve,
    codes,
    last,
    listen,
    point,
    script,
    to_data,
)


@pytest.mark.parametrize("slow", [False, True], ids=["at once", "late"])
def test_an_answer_to_a_client_that_is_there_is_heard(serve: Serve, connect: Connect, slow: bool) -> None:
    hooks: tuple[Any, ...] = ("connect", "command", "auth", "mail_from", "rcpt_to", "data") if slow else ()
    server = serve(*(on(hook, delay=0.001) for hook in hooks))
    codes(connect(server), HELLO, PLAIN, MAIL, ADA, DATA, BODY, MAIL, BOB, LAST_CHUNK, "QUIT")
    assert {call.heard for call in server.log if call.hook != "close"} == {True}


def test_the_end_of_a_connection_is_answered_to_nobody(serve: Serve, connect: Connect) -> None:
    server = serve()
    connect(server).close()
    server.wait_closed()
    assert last(server, "close").heard is False


# The options of a rule, and whether the client has heard a whole answer.
HEARD: list[tuple[dict[str, Any], bool]] = [
    ({"reply": 550}, True),
    ({"reply": 550, "drop": True}, True),
    ({"reply": 550, "hang": True}, True),
    ({"raw": b"250 ok\r\n"}, True),
    ({"drop": True}, False),
    ({"drop": "rst"}, False),
    ({"hang": True}, False),
    ({"raw": b""}, False),
    ({"raw": lambda usual: usual}, True),
    ({"raw": lambda usual: b""}, False),
]


@pytest.mark.parametrize(("options", "heard"), HEARD)
def test_where_there_was_no_answer_nothing_was_heard(
    serve: Serve, connect: Connect, options: dict[str, Any], heard: bool
) -> None:
    server = serve(on("rcpt_to", **options))
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA))
    (call,) = server.log.wait_for("rcpt_to", when=lambda call: call.outcome != "pending")
    assert call.heard is heard
    assert last(server, "RCPT").heard is heard


def test_an_answer_is_not_heard_before_it_is_given(serve: Serve, connect: Connect) -> None:
    entered, go = threading.Event(), threading.Event()

    def hook(*args: object) -> None:
        entered.set()
        go.wait(5)

    server = serve(on("mail_from", call=hook))
    wire = connect(server)
    codes(wire, HELLO)
    wire.send(script(MAIL))
    assert entered.wait(5)
    pending: Any = last(server, "mail_from").heard, last(server, "MAIL").heard
    assert pending == (None, None)
    go.set()
    wire.reply()
    assert (last(server, "mail_from").heard, last(server, "MAIL").heard) == (True, True)


LATE: list[tuple[str, list[Rule], list[str]]] = [
    ("connect", [on("connect", delay=600)], []),
    ("mail_from", [on("mail_from", delay=600)], [MAIL]),
    ("rcpt_to", [on("rcpt_to", delay=600, reply=550)], [MAIL, ADA]),
    ("auth", [on("auth", delay=600)], [PLAIN]),
    ("data", [on("data", delay=600)], [MAIL, ADA, DATA, BODY]),
    ("data", [on("data", delay=600)], [MAIL, ADA, LAST_CHUNK]),
    ("QUIT", [on("command", verb="QUIT", delay=600)], ["QUIT"]),
    ("mail_from", [on("mail_from", drip=600)], [MAIL]),
    ("data", [on("data", reply=250, drip=600)], [MAIL, ADA, DATA, BODY]),
]


@pytest.mark.parametrize(("name", "rules", "lines"), LATE)
def test_an_answer_to_a_client_that_has_closed_its_side_may_not_be_heard(
    serve: Serve, connect: Connect, name: str, rules: list[Rule], lines: list[str]
) -> None:
    server = serve(*rules)
    wire = connect(server, greet=False)
    if lines:
        assert wire.reply().code == 220
        codes(wire, HELLO, *lines[:-1])
        wire.send(script(lines[-1]))
    server.catch_up()
    wire.finish()
    assert wire.reply().code
    server.wait_closed()
    call = last(server, name)
    assert (call.heard, call.outcome in ("accepted", "refused")) == (False, True)
    assert [call for call in server.log.calls(heard=True) if point(call) == name] == []


def test_what_was_sent_ahead_of_the_end_is_answered_but_perhaps_not_heard(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", delay=600))
    wire = connect(server)
    codes(wire, HELLO)
    wire.send(script(MAIL, ADA, "NOOP"))
    wire.finish()
    assert listen(wire, 3) == [250, 250, 250]
    server.wait_closed()
    heard = [(point(call), call.heard) for call in server.log if call.hook != "close"]
    assert heard[:2] == [("connect", True), ("EHLO", True)]
    assert {was_heard for _, was_heard in heard[2:]} == {False}


@pytest.mark.parametrize("drip", [0, 600])
def test_an_answer_that_a_reset_overtakes_is_not_heard(serve: Serve, connect: Connect, drip: float) -> None:
    server = serve(on("rcpt_to", raw=b"250-" + b"x" * 20_000_000 + b"\r\n250 end\r\n", drip=drip))
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA))
    server.log.wait_for("rcpt_to")
    wire.reset()
    server.wait_closed()
    assert (last(server, "rcpt_to").heard, last(server, "RCPT").heard) == (False, False)
    assert last(server, "mail_from").heard is True


def test_in_lmtp_an_answer_is_not_heard_unless_every_recipients_was(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", to="bob@*", delay=600), lmtp=True)
    wire = connect(server)
    to_data(wire, ADA, BOB, hello=LHLO)
    wire.send(script(BODY))
    assert wire.reply().code == 250
    wire.finish()
    assert wire.reply().code == 250
    server.wait_closed()
    assert last(server, "data").heard is False


def test_in_lmtp_the_answer_is_heard_when_every_recipient_was_answered(serve: Serve, connect: Connect) -> None:
    server = serve(lmtp=True)
    wire = connect(server)
    to_data(wire, ADA, BOB, hello=LHLO)
    wire.send(script(BODY))
    assert listen(wire, 2) == [250, 250]
    assert last(server, "data").heard is True


def test_a_login_that_is_explained_first_is_heard_with_the_explanation(serve: Serve, connect: Connect) -> None:
    server = serve(auth={"ada": "other"})
    assert codes(connect(server), HELLO, TOKEN, "") == [250, 334, 535]
    assert (last(server, "auth").heard, last(server, "AUTH").heard) == (True, True)
