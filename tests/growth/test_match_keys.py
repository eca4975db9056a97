"""A match key is one row of ``match.KEYS``, and a filter of queries one line of ``match.EnvelopeMatch`` and its like.

``site`` is the domain of a sender or recipient, ``body`` the text of a message, ``mood`` what a test has noted.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import pytest

from pytest_smtpd import SMTPServer
from pytest_smtpd import on as typed_on
from pytest_smtpd.rules.compare import any_agrees
from pytest_smtpd.rules.match import ATTRIBUTES, KEYS, Key
from tests.growth.tables import one_line, page, refusal, required, row_of, without
from tests.rfc.wire import Connect, Serve, Wire

on: Any = typed_on  # a type cannot grow at run time
readers: list[str] = []


def site_of_call(call: Any) -> tuple[str, ...]:
    return (call.argument.domain,) if call.about in ("sender", "recipient") else ()


def sites(envelope: Any) -> tuple[str, ...]:
    return tuple(address.domain for address in (envelope.mail_from, *envelope.rcpt_to))


def body(call: Any) -> str | None:
    readers.append(threading.current_thread().name)
    return None if call.message is None else str(call.message.text)


def mood(call: Any) -> Any:
    return call.session.notes.get("mood")


ROWS = {
    "site": Key("a domain", site_of_call, sites, None, "sender", str.lower, any_agrees, settled=True),
    "body": Key("the text", body, attrgetter("text"), None, "message", reads_content=True),
    "mood": Key("what was noted", mood, None, lambda session: session.notes.get("mood")),
}


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    readers.clear()
    for name, row in ROWS.items():
        monkeypatch.setitem(KEYS, name, row)


def send(wire: Wire, to: str = "bob@server.example", text: str = "Hello") -> list[int]:
    commands = "MAIL FROM:<ada@client.example>", f"RCPT TO:<{to}>", "DATA", f"\r\n{text}\r\n."
    return [wire.say(command).code for command in commands]


def wrong(call: Callable[..., Any], *args: Any, **match: Any) -> str:
    with pytest.raises((TypeError, ValueError)) as caught:
        call(*args, **match)
    return one_line(caught.value)


# --- in rules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "site", ["SERVER.example", "*.example", re.compile("^serv"), {"x.example", "server.example"}, lambda text: text]
)
def test_rules_match_by_it(serve: Serve, client: Connect, site: Any) -> None:
    server = serve(on=[on("rcpt_to", site=site, reply=450)])
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<ada@client.example>")
    assert wire.say("RCPT TO:<bob@server.example>").code == 450
    assert server.log.calls("rcpt_to", outcome="refused")[0].rule is server.rules[0]


def test_rules_that_do_not_match_do_not_act(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("rcpt_to", site="other.example", reply=450), on("command", mood="grim", reply=451)])
    assert send(client(server, ehlo=True)) == [250, 250, 354, 250]
    assert [rule.used for rule in server.rules] == [0, 0]


def test_a_key_of_the_content_waits_for_it_and_is_read_by_a_worker(serve: Serve, client: Connect) -> None:
    server = serve(on=[on("data", body="*invoice*", reply=554), on("data", body="*offer*", reply=450)])
    wire = client(server, ehlo=True)
    assert [send(wire, text=text)[-1] for text in ("Your invoice", "An offer", "Hello")] == [554, 450, 250]
    assert [envelope.text for envelope in server.envelopes] == ["Hello\n"]
    assert re.fullmatch(r"smtpd hook \d+", readers[0])


# --- in queries -----------------------------------------------------------------------------------------------------


def test_queries_select_by_it(serve: Serve, client: Connect) -> None:
    server: Any = serve()
    wire = client(server, ehlo=True)
    send(wire)
    send(wire, to="eve@other.example", text="Your invoice")
    first, second = server.envelopes
    assert server.find(site="server.example") == [first]
    assert server.one(body="*invoice*") is second
    assert server.log.envelopes(site="client.example") == [first, second]
    assert [call.argument for call in server.log.calls("rcpt_to", site="other.example")] == ["eve@other.example"]
    assert [call.envelope for call in server.log.calls("data", body="Hello\n")] == [first]
    assert server.wait_for(site="other.example", timeout=0) == [second]
    assert server.log.sessions(mood="grim") == []


def test_a_failure_says_how_the_nearest_differs(serve: Serve, client: Connect) -> None:
    server: Any = serve()
    send(client(server, ehlo=True))
    with pytest.raises(AssertionError) as caught:
        server.one(site="other.example", body="Bye")
    differs = "site is ('client.example', 'server.example'), not 'other.example'; body is 'Hello\\n', not 'Bye'"
    assert differs in str(caught.value)
    assert "with site='other.example', body='Bye'" in str(caught.value)


def test_a_wait_looks_again_at_what_may_still_change(serve: Serve, client: Connect) -> None:
    server: Any = serve()
    wire = client(server, ehlo=True)
    (session,) = server.log.sessions()
    looked = threading.Event()
    found: list[Any] = []

    def grim(value: Any) -> bool:
        looked.set()
        return bool(value == "grim")

    waiting = threading.Thread(target=lambda: found.extend(server.log.wait_for("connect", mood=grim)))
    waiting.start()
    assert looked.wait(5)
    session.notes["mood"] = "grim"
    wire.steps("NOOP")
    waiting.join(5)
    assert [call.hook for call in found] == ["connect"]


@pytest.mark.parametrize("kind", ["find", "sessions"])
def test_a_kind_that_has_no_such_value_cannot_be_asked(serve: Serve, kind: str) -> None:
    server: Any = serve()
    if kind == "find":
        assert wrong(server.find, mood="grim") == "'mood' applies to calls and sessions, not to envelopes"
        assert wrong(server.wait_for, mood="grim") == "'mood' applies to calls and sessions, not to envelopes"
    else:
        assert wrong(server.log.sessions, site="x") == "'site' applies to envelopes and calls, not to sessions"


# --- filters of queries ---------------------------------------------------------------------------------------------


def test_a_filter_selects_by_what_a_subject_has(serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ATTRIBUTES, "Envelope", (*ATTRIBUTES["Envelope"], "links"))
    monkeypatch.setitem(ATTRIBUTES, "Session", (*ATTRIBUTES["Session"], "transaction"))
    server: Any = serve()
    wire = client(server, ehlo=True)
    send(wire)
    send(wire, text="https://www.example.com/")
    assert server.one(links=("https://www.example.com/",)) is server.envelopes[1]
    assert [len(server.log.sessions(transaction=number)) for number in (2, 3)] == [0, 1]
    assert wrong(server.find, lnks=()).startswith("unknown match key 'lnks' - did you mean 'links'? (valid: to, ")
    with pytest.raises(AssertionError, match=r"links is \(\), not 'x'"):
        server.one(links="x")
    assert "`links`" in row_of("envelopes", page("rules"))[1]


def test_a_filter_of_what_no_subject_has_is_an_error(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ATTRIBUTES, "Envelope", (*ATTRIBUTES["Envelope"], "colour"))
    server: Any = serve()
    send(client(server, ehlo=True))
    with pytest.raises(AttributeError) as caught:
        server.find(colour="red")
    assert one_line(caught.value) == "'Envelope' object has no attribute 'colour'"


# --- errors, markers and the reference ------------------------------------------------------------------------------


def test_errors_know_it() -> None:
    valid = "(valid match keys: to, mail_from, user, name, site, mood, when)"
    text = f"on('rcpt_to'): 'body' applies to data, not to rcpt_to {valid}"
    assert wrong(on, "rcpt_to", reply=550, body="x") == text
    assert "did you mean 'site'?" in wrong(on, "rcpt_to", reply=550, siet="x")
    assert wrong(on, "rcpt_to", reply=550, site=["a"]).startswith("site compares one value, not the list ['a']")
    assert "applies to close, command, data, mail_from and rcpt_to, not to connect" in wrong(
        on, "connect", reply=421, site="x"
    )


def test_in_the_place_of_a_setting_it_is_told_where_it_belongs() -> None:
    assert wrong(SMTPServer, site="x").startswith("unknown setting 'site' - that belongs to a rule: ")


def test_a_key_says_itself_what_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROWS["site"]._replace(accepts=lambda value: isinstance(value, str), wanted="a domain like 'example.com'")
    monkeypatch.setitem(KEYS, "site", row)
    assert wrong(on, "rcpt_to", reply=550, site=3) == "site must be a domain like 'example.com', not 3"


def test_markers_ids_and_unused_rules_know_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        """
        @pytest.mark.smtpd_on("data", body="*invoice*", reply="554 5.6.0 No invoices")
        def test_marker(smtpd):
            assert "No invoices" in str(attempt(smtpd)) or not send(smtpd, text="nothing")
            with pytest.raises(smtplib.SMTPDataError):
                send(smtpd, text="Your invoice")
            assert smtpd.one(body="nothing*")

        @pytest.mark.parametrize("smtpd", [on("rcpt_to", site="example.com", reply=450)], indirect=True)
        def test_parameter(smtpd):
            assert attempt(smtpd) is not None

        @pytest.mark.smtpd_on("rcpt_to", site="other.example", reply=450)
        def test_unused(smtpd):
            send(smtpd)

        @pytest.mark.smtpd_on("connect", site="other.example", reply=421)
        def test_wrong_hook(smtpd):
            pass
        """,
        "-v",
    )
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "*::test_parameter[[]rcpt_to-450-site=example.com[]] PASSED*",
            "*on('rcpt_to', reply=450, site='other.example') was never used: *",
            "*: site is 'example.com', not 'other.example'",
            "*on('connect'): 'site' applies to *, not to connect *",
        ]
    )


def test_the_reference_lists_it() -> None:
    text = page("rules")
    for name, row in ROWS.items():
        assert row_of(f"{name}=", text) == [f"`{name}=`", row.meaning]


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", required(ROWS["site"]))
def test_a_row_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(ROWS["site"], part)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"meaning": ""}, "meaning= must say what it compares"),
        ({"call": None}, "call= must give its value of a call, which is what rules match"),
        ({"call": "domain"}, "call= must be a function, not 'domain'"),
        ({"envelope": "domain"}, "envelope= must be a function, not 'domain'"),
        ({"session": "domain"}, "session= must be a function, not 'domain'"),
        ({"needs": "recipient"}, "unknown feature 'recipient' (valid: bytes, "),
        ({"fold": None}, "fold= must be a function, not None"),
        ({"agree": True}, "agree= must be a function, not True"),
        ({"differ": True}, "differ= must be a function, not True"),
        ({"accepts": str.__name__}, "accepts= must be a function, not 'str'"),
    ],
)
def test_half_a_row_may_not_enter(change: dict[str, Any], problem: str) -> None:
    assert refusal(KEYS, "new", ROWS["site"]._replace(**change)).startswith(f"match key 'new': {problem}")


@pytest.mark.parametrize("name", ["two words", "when", "accepted", "outcome", "closed"])
def test_a_name_that_nobody_can_write_or_somebody_has_may_not_enter(name: str) -> None:
    assert "its name must be one that a keyword argument can have, and nothing else has" in refusal(
        KEYS, name, ROWS["site"]
    )


def test_a_value_that_cannot_be_read_is_an_error_of_the_test(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KEYS, "site", ROWS["site"]._replace(call=attrgetter("argument.colour")))
    server = serve(on=[on("rcpt_to", site="x", reply=450)])
    assert send(client(server, ehlo=True))[1] == 451
    (error,) = server.errors
    server.errors.clear()
    assert "'Address' object has no attribute 'colour'" in one_line(error)
