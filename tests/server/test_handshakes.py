"""Rules and hooks around a TLS handshake, and what the session tells of one that failed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import smtplib
import socket
import ssl
import time
from typing import Any

import pytest

from pytest_smtpd import Call, Reject, Rule, Session, SMTPServer, TLSInfo, on
from tests.rfc.wire import TELLS_NO_CUT, Wire
from tests.server.talk import (
    HELLO,
    STARTTLS,
    Connect,
    Serve,
    codes,
    last,
    mistakes,
    points,
    used,
)

WAYS_TO_TLS = pytest.mark.parametrize("tls", ["starttls", "implicit"])


def to_handshake(server: SMTPServer, connect: Connect) -> Wire:
    """A client that may begin its handshake."""
    if server.settings.tls == "implicit":
        return connect(server, greet=False)
    wire = connect(server)
    assert codes(wire, HELLO, STARTTLS) == [250, 220]
    return wire


def client_hello() -> bytes:
    """The first flight of a TLS client."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def answer_to_client_hello(server: SMTPServer, connect: Connect) -> bytes:
    """All that the server says to it. A reset may come at any time, even amid the client's connect().

    Not with wrap_socket(): where the reset is there before it, Python's ssl leaves its new socket open.
    """
    with contextlib.suppress(OSError):
        wire = connect(server, greet=False)
        wire.send(client_hello())
        return wire.rest()
    return b""


# --- before the handshake of implicit TLS ------


BEFORE: list[tuple[list[Rule], int | None]] = [
    ([on("connect", drop=True)], 0),
    ([on("connect", drop="rst")], 0),
    ([on("connect", drop=True, delay=0.01)], 0),
    ([on("connect", delay=60), on("connect", drop=True)], 1),
    ([on("connect", reply=421, name="other"), on("connect", drop=True)], 1),
    ([on("connect", reply=421, skip=1), on("connect", drop=True)], 1),
    ([on("connect", reply=421, drop=True)], None),
    ([on("connect", reply=421)], None),
    ([on("connect", drop=True, skip=1)], None),
    ([on("connect", drop=True, name="other")], None),
    ([on("connect", reply=421), on("connect", drop=True)], None),
]


@pytest.mark.parametrize(("rules", "place"), BEFORE)
def test_only_a_drop_on_connect_comes_before_the_handshake(
    serve: Serve, connect: Connect, rules: list[Rule], place: int | None
) -> None:
    server = serve(*rules, tls="implicit")
    if place is None:
        wire = connect(server, greet=False)
        wire.secure(server.client_context, "localhost")
        assert wire.reply().code in (220, 421)
        return
    assert answer_to_client_hello(server, connect) == b""
    server.wait_closed()
    assert points(server) == "connect close"
    assert (last(server, "connect").outcome, last(server, "connect").rule) == ("dropped", server.rules[place])
    assert used(server.rules) == [int(n == place) for n in range(len(rules))]


def test_a_rule_behind_the_handshake_may_ask_for_what_it_has_shown(serve: Serve, connect: Connect) -> None:
    server = serve(
        on("connect", when=lambda call: call.session.tls.version == "TLSv1.3", reply=421),
        on("connect", drop=True),
        tls="implicit",
    )
    wire = connect(server, greet=False)
    wire.secure(server.client_context, "localhost")
    assert wire.reply().code == 421


def test_under_implicit_tls_the_order_is_connect_secure_greeting(serve: Serve, connect: Connect) -> None:
    server = serve(tls="implicit")
    wire = connect(server, greet=False)
    server.catch_up()
    assert points(server) == ""
    wire.secure(server.client_context, "localhost")
    wire.reply()
    assert points(server) == "connect secure"
    assert [(call.code, call.outcome) for call in server.log] == [(220, "accepted"), (None, "accepted")]


# --- amid any handshake ------


AMID: list[tuple[dict[str, Any], int, str | None]] = [
    ({"drop": True, "after": 100}, 99, None),
    ({"drop": True, "after": 100}, 100, "dropped"),
    ({"drop": True, "after": 100}, 300, "dropped"),
    ({"drop": True, "after": 100, "delay": 0.01}, 100, "dropped"),
    ({"hang": True, "after": 100}, 100, "hung"),
    ({"raw": b"250 junk\r\n", "after": 0}, 0, "accepted"),
    ({"drop": True, "after": 100, "skip": 1}, 100, None),
    ({"drop": True, "after": 100, "name": "other"}, 100, None),
    ({"drop": True}, 300, None),
]


