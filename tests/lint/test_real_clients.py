"""Nothing is found by default in an ordinary mail of a well-known client over TLS; and what each one does besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer
from tests.interop.peers import PASSWORD, PEERS, USER, Job, Peer, run
from tests.interop.presence import require

# What lint="all" finds in the letter of the suite (8-bit, in quoted-printable or base64 where a library writes it).
BESIDES: dict[str, set[str]] = {
    "smtplib": {"8bit", "ehlo-unqualified"},
    "aiosmtplib": {"8bit", "ehlo-unqualified"},
    "nodemailer": {"ehlo-unqualified"},
    "django": {"8bit", "ehlo-unqualified"},
    "curl": {"8bit", "ehlo-unqualified"},
    "msmtp": {"8bit"},
}


def with_tls(*names: str) -> pytest.MarkDecorator:
    chosen = [peer for peer in PEERS if not names or peer.name in names]
    return pytest.mark.parametrize(
        ("peer", "tls"),
        [
            pytest.param(peer, tls, id=f"{peer.name}-{tls}", marks=pytest.mark.smtpd(tls=tls))
            for peer in chosen
            for tls in ("starttls", "implicit")
        ],
    )


@with_tls("smtplib", "aiosmtplib", "django", "nodemailer", "curl", "msmtp")
@pytest.mark.smtpd(auth={USER: PASSWORD}, require_tls=True, lint=True)
def test_ordinary_mail_over_tls_is_clean(peer: Peer, tls: str, smtpd: SMTPServer, tmp_path: Path) -> None:
    require(peer.needs)
    job = Job(env=smtpd.env, folder=tmp_path, text=peer.text, tls=tls)

    report = run(peer.command(job), smtpd.env, tmp_path)

    assert report.code == 0, report.output
    assert smtpd.one().user == USER
    smtpd.wait_closed()
    found = {finding.rule for finding in smtpd.lint}
    assert found <= BESIDES[peer.name] | {"no-quit"}, smtpd.lint
