"""RFC 5321 sections 2, 3 and 4.2: how a session begins, goes on and ends, and what a reply looks like."""

from __future__ import annotations

from collections.abc import Callable

from tests.rfc.dialogue import DATA, DELIVERED, EHLO, MAIL, MESSAGE, RCPT, Dialogue, Mail, dialogues
from tests.rfc.wire import Connect, Serve

GREETING = (
    Dialogue(
        "greeting_names_the_server",
        "4.3.1",
        "all the greeting-type replies have the official name ... of the server host as the first word",
        "S: 220 localhost ESMTP",
    ),
    Dialogue(
        "greeting_carries_hostname_and_banner",
        "4.2",
        'Greeting = ( "220 " (Domain / address-literal) [ SP textstring ] CRLF )',
        """
        S: 220 mx.example ESMTP ready when you are
        C: EHLO client.example
        S: 250
        C: QUIT
        S: 221
        """,
        settings={"hostname": "mx.example", "banner": "ready when you are"},
    ),
    Dialogue(
        "helo_is_answered_with_one_line",
        "4.1.1.1",
        "servers MUST support the HELO command and reply properly to it",
        """
        C: HELO client.example
        S: 250
        E! PIPELINING
        """,
    ),
    Dialogue(
        "ehlo_lists_what_is_not_required_of_every_server",
        "4.1.1.1",
        'The EHLO response MUST contain keywords ... for all commands not listed as "required"',
        f"""{EHLO}
        E: PIPELINING
        E: 8BITMIME
        E: SMTPUTF8
        E: ENHANCEDSTATUSCODES
        E: CHUNKING
        E: BINARYMIME
        E: DSN
        E: STARTTLS
        """,
    ),
    Dialogue(
        "verbs_are_recognised_in_any_case",
        "2.4",
        "Verbs and argument values ... are not case sensitive",
        f"""
        C: eHlO client.example
        S: 250
        C: mail from:<ann@client.example>
        S: 250
        C: Rcpt tO:<bob@server.example>
        S: 250
        C: daTa
        S: 354
        {MESSAGE}
        C: quit
        S: 221
        CLOSED
        """,
        mails=(DELIVERED,),
    ),
    Dialogue(
        "local_parts_keep_their_case",
        "2.4",
        "SMTP implementations MUST take care to preserve the case of mailbox local-parts",
        f"""
        C: MAIL FROM:<Ann.Smith@client.example>
        S: 250
        C: RCPT TO:<BOB@server.example>
        S: 250
        C: DATA
        S: 354
        {MESSAGE}
        """,
        after=EHLO,
        mails=(Mail("Ann.Smith@client.example", ("BOB@server.example",)),),
    ),
    Dialogue(
        "ehlo_takes_an_address_literal",
        "4.1.1.1",
        'ehlo = "EHLO" SP ( Domain / address-literal ) CRLF',
        """
        C: EHLO [192.0.2.1]
        S: 250
        C: EHLO [IPv6:2001:db8::1]
        S: 250
        """,
        settings={"strict": True},
    ),
    Dialogue(
        "refused_ehlo_leaves_the_session_as_it_was",
        "4.1.4",
        "The SMTP server MUST stay in the same state after transmitting these replies",
        f"""
        C: EHLO not_a_domain
        S: 501
        C: RCPT TO:<bob@server.example>
        S: 250
        C: DATA
        S: 354
        {MESSAGE}
        """,
        after=MAIL,
        settings={"strict": True},
        hooks="mail_from rcpt_to data",
        mails=(DELIVERED,),
    ),
)

