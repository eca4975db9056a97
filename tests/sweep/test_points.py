"""Which points a dialogue has, and what they are called."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, SweepFailure
from tests.sweep import applications as app
from tests.sweep.inner import letter, two_mails
from tests.sweep.links import dial_blocking, run_blocking
from tests.sweep.sweeping import WORLDS, claim, place_of

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # ssl, of its own handshakes


def points(application: app.Application, world: str = "clear", **options: Any) -> list[str]:
    """Return the ids of all points, in their order; only the runs that are needed are made."""
    found: list[str] = []
    with SMTPServer(**WORLDS[world]) as server:
        for fault in server.sweep(timeout=0.5, **options):
            if fault.point:
                found.append(fault.point)
            with fault:
                claim(fault, run_blocking(application(dial_blocking, place_of(server, world, 0.5))))
    return list(dict.fromkeys(found))


def test_a_line_that_may_be_a_password_gives_no_point_its_id() -> None:
    def application(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=0.5) as client:
            client.ehlo()
            client.docmd("XUNKNOWN")
            client.docmd("AUTH", "LOGIN")
            client.docmd("NOOP")  # no base64: the exchange is over, and what follows is a command
            client.docmd("s3cret-pw")
            client.sendmail("app@example.com", "bob@example.com", "Subject: x\r\n\r\nHello\r\n")

    found: list[str] = []
    with SMTPServer(name="smtpd") as server:
        for fault in server.sweep(only=["X*", "[sS]*"], skip=["*:always", "*-hang"], timeout=0.5):
            found.append(f"{fault.point} {fault.rule}")
            with fault:
                application(server.port)
    assert any("XUNKNOWN-421" in text for text in found)
    assert [text for text in found if "s3cret" in text.casefold()] == []


@pytest.mark.wide
def test_quick_has_about_90_points_and_full_about_300() -> None:
    quick, full = points(app.careful, "starttls"), points(app.careful, "starttls", level="full")
    assert 75 <= len(quick) <= 105
    assert 260 <= len(full) <= 340
    assert set(quick) < set(full)


@pytest.mark.wide
def test_ids_read_without_help() -> None:
    found = points(app.careful, "starttls", level="full")
    for one in (
        "connect-421",
        "EHLO#2-421",
        "STARTTLS-454",
        "rcpt_to-550-to=bob@example.com",
        "data-accept-drop-subject=Welcome",
        "data-550-to=cyd@example.com",
        "certificate=expired",
        "connection-refused",
        "disable=STARTTLS",
        "auth=another",
        "size=20",
    ):
        assert one in found, found
    assert len(found) == len(set(found))


@pytest.mark.wide
def test_ids_are_the_same_in_each_run() -> None:
    assert points(app.careful) == points(app.careful)


@pytest.mark.wide
def test_every_kind_of_failure_is_there() -> None:
    found = " ".join(points(app.careful, level="full"))
    kinds = ["450", "550", "421", "421-stays", "drop", "rst", "hang", "slow", "garbage", "split", "multi-line"]
    kinds += ["bare-lf", "surplus", "accept-drop", "accept-451", "accept-554", "early-552", "early-250", "251"]
    for kind in kinds:
        assert f"-{kind}" in found, kind


def test_in_lmtp_each_reply_to_a_recipient_is_a_point() -> None:
    found = points(app.careful, "lmtp")
    for name in ("ada", "bob", "cyd"):
        assert f"data-550-to={name}@example.com" in found


@pytest.mark.parametrize("world", ["clear", "lmtp"])
def test_all_points_are_reached_by_an_application_that_always_does_the_same(world: str) -> None:
    """But those of a step that only a client in good order comes to."""
    with SMTPServer(**WORLDS[world]) as server:
        sweep = server.sweep(timeout=0.1)
        for fault in sweep:
            with fault:
                claim(fault, run_blocking(app.careful(dial_blocking, place_of(server, world, 0.1))))
    assert "not reached" not in sweep.counts


def test_steps_are_numbered_only_where_nothing_better_tells_them_apart() -> None:
    def block(server: SMTPServer) -> None:
        with smtplib.SMTP(server.host, server.port, timeout=5) as client:
            for sender in ("a@example.com", "b@example.com"):
                client.sendmail(sender, ["ada@example.com"], letter("The same"))

    found: list[str] = []
    with SMTPServer() as server:
        try:
            for fault in server.sweep(only=["mail_from-451*", "rcpt_to*-550*", "data*-550*"]):
                found.append(fault.point or "")
                with fault:
                    try:
                        block(server)
                    except smtplib.SMTPException as error:
                        fault.failed({"ada@example.com": error})
        except SweepFailure:
            pass  # a mail that got through although one failed
    assert {"mail_from-451-mail_from=a@example.com", "mail_from-451-mail_from=b@example.com"} < set(found)
    assert {"rcpt_to-550-to=ada@example.com", "rcpt_to#2-550-to=ada@example.com", "data-550", "data#2-550"} < set(found)


def test_failure_that_stays_is_tried_where_the_application_tries_again() -> None:
    assert not [one for one in points(app.careful) if one.endswith(":always")]
    found: list[str] = []
    with SMTPServer() as server:
        for fault in server.sweep(only=["mail_from-451*"]):
            found.append(fault.point or "")
            with fault:
                claim(fault, run_blocking(app.queued(dial_blocking, place_of(server, "clear"))))
    assert "mail_from-451:always" in found
    assert found[-1].endswith(":always")


def test_markers_reproduce_the_failure() -> None:
    rules = {}
    with SMTPServer() as server:
        for fault in server.sweep(skip="*hang*"):
            rules[fault.point] = fault.rule
            with fault:
                fault.failed(two_mails(server))
    assert rules["data-451-to=cyd@example.com"] == ('@pytest.mark.smtpd_on("data", to="cyd@example.com", reply=451)')
    assert rules["disable=8BITMIME"] == '@pytest.mark.smtpd(disable={"8BITMIME"})'
