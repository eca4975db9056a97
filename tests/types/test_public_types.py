"""What a user's editor and type checker see. mypy and pyright read this file in `make types`; pytest runs it too."""

from __future__ import annotations

import asyncio
import os
import re
import smtplib
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from email.message import EmailMessage
from typing import Any, Literal, assert_type

import pytest
import trustme

from pytest_smtpd import (
    Address,
    Attachment,
    Auth,
    Call,
    Command,
    Envelope,
    Log,
    Reject,
    Reply,
    Rule,
    Session,
    SMTPServer,
    SMTPServerFactory,
    Stream,
    TLSInfo,
    WaitTimeout,
    on,
)

Hook = Literal["connect", "secure", "auth", "mail_from", "rcpt_to", "data", "close", "command"]
Outcome = Literal["accepted", "refused", "dropped", "hung", "error", "pending"]
BodyType = Literal["7bit", "8bitmime", "binarymime"]

MESSAGE = b"Subject: Hello\r\n\r\nHi\r\n"


def send(server: SMTPServer, *, context: ssl.SSLContext | None = None) -> None:
    with smtplib.SMTP(server.host, server.port, timeout=5) as client:
        client.starttls(context=context or server.client_context)
        client.login("app", "s3cret")
        client.sendmail("app@example.com", ["ada@example.com"], MESSAGE)


# ------------------------------------------------------------------------------------------------- 2. fixtures


def test_fixtures_have_public_types(
    smtpd: SMTPServer, smtpd_factory: SMTPServerFactory, smtpd_config: dict[str, Any], smtpd_ca: trustme.CA
) -> None:
    assert_type(smtpd_factory(), SMTPServer)
    assert_type(smtpd_factory("second", on=[on("connect", reply=421, optional=True)], tls=None), SMTPServer)
    assert smtpd.ca is smtpd_ca
    assert isinstance(smtpd_config, dict)


@pytest.mark.parametrize(
    "smtpd",
    [on("connect", reply=421, optional=True), [on("data", drop="rst", optional=True)], {"hostname": "mx.example.com"}],
    indirect=True,
)
def test_parameters_may_be_a_rule_rules_or_settings(smtpd: SMTPServer) -> None:
    assert_type(smtpd.port, int)


# ------------------------------------------------------------------------------------------------- 3. settings


def test_every_setting_is_a_typed_keyword() -> None:
    with SMTPServer(
        host="127.0.0.1",
        port=0,
        hostname="localhost",
        banner="ready",
        tls="starttls",
        require_tls=False,
        certificate="valid",
        client_certificate="none",
        ssl_context=None,
        trust=True,
        auth={"app": "s3cret"},
        require_auth=False,
        auth_methods=["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256"],
        auth_requires_tls=False,
        size=1_000_000,
        max_recipients=10,
        max_messages=10,
        max_clients=10,
        timeout=30,
        hide={"SIZE"},
        disable={"VRFY"},
        lmtp=False,
        proxy_protocol=False,
        xclient=False,
        xforward=False,
        strict=False,
        name="typed",
        on=[on("close", call=print, optional=True)],
    ) as server:
        assert_type(server, SMTPServer)


