"""The state that the parts of the protocol share on one connection, and the fields of a verdict that they read."""

from collections.abc import Mapping
from typing import Any, Protocol

from pytest_smtpd.smtp.auth import Auth
from pytest_smtpd.smtp.framing import Buffer
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.sasl import Exchange
from pytest_smtpd.smtp.session import Phase, Session


class Decision(Protocol):
    """A verdict, as far as the protocol reads it.

    ``digit`` drives the transition: the first digit of ``reply``, unless a test counts the answer as another; 0 where
    nothing was answered. ``user`` is who a login makes the session's user. ``challenge`` is the JSON object with which
    a token is refused; None: no explanation, just the reply. ``keep`` is whether a message is kept, independently of
    the reply; None: if that is a 2xx. ``closes`` is whether a reply that closes the connection may do so.
    """

    @property
    def reply(self) -> Reply | None: ...
    @property
    def digit(self) -> int: ...
    @property
    def user(self) -> Any: ...
    @property
    def challenge(self) -> Mapping[str, Any] | None: ...
    @property
    def keep(self) -> bool | None: ...
    @property
    def closes(self) -> bool: ...


class Context:
    """One connection: its settings, its session, the bytes that have arrived, and where it is with AUTH.

    ``exchange`` is the AUTH exchange under way. ``deferred`` is a reply that waits behind a challenge in which the
    server explains itself, with the user it logs in. ``login_begun`` is whether the client has ever tried to log in: a
    line that is no command may then be its password, sent in the wrong place. ``xclient_login`` is the LOGIN of an
    XCLIENT, until the new greeting. ``phase`` is where the message is whose content has begun to arrive.
    """

    def __init__(self, options: Options, session: Session) -> None:
        self.options: Options = options
        self.session: Session = session
        self.buffer: Buffer = Buffer()
        self.exchange: Exchange | None = None
        self.deferred: tuple[Reply, Any] | None = None
        self.login_begun: bool = False
        self.xclient_login: Auth | None = None
        self.phase: Phase | None = None
