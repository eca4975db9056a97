"""A verb is one row of ``commands.VERBS``, and its row in ``states.SEQUENCE`` for where it may come and leads.

XRESTART is a RSET that also forgets the greeting: a 2xx leads from READY back to START.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, on
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.commands import VERBS, Verb
from pytest_smtpd.smtp.events import Plain
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.replies import Reply, own
from pytest_smtpd.smtp.states import SEQUENCE, State
from tests.growth.tables import mistake, one_line, page, refusal, required, row_of, without
from tests.rfc.wire import Connect, Serve

VERB = "XRESTART"
DONE = own(250, "2.0.0", "Once more from the beginning")


def restart(command: Any, argument: str, context: Any) -> Plain:
    if argument:
        raise Refused(replies.NO_ARGUMENT_ALLOWED)
    return Plain(command=command, default=DONE)


def only_once(event: Any, context: Any) -> Reply | None:
    return replies.NOT_ALLOWED if context.session.commands.count(VERB) > 1 else None


ROW = Verb("of this test", restart, only_once)


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEQUENCE[State.READY], VERB, {2: State.START})
    monkeypatch.setitem(VERBS, VERB, ROW)


# --- a whole row ----------------------------------------------------------------------------------------------------


def test_it_is_answered_and_moves_the_session(serve: Serve, client: Connect) -> None:
    wire = client(serve(), ehlo=True)
    assert wire.say("xrestart").lines == ("2.0.0 Once more from the beginning",)
    assert wire.say("MAIL FROM:<ada@client.example>").code == 503
    assert wire.say("EHLO client.example").code == 250


@pytest.mark.parametrize(
    ("before", "line", "code"),
    [
        ("NOOP", "XRESTART now", 501),
        ("MAIL FROM:<ada@client.example>", "XRESTART", 503),
        ("NOOP", "XRESTARTS", 500),
    ],
)
def test_it_is_refused_where_it_may_not_come(serve: Serve, client: Connect, before: str, line: str, code: int) -> None:
    wire = client(serve(), ehlo=True)
    wire.steps(before)
    assert wire.say(line).code == code


def test_its_gate_is_asked_last(serve: Serve, client: Connect) -> None:
    wire = client(serve(), ehlo=True)
    wire.steps("XRESTART", "EHLO client.example")
    assert wire.say("XRESTART").code == 550


def test_the_log_and_the_session_know_it(serve: Serve, client: Connect) -> None:
    server = serve()
    client(server, ehlo=True).steps("XRESTART")
    (call,) = server.log.calls("command", verb="xrestart")
    assert repr(call) == f"<Call {call.number} command <Command 'XRESTART'> accepted 250>"
    assert server.log.sessions()[0].commands == ("EHLO", VERB)
    assert "S: 250 2.0.0 Once more from the beginning" in server.log.transcript()
    with pytest.raises(AssertionError, match=r"(?s)still open.*after XRESTART"):
        server.wait_closed(timeout=0)


def test_the_digit_of_a_rules_reply_decides(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("command", verb="xrestart", reply=[450, 250])])
    wire = client(server, ehlo=True)
    assert wire.say("XRESTART").code == 450
    assert wire.say("VRFY ada").code == 252
    assert wire.say("XRESTART").code == 250
    assert wire.say("MAIL FROM:<ada@client.example>").code == 503
    assert server.log.calls("command", verb=VERB, outcome="refused")[0].rule is server.rules[0]


@pytest.mark.parametrize(
    ("part", "settings", "codes"),
    [
        ({}, {"disable": {"xrestart"}}, (502, 502)),
        ({"offered": lambda options: options.lmtp, "condition": "in LMTP"}, {}, (500, 500)),
        (
            {"offered": lambda options: False, "condition": "never", "missing": replies.NOT_ALLOWED},
            {},
            (550, 550),
        ),
        ({}, {"require_tls": True}, (530, 250)),
        ({"in_clear": True}, {"require_tls": True}, (250, 250)),
    ],
)
def test_settings_and_its_row_say_who_may_use_it(
    serve: Serve,
    client: Connect,
    monkeypatch: pytest.MonkeyPatch,
    part: dict[str, Any],
    settings: dict[str, Any],
    codes: tuple[int, int],
) -> None:
    monkeypatch.setitem(VERBS, VERB, ROW._replace(**part, gate=None))
    server = serve(**settings)
    wire = client(server, ehlo=True)
    assert wire.say("XRESTART").code == codes[0]
    wire.steps("EHLO client.example", "STARTTLS")
    wire.secure(server.client_context, server.host)
    wire.steps("EHLO client.example")
    assert wire.say("XRESTART").code == codes[1]


def test_a_rule_may_accept_what_its_row_makes_of_a_malformed_one(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        VERBS, VERB, ROW._replace(as_it_stands=lambda command, argument, context: Plain(command=command))
    )
    wire = client(serve(on=[on("command", verb=VERB, reply=250)]), ehlo=True)
    wire.steps("XRESTART now")
    assert wire.say("MAIL FROM:<ada@client.example>").code == 503


def test_errors_know_it() -> None:
    with pytest.raises(ValueError) as caught:
        SMTPServer(disable={"XRESTRT"})
    assert "unknown verb or EHLO keyword 'XRESTRT' - did you mean 'XRESTART'?" in one_line(caught.value)
    with pytest.raises(ValueError) as caught:
        on("xrestart", reply=550)  # type: ignore[arg-type]
    assert one_line(caught.value) == """unknown hook 'xrestart' - write on("command", verb="XRESTART", ...)"""


def test_markers_know_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run("""
        @pytest.mark.smtpd_on("command", verb="XRESTART", reply="450 4.3.2 Not now")
        def test_rule(smtpd):
            with connect(smtpd) as client:
                assert client.docmd("XRESTART") == (450, b"4.3.2 Not now")

        @pytest.mark.smtpd(disable={"XRESTART"})
        def test_disabled(smtpd):
            with connect(smtpd) as client:
                assert client.docmd("XRESTART")[0] == 502

        @pytest.mark.smtpd_on("xrestart", reply=450)
        def test_slip(smtpd):
            pass
    """)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["""*unknown hook 'xrestart' - write on("command", verb="XRESTART", ...)*"""])


def test_the_reference_lists_it() -> None:
    assert row_of(VERB, page("protocol"))[1:3] == ["of this test", "ready"]


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", required(ROW))
def test_a_row_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(ROW, part)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"rfc": ""}, "rfc= must say where it is defined"),
        ({"parse": None}, "parse= must be a function, not None"),
        ({"gate": True}, "gate= must be a function, not True"),
        ({"as_it_stands": DONE}, "as_it_stands= must be a function, not <Reply"),
        ({"offered": True}, "offered= must be a function, not True"),
        ({"missing": DONE}, "missing= must be a reply that refuses, not <Reply"),
        ({"offered": lambda options: options.xclient}, "condition= must say when it is offered"),
        ({"condition": "sometimes"}, "condition= must say when it is offered"),
    ],
)
def test_half_a_row_may_not_enter(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], problem: str) -> None:
    monkeypatch.setitem(SEQUENCE[State.READY], "XNEW", {})
    assert refusal(VERBS, "XNEW", ROW._replace(**change)).startswith(f"verb 'XNEW': {problem}")


def test_a_verb_without_a_state_to_come_in_may_not_enter() -> None:
    text = "verb 'XNEW': states.SEQUENCE has no row for it: say in which states it may come"
    assert refusal(VERBS, "XNEW", ROW) == text


@pytest.mark.parametrize("moves", [{2: "ready"}, {250: State.READY}, {"2": State.READY}])
def test_a_verb_that_leads_nowhere_may_not_enter(monkeypatch: pytest.MonkeyPatch, moves: Any) -> None:
    monkeypatch.setitem(SEQUENCE[State.READY], "XNEW", moves)
    assert "not the first digit of a reply and a State" in refusal(VERBS, "XNEW", ROW)


@pytest.mark.parametrize("verb", ["xnew", "X NEW", ""])
def test_a_verb_that_no_client_can_send_may_not_enter(verb: str) -> None:
    assert "it must be in upper case" in refusal(VERBS, verb, ROW)


def test_a_state_without_the_verbs_own_row_is_an_error_of_the_test(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SEQUENCE[State.READY], "XNEW", {})
    server = serve()
    wire = client(server, ehlo=True)
    wire.send(b"XNEW\r\n")
    assert wire.rest() == b""
    assert mistake(server) == "verb 'XNEW': states.SEQUENCE has a row for it, and commands.VERBS has none"


def test_an_event_without_a_reply_is_an_error_of_the_test(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(VERBS, VERB, ROW._replace(parse=lambda command, argument, context: Plain(command=command)))
    server = serve()
    wire = client(server, ehlo=True)
    wire.send(b"XRESTART\r\n")
    assert wire.rest() == b""
    assert mistake(server) == "verb 'XRESTART': its event has no default=, the reply that the RFC would give"
