"""The texts of failing queries: what was expected, what came, how the nearest differs, what to do."""

from __future__ import annotations

import asyncio
import re
import smtplib
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, WaitTimeout, on


@pytest.fixture
def mail(smtpd: SMTPServer) -> Callable[..., None]:
    """Return a function that sends one mail."""

    def mail(*to: str, subject: str = "Welcome", mail_from: str = "app@example.com") -> None:
        with smtplib.SMTP(smtpd.host, smtpd.port, timeout=10) as client:
            client.sendmail(mail_from, to, f"To: {to[0]}\r\nSubject: {subject}\r\n\r\nHi\r\n".encode())

    return mail


Mail = Callable[..., None]


def text_of(query: Callable[..., Any], *args: Any, **match: Any) -> str:
    """Return the text of the AssertionError that a query raises, as pytest prints it."""
    with pytest.raises(AssertionError) as caught:
        query(*args, **match)
    return "".join(traceback.format_exception_only(caught.value))


def missing(text: str, *words: str) -> list[str]:
    return [word for word in words if word not in text]


# ---------------------------------------------------------------- one


def test_one_says_what_was_expected_what_came_and_how_the_nearest_differs(smtpd: SMTPServer, mail: Mail) -> None:
    mail("ada@example.com", subject="Welcome")
    mail("bob@example.com", subject="Invoice 7")
    text = text_of(smtpd.one, to="bob@example.com", subject="Invoice 8")
    assert missing(text, "to='bob@example.com'", "subject='Invoice 8'", "2 envelopes") == []
    assert missing(text, "ada@example.com", "bob@example.com", "'Welcome'", "'Invoice 7'") == []
    nearest = [line for line in text.splitlines() if "'Invoice 8'" in line and "'Invoice 7'" in line]
    assert nearest, text  # both values in one line: the difference
    assert "to" not in nearest[0].partition("subject")[0].split()  # what agrees is not part of the difference


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({"to": "bob@example.com"}, ["'bob@example.com'", "ada@example.com"]),
        ({"to": re.compile("bo+b")}, ["bo+b", "ada@example.com"]),
        ({"mail_from": "boss@*"}, ["'boss@*'", "app@example.com"]),
        ({"user": "app"}, ["user", "'app'", "None"]),
        ({"name": "relay"}, ["name", "'relay'", "smtpd"]),
        ({"subject": None}, ["subject", "None", "'Welcome'"]),
    ],
)
def test_every_key_explains_its_difference(
    smtpd: SMTPServer, mail: Mail, match: dict[str, Any], words: list[str]
) -> None:
    mail("ada@example.com")
    text = text_of(smtpd.one, **match)
    assert missing(text, *words) == []


def test_functions_are_shown_by_name(smtpd: SMTPServer, mail: Mail) -> None:
    def is_invoice(envelope: Any) -> bool:
        return False

    mail("ada@example.com")
    for match in ({"when": is_invoice}, {"to": is_invoice}):
        text = text_of(smtpd.one, **match)
        assert "is_invoice" in text
        assert " at 0x" not in text


def test_one_says_when_nothing_came(smtpd: SMTPServer) -> None:
    text = text_of(smtpd.one, to="bob@example.com")
    assert missing(text, "to='bob@example.com'", "nobody connected", "wait_for") == []


def test_one_says_why_nothing_was_accepted(smtpd: SMTPServer, mail: Mail) -> None:
    smtpd.on("rcpt_to", reply="550 5.1.1 No such user")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        mail("bob@example.com")
    text = text_of(smtpd.one, to="bob@example.com")
    assert missing(text, "550 5.1.1 No such user", "rcpt_to", "on('rcpt_to'") == []


def test_one_shows_a_refused_envelope(smtpd: SMTPServer, mail: Mail) -> None:
    smtpd.on("data", reply="552 5.2.2 Mailbox full")
    with pytest.raises(smtplib.SMTPDataError):
        mail("bob@example.com")
    assert missing(text_of(smtpd.one), "552 5.2.2 Mailbox full") == []


def test_one_says_when_too_many_came(smtpd: SMTPServer, mail: Mail) -> None:
    mail("ada@example.com", subject="First")
    mail("ada@example.com", subject="Second")
    mail("bob@example.com", subject="Third")
    text = text_of(smtpd.one, to="ada@example.com")
    assert missing(text, "to='ada@example.com'", "2", "'First'", "'Second'") == []


def test_a_text_does_not_grow_with_the_mail(smtpd: SMTPServer, mail: Mail) -> None:
    with smtplib.SMTP(smtpd.host, smtpd.port, timeout=10) as client:
        for n in range(100):
            client.sendmail("app@example.com", f"user{n}@example.com", b"Subject: " + b"x" * 900 + b"\r\n\r\nHi\r\n")
    for match in ({}, {"to": "nobody@example.com"}):
        text = text_of(smtpd.one, **match)
        assert len(text.splitlines()) < 40
        assert max(map(len, text.splitlines())) < 400
        assert "100" in text


# ---------------------------------------------------------------- wait_for


