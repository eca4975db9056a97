"""``smtpd.clock``: every wait of the server goes by it, and a test moves it."""

from __future__ import annotations

import select
import smtplib
import threading
import time
from typing import Any

import pytest

from pytest_smtpd import Clock, Reply, Rule, Session, SMTPServer, on
from tests.rfc.wire import Wire
from tests.server.talk import ADA, BODY, DATA, HELLO, MAIL, WAYS, Connect, Serve, last, mistakes, script, to_data

HOUR = 3600
LONG = 24 * HOUR


def has_something(wire: Wire) -> bool:
    """Whether a reply, or the end, has arrived. All of a server's own work is done when ``advance`` returns."""
    return bool(wire.buffer) or bool(select.select([wire.socket], [], [], 0)[0])


def is_over(wire: Wire) -> bool:
    """Whether the server has closed the connection, and sent nothing before it."""
    return has_something(wire) and wire.rest() == b""


# --- what is due happens --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("hook", WAYS)
def test_delayed_reply_comes_when_its_second_has_come(serve: Serve, connect: Connect, hook: Any) -> None:
    match: Any = {"verb": "NOOP"} if hook == "command" else {}
    server = serve(on(hook, delay=HOUR, **match))
    wire = connect(server)
    *before, line = WAYS[hook]
    wire.steps(*before)
    wire.send(f"{line}\r\n".encode())

    server.clock.advance(HOUR - 1)
    assert not has_something(wire)
    server.clock.advance(1)

    assert has_something(wire)
    assert wire.reply().code < 300


@pytest.mark.usefixtures("still")
def test_delayed_greeting_comes_when_its_second_has_come(serve: Serve, connect: Connect) -> None:
    server = serve(on("connect", delay=HOUR))
    wire = connect(server, greet=False)

    server.clock.advance(minutes=59, seconds=59)
    assert not has_something(wire)
    server.clock.advance(1)

    assert wire.reply().code == 220


@pytest.mark.usefixtures("still")
def test_delay_of_a_handshake_is_over_when_its_second_has_come(serve: Serve, connect: Connect) -> None:
    server = serve(on("secure", delay=HOUR), tls="implicit")
    wire = connect(server, greet=False)
    wire.secure(server.client_context, server.host)
    server.log.wait_for("secure")

    server.clock.advance(hours=1)

    assert wire.reply().code == 220


@pytest.mark.usefixtures("still")
def test_a_drip_is_paced_by_the_clock(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="NOOP", reply="250 2.0.0 OK", drip=10))
    wire = connect(server)
    wire.send(b"NOOP\r\n")

    for expected in b"250 2.0.0 OK\r":  # the first at once, and one every ten seconds
        server.clock.advance(0)
        assert wire.socket.recv(100) == bytes([expected])
        server.clock.advance(9)
        assert not has_something(wire)
        server.clock.advance(1)

    assert wire.socket.recv(100) == b"\n"


@pytest.mark.usefixtures("still")
def test_one_step_takes_a_drip_to_its_end(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", reply="250 2.0.0 OK", drip=HOUR))
    wire = connect(server)
    to_data(wire)
    wire.send(script(BODY))

    server.clock.advance(days=1)

    assert has_something(wire)
    assert wire.reply().code == 250
    assert server.one().accepted


@pytest.mark.usefixtures("still")
def test_several_waits_in_a_row_end_in_one_step(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="NOOP", reply="421 4.3.2 Bye", delay=HOUR, drip=60, drop=True, linger=HOUR))
    wire = connect(server)
    wire.send(b"NOOP\r\n")

    server.clock.advance(days=1)

    assert wire.rest() == b"421 4.3.2 Bye\r\n"
    assert last(server, "NOOP").heard


@pytest.mark.usefixtures("still")
def test_a_lingering_connection_is_closed_when_its_second_has_come(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="NOOP", reply=250, drop=True, linger=HOUR))
    wire = connect(server)
    assert wire.say("NOOP").code == 250

    server.clock.advance(HOUR - 1)
    assert not has_something(wire)
    server.clock.advance(1)

    assert is_over(wire)


@pytest.mark.usefixtures("still")
def test_silent_client_is_sent_away_when_its_second_has_come(serve: Serve, connect: Connect) -> None:
    server = serve(timeout=300)
    wire = connect(server)

    server.clock.advance(minutes=4, seconds=59)
    assert not has_something(wire)
    server.clock.advance(1)

    assert wire.rest() == b"421 4.4.2 Timeout, closing connection\r\n"


