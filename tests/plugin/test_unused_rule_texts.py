"""What the failure of an unused rule says, and that it never hides what the test itself had to say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]


def test_the_failure_says_what_calls_there_were(reports: Reports) -> None:
    (report,) = reports("""
        @pytest.mark.smtpd_on("rcpt_to", to="bounce@example.com", reply=550)
        def test_typo(smtpd):
            send(smtpd, "bounces@example.com")
    """)
    assert "on('rcpt_to', reply=550, to='bounce@example.com')" in report.longreprtext
    assert "bounces@example.com" in report.longreprtext


def test_the_failure_says_that_nothing_came_at_all(reports: Reports) -> None:
    (report,) = reports("""
        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_forgot(smtpd):
            pass
    """)
    assert "there was no rcpt_to call" in report.longreprtext


def test_a_rule_that_came_too_late_is_told_so(reports: Reports) -> None:
    (report,) = reports("""
        def test_late(smtpd):
            send(smtpd)
            smtpd.on("rcpt_to", reply=550)
    """)
    assert "the rule was added after this call" in report.longreprtext


def test_a_rule_behind_a_nearer_one_is_told_so(reports: Reports) -> None:
    (report,) = reports("""
        @pytest.mark.smtpd_on("rcpt_to", to="b*", reply=550)
        @pytest.mark.smtpd_on("rcpt_to", reply=250)
        def test_hidden(smtpd):
            send(smtpd)
    """)
    text = report.longreprtext
    assert "answered by on('rcpt_to', reply=250)" in text
    assert "the nearest of the rules that match answers: make that one match less, or remove the rule" in text


def test_all_unused_rules_are_named_at_once(reports: Reports) -> None:
    (report,) = reports("""
        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        @pytest.mark.smtpd_on("data", reply=552)
        def test_two(smtpd, smtpd_factory):
            smtpd_factory("relay", on=on("mail_from", reply=451))
    """)
    text = report.longreprtext
    assert [word for word in ("reply=550", "reply=552", "reply=451", "relay") if word not in text] == []


def test_an_unused_rule_never_hides_the_outcome_of_the_test(run: Run) -> None:
    result = run(
        """
        pytestmark = pytest.mark.smtpd_on("rcpt_to", reply=550, optional=False)

        def test_fails(smtpd):
            raise LookupError("of the test")

        def test_skips(smtpd):
            pytest.skip("of the test")

        def test_xfails(smtpd):
            pytest.xfail("of the test")

        @pytest.mark.xfail(raises=LookupError, strict=True)
        def test_expected(smtpd):
            raise LookupError("of the test")

        @pytest.mark.skip(reason="of the marker")
        def test_marked(smtpd):
            pass
        """,
        "-rA",
    )
    result.assert_outcomes(failed=1, skipped=2, xfailed=2)
    result.stdout.fnmatch_lines(["E *LookupError: of the test"])
    assert "never used" not in "".join(line for line in result.outlines if line.startswith("E "))


def test_a_test_that_errs_at_setup_is_not_verified(reports: Reports) -> None:
    got = reports("""
        @pytest.fixture
        def broken():
            raise LookupError("of the fixture")

        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_it(smtpd, broken):
            pass
    """)
    assert [(report.when, report.outcome) for report in got] == [("setup", "failed")]
    assert "LookupError: of the fixture" in got[0].longreprtext
