"""Where a session is with AUTH (RFC 4954): the exchange under way, and a verdict that waits behind an explanation."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.commands import authenticate
from pytest_smtpd.smtp.events import Authenticate, Response
from pytest_smtpd.smtp.framing import Line
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.sasl import OAUTH_FAILURE, Conversation, decode, encode


class Login:
    """One connection's attempts to log in. ``failed``: the last one did, and what follows may be its password."""

    def __init__(self, options: Options) -> None:
        self.failed: bool = False
        self._options = options
        self._exchange: Conversation | None = None
        self._held: tuple[Reply, Any] | None = None

    def response(self, line: Line) -> Response:
        """The client's line in an exchange."""
        if line.too_long:
            return Response(default=replies.SASL_LINE_TOO_LONG)
        if line.text == b"*":
            self._held = None
            return Response(default=replies.AUTH_CANCELLED)
        if self._held is not None:
            return Response(default=self._held[0])
        if self._exchange is None:  # a 334 by a rule, to something that is no exchange
            return Response(default=replies.AUTH_CANCELLED)
        return self._answered_challenge(self._exchange, line.text)

    def _answered_challenge(self, exchange: Conversation, line: bytes) -> Response:
        try:
            exchange.respond(decode(line))
        except Refused as refused:
            if exchange.auth is None:
                return Response(default=refused.reply)
        return authenticate(Response, exchange, self._options)

    def explain(self, event: Authenticate, answers: Sequence[Reply], detail: Any) -> bytes | None:
        """The 334 in which the server explains itself, where there is one: the reply follows the client's next line.

        RFC 7628 section 3.2.2 for a refused token, RFC 5802 section 3 for the server's own proof.
        """
        if event.auth is None or len(answers) != 1:
            return None
        reply, auth = answers[0], event.auth
        if reply.digit == 2 and auth.server_final is not None:
            challenge = auth.server_final
        elif reply.refuses and reply.code != 421 and auth.method in OAUTH_FAILURE and isinstance(detail, Mapping):
            challenge = json.dumps(dict(detail or OAUTH_FAILURE[auth.method])).encode()
        else:
            return None
        self._held = (reply, detail or event.user or auth.username)
        self._exchange = event.exchange
        return replies.challenge(encode(challenge)).wire

    def settle(self, event: Authenticate, digit: int, user: Any) -> Any:
        """The step is answered: the user who is logged in by it, or None. ``user`` is whom a hook has named."""
        complete = event.auth is not None
        self._exchange = event.exchange
        if self._held is not None and not complete:
            (_, user), self._held, complete = self._held, None, True
        self.failed = digit != 3 and not (digit == 2 and complete)
        if digit != 2:
            return None
        return user or event.user or (event.auth.username if event.auth else True)
