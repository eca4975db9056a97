"""Rules while connections are open: made, ended, replaced, counted, combined, released."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Literal

import pytest

from pytest_smtpd import Address, Reject, Session, SMTPServer, SMTPServerFactory, on
from tests.faults.observer import Observer, client_context
from tests.faults.vocabulary import End


class Speaker:
    """A client that has said EHLO and MAIL, and asks for one reply at a time."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.observer.line()
        assert [self.says(line) for line in ("HELO client.example.org", "MAIL FROM:<ada@example.com>")] == [250, 250]

    def says(self, line: str) -> int:
        self.observer.send(f"{line}\r\n".encode())
        return int(self.observer.line()[:3])

    def rcpt(self) -> int:
        return self.says("RCPT TO:<bob@example.com>")


@pytest.fixture
def observer(smtpd: SMTPServer) -> Iterator[Observer]:
    with Observer((smtpd.host, smtpd.port), client_context(str(smtpd.ca_file))) as observer:
        yield observer


@pytest.fixture
def speaker(observer: Observer) -> Speaker:
    return Speaker(observer)


def test_a_rule_takes_effect_on_a_connection_that_is_open(smtpd: SMTPServer, speaker: Speaker) -> None:
    assert speaker.rcpt() == 250
    rule = smtpd.on("rcpt_to", reply=550)
    assert (speaker.rcpt(), rule.used) == (550, 1)


def test_a_rule_ends_with_its_block(smtpd: SMTPServer, speaker: Speaker) -> None:
    with smtpd.on("rcpt_to", reply=550) as rule:
        assert (speaker.rcpt(), speaker.rcpt()) == (550, 550)
    assert (speaker.rcpt(), rule.used) == (250, 2)


def test_the_latest_rule_is_asked_first_and_gives_way_when_it_ends(smtpd: SMTPServer, speaker: Speaker) -> None:
    outer = smtpd.on("rcpt_to", reply=550)
    with smtpd.on("rcpt_to", reply=451) as inner:
        assert speaker.rcpt() == 451
    assert speaker.rcpt() == 550
    assert (outer.used, inner.used) == (1, 1)


def test_a_block_that_is_left_by_an_error_ends_its_rule_too(smtpd: SMTPServer, speaker: Speaker) -> None:
    with contextlib.suppress(ZeroDivisionError), smtpd.on("rcpt_to", reply=550):
        assert speaker.rcpt() // 0
    assert speaker.rcpt() == 250


def test_a_used_up_rule_lets_the_one_behind_it_answer(smtpd: SMTPServer, speaker: Speaker) -> None:
    smtpd.on("rcpt_to", reply=550)
    smtpd.on("rcpt_to", reply=451, times=2)
    assert [speaker.rcpt() for _ in range(4)] == [451, 451, 550, 550]


def test_calls_that_a_rule_in_front_has_answered_do_not_count(smtpd: SMTPServer, speaker: Speaker) -> None:
    behind = smtpd.on("rcpt_to", reply=550, skip=1, times=1)
    smtpd.on("rcpt_to", reply=451, times=2)
    assert [speaker.rcpt() for _ in range(5)] == [451, 451, 250, 550, 250]
    assert behind.used == 1


@pytest.mark.parametrize("skip", [0, 1, 3])
@pytest.mark.parametrize("times", [1, 2, 9])
def test_skip_lets_the_first_pass_and_times_counts_from_there(
    smtpd: SMTPServer, speaker: Speaker, skip: int, times: int
) -> None:
    rule = smtpd.on("rcpt_to", reply=550, skip=skip, times=times)
    expected = [550 if skip <= n < skip + times else 250 for n in range(5)]
    assert [speaker.rcpt() for _ in range(5)] == expected
    assert rule.used == expected.count(550)


def test_a_count_is_the_servers_and_not_the_connections(smtpd: SMTPServer, speaker: Speaker) -> None:
    smtpd.on("rcpt_to", reply=550, times=1)
    assert speaker.rcpt() == 550
    with Observer((smtpd.host, smtpd.port), client_context(str(smtpd.ca_file))) as second:
        assert Speaker(second).rcpt() == 250


def test_a_value_counts_afresh_on_every_server(smtpd_factory: SMTPServerFactory) -> None:
    rule = on("rcpt_to", reply=550, times=1)
    for server in (smtpd_factory("one", on=[rule]), smtpd_factory("two", on=[rule])):
        with Observer((server.host, server.port), client_context(str(server.ca_file))) as observer:
            speaker = Speaker(observer)
            assert (speaker.rcpt(), speaker.rcpt()) == (550, 250)


def test_a_hanging_client_is_let_go_when_the_server_stops(smtpd: SMTPServer, speaker: Speaker) -> None:
    smtpd.on("rcpt_to", hang=True)
    speaker.observer.send(b"RCPT TO:<bob@example.com>\r\n")
    smtpd.log.wait_for("rcpt_to", when=lambda call: call.outcome == "hung")
    started = time.monotonic()
    smtpd.stop()
    assert (speaker.observer.rest(), speaker.observer.end in {End.FIN, End.RST}) == (b"", True)
    assert time.monotonic() - started < 1


def test_one_hanging_connection_does_not_hold_up_another(smtpd: SMTPServer, speaker: Speaker) -> None:
    smtpd.on("rcpt_to", hang=True, times=1)
    speaker.observer.send(b"RCPT TO:<bob@example.com>\r\n")
    smtpd.log.wait_for("rcpt_to", when=lambda call: call.outcome == "hung")
    with Observer((smtpd.host, smtpd.port), client_context(str(smtpd.ca_file))) as second:
        assert Speaker(second).rcpt() == 250


