"""MAIL and RCPT by their verdicts: who is in the envelope, and what a rule makes of what the RFC refuses."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd.rules.verdict import answer
from pytest_smtpd.smtp.replies import standard
from pytest_smtpd.smtp.session import Envelope
from pytest_smtpd.smtp.states import State
from tests.rfc.dialogue import EHLO, MAIL, RCPT
from tests.smtp.core import Core, core, instead

CAROL = "RCPT TO:<carol@server.example>"


def after(script: str, answers: dict[str, Any] | None = None, **settings: Any) -> Core:
    line = core(decide=instead({} if answers is None else answers), **settings)
    line.hold(f"S: 220\n{script}")
    return line


def delivered(line: Core) -> Envelope:
    assert line.codes("DATA\r\nx\r\n.") == [354, 250]
    return line.envelopes[-1]


def reached(line: Core) -> list[str]:
    """The hook points that the last event has reached."""
    return [hook for hook, _ in line.events[-1].points]


# --- the envelope ------


def test_envelope_has_what_the_parameters_say() -> None:
    line = after(EHLO)
    line.codes("MAIL FROM:<a@client.example> SIZE=3 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x+20y AUTH=<>")
    line.codes("RCPT TO:<b@x> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;q", "RCPT TO:<b@x>", "RCPT TO:<Postmaster>")
    envelope = delivered(line)
    assert envelope.mail_from == "a@client.example"
    assert envelope.mail_from.args == {
        "SIZE": "3", "BODY": "8BITMIME", "SMTPUTF8": True, "RET": "FULL", "ENVID": "x+20y", "AUTH": "<>",
    }  # fmt: skip
    assert (envelope.body_type, envelope.smtp_utf8, envelope.require_tls) == ("8bitmime", True, False)
    assert (envelope.dsn.ret, envelope.dsn.envid) == ("FULL", "x y")
    assert envelope.rcpt_to == ("b@x", "b@x", "Postmaster")
    first, second, _ = envelope.rcpt_to
    assert (first.dsn.notify, first.dsn.orcpt, first.args) == (
        ("SUCCESS", "DELAY"),
        "rfc822;q",
        {"NOTIFY": "SUCCESS,DELAY", "ORCPT": "rfc822;q"},
    )
    assert (second.dsn.notify, second.dsn.orcpt, second.args) == ((), None, {})


def test_sender_is_in_the_envelope_that_is_being_judged() -> None:
    seen: list[tuple[str, bool]] = []
    line = after(EHLO)

    def look(connection: Any, event: Any) -> Any:
        envelope = connection.session.envelope
        seen.append((envelope.mail_from, envelope.smtp_utf8))
        return [answer(standard(550))]

    line.decide = look
    assert line.codes("MAIL FROM:<ann@client.example> SMTPUTF8") == [550]
    assert seen == [("ann@client.example", True)]
    assert line.session.envelope is None


def test_sender_is_no_longer_there_when_it_has_been_refused_with_silence() -> None:
    line = after(EHLO, {"MAIL": None})
    assert line.codes("MAIL FROM:<ann@client.example>") == []
    assert (line.session.mail, line.state) == (None, State.READY)


def test_refused_recipients_are_in_the_envelope_with_their_replies() -> None:
    answers: dict[str, Any] = {"RCPT": "550 5.1.1 Nobody"}
    line = after(MAIL, answers)
    assert line.codes(CAROL) == [550]
    answers.clear()
    line.codes("RCPT TO:<bob@server.example>")
    envelope = delivered(line)
    assert envelope.rcpt_to == ("bob@server.example",)
    assert dict(envelope.refused) == {"carol@server.example": 550}
    assert line.session.error == 550


@pytest.mark.parametrize(
    ("settings", "command", "number"),
    [
        ({"max_recipients": 1}, CAROL, 452),
        ({}, f"{CAROL} FOO=bar", 555),
        ({}, f"{CAROL} NOTIFY=WHENEVER", 501),
        ({"strict": True}, "RCPT TO:<çarol@server.example>", 553),
    ],
)
def test_recipients_that_no_hook_is_asked_about_are_refused_all_the_same(
    settings: dict[str, Any], command: str, number: int
) -> None:
    line = after(RCPT, **settings)
    assert line.codes(command) == [number]
    assert reached(line) == ["command"]
    address = command.partition("<")[2].partition(">")[0]
    assert dict(delivered(line).refused) == {address: number}


def test_malformed_recipient_is_nobody() -> None:
    line = after(RCPT)
    assert line.codes("RCPT TO:<@broken>", "RCPT TO:<carol@server.example> A=1 A=1") == [501, 501]
    assert dict(delivered(line).refused) == {}


def test_recipient_without_a_transaction_is_refused_by_nobody() -> None:
    line = after(EHLO)
    assert line.codes(f"{CAROL} FOO=bar", "MAIL FROM:<a@b>", "RCPT TO:<c@d>") == [555, 250, 250]
    assert dict(delivered(line).refused) == {}


def test_recipient_that_is_accepted_at_the_second_try_was_not_refused() -> None:
    answers: dict[str, Any] = {"RCPT": 450}
    line = after(MAIL, answers)
    line.codes(CAROL)
    answers.clear()
    line.codes(CAROL)
    assert (delivered(line).rcpt_to, dict(line.envelopes[-1].refused)) == (("carol@server.example",), {})


@pytest.mark.parametrize("verdict", [None, 354, answer(standard(550))._replace(digit=0)])
def test_recipient_who_is_neither_accepted_nor_refused_is_in_no_list(verdict: Any) -> None:
    answers: dict[str, Any] = {}
    line = after(RCPT, answers)
    answers["RCPT"] = verdict
    line.codes(CAROL)
    answers.clear()
    assert (delivered(line).rcpt_to, dict(line.envelopes[-1].refused)) == (("bob@server.example",), {})


# --- limits ------


@pytest.mark.parametrize(("size", "number"), [("100", 250), ("101", 552), ("9" * 20, 552)])
def test_declared_size_is_held_against_the_limit_in_sequence(size: str, number: int) -> None:
    """RFC 1870 section 6.1; a command out of sequence is a 503 first."""
    assert after(EHLO, size=100).codes(f"MAIL FROM:<a@b> SIZE={size}") == [number]
    assert after("", size=100).codes(f"MAIL FROM:<a@b> SIZE={size}") == [503]


def test_login_comes_before_the_limits() -> None:
    line = after(EHLO, require_auth=True, size=0)
    assert line.codes("MAIL FROM:<a@b> SIZE=1", "MAIL FROM:<a@b>") == [530, 530]


@pytest.mark.parametrize("verdict", [250, 550])
def test_rule_outdoes_a_limit(verdict: int) -> None:
    """A limit refuses what is well-formed, so it means the same where a rule accepts it."""
    answers: dict[str, Any] = {"refused": verdict}
    line = after(RCPT, answers, max_recipients=1)
    assert line.codes(CAROL) == [verdict]
    assert len(line.session.recipients) == (2 if verdict == 250 else 1)
    line = after(EHLO, answers, size=5)
    assert line.codes("MAIL FROM:<a@b> SIZE=6") == [verdict]
    assert line.state is (State.MAIL if verdict == 250 else State.READY)


# --- what a rule accepts though the RFC refuses it ------


@pytest.mark.parametrize(
    ("command", "sender"),
    [
        ("MAIL FROM:<@broken>", "@broken"),
        ("MAIL FROM:<a b@c> SIZE=x", "a b@c"),
        ("MAIL FROM:<a@b", "a@b"),
        ("MAIL FROM:ann@client.example FOO=1", "ann@client.example"),
        ("MAIL <ann@client.example>", "ann@client.example"),
        ("MAIL FROM:@broken", "@broken"),
        ("MAIL", ""),
    ],
)
def test_malformed_sender_that_a_rule_accepts_stands_as_it_was_sent(command: str, sender: str) -> None:
    line = after(EHLO, {"refused": 250})
    assert line.codes(command, "RCPT TO:<bob@server.example>") == [250, 250]
    assert delivered(line).mail_from == sender


@pytest.mark.parametrize(
    ("command", "recipient"),
    [
        ("RCPT TO:<@broken>", "@broken"),
        ("RCPT TO:<>", ""),
        ("RCPT carol", "carol"),
        ("RCPT TO:@broken", "@broken"),
        (f"{CAROL} A=1 A=2", "carol@server.example"),
    ],
)
def test_malformed_recipient_that_a_rule_accepts_stands_as_it_was_sent(command: str, recipient: str) -> None:
    line = after(MAIL, {"refused": 250})
    assert line.codes(command) == [250]
    assert delivered(line).rcpt_to == (recipient,)


def test_recipient_whose_parameter_is_unknown_keeps_it_where_a_rule_accepts_it() -> None:
    line = after(MAIL, {"refused": 250})
    assert line.codes(f"{CAROL} FOO=bar") == [250]
    (carol,) = delivered(line).rcpt_to
    assert (carol, carol.args) == ("carol@server.example", {"FOO": "bar"})
