"""What the settings ``lint`` and ``lint_ignore`` do to a test that passed otherwise."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import SMTPLintWarning, SMTPServer
from pytest_smtpd.lint.table import RULES
from tests.lint.scripts import HEADER, LETTER, hold, letter
from tests.lint.test_rules import EXPECTED

SEND = r"""
import smtplib, warnings
import pytest
from pytest_smtpd import SMTPLintWarning, SMTPServer, on

def send(server, body="Hello.\r\n", to="ada@example.com", *, name="client.example", fields=""):
    with smtplib.SMTP(server.host, server.port, local_hostname=name, timeout=10) as client:
        header = f"Date: Mon, 1 Jan 2024 12:00:00 +0000\r\nFrom: app@example.com\r\nTo: {to}\r\n"
        header += "Message-ID: <1@example.com>\r\n"
        client.sendmail("app@example.com", [to], f"{header}{fields}\r\n{body}".encode())
"""
BARE = 'send(smtpd, "one\\ntwo\\r\\n")'

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a module of tests in this process, with our plugin alone; every warning but those of lint is an error."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.plugins = []

    def run(source: str, *arguments: str, ini: str = "") -> pytest.RunResult:
        pytester.makepyfile(test_inner=SEND + source)
        pytester.makeini(f"[pytest]\n{ini}")
        options = ("-p", "pytest-smtpd", "-p", "no:cacheprovider", "-W", "error", *arguments)
        return pytester.runpytest_inprocess(*options)

    return run


def marked(settings: str, body: str = BARE) -> str:
    return f"@pytest.mark.smtpd({settings})\ndef test_it(smtpd):\n    {body}\n"


# --- off, and on ----------------------------------------------------------------------------------------------------


def test_without_the_setting_nothing_fails_and_the_findings_are_there(run: Run) -> None:
    source = f"def test_it(smtpd):\n    {BARE}\n    assert [found.rule for found in smtpd.lint] == ['bare-lf']\n"
    run(source).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("settings", "fails"),
    [
        ("lint=True", True),
        ("lint=False", False),
        ('lint="all"', True),
        ('lint="bare-lf"', True),
        ('lint={"bare-lf", "nul"}', True),
        ('lint=["bare-lf"]', True),
        ('lint="nul"', False),
        ('lint={"nul", "bcc"}', False),
        ("lint=set()", False),
        ('lint=True, lint_ignore={"bare-lf"}', False),
        ('lint="all", lint_ignore="bare-lf"', False),
        ('lint="bare-lf", lint_ignore=["bare-lf"]', False),
        ('lint=True, lint_ignore={"nul"}', True),
    ],
)
def test_setting_chooses_the_rules_that_fail_a_test(run: Run, settings: str, *, fails: bool) -> None:
    run(marked(settings)).assert_outcomes(failed=fails, passed=not fails)


def test_default_rules_are_those_of_the_table(run: Run) -> None:
    body = 'send(smtpd, "one\\ntwo\\r\\n", name="localhost", fields="Bcc: eve@example.com\\r\\n")'
    for settings, rules in (("lint=True", "bare-lf, bcc"), ('lint="all"', "ehlo-unqualified, bare-lf, bcc")):
        result = run(marked(settings, body))
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"smtpd: lint found {rules}*"])


def test_test_fails_in_its_call_phase_with_all_findings_and_without_a_traceback(run: Run) -> None:
    result = run(marked("lint=True"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ test_it _*",
            "smtpd: lint found bare-lf:",
            "  bare-lf, session 1: the content has 1 bare LF, the first at line 6, byte 117 (RFC 5321 2.3.8); end *",
            "to allow what is meant to be so: lint_ignore={'bare-lf'}",
            "*- Captured smtpd call -*",
            "*C: <* bytes of content>",
            "*S: 250 2.6.0 Message accepted",
            "*-: lint: bare-lf: the content has 1 bare LF*",
            "*C: QUIT*",
            "FAILED test_inner.py::test_it - Failed: smtpd: lint found bare-lf:*",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_what_was_never_used_is_told_first(run: Run) -> None:
    source = '@pytest.mark.smtpd_on("rcpt_to", to="bob@example.com", reply=550)\n' + marked("lint=True")
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["on('rcpt_to', *) was never used: *", "smtpd: lint found bare-lf:"])


def test_hooks_error_is_told_alone(run: Run) -> None:
    source = marked("lint=True", f"smtpd.on('close', call=lambda session: 1 / 0)\n    {BARE}\n    smtpd.wait_closed()")
    result = run(source)
    result.assert_outcomes(failed=1)
    assert "ZeroDivisionError" in result.stdout.str()
    assert "lint found" not in result.stdout.str()


def test_test_that_fails_by_itself_shows_the_findings_in_its_transcript_only(run: Run) -> None:
    result = run(marked("lint=True", f"{BARE}\n    assert smtpd.envelopes == []"))
    result.assert_outcomes(failed=1)
    assert "lint found" not in result.stdout.str()
    result.stdout.fnmatch_lines(["*-: lint: bare-lf: *"])


@pytest.mark.parametrize("settings", ["", 'lint="nul"', 'lint="all", lint_ignore="bare-lf"'])
def test_transcript_shows_only_what_was_asked_for(run: Run, settings: str) -> None:
    result = run(marked(settings, f"{BARE}\n    assert smtpd.envelopes == []"))
    result.assert_outcomes(failed=1)
    assert "-: lint:" not in result.stdout.str()


def test_what_a_client_has_sent_and_not_waited_for_is_found(run: Run) -> None:
    source = marked(
        "lint=True",
        r"""import socket
    with socket.create_connection(smtpd.address, timeout=10) as client:
        assert client.recv(3) == b"220"
        client.sendall(b"EHLO my_host\r\n")""",
    )
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["smtpd: lint found *ehlo-name*"])


@pytest.mark.parametrize("kind", ["skip", "xfail"])
def test_test_that_is_skipped_or_expected_to_fail_stays_so(run: Run, kind: str) -> None:
    source = marked("lint=True", f"{BARE}\n    pytest.{kind}('x')")
    run(source).assert_outcomes(**{"skipped" if kind == "skip" else "xfailed": 1})


# --- where it is set ------------------------------------------------------------------------------------------------


def test_nearest_setting_wins(run: Run) -> None:
    run(f"""
