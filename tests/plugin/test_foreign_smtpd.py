"""Another fixture called `smtpd` in our fixture's place: reported by name instead of a silently wrong server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]

FOREIGN = """
@pytest.fixture
def smtpd():
    return object()
"""

RIVAL = """
class Controller:
    hostname, port = "127.0.0.1", 2525

@pytest.fixture(name="smtpd")
def rival_fixture(request):
    yield Controller()
"""

USES = {
    "marker": """
        @pytest.mark.smtpd(banner="x")
        def test_it(smtpd): pass
    """,
    "rule": """
        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_it(smtpd): pass
    """,
    "parameter": """
        @pytest.mark.parametrize("smtpd", [on("rcpt_to", reply=550)], indirect=True)
        def test_it(smtpd): pass
    """,
    "module marker": """
        pytestmark = pytest.mark.smtpd(banner="x")

        def test_it(smtpd): pass
    """,
}


@pytest.mark.parametrize("source", USES.values(), ids=USES)
@pytest.mark.parametrize("foreign", [FOREIGN, RIVAL], ids=["function", "renamed"])
def test_a_foreign_fixture_is_reported_by_name(reports: Reports, source: str, foreign: str) -> None:
    failed = [report for report in reports(source, conftest=foreign) if report.failed]
    assert len(failed) == 1
    text = failed[0].longreprtext.strip()
    assert "\n" not in text
    assert "'smtpd'" in text
    assert "conftest" in text  # whose it is
    assert "pytest_smtpd" in text or "pytest-smtpd" in text


def test_a_foreign_plugin_is_reported_by_its_module(
    pytester: pytest.Pytester, write: Callable[..., None], arguments: list[str]
) -> None:
    """Loaded after ours, as smtpdfix may be: the order of entry points decides."""
    write(USES["rule"], rival_plugin=RIVAL)
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess(*arguments, "-p", "rival_plugin")
    failures = result.stdout.str()
    assert result.ret == 1
    if "rival_plugin" not in failures:  # ours was in its place after all: the rule is unused
        result.stdout.fnmatch_lines(["*never*"])
    else:
        result.stdout.fnmatch_lines(["*rival_plugin*"])


def test_an_override_that_builds_on_ours_is_not_foreign(run: Run) -> None:
    result = run(
        """
        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_it(smtpd):
            assert attempt(smtpd["server"]) is not None

        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_session(smtpd, smtpd_session):
            assert attempt(smtpd["server"]) is not None
        """,
        conftest="""
        @pytest.fixture
        def smtpd(smtpd):
            return {"server": smtpd}
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_foreign_fixture_without_our_markers_is_nobodys_business(run: Run) -> None:
    result = run("def test_it(smtpd): pass", conftest=FOREIGN)
    result.assert_outcomes(passed=1)


OWN = {
    "constructor": """
        @pytest.fixture
        def smtpd():
            with SMTPServer() as server:
                yield server
    """,
    "factory": """
        @pytest.fixture
        def smtpd(smtpd_factory):
            return smtpd_factory("other")
    """,
}


@pytest.mark.parametrize("own", OWN.values(), ids=OWN)
def test_a_server_of_the_users_own_making_cannot_take_markers(reports: Reports, own: str) -> None:
    """A marker that silently does nothing would be worse than an error."""
    got = reports(
        """
        def test_plain(smtpd):
            send(smtpd)

        @pytest.mark.smtpd(banner="marked")
        def test_marked(smtpd):
            pass
        """,
        conftest=own,
    )
    outcomes = [(report.nodeid.partition("::")[2], report.outcome) for report in got]
    assert outcomes == [("test_plain", "passed"), ("test_marked", "failed")]
    assert "conftest" in got[1].longreprtext
    assert "\n" not in got[1].longreprtext.strip()


def test_the_factory_beside_a_foreign_fixture_works(run: Run) -> None:
    result = run(
        """
        def test_it(smtpd_factory, smtpd):
            send(smtpd_factory("relay"))
        """,
        conftest=FOREIGN,
    )
    result.assert_outcomes(passed=1)
