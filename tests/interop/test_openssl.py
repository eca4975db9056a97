"""A conversation typed into `openssl s_client`: the strictest judge of certificates at hand."""

import re
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


# The numbers are OpenSSL's X509_V_ERR_* constants; the texts beside them change from version to version.
VERIFY_ERRORS = {
    "expired": 10,  # CERT_HAS_EXPIRED
    "not-yet-valid": 9,  # CERT_NOT_YET_VALID
    "wrong-host": 62,  # HOSTNAME_MISMATCH
    "untrusted": 20,  # UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    "self-signed": 18,  # DEPTH_ZERO_SELF_SIGNED_CERT
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("certificate", "error"),
    [
        pytest.param(certificate, error, marks=pytest.mark.smtpd(certificate=certificate), id=certificate)
        for certificate, error in VERIFY_ERRORS.items()
    ],
)
def test_each_bad_certificate_is_bad_in_just_its_way(
    way: tuple[str, ...], certificate: str, error: int, smtpd: SMTPServer, converse: Converse
) -> None:
    report = converse(*way, "-ign_eof")

    assert report.code == 1
    assert re.findall(r"verify error:num=(\d+):", report.output) == [str(error)]
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
