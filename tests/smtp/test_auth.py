"""A login attempt as a value, and the pieces of SASL messages: RFC 4954 section 4, RFC 5801 section 4, RFC 5802."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd.smtp.auth import Auth, decode, encode, gs2_header, sasl_name, text_of
from pytest_smtpd.smtp.grammar import Refused
from tests.smtp.exchanges import login

# --- base64 ------


@pytest.mark.parametrize(("encoded", "decoded"), [(b"", b""), (b"dGlt", b"tim"), (b"AA==", b"\0"), (b"AAA=", b"\0\0")])
def test_base64_is_decoded(encoded: bytes, decoded: bytes) -> None:
    assert decode(encoded) == decoded
    assert encode(decoded).encode() == encoded


@pytest.mark.parametrize(
    "encoded", [b"d", b"dG", b"dGl", b"dGlt=", b"====", b"=", b"dG lt", b"dGlt\n", b"dGl-", b"dGl\xff", b"A=AA", b"*"]
)
def test_nothing_but_base64_is_base64(encoded: bytes) -> None:
    """RFC 4954 section 4: "If the server cannot [BASE64] decode any client response, it MUST fail with a 501 reply"."""
    with pytest.raises(Refused) as caught:
        decode(encoded)
    assert (caught.value.reply.code, caught.value.reply.text) == (501, "Cannot decode base64")


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_every_octet_survives_base64(octets: bytes) -> None:
    assert decode(encode(octets).encode()) == octets


# --- texts and names ------


@pytest.mark.parametrize("octets", [b"", b"tim", "jürgen".encode(), b" \t\n\0"])
def test_a_text_is_utf8(octets: bytes) -> None:
    assert text_of(octets).encode() == octets


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (b"\xff", False),
        (b"\xc0\x80", False),
        (b"\xff", True),
        *((chr(code).encode(), True) for code in (0, 10, 31, 127, 0x80, 0x9F)),
    ],
)
def test_a_name_has_no_control_characters(octets: bytes, name: bool) -> None:
    with pytest.raises(Refused) as caught:
        text_of(octets, name=name)
    assert (caught.value.reply.code, caught.value.reply.text) == (501, "Malformed credentials")


@pytest.mark.parametrize(
    ("sent", "name"), [("", ""), ("user", "user"), ("a=2Cb", "a,b"), ("=3D=2C=3D2C", "=,=2C"), ("ä b", "ä b")]
)
def test_a_sasl_name_has_two_escapes(sent: str, name: str) -> None:
    """RFC 5802 section 5.1."""
    assert sasl_name(sent) == name


@pytest.mark.parametrize("sent", ["=", "a=", "=2c", "=3d", "=41", "a=b", "=2", "==2C"])
def test_a_sasl_name_has_no_other_escape(sent: str) -> None:
    """RFC 5802 section 5.1: of any other "=", "the server MUST fail the authentication"."""
    with pytest.raises(Refused) as caught:
        sasl_name(sent)
    assert caught.value.reply == 501


@pytest.mark.parametrize(
    ("header", "authzid", "rest"),
    [
        (b"n,,", "", ""),
        (b"y,,n=user,r=x", "", "n=user,r=x"),
        (b"n,a=admin,n=user", "admin", "n=user"),
        (b"n,a=a=2Cb=3D,", "a,b=", ""),
    ],
)
def test_a_gs2_header_has_a_flag_and_perhaps_an_authzid(header: bytes, authzid: str, rest: str) -> None:
    """RFC 5801 section 4."""
    assert gs2_header(header) == (authzid, rest)


@pytest.mark.parametrize(
    "header",
    [b"", b"n", b"n,", b",,", b"N,,", b"nn,,", b"p=tls-unique,,", b"n,u,", b"n,=a,", b"n,a=,", b"n,a=x=,", b"n,\xff,"],
)
def test_what_is_no_gs2_header_is_refused(header: bytes) -> None:
    with pytest.raises(Refused) as caught:
        gs2_header(header)
    assert caught.value.reply == 501


# --- the attempt ------


def test_passwords_and_tokens_are_compared_whole() -> None:
    assert Auth("PLAIN", "tim", password="pä").validate_password("pä")
    assert not Auth("PLAIN", "tim", password="pä").validate_password("p")
    assert Auth("XOAUTH2", "tim", access_token="t").validate_password("t")
    assert not Auth("XOAUTH2", "tim", access_token="t").validate_password("tim")
    assert Auth("X", "", password="", access_token="t").validate_password("")


def test_without_a_password_nothing_is_valid() -> None:
    assert not Auth("XCLIENT", "tim").validate_password("")
    assert not Auth("XCLIENT", "tim").unproven
    assert Auth("XCLIENT", "tim").server_final is None


def test_a_wrong_guess_after_the_right_one_takes_no_proof_away() -> None:
    auth = Auth("X", "tim", prove={"yes": b"proof"}.get, needs_proof=True)
    assert auth.unproven
    assert not auth.validate_password("no")
    assert auth.unproven
    assert auth.validate_password("yes")
    assert not auth.validate_password("no")
    assert (auth.unproven, auth.server_final) == (False, b"proof")


def test_what_is_not_given_is_none() -> None:
    auth = Auth("X", "tim")
    assert (auth.method, auth.username) == ("X", "tim")
    assert (auth.password, auth.authzid, auth.authcid, auth.access_token, auth.challenge, auth.response) == (None,) * 6


def test_a_secret_is_in_no_repr() -> None:
    auths = [
        login("PLAIN", b"\0tim\0s3cret"),
        login("XOAUTH2", b"user=tim\1auth=Bearer s3cret\1\1"),
        login("LOGIN", b"tim", b"s3cret"),
    ]
    assert [repr(auth) for auth in auths] == [f"<Auth {auth.method} 'tim'>" for auth in auths]
    assert len(repr(Auth("PLAIN", "x" * 5000))) < 120


def test_the_name_of_a_mechanism_that_only_a_rule_accepts_is_shown_escaped() -> None:
    assert repr(Auth("X\x1b[2J", "tim")) == r"<Auth X\x1b[2J 'tim'>"
    assert len(repr(Auth("X" * 5000, "tim"))) < 180
