"""RFC 7628: OAUTHBEARER; and XOAUTH2, from which it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rfc.sasl import b64, error_of, oauthbearer, xoauth2
from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from pytest_smtpd import Auth, Session

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
USER = "user@example.com"
KNOWN = {"auth": {USER: TOKEN}}
FORMS = {"OAUTHBEARER": oauthbearer, "XOAUTH2": xoauth2}
BOTH = pytest.mark.parametrize("mechanism", FORMS)
# What the client says to finish: RFC 7628 section 3.2.3 wants ^A, XOAUTH2 takes any line.
FINISH = {"OAUTHBEARER": "AQ==", "XOAUTH2": ""}


def test_example_of_the_rfc(serve: Serve, client: Connect) -> None:
    """Section 4.1: the client message of its example, octet for octet."""
    message = (
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52"
        "YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    server = serve(auth={USER: "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="})
    wire = client(server, ehlo=True)
    reply = wire.say(f"AUTH OAUTHBEARER {message}")
    assert (reply.code, reply.enhanced) == (235, "2.7.0")
    auth = server.log.calls("auth")[0].args[0]
    assert (auth.method, auth.username, auth.access_token) == ("OAUTHBEARER", USER, TOKEN)


@BOTH
@pytest.mark.parametrize("settings", [{}, KNOWN], ids=["any", "dict"])
@pytest.mark.parametrize("own_line", [False, True])
def test_valid_token_is_accepted(
    serve: Serve, client: Connect, mechanism: str, settings: dict[str, object], own_line: bool
) -> None:
    """Section 3: "Client sends a valid and correct initial client response. Server responds with success"."""
    server = serve(**settings)
    wire = client(server, ehlo=True)
    message = FORMS[mechanism](USER, TOKEN)
    if own_line:
        assert wire.say(f"AUTH {mechanism}").code == 334
        assert wire.say(message).code == 235
    else:
        assert wire.say(f"AUTH {mechanism} {message}").code == 235
    auth = server.log.calls("auth")[0].args[0]
    assert (auth.method, auth.username, auth.access_token) == (mechanism, USER, TOKEN)
    assert server.log.sessions()[0].user == USER


@BOTH
@pytest.mark.parametrize(("user", "token"), [(USER, "expired"), ("eve@example.com", TOKEN)])
def test_invalid_token_is_explained_in_json_then_refused(
    serve: Serve, client: Connect, mechanism: str, user: str, token: str
) -> None:
    """Section 3.2.2: "the server returns an error result in JSON"; 3.2.3: the client "MUST then send an additional
    client response in order to allow the server to finish the exchange".
    """
    server = serve(**KNOWN)
    wire = client(server, ehlo=True)
    error = error_of(wire.say(f"AUTH {mechanism} {FORMS[mechanism](user, token)}"))
    assert isinstance(error["status"], str)
    reply = wire.say(FINISH[mechanism])
    assert (reply.code, reply.enhanced) == (535, "5.7.8")
    assert wire.say("NOOP").code == 250
    assert wire.say(f"AUTH {mechanism} {FORMS[mechanism](USER, TOKEN)}").code == 235


@BOTH
def test_client_may_cancel_instead(serve: Serve, client: Connect, mechanism: str) -> None:
    """Section 3.2.3: "... or a SASL abort message"."""
    wire = client(serve(**KNOWN), ehlo=True)
    error_of(wire.say(f"AUTH {mechanism} {FORMS[mechanism](USER, 'expired')}"))
    assert wire.say("*").code in (501, 535)
    assert wire.say("NOOP").code == 250


@BOTH
def test_line_after_the_error_is_never_a_command(serve: Serve, client: Connect, mechanism: str) -> None:
    """Section 3: the dummy client response belongs to the exchange whatever it says."""
    server = serve(**KNOWN)
    wire = client(server, ehlo=True)
    error_of(wire.say(f"AUTH {mechanism} {FORMS[mechanism](USER, 'expired')}"))
    assert wire.say("QUIT").code in (501, 535)
    assert wire.say("NOOP").code == 250


@BOTH
def test_hook_chooses_the_json(serve: Serve, client: Connect, mechanism: str) -> None:
    """Section 3.2.2: status, and optionally scope and more."""
    from pytest_smtpd import Reject

    server = serve()

    @server.on("auth")
    def refuse(auth: Auth, session: Session) -> None:
        raise Reject(data={"status": "401", "schemes": "bearer", "scope": "mail"})

    wire = client(server, ehlo=True)
    error = error_of(wire.say(f"AUTH {mechanism} {FORMS[mechanism](USER, TOKEN)}"))
    assert error == {"status": "401", "schemes": "bearer", "scope": "mail"}
    assert wire.say(FINISH[mechanism]).code == 535


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "BeArEr"])
def test_scheme_in_any_case(serve: Serve, client: Connect, scheme: str) -> None:
    """Section 4: 'One example uses "Bearer" but that could as easily be "bearer", "BEARER", or "BeArEr"'."""
    wire = client(serve(**KNOWN), ehlo=True)
    assert wire.say(f"AUTH OAUTHBEARER {oauthbearer(USER, TOKEN, scheme)}").code == 235


def test_unknown_keys_are_ignored(serve: Serve, client: Connect) -> None:
    """Section 3.1: "Unknown key/value pairs MUST be ignored by the server"."""
    wire = client(serve(**KNOWN), ehlo=True)
    message = b64(f"n,a={USER},\x01colour=blue\x01auth=Bearer {TOKEN}\x01qs=x=y\x01\x01")
    assert wire.say(f"AUTH OAUTHBEARER {message}").code == 235


def test_user_name_is_unescaped(serve: Serve, client: Connect) -> None:
    """RFC 5801 section 4: in the authzid "," is sent as "=2C" and "=" as "=3D"."""
    server = serve()
    wire = client(server, ehlo=True)
    message = f"n,a=a=2Cb=3Dc,\x01auth=Bearer {TOKEN}\x01\x01"
    assert wire.say(f"AUTH OAUTHBEARER {b64(message)}").code == 235
    assert server.log.calls("auth")[0].args[0].username == "a,b=c"


MALFORMED = (
    ("OAUTHBEARER", "\x01"),
    ("OAUTHBEARER", ""),
    ("OAUTHBEARER", "n,a=u,"),
    ("OAUTHBEARER", "n,a=u,\x01\x01"),
    ("OAUTHBEARER", "n,a=u,\x01auth=Bearer t"),
    ("OAUTHBEARER", "n,a=u,\x01auth=Basic dTpw\x01\x01"),
    ("OAUTHBEARER", "auth=Bearer t\x01\x01"),
    ("OAUTHBEARER", "n,a=u=41,\x01auth=Bearer t\x01\x01"),
    ("XOAUTH2", ""),
    ("XOAUTH2", "user=u"),
    ("XOAUTH2", "user=u\x01\x01"),
    ("XOAUTH2", "auth=Bearer t\x01\x01"),
    ("XOAUTH2", "user=u\x01auth=t\x01\x01"),
)


@pytest.mark.parametrize(("mechanism", "message"), MALFORMED)
def test_malformed_message_is_refused(serve: Serve, client: Connect, mechanism: str, message: str) -> None:
    """Section 3.1: ``client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep``, with ``auth`` required."""
    server = serve()
    wire = client(server, ehlo=True)
    reply = wire.say(f"AUTH {mechanism} {b64(message) or '='}")
    if reply.code == 334:
        error_of(reply)
        reply = wire.say(FINISH[mechanism])
    assert reply.code in (501, 535)
    assert not server.log.sessions()[0].user
    assert wire.say("NOOP").code == 250
