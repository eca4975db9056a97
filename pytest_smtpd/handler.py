"""The server's side of one connection: who answers it, what is recorded of it, which certificate it is shown."""

import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pytest_smtpd.net.conversation import Conversation
from pytest_smtpd.net.wire import Wire
from pytest_smtpd.policy.book import RuleBook
from pytest_smtpd.policy.responder import Responder
from pytest_smtpd.policy.workers import Workers
from pytest_smtpd.record.journal import Journal
from pytest_smtpd.settings import Settings
from pytest_smtpd.smtp.connection import Connection
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.steps import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all clients of a running server share."""

    book: RuleBook
    journal: Journal
    workers: Workers
    gone: Callable[[Wire], None]
    crashed: Callable[[BaseException], None]
    context: Callable[[Settings], ssl.SSLContext]
    now: Callable[[], float]


class Handler:
    """What the server does for one connection: its hands (``net.hands.Hands``)."""

    def __init__(self, shared: Shared, settings: Settings, session: Session) -> None:
        self._shared = shared
        self._settings = settings
        self._session = session
        self._responder = Responder(settings, session, shared.book, shared.journal, shared.workers)
        self.respond: Callable[[Event], Awaitable[Answer | None]] = self._responder.respond
        self.sent: Callable[[], None] = shared.journal.sent
        self.now: Callable[[], float] = shared.now
        self.crashed: Callable[[BaseException], None] = shared.crashed
        self.gone: Callable[[Wire], None] = shared.gone

    @property
    def context(self) -> ssl.SSLContext:
        """The certificate and the rules of TLS for a handshake that begins now."""
        return self._shared.context(self._settings)

    def record(self, envelope: Envelope) -> None:
        """A transaction has ended."""
        if self._responder.data_call is not None:
            self._responder.data_call.envelope = envelope
        self._shared.journal.message(envelope)

    def note(self, text: str, who: str = "-") -> None:
        """Something for the transcript."""
        self._shared.journal.note(self._session, text, who)

    async def close(self) -> None:
        """The conversation is over: what is pending ends, and the ``close`` hook runs."""
        try:
            await self._responder.close()
        finally:
            self._session.closed = True
            self._shared.journal.closed(self._session)


def connect(shared: Shared, settings: Settings, sock: socket.socket, address: Any) -> Wire:
    """On the loop: put the parts of a connection together."""
    session = _session(settings, sock.getsockname(), address, shared.now())
    overloaded = settings.max_clients is not None and len(shared.journal.open) >= settings.max_clients
    shared.journal.connected(session)
    smtp, handler = Connection(settings, session), Handler(shared, settings, session)
    return Wire(
        smtp, handler, settings.timeout, lambda wire: Conversation(wire, smtp, handler, overloaded=overloaded).run()
    )


def _session(settings: Settings, local: Any, remote: Any, at: float) -> Session:
    address = remote[0].removeprefix("::ffff:")
    return Session(
        id=secrets.token_hex(8),
        server=settings.name,
        local_address=local[0],
        local_port=local[1],
        remote_address=address,
        remote_port=remote[1],
        client_hostname=f"[{address}]",
        lmtp=settings.lmtp,
        at=at,
    )
