"""What is saved: every mail to the byte, the whole transcript, and the page."""

from __future__ import annotations

import smtplib
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer, on

BYTES = b"Subject: =?utf-8?q?=C3=BC?=\r\nX: \x00\xff\r\n\r\n..dots\r\nlast line without an end\r\n"


def send(server: SMTPServer, content: bytes = b"Subject: Hi\r\n\r\nHello\r\n", to: str = "ada@example.com") -> None:
    with smtplib.SMTP(server.host, server.port, timeout=30) as client:
        client.sendmail("app@example.com", [to], content)


def test_an_envelope_saves_its_bytes(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server, BYTES)
        envelope = server.one()
        envelope.save(tmp_path / "mail.eml")
        envelope.save(str(tmp_path / "again.eml"))
    assert (tmp_path / "mail.eml").read_bytes() == envelope.content == BYTES
    assert (tmp_path / "again.eml").read_bytes() == BYTES


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server)
        with pytest.raises(OSError, match="nowhere"):
            server.one().save(tmp_path / "nowhere" / "mail.eml")


def test_a_server_saves_all_that_came(tmp_path: Path) -> None:
    with SMTPServer(on=[on("rcpt_to", to="carol@*", reply=550)]) as server:
        send(server)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(server, to="carol@example.com")
        send(server, BYTES)
        page = server.save(tmp_path / "new" / "folder")
    assert page == tmp_path / "new" / "folder" / "index.html"
    assert sorted(path.name for path in page.parent.iterdir()) == ["1.eml", "2.eml", "index.html", "transcript.txt"]
    assert (page.parent / "1.eml").read_bytes() == b"Subject: Hi\r\n\r\nHello\r\n"
    assert (page.parent / "2.eml").read_bytes() == BYTES
    transcript = (page.parent / "transcript.txt").read_text(encoding="utf-8")
    assert transcript.strip() == server.log.transcript()


def test_it_can_be_saved_again_with_more(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server)
        server.save(tmp_path)
        send(server, b"Subject: Second\r\n\r\nHello\r\n")
        server.save(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.eml", "2.eml", "index.html", "transcript.txt"]
    assert "Second" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_server_nobody_has_connected_to_can_be_saved(tmp_path: Path) -> None:
    with SMTPServer() as server:
        server.save(tmp_path)
    assert f"nobody has connected to 127.0.0.1:{server.port}" in (tmp_path / "transcript.txt").read_text()
    assert "Nobody has connected" in (tmp_path / "index.html").read_text()


def test_a_stopped_server_can_be_saved(tmp_path: Path) -> None:
    with SMTPServer() as server:
        send(server)
    server.save(tmp_path)
    assert (tmp_path / "1.eml").exists()


def test_a_long_conversation_is_saved_whole(tmp_path: Path) -> None:
    with SMTPServer() as server:
        with smtplib.SMTP(server.host, server.port, timeout=30) as client:
            for number in range(300):
                client.docmd(f"NOOP {number}")
        for _ in range(30):
            send(server)
        server.save(tmp_path)
        assert "more lines" in server.log.transcript()
    transcript = (tmp_path / "transcript.txt").read_text()
    assert "more" not in transcript
    assert transcript.count("C: NOOP") == 300
    assert transcript.count("session ") == 31


def test_secrets_are_in_none_of_it(tmp_path: Path) -> None:
    with SMTPServer(auth={"app": "correct horse"}) as server:
        with smtplib.SMTP(server.host, server.port, timeout=30) as client:
            client.login("app", "correct horse")
            client.sendmail("app@example.com", ["ada@example.com"], "Subject: Hi\n\nHello\n")
        server.save(tmp_path)
    for name in ("index.html", "transcript.txt"):
        assert "horse" not in (tmp_path / name).read_text()
