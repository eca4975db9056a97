"""A marker whose name is nearly ours: a test whose failure never happens proves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]
LENIENT = ["-W", "ignore::pytest.PytestUnknownMarkWarning"]  # which is all that pytest says of it

MISSPELT = {
    "smptd_on('rcpt_to', reply=550)": "smtpd_on",
    "smtpd_one('rcpt_to', reply=550)": "smtpd_on",
    "smtpdon('rcpt_to', reply=550)": "smtpd_on",
    "smtp_on('rcpt_to', reply=550)": "smtpd_on",
    "smtpd_rule('rcpt_to', reply=550)": "smtpd_on",
    "smtpd('rcpt_to') and pytest.mark.stmpd_on('rcpt_to', reply=550)": "smtpd_on",
    "SMTPD_ON('rcpt_to', reply=550)": "smtpd_on",
    "smtpd_no": "smtpd_on",
    "smtpd_settings(tls=None)": "smtpd",
    "smtp(tls=None)": "smtpd",
    "smtp": "smtpd",
    "smtp_settings(tls=None)": "smtpd",
    "smtpd_(tls=None)": "smtpd",
    "smtpd_": "smtpd",
    "stmpd(tls=None)": "smtpd",
    "smptd": "smtpd",
    "smtpd_sweeps(level='full')": "smtpd_sweep",
    "smptd_sweep(level='full')": "smtpd_sweep",
    "smtpdsweep(level='full')": "smtpd_sweep",
    "smtpd_swepe": "smtpd_sweep",
    "smtdp(tls=None)": "smtpd",
    "smtpdd": "smtpd",
}


def test_a_misspelt_marker_is_an_error_of_its_test_at_setup(reports: Reports) -> None:
    tests = "\n".join(f"@pytest.mark.{marker}\ndef test_wrong_{n}(smtpd): pass\n" for n, marker in enumerate(MISSPELT))
    got = reports(tests, *LENIENT)
    assert [(report.when, report.outcome) for report in got] == [("setup", "failed")] * len(MISSPELT)
    for report, (marker, meant) in zip(sorted(got, key=_number), MISSPELT.items(), strict=True):
        name = marker.rpartition("mark.")[2].partition("(")[0]
        text = report.longreprtext.strip()
        assert f"unknown marker @pytest.mark.{name} - did you mean {meant}? " in text
        assert "\n" not in text


def _number(report: pytest.TestReport) -> int:
    return int(report.nodeid.rpartition("_")[2])


FIXTURES = ("smtpd", "smtpd_factory", "smtpd_session", "app")
PLACES = ("function", "parameter", "class", "module", "late")
# The server of the session is borrowed before a fixture of the test can apply a marker.
WHERE = [(fixture, place) for fixture in FIXTURES for place in PLACES if (fixture, place) != ("smtpd_session", "late")]


@pytest.mark.parametrize(("fixture", "place"), WHERE)
def test_wherever_it_stands_and_whichever_fixture_is_used(reports: Reports, fixture: str, place: str) -> None:
    marks = dict.fromkeys(PLACES, "")
    marks[place] = "pytest.mark.smptd_on('rcpt_to', reply=550)"
    got = reports(
        f"""
        pytestmark = [{marks["module"]}]

        @pytest.fixture
        def app(smtpd): pass

        @pytest.fixture
        def late(request):
            request.applymarker({marks["late"] or "pytest.mark.smtpd"})

        class TestIt:
            pytestmark = [{marks["class"]}]

            @pytest.mark.parametrize("x", [pytest.param(1, marks=[{marks["parameter"]}])])
            {"@" + marks["function"] if marks["function"] else ""}
            def test_it(self, late, x, {fixture}): pass
        """,
        *LENIENT,
    )
    assert [(report.when, report.outcome) for report in got] == [("setup", "failed")]
    assert "unknown marker @pytest.mark.smptd_on - did you mean smtpd_on?" in got[0].longreprtext


@pytest.mark.parametrize(
    ("marker", "registered"),
    [
        ("smtp", "smtp: talks to a mail server"),
        ("smtp(1)", "smtp(n): talks to a mail server"),
        ("smtpd_slow", "smtpd_slow"),
        ("smtp_live", "other"),
        ("smtp_integration", "other"),
        ("mail", "other"),
        ("http", "other"),
        ("slow", "other"),
        ("email(tls=None)", "other"),
    ],
)
def test_a_marker_that_is_registered_or_unlike_ours_is_none_of_our_business(
    run: Run, marker: str, registered: str
) -> None:
    result = run(
        f"""
        @pytest.mark.{marker}
        def test_it(smtpd): pass
        """,
        *LENIENT,
        *["-o", f"markers={registered}"],
    )
    result.assert_outcomes(passed=1)


def test_a_test_without_our_fixtures_may_call_its_markers_what_it_likes(run: Run) -> None:
    result = run("@pytest.mark.smptd_on('rcpt_to')\n@pytest.mark.smtp\ndef test_it(): pass\n", *LENIENT)
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("\n@pytest.mark.smtpd(tsl=1)\ndef test_it(smtpd): pass", "test_inner.py:6"),
        ("\n@pytest.mark.smtpd_on('rctp', reply=550)\ndef test_it(smtpd): pass", "test_inner.py:6"),
        ("\n@pytest.mark.smtpd_on('rcpt_to', reply=550)\ndef test_it(): pass", "test_inner.py:6"),
        ("\n@pytest.mark.smptd_on('rcpt_to')\ndef test_it(smtpd): pass", "test_inner.py:6"),
        ("\n@pytest.mark.smtpd(tsl=1)\nclass TestIt:\n  def test_it(self, smtpd): pass", "test_inner.py:6"),
        ("\npytestmark = pytest.mark.smtpd(tsl=1)\ndef test_it(smtpd): pass", "test_inner.py"),
        ("from base import Base\nclass TestIt(Base):\n  def test_it(self, smtpd): pass", "base.py:7"),
    ],
)
def test_an_error_about_a_marker_names_its_file_and_line(reports: Reports, source: str, place: str) -> None:
    got = reports(source, *LENIENT, base="\n\n@pytest.mark.smtpd(tsl=1)\nclass Base: pass\n")
    assert [(report.when, report.outcome) for report in got] == [("setup", "failed")]
    assert got[0].longreprtext.strip().endswith(f" ({place})")
