"""RFC 2920: commands in batches, replies one for one and in order."""

from __future__ import annotations

from collections.abc import Callable

from tests.rfc.dialogue import CONTENT, DELIVERED, EHLO, RCPT, Dialogue, Mail, dialogues
from tests.rfc.wire import Connect, Serve

BUFFER = "MUST NOT flush or otherwise lose the contents of the TCP input buffer under any circumstances whatsoever"
ORDER = "Command statuses MUST be coordinated with responses by counting each separate response"
ENVELOPE = "MAIL FROM:<ann@client.example>\\r\\nRCPT TO:<bob@server.example>\\r\\n"
BODY = "Subject: x\\r\\n\\r\\ny\\r\\n.\\r\\n"

BATCHES = (
    Dialogue(
        "PIPELINING_is_offered_without_a_parameter",
        "2",
        "no parameter is used with the PIPELINING EHLO keyword",
        f"{EHLO}E: PIPELINING",
    ),
    Dialogue(
        "envelope_in_one_group",
        "3.1",
        "The ... DATA ... commands can only appear as the last command in a group",
        f"C> {ENVELOPE}DATA\\r\\n\nS: 250 2.1.0\nS: 250 2.1.5\nS: 354\nC> {BODY}\nS: 250",
        after=EHLO,
        mails=(DELIVERED,),
    ),
    Dialogue(
        "end_of_content_and_next_envelope_in_one_group",
        "3.1",
        "The actual transfer of message content is explicitly allowed to be the first command in a group",
        f"C> {ENVELOPE}DATA\\r\\n\nS: 250\nS: 250\nS: 354\nC> {BODY}{ENVELOPE}DATA\\r\\n\nS: 250\nS: 250\n"
        "S: 250\nS: 354\n"
        f"C> {BODY}QUIT\\r\\n\nS: 250\nS: 221\nCLOSED",
        after=EHLO,
        mails=(DELIVERED, DELIVERED),
    ),
    Dialogue(
        "everything_at_once",
        "3.2",
        BUFFER,
        f"C> EHLO client.example\\r\\n{ENVELOPE}DATA\\r\\n{BODY}NOOP\\r\\nQUIT\\r\\n\n"
        "S: 250\nS: 250\nS: 250\nS: 354\nS: 250 2.6.0\nS: 250\nS: 221\nCLOSED",
        mails=(DELIVERED,),
    ),
    Dialogue(
        "errors_keep_their_place",
        "3.2",
        ORDER,
        "C> RCPT TO:<bob@server.example>\\r\\nMAIL FROM:<ann@client.example>\\r\\nRCPT TO:<@broken>\\r\\nWHAT\\r\\n"
        "RCPT TO:<bob@server.example>\\r\\nDATA\\r\\n\nS: 503\nS: 250 2.1.0\nS: 501/553\nS: 500\nS: 250 2.1.5\nS: 354",
        after=EHLO,
    ),
    Dialogue(
        "RSET_and_NOOP_in_a_group",
        "3.1",
        "RSET, MAIL FROM, SEND FROM, SOML FROM, SAML FROM, and RCPT TO can all appear anywhere in a "
        "pipelined command group",
        f"C> RSET\\r\\n{ENVELOPE}NOOP\\r\\n\nS: 250\nS: 250 2.1.0\nS: 250 2.1.5\nS: 250",
        after=RCPT,
        hooks="mail_from rcpt_to mail_from rcpt_to",
    ),
    Dialogue(
        "no_recipient_no_message",
        "3.2",
        "SHOULD issue a positive response to the DATA command if and only if one or more valid RCPT TO addresses",
        "C> MAIL FROM:<ann@client.example>\\r\\nRCPT TO:<@broken>\\r\\nDATA\\r\\n\nS: 250\nS: 501/553\nS: 503/554\n"
        "C: RSET\nS: 250",
        after=EHLO,
        mails=(),
    ),
    Dialogue(
        "commands_behind_the_final_dot_are_not_content",
        "3.2",
        BUFFER,
        f"C> DATA\\r\\n{BODY}RSET\\r\\nDATA\\r\\n\nS: 354\nS: 250\nS: 250\nS: 503/554",
        after=RCPT,
        mails=(Mail("ann@client.example", ("bob@server.example",), CONTENT),),
    ),
    Dialogue(
        "PIPELINING_disabled_is_only_not_advertised",
        "3.2",
        BUFFER,
        f"{EHLO}E! PIPELINING\nC> {ENVELOPE}DATA\\r\\n\nS: 250\nS: 250\nS: 354",
        settings={"disable": {"PIPELINING"}},
    ),
)


@dialogues(BATCHES)
def test_pipelining(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


def test_replies_still_arrive_after_the_client_has_shut_its_side(serve: Serve, client: Connect) -> None:
    """Section 3.2: the server "MUST send all pending responses"; a FIN behind QUIT is not the client going away."""
    server = serve()
    wire = client(server)
    wire.send(
        b"EHLO c.example\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
    )
    wire.finish()
    assert [wire.reply().code for _ in range(6)] == [250, 250, 250, 354, 250, 221]
    assert wire.rest() == b""
    assert server.one().content == b"x\r\n"


def test_ten_thousand_pipelined_commands_are_all_answered(serve: Serve, client: Connect) -> None:
    """Section 3.2: the input buffer is never lost, also where the client does not read for a while."""
    wire = client(serve(), ehlo=True)
    wire.send(b"NOOP\r\n" * 10_000 + b"QUIT\r\n")
    codes = [wire.reply().code for _ in range(10_001)]
    assert codes == [250] * 10_000 + [221]


def test_hooks_of_a_pipelining_client_run_one_at_a_time_in_order(serve: Serve, client: Connect) -> None:
    """Section 3.2: pipelining changes when commands are sent, not what they mean."""
    server = serve()
    order: list[str] = []
    for name in ("mail_from", "rcpt_to"):

        @server.on(name)
        def hook(address: str, session: object) -> None:
            order.append(address)

    wire = client(server, ehlo=True)
    wire.send(b"MAIL FROM:<a@x.example>\r\n" + b"".join(b"RCPT TO:<%d@x.example>\r\n" % n for n in range(50)))
    assert [wire.reply().code for _ in range(51)] == [250] * 51
    assert order == ["a@x.example", *(f"{n}@x.example" for n in range(50))]
