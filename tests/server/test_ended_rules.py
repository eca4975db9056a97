"""Rules that are over cost nothing any more: a mail takes as many calls of Python functions as without them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, on
from tests.rfc.wire import connect

MANY = 5000
MAIL = b"EHLO c\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\nQUIT\r\n"
HOOKS: tuple[Any, ...] = ("connect", "mail_from", "rcpt_to", "data")


class Counted:
    """A server whose thread counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        threading.setprofile(self._count)  # of threads that start from now on
        try:
            self.server = SMTPServer().start()
        finally:
            threading.setprofile(None)

    def _count(self, frame: object, event: str, argument: object) -> None:
        self.calls += event == "call"

    def mail(self) -> int:
        """The calls that one mail takes."""
        self.server.catch_up()
        before = self.calls
        with connect(self.server, greet=False) as client:
            client.send(MAIL)
            assert client.rest().endswith(b"221 2.0.0 Bye\r\n")
        self.server.wait_closed()
        return self.calls - before


def blocks(server: SMTPServer) -> None:
    for number in range(MANY):
        with server.on(HOOKS[number % len(HOOKS)], delay=0.001):
            pass


def used_up(server: SMTPServer) -> None:
    for number in range(MANY):
        server.on(HOOKS[number % len(HOOKS)], delay=0, times=1).take()


def replaced(server: SMTPServer) -> None:
    rules = [on(HOOKS[number % len(HOOKS)], delay=0.001) for number in range(MANY)]
    server.use_rules(rules)
    for rule in rules:
        rule.end()


@pytest.mark.parametrize("way", [blocks, used_up, replaced])
@pytest.mark.skipif(sys.gettrace() is not None, reason="a tracer may count as well")
def test_a_mail_is_as_quick_as_without_them(way: Callable[[SMTPServer], None]) -> None:
    counted = Counted()
    with counted.server as server:
        counted.mail()
        plain = counted.mail()
        way(server)
        counted.mail()  # which finds them
        assert counted.mail() < plain * 1.5


def test_a_hook_without_any_rule_left_is_answered_on_the_spot_again() -> None:
    with SMTPServer() as server:
        with server.on("rcpt_to", reply=550), connect(server, ehlo=True) as client:
            client.steps("MAIL FROM:<a@example.com>")
            assert client.say("RCPT TO:<b@example.com>").code == 550
        with connect(server, ehlo=True) as client:
            client.steps("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>")
        assert [rule.used for rule in server.rules] == [1]


def test_those_around_them_keep_their_order() -> None:
    with SMTPServer(on=[on("rcpt_to", reply=554)]) as server:
        far = server.on("rcpt_to", reply=553)
        with server.on("rcpt_to", reply=552):
            near = server.on("rcpt_to", reply=551, times=1)
        with connect(server, ehlo=True) as client:
            client.steps("MAIL FROM:<a@example.com>")
            codes = [client.say("RCPT TO:<b@example.com>").code for _ in range(3)]
            far.end()
            codes.append(client.say("RCPT TO:<b@example.com>").code)
        assert codes == [551, 553, 553, 554]
        assert near.used == 1


def test_a_rule_added_while_others_are_being_dropped_is_kept() -> None:
    """From other threads, while the server finds that rules are over."""
    with SMTPServer() as server, connect(server, ehlo=True) as client:
        client.steps("MAIL FROM:<a@example.com>")

        def add() -> None:
            for _ in range(300):
                server.on("rcpt_to", reply=250, times=1, to="b@example.com")

        adders = [threading.Thread(target=add) for _ in range(3)]
        for adder in adders:
            adder.start()
        for _ in range(900):
            assert client.say("RCPT TO:<b@example.com>").code == 250
        for adder in adders:
            adder.join()
        for _ in range(900):
            assert client.say("RCPT TO:<b@example.com>").code == 250
        assert sum(rule.used for rule in server.rules) == 900
