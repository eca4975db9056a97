"""A conversation typed into `openssl s_client`: the strictest judge of certificates at hand."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from pytest_smtpd import SMTPServer
from tests.interop.peers import ADA, MESSAGE, USER, Report

CONVERSATION = (
    "EHLO openssl.example\r\n"
    f"MAIL FROM:<{USER}> BODY=8BITMIME\r\n"
    f"RCPT TO:<{ADA}>\r\n"
    "DATA\r\n" + MESSAGE.replace("\r\n.", "\r\n..") + ".\r\nQUIT\r\n"
)
WAYS = [
    pytest.param(("-starttls", "smtp"), marks=pytest.mark.smtpd(tls="starttls"), id="starttls"),
    pytest.param((), marks=pytest.mark.smtpd(tls="implicit"), id="implicit"),
]

Converse = Callable[..., Report]


@pytest.fixture
def converse(smtpd: SMTPServer, execute: Callable[..., Report]) -> Converse:
    """Say the whole conversation at once, and return what came back."""

    def converse(*options: str | Path) -> Report:
        verify = ("-verify_return_error", "-verify_hostname", "localhost", "-quiet", "-no_ign_eof")
        target = f"{smtpd.host}:{smtpd.port}"
        return execute("openssl", "s_client", "-connect", target, *verify, *options, stdin=CONVERSATION)

    return converse


@pytest.mark.parametrize("way", WAYS)
def test_conversation_typed_ahead_is_answered_line_by_line(
    way: tuple[str, ...], smtpd: SMTPServer, converse: Converse
) -> None:
    report = converse(*way, "-ign_eof", "-servername", "mail.example")

    replies = [line[:4] for line in report.output.splitlines() if line[:3].isdigit() and line[3:4] == " "]
    assert replies[-6:] == ["250 ", "250 ", "250 ", "354 ", "250 ", "221 "]
    envelope = smtpd.one()
    assert (envelope.mail_from, envelope.rcpt_to) == (USER, (ADA,))
    assert envelope.content == MESSAGE.encode()
    assert envelope.body_type == "8bitmime"
    assert envelope.session.tls is not None
    assert envelope.session.tls.server_name == "mail.example"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("certificate", "verdict"),
    [
        pytest.param(certificate, verdict, marks=pytest.mark.smtpd(certificate=certificate), id=certificate)
        for certificate, verdict in {
            "expired": "num=10:certificate has expired",
            "not-yet-valid": "num=9:certificate is not yet valid",
            "wrong-host": "num=62:hostname mismatch",
            "untrusted": "num=20:unable to get local issuer certificate",
            "self-signed": "num=18:self-signed certificate",
        }.items()
    ],
)
def test_each_bad_certificate_is_bad_in_just_its_way(
    way: tuple[str, ...], certificate: str, verdict: str, smtpd: SMTPServer, converse: Converse
) -> None:
    report = converse(*way, "-ign_eof")

    assert report.code == 1
    errors = [line.partition("verify error:")[2] for line in report.output.splitlines() if "verify error:" in line]
    assert errors == [verdict]
    assert smtpd.envelopes == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.smtpd(client_certificate="required")
def test_client_certificate_is_asked_for_and_seen(
    way: tuple[str, ...], smtpd: SMTPServer, smtpd_ca: trustme.CA, converse: Converse, tmp_path: Path
) -> None:
    certificate = smtpd_ca.issue_cert("client.example")
    file = tmp_path / "client.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(file))

    report = converse(*way, "-ign_eof", "-cert", file, "-key", file)

    assert report.code == 0, report.output
    tls = smtpd.one().session.tls
    assert tls is not None
    assert tls.peer_certificate


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.smtpd(client_certificate="required")
def test_missing_client_certificate_is_an_alert_to_the_client(
    way: tuple[str, ...], smtpd: SMTPServer, converse: Converse
) -> None:
    report = converse(*way, "-ign_eof")

    assert report.code != 0
    assert "alert certificate required" in report.output
    assert smtpd.envelopes == []
