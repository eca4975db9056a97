"""An exception in a hook is a bug in the test: it fails in its call phase, with that exception and the user's frame."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.plugin.reading import failure_text, sections

Run = Callable[..., pytest.RunResult]
Reports = Callable[..., list[pytest.TestReport]]
Failure = Callable[..., pytest.TestReport]

HOOKS = {
    "connect": "session",
    "auth": "auth, session",
    "mail_from": "address, session",
    "rcpt_to": "address, session",
    "data": "stream, session",
    "command": "command, session",
    "secure": "tls, session",
}


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("hook", HOOKS)
def test_the_exception_of_a_hook_fails_the_test_in_its_call_phase(failure: Failure, hook: str, kind: str) -> None:
    report = failure(f"""
        def test_swallows(smtpd):
            @smtpd.on("{hook}")
            {kind} broken({HOOKS[hook]}):
                unexpected = "who is that"
                raise KeyError(unexpected)
            try:
                with connect(smtpd) as client:
                    client.starttls(context=smtpd.client_context)
                    client.login("app", "s3cret")
                    client.sendmail("app@example.com", "bob@example.com", b"Hi")
            except (OSError, smtplib.SMTPException):
                pass
    """)
    assert report.when == "call"
    text = report.longreprtext
    assert re.search(r"^E +KeyError: 'who is that'$", text, re.MULTILINE)
    assert "raise KeyError(unexpected)" in text
    assert "pytest_smtpd" not in text.replace("from pytest_smtpd import", "")  # the user's frame, none of ours
    assert "asyncio" not in text


def test_the_client_gets_a_451(run: Run) -> None:
    result = run("""
        @pytest.mark.xfail(raises=ValueError, strict=True)
        def test_451(smtpd):
            @smtpd.on("mail_from")
            def broken(address, session):
                raise ValueError("boom")
            error = attempt(smtpd)
            assert error.smtp_code == 451 and error.smtp_error.startswith(b"4.3.0 ")
            assert b"boom" not in error.smtp_error
            assert smtpd.log.calls("mail_from")[0].outcome == "error"
            assert isinstance(smtpd.log.calls("mail_from")[0].error, ValueError)
    """)
    result.assert_outcomes(xfailed=1)


def test_asserts_in_hooks_are_explained_like_any_other(failure: Failure) -> None:
    report = failure("""
        def test_swallows(smtpd):
            @smtpd.on("rcpt_to")
            def only_corp(address, session):
                assert address.domain == "corp.example", "unexpected recipient"
            attempt(smtpd, "bob@example.com")
    """)
    assert report.when == "call"
    text = report.longreprtext
    assert "AssertionError: unexpected recipient" in text
    assert "assert 'example.com' == 'corp.example'" in text
    assert '''assert address.domain == "corp.example", "unexpected recipient"''' in text


@pytest.mark.parametrize(
    ("rule", "test"),
    [
        ("mail_from", "smtpd.on('mail_from', call=broken)"),
        ("marker", ""),
        ("when", "smtpd.on('mail_from', when=broken_match, reply=550)"),
        ("match", "smtpd.on('rcpt_to', to=broken_match, reply=550)"),
    ],
)
def test_every_function_given_to_a_rule_counts(failure: Failure, rule: str, test: str) -> None:
    mark = "@pytest.mark.smtpd_on('mail_from', call=broken)" if rule == "marker" else ""
    report = failure(f"""
        def broken(address, session):
            raise ZeroDivisionError("in the user's function")

        def broken_match(value):
            raise ZeroDivisionError("in the user's function")

        {mark}
        def test_swallows(smtpd):
            {test}
            attempt(smtpd)
    """)
    assert report.when == "call"
    assert "ZeroDivisionError: in the user's function" in report.longreprtext
    assert "Error" not in failure_text(report).replace("ZeroDivisionError", "")


def test_no_outcome_of_pytest_that_a_hook_raises_undoes_its_test(run: Run) -> None:
    result = run(
        """
        def raising(outcome):
            def hook(address, session):
                outcome("said in a hook")
            return hook

        def test_fail(smtpd):
            smtpd.on("mail_from", call=raising(pytest.fail))
            attempt(smtpd)

        def test_skip(smtpd):
            smtpd.on("mail_from", call=raising(pytest.skip))
            attempt(smtpd)

        def test_xfail(smtpd):
            smtpd.on("mail_from", call=raising(pytest.xfail))
            attempt(smtpd)

        @pytest.mark.xfail(raises=ValueError, strict=True)
        def test_expected(smtpd):
            smtpd.on("mail_from", call=lambda address, session: int("x"))
            attempt(smtpd)

        @pytest.mark.xfail(raises=KeyError, strict=True)
        def test_unexpected(smtpd):
            smtpd.on("mail_from", call=lambda address, session: int("x"))
            attempt(smtpd)
        """,
        "-rfsx",
    )
    result.assert_outcomes(failed=4, xfailed=1)
    result.stdout.fnmatch_lines_random(
        [
            "FAILED *::test_fail - *said in a hook*",
            "E *a hook raised Skipped: said in a hook; a hook cannot skip or end its test, *",
            "E *a hook raised XFailed: said in a hook; a hook cannot skip or end its test, *",
            "FAILED *::test_unexpected - ValueError*",
        ]
    )


def test_a_refusal_or_a_vanished_client_is_no_bug(run: Run) -> None:
    result = run("""
        def test_reject(smtpd):
            @smtpd.on("mail_from")
            def refuse(address, session):
                raise Reject(553, "5.7.1 Not here")
            assert attempt(smtpd).smtp_code == 553

        def test_vanished(smtpd):
            @smtpd.on("data")
            def reading(stream, session):
                stream.read()
            client = connect(smtpd)
            client.mail("app@example.com")
            client.rcpt("bob@example.com")
            client.docmd("DATA")
            client.send(b"half a")
            client.close()
            smtpd.wait_closed()
            assert smtpd.log.calls("data")[0].outcome == "dropped"
    """)
    result.assert_outcomes(passed=2)


def test_the_error_of_a_close_hook_is_seen(failure: Failure) -> None:
    report = failure("""
        def test_closed(smtpd):
            @smtpd.on("close")
            def broken(session):
                raise ValueError("at the end")
            send(smtpd)
            smtpd.wait_closed()
    """)
    assert report.when == "call"
    assert "ValueError: at the end" in report.longreprtext


def test_a_close_hook_that_runs_at_the_very_end_is_seen_too(reports: Reports) -> None:
    got = reports("""
        def test_left_open(smtpd):
            @smtpd.on("close")
            def broken(session):
                raise ValueError("at the end")
            clients.append(connect(smtpd))

        clients = []

        def test_tidy():
            clients[0].close()
    """)
    failed = [report for report in got if report.failed]
    assert [report.nodeid.partition("::")[2] for report in failed] == ["test_left_open"]
    assert "ValueError: at the end" in failed[0].longreprtext


def test_an_exception_whose_repr_has_no_name_is_named(failure: Failure) -> None:
    report = failure("""
        def test_own(smtpd):
            @smtpd.on("mail_from")
            def skips(address, session):
                pytest.skip("of the hook")
            send(smtpd)
    """)
    assert "smtpd: a hook raised Skipped('of the hook'); its traceback is" in report.longreprtext


def test_the_tests_own_failure_comes_first_and_both_are_shown(failure: Failure) -> None:
    report = failure("""
        def test_own(smtpd):
            @smtpd.on("mail_from")
            def broken(address, session):
                raise ValueError("of the hook")
            send(smtpd)
    """)
    assert report.when == "call"
    text = report.longreprtext
    assert "SMTPSenderRefused" in text
    # A note beside the test's own error, and below it where that happened.
    assert re.search(r"^E +smtpd: a hook raised ValueError\('of the hook'\)", text, re.MULTILINE)
    section = sections(report)["Captured smtpd call"]
    assert 'raise ValueError("of the hook")' in section
    crash = getattr(report.longrepr, "reprcrash", None)
    assert crash is not None
    assert "SMTPSenderRefused" in crash.message


WAYS_TO_FAIL = {
    "an assertion": "assert False",
    "pytest.fail": "pytest.fail('of the test')",
    "an exception that did not come": "with pytest.raises(LookupError): pass",
}


@pytest.mark.parametrize("way", WAYS_TO_FAIL.values(), ids=WAYS_TO_FAIL)
def test_however_a_test_fails_it_points_to_its_hooks(failure: Failure, way: str) -> None:
    report = failure(f"""
        def test_own(smtpd, smtpd_factory):
            relay = smtpd_factory("relay")
            relay.on("mail_from", call=lambda address, session: int("x"))
            attempt(relay)
            {way}
    """)
    lines = [line for line in failure_text(report).splitlines() if "a hook raised" in line]
    assert len(lines) == 1
    assert "relay: a hook raised ValueError(" in lines[0]
    assert lines[0].endswith("its traceback is in 'Captured smtpd (relay) call' below")


def test_an_error_of_a_hook_is_not_hidden_by_a_skip(reports: Reports) -> None:
    skipped, error = reports("""
        def test_it(smtpd):
            smtpd.on("mail_from", call=lambda address, session: int("x"))
            attempt(smtpd)
            pytest.skip("of the test")
    """)
    assert (skipped.when, skipped.outcome) == ("call", "skipped")
    assert (error.when, error.outcome) == ("teardown", "failed")
    assert "ValueError: invalid literal for int()" in error.longreprtext


LATE = """
    @pytest.fixture
    def late(smtpd):
        yield
        smtpd.on("mail_from", call=lambda address, session: int("late"))
        attempt(smtpd)

    @pytest.fixture
    def late_on_the_shared_one(smtpd_session):
        yield
        smtpd_session.on("mail_from", call=lambda address, session: int("late"))
        attempt(smtpd_session)
