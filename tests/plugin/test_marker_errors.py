"""A wrong marker or parameter: an error of that test alone, at setup, in one line, with a suggestion."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]

# marker -> what its one line must contain
WRONG = {
    "smtpd(tsl='implicit')": ["unknown setting 'tsl' - did you mean 'tls'?"],
    "smtpd(zzz=1)": ["unknown setting 'zzz'", "tls"],
    "smtpd('implicit')": ["smtpd", "'implicit'"],
    "smtpd(tls='implict')": ["tls", "'implict'", "'implicit'"],
    "smtpd(tls=True)": ["tls", "True"],
    "smtpd(certificate='expird')": ["certificate", "'expird'", "'expired'"],
    "smtpd(client_certificate='always')": ["client_certificate", "'always'", "required"],
    "smtpd(size='big')": ["size", "'big'"],
    "smtpd(port='smtp')": ["port", "'smtp'"],
    "smtpd(port=70000)": ["port", "70000"],
    "smtpd(max_recipients=-1)": ["max_recipients", "-1"],
    "smtpd(timeout='5')": ["timeout", "'5'"],
    "smtpd(require_tls='yes')": ["require_tls", "'yes'"],
    "smtpd(auth='some')": ["auth", "'any'"],
    "smtpd(auth={'app': 5})": ["auth"],
    "smtpd(auth_methods=['PLIAN'])": ["'PLIAN'", "did you mean 'PLAIN'?"],
    "smtpd(hide=['SISE'])": ["hide", "'SISE'", "SIZE"],
    "smtpd(disable=['VRFFY'])": ["disable", "'VRFFY'", "VRFY"],
    "smtpd(ssl_context='default')": ["ssl_context", "'default'"],
    "smtpd(on=['550'])": ["on", "'550'"],
    "smtpd(on=[on])": ["on"],
    "smtpd_on()": ["hook"],
    "smtpd_on('rctp', reply=550)": ["unknown hook 'rctp' - did you mean 'rcpt_to'?"],
    "smtpd_on('RCPT', reply=550)": ["unknown hook 'RCPT'", "rcpt_to"],
    "smtpd_on(5, reply=550)": ["hook", "5"],
    "smtpd_on('rcpt_to', 550)": ["550", "reply"],
    "smtpd_on('rcpt_to', rely=550)": ["'rely'", "did you mean 'reply'?"],
    "smtpd_on('rcpt_to', subjct='x', reply=550)": ["'subjct'"],
    "smtpd_on('rcpt_to')": ["reply", "drop", "hang", "raw", "call"],
    "smtpd_on('rcpt_to', to='bob@example.com')": ["reply", "drop"],
    "smtpd_on('rcpt_to', times=2)": ["reply", "drop"],
    "smtpd_on('connect', to='x@example.com', reply=421)": ["connect", "to"],
    "smtpd_on('mail_from', to='x@example.com', reply=550)": ["mail_from", "to"],
    "smtpd_on('mail_from', subject='x', reply=550)": ["mail_from", "subject"],
    "smtpd_on('rcpt_to', verb='RCPT', reply=550)": ["rcpt_to", "verb"],
    "smtpd_on('rcpt_to', after=10, reply=550)": ["rcpt_to", "after"],
    "smtpd_on('rcpt_to', accept=True, drop=True)": ["rcpt_to", "accept"],
    "smtpd_on('rcpt_to', reply='No such user')": ["reply", "'No such user'", "550"],
    "smtpd_on('rcpt_to', reply=99)": ["reply", "99"],
    "smtpd_on('rcpt_to', reply=650)": ["reply", "650"],
    "smtpd_on('rcpt_to', reply=True)": ["reply", "True"],
    "smtpd_on('rcpt_to', reply=b'550 no')": ["reply", "b'550 no'"],
    "smtpd_on('rcpt_to', reply='550-one\\n551 two')": ["reply", "551"],
    "smtpd_on('rcpt_to', reply=550, raw=b'x')": ["reply", "raw"],
    "smtpd_on('rcpt_to', drop=True, hang=True)": ["drop", "hang"],
    "smtpd_on('rcpt_to', call=print, reply=550)": ["call", "reply"],
    "smtpd_on('rcpt_to', drop='reset')": ["drop", "'reset'", "rst"],
    "smtpd_on('rcpt_to', hang=3)": ["hang", "3"],
    "smtpd_on('rcpt_to', raw='550 no')": ["raw", "bytes"],
    "smtpd_on('rcpt_to', call='function')": ["call", "'function'"],
    "smtpd_on('rcpt_to', reply=550, times='2')": ["times", "'2'"],
    "smtpd_on('rcpt_to', reply=550, skip=-1)": ["skip", "-1"],
    "smtpd_on('rcpt_to', reply=550, delay='1')": ["delay", "'1'"],
    "smtpd_on('rcpt_to', reply=550, delay=-1)": ["delay", "-1"],
    "smtpd_on('rcpt_to', reply=550, linger=1)": ["linger", "drop"],
    "smtpd_on('rcpt_to', reply=550, optional='yes')": ["optional", "'yes'"],
    "smtpd_on('rcpt_to', reply=550, when='x')": ["when", "'x'"],
    "smtpd_on('data', reply=550, accept=False)": ["accept"],
}


def test_a_wrong_marker_is_one_line_of_that_test_alone(reports: Reports) -> None:
    tests = "\n".join(
        f"@pytest.mark.{marker}\ndef test_wrong_{n}(smtpd): pass\n\ndef test_good_{n}(): pass\n"
        for n, marker in enumerate(WRONG)
    )
    got = reports(tests)
    failed = {report.nodeid.partition("::test_wrong_")[2]: report for report in got if report.failed}
    passed = [report for report in got if report.passed]
    problems = [
        problem
        for n, (marker, words) in enumerate(WRONG.items())
        for problem in _problems(marker, words, failed.get(str(n)))
    ]
    assert not problems, "\n".join(problems)
    assert len(passed) == len(WRONG)


def _problems(marker: str, words: list[str], report: pytest.TestReport | None) -> list[str]:
    if report is None:
        return [f"{marker}: no error at all"]
    text = report.longreprtext.strip()
    kind = marker.partition("(")[0]
    checks = [
        (report.when != "setup", "not at setup"),
        ("\n" in text, "more than one line"),
        (re.search(rf"\b{kind}\b", text) is None, "does not name the marker"),
        *((word not in text, f"does not say {word!r}") for word in words),
    ]
    return [f"{marker}: {problem}: {text!r}" for wrong, problem in checks if wrong]


@pytest.mark.parametrize(
    ("param", "words"),
    [
        ("'550'", ["'550'"]),
        ("550", ["550"]),
        ("('rcpt_to', 550)", ["smtpd parameter: on takes a rule made by on(...)", "'rcpt_to'"]),
        ("[on('connect', reply=421), 3]", ["3"]),
        ("{'tsl': 'implicit'}", ["unknown setting 'tsl' - did you mean 'tls'?"]),
        ("{'on': ['x']}", ["on", "'x'"]),
        ("pytest.param({}, marks=pytest.mark.smtpd(tsl=1))", ["unknown setting 'tsl' - did you mean 'tls'?"]),
        ("pytest.param({}, marks=pytest.mark.smtpd_on('rctp', reply=550))", ["'rctp'", "'rcpt_to'"]),
    ],
)
def test_a_wrong_parameter_is_one_line_of_that_parameter_alone(reports: Reports, param: str, words: list[str]) -> None:
    got = reports(f"""
        @pytest.mark.parametrize("smtpd", [{{"banner": "good"}}, {param}], indirect=True, ids=["good", "wrong"])
        def test_it(smtpd):
            assert banner(smtpd) == "good"
    """)
    assert [(report.nodeid.partition("::")[2], report.when, report.outcome) for report in got] == [
        ("test_it[good]", "call", "passed"),
        ("test_it[wrong]", "setup", "failed"),
    ]
    text = got[1].longreprtext.strip()
    assert "\n" not in text
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("marker", ["smtpd(tls=None)", "smtpd_on('rcpt_to', reply=550)"])
@pytest.mark.parametrize(
    "test",
    [
        "{marker}\ndef test_it(): pass",
        "{marker}\ndef test_it(tmp_path): pass",
        "{marker}\ndef test_it(smtpd_ca): pass",
        "class TestIt(unittest.TestCase):\n    {marker}\n    def test_it(self): pass",
    ],
    ids=["no fixture", "other fixture", "ca only", "unittest"],
)
def test_a_marker_on_a_test_without_our_fixtures_is_an_error(reports: Reports, marker: str, test: str) -> None:
    got = reports(test.format(marker=f"@pytest.mark.{marker}"))
    assert [(report.when, report.outcome) for report in got] == [("setup", "failed")]
    text = got[0].longreprtext.strip()
    assert "\n" not in text
    assert marker.partition("(")[0] in text
    assert "fixture" in text


def test_a_marker_of_a_module_or_class_is_no_error_where_it_does_not_matter(run: Run) -> None:
    result = run("""
        pytestmark = [pytest.mark.smtpd(banner="module"), pytest.mark.smtpd_on("rcpt_to", reply=550)]

        def test_without(): pass

        @pytest.mark.smtpd(tls=None)
        class TestIt:
            def test_without(self, tmp_path): pass

            def test_with(self, smtpd):
                assert banner(smtpd) == "module"
    """)
    result.assert_outcomes(passed=3)


def test_fixtures_reached_indirectly_count(run: Run) -> None:
    result = run("""
        pytestmark = pytest.mark.smtpd(banner="marked")

        @pytest.fixture
        def app(smtpd):
            return smtpd

        def test_through_another_fixture(app):
            assert banner(app) == "marked"

        def test_factory_alone(smtpd_factory):
            pass

        @pytest.mark.usefixtures("smtpd")
        def test_usefixtures():
            pass

        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _smtpd(self, smtpd):
                self.smtpd = smtpd

            def test_unittest(self):
                self.assertEqual(banner(self.smtpd), "marked")
    """)
    result.assert_outcomes(passed=4)


def test_a_wrong_marker_applied_late_is_one_line_too(reports: Reports) -> None:
    got = reports("""
        @pytest.fixture
        def late(request):
            request.applymarker(pytest.mark.smtpd_on("rctp", reply=550))
            return request.getfixturevalue("smtpd")

        def test_it(late):
            pass
    """)
    assert [(report.when, report.outcome) for report in got] == [("setup", "failed")]
    assert "unknown hook 'rctp' - did you mean 'rcpt_to'?" in got[0].longreprtext
    assert "During handling" not in got[0].longreprtext


@pytest.mark.parametrize("param", ["on('connect', reply=421)", "[on('connect', reply=421)]", "{'tls': 'implicit'}"])
def test_a_parameter_without_indirect_is_said_to_need_it(reports: Reports, param: str) -> None:
    got = reports(f"""
        @pytest.mark.parametrize("smtpd", [{param}])
        def test_wrong(smtpd): pass
    """)
    assert [(report.when, report.outcome) for report in got] == [("setup", "failed")]
    assert got[0].longreprtext.count("\n") == 0
    assert "indirect=True" in got[0].longreprtext
    assert "plugin" not in got[0].longreprtext


def test_a_marker_beside_a_parameter_without_indirect_is_refused_too(reports: Reports) -> None:
    got = reports("""
        @pytest.mark.smtpd(tls="implicit")
        @pytest.mark.parametrize("smtpd", ["localhost"])
        def test_wrong(smtpd): pass
    """)
    assert [(report.when, report.outcome) for report in got] == [("setup", "failed")]
    assert "indirect=True" in got[0].longreprtext


@pytest.mark.parametrize("param", ["'localhost'", "{'host': 'localhost', 'retries': 3}", "{}", "[]", "None", "5"])
def test_a_parameter_of_that_name_may_be_anything_else(run: Run, param: str) -> None:
    result = run(f"""
        @pytest.mark.parametrize("smtpd", [{param}])
        def test_own(smtpd):
            assert smtpd == {param}
    """)
    result.assert_outcomes(passed=1)


def test_the_same_under_xdist(reports: Reports) -> None:
    got = reports(
        """
        @pytest.mark.smtpd(tsl="implicit")
        def test_wrong(smtpd): pass

        @pytest.mark.parametrize("smtpd", [{"tsl": 1}], indirect=True)
        def test_parameter(smtpd): pass

        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_no_fixture(): pass

        def test_good(smtpd): send(smtpd)
        """,
        *["-p", "xdist", "-n", "2"],
    )
    seen = {report.nodeid.partition("::")[2].partition("[")[0]: (report.when, report.outcome) for report in got}
    assert seen == {
        "test_wrong": ("setup", "failed"),
        "test_parameter": ("setup", "failed"),
        "test_no_fixture": ("setup", "failed"),
        "test_good": ("call", "passed"),
    }
    for report in got:
        lines = [line for line in report.longreprtext.strip().splitlines() if not line.startswith("[gw")]
        assert len(lines) == report.failed


def test_the_short_summary_says_it_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = run("""
        @pytest.mark.smtpd(tsl="implicit")
        def test_wrong(smtpd): pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["ERROR test_inner.py::test_wrong - *unknown setting 'tsl' - did you mean 'tls'*"])


