"""What `smtpd_session` is outside of tests, and that a test's time on it has one beginning and one end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.plugin.reading import sections

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]
Failure = Callable[..., pytest.TestReport]


def test_the_rule_of_a_fixture_is_there_in_a_test_that_uses_smtpd_too(run: Run) -> None:
    result = run("""
        @pytest.fixture
        def strict(smtpd_session):
            smtpd_session.on("rcpt_to", reply="550 5.1.1 fixture", times=1)

        def test_one(strict, smtpd):
            assert order(smtpd) == ["fixture"]

        @pytest.mark.parametrize("smtpd", [on("rcpt_to", reply="550 5.1.1 parameter", times=1)], indirect=True)
        def test_in_front_of_a_parameter(strict, smtpd):
            assert order(smtpd) == ["fixture", "parameter"]
    """)
    result.assert_outcomes(passed=2)


def test_what_a_fixture_sends_counts_for_the_rules_of_the_test(run: Run) -> None:
    result = run("""
        @pytest.fixture
        def first(smtpd_session):
            assert attempt(smtpd_session).recipients

        @pytest.mark.smtpd_on("rcpt_to", reply=550, times=1)
        def test_marker(first, smtpd):
            send(smtpd)
            assert len(smtpd.log.calls("rcpt_to")) == 2

        @pytest.mark.parametrize("smtpd", [on("rcpt_to", reply=550, times=1)], indirect=True)
        def test_parameter(first, smtpd):
            send(smtpd)
    """)
    result.assert_outcomes(passed=2)


def test_a_parameter_of_the_tests_own_called_smtpd_is_none_of_ours(run: Run) -> None:
    result = run("""
        @pytest.mark.parametrize("smtpd", ["text"])
        def test_direct(smtpd, smtpd_session):
            assert smtpd == "text"
            send(smtpd_session)

        class TestOwn:
            @pytest.fixture
            def smtpd(self, request):
                return request.param

            @pytest.mark.parametrize("smtpd", ["text"], indirect=True)
            def test_indirect(self, smtpd, smtpd_session):
                assert smtpd == "text"
                send(smtpd_session)
    """)
    result.assert_outcomes(passed=2)


def test_between_two_tests_it_has_the_rules_of_its_config_afresh(run: Run) -> None:
    result = run(
        """
        @pytest.fixture(scope="session")
        def app(smtpd_session):
            return order(smtpd_session)

        def test_before(smtpd_session):
            smtpd_session.on("rcpt_to", reply="550 5.1.1 body", times=1)
            assert order(smtpd_session) == ["body", "config"]

        def test_started_later(app, smtpd):
            assert app == ["config"]
            assert order(smtpd) == ["config"]
        """,
        conftest="""
        @pytest.fixture(scope="session")
        def smtpd_config():
            return {"on": [on("rcpt_to", reply="550 5.1.1 config", times=1)]}
        """,
    )
    result.assert_outcomes(passed=2)


def test_between_two_tests_it_runs(run: Run) -> None:
    result = run("""
        @pytest.fixture(scope="session")
        def app(smtpd_session):
            send(smtpd_session)

        def test_outage(smtpd_session):
            smtpd_session.stop()

        def test_started_later(app, smtpd):
            pass
    """)
    result.assert_outcomes(passed=2)


APP = """
    @pytest.fixture(scope="session")
    def app(smtpd_session):
        return ssl.create_default_context()
"""
USES = """
    def test_app(app, smtpd):
        with upgraded(smtpd, app) as client:
            assert client.noop()[0] == 250
"""
ALONE = """
    def test_alone(smtpd_session):
        send(smtpd_session)
"""
NONE = """
    def test_without():
        assert "SSL_CERT_FILE" not in os.environ
