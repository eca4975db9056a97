"""Handshakes that fail, and TLS sessions that break: why is known, and none of it is a mistake of the server."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
import threading
from collections.abc import Callable
from typing import Any, Self

import pytest

from pytest_smtpd import Session, SMTPServer, on
from tests.rfc.wire import TIMEOUT, Wire, connect

MODES = pytest.mark.parametrize("tls", ["starttls", "implicit"])


def before_the_handshake(server: SMTPServer) -> Wire:
    wire = connect(server, greet=False)
    if server.settings.tls == "starttls":
        wire.reply()
        wire.steps("STARTTLS")
    return wire


def hello(server: SMTPServer) -> bytes:
    """The first flight of a client."""
    outgoing = ssl.MemoryBIO()
    client = server.client_context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


# --- handshakes that fail -------------------------------------------------------------------------------------------


def distrusts(server: SMTPServer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError), before_the_handshake(server) as wire:
        wire.secure(ssl.create_default_context(cadata=None), server.host)


def distrusts_with_asyncio(server: SMTPServer) -> None:
    """Its transport is aborted without a word."""

    async def try_it() -> None:
        wire = before_the_handshake(server)
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(sock=wire.socket, ssl=ssl.create_default_context(), server_hostname="h")

    asyncio.run(try_it())


def distrusts_with_smtplib(server: SMTPServer) -> None:
    context = ssl.create_default_context()
    if server.settings.tls == "implicit":
        with pytest.raises(ssl.SSLCertVerificationError):
            smtplib.SMTP_SSL(server.host, server.port, context=context, timeout=TIMEOUT)
        return
    client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    with pytest.raises(ssl.SSLCertVerificationError):
        client.starttls(context=context)
    client.close()


def speaks_no_tls(server: SMTPServer) -> None:
    with before_the_handshake(server) as wire:
        wire.send(b"EHLO client.example\r\n")
        with contextlib.suppress(ConnectionError):
            wire.rest()


def leaves(server: SMTPServer) -> None:
    before_the_handshake(server).close()


def leaves_amid_its_hello(server: SMTPServer) -> None:
    with before_the_handshake(server) as wire:
        wire.send(hello(server)[:50])


def leaves_behind_its_hello(server: SMTPServer) -> None:
    with before_the_handshake(server) as wire:
        wire.send(hello(server))
        wire.receive()


def closes_its_side(server: SMTPServer) -> None:
    with before_the_handshake(server) as wire:
        wire.send(hello(server)[:50])
        wire.finish()
        wire.rest()


def resets(server: SMTPServer) -> None:
    wire = before_the_handshake(server)
    wire.send(hello(server)[:50])
    wire.reset()


def says_goodbye(server: SMTPServer) -> None:
    """A close_notify alert in place of a hello."""
    with before_the_handshake(server) as wire:
        wire.send(bytes.fromhex("15 0303 0002 01 00"))
        with contextlib.suppress(ConnectionError):
            wire.rest()


def is_too_old(server: SMTPServer) -> None:
    context = server.client_context
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError), before_the_handshake(server) as wire:
        wire.secure(context, server.host)


FAILING = [
    distrusts,
    distrusts_with_asyncio,
    distrusts_with_smtplib,
    speaks_no_tls,
    leaves,
    leaves_amid_its_hello,
    leaves_behind_its_hello,
    closes_its_side,
    resets,
    says_goodbye,
    is_too_old,
]


@MODES
@pytest.mark.parametrize("fail", FAILING)
def test_why_a_handshake_failed_is_known_when_the_connection_has_ended(
    tls: Any, fail: Callable[[SMTPServer], None]
) -> None:
    """Also where the client just left. Several times, because it was so in most runs only."""
    with SMTPServer(tls=tls) as server:
        for _ in range(5):
            fail(server)
            server.wait_closed()
            session = server.log.sessions()[-1]
            assert session.tls_error
            assert not session.secure
            assert [call.hook for call in server.log][-1] == "close"


def test_a_client_without_the_certificate_that_is_required_has_a_reason_too() -> None:
    """In TLS 1.3 its own handshake is complete before the server's has failed."""
    with SMTPServer(tls="implicit", client_certificate="required") as server:
        for _ in range(5):
            with before_the_handshake(server) as wire, contextlib.suppress(ssl.SSLError, ConnectionError):
                wire.secure(server.client_context, server.host)
                wire.rest()
            server.wait_closed()
            assert "CERTIFICATE" in str(server.log.sessions()[-1].tls_error)


@MODES
def test_a_handshake_that_succeeded_has_no_error(tls: Any) -> None:
    """Even if the client then leaves without a close_notify."""
    with SMTPServer(tls=tls) as server:
        with before_the_handshake(server) as wire:
            wire.secure(server.client_context, server.host)
            wire.send(b"NOOP\r\n")
            wire.receive()
        server.wait_closed()
        assert [(session.tls_error, session.secure) for session in server.log.sessions()] == [(None, True)]


