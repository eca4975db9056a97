"""What pytest prints about us, and the one option."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

FIXTURES = {
    "smtpd": "function",
    "smtpd_factory": "function",
    "smtpd_session": "session",
    "smtpd_sweep": "function",
    "smtpd_config": "function",
    "smtpd_ca": "session",
}


def test_fixtures_are_described(run: Run) -> None:
    lines = run("", "--fixtures").outlines
    for name, scope in FIXTURES.items():
        shown = f" [{scope} scope]" if scope != "function" else ""
        (at,) = [n for n, line in enumerate(lines) if line.startswith(f"{name}{shown} -- ")]
        assert re.match(r"    [A-Z].{20,110}\.$", lines[at + 1]), lines[at + 1]
    ours = {line.split()[0] for line in lines if re.search(r" -- .*pytest_smtpd", line)}
    assert ours == set(FIXTURES)


def test_markers_are_described_with_their_signature(run: Run) -> None:
    result = run("", "--markers")
    result.stdout.fnmatch_lines_random(
        [
            "@pytest.mark.smtpd(*tls*auth*): *",
            "@pytest.mark.smtpd_on(hook, *reply*drop*): *",
        ]
    )
    (example,) = [line for line in result.outlines if line.startswith("@pytest.mark.smtpd_on(")]
    assert 'smtpd_on("rcpt_to"' in example.partition("): ")[2]


def test_nothing_is_added_to_the_output_of_a_run(pytester: pytest.Pytester, run: Run) -> None:
    with_us = run("def test_it(): pass").outlines
    without = pytester.runpytest_inprocess("-p", "no:cacheprovider").outlines
    ours = [line for line in with_us if "smtpd" in line and "rootdir" not in line]
    assert len(ours) <= 1
    assert len(with_us) <= len(without) + 1


# ---------------------------------------------------------------- smtpd_timeout

WAITS = """
def test_it(smtpd):
    with pytest.raises(WaitTimeout, match=r"\\b{seconds}\\b"):
        smtpd.wait_for()
    with pytest.raises(WaitTimeout, match=r"\\b{seconds}\\b"):
        smtpd.log.wait_for("connect")
    client = connect(smtpd)
    with pytest.raises(WaitTimeout, match=r"\\b{seconds}\\b"):
        smtpd.wait_closed()
    client.close()
"""

FILES = {
    "pytest.ini": "[pytest]\nsmtpd_timeout = 0.02\n",
    "tox.ini": "[pytest]\nsmtpd_timeout = 0.02\n",
    "setup.cfg": "[tool:pytest]\nsmtpd_timeout = 0.02\n",
    "pyproject.toml": "[tool.pytest.ini_options]\nsmtpd_timeout = 0.02\n",
    "pyproject.toml, quoted": '[tool.pytest.ini_options]\nsmtpd_timeout = "0.02"\n',
}

NATIVE = {
    "pyproject.toml, native": "[tool.pytest]\nsmtpd_timeout = 0.02\n",
    "pytest.toml": "[pytest]\nsmtpd_timeout = 0.02\n",
}


@pytest.mark.parametrize("file", [*FILES, *(NATIVE if pytest.version_tuple >= (9,) else ())])
def test_the_option_in_every_kind_of_file(pytester: pytest.Pytester, run: Run, file: str) -> None:
    (pytester.path / file.partition(",")[0]).write_text((FILES | NATIVE)[file])
    result = run(WAITS.format(seconds=r"0\.02"), "--strict-config")
    result.assert_outcomes(passed=1)


def test_whole_seconds_in_native_toml(pytester: pytest.Pytester, run: Run) -> None:
    if pytest.version_tuple >= (9,):
        (pytester.path / "pytest.toml").write_text("[pytest]\nsmtpd_timeout = 3\n")
    result = run("""
        def test_it(smtpd):
            send(smtpd)
            smtpd.wait_for()
    """)
    result.assert_outcomes(passed=1)


def test_the_option_on_the_command_line_and_the_argument_that_wins(run: Run) -> None:
    result = run(
        WAITS.format(seconds=r"0\.03")
        + """
def test_argument(smtpd, smtpd_factory, smtpd_session):
    for server in (smtpd, smtpd_factory("relay")):
        with pytest.raises(WaitTimeout, match=r"\\b0\\.01\\b"):
            server.wait_for(timeout=0.01)
        with pytest.raises(WaitTimeout, match=r"\\b0\\.03\\b"):
            server.wait_for()
""",
        *["-o", "smtpd_timeout=0.03"],
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("value", ["soon", "-1", ""])
def test_a_wrong_option_is_a_clear_error(run: Run, value: str) -> None:
    result = run(
        """
        def test_it(smtpd):
            pass
        """,
        *["-o", f"smtpd_timeout={value}"],
    )
    assert result.ret != 0
    text = result.stdout.str() + result.stderr.str()
    assert "smtpd_timeout" in text
    assert "INTERNALERROR" not in text


def test_the_option_is_listed_in_the_help(run: Run) -> None:
    run("", "--help").stdout.fnmatch_lines(["*smtpd_timeout (*"])
