"""The sign-up service against a mail server that works, and one that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_smtpd import on
from signup.mailer import MailSettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import App
    from pytest_smtpd import SMTPServer

# smtplib sends a password that was refused once more with each mechanism that the server offers.
TRIES_EACH_MECHANISM = pytest.mark.smtpd(lint_ignore={"auth-again", "ehlo-unqualified"})


def test_welcome_mail_is_delivered(smtpd: SMTPServer, app: App) -> None:
    app.signup.register("ada@example.com")

    envelope = smtpd.one(to="ada@example.com")
    assert envelope.mail_from == "app@example.com"
    assert envelope.subject == "Welcome"


def test_link_in_the_mail_confirms_the_address(smtpd: SMTPServer, app: App) -> None:
    app.signup.register("ada@example.com")

    (link,) = smtpd.one().links
    assert app.signup.confirm(link.rpartition("/")[2])
    assert app.signup.confirmed == {"ada@example.com"}


def test_mail_travels_over_verified_starttls(smtpd: SMTPServer, app: App) -> None:
    app.signup.register("ada@example.com")

    session = smtpd.one().session
    assert session.secure
    assert session.tls is not None
    assert session.tls.version == "TLSv1.3"


def test_mail_says_when_it_was_written(smtpd: SMTPServer, app: App) -> None:
    app.signup.register("ada@example.com")

    assert smtpd.one().message["Date"] is not None


@pytest.mark.smtpd_on("command", verb="EHLO", reply="450 4.3.2 Not now", times=1)
def test_greeting_that_is_put_off_is_no_mistake_of_the_settings(smtpd: SMTPServer, app: App) -> None:
    app.signup.register("ada@example.com")
    app.later(minutes=5)

    assert smtpd.one().rcpt_to == ("ada@example.com",)


# --------------------------------------------------------------------------- recipients


@pytest.mark.smtpd_on("rcpt_to", to="bounce@*", reply="550 5.1.1 No such user")
def test_rejected_recipient_is_reported(app: App) -> None:
    app.signup.register("bounce@example.com")

    assert app.signup.unreachable() == {"bounce@example.com": "550 5.1.1 No such user"}
    assert app.outbox.pending == []


@pytest.mark.smtpd_on("rcpt_to", to="gone@*", reply="550 5.1.1 No such user")
@pytest.mark.smtpd_on("rcpt_to", to="busy@*", reply="452 4.2.2 Mailbox full", times=1)
def test_each_recipient_of_one_message_has_its_own_outcome(smtpd: SMTPServer, app: App) -> None:
    app.signup.invite("Compilers", ["ada@example.com", "gone@example.com", "busy@example.com"])
    app.later(minutes=5)

    first, second = smtpd.envelopes
    assert first.rcpt_to == ("ada@example.com",)
    assert second.rcpt_to == ("busy@example.com",)
    assert list(app.signup.unreachable()) == ["gone@example.com"]


@pytest.mark.smtpd_on("rcpt_to", to="grace@*", reply="421 4.3.2 Shutting down", times=1)
def test_server_that_leaves_between_two_recipients_has_delivered_to_nobody(smtpd: SMTPServer, app: App) -> None:
    everyone = ("ada@example.com", "grace@example.com", "mary@example.com")
    app.signup.invite("Compilers", everyone)
    assert not smtpd.envelopes

    app.later(minutes=5)
    assert smtpd.one().rcpt_to == everyone
    assert app.signup.unreachable() == {}


@pytest.mark.smtpd(disable={"SMTPUTF8"})
def test_address_that_the_server_cannot_express_does_not_hold_up_the_others(smtpd: SMTPServer, app: App) -> None:
    app.signup.register("dörte@example.com")
    app.signup.register("ada@example.com")

    assert list(app.signup.unreachable()) == ["dörte@example.com"]
    assert smtpd.one().rcpt_to == ("ada@example.com",)


# --------------------------------------------------------------------------- what heals by itself


@pytest.mark.smtpd_on("rcpt_to", reply="450 4.7.1 Greylisted, come again", times=2)
def test_greylisted_mail_gets_through_at_the_third_attempt(smtpd: SMTPServer, app: App) -> None:
    app.signup.register("ada@example.com")
    app.later(minutes=5)
    assert not smtpd.envelopes

    app.later(minutes=30)
    assert smtpd.one(to="ada@example.com").subject == "Welcome"
    assert [call.code for call in smtpd.log.calls("rcpt_to")] == [450, 450, 250]


@pytest.mark.smtpd_on("rcpt_to", reply="450 4.7.1 Greylisted, come again", times=4)
def test_mail_that_is_put_off_for_ever_bounces_in_the_end(smtpd: SMTPServer, app: App) -> None:
    app.signup.register("ada@example.com")
    for minutes in (5, 30, 120):
        app.later(minutes=minutes)

    assert app.signup.unreachable() == {"ada@example.com": "450 4.7.1 Greylisted, come again"}
    assert not smtpd.envelopes


@pytest.mark.parametrize(
    "smtpd",
    [
        on("connect", reply="421 4.3.2 Too busy", times=1),
        on("mail_from", reply=451, times=1),
        on("data", drop=True, after=20, times=1),
        on("data", drop="rst", times=1),
        on("connect", raw=b"220 " + 9000 * b"x" + b"\r\n", times=1),
        on("command", verb="STARTTLS", reply=454, times=1),
        on("secure", after=1, drop=True, times=1),
        on("command", verb="DATA", reply=250, times=1),
    ],
    indirect=True,
)
def test_any_passing_trouble_only_delays_the_mail(smtpd: SMTPServer, app: App) -> None:
    app.signup.register("ada@example.com")
    assert not smtpd.envelopes

    app.later(minutes=5)
    assert smtpd.one(to="ada@example.com").subject == "Welcome"


@pytest.mark.parametrize(
    "smtpd",
    [
        on("command", verb="QUIT", reply="421 4.3.2 Shutting down"),
        on("command", verb="QUIT", reply=500),
        on("data", raw=b"250 2.0.0 OK\r\n250 2.0.0 OK\r\n"),
        on("rcpt_to", to="ada@*", reply="252 2.1.5 Cannot say"),
    ],
    indirect=True,
)
def test_mail_that_was_accepted_is_not_sent_again(smtpd: SMTPServer, app: App) -> None:
    app.signup.invite("Compilers", ["ada@example.com", "grace@example.com"])

    assert smtpd.one().rcpt_to == ("ada@example.com", "grace@example.com")
    assert app.outbox.pending == []
    assert app.signup.unreachable() == {}


@pytest.mark.smtpd_on("data", accept=True, drop=True, times=1)
def test_mail_whose_receipt_was_lost_is_sent_again_and_recognisable(smtpd: SMTPServer, app: App) -> None:
    """After the final dot the server has the mail, and the client cannot know it: two copies, but of one message."""
    app.signup.register("ada@example.com")
    app.later(minutes=5)

    kept, repeated = smtpd.envelopes
    assert kept.message["Message-ID"] == repeated.message["Message-ID"]


@pytest.mark.smtpd_on("data", hang=True, times=1)
def test_client_stops_waiting_for_a_server_that_hangs(smtpd: SMTPServer, launch: Callable[..., App]) -> None:
    app = launch(timeout=0.2)
    app.signup.register("ada@example.com")
    assert [parcel.attempts for parcel in app.outbox.pending] == [1]

    app.later(minutes=5)
    assert smtpd.one(to="ada@example.com").subject == "Welcome"


# --------------------------------------------------------------------------- what only an operator can heal


@pytest.mark.smtpd(auth={"app": "s3cret"})
def test_login_is_used_where_it_is_configured(smtpd: SMTPServer, launch: Callable[..., App]) -> None:
    launch(user="app", password="s3cret").signup.register("ada@example.com")

    assert smtpd.one().user == "app"


@pytest.mark.smtpd(auth={"app": "s3cret"})
@TRIES_EACH_MECHANISM
def test_failed_login_is_an_alarm_and_loses_no_mail(smtpd: SMTPServer, launch: Callable[..., App]) -> None:
    app = launch(user="app", password="wrong")

    with pytest.raises(MailSettingsError, match="refused the login of app: 535"):
        app.signup.register("ada@example.com")
    assert [parcel.recipients for parcel in app.outbox.pending] == [("ada@example.com",)]
    assert not smtpd.envelopes


@pytest.mark.parametrize(
    ("smtpd", "why"),
    [
        ({"certificate": "expired"}, "certificate has expired"),
        ({"certificate": "wrong-host"}, "IP address mismatch"),
        ({"certificate": "untrusted"}, "unable to get local issuer certificate"),
    ],
    indirect=["smtpd"],
)
def test_server_with_a_bad_certificate_gets_neither_password_nor_mail(
    smtpd: SMTPServer, launch: Callable[..., App], why: str
) -> None:
    app = launch(user="app", password="s3cret")

    with pytest.raises(MailSettingsError, match=why):
        app.signup.register("ada@example.com")
    assert not smtpd.log.calls("auth")
    assert not smtpd.log.calls("mail_from")


@TRIES_EACH_MECHANISM
@pytest.mark.parametrize(
    ("smtpd", "why"),
    [
        ({"auth": {"other": "s3cret"}}, "refused the login of app: 535"),
        (on("auth", raw=b"334 rubbish!\r\n", times=1), "refused the login of app: Incorrect padding"),
        ({"auth_methods": ["XOAUTH2"]}, "No suitable authentication method"),
        (on("command", verb="STARTTLS", reply=502), "refused STARTTLS: 502"),
        (on("secure", after=1, raw=b"\x15\3\3\0\2\2\x28", drop=True), "cannot agree on TLS: .*HANDSHAKE_FAILURE"),
    ],
    indirect=["smtpd"],
)
def test_server_that_cannot_be_used_is_an_alarm_and_loses_no_mail(
    smtpd: SMTPServer, launch: Callable[..., App], why: str
) -> None:
    app = launch(user="app", password="s3cret")

    with pytest.raises(MailSettingsError, match=why):
        app.signup.register("ada@example.com")
    assert [parcel.recipients for parcel in app.outbox.pending] == [("ada@example.com",)]
    assert not smtpd.log.calls("mail_from")


@pytest.mark.smtpd(auth={"app": "s3cret"})
def test_missing_login_is_an_alarm_and_loses_no_mail(app: App) -> None:
    with pytest.raises(MailSettingsError, match="wants a login: 530"):
        app.signup.register("ada@example.com")
    assert [parcel.recipients for parcel in app.outbox.pending] == [("ada@example.com",)]


@pytest.mark.smtpd(tls=None)
def test_mail_is_never_sent_in_clear(smtpd: SMTPServer, app: App) -> None:
    with pytest.raises(MailSettingsError, match="STARTTLS"):
        app.signup.register("ada@example.com")
    assert not smtpd.log.calls("mail_from")
