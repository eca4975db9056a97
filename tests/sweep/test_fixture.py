"""The fixture: options from everywhere, the command line, shares, the cache, xdist, and what is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.sweep.conftest import Run

CARELESS = """
    def test_it(smtpd, smtpd_sweep):
        for fault in smtpd_sweep:
            with fault:
                careless(smtpd)
"""
CAREFUL = """
    def test_it(smtpd, smtpd_sweep):
        for fault in smtpd_sweep:
            with fault:
                fault.failed(two_mails(smtpd))
"""
SHOWING = """
    def test_it(smtpd, smtpd_sweep):
        for fault in smtpd_sweep:
            print("POINT", fault.point)
            with fault:
                fault.failed(two_mails(smtpd))
"""


def marked(options: str, source: str = CARELESS) -> str:
    return f"    @pytest.mark.smtpd_sweep({options}){source}"


def points(result: pytest.RunResult) -> list[str]:
    return re.findall(r"POINT (\S+)", result.stdout.str())


def test_failing_sweep_fails_the_test_with_its_report(run: Run) -> None:
    result = run(marked("only='rcpt_to-*'"))
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "SweepFailure: " in text
    assert "lost: " in text
    assert re.search(
        r"Run again:  pytest 'test_inner\.py::test_it' --smtpd-sweep-point='rcpt_to-\d+-to=\w+@example\.com'", text
    )


def test_command_that_is_told_runs_the_point_again(run: Run) -> None:
    text = run(marked("only='rcpt_to-*'")).stdout.str()
    found = re.search(r"--smtpd-sweep-point='([^']+)'", text)
    assert found
    again = run(marked("only='rcpt_to-*'"), f"--smtpd-sweep-point={found[1]}")
    again.assert_outcomes(failed=1)
    assert "1 failure point" in again.stdout.str()


def test_passing_sweep_prints_nothing_and_one_line_with_v(run: Run) -> None:
    quiet = run(marked("only='QUIT-*'", CAREFUL))
    quiet.assert_outcomes(passed=1)
    assert "points in" not in quiet.stdout.str()
    told = run(marked("only='QUIT-*'", CAREFUL), "-v")
    assert len(re.findall(r"test_inner\.py::test_it: .*points in ", told.stdout.str())) == 1


def test_options_are_taken_from_the_nearest(run: Run) -> None:
    config = """
    @pytest.fixture
    def smtpd_config():
        return {"sweep": {"only": "QUIT-500", "timeout": 3}}
