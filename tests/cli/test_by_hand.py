"""A server by hand: where it listens, what it shows as it happens, and how it ends."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import PATIENCE, command, environment, running


def test_it_says_where_it_listens_and_what_to_paste() -> None:
    with running() as program:
        assert program.lines[0].startswith(f"listening on smtp://127.0.0.1:{program.port}")
        assert program.env["SMTP_HOST"] == "127.0.0.1"
        assert program.env["SMTP_URL"] == f"smtp://127.0.0.1:{program.port}"
        context = ssl.create_default_context(cafile=program.env["SSL_CERT_FILE"])
        with program.client() as client:
            client.starttls(context=context)
        assert Path(program.env["NODE_EXTRA_CA_CERTS"]).exists()


def test_a_shell_takes_the_lines_as_they_are(tmp_path: Path) -> None:
    with running("--set", f"path={tmp_path}/it's a socket") as program:
        script = "".join(program.lines[1:]) + 'printf %s "$SMTP_HOST"'
        assert subprocess.check_output(["sh", "-c", script], text=True) == f"{tmp_path}/it's a socket"


def test_without_tls_there_is_nothing_to_trust() -> None:
    with running("--tls", "none") as program:
        assert set(program.env) == {"SMTP_HOST", "SMTP_PORT", "SMTP_URL"}
        with program.client() as client, pytest.raises(smtplib.SMTPNotSupportedError):
            client.starttls()


def test_the_port_is_1025_unless_another_is_asked_for() -> None:
    shown = subprocess.check_output(command("--help"), text=True, env=environment(), timeout=PATIENCE)
    assert "by default 1025" in shown


def test_a_conversation_is_shown_while_it_goes_on() -> None:
    with running() as program, program.client() as client:
        assert program.read_until(r"session 1 from 127\.0\.0\.1:\d+$")
        assert program.read_until(r"^ +0\.\d{3} S: 220 localhost ESMTP$")
        client.ehlo("client.example")
        assert program.read_until(r"C: ehlo client\.example$")
        assert program.read_until(r"S: 250 localhost \(\d+ extensions\)$")
        client.mail("app@example.com")
        program.read_until(r"S: 250 2\.1\.0 OK")
        client.rcpt("ada@example.com")
        program.read_until(r"S: 250 2\.1\.5 OK")
        client.data(b"Subject: Hello\r\n\r\nHi\r\n")
        program.read_until(r"C: <\d+ bytes of content>$")
        program.read_until(r"S: 250 2\.6\.0 Message accepted")
        assert program.read_until(r"^mail 1") == "mail 1 from app@example.com to ada@example.com 'Hello', 22 bytes"
        client.quit()
        program.read_until(r"S: 221 2\.0\.0 Bye")
        program.read_until(r"^session 1 from \S+ closed$")


def test_two_conversations_at_once_are_told_apart() -> None:
    with running() as program, program.client() as one, program.client() as other:
        for number, client in ((1, one), (2, other), (1, one)):
            client.docmd(f"NOOP {number}")
            while True:
                line = program.read_until(r"session \d from|C: NOOP")
                if "NOOP" in line:
                    break
                current = line.split()[1]
            assert line.endswith(f"NOOP {number}")
            assert current == str(number)


def test_each_line_is_shown_once() -> None:
    with running() as program:
        for number in range(3):
            program.send(f"user{number}@example.com")
        program.read_until("^mail 3")
        code, error = program.end(signal.SIGTERM)
    assert (code, error) == (0, "")
    text = "".join(program.lines)
    for number in range(3):
        assert text.lower().count(f"rcpt to:<user{number}@example.com>") == 1
    assert text.count("354 End data") == 3
    assert text.count("bytes of content") == 3


def test_a_login_is_shown_in_order_and_masked() -> None:
    with running("--auth", "app:correct horse") as program:
        with program.client() as client:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("app", "wrong horse")
            client.login("app", "correct horse")
        program.read_until("^session 1 .* closed")
    text = "".join(program.lines)
    assert "horse" not in text
    said = [line.partition("S: ")[2].strip() for line in program.lines if "S: " in line]
    codes = [reply.split()[0] for reply in said]
    assert codes[:3] == ["220", "250", "334"]
    assert codes[3:5] == ["535", "535"]
    assert said[-2:] == ["235 2.7.0 Authentication succeeded", "221 2.0.0 Bye"]


def test_rules_say_what_they_did() -> None:
    with running("--on", 'rcpt_to, to="carol@*", reply="550 5.1.1 Gone"', "--on", "'rcpt_to', reply=451") as program:
        with program.client() as client:
            client.ehlo()
            client.mail("app@example.com")
            assert client.rcpt("carol@example.com") == (550, b"5.1.1 Gone")
            assert client.rcpt("bob@example.com")[0] == 451
        shown = program.read_until("S: 550")
        assert shown.endswith("S: 550 5.1.1 Gone   by on('rcpt_to', reply='550 5.1.1 Gone', to='carol@*')")


def test_what_a_client_wrote_commands_no_terminal() -> None:
    with running() as program:
        with socket.create_connection(("127.0.0.1", program.port), timeout=PATIENCE) as client:
            client.sendall("EHLO \x1b]0;owned\x07\u202e\r\nQUIT\r\n".encode())
            while client.recv(4096):
                pass
        program.send(subject="\x1b[31mred")
        program.read_until("^mail 1")
    text = "".join(program.lines)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b]0;owned\\x07\\u202e" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_a_signal_ends_it_with_nothing_left(number: signal.Signals, tmp_path: Path) -> None:
    with running(extra={"TMPDIR": str(tmp_path)}) as program:
        assert list(tmp_path.iterdir()) != []  # the certificates of its environment
        client = program.client()
        code, error = program.end(number)
        client.close()
    assert (code, error) == (0, "")
    assert list(tmp_path.iterdir()) == []
    assert program.lines[-1].endswith("closed\n")
    with socket.create_server(("127.0.0.1", program.port)):
        pass  # the port is free again


def test_it_ends_amid_everything() -> None:
    with running("--on", "mail_from, hang=True", "--on", "connect, drip=0.001") as program:
        client = program.client()
        client.ehlo()
        client.send(b"MAIL FROM:<a@example.com>\r\n")
        program.read_until("hanging at mail_from")
        code, error = program.end(signal.SIGTERM)
        client.close()
    assert (code, error) == (0, "")


def test_the_reader_of_its_output_may_leave() -> None:
    with running() as program:
        assert program.process.stdout is not None
        program.process.stdout.close()
        with contextlib.suppress(OSError, smtplib.SMTPException):  # it may have ended in the middle
            program.send()
        assert program.process.wait(PATIENCE) == 0


TERMINALS = [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]


@pytest.mark.parametrize(("extra", "coloured"), TERMINALS)
def test_it_is_in_colour_on_a_terminal_only(extra: dict[str, str], coloured: bool) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command("--port", "0", "--tls", "none"), stdout=theirs, env=environment(extra))
    os.close(theirs)
    try:
        data = b""
        while not re.search(rb"SMTP_URL=smtp://127\.0\.0\.1:\d+\W", data):
            data += os.read(ours, 4096)
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
        os.close(ours)
    assert (b"\x1b[" in data) is coloured


def test_in_a_pipe_it_is_plain() -> None:
    with running() as program:
        program.send()
        program.read_until("^mail 1")
        assert "\x1b" not in "".join(program.lines)


def test_nothing_of_pytest_is_needed() -> None:
    code = (
        "import sys\n"
        "import pytest_smtpd.__main__, pytest_smtpd.view.files\n"
        "print(*(name for name in sys.modules if name.partition('.')[0] in ('pytest', '_pytest', 'pluggy')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.strip() == ""


# --- --save ---------------------------------------------------------------------------------------------------------


def test_what_comes_is_saved_as_it_comes(tmp_path: Path) -> None:
    folder = tmp_path / "not there" / "mails"
    with running("--save", str(folder)) as program:
        assert sorted(path.name for path in folder.iterdir()) == ["index.html", "transcript.txt"]
        program.send(subject="First")
        line = program.read_until("^mail 1")
        assert line.endswith(f", saved as {folder}/1.eml")
        assert (folder / "1.eml").read_bytes() == b"Subject: First\r\n\r\nHi\r\n"
        assert "First" in (folder / "index.html").read_text()
        program.send(subject="Second")
        program.read_until("^mail 2")
        code, error = program.end(signal.SIGTERM)
    assert (code, error) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == ["1.eml", "2.eml", "index.html", "transcript.txt"]
    assert "Second" in (folder / "index.html").read_text()
    transcript = (folder / "transcript.txt").read_text()
    assert transcript.count("221 2.0.0 Bye") == 2
    assert "still open" not in transcript


def test_a_flood_of_mail_is_all_saved(tmp_path: Path) -> None:
    with running("--save", str(tmp_path / "mails")) as program:
        with program.client() as client:
            for number in range(100):
                client.sendmail("app@example.com", "ada@example.com", f"Subject: Number {number}\n\nHi\n")
        program.read_until("^mail 100 ")
        code, error = program.end(signal.SIGINT)
    assert (code, error) == (0, "")
    assert len(list((tmp_path / "mails").glob("*.eml"))) == 100
    page = (tmp_path / "mails" / "index.html").read_text()
    assert "100 mails accepted" in page
    assert "Number 99" in page
