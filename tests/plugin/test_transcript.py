"""The section `Captured smtpd call` of a failing test: in every kind of failure, in no passing test."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.plugin.reading import sections

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]
Failure = Callable[..., pytest.TestReport]


def test_a_failing_test_shows_the_dialogue(failure: Failure) -> None:
    report = failure("""
        @pytest.mark.smtpd_on("rcpt_to", to="carol@*", reply=550)
        def test_it(smtpd):
            with connect(smtpd) as client:
                content = letter("ada@example.com", "Welcome", "Hello Ada")
                client.sendmail("app@example.com", ["ada@example.com", "carol@example.com"], content)
            assert False
    """)
    (title,) = sections(report)
    assert title == "Captured smtpd call"
    text = sections(report)[title]
    assert len(re.findall(r"^\s*\d+\.\d{3} [CS]: ", text, re.MULTILINE)) >= 12
    for line in (
        r"S: 220 localhost ESMTP",
        r"C: EHLO client\.example",
        r"S: 250 localhost \(\d+ extensions\)$",
        r"C: MAIL FROM:<app@example\.com>",
        r"C: RCPT TO:<carol@example\.com>",
        r"S: 550.*by on\('rcpt_to', reply=550, to='carol@\*'\)",
        r"C: DATA",
        r"S: 354",
        r"<\d+ bytes of content>",
        r"C: QUIT",
        r"S: 221",
    ):
        assert re.search(line, text, re.IGNORECASE | re.MULTILINE), line
    assert "Hello Ada" not in text
    assert "Subject: Welcome" not in text
    size = len(b"From: app@example.com\r\nTo: ada@example.com\r\nSubject: Welcome\r\n\r\nHello Ada\r\n")
    assert f"<{size} bytes of content>" in text


def test_seconds_grow_from_zero(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            send(smtpd)
            send(smtpd)
            assert False
    """)
    text = sections(report)["Captured smtpd call"]
    times = [float(one) for one in re.findall(r"^\s*(\d+\.\d{3}) [CS]: ", text, re.MULTILINE)]
    restarts = [n for n in range(1, len(times)) if times[n] < times[n - 1]]
    assert times[0] < 1
    assert len(restarts) <= 1  # two connections, each in order


KINDS = {
    "setup of another fixture": (
        """
        @pytest.fixture
        def broken(smtpd):
            send(smtpd)
            raise LookupError

        def test(broken):
            pass
        """,
        [("setup", ["Captured smtpd setup"])],
    ),
    "setup of a fixture that does not know the server": (
        """
        @pytest.fixture
        def broken():
            raise LookupError

        @pytest.fixture
        def mailed(smtpd):
            send(smtpd)

        def test(mailed, broken):
            pass
        """,
        [("setup", ["Captured smtpd setup"])],
    ),
    "teardown while the server runs": (
        """
        @pytest.fixture
        def broken(smtpd):
            yield
            send(smtpd)
            raise LookupError

        def test(broken):
            pass
        """,
        [("teardown", ["Captured smtpd teardown"])],
    ),
    "teardown when the server is gone": (
        """
        @pytest.fixture
        def broken():
            yield
            raise LookupError

        def test(broken, smtpd):
            send(smtpd)
        """,
        [("teardown", ["Captured smtpd teardown"])],
    ),
    "two servers": (
        """
        def test(smtpd, smtpd_factory):
            send(smtpd)
            send(smtpd_factory("relay"))
            assert False
        """,
        [("call", ["Captured smtpd call", "Captured smtpd (relay) call"])],
    ),
    "renamed": (
        """
        @pytest.mark.smtpd(name="relay")
        def test(smtpd):
            send(smtpd)
            assert False
        """,
        [("call", ["Captured smtpd (relay) call"])],
    ),
    "unittest": (
        """
        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _smtpd(self, smtpd):
                self.smtpd = smtpd

            def test(self):
                send(self.smtpd)
                self.assertEqual(len(self.smtpd.envelopes), 2)
        """,
        [("call", ["Captured smtpd call"])],
    ),
    "hook error": (
        """
        def test(smtpd):
            smtpd.on("mail_from", call=lambda address, session: int("x"))
            attempt(smtpd)
        """,
        [("call", ["Captured smtpd call"])],
    ),
    "unused rule": (
        """
        @pytest.mark.smtpd_on("rcpt_to", to="bounce@*", reply=550)
        def test(smtpd):
            send(smtpd)
        """,
        [("call", ["Captured smtpd call"])],
    ),
    "pytest.fail": (
        """
        def test(smtpd):
            send(smtpd)
            pytest.fail("on purpose")
        """,
        [("call", ["Captured smtpd call"])],
    ),
    "stopped by the test": (
        """
        def test(smtpd):
            send(smtpd)
            smtpd.stop()
            assert False
        """,
        [("call", ["Captured smtpd call"])],
    ),
    "asked for late": (
        """
        def test(request):
            send(request.getfixturevalue("smtpd"))
            assert False
        """,
        [("call", ["Captured smtpd call"])],
    ),
    "session server": (
        """
        def test(smtpd_session):
            send(smtpd_session)
            assert False
        """,
        [("call", ["Captured smtpd call"])],
    ),
}


