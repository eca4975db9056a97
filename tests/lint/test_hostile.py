"""Whatever a client sends, lint answers, in linear time, in plain text, and without secrets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd import SMTPServer
from pytest_smtpd.lint.choice import find
from pytest_smtpd.lint.report import failure, remarks
from tests.lint.scripts import GREETED, QUIT, Case, findings, hold, letter, mail, plain
from tests.rfc.wire import connect

FRAGMENTS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b"\0", b".", b"..", b" ", b"\t", b"\xc3\xa4", b"\xff", b"\x1b[2J", b"--b", b"--b--"),
        *(b"Date:", b"From: a@b\r\n", b"Bcc: x@y\r\n", b"Subject: =?utf-8?q?=C3?=\r\n", b"=?x?b?AA==?=", b"=?", b"?="),
        *(b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Transfer-Encoding: base64\r\n", b"x" * 999),
        *(b"To: a@b, (((\r\n", b'Cc: "\r\n', b"List-Unsubscribe: <\r\n", b"List-Unsubscribe-Post:\r\n"),
    ]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(FRAGMENTS | st.binary(max_size=20), max_size=30))
def test_any_content_has_findings_in_plain_text(fragments: list[bytes]) -> None:
    content = b"".join(fragments)
    with SMTPServer(tls=None, lint="all") as server:
        with connect(server) as wire:
            wire.steps("EHLO client.example", "MAIL FROM:<a@b.example> BODY=BINARYMIME", "RCPT TO:<c@d.example>")
            wire.send(b"BDAT %d LAST\r\n%s" % (len(content), content))
            wire.reply()
        for found in server.lint:
            assert found.text.isprintable()
        text = failure(server.settings, server.log, "smtpd") or ""
        assert all(line.isprintable() for line in text.split("\n"))
        server.configure({"lint": False})


LINES = st.sampled_from(
    [
        *(
            "EHLO client.example",
            "EHLO",
            "EHLO \x1b[0m",
            "HELO x y",
            "STARTTLS x",
            "AUTH PLAIN",
            "AUTH LOGIN =",
            "AUTH",
        ),
        *("MAIL FROM:<a@b.example>", "MAIL FROM:<\u00e4>", "RCPT TO:<c@d.example>", "RCPT TO:<>", "DATA", ".", "", "*"),
        *("BDAT 5", "BDAT 0 LAST", "RSET", "NOOP", "x" * 600, "\u202e", "=" * 50, "VRFY", "XCLIENT ADDR=192.0.2.1"),
    ]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(LINES, max_size=25))
def test_any_dialogue_has_findings_in_plain_text(lines: list[str]) -> None:
    with SMTPServer(xclient=True) as server:
        with connect(server, greet=False) as wire:
            wire.send(b"".join(line.encode() + b"\r\n" for line in lines) + b"QUIT\r\n")
            server.catch_up()
            found = server.lint
        server.wait_closed()
        assert len(server.lint) >= len(found)
        for finding in server.lint:
            assert finding.text.isprintable()
            assert len(finding.text) < 500


@pytest.mark.parametrize(
    "piece", [b"\n", b"\r", b"=?utf-8?q?", b"Bcc: x@y\r\n", b"--b\r\n", b"x\n..", b"To: (((,", b"\xc3\xa4 "], ids=repr
)
def test_time_grows_linearly_with_the_content(piece: bytes) -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n"

    def seconds(octets: int) -> float:
        with SMTPServer(tls=None) as server:
            with connect(server) as wire:
                wire.steps("EHLO client.example", "MAIL FROM:<a@b.example> BODY=8BITMIME", "RCPT TO:<c@d.example>")
                content = head + piece * (octets // len(piece))
                wire.send(b"BDAT %d LAST\r\n%s" % (len(content), content))
                wire.reply()
            before = time.process_time()
            find(server.log)
            return time.process_time() - before

    few, many = seconds(25_000), seconds(200_000)
    assert many < 40 * max(few, 0.01)  # eight times is linear; a square would be sixty-four times


def test_secrets_are_masked_in_every_text() -> None:
    script = (
        f"{GREETED}C: AUTH PLAIN {plain(password='hunter2hunter2')}\nS: 535\nC: hunter2hunter2\nS: 500\n"
        f"C: PASS hunter2hunter2\nS: 500\nC: NOOP hunter2hunter2 {'x' * 600}\nS: 250\n{QUIT}"
    )
    with SMTPServer(auth={"app": "other-s3cret", "bob": "hunter2hunter2"}, lint="all") as server:
        hold(server, script)
        texts = [found.text for found in server.lint]
        texts.append(failure(server.settings, server.log, "smtpd") or "")
        texts += [note.text for notes in remarks(server.settings, server.log).values() for note in notes]
        server.configure({"lint": False})
    assert len(texts) > 4
    assert [text for text in texts if "hunter2" in text or plain(password="hunter2hunter2") in text] == []


def test_thousand_messages_are_looked_at_in_a_moment() -> None:
    with SMTPServer(tls=None) as server:
        hold(server, f"{GREETED}{mail() * 300}{QUIT}")
        before = time.process_time()
        assert [found.rule for found in server.lint] == []
        assert time.process_time() - before < 5


def test_refused_and_unfinished_messages_are_looked_at_too() -> None:
    cut = letter(b"Subject: x\n\r\n").split("C> .")[0]
    rules = {found.rule for found in findings(Case("cut off", cut))}
    assert rules == {"no-quit"}  # there is no envelope of it, and what is missing may have been on its way


def test_of_very_many_defects_the_first_are_told() -> None:
    parts = b"--b\r\nContent-Transfer-Encoding: rot13\r\n\r\nx\r\n" * 50 + b"--b--\r\n"
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts
    found = [one.text for one in findings(Case("50 parts", letter(content))) if one.rule == "mime"]
    assert len(found) == 11
    assert found[0].startswith("part 2 in line 4: the Content-Transfer-Encoding 'rot13' is unknown")
    assert found[-1].startswith("more than 10 things are wrong")
