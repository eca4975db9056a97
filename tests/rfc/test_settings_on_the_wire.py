"""``hide`` and ``disable`` for every verb and keyword: what EHLO says and what still works."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.rfc.dialogue import EHLO, MAIL, MESSAGE, RCPT, Dialogue, Mail, dialogues
from tests.rfc.sasl import plain
from tests.rfc.wire import Connect, Serve

NOT_IMPLEMENTED = "502 SHOULD be used when the command is actually recognized by the SMTP server, but not implemented"
NO_502 = "Extended SMTP systems MUST NOT list capabilities in response to EHLO for which they will return 502 (or 500)"

# verb -> the script that leads to it, and the command
VERBS = {
    "EHLO": ("", "EHLO client.example"),
    "HELO": ("", "HELO client.example"),
    "MAIL": (EHLO, "MAIL FROM:<ann@client.example>"),
    "RCPT": (MAIL, "RCPT TO:<bob@server.example>"),
    "DATA": (RCPT, "DATA"),
    "BDAT": (RCPT, "BDAT 0 LAST"),
    "RSET": (EHLO, "RSET"),
    "NOOP": (EHLO, "NOOP"),
    "VRFY": (EHLO, "VRFY bob"),
    "EXPN": (EHLO, "EXPN list"),
    "HELP": (EHLO, "HELP"),
    "AUTH": (EHLO, f"AUTH PLAIN {plain('a', 'b')}"),
    "STARTTLS": (EHLO, "STARTTLS"),
}

DISABLED = (
    *tuple(
        Dialogue(
            f"disabled_{verb}",
            "RFC 5321 section 4.2.4",
            NOT_IMPLEMENTED,
            f"C: {command}\nS: 502 5.5.1\nC: QUIT\nS: 221",
            after=after,
            settings={"disable": {verb}},
        )
        for verb, (after, command) in VERBS.items()
    ),
    Dialogue(
        "disabled_EHLO_forces_HELO",
        "RFC 5321 section 3.2",
        "If the EHLO ... the client SHOULD be able to fall back and send HELO",
        f"C: EHLO client.example\nS: 502 5.5.1\nC: HELO client.example\nS: 250\n{RCPT.removeprefix(EHLO)}"
        f"C: DATA\nS: 354\n{MESSAGE}",
        settings={"disable": {"EHLO"}},
        mails=(Mail("ann@client.example", ("bob@server.example",)),),
    ),
    Dialogue(
        "disabled_LHLO",
        "RFC 5321 section 4.2.4",
        NOT_IMPLEMENTED,
        "C: LHLO client.example\nS: 502 5.5.1",
        settings={"disable": {"LHLO"}, "lmtp": True},
    ),
    Dialogue(
        "several_at_once",
        "RFC 5321 section 4.2.4",
        NOT_IMPLEMENTED,
        f"{EHLO}E! AUTH\nE! STARTTLS\nE! CHUNKING\nE: PIPELINING",
        settings={"disable": ["AUTH", "STARTTLS", "BDAT"]},
    ),
)


@dialogues(DISABLED)
def test_disabled_verb_is_502(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


KEYWORDS: dict[str, dict[str, object]] = {
    "PIPELINING": {},
    "8BITMIME": {},
    "SMTPUTF8": {},
    "ENHANCEDSTATUSCODES": {},
    "CHUNKING": {},
    "BINARYMIME": {},
    "DSN": {},
    "AUTH": {},
    "STARTTLS": {},
    "SIZE": {"size": 1000},
    "LIMITS": {"max_recipients": 10},
    "XCLIENT": {"xclient": True},
    "XFORWARD": {"xforward": True},
}


@pytest.mark.parametrize("setting", ["hide", "disable"])
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_keyword_is_not_advertised(serve: Serve, client: Connect, keyword: str, setting: str) -> None:
    """RFC 5321 section 4.2.4, or simply to see what a client does without it."""
    settings = KEYWORDS[keyword]
    everything = client(serve(**settings)).say("EHLO client.example").keywords
    assert keyword in everything
    fewer = client(serve(**settings, **{setting: {keyword}})).say("EHLO client.example").keywords
    expected = set(everything) - {keyword}
    if setting == "disable" and keyword == "CHUNKING":
        expected.discard("BINARYMIME")  # "can only be used with the CHUNKING service extension"
    assert set(fewer) == expected


@pytest.mark.parametrize("setting", ["hide", "disable"])
def test_everything_hidden_leaves_a_single_line(serve: Serve, client: Connect, setting: str) -> None:
    """RFC 5321 section 4.1.1.1: ``ehlo-ok-rsp = "250" SP Domain [ SP ehlo-greet ] CRLF``."""
    everything = client(serve()).say("EHLO client.example").keywords
    reply = client(serve(**{setting: set(everything)})).say("EHLO client.example")
    assert len(reply.lines) == 1


@pytest.mark.parametrize("setting", ["hide", "disable"])
def test_unknown_name_is_an_error_at_once(setting: str) -> None:
    """A misspelt keyword would silently test nothing."""
    from pytest_smtpd import SMTPServer

    with pytest.raises((TypeError, ValueError), match="STARTLS"):
        SMTPServer(**{setting: {"STARTLS"}})  # type: ignore[arg-type]


def test_stopped_server_refuses_and_starts_again_on_its_port(serve: Serve, client: Connect) -> None:
    """RFC 5321 section 3.8: between the two a client meets what a service that is down gives."""
    server = serve()
    address = server.address
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        client(server)
    server.start()
    assert server.address == address
    assert client(server).say("NOOP").code == 250


def test_stop_cuts_off_the_clients_that_are_there(serve: Serve, client: Connect) -> None:
    """RFC 5321 section 3.8: 421 may be said, then the connection is closed."""
    server = serve()
    wire = client(server, ehlo=True)
    server.stop()
    with suppress(ConnectionResetError):
        assert wire.rest()[:3] in (b"", b"421")
    assert [call.hook for call in server.log][-1] == "close"


VALUES = [
    {"size": -1},
    {"size": "big"},
    {"max_recipients": -1},
    {"tls": "sometimes"},
    {"certificate": "stale"},
    {"client_certificate": "maybe"},
    {"auth_methods": ["GSSAPI"]},
    {"timeout": -1},
    {"hostname": "a\r\nb"},
    {"banner": "a\r\nb"},
    {"nonsense": 1},
]


@pytest.mark.parametrize("settings", VALUES, ids=str)
def test_impossible_setting_is_an_error_at_once(settings: dict[str, object]) -> None:
    from pytest_smtpd import SMTPServer

    with pytest.raises((TypeError, ValueError)):
        SMTPServer(**settings)  # type: ignore[arg-type]
