"""The texts of failed expectations: what was expected, what came, how the nearest differs, and what to do."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from pytest_smtpd import WaitTimeout, on
from tests.server.talk import ADA, BOB, BODY, DATA, HELLO, MAIL, Connect, Serve, codes, listen, mistakes, script

Query = Callable[..., object]


def text_of(query: Query, *args: Any, **match: Any) -> str:
    """What the error says; each line of it can be printed."""
    with pytest.raises(AssertionError) as caught:
        query(*args, **match)
    lines = str(caught.value).split("\n")
    assert all(line.isprintable() for line in lines)
    return str(caught.value)


def lines_of(query: Query, *args: Any, **match: Any) -> list[str]:
    return text_of(query, *args, **match).split("\n")


def mail(to: str = ADA, subject: str = "Hi") -> tuple[str, ...]:
    return MAIL, to, DATA, f"Subject: {subject}\r\n\r\nHello\r\n."


LATER = "if the application sends it later, or in another thread or process, use smtpd.wait_for(...)"
REFUSED = "messages that were refused are in smtpd.log.envelopes(accepted=False)"

# --- one ------


def test_nobody_came(serve: Serve) -> None:
    assert lines_of(serve().one, to="bob@x.example") == [
        "expected exactly one envelope with to='bob@x.example', but nobody connected to the server",
        LATER,
    ]


def test_somebody_came_and_sent_nothing(serve: Serve, connect: Connect) -> None:
    server = serve()
    connect(server), connect(server)
    assert lines_of(server.one) == [
        "expected exactly one envelope, but no message was accepted on 2 connections",
        LATER,
    ]


def test_the_nearest_comes_first_with_its_differences(serve: Serve, connect: Connect) -> None:
    server = serve()
    codes(connect(server), HELLO, *mail(ADA, "No"), *mail(BOB, "No"), *mail(BOB, "Never"))
    assert lines_of(server.one, to="bob@example.com", subject="Ne[wx]*") == [
        "expected exactly one envelope with to='bob@example.com', subject='Ne[wx]*', but 3 envelopes came",
        "  <Envelope app@example.com -> bob@example.com 'No'>: subject is 'No', not 'Ne[wx]*'",
        "  <Envelope app@example.com -> bob@example.com 'Never'>: subject is 'Never', not 'Ne[wx]*'",
        (
            "  <Envelope app@example.com -> ada@example.com 'No'>: to is 'ada@example.com', not 'bob@example.com'; "
            "subject is 'No', not 'Ne[wx]*'"
        ),
    ]


def never(envelope: object) -> bool:
    return False


DIFFERENCES: list[tuple[dict[str, Any], str]] = [
    ({"to": "z@x.example"}, "to is ('ada@example.com', 'bob@example.com'), not 'z@x.example'"),
    ({"rcpt_to": ("z@*",)}, "rcpt_to is ('ada@example.com', 'bob@example.com'), not 'z@*'"),
    ({"subject": re.compile("no", re.IGNORECASE)}, "subject is 'Hi', not re.compile('no', re.IGNORECASE)"),
    ({"subject": {"b", "a"}}, "subject is 'Hi', not {'a', 'b'}"),
    ({"mail_from": str.isdigit}, "mail_from is 'app@example.com', not isdigit"),
    ({"user": 7}, "user is None, not 7"),
    ({"user": "ada"}, "user is None, not 'ada'"),
    ({"when": never}, "when=never is not true"),
    ({"header": {"Bcc": "*"}}, "header Bcc is None, not '*'"),
    ({"header": {"Subject": None}}, "header Subject is 'Hi', not absent"),
    ({"header": {"Subject": "H*", "Subject ": "x", "To": "y"}}, "header To is None, not 'y'"),
    ({"size": 5}, "size is 22, not 5"),
    ({"reply": 251}, "not 251"),
]


@pytest.mark.parametrize(("match", "difference"), DIFFERENCES)
def test_a_difference_says_what_is_there_and_what_was_asked_for(
    serve: Serve, connect: Connect, match: dict[str, Any], difference: str
) -> None:
    server = serve()
    codes(connect(server), HELLO, MAIL, ADA, BOB, DATA, BODY)
    first, second = lines_of(server.one, **match)
    assert first.endswith(", but 1 envelope came")
    assert difference in second
    assert second.startswith("  <Envelope app@example.com -> ada@example.com, bob@example.com 'Hi'>: ")


@pytest.mark.parametrize("key", ["text", "content"])
def test_of_a_long_text_as_much_is_told_as_is_needed(serve: Serve, connect: Connect, key: str) -> None:
    server = serve()
    body = "a line of text\r\n" * 4000
    codes(connect(server), HELLO, MAIL, ADA, DATA, f"Subject: Hi\r\n\r\n{body}.")
    have = getattr(server.one(), key)
    end = b"!" if key == "content" else "!"
    text = text_of(server.one, **{key: have[:-1] + end})
    assert max(map(len, text.split("\n"))) < 800
    assert f"(from character {len(have)} on: {have[-1:]!r}, not {end!r})" in text
    other = text_of(server.one, **{key: end + have})
    assert "(from character" not in other, "they differ from the first character on, which is shown"
    assert "characters)" in other


def test_too_many_are_listed_but_not_all_of_very_many(serve: Serve, connect: Connect) -> None:
    server = serve()
    codes(connect(server), HELLO, *mail() * 30)
    lines = lines_of(server.one, to="ada@*")
    assert lines[0] == "expected exactly one envelope with to='ada@*', but 30 match:"
    assert lines[9:] == ["  and 22 more", "ask for less with more match keys, or use find(...) for all of them"]
    assert len(lines_of(server.one, to="bob@*")) == 10


def test_refusals_are_told_because_they_may_be_the_reason(serve: Serve, connect: Connect) -> None:
    def wrong(address: object, session: object) -> None:
        raise ZeroDivisionError("wrong")

    server = serve(on("rcpt_to", to="bob@*", reply="550 5.1.1 No"), on("rcpt_to", call=wrong))
    codes(connect(server), HELLO, MAIL, BOB, ADA)
    assert lines_of(server.one, to="bob@*")[1:] == [
        "what was not accepted:",
        "  rcpt_to bob@example.com: refused 550 5.1.1 No by on('rcpt_to', reply='550 5.1.1 No', to='bob@*')",
        (
            "  rcpt_to ada@example.com: error 451 4.3.0 Error in a test hook by on('rcpt_to', call=wrong) "
            "(ZeroDivisionError('wrong'))"
        ),
        LATER,
    ]
    assert len(mistakes(server)) == 1


def test_a_refused_command_is_told_if_nothing_else_was_refused(serve: Serve, connect: Connect) -> None:
    server = serve(require_auth=True)
    codes(connect(server), HELLO, MAIL)
    assert "  command MAIL FROM:<app@example.com>: refused 530 5.7.0 Authentication required" in lines_of(server.one)


def test_who_looks_for_a_refused_message_is_told_where_they_are(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", reply=554))
    assert REFUSED in lines_of(server.one, accepted=False)
    assert REFUSED not in lines_of(server.one)
    codes(connect(server), HELLO, *mail())
    for match in ({}, {"to": "ada@*"}, {"accepted": False}):
        assert lines_of(server.one, **match)[-1] == REFUSED


@pytest.mark.parametrize("index", [2, -3])
def test_an_index_out_of_range_says_what_came(serve: Serve, connect: Connect, index: int) -> None:
    server = serve(on("data", reply=554, times=1))

    def text() -> str:
        with pytest.raises(IndexError) as caught:
            server.envelopes[index]
        return str(caught.value)

    assert text() == f"there is no envelope {index}: nobody connected to the server"
    wire = connect(server)
    codes(wire, HELLO, *mail())
    assert text() == f"there is no envelope {index}: no message was accepted on 1 connection"
    codes(wire, *mail() * 2)
    assert text() == f"there is no envelope {index}: 2 envelopes came"


# --- waits ------


WAITS: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "",
        {},
        ["waited 0 s for 2 envelopes: only 1 envelope came", "  <Envelope app@example.com -> ada@example.com 'Hi'>"],
    ),
    (
        "",
        {"to": "z@x.example"},
        [
            "waited 0 s for 2 envelopes with to='z@x.example': 1 envelope came, none of them like that",
            "  <Envelope app@example.com -> ada@example.com 'Hi'>: to is 'ada@example.com', not 'z@x.example'",
        ],
    ),
    ("rcpt_to", {}, ["waited 0 s for 2 rcpt_to calls: only 1 rcpt_to call came"]),
    (
        "rcpt_to",
        {"to": "z@x.example"},
        [
            "waited 0 s for 2 rcpt_to calls with to='z@x.example': none came",
            "  <Call 6 rcpt_to ada@example.com accepted 250>: to is 'ada@example.com', not 'z@x.example'",
        ],
    ),
    (
        "auth",
        {},
        [
            "waited 0 s for 2 auth calls: none came",
            "calls so far: connect 1, command 5, mail_from 1, rcpt_to 1, data 1",
        ],
    ),
]


@pytest.mark.parametrize(("hook", "match", "lines"), WAITS)
def test_a_wait_in_vain_says_what_came(
    serve: Serve, connect: Connect, hook: str, match: dict[str, Any], lines: list[str]
) -> None:
    server = serve()
    codes(connect(server), HELLO, *mail(), "NOOP")
    wait: Query = server.log.wait_for if hook else server.wait_for
    assert lines_of(wait, *([hook] if hook else []), 2, timeout=0, **match) == lines


def test_a_wait_that_blocks_its_own_loop_says_so(serve: Serve) -> None:
    server = serve()
    hint = "this wait blocks the running event loop: if the sender runs in it, use 'await ...wait_for_async(...)'"

    async def main() -> list[str]:
        return [*lines_of(server.wait_for, timeout=0)[-1:], *lines_of(server.log.wait_for, "data", timeout=0)[-1:]]

    assert asyncio.run(main()) == [hint, hint]
    assert hint not in lines_of(server.wait_for, timeout=0)

    async def awaits() -> str:
        with pytest.raises(WaitTimeout) as caught:
            await server.wait_for_async(timeout=0)
        return str(caught.value)

    assert hint not in asyncio.run(awaits())


def test_what_still_waits_or_hangs_is_told(serve: Serve, connect: Connect) -> None:
    go = Event()

    def slow(address: object, session: object) -> None:
        go.wait(5)

    server = serve(on("rcpt_to", to="ada@*", call=slow), on("rcpt_to", hang=True))
    wires = connect(server), connect(server)
    for wire, to in zip(wires, (ADA, BOB), strict=True):
        codes(wire, HELLO, MAIL)
        wire.send(script(to))
    server.log.wait_for("rcpt_to", 2, when=lambda call: call.rule is not None)
    (waits,) = server.log.calls("rcpt_to", to="ada@*")
    (hangs,) = server.log.calls("rcpt_to", to="bob@*")
    for wait in (server.wait_for, server.wait_closed):
        lines = lines_of(wait, timeout=0)
        assert f"still waiting: <Call {waits.number} rcpt_to ada@example.com pending> by {waits.rule!r}" in lines
        assert f"still hanging: <Call {hangs.number} rcpt_to bob@example.com hung> by {hangs.rule!r}" in lines
    go.set()
    assert listen(wires[0], 1) == [250]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ([], "after connecting"),
        ([HELLO, MAIL, "noop"], "after NOOP"),
        ([HELLO, MAIL, "CZNJCMV0CHC="], "after an unknown command"),
        ([HELLO, MAIL, "GET / HTTP/1.1"], "after an unknown command"),
    ],
)
def test_an_open_connection_is_told_with_its_last_command_and_nothing_that_is_none(
    serve: Serve, connect: Connect, said: list[str], told: str
) -> None:
    server = serve()
    codes(connect(server), *said)
    first, session, *_, last = lines_of(server.wait_closed, timeout=0)
    assert first == "waited 0 s for every connection to end: 1 connection still open"
    assert session == f"  {server.log.sessions()[0]!r} {told}"
    assert last == "the client has to quit, or close its socket, before this can return"
    if said:
        assert lines_of(server.wait_for, timeout=0)[-1] == f"still open {told}: {server.log.sessions()[0]!r}"
    assert "CZNJ" not in text_of(server.wait_closed, timeout=0)


def test_a_wait_may_end_while_a_client_is_just_connecting(serve: Serve) -> None:
    server, ended = serve(), Event()

    def wait() -> int:
        waits = 0
        while not ended.is_set():
            assert "waited 0 s" in text_of(server.wait_for, timeout=0)
            waits += 1
        return waits

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(wait)
            for _ in range(200):
                with socket.create_connection(server.address) as client:
                    client.recv(1)
            ended.set()
            assert waiting.result() > 0
    finally:
        ended.set()
        sys.setswitchinterval(interval)


# --- rules that were never used ------


def test_an_unused_rule_says_which_calls_there_were(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", to="z@x.example", reply=550))
    (rule,) = server.rules
    advice = "remove the rule, or give it optional=True if it need not apply"
    assert server.explain_unused(rule).split("\n") == [
        f"{rule!r} was never used: there was no rcpt_to call (calls: none)",
        advice,
    ]
    wire = connect(server)
    assert "there was no rcpt_to call (calls: connect 1)\n" in server.explain_unused(rule)
    codes(wire, HELLO, MAIL, ADA, BOB)
    assert server.explain_unused(rule).split("\n") == [
        f"{rule!r} was never used: there were 2 rcpt_to calls, and the rule did not apply to any of them",
        "  <Call 6 rcpt_to ada@example.com accepted 250>: to is 'ada@example.com', not 'z@x.example'",
        "  <Call 8 rcpt_to bob@example.com accepted 250>: to is 'bob@example.com', not 'z@x.example'",
        advice,
    ]


def test_an_unused_rule_that_was_reached_says_why_it_did_not_apply(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", skip=2, reply=550))
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA)
    (rule,) = server.rules
    first = f"{rule!r} was never used: "
    assert server.explain_unused(rule).startswith(f"{first}1 rcpt_to call matched, but skip=2 let it pass\n")
    codes(wire, ADA)
    assert server.explain_unused(rule).startswith(f"{first}2 rcpt_to calls matched, but skip=2 let them pass\n")


def test_an_unused_rule_that_had_ended_says_so(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    with server.on("rcpt_to", reply=550) as rule:
        pass
    codes(wire, ADA)
    assert "  <Call 6 rcpt_to ada@example.com accepted 250>: the rule has ended\n" in server.explain_unused(rule)


def test_an_unused_rule_behind_another_says_who_answered(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", reply=251), on("rcpt_to", reply=550))
    codes(connect(server), HELLO, MAIL, ADA)
    text = server.explain_unused(server.rules[1])
    assert "  <Call 6 rcpt_to ada@example.com accepted 251>: answered by on('rcpt_to', reply=251)\n" in text


def test_an_unused_rule_that_waits_for_more_content_says_how_much_came(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", reply=250), on("data", reply=552, after=1000))
    codes(connect(server), HELLO, *mail())
    size = server.one().size
    assert f">: only {size} bytes came\n" in server.explain_unused(server.rules[1])
    server = serve(on("data", reply=554, after=0), on("data", reply=552, after=5))
    codes(connect(server), HELLO, *mail())
    assert ">: answered by on('data', reply=554, after=0)\n" in server.explain_unused(server.rules[1])


def test_a_decorator_that_decorates_nothing_says_what_it_lacks(serve: Serve) -> None:
    server = serve()
    server.on("rcpt_to", to="ada@*")
    assert server.explain_unused(server.rules[0]) == (
        "on('rcpt_to', to='ada@*') has no action, and no function was decorated with it; "
        "give it an action, like reply=550, or a function"
    )
