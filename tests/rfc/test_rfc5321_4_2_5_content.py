"""RFC 5321 sections 3.3 and 4.2.5: who answers the content, and when; one client is no concern of the others."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.rfc.wire import Connect, Serve, connect

if TYPE_CHECKING:
    from pytest_smtpd import Session, SMTPServer, Stream
    from tests.rfc.wire import Wire

LONG = b"".join(b"%07d\r\n" % number for number in range(20_000))
TO_DATA = ("EHLO c", "MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA")


def said_nothing(wire: Wire) -> bool:
    """Nothing comes for a fifth of a second."""
    wire.socket.settimeout(0.2)
    try:
        wire.reply()
    except TimeoutError:
        return True
    finally:
        wire.socket.settimeout(5)
    return False


def hasty(server: SMTPServer, answer: object, finished: threading.Event) -> None:
    """A ``data`` hook that decides without reading."""

    @server.on("data")
    def hook(stream: Stream, session: Session) -> Any:
        finished.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_hook_that_decides_early_is_heard_at_the_end(
    serve: Serve, client: Connect, refuses: bool, chunked: bool
) -> None:
    """Section 3.3: the reply follows "the end of mail data indication"; RFC 3030: "accept and discard ... before
    sending". What the hook leaves unread is read for it.
    """
    from pytest_smtpd import Reject

    server, finished = serve(), threading.Event()
    hasty(server, Reject(554, "5.7.1 no") if refuses else "2.6.0 yes", finished)
    wire = client(server)
    wire.steps(*TO_DATA[: 3 if chunked else 4])
    wire.send(b"BDAT %d LAST\r\n" % len(LONG) * chunked + LONG[:100])
    assert finished.wait(5)
    assert said_nothing(wire)
    wire.send(LONG[100:] + b".\r\n" * (not chunked))
    assert wire.reply().code == (554 if refuses else 250)
    assert wire.say("NOOP").code == 250
    assert [mail.content for mail in server.envelopes] == ([] if refuses else [LONG])


@pytest.mark.parametrize("style", ["read", "for", "aread", "async for"])
def test_hook_reads_the_content_unstuffed(serve: Serve, client: Connect, style: str) -> None:
    """Section 4.5.2, as the stream shows it: with the doubled dots removed and nothing else changed."""
    server = serve()
    seen: list[bytes] = []

    def read(stream: Stream, session: Session) -> None:
        seen.append(stream.read() if style == "read" else b"".join(stream))
        assert stream.size == len(seen[0])
        assert not stream.size_exceeded

    async def aread(stream: Stream, session: Session) -> None:
        seen.append(await stream.aread() if style == "aread" else b"".join([chunk async for chunk in stream]))
        await asyncio.sleep(0)

    server.on("data")(aread if style in ("aread", "async for") else read)
    wire = client(server)
    wire.steps(*TO_DATA)
    wire.send(b"..a\r\n" + LONG + b"..\r\n.\r\n")
    assert wire.reply().code == 250
    assert seen == [b".a\r\n" + LONG + b".\r\n"]


def test_hook_sees_content_before_it_is_complete(serve: Serve, client: Connect) -> None:
    """The stream is fed while the client sends."""
    server = serve()
    first = threading.Event()

    @server.on("data")
    def hook(stream: Stream, session: Session) -> None:
        for _ in stream:
            first.set()

    wire = client(server)
    wire.steps(*TO_DATA)
    wire.send(LONG[:5000])
    assert first.wait(5)
    wire.send(LONG[5000:] + b".\r\n")
    assert wire.reply().code == 250
    assert server.one().content == LONG


def test_blocked_hook_keeps_no_other_client_waiting(serve: Serve, client: Connect) -> None:
    """ "Different connections do not wait for each other"."""
    server = serve()
    entered, release = threading.Event(), threading.Event()

    @server.on("mail_from", mail_from="slow@*")
    def hook(address: str, session: Session) -> None:
        entered.set()
        assert release.wait(5)

    with connect(server, ehlo=True) as slow, connect(server) as quick:
        slow.send(b"MAIL FROM:<slow@x.example>\r\n")
        assert entered.wait(5)
        quick.steps(*TO_DATA, "x\r\n.", "QUIT")
        assert len(server.envelopes) == 1
        release.set()
        assert slow.reply().code == 250


def test_broken_client_harms_only_its_own_connection(serve: Serve, client: Connect) -> None:
    """Octets of every kind, then a reset, while another client delivers its mail."""
    server = serve()
    with connect(server) as good:
        for start in range(0, 256, 32):
            with connect(server) as bad:
                bad.send(bytes(range(start, start + 32)) * 50 + b"\r\n")
                bad.reset()
        good.steps(*TO_DATA, "x\r\n.", "QUIT")
    server.wait_closed()
    assert server.one().content == b"x\r\n"


@pytest.mark.parametrize("result", [["2.6.0 one"], ("2.6.0 one",), 250, True, b"2.6.0 octets"], ids=repr)
def test_result_that_is_none_is_the_tests_bug(result: object) -> None:
    """In SMTP a ``data`` hook returns None or a text; anything else is the test's error, and a 451."""
    from pytest_smtpd import SMTPServer

    code = 0
    with pytest.raises(Exception) as caught, SMTPServer() as server:  # noqa: PT012
        hasty(server, result, threading.Event())
        with connect(server) as wire:
            wire.steps(*TO_DATA)
            code = wire.say("x\r\n.").code
    assert code == 451
    assert not isinstance(caught.value, AssertionError)


