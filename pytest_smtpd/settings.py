"""The one list of settings, their defaults and checks. Those that the protocol reads stand in ``smtp/options.py``."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, get_args

from pytest_smtpd.smtp.options import AUTH_METHODS, AuthMethod, Options, TLSMode
from pytest_smtpd.suggest import did_you_mean

if TYPE_CHECKING:
    import ssl

__tracebackhide__ = True  # what is raised here is about the line that called

CertificateMode = Literal["valid", "expired", "not-yet-valid", "wrong-host", "untrusted", "self-signed"]
ClientCertificateMode = Literal["none", "optional", "required"]

CERTIFICATES: Final[tuple[str, ...]] = get_args(CertificateMode)
CLIENT_CERTIFICATES: Final[tuple[str, ...]] = get_args(ClientCertificateMode)
TLS_MODES: Final[tuple[str | None, ...]] = (None, *get_args(TLSMode))


class SettingsDict(TypedDict, total=False):
    """The settings as keyword arguments, for type checkers."""

    host: str
    port: int
    hostname: str
    banner: str
    tls: TLSMode | None
    require_tls: bool
    certificate: CertificateMode
    client_certificate: ClientCertificateMode
    ssl_context: "ssl.SSLContext | None"
    trust: bool
    auth: Literal["any"] | Mapping[str, str] | None
    require_auth: bool | None
    auth_methods: Sequence[AuthMethod] | None
    auth_requires_tls: bool
    size: int | None
    max_recipients: int | None
    max_messages: int | None
    max_clients: int | None
    timeout: float | None
    hide: Collection[str]
    disable: Collection[str]
    lmtp: bool
    proxy_protocol: bool
    xclient: bool
    xforward: bool
    strict: bool
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Options):
    """All settings of a server. Made by ``make_settings``, which checks them."""

    host: str = "127.0.0.1"
    port: int = 0
    certificate: CertificateMode = "valid"
    client_certificate: ClientCertificateMode = "none"
    ssl_context: "ssl.SSLContext | None" = None
    trust: bool = True
    max_clients: int | None = None
    timeout: float | None = None
    name: str = "smtpd"

    def fixed_differences(self, other: "Settings") -> list[str]:
        """The settings in which ``other`` differs although they count only when a server starts."""
        names = [name for name in NAMES if name in FIXED_AT_START and getattr(self, name) != getattr(other, name)]
        implicit = (self.tls == "implicit") != (other.tls == "implicit")
        return [*names, *(["tls"] if implicit else [])]


NAMES: Final = tuple(SettingsDict.__annotations__)
# These are read once, when the server starts.
FIXED_AT_START: Final = frozenset(
    {"host", "port", "lmtp", "certificate", "ssl_context", "client_certificate", "proxy_protocol"}
)

_Check = Callable[[Any], bool]


def _is_text(value: object) -> bool:
    """No setting may bring a line break, or another control character, into a reply."""
    return isinstance(value, str) and value.isprintable()


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _is_seconds(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value > 0)


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535


def _is_auth(value: object) -> bool:
    if value is None or value == "any":
        return True
    return isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair)


def _is_words(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Collection):  # what can be read once only is used up by this
        return False
    return all(isinstance(word, str) for word in value)


def _is_context(value: object) -> bool:
    if value is None:
        return True
    import ssl

    return isinstance(value, ssl.SSLContext)


def _one_of(choices: Sequence[object]) -> _Check:
    return lambda value: isinstance(value, str | None) and value in choices


_A_FLAG: Final = (_is_flag, "True or False")
_A_COUNT: Final = (_is_count, "a number from 0, or None")
_CHECKS: Final[Mapping[str, tuple[_Check, str]]] = {
    "host": (lambda value: _is_text(value) and value != "", "an address like '127.0.0.1'"),
    "port": (_is_port, "a port number from 0 to 65535 (0: a free one)"),
    "hostname": (lambda value: _is_text(value) and value != "" and " " not in value, "a host name"),
    "banner": (_is_text, "a text of one line"),
    "tls": (_one_of(TLS_MODES), "None, 'starttls' or 'implicit'"),
    "require_tls": _A_FLAG,
    "certificate": (_one_of(CERTIFICATES), f"one of {', '.join(map(repr, CERTIFICATES))}"),
    "client_certificate": (_one_of(CLIENT_CERTIFICATES), f"one of {', '.join(map(repr, CLIENT_CERTIFICATES))}"),
    "ssl_context": (_is_context, "an ssl.SSLContext, or None"),
    "trust": _A_FLAG,
    "auth": (_is_auth, "'any', a dict of user: password, or None"),
    "require_auth": (lambda value: value is None or _is_flag(value), "True or False"),
    "auth_methods": (lambda value: value is None or _is_words(value), f"a list of {', '.join(AUTH_METHODS)}"),
    "auth_requires_tls": _A_FLAG,
    "size": _A_COUNT,
    "max_recipients": _A_COUNT,
    "max_messages": _A_COUNT,
    "max_clients": _A_COUNT,
    "timeout": (_is_seconds, "a number of seconds above 0, or None"),
    "hide": (_is_words, "a collection of EHLO keywords, like {'SIZE'}"),
    "disable": (_is_words, "a collection of verbs and EHLO keywords, like {'VRFY'}"),
    "lmtp": _A_FLAG,
    "proxy_protocol": _A_FLAG,
    "xclient": _A_FLAG,
    "xforward": _A_FLAG,
    "strict": _A_FLAG,
    "name": (lambda value: _is_text(value) and value != "", "a name"),
}


def check_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` in its final form. Raises ``TypeError`` for an unknown setting, ``ValueError`` for a wrong value."""
    for name, value in given.items():
        if name not in _CHECKS:
            raise TypeError(f"unknown setting {name!r}{did_you_mean(name, (*NAMES, 'on'))}")
        check, wanted = _CHECKS[name]
        if not check(value):
            shown = _auth_shown(value) if name == "auth" else repr(value)
            raise ValueError(f"{name} must be {wanted}, not {shown}{_near(name, value)}")
    return {name: _NORMALISE[name](value) if name in _NORMALISE else value for name, value in given.items()}


