"""What an attacker hopes a server takes for a line end: SMTP smuggling, and line breaks in replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from pytest_smtpd import Session, Stream

HIDDEN = b"MAIL FROM:<mallory@evil.example>\r\nRCPT TO:<eve@evil.example>\r\nDATA\r\nsmuggled\r\n"

# Ends of data that some server somewhere has believed; RFC 5321 section 4.1.1.4 knows only CRLF.CRLF.
ENDS = {
    "LF.LF": b"\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.LF": b"\r\n.\n",
    "CR.CR": b"\r.\r",
    "CR.CRLF": b"\r.\r\n",
    "CRLF.CR": b"\r\n.\r",
    "CR.LF": b"\r.\n",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "CRLF.NUL CRLF": b"\r\n.\0\r\n",
    "CRLF NUL.CRLF": b"\r\n\0.\r\n",
    "CRLF..CRLF": b"\r\n..\r\n",
    "CRLF. CRLF": b"\r\n. \r\n",
    "NEL": "\x85.\x85".encode(),
    "LS": "\u2028.\u2028".encode(),
}


def unstuffed(content: bytes) -> bytes:
    """RFC 5321 section 4.5.2, with CRLF as the only line end."""
    return b"\r\n".join(line.removeprefix(b".") for line in content.split(b"\r\n"))


@pytest.mark.parametrize("strict", [False, True], ids=["tolerant", "strict"])
@pytest.mark.parametrize("end", ENDS)
def test_only_crlf_dot_crlf_ends_the_data(serve: Serve, client: Connect, end: str, strict: bool) -> None:
    """Section 4.1.1.4: "SMTP server systems MUST NOT do this, even in the name of improved robustness"."""
    server = serve(strict=strict)
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<ann@client.example>", "RCPT TO:<bob@server.example>", "DATA")
    content = b"innocent" + ENDS[end] + HIDDEN
    wire.send(content + b".\r\n")
    assert wire.reply().code == 250
    assert wire.say("NOOP").code == 250
    assert server.one().content == unstuffed(content)
    assert len(server.log.calls("mail_from")) == 1


@pytest.mark.parametrize("end", ENDS)
def test_false_ends_are_octets_like_any_other_in_a_chunk(serve: Serve, client: Connect, end: str) -> None:
    """RFC 3030: a chunk is counted, not read."""
    server = serve()
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<ann@client.example>", "RCPT TO:<bob@server.example>")
    content = b"innocent" + ENDS[end] + HIDDEN + b".\r\n"
    wire.send(b"BDAT %d LAST\r\n" % len(content) + content)
    assert wire.reply().code == 250
    assert wire.say("NOOP").code == 250
    assert server.one().content == content


@pytest.mark.parametrize("cut", range(1, 5))
def test_end_of_data_is_found_across_segments(serve: Serve, client: Connect, cut: int) -> None:
    """Section 4.1.1.4: it is a sequence of octets, not a segment of TCP."""
    server = serve()
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<ann@client.example>", "RCPT TO:<bob@server.example>", "DATA")
    end = b"\r\n.\r\n"
    wire.send(b"x" + end[:cut])
    wire.send(end[cut:])
    assert wire.reply().code == 250
    assert server.one().content == b"x\r\n"


BREAKS = ["\r\n", "\r", "\n", "\n\r", "\r\n\r\n"]
INJECTED = "250 2.0.0 injected"
STEPS = ("EHLO c", "MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "x\r\n.")
PLACES = {"connect": 0, "mail_from": 2, "rcpt_to": 3, "data": 5}


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
@pytest.mark.parametrize("hook", PLACES)
def test_line_break_in_a_refusal_never_makes_a_second_reply(
    serve: Serve, client: Connect, hook: Any, line_break: str
) -> None:
    """Section 4.2: "Every command MUST generate exactly one reply"; several lines are one multi-line reply."""
    from pytest_smtpd import Reject

    server = serve()

    def refuse(*args: object) -> None:
        raise Reject(451, f"4.7.1 first{line_break}{INJECTED}")

    server.on(hook)(refuse)
    wire = client(server, greet=False)
    replies = [wire.reply(), *(wire.say(step) for step in STEPS[: PLACES[hook]])]
    assert replies[-1].code == 451
    assert {line.removeprefix("4.7.1").strip() for line in replies[-1].lines} - {""} == {"first", INJECTED}
    if hook != "connect":
        assert wire.say("QUIT").code == 221
    assert wire.rest() == b""


@pytest.mark.parametrize("line_break", BREAKS, ids=ascii)
def test_line_break_in_a_data_hooks_text_is_no_second_reply(serve: Serve, client: Connect, line_break: str) -> None:
    server = serve()

    @server.on("data")
    def hook(stream: Stream, session: Session) -> str:
        return f"2.6.0 queued{line_break}550 5.0.0 injected"

    wire = client(server)
    replies = [wire.say(step) for step in STEPS]
    assert replies[-1].code == 250
    assert wire.say("QUIT").code == 221
    assert wire.rest() == b""


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\0"], ids=ascii)
def test_other_unicode_line_ends_do_not_break_a_reply(serve: Serve, client: Connect, character: str) -> None:
    """A text is split at CRLF, CR and LF only."""
    from pytest_smtpd import Reject

    server = serve()

    @server.on("mail_from")
    def hook(address: str, session: Session) -> None:
        raise Reject(550, f"5.7.1 one{character}two")

    wire = client(server, ehlo=True)
    wire.send(b"MAIL FROM:<a@x.example>\r\nQUIT\r\n")
    lines = wire.rest().split(b"\r\n")
    assert len(lines) == 3
    assert lines[0].startswith(b"550 5.7.1 one")
    assert lines[0].endswith(b"two")
    assert lines[1].startswith(b"221 ")


@pytest.mark.parametrize("strict", [False, True], ids=["tolerant", "strict"])
@pytest.mark.parametrize(
    "command",
    [
        "EHLO a\rb",
        "HELO a\rb",
        "EHLO a\x00b",
        "VRFY a\rb",
        "AUTH A\rB",
        "MAIL FROM:<a\rb@x.example>",
        "X\rY",
        "NOOP \r",
    ],
)
def test_lone_cr_of_a_client_never_comes_back(serve: Serve, client: Connect, command: str, strict: bool) -> None:
    """Section 2.3.8: CR alone ends no line; a reply that echoed it could be read as two by the next hop."""
    wire = client(serve(strict=strict), ehlo=True)
    wire.send(command.encode() + b"\r\nQUIT\r\n")
    answer = wire.rest()
    assert answer.count(b"\r") == answer.count(b"\n") == answer.count(b"\r\n")
    assert b"\0" not in answer
    assert answer.endswith(b"\r\n")
    assert b"\r\n221 " in answer
