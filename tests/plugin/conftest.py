"""Runs of pytest inside the tests: only our plugin is loaded, every warning is an error, a mail client lies beside."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import pytest_smtpd

PRELUDE = """\
import os, re, smtplib, socket, ssl, sys, threading, unittest
import pytest
from mail import attempt, b64, banner, connect, features, greeting, letter, order, scram, send, upgraded
from pytest_smtpd import Reject, SMTPServer, WaitTimeout, on
"""

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]


@pytest.fixture(scope="session", autouse=True)
def _everything_imported() -> None:
    """Import what a run in this process would: it forgets its imports, and a compiled module cannot come twice."""
    for module in pkgutil.walk_packages(pytest_smtpd.__path__, "pytest_smtpd."):
        importlib.import_module(module.name)
    for name in ("aiosmtplib", "email.policy", "email.mime.text", "smtplib", "trustme"):
        importlib.import_module(name)


@pytest.fixture
def _inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # A file that is written twice in one second, with as many bytes, would be taken for the compiled one.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    for name in ("PYTEST_XDIST_WORKER", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CI"):
        monkeypatch.delenv(name, raising=False)
    pytester.plugins = []
    shutil.copy(Path(__file__).with_name("mail.py"), pytester.path)
    return pytester


@pytest.fixture
def write(_inner: pytest.Pytester) -> Callable[..., None]:
    """Return a function that writes `test_inner.py` (after the usual imports), and other modules by name."""

    def write(source: str, **modules: str) -> None:
        for name, text in {"test_inner": source, **modules}.items():
            (_inner.path / f"{name}.py").write_text(PRELUDE + textwrap.dedent(text), encoding="utf-8")

    return write


@pytest.fixture
def arguments() -> list[str]:
    """Return the arguments of every inner run: our plugin by the name of its entry point, and no other."""
    return ["-p", "pytest-smtpd", "-p", "no:cacheprovider", "-W", "error"]


@pytest.fixture
def run(_inner: pytest.Pytester, write: Callable[..., None], arguments: list[str]) -> Run:
    """Return a function that runs a test module in this process and gives its outcome and output."""

    def run(source: str, *args: str, **modules: str) -> pytest.RunResult:
        write(source, **modules)
        return _inner.runpytest_inprocess(*arguments, *args)

    return run


@pytest.fixture
def reports(_inner: pytest.Pytester, write: Callable[..., None], arguments: list[str]) -> Reports:
    """Return a function that runs a test module in this process and gives every report but those of passed set-ups."""

    def reports(source: str, *args: str, **modules: str) -> list[pytest.TestReport]:
        write(source, **modules)
        recorder = _inner.inline_run(*arguments, *args)
        every = [call.report for call in recorder.getcalls("pytest_runtest_logreport")]
        return [report for report in every if report.when == "call" or not report.passed]

    return reports


@pytest.fixture
def failure(reports: Reports) -> Callable[..., pytest.TestReport]:
    """Return a function that runs a test module in which exactly one report fails, and gives that one."""

    def failure(source: str, *args: str, **modules: str) -> pytest.TestReport:
        failed = [report for report in reports(source, *args, **modules) if report.failed]
        assert len(failed) == 1, [(report.nodeid, report.when, report.longreprtext[-300:]) for report in failed]
        return failed[0]

    return failure
