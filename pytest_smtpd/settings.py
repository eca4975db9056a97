"""SETTINGS: one row for each setting: its default, its possible values, and where it is read."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypedDict, get_args

from pytest_smtpd.checks import is_flag, is_line, is_seconds, is_word
from pytest_smtpd.kinds import (
    A_CHOICE,
    A_COUNT,
    A_FLAG,
    Check,
    Choices,
    are_lines,
    are_names,
    are_words,
    is_auth,
    is_context,
    is_path,
    is_port,
    or_none,
    read_keywords,
    read_lines,
    read_methods,
    read_names,
    read_profile,
)
from pytest_smtpd.smtp.extensions import EXTENSIONS, keyword_of
from pytest_smtpd.smtp.options import AuthMethod, Introduction, Options, TLSMode
from pytest_smtpd.smtp.passwords import SHORTEST_KNOWN
from pytest_smtpd.smtp.sasl import MECHANISMS
from pytest_smtpd.smtp.table import Table, not_callable
from pytest_smtpd.smtp.values import described, quoted, safe_repr
from pytest_smtpd.suggest import did_you_mean

if TYPE_CHECKING:
    import ssl

__tracebackhide__ = True  # errors point at the caller's line

CertificateMode = Literal["valid", "expired", "not-yet-valid", "wrong-host", "untrusted", "self-signed"]
ClientCertificateMode = Literal["none", "optional", "required"]

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


class SettingsError(ValueError):
    """Settings that do not go together, or that a running server cannot change; ``names`` are theirs."""

    __module__ = "pytest_smtpd"

    def __init__(self, problem: str, *names: str) -> None:
        super().__init__(problem)
        self.names = names


class SettingsDict(TypedDict, total=False):
    """The settings as keyword arguments, for type checkers."""

    host: str
    port: int
    path: str | os.PathLike[str] | Literal[True] | None
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
    profile: str | None
    lint: bool | str | Collection[str]
    lint_ignore: str | Collection[str]
    name: str


class SweepOptions(TypedDict, total=False):
    """The options of a sweep, for type checkers; ``sweep.options.OPTIONS`` has their meanings."""

    level: Literal["quick", "full"]
    only: str | Iterable[str]
    skip: str | Iterable[str]
    timeout: float | None
    budget: float | None
    split: int
    expect: Mapping[str, str]
    strict: bool


class Settings(Options):
    """All settings of a server, as attributes. Made by ``make_settings``, which checks them; they cannot be changed.

    ``given`` are those that were not left out.
    """

    host: str
    port: int
    path: str | Literal[True] | None
    certificate: CertificateMode
    client_certificate: ClientCertificateMode
    ssl_context: "ssl.SSLContext | None"
    trust: bool
    max_clients: int | None
    timeout: float | None
    profile: str | None
    lint: bool | str | frozenset[str]
    lint_ignore: frozenset[str]
    name: str
    given: Mapping[str, Any]

    def __init__(self, given: Mapping[str, Any]) -> None:
        fields = _introduced(given) if given.get("profile") else given
        defaults = {name: row.default for name, row in SETTINGS.items()}
        self.__dict__.update(defaults, cache={}, given=given, **{"introduction": None, **fields})

    @cached_property
    def passwords(self) -> tuple[str, ...]:
        """Every secret among the settings that is long enough to be masked wherever it is seen, the longest first."""
        values = [getattr(self, name) for name, row in SETTINGS.items() if row.secret]
        texts = [text for value in values for text in (value.values() if isinstance(value, Mapping) else (value,))]
        known = [text for text in texts if isinstance(text, str) and len(text) >= SHORTEST_KNOWN]
        return tuple(sorted(known, key=len, reverse=True))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to {name!r}: settings are read-only")

    def __repr__(self) -> str:
        given = [
            f"{name}={'***' if row.secret else safe_repr(value)}"
            for name, row in SETTINGS.items()
            if (value := getattr(self, name)) != row.default
        ]
        return f"Settings({', '.join(given)})"

    def changed(self, given: Mapping[str, Any]) -> "Settings":
        """The same settings with some changed."""
        return Settings({**self.given, **given})

    def fixed_differences(self, other: "Settings") -> list[str]:
        """The settings in which ``other`` differs although they count only when a server starts."""
        names = [name for name, row in SETTINGS.items() if row.at_start and getattr(self, name) != getattr(other, name)]
        implicit = (self.tls == "implicit") != (other.tls == "implicit")
        return [*names, *(["tls"] if implicit else [])]


Where = Literal["listener", "protocol", "conversation", "certificates", "plugin", "lint", "settings", "reports"]


class Setting(NamedTuple):
    """A row. ``check`` tests whether a value is of the right kind, and ``wanted`` names that kind in an error; without
    them it may be one of its ``choices``. ``{mechanisms}`` in ``wanted`` stands for the names of the AUTH mechanisms.

    ``read_by`` is where the setting is read, ``at_start`` whether it only counts when a server starts. ``normalise``
    gives a value its final form, and may raise ``ValueError``. ``choices`` are the words that it may be, if it is one
    of a few, each with its meaning. ``secret`` values are shown in no text. ``meaning`` is Markdown for the reference.
    """

    default: Any
    check: Check | None
    wanted: str
    read_by: Where
    meaning: str
    at_start: bool = False
    normalise: Callable[[Any], Any] = lambda value: value
    choices: Choices = MappingProxyType({})
    secret: bool = False

    def accepts(self, value: object) -> bool:
        """Whether it may have this value."""
        if self.check is not None:
            return self.check(value)
        return isinstance(value, str | None) and value in self.choices

    @property
    def kind(self) -> str:
        """The kind of its values, for an error."""
        wanted = self.wanted.replace("{mechanisms}", ", ".join(MECHANISMS))
        return wanted or f"one of {', '.join(map(repr, self.choices))}"

    def problems(self, name: str) -> Iterator[str]:
        """The mistakes in a row."""
        if not name.isidentifier() or name in ("on", "cache", "given") or hasattr(Settings, name):
            yield "its name must be one that a keyword argument can have, and nothing else of Settings has"
        if not self.meaning or not (self.wanted or self.choices):
            yield "meaning= must say what it does, and wanted= or choices= what it may be"
        if self.read_by not in get_args(Where):
            yield f"unknown read_by={self.read_by!r} (valid: {', '.join(get_args(Where))})"
        yield from not_callable(normalise=self.normalise, check=self.accepts if self.check is None else self.check)
        if not self.accepts(self.default) or self.normalise(self.default) != self.default:
            yield f"default={self.default!r} is not {self.kind}, in its final form"
        for choice in self.choices:
            if not self.accepts(choice):
                yield f"choices= has {choice!r}, which check= refuses"


# --- the table ------------------------------------------------------------------------------------------------------

_ROWS: Final = {
    "host": Setting(
        "127.0.0.1",
        is_word,
        "an address like '127.0.0.1'",
        "listener",
        "the address to listen on; loopback unless you set another",
        at_start=True,
    ),
    "port": Setting(
        0,
        is_port,
        "a port number from 0 to 65535 (0: a free one)",
        "listener",
        "the port; 0 is a free one",
        at_start=True,
    ),
    "path": Setting(
        None,
        is_path,
        "the path of a Unix socket, True for one in a folder of its own, or None",
        "listener",
        "a Unix socket instead of host and port: its path, or `True` for one in a folder of its own, which is removed "
        "at stop. `server.host` is then that path, and `server.port` 0",
        at_start=True,
        normalise=lambda value: os.fspath(value) if isinstance(value, os.PathLike) else value,
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
        None,
        "None, 'starttls' or 'implicit'",
        "protocol",
        '`None`, `"starttls"` or `"implicit"`',
        choices=_TLS,
    ),
    "require_tls": Setting(
        False,
        *A_FLAG,
        "protocol",
        "everything but NOOP, EHLO, HELO, LHLO, STARTTLS, RSET and QUIT is refused with `530 5.7.0` until TLS is on",
    ),
    "certificate": Setting(
        "valid",
        *A_CHOICE,
        "certificates",
        "which certificate the server shows",
        at_start=True,
        choices=_CERTIFICATES,
    ),
    "client_certificate": Setting(
        "none",
        *A_CHOICE,
        "certificates",
        "whether the client has to show one, signed by `smtpd_ca`",
        at_start=True,
        choices=_CLIENT_CERTIFICATES,
    ),
    "ssl_context": Setting(
        None,
        is_context,
        "an ssl.SSLContext, or None",
        "certificates",
        "your own server-side `ssl.SSLContext`, instead of the two above. `session.tls.server_name` is then `None`",
        at_start=True,
    ),
    "trust": Setting(
        True,
        *A_FLAG,
        "plugin",
        "for the length of the test, `ssl.create_default_context()` in this process and its children trusts the test "
        "CA as well as the system's. See [TLS](../how-to/tls.md)",
    ),
    "auth": Setting(
        "any",
        is_auth,
        "'any', a dict of user: password, or None",
        "protocol",
        '`"any"`: every login succeeds and is recorded. A dict of `{user: password}`: only these; the value is also '
        "the token of XOAUTH2 and OAUTHBEARER. `None`: AUTH is not offered",
        normalise=lambda value: dict(value) if isinstance(value, Mapping) else value,
        secret=True,
    ),
    "require_auth": Setting(
        None,
        or_none(is_flag),
        "True or False",
        "protocol",
        "`530 5.7.0 Authentication required` before MAIL. `None` means `True` if `auth` is a dict, else `False`",
    ),
    "auth_methods": Setting(
        None,
        or_none(are_words),
        "a list of {mechanisms}",
        "protocol",
        'the mechanisms on offer, in this order. `None` means all that `auth` can decide: with `"any"` all but SCRAM, '
        "for which the server would have to know the password",
        normalise=read_methods,
    ),
    "auth_requires_tls": Setting(
        False, *A_FLAG, "protocol", "AUTH is hidden, and refused with `538 5.7.11`, until TLS is on"
    ),
    "size": Setting(
        None,
        *A_COUNT,
        "protocol",
        "the largest message in bytes: advertised, and enforced at `MAIL SIZE=` and at the end of the data with "
        "`552 5.3.4`",
    ),
    "max_recipients": Setting(
        None,
        *A_COUNT,
        "protocol",
        "the largest number of recipients of a message: a further one is refused with `452 4.5.3`, and the `rcpt_to` "
        "hook is not asked. Advertised as `LIMITS RCPTMAX`",
    ),
    "max_messages": Setting(
        None,
        *A_COUNT,
        "protocol",
        "the largest number of messages on a connection, accepted or not: the next MAIL gets `421 4.7.0`. Advertised "
        "as `LIMITS MAILMAX`",
    ),
    "max_clients": Setting(
        None,
        *A_COUNT,
        "conversation",
        "the largest number of open connections: a further one gets `421 4.3.2` instead of the greeting",
    ),
    "timeout": Setting(
        None,
        or_none(lambda value: is_seconds(value) and value > 0),
        "a number of seconds above 0, or None",
        "conversation",
        "seconds of silence before `421 4.4.2`, not counted while a hook is pending; inside a handshake or a PROXY "
        "header the connection just closes. None by default, so that a client can be stopped in a debugger",
    ),
    "hide": Setting(
        frozenset(),
        are_words,
        "a collection of EHLO keywords, like {'SIZE'}",
        "protocol",
        "EHLO keywords that are not advertised, but work",
        normalise=read_keywords("hide", "EHLO keyword", verbs=False),
    ),
    "disable": Setting(
        frozenset(),
        are_words,
        "a collection of verbs and EHLO keywords, like {'VRFY'}",
        "protocol",
        "verbs (refused with `502 5.5.1`) or EHLO keywords (their parameters refused with `555 5.5.4`), not advertised "
        'either. PIPELINING and ENHANCEDSTATUSCODES are only not advertised. `disable={"EHLO"}` forces HELO',
        normalise=read_keywords("disable", "verb or EHLO keyword", verbs=True),
    ),
    "advertise": Setting(
        (),
        are_lines,
        "a collection of EHLO lines, like ['DELIVERBY 3600']",
        "protocol",
        "further EHLO lines, offered beside the others; one text is one line. MAIL and RCPT parameters of that name "
        "are accepted, and kept in `Address.args`",
        normalise=read_lines,
    ),
    "lmtp": Setting(
        False,
        *A_FLAG,
        "protocol",
        "LMTP (RFC 2033): LHLO, and a reply for each accepted recipient after the data",
        at_start=True,
    ),
    "proxy_protocol": Setting(
        False, *A_FLAG, "protocol", "each connection begins with a PROXY header, version 1 or 2", at_start=True
    ),
    "xclient": Setting(False, *A_FLAG, "protocol", "Postfix's XCLIENT"),
    "xforward": Setting(False, *A_FLAG, "protocol", "Postfix's XFORWARD"),
    "strict": Setting(
        False, *A_FLAG, "protocol", "refuse what RFC 5321 forbids and servers usually tolerate, see below"
    ),
    "profile": Setting(
        None,
        or_none(is_word),
        "the name of a provider, like 'gmail', or None",
        "settings",
        "introduce itself as the server of a [provider](providers.md#profiles): greeting, EHLO list, and the limits "
        "that it names. What it does not list is disabled. Settings that are given beside it win",
        normalise=read_profile,
    ),
    "lint": Setting(
        False,
        lambda value: is_flag(value) or are_names(value),
        "True, False, 'warn', 'all', the name of a lint rule, or a collection of names",
        "lint",
        "fail a test that passed otherwise for what its client did wrong, by the [lint rules](lint.md): `True` for the "
        'default ones, `"all"`, or these (a name, or a collection of names); `"warn"`: an `SMTPLintWarning` for the '
        "default ones. Whatever it is, `smtpd.lint` has the findings of all",
        normalise=lambda value: value if isinstance(value, bool | str) else frozenset(value),
    ),
    "lint_ignore": Setting(
        frozenset(),
        are_names,
        "the name of a lint rule, or a collection of names",
        "lint",
        "[lint rules](lint.md) that `lint` does not ask for",
        normalise=read_names,
    ),
    "name": Setting(
        "smtpd",
        is_word,
        "a name",
        "reports",
        "what reports call this server, and what the match key `name` compares",
    ),
}
SETTINGS: Final = Table("setting", Setting.problems, _ROWS)


def _introduced(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of a server that introduces itself as another: what ``profile`` says, unless it is given."""
    from pytest_smtpd import providers

    found = providers.profile(given["profile"])
    clear, under_tls = ({keyword_of(line) for line in lines[1:]} for lines in found.ehlo)
    unlisted = {
        keyword
        for keyword, row in EXTENSIONS.items()
        if keyword not in clear | under_tls and not row.decided_by & given.keys()
    }
    usual: dict[str, Any] = {"size": found.size, "max_recipients": found.max_recipients}
    if "AUTH" in clear | under_tls:
        usual["auth_methods"] = tuple(method for method in found.auth_methods if method in MECHANISMS)
        usual["auth_requires_tls"] = "AUTH" not in clear
    return {
        **usual,
        **given,
        "disable": given.get("disable", frozenset()) | (unlisted - given.get("hide", frozenset())),
        "introduction": Introduction(found.greeting, *found.ehlo, frozenset(given)),
    }


