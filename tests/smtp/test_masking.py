"""Command lines as people may read them: no secret, wherever a client has put one, and nothing for a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd.smtp.masking import masked
from pytest_smtpd.smtp.passwords import MASK

SECRET = "czNjcmV0LXBhc3N3b3Jk"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        # AUTH, RFC 4954 section 4
        (f"AUTH PLAIN {SECRET}", "AUTH PLAIN ***"),
        (f"auth plain {SECRET}", "auth plain ***"),
        ("AUTH PLAIN =", "AUTH PLAIN ***"),
        (f"AUTH LOGIN dGlt {SECRET}", "AUTH LOGIN ***"),
        (f"AUTH SCRAM-SHA-256 {SECRET}", "AUTH SCRAM-SHA-256 ***"),
        (f"AUTH SCRAM-SHA-512-PLUS {SECRET}", "AUTH SCRAM-SHA-512-PLUS ***"),
        *((f"AUTH {method} {SECRET}", f"AUTH {method} ***") for method in ("CRAM-MD5", "XOAUTH2", "OAUTHBEARER")),
        *((f"AUTH {method} {SECRET}", f"AUTH {method} ***") for method in ("NTLM", "GSSAPI", "EXTERNAL", "ANONYMOUS")),
        # misspelt
        (f"AUTH {SECRET}", "AUTH ***"),
        (f"AUTH UNKNOWN {SECRET}", "AUTH ***"),
        (f"AUTH PLAIN={SECRET}", "AUTH PLAIN=***"),
        (f"AUTH=PLAIN {SECRET}", "AUTH=PLAIN ***"),
        (f"auth: {SECRET}", "auth: ***"),
        (f"AUTHPLAIN {SECRET}", "AUTHPLAIN ***"),
        (f"\tAUTH\tPLAIN\t{SECRET}", "\\tAUTH\\tPLAIN\\t***"),
        (f"  AUTH  PLAIN  {SECRET}", "  AUTH  PLAIN  ***"),
        (f"\0AUTH PLAIN {SECRET}", "\\x00AUTH PLAIN ***"),
        # behind another verb, or without one
        (f"NOOP AUTH PLAIN {SECRET}", "NOOP AUTH PLAIN ***"),
        (f"PLAIN {SECRET}", "PLAIN ***"),
        (f"login {SECRET}", "login ***"),
        (f"\0XOAUTH2 {SECRET}", "\\x00XOAUTH2 ***"),
        # POP3 (RFC 1939), IMAP (RFC 3501), HTTP (RFC 9110)
        (f"PASS {SECRET}", "PASS ***"),
        (f"password: {SECRET}", "password: ***"),
        (f"a1 LOGIN tim {SECRET}", "a1 LOGIN ***"),
        (f"LOGIN tim {SECRET}", "LOGIN ***"),
        (f"Authorization: Basic {SECRET}", "Authorization: Basic ***"),
        (f"Authorization: {SECRET}", "Authorization: ***"),
        (f"Proxy-Authorization: Basic {SECRET}", "Proxy-Authorization: Basic ***"),
    ],
)
def test_a_secret_is_masked_wherever_a_client_puts_it(sent: str, shown: str) -> None:
    assert masked(sent.encode()) == shown


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "AUTH",
        "AUTH PLAIN",
        "AUTH SCRAM-SHA-256",
        "PLAIN",
        "PASS",
        "AUTHOR x y",
        "NOOP x y",
        "NOOP PASSING by",
        "EHLO auth.example",
        "MAIL FROM:<auth@login.example>",
        "RCPT TO:<login@client.example> NOTIFY=NEVER",
        "VRFY Grüße",
    ],
)
def test_what_is_no_secret_is_shown(sent: str) -> None:
    assert masked(sent.encode()) == sent


def test_known_passwords_are_masked_everywhere() -> None:
    assert masked(b"NOOP pencil pencil1 eraser", ("pencil", "eraser")) == "NOOP *** ***1 ***"
    assert masked(b"NOOP pencil") == "NOOP pencil"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"NOOP \x1b[2J", "NOOP \\x1b[2J"),
        (b"NOOP \xff", "NOOP \\xff"),
        ("NOOP \u202e\u2028".encode(), "NOOP \\u202e\\u2028"),
        (b"NOOP \r\t", "NOOP \\r\\t"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(sent: bytes, shown: str) -> None:
    assert masked(sent) == shown


_before = st.sampled_from(["", " ", "\t", "\0", "NOOP ", "EHLO "])
_keywords = st.sampled_from(["AUTH", "auth", "Auth"])
_between = st.sampled_from([" ", "  ", "=", ":", "\t", ": "])
_methods = st.sampled_from(["", "PLAIN ", "LOGIN ", "xoauth2  ", "CRAM-MD5\t", "DIGEST-MD5 "])


@settings(deadline=None)
@given(_before, _keywords, _between, _methods, st.from_regex(r"[A-Za-z0-9+/]{8,40}={0,2}", fullmatch=True))
def test_no_spelling_of_auth_shows_what_stands_behind_it(
    before: str, keyword: str, between: str, method: str, secret: str
) -> None:
    shown = masked(f"{before}{keyword}{between}{method}{secret}".encode())
    assert secret not in shown
    assert MASK in shown


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=40))
def test_no_octets_make_it_raise(octets: bytes) -> None:
    assert re.fullmatch(r"[^\x00-\x1f\x7f-\x9f]*", masked(octets))
