"""The slips that everybody makes once: what is said of each, in one line, with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pytest_smtpd import Reject, SMTPServer, on

RULE = on("rcpt_to", reply=550)
NO_REPLY = "reply must be a code like 550 or text like '550 5.1.1 No such user', not"

SLIPS: dict[str, tuple[Callable[[SMTPServer], object], type[Exception], str]] = {
    "more words beside a rule": (
        lambda smtpd: smtpd.on(RULE, times=2),  # type: ignore[call-overload]
        TypeError,
        "on('rcpt_to', reply=550) is a rule already; give times= to the on(...) that makes it",
    ),
    "a misspelled word beside a rule": (
        lambda smtpd: smtpd.on(RULE, tims=2, skip=1),  # type: ignore[call-overload]
        TypeError,
        "on('rcpt_to', reply=550) is a rule already; give tims=, skip= to the on(...) that makes it",
    ),
    "a rule made of a rule": (
        lambda smtpd: on(RULE),  # type: ignore[arg-type]
        TypeError,
        "on('rcpt_to', reply=550) is a rule already",
    ),
    "a message kept that cannot come": (
        lambda smtpd: on("data", after=5, drop=True, accept=True),
        ValueError,
        "on('data'): after= with drop= or hang= leaves no message to keep; leave out accept= or after=",
    ),
    "the same with hang": (
        lambda smtpd: on("data", after=5, reply=451, hang=True, accept=True),
        ValueError,
        "on('data'): after= with drop= or hang= leaves no message to keep; leave out accept= or after=",
    ),
    "a number that is no rule": (
        lambda smtpd: SMTPServer(on=5),  # type: ignore[arg-type]
        TypeError,
        "on takes a rule made by on(...), or a list of them, not 5",
    ),
    "a text among the rules": (
        lambda smtpd: SMTPServer(on=[RULE, "connect"]),  # type: ignore[list-item]
        TypeError,
        "on takes a rule made by on(...), or a list of them, not 'connect'",
    ),
    "a text in their place": (
        lambda smtpd: SMTPServer(on="connect"),  # type: ignore[arg-type]
        TypeError,
        "on takes a rule made by on(...), or a list of them, not 'connect'",
    ),
    "a code of two digits": (
        lambda smtpd: on("rcpt_to", reply=55),
        ValueError,
        f"{NO_REPLY} 55; a reply code is a number from 200 to 599",
    ),
    "a code of two digits in a text": (
        lambda smtpd: on("rcpt_to", reply="55 No"),
        ValueError,
        f"{NO_REPLY} '55 No'; a reply code is a number from 200 to 599",
    ),
    "two codes in one reply": (
        lambda smtpd: on("rcpt_to", reply="550 a\n551 b"),
        ValueError,
        f"{NO_REPLY} '550 a\\n551 b'; every line of a reply begins with the same code",
    ),
    "a second line without a code": (
        lambda smtpd: on("rcpt_to", reply="550 a\nb"),
        ValueError,
        f"{NO_REPLY} '550 a\\nb'; every line of a reply begins with the same code",
    ),
    "a reply to nobody": (
        lambda smtpd: on("close", reply=550),
        TypeError,
        (
            "on('close'): the action 'reply' can never apply to this hook "
            "(nobody is there any more to be answered; valid: call)"
        ),
    ),
    "a modifier of another hook": (
        lambda smtpd: on("mail_from", reply=550, after=1),
        TypeError,
        (
            "on('mail_from'): the modifier 'after' can never apply to this hook "
            "(valid: times, skip, delay, drip, linger, optional)"
        ),
    ),
    "code and text in one": (
        lambda smtpd: Reject("550 5.1.1 No such user"),  # type: ignore[arg-type]
        ValueError,
        (
            "a hook refuses with a code from 400 to 599, a number, and its text is a second argument: "
            "write Reject(550, '5.1.1 No such user'), not Reject('550 5.1.1 No such user')"
        ),
    ),
    "a code in quotes": (
        lambda smtpd: Reject("550"),  # type: ignore[arg-type]
        ValueError,
        (
            "a hook refuses with a code from 400 to 599, a number, and its text is a second argument: "
            "write Reject(550), not Reject('550')"
        ),
    ),
    "a refusal that accepts": (
        lambda smtpd: Reject("250 OK"),  # type: ignore[arg-type]
        ValueError,
        "a hook refuses with a code from 400 to 599, not '250 OK'; to accept, return",
    ),
    "keywords that can be read once only": (
        lambda smtpd: SMTPServer(hide=iter(["SIZE"])),  # type: ignore[arg-type]
        ValueError,
        "hide must be a collection of EHLO keywords, like {'SIZE'}, not ITERATOR",
    ),
    "a password that is a number": (
        lambda smtpd: SMTPServer(auth={"app": 12345}),  # type: ignore[dict-item]
        ValueError,
        (
            "auth must be 'any', a dict of user: password, or None, not a dict with int in it; "
            "users and passwords are text"
        ),
    ),
}


@pytest.mark.parametrize(("slip", "kind", "text"), SLIPS.values(), ids=SLIPS)
def test_a_slip_is_said_with_what_to_write_instead(
    smtpd: SMTPServer, slip: Callable[[SMTPServer], object], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as caught:
        slip(smtpd)
    assert type(caught.value) is kind
    assert re.sub("<.*>", "ITERATOR", str(caught.value)) == text


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("rcpt_to", "to"),
        ("recipient", "to"),
        ("to_addr", "to"),
        ("sender", "mail_from"),
        ("from_", "mail_from"),
        ("body", "text"),
        ("username", "user"),
        ("subjekt", "subject"),
    ],
)
def test_words_of_other_interfaces_are_understood(smtpd: SMTPServer, word: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"'{word}' - did you mean '{meant}'\\?"):
        smtpd.one(**{word: "x"})  # type: ignore[arg-type]
