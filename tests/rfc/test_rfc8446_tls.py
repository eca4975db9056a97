"""RFC 8446, RFC 5246 and RFC 6066 as far as they concern mail: versions, closing, the name the client asks for."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from pytest_smtpd import SMTPServer
    from tests.rfc.wire import Wire

BOTH_WAYS = pytest.mark.parametrize("tls", ["starttls", "implicit"])


def secured(server: SMTPServer, wire: Wire, tls: str, context: ssl.SSLContext, name: str = "127.0.0.1") -> None:
    """Up to the EHLO under TLS, either way."""
    if tls == "starttls":
        wire.reply()
        assert wire.say("STARTTLS").code == 220
    wire.secure(context, name)
    if tls == "implicit":
        assert wire.reply().code == 220
    assert wire.say("EHLO client.example").code == 250


@BOTH_WAYS
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_message_under_each_version(serve: Serve, client: Connect, tls: str, version: ssl.TLSVersion) -> None:
    """RFC 8996 leaves 1.2 and 1.3."""
    server = serve(tls=tls)
    context = server.client_context
    context.minimum_version = context.maximum_version = version
    wire = client(server, greet=False)
    secured(server, wire, tls, context)
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "x\r\n.")
    (session,) = server.log.sessions()
    assert session.tls is not None
    assert session.tls.version == version.name.replace("_", ".")
    assert server.one().content == b"x\r\n"


@BOTH_WAYS
def test_close_notify_comes_before_the_connection_closes(serve: Serve, client: Connect, tls: str) -> None:
    """RFC 8446 section 6.1: "Each party MUST send a "close_notify" alert before closing its write side"."""
    server = serve(tls=tls)
    wire = client(server, greet=False)
    secured(server, wire, tls, server.client_context)
    assert wire.say("QUIT").code == 221
    assert wire.rest() == b""


@BOTH_WAYS
def test_client_may_say_close_notify_first(serve: Serve, client: Connect, tls: str) -> None:
    """RFC 8446 section 6.1: the end of the data is no error; it is as if the client had closed."""
    server = serve(tls=tls)
    wire = client(server, greet=False)
    secured(server, wire, tls, server.client_context)
    assert isinstance(wire.socket, ssl.SSLSocket)
    wire.socket = wire.socket.unwrap()
    assert wire.rest() == b""
    server.wait_closed()
    assert [call.hook for call in server.log][-1] == "close"


@BOTH_WAYS
@pytest.mark.parametrize(("name", "seen"), [("localhost", "localhost"), ("127.0.0.1", None)])
def test_server_name_is_what_the_client_asked_for(
    serve: Serve, client: Connect, tls: str, name: str, seen: str | None
) -> None:
    """RFC 6066 section 3: "Literal IPv4 and IPv6 addresses are not permitted in "HostName"", so none is sent."""
    server = serve(tls=tls)
    wire = client(server, greet=False)
    secured(server, wire, tls, server.client_context, name)
    (session,) = server.log.sessions()
    assert session.tls is not None
    assert session.tls.server_name == seen


@BOTH_WAYS
def test_own_ssl_context_is_used(serve: Serve, client: Connect, tls: str) -> None:
    """``ssl_context``: instead of the server's own certificate."""
    helper = serve(tls="implicit")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    helper.ca.issue_cert("127.0.0.1").configure_cert(context)
    server = serve(tls=tls, ssl_context=context)
    wire = client(server, greet=False)
    secured(server, wire, tls, helper.client_context)
    assert isinstance(wire.socket, ssl.SSLSocket)
    assert wire.socket.version() == "TLSv1.2"


@BOTH_WAYS
def test_pipelined_commands_in_one_record(serve: Serve, client: Connect, tls: str) -> None:
    """RFC 2920 under TLS: a record may hold many commands, and a command may lie in many records."""
    server = serve(tls=tls)
    wire = client(server, greet=False)
    secured(server, wire, tls, server.client_context)
    wire.send(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDA")
    for octet in b"TA\r\nx\r\n.\r\nQUIT\r\n":
        wire.send(bytes([octet]))
    assert [wire.reply().code for _ in range(5)] == [250, 250, 354, 250, 221]
    assert server.one().content == b"x\r\n"


@BOTH_WAYS
def test_large_content_under_tls(serve: Serve, client: Connect, tls: str) -> None:
    """More than one record, more than one buffer of TCP."""
    server = serve(tls=tls)
    wire = client(server, greet=False)
    secured(server, wire, tls, server.client_context)
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
    content = (b"x" * 76 + b"\r\n") * 20_000
    wire.send(content + b".\r\n")
    assert wire.reply().code == 250
    assert server.one().content == content


@BOTH_WAYS
def test_secure_hook_may_refuse(serve: Serve, client: Connect, tls: str) -> None:
    """A refused ``secure`` closes: there is no reply between the handshake and the client's next command."""
    from pytest_smtpd import Reject

    server = serve(tls=tls)

    @server.on("secure")
    def hook(tls: object, session: object) -> None:
        raise Reject

    wire = client(server, greet=tls == "starttls")
    if tls == "starttls":
        wire.say("STARTTLS")
    wire.secure(server.client_context, server.host)
    assert wire.rest() == b""
    server.wait_closed()
    assert [call.hook for call in server.log if call.hook != "command"] == ["connect", "secure", "close"]
    assert server.log.calls("secure")[0].outcome == "refused"


@BOTH_WAYS
def test_octets_that_are_no_tls_record_end_the_connection(serve: Serve, client: Connect, tls: str) -> None:
    """RFC 8446 section 5: what does not decrypt is fatal; nothing in clear is ever obeyed again."""
    server = serve(tls=tls)
    wire = client(server, greet=False)
    secured(server, wire, tls, server.client_context)
    assert isinstance(wire.socket, ssl.SSLSocket)
    wire.socket = socket.socket(fileno=wire.socket.detach())
    wire.socket.settimeout(5)
    wire.send(b"MAIL FROM:<a@x.example>\r\n" * 10)
    try:
        answer = wire.rest()
    except ConnectionResetError:
        answer = b""
    assert not answer.startswith(b"2")
    server.wait_closed()
    assert not server.log.calls("mail_from")