@pytest.fixture
def smtpd_config():
    return {{"lint": "nul", "lint_ignore": "bcc"}}

def test_config(smtpd):
    {BARE}

@pytest.mark.smtpd(lint=True)
def test_marker(smtpd):
    {BARE}

@pytest.mark.parametrize("smtpd", [{{"lint": False}}], indirect=True)
@pytest.mark.smtpd(lint=True)
def test_parameter(smtpd):
    {BARE}

def test_factory(smtpd_factory):
    smtpd = smtpd_factory(lint=True)
    {BARE}
""").assert_outcomes(passed=2, failed=2)


def test_each_server_of_a_test_has_its_own(run: Run) -> None:
    result = run("""
@pytest.mark.smtpd(lint=True)
def test_it(smtpd, smtpd_factory):
    send(smtpd_factory("relay"), "one\\ntwo\\r\\n")
    send(smtpd_factory("backup", lint="bcc"), "three\\nfour\\r\\n", fields="Bcc: eve@example.com\\r\\n")
    send(smtpd)
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["backup: lint found bcc:"])
    assert "relay: lint" not in result.stdout.str()


def test_server_of_the_session_goes_by_each_tests_settings(run: Run) -> None:
    result = run(
        f"""
@pytest.fixture(scope="session")
def smtpd_config():
    return {{"lint_ignore": "bcc"}}

@pytest.mark.smtpd(lint=True)
def test_bare(smtpd_session):
    smtpd = smtpd_session
    {BARE}

def test_off(smtpd_session):
    smtpd = smtpd_session
    {BARE}
    assert len(smtpd.lint) == 1

@pytest.mark.smtpd(lint=True)
def test_ignored(smtpd, smtpd_session):
    send(smtpd, fields="Bcc: eve@example.com\\r\\n")
""",
        "-p",
        "no:randomly",
    )
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(["*-: lint: bare-lf*"])