def test_wrong_markers_do_not_disturb_collection(run: Run) -> None:
    result = run(
        """
        pytestmark = pytest.mark.smtpd(tsl="implicit")

        @pytest.mark.smtpd_on("rctp")
        @pytest.mark.parametrize("smtpd", [{"tsl": 1}, 5, object()], indirect=True)
        def test_wrong(smtpd): pass
        """,
        "--collect-only",
        "-q",
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(["3 tests collected*"])


STRICT = ["--strict-markers", "--strict-config"]


@pytest.mark.parametrize("strict", [STRICT, ["-o", "strict=true"]], ids=["flags", "strict"])
def test_strict_modes_know_our_markers_and_option(run: Run, strict: list[str]) -> None:
    if "strict=true" in strict and pytest.version_tuple < (9,):
        strict = STRICT
    result = run(
        """
        @pytest.mark.smtpd(banner="marked")
        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 marked", times=1)
        @pytest.mark.parametrize("smtpd", [on("mail_from", delay=0.001), {"size": 1000}], indirect=True)
        def test_it(smtpd):
            assert order(smtpd) == ["marked"]
        """,
        *strict,
        *["-m", "smtpd and smtpd_on", "-o", "smtpd_timeout=3"],
    )
    result.assert_outcomes(passed=2)
    assert result.ret == 0
