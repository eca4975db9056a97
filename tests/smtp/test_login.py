"""What AUTH does to a session by its verdicts (RFC 4954), and the challenge before a reply (RFC 7628, RFC 5802)."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from pytest_smtpd.rules.verdict import Verdict, answer
from pytest_smtpd.smtp.login import Authenticate, Response
from pytest_smtpd.smtp.replies import standard
from pytest_smtpd.smtp.sasl import MECHANISMS
from pytest_smtpd.smtp.states import State
from tests.rfc.sasl import Scram, oauthbearer, plain, xoauth2
from tests.smtp.core import Core, core, instead

EHLO = "EHLO client.example"
LOGIN = f"AUTH PLAIN {plain('ada', 's3cret')}"
TOKENS = {"XOAUTH2": xoauth2("ada", "t0ken"), "OAUTHBEARER": oauthbearer("ada", "t0ken")}


def greeted(answers: dict[str, Any] | None = None, **settings: Any) -> Core:
    line = core(decide=instead({} if answers is None else answers), **settings)
    assert line.codes(EHLO) == [220, 250]
    return line


def challenge(line: Core, said: str) -> bytes:
    """What is said in the challenge with which the server answers this line."""
    reply = line.say(said)
    assert reply.code == 334
    return b64decode(reply.lines[0])


# --- who is logged in ------


@pytest.mark.parametrize(
    ("verdict", "user"),
    [
        (answer(standard(235)), "ada"),
        (answer(standard(250)), "ada"),
        (answer(standard(235), user="eve"), "eve"),
        (answer(standard(235), user={"id": 7}), {"id": 7}),
        (answer(standard(535)), None),
        (answer(standard(535), user="eve"), None),
        (answer(standard(454)), None),
        (answer(standard(535))._replace(digit=2), "ada"),
        (answer(standard(235))._replace(digit=5), None),
    ],
)
def test_verdict_says_who_is_logged_in(verdict: Verdict, user: Any) -> None:
    line = greeted({"AUTH": verdict})
    assert verdict.reply is not None
    assert line.codes(LOGIN) == [verdict.reply.code]
    assert line.session.user == user
    assert line.state is State.READY


def test_credentials_of_a_known_user_are_that_user_s() -> None:
    """RFC 7628 section 3.1: the name may be left to the token."""
    token = b64encode(b"n,,\x01auth=Bearer t0ken\x01\x01").decode()
    line = greeted(auth={"app": "t0ken", "other": "x"})
    assert line.codes(f"AUTH OAUTHBEARER {token}", "MAIL FROM:<a@b>") == [235, 250]
    assert (line.session.user, line.session.transmission_type) == ("app", "ESMTPA")
    line = greeted()
    assert line.codes(f"AUTH OAUTHBEARER {token}") == [235]
    assert (line.session.user, line.session.transmission_type) == (True, "ESMTPA")


def test_login_without_credentials_is_one_without_a_name() -> None:
    """A rule may accept an AUTH whose exchange has only begun."""
    line = greeted({"AUTH": 235})
    assert line.codes("AUTH LOGIN") == [235]
    assert line.session.user is True


@pytest.mark.parametrize(
    ("command", "responses"),
    [(LOGIN, []), ("AUTH PLAIN", [plain("ada", "s3cret")]), ("AUTH LOGIN", ["YWRh", "czNjcmV0"])],
)
def test_hook_point_is_reached_when_the_credentials_are_complete(command: str, responses: list[str]) -> None:
    line = greeted()
    line.codes(command, *responses)
    events = [event for event in line.events if isinstance(event, Authenticate)]
    points = [[hook for hook, _ in event.points] for event in events]
    here = ["command"] if not responses else []
    assert points == [*([["command"]] if responses else []), *[[]] * (len(responses) - 1), [*here, "auth"]]
    auth = events[-1].auth
    assert auth is not None
    assert (auth.username, auth.password, events[-1].user) == ("ada", "s3cret", "ada")


@pytest.mark.parametrize(
    ("auth", "user", "default"), [({"ada": "s3cret"}, "ada", 235), ({"ada": "x"}, None, 535), ({}, None, 535)]
)
def test_auth_setting_suggests_a_reply(auth: dict[str, str], user: str | None, default: int) -> None:
    line = greeted(auth=auth)
    assert line.codes(LOGIN) == [default]
    assert line.session.user == user


# --- the challenge before the reply ------


@pytest.mark.parametrize("method", TOKENS)
@pytest.mark.parametrize("given", [{}, {"status": "expired"}])
@pytest.mark.parametrize("said", ["", "AQ==", "anything"])
def test_refused_token_is_explained_before_it_is_refused(method: str, given: dict[str, str], said: str) -> None:
    """RFC 7628 section 3.2.3: the client answers the explanation, and then the exchange fails."""
    line = greeted({"AUTH": answer(standard(454), challenge=given)})
    explained = json.loads(challenge(line, f"AUTH {method} {TOKENS[method]}"))
    assert explained == (given or MECHANISMS[method].failure)
    assert (line.state, line.session.user) == (State.SASL, None)
    assert line.codes(said) == [454]
    assert (line.state, line.session.user) == (State.READY, None)
    line.codes("czNjcmV0")
    assert line.session.commands[-1] == "***"


@pytest.mark.parametrize("method", TOKENS)
def test_explanation_may_be_cancelled(method: str) -> None:
    """RFC 4954 section 4."""
    line = greeted(auth={"ada": "other"})
    challenge(line, f"AUTH {method} {TOKENS[method]}")
    assert line.codes("*", LOGIN) == [501, 535]
    assert line.codes(f"AUTH PLAIN {plain('ada', 'other')}") == [235]
    assert line.session.user == "ada"


@pytest.mark.parametrize(
    ("command", "verdict"),
    [
        (f"AUTH XOAUTH2 {TOKENS['XOAUTH2']}", answer(standard(535))),
        (f"AUTH XOAUTH2 {TOKENS['XOAUTH2']}", answer(standard(235), challenge={})),
        (f"AUTH XOAUTH2 {TOKENS['XOAUTH2']}", answer(standard(421), challenge={})),
        (LOGIN, answer(standard(535), challenge={"status": "x"})),
        ("AUTH XOAUTH2", answer(standard(535), challenge={"status": "x"})),
        ("NOOP", answer(standard(550), challenge={"status": "x"})),
    ],
)
def test_nothing_else_is_explained(command: str, verdict: Verdict) -> None:
    line = greeted({"AUTH": verdict, "NOOP": verdict})
    assert verdict.reply is not None
    assert line.codes(command) == [verdict.reply.code]


def scram(line: Core, password: str, *, user: str = "user") -> tuple[Scram, str]:
    """An exchange up to the client's last message."""
    exchange = Scram(user, password)
    first = b64encode(exchange.first.encode()).decode()
    exchange.server_first = challenge(line, f"AUTH SCRAM-SHA-256 {first}").decode()
    return exchange, b64encode(exchange.final().encode()).decode()


