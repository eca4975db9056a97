"""Each option of a sweep, and what is wrong with one."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, SweepFailure
from tests.sweep.inner import careless, ids, send, two_mails


def report_of(**options: Any) -> str:
    """Return the report of a sweep of a careless block."""
    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(**options):
            with fault:
                careless(server)
    return str(failure.value)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"levle": "full"}, "did you mean 'level'"),
        ({"level": "all"}, "level must be 'quick' or 'full'"),
        ({"only": 3}, "only must be"),
        ({"skip": [3]}, "skip must be"),
        ({"timeout": 0}, "timeout must be"),
        ({"timeout": "1"}, "timeout must be"),
        ({"budget": -1}, "budget must be"),
        ({"expect": {"lost": "no point"}}, "expect must be"),
        ({"expect": {"lost: *": ""}}, "expect must be"),
        ({"expect": {"lsot: *": "a ticket"}}, "unknown finding 'lsot' in expect - did you mean 'lost'?"),
        ({"expect": {"los?t: *": "a ticket"}}, "unknown finding 'los?t' in expect"),
        ({"strict": 1}, "strict must be"),
        ({"split": 4}, "split"),
    ],
)
def test_wrong_option_is_an_error_in_one_line(options: dict[str, Any], error: str) -> None:
    with SMTPServer() as server, pytest.raises((TypeError, ValueError)) as raised:
        server.sweep(**options)
    assert error in str(raised.value)
    assert "\n" not in str(raised.value)


def test_only_and_skip_take_one_pattern_or_several() -> None:
    assert ids(only="QUIT-4*") == [None, "QUIT-421"]
    assert set(ids(only=["QUIT-*", "size=20"], skip="QUIT-hang")) == {
        None, "QUIT-421", "QUIT-500", "QUIT-drop", "size=20"
    }  # fmt: skip
    assert not [one for one in ids(skip=["*-*"]) if one and "-" in one]


def test_only_finds_a_point_of_level_full_too() -> None:
    assert ids(only="mail_from-452") == [None, "mail_from-452"]


def test_pattern_that_matches_nothing_fails_with_a_suggestion() -> None:
    with pytest.raises(SweepFailure, match=r"only='quit-421' matches no failure point.*did you mean 'QUIT-421'"):
        ids(only="quit-421")


@pytest.mark.wide
def test_timeout_that_is_given_is_told() -> None:
    with SMTPServer() as server:
        sweep = server.sweep(timeout=1.5, only=["QUIT-hang", "connect-hang"])
        for fault in sweep:
            with fault:
                fault.failed(two_mails(server))
    assert "timeout: 1.5 s (given)" in sweep.counts


@pytest.mark.wide
def test_timeout_is_measured_at_the_first_hang() -> None:
    with SMTPServer() as server:
        sweep = server.sweep(only=["QUIT-hang", "connect-hang"])
        for fault in sweep:
            with fault:
                fault.failed(two_mails(server))
    assert "(measured)" in sweep.counts


def test_budget_that_is_over_fails_if_nothing_else_does() -> None:
    with (
        SMTPServer() as server,
        pytest.raises(SweepFailure, match=r"\d+ of \d+ points were not run: the budget") as raised,
    ):
        for fault in server.sweep(budget=0.001):
            with fault:
                fault.failed(two_mails(server))
    assert raised.value.findings == ()


def test_findings_go_before_a_budget_that_is_over() -> None:
    seen = []
    with SMTPServer() as server, pytest.raises(SweepFailure) as raised:
        for fault in server.sweep(budget=0.2, only="rcpt_to-*", skip="*:always"):
            seen.append(fault.point)
            with fault:
                careless(server)
                if seen.count(fault.point) == 2:
                    from threading import Event

                    Event().wait(0.25)
    assert [finding.name for finding in raised.value.findings] == ["lost"]
    assert "not run" in str(raised.value)


def test_expected_findings_do_not_fail() -> None:
    with SMTPServer() as server:
        sweep = server.sweep(only="rcpt_to-*", expect={"lost: rcpt_to-*": "ticket 123", "sent-*: *": "ticket 124"})
        try:
            for fault in sweep:
                with fault:
                    careless(server)
        except SweepFailure as failure:
            assert [finding.name for finding in failure.findings] == []


def test_expectation_that_matches_nothing_any_more_fails() -> None:
    with SMTPServer() as server, pytest.raises(SweepFailure, match=r"no longer happens: remove it") as raised:
        for fault in server.sweep(expect={"lost: rcpt_to-*": "ticket 123"}):
            with fault:
                fault.failed(two_mails(server))
    assert "lost: rcpt_to-*" in str(raised.value)
    assert "ticket 123" in str(raised.value)


@pytest.mark.parametrize(
    ("options", "fails"),
    [
        ({"only": "QUIT-drop"}, True),
        ({"only": "rcpt_to-550*"}, False),
        ({"skip": "data-*"}, True),
        ({"skip": "QUIT-*"}, False),
    ],
)
def test_expectation_is_judged_once_all_its_points_have_run(options: dict[str, Any], fails: bool) -> None:
    with SMTPServer() as server:
        try:
            for fault in server.sweep(**options, expect={"sent-but-failed: QUIT-drop": "ticket 123"}):
                with fault:
                    fault.failed(two_mails(server))
        except SweepFailure as failure:
            assert "no longer happens: remove it" in str(failure)
            assert fails
        else:
            assert not fails


def test_strict_makes_notices_fail() -> None:
    def names(**options: Any) -> list[str]:
        with SMTPServer() as server:
            try:
                for fault in server.sweep(only="mail_from-550", **options):
                    with fault:
                        try:
                            send(server)
                        except smtplib.SMTPException:
                            raise RuntimeError("could not send") from None
            except SweepFailure as failure:
                return [finding.name for finding in failure.findings]
        return []

    assert names() == []
    assert names(strict=True) == ["code-lost"]


def test_options_can_be_given_by_calling_the_sweep() -> None:
    with SMTPServer() as server:
        found = []
        for fault in server.sweep(only="QUIT-*")(only="QUIT-421"):
            found.append(fault.point)
            with fault:
                send(server)
    assert found == [None, "QUIT-421"]


# --- the report -----------------------------------------------------------------------------------------------------


def test_report_says_what_happened_once_for_all_points() -> None:
    report = report_of(only="rcpt_to-*")
    assert report.startswith("1 finding at 7 of ") or "finding" in report.splitlines()[0]
    assert report.count("lost: ") == 1
    assert 'Reproduce:  @pytest.mark.smtpd_on("rcpt_to", to="' in report
    assert "by on('rcpt_to'" in report
    assert "also: rcpt_to-" in report
    assert "points in " in report.splitlines()[-1]


def test_report_does_not_look_for_suggestions(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that is asked for what it has not looks for what was meant, which once was half the cost of a sweep."""
    asked: list[object] = []

    def instead_of(*args: object) -> str:
        asked.append(args)
        return "no such attribute"

    monkeypatch.setattr("pytest_smtpd.foreign.instead_of", instead_of)
    assert "lost" in report_of(only="rcpt_to-550*")
    assert asked == []


