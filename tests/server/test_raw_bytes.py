"""``raw`` and ``then``: bytes on the wire as they are, and what the session makes of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import Rule, on
from tests.rfc.wire import Wire
from tests.server.talk import (
    ADA,
    BODY,
    DATA,
    HELLO,
    MAIL,
    PLAIN,
    WAYS,
    Connect,
    Serve,
    codes,
    last,
    listen,
    mistakes,
    points,
    script,
    to_data,
    told_at,
)


def exactly(wire: Wire, count: int) -> bytes:
    """The next so many bytes."""
    while len(wire.buffer) < count:
        chunk = wire.receive()
        assert chunk, f"closed after {wire.buffer!r}"
        wire.buffer += chunk
    taken, wire.buffer = wire.buffer[:count], wire.buffer[count:]
    return taken


# --- the session goes on as after the reply that the bytes begin with ------


RAW: list[tuple[Any, bytes, list[str], list[int]]] = [
    ("connect", b"HTTP/1.1 400\r\n", [HELLO], [250]),
    ("connect", b"220 hi", [HELLO], [250]),
    ("connect", b"554 no", [HELLO], [250]),
    ("connect", b"554 go away\r\n", ["QUIT"], [221]),
    ("connect", b"421 go away\r\n", ["QUIT"], [221]),
    ("rcpt_to", b"junk\r\n", [DATA, ADA, DATA], [503, 250, 354]),
    ("rcpt_to", b"250 ok", [DATA], [503]),
    ("rcpt_to", b"550 no", [DATA], [503]),
    ("rcpt_to", b"250 ok\n", [DATA], [503]),
    ("rcpt_to", b"250 ok\r\njunk", [DATA], [354]),
    ("rcpt_to", b"250-one\r\n250 two\r\n", [DATA], [354]),
    ("rcpt_to", b"421 x\r\n", [DATA, ADA], [503, 250]),
    ("mail_from", b"", [ADA, MAIL, ADA], [503, 250, 250]),
    ("auth", b"junk", ["NOOP"], [250]),
    ("auth", b"334 \r\n", ["AGFkYQBwdw==", "NOOP"], [235, 250]),
]


@pytest.mark.parametrize(("hook", "raw", "lines", "expected"), RAW)
def test_the_session_goes_on_as_after_the_reply_that_raw_begins_with(
    serve: Serve, connect: Connect, hook: Any, raw: bytes, lines: list[str], expected: list[int]
) -> None:
    server = serve(on(hook, raw=raw, times=1))
    wire = connect(server, greet=hook != "connect")
    way = WAYS.get(hook, ())
    codes(wire, *way[:-1])
    wire.send(script(*way[-1:]))
    assert exactly(wire, len(raw)) == raw
    assert codes(wire, *lines) == expected


def test_a_greeting_that_is_no_reply_does_not_hide_the_secure_hook(serve: Serve, connect: Connect) -> None:
    server = serve(on("connect", raw=b"220 hi"), tls="implicit")
    wire = connect(server, greet=False)
    wire.secure(server.client_context, "localhost")
    assert exactly(wire, 6) == b"220 hi"
    assert points(server) == "connect secure"
    assert codes(wire, HELLO) == [250]


def test_on_secure_bytes_that_are_no_reply_stand_in_place_of_the_greeting(serve: Serve, connect: Connect) -> None:
    server = serve(on("secure", raw=b"220 hi", drop=True), tls="implicit")
    wire = connect(server, greet=False)
    wire.secure(server.client_context, "localhost")
    assert exactly(wire, 6) == b"220 hi"


# The options, and the outcome: by the first digit, whether or not a client can read the rest.
OUTCOMES: list[tuple[dict[str, Any], str]] = [
    ({"raw": b"250 ok"}, "accepted"),
    ({"raw": b"250 ok", "drop": True}, "accepted"),
    ({"raw": b"250"}, "accepted"),
    ({"raw": b"250-one\r\n", "hang": True}, "accepted"),
    ({"raw": b"354\n"}, "accepted"),
    ({"raw": b"550 no", "drop": True}, "refused"),
    ({"raw": b"250-one\r\n550 two\r\n"}, "refused"),
    ({"raw": b"451-one\r\n250 two"}, "accepted"),
    ({"raw": b"25", "drop": True}, "dropped"),
    ({"raw": b"2500 ok\r\n", "drop": True}, "dropped"),
    ({"raw": b"650 ok\r\n", "drop": True}, "dropped"),
    ({"raw": b"ok 250\r\n", "drop": True}, "dropped"),
    ({"raw": b"ok\r\n", "hang": True}, "hung"),
]


@pytest.mark.parametrize(("options", "outcome"), OUTCOMES)
@pytest.mark.parametrize("hook", ["rcpt_to", "connect"])
def test_raw_counts_by_the_code_that_a_client_reads_in_it(
    serve: Serve, connect: Connect, hook: Any, options: dict[str, Any], outcome: str
) -> None:
    server = serve(on(hook, **options))
    wire = connect(server, greet=False)
    if hook == "rcpt_to":
        wire.reply()
        codes(wire, HELLO, MAIL)
        wire.send(script(ADA))
    (call,) = server.log.wait_for(hook, outcome=outcome)
    assert (call.outcome, call.reply) == (outcome, None)


def test_raw_in_several_writes_is_one_answer(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", raw=b"250 ok\r\n", drip=0.001))
    wire = connect(server)
    assert codes(wire, HELLO, MAIL, ADA, DATA) == [250, 250, 250, 354]
    duration = last(server, "rcpt_to").duration
    assert duration is not None


# --- raw=function: what the usual answer becomes ------


Made = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    ("rule", "lines", "pattern"),
    [
        (
            on("command", verb="EHLO", raw=lambda usual: usual.replace(b"STARTTLS", b"XSTARTTLS")),
            (HELLO,),
            rb"250-localhost\r\n(250-.*\r\n)*250-XSTARTTLS\r\n(250-.*\r\n)*250 .*\r\n",
        ),
        (on("auth", raw=lambda usual: b"X" + usual), (HELLO, PLAIN), rb"X235 2\.7\.0 .*\r\n"),
        (
            on("command", verb="AUTH", raw=lambda usual: usual.lower()),
            (HELLO, "AUTH CRAM-MD5"),
            rb"334 [a-z0-9+/=]+\r\n",
        ),
        (on("rcpt_to", raw=lambda usual: usual + usual), (HELLO, MAIL, ADA), rb"(250 2\.1\.5 OK\r\n){2}"),
        (on("data", raw=lambda usual: usual[:3]), (HELLO, MAIL, ADA, DATA, BODY), rb"250"),
        (on("command", verb="QUIT", raw=lambda usual: usual.upper()), ("QUIT",), rb"221 2\.0\.0 BYE\r\n"),
    ],
)
def test_a_raw_function_gets_the_bytes_of_the_usual_answer(
    serve: Serve, connect: Connect, rule: Rule, lines: tuple[str, ...], pattern: bytes
) -> None:
    wire = connect(serve(rule))
    codes(wire, *lines[:-1])
    wire.send(script(lines[-1]))
    wire.finish()
    assert re.fullmatch(pattern, wire.rest())


def test_a_raw_function_gets_the_greeting_too(serve: Serve, connect: Connect) -> None:
    wire = connect(serve(on("connect", raw=lambda usual: usual.replace(b"ESMTP", b"SMTP"))), greet=False)
    assert wire.read_line() == b"220 localhost SMTP\r\n"
    assert codes(wire, HELLO) == [250]


@pytest.mark.parametrize(("made", "code"), [(b"250 fine\r\n", 354), (b"550 no\r\n", 503), (b"junk\r\n", 503)])
def test_what_a_raw_function_makes_decides_like_raw(serve: Serve, connect: Connect, made: bytes, code: int) -> None:
    wire = connect(serve(on("rcpt_to", raw=lambda usual: made)))
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA))
    assert wire.read_line() == made
    assert codes(wire, DATA) == [code]


def raises(usual: bytes) -> bytes:
    raise LookupError("x")


@pytest.mark.parametrize(("function", "kind"), [(raises, LookupError), (bytes.decode, TypeError)])
@pytest.mark.parametrize("hook", WAYS)
def test_what_a_raw_function_does_wrong_is_a_bug_in_the_test(
    serve: Serve, connect: Connect, hook: Any, function: Made, kind: type[Exception]
) -> None:
    server = serve(on(hook, raw=function, times=1))
    wire = connect(server)
    assert codes(wire, *WAYS[hook])[-1 if hook != "command" else 0] == 451
    assert [type(error) for error in mistakes(server)] == [kind]
    assert codes(wire, "NOOP") == [250]


# --- then: bytes behind the answer ------


def test_bytes_stand_right_behind_the_answer(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", reply="250 2.1.5 Fine", then=b"421 4.3.2 Stopping\r\n"))
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA))
    assert wire.receive() == b"250 2.1.5 Fine\r\n421 4.3.2 Stopping\r\n"
    assert codes(wire, DATA) == [354], "only what is said as a reply closes"
    assert last(server, "rcpt_to").code == 250


@pytest.mark.parametrize("hook", ["connect", *WAYS])
def test_without_an_answer_of_its_own_the_rule_follows_the_usual_one(serve: Serve, connect: Connect, hook: Any) -> None:
    match: dict[str, Any] = {"verb": "NOOP"} if hook == "command" else {}
    server = serve(on(hook, then=b"250 2.0.0 One too many\r\n", **match))
    wire = connect(server, greet=False)
    told = told_at(hook, wire)
    assert told[-1] // 100 == 2
    assert wire.reply().text == "One too many"
    assert last(server, hook).outcome == "accepted"
    assert last(server, hook).rule is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"raw": b"junk", "then": b"!"}, b"junk!"),
        ({"reply": "550 no", "then": b"bye", "drop": True}, b"550 no\r\nbye"),
        ({"reply": "550 no", "then": b"bye", "drip": 0.001}, b"550 no\r\nbye"),
        ({"raw": b"", "then": b"later"}, b"later"),
    ],
)
def test_bytes_follow_whatever_the_rule_says(
    serve: Serve, connect: Connect, options: dict[str, Any], expected: bytes
) -> None:
    wire = connect(serve(on("rcpt_to", **options)))
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA))
    assert exactly(wire, len(expected)) == expected


def test_several_rules_may_add_bytes(serve: Serve, connect: Connect) -> None:
    wire = connect(serve(on("rcpt_to", then=b"250 a\r\n"), on("rcpt_to", then=b"250 b\r\n")))
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA))
    assert [wire.reply().lines[0] for _ in range(3)] == ["2.1.5 OK", "a", "b"]


def test_bytes_follow_a_hooks_answer(serve: Serve, connect: Connect) -> None:
    server = serve()

    @server.on("rcpt_to", then=b"250 and more\r\n")
    def hook(address: object, session: object) -> None: ...

    wire = connect(server)
    assert codes(wire, HELLO, MAIL, ADA) == [250, 250, 250]
    assert wire.reply().lines == ("and more",)


def test_bytes_behind_the_reply_to_a_message_come_once_in_lmtp(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", then=b"421 4.3.2 Stopping\r\n"), lmtp=True)
    wire = connect(server)
    to_data(wire, ADA, "RCPT TO:<bob@example.com>", hello="LHLO client.example")
    wire.send(script(BODY))
    assert sorted(listen(wire, 3)) == [250, 250, 421]
    assert codes(wire, "NOOP") == [250]
