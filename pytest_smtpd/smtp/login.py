"""AUTH (RFC 4954): the command, the lines of its exchange, and a challenge before the reply."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.auth import Auth, decode, encode
from pytest_smtpd.smtp.context import Context, Decision
from pytest_smtpd.smtp.events import Event, Hooks
from pytest_smtpd.smtp.framing import Command, Line
from pytest_smtpd.smtp.grammar import Refused, upper
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.sasl import MECHANISMS, Exchange, owner

A = TypeVar("A", bound="Authenticate")


class Authenticate(Event):
    """A step of AUTH: the command, or a line of the exchange (``Response``).

    ``auth`` is there once the client has sent all that its mechanism needs; ``user`` is then the owner of the
    credentials by the ``auth`` setting, or None.
    """

    hooks: ClassVar[Hooks] = (("command", "command"), ("auth", "auth"))
    explained = True
    exchange: Exchange | None = None
    auth: Auth | None = None
    user: str | None = None

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """Log in, if it has succeeded."""
        user, digit = verdicts[0].user, verdicts[0].digit
        context.exchange, context.login_begun = self.exchange, True
        if context.deferred is not None and self.auth is None:
            (_, user), context.deferred = context.deferred, None
        if digit == 2:
            context.session.user = user or self.user or (self.auth and self.auth.username) or True


class Response(Authenticate):
    """A line of an AUTH exchange."""

    kind = "response"


def parse_auth(command: Command, argument: str, context: Context) -> Event:
    """RFC 4954 section 4: the mechanism, and perhaps an initial response."""
    options, session = context.options, context.session
    name, *initial = argument.split() or [""]
    method = upper(name)
    if options.auth_requires_tls and not session.secure:
        raise Refused(replies.AUTH_NEEDS_TLS)
    if session.user is not None:
        raise Refused(replies.ALREADY_AUTHENTICATED)
    if method not in options.methods:
        raise Refused(replies.UNKNOWN_MECHANISM if method else replies.ARGUMENT_NEEDED)
    if len(initial) > 1 or (initial and not MECHANISMS[method].client_first):
        raise Refused(replies.BAD_PARAMETER)
    exchange = Exchange(method, options.hostname)
    if initial:
        exchange.respond(b"" if initial[0] == "=" else decode(initial[0].encode()))
    return _step(Authenticate, exchange, options, command=command)


def auth_as_it_stands(command: Command, argument: str, context: Context) -> Event:
    """A refused AUTH that a rule accepts: with a 334, the client's next line goes to the ``auth`` hook."""
    method = upper((argument.split() or [""])[0])
    return Authenticate(command=command, exchange=Exchange(method, context.options.hostname))


def read_response(line: Line, context: Context) -> Response:
    """The client's line in an exchange."""
    text, _, too_long = line
    if too_long:
        return Response(default=replies.SASL_LINE_TOO_LONG)
    if text == b"*":
        context.deferred = None
        return Response(default=replies.AUTH_CANCELLED)
    if context.deferred is not None:
        return Response(default=context.deferred[0])
    exchange = context.exchange
    if exchange is None:
        return Response(default=replies.AUTH_CANCELLED)
    try:
        exchange.take(text)
    except Refused as refused:
        if exchange.auth is None:
            return Response(default=refused.reply)
    return _step(Response, exchange, context.options)


def _step(kind: type[A], exchange: Exchange, options: Options, **fields: Any) -> A:
    """The event; by default the next challenge, and when there are credentials, the verdict of the ``auth`` setting."""
    if exchange.auth is None:
        return kind(exchange=exchange, default=replies.challenge(encode(exchange.challenge)), **fields)
    exchange.auth.passwords = options.passwords
    user = owner(options.auth, exchange.auth)
    default = replies.CREDENTIALS_INVALID if user is None else replies.AUTHENTICATED
    return kind(exchange=exchange, auth=exchange.auth, user=user, default=default, **fields)


def explanation(event: Event, verdict: Decision, context: Context) -> Reply | None:
    """The 334 before the final reply, if the mechanism has one: the reason of a refusal, or the server's own proof.

    RFC 7628 section 3.2.2 for a refused token, RFC 5802 section 3 for the server's own proof. The reply is then due
    when the client has answered the challenge.
    """
    reply = verdict.reply
    if not isinstance(event, Authenticate) or event.auth is None or reply is None:
        return None
    challenge = event.auth.server_final if reply.digit == 2 else _reason(event.auth, reply, verdict)
    if challenge is None:
        return None
    context.deferred = (reply, verdict.user or event.user or event.auth.username)
    context.exchange = event.exchange
    return replies.challenge(encode(challenge))


def _reason(auth: Auth, reply: Reply, verdict: Decision) -> bytes | None:
    """The JSON object in which the mechanism explains why it refuses a token; None where it has none to give."""
    mechanism = MECHANISMS.get(auth.method)
    if mechanism is None or mechanism.failure is None or verdict.challenge is None:
        return None
    refuses_token = reply.refuses and reply.code != 421
    return json.dumps(dict(verdict.challenge or mechanism.failure)).encode() if refuses_token else None
