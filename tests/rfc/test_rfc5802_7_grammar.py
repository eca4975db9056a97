"""RFC 5802 section 7, the formal syntax: what is not a message of SCRAM is no login, even with the right proof."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tests.rfc.sasl import Scram, b64, challenge, digest, xor
from tests.rfc.wire import Connect, Serve, Wire

USERS = {"user": "pencil"}


def attempt(wire: Wire, first_bare: str, *, header: str = "n,,", final: str = "c={c},r={r}", behind: str = "") -> int:
    """The code of the last reply to a client that knows the password, and speaks like this."""
    reply = wire.say(f"AUTH SCRAM-SHA-256 {b64(header + first_bare)}")
    if reply.code != 334:
        return reply.code
    server_first = challenge(reply).decode()
    exchange = Scram("user", "pencil")
    exchange.server_first = server_first
    without_proof = final.format(c=b64(header), r=exchange.offered["r"])
    client_key = digest(exchange.salted_password, "Client Key")
    signature = digest(hashlib.sha256(client_key).digest(), f"{first_bare},{server_first},{without_proof}")
    proof = base64.b64encode(xor(client_key, signature)).decode()
    reply = wire.say(b64(f"{without_proof},p={proof}{behind}"))
    return wire.say("").code if reply.code == 334 else reply.code


@pytest.mark.parametrize(
    ("first_bare", "header"),
    [
        ("n=user,r=abc", "n,,"),
        ("n=user,r=abc", "y,,"),
        ("n=user,r=abc", "n,a=admin,"),
        ("n=user,r=abc,x=more", "n,,"),
        ("n=user,r=abc,x=more,y=and=more", "n,,"),
        ("n=user,r=!#$%&'()*+-./:;<=>?@[]^_`{|}~", "n,,"),
    ],
)
def test_what_the_grammar_allows_logs_in(serve: Serve, client: Connect, first_bare: str, header: str) -> None:
    server = serve(auth=USERS)
    assert attempt(client(server, ehlo=True), first_bare, header=header) == 235
    assert server.log.sessions()[0].user == "user"


FIRST = {
    "n=user,n=user,r=abc": "a second user",
    "n=other,n=user,r=abc": "a second user",
    "n=user,r=abc,n=admin": "a second user",
    "n=user,r=abc,r=def": "a second nonce",
    "r=abc,n=user": "the nonce first",
    "x=more,n=user,r=abc": "an extension first",
    "n=user,x=more,r=abc": "an extension before the nonce",
    "m=1,n=user,r=abc": "a mandatory extension",
    "n=user,r=abc,m=1": "a mandatory extension",
    "n=user,m=1,r=abc": "a mandatory extension",
    "n=user,r=abc,": "a comma behind all",
    "n=user,,r=abc": "nothing between two commas",
    "n=user,r=abc,x": "an extension without a value",
    "n=user,r=abc,x=": "an extension with an empty value",
    "n=user,r=abc,xy=more": "an extension with a long name",
    "n=user,r=abc,1=more": "an extension whose name is no letter",
    "n=user,r=abc,ä=more": "an extension whose name is no letter of ASCII",
    "n=,r=abc": "no user",
    "n=user,r=": "no nonce",
    "n=user,r=a b": "a space in the nonce",
    "n=user,r=a\tb": "a control character in the nonce",
    "n=user,r=ä": "a nonce beyond ASCII",
    "N=user,r=abc": "attributes compare with case",
}


@pytest.mark.parametrize("first_bare", FIRST)
def test_what_the_first_message_may_not_be(serve: Serve, client: Connect, first_bare: str) -> None:
    """``client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]``."""
    server = serve(auth=USERS)
    assert attempt(client(server, ehlo=True), first_bare) in (501, 535), FIRST[first_bare]
    assert server.log.sessions()[0].user is None


@pytest.mark.parametrize(
    "header", ["n,a=,", "n,admin,", "n", "n,", "p=,,", "p=tls-unique,,", "N,,", "nn,,", ",,", " n,,"]
)
def test_what_the_gs2_header_may_not_be(serve: Serve, client: Connect, header: str) -> None:
    """``gs2-header = gs2-cbind-flag "," [ authzid ] ","``; an authzid is not empty."""
    server = serve(auth=USERS)
    assert attempt(client(server, ehlo=True), "n=user,r=abc", header=header) in (501, 535)
    assert server.log.sessions()[0].user is None


FINAL = {
    "r={r},c={c}": "the nonce first",
    "c={c}": "no nonce",
    "r={r}": "no channel binding",
    "c={c},r={r},m=1": "a mandatory extension",
    "m=1,c={c},r={r}": "a mandatory extension",
    "c={c},m=1,r={r}": "a mandatory extension",
    "c={c},c={c},r={r}": "a second channel binding",
    "c={c},r={r},r={r}": "a second nonce",
    "c={c},r={r},n=user": None,
    "x=more,c={c},r={r}": "an extension first",
    "c={c},x=more,r={r}": "an extension before the nonce",
    "c={c},r={r},": "nothing between two commas",
    "c={c},r={r},x": "an extension without a value",
    "c={c},r={r},x=": "an extension with an empty value",
    "c={c},r={r},1=more": "an extension whose name is no letter",
    "c={c},r={r},x=more": None,
}


@pytest.mark.parametrize("final", FINAL)
def test_what_the_final_message_may_be(serve: Serve, client: Connect, final: str) -> None:
    """``client-final-message = channel-binding "," nonce ["," extensions] "," proof``; None: it is well-formed."""
    server = serve(auth=USERS)
    codes = (235,) if FINAL[final] is None else (501, 535)
    assert attempt(client(server, ehlo=True), "n=user,r=abc", final=final) in codes, FINAL[final]


@pytest.mark.parametrize("behind", [",x=more", ",", ",p=AAAA"])
def test_nothing_comes_behind_the_proof(serve: Serve, client: Connect, behind: str) -> None:
    server = serve(auth=USERS)
    assert attempt(client(server, ehlo=True), "n=user,r=abc", behind=behind) in (501, 535)
    assert server.log.sessions()[0].user is None
