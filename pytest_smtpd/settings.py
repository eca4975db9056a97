"""SETTINGS: one row for each setting: its default, its possible values, and where it is read."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypedDict

from pytest_smtpd.checks import is_count, is_encodable, is_flag, is_line, is_seconds, is_word
from pytest_smtpd.smtp.commands import VERBS
from pytest_smtpd.smtp.extensions import EXTENSIONS
from pytest_smtpd.smtp.options import AuthMethod, Options, TLSMode
from pytest_smtpd.smtp.sasl import MECHANISMS
from pytest_smtpd.suggest import did_you_mean

if TYPE_CHECKING:
    import ssl

__tracebackhide__ = True  # errors point at the caller's line

CertificateMode = Literal["valid", "expired", "not-yet-valid", "wrong-host", "untrusted", "self-signed"]
ClientCertificateMode = Literal["none", "optional", "required"]

# The values of settings that are one of a few words, and what each of them means.
Choices = Mapping[str | None, str]
_TLS: Final[Choices] = {
    None: "no TLS at all",
    "starttls": "STARTTLS is offered",
    "implicit": "TLS from the first byte",
}
_CERTIFICATES: Final[Choices] = {
    "valid": "names `host`, `hostname`, localhost, 127.0.0.1 and ::1",
    "expired": "was valid in the year 2000",
    "not-yet-valid": "will be valid in the year 2900",
    "wrong-host": "for another name",
    "untrusted": "signed by a CA that nobody trusts",
    "self-signed": "signed by itself",
}
_CLIENT_CERTIFICATES: Final[Choices] = {
    "none": "not asked for",
    "optional": "asked for, and checked if the client has one",
    "required": "without one, the handshake fails",
}


class SettingsDict(TypedDict, total=False):
    """The settings as keyword arguments, for type checkers."""

    host: str
    port: int
    path: str | Literal[True] | None
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
    advertise: Collection[str]
    lmtp: bool
    proxy_protocol: bool
    xclient: bool
    xforward: bool
    strict: bool
    name: str


Check = Callable[[Any], bool]
Where = Literal["listener", "protocol", "conversation", "certificates", "plugin", "reports"]


class Setting(NamedTuple):
    """A row. ``check`` tests whether a value is of the right kind, and ``wanted`` names that kind in an error.

    ``read_by`` is where the setting is read, ``at_start`` whether it only counts when a server starts. ``normalise``
    gives a value its final form, and may raise ``ValueError``. ``choices`` are the words that it may be, if it is one
    of a few, each with its meaning. ``secret`` values are shown in no text. ``meaning`` is Markdown for the reference.
    """

    default: Any
    check: Check
    wanted: str
    read_by: Where
    meaning: str
    at_start: bool = False
    normalise: Callable[[Any], Any] = lambda value: value
    choices: Choices = MappingProxyType({})
    secret: bool = False


# --- kinds of values ------------------------------------------------------------------------------------------------


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535


def _is_path(value: object) -> bool:
    return value is None or value is True or (isinstance(value, str) and bool(value) and "\0" not in value)


def _is_auth(value: object) -> bool:
    if value is None or value == "any":
        return True
    return isinstance(value, Mapping) and all(is_encodable(text) for pair in value.items() for text in pair)


def _are_words(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Collection):  # an iterator is consumed here
        return False
    return all(isinstance(word, str) for word in value)


def _are_lines(value: object) -> bool:
    return is_word(value) or (isinstance(value, Collection) and _are_words(value) and all(map(is_word, value)))


def _is_context(value: object) -> bool:
    if value is None:
        return True
    import ssl

    return isinstance(value, ssl.SSLContext)


def _one_of(choices: Choices) -> Check:
    return lambda value: isinstance(value, str | None) and value in choices


# --- their final form -----------------------------------------------------------------------------------------------


def _methods(value: Iterable[str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    methods = tuple(method.upper() for method in value)
    for method in methods:
        if method not in MECHANISMS:
            raise ValueError(f"auth_methods: unknown method {method!r}{did_you_mean(method, MECHANISMS, 'method')}")
    return methods


def _keywords(setting: str, kind: str, *, verbs: bool) -> Callable[[Iterable[str]], frozenset[str]]:
    def normalise(value: Iterable[str]) -> frozenset[str]:
        known = dict.fromkeys((*EXTENSIONS, *(VERBS if verbs else ())))
        words = frozenset(word.upper() for word in value)
        for word in sorted(words):
            if word not in known:
                raise ValueError(f"{setting}: unknown {kind} {word!r}{did_you_mean(word, known, kind)}")
        return words

    return normalise


def _lines(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


_A_FLAG: Final = (is_flag, "True or False")
_A_COUNT: Final = (_or_none(is_count), "a number from 0, or None")


def _quoted(choices: Choices) -> str:
    return f"one of {', '.join(map(repr, choices))}"


# --- the table ------------------------------------------------------------------------------------------------------

SETTINGS: Final[dict[str, Setting]] = {
    "host": Setting(
        "127.0.0.1",
        is_word,
        "an address like '127.0.0.1'",
        "listener",
        "the address to listen on. Never anything but loopback unless you ask for it",
        at_start=True,
    ),
    "port": Setting(
        0,
        _is_port,
        "a port number from 0 to 65535 (0: a free one)",
        "listener",
        "the port; 0 is a free one",
        at_start=True,
    ),
    "path": Setting(
        None,
        _is_path,
        "the path of a Unix socket, True for one in a folder of its own, or None",
        "listener",
        "a Unix socket instead of host and port: its path, or `True` for one in a folder of its own, which is removed "
        "at stop. `server.host` is then that path, and `server.port` 0",
        at_start=True,
    ),
    "hostname": Setting(
        "localhost",
        lambda value: is_word(value) and " " not in value,
        "a host name",
        "protocol",
        "the name in the greeting and the EHLO reply",
    ),
    "banner": Setting("", is_line, "a text of one line", "protocol", "text after `ESMTP` in the greeting"),
    "tls": Setting(
        "starttls",
        _one_of(_TLS),
        "None, 'starttls' or 'implicit'",
        "protocol",
        '`None`, `"starttls"` or `"implicit"`',
        choices=_TLS,
    ),
    "require_tls": Setting(
        False,
        *_A_FLAG,
        "protocol",
        "everything but NOOP, EHLO, HELO, LHLO, STARTTLS, RSET and QUIT is refused with `530 5.7.0` until TLS is on",
    ),
    "certificate": Setting(
        "valid",
        _one_of(_CERTIFICATES),
        _quoted(_CERTIFICATES),
        "certificates",
        "which certificate the server shows",
        at_start=True,
        choices=_CERTIFICATES,
    ),
    "client_certificate": Setting(
        "none",
        _one_of(_CLIENT_CERTIFICATES),
        _quoted(_CLIENT_CERTIFICATES),
        "certificates",
        "whether the client has to show one, signed by `smtpd_ca`",
        at_start=True,
        choices=_CLIENT_CERTIFICATES,
    ),
    "ssl_context": Setting(
        None,
        _is_context,
        "an ssl.SSLContext, or None",
        "certificates",
        "your own server-side `ssl.SSLContext`, instead of the two above. `session.tls.server_name` is then `None`",
        at_start=True,
    ),
    "trust": Setting(
        True,
        *_A_FLAG,
        "plugin",
        "for the length of the test, `ssl.create_default_context()` in this process and its children trusts the test "
        "CA beside the system's. See [TLS](../how-to/tls.md)",
    ),
    "auth": Setting(
        "any",
        _is_auth,
        "'any', a dict of user: password, or None",
        "protocol",
        '`"any"`: every login succeeds and is recorded. A dict of `{user: password}`: only these; the value is also '
        "the token of XOAUTH2 and OAUTHBEARER. `None`: AUTH is not offered",
        normalise=lambda value: dict(value) if isinstance(value, Mapping) else value,
        secret=True,
    ),
    "require_auth": Setting(
        None,
        _or_none(is_flag),
        "True or False",
        "protocol",
        "`530 5.7.0 Authentication required` before MAIL. `None` means `True` if `auth` is a dict, else `False`",
    ),
    "auth_methods": Setting(
        None,
        _or_none(_are_words),
        f"a list of {', '.join(MECHANISMS)}",
        "protocol",
        'the mechanisms on offer, in this order. `None` means all that `auth` can decide: with `"any"` all but SCRAM, '
        "for which the server would have to know the password",
        normalise=_methods,
    ),
    "auth_requires_tls": Setting(
        False, *_A_FLAG, "protocol", "AUTH is hidden, and refused with `538 5.7.11`, until TLS is on"
    ),
    "size": Setting(
        None,
        *_A_COUNT,
        "protocol",
        "the largest message in bytes: advertised, and enforced at `MAIL SIZE=` and at the end of the data with "
        "`552 5.3.4`",
    ),
    "max_recipients": Setting(
        None,
        *_A_COUNT,
        "protocol",
        "after so many accepted recipients, `452 4.5.3`; the `rcpt_to` hook is not asked. Advertised as "
        "`LIMITS RCPTMAX`",
    ),
    "max_messages": Setting(
        None,
        *_A_COUNT,
        "protocol",
        "after so many completed messages on a connection, accepted or not, `421 4.7.0` at the next MAIL. Advertised "
        "as `LIMITS MAILMAX`",
    ),
    "max_clients": Setting(
        None, *_A_COUNT, "conversation", "with so many connections open, `421 4.3.2` instead of the greeting"
    ),
    "timeout": Setting(
        None,
        _or_none(lambda value: is_seconds(value) and value > 0),
        "a number of seconds above 0, or None",
        "conversation",
        "seconds of silence before `421 4.4.2`, not counted while a hook is pending; inside a handshake or a PROXY "
        "header the connection just closes. None by default: a client that stands in a debugger must not be lost",
    ),
    "hide": Setting(
        frozenset(),
        _are_words,
        "a collection of EHLO keywords, like {'SIZE'}",
        "protocol",
        "EHLO keywords that are not advertised, but work",
        normalise=_keywords("hide", "EHLO keyword", verbs=False),
    ),
    "disable": Setting(
        frozenset(),
        _are_words,
        "a collection of verbs and EHLO keywords, like {'VRFY'}",
        "protocol",
        "verbs (refused with `502 5.5.1`) or EHLO keywords (their parameters refused with `555 5.5.4`), not advertised "
        'either. PIPELINING and ENHANCEDSTATUSCODES are only not advertised. `disable={"EHLO"}` forces HELO',
        normalise=_keywords("disable", "verb or EHLO keyword", verbs=True),
    ),
    "advertise": Setting(
        (),
        _are_lines,
        "a collection of EHLO lines, like ['DELIVERBY 3600']",
        "protocol",
        "further EHLO lines, offered beside the others; one text is one line. Parameters named like such a keyword are "
        "accepted, and kept in `Address.args`",
        normalise=_lines,
    ),
    "lmtp": Setting(
        False,
        *_A_FLAG,
        "protocol",
        "LMTP (RFC 2033): LHLO, and a reply for each accepted recipient after the data",
        at_start=True,
    ),
    "proxy_protocol": Setting(
        False, *_A_FLAG, "protocol", "each connection begins with a PROXY header, version 1 or 2", at_start=True
    ),
    "xclient": Setting(False, *_A_FLAG, "protocol", "Postfix's XCLIENT"),
    "xforward": Setting(False, *_A_FLAG, "protocol", "Postfix's XFORWARD"),
    "strict": Setting(
        False, *_A_FLAG, "protocol", "refuse what RFC 5321 forbids and servers usually tolerate, see below"
    ),
    "name": Setting(
        "smtpd",
        is_word,
        "a name",
        "reports",
        "what reports call this server, and what the match key `name` compares",
    ),
}


class Settings(Options):
    """All settings of a server, as attributes. Made by ``make_settings``, which checks them; they cannot be changed."""

    host: str
    port: int
    path: str | Literal[True] | None
    certificate: CertificateMode
    client_certificate: ClientCertificateMode
    ssl_context: "ssl.SSLContext | None"
    trust: bool
    max_clients: int | None
    timeout: float | None
    name: str

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.__dict__.update({name: row.default for name, row in SETTINGS.items()}, cache={}, **given)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to {name!r}: settings are read-only")

    def __repr__(self) -> str:
        given = [
            f"{name}={'***' if row.secret else repr(value)}"
            for name, row in SETTINGS.items()
            if (value := getattr(self, name)) != row.default
        ]
        return f"Settings({', '.join(given)})"

    def changed(self, given: Mapping[str, Any]) -> "Settings":
        """The same with some others."""
        return Settings({name: getattr(self, name) for name in SETTINGS} | dict(given))

    def fixed_differences(self, other: "Settings") -> list[str]:
        """The settings in which ``other`` differs although they count only when a server starts."""
        names = [name for name, row in SETTINGS.items() if row.at_start and getattr(self, name) != getattr(other, name)]
        implicit = (self.tls == "implicit") != (other.tls == "implicit")
        return [*names, *(["tls"] if implicit else [])]


def check_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` in its final form. Raises ``TypeError`` for an unknown setting, ``ValueError`` for a wrong value."""
    for name, value in given.items():
        if name not in SETTINGS:
            raise TypeError(f"unknown setting {name!r}{did_you_mean(name, (*SETTINGS, 'on'), 'setting')}")
        row = SETTINGS[name]
        if not row.check(value):
            shown = _auth_shown(value) if row.secret else repr(value)
            near = did_you_mean(value, [choice for choice in row.choices if choice], "value", listing=False)
            raise ValueError(f"{name} must be {row.wanted}, not {shown}{near}")
    return {name: SETTINGS[name].normalise(value) for name, value in given.items()}