@pytest.mark.parametrize(("given", "user"), [(None, "user"), ("someone", "someone")])
def test_server_proves_that_it_knows_the_password_before_the_login(given: str | None, user: str) -> None:
    """RFC 5802 section 3."""
    answers: dict[str, Any] = {}
    line = greeted(answers, auth={"user": "pencil"})
    exchange, final = scram(line, "pencil")
    if given:
        answers["response"] = answer(standard(235), user=given)
    assert challenge(line, final).decode() == exchange.server_signature()
    assert (line.session.user, line.state) == (None, State.SASL)
    answers.clear()
    assert line.codes("") == [235]
    assert (line.session.user, line.state) == (user, State.READY)
    assert line.codes("WHAT") == [500]
    assert line.session.commands[-1] == "***"


def test_client_may_cancel_when_the_server_has_proved_itself() -> None:
    line = greeted(auth={"user": "pencil"})
    _, final = scram(line, "pencil")
    challenge(line, final)
    assert line.codes("*", "MAIL FROM:<a@b>") == [501, 530]
    assert line.session.user is None


def test_wrong_password_is_refused_without_a_proof() -> None:
    line = greeted(auth={"user": "pencil"})
    _, final = scram(line, "pen")
    assert line.codes(final) == [535]


# --- what a rule makes of an exchange ------


def test_line_after_a_334_of_a_rule_goes_to_the_hook_again() -> None:
    answers: dict[str, Any] = {"AUTH": "334 bW9yZQ=="}
    line = greeted(answers)
    assert line.codes(LOGIN) == [334]
    assert line.state is State.SASL
    assert line.codes(b64encode(b"123456").decode()) == [235]
    (response,) = [event for event in line.events if isinstance(event, Response)]
    assert response.auth is not None
    assert (response.auth.password, response.auth.response) == ("s3cret", "123456")
    assert line.session.user == "ada"