@pytest.mark.usefixtures("still")
def test_a_command_begins_the_time_of_silence_anew(serve: Serve, connect: Connect) -> None:
    server = serve(timeout=300)
    wire = connect(server)

    for _ in range(3):
        server.clock.advance(299)
        assert wire.say("NOOP").code == 250
    server.clock.advance(300)

    assert wire.reply().code == 421


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("settings", [{"tls": "implicit"}, {"proxy_protocol": True}], ids=["handshake", "PROXY header"])
def test_silence_before_the_greeting_is_timed_too(serve: Serve, connect: Connect, settings: Any) -> None:
    server = serve(timeout=60, **settings)
    wire = connect(server, greet=False)

    server.clock.advance(59)
    assert not has_something(wire)
    server.clock.advance(1)

    assert is_over(wire)


@pytest.mark.usefixtures("still")
def test_silence_amid_the_content_is_timed_too(serve: Serve, connect: Connect) -> None:
    server = serve(timeout=600)
    wire = connect(server)
    to_data(wire)
    wire.send(b"Subject: half a mes")

    server.clock.advance(minutes=10)

    assert wire.reply().code == 421
    server.wait_closed()
    assert server.envelopes == []


@pytest.mark.usefixtures("still")
def test_hang_lasts_whatever_the_time(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="NOOP", hang=True))
    wire = connect(server)
    wire.send(b"NOOP\r\n")

    server.clock.advance(days=1000)

    assert not has_something(wire)


@pytest.mark.usefixtures("still")
def test_what_is_due_happens_in_the_order_of_time(serve: Serve, connect: Connect) -> None:
    waits = {"two": 7200, "one": 3600, "three": 10800}
    server = serve(*(on("command", verb="VRFY", when=asks(name), delay=wait) for name, wait in waits.items()))
    wires = [connect(server) for _ in waits]
    for wire, name in zip(wires, waits, strict=True):
        wire.send(f"VRFY {name}\r\n".encode())
    server.clock.advance(hours=4)

    calls = sorted(server.log.calls("command"), key=lambda call: call.at + (call.duration or 0))
    assert [call.argument.argument for call in calls] == ["one", "two", "three"]


def asks(name: str) -> Any:
    return lambda call: call.argument.argument == name


def test_what_was_sent_before_is_processed_first(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="NOOP", delay=LONG))
    wires = [connect(server) for _ in range(20)]
    for wire in wires:
        wire.send(b"NOOP\r\n")

    server.clock.advance(seconds=LONG)

    assert all(has_something(wire) for wire in wires)


def test_a_wait_that_begins_later_is_as_long_as_ever(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="NOOP", delay=LONG))
    server.clock.advance(days=5)
    wire = connect(server)
    wire.send(b"NOOP\r\n")

    server.clock.advance(hours=23)
    assert last(server, "NOOP").outcome == "pending"
    server.clock.advance(hours=1)

    assert wire.reply().code == 250


def test_each_server_has_a_clock_of_its_own(serve: Serve, connect: Connect) -> None:
    one, other = (serve(on("command", verb="NOOP", delay=LONG)) for _ in range(2))
    wires = [connect(one), connect(other)]
    for wire in wires:
        wire.send(b"NOOP\r\n")
    other.log.wait_for("command", outcome="pending")

    one.clock.advance(days=1)

    assert wires[0].reply().code == 250
    assert last(other, "NOOP").outcome == "pending"
    assert one.clock.now() - other.clock.now() > LONG - HOUR


# --- hooks ----------------------------------------------------------------------------------------------------------


def test_hook_functions_are_not_waited_for(serve: Serve, connect: Connect) -> None:
    done = threading.Event()
    server = serve(on("command", verb="NOOP", call=lambda command, session: done.wait(10) and None))
    wire = connect(server)
    wire.send(b"NOOP\r\n")
    server.log.wait_for("command", outcome="pending")

    server.clock.advance(days=1)

    assert last(server, "NOOP").outcome == "pending"
    done.set()
    assert wire.reply().code == 250


def test_a_def_hook_can_move_the_clock(serve: Serve, connect: Connect) -> None:
    server = serve(timeout=LONG)

    @server.on("command", verb="NOOP")
    def a_day_passes(command: Any, session: Session) -> None:
        server.clock.advance(days=1)

    silent = connect(server)
    assert connect(server).say("NOOP").code == 250
    assert silent.reply().code == 421


