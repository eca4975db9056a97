"""SCRAM-SHA-256, held to the example of RFC 7677 section 3 and to RFC 5802."""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode

import pytest

from pytest_smtpd.smtp.sasl import Exchange, owner
from tests.smtp.exchanges import login, refused

SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = f"r=rOprNGfwEbeRWgbNEkqO{SERVER_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode()
CLIENT_FINAL = f"c=biws,r=rOprNGfwEbeRWgbNEkqO{SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=".encode()
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.fixture
def rfc_7677(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_urlsafe", lambda size: SERVER_NONCE)
    monkeypatch.setattr(secrets, "token_bytes", lambda size: b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))


def test_scram_reads_over_extensions_that_nobody_has_to_know() -> None:
    """RFC 5802 section 7: client-first-message-bare ends with an optional list of extensions."""
    exchange = Exchange("SCRAM-SHA-256", "localhost")
    exchange.respond(b"n,,n=user,r=abc,x=1,y=2")
    assert exchange.challenge.startswith(b"r=abc")


@pytest.mark.usefixtures("rfc_7677")
def test_scram_agrees_with_the_example_of_rfc_7677() -> None:
    exchange = Exchange("SCRAM-SHA-256", "localhost")
    assert exchange.challenge == b""
    exchange.respond(CLIENT_FIRST)
    assert exchange.challenge == SERVER_FIRST
    auth = login("SCRAM-SHA-256", CLIENT_FIRST, CLIENT_FINAL)
    assert (auth.username, auth.password, auth.authzid) == ("user", None, "")
    assert (auth.challenge, auth.response) == (SERVER_FIRST.decode(), CLIENT_FINAL.decode())
    assert (auth.unproven, auth.server_final) == (True, None)
    assert auth.validate_password("pencil")
    assert (auth.unproven, auth.server_final) == (False, SERVER_FINAL)


@pytest.mark.usefixtures("rfc_7677")
@pytest.mark.parametrize("password", ["", "pencils", "Pencil", "pencil\u0007"])
def test_scram_proves_nothing_by_another_password(password: str) -> None:
    auth = login("SCRAM-SHA-256", CLIENT_FIRST, CLIENT_FINAL)
    assert not auth.validate_password(password)
    assert auth.unproven
    assert auth.server_final is None


@pytest.mark.usefixtures("rfc_7677")
def test_scram_compares_prepared_passwords() -> None:
    assert login("SCRAM-SHA-256", CLIENT_FIRST, CLIENT_FINAL).validate_password("pen\u00adcil")


@pytest.mark.usefixtures("rfc_7677")
def test_a_hook_may_try_several_passwords() -> None:
    auth = login("SCRAM-SHA-256", CLIENT_FIRST, CLIENT_FINAL)
    assert not auth.validate_password("other")
    assert auth.unproven
    assert auth.validate_password("pencil")
    assert not auth.validate_password("another")
    assert not auth.unproven


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"n=user,r=x",
        b"n,,r=x,n=user",
        b"n,,n=user",
        b"n,,n=user,r=",
        b"n,,m=x,n=user,r=x",
        b"p=tls-unique,,n=user,r=x",
        b"n,,n=us=er,r=x",
        b"n,,n=us=2Xer,r=x",
        b"n,,user,r=x",
        b"n,,n=\xff,r=x",
        b"x,,n=user,r=x",
        b"n,user,n=user,r=x",
        b"n,,nn=user,r=x",
        b"n,,n=user,r=x,ext=1",
        b"nn,,n=user,r=x",
        b"n",
        b"n,,n=user,r=x,e",
        b"n,,n=user,r=x,e=",
    ],
)
def test_scram_refuses_a_malformed_first_message(message: bytes) -> None:
    refused("SCRAM-SHA-256", message)


@pytest.mark.usefixtures("rfc_7677")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"c=biws", b"c=eSws"),
        (b"c=biws", b"c="),
        (b"c=biws,", b""),
        (b"r=rOprNGf", b"r=xOprNGf"),
        (SERVER_NONCE.encode(), b""),
        (b",p=dHzb", b",p=%%%%"),
        (b",p=dHzb", b",x=dHzb"),
        (b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", b"p="),
        (CLIENT_FINAL, b""),
        (CLIENT_FINAL, b"\xff"),
        (b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=,x=y"),
    ],
)
def test_scram_refuses_a_last_message_that_does_not_belong_to_the_first(old: bytes, new: bytes) -> None:
    assert old in CLIENT_FINAL
    refused("SCRAM-SHA-256", CLIENT_FIRST, CLIENT_FINAL.replace(old, new))


@pytest.mark.usefixtures("rfc_7677")
@pytest.mark.parametrize("proof", [b"AAAA", b64encode(bytes(32)), b64encode(bytes(31)), b64encode(bytes(33))])
def test_scram_proves_nothing_by_a_wrong_proof(proof: bytes) -> None:
    final = CLIENT_FINAL.partition(b",p=")[0] + b",p=" + proof
    assert not login("SCRAM-SHA-256", CLIENT_FIRST, final).validate_password("pencil")


@pytest.mark.usefixtures("rfc_7677")
@pytest.mark.parametrize(("header", "binding"), [(b"y,,", b"eSws"), (b"n,a=admin,", b64encode(b"n,a=admin,"))])
def test_scram_holds_the_client_to_its_own_header(header: bytes, binding: bytes) -> None:
    first, final = header + CLIENT_FIRST[3:], CLIENT_FINAL.replace(b"c=biws", b"c=" + binding)
    auth = login("SCRAM-SHA-256", first, final)
    assert auth.authzid == ("admin" if b"admin" in header else "")
    refused("SCRAM-SHA-256", first, CLIENT_FINAL)


def test_scram_decodes_a_saslname() -> None:
    exchange = Exchange("SCRAM-SHA-256", "localhost")
    exchange.respond(b"n,,n=a=2Cb=3Dc,r=x")
    assert exchange.challenge.startswith(b"r=x")
    exchange.respond(b"c=biws," + exchange.challenge.partition(b",")[0] + b",p=AAAA")
    assert exchange.auth is not None
    assert exchange.auth.username == "a,b=c"


def test_each_scram_challenge_has_a_nonce_and_a_salt_of_its_own() -> None:
    challenges = set()
    for _ in range(10):
        exchange = Exchange("SCRAM-SHA-256", "localhost")
        exchange.respond(CLIENT_FIRST)
        nonce, salt, iterations = exchange.challenge.split(b",")
        assert len(nonce) >= len("r=rOprNGfwEbeRWgbNEkqO") + 16
        assert len(b64decode(salt[2:])) >= 16
        assert int(iterations[2:]) >= 4096
        challenges |= {nonce, salt}
    assert len(challenges) == 20


@pytest.mark.usefixtures("rfc_7677")
@pytest.mark.parametrize(
    ("users", "known"), [("any", False), ({"user": "pencil"}, True), ({"user": "pen"}, False), ({}, False)]
)
def test_scram_needs_a_password_that_is_known(users: object, known: bool) -> None:
    assert (owner(users, login("SCRAM-SHA-256", CLIENT_FIRST, CLIENT_FINAL)) is not None) is known
