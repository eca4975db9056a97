"""An action or a modifier is one row of ``options.OPTIONS``.

``busy=30`` answers that the client may come back in so many seconds, ``vanish=True`` ends the connection by a reset,
``stammer=2`` says a rule's answer so many times more, and ``farewell=True`` adds a line to any answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import Rule, SMTPServer
from pytest_smtpd import on as typed_on
from pytest_smtpd.checks import is_count, is_flag
from pytest_smtpd.rules import effects
from pytest_smtpd.rules.options import OPTIONS, Option
from pytest_smtpd.rules.verdict import Ending
from pytest_smtpd.smtp.replies import own
from tests.growth.tables import one_line, page, refusal, required, row_of, without
from tests.rfc.wire import Connect, Serve

on: Any = typed_on  # a type cannot grow at run time


def busy(fields: effects.Fields, value: int, hook: str) -> None:
    effects.say(fields, own(450, "4.3.2", f"Busy, come back in {value} s"))


def vanish(fields: effects.Fields, value: bool, hook: str) -> None:
    fields["ending"] = Ending.RST
    if fields.get("reply") is None:
        fields["outcome"], fields["digit"] = "dropped", 0


def stammer(fields: effects.Fields, value: int, hook: str) -> None:
    fields["then"] = fields["reply"].wire * value


def farewell(fields: effects.Fields, value: bool, hook: str) -> None:
    fields["then"] = b"250 Farewell\r\n" if value else b""


SPOKEN = (lambda options, hook: "reply" not in options and "busy" not in options, "stammer= needs {or_answers}")
ROWS = {
    "busy": Option("action", is_count, "a number of seconds", "come back later", busy, "reply", sends=True),
    "vanish": Option("action", is_flag, "True or False", "reset the connection", vanish, "reply"),
    "stammer": Option("modifier", is_count, "a number", "say it n times more", stammer, "reply", (SPOKEN,)),
    "farewell": Option("modifier", is_flag, "True or False", "a line more", farewell, "reply", decorates=True),
}


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, row in ROWS.items():
        monkeypatch.setitem(OPTIONS, name, row)


def said(wire: Any, command: str = "MAIL FROM:<ada@client.example>") -> str:
    reply = wire.say(command)
    return f"{reply.code} {reply.lines[0]}"


def wrong(hook: str, **options: Any) -> str:
    """The error of a rule."""
    with pytest.raises((TypeError, ValueError)) as caught:
        on(hook, **options)
    return one_line(caught.value)


# --- an action ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["connect", "mail_from", "rcpt_to", "data", "command"])
def test_an_action_answers_at_every_hook_that_has_what_it_needs(serve: Serve, client: Connect, hook: str) -> None:
    commands = ["MAIL FROM:<ada@client.example>", "RCPT TO:<bob@server.example>", "DATA", "."]
    server = serve(on=[on(hook, busy=30, **({"verb": "DATA"} if hook == "command" else {}))])
    wire = client(server, greet=False)
    codes = [wire.reply().code]
    for command in ["EHLO client.example", *commands] if codes == [220] else []:
        codes.append(wire.say(command).code)
        if codes[-1] >= 400:
            break
    assert codes[-1] == 450
    (call,) = server.log.calls(hook, outcome="refused")  # type: ignore[arg-type]
    assert call.reply == "450 4.3.2 Busy, come back in 30 s" or call.code == 450
    assert repr(call.rule).startswith(f"on({hook!r}, busy=30")
    assert "S: 450 4.3.2 Busy, come back in 30 s   by on(" in server.log.transcript()


def test_what_it_says_decides_and_is_counted(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("rcpt_to", busy=30, times=1), on("rcpt_to", busy=5, accept=True, times=1)])
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<ada@client.example>")
    assert [wire.say("RCPT TO:<bob@server.example>").code for _ in range(3)] == [450, 450, 250]
    wire.steps("DATA", ".")
    assert server.one().rcpt_to == ("bob@server.example", "bob@server.example")
    assert [rule.used for rule in server.rules] == [1, 1]


def test_it_goes_with_modifiers_and_with_an_end(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("mail_from", busy=30, drop=True, linger=0.01, delay=0.01, then=b"250 more\r\n")])
    wire = client(server, ehlo=True)
    wire.send(b"MAIL FROM:<ada@client.example>\r\n")
    assert wire.rest() == b"450 4.3.2 Busy, come back in 30 s\r\n250 more\r\n"


def test_an_action_may_end_the_connection(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("mail_from", vanish=True)])
    wire = client(server, ehlo=True)
    wire.send(b"MAIL FROM:<ada@client.example>\r\n")
    with pytest.raises(ConnectionResetError):
        wire.rest()
    server.wait_closed()
    assert server.log.calls("mail_from")[0].outcome == "dropped"
    assert server.log.sessions()[0].ended == "server-reset"


def test_switched_off_it_is_no_action(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("mail_from", vanish=False, reply=450)])
    assert client(server, ehlo=True).say("MAIL FROM:<ada@client.example>").code == 450


@pytest.mark.parametrize(
    ("hook", "options", "text"),
    [
        ("rcpt_to", {}, "a rule needs an action: reply=, raw=, drop=, hang=, call=, busy= or vanish="),
        ("close", {"busy": 1}, "'busy' applies to auth, command, connect, data, mail_from, rcpt_to and secure, not to"),
        ("rcpt_to", {"buzy": 1}, "unknown action, modifier or match key 'buzy' - did you mean 'busy'? (valid: reply"),
        ("rcpt_to", {"busy": 1, "reply": 550}, "reply= and busy= are two answers; give one"),
        ("rcpt_to", {"busy": 1, "raw": b"x"}, "raw= and busy= are two answers; give one"),
        ("rcpt_to", {"vanish": True, "hang": True}, "hang= and vanish= are two ends; give one"),
        ("rcpt_to", {"busy": 1, "call": print}, "call= decides by itself; leave out reply=, raw=, drop=, hang=, busy="),
        ("data", {"after": 3}, "after= needs reply=, raw=, drop=, hang=, busy= or vanish="),
        ("data", {"after": 3, "accept": True, "delay": 1}, "after= needs reply=, raw=, drop=, hang=, busy= or vanish="),
        ("secure", {"after": 3, "busy": 1}, "there is no reply inside a handshake"),
        ("data", {"busy": 1, "accept": False}, "accept=False needs a reply that accepts, like reply=250"),
        ("rcpt_to", {"vanish": True, "accept": True}, "accept= needs reply=, raw= or busy= here"),
        (
            "rcpt_to",
            {"vanish": True, "drip": 1},
            "drip= needs an answer to send byte by byte; add reply=, raw= or busy=",
        ),
        ("rcpt_to", {"vanish": True, "then": b"x"}, "then= needs an answer to follow; add reply=, raw= or busy="),
        (
            "rcpt_to",
            {"drop": True, "linger": 1},
            "linger= is the time between an answer and the drop; add reply=, raw=",
        ),
        ("rcpt_to", {"vanish": True, "stammer": 1}, "stammer= needs reply=, raw= or busy="),
    ],
)
def test_errors_and_what_excludes_what_know_it(hook: str, options: dict[str, Any], text: str) -> None:
    assert wrong(hook, **options).startswith(f"on({hook!r}): {text}")


def test_a_wrong_value_is_an_error_that_names_the_kind() -> None:
    assert wrong("rcpt_to", busy="long") == "busy must be a number of seconds, not 'long'"


def test_amid_the_content_it_answers_early(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("data", busy=30, after=3)])
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<ada@client.example>", "RCPT TO:<bob@server.example>", "DATA")
    wire.send(b"Subject: Hello\r\n")
    assert wire.reply().code == 450
    wire.send(b"\r\n.\r\nNOOP\r\n")
    assert wire.reply().code == 250


def test_in_the_place_of_a_setting_it_is_told_where_it_belongs() -> None:
    server: Any = SMTPServer
    with pytest.raises(TypeError) as caught:
        server(busy=30)
    assert one_line(caught.value).startswith("unknown setting 'busy' - that belongs to a rule: @pytest.mark.smtpd_on(")


# --- a modifier -----------------------------------------------------------------------------------------------------


def test_a_modifier_changes_the_answer_of_its_rule(serve: Serve, client: Connect) -> None:
    wire = client(serve(on=[on("mail_from", reply=550, stammer=2), on("rcpt_to", busy=1, stammer=1)]), ehlo=True)
    assert [said(wire), *(wire.reply().code for _ in range(2))] == ["550 5.7.1 Sender rejected", 550, 550]
    wire.steps("NOOP")


def test_one_that_decorates_works_alone_and_beside_others(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("mail_from", farewell=True), on("rcpt_to", reply=550, farewell=True)])
    wire = client(server, ehlo=True)
    assert [said(wire), wire.reply().code] == ["250 2.1.0 OK", 250]
    assert [wire.say("RCPT TO:<bob@server.example>").code, wire.reply().lines] == [550, ("Farewell",)]
    assert "S: 250 2.1.0 OK   by on('mail_from', farewell=True)" in server.log.transcript()
    assert [rule.used for rule in server.rules] == [1, 1]


def test_a_decorated_function_may_have_it(serve: Serve, client: Connect) -> None:
    def nobody(address: Any, session: Any) -> str:
        return "550 5.7.1 Nobody"

    server: Any = serve()
    assert server.on("mail_from", farewell=True)(nobody) is nobody
    wire = client(server, ehlo=True)
    assert [said(wire), wire.reply().code] == ["550 5.7.1 Nobody", 250]


# --- everywhere -----------------------------------------------------------------------------------------------------


def test_rules_show_actions_then_modifiers_then_match_keys() -> None:
    rule = on("rcpt_to", to="bob@*", stammer=1, busy=30, times=2)
    assert repr(rule) == "on('rcpt_to', busy=30, times=2, stammer=1, to='bob@*')"
    assert isinstance(rule, Rule)


def test_markers_fixtures_ids_and_unused_rules_know_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        @pytest.mark.smtpd_on("rcpt_to", busy=30)
        def test_marker(smtpd):
            assert "Busy, come back in 30 s" in str(attempt(smtpd))

        @pytest.mark.parametrize("smtpd", [on("rcpt_to", busy=5), on("data", vanish=True)], indirect=True)
        def test_parameter(smtpd):
            assert attempt(smtpd) is not None

        def test_factory(smtpd_factory):
            assert "Busy" in str(attempt(smtpd_factory(on=[on("rcpt_to", busy=30)])))

        @pytest.mark.smtpd_on("rcpt_to", busy=30, to="eve@*")
        def test_unused(smtpd):
            send(smtpd)

        @pytest.mark.smtpd_on("rcpt_to", bussy=30)
        def test_misspelt(smtpd):
            pass
        """,
        "-v",
    )
    result.assert_outcomes(passed=4, failed=1, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "*::test_parameter[[]rcpt_to-busy=5[]] PASSED*",
            "*::test_parameter[[]data-vanish[]] PASSED*",
            "on('rcpt_to', busy=30, to='eve@[*]') was never used: *",
            "*unknown action, modifier or match key 'bussy' - did you mean 'busy'?*",
        ]
    )