def test_an_async_hook_cannot_move_the_clock(serve: Serve, connect: Connect) -> None:
    server = serve()

    @server.on("command", verb="NOOP")
    async def a_day_passes(command: Any, session: Session) -> None:
        server.clock.advance(days=1)

    assert connect(server).say("NOOP").code == 451
    (error,) = mistakes(server)
    assert isinstance(error, RuntimeError)
    assert "move it in the test, or in a def hook" in str(error)


# --- the time -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("still")
def test_now_is_in_seconds_and_moves_by_what_is_asked_for() -> None:
    clock = Clock()
    before = clock.now()
    clock.advance(1, minutes=2, hours=3, days=4)
    assert clock.now() - before == 1 + 2 * 60 + 3 * 3600 + 4 * 86400


def test_now_is_the_time_of_day_until_it_is_moved() -> None:
    assert abs(Clock().now() - time.time()) < 5


@pytest.mark.parametrize("given", [{"seconds": -1}, {"days": float("nan")}, {"hours": float("inf")}])
def test_time_does_not_go_back(given: Any) -> None:
    clock = Clock()
    before = clock.now()
    with pytest.raises(ValueError, match=r"^(seconds|hours|days) must be a number from 0"):
        clock.advance(**given)
    assert 0 <= clock.now() - before < 60


@pytest.mark.parametrize("given", ["5", None, True])
def test_a_time_is_a_number(given: Any) -> None:
    with pytest.raises(TypeError, match=r"^seconds must be a number, not "):
        Clock().advance(given)


def test_a_stopped_server_has_its_clock_too() -> None:
    server = SMTPServer()
    server.clock.advance(hours=1)
    with server:
        before = server.clock.now()
    server.clock.advance(hours=1)
    assert server.clock.now() - before >= HOUR


def test_threads_may_move_it_at_the_same_time(serve: Serve) -> None:
    server = serve()
    before = server.clock.now()

    def move() -> None:
        for _ in range(25):
            server.clock.advance(1)

    threads = [threading.Thread(target=move) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 200 <= server.clock.now() - before < 260


def test_the_times_of_the_log_are_the_real_ones(serve: Serve, connect: Connect) -> None:
    server = serve()
    server.clock.advance(days=365)
    to_data(wire := connect(server))
    wire.say(BODY)
    assert abs(server.one().at - time.time()) < 60
    assert abs(server.log.calls("data")[0].at - time.time()) < 60


# --- other tools that play with time ---------------------------------------------------------------------------------


def send(server: SMTPServer) -> None:
    with smtplib.SMTP(server.host, server.port, timeout=10) as client:
        client.sendmail("app@example.com", "ada@example.com", "Subject: Hi\r\n\r\nHello\r\n")


def test_frozen_and_travelled_time_do_not_touch_it(serve: Serve, connect: Connect) -> None:
    import freezegun
    import time_machine

    server = serve(on("command", verb="NOOP", delay=LONG), timeout=2 * LONG)
    real = server.clock.now()
    with freezegun.freeze_time("2001-02-03") as frozen:
        wire = connect(server)
        wire.send(b"NOOP\r\n")
        frozen.tick(10 * LONG)
        assert 0 <= server.clock.now() - real < 60
    with time_machine.travel("2050-01-01", tick=False):
        server.log.wait_for("command", outcome="pending")
        assert 0 <= server.clock.now() - real < 60
        server.clock.advance(seconds=LONG)
        assert wire.reply().code == 250
        send(server)
    assert LONG <= server.clock.now() - real < LONG + 60
    assert len(server.envelopes) == 1


# --- without a use of it ---------------------------------------------------------------------------------------------


def test_reply_is_the_same_after_a_wait_that_was_skipped(serve: Serve, connect: Connect) -> None:
    rule: Rule = on("rcpt_to", reply="450 4.2.1 Busy", delay=HOUR)
    server = serve(rule)
    wire = connect(server)
    wire.steps(HELLO, MAIL)
    wire.send(script(ADA))
    server.clock.advance(hours=1)
    assert wire.reply().code == 450
    assert wire.say(DATA).code == 503
    assert last(server, "rcpt_to").reply == Reply(450, "4.2.1 Busy")