def test_settings_accept_each_of_their_kinds() -> None:
    SMTPServer(tls=None, auth=None, size=None, timeout=0.5)
    SMTPServer(tls="implicit", auth="any", hide=("SIZE",), disable=["EHLO"])
    SMTPServer(ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


# ------------------------------------------------------------------------------------------------- 4. hooks


def test_decorator_returns_the_function(smtpd: SMTPServer) -> None:
    @smtpd.on("rcpt_to", optional=True)
    def only_our_domain(address: Address, session: Session) -> None:
        if address.domain != "example.com":
            raise Reject(553, "5.7.1 Not here")

    @smtpd.on("data", optional=True)
    async def keep(stream: Stream, session: Session) -> str:
        return f"{len(await stream.aread())} bytes kept"

    @smtpd.on("auth", optional=True)
    def who(auth: Auth, session: Session) -> str | None:
        return auth.username if auth.validate_password("s3cret") else None

    # Each still has the signature that it was written with.
    plain: Callable[[Address, Session], None] = only_our_domain
    coroutine: Callable[[Stream, Session], Any] = keep
    answer: Callable[[Auth, Session], str | None] = who
    assert plain is only_our_domain
    assert coroutine is keep
    assert answer is who


def test_each_hook_takes_a_function_of_its_arguments() -> None:
    def connect(session: Session) -> None: ...
    def secure(tls: TLSInfo, session: Session) -> None: ...
    def auth(auth: Auth, session: Session) -> str:
        return auth.method

    def mail_from(address: Address, session: Session) -> None: ...
    async def rcpt_to(address: Address, session: Session) -> None: ...
    def data(stream: Stream, session: Session) -> list[str | Reject]:
        return ["2.6.0 Kept", Reject(452, "4.2.2 Full")]

    def command(command: Command, session: Session) -> None: ...

    rules = [
        on("connect", call=connect),
        on("secure", call=secure),
        on("auth", call=auth),
        on("mail_from", call=mail_from),
        on("rcpt_to", call=rcpt_to),
        on("data", call=data),
        on("command", call=command),
    ]
    assert_type(rules, list[Rule])


def test_reject_takes_code_message_and_data() -> None:
    assert_type(Reject(), Reject)
    refusal: Exception = Reject(535, "5.7.8 No", data={"status": "invalid_token", "schemes": "bearer", "scope": "mail"})
    assert isinstance(refusal, Reject)


def test_hook_arguments_are_typed() -> None:
    def look(address: Address, auth: Auth, stream: Stream, tls: TLSInfo, command: Command) -> None:
        text: str = address
        assert_type(address.local, str)
        assert_type(address.domain, str)
        parameters: Mapping[str, str | bool] = address.args
        assert_type(auth.method, str)
        user: str | None = auth.username
        assert_type(auth.validate_password("s3cret"), bool)
        chunks: Iterator[bytes] = iter(stream)
        assert_type(stream.read(), bytes)
        assert_type(stream.size, int)
        assert_type(stream.size_exceeded, bool)
        assert_type(tls.version, str | None)
        assert_type(tls.server_name, str | None)
        assert_type(command.verb, str)
        assert_type(command.argument, str)
        assert_type(command.raw, bytes)
        del text, parameters, user, chunks

    async def read(stream: Stream) -> bytes:
        chunks: AsyncIterator[bytes] = aiter(stream)
        assert_type(await stream.aread(), bytes)
        return b"".join([chunk async for chunk in chunks])

    assert callable(look)
    assert callable(read)


# ------------------------------------------------------------------------------------------------- 5. rules


def test_every_action_modifier_and_match_is_a_typed_keyword() -> None:
    def first(call: Call) -> bool:
        return call.number == 1

    rules = [
        on("rcpt_to", reply=550),
        on("rcpt_to", reply="550 5.1.1 No such user", to="*@example.com", mail_from=re.compile("@"), when=first),
        on("data", drop=True),
        on("data", drop="rst", after=10),
        on("data", reply=421, drop=True, linger=0.1),
        on("data", reply=250, accept=False, subject=re.compile("^Re:"), user="app"),
        on("data", reply=451, hang=True, accept=True),
        on("command", raw=b"250 ok\r\n", verb="NOOP", times=1, skip=1, delay=0.1, drip=0.1, optional=True),
        on("connect", hang=True, name="second"),
        on("rcpt_to", to=str.isupper, reply=550),
        on("rcpt_to", delay=1),
    ]
    assert_type(rules, list[Rule])


def test_rule_on_a_server_is_a_context_manager(smtpd: SMTPServer) -> None:
    assert_type(smtpd.on("rcpt_to", reply=550, optional=True), Rule)
    with smtpd.on("rcpt_to", reply=551, optional=True) as rule:
        assert_type(rule, Rule)
    assert not rule.used
    with smtpd.on("rcpt_to", delay=0.01, optional=True) as slow:
        assert not slow.used

    @smtpd.on("rcpt_to", delay=0.01, optional=True)
    def hook(address: Address, session: Session) -> int:
        return 1

    assert_type(hook(Address("ada@example.com"), Session(id="1")), int)


@pytest.mark.smtpd(tls="starttls", auth={"app": "s3cret"})
@pytest.mark.smtpd_on("rcpt_to", to="bounce@*", reply="550 5.1.1 No such user", optional=True)
def test_markers_type_check(smtpd: SMTPServer) -> None:
    assert_type(smtpd, SMTPServer)


# ------------------------------------------------------------------------------------------------- 6. what was received


def test_server_is_typed(smtpd: SMTPServer) -> None:
    assert_type(smtpd.host, str)
    assert_type(smtpd.port, int)
    assert_type(smtpd.address, tuple[str, int])
    assert_type(smtpd.url, str)
    assert_type(smtpd.ca, trustme.CA)
    assert_type(os.fspath(smtpd.ca_file), str)
    assert_type(smtpd.client_context, ssl.SSLContext)
    assert_type(smtpd.env, dict[str, str])
    assert_type(smtpd.log, Log)
    smtpd.clear()
    smtpd.stop()
    smtpd.start()


def test_queries_are_typed(smtpd: SMTPServer) -> None:
    send(smtpd)
    received: Sequence[Envelope] = smtpd.envelopes
    assert_type(smtpd.envelopes[0], Envelope)
    assert_type(smtpd.one(), Envelope)
    assert_type(smtpd.one(to="ada@*", mail_from=re.compile("^app"), subject="Hello", user="app"), Envelope)
    assert_type(smtpd.find(when=lambda envelope: envelope.size > 0), list[Envelope])
    assert_type(smtpd.wait_for(), list[Envelope])
    assert_type(smtpd.wait_for(1, timeout=1.5, to=str.islower), list[Envelope])
    assert_type(smtpd.log.calls(), list[Call])
    assert_type(smtpd.log.calls("rcpt_to", to="ada@example.com"), list[Call])
    assert_type(smtpd.log.envelopes(accepted=True), list[Envelope])
    assert_type(smtpd.log.sessions(), list[Session])
    assert_type(smtpd.log.transcript(), str)
    assert_type(smtpd.log.transcript(smtpd.one().session), str)
    assert_type(smtpd.log.wait_for("data", 1, timeout=1, subject="Hello"), list[Call])
    assert_type([call.number for call in smtpd.log], list[int])
    assert_type(len(smtpd.log), int)
    smtpd.wait_closed(timeout=5)
    assert len(received) == 1


def test_waiting_has_async_twins(smtpd: SMTPServer) -> None:
    async def wait() -> None:
        assert_type(await smtpd.wait_for_async(1, timeout=5, to="ada@*"), list[Envelope])
        assert_type(await smtpd.log.wait_for_async("data", timeout=5), list[Call])
        await smtpd.wait_closed_async(timeout=5)

    send(smtpd)
    asyncio.run(wait())


def test_time_out_is_both_an_assertion_and_a_timeout(smtpd: SMTPServer) -> None:
    with pytest.raises(WaitTimeout) as caught:
        smtpd.wait_for(timeout=0.01)
    failures: list[AssertionError] = [caught.value]
    timeouts: list[TimeoutError] = [caught.value]
    assert failures[0].args == timeouts[0].args


def test_call_is_typed(smtpd: SMTPServer) -> None:
    send(smtpd)
    (call,) = smtpd.log.calls("rcpt_to")
    hook: Hook = call.hook
    outcome: Outcome = call.outcome
    reply: Reply | None = call.reply
    rule: Rule | None = call.rule
    error: BaseException | None = call.error
    assert_type(call.args, tuple[Any, ...])
    assert_type(call.session, Session)
    assert_type(call.number, int)
    code: int | None = call.code
    assert (hook, outcome, code) == ("rcpt_to", "accepted", 250)
    assert reply == 250
    assert rule is None
    assert error is None


def test_reply_is_typed(smtpd: SMTPServer) -> None:
    send(smtpd)
    reply = smtpd.one().reply
    assert reply is not None
    assert_type(reply.code, int)
    assert_type(reply.text, str)
    assert reply == 250


def test_envelope_is_typed(smtpd: SMTPServer) -> None:
    send(smtpd)
    envelope = smtpd.one()
    body_type: BodyType = envelope.body_type
    assert_type(envelope.mail_from, Address)
    assert_type(envelope.rcpt_to, tuple[Address, ...])
    assert_type(envelope.content, bytes)
    assert_type(envelope.message, EmailMessage)
    assert_type(envelope.subject, str | None)
    assert_type(envelope.text, str | None)
    assert_type(envelope.html, str | None)
    attachments: Sequence[Attachment] = envelope.attachments
    links: Sequence[str] = envelope.links
    assert_type(envelope.size, int)
    assert_type(envelope.smtp_utf8, bool)
    assert_type(envelope.require_tls, bool)
    assert_type(envelope.accepted, bool)
    reply: Reply | None = envelope.reply
    refused: Mapping[Address, Reply] = envelope.refused
    assert_type(envelope.session, Session)
    assert body_type == "7bit"
    assert reply == 250
    assert not any((attachments, links, refused))


def test_attachment_is_typed() -> None:
    def look(attachment: Attachment) -> None:
        assert_type(attachment.filename, str | None)
        assert_type(attachment.content_type, str)
        assert_type(attachment.content, bytes)

    assert callable(look)


def test_session_is_typed(smtpd: SMTPServer) -> None:
    send(smtpd)
    session = smtpd.one().session
    assert_type(session.secure, bool)
    assert_type(session.remote_address, str)
    assert_type(session.remote_port, int)
    assert_type(session.local_address, str)
    assert_type(session.local_port, int)
    assert_type(session.tls, TLSInfo | None)
    assert_type(session.envelope, Envelope | None)
    assert_type(session.transaction, int)
    assert_type(session.error, Reply | None)
    commands: Sequence[str] = session.commands
    assert_type(session.closed, bool)
    assert "STARTTLS" in commands
