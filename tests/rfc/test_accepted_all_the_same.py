"""A ``command`` rule or hook speaks first, and the session goes on by what it said: accepted means accepted.

That holds for what the server would have refused as well: because of its syntax, its parameters, a setting.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.rfc.sasl import b64, plain
from tests.rfc.wire import Connect, Serve, Wire

if TYPE_CHECKING:
    from pytest_smtpd import Address, Auth, Command, Session, SMTPServer

Rule = Callable[..., Any]


def by_reply(server: SMTPServer, verb: str, reply: str) -> None:
    server.on("command", verb=verb, reply=reply)


def by_raw(server: SMTPServer, verb: str, reply: str) -> None:
    server.on("command", verb=verb, raw=f"{reply}\r\n".encode())


def by_hook(server: SMTPServer, verb: str, reply: str) -> None:
    server.on("command", verb=verb, call=lambda command, session: reply)


WAYS = pytest.mark.parametrize("rule", [by_reply, by_raw, by_hook])
MALFORMED = {
    "<a@x.example": "a@x.example",
    "<a@x.example> SIZE=x": "a@x.example",
    "<a@x.example> WHAT=x": "a@x.example",
    "<a@x.example>WHAT": "a@x.example",
    "a@@x.example WHAT=x": "a@@x.example",
    "<a b>": "a b",
    "<a@-x->": "a@-x-",
    "<<a@x.example>>": "<a@x.example>",
    "a@x..example": "a@x..example",
    "a b": "a",
    "": "",
}


@WAYS
@pytest.mark.parametrize("argument", MALFORMED)
def test_a_sender_that_cannot_be_parsed(serve: Serve, client: Connect, argument: str, rule: Rule) -> None:
    """The address is what stands between the brackets, else the first word; and the transaction is open."""
    server = serve()
    rule(server, "MAIL", "250 2.1.0 Whatever")
    wire = client(server, ehlo=True)
    assert wire.say(f"MAIL FROM:{argument}").code == 250
    wire.steps("RCPT TO:<b@x.example>", "DATA", "x\r\n.")
    assert server.one().mail_from == MALFORMED[argument]
    assert server.log.calls("mail_from") == []


@WAYS
@pytest.mark.parametrize("argument", MALFORMED)
def test_a_recipient_that_cannot_be_parsed(serve: Serve, client: Connect, argument: str, rule: Rule) -> None:
    server = serve()
    rule(server, "RCPT", "250 2.1.5 Whatever")
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example>", f"RCPT TO:{argument}", "DATA", "x\r\n.")
    assert server.one().rcpt_to == (MALFORMED[argument],)


@WAYS
@pytest.mark.parametrize("command", ["EHLO", "HELO", "EHLO -x-", "EHLO not_a_domain!", "EHLO ä", "HELO two words"])
def test_a_greeting_that_cannot_be_parsed(serve: Serve, client: Connect, command: str, rule: Rule) -> None:
    server = serve(strict=True)
    rule(server, command[:4], "250 hello")
    wire = client(server)
    wire.steps(command, "MAIL FROM:<a@x.example>")


@WAYS
def test_a_rset_with_an_argument_ends_the_transaction(serve: Serve, client: Connect, rule: Rule) -> None:
    server = serve()
    rule(server, "RSET", "250 2.0.0 OK")
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example>", "RSET now")
    assert wire.say("RCPT TO:<b@x.example>").code == 503
    wire.steps("MAIL FROM:<c@x.example>")


@WAYS
def test_a_quit_with_an_argument_ends_the_connection(serve: Serve, client: Connect, rule: Rule) -> None:
    server = serve()
    rule(server, "QUIT", "221 2.0.0 Bye")
    wire = client(server, ehlo=True)
    assert wire.say("QUIT now").code == 221
    if rule is not by_raw:  # raw bytes close nothing: only drop does
        assert wire.rest() == b""


@WAYS
def test_a_data_with_an_argument_is_followed_by_content(serve: Serve, client: Connect, rule: Rule) -> None:
    server = serve()
    rule(server, "DATA", "354 Go on")
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>")
    assert wire.say("DATA now").code == 354
    assert wire.say("x\r\n.").code == 250
    assert server.one().content == b"x\r\n"


@WAYS
def test_a_starttls_with_an_argument_is_followed_by_a_handshake(serve: Serve, client: Connect, rule: Rule) -> None:
    server = serve()
    rule(server, "STARTTLS", "220 2.0.0 Ready")
    wire = client(server, ehlo=True)
    assert wire.say("STARTTLS now").code == 220
    wire.secure(server.client_context, server.host)
    wire.steps("EHLO c")
    assert server.log.sessions()[0].secure


def test_what_a_setting_refuses(serve: Serve, client: Connect) -> None:
    """Nothing of this is said in clear, without a login, and with so large a message, unless a rule lets it pass."""
    server = serve(require_tls=True, require_auth=True, size=10, max_messages=1)
    for verb, reply in {"MAIL": 250, "RCPT": 250, "DATA": 354}.items():
        server.on("command", verb=verb, reply=reply)
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example> SIZE=10000", "RCPT TO:<b@x.example>")
    assert wire.say("DATA").code == 354
    assert wire.say("x\r\n.").code == 250
    assert server.one().rcpt_to == ("b@x.example",)


def test_one_recipient_too_many(serve: Serve, client: Connect) -> None:
    server = serve(max_recipients=1)
    server.on("command", verb="RCPT", reply=250)
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "RCPT TO:<c@x.example>", "DATA", "x\r\n.")
    assert server.one().rcpt_to == ("b@x.example", "c@x.example")


# --- AUTH -----------------------------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("command", ["AUTH NTLM", "AUTH NTLM TlRMTVNTUAABAAAA", "AUTH", "AUTH PLAIN !!", "AUTH a b c"])
def test_a_334_brings_the_next_line_to_the_auth_hook_whatever_the_mechanism(
    serve: Serve, client: Connect, command: str, rule: Rule
) -> None:
    server = serve()
    rule(server, "AUTH", "334 TlRMTVNTUAACAAAA")
    seen: list[tuple[str, str | None]] = []

    @server.on("auth")
    def login(auth: Auth, session: Session) -> str:
        seen.append((auth.method, auth.response))
        return "ada"

    wire = client(server, ehlo=True)
    assert wire.say(command).code == 334
    response = plain("ada", "s3cret") if "PLAIN" in command else b64("a response")
    assert wire.say(response).code == 235
    assert seen[0][0] == (command.split()[1:] or [""])[0].upper()
    assert seen[0][1] in ("a response", None)
    assert server.log.sessions()[0].user == "ada"
    wire.steps("MAIL FROM:<a@x.example>")


@WAYS
def test_a_334_where_auth_is_not_even_offered(serve: Serve, client: Connect, rule: Rule) -> None:
    server = serve(auth=None)
    rule(server, "AUTH", "334 ")
    server.on("auth", reply=235)
    wire = client(server, ehlo=True)
    assert wire.say("AUTH PLAIN").code == 334
    assert wire.say(plain("ada", "s3cret")).code == 235
    wire.steps("MAIL FROM:<a@x.example>")


def test_without_a_hook_nobody_logs_in_with_a_mechanism_that_nobody_knows(serve: Serve, client: Connect) -> None:
    server = serve()
    server.on("command", verb="AUTH", reply="334 ")
    wire = client(server, ehlo=True)
    assert wire.say("AUTH NTLM").code == 334
    assert wire.say(b64("a response")).code == 535
    assert server.log.sessions()[0].user is None
    assert [call.outcome for call in server.log.calls("auth")] == ["refused"]


def test_an_exchange_that_a_rule_has_opened_can_be_cancelled(serve: Serve, client: Connect) -> None:
    server = serve()
    server.on("command", verb="AUTH", reply="334 ")
    wire = client(server, ehlo=True)
    assert wire.say("AUTH NTLM").code == 334
    assert wire.say("*").code == 501
    wire.steps("MAIL FROM:<a@x.example>")


def test_an_exchange_may_take_several_turns(serve: Serve, client: Connect) -> None:
    server = serve()
    server.on("command", verb="AUTH", reply="334 b25l")
    turns: list[int | str] = ["334 dHdv", "334 dGhyZWU=", 235]
    server.on("auth", reply=turns)
    wire = client(server, ehlo=True)
    assert [wire.say(line).code for line in ("AUTH NTLM", b64("a"), b64("b"), b64("c"))] == [334, 334, 334, 235]
    assert server.log.sessions()[0].user is True


# --- bytes that are no reply ----------------------------------------------------------------------------------------

UNREADABLE = [b"250 ok\n", b"250-ok\r\n", b"hello\r\n", b"\xff\r\n", b"250"]


@pytest.mark.parametrize("raw", UNREADABLE)
def test_bytes_that_are_no_reply_accept_nobody(serve: Serve, client: Connect, raw: bytes) -> None:
    """As if nothing had been said, whatever the first digit tells the log; accept=True keeps the recipient."""
    server = serve()
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>")
    with server.on("rcpt_to", raw=raw):
        wire.send(b"RCPT TO:<c@x.example>\r\n")
        got = b""
        while len(got) < len(raw):
            got += wire.receive()
    wire.steps("DATA", "x\r\n.")
    envelope = server.one()
    assert (envelope.rcpt_to, dict(envelope.refused)) == (("b@x.example",), {})
    assert server.log.calls("rcpt_to")[-1].outcome == ("accepted" if raw.startswith(b"250") else "refused")
    assert server.log.calls("rcpt_to")[-1].code is None


@pytest.mark.parametrize("raw", UNREADABLE)
def test_a_test_may_say_how_they_count(serve: Serve, client: Connect, raw: bytes) -> None:
    server = serve()
    wire = client(server, ehlo=True)
    for command, hook in (("MAIL FROM:<a@x.example>", "mail_from"), ("RCPT TO:<b@x.example>", "rcpt_to")):
        with server.on(hook, raw=raw, accept=True):  # type: ignore[call-overload]
            wire.send(f"{command}\r\n".encode())
            assert receive(wire, len(raw)) == raw
    with server.on("data", raw=raw, accept=True):
        wire.steps("DATA")
        wire.send(b"x\r\n.\r\n")
        assert receive(wire, len(raw)) == raw
    envelope = server.one()
    assert (envelope.mail_from, envelope.rcpt_to) == ("a@x.example", ("b@x.example",))
    assert [server.log.calls(hook)[-1].outcome for hook in ("mail_from", "rcpt_to", "data")] == ["accepted"] * 3


@pytest.mark.parametrize("hook", ["mail_from", "rcpt_to", "auth"])
def test_a_yes_may_count_as_a_no(serve: Serve, client: Connect, hook: Any) -> None:
    """The client is told 2xx, and nothing of it happens."""
    server = serve()
    server.on(hook, reply=235 if hook == "auth" else 250, accept=False)
    wire = client(server, ehlo=True)
    wire.steps(f"AUTH PLAIN {plain('ada', 's3cret')}", "MAIL FROM:<a@x.example>")
    assert server.log.sessions()[0].user == (None if hook == "auth" else "ada")
    assert wire.say("RCPT TO:<b@x.example>").code == (503 if hook == "mail_from" else 250)
    assert wire.say("DATA").code == (354 if hook == "auth" else 503)
    assert {call.outcome for call in server.log.calls(hook)} == {"refused"}


def receive(wire: Wire, count: int) -> bytes:
    got = b""
    while len(got) < count:
        got += wire.receive()
    return got


# --- what a hook sees and says --------------------------------------------------------------------------------------


def test_the_envelope_that_is_judged_is_there_in_mail_from(serve: Serve, client: Connect) -> None:
    server = serve(tls="implicit")
    seen: list[Any] = []

    @server.on("mail_from")
    def judge(address: Address, session: Session) -> None:
        assert session.envelope is not None
        envelope = session.envelope
        seen.append((str(envelope.mail_from), envelope.body_type, envelope.smtp_utf8, envelope.require_tls))
        seen.append((envelope.dsn.ret, envelope.dsn.envid, envelope.rcpt_to, envelope.content))

    wire = client(server, greet=False)
    wire.secure(server.client_context, server.host)
    wire.reply()
    wire.steps("EHLO c", "MAIL FROM:<a@x.example> BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS ENVID=q+2B1")
    assert seen == [("a@x.example", "8bitmime", True, True), ("HDRS", "q+1", (), b"")]


@pytest.mark.parametrize("kind", ["def", "async def", "when"])
def test_it_is_there_for_every_kind_of_hook_and_gone_if_the_sender_is_refused(
    serve: Serve, client: Connect, kind: str
) -> None:
    server = serve()
    seen: list[str] = []

    def refuse(*args: Any) -> Any:
        session = args[-1] if len(args) == 2 else args[0].session
        seen.append(session.envelope.mail_from)
        return "550 5.7.1 No"

    async def refuse_async(address: Address, session: Session) -> Any:
        return refuse(address, session)

    if kind == "when":
        server.on("mail_from", when=refuse, reply=550)
    else:
        server.on("mail_from", call=refuse if kind == "def" else refuse_async)
    wire = client(server, ehlo=True)
    for sender in ("a@x.example", "b@x.example"):
        assert wire.say(f"MAIL FROM:<{sender}>").code == 550
        assert server.log.sessions()[0].envelope is None
    assert seen == ["a@x.example", "b@x.example"]
    assert wire.say("RCPT TO:<b@x.example>").code == 503


ANSWERS = {
    "250 Ada <ada@x.example>": (250, ("Ada <ada@x.example>",)),
    "252 2.5.0 Perhaps": (252, ("2.5.0 Perhaps",)),
    "550 5.1.1 No": (550, ("5.1.1 No",)),
    "250-Ada <ada@x.example>\n250 Adam <adam@x.example>": (250, ("Ada <ada@x.example>", "Adam <adam@x.example>")),
    "299 Something new": (299, ("Something new",)),
    "553": (553, ("",)),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("kind", ["def", "async def", "Reply"])
@pytest.mark.parametrize("command", ["VRFY ada", "EXPN list", "NOOP", "HELP", "WHATEVER"])
def test_a_command_hook_answers_by_returning_a_reply(
    serve: Serve, client: Connect, command: str, kind: str, answer: str
) -> None:
    from pytest_smtpd.smtp.replies import parse_reply

    server = serve()

    def say(command: Command, session: Session) -> Any:
        return parse_reply(answer) if kind == "Reply" else answer

    async def say_async(command: Command, session: Session) -> Any:
        return answer

    server.on("command", verb=command.split(maxsplit=1)[0], call=say_async if kind == "async def" else say)
    reply = client(server, ehlo=True).say(command)
    assert (reply.code, reply.lines) == ANSWERS[answer]


@pytest.mark.parametrize("answer", ["250 2.1.5 Will forward", "251 Somewhere else", "550 No"])
def test_other_hooks_answer_so_as_well(serve: Serve, client: Connect, answer: str) -> None:
    server = serve()
    server.on("rcpt_to", call=lambda address, session: answer)
    wire = client(server, ehlo=True)
    wire.steps("MAIL FROM:<a@x.example>")
    reply = wire.say("RCPT TO:<b@x.example>")
    assert f"{reply.code} {reply.lines[0]}" == answer
    assert wire.say("DATA").code == (354 if answer.startswith("2") else 503)


# --- which refusal comes first --------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameter", ["SIZE=1000", "SIZE=99999999999999999999"])
@pytest.mark.parametrize("settings", [{"require_auth": True}, {"auth": {"ada": "s3cret"}}])
def test_who_has_to_log_in_is_told_that_first(
    serve: Serve, client: Connect, settings: dict[str, Any], parameter: str
) -> None:
    """RFC 4954 section 6: 530 "may be returned by any command ... AUTH, EHLO, HELO, NOOP, RSET, or QUIT" aside."""
    wire = client(serve(size=10, **settings), ehlo=True)
    assert wire.say(f"MAIL FROM:<a@x.example> {parameter}").code == 530
    wire.steps(f"AUTH PLAIN {plain('ada', 's3cret')}")
    assert wire.say(f"MAIL FROM:<a@x.example> {parameter}").code == 552


def test_who_needs_tls_is_told_that_first_of_all(serve: Serve, client: Connect) -> None:
    wire = client(serve(size=10, require_tls=True, require_auth=True), ehlo=True)
    reply = wire.say("MAIL FROM:<a@x.example> SIZE=1000")
    assert (reply.code, reply.text) == (530, "Must issue a STARTTLS command first")


def test_a_login_is_asked_for_before_a_limit_closes_the_connection(serve: Serve, client: Connect) -> None:
    server = serve(max_messages=1, require_auth=True, xclient=True)
    wire = client(server, ehlo=True)
    wire.steps(f"AUTH PLAIN {plain('ada', 's3cret')}")
    wire.steps("MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA", "x\r\n.")
    wire.steps("XCLIENT ADDR=192.0.2.1", "EHLO c")
    assert wire.say("MAIL FROM:<a@x.example>").code == 530
    wire.steps(f"AUTH PLAIN {plain('ada', 's3cret')}")
    assert wire.say("MAIL FROM:<a@x.example>").code == 421
