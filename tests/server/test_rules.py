"""Which rule decides a call, which ones count as used, and how the call was decided."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd import Reject, Rule, on
from tests.server.talk import (
    ADA,
    BOB,
    DATA,
    HELLO,
    LAST_CHUNK,
    MAIL,
    PLAIN,
    WAYS,
    Connect,
    Serve,
    codes,
    last,
    listen,
    nothing,
    points,
    script,
    used,
)

# --- the nearest rule that matches and answers ------


def by_place(call: Any) -> bool:
    return bool(call.args[0].local == "ada")


# The rules, the code of the reply, and the place of the rule that the call names.
CHOICES: list[tuple[list[Rule], int, int | None]] = [
    ([], 250, None),
    ([on("rcpt_to", reply=550), on("rcpt_to", reply=450)], 550, 0),
    ([on("rcpt_to", reply=250), on("rcpt_to", reply=450)], 250, 0),
    ([on("rcpt_to", to="bob@*", reply=550), on("rcpt_to", reply=450)], 450, 1),
    ([on("rcpt_to", to="bob@*", reply=550)], 250, None),
    ([on("rcpt_to", to="ada@EXAMPLE.com", reply=550)], 550, 0),
    ([on("rcpt_to", to={"bob@*", "ada@*"}, reply=550)], 550, 0),
    ([on("rcpt_to", to={"bob@*", "eve@*"}, reply=550)], 250, None),
    ([on("rcpt_to", mail_from="bob@*", reply=550), on("rcpt_to", mail_from="app@*", reply=450)], 450, 1),
    ([on("rcpt_to", user="ada", reply=550)], 250, None),
    ([on("rcpt_to", user=None, reply=550)], 550, 0),
    ([on("rcpt_to", name="other", reply=550), on("rcpt_to", name="smtpd", reply=450)], 450, 1),
    ([on("rcpt_to", when=by_place, reply=550)], 550, 0),
    ([on("mail_from", reply=250), on("rcpt_to", reply=450)], 450, 1),
    ([on("rcpt_to", delay=0.01)], 250, None),
    ([on("rcpt_to", delay=0.01), on("rcpt_to", reply=450)], 450, 1),
    ([on("rcpt_to", reply=450), on("rcpt_to", delay=60)], 450, 0),
    ([on("rcpt_to", delay=60, to="bob@*"), on("rcpt_to", reply=450)], 450, 1),
    ([on("rcpt_to", drip=0.001)], 250, None),
    ([on("rcpt_to", then=b"250 more\r\n")], 250, None),
    ([on("rcpt_to", hang=False, delay=0.01), on("rcpt_to", reply=450)], 450, 1),
    ([on("rcpt_to", delay=0.01), on("rcpt_to", call=nothing)], 250, 1),
]


@pytest.mark.parametrize(("rules", "code", "place"), CHOICES)
def test_the_nearest_rule_that_matches_and_answers_decides(
    serve: Serve, connect: Connect, rules: list[Rule], code: int, place: int | None
) -> None:
    server = serve(*rules)
    assert codes(connect(server), HELLO, MAIL, ADA) == [250, 250, code]
    assert last(server, "rcpt_to").rule is (None if place is None else server.rules[place])


def test_delays_add_up(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", delay=0.02), on("rcpt_to", delay=0.01), on("rcpt_to", delay=0.03, reply=450))
    assert codes(connect(server), HELLO, MAIL, ADA) == [250, 250, 450]
    duration = last(server, "rcpt_to").duration
    assert duration is not None
    assert duration >= 0.06
    assert used(server.rules) == [1, 1, 1]


def test_only_rules_that_were_asked_count_as_used(serve: Serve, connect: Connect) -> None:
    server = serve(
        on("rcpt_to", to="bob@*", reply=550),
        on("rcpt_to", delay=0.001),
        on("rcpt_to", reply=450),
        on("rcpt_to", reply=451),
    )
    codes(connect(server), HELLO, MAIL, ADA, ADA)
    assert used(server.rules) == [0, 2, 2, 0]


COUNTS: list[tuple[list[Rule], list[int]]] = [
    ([on("rcpt_to", to="bob@*", reply=450, skip=1, times=1)], [250, 250, 250, 450, 250, 250]),
    ([on("rcpt_to", reply=450, times=1), on("rcpt_to", reply=550, times=1)], [450, 550, 250, 250, 250, 250]),
    ([on("rcpt_to", delay=0.001, times=1), on("rcpt_to", reply=450, skip=4)], [250, 250, 250, 250, 450, 450]),
    ([on("rcpt_to", reply=[451, "450 4.7.1 Greylisted", 250])], [451, 450, 250, 250, 250, 250]),
    ([on("rcpt_to", reply=[451, 450], skip=2)], [250, 250, 451, 450, 250, 250]),
    ([on("rcpt_to", reply=[451, 452], to="bob@*")], [250, 451, 250, 452, 250, 250]),
    ([on("rcpt_to", reply=[451, 452]), on("rcpt_to", reply=550)], [451, 452, 550, 550, 550, 550]),
]


@pytest.mark.parametrize(("rules", "expected"), COUNTS)
def test_calls_that_match_are_counted_and_each_reply_of_a_list_is_given_once(
    serve: Serve, connect: Connect, rules: list[Rule], expected: list[int]
) -> None:
    wire = connect(serve(*rules))
    codes(wire, HELLO, MAIL)
    assert codes(wire, ADA, BOB, ADA, BOB, ADA, BOB) == expected


def test_a_list_of_replies_counts_for_the_whole_server(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", reply=[451, "450 4.7.1 Greylisted"]))
    replies = []
    for _ in range(3):
        wire = connect(server)
        codes(wire, HELLO)
        replies.append(wire.say(MAIL))
    assert [(reply.code, reply.text) for reply in replies[1:]] == [(450, "Greylisted"), (250, "OK")]
    assert replies[0].code == 451
    assert used(server.rules) == [2]


def test_the_user_who_is_logged_in_can_be_matched(serve: Serve, connect: Connect) -> None:
    wire = connect(serve(on("mail_from", user="ada", reply=550)))
    assert codes(wire, HELLO, MAIL, "RSET", PLAIN, MAIL) == [250, 250, 250, 235, 550]


# --- a rule or hook on the command speaks first ------


def refuse(*args: object) -> None:
    raise Reject(450, "4.7.1 later")


FIRST_WORDS: list[tuple[list[Rule], list[str], list[int], str]] = [
    ([on("command", verb="MAIL", reply=250)], [HELLO, MAIL, ADA], [250, 250, 250], "EHLO MAIL RCPT rcpt_to"),
    ([on("command", verb="mail", reply=550)], [HELLO, MAIL, ADA], [250, 550, 503], "EHLO MAIL RCPT"),
    ([on("command", verb={"MAIL", "VRFY"}, reply=550)], [HELLO, MAIL, "NOOP"], [250, 550, 250], "EHLO MAIL NOOP"),
    ([on("command", verb="E*", reply=502)], [HELLO, "HELO x"], [502, 250], "EHLO HELO"),
    ([on("command", verb="AUTH", reply=504)], [HELLO, PLAIN], [250, 504], "EHLO AUTH"),
    ([on("command", verb="BLURB", reply=250)], ["BLURB"], [250], "BLURB"),
    (
        [on("command", verb="RCPT", reply=250), on("rcpt_to", reply=550)],
        [HELLO, MAIL, ADA, DATA],
        [250, 250, 250, 354],
        "EHLO MAIL mail_from RCPT DATA data",
    ),
    (
        [on("command", verb="DATA", reply=250)],
        [HELLO, MAIL, ADA, DATA, "NOOP"],
        [250, 250, 250, 250, 250],
        "EHLO MAIL mail_from RCPT rcpt_to DATA NOOP",
    ),
    (
        [on("command", verb="RSET", reply=550)],
        [HELLO, MAIL, "RSET", ADA],
        [250, 250, 550, 250],
        "EHLO MAIL mail_from RSET RCPT rcpt_to",
    ),
    ([on("command", verb="MAIL", call=refuse), on("mail_from", call=nothing)], [HELLO, MAIL], [250, 450], "EHLO MAIL"),
    ([on("command", call=nothing), on("mail_from", reply=550)], [HELLO, MAIL], [250, 550], "EHLO MAIL mail_from"),
    (
        [on("command", verb="MAIL", delay=0.001), on("mail_from", reply=550)],
        [HELLO, MAIL],
        [250, 550],
        "EHLO MAIL mail_from",
    ),
    (
        [on("command", verb="BDAT", reply=451)],
        [HELLO, MAIL, ADA, LAST_CHUNK, "NOOP"],
        [250, 250, 250, 451, 250],
        "EHLO MAIL mail_from RCPT rcpt_to BDAT NOOP",
    ),
]


@pytest.mark.parametrize(("rules", "lines", "expected", "reached"), FIRST_WORDS)
def test_what_answers_the_command_is_the_last_to_be_asked(
    serve: Serve, connect: Connect, rules: list[Rule], lines: list[str], expected: list[int], reached: str
) -> None:
    server = serve(*rules)
    assert codes(connect(server), *lines) == expected
    assert points(server) == f"connect {reached}"


def test_a_command_hook_that_returns_is_used_but_has_not_decided(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", call=nothing), on("mail_from", reply=550))
    codes(connect(server), HELLO, MAIL)
    passing, decisive = server.rules
    assert last(server, "mail_from").rule is decisive
    assert last(server, "EHLO").rule is None
    assert passing.used == 2


def test_a_delay_of_the_command_is_not_repeated_at_the_hook_behind_it(serve: Serve, connect: Connect) -> None:
    server = serve(
        on("command", verb="RCPT", delay=0.01), on("rcpt_to", delay=0.01), on("rcpt_to", to="x@*", reply=550)
    )
    assert codes(connect(server), HELLO, MAIL, ADA) == [250, 250, 250]
    assert used(server.rules) == [1, 1, 0]


# --- how a call was decided ------


# The options, the outcome, the code in the log, the codes on the wire.
OUTCOMES: list[tuple[dict[str, Any], str, int | None, list[int]]] = [
    ({"reply": 250}, "accepted", 250, [250]),
    ({"reply": 550}, "refused", 550, [550]),
    ({"reply": 450}, "refused", 450, [450]),
    ({"reply": 250, "drop": True}, "accepted", 250, [250]),
    ({"reply": 550, "drop": "rst"}, "refused", 550, [550]),
    ({"reply": 550, "hang": True}, "refused", 550, [550]),
    ({"raw": b"250 fine\r\n"}, "accepted", 250, [250]),
    ({"raw": b"550-no\r\n550 no\r\n"}, "refused", 550, [550]),
    ({"drop": True}, "dropped", None, []),
    ({"drop": "rst"}, "dropped", None, []),
    ({"hang": True}, "hung", None, []),
    ({"raw": b""}, "hung", None, []),
    ({"call": nothing}, "accepted", 250, [250]),
    ({"call": refuse}, "refused", 450, [450]),
]


@pytest.mark.parametrize(("options", "outcome", "code", "told"), OUTCOMES)
def test_the_outcome_says_how_a_call_was_decided(
    serve: Serve, connect: Connect, options: dict[str, Any], outcome: str, code: int | None, told: list[int]
) -> None:
    server = serve(on("rcpt_to", **options))
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA))
    assert listen(wire, len(told)) == told
    (call,) = server.log.wait_for("rcpt_to", outcome=outcome)
    decided = (call.outcome, call.code, call.rule, call.error)
    assert decided == (outcome, code, server.rules[0], None)
    wire.close()
    server.wait_closed()
    assert (call.outcome, call.code, call.rule, call.error) == decided


@pytest.mark.parametrize("hook", ["connect", *WAYS])
def test_a_rule_answers_every_hook(serve: Serve, connect: Connect, hook: Any) -> None:
    """The rule of a hook answers its call, and the command that brings it carries the same reply."""
    server = serve(on(hook, reply="554 5.0.0 not today"))
    wire = connect(server, greet=False)
    lines = WAYS[hook][-1:] if hook == "command" else WAYS.get(hook, ())
    told = [wire.reply().code, *codes(wire, *lines)]
    assert told[-1] == 554
    assert str(last(server, hook).reply) == "554 5.0.0 not today"
    assert last(server, hook).outcome == "refused"