@pytest.mark.parametrize(("said", "response"), [("dGlt", "tim"), ("Not base64!", "Not base64!")])
def test_one_line_follows_a_mechanism_that_only_a_rule_knows(said: str, response: str) -> None:
    line = greeted({"refused": 334, "response": 235})
    assert line.codes("AUTH X-MAGIC now") == [334]
    assert line.codes(said) == [235]
    (event,) = [event for event in line.events if isinstance(event, Response)]
    assert event.auth is not None
    assert (event.auth.method, event.auth.username, event.auth.response) == ("X-MAGIC", "", response)
    assert line.session.user is True


def test_mechanism_that_only_a_rule_knows_logs_nobody_in_by_itself() -> None:
    line = greeted({"refused": 334})
    assert line.codes("AUTH X-MAGIC", "dGlt") == [334, 535]
    assert line.session.user is None


def test_malformed_line_after_the_credentials_ends_nothing() -> None:
    line = greeted({"AUTH": 334})
    assert line.codes(LOGIN, "not base64!") == [334, 235]


def test_exchange_that_a_rule_prolongs_after_it_was_cancelled_stays_cancelled() -> None:
    answers: dict[str, Any] = {}
    line = greeted(answers)
    assert line.codes("AUTH LOGIN") == [334]
    answers["response"] = 334
    assert line.codes("*") == [334]
    answers.clear()
    assert line.codes("YWRh", "NOOP") == [501, 250]
    assert line.session.error is not None
    assert line.session.error.text == "Authentication cancelled"


def test_lines_of_an_exchange_have_at_most_12288_octets() -> None:
    """RFC 4954 section 4."""
    line = greeted()
    assert line.codes("AUTH PLAIN", "A" * 12288, "AUTH PLAIN", "A" * 12289) == [334, 501, 334, 500]
    assert line.session.error is not None
    assert line.session.error.enhanced == "5.5.6"


# --- secrets ------


@pytest.mark.parametrize(
    ("settings", "before", "number"),
    [
        ({}, ["RSET"], 503),
        ({}, [EHLO, "MAIL FROM:<a@b>"], 503),
        ({"auth": None}, [EHLO], 502),
        ({"disable": {"AUTH"}}, [EHLO], 502),
        ({"auth_requires_tls": True}, [EHLO], 538),
        ({"require_tls": True}, [EHLO], 530),
        ({"auth_methods": ["PLAIN"]}, [EHLO], 504),
    ],
)
def test_what_follows_a_refused_auth_may_be_a_password(
    settings: dict[str, Any], before: list[str], number: int
) -> None:
    """A client that goes on as if it had been asked sends its password as a command line."""
    line = core(**settings)
    line.codes(*before)
    assert line.codes("AUTH LOGIN", "czNjcmV0", "", "cGFzc3dvcmQ=")[0] == number
    assert [str(event.command) for event in line.events[-3:]] == ["***"] * 3
    assert line.session.commands[-4:] == ("AUTH", "***", "***", "***")
    line.codes("NOOP", "cGFzc3dvcmQ=")
    assert [str(event.command) for event in line.events[-2:]] == ["NOOP", "***"]
    assert line.session.commands[-2:] == ("NOOP", "***")


@pytest.mark.parametrize("verdict", [250, 235, 454, 535, None, answer(standard(235), wire=b"235\r\n")])
def test_what_follows_an_auth_that_a_rule_answers_in_its_own_way_may_be_a_password(verdict: Any) -> None:
    line = greeted({"AUTH": verdict})
    line.codes("AUTH LOGIN", "czNjcmV0", "cGFzc3dvcmQ=")
    assert line.session.commands[-3:] == ("AUTH", "***", "***")


def test_what_follows_a_refused_line_of_an_exchange_may_be_a_password() -> None:
    line = greeted(auth={"ada": "other"})
    assert line.codes("AUTH LOGIN", "!", "czNjcmV0") == [334, 501, 500]
    assert line.session.commands[-1] == "***"


def test_a_line_behind_a_login_that_is_no_command_may_be_a_password() -> None:
    """Clients send a response in too many lines, or once more."""
    line = greeted()
    assert line.codes(LOGIN, "cGFzc3dvcmQ=", "NOOP") == [235, 500, 250]
    assert line.session.commands[-3:] == ("AUTH", "***", "NOOP")


def test_empty_line_is_taken_for_a_response_in_the_wrong_place() -> None:
    """A client that has been refused its empty response often sends the next line too."""
    line = greeted()
    assert line.codes("", "czNjcmV0") == [500, 500]
    assert line.session.commands[-2:] == ("", "***")
