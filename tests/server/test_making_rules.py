"""``on(...)``: what a rule is, and that whatever could never work is said when the rule is made, in one line."""

from __future__ import annotations

import re
from typing import Any
from unittest.mock import Mock

import pytest

from pytest_smtpd import Reply, Rule, SMTPServer, on
from tests.server.talk import nothing

HOOKS = ["connect", "secure", "auth", "mail_from", "rcpt_to", "data", "close", "command"]


def lower(usual: bytes) -> bytes:
    """What is sent instead of the usual answer."""
    return usual.lower()


GOOD: list[tuple[str, dict[str, Any]]] = [
    *((hook, {"reply": 550}) for hook in HOOKS if hook != "close"),
    *((hook, {"call": nothing}) for hook in HOOKS),
    *((hook, {"delay": 0}) for hook in HOOKS if hook != "close"),
    *((hook, {"then": b"421 bye\r\n"}) for hook in HOOKS if hook != "close"),
    *((hook, {"reply": 250, "accept": False}) for hook in HOOKS if hook not in ("close", "secure")),
    ("connect", {"drop": True}),
    ("connect", {"reply": "421-a\n421 b", "drop": "fin", "linger": 0.1, "drip": 0.1}),
    ("connect", {"raw": b""}),
    ("secure", {"after": 0, "drop": "rst"}),
    ("secure", {"after": 10, "raw": b"\x15"}),
    ("secure", {"after": 10, "hang": True}),
    ("auth", {"raw": b"334 \r\n", "user": "a"}),
    ("auth", {"raw": lower}),
    ("auth", {"reply": 334}),
    ("mail_from", {"drip": 0.5, "times": 1, "skip": 0}),
    ("mail_from", {"delay": 0, "reply": 250}),
    ("mail_from", {"reply": Reply(550, "5.7.1 No")}),
    ("mail_from", {"reply": [451, "450 4.7.1 Later", Reply(250, "2.1.0 Ok")], "skip": 1}),
    ("rcpt_to", {"reply": 250, "hang": True}),
    ("rcpt_to", {"reply": 450, "to": "x", "mail_from": re.compile("x"), "user": None, "name": "x", "optional": True}),
    ("rcpt_to", {"reply": 450, "to": {"x", re.compile("y")}, "when": nothing}),
    ("rcpt_to", {"raw": b"250 ok\n", "accept": True}),
    ("data", {"raw": b"250 ok\r\n", "accept": False}),
    ("data", {"drop": True, "accept": True}),
    ("data", {"reply": 552, "after": 10, "to": "x"}),
    ("data", {"reply": "552 a", "after": 0, "hang": True}),
    ("data", {"raw": b"", "hang": False, "drop": False}),
    ("data", {"reply": 552, "rcpt_to": ["a@x", "b@x"], "header": {"List-Id": "*", "Bcc": None}}),
    ("command", {"verb": "MAIL", "reply": 250}),
    ("close", {"call": nothing, "to": "x", "times": 2}),
]


@pytest.mark.parametrize(("hook", "options"), GOOD)
def test_a_rule_that_makes_sense_is_made(hook: Any, options: dict[str, Any]) -> None:
    rule = on(hook, **options)
    assert isinstance(rule, Rule)
    assert (rule.hook, rule.used) == (hook, 0)
    assert repr(rule).startswith(f"on({hook!r}")
    assert repr(rule).isprintable()


NEEDS = "a rule needs an action: reply=, raw=, drop=, hang= or call="
NO_CODE = "reply must be a code like 550 or text like '550 5.1.1 No such user', not "
DECIDES = "call= decides by itself; leave out reply=, raw=, drop= and hang="
AFTER = "after= needs reply=, raw=, drop= or hang="
FALSE = "accept=False needs a reply that accepts, like reply=250"

