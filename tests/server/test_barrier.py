"""Emptying the log, and the end of a test, wait for what clients have sent by then, and for nothing else."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from pytest_smtpd import Log, Session, SMTPServer, on
from tests.rfc.wire import TIMEOUT, connect

ENVELOPE = b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n"
MESSAGE = ENVELOPE + b"DATA\r\nSubject: x\r\n\r\ny\r\n.\r\n"


def half_closed(server: SMTPServer, data: bytes) -> socket.socket:
    """A client that sends all at once, closes its side, and reads nothing."""
    client = socket.create_connection(server.address, timeout=TIMEOUT)
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    return client


@pytest.mark.parametrize("attempt", range(20))
def test_the_log_that_is_emptied_holds_all_that_clients_have_sent(attempt: int) -> None:
    with SMTPServer() as server:
        clients = [half_closed(server, MESSAGE) for _ in range(5)]
        past = server.clear()
        assert len(past.envelopes(accepted=True)) == 5
        for client in clients:
            client.close()
        server.wait_closed()
        assert not server.envelopes


def test_many_commands_in_one_go_are_all_processed() -> None:
    """One client takes turns with others, and its last turn counts too."""
    rule = on("command", verb="QUIT", reply=221)
    with SMTPServer(on=[rule]) as server:
        with half_closed(server, b"NOOP\r\n" * 5000 + b"QUIT\r\n"):
            past = server.clear()
        assert [call.argument.verb for call in past.calls("command")] == ["NOOP"] * 5000 + ["QUIT"]


@pytest.mark.parametrize("attempt", range(20))
def test_a_client_that_nobody_has_accepted_yet_is_waited_for(attempt: int) -> None:
    with SMTPServer() as server:
        half_closed(server, MESSAGE + b"QUIT\r\n").close()
        server.wait_closed()
        assert len(server.log.sessions()) == 1


def test_a_delay_is_not_waited_for() -> None:
    with SMTPServer(on=[on("mail_from", delay=3600)]) as server, connect(server) as client:
        client.send(MESSAGE)
        past = server.clear()
        assert [call.outcome for call in past.calls("mail_from")] == ["pending"]


def test_what_was_sent_behind_a_delay_is_in_the_log_in_which_it_was_sent() -> None:
    """Also what is dropped later; what is sent later is in the next one."""
    with SMTPServer() as server, connect(server, ehlo=True) as client:
        with server.on("command", verb="NOOP", delay=0.2):
            client.send(b"NOOP\r\n" + MESSAGE)
            past = server.clear()
            past_again = server.clear()
        replies = [client.reply().code for _ in range(6)]
        assert replies == [250, 250, 250, 250, 354, 250]
        assert len(past.envelopes()) == 1
        assert not list(past_again)
        assert not list(server.log)
        client.steps("MAIL FROM:<c@example.com>")
        assert [call.hook for call in server.log] == ["command", "mail_from"]
        assert [str(call.argument) for call in past.calls("mail_from")] == ["a@example.com"]


@pytest.mark.parametrize("kind", ["def", "async def", "when"])
def test_a_hook_may_empty_the_log_though_it_cannot_wait_for_itself(kind: str) -> None:
    """What its client had sent behind it belongs to the log that it has emptied, what comes later does not."""
    past: list[Log] = []

    def clear(*args: Any) -> bool:
        past.append(server.clear())
        return True

    async def clear_async(*args: Any) -> None:
        clear()

    rules = {
        "def": on("rcpt_to", call=clear),
        "async def": on("rcpt_to", call=clear_async),
        "when": on("rcpt_to", when=clear, reply=250),
    }
    with SMTPServer(on=[rules[kind]]) as server, connect(server) as client:
        client.send(MESSAGE)
        assert [client.reply().code for _ in range(5)] == [250, 250, 250, 354, 250]
        assert len(past[0].calls("data")) == 1
        assert not list(server.log)
        client.steps("MAIL FROM:<c@example.com>")
        assert [call.hook for call in server.log] == ["command", "mail_from"]


def test_a_hook_that_blocks_does_not_keep_anybody_from_emptying_the_log() -> None:
    go, entered = threading.Event(), threading.Event()

    def block(address: str, session: Session) -> None:
        entered.set()
        go.wait()

    with SMTPServer(on=[on("mail_from", call=block)]) as server, connect(server) as client:
        client.send(MESSAGE)
        assert entered.wait(TIMEOUT)
        past = server.clear()
        go.set()
        assert [client.reply().code for _ in range(5)] == [250, 250, 250, 354, 250]
        assert [call.outcome for call in past.calls("mail_from")] == ["accepted"]
        assert not list(server.log)


def test_a_blocked_loop_does_not_keep_anybody_from_emptying_the_log() -> None:
    go, entered = threading.Event(), threading.Event()

    def block(call: Any) -> bool:
        entered.set()
        return not go.wait()

    with SMTPServer(on=[on("mail_from", when=block, reply=550)]) as server, connect(server) as client:
        client.send(MESSAGE)
        assert entered.wait(TIMEOUT)
        past = server.clear()
        assert past.calls("mail_from")
        assert not list(server.log)
        go.set()


def test_a_stopped_server_can_be_emptied() -> None:
    with SMTPServer() as server:
        half_closed(server, MESSAGE).close()
        server.wait_for()
        server.stop()
        assert len(server.clear().envelopes()) == 1
        assert not server.envelopes
