"""The slips that everybody makes once: what is said of each, in one line, with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pytest_smtpd import Reject, SMTPServer, on
from tests.plugin.reading import failure_text

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
            "on('close'): 'reply' applies to auth, command, connect, data, mail_from, rcpt_to and secure, "
            "not to close, where nobody is left to be answered (valid actions: call)"
        ),
    ),
    "a modifier of another hook": (
        lambda smtpd: on("mail_from", reply=550, after=1),
        TypeError,
        (
            "on('mail_from'): 'after' applies to data and secure, not to mail_from "
            "(valid modifiers: times, skip, delay, drip, linger, then, accept, optional)"
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
        "hide must be a collection of EHLO keywords, like {'SIZE'}, not a list_iterator",
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
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("word", "meant"),
    [
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


MISUSE = {
    "a setting": "smtpd_factory(tsl=1)",
    "a value": "smtpd_factory(tls=1)",
    "a port": "smtpd_factory(port=smtpd.port)",
    "a server of its own": "SMTPServer(port=smtpd.port).start()",
    "a block": "SMTPServer(port=smtpd.port).__enter__()",
    "a rule": "smtpd.on('rcpt_to', reply=99)",
    "a key": "smtpd.find(tos=1)",
    "a key of the log": "smtpd.log.calls('rcpt_to', tos=1)",
    "a hook's code": "Reject(200)",
    "a hook's arguments": "smtpd.on('rcpt_to')(lambda address: None)",
}


@pytest.mark.parametrize("code", MISUSE.values(), ids=MISUSE)
def test_what_is_shown_of_a_slip_is_the_line_in_the_test(failure: Callable[..., pytest.TestReport], code: str) -> None:
    report = failure(f"""
        from pytest_smtpd import SMTPServer

        def test_it(smtpd, smtpd_factory):
            {code}
    """)
    assert report.when == "call"
    *_, where = failure_text(report).splitlines()
    assert where.startswith("test_inner.py:")
    assert f">       {code}" in report.longreprtext
    assert "pytest_smtpd/" not in failure_text(report)


def test_a_port_that_is_taken_is_an_error_in_one_line(failure: Callable[..., pytest.TestReport]) -> None:
    report = failure("""
        import socket

        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]

        @pytest.mark.smtpd(port=port)
        def test_it(smtpd): pass

        def teardown_module():
            listener.close()
    """)
    assert report.when == "setup"
    text = r"\[Errno \d+\] smtpd cannot listen on 127.0.0.1:\d+: Address already in use"
    assert re.fullmatch(text, report.longreprtext.strip())