def test_gravest_finding_comes_first() -> None:
    def block(server: SMTPServer) -> None:
        try:
            careless(server)
        except OSError as error:
            raise TypeError("no") from error

    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only=["rcpt_to-550-to=bob*", "mail_from-550"]):
            with fault:
                block(server)
    assert [finding.name for finding in failure.value.findings] == ["lost", "internal-error"]


def test_what_the_run_without_a_fault_shows_too_is_reported_once() -> None:
    from smtplib import SMTP

    kept = []
    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only=["rcpt_to-251*", "QUIT-421"], timeout=0.2):
            with fault:
                kept.append(SMTP(server.host, server.port, timeout=5))
                fault.failed(two_mails(server))
    for client in kept:
        client.close()
    assert [(finding.name, finding.points) for finding in failure.value.findings] == [("leak", ("(without a fault)",))]


def test_passwords_and_control_characters_do_not_reach_the_report() -> None:
    with SMTPServer(auth={"app": "open-sesame"}, require_auth=False) as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only="auth=another"):
            with fault, smtplib.SMTP(server.host, server.port, timeout=5) as client:
                try:
                    client.login("app", "open-sesame")
                except smtplib.SMTPException:
                    raise TypeError("login failed: app / open-sesame \x1b[31m\u202e") from None
                client.sendmail("app@example.com", ["ada@example.com"], b"Subject: x\r\n\r\nx\r\n")
    report = str(failure.value) + repr(failure.value.findings) + failure.value.findings[0].claim
    assert "open-sesame" not in report
    assert "\x1b" not in report
    assert "\u202e" not in report