@pytest.mark.parametrize(
    ("ini", "fails"),
    [
        ("smtpd_lint = true", True),
        ("smtpd_lint = on", True),
        ("smtpd_lint = all", True),
        ("smtpd_lint = nul bare-lf", True),
        ("smtpd_lint =\n    nul\n    bare-lf", True),
        ("smtpd_lint = bare-lf", True),
        ("smtpd_lint = nul", False),
        ("smtpd_lint = false", False),
        ("smtpd_lint =", False),
        ("smtpd_lint = true\nsmtpd_lint_ignore = nul bare-lf", False),
        ("smtpd_lint_ignore = nul", False),
    ],
)
def test_ini_option_is_for_every_server(run: Run, ini: str, *, fails: bool) -> None:
    source = f"""
def test_own(smtpd):
    {BARE}

def test_factory(smtpd_factory):
    smtpd = smtpd_factory()
    {BARE}

def test_session(smtpd_session):
    smtpd = smtpd_session
    {BARE}
"""
    run(source, ini=ini).assert_outcomes(failed=3 * fails, passed=3 * (not fails))


def test_marker_wins_over_the_ini_option(run: Run) -> None:
    run(marked("lint=False"), ini="smtpd_lint = true").assert_outcomes(passed=1)
    run(marked('lint_ignore="nul"'), ini="smtpd_lint = true\nsmtpd_lint_ignore = bare-lf").assert_outcomes(failed=1)


# --- warnings -------------------------------------------------------------------------------------------------------


def test_warn_gives_a_warning_for_each_finding_of_the_default_rules(run: Run) -> None:
    body = 'send(smtpd, "one\\ntwo\\0\\r\\n", name="localhost")'
    result = run(marked('lint="warn"', body), "-W", "default::pytest_smtpd.SMTPLintWarning")
    result.assert_outcomes(passed=1, warnings=2)
    result.stdout.fnmatch_lines(
        ["*SMTPLintWarning: smtpd: bare-lf, session 1: *", "*SMTPLintWarning: smtpd: nul, session 1: *"]
    )


def test_warning_that_a_filter_makes_an_error_fails_the_test(run: Run) -> None:
    result = run(marked('lint="warn"'))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["SMTPLintWarning: smtpd: bare-lf, *"])


def test_ignored_rules_give_no_warning(run: Run) -> None:
    run(marked('lint="warn", lint_ignore="bare-lf"')).assert_outcomes(passed=1)
    run(marked("", BARE), ini="smtpd_lint = warn\nsmtpd_lint_ignore = bare-lf").assert_outcomes(passed=1)


# --- what is wrong --------------------------------------------------------------------------------------------------

WRONG = {
    'lint="bare-fl"': "lint: unknown rule 'bare-fl' - did you mean 'bare-lf'?",
    'lint={"nul", "no_quit"}': "lint: unknown rule 'no_quit' - did you mean 'no-quit'?",
    'lint_ignore=["nil"]': "lint_ignore: unknown rule 'nil' - did you mean 'nul'?",
    'lint={"warn", "nul"}': "lint: unknown rule 'warn'; 'warn' stands alone, without names of rules",
    "lint=3": "lint must be True, False, 'warn', 'all', the name of a lint rule, or a collection of *",
    "lint_ignore=True": "lint_ignore must be the name of a lint rule, or a collection of names, not *",
    "lints=True": "unknown setting 'lints' - did you mean 'lint'?*",
}


@pytest.mark.parametrize(("settings", "text"), WRONG.items())
def test_wrong_setting_is_an_error_of_that_test_in_one_line(run: Run, settings: str, text: str) -> None:
    result = run(marked(settings) + "def test_other(smtpd):\n    send(smtpd)\n")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*_ ERROR at setup of test_it _*", f"@pytest.mark.smtpd: {text} (test_inner.py:*)"])


