"""EXTENSIONS: one row for each EHLO keyword: when it is offered, and its parameters of MAIL and RCPT."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.address import Address, EnvelopeDSN, RecipientDSN
from pytest_smtpd.smtp.grammar import Refused, decode_xtext, upper
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.session import OWN_FIELDS, Envelope, Session
from pytest_smtpd.smtp.states import SEQUENCE
from pytest_smtpd.smtp.table import Table, not_callable
from pytest_smtpd.smtp.values import is_keyword
from pytest_smtpd.smtp.xclient import XCLIENT_NAMES, XFORWARD_NAMES

Value = str | bool
Reader = Callable[[Value, Options, Session], Any]
_NO_PARAMETERS: Final[Mapping[str, "Parameter"]] = MappingProxyType({})
ABSENT: Final = {"MAIL": ("absent", "MAIL"), "RCPT": ("absent", "RCPT")}


class Parameter(NamedTuple):
    """An ESMTP parameter: how its value is read, and the attribute that it fills.

    ``attribute`` is that of the envelope (for MAIL) or of the address (for RCPT) which the value fills; "" where it is
    only checked. Where several parameters fill one value together, ``whole`` makes that value, and ``part`` is the
    keyword of this one. Without the parameter the attribute has the default of its class, else ``absent``.
    """

    read: Reader
    attribute: str = ""
    part: str = ""
    whole: Callable[..., Any] | None = None
    absent: Any = None

    def problems(self, name: str, verb: str) -> Iterator[str]:
        """The mistakes in it as a parameter of this verb."""
        if not is_keyword(name):
            yield "its name must be in upper case, of letters, digits and hyphens"
        yield from not_callable(read=self.read)
        owner, fields = (Envelope, OWN_FIELDS) if verb == "MAIL" else (Address, ("args",))
        there = getattr(owner, self.attribute, None) if self.attribute else None
        if self.attribute in fields or callable(there) or isinstance(there, property):
            yield f"{self.attribute!r} is {owner.__name__}'s own attribute, which no parameter may fill"
        if bool(self.part) != (self.whole is not None) or (self.part and not self.attribute):
            yield "part= is a part of an attribute= whose value whole= makes; give all three"
        elif self.whole is not None:
            try:
                self.whole(**{self.part: None})
            except TypeError as error:
                yield f"whole= takes no part {self.part!r}: {error}"


class Extension(NamedTuple):
    """A row. ``argument`` gives the text behind the keyword in the EHLO reply, None where it is not offered.

    ``more_octets`` is by how much the extension lengthens a verb's longest command (RFC 5321 section 4.5.3.1.4).
    ``settings`` decide the argument of its line, ``switches`` whether it is offered.
    """

    rfc: str
    argument: Callable[[Options, Session], str | None] = lambda options, session: ""
    mail: Mapping[str, Parameter] = _NO_PARAMETERS
    rcpt: Mapping[str, Parameter] = _NO_PARAMETERS
    more_octets: Mapping[str, int] = MappingProxyType({})
    settings: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()

    @property
    def decided_by(self) -> frozenset[str]:
        """All settings that affect it."""
        return self.settings | self.switches

    def parameters(self, verb: str) -> Mapping[str, Parameter]:
        """Those of MAIL or of RCPT."""
        return self.mail if verb == "MAIL" else self.rcpt

    def problems(self, keyword: str) -> Iterator[str]:
        """The mistakes in a row."""
        if not is_keyword(keyword):
            yield "its keyword must be in upper case, of letters, digits and hyphens (RFC 5321 section 4.1.1.1)"
        if not self.rfc:
            yield "rfc= must say where it is defined"
        yield from not_callable(argument=self.argument)
        for verb in ("MAIL", "RCPT"):
            for name, parameter in self.parameters(verb).items():
                yield from (f"{verb} parameter {name!r}: {problem}" for problem in parameter.problems(name, verb))
        for verb, octets in self.more_octets.items():
            if not any(verb in row for row in SEQUENCE.values()) or octets < 1:
                yield f"more_octets= is by how many octets which verb's command is longer, not {verb!r}: {octets!r}"


NOT_KNOWN: Final = Extension("")  # a keyword that stands in another server's list


def _text(value: Value) -> str:
    """The value, which must be there."""
    if not isinstance(value, str):
        raise Refused(replies.BAD_PARAMETER)
    return value


def _flag(value: Value, options: Options, session: Session) -> bool:
    if value is not True:
        raise Refused(replies.BAD_PARAMETER)
    return True


def _one_of(*words: str) -> Reader:
    def read(value: Value, options: Options, session: Session) -> str:
        word = upper(_text(value))
        if word not in words:
            raise Refused(replies.BAD_PARAMETER)
        return word

    return read


def _size(value: Value, options: Options, session: Session) -> int:
    """RFC 1870 section 5: up to 20 digits."""
    if not re.fullmatch(r"[0-9]{1,20}", _text(value)):
        raise Refused(replies.BAD_PARAMETER)
    return int(value)


def _body(value: Value, options: Options, session: Session) -> str:
    """RFC 6152 section 2 and RFC 3030 section 3."""
    word = _one_of("7BIT", "8BITMIME", "BINARYMIME")(value, options, session)
    needed = ("BINARYMIME", "CHUNKING") if word == "BINARYMIME" else ("8BITMIME",)
    if not all(map(options.accepts, needed)):
        raise Refused(replies.UNKNOWN_PARAMETER)
    return str(word).lower()


def _require_tls(value: Value, options: Options, session: Session) -> bool:
    """RFC 8689 section 2: only inside TLS."""
    _flag(value, options, session)
    if not session.secure:
        raise Refused(replies.REQUIRETLS_IN_CLEAR)
    return True


def _notify(value: Value, options: Options, session: Session) -> tuple[str, ...]:
    """RFC 3461 section 4.1: NEVER alone, or a list of the others."""
    words = tuple(upper(word) for word in _text(value).split(","))
    if words != ("NEVER",) and not set(words) <= {"SUCCESS", "FAILURE", "DELAY"}:
        raise Refused(replies.BAD_PARAMETER)
    return words


def _orcpt(value: Value, options: Options, session: Session) -> str:
    """RFC 3461 section 4.2: address type, semicolon, xtext."""
    kind, semicolon, address = _text(value).partition(";")
    if not kind or not semicolon or not address:
        raise Refused(replies.BAD_PARAMETER)
    return f"{kind};{decode_xtext(address)}"


def _envid(value: Value, options: Options, session: Session) -> str:
    """RFC 3461 section 4.4: at most 100 characters of xtext."""
    text = _text(value)
    if len(text) > 100:
        raise Refused(replies.BAD_PARAMETER)
    return decode_xtext(text)


def _submitter(value: Value, options: Options, session: Session) -> str:
    """RFC 4954 section 5: ``<>`` or a mailbox in xtext."""
    return decode_xtext(_text(value))


def _auth_methods(options: Options, session: Session) -> str | None:
    clear = options.auth_requires_tls and not session.secure
    return None if not options.methods or clear or session.user is not None else " ".join(options.methods)


def _limits(options: Options, session: Session) -> str | None:
    limits = {"MAILMAX": options.max_messages, "RCPTMAX": options.max_recipients}
    return " ".join(f"{name}={value}" for name, value in limits.items() if value is not None) or None


def _when(condition: Callable[[Options, Session], bool], text: str = "") -> Callable[[Options, Session], str | None]:
    return lambda options, session: text if condition(options, session) else None


_SMTPUTF8 = Parameter(_flag, "smtp_utf8")

_ROWS: Final = {
    "PIPELINING": Extension(rfc="RFC 2920"),
    "SIZE": Extension(
        rfc="RFC 1870",
        argument=lambda options, session: "" if options.size is None else str(options.size),
        mail={"SIZE": Parameter(_size)},
        more_octets={"MAIL": 26},
        settings=frozenset({"size"}),
    ),
    "8BITMIME": Extension(rfc="RFC 6152", mail={"BODY": Parameter(_body, "body_type")}, more_octets={"MAIL": 17}),
    "SMTPUTF8": Extension(rfc="RFC 6531", mail={"SMTPUTF8": _SMTPUTF8}, more_octets={"MAIL": 10, "VRFY": 9, "EXPN": 9}),
    "ENHANCEDSTATUSCODES": Extension(rfc="RFC 2034"),
    "DSN": Extension(
        rfc="RFC 3461",
        mail={
            "RET": Parameter(_one_of("FULL", "HDRS"), "dsn", "ret", EnvelopeDSN),
            "ENVID": Parameter(_envid, "dsn", "envid", EnvelopeDSN),
        },
        rcpt={
            "NOTIFY": Parameter(_notify, "dsn", "notify", RecipientDSN),
            "ORCPT": Parameter(_orcpt, "dsn", "orcpt", RecipientDSN),
        },
        more_octets={"MAIL": 107, "RCPT": 532},
    ),
    "CHUNKING": Extension(rfc="RFC 3030", argument=_when(lambda options, session: options.accepts("BDAT"))),
    "BINARYMIME": Extension(
        rfc="RFC 3030",
        argument=_when(lambda options, session: options.accepts("CHUNKING")),
        mail={"BODY": Parameter(_body, "body_type")},
    ),
    "STARTTLS": Extension(
        rfc="RFC 3207",
        argument=_when(lambda options, session: options.tls == "starttls" and not session.secure),
        switches=frozenset({"tls"}),
    ),
    "AUTH": Extension(
        rfc="RFC 4954",
        argument=_auth_methods,
        mail={"AUTH": Parameter(_submitter)},
        more_octets={"MAIL": 500},
        settings=frozenset({"auth_methods"}),
        switches=frozenset({"auth", "auth_requires_tls", "require_auth"}),
    ),
    "REQUIRETLS": Extension(
        rfc="RFC 8689",
        argument=_when(lambda options, session: session.secure),
        mail={"REQUIRETLS": Parameter(_require_tls, "require_tls")},
        more_octets={"MAIL": 11},
    ),
    "LIMITS": Extension(rfc="RFC 9422", argument=_limits, settings=frozenset({"max_messages", "max_recipients"})),
    "XCLIENT": Extension(
        rfc="Postfix XCLIENT",
        argument=_when(lambda options, session: options.xclient, " ".join(XCLIENT_NAMES)),
        switches=frozenset({"xclient"}),
    ),
    "XFORWARD": Extension(
        rfc="Postfix XFORWARD",
        argument=_when(lambda options, session: options.xforward, " ".join(XFORWARD_NAMES)),
        switches=frozenset({"xforward"}),
    ),
}
EXTENSIONS: Final = Table("EHLO keyword", Extension.problems, _ROWS)


def ehlo_keywords(options: Options, session: Session) -> tuple[str, ...]:
    """The keyword lines of the EHLO reply (RFC 5321 section 4.1.1.1)."""
    key = ("EHLO", session.tls is not None, session.user is not None)
    if key not in options.cache:
        own = {
            keyword: f"{keyword} {argument}".rstrip()
            for keyword, extension in EXTENSIONS.items()
            if options.shows(keyword) and (argument := extension.argument(options, session)) is not None
        }
        lines = own.values() if options.introduction is None else _introduced(options, session, own)
        options.cache[key] = (*lines, *options.advertise)
    found: tuple[str, ...] = options.cache[key]
    return found


def _introduced(options: Options, session: Session, own: Mapping[str, str]) -> Iterator[str]:
    """The lines of another server's list; a setting that a test has given beside it decides as it does without one."""
    assert options.introduction is not None
    _, clear, tls, given = options.introduction
    listed = {line: keyword_of(line) for line in (tls if session.secure else clear)[1:]}
    for line, keyword in listed.items():
        row = EXTENSIONS.get(keyword, NOT_KNOWN)
        if not options.shows(keyword) or (given & row.decided_by and keyword not in own):
            continue
        yield own[keyword] if given & row.settings else line
    for keyword, line in own.items():
        if given & EXTENSIONS[keyword].decided_by and keyword not in listed.values():
            yield line


