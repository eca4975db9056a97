"""One matching for rules and queries: texts and shell patterns, ``re.Pattern``, callables, and anything with ``==``."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from dirty_equals import Contains, IsInt, IsPartialDict, IsStr
from hypothesis import given
from hypothesis import strategies as st

from pytest_smtpd.calls import Call
from pytest_smtpd.match import agrees, differences, fold_address, matches, query_keys, shown
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.envelope import Envelope, Transaction
from pytest_smtpd.smtp.events import Command
from pytest_smtpd.smtp.sasl import Auth
from pytest_smtpd.smtp.session import Session


def envelope(
    *to: str, mail_from: str = "a@x", subject: str = "Hello World", user: Any = None, name: str = "smtpd"
) -> Envelope:
    return Envelope(
        id="s.1",
        mail_from=Address(mail_from),
        rcpt_to=tuple(map(Address, to)),
        content=f"Subject: {subject}\r\n\r\nhi".encode(),
        size=10,
        session=Session(id="s", server=name),
        user=user,
        accepted=True,
    )


def in_transaction(mail_from: str, *to: str, user: Any = None) -> Session:
    session = Session(id="s", server="smtpd", user=user)
    session.mail = Transaction(1, Address(mail_from), {}, recipients=list(map(Address, to)))
    return session


@pytest.mark.parametrize(
    ("expected", "actual", "agree"),
    [
        ("a", "a", True),
        ("a", "A", False),
        ("a", "ab", False),
        ("a*", "ab", True),
        ("*@x", "me@x", True),
        ("[ab]", "a", True),
        ("[ab]", "[ab]", True),  # equal comes first
        ("a?", "ab", True),
        ("", "", True),
        ("*", "", True),
        ("*", None, False),
        ("a", None, False),
        ("1", 1, False),
        (re.compile("b"), "abc", True),
        (re.compile("^b"), "abc", False),
        (re.compile("b"), b"abc", True),
        (re.compile("b"), None, False),
        (re.compile("1"), 1, False),
        (str.isdigit, "12", True),
        (lambda value: [], "x", False),
        (None, None, True),
        (None, "x", False),
        (5, 5, True),
        (True, 1, True),
        (b"x", b"x", True),
        (IsStr(regex="a.c"), "abc", True),
        (IsStr(regex="a.c"), Address("abc"), True),
        (IsInt(gt=3), 5, True),
        (IsInt(gt=3), 2, False),
        ({"a": 1}, {"a": 1}, True),
        (IsPartialDict(a=1), {"a": 1, "b": 2}, True),
        (550, SimpleNamespace(), False),
    ],
)
def test_what_agrees_with_what(expected: Any, actual: Any, agree: bool) -> None:
    assert agrees(expected, actual) is agree


@given(st.text(max_size=10))
def test_every_text_agrees_with_itself(text: str) -> None:
    assert agrees(text, text)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ada@EXAMPLE.com", "Ada@example.com"),
        ("*@EXAMPLE.*", "*@example.*"),
        ("Ada", "Ada"),
        ("", ""),
        ('"A@B"@C', '"A@B"@c'),
    ],
)
def test_addresses_compare_without_case_in_the_domain_only(text: str, folded: str) -> None:
    assert fold_address(text) == folded


@pytest.mark.parametrize(
    ("match", "agree"),
    [
        ({}, True),
        ({"to": "b@x"}, True),
        ({"to": "c@Y.example"}, True),
        ({"to": "C@y.example"}, False),
        ({"to": "*@y.EXAMPLE"}, True),
        ({"to": "d@x"}, False),
        ({"to": re.compile("^c@")}, True),
        ({"to": lambda address: address.domain == "x"}, True),
        ({"to": ("b@x", "c@y.example")}, True),
        ({"to": ("b@x",)}, False),
        ({"to": Contains("b@x")}, True),
        ({"mail_from": "a@X"}, True),
        ({"mail_from": "A@x"}, False),
        ({"subject": "Hello*"}, True),
        ({"subject": "hello*"}, False),
        ({"subject": re.compile("World")}, True),
        ({"user": "ada"}, True),
        ({"user": "bob"}, False),
        ({"name": "smtpd"}, True),
        ({"name": "other"}, False),
        ({"when": lambda subject: len(subject.rcpt_to) == 2}, True),
        ({"when": lambda subject: None}, False),
        ({"to": "b@x", "subject": "no"}, False),
    ],
)
def test_an_envelope_matches_if_every_key_does(match: dict[str, Any], agree: bool) -> None:
    subject = envelope("b@x", "c@y.example", user="ada")
    assert matches(subject, match) is agree
    assert (list(differences(subject, match)) == []) is agree


def test_a_mail_to_nobody_matches_no_recipient() -> None:
    assert not matches(envelope(), {"to": "*"})
    assert matches(envelope(), {"to": ()})


def call(hook: Any, argument: Any, session: Session) -> Call:
    return Call(hook, argument, session, 1, 0.0)


@pytest.mark.parametrize(
    ("subject", "match", "agree"),
    [
        (call("rcpt_to", Address("n@x"), in_transaction("a@x", "b@x")), {"to": "n@x"}, True),
        (call("rcpt_to", Address("n@x"), in_transaction("a@x", "b@x")), {"to": "b@x"}, False),
        (call("rcpt_to", Address("n@x"), in_transaction("a@x")), {"mail_from": "a@x"}, True),
        (call("mail_from", Address("n@x"), Session(id="s")), {"mail_from": "n@x"}, True),
        (call("mail_from", Address(""), Session(id="s")), {"mail_from": ""}, True),
        (call("data", None, in_transaction("a@x", "b@x", "c@x")), {"to": "c@x"}, True),
        (call("data", None, in_transaction("a@x", user="ada")), {"user": "ada"}, True),
        (call("auth", Auth("PLAIN", "ada"), Session(id="s")), {"user": "ada"}, True),
        (call("auth", Auth("PLAIN", "ada"), Session(id="s")), {"user": "bob"}, False),
        (call("connect", None, Session(id="s")), {"user": None}, True),
        (call("connect", None, Session(id="s", server="mx")), {"name": "m*"}, True),
        (call("command", Command(b"mail FROM:<a@x>"), Session(id="s")), {"verb": "mail"}, True),
        (call("command", Command(b"MAIL FROM:<a@x>"), Session(id="s")), {"verb": "M*"}, True),
        (call("command", Command(b"MAIL FROM:<a@x>"), Session(id="s")), {"verb": "RCPT"}, False),
        (call("close", None, in_transaction("a@x", "b@x")), {"to": "b@x", "mail_from": "a@x"}, True),
        (call("connect", None, Session(id="s")), {"mail_from": "a@x"}, False),
        (call("connect", None, Session(id="s")), {"when": lambda call: call.hook == "connect"}, True),
    ],
)
def test_a_call_matches_by_what_it_is_about(subject: Call, match: dict[str, Any], agree: bool) -> None:
    assert matches(subject, match) is agree


def test_an_exception_in_a_match_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        matches(envelope("b@x"), {"to": lambda address: 1 / 0})
    with pytest.raises(ZeroDivisionError):
        matches(envelope("b@x"), {"when": lambda subject: 1 / 0})


def test_when_is_asked_last_and_only_if_all_else_agrees() -> None:
    asked: list[object] = []
    assert not matches(envelope("b@x"), {"when": asked.append, "to": "other"})
    assert asked == []
    assert not matches(envelope("b@x"), {"when": asked.append, "to": "b@x"})
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("match", "text"),
    [
        ({"to": "z@x"}, "to is 'b@x', not 'z@x'"),
        ({"subject": re.compile("no")}, "subject is 'Hello World', not re.compile('no')"),
        ({"mail_from": str.isdigit}, "mail_from is 'a@x', not isdigit"),
        ({"user": 7}, "user is None, not 7"),
        ({"when": str.isdigit}, "when=isdigit is not true"),
    ],
)
def test_a_difference_says_what_is_there_and_what_was_asked_for(match: dict[str, Any], text: str) -> None:
    if "when" in match:
        match = {"when": lambda subject: False}
        text = "when=<lambda> is not true"
    (difference,) = differences(envelope("b@x"), match)
    assert str(difference) == text


def test_several_values_are_shown_together() -> None:
    assert shown(("a", Address("b"))) == "('a', 'b')"
    assert shown(Address("b")) == "'b'"


@pytest.mark.parametrize(
    ("kind", "match", "text"),
    [
        ("Envelope", {"too": "x"}, "unknown match key 'too' - did you mean 'to'?"),
        ("Envelope", {"outcome": "x"}, "unknown match key 'outcome'"),
        ("Call", {"htmll": "x"}, "unknown match key 'htmll'"),
        ("Session", {"secured": True}, "unknown match key 'secured' - did you mean 'secure'?"),
        ("Call", {"when": 5}, "when must be a function, not 5"),
    ],
)
def test_an_unknown_key_is_a_type_error_with_a_suggestion(kind: str, match: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError) as error:
        query_keys(kind, match)
    assert str(error.value).startswith(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["to", "mail_from", "subject", "user", "verb", "name", "when"])
@pytest.mark.parametrize("kind", ["Envelope", "Call", "Session"])
def test_the_keys_of_rules_are_known_to_every_query(kind: str, key: str) -> None:
    query_keys(kind, {key: str})
