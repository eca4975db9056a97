"""What Perl's Net::SMTP knows beyond one message: it is the one client here that sends BDAT."""

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer
from tests.interop.peers import ADA, CLIENTS, NET_SMTP, USER, Job, Report

Play = Callable[..., list[object]]


@pytest.fixture
def play(smtpd: SMTPServer, tmp_path: Path, execute: Callable[..., Report]) -> Play:
    """Play a scenario of clients/net_smtp_extensions.pl, and return its steps and their codes."""
    job = Job(env=smtpd.env, folder=tmp_path)

    def play(scenario: str, chunks: Sequence[bytes] = ()) -> list[object]:
        encoded = [base64.b64encode(chunk).decode() for chunk in chunks]
        stdin = job.json(scenario=scenario, chunks=encoded)
        report = execute("perl", CLIENTS / "net_smtp_extensions.pl", stdin=stdin, needs=NET_SMTP)
        assert report.code == 0, report.output
        steps = report.said["steps"]
        assert isinstance(steps, list)
        return steps

    return play


BINARY = bytes(range(256)) * 8
CHUNKS = {
    "one": [b"Subject: one\r\n\r\nHello\r\n"],
    "cut-in-a-line-end": [b"Subject: cut\r", b"\n\r\nHello\r", b"\n"],
    "dots": [b"Subject: dots\r\n\r\n.\r\n", b".\r\n..\r\n", b".\r\n"],
    "no-line-end": [b"Subject: open\r\n\r\n", b"no line end"],
    "octets": [b"Content-Type: application/octet-stream\r\n\r\n", BINARY, BINARY],
    "commands": [b"RSET\r\nQUIT\r\n", b"BDAT 3 LAST\r\n"],
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_chunks_are_joined_and_not_looked_into(chunks: list[bytes], smtpd: SMTPServer, play: Play) -> None:
    steps = play("chunks", chunks)

    earlier = [["BDAT", 250]] * (len(chunks) - 1)
    assert steps == [["MAIL", 250], ["RCPT", 250], *earlier, ["BDAT LAST", 250], ["QUIT", 221]]
    envelope = smtpd.one()
    assert (envelope.mail_from, envelope.rcpt_to, envelope.body_type) == (USER, (ADA,), "binarymime")
    assert envelope.content == b"".join(chunks)


@pytest.mark.smtpd(size=1000)
def test_chunks_over_the_size_limit_are_refused(smtpd: SMTPServer, play: Play) -> None:
    steps = play("chunks", [b"x" * 600, b"y" * 600, b"z" * 600])

    assert ["BDAT LAST", 250] not in steps
    assert ["BDAT", 552] in steps
    assert steps[-1] == ["QUIT", 221]
    assert smtpd.envelopes == []


@pytest.mark.smtpd_on("data", reply="554 5.6.0 We do not like it")
def test_refusal_of_chunks_comes_at_the_last(smtpd: SMTPServer, play: Play) -> None:
    steps = play("chunks", [b"Subject: no\r\n", b"\r\nHello\r\n"])

    assert steps[-2:] == [["BDAT LAST", 554], ["QUIT", 221]]
    assert smtpd.envelopes == []
    (refused,) = smtpd.log.envelopes(accepted=False)
    assert refused.content == b"Subject: no\r\n\r\nHello\r\n"


def test_delivery_reports_are_asked_for(smtpd: SMTPServer, play: Play) -> None:
    assert play("dsn") == [["MAIL", 250], ["RCPT", 250], ["DATA", 250], ["QUIT", 221]]

    envelope = smtpd.one()
    assert (envelope.dsn.ret, envelope.dsn.envid, envelope.body_type) == ("FULL", "order+42 =", "8bitmime")
    assert envelope.mail_from.args["SIZE"] == "1234"
    (recipient,) = envelope.rcpt_to
    assert set(recipient.dsn.notify) == {"SUCCESS", "DELAY"}
    assert recipient.dsn.orcpt == "rfc822;ada+shop@example.com"


def test_commands_that_a_client_may_try_are_answered(smtpd: SMTPServer, play: Play) -> None:
    assert play("talk") == [["VRFY", 252], ["EXPN", 502], ["HELP", 214], ["RSET", 250], ["QUIT", 221]]

    (session,) = smtpd.log.sessions()
    assert list(session.commands) == ["EHLO", "VRFY", "EXPN", "HELP", "RSET", "QUIT"]
