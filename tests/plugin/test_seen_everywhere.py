"""The transcript of a failing test is seen wherever people read reports, and once in each."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.plugin.reading import sections

Run = Callable[..., pytest.RunResult]
Failure = Callable[..., pytest.TestReport]

REFUSED = """
    @pytest.mark.smtpd_on("rcpt_to", to="bob@*", reply="550 5.1.1 Nobody here")
    def test(smtpd):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(smtpd)
        assert smtpd.envelopes
"""
REPLY = "550 5.1.1 Nobody here"
TITLE = "Captured smtpd call"

# A test that fails without an exception of its own, and errors before and behind the test: no two have the same text.
FAILURES = {
    "an assertion": (REFUSED, "call"),
    "pytest.fail without a traceback": (
        """
        def test(smtpd):
            send(smtpd)
            pytest.fail("on purpose", pytrace=False)
        """,
        "call",
    ),
    "an unexpected pass": (
        """
        @pytest.mark.xfail(strict=True)
        def test(smtpd):
            send(smtpd)
        """,
        "call",
    ),
    "a fixture that is not there": (
        """
        def test(smtpd, request):
            send(smtpd)
            request.getfixturevalue("nonsense")
        """,
        "call",
    ),
    "a fixture's set-up": (
        """
        @pytest.fixture
        def broken(smtpd):
            send(smtpd)
            raise LookupError

        def test(broken):
            pass
        """,
        "setup",
    ),
    "a fixture's tear-down": (
        """
        @pytest.fixture
        def broken(smtpd):
            yield
            send(smtpd)
            raise LookupError

        def test(broken):
            pass
        """,
        "teardown",
    ),
    "a group of exceptions": (
        """
        def test(smtpd):
            send(smtpd)
            raise ExceptionGroup("several", [LookupError(), ValueError()])
        """,
        "call",
    ),
}
STYLES = ["--tb=auto", "--tb=long", "--tb=short", "--tb=native"]


@pytest.mark.parametrize(("source", "when"), FAILURES.values(), ids=FAILURES)
def test_the_terminal_has_it_once(run: Run, source: str, when: str) -> None:
    text = run(source).stdout.str()
    assert text.count(f"Captured smtpd {when}") == 1
    assert text.count("S: 220 localhost ESMTP") == 1


@pytest.mark.parametrize("style", STYLES)
def test_it_is_there_in_every_style_of_traceback(run: Run, style: str) -> None:
    text = run(REFUSED, style).stdout.str()
    assert text.count(TITLE) == 1
    assert text.count("C: DATA") == 0
    assert text.count(f"S: {REPLY}") == 1


@pytest.mark.parametrize(("source", "when"), FAILURES.values(), ids=FAILURES)
def test_an_ide_has_it_once(failure: Failure, source: str, when: str) -> None:
    report = failure(source)
    assert report.longreprtext.count(f"Captured smtpd {when}") == 1
    assert list(sections(report)) == [f"Captured smtpd {when}"]
    assert str(report.longrepr).count("S: 220 localhost ESMTP") == 1


def test_vs_code_has_the_refusal_too(failure: Failure) -> None:
    # Its plugin sends `longreprtext` of the failing report to the editor, and nothing else of it.
    text = failure(REFUSED).longreprtext
    assert text.index("assert smtpd.envelopes") < text.index(TITLE) < text.index(f"S: {REPLY}")
    assert text.count(TITLE) == text.count(f"S: {REPLY}") == 1


# --- PyCharm: what its plugin for pytest, the one of TeamCity, sends to it --------------------------------------------

COMPARED = """
    def check(smtpd):
        assert smtpd.one().subject == "Goodbye"

    def test(smtpd):
        send(smtpd)
        {}
