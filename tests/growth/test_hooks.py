"""A hook point is one row of ``hooks.HOOKS``, and an event that reaches it.

The hook point ``ticket`` is reached by XTICKET, a verb of these tests; it is called with the ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

import pytest

from pytest_smtpd import Reject, Reply, Session, SMTPServer, on, providers
from pytest_smtpd.rules.hooks import HOOKS, Hook
from pytest_smtpd.rules.verdict import Verdict, answer
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.commands import VERBS, Verb
from pytest_smtpd.smtp.events import Event, HookName, Hooks
from pytest_smtpd.smtp.replies import own
from pytest_smtpd.smtp.states import SEQUENCE, State
from tests.growth.tables import mistake, one_line, page, refusal, required, row_of, without
from tests.rfc.wire import Connect, Serve

TICKET = cast("HookName", "ticket")  # a type cannot grow at run time
SOLD_OUT = own(550, "5.7.1", "Sold out")


class Ticket(Event):
    """XTICKET: it reaches two hook points."""

    hooks: ClassVar[Hooks] = (("command", "command"), (TICKET, "ticket"))
    ticket: str


def parse(command: Any, argument: str, context: Any) -> Event:
    return Ticket(command=command, ticket=argument, default=replies.OK)


def read(call: Any, value: Any, default: Reply | None, recipients: Sequence[str] | None) -> list[Verdict]:
    """A number is that of the seat."""
    return [answer(default or replies.OK if value is None else own(250, "2.0.0", f"Seat {value}"))]


ROW = Hook(
    "a ticket is shown",
    ("ticket", "session"),
    frozenset({"reply", "count", "user"}),
    read,
    SOLD_OUT,
    "the number of a seat",
)


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SEQUENCE[State.READY], "XTICKET", {})
    monkeypatch.setitem(VERBS, "XTICKET", Verb("of this test", parse))
    monkeypatch.setitem(HOOKS, "ticket", ROW)


# --- a whole row ----------------------------------------------------------------------------------------------------


def test_it_is_logged_behind_the_command_whether_or_not_somebody_is_there(serve: Serve, client: Connect) -> None:
    server = serve()
    client(server, ehlo=True).steps("XTICKET 12")
    command, ticket = list(server.log)[-2:]
    assert (command.hook, ticket.hook) == ("command", "ticket")
    assert ticket.args == ("12", ticket.session)
    assert ticket.reply == 250
    assert ticket.outcome == "accepted"
    assert repr(ticket) == f"<Call {ticket.number} ticket accepted 250>"
    assert server.log.calls(TICKET) == [ticket]
    assert server.log.wait_for(TICKET, timeout=0) == [ticket]


def test_rules_answer_there(serve: Serve, client: Connect) -> None:
    server = serve(on=[on(TICKET, reply=["450", "550 5.7.1 No"], user=None)])
    wire = client(server, ehlo=True)
    assert [wire.say("XTICKET 12").code for _ in range(3)] == [450, 550, 250]
    assert [call.code for call in server.log.calls(TICKET, outcome="refused")] == [450, 550]
    assert "S: 550 5.7.1 No   by on('ticket', reply=['450', '550 5.7.1 No'], user=None)" in server.log.transcript()
    assert server.log.sessions()[0].error == 550


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (lambda ticket, session: None, "250 2.0.0 OK"),
        (lambda ticket, session: 12, "250 2.0.0 Seat 12"),
    ],
)
def test_its_row_reads_what_a_function_returns(
    serve: Serve, client: Connect, hook: Callable[..., Any], said: str
) -> None:
    reply = client(serve(on=[on(TICKET, call=hook)]), ehlo=True).say("XTICKET 12")
    assert f"{reply.code} {reply.lines[0]}" == said


def test_functions_are_called_with_its_arguments_and_refuse_with_its_reply(serve: Serve, client: Connect) -> None:
    seen: list[Any] = []
    server = serve()

    @server.on(TICKET)
    async def sold_out(ticket: str, session: Session) -> None:
        seen.append((ticket, session))
        raise Reject

    reply = client(server, ehlo=True).say("XTICKET 12")
    assert f"{reply.code} {reply.lines[0]}" == "550 5.7.1 Sold out"
    assert seen == [("12", server.log.sessions()[0])]


def test_the_hook_point_before_it_may_answer_in_its_place(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("command", verb="XTICKET", reply=451), on(TICKET, reply=550)])
    assert client(server, ehlo=True).say("XTICKET 12").code == 451
    assert server.log.calls(TICKET) == []


def test_its_features_say_what_a_rule_there_may_have() -> None:
    on(TICKET, reply=250, accept=False, user="ada")
    for wrong, text in {"after": "'after' applies to", "to": "'to' applies to"}.items():
        with pytest.raises(TypeError) as caught:
            on(TICKET, reply=550, **{wrong: 1})  # type: ignore[arg-type]
        assert f"on('ticket'): {text}" in one_line(caught.value)
        assert "not to ticket" in str(caught.value)


def test_errors_know_it() -> None:
    def takes_nothing() -> None: ...

    with pytest.raises(ValueError, match=r"^unknown hook 'tickt' - did you mean 'ticket'\? \(valid: .*, ticket\)$"):
        on("tickt", reply=550)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"did you mean 'ticket'\?"), SMTPServer() as server:
        server.log.calls("tickt")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"called with \(ticket, session\), not as takes_nothing\(\)"):
        on(TICKET, call=takes_nothing)
    with pytest.raises(TypeError, match=r"'user' applies to .* and ticket, not to connect"):
        on("connect", reply=421, user="ada")


def test_providers_may_reply_there() -> None:
    text = '[acme]\ntitle = "Acme"\n[[acme.replies]]\nsituation = "sold out"\nrole = "mx"\nhook = "ticket"\n'
    parsed = providers.parse(f'{text}reply = "550 5.7.1 No"\nbasis = "wire"\nsource = "https://acme.example/"\n')
    assert repr(parsed["acme"].replies[0].rule()) == "on('ticket', reply='550 5.7.1 No')"


def test_markers_and_unused_rules_know_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run("""
        @pytest.mark.smtpd_on("ticket", reply="450 4.3.2 Later")
        def test_rule(smtpd):
            with connect(smtpd) as client:
                assert client.docmd("XTICKET 12") == (450, b"4.3.2 Later")

        @pytest.mark.parametrize("smtpd", [on("ticket", reply=450)], indirect=True)
        def test_parameter(smtpd):
            with connect(smtpd) as client:
                assert client.docmd("XTICKET 12")[0] == 450

        @pytest.mark.smtpd_on("ticket", reply=450, user="ada")
        def test_unused(smtpd):
            with connect(smtpd) as client:
                client.docmd("XTICKET 12")

        @pytest.mark.smtpd_on("tickt", reply=450)
        def test_misspelt(smtpd):
            pass
    """)
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "*on('ticket', reply=450, user='ada') was never used: there was 1 ticket call, and the rule did not *",
            "*<Call * ticket accepted 250>: user is None, not 'ada'",
            "*unknown hook 'tickt' - did you mean 'ticket'?*",
        ]
    )


def test_ids_of_parameters_name_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        @pytest.mark.parametrize("smtpd", [on("ticket", reply=450)], indirect=True)
        def test_it(smtpd):
            pass
        """,
        "--collect-only",
        "-q",
    )
    result.stdout.fnmatch_lines(["*::test_it[[]ticket-450[]]"])


