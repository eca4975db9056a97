"""RFC 5802 and RFC 7677: SCRAM-SHA-256, both sides proving that they know the password."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.rfc.sasl import Scram, b64, challenge, scram
from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from pytest_smtpd import Auth, Session
    from tests.rfc.wire import Wire, WireReply

USERS = {"user": "pencil", "a=b,c": "x,=y", "ädä": "pässwörd"}


def settled(wire: Wire, reply: WireReply) -> WireReply:
    """The outcome; a server may say ``e=...`` in one more challenge before it refuses."""
    if reply.code == 334:
        assert challenge(reply).startswith(b"e=")
        reply = wire.say("")
    return reply


def test_example_of_the_rfc() -> None:
    """RFC 7677 section 3: its example, so that the client the other tests use is known to be right."""
    exchange = Scram("user", "pencil")
    exchange.server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert exchange.first == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert exchange.final() == (
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert exchange.server_signature() == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("header", ["n,,", "y,,"])
def test_both_sides_prove_the_password(serve: Serve, client: Connect, user: str, header: str) -> None:
    """Section 3: the client's proof, then the server's signature; RFC 4954 section 4: additional data with success
    is sent as a challenge, which the client answers with an empty line.
    """
    server = serve(auth=USERS)
    wire = client(server, ehlo=True)
    exchange = Scram(user, USERS[user], header=header)
    reply = scram(wire, exchange)
    assert challenge(reply).decode() == exchange.server_signature()
    final = wire.say("")
    assert (final.code, final.enhanced) == (235, "2.7.0")
    assert server.log.sessions()[0].user == user
    auth = server.log.calls("auth")[0].args[0]
    assert (auth.method, auth.username) == ("SCRAM-SHA-256", user)


def test_server_first_message(serve: Serve, client: Connect) -> None:
    """Section 5.1: nonce, salt and iteration count; RFC 7677 section 4: "SHOULD be at least 4096"."""
    wire = client(serve(auth=USERS), ehlo=True)
    seen = set()
    for _ in range(3):
        exchange = Scram("user", "pencil")
        exchange.server_first = challenge(wire.say(f"AUTH SCRAM-SHA-256 {b64(exchange.first)}")).decode()
        offered = exchange.offered
        assert list(offered) == ["r", "s", "i"]
        assert offered["r"].startswith(exchange.nonce)
        assert len(offered["r"]) > len(exchange.nonce)
        assert set(map(ord, offered["r"])) <= set(range(0x21, 0x7F)) - {ord(",")}
        assert base64.b64decode(offered["s"], validate=True)
        assert int(offered["i"]) >= 4096
        seen.add(offered["r"])
        assert wire.say("*").code == 501
    assert len(seen) == 3


def test_first_message_may_follow_an_empty_challenge(serve: Serve, client: Connect) -> None:
    """RFC 4954 section 4: without an initial response the server sends an empty challenge first."""
    wire = client(serve(auth=USERS), ehlo=True)
    exchange = Scram("user", "pencil")
    assert challenge(wire.say("AUTH SCRAM-SHA-256")) == b""
    exchange.server_first = challenge(wire.say(b64(exchange.first))).decode()
    assert challenge(wire.say(b64(exchange.final()))).decode() == exchange.server_signature()
    assert wire.say("").code == 235


@pytest.mark.parametrize(("user", "password"), [("user", "pen"), ("user", ""), ("nobody", "pencil")])
def test_wrong_password_and_unknown_user_look_alike(serve: Serve, client: Connect, user: str, password: str) -> None:
    """Section 5.1: the server goes on with an unknown user; both end in 535."""
    server = serve(auth=USERS)
    wire = client(server, ehlo=True)
    reply = settled(wire, scram(wire, Scram(user, password)))
    assert (reply.code, reply.enhanced) == (535, "5.7.8")
    assert not server.log.sessions()[0].user
    assert wire.say("NOOP").code == 250


SPOILT = {
    "the server verifies the nonce": {"nonce": "rOprNGfwEbeRWgbNEkqO"},
    "also its last character": {"nonce": "rOprNGfwEbeRWgbNEkqOx"},
    "the server always validates c=": {"binding": "y,,"},
    "channel binding it did not ask for": {"binding": "p=tls-unique,,"},
}


@pytest.mark.parametrize("quote", SPOILT)
def test_final_message_must_fit_the_first(serve: Serve, client: Connect, quote: str) -> None:
    """Section 5.1: "The server MUST verify that the nonce sent by the client in the second message is the same as the
    one sent by the server"; section 6: "The server MUST always validate the client's "c=" field".
    """
    server = serve(auth=USERS)
    wire = client(server, ehlo=True)
    reply = settled(wire, scram(wire, Scram("user", "pencil"), **SPOILT[quote]))
    assert reply.code in (501, 535)
    assert not server.log.sessions()[0].user


FIRST = {
    "p=tls-unique,,n=user,r=abc": 'section 6: binding not supported: "the server MUST fail authentication"',
    "x,,n=user,r=abc": 'section 5.1: otherwise, "the message is invalid and authentication MUST fail"',
    "n=user,r=abc": "section 7: the gs2-header comes first",
    "n,,m=1,n=user,r=abc": 'section 5.1: an unknown mandatory extension "MUST cause authentication failure"',
    "n,,n=us=41er,r=abc": 'section 5.1: "=" not followed by "2C" or "3D": "the server MUST fail the authentication"',
    "n,,n=user": "section 7: client-first-message-bare = username nonce",
    "n,,r=abc": "section 7: client-first-message-bare = username nonce",
    "n,,n=user,r=": "section 7: nonce = 1*printable",
    "n,,": "section 7: client-first-message-bare = username nonce",
    "": "section 7: client-first-message = gs2-header client-first-message-bare",
}


@pytest.mark.parametrize("first", FIRST)
def test_malformed_first_message_is_refused(serve: Serve, client: Connect, first: str) -> None:
    server = serve(auth=USERS)
    wire = client(server, ehlo=True)
    reply = settled(wire, wire.say(f"AUTH SCRAM-SHA-256 {b64(first) or '='}"))
    assert reply.code in (501, 535), FIRST[first]
    assert wire.say("NOOP").code == 250
    assert not server.log.sessions()[0].user


@pytest.mark.parametrize(
    "final",
    [
        "",
        "c=biws",
        "c=biws,r={r}",
        "c=biws,r={r},p=",
        "c=biws,r={r},p=!!",
        "p=AAAA,c=biws,r={r}",
        "c=biws,r={r},p=AAAA",
    ],
)
def test_malformed_final_message_is_refused(serve: Serve, client: Connect, final: str) -> None:
    """Section 7: ``client-final-message = channel-binding "," nonce ["," extensions] "," proof``."""
    wire = client(serve(auth=USERS), ehlo=True)
    exchange = Scram("user", "pencil")
    exchange.server_first = challenge(wire.say(f"AUTH SCRAM-SHA-256 {b64(exchange.first)}")).decode()
    reply = settled(wire, wire.say(b64(final.format(r=exchange.offered["r"])) or "="))
    assert reply.code in (501, 535)
    assert wire.say("NOOP").code == 250


def test_optional_extensions_are_ignored(serve: Serve, client: Connect) -> None:
    """Section 5.1: "Unknown optional extensions MUST be ignored upon receipt"."""
    wire = client(serve(auth=USERS), ehlo=True)

    class Extended(Scram):
        @property
        def first_bare(self) -> str:
            return super().first_bare + ",x=extended"

    exchange = Extended("user", "pencil")
    assert challenge(scram(wire, exchange)).decode() == exchange.server_signature()
    assert wire.say("").code == 235


def test_authorization_identity_reaches_the_hook(serve: Serve, client: Connect) -> None:
    """Section 5.1: ``a=`` is the identity to act as."""
    server = serve(auth=USERS)
    wire = client(server, ehlo=True)
    reply = scram(wire, Scram("user", "pencil", header="n,a=admin,"))
    if reply.code == 334:
        wire.say("")
    assert server.log.calls("auth")[0].args[0].authzid == "admin"


@pytest.mark.parametrize(("asks", "code"), [(["pencil"], 235), (["wrong"], 535), ([], 535), (["wrong", "pencil"], 235)])
def test_hook_decides_by_validate_password(serve: Serve, client: Connect, asks: list[str], code: int) -> None:
    """A SCRAM login succeeds only where the server knew the password: it has to sign with it."""
    server = serve(auth_methods=["SCRAM-SHA-256"])
    answers: list[bool] = []

    @server.on("auth")
    def hook(auth: Auth, session: Session) -> str | None:
        answers.extend(auth.validate_password(word) for word in asks)
        return None if answers and not answers[-1] else auth.username

    wire = client(server, ehlo=True)
    exchange = Scram("user", "pencil")
    reply = scram(wire, exchange)
    if code == 235:
        assert challenge(reply).decode() == exchange.server_signature()
        reply = wire.say("")
    else:
        reply = settled(wire, reply)
    assert reply.code == code
    assert answers == [word == "pencil" for word in asks]


def test_server_is_cancelled_before_its_signature_is_acknowledged(serve: Serve, client: Connect) -> None:
    """RFC 4954 section 4: a ``*`` cancels at any challenge, also the last."""
    server = serve(auth=USERS)
    wire = client(server, ehlo=True)
    assert scram(wire, Scram("user", "pencil")).code == 334
    assert wire.say("*").code == 501
    assert wire.say("MAIL FROM:<a@x.example>").code == 530
