"""RFC 8689: REQUIRETLS."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rfc.dialogue import EHLO, Dialogue, dialogues
from tests.rfc.wire import Connect, Serve

TLS = {"tls": "implicit"}
ONLY_TLS = "The session itself MUST employ TLS transmission"

DIALOGUES = (
    Dialogue(
        "offered_only_after_STARTTLS",
        "2",
        "Following the negotiation of STARTTLS, the SMTP server MUST advertise in the subsequent EHLO response",
        f"{EHLO}E! REQUIRETLS\nC: STARTTLS\nS: 220\nTLS\n{EHLO}E: REQUIRETLS\n"
        "C: MAIL FROM:<ann@client.example> REQUIRETLS\nS: 250",
    ),
    Dialogue("offered_under_implicit_tls", "2", ONLY_TLS, f"{EHLO}E: REQUIRETLS", settings=TLS),
    Dialogue(
        "refused_in_clear",
        "2",
        ONLY_TLS,
        "C: MAIL FROM:<ann@client.example> REQUIRETLS\nS: 530/550/554/555\nC: RCPT TO:<bob@server.example>\nS: 503",
        after=EHLO,
        hooks="",
    ),
    Dialogue(
        "takes_no_value",
        "2",
        "There is no esmtp-value associated with requiretls-param",
        "C: MAIL FROM:<ann@client.example> REQUIRETLS=yes\nS: 501",
        after=EHLO,
        settings=TLS,
    ),
    Dialogue(
        "is_no_parameter_of_RCPT",
        "2",
        'One optional parameter ("REQUIRETLS") is added to the MAIL FROM command by this extension',
        "C: MAIL FROM:<ann@client.example>\nS: 250\nC: RCPT TO:<bob@server.example> REQUIRETLS\nS: 555",
        after=EHLO,
        settings=TLS,
    ),
    Dialogue(
        "disabled_REQUIRETLS_knows_no_parameter",
        "RFC 5321 section 4.1.1.11",
        "it will return code 555",
        f"{EHLO}E! REQUIRETLS\nC: MAIL FROM:<ann@client.example> REQUIRETLS\nS: 555 5.5.4",
        settings={**TLS, "disable": {"REQUIRETLS"}},
    ),
    Dialogue(
        "hidden_REQUIRETLS_still_works",
        "2",
        ONLY_TLS,
        f"{EHLO}E! REQUIRETLS\nC: MAIL FROM:<ann@client.example> REQUIRETLS\nS: 250",
        settings={**TLS, "hide": {"REQUIRETLS"}},
    ),
)


@dialogues(DIALOGUES)
def test_requiretls(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


@pytest.mark.parametrize("parameter", ["", " REQUIRETLS", " requiretls"])
def test_message_is_tagged(serve: Serve, client: Connect, parameter: str) -> None:
    """Section 4.1: "an SMTP server MUST tag that message as needing REQUIRETLS handling"."""
    server = serve(tls="implicit")
    wire = client(server, greet=False)
    wire.secure(server.client_context, server.host)
    assert wire.reply().code == 220
    wire.steps("EHLO c.example", f"MAIL FROM:<a@x.example>{parameter}", "RCPT TO:<b@x.example>", "DATA", "x\r\n.")
    assert server.one().require_tls is bool(parameter)
