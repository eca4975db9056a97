"""Whoever does not ask for findings pays nothing for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = 'print(*sorted(name for name in sys.modules if name.startswith("pytest_smtpd.lint")))'
TEST = """
import smtplib

def test_it(smtpd):
    with smtplib.SMTP(smtpd.host, smtpd.port) as client:
        client.sendmail("app@example.com", "ada@example.com", "Hello")
    assert len(smtpd.envelopes) == 1
"""


@pytest.mark.parametrize(
    "code",
    [
        "import pytest_smtpd",
        "from pytest_smtpd import SMTPServer, on\nwith SMTPServer(): pass",
        "from pytest_smtpd import SMTPServer\nserver = SMTPServer(lint=False)\nserver.verify()",
    ],
    ids=["package", "server", "off"],
)
def test_package_imports_nothing_of_it(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{LOADED}"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("outcome", ["passed", "failed"])
def test_run_imports_nothing_of_it(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(f"import sys\ndef pytest_sessionfinish():\n    {LOADED}")
    pytester.makepyfile(TEST if outcome == "passed" else TEST.replace("== 1", "== 2"))
    result = pytester.runpytest_subprocess("-p", "pytest-smtpd", "-q", "-s")
    result.assert_outcomes(**{outcome: 1})
    assert "pytest_smtpd.lint" not in result.stdout.str()
