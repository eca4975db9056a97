"""Nothing is left behind: no thread, socket, file, environment variable or warning, whatever the test did."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_smtpd.certificates import authority

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]

UNTIDY = {
    "idle client": "clients.append(connect(smtpd))",
    "hanging rule": """
        smtpd.on("rcpt_to", hang=True)
        client = connect(smtpd)
        client.mail("app@example.com")
        client.send("RCPT TO:<bob@example.com>\\r\\n")
        smtpd.log.wait_for("rcpt_to")
        clients.append(client)
    """,
    "in the middle of the data": """
        client = connect(smtpd)
        client.mail("app@example.com")
        client.rcpt("bob@example.com")
        client.docmd("DATA")
        client.send(b"x" * 100_000)
        clients.append(client)
    """,
    "in the middle of a handshake": """
        client = connect(smtpd)
        client.docmd("STARTTLS")
        client.send(b"\\x16\\x03\\x01")
        clients.append(client)
    """,
    "pending async hook": """
        import asyncio

        @smtpd.on("mail_from")
        async def endless(address, session):
            await asyncio.Event().wait()

        client = connect(smtpd)
        client.send("MAIL FROM:<app@example.com>\\r\\n")
        smtpd.log.wait_for("mail_from")
        clients.append(client)
    """,
    "long delay": """
        smtpd.on("mail_from", delay=300)
        client = connect(smtpd)
        client.send("MAIL FROM:<app@example.com>\\r\\n")
        smtpd.log.wait_for("mail_from")
        clients.append(client)
    """,
    "client that never reads": """
        smtpd.on("mail_from", drip=100)
        client = connect(smtpd)
        client.send("MAIL FROM:<app@example.com>\\r\\n" * 50)
        smtpd.log.wait_for("mail_from")
        clients.append(client)
    """,
    "TLS left open": "clients.append(upgraded(smtpd, smtpd.client_context))",
    "stopped by the test": "smtpd.stop()",
    "stopped and started": "smtpd.stop(); smtpd.start(); send(smtpd)",
    "failed": "send(smtpd); assert False, 'on purpose'",
    "more servers": "send(smtpd_factory('relay')); send(smtpd_factory('tls', tls='implicit'))",
}


def body(source: str) -> str:
    return textwrap.indent(textwrap.dedent(source).strip(), " " * 4)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert Path(authority().file).exists()  # the test CA has a folder as long as the process lives
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def descriptors() -> set[str]:
    """Return what the open descriptors of this process are, where the system can tell."""
    found = set()
    for one in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            found.add(f"{one.name} {one.readlink()}")
    return found


def test_untidy_tests_leave_nothing(reports: Reports, temporary: Path) -> None:
    tests = "\n".join(
        f"def test_{n}(smtpd, smtpd_factory):\n{body(source)}\n\ndef test_{n}_tidy():\n{body(TIDY)}\n"
        for n, source in enumerate(UNTIDY.values())
    )
    before = set(threading.enumerate()), descriptors(), _environment()
    got = reports(f"clients = []\nthreads = set(threading.enumerate())\n\n{tests}")
    after = set(threading.enumerate()), descriptors(), _environment()
    failed = [(report.nodeid, report.when, report.longreprtext) for report in got if report.failed]
    assert [(nodeid.partition("::")[2], when) for nodeid, when, _ in failed] == [
        (f"test_{list(UNTIDY).index('failed')}", "call")
    ], failed
    assert after[0] - before[0] == set()
    assert {one for one in after[1] - before[1] if "socket:" in one or "eventpoll" in one} == set()
    assert after[2] == before[2]
    assert [path.name for path in temporary.iterdir() if path.name != "pytest-of-root"] == []


TIDY = """
assert set(threading.enumerate()) <= threads
while clients:
    clients.pop().close()
