"""Postfix's XCLIENT and XFORWARD extensions (XCLIENT_README, XFORWARD_README)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.rfc.dialogue import EHLO, MAIL, Dialogue, dialogues
from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from pytest_smtpd import Auth, Session

XCLIENT = {"xclient": True}
XFORWARD = {"xforward": True}
SYNTAX = "501 5.5.4 Bad command parameter syntax"

DIALOGUES = (
    Dialogue(
        "not_offered_unless_enabled",
        "XCLIENT_README",
        "the server replies with the names of the attributes it supports",
        f"{EHLO}E! XCLIENT\nE! XFORWARD",
    ),
    Dialogue(
        "XCLIENT_is_answered_with_a_greeting",
        "XCLIENT_README",
        "Upon receipt of a correctly formatted XCLIENT command, the server resets state to the initial SMTP greeting",
        f"C: XCLIENT NAME=spike.example ADDR=192.0.2.1\nS: 220\nC: MAIL FROM:<a@x.example>\nS: 503\n{MAIL}",
        after=EHLO,
        settings=XCLIENT,
        hooks="mail_from",
    ),
    Dialogue(
        "XCLIENT_inside_a_transaction",
        "XCLIENT_README",
        "503 5.5.1 Mail transaction in progress",
        "C: XCLIENT ADDR=192.0.2.1\nS: 503\nC: RCPT TO:<b@x.example>\nS: 250",
        after=MAIL,
        settings=XCLIENT,
    ),
    Dialogue(
        "XFORWARD_inside_a_transaction",
        "XFORWARD_README",
        "503 5.5.1 Mail transaction in progress",
        "C: XFORWARD ADDR=192.0.2.1\nS: 503\nC: RCPT TO:<b@x.example>\nS: 250",
        after=MAIL,
        settings=XFORWARD,
    ),
    *(
        Dialogue(
            f"XCLIENT_{line or 'alone'}".replace(" ", "_"),
            "XCLIENT_README",
            SYNTAX,
            f"C: XCLIENT {line}\nS: 501\nC: NOOP\nS: 250",
            after=EHLO,
            settings=XCLIENT,
        )
        for line in (
            "",
            "COLOUR=blue",
            "ADDR",
            "ADDR=",
            "ADDR=notanip",
            "ADDR=192.0.2.256",
            "ADDR=IPV6:fe80::1%eth0",
            "PORT=x",
            "PORT=70000",
            "DESTADDR=notanip",
            "DESTPORT=70000",
            "ADDR=192.0.2.1=2",
            "NAME=a+zz",
        )
    ),
    *(
        Dialogue(
            f"XFORWARD_{line or 'alone'}".replace(" ", "_"),
            "XFORWARD_README",
            SYNTAX,
            f"C: XFORWARD {line}\nS: 501\nC: NOOP\nS: 250",
            after=EHLO,
            settings=XFORWARD,
        )
        for line in ("", "COLOUR=blue", "ADDR", "ADDR=notanip", "PORT=x", "NAME=a+zz")
    ),
)


@dialogues(DIALOGUES)
def test_proxy_command(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


@pytest.mark.parametrize(
    ("settings", "keyword", "names"),
    [
        (XCLIENT, "XCLIENT", {"NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN"}),
        (XFORWARD, "XFORWARD", {"NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"}),
    ],
)
def test_ehlo_names_the_attributes(
    serve: Serve, client: Connect, settings: dict[str, bool], keyword: str, names: set[str]
) -> None:
    """The EHLO reply lists the attributes a client may send."""
    reply = client(serve(**settings)).say("EHLO client.example")
    assert names <= set(reply.keywords[keyword].split(" "))


ADDRESSES = {"192.0.2.1": "192.0.2.1", "IPV6:2001:db8::1": "2001:db8::1", "ipv6:2001:db8::1": "2001:db8::1"}


@pytest.mark.parametrize("given", ADDRESSES)
def test_xclient_changes_whom_the_session_sees(serve: Serve, client: Connect, given: str) -> None:
    """ADDR, PORT, NAME and HELO replace what the connection said; ``connect`` is passed again."""
    server = serve(xclient=True)
    wire = client(server, ehlo=True)
    assert wire.say(f"XCLIENT ADDR={given} PORT=4711 NAME=spike.example HELO=spike").code == 220
    session = server.log.sessions()[0]
    assert (session.remote_address, session.remote_port) == (ADDRESSES[given], 4711)
    assert session.client_hostname == "spike.example"
    assert session.xclient["NAME"] == "spike.example"
    assert session.xclient["HELO"] == "spike"
    assert [call.hook for call in server.log if call.hook != "command"] == ["connect", "connect"]
    assert wire.say("EHLO client.example").code == 250


@pytest.mark.parametrize("value", ["[UNAVAILABLE]", "[TEMPUNAVAIL]", "[unavailable]"])
def test_unavailable_attributes_are_accepted(serve: Serve, client: Connect, value: str) -> None:
    """Both special values say that the proxy does not know."""
    server = serve(xclient=True, xforward=True)
    wire = client(server, ehlo=True)
    assert wire.say(f"XFORWARD NAME={value} ADDR={value} PORT={value}").code == 250
    assert wire.say(f"XCLIENT NAME={value} ADDR={value} PORT={value}").code == 220
    assert server.log.sessions()[0].remote_address


def test_xclient_values_are_xtext(serve: Serve, client: Connect) -> None:
    """Attribute values are sent in xtext (RFC 3461)."""
    server = serve(xclient=True)
    wire = client(server, ehlo=True)
    assert wire.say("XCLIENT HELO=a+2Bb+3Dc").code == 220
    assert server.log.sessions()[0].xclient["HELO"] == "a+b=c"


def test_xclient_login_goes_to_the_auth_hook(serve: Serve, client: Connect) -> None:
    """LOGIN is the proxy's word for who logged in there; the hook may still refuse it."""
    server = serve(xclient=True, auth={"ada": "s3cret"})
    asked = []

    @server.on("auth")
    def hook(auth: Auth, session: Session) -> str:
        asked.append((auth.method, auth.username, auth.password))
        return auth.username

    wire = client(server, ehlo=True)
    assert wire.say("XCLIENT LOGIN=ada").code == 220
    assert asked == [("XCLIENT", "ada", None)]
    assert server.log.sessions()[0].user == "ada"
    wire.say("EHLO client.example")
    assert wire.say("MAIL FROM:<a@x.example>").code == 250