"""
    assert points(run(config + SHOWING, "-s")) == ["None", "QUIT-500"]
    assert points(run(config + marked("only='QUIT-421'", SHOWING), "-s")) == ["None", "QUIT-421"]
    called = SHOWING.replace("in smtpd_sweep:", "in smtpd_sweep(only='size=20'):")
    assert points(run(config + marked("only='QUIT-421'", called), "-s")) == ["None", "size=20"]


def test_lint_does_not_judge_the_last_failure_of_a_sweep(run: Run) -> None:
    linted = "    @pytest.mark.smtpd(lint='all')\n"
    run(linted + marked("only='rcpt_to-drop*'", CAREFUL)).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("levle='full'", "unknown option 'levle' of a sweep - did you mean 'level'"),
        ("level='all'", "level must be"),
        ("split=0", "split must be"),
        ("'full'", "takes keywords only"),
    ],
)
def test_wrong_marker_is_an_error_of_its_test_in_one_line(run: Run, options: str, error: str) -> None:
    result = run(marked(options) + "\n    def test_other(smtpd): pass\n")
    result.assert_outcomes(passed=1, errors=1)
    assert re.search(rf"(?m)^@pytest\.mark\.smtpd_sweep:? {error}.* \(test_inner\.py:\d+\)$", result.stdout.str())
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize("fixtures", ["", "smtpd"])
def test_marker_of_a_test_that_does_not_sweep_is_an_error(run: Run, fixtures: str) -> None:
    result = run(marked("level='full'", f"\n    def test_it({fixtures}): pass\n"))
    result.assert_outcomes(errors=1)
    assert "@pytest.mark.smtpd_sweep has no effect: this test does not use smtpd_sweep (" in result.stdout.str()


def test_marker_of_a_module_is_for_those_that_sweep(run: Run) -> None:
    source = "    pytestmark = pytest.mark.smtpd_sweep(only='QUIT-421')\n    def test_other(): pass\n"
    run(source + CAREFUL).assert_outcomes(passed=2)


def test_level_of_the_command_line_goes_before_everything(run: Run) -> None:
    off = run(marked("level='full'", SHOWING), "-s", "--smtpd-sweep=off")
    assert points(off) == ["None"]
    off.assert_outcomes(passed=1)
    full = run(marked("level='quick', only=['mail_from-4*']", SHOWING), "-s", "--smtpd-sweep=full")
    assert "mail_from-452" in points(full)


def test_level_of_the_ini_file_is_behind_the_marker(run: Run) -> None:
    assert points(run(SHOWING, "-s", "-o", "smtpd_sweep=off")) == ["None"]
    quick = run(marked("level='quick', only=['mail_from-4*']", SHOWING), "-s", "-o", "smtpd_sweep=full")
    assert "mail_from-452" not in points(quick)


def test_points_of_the_command_line_are_shown_also_when_they_pass(run: Run) -> None:
    options = ["--smtpd-sweep-point=QUIT-421", "--smtpd-sweep-point=mail_from-452"]
    result = run(marked("only='connect-*'", SHOWING), "-s", *options)
    assert points(result) == ["None", "mail_from-452", "QUIT-421"]
    text = result.stdout.str()
    assert "by on('command', reply=421, times=1, verb='QUIT')" in text
    assert "by on('mail_from', reply=452, times=1)" in text


@pytest.mark.parametrize("options", [[], ["-p", "xdist", "-n", "1"]], ids=["alone", "xdist"])
def test_point_of_the_command_line_that_is_none_is_told(run: Run, options: list[str]) -> None:
    if options:
        pytest.importorskip("xdist")
    result = run(CAREFUL, "--smtpd-sweep-point=QIUT-421", "--smtpd-sweep-point=QUIT-500", *options)
    result.assert_outcomes(passed=1)
    text = result.stdout.str()
    assert "test_inner.py::test_it: no failure point 'QIUT-421' here - did you mean 'QUIT-421'?" in text
    assert "no failure point 'QUIT-500'" not in text


def test_transcripts_come_from_workers_of_xdist_too(run: Run) -> None:
    pytest.importorskip("xdist")
    result = run(CAREFUL, "-p", "xdist", "-n", "1", "--smtpd-sweep-point=QUIT-421", "-v")
    result.assert_outcomes(passed=1)
    assert "by on('command', reply=421, times=1, verb='QUIT')" in result.stdout.str()


@pytest.mark.wide
def test_points_that_failed_last_time_run_first(run: Run) -> None:
    source = CARELESS.replace("smtpd_sweep:", "smtpd_sweep(skip='*hang*'):\n            print('POINT', fault.point)")
    first = points(run(source, "-s"))
    second = points(run(source, "-s"))
    assert not first[1].startswith("rcpt_to")
    assert second[0] == "None"
    assert second[1].startswith("rcpt_to")
    run(source, "--smtpd-sweep-point=QUIT-421")  # tells nothing of the others
    run(source, "--smtpd-sweep=off")
    assert points(run(source, "-s"))[1].startswith("rcpt_to")
    run(CAREFUL.replace("smtpd_sweep:", "smtpd_sweep(skip='*hang*'):"))
    assert points(run(source, "-s"))[1] == first[1]


@pytest.mark.wide
def test_split_makes_tests_that_share_the_points(run: Run) -> None:
    whole = set(points(run(marked("only=['rcpt_to-*', 'QUIT-*']", SHOWING), "-s")))
    result = run(marked("split=3, only=['rcpt_to-*', 'QUIT-*']", SHOWING), "-s", "-v")
    result.assert_outcomes(passed=3)
    assert "test_it[1/3]" in result.stdout.str()
    assert "test_it[3/3]" in result.stdout.str()
    shares = points(result)
    assert set(shares) == whole
    assert len(shares) == len(whole) + 2  # each has its own run without a fault


def test_split_reruns_the_right_test(run: Run) -> None:
    text = run(marked("split=2, only='rcpt_to-*'")).stdout.str()
    assert re.search(r"Run again:  pytest 'test_inner\.py::test_it\[[12]/2\]' --smtpd-sweep-point=", text)


def test_loop_that_is_left_early_fails(run: Run) -> None:
    result = run("""
    def test_it(smtpd, smtpd_sweep):
        for fault in smtpd_sweep:
            with fault:
                send(smtpd)
            if fault.point:
                break