"""


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def test_the_end_of_a_test_takes_no_time(
    pytester: pytest.Pytester, write: Callable[..., None], arguments: list[str]
) -> None:
    tests = "\n".join(
        f"def test_{n}(smtpd, smtpd_factory):\n{body(source)}\n" for n, source in enumerate(UNTIDY.values())
    )
    write(f"clients = []\n\n{tests}\n\ndef test_close():\n    [client.close() for client in clients]\n")
    recorder = pytester.inline_run(*arguments)
    slow = [
        (report.nodeid, report.duration)
        for call in recorder.getcalls("pytest_runtest_logreport")
        if (report := call.report).when == "teardown" and report.duration > 2  # a stop takes milliseconds
    ]
    assert slow == []


def test_a_hook_still_blocked_at_the_end_is_named_in_a_warning(run: Run) -> None:
    result = run(
        """
        release = threading.Event()
        before = set(threading.enumerate())

        def test_blocked(smtpd):
            @smtpd.on("mail_from")
            def never_returns(address, session):
                release.wait(60)
            client = connect(smtpd)
            client.send("MAIL FROM:<app@example.com>\\r\\n")
            smtpd.log.wait_for("mail_from")
            client.close()

        def test_its_thread_is_a_daemon():
            try:
                mine = set(threading.enumerate()) - before
                assert mine and all(thread.daemon for thread in mine)
            finally:
                release.set()
        """,
        *["-W", "default"],
    )
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(["*never_returns*"])


def test_development_mode_has_nothing_to_say(
    pytester: pytest.Pytester, write: Callable[..., None], arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = pytester.mkdir("files")
    monkeypatch.setenv("TMPDIR", str(files))
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    write("""
        import gc, subprocess

        clients = []

        WAYS = [{"tls": "implicit"}, {"tls": None}, on("rcpt_to", drop="rst"), on("data", reply=421)]

        @pytest.mark.parametrize("smtpd", WAYS, indirect=True)
        def test_each(smtpd, smtpd_factory):
            attempt(smtpd)
            gc.collect()

        def test_left_open(smtpd, smtpd_session):
            with connect(smtpd) as client:
                client.mail("app@example.com")
                client.close()

        def test_tls(smtpd):
            with upgraded(smtpd, ssl.create_default_context()) as client:
                client.sendmail("app@example.com", "bob@example.com", b"Hi")

        def test_collected():
            gc.collect()
    """)
    result = pytester.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=7)
    assert result.stderr.str().strip() == ""
    result.stdout.no_fnmatch_line("*warning*")
    assert list(files.iterdir()) == []


MEMORY = """
    import gc, weakref

    seen, marked = [], []
    rules = [on("rcpt_to", reply=550, optional=True, name="nobody")]

    def remember(*servers):
        for server in servers:
            send(server)
            seen.extend([weakref.ref(server), weakref.ref(server.log), weakref.ref(server.one().message)])

    @pytest.fixture
    def relay(smtpd_factory):
        return smtpd_factory("relay")

    def test_passed(smtpd, relay):
        remember(smtpd, relay)

    @pytest.mark.smtpd_on("rcpt_to", reply=550, to="nobody@*", optional=True)
    @pytest.mark.parametrize("smtpd", rules, indirect=True)
    def test_marked(smtpd):
        remember(smtpd)

    def test_failed(smtpd, relay):
        remember(smtpd, relay)
        assert False, "on purpose"

    def test_late(request):
        remember(request.getfixturevalue("smtpd"))

    class TestCase(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _server(self, smtpd):
            self.server = smtpd

        def test_it(self):
            remember(self.server)

    def test_after():
        gc.collect()
        assert len(seen) >= 18
        assert [one() for one in seen if one() is not None] == []
"""


PLUGINS = {"alone": [], "rerun": ["-p", "rerunfailures", "--reruns", "1"], "xdist": ["-p", "xdist", "-n", "1"]}


@pytest.mark.parametrize("plugins", PLUGINS.values(), ids=PLUGINS)
def test_no_server_and_no_mail_outlives_its_test(
    pytester: pytest.Pytester, write: Callable[..., None], arguments: list[str], plugins: list[str]
) -> None:
    write(MEMORY)
    result = pytester.runpytest_subprocess(*arguments, *plugins)  # inside, the recorder would keep every traceback
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"]) == (5, 1)


def test_the_files_of_the_test_ca_go_with_the_process(tmp_path: Path) -> None:
    uses = "import pytest_smtpd; print(pytest_smtpd.SMTPServer().ca_file)"
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", uses], env=env, capture_output=True, text=True, check=True)
    file = Path(done.stdout.strip())
    assert file.is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []
