"""Events: what a client can do, each with the reply of the RFC (``default``) and the hook points that it reaches.

An event is a request of the client, or something that happened to the connection. The caller gets it from
``Connection.next_event``, and gives it to ``Connection.send`` together with the verdict. Events that belong to one
group of commands are defined beside their parsers: ``content.py``, ``mail.py``, ``login.py``, ``xclient.py``.

They are made for every command of every client, so they are namespaces without a constructor of their own: a class
annotates the attributes of its events, and has the defaults of those that were not given.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

from pytest_smtpd.smtp.auth import Auth
from pytest_smtpd.smtp.context import Context, Decision
from pytest_smtpd.smtp.framing import Command
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Envelope, Transaction
from pytest_smtpd.smtp.tls import TLSInfo

HookName = Literal["connect", "secure", "auth", "mail_from", "rcpt_to", "data", "close", "command"]
Hooks = tuple[tuple[HookName, str], ...]  # hooks, each with the attribute of the event that is its argument


class Event(SimpleNamespace):
    """One thing that happened; the caller answers it with ``Connection.send`` before it asks for the next.

    ``hooks`` are the hook points that are reached, in order. ``reply_later`` is whether the reply to a command that is
    accepted belongs to a later event. ``answered`` is False for events that usually get no reply; a rule may
    still give one. ``internal`` events only move the state, and are not reported. ``explained`` is whether a challenge
    may come before the reply. ``transaction`` is begun by the command.
    """

    kind: str = ""
    hooks: ClassVar[Hooks] = (("command", "command"),)
    reply_later: ClassVar[bool] = False
    answered: ClassVar[bool] = True
    internal: ClassVar[bool] = False
    explained: ClassVar[bool] = False
    command: Command | None = None
    default: Reply | None = None
    transaction: Transaction | None = None

    @property
    def name(self) -> str:
        """The word of ``states.SEQUENCE`` for it: the class's own, or the verb."""
        return self.kind or (self.command.verb if self.command else "")

    @property
    def points(self) -> tuple[tuple[HookName, Any], ...]:
        """The hook points that are reached, each with its own argument; one whose argument is missing is left out."""
        points: list[tuple[HookName, Any]] = []
        for hook, attribute in self.hooks:
            argument = getattr(self, attribute) if attribute else None
            if argument is not None or not attribute:
                points.append((hook, argument))
        return tuple(points)

    def refused(self, reply: Reply) -> "Refused":
        """This command, refused with ``reply``; a rule may still accept it."""
        return Refused(command=self.command, default=reply, otherwise=self)

    def apply(self, verdicts: Sequence[Decision], context: Context) -> Envelope | None:
        """Do to the session what the verdict means; the envelope of a message that ends by it.

        There is one verdict, in LMTP one for each recipient after the content, and none where the reply is due later.
        """


class Refused(Event):
    """A command that is unknown, malformed, disabled or out of sequence.

    ``otherwise`` is the event that it becomes if a rule accepts it; None: no effect.
    """

    kind = "refused"
    otherwise: Event | None = None

    def apply(self, verdicts: Sequence[Decision], context: Context) -> Envelope | None:
        """Nothing happens; but what follows an AUTH that was refused may be its password."""
        if self.command is not None and self.command.verb == "AUTH":
            context.login_begun = True
        return None


class Plain(Event):
    """NOOP, HELP, VRFY, RSET, QUIT, STARTTLS: all that they do is in ``states.SEQUENCE``."""


class Hello(Event):
    """HELO, EHLO or LHLO."""

    domain: str

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """The session knows the name of the client, and its protocol."""
        if verdicts[0].digit == 2 and self.command is not None:
            context.session.hostname_appears_as = self.domain
            context.session.opening_command = self.command.verb


class Connected(Event):
    """A client is there and waits for the greeting; after XCLIENT once more, perhaps with a login."""

    kind = "connect"
    hooks: ClassVar[Hooks] = (("connect", ""), ("secure", "tls"), ("auth", "login"))
    tls: TLSInfo | None = None
    login: Auth | None = None

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """With the greeting that answers an XCLIENT, its LOGIN is the session's user."""
        if verdicts[0].digit == 2 and self.login is not None:
            context.session.user = verdicts[0].user or self.login.username


class Secured(Event):
    """The handshake that STARTTLS asked for is complete; no reply is due."""

    kind = "secure"
    hooks: ClassVar[Hooks] = (("secure", "tls"),)
    tls: TLSInfo


class Handshaking(Event):
    """A TLS handshake is under way: ``received`` of its bytes have arrived so far."""

    answered = False
    hooks: ClassVar[Hooks] = ()
    implicit: bool
    received: int
    tls: TLSInfo


class Unasked(Event):
    """A reply that the server gives on its own; no hook point is reached."""

    hooks: ClassVar[Hooks] = ()


class Overloaded(Unasked):
    """One client too many; the reply stands in place of the greeting."""

    kind = "connect"


class TimedOut(Unasked):
    """The client has sent nothing for as long as the ``timeout`` setting allows."""

    kind = "timeout"


class ProxyHeader(Event):
    """The PROXY header has been read; ``kind`` is the name of the event, with or without TLS next."""

    internal = True
    hooks: ClassVar[Hooks] = ()


class BadProxyHeader(Event):
    """What came first was no PROXY header; the connection just closes."""

    hooks: ClassVar[Hooks] = ()
    reason: str
