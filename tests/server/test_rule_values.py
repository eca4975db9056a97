"""A rule is a plain value: how it is shown, and that each server counts for itself."""

from __future__ import annotations

import re
from functools import partial
from threading import Barrier, Thread
from typing import Any

import pytest

from pytest_smtpd import on
from tests.server.talk import ADA, BOB, EVE, HELLO, MAIL, Connect, Serve, codes, nothing


def lower(usual: bytes) -> bytes:
    """What is sent instead of the usual answer."""
    return usual.lower()


@pytest.mark.parametrize(
    ("hook", "options", "shown", "name"),
    [
        ("connect", {"reply": 421}, "on('connect', reply=421)", "connect-421"),
        ("data", {"drop": True}, "on('data', drop=True)", "data-drop"),
        ("data", {"drop": "rst"}, "on('data', drop='rst')", "data-drop=rst"),
        ("data", {"after": 10, "reply": 552}, "on('data', reply=552, after=10)", "data-552-after=10"),
        ("rcpt_to", {"to": "a@*", "reply": 550}, "on('rcpt_to', reply=550, to='a@*')", "rcpt_to-550-to=a@*"),
        ("rcpt_to", {"reply": "550 5.1.1 No"}, "on('rcpt_to', reply='550 5.1.1 No')", "rcpt_to-550 5.1.1 No"),
        ("rcpt_to", {"reply": [450, "250 ok"]}, "on('rcpt_to', reply=[450, '250 ok'])", "rcpt_to-450,250 ok"),
        ("rcpt_to", {"call": nothing}, "on('rcpt_to', call=nothing)", "rcpt_to-call=nothing"),
        ("rcpt_to", {"call": partial(nothing, 1)}, "on('rcpt_to', call=nothing)", "rcpt_to-call=nothing"),
        ("rcpt_to", {"raw": lower}, "on('rcpt_to', raw=lower)", "rcpt_to-raw=lower"),
        (
            "rcpt_to",
            {"to": re.compile("x", re.IGNORECASE), "hang": True},
            "on('rcpt_to', hang=True, to=re.compile('x', re.IGNORECASE))",
            "rcpt_to-hang-to=re.compile('x', re.IGNORECASE)",
        ),
        ("rcpt_to", {"reply": 450, "optional": True}, "on('rcpt_to', reply=450, optional=True)", "rcpt_to-450"),
        (
            "rcpt_to",
            {"reply": 450, "to": {"b", "a"}},
            "on('rcpt_to', reply=450, to={'a', 'b'})",
            "rcpt_to-450-to={'a', 'b'}",
        ),
    ],
)
def test_a_rule_is_shown_with_its_action_first_whatever_the_order(
    hook: Any, options: dict[str, Any], shown: str, name: str
) -> None:
    for order in (options, dict(reversed(options.items()))):
        rule = on(hook, **order)
        assert repr(rule) == shown
        assert rule.__name__ == name


def test_a_long_value_is_shortened_and_the_id_stays_unique() -> None:
    one, other = (on("rcpt_to", reply="550 " + "x" * 500 + middle + "x" * 500) for middle in "ab")
    assert len(repr(one)) < 200
    assert len(one.__name__) < 200
    assert one.__name__ != other.__name__


# --- a rule is a value ------


def test_each_server_counts_for_itself(serve: Serve, connect: Connect) -> None:
    """The rule that was handed over stays as it was made."""
    rule = on("rcpt_to", reply=550, times=1)
    for server in (serve(rule), serve(rule)):
        assert codes(connect(server), HELLO, MAIL, ADA, BOB) == [250, 250, 550, 250]
        assert server.rules[0].used == 1
    assert rule.used == 0


def test_a_rule_ends_with_its_block_even_if_that_fails(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    rule = server.on("rcpt_to", reply=550)

    def fails() -> None:
        with rule:
            assert codes(wire, ADA) == [550]
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fails()
    assert codes(wire, BOB) == [250]
    with server.on("rcpt_to", reply=450) as again:
        assert codes(wire, EVE) == [450]
    assert (rule.used, again.used) == (1, 1)


def test_no_rule_is_lost_that_threads_add_at_once(serve: Serve) -> None:
    server, start = serve(), Barrier(4)

    def add() -> None:
        start.wait(20)
        for _ in range(50):
            server.on("rcpt_to", reply=550)

    threads = [Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(list(server.rules)) == 200
