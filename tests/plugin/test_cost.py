"""What the plugin costs where it is not used: nothing heavy is imported because of it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HEAVY = {
    "asyncio",
    "concurrent.futures",
    "cryptography",
    "email.message",
    "email.policy",
    "smtplib",
    "ssl",
    "trustme",
}

PUBLIC = {
    *("SMTPServer", "SMTPServerFactory", "on", "Rule", "Reject", "WaitTimeout"),
    *("Address", "Auth", "Command", "Reply", "Session", "Stream", "TLSInfo"),
    *("Attachment", "Call", "Envelope", "Log"),
    *("Clock", "Lint", "SMTPLintWarning"),
    *("Fault", "Finding", "Sweep", "SweepFailure"),
}

MODULES = """
import json, sys

def pytest_sessionfinish():
    with open("modules.json", "w") as file:
        json.dump(sorted(sys.modules), file)
"""

PLAIN = """
import pytest

def test_plain():
    pass
"""

USER = """
import pytest
from pytest_smtpd import Reject, on

pytestmark = [pytest.mark.smtpd(tls="implicit", auth={"app": "s3cret"}), pytest.mark.smtpd_on("rcpt_to", reply=550)]

@pytest.mark.parametrize("smtpd", [on("connect", reply=421), {"certificate": "expired"}], indirect=True)
@pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 No such user", to="bounce@*")
def test_deselected(smtpd):
    pass

class TestPlain:
    pass

def unmarked():
    pass
"""


@pytest.fixture
def modules(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., set[str]]:
    """Return a function that runs pytest in a process of its own and gives the modules it had imported."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(MODULES)

    def modules(source: str, *args: str) -> set[str]:
        pytester.makepyfile(test_inner=source)
        result = pytester.runpytest_subprocess(*args)
        assert result.ret in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
        return set(json.loads((pytester.path / "modules.json").read_text()))

    return modules


def test_a_run_that_does_not_use_the_plugin_imports_nothing_heavy(modules: Callable[..., set[str]]) -> None:
    without = modules(PLAIN)
    plugin = modules(PLAIN, "-p", "pytest-smtpd") - without
    assert {name for name in plugin if name.startswith("pytest_smtpd")} == {"pytest_smtpd", "pytest_smtpd.plugin"}
    assert plugin & HEAVY == set()
    collected = modules(USER, "-p", "pytest-smtpd", "-k", "nothing") - without
    assert collected & HEAVY == set()


def test_a_server_without_tls_needs_no_certificates(modules: Callable[..., set[str]]) -> None:
    source = """
        import pytest, socket

        @pytest.mark.smtpd(tls=None)
        def test_clear(smtpd):
            with socket.create_connection(smtpd.address, timeout=10) as client:
                assert client.recv(3) == b"220"
                client.sendall(b"QUIT\\r\\n")
                smtpd.wait_closed()
    """
    without = modules(PLAIN)  # with some versions of Python, ssl is among them
    assert (modules(source, "-p", "pytest-smtpd") - without) & {"trustme", "cryptography", "ssl"} == set()


SENDS = """
    import smtplib

    def test_sends(smtpd):
        with smtplib.SMTP(smtpd.host, smtpd.port, timeout=10) as client:
            client.sendmail("app@example.com", ["ada@example.com"], "Subject: Hello\\n\\nHi\\n")
        assert smtpd.one().subject == "Hello"
"""


@pytest.mark.parametrize("option", [[], ["--smtpd-artifacts=kept"]], ids=["plain", "artifacts"])
def test_what_shows_failures_is_not_imported_by_tests_that_pass(
    modules: Callable[..., set[str]], option: list[str]
) -> None:
    loaded = modules(SENDS, "-p", "pytest-smtpd", *option)
    assert [name for name in loaded if name.startswith(("pytest_smtpd.view", "pytest_smtpd.cli"))] == []
    assert loaded & {"pytest_smtpd.plugin.report", "pytest_smtpd.log.transcript"} == set()


@pytest.mark.parametrize("names", ["", "on", "Reject", "on, Reject, Rule, WaitTimeout"])
def test_importing_the_package_is_cheap(names: str) -> None:
    what = f"from pytest_smtpd import {names}" if names else "import pytest_smtpd"
    code = f"import sys; before = set(sys.modules)\n{what}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240)
    assert set(done.stdout.split()) & (HEAVY | {"pytest", "_pytest", "socket"}) == set()


def test_the_package_offers_its_public_names_and_no_others() -> None:
    import pytest_smtpd

    assert [name for name in PUBLIC if not hasattr(pytest_smtpd, name)] == []
    assert set(dir(pytest_smtpd)) >= PUBLIC
    assert set(pytest_smtpd.__all__) == PUBLIC
    with pytest.raises(AttributeError, match="SMTPSever"):
        _ = pytest_smtpd.SMTPSever  # type: ignore[attr-defined]


def test_type_checkers_are_told_the_homes_of_the_public_names() -> None:
    import pytest_smtpd

    told = ast.parse(Path(pytest_smtpd.__file__).with_suffix(".pyi").read_text())
    imports = [node for node in told.body if isinstance(node, ast.ImportFrom) and node.module != "types"]
    homes = {name.name: f"{node.module}" for node in imports for name in node.names}
    assert homes == {name: f"pytest_smtpd.{home}" for name, home in pytest_smtpd._HOMES.items()}
