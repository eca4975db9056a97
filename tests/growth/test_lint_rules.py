"""A lint rule is one row of ``table.RULES``, and the example that its page has to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_smtpd import SMTPServer
from pytest_smtpd.lint.facts import Facts
from pytest_smtpd.lint.finding import LintRule, Seen
from pytest_smtpd.lint.table import RULES
from tests.growth.tables import one_line, page, refusal, required, row_of, without
from tests.sweep.inner import send


def shouts(facts: Facts) -> Iterator[Seen]:
    """Subjects in capitals."""
    for mail in facts.mails:
        subject = mail.envelope.subject or ""
        if subject.isupper():
            yield Seen(mail.at, f"the subject {subject!r}", mail.envelope.session, mail.envelope)


ROW = LintRule(
    "a subject in capitals", "RFC 5322 3.6.5", certain=False, default=True, find=shouts, advice="do not shout"
)
TEXT = "the subject 'BUY NOW' (RFC 5322 3.6.5); do not shout"


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "shouts", ROW)


# --- a whole row ----------------------------------------------------------------------------------------------------


def test_the_server_has_what_it_finds() -> None:
    with SMTPServer() as server:
        send(server, subject="BUY NOW")
        send(server, subject="Hello")
        (found,) = [one for one in server.lint if one.rule == "shouts"]
        assert (found.text, found.certain) == (TEXT, False)
        assert found.envelope is server.envelopes[0]


@pytest.mark.parametrize(
    ("settings", "failed"),
    [
        ("lint=True", 1),
        ("lint='all'", 1),
        ("lint='shouts'", 1),
        ("lint={'shouts', 'bcc'}", 1),
        ("lint='bcc'", 0),
        ("lint='shouts', lint_ignore='shouts'", 0),
    ],
)
def test_settings_know_its_name(run: Callable[..., pytest.RunResult], settings: str, failed: int) -> None:
    result = run(f"""
        from tests.sweep.inner import send

        @pytest.mark.smtpd({settings})
        def test_mail(smtpd):
            send(smtpd, subject="BUY NOW")
    """)
    result.assert_outcomes(passed=1 - failed, failed=failed)
    assert (TEXT in result.stdout.str()) is bool(failed)


def test_rule_that_is_no_default_has_to_be_asked_for(
    run: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, "shouts", ROW._replace(default=False))
    result = run("""
        from tests.sweep.inner import send

        @pytest.mark.smtpd(lint=True)
        def test_mail(smtpd):
            send(smtpd, subject="BUY NOW")
    """)
    result.assert_outcomes(passed=1)


def test_suggestions_know_it() -> None:
    with pytest.raises(ValueError) as caught:
        SMTPServer(lint="shoust")
    assert "did you mean 'shouts'?" in one_line(caught.value)


def test_the_reference_lists_it() -> None:
    cells = row_of("[`shouts`](../how-to/other-side.md#shouts)", page("lint"))
    assert cells[1:3] == ["a subject in capitals", "RFC 5322 3.6.5"]


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", required(ROW))
def test_a_row_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(ROW, part)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"what": ""}, "what= and advice= must say what is wrong, and what to do"),
        ({"advice": ""}, "what= and advice= must say what is wrong, and what to do"),
        ({"rfc": ""}, "rfc= must name the RFC and its section, not ''"),
        ({"rfc": "5322"}, "rfc= must name the RFC and its section, not '5322'"),
        ({"certain": None}, "certain= must be True or False, not None"),
        ({"certain": "perhaps"}, "certain= must be True or False, not 'perhaps'"),
        ({"default": 1}, "default= must be True or False, not 1"),
        ({"find": None}, "find= must be a function, not None"),
    ],
)
def test_half_a_row_may_not_enter(change: dict[str, Any], problem: str) -> None:
    assert refusal(RULES, "new", ROW._replace(**change)).startswith(f"lint rule 'new': {problem}")


@pytest.mark.parametrize("name", ["", "all", "warn", "two words", "Shouts"])
def test_a_name_that_no_setting_could_have_may_not_enter(name: str) -> None:
    assert "its name must be words in lower case with hyphens between them" in refusal(RULES, name, ROW)
