"""Servers that come and go: nothing of them stays."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pytest_smtpd import SMTPServer
from tests.soak.dialogue import Client, deliver
from tests.soak.residue import assert_steady, nothing_left
from tests.soak.sizes import sized


def idle() -> None:
    with SMTPServer():
        pass


def one_message() -> None:
    with SMTPServer() as server:
        deliver(server)
        assert server.one().subject == "Welcome"


def starttls() -> None:
    with SMTPServer() as server, Client(server) as client:
        assert client.greeted().starttls(server.client_context).say("EHLO client.test").startswith("250")


def implicit() -> None:
    with (
        SMTPServer(tls="implicit") as server,
        Client(server) as client,
        server.client_context.wrap_socket(client.socket, server_hostname="localhost") as secured,
    ):
        assert secured.recv(3) == b"220"


def started_twice() -> None:
    with SMTPServer() as server:
        server.stop()
        server.start()
        deliver(server)


@pytest.mark.parametrize("cycle", [idle, one_message, starttls, implicit, started_twice])
def test_a_server_that_is_gone_leaves_nothing(cycle: Any, tmp_path: Path) -> None:
    cycle()  # what is imported or made once for all servers may stay
    with nothing_left(tmp_path / "temporary"):
        assert_steady(cycle, sized(60, 10_000 if cycle is idle else 2_000))


def test_a_server_that_failed_to_start_leaves_nothing(tmp_path: Path) -> None:
    with SMTPServer() as first:
        port = first.port

        def fail() -> None:
            with pytest.raises(OSError, match="in use"):
                SMTPServer(port=port).start()

        fail()
        with nothing_left(tmp_path / "temporary"):
            assert_steady(fail, sized(60, 2_000))


FIXTURE_CONFTEST = """
    import gc, os, threading
    import pytest

    WARM = 10       # tests after which what is made once has been made
    seen = []

    def held():
        gc.collect()
        return (
            sorted(thread.name for thread in threading.enumerate()),
            sorted(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd")),
            {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
        )

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(nodeid):
        seen.append(held() if len(seen) in (WARM, COUNT - 1) else None)

    def pytest_sessionfinish(session):
        assert len(seen) == COUNT
        assert seen[WARM] == seen[-1], (seen[WARM], seen[-1])
"""

FIXTURE_TESTS = """
    import os, smtplib
    import pytest
    from pytest_smtpd import on

    @pytest.mark.parametrize("n", range(COUNT))
    @pytest.mark.smtpd_on("rcpt_to", to="bounce@*", reply=550, optional=True)
    def test_one(smtpd, n):
        assert "SSL_CERT_FILE" in os.environ
        if n % 10 == 0:
            with smtplib.SMTP(smtpd.host, smtpd.port, local_hostname="client.test") as client:
                client.sendmail("app@example.com", ["ada@example.com"], "Subject: Welcome")
            assert smtpd.one().subject == "Welcome"
"""


def test_fixtures_leave_nothing_and_warn_of_nothing(tmp_path: Path) -> None:
    count = sized(200, 10_000)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for name, text in {"conftest.py": FIXTURE_CONFTEST, "test_many.py": FIXTURE_TESTS}.items():
        (tmp_path / name).write_text(dedent(text).replace("COUNT", str(count)), encoding="utf-8")
    # Only this plugin: other people's warnings would be errors here too.
    quiet = ["-q", "-p", "pytest_smtpd.plugin", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "pytest", *quiet],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        | {"TMPDIR": str(temporary), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert f"{count} passed" in done.stdout
    assert "warning" not in done.stdout
    assert done.stderr == ""
    assert list(temporary.rglob("*")) == []
