"""Postfix's load generator: many sessions at once, over SMTP and LMTP."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer
from tests.interop.peers import MESSAGE, Report

CONTENT = MESSAGE.encode() + b"\r\n"  # smtp-source ends the last line, although it has an end
SESSIONS, MESSAGES, RECIPIENTS = 10, 500, 2


@pytest.fixture
def smtp_source(smtpd: SMTPServer, tmp_path: Path, execute: Callable[..., Report]) -> Callable[..., Report]:
    file = tmp_path / "message.eml"
    file.write_bytes(MESSAGE.replace("\r\n", "\n").encode())

    def smtp_source(*options: str) -> Report:
        parties = ("-f", "load@example.com", "-t", "ada@example.com", "-M", "source.example")
        target = f"inet:{smtpd.host}:{smtpd.port}"
        return execute("/usr/sbin/smtp-source", *parties, "-F", file, *options, target)

    return smtp_source


@pytest.mark.parametrize(
    "protocol",
    [
        pytest.param((), marks=pytest.mark.smtpd(lmtp=False), id="smtp"),
        pytest.param(("-L",), marks=pytest.mark.smtpd(lmtp=True), id="lmtp"),
    ],
)
@pytest.mark.parametrize("connections", [(), ("-d",)], ids=["one-message-each", "kept-open"])
def test_load_arrives_complete_and_unchanged(
    protocol: tuple[str, ...], connections: tuple[str, ...], smtpd: SMTPServer, smtp_source: Callable[..., Report]
) -> None:
    load = ("-s", str(SESSIONS), "-m", str(MESSAGES), "-r", str(RECIPIENTS))
    report = smtp_source(*protocol, *connections, *load)

    assert report.code == 0, report.output
    assert len(smtpd.envelopes) == MESSAGES
    assert {envelope.content for envelope in smtpd.envelopes} == {CONTENT}
    assert {(envelope.mail_from, len(envelope.rcpt_to)) for envelope in smtpd.envelopes} == {
        ("load@example.com", RECIPIENTS)
    }
    sessions = Counter(envelope.session.id for envelope in smtpd.envelopes)
    assert len(sessions) == (SESSIONS if connections else MESSAGES)


@pytest.mark.smtpd_on("rcpt_to", reply="550 5.1.1 No such user")
def test_refusal_ends_the_run_with_the_words_of_the_server(
    smtpd: SMTPServer, smtp_source: Callable[..., Report]
) -> None:
    report = smtp_source("-m", "1")

    assert report.code != 0
    assert "550 5.1.1 No such user" in report.output
    assert smtpd.envelopes == []
