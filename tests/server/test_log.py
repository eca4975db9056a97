"""The log: what calls there are and in which order, what each of them says, and what ``clear`` forgets."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, on
from tests.rfc.wire import Wire
from tests.server.talk import (
    ADA,
    BOB,
    BODY,
    CHUNK,
    DATA,
    HELLO,
    LAST_CHUNK,
    LHLO,
    MAIL,
    PLAIN,
    Connect,
    Serve,
    codes,
    last,
    point,
    points,
    script,
    to_data,
)

ORDERS: list[tuple[dict[str, Any], list[str], str]] = [
    ({}, [MAIL, ADA, DATA, BODY, "QUIT"], "MAIL mail_from RCPT rcpt_to DATA data QUIT"),
    ({}, [MAIL, ADA, BOB], "MAIL mail_from RCPT rcpt_to RCPT rcpt_to"),
    ({}, [MAIL, ADA, CHUNK, CHUNK, LAST_CHUNK], "MAIL mail_from RCPT rcpt_to BDAT data BDAT BDAT"),
    ({}, [PLAIN], "AUTH auth"),
    ({}, ["AUTH LOGIN", "YWRh", "cHc="], "AUTH auth"),
    ({}, ["AUTH LOGIN", "*"], "AUTH"),
    ({}, ["NOOP", "RSET", "VRFY ada", "BLURB"], "NOOP RSET VRFY BLURB"),
    ({}, ["MAIL FROM:<a b>", ADA, DATA], "MAIL RCPT DATA"),
    ({"max_recipients": 1}, [MAIL, ADA, BOB], "MAIL mail_from RCPT rcpt_to RCPT"),
    ({"require_auth": True}, [MAIL], "MAIL"),
    ({"auth": None}, [PLAIN], "AUTH"),
    ({"xclient": True}, ["XCLIENT NAME=spike"], "XCLIENT connect"),
    ({"xclient": True}, ["XCLIENT LOGIN=ada"], "XCLIENT connect auth"),
    ({"xclient": True}, ["XCLIENT LOGIN=[UNAVAILABLE]"], "XCLIENT connect"),
    ({"lmtp": True}, [MAIL, ADA, BOB, DATA], "MAIL mail_from RCPT rcpt_to RCPT rcpt_to DATA data"),
]


@pytest.mark.parametrize(("settings", "lines", "expected"), ORDERS)
@pytest.mark.parametrize("watched", [False, True], ids=["no rules", "rules"])
def test_hook_points_are_reached_in_protocol_order(
    serve: Serve, connect: Connect, settings: dict[str, Any], lines: list[str], expected: str, watched: bool
) -> None:
    """Whether or not anybody has a rule there."""
    hooks: tuple[Any, ...] = ("connect", "command", "auth", "mail_from", "rcpt_to", "data") if watched else ()
    server = serve(*(on(hook, drip=0) for hook in hooks), **settings)
    wire = connect(server)
    codes(wire, LHLO if settings.get("lmtp") else HELLO, *lines)
    wire.close()
    server.wait_closed()
    hello = "LHLO" if settings.get("lmtp") else "EHLO"
    assert points(server) == f"connect {hello} {expected} close"
    assert [call.number for call in server.log] == list(range(1, len(server.log) + 1))


def test_each_call_carries_the_reply_that_answers_it(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO, PLAIN, MAIL, ADA, "RCPT TO:<a b>", DATA, BODY, "QUIT")
    wire.close()
    server.wait_closed()
    assert [(point(call), call.code, call.outcome) for call in server.log] == [
        ("connect", 220, "accepted"),
        ("EHLO", 250, "accepted"),
        ("AUTH", 235, "accepted"),
        ("auth", 235, "accepted"),
        ("MAIL", 250, "accepted"),
        ("mail_from", 250, "accepted"),
        ("RCPT", 250, "accepted"),
        ("rcpt_to", 250, "accepted"),
        ("RCPT", 501, "refused"),
        ("DATA", 354, "accepted"),
        ("data", 250, "accepted"),
        ("QUIT", 221, "accepted"),
        ("close", None, "accepted"),
    ]


SHARED: list[tuple[str, str, list[str]]] = [
    ("mail_from", "MAIL", [HELLO, MAIL]),
    ("rcpt_to", "RCPT", [HELLO, MAIL, ADA]),
    ("auth", "AUTH", [HELLO, PLAIN]),
    ("auth", "AUTH", [HELLO, "AUTH LOGIN", "YWRh", "cHc="]),
    ("data", "BDAT", [HELLO, MAIL, ADA, LAST_CHUNK]),
    ("connect", "XCLIENT", [HELLO, "XCLIENT NAME=spike"]),
]


@pytest.mark.parametrize(("hook", "verb", "lines"), SHARED)
def test_the_command_carries_the_same_reply_as_the_special_call_and_it_is_told_once(
    serve: Serve, connect: Connect, hook: Any, verb: str, lines: list[str]
) -> None:
    server = serve(on(hook, reply="554 5.0.0 not today", skip=int(hook == "connect")), xclient=True)
    assert codes(connect(server), *lines)[-1] == 554
    assert str(last(server, hook).reply) == str(last(server, verb).reply) == "554 5.0.0 not today"
    assert last(server, hook).outcome == last(server, verb).outcome == "refused"
    assert server.log.transcript().count("554 5.0.0 not today") == 1 + 1, "the line, and the rule's own words"


def test_the_data_call_is_there_when_the_client_may_send(serve: Serve, connect: Connect) -> None:
    server = serve()
    for number in range(20):
        with connect(server) as wire:
            to_data(wire)
            assert [call.outcome for call in server.log.calls("data")[number:]] == ["pending"]
            codes(wire, BODY, "QUIT")
    assert len(server.log.calls("data")) == 20


def test_a_354_behind_which_nothing_follows_reaches_no_data_hook(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="DATA", reply=354, drop=True))
    wire = connect(server)
    assert codes(wire, HELLO, MAIL, ADA, DATA)[-1] == 354
    assert wire.rest() == b""
    server.wait_closed()
    assert server.log.calls("data") == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"timeout": 0.05}, "S: 421 4.4.2 Timeout"), ({"max_clients": 0}, "S: 421 4.3.2 Too many connections")],
    ids=["silent", "too many"],
)
def test_a_reply_that_answers_no_hook_is_in_the_transcript(
    serve: Serve, connect: Connect, settings: dict[str, Any], said: str
) -> None:
    server = serve(on("command", reply=250), on("connect", skip=1, reply=554), **settings)
    wire = connect(server, greet=False)
    assert wire.rest()
    wire.close()
    server.wait_closed()
    assert said in server.log.transcript()
    assert points(server) == ("connect close" if "timeout" in settings else "close")


# --- argument, envelope ------


def test_the_argument_is_the_first_of_what_the_hook_gets(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO, PLAIN, MAIL, ADA, DATA, BODY)
    wire.close()
    server.wait_closed()
    assert all(call.argument is call.args[0] for call in server.log)
    assert all(call.args[-1] is call.session for call in server.log)
    session = server.log.sessions()[0]
    assert [last(server, hook).argument for hook in ("connect", "close")] == [session, session]
    assert (last(server, "mail_from").argument, last(server, "rcpt_to").argument.local) == ("app@example.com", "ada")
    assert (last(server, "EHLO").argument.verb, last(server, "auth").argument.username) == ("EHLO", "ada")


def test_a_data_call_has_the_envelope_that_it_made(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", reply=554, times=1))
    wire = connect(server)
    to_data(wire)
    codes(wire, BODY, MAIL, ADA)
    wire.send(script(DATA))
    wire.reply()
    refused, pending = server.log.calls("data")
    assert (refused.envelope, refused.outcome) == (server.log.envelopes()[0], "refused")
    before: Any = pending.envelope
    assert before is None
    codes(wire, BODY)
    assert pending.envelope is server.one()
    assert {call.envelope for call in server.log if call.hook != "data"} == {None}


def test_a_message_that_broke_off_made_no_envelope(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    to_data(wire)
    wire.send(b"half")
    wire.close()
    server.wait_closed()
    assert last(server, "data").envelope is None


# --- the log as a whole ------


def test_only_accepted_envelopes_are_in_the_everyday_view(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", reply=554, times=1))
    wire = connect(server)
    to_data(wire)
    codes(wire, BODY, MAIL, ADA, DATA, BODY)
    refused, accepted = server.log.envelopes()
    assert list(server.envelopes) == [accepted]
    assert server.log.envelopes(accepted=False) == [refused]


def test_clear_forgets_all_but_open_connections_and_gives_the_past(serve: Serve, connect: Connect) -> None:
    server = serve()
    with connect(server) as gone:
        codes(gone, "QUIT")
    server.wait_closed()
    here = connect(server)
    to_data(here)
    codes(here, BODY)
    view = server.envelopes
    past = server.clear()
    assert (len(past.sessions()), len(past.envelopes())) == (2, 1)
    assert [call.number for call in past] == list(range(1, len(past) + 1))
    assert "MAIL FROM" in past.transcript()
    assert (len(server.log), len(view), server.log.sessions(), server.log.envelopes()) == (0, 0, [], [])
    assert repr(server.log) == "<Log 0 sessions, 0 calls, 0 envelopes>"
    assert codes(here, MAIL) == [250]
    assert [call.number for call in server.log] == [1, 2]
    assert len(server.log.sessions()) == 1, "it is back with its first call"


@pytest.mark.parametrize("how", [Wire.close, Wire.reset])
def test_the_end_of_a_connection_that_was_cleared_away_is_not_logged(serve: Serve, connect: Connect, how: Any) -> None:
    server = serve()
    wire = connect(server)
    server.clear()
    how(wire)
    server.wait_closed()
    assert (len(server.log), server.log.sessions(), server.log.transcript()) == (0, [], "")


def test_what_clients_have_sent_by_then_belongs_to_the_log_that_is_given_back(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    wire.send(script(HELLO, MAIL, ADA, DATA, BODY, "NOOP"))
    past = server.clear()
    assert len(past.envelopes()) == 1
    assert past.calls("command", verb="NOOP")
    assert len(server.log) == 0


def test_a_hook_that_is_pending_when_the_log_is_cleared_belongs_to_the_old_one(serve: Serve, connect: Connect) -> None:
    entered, release = threading.Event(), threading.Event()

    def hook(*args: object) -> None:
        entered.set()
        release.wait(5)

    server = serve(on("data", call=hook))
    wire = connect(server)
    to_data(wire)
    wire.send(script(BODY))
    assert entered.wait(5)
    past = server.clear()
    release.set()
    assert wire.reply().code == 250
    assert [call.outcome for call in past.calls("data")] == ["accepted"]
    assert [envelope.accepted for envelope in past.envelopes()] == [True]
    assert (list(server.envelopes), server.log.calls("data")) == ([], [])


def test_clearing_the_log_does_not_forgive_a_hook() -> None:
    def wrong(*args: object) -> None:
        raise ZeroDivisionError("wrong")

    server = SMTPServer(on=[on("mail_from", call=wrong)]).start()
    with socket.create_connection(server.address, timeout=5) as client, client.makefile("rb") as lines:
        client.sendall(script(HELLO, MAIL, "QUIT"))
        lines.read()
    server.clear()
    server.stop()
    with pytest.raises(ZeroDivisionError, match="wrong"):
        server.verify()


def test_many_connections_lose_nothing(serve: Serve, connect: Connect) -> None:
    server = serve()

    def talk() -> None:
        with connect(server) as wire:
            wire.send(script(HELLO, MAIL, *[ADA] * 100, "QUIT"))
            wire.rest()

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    server.wait_closed()
    assert len(server.log.calls("rcpt_to")) == 400
    assert [call.number for call in server.log] == list(range(1, len(server.log) + 1))
    assert len(list(server.log)) == len(server.log)


def test_times_are_real_whatever_a_test_makes_of_the_clock(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.clock_gettime(time.CLOCK_REALTIME)
    monkeypatch.setattr(time, "time", lambda: 1.0)
    server = serve()
    wire = connect(server)
    to_data(wire)
    codes(wire, BODY)
    seen = [server.log.sessions()[0].at, server.one().at, *(call.at for call in server.log)]
    assert min(seen) >= real - 1
    assert seen[2:] == sorted(seen[2:])
