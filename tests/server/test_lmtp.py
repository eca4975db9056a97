"""LMTP: what each recipient is told, when, and for whom the message is kept."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from pytest_smtpd import Reject, Rule, Session, SMTPServer, Stream, on
from tests.rfc.wire import Wire
from tests.server.talk import (
    ADA,
    BOB,
    BODY,
    EVE,
    LHLO,
    Connect,
    Serve,
    codes,
    last,
    listen,
    mistakes,
    nothing,
    script,
    to_data,
    used,
)

LONG = 600  # seconds: no test waits for them


def deliver(server: SMTPServer, connect: Connect, *recipients: str) -> Wire:
    """A client that has sent a message, for three unless others are given."""
    wire = connect(server)
    to_data(wire, *(recipients or (ADA, BOB, EVE)), hello=LHLO)
    wire.send(script(BODY))
    return wire


def fate(server: SMTPServer) -> tuple[list[str], list[str]]:
    """Who has the message, and who was refused it."""
    (envelope,) = server.log.envelopes()
    assert envelope.accepted is bool(envelope.rcpt_to)
    return [address.local for address in envelope.rcpt_to], [address.partition("@")[0] for address in envelope.refused]


# --- which answer is whose ------


def each(*answers: Any) -> Any:
    return lambda stream, session: list(answers)


def refuse(stream: Stream, session: Session) -> None:
    raise Reject(450, "4.7.1 later")


ANSWERS: list[tuple[list[Rule], list[int]]] = [
    ([], [250, 250, 250]),
    ([on("data", reply=554)], [554, 554, 554]),
    ([on("data", call=nothing)], [250, 250, 250]),
    ([on("data", call=refuse)], [450, 450, 450]),
    ([on("data", to="bob@*", reply=550)], [250, 550, 250]),
    ([on("data", to={"bob@*", "eve@*"}, reply=550)], [250, 550, 550]),
    ([on("data", to="*@EXAMPLE.com", reply=550)], [550, 550, 550]),
    ([on("data", to="nobody@*", reply=550)], [250, 250, 250]),
    ([on("data", to="bob@*", reply=550), on("data", to="*", reply=450)], [450, 550, 450]),
    ([on("data", to="*", reply=450), on("data", to="bob@*", reply=550)], [450, 450, 450]),
    ([on("data", to="bob@*", reply=550), on("data", reply=451)], [451, 550, 451]),
    ([on("data", reply=451), on("data", to="bob@*", reply=550)], [451, 451, 451]),
    ([on("data", to="bob@*", reply=250), on("data", call=refuse)], [450, 250, 450]),
    ([on("data", to="bob@*", reply=550), on("data", call=each("a", "b", Reject(551)))], [250, 550, 551]),
    ([on("data", to="bob@*", call=each("a", Reject(550), "c"))], [250, 550, 250]),
    ([on("data", to="bob@*", mail_from="other@*", reply=550)], [250, 250, 250]),
    ([on("data", to="bob@*", mail_from="app@*", reply=550)], [250, 550, 250]),
    ([on("data", to="bob@*", subject="Hi", reply=550)], [250, 550, 250]),
    ([on("data", to="bob@*", header={"Subject": "Other"}, reply=550)], [250, 250, 250]),
    ([on("data", to="bob@*", subject="Other", reply=550), on("data", reply=451)], [451, 451, 451]),
    ([on("data", to="bob@*", reply=550, skip=1)], [250, 250, 250]),
    ([on("data", to="bob@*", raw=b"552 no\r\n")], [250, 552, 250]),
    ([on("data", to="bob@*", raw=lambda usual: b"552 no\r\n")], [250, 552, 250]),
    ([on("data", to="eve@*", reply=550), on("data", to="ada@*", reply=450)], [450, 250, 550]),
    ([on("data", mail_from="app@*", reply=451), on("data", reply=554)], [451, 451, 451]),
    ([on("data", drip=0.001), on("data", to="bob@*", reply=550)], [250, 550, 250]),
    ([on("data", to="nobody@*", call=refuse), on("data", to="bob@*", reply=550)], [250, 550, 250]),
    ([on("data", rcpt_to=("ada@*", "bob@*", "eve@*"), reply=550)], [550, 550, 550]),
    ([on("data", reply=[451, 452])], [451, 451, 451]),
]


@pytest.mark.parametrize(("rules", "expected"), ANSWERS)
def test_each_recipient_has_the_answer_that_is_meant_for_it(
    serve: Serve, connect: Connect, rules: list[Rule], expected: list[int]
) -> None:
    server = serve(*rules, lmtp=True)
    wire = deliver(server, connect)
    assert listen(wire, 3) == expected
    assert codes(wire, "NOOP") == [250], "and nothing else"
    kept = [name for name, code in zip(("ada", "bob", "eve"), expected, strict=True) if code == 250]
    refused = [name for name, code in zip(("ada", "bob", "eve"), expected, strict=True) if code != 250]
    if kept:
        assert fate(server) == (kept, refused)
    call = last(server, "data")
    assert call.outcome == ("accepted" if kept else "refused")
    assert call.code == (250 if kept else expected[0])


def test_a_rule_for_recipients_is_used_once_however_many_it_names(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", to="*@example.com", reply=550, times=1), lmtp=True)
    assert listen(deliver(server, connect), 3) == [550, 550, 550]
    assert used(server.rules) == [1]


def test_a_rule_for_nobody_who_is_there_is_not_used(serve: Serve, connect: Connect) -> None:
    server = serve(
        on("data", to="nobody@*", reply=550),
        on("data", to="bob@*", reply=551),
        on("data", to="b*", reply=552),
        lmtp=True,
    )
    assert listen(deliver(server, connect, ADA, BOB), 2) == [250, 551]
    assert used(server.rules) == [0, 1, 0]


def test_a_recipient_given_twice_is_answered_twice(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", to="ada@*", reply=550), lmtp=True)
    assert listen(deliver(server, connect, ADA, BOB, ADA), 3) == [550, 250, 550]


def test_in_smtp_a_rule_with_to_answers_for_the_whole_message(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", to="bob@*", reply=554))
    wire = connect(server)
    to_data(wire, ADA, BOB)
    assert codes(wire, BODY) == [554]
    assert last(server, "data").rule is server.rules[0]


def test_the_call_names_the_rule_of_the_first_recipient_that_has_one(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", to="eve@*", reply=452), on("data", to="bob@*", reply=552), lmtp=True)
    assert listen(deliver(server, connect), 3) == [250, 552, 452]
    assert last(server, "data").rule is server.rules[1]


# --- when they are told ------


# The rules; how many replies come at once, although somebody is made to wait.
LATE: list[tuple[list[Rule], list[int]]] = [
    ([on("data", to="bob@*", delay=LONG)], [250]),
    ([on("data", to="bob@*", reply=452, delay=LONG)], [250]),
    ([on("data", to="eve@*", delay=LONG), on("data", to="bob@*", reply=452)], [250, 452]),
    ([on("data", to="bob@*", reply=452), on("data", to="eve@*", delay=LONG)], [250, 452]),
    ([on("data", to="eve@*", delay=LONG), on("data", reply=451)], [451, 451]),
    ([on("data", to="eve@*", drop=True, delay=LONG)], [250, 250]),
    ([on("data", to="nobody@*", delay=LONG)], [250, 250, 250]),
    ([on("data", to="bob@*", delay=LONG, skip=1)], [250, 250, 250]),
    ([on("data", to="bob@*", drip=LONG)], [250]),
    ([on("data", to="bob@*", delay=LONG), on("data", raw=b"250 once\r\n")], [250]),
]


@pytest.mark.parametrize(("rules", "expected"), LATE)
def test_a_rule_for_one_recipient_makes_only_that_one_and_those_behind_it_wait(
    serve: Serve, connect: Connect, rules: list[Rule], expected: list[int]
) -> None:
    wire = deliver(serve(*rules, lmtp=True), connect)
    assert listen(wire, len(expected)) == expected


def test_a_delay_for_one_recipient_is_waited_for(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", to="bob@*", delay=0.05), lmtp=True)
    wire = deliver(server, connect)
    assert listen(wire, 3) == [250, 250, 250]
    assert codes(wire, "NOOP") == [250]
    assert last(server, "NOOP").at - last(server, "data").at >= 0.05


def test_a_delay_for_all_comes_before_everything(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", delay=0.05), on("data", to="ada@*", reply=452), lmtp=True)
    assert listen(deliver(server, connect), 3) == [452, 250, 250]
    duration = last(server, "data").duration
    assert duration is not None
    assert duration >= 0.05


# --- for whom it is kept ------


ACCEPTED: list[tuple[list[Rule], list[int], tuple[list[str], list[str]]]] = [
    ([on("data", to="bob@*", reply=250, accept=False)], [250, 250, 250], (["ada", "eve"], [])),
    ([on("data", to="bob@*", reply=452, accept=True)], [250, 452, 250], (["ada", "bob", "eve"], [])),
    ([on("data", to="*", reply=452, accept=True)], [452, 452, 452], (["ada", "bob", "eve"], [])),
    ([on("data", to="*", reply=250, accept=False)], [250, 250, 250], ([], [])),
    (
        [on("data", to="bob@*", reply=552), on("data", reply=452, accept=True)],
        [452, 552, 452],
        (["ada", "eve"], ["bob"]),
    ),
    ([on("data", to="bob@*", reply=552), on("data", reply=250, accept=False)], [250, 552, 250], ([], ["bob"])),
    ([on("data", to="bob@*", raw=b"250 yes\r\n", accept=False)], [250, 250, 250], (["ada", "eve"], [])),
]


@pytest.mark.parametrize(("rules", "told", "expected"), ACCEPTED)
def test_the_message_is_kept_for_whom_it_counts_as_accepted(
    serve: Serve, connect: Connect, rules: list[Rule], told: list[int], expected: tuple[list[str], list[str]]
) -> None:
    server = serve(*rules, lmtp=True)
    assert listen(deliver(server, connect), 3) == told
    assert fate(server) == expected


# The rules; the replies that come; whether the connection ends behind them; the outcome; who has the message.
CUT: list[tuple[list[Rule], list[int], bool, str, tuple[list[str], list[str]]]] = [
    ([on("data", to="bob@*", drop=True)], [250], True, "accepted", (["ada"], [])),
    ([on("data", to="bob@*", hang=True)], [250], False, "accepted", (["ada"], [])),
    ([on("data", to="ada@*", drop=True)], [], True, "dropped", ([], [])),
    ([on("data", to="ada@*", hang=True)], [], False, "hung", ([], [])),
    ([on("data", drop=True)], [], True, "dropped", ([], [])),
    ([on("data", reply="554 no", drop=True)], [554, 554, 554], True, "refused", ([], ["ada", "bob", "eve"])),
    ([on("data", to="bob@*", reply=452, drop=True)], [250, 452], True, "accepted", (["ada"], ["bob"])),
    ([on("data", to="bob@*", drop=True, accept=True)], [250], True, "accepted", (["ada", "bob"], [])),
    ([on("data", to="ada@*", reply=452), on("data", drop=True)], [452], True, "refused", ([], ["ada"])),
    ([on("data", to="ada@*", reply=452), on("data", hang=True)], [452], False, "refused", ([], ["ada"])),
    ([on("data", to="eve@*", reply=452), on("data", drop=True)], [], True, "dropped", ([], [])),
    (
        [on("data", to="bob@*", drop=True), on("data", reply=250, drop=True)],
        [250],
        True,
        "accepted",
        (["ada"], []),
    ),
    (
        [on("data", to="bob@*", reply=452), on("data", reply=250, drop=True)],
        [250, 452, 250],
        True,
        "accepted",
        (["ada", "eve"], ["bob"]),
    ),
]


@pytest.mark.parametrize(("rules", "told", "ends", "outcome", "expected"), CUT)
def test_who_was_never_told_yes_does_not_have_the_message(
    serve: Serve,
    connect: Connect,
    rules: list[Rule],
    told: list[int],
    ends: bool,
    outcome: str,
    expected: tuple[list[str], list[str]],
) -> None:
    server = serve(*rules, lmtp=True)
    wire = deliver(server, connect)
    assert listen(wire, len(told)) == told
    if ends:
        assert wire.rest() == b""
    (call,) = server.log.wait_for("data", outcome=outcome)
    assert [reply.code for reply in call.replies] == told
    assert fate(server) == expected


def test_raw_bytes_without_to_are_said_once(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", to="ada@*", reply=452), on("data", raw=b"250 once\r\n"), lmtp=True)
    wire = deliver(server, connect)
    assert listen(wire, 2) == [452, 250]
    assert codes(wire, "NOOP") == [250]
    assert fate(server) == (["bob"], ["ada"])


@pytest.mark.parametrize("raw", [b"gibberish\r\n", b""])
def test_behind_what_is_no_reply_each_recipient_still_has_its_own_fate(
    serve: Serve, connect: Connect, raw: bytes
) -> None:
    server = serve(on("data", to="bob@*", raw=raw), lmtp=True)
    wire = deliver(server, connect)
    assert listen(wire, 1) == [250]
    if raw:
        assert wire.read_line() == raw
    assert listen(wire, 1) == [250]
    assert fate(server) == (["ada", "eve"], [])


@pytest.mark.parametrize(("options", "closes"), [({"raw": b"421 x\r\n"}, False), ({"reply": "421 x"}, True)])
def test_only_a_reply_closes_by_itself(serve: Serve, connect: Connect, options: dict[str, Any], closes: bool) -> None:
    wire = deliver(serve(on("data", to="bob@*", **options), lmtp=True), connect)
    assert listen(wire, 3) == [250, 421, 250]
    if closes:
        assert wire.rest() == b""
    else:
        assert codes(wire, "NOOP") == [250]


# --- hooks ------


def test_a_mistake_of_the_hook_is_told_though_one_recipient_has_its_own_answer(serve: Serve, connect: Connect) -> None:
    error = ValueError("x")

    def hook(stream: Stream, session: Session) -> None:
        raise error

    server = serve(on("data", to="bob@*", reply=550), on("data", call=hook), lmtp=True)
    assert listen(deliver(server, connect), 3) == [451, 550, 451]
    assert mistakes(server) == [error]
    assert last(server, "data").outcome == "error"


def test_a_hooks_answers_stand_beside_those_of_rules(serve: Serve, connect: Connect) -> None:
    server = serve(
        on("data", to="bob@*", reply=452), on("data", call=each("fine", "fine", Reject(550)), drip=0.001), lmtp=True
    )
    assert listen(deliver(server, connect), 3) == [250, 452, 550]
    assert fate(server) == (["ada"], ["bob", "eve"])


# --- bytes behind the answer, and in its place ------

GONE = b"421 gone\r\n"
YES = b"250 2.6.0 Message accepted\r\n"
EVERYBODY = ("ada", "bob", "eve")
BYTES: list[tuple[Rule, bytes, tuple[str, ...]]] = [
    (on("data", then=GONE), YES * 3 + GONE, ("ada", "bob", "eve")),
    (on("data", reply="250 ok", then=GONE), b"250 ok\r\n" * 3 + GONE, ("ada", "bob", "eve")),
    (on("data", to="bob@*", then=GONE), YES * 2 + GONE + YES, ("ada", "bob", "eve")),
    (on("data", to="ada@*", reply="550 no", then=GONE), b"550 no\r\n" + GONE + YES * 2, ("bob", "eve")),
    (on("data", raw=lambda usual: usual), YES * 3, ("ada", "bob", "eve")),
    (on("data", raw=lambda usual: usual.replace(b"M", b"m")), YES.replace(b"M", b"m") * 3, ("ada", "bob", "eve")),
    (on("data", raw=b"250 a\r\n550 b\r\n250 c\r\n"), b"250 a\r\n550 b\r\n250 c\r\n", ("ada", "eve")),
    (on("data", raw=b"450 a\r\n550 b\r\n250 c\r\n", accept=True), b"450 a\r\n550 b\r\n250 c\r\n", EVERYBODY),
]


@pytest.mark.parametrize(("rule", "expected", "kept"), BYTES, ids=range(len(BYTES)))
def test_bytes_of_rules_come_once_and_where_the_transcript_shows_them(
    serve: Serve, connect: Connect, rule: Rule, expected: bytes, kept: tuple[str, ...]
) -> None:
    server = serve(rule, lmtp=True)
    wire = deliver(server, connect)
    wire.send(script("QUIT"))
    assert wire.rest() == expected + b"221 2.0.0 Bye\r\n"
    (envelope,) = server.log.envelopes()
    assert tuple(address.partition("@")[0] for address in envelope.rcpt_to) == kept
    shown = [line.partition(" S: ")[2].partition("   by ")[0] for line in server.log.transcript().splitlines()]
    sent = [ast.literal_eval(text) if text.startswith("b'") else f"{text}\r\n".encode() for text in shown if text]
    assert b"".join(sent).endswith(expected + b"221 2.0.0 Bye\r\n")


def test_a_connection_that_ends_between_the_replies_is_shown_there(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", to="bob@*", drop=True), lmtp=True)
    assert deliver(server, connect).rest() == YES
    shown = [line.partition(" -: ")[2] for line in server.log.transcript().splitlines()]
    assert shown[-1] == "dropped at data   by on('data', drop=True, to='bob@*')"