# The hook, the options, and what the error says; a TypeError where the kind is wrong, a ValueError where the value is.
SENSELESS: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    ("rcpt", {"reply": 550}, ValueError, "unknown hook 'rcpt' - did you mean 'rcpt_to'?"),
    ("RCPT_TO", {"reply": 550}, ValueError, "unknown hook 'RCPT_TO' - did you mean 'rcpt_to'?"),
    ("quit", {"reply": 550}, ValueError, 'unknown hook \'quit\' - write on("command", verb="QUIT", ...)'),
    ("login", {"reply": 550}, ValueError, "unknown hook 'login' - did you mean 'auth'"),
    (print, {"reply": 550}, TypeError, "on needs the name of a hook before the function: @smtpd.on('rcpt_to')"),
    (None, {"reply": 550}, ValueError, "unknown hook None"),
    (["rcpt_to"], {"reply": 550}, ValueError, "unknown hook ['rcpt_to']"),
    # No action.
    ("rcpt_to", {}, TypeError, f"on('rcpt_to'): {NEEDS}"),
    ("rcpt_to", {"times": 1}, TypeError, NEEDS),
    ("rcpt_to", {"drop": False}, TypeError, NEEDS),
    ("rcpt_to", {"hang": False, "to": "x"}, TypeError, NEEDS),
    ("close", {}, TypeError, "on('close'): a rule needs an action: call="),
    # What no call could match.
    ("command", {"verb": "RCPT TO", "reply": 550}, TypeError, "verb must be one verb, like 'RCPT', or a set of them"),
    (
        "data",
        {"rcpt_to": "ada@example.com", "reply": 550},
        TypeError,
        "rcpt_to must be all recipients in order, like ('ada@example.com', 'bob@example.com'), where to= is any one",
    ),
    # What is not known, or not at this hook.
    ("rcpt_to", {"replay": 550}, TypeError, "unknown action, modifier or match key 'replay' - did you mean 'reply'?"),
    ("rcpt_to", {"code": 550}, TypeError, "unknown action, modifier or match key 'code' - did you mean 'reply'?"),
    (
        "rcpt_to",
        {"sender": "x"},
        TypeError,
        "unknown action, modifier or match key 'sender' - did you mean 'mail_from'?",
    ),
    ("rcpt_to", {"reply": 550, "size": 3}, TypeError, "match key 'size' - that is a setting"),
    ("rcpt_to", {"reply": 550, "verb": "x"}, TypeError, "on('rcpt_to'): 'verb' applies to command, not to rcpt_to"),
    ("connect", {"reply": 550, "to": "x"}, TypeError, "on('connect'): 'to' applies to "),
    ("connect", {"reply": 550, "user": "x"}, TypeError, "not to connect"),
    ("mail_from", {"reply": 550, "to": "x"}, TypeError, "not to mail_from"),
    ("mail_from", {"reply": 550, "subject": "x"}, TypeError, "'subject' applies to data, not to mail_from"),
    ("rcpt_to", {"reply": 550, "rcpt_to": ("x",)}, TypeError, "'rcpt_to' applies to data, not to rcpt_to"),
    ("rcpt_to", {"reply": 550, "header": {"X": "y"}}, TypeError, "'header' applies to data, not to rcpt_to"),
    ("mail_from", {"reply": 550, "after": 1}, TypeError, "'after' applies to data and secure, not to mail_from"),
    ("secure", {"reply": 550, "accept": True}, TypeError, "not to secure"),
    ("close", {"reply": 550}, TypeError, "not to close, where nobody is left to be answered"),
    ("close", {"drop": True}, TypeError, "not to close, where nobody is left to be answered"),
    ("close", {"call": nothing, "delay": 1}, TypeError, "not to close, where nobody is left to be answered"),
    # Values.
    ("rcpt_to", {"reply": 199}, ValueError, f"{NO_CODE}199; a reply code is a number from 200 to 599"),
    ("rcpt_to", {"reply": 600}, ValueError, NO_CODE),
    ("rcpt_to", {"reply": "199 hm"}, ValueError, "; a reply code is a number from 200 to 599"),
    ("rcpt_to", {"reply": True}, ValueError, f"{NO_CODE}True"),
    ("rcpt_to", {"reply": None}, ValueError, f"{NO_CODE}None"),
    ("rcpt_to", {"reply": 550.0}, ValueError, f"{NO_CODE}550.0"),
    ("rcpt_to", {"reply": b"550"}, ValueError, NO_CODE),
    ("rcpt_to", {"reply": "no"}, ValueError, f"{NO_CODE}'no'"),
    ("rcpt_to", {"reply": "550 a\n551 b"}, ValueError, "; every line of a reply begins with the same code"),
    ("rcpt_to", {"reply": []}, ValueError, f"{NO_CODE}[]"),
    ("rcpt_to", {"reply": [550, "no"]}, ValueError, f"{NO_CODE}'no'"),
    ("rcpt_to", {"reply": [550, None]}, ValueError, NO_CODE),
    ("rcpt_to", {"reply": (550, 250)}, ValueError, NO_CODE),
    ("rcpt_to", {"drop": "now"}, TypeError, "drop must be True, 'fin' or 'rst', not 'now'"),
    ("rcpt_to", {"drop": 1}, TypeError, "drop must be True, 'fin' or 'rst', not 1"),
    ("rcpt_to", {"drop": None}, TypeError, "drop must be True, 'fin' or 'rst', not None"),
    ("rcpt_to", {"hang": 1}, TypeError, "hang must be True or False, not 1"),
    (
        "rcpt_to",
        {"raw": "x"},
        TypeError,
        "raw must be bytes, like b'250 ok\\r\\n', or a function of the usual answer's",
    ),
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
    (
        "rcpt_to",
        {"reply": 550, "then": "421 bye"},
        TypeError,
        "then must be bytes, like b'421 bye\\r\\n', not '421 bye'",
    ),
    ("data", {"reply": 550, "after": -1}, TypeError, "after must be a number of bytes from 0, not -1"),
    ("data", {"reply": 250, "accept": 1}, TypeError, "accept must be True or False, not 1"),
    ("rcpt_to", {"reply": 550, "optional": "yes"}, TypeError, "optional must be True or False, not 'yes'"),
    ("rcpt_to", {"reply": 550, "when": "x"}, TypeError, "when must be a function of the call, not 'x'"),
    (
        "rcpt_to",
        {"reply": 550, "to": ["a@x"]},
        TypeError,
        "to compares one value, not the list ['a@x']; any of several",
    ),
    ("data", {"reply": 550, "header": "List-Id"}, TypeError, "header must be a dict of header names, like {'List-Id'"),
    # Combinations.
    ("rcpt_to", {"reply": 550, "raw": b"x"}, ValueError, "on('rcpt_to'): reply= and raw= are two answers; give one"),
    ("rcpt_to", {"drop": True, "hang": True}, ValueError, "drop= closes and hang= keeps open; give one"),
    *(("rcpt_to", {"call": nothing, **one}, ValueError, DECIDES) for one in ({"reply": 550}, {"raw": b""})),
    *(("rcpt_to", {"call": nothing, **one}, ValueError, DECIDES) for one in ({"drop": True}, {"hang": True})),
    (
        "rcpt_to",
        {"reply": [450, 250], "times": 2},
        ValueError,
        "the length of a list of replies is how often the rule applies",
    ),
    ("rcpt_to", {"reply": 550, "linger": 1}, ValueError, "linger= is the time before a drop; add drop="),
    (
        "rcpt_to",
        {"drop": True, "linger": 1},
        ValueError,
        "linger= is the time between an answer and the drop; add reply=",
    ),
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
    ("rcpt_to", {"then": b"x", "drop": True}, ValueError, "then= needs an answer to follow; add reply= or raw="),
    ("data", {"after": 1, "delay": 1}, ValueError, AFTER),
    ("data", {"after": 1, "reply": 552, "subject": "x"}, ValueError, "when subject= and header= are not known yet"),
    ("data", {"after": 1, "reply": 552, "header": {"Bcc": None}}, ValueError, "subject= and header= are not known yet"),
    ("data", {"after": 1, "raw": bytes.upper}, ValueError, "for a raw= function to change; give raw= as bytes"),
    ("secure", {"after": 1, "raw": bytes.upper}, ValueError, "for a raw= function to change; give raw= as bytes"),
    ("data", {"after": 1, "call": nothing}, ValueError, AFTER),
    ("data", {"accept": True, "after": 1, "drop": True}, ValueError, "leaves no message to keep; leave out accept="),
    ("data", {"accept": True, "call": nothing}, ValueError, "a call= function decides by itself; leave out accept="),
    ("data", {"accept": True, "delay": 1}, ValueError, "accept= needs reply=, raw=, drop= or hang="),
    ("rcpt_to", {"accept": True, "drop": True}, ValueError, "accept= needs reply= or raw= here"),
    ("data", {"accept": False, "reply": 550}, ValueError, FALSE),
    ("data", {"accept": False, "reply": [250, 550]}, ValueError, FALSE),
    ("data", {"accept": False, "drop": True}, ValueError, FALSE),
    ("data", {"accept": False, "raw": b"250 ok"}, ValueError, FALSE),
    ("data", {"accept": False, "raw": b"450 no\r\n"}, ValueError, FALSE),
    (
        "secure",
        {"after": 1, "reply": 550},
        ValueError,
        "there is no reply inside a handshake; use raw=, drop= or hang=",
    ),
]


