"""What is known of one connection and of the transaction that is open on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.envelope import Envelope, Transaction
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.values import endpoint, read_only, short

_NOTHING_SAID: Final[Mapping[str, str | None]] = MappingProxyType({})


@read_only
@dataclass(frozen=True, slots=True, kw_only=True)
class TLSInfo:
    """A TLS session: protocol ``version`` ("TLSv1.3"), ``cipher``, ``server_name`` (SNI) and ``peer_certificate``.

    ``peer_certificate`` is the verified client certificate in the form of ``ssl.SSLSocket.getpeercert()``, or None.
    """

    version: str | None = None
    cipher: str | None = None
    server_name: str | None = None
    peer_certificate: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        words = [word for word in (self.version, self.cipher, self.server_name) if word]
        client = [] if self.peer_certificate is None else [f"client {_subject(self.peer_certificate)}"]
        return f"<TLSInfo {' '.join([*words, *client])}>"


def _subject(certificate: Mapping[str, Any]) -> str:
    """The first name in a certificate."""
    names = [*certificate.get("subjectAltName", ()), *(pair for row in certificate.get("subject", ()) for pair in row)]
    return str(names[0][1]) if names else "certificate"


@dataclass(slots=True, eq=False, kw_only=True)
class Session:
    """One client connection, kept up to date by the server while it lives, and readable afterwards."""

    id: str
    server: str = field(default="smtpd", repr=False)
    local_address: str = ""
    local_port: int = 0
    remote_address: str = ""
    remote_port: int = 0
    client_hostname: str = ""
    hostname_appears_as: str | None = None
    opening_command: str | None = None
    lmtp: bool = field(default=False, repr=False)
    tls: TLSInfo | None = None
    tls_error: str | None = None
    user: Any = None
    transaction: int = 1
    error: Reply | None = None
    xclient: Mapping[str, str | None] = field(default_factory=lambda: _NOTHING_SAID)
    xforward: Mapping[str, str | None] = field(default_factory=lambda: _NOTHING_SAID)
    closed: bool = False
    at: float = field(default=0.0, repr=False)
    verbs: list[str] = field(default_factory=list, repr=False)
    mail: Transaction | None = field(default=None, repr=False)

    @property
    def secure(self) -> bool:
        """Whether TLS is on."""
        return self.tls is not None

    @property
    def transmission_type(self) -> str:
        """SMTP, ESMTP or LMTP, with S for TLS and A for a logged-in user (RFC 3848)."""
        base = "LMTP" if self.lmtp else "ESMTP" if self.opening_command == "EHLO" else "SMTP"
        return base + "S" * self.secure + "A" * (self.user is not None)

    @property
    def commands(self) -> tuple[str, ...]:
        """The verbs of all command lines so far, in order."""
        return tuple(self.verbs)

    @property
    def envelope(self) -> Envelope | None:
        """The transaction so far, as a snapshot; None outside of one."""
        return None if self.mail is None else self.mail.snapshot(self)

    @property
    def recipients(self) -> tuple[Address, ...]:
        """The recipients accepted so far in the open transaction."""
        return () if self.mail is None else tuple(self.mail.recipients)

    def __repr__(self) -> str:
        peer = endpoint(self.remote_address, self.remote_port) if self.remote_address else "unknown"
        name = repr(self.user) if isinstance(self.user, str) else type(self.user).__name__  # which may hold secrets
        user = "" if self.user is None else f" user={short(name)}"
        state = "closed" if self.closed else "open"
        return f"<Session {self.id} {self.transmission_type} from {peer}{user} {state}>"


TLSInfo.__module__ = Session.__module__ = "pytest_smtpd"


def open_transaction(session: Session) -> Transaction:
    """The transaction that is open; to be called where the state says that there is one."""
    assert session.mail is not None
    return session.mail


def set_remote(session: Session, address: str, port: int) -> None:
    """The client is elsewhere than its socket: a proxy or XCLIENT says so."""
    session.remote_address, session.remote_port = address, port
    session.client_hostname = f"[{address}]"
