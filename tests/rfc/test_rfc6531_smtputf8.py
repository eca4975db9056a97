"""RFC 6531: SMTPUTF8, internationalised addresses and domains."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rfc.dialogue import EHLO, MESSAGE, Dialogue, Mail, dialogues
from tests.rfc.wire import Connect, Serve

UTF8_MAIL = "C: MAIL FROM:<änn@bücher.example> SMTPUTF8\nS: 250 2.1.0\n"

DIALOGUES = (
    Dialogue(
        "SMTPUTF8_and_8BITMIME_are_offered",
        "3.1",
        "Servers offering this extension MUST provide support for, and announce, the 8BITMIME extension",
        f"{EHLO}E: SMTPUTF8\nE: 8BITMIME",
    ),
    Dialogue(
        "internationalised_transaction",
        "3.3",
        "sub-domain =/ U-label; atext =/ UTF8-non-ascii",
        f'{UTF8_MAIL}C: RCPT TO:<用户@例え.example>\nS: 250\nC: RCPT TO:<"쿼트 d"@server.example>\nS: 250\nC: DATA\n'
        f"S: 354\n{MESSAGE}",
        after=EHLO,
        settings={"strict": True},
        mails=(Mail("änn@bücher.example", ("用户@例え.example", '"쿼트 d"@server.example')),),
    ),
    Dialogue(
        "parameter_takes_no_value",
        "3.4",
        "The parameter does not accept a value",
        "C: MAIL FROM:<ann@client.example> SMTPUTF8=yes\nS: 501",
        after=EHLO,
    ),
    Dialogue(
        "ascii_address_with_SMTPUTF8",
        "3.4",
        "The parameter does not accept a value",
        "C: MAIL FROM:<ann@client.example> SMTPUTF8\nS: 250",
        after=EHLO,
    ),
    Dialogue(
        "strict_server_wants_SMTPUTF8_for_the_sender",
        "3.5",
        '553 5.6.7 "Non-ASCII addresses not permitted for that sender/recipient"',
        "C: MAIL FROM:<änn@client.example>\nS: 553\nC: RCPT TO:<bob@server.example>\nS: 503",
        after=EHLO,
        settings={"strict": True},
        hooks="",
    ),
    Dialogue(
        "strict_server_wants_SMTPUTF8_for_a_recipient",
        "3.5",
        '553 5.6.7 "Non-ASCII addresses not permitted for that sender/recipient"',
        "C: MAIL FROM:<ann@client.example>\nS: 250\nC: RCPT TO:<böb@server.example>\nS: 553",
        after=EHLO,
        settings={"strict": True},
        hooks="mail_from",
    ),
    Dialogue(
        "octets_that_are_not_utf8_are_no_address",
        "3.3",
        "atext =/ UTF8-non-ascii",
        "C: MAIL FROM:<\\xe4nn@client.example> SMTPUTF8\nS: 501/553\n"
        "C: MAIL FROM:<\\xc0\\x80@client.example> SMTPUTF8\nS: 501/553\n"
        "C: MAIL FROM:<ann@client.example>\nS: 250\nC: RCPT TO:<\\xff@server.example>\nS: 501/553",
        after=EHLO,
        hooks="mail_from",
    ),
    Dialogue(
        "disabled_SMTPUTF8_knows_no_parameter",
        "RFC 5321 section 4.1.1.11",
        "it will return code 555",
        f"{EHLO}E! SMTPUTF8\nC: MAIL FROM:<ann@client.example> SMTPUTF8\nS: 555 5.5.4",
        settings={"disable": {"SMTPUTF8"}},
    ),
    Dialogue(
        "hidden_SMTPUTF8_still_works",
        "3.1",
        "The parameter does not accept a value",
        f"{EHLO}E! SMTPUTF8\n{UTF8_MAIL}",
        settings={"hide": {"SMTPUTF8"}},
    ),
)


@dialogues(DIALOGUES)
def test_smtputf8(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


@pytest.mark.parametrize("parameter", ["", " SMTPUTF8"])
def test_envelope_tells_whether_it_was_declared(serve: Serve, client: Connect, parameter: str) -> None:
    """Section 3.4: the parameter tells that an address or the message is internationalised."""
    server = serve()
    wire = client(server, ehlo=True)
    wire.say(f"MAIL FROM:<a@x.example>{parameter}")
    wire.steps("RCPT TO:<b@x.example>", "DATA", "x\r\n.")
    assert server.one().smtp_utf8 is bool(parameter)


def test_address_arrives_as_text_not_as_octets(serve: Serve, client: Connect) -> None:
    """Section 3.3: addresses are UTF-8 on the wire and text in the hook, local part and domain as sent."""
    server = serve()
    wire = client(server, ehlo=True)
    wire.say("MAIL FROM:<δοκιμή@παράδειγμα.example> SMTPUTF8")
    address = server.log.calls("mail_from")[0].args[0]
    assert (address.local, address.domain) == ("δοκιμή", "παράδειγμα.example")
    assert address.args == {"SMTPUTF8": True}


def test_tolerant_server_takes_utf8_without_the_parameter(serve: Serve, client: Connect) -> None:
    """Usual practice of test servers; ``strict`` refuses it."""
    wire = client(serve(), ehlo=True)
    assert wire.say("MAIL FROM:<änn@client.example>").code == 250
    assert wire.say("RCPT TO:<böb@server.example>").code == 250
