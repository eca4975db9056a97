"""RFC 1870: SIZE, declared at MAIL and measured at the end of the data."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rfc.dialogue import DATA, DELIVERED, EHLO, MAIL, MESSAGE, RCPT, Dialogue, Mail, dialogues
from tests.rfc.wire import Connect, Serve

LIMIT = {"size": 20}
TOO_BIG = "S: 552 5.3.4"

DECLARED = tuple(
    Dialogue(
        f"SIZE={value or 'nothing'}",
        "3 and 6.1",
        quote,
        f"C: MAIL FROM:<ann@client.example> SIZE={value}\nS: {reply}\nC: RCPT TO:<bob@server.example>\nS: {then}",
        after=EHLO,
        settings=LIMIT,
        hooks=hooks,
    )
    for value, reply, then, hooks, quote in (
        ("0", "250", "250", "mail_from rcpt_to", "size-value ::= 1*20DIGIT"),
        (
            "20",
            "250",
            "250",
            "mail_from rcpt_to",
            "Once a server has agreed to accept a message of a particular size, it should not return a 552 reply code",
        ),
        (
            "21",
            "552 5.3.4",
            "503",
            "",
            "If the indicated size is larger than the ... fixed maximum message size, the server responds with ... 552",
        ),
        ("99999999999999999999", "552 5.3.4", "503", "", "size-value ::= 1*20DIGIT"),
        ("000000000000000000000", "501", "503", "", "size-value ::= 1*20DIGIT"),
        ("", "501", "503", "", "size-value ::= 1*20DIGIT"),
        ("abc", "501", "503", "", "size-value ::= 1*20DIGIT"),
        ("-1", "501", "503", "", "size-value ::= 1*20DIGIT"),
        ("1k", "501", "503", "", "size-value ::= 1*20DIGIT"),
    )
)

ADVERTISED = (
    Dialogue(
        "limit_is_advertised",
        "4",
        "a decimal number indicating the fixed maximum message size in bytes that the server will accept",
        f"{EHLO}E: SIZE 20",
        settings=LIMIT,
    ),
    Dialogue(
        "hidden_limit_still_works",
        "4",
        "a decimal number indicating the fixed maximum message size in bytes that the server will accept",
        f"{EHLO}E! SIZE\nC: MAIL FROM:<ann@client.example> SIZE=21\n{TOO_BIG}",
        settings={**LIMIT, "hide": {"SIZE"}},
    ),
    Dialogue(
        "disabled_SIZE_knows_no_parameter",
        "RFC 5321 section 4.1.1.11",
        "If the server SMTP does not recognize ... one or more of the parameters ... it will return code 555",
        f"{EHLO}E! SIZE\nC: MAIL FROM:<ann@client.example> SIZE=1\nS: 555 5.5.4",
        settings={"disable": {"SIZE"}},
    ),
    Dialogue(
        "parameter_without_a_value",
        "4",
        "size-value ::= 1*20DIGIT",
        "C: MAIL FROM:<ann@client.example> SIZE\nS: 501",
        after=EHLO,
        settings=LIMIT,
    ),
    Dialogue(
        "any_size_may_be_declared_where_there_is_no_limit",
        "6.1",
        "size-value ::= 1*20DIGIT",
        "C: MAIL FROM:<ann@client.example> SIZE=99999999999999999999\nS: 250",
        after=EHLO,
    ),
    Dialogue(
        "refused_declaration_leaves_the_session_ready",
        "6.1",
        "If the indicated size is larger than the server's fixed maximum message size, the server "
        "responds with code 552",
        f"""
        C: MAIL FROM:<ann@client.example> SIZE=1000
        {TOO_BIG}
        C: MAIL FROM:<ann@client.example> SIZE=18
        S: 250
        C: RCPT TO:<bob@server.example>
        S: 250
        C: DATA
        S: 354
        {MESSAGE}
        """,
        after=EHLO,
        settings=LIMIT,
        mails=(DELIVERED,),
    ),
    Dialogue(
        "a_message_may_be_larger_than_declared",
        "6.3",
        "A server is permitted, but not required, to accept a message which is, in fact, larger than declared",
        "C: MAIL FROM:<ann@client.example> SIZE=1\nS: 250\nC: RCPT TO:<bob@server.example>\nS: 250\nC: DATA\n"
        f"S: 354\n{MESSAGE}",
        after=EHLO,
        settings=LIMIT,
        mails=(DELIVERED,),
    ),
)

EXACT = "C: 123456789012345678\nC: .\n"
OVER = "C: 1234567890123456789\nC: .\n"
STUFFED = "C: ..3456789\nC: ..3456789\nC: .\n"
COUNT = "the number of octets, including CR-LF pairs, but not the ... terminating dot or doubled quoting dots"


def mail(content: bytes) -> tuple[Mail, ...]:
    return (Mail("ann@client.example", ("bob@server.example",), content),)


MEASURED = (
    Dialogue(
        "exactly_the_limit",
        "5",
        COUNT,
        f"{EXACT}S: 250",
        after=DATA,
        settings=LIMIT,
        mails=mail(b"123456789012345678\r\n"),
    ),
    Dialogue(
        "doubled_dots_do_not_count",
        "5",
        COUNT,
        f"{STUFFED}S: 250",
        after=DATA,
        settings=LIMIT,
        mails=mail(b".3456789\r\n.3456789\r\n"),
    ),
    Dialogue(
        "one_octet_over",
        "6.3",
        "it should not return a 552 reply code ... unless the actual size is greater than the declared size",
        f"{OVER}{TOO_BIG}\nC: DATA\nS: 503/554\n{MAIL.removeprefix(EHLO)}",
        after=DATA,
        settings=LIMIT,
        hooks="mail_from rcpt_to data! mail_from",
        mails=(),
    ),
    Dialogue(
        "far_over_and_the_next_message_is_fine",
        "6.3",
        "it should not return a 552 reply code ... unless the actual size is greater than the declared size",
        f"C: {'x' * 3000}\nC: .\n{TOO_BIG}\n{DATA.removeprefix(EHLO)}{MESSAGE}",
        after=DATA,
        settings=LIMIT,
        hooks="mail_from rcpt_to data! mail_from rcpt_to data",
        mails=(DELIVERED,),
    ),
    Dialogue(
        "chunks_count_together",
        "RFC 3030 section 2",
        "the receiver-SMTP MUST accept and discard the associated message data before sending the appropriate 5XX",
        f"C: BDAT 10\nC> 12345678\\r\\n\nS: 250\nC: BDAT 11 LAST\nC> 123456789\\r\\n\n{TOO_BIG}\nC: RSET\nS: 250",
        after=RCPT,
        settings=LIMIT,
        hooks="mail_from rcpt_to data!",
        mails=(),
    ),
    Dialogue(
        "chunk_over_the_limit_that_is_not_the_last",
        "RFC 3030 section 2",
        "the receiver SMTP MUST be prepared to accept and discard additional BDAT chunks",
        f"C: BDAT 21\nC> 1234567890123456789\\r\\n\n{TOO_BIG}\nC: BDAT 6 LAST\nC> QUIT\\r\\n\nS: 503\nC: RSET\nS: 250",
        after=RCPT,
        settings=LIMIT,
        mails=(),
    ),
    Dialogue(
        "chunks_of_exactly_the_limit",
        "5",
        COUNT,
        "C: BDAT 10\nC> 12345678\\r\\n\nS: 250\nC: BDAT 10 LAST\nC> 12345678\\r\\n\nS: 250",
        after=RCPT,
        settings=LIMIT,
        mails=mail(b"12345678\r\n12345678\r\n"),
    ),
)


@dialogues(DECLARED, ADVERTISED, MEASURED)
def test_size(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


@pytest.mark.parametrize("answer", [None, "2.6.0 Fine", 554])
def test_too_large_a_message_is_552_whatever_the_hook_says(
    serve: Serve, client: Connect, answer: str | int | None
) -> None:
    """Section 6.3, and "over ``size`` the 552 wins over any hook"."""
    from pytest_smtpd import Reject

    server = serve(size=20)
    seen = []

    @server.on("data")
    def hook(stream, session):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        stream.read()
        seen.append((stream.size_exceeded, stream.size > 20))
        if isinstance(answer, int):
            raise Reject(answer)
        return answer

    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
    reply = wire.say("x" * 5000 + "\r\n.")
    assert (reply.code, reply.enhanced) == (552, "5.3.4")
    assert seen == [(True, True)]
    assert not server.envelopes
    assert server.log.calls("data")[0].code == 552
