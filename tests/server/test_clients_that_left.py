"""What has arrived whole is decided, whether or not the client is still there to hear it, as every mail server does."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from pytest_smtpd import Session, SMTPServer, Stream, on
from tests.rfc.wire import TIMEOUT, Wire, connect

ENVELOPE = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"
CONTENT = b"Subject: x\r\n\r\ny\r\n"
WAYS: dict[str, tuple[dict[str, Any], bytes]] = {
    "DATA": ({}, b"EHLO c\r\n" + ENVELOPE + b"DATA\r\n" + CONTENT + b".\r\n"),
    "BDAT": ({}, b"EHLO c\r\n" + ENVELOPE + b"BDAT %d LAST\r\n" % len(CONTENT) + CONTENT),
    "LMTP": ({"lmtp": True}, b"LHLO c\r\n" + ENVELOPE + b"DATA\r\n" + CONTENT + b".\r\n"),
    "STARTTLS": ({}, b"EHLO c\r\n" + ENVELOPE + b"DATA\r\n" + CONTENT + b".\r\n"),
    "implicit TLS": ({"tls": "implicit"}, b"EHLO c\r\n" + ENVELOPE + b"DATA\r\n" + CONTENT + b".\r\n"),
}


def greeted(server: SMTPServer, way: str) -> Wire:
    """A client that may say EHLO."""
    wire = connect(server, greet=False)
    if way == "implicit TLS":
        wire.secure(server.client_context, server.host)
    wire.reply()
    if way == "STARTTLS":
        wire.steps("STARTTLS")
        wire.secure(server.client_context, server.host)
    return wire


def hook(*args: Any) -> None:
    pass


async def async_hook(*args: Any) -> None:
    await asyncio.sleep(0)


def reader(stream: Stream, session: Session) -> None:
    stream.read()


async def async_reader(stream: Stream, session: Session) -> None:
    await stream.aread()


SLOW: list[dict[str, Any]] = [
    {"delay": 3600},
    {"drip": 3600},
    {"reply": 250, "delay": 3600},
    {"call": hook},
    {"call": async_hook},
]
HOOKS = ["command", "mail_from", "rcpt_to", "data"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("how", SLOW, ids=lambda options: "-".join(f"{key}" for key in options))
@pytest.mark.parametrize("at", HOOKS)
def test_mail_of_a_client_that_closes_its_side_is_kept(at: Any, how: dict[str, Any], way: str) -> None:
    """``printf ... | nc -N host port``: such a client has nothing more to say, and that is all."""
    settings, data = WAYS[way]
    options = {"verb": "MAIL"} if at == "command" else {}
    with SMTPServer(**settings) as server, greeted(server, way) as client:
        server.on(at, **options, **how)
        client.send(data)
        client.finish()
        server.wait_closed()
        assert [envelope.content for envelope in server.envelopes] == [CONTENT]
        assert server.log.sessions()[0].ended == "client"


@pytest.mark.parametrize("read", [reader, async_reader])
@pytest.mark.parametrize("way", WAYS)
def test_a_hook_that_reads_gets_all_of_a_message_that_has_arrived(way: str, read: Any) -> None:
    settings, data = WAYS[way]
    with SMTPServer(on=[on("data", call=read)], **settings) as server, greeted(server, way) as client:
        client.send(data)
        client.finish()
        server.wait_closed()
        assert len(server.envelopes) == 1


def test_the_greeting_may_be_late_too() -> None:
    with SMTPServer(on=[on("connect", delay=3600)]) as server, connect(server, greet=False) as client:
        client.send(WAYS["DATA"][1])
        client.finish()
        server.wait_closed()
        assert len(server.envelopes) == 1
        assert [call.heard for call in server.log.calls("connect")] == [False]


@pytest.mark.parametrize("retries", [1, 2])
def test_a_server_slower_than_the_timeout_of_its_client_makes_a_duplicate(retries: int) -> None:
    """RFC 1047: the client cannot know that the server has the message."""
    with SMTPServer(on=[on("data", delay=3600)]) as server:
        for _ in range(retries + 1):
            client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
            client.ehlo()
            client.mail("a@example.com")
            client.rcpt("b@example.com")
            client.docmd("DATA")
            client.send(CONTENT + b".\r\n")
            assert client.sock is not None
            client.sock.settimeout(0.2)
            with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
                client.getreply()
            client.close()
        server.wait_closed(60)
        assert len(server.envelopes) == retries + 1
        assert [(call.outcome, call.code, call.heard) for call in server.log.calls("data")] == [
            ("accepted", 250, False)
        ] * (retries + 1)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_hook_runs_to_its_end_though_its_client_has_left(kind: str) -> None:
    """The client is gone, not only its half of the connection; and so it is for the hooks behind."""
    entered = threading.Event()
    wake: list[Callable[[], object]] = []
    seen: list[str] = []

    def wait(address: str, session: Session) -> None:
        left = threading.Event()
        wake.append(left.set)
        entered.set()
        assert left.wait(TIMEOUT)
        seen.append("waited")

    async def wait_async(address: str, session: Session) -> None:
        left = asyncio.Event()
        wake.append(partial(asyncio.get_running_loop().call_soon_threadsafe, left.set))
        entered.set()
        await left.wait()
        seen.append("waited")

    def note(address: str, session: Session) -> None:
        seen.append(address)

    rules = [on("mail_from", call=wait if kind == "def" else wait_async), on("rcpt_to", call=note)]
    with SMTPServer(on=rules) as server:
        client = connect(server, ehlo=True)
        client.send(ENVELOPE + b"DATA\r\n" + CONTENT + b".\r\nQUIT\r\n")
        assert entered.wait(TIMEOUT)
        client.close()
        with connect(server) as other:  # when it has been served, the server has seen the other leave
            other.steps("NOOP", "QUIT")
        wake[0]()
        server.wait_closed()
        assert seen == ["waited", "b@example.com"]
        assert [envelope.accepted for envelope in server.log.envelopes()] == [True]
        assert [call.outcome for call in server.log.calls("mail_from")] == ["accepted"]
        assert {call.heard for call in server.log.calls("mail_from")} == {False}


@pytest.mark.parametrize("refusal", [{"reply": 550}, {"reply": 550, "delay": 3600}])
def test_a_refusal_stands_too(refusal: dict[str, Any]) -> None:
    with SMTPServer(on=[on("data", **refusal)]) as server, connect(server) as client:
        client.send(WAYS["DATA"][1])
        client.finish()
        server.wait_closed()
        assert [(one.accepted, one.reply and one.reply.code) for one in server.log.envelopes()] == [(False, 550)]


def test_a_fault_behind_an_accepted_message_need_not_be_waited_for() -> None:
    rule = on("data", accept=True, reply=451, linger=3600, drop="rst")
    with SMTPServer(on=[rule]) as server, connect(server) as client:
        client.send(WAYS["DATA"][1])
        client.finish()
        server.wait_closed()
        assert len(server.envelopes) == 1


@pytest.mark.parametrize("at", HOOKS)
def test_a_hang_ends_when_the_client_closes(at: Any) -> None:
    with SMTPServer(on=[on(at, hang=True)]) as server, connect(server) as client:
        client.send(WAYS["DATA"][1])
        client.finish()
        server.wait_closed()
        assert not server.envelopes
        assert [call.outcome for call in server.log.calls(at)] == ["hung"]


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_content_that_will_never_be_whole_is_a_connection_error_of_the_stream(kind: str, how: str) -> None:
    entered = threading.Event()
    seen: list[str] = []

    def read(stream: Stream, session: Session) -> None:
        entered.set()
        try:
            stream.read()
        except ConnectionError as error:
            seen.append(type(error).__name__)
            raise

    async def read_async(stream: Stream, session: Session) -> None:
        entered.set()
        try:
            await stream.aread()
        except ConnectionError as error:
            seen.append(type(error).__name__)
            raise

    with SMTPServer(on=[on("data", call=read if kind == "def" else read_async)]) as server:
        client = connect(server, ehlo=True)
        client.steps("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA")
        client.send(CONTENT)
        assert entered.wait(TIMEOUT)
        (client.close if how == "fin" else client.reset)()
        server.wait_closed()
        assert seen == ["ConnectionError"]
        assert [call.outcome for call in server.log.calls("data")] == ["dropped"]


@pytest.fixture
def deaf() -> Iterator[tuple[SMTPServer, socket.socket]]:
    """A client that has sent many commands and a mail, and reads nothing, so that the server cannot send any more."""
    with SMTPServer() as server:
        client = socket.create_connection(server.address, timeout=TIMEOUT)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"EHLO c\r\n" * 40_000 + WAYS["DATA"][1])
        yield server, client
        client.close()


@pytest.mark.parametrize("closes_its_side_first", [False, True])
def test_a_client_that_never_reads_is_served_when_it_is_gone(
    deaf: tuple[SMTPServer, socket.socket], closes_its_side_first: bool
) -> None:
    """There is nobody left whose replies would have to wait."""
    server, client = deaf
    if closes_its_side_first:
        client.shutdown(socket.SHUT_WR)
    server.catch_up()
    assert not server.envelopes
    client.close()
    server.wait_closed(60)
    assert len(server.envelopes) == 1
