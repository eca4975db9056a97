"""A message with its envelope (RFC 5321 section 2.3.1), and the transaction from which it grows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from pytest_smtpd.smtp import content
from pytest_smtpd.smtp.address import NO_ENVELOPE_DSN, Address, EnvelopeDSN
from pytest_smtpd.smtp.content import Attachment
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.values import read_only

if TYPE_CHECKING:
    from email.message import EmailMessage

    from pytest_smtpd.smtp.session import Session

BodyType = Literal["7bit", "8bitmime", "binarymime"]
NO_CHUNKS: Final[list[bytes]] = []  # of a transaction that is over
NONE_REFUSED: Final[Mapping[Address, Reply]] = MappingProxyType({})


@read_only
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Envelope:
    """One message as the server received it. A snapshot: nothing changes it later, but its ``session`` is live.

    ``content`` holds the bytes as the client sent them, dot-unstuffed, nothing added and nothing changed (RFC 5321
    section 4.5.2). ``refused`` maps each refused recipient of this transaction to its reply. ``at`` is in seconds
    since the epoch.
    """

    id: str
    mail_from: Address
    rcpt_to: tuple[Address, ...]
    content: bytes
    size: int
    session: "Session"
    user: Any = None
    body_type: BodyType = "7bit"
    smtp_utf8: bool = False
    require_tls: bool = False
    dsn: EnvelopeDSN = NO_ENVELOPE_DSN
    accepted: bool = False
    reply: Reply | None = None
    refused: Mapping[Address, Reply] = field(default_factory=lambda: NONE_REFUSED)
    at: float = 0.0
    _message: "EmailMessage | None" = field(default=None, init=False)

    @property
    def message(self) -> "EmailMessage":
        """The content, parsed once by the standard ``email`` package with its modern policy; never raises."""
        if self._message is None:
            object.__setattr__(self, "_message", content.parse(self.content))
        assert self._message is not None
        return self._message

    @property
    def subject(self) -> str | None:
        """The decoded Subject, or None."""
        return content.header(self.message, "subject")

    @property
    def text(self) -> str | None:
        """The text/plain body, or None."""
        return content.body(self.message, "plain")

    @property
    def html(self) -> str | None:
        """The text/html body, or None."""
        return content.body(self.message, "html")

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The attached files, in order."""
        return content.attachments(self.message)

    @property
    def links(self) -> tuple[str, ...]:
        """The web addresses in the text and in the HTML's links, in order, each once."""
        return content.links(self.text, self.html)

    def __repr__(self) -> str:
        recipients = ", ".join(self.rcpt_to) or "nobody"
        if len(self.rcpt_to) > 3:
            recipients = f"{', '.join(self.rcpt_to[:2])} and {len(self.rcpt_to) - 2} more"
        refused = "" if self.accepted else " not accepted"
        subject = self.subject
        about = "" if subject is None else f" {subject[:60]!r}"
        return f"<Envelope {self.mail_from or '<>'} -> {recipients}{about}{refused}>"


@dataclass(slots=True, eq=False)
class Transaction:
    """A mail transaction as it grows; only ``Connection.send`` changes it, by the verdicts that it is given."""

    number: int
    mail_from: Address
    parameters: Mapping[str, Any]
    recipients: list[Address] = field(default_factory=list)
    refused: dict[Address, Reply] | None = None
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    begun: bool = False
    answered: Reply | None = None

    def add(self, chunk: bytes, limit: int | None) -> None:
        """Keep content, but little more than ``limit`` octets of it, unless it has been accepted while it arrives."""
        if limit is None or self.size <= limit or self.answered is not None:
            self.chunks.append(chunk)
        self.size += len(chunk)

    def refuse(self, address: Address, reply: Reply) -> None:
        """This recipient will not get the message."""
        self.refused = {} if self.refused is None else self.refused
        self.refused[address] = reply

    def snapshot(self, session: "Session", *, most: int | None = None, **facts: Any) -> Envelope:
        """The envelope as it is now, with at most so many octets; ``facts`` are what the transaction cannot know."""
        facts.setdefault("rcpt_to", tuple(self.recipients))
        return Envelope(
            id=f"{session.id}.{self.number}",
            mail_from=self.mail_from,
            content=b"".join(self.chunks)[:most],
            size=self.size,
            session=session,
            user=session.user,
            refused=dict(self.refused) if self.refused else NONE_REFUSED,
            **self.parameters,
            **facts,
        )


Envelope.__module__ = "pytest_smtpd"
