"""What a session tells: who ended it and how, and which commands were pipelined."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pytest_smtpd import Rule, Session, SMTPServer, on
from tests.rfc.wire import Wire
from tests.server.talk import (
    ADA,
    BODY,
    DATA,
    HELLO,
    MAIL,
    Connect,
    Serve,
    codes,
    listen,
    script,
    to_data,
)

# --- ended ------


def quits(wire: Wire, server: SMTPServer) -> None:
    codes(wire, HELLO, "QUIT")


def closes(wire: Wire, server: SMTPServer) -> None:
    codes(wire, HELLO)
    wire.close()


def closes_its_side(wire: Wire, server: SMTPServer) -> None:
    codes(wire, HELLO)
    wire.finish()
    wire.rest()


def resets(wire: Wire, server: SMTPServer) -> None:
    codes(wire, HELLO)
    wire.reset()


def closes_amid_the_content(wire: Wire, server: SMTPServer) -> None:
    to_data(wire)
    wire.send(b"half")
    wire.close()


def says_noop(wire: Wire, server: SMTPServer) -> None:
    wire.send(b"NOOP\r\n")
    try:
        wire.rest()
    except ConnectionResetError:
        wire.close()


def is_silent(wire: Wire, server: SMTPServer) -> None:
    assert wire.reply().code == 421


def is_stopped(wire: Wire, server: SMTPServer) -> None:
    server.stop()


ENDINGS: dict[str, tuple[list[Rule], dict[str, Any], Any, str]] = {
    "QUIT": ([], {}, quits, "quit"),
    "QUIT with a rule": ([on("command", verb="QUIT", delay=0.001)], {}, quits, "quit"),
    "the client closes": ([], {}, closes, "client"),
    "the client closes its side": ([], {}, closes_its_side, "client"),
    "amid the content": ([], {}, closes_amid_the_content, "client"),
    "the client resets": ([], {}, resets, "client-reset"),
    "a reply of 421": ([on("command", verb="NOOP", reply=421)], {}, says_noop, "server"),
    "a drop": ([on("command", verb="NOOP", drop=True)], {}, says_noop, "server"),
    "a reset by a rule": ([on("command", verb="NOOP", drop="rst")], {}, says_noop, "server-reset"),
    "a time-out": ([], {"timeout": 0.05}, is_silent, "server"),
    "a stop": ([], {}, is_stopped, "stop"),
}


@pytest.mark.parametrize(("rules", "settings", "end", "ended"), ENDINGS.values(), ids=ENDINGS)
def test_a_session_tells_who_ended_it_and_how(
    serve: Serve, connect: Connect, rules: list[Rule], settings: dict[str, Any], end: Any, ended: str
) -> None:
    server = serve(*rules, **settings)
    wire = connect(server)
    session: Any = server.log.sessions()[0]
    assert (session.ended, session.closed) == (None, False)
    end(wire, server)
    wire.close()
    server.wait_closed()
    assert (session.ended, session.closed) == (ended, True)
    assert server.log.sessions(ended=ended) == [session]


@pytest.mark.parametrize(
    ("settings", "rules", "ended"),
    [
        ({"max_clients": 0}, [], "server"),
        ({}, [on("connect", reply=554)], "server"),
        ({"proxy_protocol": True}, [], "server"),
        ({"tls": "implicit"}, [], "server"),
    ],
    ids=["too many", "refused", "bad header", "clear text in place of a handshake"],
)
def test_a_client_that_is_sent_away_was_ended_by_the_server(
    serve: Serve, connect: Connect, settings: dict[str, Any], rules: list[Rule], ended: str
) -> None:
    server = serve(*rules, **settings)
    wire = connect(server, greet=False)
    if {"proxy_protocol", "tls"} & settings.keys():
        wire.send(b"no header\r\n")
    wire.rest()
    wire.close()
    server.wait_closed()
    assert server.log.sessions()[0].ended == ended


def test_the_close_hook_knows_how_the_session_ended(serve: Serve, connect: Connect) -> None:
    seen: list[Any] = []

    def close(session: Session) -> None:
        seen.append(session.ended)

    server = serve(on("close", call=close))
    codes(connect(server), "QUIT")
    connect(server).reset()
    server.wait_closed()
    assert sorted(seen) == ["client-reset", "quit"]


# --- pipelined ------


def test_a_command_that_waited_for_the_reply_before_it_is_not_pipelined(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    wire.send(script(ADA, "NOOP", DATA))
    assert listen(wire, 3) == [250, 250, 354]
    wire.send(script(BODY, MAIL, "QUIT"))
    assert listen(wire, 3) == [250, 250, 221]
    seen = [(call.argument.verb, call.argument.pipelined) for call in server.log.calls("command")]
    assert seen == [
        ("EHLO", False),
        ("MAIL", False),
        ("RCPT", False),
        ("NOOP", True),
        ("DATA", True),
        ("MAIL", True),
        ("QUIT", True),
    ]


def test_a_command_before_the_greeting_is_pipelined(serve: Serve, connect: Connect) -> None:
    go = threading.Event()
    server = serve(on("connect", call=lambda session: go.wait(5)))
    wire = connect(server, greet=False)
    wire.send(script(HELLO))
    server.catch_up()
    go.set()
    assert listen(wire, 2) == [220, 250]
    assert server.log.calls("command")[0].argument.pipelined


def test_a_command_that_comes_while_a_hook_is_pending_is_pipelined(serve: Serve, connect: Connect) -> None:
    entered, go = threading.Event(), threading.Event()

    def hook(*args: object) -> None:
        entered.set()
        go.wait(5)

    server = serve(on("mail_from", call=hook))
    wire = connect(server)
    codes(wire, HELLO)
    wire.send(script(MAIL))
    assert entered.wait(5)
    wire.send(script(ADA))
    server.catch_up()
    go.set()
    assert listen(wire, 2) == [250, 250]
    assert [call.argument.pipelined for call in server.log.calls("command")] == [False, False, True]
