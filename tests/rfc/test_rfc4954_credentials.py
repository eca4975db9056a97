"""RFC 4616, RFC 2195 and the LOGIN draft: what the ``auth`` hook is given, and who decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.rfc.sasl import b64, challenge, cram_md5, plain
from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from pytest_smtpd import Auth, Session


@pytest.mark.parametrize(
    ("user", "password", "authzid"),
    [
        ("ada", "s3cret", ""),
        ("ada", "s3cret", "admin"),
        ("ädä", "pässwörd 密", ""),
        ("a b", " ", ""),
        ("a=,b", "=,", ""),
    ],
)
def test_plain_carries_three_fields_of_utf8(
    serve: Serve, client: Connect, user: str, password: str, authzid: str
) -> None:
    """RFC 4616 section 2: authzid, authcid and passwd in UTF-8, each after the other's NUL."""
    server = serve()
    wire = client(server, ehlo=True)
    assert wire.say(f"AUTH PLAIN {plain(user, password, authzid)}").code == 235
    (auth,) = server.log.calls("auth")[0].args[:1]
    assert (auth.method, auth.username, auth.password, auth.authzid or "") == ("PLAIN", user, password, authzid)


def test_login_carries_user_and_password(serve: Serve, client: Connect) -> None:
    """LOGIN: two prompts, two answers."""
    server = serve()
    wire = client(server, ehlo=True)
    wire.say("AUTH LOGIN")
    wire.say(b64("ädä"))
    assert wire.say(b64("pass word")).code == 235
    auth = server.log.calls("auth")[0].args[0]
    assert (auth.method, auth.username, auth.password) == ("LOGIN", "ädä", "pass word")


def test_cram_md5_digest_of_the_rfc() -> None:
    """RFC 2195 section 2, its example: proves the client of these tests, which the next ones rely on."""
    answer = cram_md5("tim", "tanstaaftanstaaf", b"<1896.697170952@postoffice.reston.mci.net>")
    assert answer == "tim b913a602c7eda7a495b4e6e7334d3890"


@pytest.mark.parametrize(
    ("user", "password", "code"),
    [
        ("ada", "s3cret", 235),
        ("ada", "guess", 535),
        ("eve", "s3cret", 535),
        ("lady ada", "two words", 235),
        ("ädä", "ö", 235),
    ],
)
def test_cram_md5_login(serve: Serve, client: Connect, user: str, password: str, code: int) -> None:
    """RFC 2195 section 2: "The server ... verifies the digest against the password of the user"."""
    server = serve(auth={"ada": "s3cret", "lady ada": "two words", "ädä": "ö"})
    wire = client(server, ehlo=True)
    asked = challenge(wire.say("AUTH CRAM-MD5"))
    assert wire.say(b64(cram_md5(user, password, asked))).code == code
    auth = server.log.calls("auth")[0].args[0]
    assert (auth.method, auth.username) == ("CRAM-MD5", user)
    assert auth.validate_password(password)
    assert not auth.validate_password(password + "x")


def test_cram_md5_challenges_are_never_the_same(serve: Serve, client: Connect) -> None:
    """RFC 2195 section 2: "a presumptively arbitrary string of random digits, a timestamp, and the host name"."""
    wire = client(serve(hostname="mx.example"), ehlo=True)
    challenges = set()
    for _ in range(5):
        asked = challenge(wire.say("AUTH CRAM-MD5"))
        assert asked.startswith(b"<")
        assert asked.endswith(b"@mx.example>")
        challenges.add(asked)
        assert wire.say("*").code == 501
    assert len(challenges) == 5


@pytest.mark.parametrize("answer", ["", "ada", "ada nothex", f"ada {'0' * 31}", f" {'0' * 32}"])
def test_cram_md5_answer_has_a_user_and_a_digest(serve: Serve, client: Connect, answer: str) -> None:
    """RFC 2195 section 2: user name, a space, and 32 hexadecimal digits."""
    wire = client(serve(auth={"ada": "s3cret"}), ehlo=True)
    wire.say("AUTH CRAM-MD5")
    assert wire.say(b64(answer)).code in (501, 535)
    assert wire.say("NOOP").code == 250


@pytest.mark.parametrize("user", ["ada", {"name": "Ada"}, 1, ["ada"]])
def test_user_the_hook_returns_is_kept_as_it_is(serve: Serve, client: Connect, user: Any) -> None:
    """Any truthy user is kept in ``session.user``, also for the messages that follow."""
    server = serve()

    @server.on("auth")
    def anyone(auth: Auth, session: Session) -> Any:
        return user

    wire = client(server, ehlo=True)
    assert wire.say(f"AUTH PLAIN {plain('x', 'y')}").code == 235
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "x\r\n.")
    assert server.log.sessions()[0].user == user
    assert server.one().user == user


@pytest.mark.parametrize("user", [None, "", 0, False, []])
def test_falsy_user_is_refused(serve: Serve, client: Connect, user: Any) -> None:
    """535 5.7.8, and the session stays as it was."""
    server = serve()

    @server.on("auth")
    def nobody(auth: Auth, session: Session) -> Any:
        return user

    wire = client(server, ehlo=True)
    reply = wire.say(f"AUTH PLAIN {plain('x', 'y')}")
    assert (reply.code, reply.enhanced) == (535, "5.7.8")
    assert not server.log.sessions()[0].user
    assert wire.say("MAIL FROM:<a@x.example>").code == 250


@pytest.mark.parametrize(
    ("code", "message", "enhanced"),
    [
        (None, None, "5.7.8"),
        (454, "4.7.0 Later", "4.7.0"),
        (534, "5.7.9 Too weak", "5.7.9"),
        (432, "4.7.12 Change it", "4.7.12"),
    ],
)
def test_hook_chooses_the_refusal(
    serve: Serve, client: Connect, code: int | None, message: str | None, enhanced: str
) -> None:
    """Section 6: 432, 454, 534, 535 each with its enhanced code."""
    from pytest_smtpd import Reject

    server = serve()

    @server.on("auth")
    def refuse(auth: Auth, session: Session) -> None:
        raise Reject(code, message)

    reply = client(server, ehlo=True).say(f"AUTH PLAIN {plain('x', 'y')}")
    assert (reply.code, reply.enhanced) == (code or 535, enhanced)
    assert message is None or reply.text == message.partition(" ")[2]


def test_login_survives_ehlo_and_rset(serve: Serve, client: Connect) -> None:
    """Section 4: the login is for the session; only STARTTLS (RFC 3207) forgets it."""
    server = serve(auth={"ada": "s3cret"})
    wire = client(server, ehlo=True)
    wire.say(f"AUTH PLAIN {plain('ada', 's3cret')}")
    for command in ("EHLO client.example", "RSET"):
        assert wire.say(command).code == 250
    assert wire.say("MAIL FROM:<a@x.example>").code == 250
    assert server.log.sessions()[0].user == "ada"
