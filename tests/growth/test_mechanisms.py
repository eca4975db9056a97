"""An AUTH mechanism is one row of ``sasl.MECHANISMS``."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from typing import Any

import pytest

from pytest_smtpd import Auth, SMTPServer, on
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.sasl import MECHANISMS, Mechanism
from tests.growth.tables import b64, mistake, one_line, page, refusal, required, row_of, without
from tests.rfc.wire import Connect, Serve, Wire

TICKET = "X-TICKET"
SECRET = "zebra-crossing"


def ticket(hostname: str) -> Generator[bytes, bytes, Auth]:
    """The user's name, a colon, a ticket."""
    name, colon, code = (yield b"Ticket, please").decode().partition(":")
    if not colon:
        raise Refused(replies.BAD_CREDENTIALS)
    return Auth(TICKET, name, access_token=code)


ROW = Mechanism(ticket, "of this test")


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MECHANISMS, TICKET, ROW)


def log_in(wire: Wire, name: str = "ada", code: str = SECRET) -> int:
    return wire.say(f"AUTH {TICKET} {b64(f'{name}:{code}')}").code


# --- a whole row ----------------------------------------------------------------------------------------------------


def test_it_is_offered_and_logs_in(serve: Serve, client: Connect) -> None:
    server = serve(tls=None)
    wire = client(server)
    assert TICKET in wire.say("EHLO client.example").keywords["AUTH"].split()
    assert log_in(wire) == 235
    wire.steps("MAIL FROM:<ada@client.example>", "RCPT TO:<bob@server.example>", "DATA", ".")
    assert server.one(user="ada").user == "ada"
    (call,) = server.log.calls("auth", user="ada")
    assert (call.argument.method, call.argument.access_token) == (TICKET, SECRET)
    assert repr(call) == f"<Call {call.number} auth <Auth X-TICKET 'ada'> accepted 235>"


def test_the_server_asks_where_the_client_says_nothing_first(serve: Serve, client: Connect) -> None:
    wire = client(serve(tls=None), ehlo=True)
    asked = wire.say(f"AUTH {TICKET}")
    assert (asked.code, asked.lines) == (334, (b64("Ticket, please"),))
    assert wire.say(b64(f"ada:{SECRET}")).code == 235


def test_what_it_refuses_is_refused(serve: Serve, client: Connect) -> None:
    assert client(serve(tls=None), ehlo=True).say(f"AUTH {TICKET} {b64('ada')}").code == 501


def test_the_passwords_of_auth_decide(serve: Serve, client: Connect) -> None:
    server = serve(tls=None, auth={"ada": SECRET})
    wire = client(server, ehlo=True)
    assert log_in(wire, code="zebra") == 535
    assert log_in(wire, name="eve") == 535
    assert log_in(wire) == 235


def test_rules_and_hooks_decide(serve: Serve, client: Connect) -> None:
    def only_ada(auth: Auth, session: Any) -> str | None:
        return auth.username if auth.method == TICKET and auth.validate_password(SECRET) else None

    wire = client(serve(tls=None, on=[on("auth", user="eve", reply=454), on("auth", call=only_ada)]), ehlo=True)
    assert [log_in(wire, "eve"), log_in(wire, "ada", "horse"), log_in(wire)] == [454, 535, 235]


@pytest.mark.parametrize("line", ["AUTH {ticket} {secret}", "{ticket} {secret}", "AUTH{ticket} {secret}"])
def test_its_credentials_are_masked(serve: Serve, client: Connect, line: str) -> None:
    server, secret = serve(tls=None), b64(f"ada:{SECRET}")
    client(server, ehlo=True).say(line.format(ticket=TICKET, secret=secret))
    transcript = server.log.transcript()
    assert f"{TICKET} ***" in transcript
    assert secret not in transcript


