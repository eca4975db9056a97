"""RFC 3848 transmission types, and what else a session says about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.rfc.sasl import plain
from tests.rfc.wire import Connect, Serve, connect

if TYPE_CHECKING:
    from pytest_smtpd import SMTPServer

LOGIN = f"AUTH PLAIN {plain('ada', 's3cret')}"

# RFC 3848 section 3: S for TLS, A for a successful AUTH; LMTP instead of ESMTP; RFC 5321: SMTP after HELO
TYPES = {
    "SMTP": ({}, ("HELO c",)),
    "ESMTP": ({}, ("EHLO c",)),
    "ESMTPA": ({}, ("EHLO c", LOGIN)),
    "ESMTPS": ({}, ("EHLO c", "STARTTLS", "EHLO c")),
    "ESMTPSA": ({}, ("EHLO c", "STARTTLS", "EHLO c", LOGIN)),
    "LMTP": ({"lmtp": True}, ("LHLO c",)),
    "LMTPA": ({"lmtp": True}, ("LHLO c", LOGIN)),
    "LMTPS": ({"lmtp": True}, ("LHLO c", "STARTTLS", "LHLO c")),
    "LMTPSA": ({"lmtp": True}, ("LHLO c", "STARTTLS", "LHLO c", LOGIN)),
}


@pytest.mark.parametrize("name", TYPES)
def test_transmission_type(serve: Serve, client: Connect, name: str) -> None:
    settings, steps = TYPES[name]
    server = serve(**settings)
    wire = client(server)
    for step in steps:
        assert wire.say(step).code in (220, 235, 250)
        if step == "STARTTLS":
            wire.secure(server.client_context, server.host)
    session = server.log.sessions()[0]
    assert session.transmission_type == name
    assert session.secure == ("S" in name.removeprefix("LMTP").removeprefix("ESMTP").removeprefix("SMTP"))
    assert session.user == ("ada" if name.endswith("A") else session.user)


def only_session(server: SMTPServer) -> Any:
    """The live object: it changes while a test looks at it, which no type checker expects."""
    (session,) = server.log.sessions()
    return session


def test_session_knows_both_ends_and_the_greeting(serve: Serve, client: Connect) -> None:
    """RFC 5321 section 4.4: the FROM clause of a trace line needs the EHLO name and the address of the client."""
    server = serve()
    wire = client(server)
    session = only_session(server)
    assert (session.local_address, session.local_port) == server.address
    assert (session.remote_address, session.remote_port) == wire.socket.getsockname()
    assert not session.opening_command
    assert not session.hostname_appears_as
    wire.say("HELO old.example")
    assert (session.opening_command, session.hostname_appears_as) == ("HELO", "old.example")
    wire.say("EHLO Client.Example")
    assert session.opening_command == "EHLO"
    assert session.hostname_appears_as.lower() == "client.example"
    wire.say("noop")
    wire.say("quit")
    server.wait_closed()
    assert list(session.commands) == ["HELO", "EHLO", "NOOP", "QUIT"]
    assert session.closed


def test_transaction_grows_with_each_completed_message(serve: Serve, client: Connect) -> None:
    """Numbered from 1; RSET and refused commands do not count."""
    server = serve(size=10)
    wire = client(server, ehlo=True)
    session = only_session(server)
    assert session.transaction == 1
    wire.say("MAIL FROM:<a@x.example>")
    wire.say("RSET")
    assert session.transaction == 1
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "x\r\n.")
    assert session.transaction == 2


def test_envelope_of_the_session_is_the_transaction_so_far(serve: Serve, client: Connect) -> None:
    """``None`` outside a transaction, then growing with what was accepted."""
    server = serve()
    wire = client(server, ehlo=True)
    session = only_session(server)
    assert not session.envelope
    wire.say("MAIL FROM:<a@x.example>")
    assert (session.envelope.mail_from, session.envelope.rcpt_to) == ("a@x.example", ())
    wire.say("RCPT TO:<b@x.example>")
    assert session.envelope.rcpt_to == ("b@x.example",)
    wire.say("RSET")
    assert not session.envelope


def test_error_is_the_last_refusal(serve: Serve, client: Connect) -> None:
    server = serve()
    wire = client(server, ehlo=True)
    session = only_session(server)
    assert not session.error
    wire.say("WHAT")
    wire.say("NOOP")
    assert session.error == 500
    wire.say("DATA")
    assert session.error in (503, 554)


def test_error_is_what_the_client_was_told_however_it_counts(serve: Serve, client: Connect) -> None:
    from pytest_smtpd import on

    server = serve(on=[on("mail_from", reply="550 5.7.1 No", accept=True), on("rcpt_to", reply=250, accept=False)])
    wire = client(server, ehlo=True)
    session = only_session(server)
    assert wire.say("MAIL FROM:<a@x.example>").code == 550
    assert session.error == 550
    assert wire.say("RCPT TO:<b@x.example>").code == 250
    assert session.error == 550
    assert wire.say("DATA").code == 503
    assert session.error == 503


def test_every_connection_has_a_session_of_its_own(serve: Serve, client: Connect) -> None:
    """Two clients at once: neither sees the other's transaction."""
    server = serve()
    with connect(server, ehlo=True) as first, connect(server) as second:
        assert first.say("MAIL FROM:<a@x.example>").code == 250
        assert second.say("MAIL FROM:<b@x.example>").code == 503
        assert second.say("HELO two").code == 250
        assert second.say("MAIL FROM:<b@x.example>").code == 250
    ids = [session.id for session in server.log.sessions()]
    assert len(set(ids)) == len(ids) == 2
