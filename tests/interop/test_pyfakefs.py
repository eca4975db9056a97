"""pyfakefs: the server works in the real file system, and no test breaks a later one."""

from __future__ import annotations

import sys

import pytest

from tests.interop.presence import python, require

SUITE = """
import ssl, smtplib
import pytest

def send(smtpd):
    with smtplib.SMTP(smtpd.host, smtpd.port, timeout=10) as client:
        client.starttls(context=ssl.create_default_context())
        client.sendmail("a@example.com", ["b@example.com"], "Subject: x\\r\\n\\r\\ny")
    assert smtpd.one().subject == "x"
    smtpd.wait_closed()

async def async_hook(address, session):
    pass

def hook(address, session):
    pass
"""
TESTS = {
    "before": "def test_{n}(fs, smtpd): send(smtpd)",
    "behind": "def test_{n}(smtpd, fs): send(smtpd)",
    "without": "def test_{n}(smtpd): send(smtpd)",
    "async hook": "def test_{n}(fs, smtpd):\n    smtpd.on('rcpt_to', call=async_hook)\n    send(smtpd)",
    "def hook": "def test_{n}(smtpd, fs):\n    smtpd.on('rcpt_to', call=hook)\n    send(smtpd)",
    "session": "def test_{n}(fs, smtpd_session, smtpd): send(smtpd)",
    "factory": "def test_{n}(fs, smtpd_factory): send(smtpd_factory('other', hostname='mail.example'))",
    "path": "def test_{n}(fs, smtpd_factory):\n    smtplib.LMTP(smtpd_factory(path=True, lmtp=True).path).quit()",
    "class": (
        "from pytest_smtpd import SMTPServer\n"
        "def test_{n}(fs):\n    with SMTPServer() as server, smtplib.SMTP(server.host, server.port) as client:\n"
        "        client.starttls(context=server.client_context)"
    ),
    "fake": (
        "def test_{n}(fs, smtpd):\n    fs.create_file('/invented/file', contents='x')\n"
        "    assert open('/invented/file').read() == 'x'\n    send(smtpd)"
    ),
}


@pytest.fixture(autouse=True)
def _needs() -> None:
    require(python(sys.executable, "pyfakefs"))


def passes(pytester: pytest.Pytester, names: list[str]) -> None:
    body = "\n\n".join(TESTS[name].format(n=number) for number, name in enumerate(names))
    pytester.makepyfile(SUITE + "\n\n" + body)
    plugins = ["-p", "pytest-smtpd", "-p", "pyfakefs.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:randomly"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        result = pytester.runpytest_subprocess(*plugins, "-W", "error", timeout=100)
    result.assert_outcomes(passed=len(names))


@pytest.mark.parametrize("first", TESTS)
def test_whichever_comes_first(pytester: pytest.Pytester, first: str) -> None:
    """What is imported amid a test with a file system of its own must not be forgotten after it."""
    passes(pytester, [first, "without", first])


def test_all_in_one_run(pytester: pytest.Pytester) -> None:
    passes(pytester, [*TESTS, *reversed(TESTS)])
