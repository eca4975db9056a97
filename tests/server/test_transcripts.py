"""Transcripts: who said what, when, and by which rule, as a text that stays short whatever happened."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from contextlib import suppress
from threading import Event
from typing import Any

import pytest

from pytest_smtpd import Reject, SMTPServer, on
from tests.server.talk import (
    ADA,
    BOB,
    BODY,
    DATA,
    HELLO,
    LAST_CHUNK,
    MAIL,
    Connect,
    Serve,
    codes,
    listen,
    mistakes,
    nothing,
    script,
    to_data,
)

LINE = re.compile(r" *(\d+\.\d{3}) ([CS-]: .*)")


def told(server: SMTPServer) -> list[str]:
    """The lines of the first session, without their times."""
    heading, *lines = server.log.transcript().split("\n")
    assert heading.startswith("session 1 from ")
    return [found[2] if (found := LINE.fullmatch(line)) else line for line in lines]


def last_line(server: SMTPServer) -> str:
    return told(server)[-1]


# --- a session ------


def test_a_session_is_told_line_by_line(serve: Serve, connect: Connect) -> None:
    server = serve(hostname="mx", disable={"AUTH", "STARTTLS", "DSN", "CHUNKING", "SMTPUTF8"})
    wire = connect(server)
    port = wire.socket.getsockname()[1]
    codes(wire, HELLO, MAIL, ADA, DATA, BODY)
    assert server.log.transcript().startswith(f"session 1 from 127.0.0.1:{port} still open\n")
    codes(wire, "QUIT")
    assert server.log.transcript().startswith(f"session 1 from 127.0.0.1:{port} closed\n"), "it has said good-bye"
    lines = told(server)
    assert lines[:2] == ["S: 220 mx ESMTP", "C: EHLO client.example"]
    assert lines[2].startswith("S: 250 mx ")
    assert lines[3:] == [
        "C: MAIL FROM:<app@example.com>",
        "S: 250 2.1.0 OK",
        "C: RCPT TO:<ada@example.com>",
        "S: 250 2.1.5 OK",
        "C: DATA",
        lines[8],
        f"C: <{len(BODY) - 1} bytes of content>",
        lines[10],
        "C: QUIT",
        lines[12],
    ]
    assert [line[:6] for line in (lines[8], lines[10], lines[12])] == ["S: 354", "S: 250", "S: 221"]


def test_each_line_says_how_many_seconds_after_the_connection_it_came(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", delay=0.1), on("rcpt_to", delay=0.1))
    begin = time.monotonic()
    codes(connect(server), HELLO, MAIL, ADA)
    end = time.monotonic() - begin
    found = [LINE.fullmatch(line) for line in server.log.transcript().split("\n")[1:]]
    times = [float(one[1]) for one in found if one]
    assert len(times) == 7
    assert times == sorted(times)
    greeting, *_, mail, mailed, rcpt, rcpted = times
    assert 0 <= greeting <= mail
    assert mailed - mail >= 0.099, "a command at the time at which it came, a reply at its own"
    assert rcpted - rcpt >= 0.099
    assert rcpted <= end + 0.001


def test_an_ipv6_address_is_told_in_brackets(serve: Serve, connect: Connect) -> None:
    server = serve(proxy_protocol=True)
    wire = connect(server, greet=False)
    wire.send(b"PROXY TCP6 2001:db8::1 ::1 4321 25\r\n")
    listen(wire, 1)
    assert server.log.transcript().startswith("session 1 from [2001:db8::1]:4321 still open\n")
    assert "from [2001:db8::1]:4321" in repr(server.log.sessions()[0])


def test_the_content_of_a_chunk_is_folded_too(serve: Serve, connect: Connect) -> None:
    server = serve()
    codes(connect(server), HELLO, MAIL, ADA, LAST_CHUNK)
    assert told(server)[-3:-1] == ["C: BDAT 7 LAST", "C: <7 bytes of content>"]
    assert last_line(server).startswith("S: 250 ")


def test_content_that_never_became_whole_is_told_too(serve: Serve, connect: Connect) -> None:
    server = serve()
    with connect(server) as wire:
        to_data(wire)
        wire.send(b"half")
    server.wait_closed()
    assert "C: <4 bytes of content>" in told(server)


def test_in_lmtp_each_recipients_reply_is_told(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", to="bob@*", reply="550 5.2.2 Full"), lmtp=True)
    wire = connect(server)
    to_data(wire, ADA, BOB, hello="LHLO client.example")
    wire.send(script(BODY))
    assert listen(wire, 2) == [250, 550]
    one, other = told(server)[-2:]
    assert re.fullmatch(r"S: 250 \S+ \S+.*", one)
    assert "by on(" not in one
    assert other == "S: 550 5.2.2 Full   by on('data', reply='550 5.2.2 Full', to='bob@*')"


# --- by which rule ------

# The rule, and how the line ends that tells what it did.
RULES: list[tuple[dict[str, Any], str]] = [
    ({"reply": 599}, "S: 599 5.0.0 Refused   by on('rcpt_to', reply=599)"),
    ({"reply": "550 no"}, "S: 550 no   by on('rcpt_to', reply='550 no')"),
    ({"reply": "250-one\n250 two"}, "S: 250 one two   by on('rcpt_to', reply='250-one\\n250 two')"),
    ({"call": nothing}, "S: 250 2.1.5 OK   by on('rcpt_to', call=nothing)"),
    ({"delay": 0.001}, "S: 250 2.1.5 OK   by on('rcpt_to', delay=0.001)"),
    ({"drip": 0.0001}, "S: 250 2.1.5 OK   by on('rcpt_to', drip=0.0001)"),
    ({"raw": b"\xff\r\n"}, r"S: b'\xff\r\n'   by on('rcpt_to', raw=b'\xff\r\n')"),
    ({"raw": b"250 ok\n"}, r"S: b'250 ok\n'   by on('rcpt_to', raw=b'250 ok\n')"),
    ({"drop": True}, "-: dropped at rcpt_to   by on('rcpt_to', drop=True)"),
    ({"hang": True}, "-: hanging at rcpt_to   by on('rcpt_to', hang=True)"),
]


@pytest.mark.parametrize(("options", "line"), RULES)
def test_what_a_rule_did_is_told_with_the_rule(
    serve: Serve, connect: Connect, options: dict[str, Any], line: str
) -> None:
    server = serve(on("rcpt_to", **options))
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA))
    server.log.wait_for("rcpt_to", when=lambda call: call.outcome != "pending")
    assert line in told(server)
    assert "".join(told(server)).count("   by on(") == 1


def test_what_a_rule_sends_behind_the_answer_is_told(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", then=b"421 bye\r\n"))
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA)
    assert listen(wire, 1) == [421]
    assert told(server)[-2:] == [
        r"S: 250 2.1.5 OK   by on('rcpt_to', then=b'421 bye\r\n')",
        r"S: b'421 bye\r\n'   by on('rcpt_to', then=b'421 bye\r\n')",
    ]


def test_each_rule_that_had_a_part_is_named(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", delay=0.001), on("rcpt_to", reply=550))
    codes(connect(server), HELLO, MAIL, ADA)
    by = last_line(server).partition("   by ")[2]
    assert set(by.split(", on(")) in (
        {"on('rcpt_to', delay=0.001)", "'rcpt_to', reply=550)"},
        {"on('rcpt_to', reply=550)", "'rcpt_to', delay=0.001)"},
    )


def test_what_waits_for_a_hook_is_told(serve: Serve, connect: Connect) -> None:
    go = Event()

    def slow(address: object, session: object) -> None:
        go.wait(5)

    server = serve(on("rcpt_to", call=slow))
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA))
    server.log.wait_for("rcpt_to")
    assert told(server)[-2:] == ["C: RCPT TO:<ada@example.com>", "-: waiting at rcpt_to   by on('rcpt_to', call=slow)"]
    go.set()
    assert listen(wire, 1) == [250]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_handshake_is_told(serve: Serve, connect: Connect, tls: str) -> None:
    server = serve(tls=tls)
    wire = connect(server, greet=tls == "starttls")
    if tls == "starttls":
        codes(wire, HELLO, "STARTTLS")
    wire.secure(server.client_context, "localhost")
    if tls == "implicit":
        listen(wire, 1)
    codes(wire, HELLO)
    (line,) = [line for line in told(server) if "handshake" in line]
    assert re.fullmatch(r"-: TLS handshake complete: TLSv1\.\d \S+", line)


def test_a_client_that_was_refused_silently_is_told(serve: Serve, connect: Connect) -> None:
    def refuse(tls: object, session: object) -> None:
        raise Reject

    server = serve(on("secure", call=refuse))
    wire = connect(server)
    codes(wire, HELLO, "STARTTLS")
    wire.secure(server.client_context, "localhost")
    with suppress(OSError):  # how TLS ends is for other tests
        wire.rest()
    server.wait_closed()
    assert [line for line in told(server) if line.startswith("-: secure refused")]


def test_a_mistake_is_told_with_its_traceback(serve: Serve, connect: Connect) -> None:
    def wrong(address: object, session: object) -> None:
        raise ValueError("wrong \x1b[31m")

    server = serve(on("rcpt_to", call=wrong))
    codes(connect(server), HELLO, MAIL, ADA, "QUIT")
    lines = told(server)
    assert "-: a hook raised ValueError   by on('rcpt_to', call=wrong)" in lines
    place = lines.index(next(line for line in lines if line.startswith("the rcpt_to hook of call ")))
    (call,) = server.log.calls("rcpt_to")
    assert lines[place] == f"the rcpt_to hook of call {call.number} raised:"
    assert lines[place + 1] == "    Traceback (most recent call last):"
    assert lines[-1] == r"    ValueError: wrong \x1b[31m"
    assert len(mistakes(server)) == 1


# --- what is not told ------


def test_secrets_and_control_characters_are_not_told(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    secret = b64encode(b"\0tim\0s3cret").decode()
    codes(wire, HELLO, f"AUTH PLAIN {secret}", "AUTH LOGIN", secret, "NOOP \x1b[2J\x07\u202e", "VRFY \xff")
    text = server.log.transcript()
    assert secret not in text
    assert "C: AUTH PLAIN ***" in told(server)
    assert all(line.isprintable() for line in text.split("\n"))
    assert r"C: NOOP \x1b[2J\x07" in text


def test_a_line_of_any_length_is_cut(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="NOOP", reply="250 " + "y" * 5000))
    wire = connect(server, greet=True)
    wire.send(script("NOOP " + "x" * 5000))
    server.log.wait_for("command", when=lambda call: call.outcome != "pending")
    wire.close()
    server.wait_closed()
    assert max(map(len, told(server))) < 400
    assert "(5005 characters)" in server.log.transcript()


def test_of_a_long_session_the_beginning_and_the_end_are_told(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    wire.send(script(*(f"NOOP {number}" for number in range(1000)), "QUIT"))
    wire.rest()
    lines = told(server)
    assert len(lines) == 201
    assert lines[1:3] == ["C: NOOP 0", "S: 250 2.0.0 OK"]
    assert lines[-3:-1] == ["S: 250 2.0.0 OK", "C: QUIT"]
    assert lines[100] == f"         ... {2003 - 200} more lines ..."


def test_of_many_sessions_the_first_and_the_last_are_told(serve: Serve, connect: Connect) -> None:
    server = serve()
    for _ in range(30):
        connect(server)
    text = server.log.transcript().split("\n")
    headings = [line for line in text if line.startswith("session ")]
    assert [int(line.split()[1]) for line in headings] == [*range(1, 11), *range(21, 31)]
    assert text[20] == "... 10 more sessions ..."


@pytest.mark.parametrize("count", [0, 1, 20])
def test_of_a_few_sessions_none_is_left_out(serve: Serve, connect: Connect, count: int) -> None:
    server = serve()
    for _ in range(count):
        connect(server)
    text = server.log.transcript()
    assert text.count("session ") == text.count("S: 220 ") == count
    assert "more sessions" not in text


def test_a_transcript_of_one_session_keeps_its_number(serve: Serve, connect: Connect) -> None:
    server = serve()
    connect(server), connect(server)
    assert server.log.transcript(server.log.sessions()[1]).startswith("session 2 from ")
