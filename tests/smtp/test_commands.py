"""Each verb's argument, as RFC 5321 section 4.1.1 and the extensions' RFCs write it; what is no command at all."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd.smtp.commands import VERBS
from pytest_smtpd.smtp.events import Command
from pytest_smtpd.smtp.states import State
from tests.smtp.helpers import HELLO, MAIL, RCPT, Line, with_mail

MALFORMED = [
    (b"", 500),
    (b" ", 500),
    (b"XYZZY", 500),
    (b"XYZZY x", 500),
    (b" NOOP", 500),
    (b"NO OP", 500),
    (b"\xff", 500),
    (b"NOOP\0", 500),
    (b"MAILFROM:<a@b>", 500),
    (b"NOOP \0", 501),
    (b"NOOP \xff", 501),
    (b"NOOP a\rb", 501),
    (b"HELP \x7f", 501),
    (b"n\xc5\xbfoop", 500),
    (b"EHLO", 501),
    (b"EHLO ", 501),
    (b"HELO", 501),
    (b"EHLO \xff", 501),
    (b"EHLO a\0b", 501),
    (b"RSET x", 501),
    (b"QUIT x", 501),
    (b"STARTTLS x", 501),
    (b"VRFY", 501),
    (b"VRFY ", 501),
    (b"MAIL", 501),
    (b"MAIL FROM", 501),
    (b"MAIL FROM:", 501),
    (b"MAIL TO:<a@b>", 501),
    (b"MAIL FROM:<a>", 501),
    (b"MAIL FROM:<a@b", 501),
    (b"MAIL FROM:<@b>", 501),
    (b"MAIL FROM:<a@b>x", 501),
    (b"MAIL FROM:<a\0@b>", 501),
    (b"MAIL FROM:<a@b> BODY", 501),
    (b"MAIL FROM:<a@b> SIZE=", 501),
    (b"MAIL FROM:<a@b> SIZE=1 SIZE=1", 501),
    (b"MAIL FROM:<a@b> X=1", 555),
    (b"MAIL FROM:<Postmaster>", 501),
    (b"MAIL FROM:<\xff@b>", 501),
    (b"MAIL FROM:<a@b> REQUIRETLS", 530),
    (b"AUTH", 501),
    (b"AUTH NTLM", 504),
    (b"AUTH SCRAM-SHA-256", 504),
    (b"AUTH PLA\xc4\xb1N", 504),
    (b"AUTH PLAIN !", 501),
    (b"AUTH PLAIN dGlt", 501),
    (b"AUTH PLAIN AA== AA==", 501),
    (b"AUTH CRAM-MD5 AA==", 501),
    (b"AUTH PLAIN AA=", 501),
    (b"EXPN list", 502),
    (b"ETRN x", 502),
    (b"TURN", 502),
    (b"SEND FROM:<a@b>", 502),
    (b"SOML FROM:<a@b>", 502),
    (b"SAML FROM:<a@b>", 502),
    (b"LHLO c", 500),
    (b"XCLIENT NAME=x", 550),
    (b"XFORWARD NAME=x", 550),
    (b"GET / HTTP/1.1", 500),
    (b"Host: x", 500),
    (b"\x16\x03\x01\x02\x00", 500),
]


@pytest.mark.parametrize(("command", "code"), MALFORMED)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_what_is_malformed_is_refused_and_changes_nothing(command: bytes, code: int, end: bytes) -> None:
    line = Line()
    line.say(HELLO)
    assert line.say(command + end) == [code]
    assert line.state is State.READY
    assert line.session.error == code
    assert line.say(MAIL) == [250]


RECIPIENTS = [
    (b"RCPT", 501),
    (b"RCPT TO:", 501),
    (b"RCPT TO:<>", 501),
    (b"RCPT FROM:<a@b>", 501),
    (b"RCPT TO:<a>", 501),
    (b"RCPT TO:<a@b> NOTIFY", 501),
    (b"RCPT TO:<a@b> NOTIFY=NEVER,DELAY", 501),
    (b"RCPT TO:<a@b> ORCPT=x", 501),
    (b"RCPT TO:<a@b> SIZE=1", 555),
    (b"RCPT TO:<a@b", 501),
    (b"DATA x", 501),
    (b"BDAT", 501),
    (b"BDAT x", 501),
    (b"BDAT -1", 501),
    (b"BDAT 1 FIRST", 501),
    (b"BDAT 1 LAST x", 501),
    (b"BDAT 1LAST", 501),
    (b"BDAT 999999999999999999999", 501),
    (b"BDAT \xd9\xa1", 501),
]


@pytest.mark.parametrize(("command", "code"), RECIPIENTS)
def test_what_is_malformed_inside_a_transaction_leaves_it_open(command: bytes, code: int) -> None:
    line = with_mail()
    assert line.say(command + b"\r\n") == [code]
    assert line.state is State.RCPT
    assert line.session.recipients == ("b@example.com",)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"NOOP", 250),
        (b"noop", 250),
        (b"NoOp anything <at> all", 250),
        (b"NOOP ", 250),
        (b"HELP", 214),
        (b"HELP MAIL", 214),
        (b"VRFY ada", 252),
        (b"RSET", 250),
        (b"RSET ", 250),
        (b"EHLO x", 250),
        (b"EHLO [192.0.2.1]", 250),
        (b"EHLO under_score", 250),
        (b"HELO x y", 250),
        (b"STARTTLS", 220),
        (b"MAIL FROM:<>", 250),
        (b"mail from:<a@b>", 250),
        (b"MAIL FROM: a@b", 250),
        (b"MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME", 250),
        (b"AUTH PLAIN", 334),
        (b"AUTH login", 334),
        (b"AUTH CRAM-MD5", 334),
        (b"AUTH PLAIN AHRpbQB0YW5zdGFhZg==", 235),
        (b"AUTH LOGIN dGlt", 334),
        (b"MAIL FROM:<\xc3\xa9@b> SMTPUTF8", 250),
        (b"QUIT", 221),
    ],
)
def test_what_is_well_formed_is_answered_in_the_usual_way(command: bytes, code: int) -> None:
    line = Line()
    line.say(HELLO)
    assert line.say(command + b"\r\n") == [code]


STRICT = [
    (b"EHLO under_score", 501),
    (b"EHLO -x", 501),
    (b"EHLO [1.2.3]", 501),
    (b"EHLO a b", 501),
    (b"HELO a..b", 501),
    (b"MAIL FROM: <a@b>", 501),
    (b"MAIL FROM:a@b", 501),
    (b"MAIL FROM:<\xc3\xa9@b>", 553),
    (b"MAIL FROM:<" + b"a" * 65 + b"@b>", 501),
    (b"NOOP " + b"x" * 506, 500),
    (b"VRFY " + b"x" * 515, 500),
    (b"EHLO example.com", 250),
    (b"EHLO [IPv6:::1]", 250),
    (b"MAIL FROM:<a@b>", 250),
    (b"MAIL FROM:<\xc3\xa9@b> SMTPUTF8", 250),
    (b"NOOP " + b"x" * 505, 250),
    (b"VRFY " + b"x" * 514, 252),
    (b"MAIL FROM:<" + b"a" * 64 + b"@b>", 250),
    (b"MAIL FROM:<a@\xc3\xa9.example>", 553),
]


@pytest.mark.parametrize(("command", "code"), STRICT, ids=range(len(STRICT)))
def test_strict_refuses_what_is_usually_tolerated(command: bytes, code: int) -> None:
    strict, tolerant = Line(strict=True), Line()
    assert strict.say(HELLO) == tolerant.say(HELLO) == [250]
    assert strict.say(command + b"\r\n") == [code]
    assert tolerant.say(command + b"\r\n")[0] < 300


def test_strict_refuses_a_line_that_ends_with_lf() -> None:
    assert Line(strict=True).say(b"NOOP\n") == [500]
    assert Line().say(b"NOOP\n") == [250]


@pytest.mark.parametrize(("sender", "code"), [(MAIL, 553), (b"MAIL FROM:<a@b> SMTPUTF8\r\n", 250)])
def test_strict_wants_smtputf8_for_a_recipient_in_utf8(sender: bytes, code: int) -> None:
    line = Line(strict=True)
    line.say(HELLO, sender)
    assert line.say(b"RCPT TO:<\xc3\xa9@b>\r\n") == [code]


def test_a_line_that_is_too_long_is_a_500_and_the_next_one_counts() -> None:
    line = Line()
    assert line.say(b"NOOP " + b"x" * 20_000 + b"\r\nNOOP\r\n") == [500, 250]
    assert line.session.commands == ("", "NOOP")


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_disabled_verb_is_a_502(verb: str) -> None:
    line = Line(disable=[verb], xclient=True, xforward=True, lmtp=verb == "LHLO")
    assert line.say(verb.encode() + b"\r\n") == [502]
    assert line.said.startswith(b"502 5.5.1 ")


@pytest.mark.parametrize(
    ("settings", "command", "code"),
    [
        ({"tls": None}, b"STARTTLS", 502),
        ({"auth": None}, b"AUTH PLAIN", 502),
        ({"disable": ["CHUNKING"]}, b"BDAT 0", 502),
        ({"lmtp": True}, b"EHLO x", 500),
        ({"lmtp": True}, b"HELO x", 500),
        ({"lmtp": True}, b"LHLO x", 250),
        ({"auth_requires_tls": True}, b"AUTH PLAIN", 538),
        ({"require_auth": True}, b"MAIL FROM:<a@b>", 503),
    ],
)
def test_a_verb_that_the_settings_do_not_offer(settings: Any, command: bytes, code: int) -> None:
    assert Line(**settings).say(command + b"\r\n") == [code]


IN_CLEAR = {"NOOP", "EHLO", "HELO", "LHLO", "STARTTLS", "RSET", "QUIT"}


@pytest.mark.parametrize("verb", [*sorted(set(VERBS) - {"LHLO"}), "FOO", ""])
def test_require_tls_lets_only_these_pass(verb: str) -> None:
    """RFC 3207 section 4: 530 "to every command other than NOOP, EHLO, STARTTLS, or QUIT"; and the like."""
    line = Line(require_tls=True, xclient=True, xforward=True)
    line.say(HELLO)
    codes = line.say(verb.encode() + b" x\r\n")
    assert (codes == [530]) == (verb not in IN_CLEAR)


@pytest.mark.parametrize(
    "argument",
    [
        b"NAME=x",
        b"ADDR=192.0.2.1 PORT=25",
        b"ADDR=IPV6:2001:db8::1",
        b"addr=::1",
        b"LOGIN=a+2Bb NAME=[UNAVAILABLE]",
        b"PORT=[TEMPUNAVAIL]",
    ],
)
def test_xclient_reads_attributes(argument: bytes) -> None:
    assert Line(xclient=True).say(b"XCLIENT " + argument + b"\r\n") == [220]


@pytest.mark.parametrize(
    "argument",
    [
        b"",
        b"NAME",
        b"=x",
        b"FOO=x",
        b"ADDR=x",
        b"ADDR=192.0.2.256",
        b"ADDR=fe80::1%25eth0",
        b"PORT=x",
        b"PORT=65536",
        b"PORT=-1",
        b"NAME=a+0Ab",
        b"NAME=+",
        b"PORT=1_0",
        b"PORT=+2B1",
        b"PORT=+D9+A1",
    ],
)
@pytest.mark.parametrize("verb", [b"XCLIENT ", b"XFORWARD "])
def test_xclient_and_xforward_refuse_what_is_malformed(verb: bytes, argument: bytes) -> None:
    assert Line(xclient=True, xforward=True).say(verb + argument + b"\r\n") == [501]


# --- Command ------


@pytest.mark.parametrize(
    ("raw", "verb", "argument", "shown"),
    [
        (b"MAIL FROM:<a@b>", "MAIL", "FROM:<a@b>", "MAIL FROM:<a@b>"),
        (b"quit", "QUIT", "", "quit"),
        (b"", "", "", ""),
        (b"AUTH PLAIN c2VjcmV0", "AUTH", "PLAIN c2VjcmV0", "AUTH PLAIN ***"),
        (b"auth  plain  c2VjcmV0", "AUTH", " plain  c2VjcmV0", "auth  plain ***"),
        (b"AUTH PLAIN", "AUTH", "PLAIN", "AUTH PLAIN"),
        (b"NOOP \x1b[2J", "NOOP", "\x1b[2J", "NOOP \\x1b[2J"),
        (b"NOOP \xff", "NOOP", "\ufffd", "NOOP \\xff"),
    ],
)
def test_a_command_has_verb_and_argument_and_shows_no_secret(raw: bytes, verb: str, argument: str, shown: str) -> None:
    command = Command(raw)
    assert (command.verb, command.argument, command.raw, str(command)) == (verb, argument, raw, shown)
    assert shown in repr(command) or "\\" in shown


def test_what_follows_a_refused_auth_may_be_a_password_and_is_not_shown() -> None:
    line = Line()
    line.say(HELLO, b"AUTH NTLM\r\n", b"aHVzaA==\r\n")
    assert "aHVzaA" not in str(line.events[-1].command)
    line.say(RCPT)
    assert "RCPT" in str(line.events[-1].command)
