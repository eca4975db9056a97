"""LMTP: what each recipient is told, when, and for whom the message is kept."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_smtpd import Reject, on
from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp.states import State
from pytest_smtpd.steps import Fin, Send, Stall, Step, Wait
from tests.policy.client import BOB, BODY, DATA, MAIL, RCPT, Client, Connect

NAMES = ("ada", "bob", "eve")


def delivered(connect: Connect, *rules: Rule) -> Client:
    """A client that has sent a message for three."""
    client = connect(*rules, lmtp=True)
    client.says("", "LHLO client.example", MAIL, *(f"RCPT TO:<{name}@example.com>" for name in NAMES), "DATA")
    client.steps.clear()
    client.says(BODY)
    return client


def heard(client: Client) -> list[int | Step]:
    """Codes, and what is no word."""
    found: list[int | Step] = []
    for step in client.steps:
        found += map(int, re.findall(rb"(?m)^(\d\d\d)[ ]", step.data)) if isinstance(step, Send) else [step]
    return found


def fate(client: Client) -> tuple[list[str], list[str]]:
    """Who has the message, and who was refused it."""
    (envelope,) = client.envelopes
    return [address.local for address in envelope.rcpt_to], [address.partition("@")[0] for address in envelope.refused]


LATE: list[tuple[list[Rule], list[int | Step]]] = [
    ([on("data", to="bob@*", delay=2)], [250, Wait(2), 250, 250]),
    ([on("data", to="bob@*", reply=452, delay=2)], [250, Wait(2), 452, 250]),
    ([on("data", to="bob@*", delay=2), on("data", to="bob@*", reply=452, delay=3)], [250, Wait(5), 452, 250]),
    ([on("data", to="bob@*", delay=2), on("data", to="bob@*", delay=3)], [250, Wait(5), 250, 250]),
    ([on("data", to="bob@*", reply=452), on("data", to="*", delay=3)], [Wait(3), 250, 452, Wait(3), 250]),
    ([on("data", to="bob@*", delay=2), on("data", reply=451)], [451, Wait(2), 451, 451]),
    ([on("data", to="bob@*", delay=2), on("data", reply=451, drop=True)], [451, Wait(2), 451, 451, Fin()]),
    ([on("data", to="bob@*", delay=2), on("data", raw=b"250 once\r\n")], [250]),
    ([on("data", to="ada@*", delay=2), on("data", raw=b"250 once\r\n")], [Wait(2), 250]),
    ([on("data", to="bob@*", drop=True, delay=2)], [250, Wait(2), Fin()]),
    ([on("data", to="nobody@*", delay=2)], [250, 250, 250]),
    ([on("data", to="bob@*", delay=2, skip=1)], [250, 250, 250]),
]


@pytest.mark.parametrize(("rules", "expected"), LATE)
def test_a_rule_for_one_recipient_makes_only_that_one_wait(
    connect: Connect, rules: list[Rule], expected: list[int | Step]
) -> None:
    client = delivered(connect, *(rule.copy() for rule in rules))
    assert heard(client) == expected
    assert client.loop.time() == 0


@pytest.mark.parametrize("options", [{}, {"reply": "452 later"}])
def test_the_answer_for_one_recipient_may_drip(connect: Connect, options: dict[str, Any]) -> None:
    client = delivered(connect, on("data", to="bob@*", drip=1, **options))
    ada, *bob, eve = client.steps
    assert all(isinstance(whole, Send) and len(whole.data) > 9 for whole in (ada, eve))
    assert {len(step.data) for step in bob if isinstance(step, Send)} == {1}
    assert Wait(1) in bob


def test_a_drip_for_all_slows_down_what_one_recipient_has_of_its_own(connect: Connect) -> None:
    client = delivered(connect, on("data", drip=1), on("data", to="bob@*", reply="452 later"))
    assert {len(step.data) for step in client.steps if isinstance(step, Send)} == {1}


def test_one_recipients_own_drip_is_kept_beside_its_answer(connect: Connect) -> None:
    client = delivered(connect, on("data", to="bob@*", drip=1), on("data", to="bob@*", reply="452 later"))
    assert client.steps[2] == Wait(1)
    assert client.codes()[-3:] == [250, 452, 250]


def test_the_drip_of_the_rule_for_all_is_not_for_who_has_an_answer_of_its_own(connect: Connect) -> None:
    client = delivered(connect, on("data", to="bob@*", reply="452 later"), on("data", reply="250 yes", drip=1))
    assert Send(b"452 later\r\n") in client.steps
    assert client.steps[0] == Send(b"2")


def test_a_delay_for_all_comes_before_everything(connect: Connect) -> None:
    client = delivered(connect, on("data", delay=7), on("data", to="bob@*", reply=452))
    assert client.loop.time() == 7
    assert heard(client) == [250, 452, 250]


ACCEPTED: list[tuple[list[Rule], list[int], tuple[list[str], list[str]]]] = [
    ([on("data", to="bob@*", reply=250, accept=False)], [250, 250, 250], (["ada", "eve"], [])),
    ([on("data", to="bob@*", reply=452, accept=True)], [250, 452, 250], (["ada", "bob", "eve"], [])),
    ([on("data", to="bob@*", reply=452)], [250, 452, 250], (["ada", "eve"], ["bob"])),
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


@pytest.mark.parametrize(("rules", "codes", "expected"), ACCEPTED)
def test_the_message_is_kept_for_whom_it_counts_as_accepted(
    connect: Connect, rules: list[Rule], codes: list[int], expected: tuple[list[str], list[str]]
) -> None:
    client = delivered(connect, *(rule.copy() for rule in rules))
    assert heard(client) == codes
    assert fate(client) == expected
    assert client.envelopes[0].accepted is bool(expected[0])


CUT: list[tuple[list[Rule], list[int | Step], str, tuple[list[str], list[str]]]] = [
    ([on("data", to="bob@*", drop=True)], [250, Fin()], "accepted", (["ada"], [])),
    ([on("data", to="bob@*", hang=True)], [250, Stall()], "accepted", (["ada"], [])),
    ([on("data", to="ada@*", drop=True)], [Fin()], "dropped", ([], [])),
    ([on("data", to="ada@*", hang=True)], [Stall()], "hung", ([], [])),
    ([on("data", to="bob@*", reply=452, drop=True)], [250, 452, Fin()], "accepted", (["ada"], ["bob"])),
    ([on("data", to="bob@*", drop=True, accept=True)], [250, Fin()], "accepted", (["ada", "bob"], [])),
    ([on("data", to="ada@*", reply=452), on("data", drop=True)], [452, Fin()], "refused", ([], ["ada"])),
    ([on("data", to="ada@*", reply=452), on("data", hang=True)], [452, Stall()], "refused", ([], ["ada"])),
    ([on("data", to="eve@*", reply=452), on("data", drop=True)], [Fin()], "dropped", ([], [])),
    ([on("data", to="bob@*", drop=True), on("data", reply=250, drop=True)], [250, Fin()], "accepted", (["ada"], [])),
    (
        [on("data", to="bob@*", reply=452), on("data", reply=250, drop=True)],
        [250, 452, 250, Fin()],
        "accepted",
        (["ada", "eve"], ["bob"]),
    ),
    ([on("data", to="ada@*", reply=452), on("data", raw=b"250 once\r\n")], [452, 250], "accepted", (["bob"], ["ada"])),
]


@pytest.mark.parametrize(("rules", "told", "outcome", "expected"), CUT)
def test_who_was_never_told_yes_does_not_have_the_message(
    connect: Connect,
    rules: list[Rule],
    told: list[int | Step],
    outcome: str,
    expected: tuple[list[str], list[str]],
) -> None:
    client = delivered(connect, *(rule.copy() for rule in rules))
    assert heard(client) == told
    assert fate(client) == expected
    call = client.last("data")
    assert call.outcome == outcome
    assert [reply.code for reply in call.replies] == [code for code in told if isinstance(code, int)]


@pytest.mark.parametrize("raw", [b"gibberish\r\n", b""])
def test_behind_what_is_no_reply_each_recipient_still_has_its_own_fate(connect: Connect, raw: bytes) -> None:
    client = delivered(connect, on("data", to="bob@*", raw=raw))
    assert heard(client) == [250, 250]
    assert fate(client) == (["ada", "eve"], [])


def test_raw_bytes_are_said_once_to_the_only_recipient(connect: Connect) -> None:
    rules = [on("data", to="ada@*", delay=2), on("data", raw=b"250 once\r\n")]
    client = connect(*rules, lmtp=True)
    client.says("", "LHLO client.example", MAIL, "RCPT TO:<ada@example.com>", "DATA")
    client.steps.clear()
    client.says(BODY)
    assert client.steps == [Wait(2), Send(b"250 once\r\n")]


def test_the_call_names_the_rule_of_the_first_recipient_that_has_one(connect: Connect) -> None:
    rules = [on("data", to="eve@*", reply=452), on("data", to="bob@*", reply=552), on("data", reply=250)]
    client = delivered(connect, *rules)
    assert client.last("data").rule is rules[1]


@pytest.mark.parametrize(("options", "told"), [({"raw": b"421 x\r\n"}, [250]), ({"reply": "421 x"}, [])])
def test_only_a_reply_closes_by_itself(connect: Connect, options: dict[str, Any], told: list[int]) -> None:
    client = delivered(connect, on("data", to="bob@*", **options))
    assert heard(client) == [250, 421, 250]
    assert (client.smtp.state is State.CLOSED) is (not told)
    assert told == [] or client.says("NOOP") == told


def wrong(value: object) -> bool:
    raise LookupError("x")


@pytest.mark.parametrize("match", [{"to": wrong}, {"to": "bob@*", "when": wrong}, {"to": "bob@*", "user": wrong}])
def test_a_mistake_in_the_match_of_a_rule_for_one_recipient_is_a_451_for_all(
    connect: Connect, match: dict[str, Any]
) -> None:
    rule, behind = on("data", reply=550, **match), on("data", to="eve@*", reply=552)
    client = delivered(connect, rule, behind)
    assert heard(client) == [451, 451, 451]
    call = client.last("data")
    assert (call.outcome, type(call.error), call.rule, behind.used) == ("error", LookupError, rule, 0)
    assert client.says("NOOP") == [250]


def test_a_mistake_of_the_hook_is_told_though_one_recipient_has_its_own_answer(connect: Connect) -> None:
    error = ValueError("x")

    def hook(*args: object) -> None:
        raise error

    client = delivered(connect, on("data", to="bob@*", reply=550), on("data", call=hook))
    assert heard(client) == [451, 550, 451]
    assert client.errors == [("data", error)]
    assert client.last("data").outcome == "error"


def test_a_hooks_answers_stand_beside_those_of_rules(connect: Connect) -> None:
    def hook(*args: object) -> list[Any]:
        return ["fine", "fine", Reject(550)]

    client = delivered(connect, on("data", to="bob@*", reply=452), on("data", call=hook, drip=1))
    assert heard(client)[0] != 250  # it drips
    assert client.codes()[-3:] == [250, 452, 550]
    assert fate(client) == (["ada"], ["bob", "eve"])


def test_the_addresses_of_a_hooks_verdict_compare_without_case_in_the_domain(connect: Connect) -> None:
    """RFC 5321 section 2.4."""
    client = connect(on("data", call=lambda stream, session: {"ada@EXAMPLE.com": Reject(452)}), lmtp=True)
    client.says("", "LHLO client.example", MAIL, RCPT, BOB, DATA)
    assert (client.says(BODY), client.errors) == ([452, 250], [])
