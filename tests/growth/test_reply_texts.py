"""A reply text is one row: what a bare code stands for in ``replies.STANDARD``, or a constant of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import Reject, on
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.commands import VERBS
from pytest_smtpd.smtp.replies import STANDARD, Standard, own
from tests.growth.tables import one_line, page, refusal, required, row_of, without
from tests.rfc.wire import Connect, Serve

CODE = 525  # RFC 5248 section 2.4, X.7.13
ROW = Standard("5.7.13", "User account disabled", "RFC 5248")
SAID = "525 5.7.13 User account disabled"


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STANDARD, CODE, ROW)


def reject(address: Any, session: Any) -> None:
    raise Reject(CODE)


def returns(address: Any, session: Any) -> str:
    return f"{CODE} Account closed"


# --- a whole row ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reply": CODE}, SAID),
        ({"call": reject}, "525 5.7.1 User account disabled"),
        ({"call": returns}, "525 Account closed"),
    ],
)
def test_rules_and_hooks_give_it(serve: Serve, client: Connect, options: dict[str, Any], said: str) -> None:
    server = serve(on=[on("mail_from", **options)])
    reply = client(server, ehlo=True).say("MAIL FROM:<ada@client.example>")
    assert f"{reply.code} {reply.lines[0]}" == said
    (call,) = server.log.calls("mail_from", code=CODE)
    assert call.outcome == "refused"
    assert repr(call) == f"<Call {call.number} mail_from ada@client.example refused 525>"
    assert f"S: {said}   by on('mail_from', " in server.log.transcript()


def test_a_code_without_a_row_has_words_too(serve: Serve, client: Connect) -> None:
    reply = client(serve(on=[on("mail_from", reply=526)]), ehlo=True).say("MAIL FROM:<ada@client.example>")
    assert reply.lines == ("5.0.0 Refused",)


def test_a_reply_of_the_catalogue_is_given_by_whoever_names_it(
    serve: Serve, client: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "CLOSED_FOR_LUNCH", own(450, "4.3.2", "Closed for lunch"), raising=False)
    gate = VERBS["MAIL"]._replace(gate=lambda event, context: vars(replies)["CLOSED_FOR_LUNCH"])
    monkeypatch.setitem(VERBS, "MAIL", gate)
    server = serve()
    assert client(server, ehlo=True).say("MAIL FROM:<ada@client.example>").lines == ("4.3.2 Closed for lunch",)
    assert "S: 450 4.3.2 Closed for lunch" in server.log.transcript()
    assert "`4.3.2 Closed for lunch`" in row_of("450", page("protocol"))[2]


def test_markers_and_ids_know_it(run: Callable[..., pytest.RunResult]) -> None:
    result = run(
        f"""
        @pytest.mark.smtpd_on("rcpt_to", reply={CODE})
        def test_marker(smtpd):
            assert "5.7.13 User account disabled" in str(attempt(smtpd))

        @pytest.mark.parametrize("smtpd", [on("rcpt_to", reply={CODE})], indirect=True)
        def test_parameter(smtpd):
            assert "5.7.13 User account disabled" in str(attempt(smtpd))
        """,
        "-v",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::test_parameter[[]rcpt_to-525[]] PASSED*"])


def test_the_reference_lists_it() -> None:
    assert row_of(str(CODE), page("rules"))[1] == f"`{SAID}`"
    assert row_of(str(CODE), page("protocol")) == [f"`{CODE}`", "RFC 5248", "`5.7.13 User account disabled`"]


# --- half a row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", required(ROW))
def test_a_row_without_a_part_cannot_be_made(part: str) -> None:
    assert repr(part) in without(ROW, part)


HALVES = [
    ({"enhanced": None}, "it needs an enhanced status code, like '5.0.0' (RFC 2034 section 4)"),
    ({"enhanced": "4.7.13"}, "'4.7.13' is no enhanced status code of a 5xx reply (RFC 2034 section 4)"),
    ({"enhanced": "5.7"}, "'5.7' is no enhanced status code of a 5xx reply (RFC 2034 section 4)"),
    ({"text": ""}, "it needs a text"),
    ({"text": "Two\r\nlines"}, "its text must be one line of ASCII"),
    ({"text": "Geschäftsschluss"}, "its text must be one line of ASCII"),
]


@pytest.mark.parametrize(("change", "problem"), [*HALVES, ({"rfc": ""}, "rfc= must say where the code is defined")])
def test_half_a_row_may_not_enter(change: dict[str, Any], problem: str) -> None:
    assert refusal(STANDARD, 599, ROW._replace(**change)) == f"reply code 599: {problem}"


@pytest.mark.parametrize(("change", "problem"), HALVES)
def test_half_a_reply_of_the_catalogue_cannot_be_made(change: dict[str, Any], problem: str) -> None:
    row = ROW._replace(**change)
    with pytest.raises(TypeError) as caught:
        own(CODE, row.enhanced, row.text)
    assert one_line(caught.value) == f"reply 525 {row.text!r}: {problem}"


@pytest.mark.parametrize("code", [199, 600, 0])
def test_a_code_that_is_none_may_not_enter(code: int) -> None:
    assert "a reply code is a number from 200 to 599" in refusal(STANDARD, code, ROW)
