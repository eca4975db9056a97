"""One connection, the transaction that is open on it, and the envelopes of its messages (RFC 5321 section 2.3.1).

A transaction is in one of three phases once its content begins to arrive::

    RECEIVING --content complete--> answered, and over
        |
        +--an early 2xx--> ANSWERED     the rest arrives and is kept; no further reply
        +--an early 4xx or 5xx--> DISCARDING     the message is over; the rest is discarded
"""

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from pytest_smtpd.errors import no_attribute, no_container
from pytest_smtpd.smtp.address import NO_ENVELOPE_DSN, Address, EnvelopeDSN
from pytest_smtpd.smtp.attachment import Attachment
from pytest_smtpd.smtp.message import Message, ReadMessage, no_reader
from pytest_smtpd.smtp.passwords import hidden
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.tls import TLSInfo
from pytest_smtpd.smtp.values import ReadOnly, endpoint, printable, quoted, set_once, short

if TYPE_CHECKING:
    import os
    from email.message import EmailMessage

BodyType = Literal["7bit", "8bitmime", "binarymime"]
Ended = Literal["quit", "client", "client-reset", "server", "server-reset", "stop"]
_NONE_REFUSED: Final[Mapping[Address, Reply]] = MappingProxyType({})
_NO_ATTRIBUTES: Final[Mapping[str, str | None]] = MappingProxyType({})


class Phase(Enum):
    """Where a message is whose content has begun to arrive."""

    RECEIVING = "its reply is due when all of it is there"
    ANSWERED = "it was accepted early: the rest is kept, and not answered again"
    DISCARDING = "it was refused early: the rest is discarded"


# What an envelope has beside what parameters of MAIL fill.
OWN_FIELDS: Final = (
    *("id", "mail_from", "rcpt_to", "content", "size", "session", "user", "accepted", "reply", "refused", "at", "mail"),
)


class Envelope(ReadOnly):
    """One message as the server received it. A snapshot: nothing changes it later, but its ``session`` is live."""

    __module__ = "pytest_smtpd"

    if not TYPE_CHECKING:  # for type checkers, an unknown attribute is an error
        __getattr__ = no_attribute
        __getitem__ = no_container

    id: str  #: No other envelope of this run has the same.
    mail_from: Address  #: The sender, an ``Address``; ``""`` is the null sender.
    #: The accepted recipients, in order. A recipient that was given twice is there twice. In LMTP, recipients that were
    #: refused after the data are in ``refused``.
    rcpt_to: tuple[Address, ...]
    #: The bytes as the client sent them, dot-unstuffed, nothing added and nothing changed (RFC 5321 section 4.5.2).
    content: bytes
    #: How many bytes came. ``content`` is shorter if the message was refused because of its size or while it was
    #: arriving.
    size: int
    session: "Session"  #: The connection on which it came, the live object.
    user: Any = None  #: The user who was logged in, or None.
    body_type: BodyType = "7bit"  #: ``"7bit"``, ``"8bitmime"`` or ``"binarymime"``, from the parameter BODY.
    smtp_utf8: bool = False  #: Whether MAIL had the parameter SMTPUTF8.
    require_tls: bool = False  #: Whether MAIL had the parameter REQUIRETLS.
    #: The delivery reports that MAIL asks for (RFC 3461): ``ret`` (``"FULL"``, ``"HDRS"`` or None) and ``envid``
    #: (decoded).
    dsn: EnvelopeDSN = NO_ENVELOPE_DSN
    accepted: bool = False  #: Whether the message was accepted; in LMTP, whether it was for any recipient.
    reply: Reply | None = None  #: The reply to the message; in LMTP the first reply that accepts, else the first.
    #: ``{address: Reply}`` for the recipients of this transaction that were refused.
    refused: Mapping[Address, Reply] = _NONE_REFUSED
    at: float = 0.0  #: When the message was complete, in seconds since the epoch.
    complete: bool = True  # whether all of the message had arrived when it was answered
    mail: Message

    def __init__(self, read: ReadMessage, **fields: Any) -> None:
        for name, value in fields.items():  # one by one, so that all envelopes share one table of names
            set_once(self, name, value)
        set_once(self, "mail", read(fields["content"]))

    @property
    def message(self) -> "EmailMessage":
        """The content as an ``email.message.EmailMessage``, parsed once by the standard library; never raises."""
        return self.mail.parsed

    @property
    def subject(self) -> str | None:
        """The Subject: decoded, unfolded, without white space at its ends; None if there is none."""
        return self.mail.subject

    @property
    def text(self) -> str | None:
        """The text/plain part that a mail program shows first, with LF as line end; None if there is none."""
        return self.mail.text

    @property
    def html(self) -> str | None:
        """The text/html part that a mail program shows first, with LF as line end; None if there is none."""
        return self.mail.html

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """All parts but ``text``, ``html`` and multiparts, in order: a tuple of ``Attachment``."""
        return self.mail.attachments

    @property
    def links(self) -> tuple[str, ...]:
        """The web addresses in the text, then those of ``<a href>`` in the HTML, in order and each once."""
        return self.mail.links

    def snapshot(self) -> str:
        """A text for snapshot tests: headers, parts and decoded bodies, the same in every run.

        Dates, message ids, Content-IDs and boundaries are replaced by numbered names such as ``date-1``.
        """
        return self.mail.snapshot()

    def save(self, path: "str | os.PathLike[str]") -> None:
        """Write ``content`` to a file, by custom one that ends in ``.eml``. Raises ``OSError``."""
        with open(path, "wb") as file:  # noqa: PTH123 - pathlib would have to be imported for it
            file.write(self.content)

    def __repr__(self) -> str:
        recipients = ", ".join(self.rcpt_to) or "nobody"
        if len(self.rcpt_to) > 3:
            recipients = f"{', '.join(self.rcpt_to[:2])} and {len(self.rcpt_to) - 2} more"
        refused = "" if self.accepted else " not accepted"
        subject = self.subject
        about = "" if subject is None else f" {quoted(subject[:60])}"
        text = f"<Envelope {printable(self.mail_from) or '<>'} -> {printable(recipients)}{about}{refused}>"
        return hidden(text, self.session.passwords)