"""
ENDS = {
    "passes": ("pass", None),
    "fails": ("assert 0", "failed"),
    "skips": ("pytest.skip('x')", "skipped"),
    "xfails": ("pytest.xfail('x')", "skipped"),
}


@pytest.mark.parametrize("fixture", ["late", "late_on_the_shared_one"])
@pytest.mark.parametrize(("body", "outcome"), ENDS.values(), ids=ENDS)
def test_an_error_after_the_test_is_shown_however_that_ended(
    reports: Reports, body: str, outcome: str | None, fixture: str
) -> None:
    *own, error = reports(
        LATE
        + f"""
    def test_it({fixture}):
        {body}
    """
    )
    assert [report.outcome for report in own if not report.passed] == [outcome] * bool(outcome)
    assert (error.when, error.outcome) == ("teardown", "failed")
    assert "ValueError: invalid literal for int() with base 10: 'late'" in error.longreprtext
    assert any("'late'" in text for text in sections(error).values())


@pytest.mark.parametrize("where", ["setup", "call"])
def test_an_error_that_a_report_has_told_is_not_told_again(reports: Reports, where: str) -> None:
    (report,) = (
        report
        for report in reports(f"""
            def go(smtpd):
                smtpd.on("mail_from", call=lambda address, session: int("x"))
                send(smtpd)

            @pytest.fixture
            def prepared(smtpd):
                if "{where}" == "setup":
                    go(smtpd)

            def test_it(smtpd, prepared):
                go(smtpd)
        """)
        if not report.passed
    )
    assert (report.when, report.outcome) == (where, "failed")
    assert 'int("x")' in sections(report)[f"Captured smtpd {where}"]


def test_the_end_of_an_iterator_is_an_error_like_any_other(failure: Failure) -> None:
    report = failure("""
        def test_it(smtpd):
            @smtpd.on("mail_from")
            def broken(address, session):
                next(iter([]))
            attempt(smtpd)
    """)
    assert report.when == "call"
    assert re.search("^E +StopIteration$", report.longreprtext, re.MULTILINE)
    assert "pluggy" not in report.longreprtext


def test_several_errors_are_all_shown(failure: Failure) -> None:
    report = failure("""
        def test_three(smtpd, smtpd_factory):
            relay = smtpd_factory("relay")
            for server, text in ((smtpd, "first"), (smtpd, "second"), (relay, "third")):
                def broken(address, session, text=text):
                    raise ValueError(text)
                with server.on("mail_from", call=broken):
                    attempt(server)
    """)
    everything = report.longreprtext
    assert report.when == "call"
    assert "ValueError: first" in report.longreprtext
    assert [word for word in ("first", "second", "third") if word not in everything] == []


def test_a_hook_error_is_not_hidden_by_an_unused_rule(failure: Failure) -> None:
    report = failure("""
        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_both(smtpd):
            @smtpd.on("mail_from")
            def broken(address, session):
                raise ValueError("the cause")
            attempt(smtpd)
    """)
    assert "ValueError: the cause" in report.longreprtext


def test_verification_works_under_xdist(reports: Reports) -> None:
    got = reports(
        """
        def test_hook(smtpd):
            @smtpd.on("mail_from")
            def broken(address, session):
                raise ValueError("in a worker")
            attempt(smtpd)

        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_unused(smtpd):
            pass

        def test_transcript(smtpd, smtpd_session):
            send(smtpd, "ada@example.com")
            assert False, "on purpose"
        """,
        *["-p", "xdist", "-n", "2"],
    )
    failed = {report.nodeid.partition("::")[2]: report for report in got}
    assert {name: (report.when, report.outcome) for name, report in failed.items()} == dict.fromkeys(
        ["test_hook", "test_unused", "test_transcript"], ("call", "failed")
    )
    assert "ValueError: in a worker" in failed["test_hook"].longreprtext
    assert "on('rcpt_to', reply=550)" in failed["test_unused"].longreprtext
    assert "ada@example.com" in sections(failed["test_transcript"])["Captured smtpd call"]