def test_the_reference_lists_it() -> None:
    text = page("rules")
    for name, row in ROWS.items():
        assert row_of(f"{name}=", text) == [f"`{name}=`", row.meaning]
    assert all(f"{name}=" in text.partition("```")[2].partition("```")[0] for name in ROWS)


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", required(ROWS["busy"]))
def test_a_row_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(ROWS["busy"], part)


@pytest.mark.parametrize(
    ("row", "change", "problem"),
    [
        ("busy", {"kind": "verb"}, "kind= must be 'action' or 'modifier', not 'verb'"),
        ("busy", {"wanted": ""}, "wanted= and meaning= must say what its values are, and what it does"),
        ("busy", {"meaning": ""}, "wanted= and meaning= must say what its values are, and what it does"),
        ("busy", {"check": None}, "check= must be a function, not None"),
        ("busy", {"apply": None}, "apply= must be a function, not None"),
        ("busy", {"needs": "replies"}, "unknown feature 'replies' (valid: bytes, "),
        ("busy", {"decorates": True}, "only an action sends something (sends=), and only a modifier decorates"),
        ("stammer", {"sends": True}, "only an action sends something (sends=), and only a modifier decorates"),
    ],
)
def test_half_a_row_may_not_enter(row: str, change: dict[str, Any], problem: str) -> None:
    assert refusal(OPTIONS, "new", ROWS[row]._replace(**change)).startswith(f"option 'new': {problem}")