@WAYS_TO_TLS
@pytest.mark.parametrize(("options", "received", "outcome"), AMID)
def test_a_rule_on_secure_acts_after_so_many_bytes_of_the_handshake(
    serve: Serve, connect: Connect, options: dict[str, Any], received: int, outcome: str | None, tls: str
) -> None:
    server = serve(on("secure", **options), tls=tls)
    wire = to_handshake(server, connect)
    wire.send(client_hello()[:received])
    server.catch_up()
    if outcome is None:
        assert server.log.calls("secure") == []
        assert used(server.rules) == [0]
        return
    (call,) = server.log.wait_for("secure", outcome=outcome)
    assert (call.rule, type(call.argument)) == (server.rules[0], TLSInfo)
    if outcome == "dropped":
        assert wire.rest() == b""
    elif outcome == "accepted":
        assert wire.read_line() == b"250 junk\r\n"


def test_a_rule_acts_once_in_a_handshake_and_is_no_answer_to_its_end(serve: Serve, connect: Connect) -> None:
    server = serve(on("secure", after=5, raw=b"", delay=0.01), on("secure", after=9, raw=b""), tls="implicit")
    wire = connect(server, greet=False)
    wire.secure(server.client_context, "localhost")
    assert wire.reply().code == 220
    assert used(server.rules) == [1, 1]
    assert [call.rule for call in server.log.calls("secure")] == [*server.rules, None]


@WAYS_TO_TLS
def test_skip_counts_handshakes_where_a_rule_acts_amid_them(serve: Serve, connect: Connect, tls: str) -> None:
    server = serve(on("secure", after=5, drop=True, skip=1, times=1), tls=tls)
    outcomes = []
    for _ in range(3):
        wire = to_handshake(server, connect)
        try:
            wire.secure(server.client_context, "localhost")
            outcomes.append("secured")
        except (ssl.SSLError, OSError):
            outcomes.append("dropped")
    assert outcomes == ["secured", "dropped", "secured"]
    assert used(server.rules) == [1]


@pytest.mark.parametrize(
    ("rule", "tls"),
    [
        (on("connect", drop=True, when=lambda call: 1 / 0), "implicit"),
        (on("connect", drop="rst", name=lambda name: 1 / 0), "implicit"),
        (on("secure", drop=True, when=lambda call: 1 / 0, after=4), "implicit"),
        (on("secure", raw=b"\x15", when=lambda call: 1 / 0, after=0), "starttls"),
    ],
)
def test_a_mistake_in_a_match_amid_the_handshake_closes_and_is_told(
    serve: Serve, connect: Connect, rule: Rule, tls: str
) -> None:
    server = serve(rule, tls=tls)
    wire = to_handshake(server, connect)
    wire.send(client_hello()[:20])
    assert wire.rest() == b""
    server.wait_closed()
    assert [type(error) for error in mistakes(server)] == [ZeroDivisionError]
    assert (last(server, rule.hook).outcome, last(server, rule.hook).rule) == ("error", server.rules[0])
    assert used(server.rules) == [0]


# --- behind it: what is said at secure ------


@WAYS_TO_TLS
@pytest.mark.parametrize(
    ("reject", "told"),
    [
        (Reject(), b""),
        (Reject(550, "5.7.1 Not you"), b"550 5.7.1 Not you\r\n"),
        (Reject(550), b"550 5.7.0 Mailbox unavailable\r\n"),
        (Reject(message="5.7.4 No"), b"554 5.7.4 No\r\n"),
    ],
)
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_the_words_of_a_refusal_at_secure_are_said_before_the_connection_closes(
    serve: Serve, connect: Connect, reject: Reject, told: bytes, tls: str, kind: str
) -> None:
    def plain(tls: TLSInfo, session: Session) -> None:
        raise reject

    async def asynchronous(tls: TLSInfo, session: Session) -> None:
        await asyncio.sleep(0)
        raise reject

    server = serve(on("secure", call=plain if kind == "def" else asynchronous), tls=tls)
    wire = to_handshake(server, connect)
    wire.secure(server.client_context, "localhost")
    assert wire.rest() == told, "and the end is a close_notify"
    call = last(server, "secure")
    assert (call.outcome, call.code) == ("refused", int(told[:3]) if told else None)
    assert last(server, "connect").outcome == "accepted"


@WAYS_TO_TLS
@pytest.mark.parametrize("value", ["550 5.7.1 Not you", "421 4.7.0 Later"])
def test_words_that_a_hook_returns_at_secure_are_said_too(serve: Serve, connect: Connect, value: str, tls: str) -> None:
    server = serve(on("secure", call=lambda *args: value), tls=tls)
    wire = to_handshake(server, connect)
    wire.secure(server.client_context, "localhost")
    assert wire.reply().code == int(value[:3])
    assert wire.rest() == b""
    assert (last(server, "secure").outcome, last(server, "secure").code) == ("refused", int(value[:3]))


