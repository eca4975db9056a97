"""From a rule to what goes over the wire, as steps."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd import on
from pytest_smtpd.policy import actions
from pytest_smtpd.smtp.replies import parse_reply, standard
from pytest_smtpd.steps import Answer, Close, Fin, Reset, Send, Stall, Step, Wait, said


def steps(answer: Answer) -> list[Step]:
    data = b"".join(reply.wire for reply in answer.replies)
    return list(answer.dress(data)) if answer.dress else [Send(data)]


NO = b"550 no\r\n"


@pytest.mark.parametrize(
    ("hook", "options", "expected", "outcome"),
    [
        ("rcpt_to", {"reply": "550 no"}, [Send(NO)], "refused"),
        ("rcpt_to", {"reply": "250 yes"}, [Send(b"250 yes\r\n")], "accepted"),
        ("rcpt_to", {"drop": True}, [Fin()], "dropped"),
        ("rcpt_to", {"drop": "fin"}, [Fin()], "dropped"),
        ("rcpt_to", {"drop": "rst"}, [Reset()], "dropped"),
        ("rcpt_to", {"hang": True}, [Stall(reading=True)], "hung"),
        ("rcpt_to", {"reply": "550 no", "drop": "rst"}, [Send(NO), Reset()], "refused"),
        ("rcpt_to", {"reply": "550 no", "hang": True}, [Send(NO), Stall(reading=True)], "refused"),
        ("rcpt_to", {"reply": "550 no", "drop": True, "linger": 2}, [Send(NO), Wait(2), Fin()], "refused"),
        ("rcpt_to", {"raw": b"nonsense"}, [Send(b"nonsense")], "refused"),
        ("rcpt_to", {"raw": b""}, [], "hung"),
        ("rcpt_to", {"raw": b"25", "drop": True}, [Send(b"25"), Fin()], "dropped"),
        ("rcpt_to", {"raw": b"250 ok\r\nmore"}, [Send(b"250 ok\r\nmore")], "accepted"),
        ("connect", {"raw": b"HTTP"}, [Send(b"HTTP")], "accepted"),
        ("rcpt_to", {"raw": b"ab", "drip": 1}, [Send(b"a"), Wait(1), Send(b"b")], "refused"),
        ("rcpt_to", {"reply": 550, "drop": False, "hang": False}, [Send(standard(550, "rcpt_to").wire)], "refused"),
        ("secure", {"reply": "550 no"}, [Send(NO), Close()], "refused"),
        ("secure", {"reply": "550 no", "drop": True}, [Send(NO), Fin()], "refused"),
    ],
)
def test_an_action_is_these_steps(hook: Any, options: Any, expected: list[Step], outcome: str) -> None:
    answer = actions.rule_answer(on(hook, **options), hook)
    assert steps(answer) == expected
    assert answer.outcome == outcome
    assert answer.rule is not None


@pytest.mark.parametrize(
    ("options", "closes"),
    [
        ({"reply": 421}, True),
        ({"reply": 421, "hang": True}, False),
        ({"raw": b"421 x\r\n"}, False),
        ({"reply": 421, "drop": True}, True),
    ],
)
def test_only_a_reply_closes_by_itself(options: Any, closes: bool) -> None:
    assert actions.rule_answer(on("rcpt_to", **options), "rcpt_to").closes is closes


def test_a_slow_rule_before_it_makes_the_answer_drip() -> None:
    answer = actions.rule_answer(
        on("rcpt_to", reply="550"), "rcpt_to", [on("rcpt_to", drip=0.5), on("rcpt_to", drip=0.1)]
    )
    assert steps(answer)[:3] == [Send(b"5"), Wait(0.5), Send(b"5")]
    assert b"".join(step.data for step in steps(answer) if isinstance(step, Send)) == b"550\r\n"


def test_the_usual_answer_may_drip_too() -> None:
    usual = said(parse_reply("250"))
    slow = actions.slowed(usual, [on("rcpt_to", drip=1)])
    assert len(steps(slow)) == 9
    assert actions.slowed(usual, [on("rcpt_to", delay=1)]) is usual


def test_delays_add_up() -> None:
    assert actions.delay([on("rcpt_to", delay=1), on("rcpt_to", delay=0.5, reply=550), on("rcpt_to", reply=550)]) == 1.5


def test_each_recipient_of_lmtp_has_the_reply_but_raw_is_said_once() -> None:
    assert len(actions.rule_answer(on("data", reply=550), "data", recipients=3).replies) == 3
    raw = actions.rule_answer(on("data", raw=NO), "data", recipients=3)
    assert len(raw.replies) == 1
    assert steps(raw) == [Send(NO)]


@pytest.mark.parametrize(
    ("options", "keep", "again"),
    [
        ({"reply": 552}, False, False),
        ({"reply": 250}, True, False),
        ({"reply": 552, "accept": True}, True, True),
        ({"reply": 250, "accept": True}, True, True),
        ({"reply": 250, "accept": False}, True, False),
        ({"raw": b"junk"}, True, True),
        ({"raw": b"250 ok\r\n"}, True, False),
        ({"raw": b"550 no\r\n"}, False, False),
        ({"drop": True}, False, False),
        ({"hang": True}, False, False),
    ],
)
def test_an_early_word_keeps_the_rest_unless_it_refuses(options: Any, keep: bool, again: bool) -> None:
    answer = actions.early_answer(on("data", after=1, **options))
    assert (answer.keep, answer.again) == (keep, again)


def test_a_hang_in_the_middle_stops_reading() -> None:
    answer = actions.early_answer(on("data", after=1, hang=True))
    assert steps(answer) == [Stall(reading=False)]


@pytest.mark.parametrize(
    ("options", "early"),
    [
        ({"drop": True}, True),
        ({"drop": "rst"}, True),
        ({"reply": 421, "drop": True}, False),
        ({"raw": b"x", "drop": True}, False),
        ({"reply": 421}, False),
    ],
)
def test_only_a_drop_and_nothing_else_strikes_before_the_handshake(options: Any, early: bool) -> None:
    assert actions.is_early_drop(on("connect", **options)) is early