# --- sessions that break --------------------------------------------------------------------------------------------


class Secured:
    """A client that has its records in its hand before they go out."""

    def __init__(self, server: SMTPServer) -> None:
        self.wire = before_the_handshake(server)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = server.client_context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.wire.send(self._outgoing.read())
                self._incoming.write(self.wire.receive())
            else:
                break
        self.wire.send(self._outgoing.read())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.wire.close()

    def record(self, plaintext: bytes) -> bytes:
        self._tls.write(plaintext)
        return self._outgoing.read()

    def goodbye(self) -> bytes:
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        return self._outgoing.read()

    def rest(self) -> None:
        """Everything up to the end of the connection."""
        with contextlib.suppress(ConnectionResetError):
            self.wire.rest()


GARBAGE = bytes.fromhex("17 0303 0013") + b"not an encrypted..."
BROKEN = {
    "a record that is no ciphertext": GARBAGE,
    "no record at all": b"QUIT\r\n" * 10,
    "an alert in clear": bytes.fromhex("15 0303 0002 02 50"),
    "a record that is too long": bytes.fromhex("17 0303 ffff") + b"x" * 100,
}


@MODES
@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("commands", [b"NOOP\r\n", b"NOOP\r\nQUIT\r\n", b"EHLO c\r\nNOOP\r\n", b"MAIL FROM:<a@x>\r\n"])
def test_a_broken_record_behind_a_good_one_breaks_the_session_and_nothing_else(
    tls: Any, commands: bytes, broken: str
) -> None:
    with SMTPServer(tls=tls) as server:
        with Secured(server) as client:
            client.wire.send(client.record(commands) + BROKEN[broken])
            client.rest()
        server.wait_closed()
        session = server.log.sessions()[0]
        assert session.tls_error
        assert list(session.commands)[-commands.count(b"\r\n") :] == [
            line.split()[0].decode() for line in commands.splitlines()
        ]
        server.verify()


@pytest.mark.parametrize("broken", BROKEN)
def test_a_message_in_front_of_a_broken_record_is_kept(broken: str) -> None:
    """It has arrived whole, and nobody is told so."""
    mail = b"EHLO c\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\n"
    with SMTPServer(tls="implicit") as server:
        with Secured(server) as client:
            client.wire.send(client.record(mail) + BROKEN[broken])
            client.rest()
        server.wait_closed()
        assert len(server.envelopes) == 1
        server.verify()


@pytest.mark.parametrize("kind", ["def", "async def", "delay"])
def test_a_record_that_breaks_the_session_while_a_hook_is_pending(kind: str) -> None:
    """The reply cannot be sent any more."""
    go, entered = threading.Event(), threading.Event()

    def wait(address: str, session: Session) -> None:
        entered.set()
        assert go.wait(TIMEOUT)

    async def wait_async(address: str, session: Session) -> None:
        await asyncio.to_thread(wait, address, session)

    rules: dict[str, dict[str, Any]] = {
        "def": {"call": wait},
        "async def": {"call": wait_async},
        "delay": {"delay": 3600},
    }
    with SMTPServer(tls="implicit", on=[on("mail_from", **rules[kind])]) as server:
        with Secured(server) as client:
            client.wire.send(client.record(b"EHLO c\r\nMAIL FROM:<a@x>\r\n"))
            if kind != "delay":
                assert entered.wait(TIMEOUT)
            client.wire.send(GARBAGE)
            client.wire.finish()
            with Secured(server):  # once a later client is served, what came before has been read
                go.set()
            client.rest()
        server.wait_closed()
        assert server.log.sessions()[0].tls_error
        assert [call.heard for call in server.log.calls("mail_from")] == [False]
        server.verify()


@MODES
def test_a_goodbye_behind_a_command_is_no_error(tls: Any) -> None:
    with SMTPServer(tls=tls) as server:
        with Secured(server) as client:
            client.wire.send(client.record(b"NOOP\r\n") + client.goodbye())
            client.rest()
        server.wait_closed()
        session = server.log.sessions()[0]
        assert session.commands[-1] == "NOOP"
        assert session.tls_error is None
        server.verify()


@pytest.mark.parametrize("rule", [{"drop": True}, {"drop": "rst"}, {"raw": b"250 ok\r\n"}, {"reply": 421}])
def test_rules_behind_a_broken_record_do_no_harm(rule: dict[str, Any]) -> None:
    with SMTPServer(tls="implicit", on=[on("command", verb="NOOP", **rule)]) as server:
        with Secured(server) as client:
            client.wire.send(client.record(b"NOOP\r\n") + GARBAGE)
            client.rest()
        server.wait_closed()
        server.verify()
