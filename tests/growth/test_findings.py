"""A finding or a notice of a sweep is one row of ``judge.FINDINGS`` or ``judge.NOTICES``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, SweepFailure
from pytest_smtpd.sweep.checks import Scene
from pytest_smtpd.sweep.judge import FINDINGS, NOTICES, Row
from pytest_smtpd.sweep.run import Run
from tests.growth.tables import one_line, page, refusal, required, row_of, without
from tests.sweep.inner import send

POINT = "rcpt_to-251*"


def impolite(run: Run, scene: Scene) -> Iterator[str]:
    """Mails to somebody whom the server has not verified."""
    if any(call.hook == "rcpt_to" and call.code == 251 for call in run.calls):
        yield "ada@example.com"


def why(run: Run, about: str) -> str:
    return "the server had not verified this recipient"


ROW = Row("impolite", "{} was bothered", "{said}; {why}.", impolite, "Of this test.", why)


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FINDINGS, "impolite", ROW)
    monkeypatch.setitem(NOTICES, "curious", ROW._replace(name="curious", headline="somebody was bothered", text=""))


def report_of(**options: Any) -> str:
    """The report of a sweep; of one that passes, its counts."""
    with SMTPServer() as server:
        sweep = server.sweep(only=POINT, **options)
        try:
            for fault in sweep:
                with fault:
                    send(server)
        except SweepFailure as failure:
            return str(failure)
        return sweep.counts


# --- a whole row ----------------------------------------------------------------------------------------------------


def test_the_report_has_it() -> None:
    report = report_of()
    assert report.startswith("1 finding at 1 of 1 failure points (and 1 notice)")
    assert "1. impolite: ada@example.com was bothered (1 point)" in report
    assert "send() returned normally, as in the run without a fault; the server had not verified this" in report
    assert "curious       1 point   somebody was bothered; the server had not verified this recipient" in report


def test_strict_makes_the_notice_a_finding() -> None:
    assert report_of(strict=True).startswith("2 findings at 1 of 1 failure points")


def test_expect_knows_it() -> None:
    assert report_of(expect={"impolite: *": "ticket 1"}).startswith("1 point in ")
    assert report_of(expect={"impolite: rcpt_to-251*": "ticket 1", "curious: *": "ticket 2"}).startswith("1 point in ")


def test_suggestions_know_it() -> None:
    with SMTPServer() as server, pytest.raises(ValueError) as caught:
        server.sweep(expect={"impolitte: *": "ticket 1"})
    assert "did you mean 'impolite'?" in one_line(caught.value)


def test_markers_know_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run("""
        @pytest.mark.smtpd_sweep(only="rcpt_to-251*", expect={"impolite: *": "ticket 1"})
        def test_sweep(smtpd, smtpd_sweep):
            for fault in smtpd_sweep:
                with fault:
                    send(smtpd)
    """)
    result.assert_outcomes(passed=1)


def test_the_reference_lists_it() -> None:
    text = page("sweep")
    assert row_of("impolite", text)[1] == "Of this test."
    assert row_of("curious", text)[1] == "Of this test."


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", required(ROW))
def test_a_row_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(ROW, part)


@pytest.mark.parametrize(("table", "kind"), [(FINDINGS, "finding"), (NOTICES, "notice")])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"meaning": ""}, "headline= and meaning= must say what has happened, and define it"),
        ({"headline": ""}, "headline= and meaning= must say what has happened, and define it"),
        ({"headline": "{} and {}"}, "headline= can have places for {} and nothing else"),
        ({"text": "{sad}"}, "text= can have places for {said}, {why} and nothing else"),
        ({"text": "{said"}, "text= can have places for {said}, {why} and nothing else"),
        ({"why": None}, "text= can have places for {said} and nothing else"),
        ({"check": None}, "check= must be a function, not None"),
        ({"check": "lost"}, "check= must be a function, not 'lost'"),
        ({"why": "because"}, "why= must be a function, not 'because'"),
        ({"name": "other"}, "its name must be words in lower case with hyphens between them, here and in name='other'"),
    ],
)
def test_half_a_row_may_not_enter(table: Any, kind: str, change: dict[str, Any], problem: str) -> None:
    assert refusal(table, "new", ROW._replace(name="new")._replace(**change)).startswith(f"{kind} 'new': {problem}")


@pytest.mark.parametrize("name", ["", "two words", "lost: *", "l?st", "Lost"])
def test_a_name_that_expect_could_not_have_may_not_enter(name: str) -> None:
    assert "its name must be words in lower case" in refusal(FINDINGS, name, ROW._replace(name=name))
