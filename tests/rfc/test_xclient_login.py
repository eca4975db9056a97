"""XCLIENT_README: "the server resets state to the initial SMTP greeting protocol stage", with LOGIN or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rfc.sasl import plain
from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from pytest_smtpd import Auth, Session

LOGIN = f"AUTH PLAIN {plain('ada', 's3cret')}"


@pytest.mark.parametrize("attributes", ["ADDR=192.0.2.1", "NAME=spike.example", "LOGIN=[UNAVAILABLE]", "PROTO=ESMTP"])
def test_xclient_without_a_login_forgets_an_earlier_one(serve: Serve, client: Connect, attributes: str) -> None:
    """By AUTH, or by another XCLIENT; the client may log in again, and has to where that is required."""
    server = serve(xclient=True, require_auth=True)
    wire = client(server, ehlo=True)
    for earlier in (LOGIN, "XCLIENT LOGIN=ada"):
        wire.steps(earlier, "EHLO c")
        assert server.log.sessions()[0].user == "ada"
        assert wire.say(f"XCLIENT {attributes}").code == 220
        assert server.log.sessions()[0].user is None
        assert "AUTH" in wire.say("EHLO c").keywords
        assert wire.say("MAIL FROM:<a@x.example>").code == 530
    wire.steps(LOGIN, "MAIL FROM:<a@x.example>")


def test_xclient_with_a_login_replaces_an_earlier_one(serve: Serve, client: Connect) -> None:
    server = serve(xclient=True, require_auth=True)
    wire = client(server, ehlo=True)
    wire.steps(LOGIN, "XCLIENT LOGIN=bob", "EHLO c", "MAIL FROM:<a@x.example>")
    assert server.log.calls("mail_from", user="bob")


def test_a_refused_login_leaves_nobody_logged_in(serve: Serve, client: Connect) -> None:
    server = serve(xclient=True)

    @server.on("auth")
    def only_ada(auth: Auth, session: Session) -> bool:
        return auth.username == "ada"

    wire = client(server, ehlo=True)
    wire.steps(LOGIN)
    assert wire.say("XCLIENT LOGIN=bob").code == 535
    assert server.log.sessions()[0].user is None


@pytest.mark.parametrize("refused", ["XCLIENT", "XCLIENT COLOUR=blue", "XCLIENT ADDR=notanip"])
def test_a_malformed_xclient_changes_nothing(serve: Serve, client: Connect, refused: str) -> None:
    server = serve(xclient=True)
    wire = client(server, ehlo=True)
    wire.steps(LOGIN)
    assert wire.say(refused).code == 501
    wire.steps("MAIL FROM:<a@x.example>")
    assert server.log.sessions()[0].user == "ada"


def test_a_refused_xclient_changes_nothing(serve: Serve, client: Connect) -> None:
    server = serve(xclient=True)
    server.on("command", verb="XCLIENT", reply=550)
    wire = client(server, ehlo=True)
    wire.steps(LOGIN)
    assert wire.say("XCLIENT ADDR=192.0.2.1").code == 550
    assert server.log.sessions()[0].user == "ada"


def test_xforward_keeps_the_login(serve: Serve, client: Connect) -> None:
    server = serve(xforward=True)
    wire = client(server, ehlo=True)
    wire.steps(LOGIN, "XFORWARD ADDR=192.0.2.1", "MAIL FROM:<a@x.example>")
    assert server.log.calls("mail_from", user="ada")
