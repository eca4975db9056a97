"""``greylist``, ``rate`` and ``quota``: hook functions that count, by the server's clock."""

from __future__ import annotations

import base64
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import Session, SMTPServer, on
from pytest_smtpd.limits import greylist, quota, rate
from tests.rfc.wire import Wire
from tests.rfc.wire import connect as connect_to
from tests.server.talk import ADA, BOB, BODY, CONTENT, DATA, HELLO, LHLO, MAIL, Connect, Serve, codes, mistakes

still = pytest.mark.usefixtures("still")
PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, 90: 90, 0.5: 0.5}


def greet(wire: Wire) -> Wire:
    wire.steps(HELLO)
    return wire


def sender(wire: Wire, address: str = "app@example.com") -> int:
    """The code of MAIL; the transaction is given up."""
    code = wire.say(f"MAIL FROM:<{address}>").code
    wire.steps("RSET")
    return code


def recipient(wire: Wire, address: str = "ada@example.com", mail_from: str = "app@example.com") -> int:
    """The code of RCPT; the transaction is given up."""
    wire.steps(f"MAIL FROM:<{mail_from}>")
    code = wire.say(f"RCPT TO:<{address}>").code
    wire.steps("RSET")
    return code


def message(wire: Wire, *recipients: str, mail_from: str = "app@example.com") -> int:
    """The code of the reply to a message."""
    names = recipients or ("ada@example.com",)
    wire.steps(f"MAIL FROM:<{mail_from}>", *(f"RCPT TO:<{name}>" for name in names), DATA)
    return wire.say(BODY).code


# --- greylist -------------------------------------------------------------------------------------------------------


