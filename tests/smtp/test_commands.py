"""What is a command and what is none: RFC 5321 sections 2.4, 4.1.1 and 4.2.4.

The arguments of each command are tested in ``tests/rfc``, by RFC; here is what remains of the table of verbs.
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd.rules.verdict import answer
from pytest_smtpd.smtp.commands import VERBS
from pytest_smtpd.smtp.replies import standard
from pytest_smtpd.smtp.states import State
from tests.rfc.dialogue import EHLO, RCPT
from tests.smtp.core import Core, core, instead


def greeted(**settings: Any) -> Core:
    line = core(**settings)
    line.hold(f"S: 220\n{EHLO}")
    return line


NO_COMMANDS = [
    b" ",
    b"XYZZY x",
    b" NOOP",
    b"NO OP",
    b"\xff",
    b"NOOP\0",
    b"NOOP\rNOOP",
    b"MAILFROM:<a@b>",
    b"GET / HTTP/1.1",
    b"Host: x",
    b"\x16\x03\x01\x02\x00",
]
BAD_ARGUMENTS = [
    b"NOOP \0",
    b"NOOP \xff",
    b"HELP \x7f",
    "NOOP \u200b".encode(),
    b"EHLO \xff",
    b"EHLO a\0b",
    b"EHLO  ",
    b"VRFY  ",
    b"VRFY",
    b"STARTTLS x",
    b"AUTH CRAM-MD5 AA==",
    b"AUTH PLAIN AA== AA==",
    b"MAIL FROM:<a@b> SIZE=1 SIZE=1",
]


@pytest.mark.parametrize(
    ("command", "number"), [*((line, 500) for line in NO_COMMANDS), *((line, 501) for line in BAD_ARGUMENTS)]
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_malformed_command_is_refused_and_changes_nothing(command: bytes, number: int, end: bytes) -> None:
    line = greeted()
    line.send(command + end)
    assert line.codes() == [number]
    assert line.state is State.READY
    assert line.session.error == number
    assert line.codes("MAIL FROM:<a@b>") == [250]


@pytest.mark.parametrize("verb", ["EXPN", "ETRN", "TURN", "SEND", "SOML", "SAML"])
@pytest.mark.parametrize("argument", ["", " FROM:<a@b>"])
def test_verb_that_is_known_but_not_implemented_is_502(verb: str, argument: str) -> None:
    """RFC 5321 section 4.2.4."""
    reply = greeted().say(f"{verb}{argument}")
    assert (reply.code, reply.enhanced) == (502, "5.5.1")


@pytest.mark.parametrize("verb", ["XCLIENT", "XFORWARD", "EXPN", "ETRN", "TURN", "SEND", "SOML", "SAML"])
def test_disabled_verb_is_502(verb: str) -> None:
    reply = greeted(disable=[verb], xclient=True, xforward=True).say(f"{verb} NAME=x")
    assert (reply.code, reply.enhanced) == (502, "5.5.1")


@pytest.mark.parametrize("verb", ["XCLIENT", "XFORWARD"])
def test_verb_of_a_proxy_is_not_allowed_unless_the_setting_says_so(verb: str) -> None:
    reply = greeted().say(f"{verb} NAME=x")
    assert (reply.code, reply.enhanced) == (550, "5.7.1")
    assert greeted(**{verb.lower(): True}).say(f"{verb} NAME=x").code == (220 if verb == "XCLIENT" else 250)


@pytest.mark.parametrize(
    "command",
    [
        b"NOOP ",
        b"NOOP \t ",
        b"NOOP\t",
        b"RSET  ",
        b"QUIT\t",
        b"HELP ",
        b"VRFY ada \t",
        b"MAIL FROM:<a@b> \t",
        b"EHLO c \t",
    ],
)
def test_white_space_at_the_end_is_ignored(command: bytes) -> None:
    """RFC 5321 section 4.1.1: "SMTP servers SHOULD tolerate trailing white space"."""
    line = greeted()
    line.send(command + b"\r\n")
    assert line.codes()[0] < 300


@pytest.mark.parametrize("name", ["my_host", "-x", "[1.2.3]", "a b", "a..b", "hé.example"])
@pytest.mark.parametrize("verb", ["EHLO", "HELO"])
def test_only_strict_asks_for_a_domain_in_a_greeting(verb: str, name: str) -> None:
    assert core(strict=True).codes(f"{verb} {name}") == [220, 501]
    line = core()
    assert line.codes(f"{verb} {name}") == [220, 250]
    assert (line.session.hostname_appears_as, line.session.opening_command) == (name.lower(), verb)


@pytest.mark.parametrize("verb", ["EHLO", "HELO"])
def test_greeting_that_a_rule_accepts_counts_as_it_stands(verb: str) -> None:
    line = core(strict=True, decide=instead({"refused": 250}))
    assert line.codes(f"{verb} My_Host") == [220, 250]
    assert (line.session.hostname_appears_as, line.state) == ("my_host", State.READY)


@pytest.mark.parametrize(
    ("command", "reply", "state"),
    [
        ("RSET x", 250, State.READY),
        ("QUIT x", 221, State.CLOSED),
        ("DATA x", 354, State.CONTENT),
        ("DATA x", 250, State.RCPT),
        ("STARTTLS x", 250, State.RCPT),
        ("FOO", 250, State.RCPT),
    ],
)
def test_command_with_an_argument_too_many_that_a_rule_accepts_counts(command: str, reply: int, state: State) -> None:
    """It does what it would have done without the argument; a word that is no command does nothing."""
    line = core(decide=instead({"refused": answer(standard(reply))}))
    line.hold(f"S: 220\n{RCPT}")
    assert line.codes(command) == [reply]
    assert line.state is state


@pytest.mark.parametrize(("verb", "longest"), [("NOOP", 512), ("VRFY", 521), ("RSET", 512)])
def test_strict_counts_the_octets_of_a_command(verb: str, longest: int) -> None:
    """RFC 5321 section 4.5.3.1.4, with CRLF; RFC 6531 section 3.7.4.1 adds 9 to VRFY."""
    text = f"{verb} ".ljust(longest - 2, "x")
    fits = {"NOOP": 250, "VRFY": 252, "RSET": 501}[verb]
    assert greeted(strict=True).codes(text, f"{text}x") == [fits, 500]
    assert greeted().codes(f"{text}x") == [fits]


def test_line_that_is_too_long_is_500_and_the_next_one_counts() -> None:
    line = core()
    assert line.codes("NOOP " + "x" * 20_000, "NOOP") == [220, 500, 250]
    assert line.session.commands == ("", "NOOP")


def test_require_tls_lets_pass_what_needs_no_tls() -> None:
    """RFC 3207 section 4: 530 "to every command other than NOOP, EHLO, STARTTLS, or QUIT"; and the like."""
    lets_pass = {verb for verb in VERBS if core(require_tls=True, lmtp=verb == "LHLO").codes(f"{verb} x") != [220, 530]}
    assert lets_pass == {"NOOP", "EHLO", "HELO", "LHLO", "STARTTLS", "RSET", "QUIT"}
    assert core(require_tls=True).codes("FOO", "") == [220, 530, 530]
    line = core(require_tls=True, tls="implicit")
    line.handshake()
    assert line.codes("VRFY x") == [220, 252]


def test_what_one_client_may_use_says_nothing_about_the_next() -> None:
    """Settings are shared: what is kept of them must not depend on a client's TLS or login."""
    from pytest_smtpd.settings import make_settings

    settings = make_settings({"require_tls": True})
    secured, clear = Core(settings), Core(settings)
    assert secured.codes("STARTTLS") == [220, 220]
    secured.handshake()
    assert secured.codes("EHLO c", "VRFY x") == [250, 252]
    assert clear.codes("EHLO c", "VRFY x") == [220, 250, 530]


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_names_its_specification(verb: str) -> None:
    assert VERBS[verb].rfc.startswith(("RFC ", "Postfix "))
