"""What nodemailer can do beyond one message over verified TLS."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer, on, providers
from tests.interop.peers import ADA, CLIENTS, SUBJECT, USER, Job, Report
from tests.interop.presence import NODE_MODULES, node

Scenario = Callable[[str], Report]
EVERY_PROVIDER = [
    pytest.param(
        [
            on("connect", reply=providers.profile(name).greeting),
            on("command", verb="EHLO", reply="\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"])),
        ],
        id=f"{name}-{where}",
    )
    for name in providers.profiles()
    for where, lines in zip(("clear", "tls"), providers.profile(name).ehlo, strict=True)
]


@pytest.fixture
def play(smtpd: SMTPServer, tmp_path: Path, execute: Callable[..., Report]) -> Scenario:
    """Let nodemailer play one scenario of clients/nodemailer_scenarios.cjs."""
    job = Job(env=smtpd.env, folder=tmp_path)

    def play(scenario: str) -> Report:
        script = CLIENTS / "nodemailer_scenarios.cjs"
        env = {"NODE_PATH": str(NODE_MODULES)}
        return execute("node", script, stdin=job.json(scenario=scenario), env=env, needs=node("nodemailer"))

    return play


@pytest.mark.smtpd(tls=None)
def test_nodemailer_delivers_in_clear(smtpd: SMTPServer, play: Scenario) -> None:
    report = play("plain")

    assert report.said["accepted"] == [ADA]
    envelope = smtpd.one()
    assert (envelope.mail_from, envelope.rcpt_to, envelope.subject) == (USER, (ADA,), SUBJECT)
    assert not envelope.session.secure


@pytest.mark.smtpd(tls=None)
@pytest.mark.parametrize("smtpd", EVERY_PROVIDER, indirect=True)
def test_nodemailer_takes_the_greeting_and_the_extensions_of_every_provider(smtpd: SMTPServer, play: Scenario) -> None:
    report = play("plain")

    assert report.said["accepted"] == [ADA]
    assert smtpd.one().rcpt_to == (ADA,)


@pytest.mark.smtpd(tls=None)
def test_nodemailer_that_requires_tls_refuses_a_server_without(smtpd: SMTPServer, play: Scenario) -> None:
    report = play("starttls_required")

    assert report.code == 1
    assert report.said["error"] == "ETLS"
    assert smtpd.envelopes == []


@pytest.mark.smtpd_on("rcpt_to", to="bob@*", reply="550 5.1.1 No such user")
def test_nodemailer_reports_the_one_recipient_that_was_refused(smtpd: SMTPServer, play: Scenario) -> None:
    report = play("two_recipients")

    assert report.said["accepted"] == [ADA]
    assert report.said["rejected"] == ["bob@example.com"]
    assert report.said["reasons"] == [["bob@example.com", 550, "550 5.1.1 No such user"]]
    envelope = smtpd.one()
    assert envelope.rcpt_to == (ADA,)
    assert envelope.refused == {"bob@example.com": 550}


@pytest.mark.smtpd(lmtp=True)
@pytest.mark.smtpd_on("data", to="bob@*", reply="552 5.2.2 Mailbox full")
def test_nodemailer_reports_each_recipient_of_an_lmtp_delivery(smtpd: SMTPServer, play: Scenario) -> None:
    report = play("lmtp")

    assert report.said["accepted"] == [ADA]
    assert report.said["rejected"] == ["bob@example.com"]
    assert report.said["reasons"] == [["bob@example.com", 552, "552 5.2.2 Mailbox full"]]
    envelope = smtpd.one()
    assert envelope.rcpt_to == (ADA,)
    assert envelope.refused == {"bob@example.com": 552}
    assert envelope.session.opening_command == "LHLO"


def test_nodemailer_sends_addresses_in_utf_8(smtpd: SMTPServer, play: Scenario) -> None:
    report = play("smtputf8")

    assert report.said["accepted"] == ["jörg@example.com"]
    envelope = smtpd.one(to="jörg@example.com")
    assert envelope.smtp_utf8
    assert "To: jörg@example.com\r\n".encode() in envelope.content


@pytest.mark.smtpd(disable={"SMTPUTF8"}, strict=True)
def test_nodemailer_tries_utf_8_on_a_server_without_and_reports_the_refusal(smtpd: SMTPServer, play: Scenario) -> None:
    report = play("smtputf8")

    assert report.code == 1
    assert report.said["responseCode"] == 553
    assert report.said["rejected"] == ["jörg@example.com"]
    assert smtpd.envelopes == []


def test_nodemailer_asks_for_delivery_reports(smtpd: SMTPServer, play: Scenario) -> None:
    assert play("dsn").code == 0

    envelope = smtpd.one()
    assert (envelope.dsn.ret, envelope.dsn.envid) == ("HDRS", "order+42")
    (recipient,) = envelope.rcpt_to
    assert set(recipient.dsn.notify) == {"FAILURE", "DELAY"}
    assert recipient.dsn.orcpt == "rfc822;ops@example.com"


def test_nodemailer_sends_attachments_bit_by_bit(smtpd: SMTPServer, play: Scenario) -> None:
    assert play("attachments").code == 0

    envelope = smtpd.one()
    assert envelope.html == "<p>See the files.</p>"
    assert [(file.filename, file.content_type, file.content) for file in envelope.attachments] == [
        ("numbers.csv", "text/csv", b"a,b\r\n1,2\r\n"),
        ("Übersicht 日本.bin", "application/octet-stream", bytes(range(256))),
    ]


def test_nodemailer_pool_shares_connections(smtpd: SMTPServer, play: Scenario) -> None:
    report = play("pool")

    responses = report.said["responses"]
    assert isinstance(responses, list)
    assert len(responses) == 20
    assert {envelope.subject for envelope in smtpd.envelopes} == {f"message {i}" for i in range(20)}
    per_session = Counter(envelope.session.id for envelope in smtpd.envelopes)
    assert max(per_session.values()) <= 5
    assert len(per_session) < 20