@pytest.mark.parametrize(("options", "told"), [({"reply": "550 no"}, b"550 no\r\n"), ({"drop": True}, b"")])
@WAYS_TO_TLS
def test_a_rule_at_secure_answers_and_ends_the_connection(
    serve: Serve, connect: Connect, options: dict[str, Any], told: bytes, tls: str
) -> None:
    server = serve(on("secure", **options), tls=tls)
    wire = to_handshake(server, connect)
    wire.secure(server.client_context, "localhost")
    if told:
        assert wire.reply().code == int(told[:3])
    with_close_notify = "reply" in options
    if with_close_notify or TELLS_NO_CUT:
        assert wire.rest() == b""
    else:
        with pytest.raises(ssl.SSLEOFError):
            wire.rest()


@pytest.mark.parametrize("tls", ["implicit", "XCLIENT"])
def test_a_call_that_was_accepted_on_the_way_to_the_greeting_names_its_rule(
    serve: Serve, connect: Connect, tls: str
) -> None:
    hook: Any = "secure" if tls == "implicit" else "auth"
    rule = on(hook, call=lambda *args: "ada")
    if tls == "implicit":
        server = serve(rule, tls="implicit")
        wire = connect(server, greet=False)
        wire.secure(server.client_context, "localhost")
        assert wire.reply().code == 220
    else:
        server = serve(rule, xclient=True)
        assert codes(connect(server), HELLO, "XCLIENT LOGIN=ada") == [250, 220]
    assert (last(server, hook).rule, last(server, hook).outcome) == (server.rules[0], "accepted")


# --- why a handshake failed ------


def no_tls(wire: Wire, server: SMTPServer) -> None:
    wire.send(b"EHLO client.example\r\n")
    wire.rest()


def no_trust(wire: Wire, server: SMTPServer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        wire.secure(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "localhost")


def leave(wire: Wire, server: SMTPServer) -> None:
    wire.send(client_hello()[:50])
    server.catch_up()
    wire.close()


def leave_at_once(wire: Wire, server: SMTPServer) -> None:
    wire.close()


def reset(wire: Wire, server: SMTPServer) -> None:
    wire.send(client_hello()[:50])
    server.catch_up()
    wire.reset()


FAILURES = {
    "no TLS": (no_tls, "(?i)wrong.version.number|http.request|packet.length|record|unknown.protocol"),
    "no trust": (no_trust, "(?i)unknown.ca"),
    "left": (leave, "the client closed the connection during the TLS handshake"),
    "left at once": (leave_at_once, "the client closed the connection during the TLS handshake"),
    "reset": (reset, "the client reset the connection during the TLS handshake"),
}


@WAYS_TO_TLS
@pytest.mark.parametrize(("fail", "reason"), FAILURES.values(), ids=FAILURES)
def test_a_session_says_why_its_handshake_failed(
    serve: Serve, connect: Connect, fail: Any, reason: str, tls: str
) -> None:
    server = serve(tls=tls)
    wire = to_handshake(server, connect)
    fail(wire, server)
    wire.close()
    server.wait_closed()
    (session,) = server.log.sessions()
    assert session.tls_error is not None
    assert re.search(reason, session.tls_error)
    assert session.tls is None
    assert "handshake" in server.log.transcript()


@WAYS_TO_TLS
def test_a_session_whose_handshake_succeeded_has_no_such_error(serve: Serve, connect: Connect, tls: str) -> None:
    server = serve(tls=tls)
    wire = to_handshake(server, connect)
    wire.secure(server.client_context, "localhost")
    if tls == "implicit":
        wire.reply()
    assert codes(wire, "QUIT") == [221]
    server.wait_closed()
    (session,) = server.log.sessions()
    assert session.tls_error is None


def test_a_client_that_complains_of_a_dropped_connection_has_no_such_error(serve: Serve) -> None:
    """To end TLS without close_notify is an error of its own to OpenSSL, which sends an alert."""
    server = serve(on("command", verb="NOOP", drop=True))
    with smtplib.SMTP(server.host, server.port, timeout=5) as client:
        client.starttls(context=server.client_context)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()
        client.close()
    server.wait_closed()
    assert server.log.sessions()[0].tls_error is None
    assert "failed" not in server.log.transcript()


def test_a_session_in_clear_has_no_such_error(serve: Serve, connect: Connect) -> None:
    server = serve()
    codes(connect(server), HELLO, "QUIT")
    server.wait_closed()
    assert server.log.sessions()[0].tls_error is None


# --- when a session begins ------


def test_a_session_begins_when_the_client_connects_and_not_when_its_handshake_is_complete(
    serve: Serve, connect: Connect
) -> None:
    server = serve(tls="implicit")
    with socket.create_connection(server.address, timeout=5) as client:
        server.catch_up()
        (session,) = server.log.sessions()
        connected_by = time.time()
        with server.client_context.wrap_socket(client, server_hostname="localhost") as secure:
            secure.recv(1000)
    server.wait_closed()
    call: Call = last(server, "connect")
    assert session.at <= connected_by <= call.at
    greeting = next(line for line in server.log.transcript().splitlines() if "S: 220" in line)
    assert float(greeting.split()[0]) == pytest.approx(call.at + (call.duration or 0) - session.at, abs=0.0006)