@pytest.mark.parametrize("ini", ["smtpd_lint = nil", "smtpd_lint_ignore = nul nil"])
def test_wrong_ini_option_is_an_error_of_the_run_in_one_line(run: Run, ini: str) -> None:
    result = run(marked(""), ini=ini)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {ini.split(maxsplit=1)[0]}: unknown rule 'nil' - did you mean 'nul'?"])


def test_name_like_no_rule_is_answered_with_all_there_are() -> None:
    with pytest.raises(ValueError) as caught:
        SMTPServer(lint="zzzz")
    assert str(caught.value) == f"lint: unknown rule 'zzzz' (valid: {', '.join(RULES)})"


# --- without pytest -------------------------------------------------------------------------------------------------

BARE_LETTER = letter(HEADER + b"\r\none\ntwo\r\n")


def be_served(**settings: Any) -> None:
    with SMTPServer(**settings) as server:
        hold(server, BARE_LETTER)


def test_leaving_the_block_raises_what_lint_finds() -> None:
    with pytest.raises(AssertionError, match=r"^smtpd: lint found bare-lf:\n  bare-lf, session 1: "):
        be_served(lint=True)


def test_leaving_the_block_by_an_exception_raises_that_one() -> None:
    def fail() -> None:
        with SMTPServer(lint=True) as server:
            hold(server, BARE_LETTER)
            raise KeyError

    with pytest.raises(KeyError):
        fail()


def test_leaving_the_block_warns() -> None:
    with pytest.warns(SMTPLintWarning, match="^relay: bare-lf, session 1: "):
        be_served(lint="warn", name="relay")


@pytest.mark.parametrize("settings", [{}, {"lint": "nul"}, {"lint": "all", "lint_ignore": {"bare-lf"}}])
def test_what_is_not_asked_for_is_not_raised(settings: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with SMTPServer(**settings) as server:
            hold(server, BARE_LETTER)
        assert [found.rule for found in server.lint] == ["bare-lf"]


def test_other_settings_for_a_running_server_are_checked_too() -> None:
    server = SMTPServer()
    with pytest.raises(ValueError, match="unknown rule 'nil'"):
        server.configure({"lint": "nil"})


# --- findings as values ---------------------------------------------------------------------------------------------


def test_findings_come_in_the_order_of_time_and_of_all_rules() -> None:
    with SMTPServer() as server:
        hold(server, letter(b"\n\r\n").replace("client.example", "my_host"))
        hold(server, letter(LETTER).replace("client.example", "localhost"))
        rules = [found.rule for found in server.lint]
    assert rules[0] == "ehlo-name"
    assert rules[-1] == "ehlo-unqualified"
    assert set(rules) <= set(EXPECTED)


def test_finding_is_shown_in_one_short_line() -> None:
    with SMTPServer() as server:
        hold(server, letter(b"Subject: " + b"x" * 3000 + b"\r\n"))
        for found in server.lint:
            assert len(repr(found)) < 200
            assert repr(found).startswith(f"<Lint {found.rule} ")


def test_cleared_log_has_no_findings() -> None:
    with SMTPServer() as server:
        hold(server, BARE_LETTER)
        past = server.clear()
        assert server.lint == []
        assert len(past.envelopes()) == 1


def test_connection_that_is_older_than_the_log_is_not_suspected() -> None:
    from tests.rfc.wire import connect

    with SMTPServer() as server, connect(server, greet=False) as wire:
        wire.reply()
        wire.steps("EHLO client.example", "STARTTLS")
        wire.secure(server.client_context, server.host)
        wire.steps("EHLO client.example", "HELO client.example", "EHLO client.example")
        server.clear()
        wire.send(b"NOOP\r\nNOOP\r\n")
        assert (wire.reply().code, wire.reply().code) == (250, 250)
        wire.steps("AUTH PLAIN AGFwcABzM2NyZXQ=", "QUIT")
        assert server.lint == []
