"""The settings that the protocol itself reads. ``Settings`` adds what belongs to sockets and certificates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

TLSMode = Literal["starttls", "implicit"]
AuthMethod = Literal["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256"]
AUTH_METHODS: Final[tuple[AuthMethod, ...]] = (
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "XOAUTH2",
    "OAUTHBEARER",
    "SCRAM-SHA-256",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a connection is told of its server's settings."""

    hostname: str = "localhost"
    banner: str = ""
    tls: TLSMode | None = "starttls"
    require_tls: bool = False
    auth: Literal["any"] | Mapping[str, str] | None = "any"
    require_auth: bool | None = None
    auth_methods: tuple[AuthMethod, ...] | None = None
    auth_requires_tls: bool = False
    size: int | None = None
    max_recipients: int | None = None
    max_messages: int | None = None
    hide: frozenset[str] = frozenset()
    disable: frozenset[str] = frozenset()
    lmtp: bool = False
    proxy_protocol: bool = False
    xclient: bool = False
    xforward: bool = False
    strict: bool = False
    # The EHLO keywords as they have been told before, by whether TLS and a user are there.
    told_keywords: dict[tuple[bool, bool], tuple[str, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def methods(self) -> tuple[AuthMethod, ...]:
        """The AUTH mechanisms on offer: by default all that ``auth`` can decide; SCRAM needs to know the password."""
        if self.auth is None:
            return ()
        if self.auth_methods is not None:
            return self.auth_methods
        return AUTH_METHODS if isinstance(self.auth, Mapping) else AUTH_METHODS[:-1]

    @property
    def login_needed(self) -> bool:
        """Whether MAIL is refused before a login."""
        return isinstance(self.auth, Mapping) if self.require_auth is None else self.require_auth

    def accepts(self, name: str) -> bool:
        """Whether this verb or EHLO keyword is not disabled."""
        return name not in self.disable

    def shows(self, keyword: str) -> bool:
        """Whether this EHLO keyword is neither hidden nor disabled."""
        return keyword not in self.hide and keyword not in self.disable
