"""RFC 3030: BDAT, chunk by chunk, and BINARYMIME."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.rfc.dialogue import DATA, DELIVERED, EHLO, MESSAGE, RCPT, Dialogue, Mail, dialogues
from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from pytest_smtpd import Session, Stream

BINARY = RCPT.replace("<ann@client.example>", "<ann@client.example> BODY=BINARYMIME")
ALL_OCTETS = "".join(f"\\x{octet:02x}" for octet in range(256))
EVERY_CHUNK = "A 250 response MUST be sent to each successful BDAT data block within a mail transaction"
DISCARD = "the receiver-SMTP MUST accept and discard the associated message data before sending the appropriate 5XX"
NO_MIX = (
    "If a DATA statement is issued after a BDAT for the current transaction, "
    'a 503 "Bad sequence of commands" MUST be issued'
)
SYNTAX = 'bdat-cmd ::= "BDAT" SP chunk-size [ SP end-marker ] CR LF'


def mail(content: bytes) -> tuple[Mail, ...]:
    return (Mail("ann@client.example", ("bob@server.example",), content),)


CHUNKS = (
    Dialogue(
        "CHUNKING_and_BINARYMIME_are_offered_together",
        "3",
        'The BINARYMIME service extension can only be used with the "CHUNKING" service extension',
        f"{EHLO}E: CHUNKING\nE: BINARYMIME",
    ),
    Dialogue(
        "one_last_chunk",
        "4.1",
        "The optional LAST parameter on the BDAT command indicates that this is the last chunk",
        "C: BDAT 17 LAST\nC> Subject: x\\r\\n\\r\\ny\\r\\n\nS: 250",
        after=RCPT,
        hooks="mail_from rcpt_to data",
        mails=(DELIVERED,),
    ),
    Dialogue(
        "three_chunks_each_answered",
        "2",
        EVERY_CHUNK,
        "C: BDAT 3\nC> Sub\nS: 250 2.0.0\nC: BDAT 12\nC> ject: x\\r\\n\\r\\ny\nS: 250\nC: BDAT 2 LAST\n"
        "C> \\r\\n\nS: 250",
        after=RCPT,
        hooks="mail_from rcpt_to data",
        mails=(DELIVERED,),
    ),
    Dialogue(
        "empty_last_chunk",
        "2",
        "The last BDAT command MAY have a byte-count of zero indicating there is no additional data to be sent",
        "C: BDAT 17\nC> Subject: x\\r\\n\\r\\ny\\r\\n\nS: 250\nC: BDAT 0 LAST\nS: 250",
        after=RCPT,
        mails=(DELIVERED,),
    ),
    Dialogue(
        "empty_message", "2", "MAY have a byte-count of zero", "C: BDAT 0 LAST\nS: 250", after=RCPT, mails=mail(b"")
    ),
    Dialogue(
        "empty_chunk_in_the_middle",
        "2",
        EVERY_CHUNK,
        "C: BDAT 0\nS: 250\nC: BDAT 1 LAST\nC> x\nS: 250",
        after=RCPT,
        mails=mail(b"x"),
    ),
    Dialogue(
        "pipelined_chunks",
        "4.2",
        "Pipelining BINARYMIME",
        "C> BDAT 4\\r\\n\\0\\xff\\r\\nBDAT 2\\r\\n.\\nBDAT 0 LAST\\r\\nNOOP\\r\\n\nS: 250\nS: 250\nS: 250\nS: 250",
        after=BINARY,
        mails=mail(b"\x00\xff\r\n.\n"),
    ),
    Dialogue(
        "octets_are_counted_not_read",
        "2",
        "Once the receiver-SMTP receives the specified number of octets, it will return a 250 reply code",
        "C: BDAT 22 LAST\nC> ..\\r\\n.\\r\\nQUIT\\r\\nBDAT 9\\r\\n\\r\nS: 250",
        after=RCPT,
        mails=mail(b"..\r\n.\r\nQUIT\r\nBDAT 9\r\n\r"),
    ),
    Dialogue(
        "end_marker_and_verb_in_any_case",
        "RFC 5321 section 2.4",
        "Verbs and argument values ... are not case sensitive",
        "C: bdat 1 last\nC> x\nS: 250",
        after=RCPT,
        mails=mail(b"x"),
    ),
    Dialogue(
        "all_octets_of_a_binary_message_arrive",
        "3",
        "it agrees to preserve all bits in each octet passed using the BDAT command",
        f"C: BDAT 256 LAST\nC> {ALL_OCTETS}\nS: 250",
        after=BINARY,
        mails=mail(bytes(range(256))),
    ),
    Dialogue(
        "DATA_and_BDAT_in_one_session",
        "2",
        "There is no prohibition on using DATA and BDAT in the same session",
        f"C: BDAT 1 LAST\nC> x\nS: 250\n{DATA.removeprefix(EHLO)}{MESSAGE}",
        after=RCPT,
        mails=(*mail(b"x"), DELIVERED),
    ),
)

ERRORS = (
    Dialogue(
        "BDAT_after_LAST",
        "2",
        'Any BDAT command sent after the BDAT LAST is illegal and MUST be replied to with a 503 "Bad '
        'sequence of commands"',
        "C: BDAT 1 LAST\nC> x\nS: 250\nC: BDAT 6\nC> NOOP\\r\\n\nS: 503\nC: BDAT 0 LAST\nS: 503\nC: RSET\nS: 250",
        after=RCPT,
        mails=mail(b"x"),
    ),
    Dialogue(
        "BDAT_without_a_recipient_is_discarded",
        "2",
        DISCARD,
        "C: MAIL FROM:<ann@client.example>\nS: 250\nC: BDAT 6 LAST\nC> QUIT\\r\\n\nS: 503/554\nC: NOOP\nS: 250",
        after=EHLO,
        mails=(),
    ),
    Dialogue(
        "DATA_after_BDAT",
        "2",
        NO_MIX,
        "C: BDAT 1\nC> x\nS: 250\nC: DATA\nS: 503\nC: RSET\nS: 250",
        after=RCPT,
        mails=(),
    ),
    Dialogue(
        "DATA_for_a_binary_message",
        "3",
        'If a DATA command is issued after a MAIL command containing the body-value of "BINARYMIME", a '
        "503 ... MUST be sent",
        "C: DATA\nS: 503\nC: RSET\nS: 250",
        after=BINARY,
        mails=(),
    ),
    Dialogue(
        "RSET_between_chunks",
        "2",
        "The RSET command, when issued after the first BDAT and before the BDAT LAST, clears all segments",
        f"C: BDAT 4\nC> lost\nS: 250\nC: RSET\nS: 250\n{RCPT.removeprefix(EHLO)}C: BDAT 1 LAST\nC> x\nS: 250",
        after=RCPT,
        mails=mail(b"x"),
    ),
    Dialogue(
        "NOOP_between_chunks",
        "RFC 5321 section 4.1.1.9",
        "This command has no effect on ... the mail data buffer, and it may be issued at any time",
        "C: BDAT 1\nC> x\nS: 250\nC: NOOP\nS: 250\nC: VRFY bob\nS: 252\nC: BDAT 1 LAST\nC> y\nS: 250",
        after=RCPT,
        mails=mail(b"xy"),
    ),
    Dialogue(
        "disabled_CHUNKING",
        "RFC 5321 section 4.2.4",
        "502 SHOULD be used when the command is actually recognized by the SMTP server, but not implemented",
        f"{EHLO}E! CHUNKING\nE! BINARYMIME\nC: BDAT 0 LAST\nS: 502 5.5.1\nC: NOOP\nS: 250",
        settings={"disable": {"BDAT", "CHUNKING", "BINARYMIME"}},
    ),
    Dialogue(
        "disabled_BINARYMIME",
        "3",
        "If a receiver-SMTP does not indicate support ... then the sender-SMTP MUST NOT ... send binary data",
        f"{EHLO}E! BINARYMIME\nC: MAIL FROM:<ann@client.example> BODY=BINARYMIME\nS: 555/501/504",
        settings={"disable": {"BINARYMIME"}},
    ),
    Dialogue(
        "hidden_CHUNKING_still_works",
        "2",
        EVERY_CHUNK,
        f"{EHLO}E! CHUNKING\n{RCPT.removeprefix(EHLO)}C: BDAT 1 LAST\nC> x\nS: 250",
        settings={"hide": {"CHUNKING", "BINARYMIME"}},
        mails=mail(b"x"),
    ),
)

WRONG = tuple(
    Dialogue(
        f"BDAT_{argument or 'alone'}".replace(" ", "_"),
        "2",
        SYNTAX,
        f"C: BDAT {argument}\nS: 501\nC: NOOP\nS: 250",
        after=RCPT,
    )
    for argument in ("", "x", "-1", "+1", "1.5", "0x10", "LAST", "0 FIRST", "0 LAST LAST", "1,000", "9" * 5000)
)


@dialogues(CHUNKS, ERRORS, WRONG)
def test_chunking(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


def test_message_of_many_chunks_keeps_its_octets(serve: Serve, client: Connect) -> None:
    """Section 2: chunk-size is any number of digits; the pieces are one message."""
    server = serve()
    wire = client(server, ehlo=True)
    wire.say("MAIL FROM:<a@x.example> BODY=BINARYMIME")
    wire.say("RCPT TO:<b@x.example>")
    content = bytes(range(256)) * 1024
    for start in range(0, len(content), 50_000):
        chunk = content[start : start + 50_000]
        wire.send(b"BDAT %d\r\n" % len(chunk) + chunk)
        assert wire.reply().code == 250
    assert wire.say("BDAT 0 LAST").code == 250
    assert server.one().content == content
    assert server.one().body_type == "binarymime"


def test_hook_reads_each_chunk_as_it_comes(serve: Serve, client: Connect) -> None:
    """The ``data`` hook begins with the first BDAT; its stream is fed by the chunks."""
    server = serve()
    seen, first = [], threading.Event()

    @server.on("data")
    def hook(stream: Stream, session: Session) -> str:
        for chunk in stream:
            seen.append(chunk)
            first.set()
        return "2.6.0 read it all"

    wire = client(server, ehlo=True)
    wire.say("MAIL FROM:<a@x.example>")
    wire.say("RCPT TO:<b@x.example>")
    wire.send(b"BDAT 3\r\none")
    assert wire.reply().code == 250
    assert first.wait(5)
    wire.send(b"BDAT 3 LAST\r\ntwo")
    assert wire.reply().text == "read it all"
    assert b"".join(seen) == b"onetwo"


@pytest.mark.parametrize("ending", ["RSET", "EHLO client.example"])
def test_abandoned_chunks_end_the_hooks_stream_with_an_error(serve: Serve, client: Connect, ending: str) -> None:
    """Section 2: RSET "clears all segments sent during that transaction"; the hook is not left waiting."""
    server = serve()
    errors: list[type[BaseException]] = []

    @server.on("data")
    def hook(stream: Stream, session: Session) -> None:
        try:
            stream.read()
        except ConnectionError as error:
            errors.append(type(error))
            raise

    wire = client(server, ehlo=True)
    wire.say("MAIL FROM:<a@x.example>")
    wire.say("RCPT TO:<b@x.example>")
    wire.send(b"BDAT 3\r\none")
    assert wire.reply().code == 250
    assert wire.say(ending).code == 250
    assert wire.say("QUIT").code == 221
    server.wait_closed()
    assert len(errors) == 1
    assert server.log.calls("data")[0].outcome == "dropped"
    assert not server.envelopes


def test_refused_first_chunk_discards_the_pipelined_rest(serve: Serve, client: Connect) -> None:
    """Section 2: "MUST be prepared to accept and discard additional BDAT chunks already in the pipeline"."""
    from pytest_smtpd import on

    server = serve(on=[on("data", reply="554 5.6.0 no")])
    wire = client(server, ehlo=True)
    wire.say("MAIL FROM:<a@x.example>")
    wire.say("RCPT TO:<b@x.example>")
    wire.send(b"BDAT 6 LAST\r\nQUIT\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
    assert [wire.reply().code for _ in range(4)] == [554, 503, 503, 250]
    assert not server.envelopes
