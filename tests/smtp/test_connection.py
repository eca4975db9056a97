"""A connection as a whole: handshakes, PROXY headers, and what it tells whoever answers it."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd.rules.verdict import answer, verdict_of
from pytest_smtpd.settings import make_settings
from pytest_smtpd.smtp.connection import Connection
from pytest_smtpd.smtp.events import BadProxyHeader, Connected, Event
from pytest_smtpd.smtp.replies import Reply, standard
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.smtp.states import State
from tests.rfc.dialogue import EHLO, RCPT
from tests.smtp.core import TLS, core, instead


def points(event: Event) -> list[str]:
    return [hook for hook, _ in event.points]


# --- TLS ------


def test_nothing_that_came_in_clear_survives_starttls() -> None:
    """RFC 3207 section 4.2: "The server MUST discard any knowledge obtained from the client"."""
    line = core()
    line.hold(f"S: 220\n{EHLO}")
    line.session.user = "in clear"
    assert line.codes("STARTTLS\r\nMAIL FROM:<injected@evil.example>") == [220]
    assert line.connection.buffered == 0
    line.handshake()
    session = line.session
    assert (session.tls, session.secure) == (TLS, True)
    assert (session.user, session.hostname_appears_as, session.opening_command) == (None, None, None)
    assert line.state is State.START
    assert "MAIL" not in session.commands
    assert points(line.events[-1]) == ["secure"]
    assert line.codes("STARTTLS") == [503]


def test_implicit_tls_greets_after_the_handshake() -> None:
    line = core(tls="implicit")
    assert (line.state, line.codes()) == (State.HANDSHAKE, [])
    line.handshake()
    assert line.codes() == [220]
    assert points(line.events[-1]) == ["connect", "secure"]


# --- PROXY ------


@pytest.mark.parametrize(
    ("settings", "state"),
    [({"tls": "implicit"}, State.HANDSHAKE), ({}, State.CONNECTED), ({"tls": None}, State.CONNECTED)],
)
def test_proxy_header_names_the_client_and_leaves_the_rest(settings: dict[str, Any], state: State) -> None:
    connection = Connection(make_settings({"proxy_protocol": True, **settings}), Session("x"))
    assert connection.state is State.PROXY
    connection.receive_data(b"PROXY TCP4 192.0.2.1 192.0.2.2 43")
    assert connection.next_event() is None
    connection.receive_data(b"21 25\r\nclient hello")
    assert isinstance(connection.next_event(), Connected) is (state is State.CONNECTED)
    assert connection.state is state
    session = connection.session
    assert (session.remote_address, session.remote_port, session.client_hostname) == ("192.0.2.1", 4321, "[192.0.2.1]")
    assert (session.local_address, session.local_port) == ("192.0.2.2", 25)
    assert connection.release() == b"client hello"


def test_proxy_header_without_an_address_changes_nobody() -> None:
    session = Session("x", remote=("192.0.2.9", 9), local=("192.0.2.8", 8))
    connection = Connection(make_settings({"proxy_protocol": True}), session)
    connection.receive_data(b"PROXY UNKNOWN\r\n")
    assert isinstance(connection.next_event(), Connected)
    assert (session.remote_address, session.remote_port) == ("192.0.2.9", 9)
    assert (session.local_address, session.local_port) == ("192.0.2.8", 8)


def test_what_is_no_proxy_header_is_reported_with_its_reason() -> None:
    line = core(proxy_protocol=True)
    assert line.codes("EHLO c") == []
    (event,) = line.events
    assert isinstance(event, BadProxyHeader)
    assert (event.reason, event.points, line.ended) == ("malformed PROXY version 1 header", (), True)


# --- replies that nobody has asked for ------


@pytest.mark.parametrize("script", ["", EHLO, RCPT, f"{EHLO}C: AUTH LOGIN\nS: 334", f"{RCPT}C: DATA\nS: 354\nC> x"])
def test_silent_client_is_told_so_and_cut_off(script: str) -> None:
    line = core()
    line.hold(f"S: 220\n{script}")
    event = line.connection.timed_out()
    assert (event.default, event.points) == (Reply(421, "4.4.2", "Timeout, closing connection"), ())
    with pytest.raises(RuntimeError, match="timeout has not been answered yet"):
        line.connection.next_event()
    line.give(event, [verdict_of(event.default)])
    assert line.codes("NOOP") == [421]
    assert line.state is State.CLOSED


def test_client_that_is_one_too_many_gets_no_greeting() -> None:
    connection = Connection(make_settings({}), Session("x"))
    event = connection.overloaded()
    assert (event.default, event.points) == (Reply(421, "4.3.2", "Too many connections"), ())
    assert connection.send(event, verdict_of(event.default)).startswith(b"421 4.3.2 ")
    assert connection.state is State.CLOSED


# --- what it tells ------


def test_reply_of_several_lines_is_one_reply() -> None:
    line = core(decide=instead({"MAIL": verdict_of(Reply(250, None, "a\nb"))}))
    line.hold(f"S: 220\n{EHLO}")
    line.said = b""
    assert line.codes("MAIL FROM:<a@b>") == [250]
    assert line.said == b"250-a\r\n250 b\r\n"
    assert line.state is State.MAIL


def test_last_refusal_is_the_error_of_the_session_however_it_counts() -> None:
    answers: dict[str, Any] = {}
    line = core(decide=instead(answers))
    assert line.codes("WHAT", "NOOP") == [220, 500, 250]
    assert line.session.error == 500
    for reply, digit, error in ((451, 2, 451), (452, 5, 452), (250, 5, 452)):
        answers["NOOP"] = answer(standard(reply))._replace(digit=digit)
        assert line.codes("NOOP") == [reply]
        assert line.session.error == error
    answers["NOOP"] = None
    line.codes("NOOP")
    assert line.session.error == 452


def test_command_is_pipelined_if_it_came_before_the_reply_to_the_one_before() -> None:
    """RFC 2920."""
    line = core()
    line.send(b"EHLO c\r\nNOOP\r\nNO")
    line.send(b"OP\r\nRSET\r\n")
    line.send(b"HELP\r\n")
    line.codes("MAIL FROM:<a@b>")
    flags = [(event.command.verb, event.command.pipelined) for event in line.events if event.command is not None]
    assert flags == [
        ("EHLO", False), ("NOOP", True), ("NOOP", True), ("RSET", True), ("HELP", False), ("MAIL", False),
    ]  # fmt: skip


def test_command_that_came_before_the_greeting_is_pipelined() -> None:
    connection = Connection(make_settings({}), Session("x"))
    connection.receive_data(b"EHLO c\r\n")
    greeting = connection.next_event()
    assert greeting is not None
    connection.send(greeting, verdict_of(greeting.default))
    early = connection.next_event()
    assert early is not None
    assert early.command is not None
    assert early.command.pipelined


def test_client_that_left_amid_a_transaction_has_left_it_behind() -> None:
    """The close hook still sees it."""
    line = core()
    line.hold(f"S: 220\n{RCPT}")
    assert line.codes("QUIT") == [221]
    assert line.session.recipients == ("bob@server.example",)
    assert line.session.envelope is not None


def test_verbs_are_told_as_they_came() -> None:
    line = core()
    assert line.codes("ehlo c", "noop", "WHAT x", "") == [220, 250, 250, 500, 500]
    assert line.session.commands == ("EHLO", "NOOP", "WHAT", "")


def test_nothing_follows_a_closed_connection() -> None:
    line = core()
    assert line.codes("QUIT", "EHLO c", "NOOP") == [220, 221]
    assert line.connection.next_event() is None


def test_event_has_to_be_answered_before_the_next() -> None:
    with pytest.raises(RuntimeError, match="connect has not been answered yet"):
        core(decide=lambda connection, event: None)


def test_event_that_has_been_answered_cannot_be_answered_again() -> None:
    line = core()
    with pytest.raises(RuntimeError, match="there is nothing to answer"):
        line.connection.send(line.events[0])
