"""One client as the server sees it: who answers it, what is recorded of it, which certificate it is shown."""

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
class House:
    """What all clients of a running server share."""

    book: RuleBook
    journal: Journal
    workers: Workers
    gone: Callable[[Wire], None]
    crashed: Callable[[BaseException], None]
    context: Callable[[Settings], ssl.SSLContext]
    now: Callable[[], float]


class Client:
    """The hands of one connection (``net.hands.Hands``)."""

    def __init__(self, house: House, settings: Settings, session: Session) -> None:
        self._house = house
        self._settings = settings
        self._session = session
        self._responder = Responder(settings, session, house.book, house.journal, house.workers)
        self.respond: Callable[[Event], Awaitable[Answer | None]] = self._responder.respond
        self.sent: Callable[[], None] = house.journal.sent
        self.now: Callable[[], float] = house.now
        self.crashed: Callable[[BaseException], None] = house.crashed
        self.gone: Callable[[Wire], None] = house.gone

    @property
    def context(self) -> ssl.SSLContext:
        """The certificate and the rules of TLS for a handshake that begins now."""
        return self._house.context(self._settings)

    def record(self, envelope: Envelope) -> None:
        """A transaction has ended."""
        if self._responder.data_call is not None:
            self._responder.data_call.envelope = envelope
        self._house.journal.message(envelope)

    def note(self, text: str, who: str = "-") -> None:
        """Something for the transcript."""
        self._house.journal.note(self._session, text, who)

    async def close(self) -> None:
        """The conversation is over: what is pending ends, and the ``close`` hook runs."""
        try:
            await self._responder.close()
        finally:
            self._session.closed = True
            self._house.journal.closed(self._session)


def connect(house: House, settings: Settings, sock: socket.socket, address: Any) -> Wire:
    """On the loop: put the parts of a connection together."""
    session = _session(settings, sock.getsockname(), address)
    overloaded = settings.max_clients is not None and len(house.journal.open) >= settings.max_clients
    house.journal.connected(session)
    smtp, client = Connection(settings, session), Client(house, settings, session)
    return Wire(
        smtp, client, settings.timeout, lambda wire: Conversation(wire, smtp, client, overloaded=overloaded).run()
    )


def _session(settings: Settings, local: Any, remote: Any) -> Session:
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
    )
