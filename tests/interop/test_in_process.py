"""smtplib and aiosmtplib in the test's own process, where the fixture makes verifying code work unchanged."""

import asyncio
import base64
import re
import smtplib
import ssl
from collections.abc import Callable

import aiosmtplib
import pytest

from pytest_smtpd import SMTPServer
from tests.interop.peers import ADA, MESSAGE, PASSWORD, USER

BOB = "bob@example.com"
CONTENT = MESSAGE.encode()
CONTENTS = {
    "empty": b"",
    "dot": b".",
    "dot-line": b".\r\n",
    "empty-line": b"\r\n",
    "dots-at-line-starts": b"\r\n.\r\n..\r\n",
    "longest-line": b"x" * 998 + b"\r\n",
    "every-octet": bytes(range(256)),
}


def starttls(smtpd: SMTPServer) -> smtplib.SMTP:
    client = smtplib.SMTP(smtpd.host, smtpd.port, timeout=10)
    client.starttls(context=ssl.create_default_context())
    return client


def implicit_tls(smtpd: SMTPServer) -> smtplib.SMTP:
    return smtplib.SMTP_SSL(smtpd.host, smtpd.port, timeout=10, context=ssl.create_default_context())


def clear(smtpd: SMTPServer) -> smtplib.SMTP:
    return smtplib.SMTP(smtpd.host, smtpd.port, timeout=10)


WAYS = [
    pytest.param(clear, marks=pytest.mark.smtpd(tls=None), id="clear"),
    pytest.param(starttls, marks=pytest.mark.smtpd(tls="starttls"), id="starttls"),
    pytest.param(implicit_tls, marks=pytest.mark.smtpd(tls="implicit"), id="implicit"),
]
Connect = Callable[[SMTPServer], smtplib.SMTP]


