"""What a hook returns: it accepts, answers in its own words, names the user, or is a mistake."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd import Reject, Reply, on
from tests.server.talk import (
    ADA,
    BOB,
    BODY,
    DATA,
    HELLO,
    LHLO,
    MAIL,
    PLAIN,
    TOKEN,
    WAYS,
    Connect,
    Serve,
    codes,
    last,
    listen,
    mistakes,
    script,
    to_data,
    told_at,
)

ORDINARY = ["connect", "command", "mail_from", "rcpt_to"]  # where what is returned has no other meaning


@pytest.mark.parametrize("value", [None, True, False, 0, 550, 4.5, [], b"550", "OK", "", "5500 letters", object()])
@pytest.mark.parametrize("hook", ORDINARY)
def test_a_hook_accepts_by_returning_whatever_its_last_expression_was(
    serve: Serve, connect: Connect, hook: Any, value: Any
) -> None:
    server = serve(on(hook, call=lambda *args: value))
    told = told_at(hook, connect(server, greet=False))
    assert told[-1] // 100 == 2
    assert last(server, hook).outcome == "accepted"
    assert last(server, hook).rule is (None if hook == "command" else server.rules[0])


ANSWERS: list[tuple[Any, tuple[str, ...]]] = [
    ("251 2.1.5 Forwarded", ("251 2.1.5 Forwarded",)),
    ("250", ("250",)),
    ("250 Ada <ada@x.example>", ("250 Ada <ada@x.example>",)),
    ("550 5.1.1 No", ("550 5.1.1 No",)),
    ("550", ("550",)),
    ("450-one\n450 two", ("450-one", "450 two")),
    (Reply(452, "4.2.2", "Full"), ("452 4.2.2 Full",)),
    (Reply(250, None, "Fine"), ("250 Fine",)),
]


@pytest.mark.parametrize(("value", "lines"), ANSWERS)
@pytest.mark.parametrize("hook", ORDINARY)
def test_a_hook_answers_exactly_what_it_returns(
    serve: Serve, connect: Connect, hook: Any, value: Any, lines: tuple[str, ...]
) -> None:
    server = serve(on(hook, call=lambda *args: value, times=1))
    wire = connect(server, greet=False)
    if hook != "connect":
        wire.reply()
    way = ("VRFY ada",) if hook == "command" else WAYS.get(hook, ())
    codes(wire, *way[:-1])
    wire.send(script(*way[-1:]))
    assert [wire.read_line() for _ in lines] == [script(line) for line in lines]
    code = int(lines[0][:3])
    assert last(server, hook).code == code
    assert last(server, hook).outcome == ("refused" if code >= 400 else "accepted")


@pytest.mark.parametrize(("value", "code"), [("251 2.1.5 Forwarded", 354), ("550 5.1.1 No", 503), ("452 Full", 503)])
def test_the_first_digit_of_what_a_hook_returns_decides(serve: Serve, connect: Connect, value: str, code: int) -> None:
    wire = connect(serve(on("rcpt_to", call=lambda *args: value)))
    codes(wire, HELLO, MAIL, ADA)
    assert codes(wire, DATA) == [code]


def test_a_421_that_a_hook_returns_closes(serve: Serve, connect: Connect) -> None:
    wire = connect(serve(on("mail_from", call=lambda *args: "421 4.3.2 Stopping")))
    assert codes(wire, HELLO, MAIL) == [250, 421]
    assert wire.rest() == b""


def test_a_command_hook_that_answers_speaks_for_the_special_hook(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="MAIL", call=lambda *args: "250 2.1.0 Known"), on("mail_from", reply=550))
    assert codes(connect(server), HELLO, MAIL, ADA) == [250, 250, 250]
    assert server.log.calls("mail_from") == []


# --- data ------


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, "250 2.6.0 Message accepted"),
        ("queued as 7", "250 2.6.0 queued as 7"),
        ("2.0.0 fine", "250 2.0.0 fine"),
        ("231 bytes", "250 2.6.0 231 bytes"),
        ("250 letters", "250 2.6.0 250 letters"),
        ("599", "250 2.6.0 599"),
        ("", "250 2.6.0 "),
        ("251 2.6.0 Another", "251 2.6.0 Another"),
        ("552 5.2.2 Full", "552 5.2.2 Full"),
        (Reply(451, "4.3.0", "Later"), "451 4.3.0 Later"),
        (Reply(250, None, "OK"), "250 OK"),
    ],
)
def test_a_data_hook_returns_the_text_of_the_250_or_a_reply(
    serve: Serve, connect: Connect, value: Any, line: str
) -> None:
    server = serve(on("data", call=lambda *args: value))
    wire = connect(server)
    to_data(wire)
    wire.send(script(BODY))
    assert wire.read_line().rstrip() == line.rstrip().encode()
    assert len(server.envelopes) == (line[0] == "2")
    assert last(server, "data").code == int(line[:3])


PER_RECIPIENT: list[tuple[Any, list[int]]] = [
    (None, [250, 250]),
    ("same", [250, 250]),
    ("552 5.2.2 Full", [552, 552]),
    (["one", "two"], [250, 250]),
    (("one", Reject(450, "later")), [250, 450]),
    ([None, Reject()], [250, 554]),
    (["550 5.1.1 No", Reply(251, None, "Yes")], [550, 251]),
    ({"bob@example.com": Reject(550, "no")}, [250, 550]),
    ({"ada@EXAMPLE.com": "452 4.2.2 Full"}, [452, 250]),
    ({}, [250, 250]),
]


@pytest.mark.parametrize(("value", "expected"), PER_RECIPIENT)
def test_in_lmtp_a_data_hook_may_answer_for_each_recipient(
    serve: Serve, connect: Connect, value: Any, expected: list[int]
) -> None:
    server = serve(on("data", call=lambda *args: value), lmtp=True)
    wire = connect(server)
    to_data(wire, ADA, BOB, hello=LHLO)
    wire.send(script(BODY))
    assert listen(wire, 2) == expected


MEANINGLESS: list[tuple[Any, bool, type[Exception]]] = [
    (["one"], False, TypeError),
    ({"ada@example.com": "one"}, False, TypeError),
    (5, False, TypeError),
    (True, False, TypeError),
    (b"x", False, TypeError),
    (Reject, False, TypeError),
    (Reject(550), False, TypeError),
    (["one"], True, ValueError),
    (["one", "two", "three"], True, ValueError),
    ({"eve@example.com": "one"}, True, ValueError),
    ([1, 2], True, TypeError),
    (5, True, TypeError),
]


@pytest.mark.parametrize(("value", "lmtp", "kind"), MEANINGLESS, ids=str)
def test_what_means_nothing_as_the_answer_to_a_message_is_a_bug_in_the_test(
    serve: Serve, connect: Connect, value: Any, lmtp: bool, kind: type[Exception]
) -> None:
    server = serve(on("data", call=lambda *args: value), lmtp=lmtp)
    wire = connect(server)
    to_data(wire, ADA, BOB, hello=LHLO if lmtp else HELLO)
    wire.send(script(BODY))
    assert listen(wire, 2 if lmtp else 1) == [451] * (2 if lmtp else 1)
    (error,) = mistakes(server)
    assert type(error) is kind
    assert last(server, "data").outcome == "error"
    assert codes(wire, "NOOP") == [250]


# --- auth ------


@pytest.mark.parametrize(
    ("value", "code", "user"),
    [
        ("ada", 235, "ada"),
        ("250 letters", 235, "250 letters"),
        ("235", 235, "235"),
        ("235 2.7.0 Welcome back", 235, "ada"),
        ("535 5.7.8 Nope", 535, None),
        ("454 4.7.0 Later", 454, None),
        (Reply(535, "5.7.9", "Weak"), 535, None),
        ({"id": 7}, 235, {"id": 7}),
    ],
)
def test_an_auth_hook_returns_the_user_or_a_reply(
    serve: Serve, connect: Connect, value: Any, code: int, user: Any
) -> None:
    server = serve(on("auth", call=lambda *args: value))
    assert codes(connect(server), HELLO, PLAIN) == [250, code]
    assert server.log.sessions()[0].user == user


def test_a_reply_that_refuses_a_token_is_explained_first(serve: Serve, connect: Connect) -> None:
    wire = connect(serve(on("auth", call=lambda *args: "535 5.7.8 Stale")))
    assert codes(wire, HELLO, TOKEN, "") == [250, 334, 535]


@pytest.mark.parametrize(
    ("auth", "value", "code", "user"),
    [("any", None, 535, None), ({"ada": "other"}, {"id": 7}, 235, {"id": 7}), ({"ada": "pw"}, False, 535, None)],
)
def test_an_auth_hook_decides_whatever_the_setting_says(
    serve: Serve, connect: Connect, auth: Any, value: Any, code: int, user: Any
) -> None:
    server = serve(on("auth", call=lambda *args: value), auth=auth)
    assert codes(connect(server), HELLO, PLAIN) == [250, code]
    assert server.log.sessions()[0].user == user


@pytest.mark.parametrize(("auth", "code", "user"), [({"ada": "pw"}, 235, "ada"), ({"ada": "other"}, 535, None)])
def test_a_rule_that_only_slows_down_leaves_the_decision_to_the_setting(
    serve: Serve, connect: Connect, auth: Any, code: int, user: Any
) -> None:
    server = serve(on("auth", delay=0.001), auth=auth)
    assert codes(connect(server), HELLO, PLAIN) == [250, code]
    assert server.log.sessions()[0].user == user


# --- slips ------


@pytest.mark.parametrize("value", [Reject(550), "5.1.1 no such user", "4.7.1 later"], ids=repr)
@pytest.mark.parametrize("hook", ORDINARY)
def test_a_refusal_that_is_returned_and_would_accept_is_a_mistake(
    serve: Serve, connect: Connect, hook: Any, value: Any
) -> None:
    server = serve(on(hook, call=lambda *args: value, times=1))
    wire = connect(server, greet=False)
    if hook != "connect":
        wire.reply()
        codes(wire, *WAYS[hook][:-1])
        wire.send(script(WAYS[hook][-1]))
    answered = wire.reply().code
    if hook == "command" and isinstance(value, str):
        assert answered == 250, "a command hook returns what it likes, and lets the command pass"
        return
    assert answered == 451
    (error,) = mistakes(server)
    assert isinstance(error, TypeError)
    assert repr(value) in str(error)
    assert "\n" not in str(error)


def test_an_auth_hook_that_returns_a_reject_logs_nobody_in(serve: Serve, connect: Connect) -> None:
    server = serve(on("auth", call=lambda *args: Reject(535, "5.7.8 no")))
    assert codes(connect(server), HELLO, PLAIN) == [250, 451]
    assert [type(error) for error in mistakes(server)] == [TypeError]
    assert server.log.sessions()[0].user is None
