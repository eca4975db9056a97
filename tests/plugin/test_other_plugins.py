"""Living with other plugins and other ways to write tests."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]


def test_workers_share_nothing(run: Run) -> None:
    result = run(
        """
        @pytest.fixture(scope="session")
        def app(smtpd_session):
            return smtpd_session.address

        @pytest.mark.parametrize("n", range(12))
        def test_each(smtpd, n):
            send(smtpd, f"user{n}@example.com")
            assert smtpd.one().rcpt_to == (f"user{n}@example.com",)

        @pytest.mark.parametrize("n", range(12))
        @pytest.mark.smtpd_on("rcpt_to", reply="451 4.3.0 later", times=1)
        def test_one_application_per_worker(app, smtpd, n):
            assert smtpd.address == app
            assert order(smtpd) == ["later"]
            assert len(smtpd.log.sessions()) == 1
        """,
        *["-p", "xdist", "-p", "randomly", "-n", "2"],
    )
    result.assert_outcomes(passed=24)


def test_reruns_start_clean(run: Run) -> None:
    result = run(
        """
        runs = []

        @pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 marker", times=1)
        def test_rerun(smtpd):
            runs.append(1)
            assert not smtpd.envelopes
            assert order(smtpd) == ["marker"]          # counted afresh
            if len(runs) == 1:
                smtpd.on("mail_from", call=lambda address, session: int("x"))
                attempt(smtpd)

        session_runs = []

        def test_session(smtpd_session):
            session_runs.append(1)
            assert len(smtpd_session.log) == 0
            send(smtpd_session)
            assert len(session_runs) == 2

        late_runs = []

        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_unused_at_first(smtpd):
            late_runs.append(1)
            if len(late_runs) == 2:
                attempt(smtpd)
        """,
        *["-p", "rerunfailures", "--reruns", "1"],
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*3 passed, 3 rerun*"])


def test_doctests_use_the_fixture(run: Run) -> None:
    result = run(
        "",
        "--doctest-modules",
        sample='''
        def example():
            """
            >>> smtpd = getfixture("smtpd")
            >>> send(smtpd, "ada@example.com", subject="Welcome")
            >>> smtpd.one(to="ada@example.com").subject
            'Welcome'
            """
        ''',
    )
    result.assert_outcomes(passed=1)


def test_a_frozen_clock_stops_nothing(run: Run) -> None:
    result = run("""
        import datetime
        import freezegun, time_machine

        def exercise(smtpd):
            smtpd.on("rcpt_to", delay=0.01)
            smtpd.on("mail_from", reply=250, drip=0.001)
            send(smtpd)
            assert datetime.date.today().year == 2001
            smtpd.wait_closed()
            with pytest.raises(WaitTimeout):
                smtpd.wait_for(2, timeout=0.01)
            assert smtpd.log.transcript()

        @freezegun.freeze_time("2001-01-01")
        def test_freezegun(smtpd):
            exercise(smtpd)

        def test_freezegun_around_the_server():
            with freezegun.freeze_time("2001-01-01"), SMTPServer() as server:
                exercise(server)

        def test_freezegun_inside(smtpd):
            with freezegun.freeze_time("2001-01-01"):
                exercise(smtpd)

        @time_machine.travel("2001-01-01", tick=False)
        def test_time_machine(smtpd):
            exercise(smtpd)

        @time_machine.travel("2001-01-01", tick=False)
        def test_verified_tls_in_the_past(smtpd):
            with upgraded(smtpd, smtpd.client_context) as client:
                assert client.noop()[0] == 250
    """)
    result.assert_outcomes(passed=5)


def test_what_a_test_does_to_the_clock_and_to_sockets_does_not_reach_the_server(run: Run) -> None:
    result = run("""
        import time

        def test_patched_clock(smtpd, monkeypatch):
            monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("slept"))
            for name in ("monotonic", "time", "perf_counter"):
                monkeypatch.setattr(time, name, lambda: 5.0)
            smtpd.on("rcpt_to", delay=0.01)
            send(smtpd)
            smtpd.wait_closed()
            with pytest.raises(WaitTimeout):
                smtpd.wait_for(2, timeout=0.01)

        @pytest.fixture
        def impatient_sockets():
            socket.setdefaulttimeout(0.01)
            yield
            socket.setdefaulttimeout(None)

        def test_impatient_sockets(impatient_sockets, smtpd):
            smtpd.on("rcpt_to", delay=0.1)
            with upgraded(smtpd, smtpd.client_context) as client:
                client.sendmail("app@example.com", "bob@example.com", b"Hi")
    """)
    result.assert_outcomes(passed=2)


def test_a_blocked_network_is_explained(
    pytester: pytest.Pytester, run: Run, write: Callable[..., None], arguments: list[str]
) -> None:
    write("""
        def test_blocked(smtpd):
            pass

        @pytest.mark.enable_socket
        def test_enabled(smtpd):
            send(smtpd)
    """)
    result = pytester.runpytest_subprocess(*arguments, "-W", "default", "-p", "pytest_socket", "--disable-socket")
    result.assert_outcomes(passed=1, errors=1)
    text = result.stdout.str()
    assert "--allow-hosts=127.0.0.1" in text
    assert "enable_socket" in text
    assert "AttributeError" not in text
    result = run(
        """
        def test_allowed(smtpd):
            send(smtpd)
            with upgraded(smtpd, ssl.create_default_context()) as client:
                assert client.noop()[0] == 250
        """,
        *["-p", "pytest_socket", "--allow-hosts=127.0.0.1"],
    )
    result.assert_outcomes(passed=1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_forked_children(pytester: pytest.Pytester, write: Callable[..., None], arguments: list[str]) -> None:
    """A child may send; its end does not end the server; and a server that is gone costs a fork no warning."""
    write("""
        def forked(function, *args):
            pid = os.fork()
            if not pid:
                try:
                    function(*args)
                    os._exit(0)
                finally:
                    os._exit(1)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
        def test_child_sends(smtpd):
            assert forked(send, smtpd) == 0
            smtpd.one()
            send(smtpd, "parent@example.com")
            assert len(smtpd.envelopes) == 2

        @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
        def test_what_a_child_tidies_up_at_its_end_is_not_ours(smtpd):
            import atexit
            assert forked(atexit._run_exitfuncs) == 0
            with upgraded(smtpd, ssl.create_default_context()) as client:
                assert client.noop()[0] == 250

        def test_no_thread_is_left():
            assert forked(int) == 0
    """)
    result = pytester.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=3)


@pytest.mark.skipif(importlib.util.find_spec("pytest_run_parallel") is None, reason="pytest-run-parallel is optional")
def test_threads_of_one_test_share_the_server(run: Run) -> None:
    result = run(
        """
        def test_it(smtpd):
            to = f"user{threading.get_ident()}@example.com"
            send(smtpd, to)
            smtpd.one(to=to)
        """,
        *["-p", "run-parallel", "--parallel-threads=4"],
    )
    result.assert_outcomes(passed=1)


def test_a_debugger_does_not_lose_the_client(run: Run) -> None:
    """Nothing is closed by time unless a test asks for it."""
    result = run("""
        def test_it(smtpd):
            with connect(smtpd) as client:
                client.sock.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    client.sock.recv(1)
                client.sock.settimeout(10)
                assert client.noop()[0] == 250
    """)
    result.assert_outcomes(passed=1)


def test_fixtures_are_shown_by_setup_plan(run: Run) -> None:
    result = run(
        """
        @pytest.mark.parametrize("smtpd", [on("connect", reply=421)], indirect=True)
        def test_it(smtpd, smtpd_factory): pass
        """,
        "--setup-plan",
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*SETUP*F smtpd*"])


def test_a_plugin_switched_off_by_the_name_of_the_rival_stays(run: Run) -> None:
    result = run(
        """
        def test_it(smtpd):
            send(smtpd)
        """,
        *["-p", "no:smtpd"],
    )
    result.assert_outcomes(passed=1)


def test_ours_can_be_switched_off(
    pytester: pytest.Pytester, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    write("def test_it(smtpd): pass")
    result = pytester.runpytest_subprocess("-p", "no:pytest-smtpd", "-W", "default")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'smtpd' not found*"])
