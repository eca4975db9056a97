"""Runs of pytest inside the tests, for the fixture and the command line."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import pytest_smtpd

ROOT = Path(pytest_smtpd.__file__).parents[1]
PRELUDE = """\
import asyncio, smtplib, threading
import pytest
from pytest_smtpd import SMTPServer, SweepFailure, on
from tests.sweep.inner import careless, send, two_mails
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a test module in this process."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # A file that is written twice in one second, with as many bytes, would be taken for the compiled one.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for workers of xdist
    for name in ("PYTEST_XDIST_WORKER", "CI", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    pytester.plugins = []

    def run(source: str, *args: str, **files: str) -> pytest.RunResult:
        for name, text in {"test_inner": PRELUDE + textwrap.dedent(source), **files}.items():
            (pytester.path / f"{name}.py").write_text(text, encoding="utf-8")
        return pytester.runpytest_inprocess("-p", "pytest-smtpd", "-W", "error", *args)

    return run
