"""The loop itself: its turns, its misuse, and blocks that do not behave."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import threading

import pytest

from pytest_smtpd import Fault, Finding, SMTPServer, Sweep, SweepFailure, on
from pytest_smtpd.limits import rate
from tests.sweep.inner import careless, send, two_mails


def test_first_turn_is_without_a_fault_and_each_other_has_one_point() -> None:
    points, rules = [], []
    with SMTPServer() as server:
        for fault in server.sweep(only=["rcpt_to-550-*", "size=20", "connection-refused"]):
            points.append(fault.point)
            rules.append(fault.rule)
            with fault:
                fault.failed(two_mails(server))
    assert points[0] is None
    assert rules[0] is None
    assert points[1] == "rcpt_to-550-to=ada@example.com"
    assert rules[1] == '@pytest.mark.smtpd_on("rcpt_to", to="ada@example.com", reply=550)'
    assert "@pytest.mark.smtpd(size=20)" in rules
    assert len(set(points)) == len(points) == 6


def test_port_stays_and_the_log_is_emptied_before_each_turn() -> None:
    ports, counts = set(), []
    with SMTPServer() as server:
        for fault in server.sweep(only=["rcpt_to-450*", "connection-refused"]):
            with fault:
                ports.add(server.port)
                counts.append(len(server.log))
                fault.failed(two_mails(server))
    assert len(ports) == 1
    assert set(counts) == {0}


def test_rules_and_settings_of_the_test_stay_in_force_and_count_anew_in_each_turn() -> None:
    codes = []
    with SMTPServer(size=5000) as server:
        rule = server.on("command", verb="NOOP", reply=450, times=1)
        for fault in server.sweep(only="rcpt_to-*"):
            with fault:
                with smtplib.SMTP(server.host, server.port, timeout=5) as client:
                    client.ehlo()
                    codes.append((client.noop()[0], client.noop()[0], client.esmtp_features["size"]))
                fault.failed(two_mails(server))
        assert set(codes) == {(450, 250, "5000")}
        assert rule.used == len(codes)
        assert server.rules == [rule] or rule in server.rules


def test_own_rule_with_a_memory_remembers_nothing_of_earlier_turns() -> None:
    codes = []
    with SMTPServer(on=[on("mail_from", call=rate(2, per="day"))]) as server:
        for fault in server.sweep(only="QUIT-4*"):
            with fault:
                send(server)
                with smtplib.SMTP(server.host, server.port, timeout=5) as client:
                    client.ehlo()
                    codes.append([client.mail("a@x.example")[0], client.rset()[0], client.mail("b@x.example")[0]])
    assert len(codes) > 1
    assert codes == [[250, 250, 450]] * len(codes)


@pytest.mark.parametrize("place", ["between turns", "in a block"])
def test_loop_that_is_left_early_leaves_no_thread_behind(place: str) -> None:
    before = threading.enumerate()
    with pytest.raises(SweepFailure, match="left early"), SMTPServer() as server:
        for fault in server.sweep():
            with fault:
                send(server)
                if place == "in a block":
                    break
            break
    assert threading.enumerate() == before


def test_sweep_of_a_server_that_is_left_early_or_never_begun_fails() -> None:
    with pytest.raises(SweepFailure, match=r"1 of 1 points were not run"), SMTPServer() as server:
        for fault in server.sweep(only="QUIT-500"):
            with fault:
                send(server)
            break
    never = r"never iterated; write: for fault in server\.sweep\(\):"
    with pytest.raises(SweepFailure, match=never), SMTPServer() as server:
        server.sweep()
        send(server)
    with SMTPServer() as server:
        server.sweep()
        with pytest.raises(SweepFailure, match="never iterated"):
            server.verify()
        server.sweeps.clear()


@pytest.mark.wide
def test_nothing_of_the_sweep_is_left_on_the_server() -> None:
    with SMTPServer() as server:
        before = server.settings
        for fault in server.sweep():
            with fault:
                fault.failed(two_mails(server))
        assert server.settings == before
        send(server)
        assert not [rule for rule in server.rules if not rule.over]


def test_clean_run_that_raises_fails_with_that_exception() -> None:
    with SMTPServer() as server, pytest.raises(ZeroDivisionError):
        for fault in server.sweep():
            with fault:
                send(server)
                raise ZeroDivisionError


def test_clean_run_that_reports_a_failure_fails() -> None:
    with SMTPServer() as server, pytest.raises(SweepFailure, match="without a fault"):
        for fault in server.sweep():
            with fault:
                send(server)
                fault.failed()


@pytest.mark.parametrize("block", [lambda server: None, lambda server: smtplib.SMTP(server.host, server.port).quit()])
def test_dialogue_without_a_mail_fails(block: object) -> None:
    assert callable(block)
    with SMTPServer() as server, pytest.raises(SweepFailure, match="no mail"):
        for fault in server.sweep():
            with fault:
                block(server)


def test_block_that_sends_elsewhere_fails_as_one_without_a_mail() -> None:
    with (
        SMTPServer() as server,
        SMTPServer() as other,
        pytest.raises(SweepFailure, match="no mail"),
    ):
        for fault in server.sweep():
            with fault:
                send(other)


@pytest.mark.wide
@pytest.mark.parametrize("error", [AssertionError, KeyboardInterrupt, pytest.fail.Exception, pytest.skip.Exception])
def test_what_is_no_claim_leaves_the_loop(error: type[BaseException]) -> None:
    turns = []
    with SMTPServer() as server, pytest.raises(error):
        for fault in server.sweep():
            with fault:
                send(server)
                turns.append(fault.point)
                if fault.point:
                    raise error("stop")
    assert len(turns) <= 6  # points that raise by themselves come before it


def test_assertion_in_a_group_leaves_the_loop() -> None:
    with SMTPServer() as server, pytest.raises(ExceptionGroup):
        for fault in server.sweep(only="QUIT-421"):
            with fault:
                send(server)
                if fault.point:
                    raise ExceptionGroup("tasks", [AssertionError("no")])


def test_internal_error_in_a_group_is_found() -> None:
    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only="mail_from-451"):
            with fault:
                try:
                    send(server)
                except smtplib.SMTPException:
                    raise ExceptionGroup("tasks", [KeyError("no")]) from None
    assert [finding.name for finding in failure.value.findings] == ["internal-error"]


def test_misspelt_claim_leaves_the_loop_with_a_suggestion() -> None:
    with SMTPServer() as server, pytest.raises(AttributeError, match=r"'faild' - did you mean fault.failed"):
        for fault in server.sweep(only="rcpt_to-550"):
            with fault:
                fault.faild(two_mails(server))  # type: ignore[attr-defined]


def test_second_iteration_is_an_error() -> None:
    with SMTPServer() as server:
        sweep = server.sweep(only="QUIT-421")
        for fault in sweep:
            with fault:
                send(server)
        with pytest.raises(RuntimeError, match="once"):
            iter(sweep)


def test_turn_without_its_block_is_an_error() -> None:
    with SMTPServer() as server, pytest.raises(RuntimeError, match="with fault"):
        for _ in server.sweep():
            send(server)


def test_fault_is_entered_once() -> None:
    with SMTPServer() as server, pytest.raises(RuntimeError, match="once"):
        for fault in server.sweep():
            with fault:
                send(server)
            with fault:
                send(server)


def test_block_that_waits_for_ever_is_ended_by_stopping_the_server() -> None:
    def block(server: SMTPServer) -> None:
        client = smtplib.SMTP(server.host, server.port)
        with client:
            client.sendmail("app@example.com", ["ada@example.com"], b"Subject: x\r\n\r\nx\r\n")

    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only="mail_from-hang", timeout=0.1):
            with fault:
                block(server)
    assert [finding.name for finding in failure.value.findings] == ["hang"]
    assert "mail_from-hang" in str(failure.value)


@pytest.mark.wide
def test_client_that_waits_for_too_long_has_its_hang_points_left_out_and_told() -> None:
    with SMTPServer() as server:
        sweep = server.sweep(only=["*-hang", "QUIT-421"])
        for fault in sweep:
            with fault:
                client = smtplib.SMTP(server.host, server.port, timeout=60)
                try:
                    client.sendmail("app@example.com", ["ada@example.com"], b"Subject: x\r\n\r\nx\r\n")
                    client.quit()
                finally:
                    client.close()
    assert "left out" in sweep.counts


def test_slow_retry_queue_is_neither_a_hang_nor_slow() -> None:
    pause = threading.Event()
    with SMTPServer() as server:
        for fault in server.sweep(only="mail_from-451", timeout=0.05, strict=True):
            with fault:
                for _ in range(3):
                    try:
                        send(server)
                        break
                    except smtplib.SMTPException:
                        pause.wait(0.5)


def test_threads_of_the_block_are_waited_for() -> None:
    failed: dict[str, object] = {}
    with SMTPServer() as server:
        for fault in server.sweep(only="QUIT-*", timeout=5):
            with fault:
                thread = threading.Thread(target=lambda: failed.update(two_mails(server)))
                thread.start()
    assert failed == {}


def test_nondeterministic_dialogue_is_not_reported() -> None:
    """What happens at one of two runs of a point is listed, and fails nothing."""
    seen: list[str | None] = []
    with SMTPServer() as server:
        sweep = server.sweep(only="rcpt_to-550-to=bob@example.com")
        for fault in sweep:
            with fault:
                seen.append(fault.point)
                if seen.count(fault.point) == 1:
                    careless(server)
                else:
                    fault.failed(send(server, "ada@example.com", "bob@example.com"))
    assert seen == [None, *["rcpt_to-550-to=bob@example.com"] * 2]
    assert sweep.findings == ()


def test_sweep_in_a_coroutine() -> None:
    async def main(server: SMTPServer) -> list[Finding]:
        sweep = server.sweep(only=["rcpt_to-550-to=bob*", "mail_from-drop"])
        try:
            async for fault in sweep:
                async with fault:
                    await asyncio.to_thread(careless, server)
        except SweepFailure as failure:
            return list(failure.findings)
        return []

    with SMTPServer() as server:
        assert [finding.name for finding in asyncio.run(main(server))] == ["lost"]


def test_connection_that_is_not_made_is_a_point() -> None:
    with SMTPServer() as server:
        for fault in server.sweep(only="connection-refused"):
            with fault:
                if fault.point:
                    with pytest.raises(ConnectionRefusedError):
                        socket.create_connection(server.address, 1)
                    fault.failed()
                else:
                    send(server)


def test_objects_are_shown_in_a_short_line() -> None:
    with SMTPServer() as server:
        sweep = server.sweep(only="rcpt_to-550-to=bob*")
        assert isinstance(sweep, Sweep)
        assert "0 points" in repr(sweep)
        with pytest.raises(SweepFailure) as failure:
            for fault in sweep:
                assert isinstance(fault, Fault)
                assert len(repr(fault)) < 80
                with fault:
                    careless(server)
    assert "1 point run" in repr(sweep)
    assert repr(failure.value.findings[0]).count("\n") == 0


def test_own_rule_with_a_list_of_replies_is_the_same_in_each_turn() -> None:
    replies = []
    with SMTPServer(on=[on("command", verb="VRFY", reply=[250, 550])]) as server:
        for fault in server.sweep(only="QUIT-4*"):
            with fault:
                with smtplib.SMTP(server.host, server.port, timeout=5) as client:
                    replies.append((client.verify("ada")[0], client.verify("ada")[0]))
                send(server)
    assert set(replies) == {(250, 550)}
