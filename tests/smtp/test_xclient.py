"""What XCLIENT and XFORWARD do to a session (Postfix: XCLIENT_README, XFORWARD_README), beyond ``tests/rfc``."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd.rules.verdict import Verdict, answer
from pytest_smtpd.smtp.events import Connected
from pytest_smtpd.smtp.replies import standard
from pytest_smtpd.smtp.states import State
from tests.rfc.sasl import plain
from tests.smtp.core import Core, core, instead

EHLO = "EHLO client.example"


def greeted(answers: dict[str, Any] | None = None, **settings: Any) -> Core:
    line = core(decide=instead({} if answers is None else answers), xclient=True, xforward=True, **settings)
    line.session.set_remote("192.0.2.1", 4711)
    assert line.codes(EHLO) == [220, 250]
    return line


def greetings(line: Core) -> list[list[str]]:
    """The hook points of each greeting."""
    return [[hook for hook, _ in event.points] for event in line.events if isinstance(event, Connected)]


def test_xclient_makes_the_client_someone_else() -> None:
    line = greeted()
    client = "ADDR=IPV6:2001:DB8::1 PORT=99 NAME=Host.Example HELO=h LOGIN=ada+20b PROTO=ESMTP"
    assert line.codes(f"XCLIENT {client} DESTADDR=192.0.2.9 DESTPORT=26") == [220]
    session = line.session
    assert (session.remote_address, session.remote_port, session.client_hostname) == ("2001:db8::1", 99, "host.example")
    assert (session.local_address, session.local_port) == ("192.0.2.9", 26)
    assert (session.hostname_appears_as, session.opening_command, session.user) == (None, None, "ada b")
    assert dict(session.xclient) == {
        "ADDR": "2001:db8::1", "PORT": "99", "NAME": "Host.Example", "HELO": "h", "LOGIN": "ada b",
        "DESTADDR": "192.0.2.9", "DESTPORT": "26", "PROTO": "ESMTP",
    }  # fmt: skip
    assert greetings(line) == [["connect"], ["connect", "auth"]]
    (login,) = [argument for hook, argument in line.events[-1].points if hook == "auth"]
    assert (login.method, login.username, login.password) == ("XCLIENT", "ada b", None)
    assert line.state is State.START


def test_attributes_of_several_xclients_add_up() -> None:
    line = greeted()
    assert line.codes("XCLIENT PORT=99", "xclient name=x name=y") == [220, 220]
    assert dict(line.session.xclient) == {"PORT": "99", "NAME": "x"}
    assert (line.session.remote_address, line.session.remote_port) == ("192.0.2.1", 99)
    assert line.session.client_hostname == "x"


@pytest.mark.parametrize("value", ["[UNAVAILABLE]", "[tempunavail]"])
def test_what_xclient_does_not_know_is_none(value: str) -> None:
    line = greeted()
    assert line.codes(f"XCLIENT NAME={value} LOGIN={value} ADDR={value} PORT={value}") == [220]
    assert dict(line.session.xclient) == {"NAME": None, "LOGIN": None, "ADDR": None, "PORT": None}
    assert (line.session.remote_address, line.session.remote_port) == ("192.0.2.1", 4711)
    assert line.session.client_hostname == "[192.0.2.1]"
    assert line.session.user is None


@pytest.mark.parametrize("attribute", ["", " LOGIN=[UNAVAILABLE]", " LOGIN=+20"])
def test_xclient_without_a_login_forgets_an_earlier_one(attribute: str) -> None:
    line = greeted()
    assert line.codes(f"AUTH PLAIN {plain('ada', 's3cret')}") == [235]
    assert line.codes(f"XCLIENT ADDR=192.0.2.7{attribute}") == [220]
    assert line.session.user is None
    assert greetings(line)[-1] == ["connect"]


@pytest.mark.parametrize(
    ("verdict", "user"),
    [
        (answer(standard(220), user="eve"), "eve"),
        (answer(standard(220)), "ada"),
        (answer(standard(554)), None),
        (answer(standard(554), wire=b"554 raw\r\n"), None),
    ],
)
def test_login_of_xclient_counts_with_the_new_greeting(verdict: Verdict, user: str | None) -> None:
    answers: dict[str, Any] = {}
    line = greeted(answers)
    answers["connect"] = verdict
    line.codes("XCLIENT LOGIN=ada")
    assert line.session.user == user


def test_login_of_xclient_counts_once() -> None:
    line = greeted()
    assert line.codes("XCLIENT LOGIN=ada", "XCLIENT NAME=x") == [220, 220]
    assert line.session.user is None


@pytest.mark.parametrize("verdict", [550, 250, None])
def test_xclient_that_a_rule_answers_changes_nothing(verdict: int | None) -> None:
    line = greeted({"XCLIENT": verdict})
    assert line.codes("XCLIENT ADDR=192.0.2.7 LOGIN=ada") == [verdict] * (verdict is not None)
    assert line.session.remote_address == "192.0.2.1"
    assert (dict(line.session.xclient), line.session.user) == ({}, None)
    assert line.session.hostname_appears_as == "client.example"


def test_handshake_is_not_reported_again_after_xclient() -> None:
    line = core(xclient=True, tls="implicit")
    line.handshake()
    assert line.codes("XCLIENT ADDR=192.0.2.7") == [220, 220]
    assert greetings(line) == [["connect", "secure"], ["connect"]]


@pytest.mark.parametrize("verdict", [250, 550, None])
def test_xforward_is_kept_if_it_is_accepted(verdict: int | None) -> None:
    answers: dict[str, Any] = {}
    line = greeted(answers)
    assert line.codes("XFORWARD NAME=n+20x ADDR=192.0.2.7") == [250]
    answers["XFORWARD"] = verdict
    line.codes("XFORWARD PROTO=SMTP IDENT=[UNAVAILABLE]")
    first = {"NAME": "n x", "ADDR": "192.0.2.7"}
    assert dict(line.session.xforward) == (first | {"PROTO": "SMTP", "IDENT": None} if verdict == 250 else first)
    assert line.session.remote_address == "192.0.2.1"


@pytest.mark.parametrize("argument", ["=x", "PORT=1_0", "PORT=+2B1", "PORT=+D9+A1", "PORT=-1", "NAME=a+0Ab", "NAME=+"])
@pytest.mark.parametrize("verb", ["XCLIENT", "XFORWARD"])
def test_malformed_attribute_is_refused(verb: str, argument: str) -> None:
    line = greeted()
    assert line.codes(f"{verb} {argument}") == [501]


@pytest.mark.parametrize(("verb", "attribute"), [("XCLIENT", "SOURCE"), ("XCLIENT", "IDENT"), ("XFORWARD", "LOGIN")])
def test_each_command_has_attributes_of_its_own(verb: str, attribute: str) -> None:
    assert greeted().codes(f"{verb} {attribute}=x") == [501]