TRANSACTIONS = (
    Dialogue(
        "one_message",
        "3.3",
        "If accepted, the SMTP server returns a 250 OK reply",
        f"""{MESSAGE}
        C: QUIT
        S: 221
        CLOSED
        """,
        after=DATA,
        hooks="mail_from rcpt_to data",
        mails=(DELIVERED,),
    ),
    Dialogue(
        "a_second_message_on_the_same_connection",
        "4.1.4",
        "There may be zero or more transactions in a session",
        f"""
        C: MAIL FROM:<>
        S: 250
        C: RCPT TO:<carol@server.example>
        S: 250
        C: DATA
        S: 354
        {MESSAGE}
        """,
        after=DATA + MESSAGE,
        hooks="mail_from rcpt_to data mail_from rcpt_to data",
        mails=(DELIVERED, Mail("", ("carol@server.example",))),
    ),
    Dialogue(
        "many_recipients_each_with_its_own_reply",
        "3.3",
        "This step of the procedure can be repeated any number of times",
        f"""
        C: RCPT TO:<carol@server.example>
        S: 250 2.1.5
        C: RCPT TO:<bob@server.example>
        S: 250 2.1.5
        C: DATA
        S: 354
        {MESSAGE}
        """,
        after=RCPT,
        mails=(Mail("ann@client.example", ("bob@server.example", "carol@server.example", "bob@server.example")),),
    ),
    Dialogue(
        "null_reverse_path_is_accepted",
        "4.5.5",
        "required by existing and proposed Standards to be sent with a null reverse-path",
        f"""
        C: MAIL FROM:<>
        S: 250 2.1.0
        C: RCPT TO:<bob@server.example>
        S: 250
        C: DATA
        S: 354
        {MESSAGE}
        """,
        after=EHLO,
        mails=(Mail("", ("bob@server.example",)),),
    ),
    Dialogue(
        "session_may_end_without_any_mail",
        "4.1.1.10",
        'the receiver MUST send a "221 OK" reply, and then close the transmission channel',
        """
        C: QUIT
        S: 221
        CLOSED
        """,
        hooks="",
        mails=(),
    ),
    Dialogue(
        "quit_aborts_the_transaction",
        "4.1.1.10",
        "Any current uncompleted mail transaction will be aborted",
        """
        C: QUIT
        S: 221
        CLOSED
        """,
        after=RCPT,
        hooks="mail_from rcpt_to",
        mails=(),
    ),
    Dialogue(
        "nothing_behind_quit_is_obeyed",
        "4.1.1.10",
        "the receiver MUST send a ... reply, and then close the transmission channel",
        """
        C> QUIT\\r\\nMAIL FROM:<ann@client.example>\\r\\n
        S: 221
        CLOSED
        """,
        after=EHLO,
        hooks="",
    ),
)


@dialogues(GREETING, TRANSACTIONS)
def test_session(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


def test_ehlo_reply_is_well_formed(serve: Serve, client: Connect) -> None:
    """Section 4.1.1.1: ``ehlo-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")``, ``ehlo-param = 1*(%d33-126)``."""
    reply = client(serve(size=1000, hostname="mx.example")).say("EHLO client.example")
    name, *_ = reply.lines[0].split(" ")
    assert name == "mx.example"
    for line in reply.lines[1:]:
        keyword, *parameters = line.split(" ")
        assert keyword.replace("-", "").isalnum(), line
        assert keyword[0].isalnum(), line
        assert all(parameters), f"two spaces or one at the end: {line!r}"
    assert len(reply.keywords) == len(reply.lines) - 1


def test_lost_connection_cancels_the_transaction_but_not_the_message_before(serve: Serve, client: Connect) -> None:
    """Section 4.1.1.10: "the server MUST cancel any pending transaction, but not undo any previously completed"."""
    server = serve()
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
    wire.say("first\r\n.")
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<c@x.example>", "DATA")
    wire.send(b"second, never finished\r\n")
    wire.close()
    server.wait_closed()
    assert [mail.content for mail in server.envelopes] == [b"first\r\n"]
    assert server.log.calls("data")[-1].outcome == "dropped"


def test_greeting_is_refused_with_554_by_a_connect_hook(serve: Serve, client: Connect) -> None:
    """Section 3.1: "a 554 response MAY be given in the initial connection opening message instead of the 220"."""
    from pytest_smtpd import Reject

    server = serve()

    @server.on("connect")
    def nobody(session: object) -> None:
        raise Reject

    wire = client(server, greet=False)
    reply = wire.reply()
    assert (reply.code, reply.enhanced) == (554, "5.3.2")
    assert wire.rest() == b""
    server.wait_closed()
    assert [call.hook for call in server.log] == ["connect", "close"]
