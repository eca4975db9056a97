"""Which rule decides about a message: some are known when it begins, others only when all of it is there."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd import Reject, Rule, Session, SMTPServer, Stream, on
from tests.server.talk import (
    ADA,
    BODY,
    CONTENT,
    DATA,
    MAIL,
    Connect,
    Serve,
    codes,
    last,
    nothing,
    to_data,
    used,
)


def refuse(stream: Stream, session: Session) -> None:
    raise Reject(450, "4.7.1 later")


def has(word: bytes) -> Any:
    def has_it(call: Any) -> bool:
        return word in call.session.envelope.content

    return has_it


CHOICES: list[tuple[list[Rule], int, int | None]] = [
    ([], 250, None),
    ([on("data", reply=554), on("data", reply=451)], 554, 0),
    ([on("data", reply=250), on("data", reply=451)], 250, 0),
    ([on("data", to="bob@*", reply=554), on("data", to="ada@*", reply=451)], 451, 1),
    ([on("data", mail_from="other@*", reply=554)], 250, None),
    ([on("data", mail_from="app@*", reply=554)], 554, 0),
    ([on("data", user="ada", reply=554)], 250, None),
    ([on("data", rcpt_to=("ada@example.com",), reply=554)], 554, 0),
    ([on("data", rcpt_to=["*@EXAMPLE.com"], reply=554)], 554, 0),
    ([on("data", rcpt_to=("ada@*", "bob@*"), reply=554)], 250, None),
    ([on("data", subject="Hi", reply=554)], 554, 0),
    ([on("data", subject={"Hi", "Ho"}, reply=554)], 554, 0),
    ([on("data", subject="Other", reply=554)], 250, None),
    ([on("data", header={"Subject": "H*"}, reply=554)], 554, 0),
    ([on("data", header={"subject": "H*", "Bcc": None}, reply=554)], 554, 0),
    ([on("data", header={"Subject": None}, reply=554)], 250, None),
    ([on("data", header={"List-Id": "*"}, reply=554)], 250, None),
    ([on("data", subject="Other", reply=554), on("data", reply=451)], 451, 1),
    ([on("data", subject="Hi", reply=554), on("data", reply=451)], 554, 0),
    ([on("data", subject="Hi", reply=554), on("data", call=nothing)], 554, 0),
    ([on("data", subject="Other", reply=554), on("data", call=nothing)], 250, 1),
    ([on("data", reply=451), on("data", subject="Hi", reply=554)], 451, 0),
    ([on("data", call=refuse), on("data", subject="Hi", reply=554)], 450, 0),
    ([on("data", subject="Hi", call=refuse)], 450, 0),
    ([on("data", subject="Other", call=refuse)], 250, None),
    ([on("data", when=has(b"Hello"), reply=554)], 554, 0),
    ([on("data", when=has(b"Servus"), reply=554)], 250, None),
    ([on("data", drip=0.001), on("data", reply=554)], 554, 1),
    ([on("data", drip=0.001)], 250, None),
    ([on("data", skip=1, reply=554), on("data", reply=451)], 451, 1),
    ([on("data", after=99, reply=552), on("data", reply=451)], 451, 1),
    ([on("rcpt_to", reply=251)], 250, None),
]


@pytest.mark.parametrize(("rules", "code", "place"), CHOICES)
def test_the_nearest_rule_that_matches_and_answers_decides(
    serve: Serve, connect: Connect, rules: list[Rule], code: int, place: int | None
) -> None:
    server = serve(*rules)
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY) == [code]
    call = last(server, "data")
    assert call.rule is (None if place is None else server.rules[place])
    assert call.outcome == ("accepted" if code == 250 else "refused")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([on("data", reply=554), on("data", reply=451)], [1, 0]),
        ([on("data", drip=0.001), on("data", subject="Other", reply=554), on("data", reply=451)], [1, 0, 1]),
        ([on("data", subject="Hi", reply=554), on("data", call=nothing)], [1, 0]),
        ([on("data", reply=554), on("data", subject="Hi", reply=451)], [1, 0]),
    ],
)
def test_a_rule_is_used_once_for_a_message_and_only_if_it_was_reached(
    serve: Serve, connect: Connect, rules: list[Rule], expected: list[int]
) -> None:
    server = serve(*rules)
    wire = connect(server)
    to_data(wire)
    codes(wire, BODY)
    assert used(server.rules) == expected


def test_each_message_is_a_call_of_its_own(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", delay=0.01), on("data", reply=451, delay=0.02, times=1))
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY, MAIL, ADA, DATA, BODY) == [451, 250, 250, 354, 250]
    first, second = server.log.calls("data")
    assert (first.code, second.code) == (451, 250)
    assert first.duration is not None
    assert first.duration >= 0.03
    assert [call.envelope for call in (first, second)] == server.log.envelopes()


def test_a_rule_that_comes_after_the_message_began_is_for_the_next_one(serve: Serve, connect: Connect) -> None:
    server: SMTPServer = serve()
    wire = connect(server)
    to_data(wire)
    wire.send(b"Subject: ")
    server.catch_up()
    server.on("data", reply=554)
    assert codes(wire, "Hi\r\n.", MAIL, ADA, DATA, BODY) == [250, 250, 250, 354, 554]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_hook_behind_a_rule_that_needs_the_content_gets_all_of_it(serve: Serve, connect: Connect, kind: str) -> None:
    read: list[bytes] = []

    def plain(stream: Stream, session: Session) -> None:
        read.append(stream.read())

    async def asynchronous(stream: Stream, session: Session) -> None:
        read.append(await stream.aread())

    server = serve(on("data", subject="Other", reply=554), on("data", call=plain if kind == "def" else asynchronous))
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY) == [250]
    assert read == [CONTENT]


def test_a_rule_that_needs_the_content_makes_nobody_else_wait(serve: Serve, connect: Connect) -> None:
    """A message of a thousand headers is read in a thread; in a loop of its own, another client is served meanwhile."""
    server = serve(on("data", header={"X-Last": "*"}, reply=554))
    wire, other = connect(server), connect(server)
    to_data(wire)
    wire.send(b"".join(b"X-%d: value\r\n" % number for number in range(20_000)) + b"X-Last: here\r\n\r\n.\r\n")
    assert codes(other, "NOOP", "NOOP") == [250, 250]
    assert wire.reply().code == 554


def test_of_a_header_that_stands_twice_either_value_matches(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", header={"received": "*two*"}, reply=554, times=1))
    wire = connect(server)
    to_data(wire)
    message = "Received: by one\r\nReceived: by two\r\n\r\n."
    assert codes(wire, message, MAIL, ADA, DATA, "Received: by one\r\n\r\n.") == [554, 250, 250, 354, 250]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("250 2.6.0 Fine", [b"250 2.6.0 Fine\r\n"]),
        ("451 4.3.0 No\r\nmore", [b"451-4.3.0 No\r\n", b"451 4.3.0 more\r\n"]),
    ],
)
def test_a_rule_given_a_function_with_content_in_its_match_asks_it_at_the_end(
    serve: Serve, connect: Connect, answer: str, told: list[bytes]
) -> None:
    def hook(stream: Stream, session: Session) -> str:
        assert stream.read() == CONTENT
        if answer[0] == "4":
            raise Reject(int(answer[:3]), answer[4:])
        return answer

    wire = connect(serve(on("data", subject="Hi", call=hook)))
    to_data(wire)
    wire.send(BODY.encode() + b"\r\n")
    assert [wire.read_line() for _ in told] == told
