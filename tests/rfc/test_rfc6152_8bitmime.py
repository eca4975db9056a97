"""RFC 6152: 8BITMIME."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rfc.dialogue import EHLO, MAIL, Dialogue, dialogues
from tests.rfc.wire import Connect, Serve

VALUES = 'body-value = "7BIT" / "8BITMIME"'

BODY = (
    Dialogue("8BITMIME_is_offered", "2", "no parameter is used with the 8BITMIME EHLO keyword", f"{EHLO}E: 8BITMIME"),
    *(
        Dialogue(
            f"BODY={value}", "2", VALUES, f"C: MAIL FROM:<ann@client.example> BODY={value}\nS: 250 2.1.0", after=EHLO
        )
        for value in ("7BIT", "8BITMIME", "8bitmime", "BINARYMIME")
    ),
    *(
        Dialogue(
            f"{value}_is_501", "2", VALUES, f"C: MAIL FROM:<> {value}\nS: 501\n{MAIL.removeprefix(EHLO)}", after=EHLO
        )
        for value in ("BODY", "BODY=", "BODY=9BIT", "BODY=7BIT BODY=7BIT")
    ),
    Dialogue(
        "disabled_8BITMIME_knows_no_BODY",
        "RFC 5321 section 4.1.1.11",
        "it will return code 555",
        f"{EHLO}E! 8BITMIME\nC: MAIL FROM:<> BODY=8BITMIME\nS: 555 5.5.4",
        settings={"disable": {"8BITMIME"}},
    ),
    Dialogue(
        "hidden_8BITMIME_still_works",
        "2",
        VALUES,
        f"{EHLO}E! 8BITMIME\nC: MAIL FROM:<> BODY=8BITMIME\nS: 250",
        settings={"hide": {"8BITMIME"}},
    ),
)


@dialogues(BODY)
def test_8bitmime(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


@pytest.mark.parametrize(
    ("parameter", "body_type"),
    [
        ("", "7bit"),
        (" BODY=7BIT", "7bit"),
        (" BODY=8BITMIME", "8bitmime"),
        (" body=8bitMime", "8bitmime"),
    ],
)
def test_body_type_is_what_was_declared(serve: Serve, client: Connect, parameter: str, body_type: str) -> None:
    """Section 3: "the server must preserve all bits in each octet passed as part of the message content"."""
    server = serve()
    wire = client(server, ehlo=True)
    wire.say(f"MAIL FROM:<a@x.example>{parameter}")
    wire.steps("RCPT TO:<b@x.example>", "DATA")
    assert wire.say(b"\x80\xff\xc3\xa4\r\n.").code == 250
    assert server.one().body_type == body_type
    assert server.one().content == b"\x80\xff\xc3\xa4\r\n"