@still
def test_a_stranger_is_let_in_when_the_second_has_come(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", call=greylist(minutes=5)))
    wire = greet(connect(server))
    wire.steps(MAIL)

    reply = wire.say(ADA)
    assert (reply.code, reply.lines) == (451, ("4.7.1 Greylisted, try again later",))
    server.clock.advance(299)
    assert wire.say(ADA).code == 451
    server.clock.advance(1)
    assert wire.say(ADA).code == 250


@still
def test_an_early_retry_does_not_make_the_wait_longer(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", call=greylist(60)))
    wire = greet(connect(server))
    found = []
    for _ in range(7):
        found.append(recipient(wire))
        server.clock.advance(10)
    assert found == [451] * 6 + [250]


@still
def test_who_is_known_stays_known_on_other_connections(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", call=greylist(hours=1)))
    assert recipient(greet(connect(server))) == 451
    server.clock.advance(hours=1)
    assert recipient(greet(connect(server))) == 250
    server.clock.advance(days=30)
    assert recipient(greet(connect(server))) == 250


@still
def test_client_sender_and_recipient_together_are_what_is_known(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", call=greylist(60)), proxy_protocol=True)

    def comes(client: str, mail_from: str, to: str) -> int:
        wire = connect(server, greet=False)
        wire.send(f"PROXY TCP4 {client} 192.0.2.9 1025 25\r\n".encode())
        wire.reply()
        return recipient(greet(wire), to, mail_from)

    known = ("192.0.2.1", "app@example.com", "ada@example.com")
    assert comes(*known) == 451
    server.clock.advance(60)
    assert comes("192.0.2.2", *known[1:]) == 451
    assert comes(known[0], "root@example.com", known[2]) == 451
    assert comes(known[0], "", known[2]) == 451
    assert comes(*known[:2], "bob@example.com") == 451
    assert comes(known[0], "app@EXAMPLE.com", "ada@EXAMPLE.com") == 250


@still
def test_at_data_every_recipient_has_to_be_known(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", call=greylist(60)))
    wire = greet(connect(server))
    assert message(wire, "ada@example.com") == 451
    server.clock.advance(60)
    assert message(wire, "ada@example.com", "bob@example.com") == 451
    server.clock.advance(60)
    assert message(wire, "ada@example.com", "bob@example.com") == 250


# --- rate -----------------------------------------------------------------------------------------------------------


@still
@pytest.mark.parametrize("per", PERIODS)
def test_window_slides_to_the_second(serve: Serve, connect: Connect, per: Any) -> None:
    seconds = PERIODS[per]
    server = serve(on("mail_from", call=rate(2, per=per)))
    wire = greet(connect(server))
    step = seconds / 4

    assert [sender(wire), sender(wire), sender(wire)] == [250, 250, 450]
    server.clock.advance(3 * step)
    assert sender(wire) == 450
    server.clock.advance(step)
    assert [sender(wire), sender(wire), sender(wire)] == [250, 250, 450]


@still
def test_window_slides_it_does_not_jump(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", call=rate(3, per="minute")))
    wire = greet(connect(server))
    found = []
    for _ in range(12):  # at 0, 20, 40 ... seconds, two each time
        found.append((sender(wire), sender(wire)))
        server.clock.advance(20)
    # 0: two; 20: one, the third; 40: none; 60: the two of 0 are gone; 80: the one of 20; and so on
    assert found == [(250, 250), (250, 450), (450, 450)] * 4


@still
def test_what_was_refused_does_not_count(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", call=rate(1, per="minute")))
    wire = greet(connect(server))
    assert sender(wire) == 250
    for _ in range(59):
        server.clock.advance(1)
        assert sender(wire) == 450
    server.clock.advance(1)
    assert sender(wire) == 250


def test_default_reply_of_rate(serve: Serve, connect: Connect) -> None:
    wire = greet(connect(serve(on("mail_from", call=rate(0, per="day")))))
    reply = wire.say(MAIL)
    assert (reply.code, reply.lines) == (450, ("4.7.1 Rate limit exceeded",))


def test_clients_are_counted_by_their_address_whatever_the_connection(serve: Serve, connect: Connect) -> None:
    server = serve(on("connect", call=rate(3, per="hour", reply="421 4.7.0 Too many connections")))
    greetings = [connect(server, greet=False).reply().code for _ in range(5)]
    assert greetings == [220, 220, 220, 421, 421]


def test_recipients_of_one_message_count_one_by_one(serve: Serve, connect: Connect) -> None:
    server = serve(on("rcpt_to", call=rate(2, per="hour", by="recipient")))
    wire = greet(connect(server))
    wire.steps(MAIL)
    assert codes(wire, ADA, ADA, ADA, BOB) == [250, 250, 450, 250]


def test_senders_are_counted_apart(serve: Serve, connect: Connect) -> None:
    wire = greet(connect(serve(on("mail_from", call=rate(1, per="hour", by="sender")))))
    people = ["a@example.com", "b@example.com", "a@EXAMPLE.com", "A@example.com"]
    assert [sender(wire, one) for one in people] == [250, 250, 450, 250]  # a domain has no case, a local part has


def test_users_are_counted_apart_and_senders_where_nobody_is_logged_in(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", call=rate(1, per="hour", by="user")), auth={"ada": "pw1", "bob": "pw2"}, tls=None)

    def as_user(name: str, password: str) -> Wire:
        wire = greet(connect(server))
        wire.steps(f"AUTH PLAIN {base64.b64encode(f'{chr(0)}{name}{chr(0)}{password}'.encode()).decode()}")
        return wire

    assert [sender(as_user("ada", "pw1")), sender(as_user("bob", "pw2"))] == [250, 250]
    assert sender(as_user("ada", "pw1"), "other@example.com") == 450

    open_server = serve(on("mail_from", call=rate(1, per="hour", by="user")))
    wire = greet(connect(open_server))
    assert [sender(wire, "a@x.example"), sender(wire, "b@x.example"), sender(wire, "a@x.example")] == [250, 250, 450]


def test_a_function_says_whom_to_count(serve: Serve, connect: Connect) -> None:
    def domain(address: Any, session: Session) -> str:
        return str(address.domain)

    server = serve(on("rcpt_to", call=rate(2, per="hour", by=domain)))
    wire = greet(connect(server))
    found = [recipient(wire, one) for one in ("a@x.example", "b@x.example", "c@x.example", "a@y.example")]
    assert found == [250, 250, 450, 250]


def test_a_function_that_fails_is_a_bug_of_the_test(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", call=rate(1, per="hour", by=lambda address, session: 1 // 0)))
    assert greet(connect(server)).say(MAIL).code == 451
    (error,) = mistakes(server)
    assert isinstance(error, ZeroDivisionError)


# --- quota ----------------------------------------------------------------------------------------------------------


@still
def test_quota_counts_messages_of_a_day(serve: Serve, connect: Connect) -> None:
    refusal = "550 5.4.5 Daily user sending limit exceeded"
    server = serve(on("data", call=quota(messages=2, per="day", reply=refusal)))
    wire = greet(connect(server))

    assert [message(wire), message(wire), message(wire)] == [250, 250, 550]
    assert message(wire, mail_from="other@example.com") == 250
    server.clock.advance(hours=23, minutes=59, seconds=59)
    assert message(wire) == 550
    server.clock.advance(1)
    assert message(wire) == 250
    assert [envelope.content for envelope in server.envelopes] == [CONTENT] * 4


def test_default_reply_of_quota(serve: Serve, connect: Connect) -> None:
    wire = greet(connect(serve(on("data", call=quota(0, "day")))))
    wire.steps(MAIL, ADA, DATA)
    reply = wire.say(BODY)
    assert (reply.code, reply.lines) == (452, ("4.3.1 Quota exceeded",))


def test_a_message_that_is_given_up_does_not_count(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", call=quota(1, "day")))
    cut = greet(connect(server))
    cut.steps(MAIL, ADA, DATA)
    cut.send(b"Subject: half a mes")
    cut.close()
    server.wait_closed()
    wire = greet(connect(server))
    assert [message(wire), message(wire)] == [250, 452]


def test_a_message_that_is_too_large_does_not_count(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", call=quota(1, "day")), size=100)
    wire = greet(connect(server))
    wire.steps(MAIL, ADA, DATA)
    assert wire.say("x" * 90 + "\r\n" + "y" * 90 + "\r\n.").code == 552
    assert [message(wire), message(wire)] == [250, 452]


def test_in_lmtp_a_refusal_is_for_every_recipient(serve: Serve, connect: Connect) -> None:
    wire = connect(serve(on("data", call=quota(1, "day")), lmtp=True))
    wire.steps(LHLO)
    for expected in (250, 452):
        wire.steps(MAIL, ADA, BOB, DATA)
        assert [wire.say(BODY).code, wire.reply().code] == [expected, expected]


# --- several at once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "limit", "act"),
    [("mail_from", rate(10, per="day"), sender), ("data", quota(10, per="day"), message)],
    ids=["rate", "quota"],
)
def test_clients_at_the_same_time_do_not_exceed_it(
    serve: Serve, hook: Any, limit: Any, act: Callable[[Wire], int]
) -> None:
    server = serve(on(hook, call=limit))
    found: list[int] = []
    together = threading.Barrier(8)

    def client() -> None:
        with connect_to(server) as wire:
            greet(wire)
            together.wait(10)
            found.extend(act(wire) for _ in range(5))

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert Counter(found)[250] == 10
    assert len(found) == 40


def test_each_server_counts_for_itself(serve: Serve, connect: Connect) -> None:
    rule = on("mail_from", call=rate(1, per="day"))
    wires = [greet(connect(serve(rule))) for _ in range(2)]
    assert [sender(wire) for wire in wires] == [250, 250]
    assert [sender(wire) for wire in wires] == [450, 450]


def test_each_rule_counts_for_itself(serve: Serve, connect: Connect) -> None:
    limit = rate(1, per="day")
    server = serve(on("mail_from", call=limit), on("rcpt_to", call=limit))
    assert codes(greet(connect(server)), MAIL, ADA, BOB) == [250, 250, 450]


# --- frozen and travelled time ---------------------------------------------------------------------------------------


def test_frozen_and_travelled_time_do_not_move_a_window(serve: Serve, connect: Connect) -> None:
    import freezegun
    import time_machine

    server = serve(on("mail_from", call=rate(1, per="day")))
    wire = greet(connect(server))
    with freezegun.freeze_time("2001-02-03") as frozen:
        assert sender(wire) == 250
        frozen.tick(10 * 86400)
        assert sender(wire) == 450
    with time_machine.travel("2050-01-01"):
        assert sender(wire) == 450
        server.clock.advance(days=1)
        assert sender(wire) == 250
        with freezegun.freeze_time("2060-01-01"):
            assert sender(wire) == 450


# --- per test, and for the session -----------------------------------------------------------------------------------

HEAD = """
import smtplib
import pytest
from pytest_smtpd import on
from pytest_smtpd.limits import greylist, rate

def sender(server):
    with smtplib.SMTP(server.host, server.port, timeout=10) as client:
        client.ehlo("client.example")
        return client.mail("app@example.com")[0]
"""


def assert_all_pass(pytester: pytest.Pytester, count: int) -> None:
    """Only our plugin is loaded: a warning of another one that happens to be installed would be an error here."""
    pytester.plugins = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        pytester.runpytest_inprocess("-p", "pytest-smtpd").assert_outcomes(passed=count)


def test_each_test_counts_for_itself(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.smtpd_on("mail_from", call=rate(1, per="day"))
@pytest.mark.parametrize("again", range(3))
def test_marked(smtpd, again):
    assert [sender(smtpd), sender(smtpd)] == [250, 450]

@pytest.mark.parametrize("smtpd", [on("mail_from", call=rate(0, per="day"))] * 2, indirect=True)
def test_parameter(smtpd):
    assert sender(smtpd) == 450

def test_factory(smtpd_factory):
    one, other = (smtpd_factory(on=[on("mail_from", call=rate(1, per="day"))]) for _ in range(2))
    assert [sender(one), sender(other), sender(one)] == [250, 250, 450]

def test_body(smtpd):
    smtpd.on("mail_from", call=rate(2, per="day"))
    assert [sender(smtpd), sender(smtpd), sender(smtpd)] == [250, 250, 450]
"""
    )
    assert_all_pass(pytester, 7)


def test_the_server_of_the_session_counts_anew_for_each_test(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
import pytest
from pytest_smtpd import on
from pytest_smtpd.limits import rate

@pytest.fixture(scope="session")
def smtpd_config():
    return {"on": [on("mail_from", call=rate(1, per="day"))]}
"""
    )
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.parametrize("again", range(3))
def test_of_the_session(smtpd_session, again):
    assert [sender(smtpd_session), sender(smtpd_session)] == [250, 450]

@pytest.mark.smtpd_on("mail_from", call=rate(2, per="day"))
@pytest.mark.parametrize("again", range(2))
def test_marked(smtpd_session, smtpd, again):
    assert [sender(smtpd) for _ in range(3)] == [250, 250, 450]  # the nearest rule decides

times = []

@pytest.mark.parametrize("again", range(3))
def test_time_never_goes_back(smtpd_session, again):
    times.append(smtpd_session.clock.now())
    smtpd_session.clock.advance(days=1)
    assert times == sorted(times)
    assert smtpd_session.clock.now() - times[0] >= 86400 * len(times)
"""
    )
    assert_all_pass(pytester, 8)


# --- what is wrong ---------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no time": (greylist, "greylist needs the time after which a retry is let in: greylist(minutes=5)"),
    "time below zero": (lambda: greylist(minutes=-1), "minutes must be a number from 0, not -1; time does not go back"),
    "no count": (lambda: rate("10", per="minute"), "rate: count must be a number from 0, not '10'"),  # type: ignore[arg-type]
    "period": (
        lambda: rate(10, per="minutes"),  # type: ignore[arg-type]
        "rate: unknown period 'minutes' - did you mean 'minute'? (valid: second, minute, hour, day)",
    ),
    "period of nothing": (
        lambda: rate(10, per=0),
        "rate: per must be one of second, minute, hour, day, or a number of seconds, not 0",
    ),
    "by": (
        lambda: quota(10, per="day", by="users"),  # type: ignore[arg-type]
        "quota: by must be one of client, user, sender, recipient, or a function, not 'users' - did you mean 'user'?",
    ),
    "reply": (
        lambda: rate(10, per="day", reply=250),
        "reply must refuse: a code from 400 to 599, or a text with one, not 250",
    ),
    "hook": (
        lambda: on("connect", call=greylist(5)),
        "on('connect'): greylist(5) does not know whom to count there; use it on rcpt_to, data",
    ),
    "login": (
        lambda: on("auth", call=rate(5, per="minute")),
        "on('auth'): rate(5, per='minute') cannot decide who logs in; use on('command', verb='AUTH', ...)",
    ),
}


@pytest.mark.parametrize(("make", "text"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_line(make: Callable[[], Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (greylist(minutes=5), "greylist(minutes=5)"),
        (rate(10, per="minute"), "rate(10, per='minute')"),
        (rate(10, per=90, by="sender", reply=421), "rate(10, per=90, by='sender', reply=421)"),
        (quota(500, per="day"), "quota(messages=500, per='day')"),
    ],
    ids=repr,
)
def test_it_is_shown_as_it_is_written(limit: Any, text: str) -> None:
    assert repr(limit) == text


def test_transcript_names_the_limit_that_refused(serve: Serve, connect: Connect) -> None:
    server = serve(on("mail_from", call=rate(0, per="day")))
    greet(connect(server)).say(MAIL)
    assert "rate(0, per='day')" in server.log.transcript()


def test_server_and_clock_are_those_of_the_rule(serve: Serve, connect: Connect) -> None:
    """A limit of a server that was stopped and started again has kept its counters."""
    server: SMTPServer = serve(on("mail_from", call=rate(1, per="day")))
    assert sender(greet(connect(server))) == 250
    server.stop()
    server.start()
    assert sender(greet(connect(server))) == 450
    server.clock.advance(days=1)
    assert sender(greet(connect(server))) == 250
