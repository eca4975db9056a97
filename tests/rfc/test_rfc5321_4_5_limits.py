"""RFC 5321 sections 2.3.8 and 4.5: transparency, minimum sizes, line ends and time-outs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rfc.dialogue import DATA, DELIVERED, EHLO, MAIL, RCPT, Dialogue, Mail, dialogues
from tests.rfc.wire import Connect, Serve

# what the client sends between 354 and the final line -> what arrives
TRANSPARENT = {
    b"a\r\n": b"a\r\n",
    b"\r\n": b"\r\n",
    b"..\r\n": b".\r\n",
    b"..a\r\n": b".a\r\n",
    b".a\r\n": b"a\r\n",
    b"...\r\n": b"..\r\n",
    b"a\r\n..b\r\n..\r\n": b"a\r\n.b\r\n.\r\n",
    b"a.b\r\n c.\r\n": b"a.b\r\n c.\r\n",
    b"a .\r\n": b"a .\r\n",
    b". \r\n": b" \r\n",
    b"a\n..b\r\n": b"a\n..b\r\n",
    b"a\r..b\r\n": b"a\r..b\r\n",
    b"a\r\r\n..b\r\n": b"a\r\r\n.b\r\n",
    b"\t\x0b\x0c\x07 \r\n": b"\t\x0b\x0c\x07 \r\n",
    b"a\x00b\r\n": b"a\x00b\r\n",
    bytes(range(14, 256)) + b"\r\n": bytes(range(14, 256)) + b"\r\n",
    b"trailing blanks  \r\n\t\r\n": b"trailing blanks  \r\n\t\r\n",
    b"QUIT\r\nDATA\r\nRSET\r\n": b"QUIT\r\nDATA\r\nRSET\r\n",
    b"x" * 998 + b"\r\n": b"x" * 998 + b"\r\n",
    b"." + b"." + b"x" * 997 + b"\r\n": b"." + b"x" * 997 + b"\r\n",
    b"x" * 5000 + b"\r\n": b"x" * 5000 + b"\r\n",
}


@pytest.mark.parametrize("sent", TRANSPARENT, ids=[f"{index}-{sent[:12]!a}" for index, sent in enumerate(TRANSPARENT)])
def test_content_arrives_unchanged_but_for_the_leading_dots(serve: Serve, client: Connect, sent: bytes) -> None:
    """Section 4.5.2: "If the first character is a period and there are other characters on the line, the first
    character is deleted"; "All characters are to be delivered to the recipient's mailbox".
    """
    server = serve()
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example> BODY=8BITMIME", "RCPT TO:<b@x.example>", "DATA")
    wire.send(sent + b".\r\n")
    assert wire.reply().code == 250
    assert server.one().content == TRANSPARENT[sent]


def test_content_of_64k_and_a_million_octets_is_received(serve: Serve, client: Connect) -> None:
    """Section 4.5.3.1.7: "The maximum total length of a message content MUST BE at least 64K octets"."""
    server = serve()
    wire = client(server, ehlo=True)
    for lines in (1024, 16384):
        content = (b"x" * 62 + b"\r\n") * lines
        wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
        wire.send(content + b".\r\n")
        assert wire.reply().code == 250
        assert server.envelopes[-1].content == content
        assert server.envelopes[-1].size == len(content)


def test_a_thousand_recipients_are_buffered(serve: Serve, client: Connect) -> None:
    """Section 4.5.3.1.8: "Rejection of messages with fewer than 100 RCPT commands is a violation"."""
    server = serve(strict=True)
    wire = client(server, ehlo=True)
    wire.say("MAIL FROM:<a@x.example>")
    wire.send(b"".join(b"RCPT TO:<u%d@x.example>\r\n" % number for number in range(1000)))
    assert {wire.reply().code for _ in range(1000)} == {250}
    wire.say("DATA")
    wire.say("x\r\n.")
    assert len(server.one().rcpt_to) == 1000


def padded(command: str, length: int) -> str:
    """The command as a line of so many octets, CRLF included."""
    return command + "x" * (length - len(command) - 2)


# RFC 1870 adds 26 octets to a MAIL line, RFC 6152 17, RFC 3461 107, RFC 4954 500.
LONG_MAIL = (
    f"MAIL FROM:<{'l' * 64}@{'d' * 63}.{'e' * 63}.{'f' * 61}>"
    f" SIZE=99999 BODY=8BITMIME RET=HDRS ENVID={'x' * 94} AUTH={'u' * 60}@{'v' * 60}.example"
)


LINES = (
    Dialogue(
        "command_line_of_512_octets",
        "4.5.3.1.4",
        "The maximum total length of a command line including the command word and the <CRLF> is 512 octets",
        f"C: {padded('NOOP ', 512)}\nS: 250",
        after=EHLO,
        settings={"strict": True},
    ),
    *tuple(
        Dialogue(
            f"command_line_of_{octets}_octets",
            "4.5.3.1",
            "Every implementation MUST be able to receive objects of at least these sizes ... avoiding fixed limits",
            f"C: {padded('NOOP ', octets + 2)}\nS: {reply}\nC: NOOP\nS: 250",
            after=EHLO,
        )
        for octets, reply in ((12288, "250"), (12289, "500 5.5.2"), (12900, "500 5.5.2"))
    ),
    Dialogue(
        "command_line_of_513_octets_strict",
        "4.5.3.1.9",
        "500 Line too long",
        f"C: {padded('NOOP ', 513)}\nS: 500 5.5.2\nC: NOOP\nS: 250",
        after=EHLO,
        settings={"strict": True},
    ),
    Dialogue(
        "command_line_of_2000_octets_tolerant",
        "4.5.3.1",
        "implementation techniques that impose no limits on the length of these objects should be used",
        f"C: {padded('NOOP ', 2000)}\nS: 250",
        after=EHLO,
    ),
    Dialogue(
        "mail_line_grows_with_its_parameters",
        "4.5.3.1.4",
        "SMTP extensions may be used to increase this limit",
        f"C: {LONG_MAIL}\nS: 250",
        after=EHLO,
        settings={"strict": True},
    ),
    Dialogue(
        "rcpt_line_grows_with_its_parameters",
        "RFC 3461 section 4.2",
        "The entire ORCPT parameter MAY be up to 500 characters in length",
        f"C: RCPT TO:<{'l' * 64}@server.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;{'o' * 487}\nS: 250",
        after=MAIL,
        settings={"strict": True},
    ),
    Dialogue(
        "mail_line_far_too_long",
        "4.5.3.1.9",
        "500 Line too long",
        f"C: {padded('MAIL FROM:<ann@client.example> X=', 4000)}\nS: 500 5.5.2\nC: NOOP\nS: 250",
        after=EHLO,
        settings={"strict": True},
    ),
    Dialogue(
        "commands_ending_in_lf_are_tolerated",
        "2.3.8",
        "MUST NOT recognize or generate any other character or character sequence as a line terminator",
        "C> NOOP\\n\nS: 250\nC> RSET\\n\nS: 250\nC: NOOP\nS: 250",
        after=EHLO,
    ),
    Dialogue(
        "commands_ending_in_lf_are_refused_when_strict",
        "2.3.8",
        "MUST NOT recognize or generate any other character or character sequence as a line terminator",
        "C> NOOP\\n\nS: 500/501\nC: NOOP\nS: 250",
        after=EHLO,
        settings={"strict": True},
    ),
    Dialogue(
        "a_lone_cr_ends_no_command",
        "2.3.8",
        "MUST NOT recognize or generate any other character or character sequence as a line terminator",
        "C> NOOP\\rNOOP\\r\\n\nS: 500/501\nC: NOOP\nS: 250",
        after=EHLO,
    ),
    Dialogue(
        "content_with_short_line_ends_strict",
        "4.1.1.4",
        'the sequence "<LF>.<LF>" ... MUST NOT be treated as equivalent to <CRLF>.<CRLF>',
        "C> a\\nb\\n.\\n\\r\\n.\\r\\n\nS: 250",
        after=DATA,
        settings={"strict": True},
        mails=(Mail("ann@client.example", ("bob@server.example",), b"a\nb\n.\n\r\n"),),
    ),
    Dialogue(
        "pause_of_the_client_is_no_end_of_the_line",
        "2.3.8",
        "Lines consist of zero or more data characters terminated by the sequence",
        "C> DA\nC> T\nC> A\\r\nC> \\n\nS: 354\nC> Subject: x\\r\nC> \\n\\r\\n\nC> y\\r\\n.\nC> \\r\\n\nS: 250",
        after=RCPT,
        mails=(DELIVERED,),
    ),
)


@dialogues(LINES)
def test_line(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


TIMEOUT = {"timeout": 0.25}
SILENCE = "An SMTP server SHOULD have a timeout of at least 5 minutes while it is awaiting the next command"
TIMED_OUT = "S: 421 4.4.2\nCLOSED"

SILENT = tuple(
    Dialogue(f"silence_{name}", "4.5.3.2.7", SILENCE, TIMED_OUT, after=after, settings=TIMEOUT, mails=())
    for name, after in (
        ("after_the_greeting", "S: 220"),
        ("after_EHLO", EHLO),
        ("inside_a_transaction", RCPT),
        ("inside_a_command", f"{EHLO}C> MAIL FR\n"),
        ("inside_a_login", f"{EHLO}C: AUTH LOGIN\nS: 334\n"),
        ("inside_a_chunk", f"{RCPT}C: BDAT 10\nC> half\n"),
        ("between_chunks", f"{RCPT}C: BDAT 4\nC> half\nS: 250\n"),
    )
)


@dialogues(SILENT)
def test_silent_client_is_told_421_and_cut_off(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


@pytest.mark.parametrize("content", [b"", b"half a li", b"a line\r\n"])
def test_client_that_falls_silent_in_its_content_is_cut_off(serve: Serve, client: Connect, content: bytes) -> None:
    """Section 4.5.3.2: a server need not wait for ever, also not for content."""
    server = serve(timeout=0.25)
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
    wire.send(content)
    reply = wire.reply()
    assert (reply.code, reply.enhanced) == (421, "4.4.2")
    assert wire.rest() == b""
    server.wait_closed()
    assert not server.envelopes
    assert server.log.calls("data")[0].outcome == "dropped"


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_silence_in_the_handshake_just_closes(serve: Serve, client: Connect, tls: str) -> None:
    """A 421 in clear would be no TLS record."""
    server = serve(timeout=0.25, tls=tls)
    wire = client(server, greet=tls == "starttls")
    if tls == "starttls":
        wire.say("STARTTLS")
    assert wire.rest() == b""
    server.wait_closed()
    assert [call.hook for call in server.log][-1] == "close"


def test_time_a_hook_takes_is_not_the_clients_silence(serve: Serve, client: Connect) -> None:
    """The client waits for the server then: section 4.5.3.2.2 gives it five minutes to do so."""
    from pytest_smtpd import on

    server = serve(timeout=0.25, on=[on("mail_from", delay=0.5)])
    wire = client(server, ehlo=True)
    assert wire.say("MAIL FROM:<a@x.example>").code == 250
    assert wire.say("RSET").code == 250


def test_no_time_out_unless_asked(serve: Serve, client: Connect) -> None:
    """RFC 5321 wants at least five minutes; a debugger must not lose the client."""
    wire = client(serve(), ehlo=True)
    wire.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        wire.reply()
    wire.socket.settimeout(5)
    assert wire.say("NOOP").code == 250
