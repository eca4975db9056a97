"""``on(...)``: what a rule is, and every senseless combination, said when the rule is made."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import Mock

import pytest

from pytest_smtpd import on
from pytest_smtpd.policy.book import RuleBook
from pytest_smtpd.rules import Rule

HOOKS = ["connect", "secure", "auth", "mail_from", "rcpt_to", "data", "close", "command"]


def call(*args: object) -> None:
    """A hook that does nothing."""


GOOD: list[tuple[str, dict[str, Any]]] = [
    *((hook, {"reply": 550}) for hook in HOOKS[:-2]),
    *((hook, {"call": call}) for hook in HOOKS),
    ("connect", {"drop": True}),
    ("connect", {"reply": "421-a\n421 b", "drop": "fin", "linger": 0.1, "drip": 0.1}),
    ("secure", {"after": 0, "drop": "rst"}),
    ("secure", {"after": 10, "raw": b"\x15"}),
    ("secure", {"after": 10, "hang": True}),
    ("auth", {"raw": b"334 \r\n", "user": "a"}),
    ("auth", {"reply": 334}),
    ("mail_from", {"delay": 1}),
    ("mail_from", {"drip": 0.5, "times": 1, "skip": 0}),
    ("mail_from", {"delay": 0, "reply": 250}),
    ("rcpt_to", {"reply": 250, "hang": True}),
    (
        "rcpt_to",
        {
            "to": "x",
            "mail_from": re.compile("x"),
            "user": None,
            "name": "x",
            "when": call,
            "reply": 450,
            "optional": True,
        },
    ),
    ("data", {"reply": 250, "accept": False}),
    ("data", {"raw": b"250 ok\r\n", "accept": False}),
    ("data", {"drop": True, "accept": True}),
    ("data", {"reply": 552, "after": 10, "subject": "x"}),
    ("data", {"reply": "552 a", "after": 0, "hang": True}),
    ("data", {"raw": b"", "hang": False, "drop": False}),
    ("command", {"verb": "MAIL", "reply": 250}),
    ("close", {"call": call, "to": "x", "times": 2}),
]


@pytest.mark.parametrize(("hook", "options"), GOOD)
def test_a_rule_that_makes_sense_is_made(hook: Any, options: Any) -> None:
    rule = on(hook, **options)
    assert isinstance(rule, Rule)
    assert rule.hook == hook
    assert (rule.seen, rule.used, rule.ended) == (0, 0, False)
    assert "\n" not in repr(rule)
    assert repr(rule).startswith(f"on({hook!r}")


SENSELESS: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ("rcpt", {"reply": 550}, ValueError, "unknown hook 'rcpt' - did you mean 'rcpt_to'?"),
    (None, {"reply": 550}, ValueError, "unknown hook None"),
    ("rcpt_to", {}, TypeError, "on('rcpt_to'): a rule needs an action: reply=, drop=, hang=, raw= or call="),
    ("rcpt_to", {"times": 1}, TypeError, "a rule needs an action"),
    ("rcpt_to", {"drop": False}, TypeError, "a rule needs an action"),
    ("rcpt_to", {"hang": False, "to": "x"}, TypeError, "a rule needs an action"),
    ("close", {}, TypeError, "on('close'): a rule needs an action: call="),
    ("rcpt_to", {"replay": 550}, TypeError, "unknown action, modifier or match key 'replay' - did you mean 'reply'?"),
    (
        "rcpt_to",
        {"reply": 550, "verb": "x"},
        TypeError,
        "on('rcpt_to'): the match key 'verb' can never apply to this hook",
    ),
    ("connect", {"reply": 550, "to": "x"}, TypeError, "the match key 'to' can never apply to this hook"),
    ("connect", {"reply": 550, "user": "x"}, TypeError, "the match key 'user' can never apply to this hook"),
    ("mail_from", {"reply": 550, "to": "x"}, TypeError, "the match key 'to' can never apply to this hook"),
    ("mail_from", {"reply": 550, "subject": "x"}, TypeError, "the match key 'subject' can never apply to this hook"),
    ("mail_from", {"reply": 550, "after": 1}, TypeError, "the modifier 'after' can never apply to this hook"),
    ("rcpt_to", {"reply": 550, "accept": True}, TypeError, "the modifier 'accept' can never apply to this hook"),
    ("close", {"reply": 550}, TypeError, "the action 'reply' can never apply to this hook"),
    ("close", {"drop": True}, TypeError, "the action 'drop' can never apply to this hook"),
    ("close", {"call": call, "delay": 1}, TypeError, "the modifier 'delay' can never apply to this hook"),
    (
        "rcpt_to",
        {"reply": 199},
        ValueError,
        "reply must be a code like 550 or text like '550 5.1.1 No such user', not 199",
    ),
    ("rcpt_to", {"reply": 600}, ValueError, "reply must be a code"),
    ("rcpt_to", {"reply": True}, ValueError, "reply must be a code"),
    ("rcpt_to", {"reply": None}, ValueError, "reply must be a code"),
    ("rcpt_to", {"reply": 550.0}, ValueError, "reply must be a code"),
    ("rcpt_to", {"reply": b"550"}, ValueError, "reply must be a code"),
    ("rcpt_to", {"reply": "no"}, ValueError, "reply must be a code"),
    ("rcpt_to", {"reply": "550 a\n551 b"}, ValueError, "reply must be a code"),
    ("rcpt_to", {"drop": "now"}, TypeError, "drop must be True, 'fin' or 'rst', not 'now'"),
    ("rcpt_to", {"drop": 1}, TypeError, "drop must be True, 'fin' or 'rst', not 1"),
    ("rcpt_to", {"hang": 1}, TypeError, "hang must be True or False, not 1"),
    ("rcpt_to", {"raw": "x"}, TypeError, "raw must be bytes, like b'250 ok\\r\\n', not 'x'"),
    ("rcpt_to", {"call": 5}, TypeError, "call must be a function, not 5"),
    ("rcpt_to", {"reply": 550, "times": 0}, TypeError, "times must be a number from 1, not 0"),
    ("rcpt_to", {"reply": 550, "times": 1.5}, TypeError, "times must be a number from 1, not 1.5"),
    ("rcpt_to", {"reply": 550, "times": True}, TypeError, "times must be a number from 1, not True"),
    ("rcpt_to", {"reply": 550, "skip": -1}, TypeError, "skip must be a number from 0, not -1"),
    ("rcpt_to", {"delay": -1}, TypeError, "delay must be a number of seconds from 0, not -1"),
    ("rcpt_to", {"delay": "1"}, TypeError, "delay must be a number of seconds from 0, not '1'"),
    ("rcpt_to", {"delay": float("inf")}, TypeError, "delay must be a number of seconds from 0, not inf"),
    ("rcpt_to", {"delay": float("nan")}, TypeError, "delay must be a number of seconds from 0, not nan"),
    ("rcpt_to", {"reply": 550, "drip": None}, TypeError, "drip must be a number of seconds from 0"),
    ("rcpt_to", {"reply": 550, "drop": True, "linger": -0.1}, TypeError, "linger must be a number of seconds from 0"),
    ("data", {"reply": 550, "after": -1}, TypeError, "after must be a number of bytes from 0, not -1"),
    ("data", {"reply": 250, "accept": 1}, TypeError, "accept must be True or False, not 1"),
    ("rcpt_to", {"reply": 550, "optional": "yes"}, TypeError, "optional must be True or False, not 'yes'"),
    ("rcpt_to", {"reply": 550, "when": "x"}, TypeError, "when must be a function of the call, not 'x'"),
    ("rcpt_to", {"reply": 550, "raw": b"x"}, ValueError, "on('rcpt_to'): reply= and raw= are two answers; give one"),
    ("rcpt_to", {"drop": True, "hang": True}, ValueError, "drop= closes and hang= keeps open; give one"),
    (
        "rcpt_to",
        {"call": call, "reply": 550},
        ValueError,
        "call= decides by itself; leave out reply=, raw=, drop= and hang=",
    ),
    ("rcpt_to", {"call": call, "raw": b""}, ValueError, "call= decides by itself"),
    ("rcpt_to", {"call": call, "drop": True}, ValueError, "call= decides by itself"),
    ("rcpt_to", {"call": call, "hang": True}, ValueError, "call= decides by itself"),
    ("rcpt_to", {"reply": 550, "linger": 1}, ValueError, "linger= is the time before a drop; add drop="),
    (
        "rcpt_to",
        {"drop": True, "linger": 1},
        ValueError,
        "linger= is the time between an answer and the drop; add reply= or raw=",
    ),
    ("data", {"after": 1, "delay": 1}, ValueError, "after= needs reply=, raw=, drop= or hang="),
    ("data", {"after": 1, "call": call}, ValueError, "after= needs reply=, raw=, drop= or hang="),
    ("data", {"accept": True, "call": call}, ValueError, "a call= function decides by itself; leave out accept="),
    ("data", {"accept": True, "delay": 1}, ValueError, "accept= needs reply=, raw=, drop= or hang="),
    ("data", {"accept": False, "reply": 550}, ValueError, "accept=False needs a reply that accepts, like reply=250"),
    ("data", {"accept": False, "drop": True}, ValueError, "accept=False needs a reply that accepts, like reply=250"),
    (
        "data",
        {"accept": False, "raw": b"250 ok"},
        ValueError,
        "accept=False needs a reply that accepts, like reply=250",
    ),
    ("data", {"accept": False, "raw": b"450 ok\r\n"}, ValueError, "accept=False needs a reply that accepts"),
    (
        "rcpt_to",
        {"drip": 1, "drop": True},
        ValueError,
        "drip= needs an answer to send byte by byte; add reply= or raw=",
    ),
    (
        "rcpt_to",
        {"drip": 1, "hang": True},
        ValueError,
        "drip= needs an answer to send byte by byte; add reply= or raw=",
    ),
    (
        "secure",
        {"after": 1, "reply": 550},
        ValueError,
        "there is no reply inside a handshake; use raw=, drop= or hang= with after=",
    ),
]


@pytest.mark.parametrize(("hook", "options", "error", "text"), SENSELESS)
def test_what_could_never_work_is_said_at_once_and_in_one_line(
    hook: Any, options: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        on(hook, **options)
    assert type(caught.value) is error
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_what_this_hook_can_have() -> None:
    with pytest.raises(TypeError) as caught:
        on("connect", nothing_like_it=1)  # type: ignore[call-arg]
    text = str(caught.value)
    assert "valid: reply, drop, hang, raw, call" in text
    assert "subject" not in text


# --- counting ------


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ({}, [True, True, True, True]),
        ({"times": 2}, [True, True, False, False]),
        ({"skip": 1}, [False, True, True, True]),
        ({"skip": 2, "times": 1}, [False, False, True, False]),
        ({"skip": 0, "times": 1}, [True, False, False, False]),
    ],
)
def test_times_and_skip_count_the_calls_that_come_to_the_rule(options: Any, taken: list[bool]) -> None:
    rule = on("rcpt_to", reply=550, **options)
    for expected in taken:
        assert rule.would_take() is expected
        assert rule.take() is expected
    assert rule.used == sum(taken)
    assert rule.seen == 4


def test_an_ended_rule_applies_to_nothing() -> None:
    with on("rcpt_to", reply=550) as rule:
        assert rule.take()
    assert rule.ended
    assert not rule.take()
    assert rule.used == 1


def test_a_rule_ends_with_its_block_even_if_that_fails() -> None:
    rule = on("rcpt_to", reply=550)
    with pytest.raises(ZeroDivisionError), rule:
        _ = 1 / 0
    assert rule.ended


def test_a_copy_starts_fresh_and_remembers_where_it_comes_from() -> None:
    rule = on("rcpt_to", reply=550, times=1)
    rule.take()
    fresh = rule.copy(optional=True)
    assert (fresh.used, fresh.seen, fresh.ended, fresh.optional) == (0, 0, False, True)
    assert fresh.origin is rule
    assert repr(fresh) == repr(rule)
    assert on("rcpt_to", reply=550, optional=False).copy(optional=True).optional is False


@pytest.mark.parametrize(
    ("options", "answers"),
    [
        ({"reply": 250}, True),
        ({"drop": True}, True),
        ({"raw": b""}, True),
        ({"hang": True}, True),
        ({"call": call}, True),
        ({"delay": 1}, False),
        ({"drip": 1}, False),
    ],
)
def test_a_rule_with_a_delay_alone_does_not_answer(options: Any, answers: bool) -> None:
    assert on("rcpt_to", **options).answers is answers


# --- how it is shown ------


@pytest.mark.parametrize(
    ("hook", "options", "shown", "name"),
    [
        ("connect", {"reply": 421}, "on('connect', reply=421)", "connect-421"),
        ("data", {"drop": True}, "on('data', drop=True)", "data-drop"),
        ("data", {"drop": "rst"}, "on('data', drop='rst')", "data-drop=rst"),
        ("data", {"after": 10, "reply": 552}, "on('data', reply=552, after=10)", "data-552-after=10"),
        (
            "rcpt_to",
            {"to": "bounce@*", "reply": 550},
            "on('rcpt_to', reply=550, to='bounce@*')",
            "rcpt_to-550-to=bounce@*",
        ),
        ("rcpt_to", {"reply": "550 5.1.1 No"}, "on('rcpt_to', reply='550 5.1.1 No')", "rcpt_to-550 5.1.1 No"),
        ("rcpt_to", {"call": call}, "on('rcpt_to', call=call)", "rcpt_to-call=call"),
        (
            "rcpt_to",
            {"to": re.compile("x"), "hang": True},
            "on('rcpt_to', hang=True, to=re.compile('x'))",
            "rcpt_to-hang-to=re.compile('x')",
        ),
        ("rcpt_to", {"reply": 450, "optional": True}, "on('rcpt_to', reply=450, optional=True)", "rcpt_to-450"),
    ],
)
def test_a_rule_is_shown_with_its_action_first(hook: Any, options: Any, shown: str, name: str) -> None:
    rule = on(hook, **options)
    assert repr(rule) == shown
    assert rule.__name__ == name


def test_a_long_value_is_shortened() -> None:
    assert len(repr(on("rcpt_to", reply="550 " + "x" * 1000))) < 200


# --- the book of rules ------


def test_the_nearest_rule_is_asked_first() -> None:
    first, second, third = (on("rcpt_to", reply=code) for code in (450, 451, 452))
    other = on("mail_from", reply=550)
    book = RuleBook([first, other])
    book.add(second)
    book.add(third, nearest=True)
    assert book.at("rcpt_to") == (third, first, second)
    assert list(book) == [third, first, other, second]
    assert book.at("data") == ()


def test_replacing_the_rules_leaves_a_walk_that_has_begun_alone() -> None:
    rule = on("rcpt_to", reply=450)
    book = RuleBook([rule])
    walk = iter(book.at("rcpt_to"))
    book.replace([on("data", drop=True)])
    assert next(walk) is rule
    assert book.at("rcpt_to") == ()
    assert len(book.at("data")) == 1


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_that_cannot_be_called_is_refused_when_the_rule_is_made(hook: Any) -> None:
    def wrong(one: object, two: object, three: object) -> None: ...

    arguments = "session" if hook in ("connect", "close") else r"\w+, session"
    text = rf"^on\('{hook}'\): the hook is called with \({arguments}\), not as wrong\(one, two, three\)$"
    with pytest.raises(TypeError, match=text):
        on(hook, call=wrong)
    on(hook, call=lambda *args: None)
    on(hook, call=lambda *args, more=1: None)


async def _generates(address: object, session: object) -> Any:
    yield


@pytest.mark.parametrize("function", [_generates, lambda address, session: (yield)], ids=["async def", "def"])
def test_a_generator_is_no_hook(function: Any) -> None:
    with pytest.raises(TypeError) as caught:
        on("rcpt_to", call=function)
    name = function.__name__
    assert str(caught.value) == (
        f"on('rcpt_to'): {name} is a generator, whose body would never run; leave out its yield"
    )


def test_what_has_no_signature_may_be_a_hook() -> None:
    on("rcpt_to", call=max)
    on("rcpt_to", call=Mock())