def test_a_name_that_nobody_can_write_may_not_enter() -> None:
    assert "one that a keyword argument can have" in refusal(OPTIONS, "two words", ROWS["busy"])


def test_a_name_that_is_a_match_key_too_is_an_error_of_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIONS, "user", ROWS["busy"])
    assert wrong("rcpt_to", user=3).startswith("'user' has two rows, as an option and as a match key")


def idle(fields: effects.Fields, value: Any, hook: str) -> None:
    """Forgotten."""


def misspelt(fields: effects.Fields, value: Any, hook: str) -> None:
    fields["repyl"] = value


def ends(fields: effects.Fields, value: Any, hook: str) -> None:
    fields["ending"] = Ending.FIN


@pytest.mark.parametrize(
    ("row", "apply", "text"),
    [
        ("busy", idle, "on('rcpt_to'): new= does nothing: its apply= must set 'reply', 'wire' or 'ending'"),
        ("busy", misspelt, "option 'new': its apply= sets 'repyl' (valid: reply, digit, outcome, rule, "),
        ("farewell", misspelt, "option 'new': its apply= sets 'repyl' (valid: reply, digit, outcome, rule, "),
        ("farewell", ends, "on('rcpt_to'): 'ending' cannot be added to the usual answer (what can: delay, pace, then)"),
    ],
)
def test_what_a_row_leaves_undone_is_an_error_when_a_rule_is_made(
    monkeypatch: pytest.MonkeyPatch, row: str, apply: Any, text: str
) -> None:
    monkeypatch.setitem(OPTIONS, "new", ROWS[row]._replace(apply=apply))
    assert wrong("rcpt_to", new=True if row == "farewell" else 1).startswith(text)
    server: Any = SMTPServer()
    with pytest.raises(TypeError) as caught:
        server.on("rcpt_to", new=True if row == "farewell" else 1)
    assert one_line(caught.value).startswith(text)