def keyword_of(line: str) -> str:
    """The keyword of an EHLO line, in upper case; AUTH in the old form too, ``AUTH=PLAIN``."""
    return line.partition(" ")[0].partition("=")[0].upper()


def known_parameters(verb: str, options: Options) -> Mapping[str, Parameter | None]:
    """The parameters that MAIL or RCPT takes; None for one that only ``advertise`` offers, and that is not parsed."""
    key = ("parameters", verb)
    if key not in options.cache:
        advertised: Iterable[str] = (line.partition(" ")[0].upper() for line in options.advertise)
        options.cache[key] = dict.fromkeys(advertised) | _parameters_of_rows(verb, options)
    found: Mapping[str, Parameter | None] = options.cache[key]
    return found


def _parameters_of_rows(verb: str, options: Options) -> dict[str, Parameter | None]:
    known: dict[str, Parameter | None] = {}
    for keyword, row in EXTENSIONS.items():
        if not options.accepts(keyword) or (keyword == "AUTH" and not options.methods):
            continue
        for name, parameter in row.parameters(verb).items():
            if known.setdefault(name, parameter) != parameter:
                raise TypeError(f"{verb} parameter {name!r}: two EHLO keywords read it, each in its own way")
    return known


def read_parameters(verb: str, given: Mapping[str, Value], options: Options, session: Session) -> dict[str, Any]:
    """The attributes that the parameters of a MAIL or RCPT fill. Raises ``Refused``, with 555 for an unknown one."""
    if options.strict and session.opening_command == "HELO":  # RFC 5321 section 2.2.1: extensions need EHLO
        raise Refused(replies.UNKNOWN_PARAMETER)
    known = known_parameters(verb, options)
    if not given.keys() <= known.keys():
        raise Refused(replies.UNKNOWN_PARAMETER)
    attributes: dict[str, Any] = {}
    parts: dict[tuple[str, Callable[..., Any]], dict[str, Any]] = {}
    for name, text in given.items():
        parameter = known[name]
        value = None if parameter is None else parameter.read(text, options, session)
        if parameter is not None and parameter.whole is not None:
            parts.setdefault((parameter.attribute, parameter.whole), {})[parameter.part] = value
        elif parameter is not None and parameter.attribute:
            attributes[parameter.attribute] = value
    return attributes | {attribute: whole(**values) for (attribute, whole), values in parts.items()}


def absent_parameters(verb: str, options: Options) -> Mapping[str, Any]:
    """The attributes that parameters of MAIL or RCPT fill and the class lacks, as they are without the parameters.

    They are kept in the options' cache, by ``ABSENT``.
    """
    key, owner = ABSENT[verb], Envelope if verb == "MAIL" else Address
    if key not in options.cache:
        options.cache[key] = {
            parameter.attribute: parameter.absent
            for row in EXTENSIONS.values()
            for parameter in row.parameters(verb).values()
            if parameter.attribute and not hasattr(owner, parameter.attribute)
        }
    found: Mapping[str, Any] = options.cache[key]
    return found


def longest_command(verb: str, options: Options) -> int:
    """RFC 5321 section 4.5.3.1.4: 512 octets with CRLF, and what each extension in use adds."""
    return 512 + sum(row.more_octets.get(verb, 0) for keyword, row in EXTENSIONS.items() if options.accepts(keyword))
