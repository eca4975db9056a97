"""Queries: one matching for rules, envelopes, calls and sessions, and what each of them can be asked for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from dirty_equals import Contains, IsInt, IsPartialDict, IsStr

from pytest_smtpd import Log, on
from tests.server.talk import ADA, BODY, DATA, HELLO, MAIL, PLAIN, Connect, Serve, codes, mistakes

# --- values ------


def message(subject: str) -> str:
    return f"Subject: {subject}\r\nX-Size: 12\r\n\r\nHello\r\n."


# What is asked for, what is there as the Subject, and whether it matches.
TEXTS: list[tuple[Any, str, bool]] = [
    ("a", "a", True),
    ("a", "A", False),
    ("a", "ab", False),
    ("a*", "ab", True),
    ("*b", "ab", True),
    ("a?", "ab", True),
    ("?", "ab", False),
    ("[ab]", "a", True),
    ("[!ab]", "a", False),
    ("*", "", True),
    ("", "", True),
    ("", "a", False),
    *((text, text, True) for text in ("[ab]", "[", "[!]", "a[b", "[[]", "*?", "a*b[c", "\\d")),
    (re.compile("b"), "abc", True),
    (re.compile("^b"), "abc", False),
    (re.compile("B"), "abc", False),
    (re.compile("B", re.IGNORECASE), "abc", True),
    (str.isdigit, "12", True),
    (str.isdigit, "ab", False),
    (lambda subject: [], "x", False),
    (None, "x", False),
    (5, "5", False),
    (b"x", "x", False),
    ({"a", "b*"}, "bcd", True),
    (frozenset({"a", re.compile("c$")}), "bcd", False),
    ({re.compile("c$"), str.isdigit}, "12", True),
    (set(), "x", False),
    (IsStr(regex="a.c"), "abc", True),
    (IsStr(regex="a.c"), "ac", False),
]


@pytest.mark.parametrize(("expected", "subject", "found"), TEXTS)
def test_a_text_is_matched_by_what_is_asked_for(
    serve: Serve, connect: Connect, expected: Any, subject: str, found: bool
) -> None:
    """The same in a rule, in a query of envelopes, and in one of calls."""
    server = serve(on("data", subject=expected, reply="250 2.0.0 found"))
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA, DATA)
    assert (wire.say(message(subject)).text == "found") is found
    assert bool(server.find(subject=expected)) is found
    assert bool(server.log.calls("data", subject=expected)) is found


OTHERS: list[tuple[dict[str, Any], bool]] = [
    ({"size": 34}, True),
    ({"size": IsInt(gt=33)}, True),
    ({"size": IsInt(lt=34)}, False),
    ({"size": "34"}, False),
    ({"size": re.compile("34")}, False),
    ({"size": lambda size: size > 33}, True),
    ({"size": {33, 34}}, True),
    ({"content": b"Subject: Hi\r\nX-Size: 12\r\n\r\nHello\r\n"}, True),
    ({"content": re.compile("^Hello", re.MULTILINE)}, True),
    ({"content": re.compile("^Subject: Ho")}, False),
    ({"text": "Hello*"}, True),
    ({"html": None}, True),
    ({"html": "*"}, False),
    ({"user": None}, True),
    ({"user": "*"}, False),
    ({"accepted": True}, True),
    ({"accepted": 1}, True),
    ({"smtp_utf8": False, "require_tls": False, "body_type": "7bit"}, True),
    ({"reply": 250}, True),
    ({"reply": {250, 251}}, True),
    ({"reply": lambda reply: reply.enhanced[:2] == "2."}, True),
    ({"header": {"X-Size": "1?"}}, True),
    ({"header": {"x-SIZE": re.compile("2$"), "Subject": {"Hi", "Ho"}}}, True),
    ({"header": {"X-Size": "1?", "Subject": "Ho"}}, False),
    ({"header": {"Bcc": None}}, True),
    ({"header": {"X-Size": None}}, False),
    ({"header": {"Bcc": "*"}}, False),
    ({"header": {}}, True),
]


@pytest.mark.parametrize(("match", "found"), OTHERS)
def test_what_is_no_text_is_matched_by_its_own_kind(
    serve: Serve, connect: Connect, match: dict[str, Any], found: bool
) -> None:
    server = serve()
    codes(connect(server), HELLO, MAIL, ADA, DATA, message("Hi"))
    assert bool(server.find(**match)) is found


# --- addresses ------

ADDRESSES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"to": "ada@example.com"}, True),
    ({"to": "Bob@Other.Example"}, True),
    ({"to": "Bob@other.example"}, True),
    ({"to": "Bob@OTHER.EXAMPLE"}, True),
    ({"to": "bob@other.example"}, False),
    ({"to": "*@OTHER.example"}, True),
    ({"to": "B*@*"}, True),
    ({"to": "Bob"}, False),
    ({"to": "eve@example.com"}, False),
    ({"to": re.compile("^Bob@")}, True),
    ({"to": {"eve@*", "Bob@*"}}, True),
    ({"to": {"eve@*", "bob@*"}}, False),
    ({"to": lambda address: address.domain == "Other.Example"}, True),
    ({"to": ("ada@example.com", "Bob@Other.Example")}, True),
    ({"to": Contains("ada@example.com")}, True),
    ({"to": IsStr(regex="Bob.*")}, True),
    ({"rcpt_to": ("ada@example.com", "Bob@Other.Example")}, True),
    ({"rcpt_to": ["ada@*", "*@other.EXAMPLE"]}, True),
    ({"rcpt_to": ["Bob@*", "ada@*"]}, False),
    ({"rcpt_to": ("ada@example.com",)}, False),
    ({"rcpt_to": {("ada@*",), ("ada@*", "Bob@*")}}, True),
    ({"rcpt_to": lambda addresses: len(addresses) == 2}, True),
    ({"mail_from": "app@EXAMPLE.com"}, True),
    ({"mail_from": "App@example.com"}, False),
    ({"mail_from": {"App@*", "app@*"}}, True),
    ({"mail_from": "*@example.com", "to": "ada@*"}, True),
    ({"mail_from": "*@example.com", "to": "eve@*"}, False),
    ({"when": lambda envelope: len(envelope.rcpt_to) == 2}, True),
    ({"when": lambda envelope: None}, False),
]


@pytest.mark.parametrize(("match", "found"), ADDRESSES)
def test_addresses_compare_without_case_in_the_domain_only(
    serve: Serve, connect: Connect, match: dict[str, Any], found: bool
) -> None:
    server = serve()
    codes(connect(server), HELLO, MAIL, ADA, "RCPT TO:<Bob@Other.Example>", DATA, BODY)
    assert bool(server.find(**match)) is found
    assert bool(server.log.envelopes(**match)) is found


def test_a_quoted_local_part_ends_at_the_last_at(serve: Serve, connect: Connect) -> None:
    server = serve()
    assert codes(connect(server), HELLO, MAIL, 'RCPT TO:<"A@B"@C.example>', DATA, BODY)[-1] == 250
    assert server.find(to='"A@B"@c.EXAMPLE')
    assert not server.find(to='"A@b"@c.example')


def test_the_null_sender_is_an_empty_text(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", mail_from="", reply="250 2.1.0 a bounce"))
    wire = connect(server)
    codes(wire, HELLO)
    assert wire.say("MAIL FROM:<>").text == "a bounce"
    codes(wire, ADA, DATA, BODY)
    assert server.find(mail_from="")
    assert server.find(mail_from="*")


# --- calls and sessions ------


@pytest.fixture
def log(serve: Serve, connect: Connect) -> Log:
    """The first client has sent a message and has left; the second was refused twice, and is still there."""
    rules = on("rcpt_to", to="eve@*", reply="550 5.1.1 No"), on("data", mail_from="boss@*", reply=554)
    server = serve(*rules, name="mx")
    with connect(server) as wire:
        codes(wire, "EHLO one.example", PLAIN, MAIL, ADA, "RCPT TO:<bob@example.com>", DATA, BODY, "QUIT")
    server.wait_closed()
    wire = connect(server)
    codes(wire, "HELO two.example", "mail from:<boss@example.com>", "RCPT TO:<eve@example.com>", ADA, DATA, BODY)
    return server.log


CALLS: list[tuple[str | None, dict[str, Any], str]] = [
    (None, {"to": "eve@*"}, "rcpt_to"),
    ("rcpt_to", {"to": "ada@*"}, "rcpt_to rcpt_to"),
    ("rcpt_to", {"to": "ada@*", "mail_from": "boss@*"}, "rcpt_to"),
    ("mail_from", {"mail_from": "boss@*"}, "mail_from"),
    ("data", {"to": "bob@*"}, "data"),
    ("data", {"rcpt_to": ["ada@*"]}, "data"),
    ("data", {"rcpt_to": ["ada@*", "bob@*"]}, "data"),
    ("data", {"subject": "Hi"}, "data data"),
    ("data", {"header": {"Subject": "Hi"}, "mail_from": "boss@*"}, "data"),
    ("command", {"verb": "mail"}, "command command"),
    ("command", {"verb": "?AIL"}, "command command"),
    ("command", {"verb": {"QUIT", "auth"}}, "command command"),
    ("auth", {"user": "ada"}, "auth"),
    ("auth", {"user": "bob"}, ""),
    ("connect", {"user": "ada"}, "connect"),
    ("connect", {"user": None}, "connect"),
    ("close", {"name": "m*"}, "close"),
    ("close", {"name": "smtpd"}, ""),
    (None, {"outcome": "refused"}, "command rcpt_to data"),
    (None, {"outcome": {"refused", "error"}, "code": 550}, "command rcpt_to"),
    ("rcpt_to", {"reply": 550}, "rcpt_to"),
    ("rcpt_to", {"rule": None}, "rcpt_to rcpt_to rcpt_to"),
    (None, {"rule": lambda rule: rule is not None}, "command rcpt_to data"),
    (None, {"number": IsInt(lt=3)}, "connect command"),
    ("command", {"heard": True, "verb": "QUIT"}, "command"),
    (None, {"heard": False}, "close"),
    ("connect", {"error": None}, "connect connect"),
    ("connect", {"mail_from": "*"}, ""),
    ("connect", {"when": lambda call: call.session.remote_port > 0}, "connect connect"),
]


@pytest.mark.parametrize(("hook", "match", "found"), CALLS)
def test_a_call_matches_by_what_it_is_about(log: Log, hook: Any, match: dict[str, Any], found: str) -> None:
    calls = log.calls(hook, **match)
    assert " ".join(call.hook for call in calls) == found
    assert [call.number for call in calls] == sorted(call.number for call in calls)


SESSIONS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [1, 2]),
    ({"closed": True}, [1]),
    ({"closed": False}, [2]),
    ({"ended": "quit"}, [1]),
    ({"ended": None}, [2]),
    ({"user": "ada"}, [1]),
    ({"secure": True}, []),
    ({"hostname_appears_as": "*.example"}, [1, 2]),
    ({"opening_command": "HELO"}, [2]),
    ({"transmission_type": "ESMTPA"}, [1]),
    ({"remote_address": "127.*"}, [1, 2]),
    ({"name": "mx"}, [1, 2]),
    ({"to": "ada@*"}, []),
    ({"when": lambda session: len(session.commands) == 5}, [2]),
]


@pytest.mark.parametrize(("match", "found"), SESSIONS)
def test_a_session_matches_by_what_it_is(log: Log, match: dict[str, Any], found: list[int]) -> None:
    sessions = log.sessions()
    assert [sessions.index(one) + 1 for one in log.sessions(**match)] == found


def test_a_session_matches_by_the_transaction_that_is_under_way(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire, other = connect(server), connect(server)
    codes(wire, HELLO, MAIL, ADA)
    codes(other, HELLO)
    one, two = server.log.sessions()
    assert server.log.sessions(to="ada@*") == server.log.sessions(mail_from="app@*") == [one]
    assert server.log.sessions(rcpt_to=["ada@*"]) == [one]
    assert server.log.sessions(rcpt_to=()) == [two]
    codes(wire, "RSET")
    assert server.log.sessions(mail_from="app@*") == []


def test_calls_and_envelopes_of_one_session(log: Log) -> None:
    first, second = log.sessions()
    calls = [log.calls(session=one) for one in (first, second)]
    assert sum(map(len, calls)) == len(log)
    assert {call.session for call in calls[1]} == {second}
    assert [envelope.accepted for envelope in log.envelopes(session=second)] == [False]
    assert log.envelopes(accepted=True) == log.envelopes(session=first)
    assert log.envelopes(id=first.id + "*") == log.envelopes(session=first)


def test_a_recipient_that_was_refused_is_in_no_envelope_but_in_its_refusals(log: Log) -> None:
    (envelope,) = log.envelopes(accepted=False)
    assert envelope.rcpt_to == ("ada@example.com",)
    assert envelope.refused == IsPartialDict({"eve@example.com": 550})
    assert log.envelopes(to="eve@*") == []


# --- functions ------


def test_when_is_asked_last_and_only_if_all_else_matches(serve: Serve, connect: Connect) -> None:
    server, asked = serve(), []
    codes(connect(server), HELLO, MAIL, ADA, DATA, BODY)

    def ask(envelope: Any) -> bool:
        asked.append(envelope)
        return False

    assert server.find(when=ask, to="other@*") == []
    assert asked == []
    assert server.find(when=ask, to="ada@*") == []
    assert asked == [server.one()]


@pytest.mark.parametrize("match", [{"to": lambda address: 1 / 0}, {"when": lambda subject: 1 / 0}], ids=["to", "when"])
def test_an_exception_in_a_query_reaches_whoever_asks_and_nobody_else(
    serve: Serve, connect: Connect, match: dict[str, Any]
) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA, DATA, BODY)
    for query in (server.find, server.one, server.log.envelopes, server.log.calls):
        with pytest.raises(ZeroDivisionError):
            query(**match)
    assert codes(wire, "QUIT") == [221]
    assert mistakes(server) == []


# --- what cannot be asked ------


@pytest.mark.parametrize(
    ("query", "match", "text"),
    [
        ("envelopes", {"too": "x"}, "unknown match key 'too' - did you mean 'to'? (valid: to, mail_from, rcpt_to, "),
        ("envelopes", {"sender": "x"}, "unknown match key 'sender' - did you mean 'mail_from'?"),
        ("envelopes", {"body": "x"}, "unknown match key 'body' - did you mean 'text'?"),
        ("envelopes", {"outcome": "x"}, "unknown match key 'outcome' (valid: "),
        ("envelopes", {"Subject": "x"}, "unknown match key 'Subject' - did you mean 'subject'?"),
        ("calls", {"htmll": "x"}, "unknown match key 'htmll' (valid: "),
        ("calls", {"outcom": "x"}, "unknown match key 'outcom' - did you mean 'outcome'?"),
        ("sessions", {"secured": True}, "unknown match key 'secured' - did you mean 'secure'?"),
        ("envelopes", {"verb": "MAIL"}, "'verb' applies to calls, not to envelopes"),
        ("sessions", {"verb": "MAIL"}, "'verb' applies to calls, not to sessions"),
        ("calls", {"when": 5}, "when must be a function of the call, not 5"),
        ("envelopes", {"to": ["a@x", "b@x"]}, "to compares one value, not the list ['a@x', 'b@x']; any of several is"),
        ("envelopes", {"subject": ["a"]}, "subject compares one value, not the list ['a']; any of several is a set"),
        ("envelopes", {"header": "X-Size"}, "header must be a dict of header names, like {'List-Id': '*news*'}, each"),
        ("envelopes", {"header": {"To": ["a", "b"]}}, "header must be a dict of header names, like {'List-Id'"),
        ("envelopes", {"header": {"Subject", "To"}}, "header must be a dict of header names"),
    ],
)
def test_what_cannot_be_asked_is_a_type_error_in_one_line(
    serve: Serve, query: str, match: dict[str, Any], text: str
) -> None:
    with pytest.raises(TypeError) as caught:
        getattr(serve().log, query)(**match)
    assert str(caught.value).startswith(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("query", ["find", "log.envelopes", "log.calls", "log.sessions"])
def test_the_keys_of_rules_are_known_to_every_query(serve: Serve, query: str) -> None:
    function: Any = serve()
    for name in query.split("."):
        function = getattr(function, name)
    for key in ("to", "mail_from", "rcpt_to", "subject", "user", "name", "when"):
        assert function(**{key: str}) == []
    assert function(header={}) == []


# --- the view of accepted envelopes ------


def test_the_view_is_a_live_read_only_sequence_equal_to_a_list(serve: Serve, connect: Connect) -> None:
    server = serve()
    view = server.envelopes
    assert view == []
    assert not view
    codes(connect(server), HELLO, *[MAIL, ADA, DATA, BODY] * 2)
    one, two = server.log.envelopes()
    assert view == [one, two]
    assert view == (one, two)
    assert view == server.envelopes
    assert view != [two, one]
    assert view != 5
    assert (view[0], view[-1], view[0:1], list(reversed(view))) == (one, two, [one], [two, one])
    assert one in view
    assert view.index(two) == 1
    assert repr(view) == repr([one, two])
    assert not hasattr(view, "append")
    with pytest.raises(TypeError):
        hash(view)
    server.clear()
    assert list(view) == []


def test_envelopes_may_come_while_the_view_is_walked(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA, DATA, BODY)
    for _ in server.envelopes:
        codes(wire, MAIL, ADA, DATA, BODY)
    assert len(server.envelopes) == 2