def test_wait_for_is_an_assertion_error_and_a_timeout_error(smtpd: SMTPServer, mail: Mail) -> None:
    mail("ada@example.com")
    with pytest.raises(WaitTimeout) as caught:
        smtpd.wait_for(2, timeout=0.05, to="ada@example.com")
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, TimeoutError)
    assert missing(str(caught.value), "2", "1", "0.05", "to='ada@example.com'", "ada@example.com") == []


def test_wait_for_explains_the_nearest_like_one(smtpd: SMTPServer, mail: Mail) -> None:
    mail("ada@example.com", subject="Invoice 7")
    text = text_of(smtpd.wait_for, timeout=0, to="ada@example.com", subject="Invoice 8")
    assert [line for line in text.splitlines() if "'Invoice 7'" in line and "'Invoice 8'" in line], text


def test_wait_for_says_that_a_client_is_still_connected(smtpd: SMTPServer) -> None:
    with smtplib.SMTP(smtpd.host, smtpd.port, timeout=10) as client:
        client.ehlo("client.example")
        client.mail("app@example.com")
        text = text_of(smtpd.wait_for, timeout=0.01)
        assert missing(text, "1 envelope", "1 connection") == []
        text = text_of(smtpd.wait_closed, timeout=0.01)
        assert missing(text, "open", "0.01") == []


def test_log_wait_for_says_what_calls_there_were(smtpd: SMTPServer, mail: Mail) -> None:
    mail("ada@example.com")
    text = text_of(smtpd.log.wait_for, "rcpt_to", timeout=0.01, to="bob@example.com")
    assert missing(text, "rcpt_to", "to='bob@example.com'", "ada@example.com", "0.01") == []


def test_a_blocking_wait_inside_a_loop_names_the_other(smtpd: SMTPServer) -> None:
    async def inside() -> list[str]:
        texts = [text_of(smtpd.wait_for, timeout=0.01), text_of(smtpd.log.wait_for, "connect", timeout=0.01)]
        return [text for text in texts if "wait_for_async" not in text]

    assert asyncio.run(inside()) == []
    assert "wait_for_async" not in text_of(smtpd.wait_for, timeout=0.01)


def test_the_async_twins_have_the_same_text(smtpd: SMTPServer, mail: Mail) -> None:
    mail("ada@example.com")

    async def inside() -> str:
        with pytest.raises(WaitTimeout) as caught:
            await smtpd.wait_for_async(2, timeout=0.01, to="ada@example.com")
        return str(caught.value)

    with pytest.raises(WaitTimeout) as blocking:
        smtpd.wait_for(2, timeout=0.01, to="ada@example.com")
    assert asyncio.run(inside()) == str(blocking.value)


# ---------------------------------------------------------------- wrong arguments

QUERIES = ["one", "find", "wait_for", "log.calls", "log.envelopes", "log.sessions", "log.wait_for"]


@pytest.mark.parametrize("query", QUERIES)
def test_an_unknown_match_key_is_a_type_error_with_a_suggestion(smtpd: SMTPServer, query: str) -> None:
    function = smtpd
    for part in query.split("."):
        function = getattr(function, part)
    args = ["rcpt_to"] if query == "log.wait_for" else []
    with pytest.raises(TypeError, match=r"'mail_form'.*did you mean 'mail_from'\?"):
        function(*args, mail_form="app@example.com")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("args", "options", "text"),
    [
        (["rctp"], {"reply": 550}, "unknown hook 'rctp' - did you mean 'rcpt_to'?"),
        (["rcpt_to"], {"rely": 550}, "did you mean 'reply'?"),
        (["connect"], {"to": "x", "reply": 421}, "connect"),
        (["rcpt_to"], {"reply": "No such user"}, "'No such user'"),
        (["rcpt_to"], {"reply": 550, "after": 3}, "after"),
    ],
)
def test_on_and_smtpd_on_raise_the_text_of_the_marker(
    smtpd: SMTPServer, args: list[str], options: dict[str, Any], text: str
) -> None:
    wrong = (TypeError, ValueError)
    with pytest.raises(wrong, match=re.escape(text)) as value:
        on(*args, **options)  # type: ignore[arg-type]
    with pytest.raises(wrong, match=re.escape(text)) as method:
        smtpd.on(*args, **options)  # type: ignore[call-overload]
    assert "\n" not in str(value.value)
    assert str(value.value) == str(method.value)


def test_on_without_an_action_says_what_actions_there_are(smtpd: SMTPServer) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        on("rcpt_to")
    assert missing(str(caught.value), "reply", "drop", "hang", "raw", "call") == []


@pytest.mark.parametrize("query", ["log.calls", "log.wait_for"])
def test_an_unknown_hook_in_a_query_is_an_error_with_a_suggestion(smtpd: SMTPServer, query: str) -> None:
    function = getattr(smtpd.log, query.partition(".")[2])
    with pytest.raises((TypeError, ValueError), match=r"'rctp'.*did you mean 'rcpt_to'\?"):
        function("rctp")


def test_the_constructor_raises_the_text_of_the_marker() -> None:
    with pytest.raises(TypeError, match=re.escape("unknown setting 'tsl' - did you mean 'tls'?")):
        SMTPServer(tsl="implicit")  # type: ignore[call-arg]
