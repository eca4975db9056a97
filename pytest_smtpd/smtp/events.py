"""What a client can do: events, with the reply that the RFC would give (``default``) and the hooks they pass."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.options import AUTH_METHODS
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.values import short

if TYPE_CHECKING:
    from pytest_smtpd.smtp.sasl import Auth, Conversation
    from pytest_smtpd.smtp.session import TLSInfo

HookName = Literal["connect", "secure", "auth", "mail_from", "rcpt_to", "data", "close", "command"]
Point = tuple[HookName, Any]  # a hook to pass, and its own argument
Passes = tuple[tuple[HookName, str], ...]  # hooks, each with the field in which the event has its argument


class Command:
    """A command line: ``verb`` in upper case, ``argument`` behind the first space, ``raw`` the line without its end."""

    __slots__ = ("raw", "secret", "verb")
    __module__ = "pytest_smtpd"

    def __init__(self, raw: bytes) -> None:
        self.raw: bytes = raw
        self.secret: bool = False  # what follows an AUTH that was refused may be a password, not a command
        self.verb: str = intern(raw.partition(b" ")[0].upper().decode("utf-8", "replace"))

    @property
    def argument(self) -> str:
        """The text after the verb."""
        return self.raw.partition(b" ")[2].decode("utf-8", "replace")

    def __str__(self) -> str:
        return "***" if self.secret else masked(self.raw)

    def __repr__(self) -> str:
        return f"<Command {short(str(self))!r}>"


_LOGIN: Final = re.compile(r"\s*(AUTH[\s=:]+)(\S.*)", re.IGNORECASE | re.DOTALL)


def masked(raw: bytes) -> str:
    """A command line for people: secrets of AUTH are left out, and what a terminal would obey is escaped."""
    text = raw.decode("utf-8", "backslashreplace")
    if login := _LOGIN.match(text):
        method, *secret = login[2].split()
        shown = method if method.upper() in AUTH_METHODS else "***"  # or a password: the method was left out
        text = " ".join([f"{login[1]}{shown}", *(["***"] if secret else [])])
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened; the caller answers it with ``Connection.send`` before asking for the next."""

    kind: ClassVar[str] = ""
    passes: ClassVar[Passes] = (("command", "command"),)
    default: Reply | None = None
    command: Command | None = None

    @property
    def name(self) -> str:
        """The word of ``states.SEQUENCE`` for it: the verb, or the class's own."""
        return self.kind or (self.command.verb if self.command else "")

    def refused(self, reply: Reply) -> "Refused":
        """This command, refused with ``reply``."""
        return Refused(command=self.command, default=reply)

    @property
    def points(self) -> tuple[Point, ...]:
        """The hooks to pass, in order, each with its own argument; those whose argument is not there are left out."""
        arguments: list[Point] = [(hook, getattr(self, field)) for hook, field in self.passes]
        return tuple([point for point in arguments if point[1] is not None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Event):
    """A client is there and waits for the greeting; after XCLIENT once more, perhaps with a LOGIN."""

    kind = "connect"
    secure: "TLSInfo | None" = None
    login: "Auth | None" = None

    @property
    def points(self) -> tuple[Point, ...]:
        """``connect``, which has no argument of its own, and what implicit TLS and XCLIENT add to it."""
        more: tuple[Point, ...] = (("secure", self.secure), ("auth", self.login))
        return (("connect", None), *(point for point in more if point[1] is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured(Event):
    """The handshake that STARTTLS asked for is complete; no reply is due."""

    kind = "secure"
    passes: ClassVar[Passes] = (("secure", "tls"),)
    tls: "TLSInfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Event):
    """A command that is unknown, malformed, disabled or out of sequence: whatever is answered, nothing changes."""

    kind = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain(Event):
    """NOOP, HELP, VRFY, RSET, QUIT, STARTTLS, DATA: all they do is in the transition table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello(Event):
    """HELO, EHLO or LHLO."""

    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail(Event):
    """MAIL FROM, well-formed and in sequence."""

    passes: ClassVar[Passes] = (("command", "command"), ("mail_from", "address"))
    address: Address
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rcpt(Event):
    """RCPT TO, well-formed and in sequence."""

    passes: ClassVar[Passes] = (("command", "command"), ("rcpt_to", "address"))
    address: Address

    def refused(self, reply: Reply) -> Refused:
        """The address, which the envelope lists with its reply."""
        return RefusedRcpt(command=self.command, default=reply, address=self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRcpt(Refused):
    """A well-formed recipient that a limit, or a parameter, has turned away; no ``rcpt_to`` hook is asked."""

    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Bdat(Event):
    """BDAT (RFC 3030): its octets follow at once; the reply is due when they are all there."""

    octets: int
    last: bool

    def refused(self, reply: Reply) -> Refused:
        """Its octets follow all the same."""
        return RefusedBdat(command=self.command, default=reply, octets=self.octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedBdat(Refused):
    """A BDAT out of sequence; its octets follow all the same and are thrown away."""

    octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Xclient(Event):
    """XCLIENT: no reply to it but the new greeting."""

    attributes: Mapping[str, str | None]
    login: "Auth | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Xforward(Event):
    """XFORWARD."""

    attributes: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticate(Event):
    """A step of AUTH: the command, or a line of the exchange (``Response``); ``auth`` once there are credentials."""

    passes: ClassVar[Passes] = (("command", "command"), ("auth", "auth"))
    exchange: "Conversation | None" = None
    auth: "Auth | None" = None
    user: str | None = None  # whose credentials they are, by the ``auth`` setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Authenticate):
    """A line of an AUTH exchange."""

    kind = "response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing(Event):
    """Something that is not answered; whoever wants to speak all the same uses ``Connection.interject``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshaking(Passing):
    """A TLS handshake is under way: how many of its bytes have come. ``struck`` remembers which rules have spoken."""

    implicit: bool
    received: int
    tls: "TLSInfo"
    struck: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentBegins(Passing):
    """The client may send, or is sending, the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk(Passing):
    """Content as it arrives, dot-unstuffed."""

    data: bytes
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkReceived(Event):
    """A BDAT that is not the last is complete."""

    kind = "chunk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content(Event):
    """The message is complete: CRLF.CRLF, or BDAT LAST. Without a default it was answered while it came in.

    ``final``: the default stands, whatever hooks say (RFC 1870 section 6.3).
    """

    kind = "content"
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Overloaded(Event):
    """One client too many, told instead of the greeting."""

    kind = "connect"
    passes: ClassVar[Passes] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut(Event):
    """The client said nothing for as long as ``timeout`` allows."""

    kind = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadProxyHeader(Event):
    """What came first was no PROXY header; the connection just closes."""

    kind = "proxy"
    reason: str