class Transaction:
    """A mail transaction as it grows.

    ``parameters`` are the attributes of the envelope that MAIL's parameters fill. ``early_reply`` is the reply to a
    message that was still arriving.
    """

    __slots__ = ("chunks", "early_reply", "mail_from", "number", "parameters", "recipients", "refused", "size")

    def __init__(self, number: int, mail_from: Address, parameters: Mapping[str, Any]) -> None:
        self.number: int = number
        self.mail_from: Address = mail_from
        self.parameters: Mapping[str, Any] = parameters
        self.recipients: list[Address] = []
        self.refused: dict[Address, Reply] | None = None
        self.chunks: list[bytes] = []
        self.size: int = 0
        self.early_reply: Reply | None = None

    def add(self, chunk: bytes, limit: int | None) -> None:
        """Keep content, but little more than ``limit`` octets of it."""
        if limit is None or self.size <= limit:
            self.chunks.append(chunk)
        self.size += len(chunk)

    def refuse(self, address: Address, reply: Reply) -> None:
        """This recipient will not get the message."""
        self.refused = {} if self.refused is None else self.refused
        self.refused[address] = reply

    def envelope(self, session: "Session", read: ReadMessage, *, most: int | None = None, **facts: Any) -> Envelope:
        """The envelope as it is now, with at most ``most`` octets; ``facts`` are what the transaction cannot know."""
        facts.setdefault("rcpt_to", tuple(self.recipients))
        if self.refused:
            facts["refused"] = dict(self.refused)
        return Envelope(
            read,
            id=f"{session.id}.{self.number}",
            mail_from=self.mail_from,
            content=b"".join(self.chunks)[:most],
            size=self.size,
            at=session._now(),
            session=session,
            user=session.user,
            **self.parameters,
            **facts,
        )