def _auth_shown(value: object) -> str:
    """What a wrong ``auth`` is, without the passwords in it."""
    if not isinstance(value, Mapping):
        return type(value).__name__
    wrong = next(type(text).__name__ for pair in value.items() for text in pair if not isinstance(text, str))
    return f"a dict with {wrong} in it; users and passwords are text"


def _near(name: str, value: object) -> str:
    choices = {"tls": TLS_MODES, "certificate": CERTIFICATES, "client_certificate": CLIENT_CERTIFICATES}.get(name, ())
    return did_you_mean(value, [choice for choice in choices if choice], listing=False)


def _methods(value: Iterable[str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    methods = tuple(method.upper() for method in value)
    for method in methods:
        if method not in AUTH_METHODS:
            raise ValueError(f"auth_methods: unknown method {method!r}{did_you_mean(method, AUTH_METHODS)}")
    return methods


def _keywords(what: str) -> Any:
    def normalise(value: Iterable[str]) -> frozenset[str]:
        from pytest_smtpd.smtp.commands import VERBS
        from pytest_smtpd.smtp.extensions import EXTENSIONS

        known = dict.fromkeys((*EXTENSIONS, *(VERBS if what == "disable" else ())))
        words = frozenset(word.upper() for word in value)
        for word in sorted(words):
            if word not in known:
                kind = "EHLO keyword" if what == "hide" else "verb or EHLO keyword"
                raise ValueError(f"{what}: unknown {kind} {word!r}{did_you_mean(word, known)}")
        return words

    return normalise


_NORMALISE: Final[Mapping[str, Any]] = {
    "auth": lambda value: dict(value) if isinstance(value, Mapping) else value,
    "auth_methods": _methods,
    "hide": _keywords("hide"),
    "disable": _keywords("disable"),
}


def make_settings(given: Mapping[str, Any], base: Settings | None = None) -> Settings:
    """Checked settings; what ``given`` leaves out is as in ``base``, or the default."""
    return replace(base or _DEFAULTS, **check_settings(given))


_DEFAULTS: Final = Settings()
