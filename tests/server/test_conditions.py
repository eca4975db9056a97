"""``when=`` of a query is asked about what the query is about, and about nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_smtpd import Address, Auth, Call, Command, SMTPServer, Stream, on
from tests.rfc.sasl import b64
from tests.rfc.wire import connect

KINDS: dict[Any, type] = {"auth": Auth, "mail_from": Address, "rcpt_to": Address, "data": Stream, "command": Command}
COUNTS = {"connect": 1, "auth": 1, "mail_from": 1, "rcpt_to": 2, "data": 1, "close": 1, "command": 7}


def one_mail(server: SMTPServer) -> None:
    with connect(server, ehlo=True) as client:
        client.steps(f"AUTH PLAIN {b64(chr(0) + 'ada' + chr(0) + 'secret')}")
        client.steps("MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "RCPT TO:<c@example.com>", "DATA")
        client.steps("Subject: x\r\n\r\ny\r\n.", "QUIT")
    server.wait_closed()


@pytest.mark.parametrize("hook", COUNTS)
def test_a_condition_is_asked_about_calls_of_that_hook_only(hook: Any) -> None:
    asked: list[Call] = []

    def condition(call: Call) -> bool:
        asked.append(call)
        return isinstance(call.argument, KINDS[hook]) if hook in KINDS else True

    with SMTPServer() as server:
        one_mail(server)
        found = server.log.calls(hook, when=condition)
        waited = server.log.wait_for(hook, COUNTS[hook], timeout=0, when=condition)
        waited_async = asyncio.run(server.log.wait_for_async(hook, COUNTS[hook], timeout=0, when=condition))
    assert len(found) == COUNTS[hook]
    assert found == waited == waited_async
    assert {call.hook for call in asked} == {hook}


def test_without_a_hook_it_is_asked_about_every_call() -> None:
    asked: list[str] = []
    with SMTPServer() as server:
        one_mail(server)
        server.log.calls(when=lambda call: asked.append(call.hook))
    assert set(asked) == set(COUNTS)


def test_other_keys_are_asked_first() -> None:
    """So the condition may rely on them."""
    with SMTPServer() as server:
        one_mail(server)
        assert server.log.calls("command", verb="MAIL", when=lambda call: call.argument.argument.startswith("FROM"))
        assert server.find(to="b@example.com", when=lambda envelope: envelope.subject == "x")
        assert server.log.sessions(closed=True, when=lambda session: session.user == "ada")


@pytest.mark.parametrize("hook", [hook for hook in COUNTS if hook != "close"])
def test_the_condition_of_a_rule_is_asked_about_calls_of_its_hook_only(hook: Any) -> None:
    """Also in the text of why a rule was never used."""
    asked: list[Call] = []

    def condition(call: Call) -> None:
        asked.append(call)

    rule = on(hook, when=condition, reply=550)
    with SMTPServer(on=[rule]) as server:
        one_mail(server)
        assert "was never used" in server.explain_unused(server.rules[0])
    assert {call.hook for call in asked} == {hook}