"""


@pytest.mark.parametrize("tests", [USES + ALONE + NONE, ALONE + USES + NONE, ALONE + NONE + USES], ids=range(3))
def test_an_application_trusts_the_server_whichever_test_starts_it(run: Run, tests: str) -> None:
    result = run(APP + tests)
    result.assert_outcomes(passed=tests.count("def "))


def test_a_wrong_marker_leaves_nobody_trusted(reports: Reports) -> None:
    wrong = """
    @pytest.mark.smtpd(tsl=None)
    def test_wrong(smtpd_session):
        pass
    """
    got = reports(ALONE + wrong + NONE)
    assert [(report.when, report.passed) for report in got] == [("call", True), ("setup", False), ("call", True)]


def test_a_mistake_of_a_hook_during_the_teardown_of_fixtures_is_seen(failure: Failure) -> None:
    report = failure("""
        @pytest.fixture
        def client(smtpd_session):
            with connect(smtpd_session) as client:
                yield client
            smtpd_session.wait_closed()

        def test_left_open(client, smtpd):
            @smtpd.on("close")
            def broken(session):
                raise ValueError("at the end")

        def test_after(smtpd_session):
            send(smtpd_session)
    """)
    assert (report.nodeid.partition("::")[2], report.when) == ("test_left_open", "teardown")
    assert "ValueError: at the end" in report.longreprtext


def test_a_config_for_the_session_may_fail(reports: Reports) -> None:
    got = reports(
        """
        def test_it(request):
            request.getfixturevalue("smtpd_session")
        """,
        conftest="""
        @pytest.fixture(scope="session")
        def smtpd_config():
            pytest.fail("no licence")
        """,
    )
    assert [(report.when, report.outcome) for report in got] == [("call", "failed")]
    assert "no licence" in got[0].longreprtext


BUG = """
    def wrong(address, session):
        raise ValueError("of the hook")

    @pytest.fixture(scope="module")
    def before(smtpd_session):
        smtpd_session.on("mail_from", call=wrong)
        attempt(smtpd_session)

    @pytest.fixture(scope="module")
    def after(smtpd_session):
        yield
        smtpd_session.on("mail_from", call=wrong)
        attempt(smtpd_session)
"""


def test_a_mistake_of_a_hook_in_a_fixture_of_a_wider_scope_is_an_error_of_the_first_test(reports: Reports) -> None:
    got = reports(
        BUG
        + """
    def test_first(before): pass
    def test_second(before): pass
    """,
        "-p",
        "no:randomly",
    )
    assert [(report.nodeid.partition("::")[2], report.when, report.outcome) for report in got] == [
        ("test_first", "setup", "failed"),
        ("test_second", "call", "passed"),
    ]
    assert "ValueError: of the hook" in got[0].longreprtext


def test_a_mistake_of_a_hook_behind_the_last_test_is_an_error_of_its_teardown(reports: Reports) -> None:
    passed, error = reports(
        BUG
        + """
    def test_it(after): pass
    """
    )
    assert (passed.outcome, error.when, error.outcome) == ("passed", "teardown", "failed")
    assert "ValueError: of the hook" in error.longreprtext
    section = sections(error)["Captured smtpd teardown"].lower()
    assert "mail from:<app@example.com>" in section
    assert "nobody has connected" not in section


def test_the_transcript_is_in_the_failure_of_a_fixture_of_a_wider_scope(failure: Failure) -> None:
    report = failure("""
        @pytest.fixture(scope="module")
        def broken(smtpd_session):
            send(smtpd_session)
            raise RuntimeError("not today")

        def test_it(broken): pass
    """)
    assert report.when == "setup"
    assert "mail from:<app@example.com>" in sections(report)["Captured smtpd setup"].lower()


def test_a_connection_that_hangs_is_closed_at_the_end_of_its_test(run: Run) -> None:
    result = run("""
        import socket

        kept = []

        @pytest.mark.smtpd_on("connect", hang=True)
        def test_hangs(smtpd_session):
            kept.append(socket.create_connection(smtpd_session.address, timeout=10))
            smtpd_session.log.wait_for("connect")

        def test_next(smtpd_session):
            assert kept[0].recv(10) == b""
            kept[0].close()
            smtpd_session.wait_closed()
            assert not smtpd_session.log.sessions()
    """)
    result.assert_outcomes(passed=2)


def test_a_hook_that_outlives_its_test_fails_no_other_one_but_the_run(run: Run) -> None:
    result = run("""
        import socket, threading

        go, over, kept = threading.Event(), threading.Event(), []

        def test_leaves_a_hook(smtpd_session):
            entered = threading.Event()

            @smtpd_session.on("connect")
            def late(session):
                entered.set()
                go.wait(10)
                over.set()
                raise KeyError("late")

            kept.append(socket.create_connection(smtpd_session.address, timeout=10))
            assert entered.wait(10)

        def test_next(smtpd_session):
            go.set()
            assert over.wait(10)
            kept[0].close()
            smtpd_session.wait_closed()
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["ERROR *::test_next - KeyError: 'late'"])