def test_the_reference_lists_it() -> None:
    cells = ["`ticket`", "a ticket is shown", "`ticket, session`", "the number of a seat", "`550 5.7.1 Sold out`"]
    assert row_of("ticket", page("hooks")) == cells
    (head,) = [line for line in page("rules").splitlines() if line.startswith("| ") and "`rcpt_to` |" in line]
    assert "`ticket`" in head


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", required(ROW))
def test_a_row_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(ROW, part)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"when": ""}, "when= must say when it is reached"),
        ({"arguments": "session"}, "arguments= must be ('session',) or (..., 'session'), not 'session'"),
        ({"arguments": ("ticket",)}, "arguments= must be ('session',) or (..., 'session'), not ('ticket',)"),
        ({"arguments": ("a", "b", "session")}, "arguments= must be ('session',) or (..., 'session')"),
        ({"has": frozenset({"reply", "usr"})}, "unknown feature 'usr' (valid: bytes, count, greeting, "),
        ({"read": None}, "read= must be a function, not None"),
        ({"refusal": None}, "a hook that can reply needs a refusal=, and no other has one"),
        ({"has": frozenset()}, "a hook that can reply needs a refusal=, and no other has one"),
        ({"refusal": replies.OK}, "refusal= must be a reply that refuses, not <Reply"),
        ({"about": "ticket"}, "unknown about='ticket' (valid: login, sender, recipient, content, command)"),
        ({"about": "login", "arguments": ("session",)}, "about= says what the first of two arguments is"),
    ],
)
def test_half_a_row_may_not_enter(change: dict[str, Any], problem: str) -> None:
    assert refusal(HOOKS, "new", ROW._replace(**change)).startswith(f"hook 'new': {problem}")


@pytest.mark.parametrize("rules", [[], [on("command", verb="XTICKET", delay=0)]], ids=["no-rules", "rules"])
def test_an_event_that_reaches_no_row_is_an_error_of_the_test(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch, rules: list[Any]
) -> None:
    monkeypatch.delitem(HOOKS, "ticket")
    server = serve(on=rules)
    wire = client(server, ehlo=True)
    wire.send(b"XTICKET 12\r\n")
    assert wire.rest() == b""
    assert mistake(server).startswith("hook 'ticket' has no row (there are: connect, secure, ")
