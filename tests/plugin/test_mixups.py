"""What newcomers get wrong is explained where they look: in the report of their failing test."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.plugin.reading import sections

Failure = Callable[..., pytest.TestReport]


def notes(report: pytest.TestReport) -> list[str]:
    """The lines about the connection itself."""
    (text,) = sections(report).values()
    return [line.partition(" -: ")[2] for line in text.splitlines() if " -: " in line]


@pytest.mark.parametrize(("mode", "starttls"), [("starttls", True), (None, False)])
def test_tls_on_a_clear_port(failure: Failure, mode: str | None, starttls: bool) -> None:
    report = failure(f"""
        @pytest.mark.smtpd(tls={mode!r})
        def test(smtpd):
            smtplib.SMTP_SSL(smtpd.host, smtpd.port, timeout=10)
    """)
    what, advice = notes(report)[-2:]
    assert what == "the client began with a TLS handshake, but this port begins in clear text"
    assert "tls='implicit'" in advice
    assert ("STARTTLS" in advice) is starttls
    (text,) = sections(report).values()
    assert max(map(len, text.splitlines())) < 150  # the handshake itself says nothing to anybody


def test_a_client_that_waits_for_a_greeting_on_a_port_of_implicit_tls(failure: Failure) -> None:
    report = failure("""
        @pytest.mark.smtpd(tls="implicit")
        def test(smtpd):
            smtplib.SMTP(smtpd.host, smtpd.port, timeout=0.2)
    """)
    what, advice = notes(report)[-2:]
    assert "the client has sent nothing" in what
    assert "TLS from the first byte" in what
    assert "SMTP_SSL" in advice
    assert "tls='starttls'" in advice


def test_it_is_explained_while_the_client_still_waits(failure: Failure) -> None:
    report = failure("""
        @pytest.fixture
        def client(smtpd):
            with socket.create_connection(smtpd.address) as client:
                yield client

        @pytest.mark.smtpd(tls="implicit")
        def test(smtpd, client):
            smtpd.wait_for(timeout=0.1)
    """)
    (text,) = sections(report).values()
    assert "still open" in text
    assert "the client has sent nothing" in notes(report)[-2]
    assert "the client has sent nothing" in report.longreprtext.partition("Captured smtpd")[0]


def test_a_client_that_talks_first_on_a_port_of_implicit_tls(failure: Failure) -> None:
    report = failure("""
        @pytest.mark.smtpd(tls="implicit")
        def test(smtpd):
            with socket.create_connection(smtpd.address, timeout=10) as client:
                client.sendall(b"EHLO client.example\\r\\n")
                assert client.recv(3) == b"250"
    """)
    what, advice = notes(report)[-2:]
    assert "sent clear text" in what
    assert "SMTP_SSL" in advice


UNTRUSTED = {
    "implicit": "smtplib.SMTP_SSL(smtpd.host, smtpd.port, timeout=10, context=context)",
    "starttls": "connect(smtpd).starttls(context=context)",
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("mode", UNTRUSTED)
def test_a_client_that_does_not_trust_the_test_ca(failure: Failure, mode: str) -> None:
    report = failure(f"""
        @pytest.mark.filterwarnings("ignore")
        @pytest.mark.smtpd(tls={mode!r}, trust=False)
        def test(smtpd):
            context = ssl.create_default_context()
            {UNTRUSTED[mode]}
    """)
    what, advice = notes(report)[-2:]
    assert "does not trust the test CA" in what
    for word in ("ssl.create_default_context()", "smtpd.client_context", "smtpd.env"):
        assert word in advice


def test_a_certificate_that_is_meant_to_be_refused_needs_no_advice(failure: Failure) -> None:
    report = failure("""
        @pytest.mark.smtpd(tls="implicit", certificate="untrusted")
        def test(smtpd):
            smtplib.SMTP_SSL(smtpd.host, smtpd.port, timeout=10, context=ssl.create_default_context())
    """)
    (what,) = notes(report)
    assert what.startswith("TLS handshake failed")


ENDS = {"LF . LF": r"Hi\n.\n", "LF . CRLF": r"Hi\n.\r\n", "CRLF . LF": r"Hi\r\n.\n"}


@pytest.mark.parametrize("content", ENDS.values(), ids=ENDS)
def test_a_sender_of_bare_lf_that_waits_after_its_dot(failure: Failure, content: str) -> None:
    report = failure(f"""
        def test(smtpd):
            with socket.create_connection(smtpd.address, timeout=0.2) as client:
                for line in (b"EHLO x", b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@x.example>", b"DATA"):
                    client.sendall(line + b"\\r\\n")
                smtpd.log.wait_for("data")
                for byte in b"{content}":
                    client.sendall(bytes([byte]))
                reply = client.recv(4096)
                while b"250 2.6.0" not in reply:
                    reply += client.recv(4096)
    """)
    what, advice = notes(report)[-2:]
    assert "bare LF" in what
    assert "CRLF" in advice


def test_a_sender_that_stops_amid_its_message_is_not_accused(failure: Failure) -> None:
    report = failure("""
        def test(smtpd):
            with socket.create_connection(smtpd.address, timeout=0.2) as client:
                for line in (b"EHLO x", b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@x.example>", b"DATA"):
                    client.sendall(line + b"\\r\\n")
                smtpd.log.wait_for("data")
                client.sendall(b"Subject: x\\r\\n\\r\\nHi\\n")
                assert False
    """)
    assert not [note for note in notes(report) if "LF" in note]


def test_nobody_has_connected_says_where_and_why(failure: Failure) -> None:
    report = failure("""
        def test(smtpd):
            pytest.fail(f"port {smtpd.port}")
    """)
    port = re.search(r"port (\d+)", report.longreprtext)
    assert port is not None
    (text,) = sections(report).values()
    assert text.startswith(f"nobody has connected to 127.0.0.1:{port[1]}: ")
    assert "did not get as far as sending" in text
    assert "another host or port" in text


def test_nobody_has_connected_to_a_unix_socket(failure: Failure) -> None:
    report = failure("""
        @pytest.mark.smtpd(path=True)
        def test(smtpd):
            assert False
    """)
    (text,) = sections(report).values()
    assert re.match(r"nobody has connected to /\S+/smtpd.sock: ", text)
