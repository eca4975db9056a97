"""Every line of the catalogue, in clear, after STARTTLS and in TLS from the first byte: the wire and the log."""

from __future__ import annotations

import smtplib
from dataclasses import dataclass
from functools import partial

import pytest

from pytest_smtpd import Call, SMTPServer, SMTPServerFactory, on
from tests.faults.catalogue import ROWS, SECTIONS
from tests.faults.stage import MESSAGE, Stage
from tests.faults.vocabulary import Declared, End, Fault, Given, Section, Under, Way, evaluate

_TLS = {Under.CLEAR: "starttls", Under.STARTTLS: "starttls", Under.IMPLICIT: "implicit"}


@dataclass(frozen=True)
class Case:
    """One way of one row, talked to in one manner."""

    fault: Fault
    section: Section
    number: int
    under: Under

    @property
    def way(self) -> Way:
        return self.fault.ways[self.number]

    @property
    def live(self) -> bool:
        """Whether the rules are made while the connection is open: after STARTTLS, which they do not mean."""
        return self.under is Under.STARTTLS and self.way.opening != "secured"

    def given(self) -> Given:
        return Given({}, ()) if self.way.is_statement else evaluate(self.way.line, on)

    def __str__(self) -> str:
        return f"{self.fault.id}-{self.number}-{self.under}"


CASES = [
    Case(fault, section, number, under)
    for section in SECTIONS
    for fault in section.faults
    for number, way in enumerate(fault.ways)
    for under in way.under or section.under
]


def _server(case: Case, factory: SMTPServerFactory) -> SMTPServer:
    given = case.given()
    settings = {"tls": _TLS[case.under], **given.settings}
    name = next((rule.words["name"] for rule in case.way.declared if "name" in rule.words), None)
    server = factory(name, on=() if case.live else given.rules, **settings)
    if case.way.is_statement:
        eval(case.way.line, {"smtpd": server})
    return server


def _put_in_force(case: Case, server: SMTPServer) -> None:
    """The same rules, made by `smtpd.on(...)`; the latest is asked first there, the first in a list."""
    for rule in reversed(case.way.declared):
        server.on(rule.hook, **rule.words)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_wire_and_the_log_show_what_the_row_says(case: Case, smtpd_factory: SMTPServerFactory) -> None:
    server = _server(case, smtpd_factory)
    with Stage(server, case.section, case.way, case.under) as stage:
        if case.live:
            stage.when_secured = partial(_put_in_force, case, server)
        stage.play()
        assert stage.elapsed >= case.way.takes
    if case.way.end is End.BLOCKED:
        server.stop()  # it does not read, so it cannot notice that the client has gone
    server.wait_closed()
    _the_log_is_whole(server)
    _the_rules_are_logged(case.way, server)
    _what_was_accepted_is_kept(case.way, stage.content, server)


def _the_log_is_whole(server: SMTPServer) -> None:
    calls = list(server.log)
    assert [call.number for call in calls] == list(range(1, len(calls) + 1))
    assert [call for call in calls if call.outcome in {"pending", "error"}] == []
    closed = [call.session.id for call in server.log.calls("close")]
    assert sorted(closed) == sorted(session.id for session in server.log.sessions())
    for session in server.log.sessions():
        refused = [call.reply for call in calls if call.session is session and call.outcome == "refused"]
        assert session.closed
        assert not refused or session.error == refused[-1]


def _the_rules_are_logged(way: Way, server: SMTPServer) -> None:
    answering = [rule for rule in way.declared if rule.answers]
    used = tuple(1 for _ in answering) if way.used is None else way.used
    struck = [call for call in server.log if call.rule is not None]
    rules = list({id(call.rule): call.rule for call in struck}.values())  # in the order of their first use
    assert tuple(rule.used for rule in rules if rule) == used[: len(answering)]
    for rule, declared in zip(rules, answering[: len(used)], strict=True):
        own = [call for call in struck if call.rule is rule and call.hook == declared.hook]
        assert own
        for call in own:
            _the_call_tells_the_truth(call, declared, way)
        assert f"by on({declared.hook!r}" in server.log.transcript()


def _the_call_tells_the_truth(call: Call, declared: Declared, way: Way) -> None:
    outcome = way.log or declared.outcome
    if outcome not in {None, "?"}:
        assert call.outcome == outcome
    if way.log is None and declared.code is not None:
        assert call.code == declared.code
        assert call.reply == declared.code
    text = str(declared.words.get("reply", ""))
    if way.log is None and len(text) > 3 and "\n" not in text:
        assert str(call.reply) == text


def _what_was_accepted_is_kept(way: Way, content: bytes, server: SMTPServer) -> None:
    assert len(server.envelopes) == way.kept
    assert [envelope.accepted for envelope in server.log.envelopes() if envelope.accepted] == [True] * way.kept
    for envelope in server.envelopes:
        assert envelope.mail_from == "ada@example.com"
        assert envelope.content == (way.content or content)
        assert way.rcpt_to is None or envelope.rcpt_to == way.rcpt_to


def test_every_row_has_its_place() -> None:
    found = [fault.id for section in SECTIONS for fault in section.faults]
    assert found == [f"{letter}{n:02}" for letter, count in ROWS.items() for n in range(1, count + 1)]


def test_a_row_has_a_line_or_a_reason() -> None:
    assert [f.id for s in SECTIONS for f in s.faults if bool(f.ways) == bool(f.reason)] == []


def test_no_talk_ends_without_a_reason_to_believe_it() -> None:
    """A talk that says nothing, of a row that ends open, would pass against any server."""
    empty = [way.line for s in SECTIONS for f in s.faults for way in f.ways if not way.talk and way.end is End.OPEN]
    assert empty == []


@pytest.mark.smtpd_on("connect", name="mx1", drop=True)
def test_a_rule_that_names_a_server_lets_the_other_one_deliver(smtpd_factory: SMTPServerFactory) -> None:
    first, second = smtpd_factory("mx1"), smtpd_factory("mx2")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        smtplib.SMTP(first.host, first.port, timeout=5)
    with smtplib.SMTP(second.host, second.port, timeout=5) as client:
        client.sendmail("ada@example.com", "bob@example.com", MESSAGE)
    assert (len(first.envelopes), len(second.envelopes)) == (0, 1)