@pytest.mark.parametrize(("source", "expected"), KINDS.values(), ids=KINDS)
def test_every_kind_of_failure_has_the_transcript(
    reports: Reports, source: str, expected: list[tuple[str, list[str]]]
) -> None:
    failed = [report for report in reports(source) if report.failed]
    assert [(report.when, list(sections(report))) for report in failed] == expected
    for report in failed:
        for text in sections(report).values():
            assert re.search(r"\d\.\d{3} S: 220 ", text)


def test_an_expected_failure_has_it_too(reports: Reports) -> None:
    (report,) = reports("""
        @pytest.mark.xfail(strict=True)
        def test(smtpd):
            send(smtpd)
            assert False
    """)
    assert report.skipped
    assert list(sections(report)) == ["Captured smtpd call"]


@pytest.mark.skipif(pytest.version_tuple < (9,), reason="subtests came with pytest 9")
def test_each_failing_subtest_has_it(run: Run) -> None:
    result = run("""
        def test(smtpd, subtests):
            for n in range(2):
                with subtests.test(n=n):
                    send(smtpd, f"number{n}@example.com")
                    assert n == 0
    """)
    assert result.ret == 1
    text = result.stdout.str()
    assert "Captured smtpd call" in text
    assert re.search(r"(?i)C: rcpt to:<number1@example.com>", text)


def test_a_test_killed_by_a_time_out_shows_who_waited_for_whom(failure: Failure) -> None:
    report = failure(
        """
        @pytest.mark.timeout(1)
        @pytest.mark.smtpd_on("rcpt_to", hang=True)
        def test(smtpd):
            client = smtplib.SMTP(smtpd.host, smtpd.port)      # no time-out of its own
            try:
                client.ehlo("client.example")
                client.mail("app@example.com")
                client.rcpt("bob@example.com")
            finally:
                client.close()
        """,
        *["-p", "timeout", "-o", "timeout_method=signal"],
    )
    assert "Timeout" in report.longreprtext
    last = sections(report)["Captured smtpd call"].rstrip().splitlines()[-1]
    assert "hang" in last
    assert "on('rcpt_to', hang=True)" in last


def test_a_passing_test_has_none(reports: Reports) -> None:
    (report,) = reports("""
        def test(smtpd):
            send(smtpd)
    """)
    assert sections(report) == {}


def test_a_failing_test_without_a_server_has_none(failure: Failure) -> None:
    report = failure("""
        def test_before(smtpd):
            send(smtpd)

        def test():
            assert False
    """)
    assert sections(report) == {}


@pytest.mark.parametrize(
    ("option", "shown"), [("--show-capture=no", False), ("--show-capture=all", True), ("-s", True)]
)
def test_show_capture_decides(run: Run, option: str, shown: bool) -> None:
    result = run(
        """
        def test(smtpd):
            send(smtpd)
            assert False
        """,
        option,
    )
    assert ("Captured smtpd call" in result.stdout.str()) is shown


def test_a_rerun_shows_its_own_dialogue_only(run: Run) -> None:
    result = run(
        """
        runs = []

        def test(smtpd):
            runs.append(1)
            send(smtpd, f"run{len(runs)}@example.com")
            assert len(runs) > 5
        """,
        *["-p", "rerunfailures", "--reruns", "1"],
    )
    text = result.stdout.str()
    assert "run2@example.com" in text
    assert "run1@example.com" not in text