@pytest.mark.parametrize(
    ("part", "auth", "offered"),
    [
        ({}, "any", True),
        ({"needs_password": True}, "any", False),
        ({"needs_password": True}, {"ada": SECRET}, True),
    ],
)
def test_a_mechanism_that_needs_the_password_is_offered_where_it_is_known(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch, part: dict[str, Any], auth: Any, offered: bool
) -> None:
    monkeypatch.setitem(MECHANISMS, TICKET, ROW._replace(**part))
    keywords = client(serve(tls=None, auth=auth)).say("EHLO client.example").keywords
    assert (TICKET in keywords["AUTH"].split()) is offered


def test_a_mechanism_whose_server_speaks_first_takes_no_initial_response(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MECHANISMS, TICKET, ROW._replace(client_first=False))
    assert log_in(client(serve(tls=None), ehlo=True)) == 501


def test_a_mechanism_with_an_explanation_gives_it_before_its_refusal(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MECHANISMS, TICKET, ROW._replace(failure={"status": "sold out"}))
    wire = client(serve(tls=None, auth={"ada": SECRET}), ehlo=True)
    explained = wire.say(f"AUTH {TICKET} {b64('ada:zebra')}")
    assert explained.lines == (b64(json.dumps({"status": "sold out"})),)
    assert wire.say("").code == 535


def test_settings_know_its_name(serve: Serve, client: Connect) -> None:
    keywords = client(serve(tls=None, auth_methods=["x-ticket"])).say("EHLO client.example").keywords
    assert keywords["AUTH"] == TICKET


@pytest.mark.parametrize("value", [["X-TICKER"], "PLAIN"])
def test_errors_about_auth_methods_list_it(value: Any) -> None:
    with pytest.raises(ValueError) as caught:
        SMTPServer(auth_methods=value)
    text = one_line(caught.value)
    assert text.count(TICKET) == (2 if value == ["X-TICKER"] else 1), text
    assert ("did you mean 'X-TICKET'?" in text) is (value == ["X-TICKER"])


def test_markers_know_its_name(run: Callable[..., pytest.RunResult]) -> None:
    result = run(f"""
        @pytest.mark.smtpd(auth_methods=["{TICKET}"], tls=None)
        def test_login(smtpd):
            client = connect(smtpd)
            assert client.docmd("AUTH", "{TICKET} {b64(f"ada:{SECRET}")}")[0] == 235
            client.quit()
            assert smtpd.log.calls("auth", user="ada")
    """)
    result.assert_outcomes(passed=1)


def test_the_reference_lists_it() -> None:
    assert row_of(TICKET, page("protocol"))[1] == "of this test"


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", required(ROW))
def test_a_row_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(ROW, part)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"steps": None}, "AUTH mechanism 'X-NEW': steps= must be a generator function, not None"),
        ({"steps": lambda hostname: b""}, "AUTH mechanism 'X-NEW': steps= must be a generator function, not <function"),
        ({"rfc": ""}, "AUTH mechanism 'X-NEW': rfc= must say where it is defined"),
    ],
)
def test_half_a_row_may_not_enter(change: dict[str, Any], problem: str) -> None:
    assert refusal(MECHANISMS, "X-NEW", ROW._replace(**change)).startswith(problem)


@pytest.mark.parametrize("name", ["x-new", "X NEW", "", "X-NEW-AND-MUCH-TOO-LONG"])
def test_a_name_that_no_client_can_send_may_not_enter(name: str) -> None:
    assert "RFC 4422 section 3.1" in refusal(MECHANISMS, name, ROW)


def gives_nothing(hostname: str) -> Generator[bytes, bytes, Any]:
    yield b""


def gives_another_method(hostname: str) -> Generator[bytes, bytes, Auth]:
    return Auth("PLAIN", (yield b"").decode())


@pytest.mark.parametrize("steps", [gives_nothing, gives_another_method])
def test_steps_that_come_to_no_login_are_an_error_of_the_test(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch, steps: Any
) -> None:
    monkeypatch.setitem(MECHANISMS, TICKET, ROW._replace(steps=steps))
    server = serve(tls=None)
    wire = client(server, ehlo=True)
    wire.send(f"AUTH {TICKET} {b64('ada')}\r\n".encode())
    assert wire.rest() == b""
    assert mistake(server).startswith("AUTH mechanism 'X-TICKET': its steps must return an Auth of this method, not ")
