"""A client that goes away, by FIN or by RST, at every octet: one ``close``, no hook after it, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.rfc.dialogue import Dialogue, Expect, Send
from tests.rfc.sasl import b64
from tests.rfc.wire import Connect, Serve, Wire, connect

if TYPE_CHECKING:
    from pytest_smtpd import Call, Session, SMTPServer, Stream

ENVELOPE = "C: MAIL FROM:<a@x>\nS: 250\nC: RCPT TO:<b@x>\nS: 250\n"
CONVERSATIONS = {
    "DATA": ({}, f"C: EHLO c\nS: 250\n{ENVELOPE}C: DATA\nS: 354\nC: S: x\nC: \nC: ..\nC: .\nS: 250\nC: QUIT\nS: 221"),
    "BDAT": ({}, f"C: EHLO c\nS: 250\n{ENVELOPE}C: BDAT 3\nC> a\\r\\n\nS: 250\nC: BDAT 2 LAST\nC> \\r\\n\nS: 250"),
    "AUTH": (
        {},
        f"C: EHLO c\nS: 250\nC: AUTH LOGIN\nS: 334\nC: {b64('ada')}\nS: 334\nC: {b64('pw')}\nS: 235\nC: RSET\nS: 250",
    ),
    "LMTP": (
        {"lmtp": True},
        f"C: LHLO c\nS: 250\n{ENVELOPE}C: RCPT TO:<b@x>\nS: 250\nC: DATA\nS: 354\nC: x\nC: .\nS: 250\nS: 250",
    ),
    "PROXY": ({"proxy_protocol": True}, "C> PROXY TCP4 192.0.2.7 192.0.2.8 1 25\\r\\n\nS: 220\nC: QUIT\nS: 221"),
}
STREAM_HOOKS: tuple[Any, ...] = ("connect", "auth", "mail_from", "rcpt_to", "close")


def steps(name: str) -> tuple[object, ...]:
    settings, script = CONVERSATIONS[name]
    every = Dialogue(name, "", "", script).steps
    return every[1:] if "proxy_protocol" in settings else every


def length(name: str) -> int:
    return sum(len(step.data) for step in steps(name) if isinstance(step, Send))


def talk(wire: Wire, name: str, octets: int) -> None:
    """The first so many octets of a conversation, in lockstep with the server's replies."""
    for step in steps(name):
        if isinstance(step, Expect):
            wire.reply()
        elif isinstance(step, Send):
            wire.send(step.data[:octets])
            if octets < len(step.data):
                return
            octets -= len(step.data)


def recorded(server: SMTPServer) -> dict[str, list[str]]:
    """Hooks of every kind, each noting the session it ran in."""
    seen: dict[str, list[str]] = {}

    def note(name: str, session: Session) -> None:
        seen.setdefault(session.id, []).append(name)

    def noting(name: str) -> Callable[..., str]:
        def hook(*args: Any) -> str:
            note(name, args[-1])
            return "user"

        return hook

    for name in STREAM_HOOKS:
        server.on(name)(noting(name))

    @server.on("data")
    async def read(stream: Stream, session: Session) -> None:
        note("data", session)
        await stream.aread()
        note("data read", session)

    return seen


def of_session(calls: list[Call], session: Session) -> list[Call]:
    return [call for call in calls if call.session is session]


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_abort_after_every_octet_is_a_clean_end(serve: Serve, client: Connect, name: str, how: str) -> None:
    """RFC 5321 section 4.1.1.5: "SMTP servers SHOULD be prepared for this condition"."""
    settings, _ = CONVERSATIONS[name]
    server = serve(**settings)
    seen = recorded(server)
    for octets in range(length(name)):
        wire = connect(server, greet=False)
        talk(wire, name, octets)
        (wire.close if how == "fin" else wire.reset)()
        server.wait_closed()
    sessions = list(server.log.sessions())
    calls = list(server.log)
    assert len(sessions) == length(name)
    for session in sessions:
        mine = of_session(calls, session)
        assert [call.hook for call in mine].count("close") == 1
        assert mine[-1].hook == "close"
        assert "pending" not in {call.outcome for call in mine}
        assert "error" not in {call.outcome for call in mine}
        assert session.closed
        assert seen[session.id].count("close") == 1
        assert seen[session.id][-1] == "close"
    with connect(server, greet=False) as wire:
        talk(wire, name, length(name))


