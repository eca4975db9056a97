"""RFC 4616 section 2: ``[authzid] UTF8NUL authcid UTF8NUL passwd``; each that is there has one octet at least."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rfc.sasl import b64, plain
from tests.rfc.wire import Connect, Serve

MALFORMED = {
    "nothing": "",
    "two empty fields": "\0",
    "no user and no password": "\0\0",
    "no user": "\0\0pw",
    "no user, but somebody to act for": "bob\0\0pw",
    "no password": "\0ada\0",
    "no password, and somebody to act for": "bob\0ada\0",
    "four fields": "\0ada\0pw\0",
    "a NUL in the password": "\0ada\0p\0w",
}


@pytest.mark.parametrize("auth", ["any", {"ada": "pw"}, {"ada": ""}])
@pytest.mark.parametrize("name", MALFORMED)
def test_a_field_without_an_octet_is_no_login(serve: Serve, client: Connect, name: str, auth: Any) -> None:
    server = serve(auth=auth)
    wire = client(server, ehlo=True)
    message = b64(MALFORMED[name])
    assert wire.say("AUTH PLAIN").code == 334
    assert wire.say(message).code in (501, 535)
    assert wire.say(f"AUTH PLAIN {message or '='}").code in (501, 535)
    assert server.log.sessions()[0].user is None


@pytest.mark.parametrize(("authzid", "user"), [("", "ada"), ("bob", "ada")])
def test_whose_password_it_is_logs_in_and_whom_to_act_for_is_recorded(
    serve: Serve, client: Connect, authzid: str, user: str
) -> None:
    server = serve(auth={"ada": "pw"})
    client(server, ehlo=True).steps(f"AUTH PLAIN {plain(user, 'pw', authzid)}")
    (call,) = server.log.calls("auth")
    assert (call.argument.authzid, call.argument.authcid, call.argument.username) == (authzid, user, user)


@pytest.mark.parametrize("answer", ["", " 0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"])
def test_cram_md5_needs_a_user_too(serve: Serve, client: Connect, answer: str) -> None:
    """RFC 2195 section 2: "a string consisting of the user name, a space, and a 'digest'"."""
    server = serve()
    wire = client(server, ehlo=True)
    assert wire.say("AUTH CRAM-MD5").code == 334
    assert wire.say(b64(answer)).code in (501, 535)
    assert server.log.sessions()[0].user is None


def test_login_needs_a_user_too(serve: Serve, client: Connect) -> None:
    server = serve()
    wire = client(server, ehlo=True)
    assert wire.say("AUTH LOGIN").code == 334
    assert wire.say("").code in (501, 535)
    assert wire.say("AUTH LOGIN =").code in (501, 535)
    assert server.log.sessions()[0].user is None


def test_xoauth2_needs_a_user_and_a_token(serve: Serve, client: Connect) -> None:
    server = serve()
    wire = client(server, ehlo=True)
    for message in ("user=\1auth=Bearer x\1\1", "user=ada\1auth=Bearer \1\1", "auth=Bearer x\1\1"):
        assert wire.say(f"AUTH XOAUTH2 {b64(message)}").code in (501, 535)
    assert server.log.sessions()[0].user is None