def _auth_shown(value: object) -> str:
    """What a wrong ``auth`` is, without the passwords in it."""
    if not isinstance(value, Mapping):
        return type(value).__name__
    wrong = [text for pair in value.items() for text in pair if not isinstance(text, str)]
    what = type(wrong[0]).__name__ if wrong else "text that cannot be encoded"
    return f"a dict with {what} in it; users and passwords are text"


def make_settings(given: Mapping[str, Any], base: Settings | None = None) -> Settings:
    """Checked settings; what ``given`` leaves out is as in ``base``, or the default.

    Raises ``TypeError`` or ``ValueError``, also for settings that contradict each other.
    """
    if not given:
        return base or Settings({})
    checked = check_settings(given)
    settings = Settings(checked) if base is None else base.changed(checked)
    for name, others, instead in _CONTRADICTIONS:
        for other in others if getattr(settings, name) is None else ():
            if getattr(settings, other) != SETTINGS[other].default and getattr(settings, other):
                raise ValueError(
                    f"{name}=None and {other}={getattr(settings, other)!r} contradict each other: "
                    f"leave out one of them; {instead}"
                )
    return settings


# (a setting, what makes no sense if it is None, how to say what may be meant)
_CONTRADICTIONS: Final = (
    (
        "tls",
        ("require_tls", "certificate", "client_certificate"),
        "to demand TLS that is not offered: hide={'STARTTLS'}",
    ),
    ("auth", ("require_auth", "auth_methods"), "to demand a login that is not offered: hide={'AUTH'}"),
)
