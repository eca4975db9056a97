"""The examples are run as a reader would run them: by pytest, in their own folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FAILS = "test_fails_on_purpose.py"
# pytest-asyncio warns of a setting that the examples have no use for.
PLUGINS = ("-p", "no:cacheprovider", "-p", "no:asyncio")


def run_pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-W", "error", *PLUGINS, "--color=no", *arguments]
    return subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def failing_report() -> str:
    process = run_pytest(FAILS)
    assert process.returncode == pytest.ExitCode.TESTS_FAILED, process.stdout + process.stderr
    return process.stdout


@pytest.mark.wide
def test_every_example_passes_but_the_one_that_fails_on_purpose() -> None:
    process = run_pytest(f"--ignore={FAILS}")
    assert process.returncode == pytest.ExitCode.OK, process.stdout + process.stderr
    assert " passed" in process.stdout


def test_failing_example_reports_the_conversation(failing_report: str) -> None:
    _, _, section = failing_report.partition("Captured smtpd call")
    told = [line for line in section.splitlines() if "C:" in line or "S:" in line]
    asked = next(number for number, line in enumerate(told) if "rcpt to:<ada@example.com>" in line.lower())
    assert "S: 550 5.1.1 No such user" in told[asked + 1]


def test_failing_example_names_the_rule_that_refused(failing_report: str) -> None:
    answer = next(line for line in failing_report.splitlines() if "S: 550 5.1.1 No such user" in line)
    assert "on('rcpt_to'" in answer


@pytest.mark.wide
def test_failing_example_does_not_print_the_password_in_its_transcript(failing_report: str) -> None:
    _, _, section = failing_report.partition("Captured smtpd call")
    assert "auth" in section.lower()
    # As it is in the source, and as AUTH PLAIN and AUTH LOGIN would put it on the wire.
    for secret in ("s3cret", "AGFwcABzM2NyZXQ=", "czNjcmV0"):
        assert secret not in section


def test_application_of_the_examples_does_not_know_the_plugin() -> None:
    for source in EXAMPLES.joinpath("signup").glob("*.py"):
        assert "smtpd" not in source.read_text()


@pytest.mark.wide
def test_demo_says_what_it_shows_and_where_to_read_it() -> None:
    process = subprocess.run(
        [sys.executable, str(EXAMPLES / "demo.py")],
        env=os.environ | {"PYTEST_ADDOPTS": "-p no:asyncio -W error -k 'welcome or on_purpose'"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    lines = process.stdout.splitlines()
    assert "a small sign-up service" in lines[0]
    named = [line.split()[0] for line in lines if line.startswith("  /")]
    named += [f"{EXAMPLES.parent}/{name}" for name in re.findall(r"docs/[\w/-]+\.md", lines[-2])]
    assert len(named) == 5
    assert [name for name in named if not Path(name).exists()] == []
