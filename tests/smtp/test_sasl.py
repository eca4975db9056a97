"""The AUTH mechanisms, held to the vectors of their RFCs: 4616, 2195, 7628, and Google's XOAUTH2."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.sasl import MECHANISMS, Exchange, owner
from tests.smtp.exchanges import login, refused

# --- PLAIN, RFC 4616 ------


@pytest.mark.parametrize(
    ("message", "authzid", "username", "password"),
    [
        (b"\0tim\0tanstaaftanstaaf", "", "tim", "tanstaaftanstaaf"),
        (b"Ursel\0Kurt\0xipj3plmq", "Ursel", "Kurt", "xipj3plmq"),
        ("\0jürgen\0pässwörd".encode(), "", "jürgen", "pässwörd"),
        (b"\0a b\0 p ", "", "a b", " p "),
        (b"\0tim\0p\rw\n", "", "tim", "p\rw\n"),
    ],
)
def test_plain_reads_the_examples_of_section_4(message: bytes, authzid: str, username: str, password: str) -> None:
    auth = login("PLAIN", message)
    assert (auth.authzid, auth.username, auth.password) == (authzid, username, password)
    assert (auth.access_token, auth.challenge, auth.response, auth.server_final) == (None, None, None, None)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0",
        b"tim",
        b"\0tim",
        b"\0tim\0",
        b"\0\0tanstaaf",
        b"a\0b\0c\0d",
        b"\0\xff\0p",
        b"\0tim\0\xff",
        b"\0t\nm\0p",
        b"\0\0\0",
    ],
)
def test_plain_refuses_what_is_malformed(message: bytes) -> None:
    """RFC 4616 section 2: only the authorization identity may be empty."""
    refused("PLAIN", message)


_names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=10)
_passwords = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=10)


@settings(deadline=None)
@given(st.one_of(st.just(""), _names), _names, _passwords)
def test_plain_survives_being_written_and_read(authzid: str, username: str, password: str) -> None:
    auth = login("PLAIN", f"{authzid}\0{username}\0{password}".encode())
    assert (auth.authzid, auth.username, auth.password) == (authzid, username, password)
    assert auth.validate_password(password)
    assert not auth.validate_password(password + "x")


# --- LOGIN ------


def test_login_asks_for_the_name_and_then_for_the_password() -> None:
    exchange = Exchange("LOGIN", "localhost")
    assert exchange.challenge == b"Username:"
    exchange.respond(b"tim")
    assert exchange.challenge == b"Password:"
    auth = login("LOGIN", b"tim", "pä ss".encode())
    assert (auth.username, auth.authcid, auth.password) == ("tim", "tim", "pä ss")
    assert auth.validate_password("pä ss")


@pytest.mark.parametrize("responses", [(b"",), (b"\xff",), (b"a\0b",), (b"a", b"\xff")])
def test_login_refuses_what_is_malformed(responses: tuple[bytes, ...]) -> None:
    refused("LOGIN", *responses)


# --- CRAM-MD5, RFC 2195 ------


@pytest.fixture
def challenge_of_rfc_2195(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(secrets, "token_hex", lambda size: "1896")
    monkeypatch.setattr(secrets, "randbelow", lambda below: 697170952)
    return "postoffice.reston.mci.net"


@pytest.mark.parametrize("digest", ["b913a602c7eda7a495b4e6e7334d3890", "B913A602C7EDA7A495B4E6E7334D3890"])
def test_cram_md5_agrees_with_the_example_of_section_2(challenge_of_rfc_2195: str, digest: str) -> None:
    exchange = Exchange("CRAM-MD5", challenge_of_rfc_2195)
    assert exchange.challenge == b"<1896.697170952@postoffice.reston.mci.net>"
    auth = login("CRAM-MD5", f"tim {digest}".encode(), hostname=challenge_of_rfc_2195)
    assert (auth.username, auth.password, auth.challenge) == ("tim", None, exchange.challenge.decode())
    assert auth.response == digest.lower()
    assert auth.validate_password("tanstaaftanstaaf")
    assert not auth.validate_password("tanstaaftanstaa")
    assert not auth.unproven
    assert auth.server_final is None


def test_cram_md5_allows_spaces_in_the_name(challenge_of_rfc_2195: str) -> None:
    auth = login("CRAM-MD5", b"tim o tee " + b"0" * 32)
    assert (auth.username, auth.authcid) == ("tim o tee", "tim o tee")


@pytest.mark.parametrize("response", [b"", b"tim", b"\xff " + b"0" * 32, b"t\nm " + b"0" * 32])
def test_cram_md5_refuses_what_is_malformed(response: bytes) -> None:
    refused("CRAM-MD5", response)


@pytest.mark.parametrize("digest", ["", "0", "0" * 32, "é" * 32])
def test_cram_md5_proves_nothing_by_a_wrong_digest(digest: str) -> None:
    assert not login("CRAM-MD5", f"tim {digest}".encode()).validate_password("tanstaaftanstaaf")


def test_each_cram_md5_challenge_is_another_one() -> None:
    challenges = {Exchange("CRAM-MD5", "mx.example").challenge for _ in range(20)}
    assert len(challenges) == 20
    assert all(text.startswith(b"<") and text.endswith(b"@mx.example>") for text in challenges)


# --- XOAUTH2 and OAUTHBEARER ------

GOOGLE = b"user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\1\1"
RFC_7628 = (
    b"n,a=user@example.com,\1host=server.example.com\1port=143\1"
    b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1"
)


def test_xoauth2_reads_googles_example() -> None:
    auth = login("XOAUTH2", GOOGLE)
    assert auth.username == "someuser@example.com"
    assert auth.access_token == "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"
    assert (auth.password, auth.authzid) == (None, None)


def test_a_token_is_taken_as_it_stands_between_its_blanks() -> None:
    assert login("XOAUTH2", b"user=u\1auth=bearer  XtokenX \1\1").access_token == "XtokenX"
    assert login("XOAUTH2", "user=u\1auth=bearer \u00a0t \1\1".encode()).access_token == "\u00a0t"


def test_oauthbearer_reads_the_example_of_section_4_1() -> None:
    auth = login("OAUTHBEARER", RFC_7628)
    assert (auth.username, auth.authzid) == ("user@example.com", "user@example.com")
    assert auth.access_token == "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
    assert auth.validate_password("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")
    assert not auth.validate_password("user@example.com")


@pytest.mark.parametrize("message", [b"n,,\1auth=Bearer t\1\1", b"y,,\1auth=bearer  t \1\1", b"n,,\1auth=BEARER t\1\1"])
def test_oauthbearer_may_leave_the_name_to_the_token(message: bytes) -> None:
    auth = login("OAUTHBEARER", message)
    assert (auth.username, auth.authzid, auth.access_token) == ("", None, "t")


def test_oauthbearer_decodes_a_saslname() -> None:
    assert login("OAUTHBEARER", b"n,a=a=2Cb=3Dc,\1auth=Bearer t\1\1").username == "a,b=c"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\1",
        b"\1\1",
        GOOGLE[:-1],
        GOOGLE[:-2],
        b"user=u\1auth=Basic t\1\1",
        b"user=u\1auth=Bearer\1\1",
        b"user=u\1auth=Bearer \1\1",
        b"user=u\1\1",
        b"auth=Bearer t\1\1",
        b"user=\1auth=Bearer t\1\1",
        b"user=\xff\1auth=Bearer t\1\1",
        b"user=a\nb\1auth=Bearer t\1\1",
        b"user=u auth=Bearer t",
    ],
)
def test_xoauth2_refuses_what_is_malformed(message: bytes) -> None:
    refused("XOAUTH2", message)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"n,,\1",
        b"n,,\1\1",
        b"\1auth=Bearer t\1\1",
        b"n,\1auth=Bearer t\1\1",
        b"x,,\1auth=Bearer t\1\1",
        b"p=tls-unique,,\1auth=Bearer t\1\1",
        b"n,u,\1auth=Bearer t\1\1",
        b"n,a=u\1auth=Bearer t\1\1",
        b"n,a=,\1auth=Bearer t\1\1",
        b"n,a=u=,\1auth=Bearer t\1\1",
        b"n,a=u=2c,\1auth=Bearer t\1\1",
        b"n,,x\1auth=Bearer t\1\1",
        RFC_7628[:-1],
        b"n,,\1auth=Token t\1\1",
        b"\xff,,\1auth=Bearer t\1\1",
    ],
)
def test_oauthbearer_refuses_what_is_malformed(message: bytes) -> None:
    refused("OAUTHBEARER", message)


_tokens = st.text("ABCabc019-._~+/=", min_size=1, max_size=20)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=10), _tokens)
def test_bearer_messages_survive_being_written_and_read(user: str, token: str) -> None:
    google = login("XOAUTH2", f"user={user}\1auth=Bearer {token}\1\1".encode())
    name = user.replace("=", "=3D").replace(",", "=2C")
    rfc = login("OAUTHBEARER", f"n,a={name},\1host=h\1auth=Bearer {token}\1\1".encode())
    for auth in (google, rfc):
        assert (auth.username, auth.access_token) == (user, token)
        assert auth.validate_password(token)


# --- all of them ------


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(MECHANISMS)), st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_no_octets_make_a_mechanism_raise_anything_but_a_refusal(method: str, responses: list[bytes]) -> None:
    exchange = Exchange(method, "localhost")
    for response in responses:
        try:
            exchange.respond(response)
        except Refused:
            break
    if exchange.auth is not None:
        exchange.auth.validate_password("x")
        assert exchange.auth.method in repr(exchange.auth)


@pytest.mark.parametrize("method", ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256"])
def test_a_client_may_speak_first_where_the_first_challenge_says_nothing(method: str) -> None:
    assert Exchange(method, "localhost").challenge in (b"", b"Username:")


def test_a_line_after_the_credentials_is_kept_as_the_response() -> None:
    exchange = Exchange("PLAIN", "localhost")
    exchange.respond(b"\0tim\0x")
    exchange.respond(b"more \xff")
    assert exchange.auth is not None
    assert (exchange.auth.response, exchange.auth.password) == ("more \ufffd", "x")


# --- the verdict of the auth setting ------

USERS = {"tim": "tanstaaf", "token-user": "t", "jürgen": "pä"}


@pytest.mark.parametrize(
    ("users", "method", "message", "known"),
    [
        ("any", "PLAIN", b"\0anyone\0x", True),
        ("any", "XOAUTH2", b"user=u\1auth=Bearer t\1\1", True),
        (USERS, "PLAIN", b"\0tim\0tanstaaf", True),
        (USERS, "PLAIN", b"\0tim\0tanstaaf ", False),
        (USERS, "PLAIN", b"\0tom\0tanstaaf", False),
        (USERS, "PLAIN", b"\0Tim\0tanstaaf", False),
        (USERS, "PLAIN", b"\0token-user\0tanstaaf", False),
        (USERS, "PLAIN", "\0jürgen\0pä".encode(), True),
        (USERS, "XOAUTH2", b"user=token-user\1auth=Bearer t\1\1", True),
        (USERS, "XOAUTH2", b"user=tim\1auth=Bearer t\1\1", False),
        (USERS, "OAUTHBEARER", b"n,a=token-user,\1auth=Bearer t\1\1", True),
        (USERS, "OAUTHBEARER", b"n,,\1auth=Bearer t\1\1", True),
        (USERS, "OAUTHBEARER", b"n,,\1auth=Bearer x\1\1", False),
        ({}, "PLAIN", b"\0tim\0x", False),
        (None, "PLAIN", b"\0tim\0x", False),
    ],
)
def test_the_auth_setting_knows_who_may_log_in(users: object, method: str, message: bytes, known: bool) -> None:
    assert (owner(users, login(method, message)) is not None) is known


def test_one_line_is_all_of_a_mechanism_that_the_server_does_not_know() -> None:
    """A rule may answer its AUTH with a 334 all the same."""
    exchange = Exchange("X-MAGIC", "localhost")
    assert exchange.challenge == b""
    exchange.take(b"any\xff!")
    assert exchange.auth is not None
    assert (exchange.auth.method, exchange.auth.username, exchange.auth.response) == ("X-MAGIC", "", "any\ufffd!")
    assert owner("any", exchange.auth) is None
