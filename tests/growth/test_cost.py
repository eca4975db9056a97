"""What a table may not cost: counted, not timed."""

from __future__ import annotations

import json
import os
import smtplib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_smtpd import Rule, SMTPServer
from tests.docs.pages import ROOT

MOST_CALLS = 335  # of Python functions in the server's thread, for a message of 1 KB on a connection of its own
MOST_FILES, MOST_CROSSINGS = 8, 45  # that a reader of one RCPT has to follow


@pytest.fixture(scope="module")
def counted() -> dict[str, Any]:
    """What a process of its own counts, without what slows this one down."""
    spared = ("PYTHONDEVMODE", "PYTHONPATH", "COVERAGE_PROCESS_START")
    environment = {name: value for name, value in os.environ.items() if name not in spared}
    command = [sys.executable, str(Path(__file__).with_name("counting.py"))]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=100, env=environment | {"PYTHONPATH": str(ROOT)}
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_message_takes_few_calls(counted: dict[str, Any]) -> None:
    assert 100 < counted["message"] <= MOST_CALLS


def test_a_reader_follows_a_recipient_through_few_files(counted: dict[str, Any]) -> None:
    recipient = counted["recipient"]
    assert "smtp/mail.py" in recipient["files"]
    assert len(recipient["files"]) <= MOST_FILES, recipient["files"]
    assert 3 < recipient["crossing"] <= MOST_CROSSINGS


def test_a_wait_looks_at_each_message_in_a_few_calls() -> None:
    messages = 50
    with SMTPServer(tls=None) as server:
        with smtplib.SMTP(server.host, server.port, timeout=10) as client:
            for _ in range(messages):
                client.sendmail("app@example.com", ["ada@example.com"], "Subject: Hi\r\n\r\nHi\r\n")
        server.wait_closed()
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(count)
        try:
            server.wait_for(messages)
        finally:
            sys.setprofile(None)
    assert messages < calls < 15 * messages


@pytest.mark.parametrize(("tests", "most"), [(1, 1900), (101, 1900 + 100 * 55)])
def test_a_run_that_does_not_use_the_plugin_makes_few_calls_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tests: int, most: int
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # or pytest would compile the plugin in each run
    body = f"import pytest\n@pytest.mark.parametrize('n', range({tests}))\ndef test_it(n): pass\n"
    (tmp_path / "test_plain.py").write_text(body, encoding="utf-8")

    def calls(plugin: str) -> int:
        script = Path(__file__).with_name("counting_run.py")
        command = [sys.executable, str(script), "-q", "-p", "no:cacheprovider", "-p", plugin, "test_plain.py"]
        for _ in range(2):  # what has to be compiled is compiled in the first run
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100, cwd=tmp_path)
        return int(done.stdout.split()[-1])

    assert 100 < calls("pytest_smtpd.plugin") - calls("__future__") < most  # which is a module that does nothing


RULE = '@pytest.mark.smtpd_on("rcpt_to", reply=550)'
USES = {
    "smtpd": f"""
        {RULE}
        def test_it(smtpd):
            assert attempt(smtpd)
    """,
    "the session's server": f"""
        {RULE}
        def test_it(smtpd, smtpd_session):
            assert attempt(smtpd)
    """,
    "a class": f"""
        {RULE}
        class TestIt:
            def test_it(self, smtpd):
                assert attempt(smtpd)
    """,
    "a factory beside it": f"""
        {RULE}
        def test_it(smtpd, smtpd_factory):
            assert attempt(smtpd)
            assert not attempt(smtpd_factory())
    """,
}


@pytest.mark.parametrize("use", USES)
def test_a_marker_makes_one_rule_for_the_item_and_one_for_the_server(
    run: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    made: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        original = getattr(Rule, name)

        def count(*args: Any, **options: Any) -> Any:
            made.append(name)
            return original(*args, **options)

        return count

    for name in ("__init__", "copy"):
        monkeypatch.setattr(Rule, name, counted(name))
    run(USES[use]).assert_outcomes(passed=1)
    assert made == ["__init__", "copy"]
