"""What the protocol needs to know of its server's settings."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, NamedTuple

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.passwords import SHORTEST_KNOWN
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.sasl import MECHANISMS

TLSMode = Literal["starttls", "implicit"]
AuthMethod = Literal["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256"]


class Introduction(NamedTuple):
    """How another server introduces itself, for a server that does the same.

    ``greeting`` is the whole line with its code. ``clear`` and ``tls`` are the lines of the EHLO reply without their
    code, in clear and once TLS is on. ``given`` are the settings that a test gave beside it, and that win.
    """

    greeting: str
    clear: tuple[str, ...]
    tls: tuple[str, ...]
    given: frozenset[str]


class Options:
    """The settings that the protocol reads, and what follows from them. ``settings.Settings`` fills them in."""

    hostname: str
    banner: str
    tls: TLSMode | None
    require_tls: bool
    auth: Literal["any"] | Mapping[str, str] | None
    require_auth: bool | None
    auth_methods: tuple[AuthMethod, ...] | None
    auth_requires_tls: bool
    size: int | None
    max_recipients: int | None
    max_messages: int | None
    hide: frozenset[str]
    disable: frozenset[str]
    advertise: tuple[str, ...]
    lmtp: bool
    proxy_protocol: bool
    xclient: bool
    xforward: bool
    strict: bool
    introduction: Introduction | None
    # What has been found out before: the EHLO keywords, the verbs on offer, the parameters of MAIL and RCPT.
    cache: dict[Any, Any]

    @cached_property
    def hello(self) -> str:
        """The first line of the EHLO reply: this server's name, unless it introduces itself as another."""
        if self.introduction is None or "hostname" in self.introduction.given:
            return self.hostname
        return self.introduction.clear[0]

    @cached_property
    def greeting(self) -> Reply:
        """RFC 5321 section 3.1; another server's, unless a test has given a name or a text."""
        if self.introduction is None or self.introduction.given & {"hostname", "banner"}:
            return replies.greeting(self.hostname, "LMTP" if self.lmtp else "ESMTP", self.banner)
        return replies.parse_reply(self.introduction.greeting)

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """The AUTH mechanisms on offer: by default all that ``auth`` can decide."""
        if self.auth is None:
            return ()
        if self.auth_methods is not None:
            return self.auth_methods
        knows_passwords = isinstance(self.auth, Mapping)
        return tuple(name for name, row in MECHANISMS.items() if knows_passwords or not row.needs_password)

    @cached_property
    def login_needed(self) -> bool:
        """Whether MAIL is refused before a login."""
        return isinstance(self.auth, Mapping) if self.require_auth is None else self.require_auth

    @cached_property
    def passwords(self) -> tuple[str, ...]:
        """The passwords that are long enough to be masked wherever they are seen, the longest first."""
        known = self.auth.values() if isinstance(self.auth, Mapping) else ()
        return tuple(sorted((password for password in known if len(password) >= SHORTEST_KNOWN), key=len, reverse=True))

    def accepts(self, name: str) -> bool:
        """Whether this verb or EHLO keyword is not disabled."""
        return name not in self.disable

    def shows(self, keyword: str) -> bool:
        """Whether this EHLO keyword is neither hidden nor disabled."""
        return keyword not in self.hide and keyword not in self.disable
