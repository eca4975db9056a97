"""LMTP from programs that speak it: a reply for each recipient after the data."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer
from tests.interop.peers import ADA, MESSAGE, USER, Report, named

BOB = "bob@example.com"
pytestmark = pytest.mark.smtpd(lmtp=True)


@pytest.fixture
def message(tmp_path: Path) -> Path:
    file = tmp_path / "message.eml"
    file.write_bytes(MESSAGE.encode())
    return file


@pytest.fixture
def swaks(smtpd: SMTPServer, message: Path, execute: Callable[..., Report]) -> Callable[[], Report]:
    options = ("--protocol", "LMTP", "--server", smtpd.host, "--port", str(smtpd.port), "--helo", "swaks.example")
    message_options = ("--from", USER, "--to", f"{ADA},{BOB}", "--data", f"@{message}")
    return lambda: execute("swaks", *options, *message_options, needs=named("swaks").needs)


@pytest.fixture
def msmtp(smtpd: SMTPServer, execute: Callable[..., Report]) -> Callable[[], Report]:
    tls = ("--tls=on", "--tls-starttls=on", f"--tls-trust-file={smtpd.ca_file}")
    server = (f"--host={smtpd.host}", f"--port={smtpd.port}", "--protocol=lmtp", "--domain=msmtp.example")
    stdin = MESSAGE.replace("\r\n", "\n")
    argv = ("msmtp", "-C", "/dev/null", *server, *tls, f"--from={USER}", ADA, BOB)
    return lambda: execute(*argv, stdin=stdin, needs=named("msmtp").needs)


@pytest.mark.parametrize(("client", "ending"), [("swaks", b"\r\n"), ("msmtp", b"")])
def test_every_recipient_gets_the_message(
    client: str, ending: bytes, smtpd: SMTPServer, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(client)()

    assert report.code == 0, report.output
    envelope = smtpd.one()
    assert (envelope.mail_from, envelope.rcpt_to, envelope.refused) == (USER, (ADA, BOB), {})
    assert envelope.content == MESSAGE.encode() + ending
    assert envelope.session.opening_command == "LHLO"


@pytest.mark.parametrize("client", ["swaks", "msmtp"])
@pytest.mark.smtpd_on("data", to="bob@*", reply="552 5.2.2 Mailbox full")
def test_recipient_refused_after_the_data_is_reported(
    client: str, smtpd: SMTPServer, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(client)()

    assert "552 5.2.2 Mailbox full" in report.output
    envelope = smtpd.one()
    assert envelope.rcpt_to == (ADA,)
    assert envelope.refused == {BOB: 552}
