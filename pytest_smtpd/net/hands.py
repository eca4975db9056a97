"""What a connection is given by the server: who answers, who records, whose certificate."""

import ssl
from collections.abc import Awaitable
from typing import Any, Protocol

from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.steps import Answer


class Hands(Protocol):
    """The server, as one connection sees it."""

    @property
    def context(self) -> ssl.SSLContext:
        """The certificate and the rules of TLS for a handshake that begins now."""
        ...

    def respond(self, event: Event, /) -> Awaitable[Answer | None]:
        """The verdict on an event; None where nothing is to be said or done."""
        ...

    def record(self, envelope: Envelope) -> None:
        """A transaction has ended."""
        ...

    def sent(self) -> None:
        """The session is as the verdict has left it, before the client can see the reply."""
        ...

    def note(self, text: str, who: str = "-") -> None:
        """Something for the transcript; ``who`` is C, S or "-" for the connection itself."""
        ...

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def close(self) -> Awaitable[None]:
        """The conversation is over: what is pending ends, and the ``close`` hook runs."""
        ...

    def crashed(self, error: BaseException, /) -> None:
        """The server itself has failed."""
        ...

    def gone(self, wire: Any, /) -> None:
        """Nothing is left of this connection."""
        ...