def check_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` in its final form. Raises ``TypeError`` for an unknown setting, ``ValueError`` for a wrong value."""
    for name, value in given.items():
        if name not in SETTINGS:
            raise TypeError(f"unknown setting {quoted(str(name))}{_hint(name)}")
        row = SETTINGS[name]
        if not row.accepts(value):
            shown = _secret_shown(value) if row.secret else described(value)
            choices = [choice for choice in row.choices if choice] if isinstance(value, str) else []
            near = did_you_mean(value, choices, "value", listing=False)
            raise ValueError(f"{name} must be {row.kind}, not {shown}{near}")
    return {name: SETTINGS[name].normalise(value) for name, value in given.items()}


def _hint(name: object) -> str:
    """A hint at the setting that was probably meant by an unknown name."""
    from pytest_smtpd.rules.match import KEYS
    from pytest_smtpd.rules.options import OPTIONS

    of_a_rule = name in OPTIONS or name in KEYS or name == "code"
    advice = 'that belongs to a rule: @pytest.mark.smtpd_on("rcpt_to", ...), or on=[on("rcpt_to", ...)]'
    return did_you_mean(name, (*SETTINGS, "on"), "setting", advice=advice if of_a_rule else "")


def _secret_shown(value: object) -> str:
    """What a wrong value is, without the secrets in it."""
    if not isinstance(value, Mapping):
        return f"a {type(value).__name__}"
    wrong = [text for pair in value.items() for text in pair if not isinstance(text, str)]
    what = type(wrong[0]).__name__ if wrong else "text that cannot be encoded"
    return f"a dict with {what} in it; users and passwords are text"


def make_settings(given: Mapping[str, Any], base: Settings | None = None) -> Settings:
    """Checked settings; what ``given`` leaves out is as in ``base``, or the default.

    Raises ``TypeError`` or ``ValueError``, also for settings that contradict each other.
    """
    if not given:
        return base or _defaults(Table.changes)
    checked = check_settings(given)
    settings = Settings(checked) if base is None else base.changed(checked)
    for name, makes_senseless, others, instead in _CONTRADICTIONS:
        value = getattr(settings, name)
        for other in others if makes_senseless(value) else ():
            given_too = settings.given.get(other)
            if given_too and given_too != SETTINGS[other].default:
                both = f"{_as_written(name, value)} and {_as_written(other, given_too)}"
                raise SettingsError(f"{both} contradict each other: leave out one of them{instead}", name, other)
    return settings


@lru_cache(maxsize=1)
def _defaults(changes: int) -> Settings:
    """The settings of every server to which none were given: one object, with all that has been derived from them.

    It is made anew when a table has changed.
    """
    return Settings({})


def _as_written(name: str, value: object) -> str:
    """A setting as its keyword argument; only the name, if the value is no literal of one word."""
    return f"{name}={value!r}" if isinstance(value, str | int | None) else name


def _is_none(value: object) -> bool:
    return value is None


def _is_given(value: object) -> bool:
    return value is not None


# (a setting, its values that exclude others, these others, how to express the likely intent)
_CONTRADICTIONS: Final = (
    (
        "tls",
        _is_none,
        ("require_tls", "certificate", "client_certificate", "ssl_context", "auth_requires_tls"),
        "; to demand TLS that is not offered: hide={'STARTTLS'}",
    ),
    (
        "auth",
        _is_none,
        ("require_auth", "auth_methods", "auth_requires_tls"),
        "; to demand a login that is not offered: hide={'AUTH'}",
    ),
    ("ssl_context", _is_given, ("certificate", "client_certificate"), ", or put it into the context"),
    ("path", _is_given, ("port", "host"), ""),
)