@pytest.mark.parametrize("name", ["DATA", "BDAT", "LMTP"])
def test_message_is_kept_exactly_when_it_was_complete(serve: Serve, client: Connect, name: str) -> None:
    """Section 4.1.1.10: "the server MUST cancel any pending transaction, but not undo any previously completed"."""
    settings, script = CONVERSATIONS[name]
    server = serve(**settings)
    complete = length(name) - (len(b"QUIT\r\n") if "QUIT" in script else 0)
    for octets in range(complete - 12, length(name) + 1):
        server.clear()
        wire = connect(server, greet=False)
        talk(wire, name, octets)
        wire.finish()
        wire.rest()
        wire.close()
        server.wait_closed()
        assert len(server.envelopes) == (octets >= complete), octets
        if octets < complete:
            assert {call.outcome for call in server.log.calls("data")} <= {"dropped"}


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("stop", range(5))
def test_abort_under_tls_is_a_clean_end(serve: Serve, client: Connect, tls: str, stop: int, how: str) -> None:
    """Also without a close_notify, which a client that dies cannot send."""
    server = serve(tls=tls)
    seen = recorded(server)
    wire = client(server, greet=False)
    if tls == "starttls":
        wire.reply()
        wire.say("STARTTLS")
    wire.secure(server.client_context, server.host)
    if tls == "implicit":
        wire.reply()
    wire.steps(*("EHLO c", "MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")[:stop])
    (wire.close if how == "fin" else wire.reset)()
    server.wait_closed()
    hooks = [call.hook for call in server.log]
    assert hooks.count("close") == 1
    assert hooks[-1] == "close"
    assert [names[-1] for names in seen.values()] == ["close"]


def client_hello() -> bytes:
    """The first flight of a TLS client."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_abort_inside_the_handshake_is_a_clean_end(serve: Serve, client: Connect, tls: str, how: str) -> None:
    """A part of a ClientHello, then nothing."""
    server = serve(tls=tls)
    hello = client_hello()
    parts = [hello[:length] for length in range(0, len(hello), 23)]
    for part in parts:
        wire = client(server, greet=tls == "starttls")
        if tls == "starttls":
            wire.say("STARTTLS")
        wire.send(part)
        (wire.close if how == "fin" else wire.reset)()
        server.wait_closed()
    hooks = [call.hook for call in server.log]
    assert hooks.count("close") == len(parts)
    assert "secure" not in hooks


def test_hook_that_waits_for_content_is_told_that_the_client_left(serve: Serve, client: Connect) -> None:
    """A reading ``data`` hook gets the ``ConnectionError`` of its stream, and is over before ``close`` runs."""
    server = serve()
    order: list[str] = []

    @server.on("data")
    def read(stream: Stream, session: Session) -> None:
        try:
            stream.read()
        except ConnectionError:
            order.append("gone")
            raise

    @server.on("close")
    def close(session: Session) -> None:
        order.append("close")

    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")
    wire.send(b"some of it\r\n")
    wire.reset()
    server.wait_closed()
    assert order == ["gone", "close"]


def test_blocked_hook_of_a_client_that_left_runs_to_its_end(serve: Serve, client: Connect) -> None:
    """Its call counts as dropped; ``close`` waits for it, and no hook is passed in between."""
    server = serve()
    entered, release = threading.Event(), threading.Event()
    order: list[str] = []

    @server.on("rcpt_to")
    def slow(address: str, session: Session) -> None:
        entered.set()
        assert release.wait(5)
        order.append("rcpt_to")

    @server.on("close")
    def close(session: Session) -> None:
        if session.remote_port == port:
            order.append("close")

    wire = client(server, ehlo=True)
    _, port = wire.socket.getsockname()
    wire.send(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nRCPT TO:<c@x.example>\r\nDATA\r\n")
    assert entered.wait(5)
    wire.reset()
    with connect(server) as other:  # when it has been served, the server has seen the reset before it
        other.steps("NOOP", "QUIT")
    release.set()
    server.wait_closed()
    assert order == ["rcpt_to", "close"]
    assert [call.outcome for call in server.log.calls("rcpt_to")] == ["dropped"]


def test_waiting_async_hook_is_cancelled_when_the_client_leaves(serve: Serve, client: Connect) -> None:
    """ "A client that goes away cancels a pending hook"; no hook but ``close`` is passed after that."""
    server = serve()
    order: list[str] = []
    entered = threading.Event()

    @server.on("mail_from")
    async def wait(address: str, session: Session) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            order.append("cancelled")

    @server.on("close")
    def close(session: Session) -> None:
        order.append("close")

    wire = client(server, ehlo=True)
    wire.send(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\n")
    assert entered.wait(5)
    wire.reset()
    server.wait_closed()
    assert order == ["cancelled", "close"]
    assert [call.outcome for call in server.log.calls("mail_from")] == ["dropped"]
    assert not server.log.calls("rcpt_to")


@pytest.mark.skipif(sys.platform != "linux", reason="counts the entries of /proc/self/fd")
def test_no_descriptor_is_left(serve: Serve, client: Connect) -> None:
    """Nothing stays open after aborted connections, not even while the server runs on."""
    server = serve()
    connect(server).close()
    server.wait_closed()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for octets in (0, 10, 40, 60, 70):
        for end in (Wire.close, Wire.reset):
            wire = connect(server, greet=False)
            talk(wire, "DATA", octets)
            end(wire)
    server.wait_closed()
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208