def test_a_slow_answer_does_not_hold_up_another_connection(smtpd: SMTPServer, speaker: Speaker) -> None:
    smtpd.on("rcpt_to", delay=5, times=1)
    speaker.observer.send(b"RCPT TO:<bob@example.com>\r\n")
    smtpd.log.wait_for("rcpt_to")
    with Observer((smtpd.host, smtpd.port), client_context(str(smtpd.ca_file))) as second:
        assert Speaker(second).rcpt() == 250


def test_a_client_that_leaves_a_hang_is_noticed(smtpd: SMTPServer, speaker: Speaker) -> None:
    smtpd.on("rcpt_to", hang=True)
    speaker.observer.send(b"RCPT TO:<bob@example.com>\r\n")
    smtpd.log.wait_for("rcpt_to", when=lambda call: call.outcome == "hung")
    speaker.observer.__exit__(None, None, None)
    smtpd.wait_closed()


def test_every_modifier_of_an_answer_at_once(smtpd: SMTPServer, speaker: Speaker) -> None:
    smtpd.on("rcpt_to", reply="550 5.1.1 No", delay=0.1, drip=0.01, linger=0.1, drop="rst", skip=1, times=1)
    assert speaker.rcpt() == 250
    started = time.monotonic()
    assert speaker.rcpt() == 550
    assert (speaker.observer.rest(), speaker.observer.end) == (b"", End.RST)
    assert time.monotonic() - started >= 0.1 + 0.01 * len("550 5.1.1 No\r") + 0.1


def test_a_delay_alone_and_an_answer_add_up(smtpd: SMTPServer, speaker: Speaker) -> None:
    slow = smtpd.on("rcpt_to", delay=0.1)
    smtpd.on("rcpt_to", reply=550, times=1)
    smtpd.on("rcpt_to", delay=0.1)
    started = time.monotonic()
    assert speaker.rcpt() == 550
    assert time.monotonic() - started >= 0.1
    assert slow.used == 0, "the rule in front of it has answered"
    assert speaker.rcpt() == 250
    assert slow.used == 1


@pytest.mark.parametrize("times", [2, 1])
def test_a_delay_may_decorate_a_hook(smtpd: SMTPServer, speaker: Speaker, times: int) -> None:
    @smtpd.on("rcpt_to", delay=0.1, times=times)
    def only_carol(address: Address, session: Session) -> None:
        if address.local != "carol":
            raise Reject(550, "5.1.1 Not Carol")

    assert only_carol.__name__ == "only_carol", "it gives the function back"
    started = time.monotonic()
    assert speaker.rcpt() == 550
    assert time.monotonic() - started >= 0.1
    assert speaker.rcpt() == (550 if times > 1 else 250)
    assert str(smtpd.log.calls("rcpt_to")[0].reply) == "550 5.1.1 Not Carol"


def test_a_rule_waits_for_the_function_that_it_decorates(smtpd: SMTPServer, speaker: Speaker) -> None:
    decorate = smtpd.on("rcpt_to", skip=1)
    assert [speaker.rcpt(), speaker.rcpt(), decorate.used, decorate.seen] == [250, 250, 0, 0]
    with decorate:
        decorate(lambda address, session: "whatever it returns, it accepts")
        assert [speaker.rcpt(), speaker.rcpt(), decorate.used] == [250, 250, 1]
    assert [speaker.rcpt(), decorate.used] == [250, 1]


def test_what_cannot_be_a_hook_decorates_nothing(smtpd: SMTPServer) -> None:
    decorate = smtpd.on("rcpt_to", delay=0.1, optional=True)
    with pytest.raises(TypeError, match=r"^call must be a function, not 550$"):
        decorate(550)  # type: ignore[type-var]
    assert repr(decorate) == "on('rcpt_to', delay=0.1, optional=True)"


def test_rules_may_be_made_while_clients_are_busy(smtpd: SMTPServer, speaker: Speaker) -> None:
    """Each reply is of the old rules or the new ones, and nothing is lost."""
    done = threading.Event()

    def churn() -> None:
        while not done.is_set():
            with smtpd.on("rcpt_to", reply=550, optional=True):
                pass

    thread = threading.Thread(target=churn)
    thread.start()
    replies = [speaker.rcpt() for _ in range(200)]
    done.set()
    thread.join()
    assert set(replies) <= {250, 550}
    assert len(smtpd.log.calls("rcpt_to")) == 200
    assert [call.code for call in smtpd.log.calls("rcpt_to")] == replies


@pytest.mark.parametrize("hook", ["connect", "secure"])
@pytest.mark.parametrize("reply", [334, 354])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_reply_out_of_its_place_is_given_once(
    smtpd_factory: SMTPServerFactory,
    hook: Literal["connect", "secure"],
    reply: int,
    tls: Literal["starttls", "implicit"],
) -> None:
    server = smtpd_factory(on=[on(hook, reply=reply)], tls=tls)
    with Observer((server.host, server.port), client_context(str(server.ca_file))) as observer:
        if tls == "starttls":
            observer.line()
            observer.send(b"STARTTLS\r\n")
            observer.line()
        observer.start_tls()
        server.log.wait_for(hook)
    server.wait_closed()
    assert len(server.log.calls(hook)) == 1