class Session:
    """One client connection, kept up to date by the server while it lives, and readable afterwards.

    It takes no attributes but these; ``notes`` is there for those of a test.
    """

    __slots__ = (
        "_now",
        "at",
        "client_hostname",
        "clock",
        "closed",
        "ended",
        "error",
        "hostname_appears_as",
        "id",
        "lmtp",
        "local_address",
        "local_port",
        "mail",
        "notes",
        "opening_command",
        "passwords",
        "read",
        "remote_address",
        "remote_port",
        "server",
        "tls",
        "tls_error",
        "transaction",
        "user",
        "verbs",
        "xclient",
        "xforward",
    )
    __module__ = "pytest_smtpd"

    if not TYPE_CHECKING:  # for type checkers, an unknown attribute is an error
        __getattr__ = no_attribute

    def __init__(
        self,
        id: str,  # noqa: A002 - the name of the public attribute
        read: ReadMessage = no_reader,
        *,
        server: str = "smtpd",
        local: tuple[str, int] = ("", 0),
        remote: tuple[str, int] = ("", 0),
        lmtp: bool = False,
        now: Callable[[], float] = lambda: 0.0,
        clock: Callable[[], float] | None = None,
        **attributes: Any,
    ) -> None:
        self.id: str = id  #: No other session of this run has the same.
        self.read: ReadMessage = read
        self.server: str = server
        self.local_address: str = local[0]  #: The server's address, or the path of its Unix socket.
        self.local_port: int = local[1]  #: The server's port.
        #: The client's address, or the one that a PROXY header or XCLIENT gives. ``""`` on a Unix socket. XFORWARD does
        #: not change it.
        self.remote_address: str = remote[0]
        self.remote_port: int = remote[1]  #: The client's port, likewise.
        #: The client's address in brackets, or the name that XCLIENT gives. The server never asks the DNS.
        self.client_hostname: str = f"[{remote[0]}]" if remote[0] else ""
        self.lmtp: bool = lmtp
        self._now: Callable[[], float] = now
        self.clock: Callable[[], float] | None = clock  # seconds of the server's clock
        self.at: float = now()  #: When the client connected, in seconds since the epoch.
        #: The name that the client gave in EHLO, HELO or LHLO, in lower case.
        self.hostname_appears_as: str | None = None
        self.opening_command: str | None = None  #: ``"EHLO"``, ``"HELO"`` or ``"LHLO"``; None before that.
        self.tls: TLSInfo | None = None  #: A ``TLSInfo``; None in clear text.
        #: Why a TLS handshake failed, or what broke the TLS session; None if nothing did. It is final when
        #: ``wait_closed()`` returns.
        self.tls_error: str | None = None
        self.user: Any = None  #: What the ``auth`` hook returned, or the name that logged in; None before a login.
        #: The number of the current transaction. It begins at 1 and grows with each completed message, accepted or not.
        self.transaction: int = 1
        self.error: Reply | None = None  #: The last refusal, a ``Reply``.
        self.xclient: Mapping[str, str | None] = _NO_ATTRIBUTES  #: The attributes of XCLIENT, with upper-case names.
        self.xforward: Mapping[str, str | None] = _NO_ATTRIBUTES  #: The attributes of XFORWARD, with upper-case names.
        self.closed: bool = False  #: Whether the connection has ended; already True in the ``close`` hook.
        #: How the connection ended, None while it is open: ``"quit"``; ``"client"`` or ``"client-reset"`` if the client
        #: closed or reset it; ``"server"`` or ``"server-reset"`` if the server did, by a rule, a 421 or a timeout;
        #: ``"stop"`` if the server was stopped.
        self.ended: Ended | None = None
        #: A dict for the test's own use, for example to pass something from one hook to the next.
        self.notes: dict[Any, Any] = {}
        self.passwords: tuple[str, ...] = ()  # known ones, which no text shows
        self.verbs: list[str] = []
        self.mail: Transaction | None = None
        for name, value in attributes.items():  # for tests of hook functions, which may want a session of their own
            setattr(self, name, value)

    @property
    def secure(self) -> bool:
        """Whether TLS is on."""
        return self.tls is not None

    @property
    def transmission_type(self) -> str:
        """``SMTP``, ``ESMTP`` or ``LMTP``, with ``S`` under TLS and ``A`` after a login: ``ESMTPSA`` (RFC 3848)."""
        base = "LMTP" if self.lmtp else "ESMTP" if self.opening_command == "EHLO" else "SMTP"
        return base + "S" * self.secure + "A" * (self.user is not None)

    @property
    def commands(self) -> tuple[str, ...]:
        """The verbs of all command lines so far, in order."""
        return tuple(self.verbs)

    @property
    def envelope(self) -> Envelope | None:
        """The transaction so far, an ``Envelope``; None outside of one. In ``mail_from`` it is the one being judged."""
        return None if self.mail is None else self.mail.envelope(self, self.read)

    @property
    def recipients(self) -> tuple[Address, ...]:
        """The recipients accepted so far in the open transaction."""
        return () if self.mail is None else tuple(self.mail.recipients)

    def set_remote(self, address: str, port: int) -> None:
        """A proxy or XCLIENT has given another address of the client than that of the socket."""
        self.remote_address, self.remote_port = address, port
        self.client_hostname = f"[{address}]"

    def shown_user(self, user: object) -> str:
        """A user of this session as texts show it: an object may hold secrets, and a text may be a password."""
        if isinstance(user, str):
            return quoted(hidden(str(user), self.passwords))
        return "None" if user is None else type(user).__name__

    def __repr__(self) -> str:
        peer = printable(endpoint(self.remote_address, self.remote_port)) if self.remote_address else "unknown"
        user = "" if self.user is None else f" user={short(self.shown_user(self.user))}"
        state = "closed" if self.closed else "open"
        return f"<Session {self.id} {self.transmission_type} from {peer}{user} {state}>"
