"""Each lint rule finds what breaks it, and nothing in what only nearly does."""

from __future__ import annotations

import re

import pytest

from pytest_smtpd import SMTPServer
from pytest_smtpd.lint.table import RULES
from tests.lint import dialogue_cases, message_cases
from tests.lint.scripts import Case, findings

CASES = {**dialogue_cases.CASES, **message_cases.CASES}
BROKEN = [pytest.param(rule, case, id=f"{rule}: {case.title}") for rule, own in CASES.items() for case in own.broken]
KEPT = [pytest.param(rule, case, id=f"{rule}: {case.title}") for rule, own in CASES.items() for case in own.kept]

# (certain, asked for by lint=True), rule by rule.
EXPECTED = {
    **dict.fromkeys(
        [
            "clear-password",
            "bare-lf",
            "bare-cr",
            "nul",
            "dot-stuffed-lf",
            "line-length",
            "early-talk",
            "pipelining",
            "smtputf8",
            "ehlo-name",
            "out-of-step",
            "limits",
            "bcc",
            "double-header",
            "auth-again",
            "same-message-id",
        ],
        (True, True),
    ),
    **dict.fromkeys(["8bit", "no-date", "no-from", "mime"], (True, False)),
    **dict.fromkeys(
        [
            "no-message-id",
            "no-quit",
            "helo-first",
            "size-wrong",
            "ehlo-unqualified",
            "unsubscribe",
            "not-in-headers",
            "not-in-envelope",
        ],
        (False, False),
    ),
}


def test_the_table_has_these_rules_with_this_certainty_and_default() -> None:
    assert {name: (row.certain, row.default) for name, row in RULES.items()} == EXPECTED


def test_there_are_at_least_three_cases_of_each_kind_for_each_rule() -> None:
    assert CASES.keys() == RULES.keys()
    assert [rule for rule, cases in CASES.items() if min(len(cases.broken), len(cases.kept)) < 3] == []


@pytest.mark.parametrize(("rule", "case"), BROKEN)
def test_what_breaks_a_rule_is_found(rule: str, case: Case) -> None:
    found = [finding for finding in findings(case) if finding.rule == rule]
    assert found
    for finding in found:
        assert finding.certain == EXPECTED[rule][0]
        assert finding.text.isprintable()
        assert re.search(r" \(RFC [0-9 .,RFC]+\); [a-z]", finding.text), finding.text
        assert len(finding.text) < 400
        assert finding.session.server == "smtpd"
        assert "s3cret" not in finding.text
        assert "guess" not in finding.text


@pytest.mark.parametrize(("rule", "case"), KEPT)
def test_near_miss_is_not_found(rule: str, case: Case) -> None:
    assert [finding.text for finding in findings(case) if finding.rule == rule] == []


def test_findings_of_a_message_name_its_envelope_and_others_none() -> None:
    with SMTPServer() as server:
        from tests.lint.scripts import hold, letter

        hold(server, letter(b"Subject: x\n\r\nHello\r\n").replace("client.example", "my_host"))
        by_rule = {finding.rule: finding for finding in server.lint}
        assert by_rule["bare-lf"].envelope is server.one()
        assert by_rule["ehlo-name"].envelope is None
        assert by_rule["bare-lf"].session is by_rule["ehlo-name"].session is server.one().session
