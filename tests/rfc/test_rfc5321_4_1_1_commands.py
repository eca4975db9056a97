"""RFC 5321 section 4.1.1: each command for itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.rfc.dialogue import DATA, DELIVERED, EHLO, MAIL, MESSAGE, RCPT, Dialogue, Mail, dialogues
from tests.rfc.wire import Connect, Serve

MINIMUM = "The following commands MUST be supported to conform to this specification"

REQUIRED = tuple(
    Dialogue(f"{verb}_is_implemented", "4.5.1", MINIMUM, f"C: {line}\nS: {codes}", after=after)
    for verb, line, codes, after in (
        ("EHLO", "EHLO client.example", "250", ""),
        ("HELO", "HELO client.example", "250", ""),
        ("MAIL", "MAIL FROM:<ann@client.example>", "250", EHLO),
        ("RCPT", "RCPT TO:<bob@server.example>", "250", MAIL),
        ("DATA", "DATA", "354", RCPT),
        ("RSET", "RSET", "250", EHLO),
        ("NOOP", "NOOP", "250", EHLO),
        ("QUIT", "QUIT", "221", EHLO),
        ("VRFY", "VRFY bob", "252", EHLO),
    )
)

ANY_TIME = "The NOOP, HELP, EXPN, VRFY, and RSET commands can be used at any time during a session"
UNAFFECTED = "This command has no effect on the reverse-path buffer, the forward-path buffer, or the mail data buffer"
WITHOUT_EFFECT = (("NOOP", "250"), ("NOOP anything at all", "250"), ("VRFY bob", "252"), ("HELP", "211/214"))

HARMLESS = tuple(
    Dialogue(f"{line.replace(' ', '_')}_before_ehlo", "4.1.4", ANY_TIME, f"C: {line}\nS: {codes}\n{EHLO}")
    for line, codes in (*WITHOUT_EFFECT, ("RSET", "250"), ("EXPN list", "250/252/502/550"))
) + tuple(
    Dialogue(
        f"{line.replace(' ', '_')}_inside_a_transaction",
        "4.1.1.6 to 4.1.1.9",
        UNAFFECTED,
        f"C: {line}\nS: {codes}\nC: DATA\nS: 354\n{MESSAGE}",
        after=RCPT,
        mails=(DELIVERED,),
    )
    for line, codes in (*WITHOUT_EFFECT, ("EXPN list", "250/252/502/550"))
)

NO_ARGUMENT = (
    "commands ... not accepting arguments (DATA, RSET, QUIT) SHOULD return a 501 message if arguments are supplied"
)

ARGUMENTS = (
    Dialogue(
        "DATA_takes_no_argument", "4.3.2", NO_ARGUMENT, f"C: DATA now\nS: 501\nC: DATA\nS: 354\n{MESSAGE}", after=RCPT
    ),
    Dialogue(
        "RSET_takes_no_argument",
        "4.3.2",
        NO_ARGUMENT,
        f"C: RSET now\nS: 501\nC: DATA\nS: 354\n{MESSAGE}",
        after=RCPT,
        mails=(DELIVERED,),
    ),
    Dialogue("QUIT_takes_no_argument", "4.3.2", NO_ARGUMENT, "C: QUIT now\nS: 501\nC: NOOP\nS: 250", after=EHLO),
    Dialogue("HELO_needs_an_argument", "4.1.1.1", 'helo = "HELO" SP Domain CRLF', "C: HELO\nS: 501"),
    Dialogue("VRFY_needs_an_argument", "4.1.1.6", 'vrfy = "VRFY" SP String CRLF', "C: VRFY\nS: 501", after=EHLO),
    Dialogue("MAIL_needs_an_argument", "4.1.1.2", 'mail = "MAIL FROM:" Reverse-path', "C: MAIL\nS: 501", after=EHLO),
    Dialogue("RCPT_needs_an_argument", "4.1.1.3", 'rcpt = "RCPT TO:"', "C: RCPT\nS: 501", after=MAIL),
    Dialogue(
        "EHLO_strict_needs_a_domain_in_ASCII",
        "RFC 6531 section 3.7.1",
        "the client MUST use ... A-labels in the EHLO command",
        "C: EHLO mé.example\nS: 501",
        settings={"strict": True},
    ),
    Dialogue("EHLO_strict_needs_a_domain", "4.1.1.1", '"EHLO" SP Domain', "C: EHLO\nS: 501", settings={"strict": True}),
    Dialogue("EHLO_tolerates_a_bad_domain", "4.1.1.1", "a client MUST issue HELO or EHLO", "C: EHLO my_host\nS: 250"),
)

UNKNOWN = (
    Dialogue(
        "unknown_verb_is_500",
        "4.2.4",
        "If the command is not recognized, code 500 SHOULD be returned",
        "C: FROBNICATE\nS: 500 5.5.2\nC: X-PRIVATE y\nS: 500\nC: \nS: 500\nC: NOOP\nS: 250",
        after=EHLO,
    ),
    Dialogue(
        "unknown_verb_inside_a_transaction_changes_nothing",
        "4.1.5",
        "An SMTP server that does not recognize such a command is expected to reply with 500",
        f"C: XYZZY\nS: 500\nC: DATA\nS: 354\n{MESSAGE}",
        after=RCPT,
        mails=(DELIVERED,),
    ),
    Dialogue(
        "no_count_of_bad_commands",
        "4.1.1.10",
        "The receiver MUST NOT intentionally close the transmission channel ... (even if there was an error)",
        "C: WHAT\nS: 500\n" * 30 + "C: NOOP\nS: 250",
    ),
    Dialogue(
        "control_characters_are_refused",
        "4.1.2",
        "SMTP servers that receive a command in which invalid character codes have been employed ... MUST reject",
        "C: NOOP a\\0b\nS: 500/501\nC: NOOP a\\x7fb\nS: 500/501\nC: VRFY a\\x01b\nS: 500/501\nC: NOOP a\\rb\n"
        "S: 500/501",
        after=EHLO,
    ),
    Dialogue(
        "arbitrary_octets_are_refused_and_do_no_harm",
        "RFC 3030 section 2",
        "lexicographical parsers MUST be prepared to receive, process, and reject lines of arbitrary octets",
        "C: \\xff\\xfe\\x00\\x80\nS: 500/501\nC: NOOP\nS: 250",
        after=EHLO,
    ),
    Dialogue(
        "unrecognised_parameter_is_555",
        "4.1.1.11",
        "If the server SMTP does not recognize ... one or more of the parameters ... it will return code 555",
        """
        C: MAIL FROM:<ann@client.example> BY=120;R
        S: 555 5.5.4
        C: MAIL FROM:<ann@client.example> XYZ
        S: 555 5.5.4
        C: MAIL FROM:<ann@client.example>
        S: 250
        C: RCPT TO:<bob@server.example> XYZ=1
        S: 555 5.5.4
        C: RCPT TO:<bob@server.example> SIZE=1
        S: 555 5.5.4
        C: DATA
        S: 503/554
        """,
        after=EHLO,
        hooks="mail_from",
    ),
)

# Letters whose upper or lower case is an ASCII letter: long s, dotless i, the Kelvin sign.
LOOKALIKES = tuple(
    Dialogue(
        f"{title}_outside_ascii",
        "2.4",
        "Commands and replies are composed of characters from the ASCII character set",
        f"C: {line}\nS: {code}\nC: NOOP\nS: 250",
        after=EHLO,
        hooks="",
    )
    for title, line, code in (
        ("RSET", "R\u017fET", "500"),
        ("STARTTLS", "\u017fTARTTLS", "500"),
        ("MAIL", "MA\u0131L FROM:<ann@client.example>", "500"),
        ("FROM", "MAIL FRO\uff2d:<ann@client.example>", "501"),
        ("SIZE", "MAIL FROM:<ann@client.example> \u017fIZE=1", "501/555"),
        ("BODY_value", "MAIL FROM:<ann@client.example> BODY=7B\u0131T", "501"),
        ("SIZE_value", "MAIL FROM:<ann@client.example> SIZE=\u0663", "501"),
        ("RET_value", "MAIL FROM:<ann@client.example> RET=HDR\u017f", "501"),
        ("mechanism", "AUTH PLA\u0131N AGEAYg==", "501/504"),
        ("chunk_size", "BDAT \u0663", "501"),
    )
)

RESETS = tuple(
    Dialogue(
        f"{verb.split()[0]}_after_{state}_forgets_everything",
        "4.1.1.5" if verb == "RSET" else "4.1.4",
        "Any stored sender, recipients, and mail data MUST be discarded, and all buffers and state tables cleared",
        f"""
        C: {verb}
        S: 250
        C: DATA
        S: 503/554
        C: RCPT TO:<eve@server.example>
        S: 503
        C: MAIL FROM:<dan@client.example>
        S: 250
        C: RCPT TO:<eve@server.example>
        S: 250
        C: DATA
        S: 354
        {MESSAGE}
        """,
        after=after,
        mails=(Mail("dan@client.example", ("eve@server.example",)),),
    )
    for verb in ("RSET", "EHLO client.example", "HELO client.example")
    for state, after in (("EHLO", EHLO), ("MAIL", MAIL), ("RCPT", RCPT))
)

POSTMASTER = tuple(
    Dialogue(
        f"{name}_without_a_domain_is_a_recipient",
        "4.5.1",
        'the special case of "RCPT TO:<Postmaster>" (with no domain specification) MUST be supported',
        f"C: RCPT TO:<{name}>\nS: 250\nC: DATA\nS: 354\n{MESSAGE}",
        after=MAIL,
        settings={"strict": True},
        mails=(Mail("ann@client.example", (name,)),),
    )
    for name in ("Postmaster", "postmaster", "POSTMASTER")
)

EMPTY = (
    Dialogue(
        "message_without_any_line",
        "4.1.1.4",
        'or, if there was no mail data, ends the DATA command itself (the "no mail data" case',
        "C: .\nS: 250",
        after=DATA,
        mails=(Mail("ann@client.example", ("bob@server.example",), b""),),
    ),
)


@dialogues(REQUIRED, HARMLESS, ARGUMENTS, UNKNOWN, LOOKALIKES, RESETS, POSTMASTER, EMPTY)
def test_command(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


@pytest.mark.parametrize("code", [450, 550])
@pytest.mark.parametrize("hook", ["mail_from", "rcpt_to", "data"])
def test_refused_command_leaves_the_transaction_where_it_was(
    serve: Serve, client: Connect, hook: Any, code: int
) -> None:
    """Section 4.1.4: "a failure reply MUST be returned and the SMTP server MUST stay in the same state"."""
    from pytest_smtpd import on

    server = serve(on=[on(hook, reply=code, times=1)])
    wire = client(server, ehlo=True)
    sequence = {"mail_from": "MAIL FROM:<a@x.example>", "rcpt_to": "RCPT TO:<b@x.example>", "data": "DATA"}
    for name, command in sequence.items():
        if name == hook != "data":
            assert wire.say(command).code == code
        assert wire.say(command).code in (250, 354)
    final = wire.say("x\r\n.")
    assert final.code == (code if hook == "data" else 250)
    assert len(server.envelopes) == (hook != "data")
    assert wire.say("DATA").code in (503, 554)


def test_mail_command_with_only_refused_recipients_cannot_send_data(serve: Serve, client: Connect) -> None:
    """Section 3.3: "If there was no MAIL, or no RCPT, command, or all such commands were rejected" - 503 or 554."""
    from pytest_smtpd import on

    server = serve(on=[on("rcpt_to", reply="550 5.1.1 no")])
    wire = client(server, ehlo=True)
    wire.say("MAIL FROM:<a@x.example>")
    assert wire.say("RCPT TO:<b@x.example>").code == 550
    assert wire.say("DATA").code in (503, 554)
    assert wire.say("RSET").code == 250
    assert not server.envelopes