@pytest.mark.parametrize(("hook", "options", "kind", "text"), SENSELESS)
def test_what_could_never_work_is_said_at_once_and_in_one_line(
    hook: Any, options: dict[str, Any], kind: type[Exception], text: str
) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        on(hook, **options)
    assert text in str(caught.value)
    assert type(caught.value) is kind
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("hook", "options", "kind", "text"), [row for row in SENSELESS if "a rule needs an action" not in row[3]]
)
def test_a_server_says_the_same_and_keeps_no_rule(
    hook: Any, options: dict[str, Any], kind: type[Exception], text: str
) -> None:
    """Only a rule without an action is more to a server than to ``on(...)``: it may become a decorator."""
    server = SMTPServer()
    with pytest.raises(kind) as caught:
        server.on(hook, **options)
    assert text in str(caught.value)
    assert list(server.rules) == []


def test_an_unknown_name_lists_what_this_hook_can_have() -> None:
    with pytest.raises(TypeError) as caught:
        on("connect", nothing_like_it=1)  # type: ignore[call-arg]
    text = str(caught.value)
    assert "valid: reply, raw, drop, hang, call" in text
    assert "subject" not in text


def test_a_rule_in_the_place_of_a_hook_is_said_to_be_one() -> None:
    rule = on("rcpt_to", reply=550)
    with pytest.raises(TypeError, match=r"^on\('rcpt_to', reply=550\) is a rule already; give times= to the on\(...\)"):
        on(rule, times=1)  # type: ignore[arg-type]


# --- hook functions ------


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
    assert str(caught.value) == f"on('rcpt_to'): {name} is a generator, whose body would never run; leave out its yield"


def test_what_has_no_signature_may_be_a_hook() -> None:
    on("rcpt_to", call=max)
    on("rcpt_to", call=Mock())
