"""How the server itself counts a call, whatever it says; and accepted means accepted, whatever was said."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd import Address, Auth, Reply, Session, SMTPServer, on
from tests.rfc.sasl import b64, plain, xoauth2
from tests.rfc.wire import Wire
from tests.server.talk import (
    ADA,
    BOB,
    BODY,
    CONTENT,
    DATA,
    HELLO,
    MAIL,
    PLAIN,
    Connect,
    Serve,
    codes,
    last,
    points,
    script,
    to_data,
)

# --- accept= beside reply or raw ------


@pytest.mark.parametrize(
    "options",
    [{"raw": b"354 go\r\n"}, {"raw": b"354 go\n"}, {"raw": lambda usual: usual}],
    ids=["CRLF", "LF", "function"],
)
def test_content_follows_an_accepted_354_however_it_is_written(
    serve: Serve, connect: Connect, options: dict[str, Any]
) -> None:
    server = serve(on("command", verb="DATA", accept=True, **options))
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA)
    assert said(wire, DATA).startswith(b"354 ")
    assert codes(wire, BODY) == [250]
    assert server.one().content == CONTENT


def said(wire: Wire, line: str) -> bytes:
    """The line that comes back, whatever it is."""
    wire.send(script(line))
    return wire.read_line()


@pytest.mark.parametrize("options", [{"raw": b"250 ok\n"}, {"raw": b"ok\n"}, {"reply": "550 5.1.1 No"}], ids=str)
def test_a_recipient_is_kept_whatever_the_client_was_told(
    serve: Serve, connect: Connect, options: dict[str, Any]
) -> None:
    server = serve(on("rcpt_to", to="ada@*", accept=True, **options))
    wire = connect(server)
    codes(wire, HELLO, MAIL)
    assert said(wire, ADA).rstrip() == (options.get("raw", b"550 5.1.1 No")).rstrip()
    assert codes(wire, DATA, BODY) == [354, 250]
    assert server.one().rcpt_to == ("ada@example.com",)
    assert dict(server.one().refused) == {}
    assert server.log.calls("rcpt_to")[0].outcome == "accepted"


@pytest.mark.parametrize("options", [{"reply": 250}, {"raw": b"250 2.1.5 OK\r\n"}], ids=str)
def test_a_recipient_is_silently_discarded(serve: Serve, connect: Connect, options: dict[str, Any]) -> None:
    server = serve(on("rcpt_to", to="bob@*", accept=False, **options))
    assert codes(connect(server), HELLO, MAIL, BOB, ADA, DATA, BODY) == [250, 250, 250, 250, 354, 250]
    assert server.one().rcpt_to == ("ada@example.com",)
    assert [call.outcome for call in server.log.calls("rcpt_to")] == ["refused", "accepted"]


def test_a_sender_is_kept_or_discarded(serve: Serve, connect: Connect) -> None:
    server = serve(
        on("mail_from", mail_from="in@*", reply=550, accept=True),
        on("mail_from", mail_from="out@*", reply=250, accept=False),
    )
    wire = connect(server)
    assert codes(wire, HELLO, "MAIL FROM:<in@example.com>", ADA, "RSET") == [250, 550, 250, 250]
    assert codes(wire, "MAIL FROM:<out@example.com>", ADA) == [250, 503]
    assert [call.outcome for call in server.log.calls("mail_from")] == ["accepted", "refused"]


@pytest.mark.parametrize(("code", "accept", "user", "mail"), [(535, True, "ada", 250), (235, False, None, 530)])
def test_a_login_counts_whatever_the_client_was_told(
    serve: Serve, connect: Connect, code: int, accept: bool, user: str | None, mail: int
) -> None:
    server = serve(on("auth", reply=code, accept=accept), require_auth=True)
    assert codes(connect(server), HELLO, PLAIN, MAIL) == [250, code, mail]
    assert server.log.sessions()[0].user == user


@pytest.mark.parametrize(("code", "accept", "hello"), [(554, True, 250), (220, False, None)])
def test_a_client_is_served_whatever_its_greeting_was(
    serve: Serve, connect: Connect, code: int, accept: bool, hello: int | None
) -> None:
    server = serve(on("connect", reply=code, accept=accept))
    wire = connect(server, greet=False)
    assert wire.reply().code == code
    if hello is None:
        assert server.log.calls("connect")[0].outcome == "refused"
    else:
        assert codes(wire, HELLO, MAIL) == [hello, 250]
        assert server.log.calls("connect")[0].outcome == "accepted"


def test_a_command_counts_whatever_the_client_was_told(serve: Serve, connect: Connect) -> None:
    server = serve(
        on("command", verb="RCPT", reply="450 4.2.1 Busy", accept=True, times=1),
        on("command", verb="RSET", raw=b"250\n", accept=True),
        on("command", verb="EHLO", reply="250 localhost", accept=False, skip=1),
    )
    wire = connect(server)
    assert codes(wire, HELLO, MAIL, ADA, DATA, BODY) == [250, 250, 450, 354, 250]
    assert codes(wire, MAIL) == [250]
    assert said(wire, "RSET") == b"250\n"
    assert codes(wire, MAIL, "EHLO again.example") == [250, 250]
    assert server.log.sessions()[0].hostname_appears_as == "client.example"
    assert [call.outcome for call in server.log.calls("command", verb="RCPT")] == ["accepted"]
    assert [call.outcome for call in server.log.calls("command", verb="EHLO")] == ["accepted", "refused"]


@pytest.mark.parametrize(("accept", "kept"), [(True, 1), (None, 0)])
def test_a_message_is_kept_though_it_was_refused(
    serve: Serve, connect: Connect, accept: bool | None, kept: int
) -> None:
    options: dict[str, Any] = {} if accept is None else {"accept": accept}
    server = serve(on("data", reply=451, **options))
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY) == [451]
    assert len(server.envelopes) == kept
    assert last(server, "data").outcome == "refused"


# --- what becomes of a message, by its rule ------


FATES: list[tuple[dict[str, Any], bytes, bool, str]] = [
    ({"reply": "554 no"}, b"554 no\r\n", False, "refused"),
    ({"reply": "250 yes", "accept": False}, b"250 yes\r\n", False, "accepted"),
    ({"reply": "250 yes", "drop": True}, b"250 yes\r\n", True, "accepted"),
    ({"drop": True}, b"", False, "dropped"),
    ({"drop": True, "accept": True}, b"", True, "dropped"),
    ({"hang": True}, b"", False, "hung"),
    ({"hang": True, "accept": True}, b"", True, "hung"),
    ({"raw": b"250 ok\r\n"}, b"250 ok\r\n", True, "accepted"),
    ({"raw": b"250 ok\r\n", "accept": False}, b"250 ok\r\n", False, "accepted"),
    ({"raw": b"", "accept": True}, b"", True, "hung"),
    ({"subject": "Hi", "reply": "554 no"}, b"554 no\r\n", False, "refused"),
    ({"header": {"subject": "H*", "Bcc": None}, "reply": "554 no"}, b"554 no\r\n", False, "refused"),
    ({"rcpt_to": ["ada@example.com"], "reply": "554 no"}, b"554 no\r\n", False, "refused"),
]


@pytest.mark.parametrize(("options", "told", "accepted", "outcome"), FATES)
def test_a_message_is_kept_if_it_was_accepted_or_counts_as_accepted(
    serve: Serve, connect: Connect, options: dict[str, Any], told: bytes, accepted: bool, outcome: str
) -> None:
    server = serve(on("data", **options))
    wire = connect(server)
    to_data(wire)
    wire.send(script(BODY))
    wire.finish()
    assert wire.rest() == told
    server.wait_closed()
    (envelope,) = server.log.envelopes()
    assert (envelope.accepted, envelope.content) == (accepted, CONTENT)
    assert last(server, "data").outcome == outcome


# --- a 334 at AUTH ------


@pytest.mark.parametrize(
    ("mechanism", "line", "username"),
    [
        ("PLAIN", plain("ada", "pw"), "ada"),
        ("CRAM-MD5", b64(f"ada {32 * '0'}"), "ada"),
        ("XOAUTH2", xoauth2("ada", "t0ken"), "ada"),
        ("NTLM", b64("whatever"), ""),
        ("GSSAPI", "no base64!", ""),
    ],
)
@pytest.mark.parametrize("settings", [{}, {"auth_methods": ["OAUTHBEARER"]}, {"auth": None}], ids=str)
def test_a_334_brings_the_next_line_to_auth_whatever_the_mechanism(
    serve: Serve, connect: Connect, mechanism: str, line: str, username: str, settings: dict[str, Any]
) -> None:
    server = serve(on("command", verb="AUTH", reply="334 "), **settings)
    seen: list[tuple[str, str]] = []

    @server.on("auth")
    def hook(auth: Auth, session: Session) -> str:
        seen.append((auth.method, auth.username))
        return "somebody"

    assert codes(connect(server), HELLO, f"AUTH {mechanism}", line, "NOOP") == [250, 334, 235, 250]
    assert seen == [(mechanism, username)]
    assert server.log.sessions()[0].user == "somebody"


def test_a_challenge_by_a_rule_brings_the_next_line_to_auth_again(serve: Serve, connect: Connect) -> None:
    server = serve(on("auth", reply="334 more", times=1))
    wire = connect(server)
    assert codes(wire, HELLO, PLAIN) == [250, 334]
    assert last(server, "AUTH").outcome == "pending"
    assert codes(wire, plain("bob", "pw")) == [235]
    assert points(server) == "connect EHLO AUTH auth auth"
    assert [call.code for call in list(server.log)[-3:]] == [235, 334, 235]


def test_a_challenge_by_a_rule_may_be_cancelled(serve: Serve, connect: Connect) -> None:
    server = serve(on("auth", reply="334 more"))
    assert codes(connect(server), HELLO, PLAIN, "*", "NOOP") == [250, 334, 501, 250]
    assert last(server, "AUTH").code == 501


# --- a hook's answers count as accepted too ------


def answered_251(address: Address, session: Session) -> str:
    return "251 2.1.5 Forwarded"


def answered_reply(address: Address, session: Session) -> Reply:
    return Reply(252, "2.1.5", "Perhaps")


@pytest.mark.parametrize("hook", [answered_251, answered_reply])
def test_a_recipient_whom_a_hook_accepts_in_its_own_words_is_kept(serve: Serve, connect: Connect, hook: Any) -> None:
    server: SMTPServer = serve(on("rcpt_to", call=hook))
    told = codes(connect(server), HELLO, MAIL, ADA, DATA, BODY)
    assert told[2] in (251, 252)
    assert server.one().rcpt_to == ("ada@example.com",)