""")
    result.assert_outcomes(failed=1)
    assert re.search(r"\d+ of \d+ points were not run", result.stdout.str())


def test_sweep_that_is_never_iterated_fails(run: Run) -> None:
    result = run("""
    def test_it(smtpd, smtpd_sweep):
        send(smtpd)
""")
    result.assert_outcomes(failed=1)
    assert "never iterated" in result.stdout.str()


def test_sweep_of_the_server_itself_has_to_be_iterated_too(run: Run) -> None:
    result = run("""
    def test_it(smtpd):
        smtpd.sweep()
        send(smtpd)

    def test_next(smtpd):
        send(smtpd)
""")
    result.assert_outcomes(failed=1, passed=1)
    assert "server.sweep() was never iterated" in result.stdout.str()


def test_server_of_the_session_is_swept_and_left_as_it_was(run: Run) -> None:
    result = run(
        """
    def test_it(smtpd, smtpd_session, smtpd_sweep):
        for fault in smtpd_sweep(skip="*hang*"):
            with fault:
                fault.failed(two_mails(smtpd_session))

    def test_later(smtpd_session):
        send(smtpd_session)
        assert len(smtpd_session.envelopes) == 1
""",
        "-q",
    )
    result.assert_outcomes(passed=2)


def test_servers_of_the_factory_are_left_alone(run: Run) -> None:
    result = run("""
    def test_it(smtpd, smtpd_factory, smtpd_sweep):
        other = smtpd_factory("other")
        count = 0
        for fault in smtpd_sweep(only=["connection-refused", "connect-421"]):
            with fault:
                count += 1
                send(other)
                assert len(other.envelopes) == count
                fault.failed(two_mails(smtpd))
""")
    result.assert_outcomes(passed=1)


def test_rule_of_the_test_that_is_never_used_still_fails_it(run: Run) -> None:
    unused = "    @pytest.mark.smtpd_on('rcpt_to', to='nobody@example.com', reply=550)\n"
    result = run(unused + marked("only='QUIT-421'", CAREFUL))
    result.assert_outcomes(failed=1)
    assert "never used" in result.stdout.str() or "was not used" in result.stdout.str()
    used = "    @pytest.mark.smtpd_on('rcpt_to', to='cyd@example.com', reply=250)\n"
    run(used + marked("only='QUIT-421'", CAREFUL)).assert_outcomes(passed=1)


def test_coroutine_is_swept_with_async_for(run: Run) -> None:
    result = run("""
    def test_it(smtpd, smtpd_sweep):
        async def main():
            async for fault in smtpd_sweep(only="rcpt_to-550-to=bob*"):
                async with fault:
                    await asyncio.to_thread(careless, smtpd)
        asyncio.run(main())
""")
    result.assert_outcomes(failed=1)
    assert "lost: bob@example.com" in result.stdout.str()


def test_junit_has_the_report(run: Run, pytester: pytest.Pytester) -> None:
    run(marked("only='rcpt_to-*'"), "--junitxml=out.xml")
    text = Path(pytester.path, "out.xml").read_text(encoding="utf-8")
    assert "lost: " in text
    assert "Reproduce:" in text


def test_sweep_does_not_show_the_transcript_twice(run: Run) -> None:
    text = run(marked("only='rcpt_to-550-to=bob*'")).stdout.str()
    assert text.count("550 5.1.1 No such user here   by on(") == 1


def test_cache_is_one_file_a_test(run: Run, pytester: pytest.Pytester) -> None:
    run(marked("only='rcpt_to-550-*'"))
    files = [path for path in Path(pytester.path, ".pytest_cache/v/smtpd/sweep").iterdir() if path.is_file()]
    assert len(files) == 1
    assert json.loads(files[0].read_text()) == ["rcpt_to-550-to=ada@example.com", "rcpt_to-550-to=bob@example.com"]