def test_message_refused_after_the_dot_is_not_kept_but_logged(serve: Serve, client: Connect) -> None:
    """Section 4.2.5: after a 4yz or 5yz "it MUST NOT make a subsequent attempt to deliver that message"."""
    from pytest_smtpd import on

    server = serve(on=[on("data", reply=451, times=1)])
    wire = client(server)
    wire.steps(*TO_DATA)
    assert wire.say("x\r\n.").code == 451
    wire.steps(*TO_DATA[1:], "y\r\n.")
    assert [mail.content for mail in server.envelopes] == [b"y\r\n"]
    refused, accepted = server.log.envelopes()
    assert (refused.accepted, refused.content) == (False, b"x\r\n")
    assert refused.reply == 451
    assert accepted.accepted


HOW = pytest.mark.parametrize(("head", "end"), [("DATA\r\n", ".\r\n"), ("BDAT 10 LAST\r\n", "")], ids=["DATA", "BDAT"])


@HOW
@pytest.mark.parametrize("code", [250, 354, 452, 552])
def test_reply_in_passing_decides_nothing(serve: Serve, client: Connect, head: str, end: str, code: int) -> None:
    """ "The early answer is said in passing, the rest arrives, is kept and answered as usual"."""
    from pytest_smtpd import on

    server = serve(on=[on("data", reply=code, after=3, accept=True)])
    wire = client(server)
    wire.steps(*TO_DATA[:3])
    wire.send(f"{head}01234567\r\n{end}QUIT\r\n".encode())
    assert [wire.reply().code for _ in range(2 + bool(end))][-2:] == [code, 250]
    assert wire.reply().code == 221
    assert server.one().content == b"01234567\r\n"
    assert server.log.calls("data")[0].outcome == "accepted"


@HOW
@pytest.mark.parametrize("code", [354, 452, 552])
def test_early_reply_that_does_not_accept_ends_the_message(
    serve: Serve, client: Connect, head: str, end: str, code: int
) -> None:
    """Section 4.2.1: only a 2yz says that "the requested action has been successfully completed"."""
    from pytest_smtpd import on

    server = serve(on=[on("data", reply=code, after=3)])
    wire = client(server)
    wire.steps(*TO_DATA[:3])
    wire.send(f"{head}01234567\r\n{end}QUIT\r\n".encode())
    assert [wire.reply().code for _ in range(1 + bool(end))][-1] == code
    assert wire.reply().code == 221
    assert wire.rest() == b""
    (envelope,) = server.log.envelopes()
    assert not envelope.accepted
    assert envelope.reply == code