"""


@pytest.fixture
def pycharm(run: Run) -> Callable[..., str]:
    """Return a function that runs a failing test and gives the details that PyCharm shows of it."""
    pytest.importorskip("teamcity")

    def details(source: str, *arguments: str) -> str:
        output = run(source, "-p", "teamcity.pytest_plugin", "--teamcity", *arguments).stdout.str()
        (found,) = re.findall(r"##teamcity\[testFailed .*? details='((?:[^|']|\|.)*)'", output)
        return re.sub(r"\|([n'|\[\]])", lambda escape: "\n" if escape[1] == "n" else escape[1], found)

    return details


@pytest.mark.parametrize(("source", "when"), FAILURES.values(), ids=FAILURES)
def test_pycharm_has_it_once(pycharm: Callable[..., str], source: str, when: str) -> None:
    text = pycharm(source)
    assert text.count(f"Captured smtpd {when}") == 1
    assert text.count("S: 220 localhost ESMTP") == 1


def test_pycharm_has_the_refusal_too(pycharm: Callable[..., str]) -> None:
    text = pycharm(REFUSED)
    assert text.index("assert smtpd.envelopes") < text.index(TITLE) < text.index(f"S: {REPLY}")


# It cuts the details of a failed `==` at the first line that divides two entries of a traceback.
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("line", ['assert smtpd.one().subject == "Goodbye"', "check(smtpd)"], ids=["test", "helper"])
def test_pycharm_has_it_below_a_comparison(pycharm: Callable[..., str], line: str, style: str) -> None:
    text = pycharm(COMPARED.format(line), style)
    assert text.count(TITLE) == 1
    assert text.count("S: 220 localhost ESMTP") == 1


def test_only_pycharm_sees_other_lines_between_the_entries_of_a_traceback(run: Run) -> None:
    pytest.importorskip("teamcity")
    plugin = ["-p", "teamcity.pytest_plugin"]
    source = COMPARED.format("check(smtpd)")
    assert run(source, *plugin).stdout.str().count("_ _ _ _ _") > 0
    assert run(source, *plugin, "--teamcity").stdout.str().count("_ _ _ _ _") == 0


def junit(path: Path) -> str:
    """The text of the one failure or error, and its message."""
    case = ElementTree.parse(path).getroot().find(".//testcase")
    assert case is not None
    (problem,) = [child for child in case if child.tag in ("failure", "error")]
    return f"{problem.get('message')}\n{problem.text}"


@pytest.mark.parametrize(
    ("source", "when"),
    [row for name, row in FAILURES.items() if name != "an unexpected pass"],  # of which junit says only that it passed
    ids=[name for name in FAILURES if name != "an unexpected pass"],
)
def test_junit_has_it_once(run: Run, tmp_path: Path, source: str, when: str) -> None:
    run(source, f"--junitxml={tmp_path}/junit.xml")
    text = junit(tmp_path / "junit.xml")
    assert text.count(f"Captured smtpd {when}") == 1
    assert text.count("S: 220 localhost ESMTP") == 1


def test_the_html_report_has_it_once(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("pytest_html")
    page = tmp_path / "report.html"
    arguments = ["-p", "pytest_metadata.plugin", "-p", "pytest_html.plugin"]
    run(REFUSED, *arguments, f"--html={page}", "--self-contained-html", "-W", "ignore::DeprecationWarning")
    text = page.read_text(encoding="utf-8")
    assert text.count(TITLE) == 1
    assert text.count(f"S: {REPLY}") == 1


# A worker of xdist has threads, and pexpect forks.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_the_debugger_shows_it_before_its_prompt(
    write: Callable[..., None], arguments: list[str], pytester: pytest.Pytester
) -> None:
    pytest.importorskip("pexpect")
    write(REFUSED)
    command = " ".join([sys.executable, "-m", "pytest", *arguments, "--pdb", "-p", "no:randomly"])
    child = pytester.spawn(command, expect_timeout=60)
    child.expect(r"\(Pdb\)")
    before = child.before.decode()
    child.sendline("q")
    child.read()
    child.close()
    assert before.count(TITLE) == 1
    assert before.count(f"S: {REPLY}") == 1


def test_workers_send_it_home(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    result = run(REFUSED, "-p", "xdist", "-n1", f"--junitxml={tmp_path}/junit.xml")
    assert result.stdout.str().count(TITLE) == 1
    assert junit(tmp_path / "junit.xml").count(f"S: {REPLY}") == 1


@pytest.mark.parametrize("kind", ["no", "stdout", "stderr", "log"])
def test_whoever_does_not_want_captured_output_is_not_shown_it(run: Run, tmp_path: Path, kind: str) -> None:
    result = run(REFUSED, f"--show-capture={kind}", f"--junitxml={tmp_path}/junit.xml")
    assert "Captured smtpd" not in result.stdout.str()
    assert "Captured smtpd" not in junit(tmp_path / "junit.xml")


def test_no_captured_output_means_none_in_an_ide_either(failure: Failure) -> None:
    assert "Captured smtpd" not in failure(REFUSED, "--show-capture=no").longreprtext


def test_every_server_has_a_section_of_its_own(failure: Failure) -> None:
    report = failure("""
        def test(smtpd, smtpd_factory):
            send(smtpd)
            send(smtpd_factory("backup"))
            assert False
    """)
    assert list(sections(report)) == ["Captured smtpd call", "Captured smtpd (backup) call"]


def test_a_wrong_marker_is_still_one_line(failure: Failure) -> None:
    report = failure("""
        @pytest.fixture(scope="session", autouse=True)
        def before(smtpd_session):
            send(smtpd_session)

        @pytest.mark.smtpd(lmtp=True)
        def test(smtpd_session):
            pass
    """)
    assert "\n" not in report.longreprtext


# --- the reply to EHLO ----------------------------------------------------------------------------------------------

FOLDED = r"S: 250 localhost \(\d+ extensions\)$"
WHOLE = r"S: 250 localhost PIPELINING SIZE 8BITMIME"


def ehlo(report: pytest.TestReport) -> str:
    (text,) = sections(report).values()
    (line,) = [line for line in text.splitlines() if "S: 250 localhost" in line]
    return line


def test_the_reply_to_ehlo_is_short(failure: Failure) -> None:
    report = failure("""
        def test(smtpd):
            send(smtpd)
            assert smtpd.envelopes[0].subject == "Welcome"
    """)
    assert re.search(FOLDED, ehlo(report))


@pytest.mark.parametrize(
    "body",
    [
        "client.starttls()",
        'client.login("app", "s3cret")',
        'assert client.has_extn("DSN2")',
        'assert client.esmtp_features["size"] == "1000"',
        'assert "SMTPUTF8" not in client.ehlo_resp.decode().split()',
    ],
)
def test_a_failure_about_it_shows_all_of_it(failure: Failure, body: str) -> None:
    report = failure(f"""
        @pytest.mark.smtpd(hide={{"STARTTLS", "AUTH"}})
        def test(smtpd):
            with connect(smtpd) as client:
                {body}
    """)
    assert re.search(WHOLE, ehlo(report))


def test_a_reply_to_ehlo_by_a_rule_is_shown_as_it_is(failure: Failure) -> None:
    report = failure("""
        @pytest.mark.smtpd_on("command", verb="EHLO", reply="250-mx.example\\n250 SIZE 1000")
        def test(smtpd):
            send(smtpd)
            assert False
    """)
    (text,) = sections(report).values()
    assert "S: 250 mx.example SIZE 1000   by on('command'," in text
