"""RFC 3207: STARTTLS, and that nothing said in clear survives it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.rfc.dialogue import DELIVERED, EHLO, MAIL, MESSAGE, RCPT, Dialogue, dialogues
from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from pytest_smtpd import SMTPServer
    from tests.rfc.wire import Wire

UPGRADE = "C: STARTTLS\nS: 220\nTLS\n"
LOGIN = "C: AUTH PLAIN AGFubgBzM2NyZXQ=\n"
FORGET = "The server MUST discard any knowledge obtained from the client, such as the argument to the EHLO command"
NOT_AGAIN = (
    "A server MUST NOT return the STARTTLS extension in response to an EHLO command received after a TLS handshake"
)
REQUIRE = "SHOULD return the reply code 530 ... to every command other than NOOP, EHLO, STARTTLS, or QUIT"
MUST_STARTTLS = "S: 530 5.7.0"

UPGRADES = (
    Dialogue(
        "offered_in_clear_and_gone_under_tls",
        "4.2",
        NOT_AGAIN,
        f"{EHLO}E: STARTTLS\n{UPGRADE}{EHLO}E! STARTTLS\nC: STARTTLS\nS: 503\nC: NOOP\nS: 250",
        hooks="secure",
    ),
    Dialogue(
        "message_under_tls",
        "4.2",
        "Upon completion of the TLS handshake, the SMTP protocol is reset to the initial state",
        f"{UPGRADE}{RCPT}C: DATA\nS: 354\n{MESSAGE}",
        after=EHLO,
        hooks="secure mail_from rcpt_to data",
        mails=(DELIVERED,),
    ),
    Dialogue(
        "client_greets_again", "4.2", FORGET, f"{UPGRADE}C: MAIL FROM:<ann@client.example>\nS: 503\n{MAIL}", after=EHLO
    ),
    Dialogue(
        "login_in_clear_is_forgotten",
        "4.2",
        FORGET,
        f"{LOGIN}S: 235\n{UPGRADE}{EHLO}{LOGIN}S: 235",
        after=EHLO,
        hooks="auth secure auth",
    ),
    Dialogue(
        "STARTTLS_takes_no_parameter",
        "4",
        "501 Syntax error (no parameters allowed)",
        "C: STARTTLS now\nS: 501\nC: NOOP\nS: 250",
        after=EHLO,
    ),
    Dialogue(
        "STARTTLS_inside_a_transaction",
        "4",
        "If the commands ... are out of order ... a 503 failure reply MUST be returned",
        f"C: STARTTLS\nS: 503 5.5.1\nC: DATA\nS: 354\n{MESSAGE}",
        after=RCPT,
        mails=(DELIVERED,),
    ),
    Dialogue(
        "implicit_tls_offers_no_STARTTLS",
        "RFC 8314 section 3.3",
        "a TLS handshake begins immediately",
        f"{EHLO}E! STARTTLS\nC: STARTTLS\nS: 503\n{RCPT.removeprefix(EHLO)}C: DATA\nS: 354\n{MESSAGE}",
        settings={"tls": "implicit"},
        hooks="secure mail_from rcpt_to data",
        mails=(DELIVERED,),
    ),
    Dialogue(
        "no_tls_at_all",
        "4.1",
        "used to tell the SMTP client that the SMTP server is currently able to negotiate the use of TLS",
        f"{EHLO}E! STARTTLS\nC: STARTTLS\nS: 500/502/503/454\nC: NOOP\nS: 250",
        settings={"tls": None},
    ),
    Dialogue(
        "hidden_STARTTLS_still_works",
        "4",
        "used to tell the SMTP client that the SMTP server is currently able to negotiate the use of TLS",
        f"{EHLO}E! STARTTLS\n{UPGRADE}{EHLO}",
        settings={"hide": {"STARTTLS"}},
        hooks="secure",
    ),
    Dialogue(
        "disabled_STARTTLS",
        "RFC 5321 section 4.2.4",
        "502 SHOULD be used when the command is actually recognized by the SMTP server, but not implemented",
        f"{EHLO}E! STARTTLS\nC: STARTTLS\nS: 502 5.5.1",
        settings={"disable": {"STARTTLS"}},
    ),
)

ALLOWED = (("NOOP", "250"), ("EHLO client.example", "250"), ("HELO client.example", "250"), ("RSET", "250"))
REFUSED = ("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "VRFY bob", "AUTH PLAIN AGEAYg==", "HELP")

REQUIRED = (
    *(
        Dialogue(
            f"before_tls_{line.split()[0]}_is_allowed",
            "4",
            REQUIRE,
            f"{EHLO}C: {line}\nS: {code}",
            settings={"require_tls": True},
        )
        for line, code in ALLOWED
    ),
    *(
        Dialogue(
            f"before_tls_{line.split()[0]}_is_530",
            "4",
            REQUIRE,
            f"{EHLO}C: {line}\n{MUST_STARTTLS}",
            settings={"require_tls": True},
            hooks="",
        )
        for line in REFUSED
    ),
    Dialogue(
        "after_tls_everything_is_allowed",
        "4",
        REQUIRE,
        f"{EHLO}{UPGRADE}{RCPT}C: DATA\nS: 354\n{MESSAGE}C: QUIT\nS: 221",
        settings={"require_tls": True},
        mails=(DELIVERED,),
    ),
)


@dialogues(UPGRADES, REQUIRED)
def test_starttls(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


def upgraded(wire: Wire, server: SMTPServer, behind: bytes) -> None:
    """STARTTLS with octets behind it in the same segment, then the handshake."""
    wire.send(b"STARTTLS\r\n" + behind)
    assert wire.reply().code == 220
    wire.secure(server.client_context, server.host)


INJECTED = {
    "whole_commands": b"EHLO evil.example\r\nMAIL FROM:<m@evil.example>\r\nRCPT TO:<e@evil.example>\r\nDATA\r\n",
    "half_a_command": b"MAIL FROM:<mallory@evil.example>",
    "half_a_command_cut_in_crlf": b"NOOP\r",
    "one_octet": b"X",
}


@pytest.mark.parametrize("name", INJECTED)
def test_octets_behind_starttls_in_clear_are_never_obeyed(serve: Serve, client: Connect, name: str) -> None:
    """Section 4.2: the server discards; CVE-2011-0411: it must also discard what it has already buffered."""
    server = serve()
    wire = client(server, ehlo=True)
    upgraded(wire, server, INJECTED[name])
    assert wire.say("EHLO client.example").code == 250
    assert wire.say("RCPT TO:<eve@evil.example>").code == 503
    assert wire.say("QUIT").code == 221
    assert wire.rest() == b""
    server.wait_closed()
    verbs = [call.args[0].verb for call in server.log.calls("command")]
    assert verbs == ["EHLO", "STARTTLS", "EHLO", "RCPT", "QUIT"]
    assert not server.log.calls("mail_from")


def test_sasl_answer_injected_behind_starttls_is_no_login(serve: Serve, client: Connect) -> None:
    """Section 6: "an attacker may insert commands before the TLS negotiation"."""
    server = serve()
    wire = client(server, ehlo=True)
    upgraded(wire, server, b"AUTH PLAIN\r\nAGFubgBzM2NyZXQ=\r\n")
    assert wire.say("EHLO client.example").code == 250
    assert wire.say("AUTH PLAIN AGFubgBzM2NyZXQ=").code == 235
    assert len(server.log.calls("auth")) == 1


def test_session_tells_what_tls_negotiated(serve: Serve, client: Connect) -> None:
    """Section 4.2: "the server and client may decide on the basis of the negotiated TLS session"."""
    server = serve()
    wire = client(server, ehlo=True)
    assert server.log.sessions()[0].secure is False
    assert server.log.sessions()[0].tls is None
    wire.say("STARTTLS")
    wire.secure(server.client_context, "localhost")
    wire.say("EHLO client.example")
    session = server.log.sessions()[0]
    assert session.secure is True
    assert session.tls is not None
    assert isinstance(wire.socket, ssl.SSLSocket)
    assert session.tls.version == wire.socket.version()
    cipher = wire.socket.cipher()
    assert cipher is not None
    assert session.tls.cipher == cipher[0]
    assert session.tls.server_name == "localhost"
    assert session.tls.peer_certificate is None
    (call,) = server.log.calls("secure")
    assert call.args == (session.tls, session)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_broken_handshake_ends_the_connection_and_passes_no_hook(serve: Serve, client: Connect, tls: str) -> None:
    """Section 4.1: without TLS there is nothing to go on with; no reply in clear follows the 220."""
    server = serve(tls=tls)
    wire = client(server, greet=tls == "starttls")
    if tls == "starttls":
        wire.say("STARTTLS")
    wire.send(b"MAIL FROM:<a@x.example>\r\n" * 20)
    try:
        answer = wire.rest()
    except ConnectionResetError:
        answer = b""
    assert not answer or answer[:1] == b"\x15", "only a TLS alert may come"
    server.wait_closed()
    hooks = {call.hook for call in server.log}
    assert "secure" not in hooks
    assert "mail_from" not in hooks
    assert [call.hook for call in server.log].count("close") == 1
    assert ("connect" in hooks) == (tls == "starttls")


def refuse(context: ssl.SSLContext, wire: Wire) -> bool:
    """True if the handshake fails for the certificate."""
    try:
        wire.secure(context, "127.0.0.1")
    except ssl.SSLCertVerificationError:
        return True
    return False


@pytest.mark.parametrize("certificate", ["expired", "not-yet-valid", "wrong-host", "untrusted", "self-signed", "valid"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_client_that_verifies_sees_the_certificates_fault(
    serve: Serve, client: Connect, certificate: str, tls: str
) -> None:
    """Section 4.1: "if the server's certificate does not verify, the client decides whether to go on"."""
    server = serve(tls=tls, certificate=certificate)
    wire = client(server, greet=tls == "starttls")
    if tls == "starttls":
        assert wire.say("STARTTLS").code == 220
    assert refuse(server.client_context, wire) == (certificate != "valid")
    wire.close()
    server.wait_closed()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "mx.example", "::1"])
def test_valid_certificate_names_the_server(serve: Serve, client: Connect, name: str) -> None:
    """RFC 6125: the name the client connects to is in the certificate."""
    server = serve(tls="implicit", hostname="mx.example")
    wire = client(server, greet=False)
    wire.secure(server.client_context, name)
    assert wire.reply().code == 220


@pytest.mark.parametrize(
    ("policy", "presents", "works"),
    [
        ("none", False, True),
        ("none", True, True),
        ("optional", False, True),
        ("optional", True, True),
        ("required", False, False),
        ("required", True, True),
    ],
)
def test_client_certificate_policy(serve: Serve, client: Connect, policy: str, presents: bool, works: bool) -> None:
    """RFC 8446 section 4.4.2: a server that needs a certificate aborts without one."""
    server = serve(tls="implicit", client_certificate=policy)
    context: Any = server.client_context
    if presents:
        server.ca.issue_cert("client@example.com").configure_cert(context)
    wire = client(server, greet=False)
    try:
        wire.secure(context, "localhost")
        greeted = wire.reply().code == 220
    except (ssl.SSLError, ConnectionError):
        greeted = False
    assert greeted == works
    wire.close()
    server.wait_closed()
    certificates = [session.tls.peer_certificate for session in server.log.sessions() if session.tls]
    if works:
        assert bool(certificates[0]) == (presents and policy != "none")