def test_refused_connect_after_xclient(serve: Serve, client: Connect) -> None:
    """A hook that blocks an address blocks it also when XCLIENT gives it."""
    from pytest_smtpd import Reject

    server = serve(xclient=True)

    @server.on("connect")
    def hook(session: Session) -> None:
        if session.remote_address == "192.0.2.66":
            raise Reject(554, "5.7.1 Listed")

    wire = client(server, ehlo=True)
    assert wire.say("XCLIENT ADDR=192.0.2.66").code == 554
    assert wire.rest() == b""


def test_xforward_is_recorded_and_changes_nothing_else(serve: Serve, client: Connect) -> None:
    """XFORWARD is for the log: "leaves ``remote_address`` alone"."""
    server = serve(xforward=True)
    wire = client(server, ehlo=True)
    assert wire.say("XFORWARD NAME=spike.example ADDR=192.0.2.1 PORT=4711").code == 250
    assert wire.say("XFORWARD PROTO=ESMTP HELO=spike SOURCE=REMOTE").code == 250
    session = server.log.sessions()[0]
    assert (session.remote_address, session.remote_port) == wire.socket.getsockname()
    assert session.xforward["NAME"] == "spike.example"
    assert session.xforward["ADDR"] == "192.0.2.1"
    assert session.xforward["SOURCE"] == "REMOTE"
    assert wire.say("MAIL FROM:<a@x.example>").code == 250