@pytest.mark.parametrize("connect", WAYS)
@pytest.mark.parametrize("method", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.smtpd(auth={USER: PASSWORD})
def test_smtplib_logs_in_and_delivers(connect: Connect, method: str, smtpd: SMTPServer) -> None:
    with connect(smtpd) as client:
        client.ehlo()
        client.user, client.password = USER, PASSWORD
        code, _ = client.auth(method, getattr(client, "auth_" + method.lower().replace("-", "_")))
        refused = client.sendmail(USER, [ADA, BOB], CONTENT)

    assert (code, refused) == (235, {})
    envelope = smtpd.one()
    assert (envelope.mail_from, envelope.rcpt_to, envelope.content) == (USER, (ADA, BOB), CONTENT)
    assert envelope.user == USER
    assert envelope.session.secure == (connect is not clear)


@pytest.mark.parametrize("connect", WAYS)
@pytest.mark.smtpd(auth={USER: "another secret"})
def test_smtplib_reports_a_failed_login(connect: Connect, smtpd: SMTPServer) -> None:
    with connect(smtpd) as client, pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        client.login(USER, PASSWORD)

    assert caught.value.smtp_code == 535
    assert {call.args[0].method for call in smtpd.log.calls("auth")} == {"CRAM-MD5", "PLAIN", "LOGIN"}


@pytest.mark.parametrize("connect", WAYS)
@pytest.mark.smtpd_on("rcpt_to", to="bob@*", reply="550 5.1.1 No such user")
def test_smtplib_reports_the_one_recipient_that_was_refused(connect: Connect, smtpd: SMTPServer) -> None:
    with connect(smtpd) as client:
        refused = client.sendmail(USER, [BOB, ADA], CONTENT)

    assert refused == {BOB: (550, b"5.1.1 No such user")}
    assert smtpd.one().rcpt_to == (ADA,)


@pytest.mark.parametrize("connect", WAYS[1:])
@pytest.mark.smtpd(certificate="expired")
def test_smtplib_refuses_an_expired_certificate(connect: Connect, smtpd: SMTPServer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        connect(smtpd)

    assert smtpd.envelopes == []


@pytest.mark.parametrize("client", [smtplib.SMTP, smtplib.LMTP])
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_smtplib_content_arrives_byte_for_byte(
    client: type[smtplib.SMTP], content: bytes, smtpd_factory: Callable[..., SMTPServer]
) -> None:
    smtpd = smtpd_factory(lmtp=client is smtplib.LMTP)
    with client(smtpd.host, smtpd.port, timeout=10) as connection:
        connection.sendmail(USER, [ADA], content)

    # smtplib itself ends the last line.
    assert smtpd.one().content == content + (b"" if content.endswith(b"\r\n") else b"\r\n")


def test_smtplib_delivers_ten_megabytes(smtpd: SMTPServer) -> None:
    content = CONTENT + b"0123456789abcdef" * 4 * 163_840 + b"\r\n"
    with starttls(smtpd) as client:
        client.sendmail(USER, [ADA], content)

    envelope = smtpd.one()
    assert len(content) > 10_000_000
    assert envelope.size == len(content)
    assert envelope.content == content


async def deliver_with_defaults(smtpd: SMTPServer) -> dict[str, aiosmtplib.SMTPResponse]:
    """Deliver as aiosmtplib does it when nothing is configured: STARTTLS if offered, certificates verified."""
    refused, _ = await aiosmtplib.send(
        CONTENT, sender=USER, recipients=[BOB, ADA], hostname=smtpd.host, port=smtpd.port
    )
    return refused


def test_aiosmtplib_upgrades_and_verifies_without_configuration(smtpd: SMTPServer) -> None:
    asyncio.run(deliver_with_defaults(smtpd))

    envelope = smtpd.one()
    assert (envelope.mail_from, envelope.rcpt_to, envelope.content) == (USER, (BOB, ADA), CONTENT)
    assert envelope.session.secure


@pytest.mark.smtpd(certificate="wrong-host")
def test_aiosmtplib_refuses_a_certificate_of_another_host(smtpd: SMTPServer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        asyncio.run(deliver_with_defaults(smtpd))

    assert smtpd.envelopes == []


@pytest.mark.smtpd_on("rcpt_to", to="bob@*", reply="450 4.2.1 Try again")
def test_aiosmtplib_reports_the_one_recipient_that_was_refused(smtpd: SMTPServer) -> None:
    refused = asyncio.run(deliver_with_defaults(smtpd))

    assert refused == {BOB: (450, "4.2.1 Try again")}
    assert smtpd.one().rcpt_to == (ADA,)


@pytest.mark.parametrize("method", ["plain", "login", "crammd5", "xoauth2"])
@pytest.mark.smtpd(auth={"jörg": "pässword"}, tls="implicit")
def test_aiosmtplib_logs_in_with_names_and_secrets_in_utf_8(method: str, smtpd: SMTPServer) -> None:
    async def login() -> None:
        async with aiosmtplib.SMTP(hostname=smtpd.host, port=smtpd.port, use_tls=True) as client:
            await client.ehlo()
            await getattr(client, f"auth_{method}")("jörg", "pässword")
            await client.sendmail(USER, [ADA], CONTENT)

    asyncio.run(login())

    assert smtpd.one().user == "jörg"


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        pytest.param(["", "QUIT"], ["220", "250", "334", "535", "221"], id="read-to-the-end"),
        pytest.param([], ["220", "250", "334"], id="gone-after-the-challenge"),
    ],
)
@pytest.mark.smtpd(auth={USER: "another token"})
def test_transcript_of_a_refused_token_is_what_went_over_the_wire(
    answer: list[str], codes: list[str], smtpd: SMTPServer
) -> None:
    token = base64.b64encode(f"user={USER}\1auth=Bearer expired\1\1".encode()).decode()
    client = clear(smtpd)
    client.ehlo()
    client.docmd("AUTH", f"XOAUTH2 {token}")
    for line in answer:
        client.docmd(line)
    client.close()
    smtpd.wait_closed()

    assert re.findall(r"S: (\d{3})", smtpd.log.transcript()) == codes
