"""One table of match keys for rules and queries. To match is to have no differences: one truth selects and explains."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from itertools import takewhile
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict, TypeVar

from pytest_smtpd.suggest import did_you_mean

if TYPE_CHECKING:
    from pytest_smtpd.calls import Call
    from pytest_smtpd.smtp.envelope import Envelope
    from pytest_smtpd.smtp.session import Session

    Subject: TypeAlias = Call | Envelope | Session

__tracebackhide__ = True  # what is raised here is about the line that called

S = TypeVar("S", bound="Subject")
Fold = Callable[[str], str]


class Match(TypedDict, total=False):
    """The match keys, for type checkers; each takes a text or pattern, a ``re.Pattern``, a callable or a value."""

    to: Any
    mail_from: Any
    subject: Any
    user: Any
    verb: Any
    name: Any
    when: Callable[[Any], object]


class EnvelopeMatch(Match, total=False):
    """Match keys and attributes of envelopes."""

    accepted: bool
    text: Any
    html: Any
    content: Any
    size: Any
    body_type: Any
    smtp_utf8: bool
    require_tls: bool
    reply: Any
    session: Any
    id: Any


class CallMatch(Match, total=False):
    """Match keys and attributes of calls."""

    outcome: Any
    reply: Any
    code: Any
    rule: Any
    session: Any
    error: Any
    number: Any


class SessionMatch(Match, total=False):
    """Match keys and attributes of sessions."""

    secure: bool
    closed: bool
    id: Any
    hostname_appears_as: Any
    opening_command: Any
    transmission_type: Any
    remote_address: Any
    client_hostname: Any


def fold_address(text: str) -> str:
    """Addresses compare without case in the domain (RFC 5321 section 2.4)."""
    local, at, domain = text.rpartition("@")
    return f"{local}{at}{domain.lower()}" if at else text


def _same(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Key:
    """A row: how to find the values (any one of them may match), and what case means to them."""

    values: Callable[["Subject"], Any]
    fold: Fold = _same
    many: bool = False


def _envelope_of(subject: Any) -> Any:
    """What is known of the message: the finished envelope of a call, or the transaction so far."""
    finished = getattr(subject, "envelope", None)
    return finished if finished is not None else getattr(getattr(subject, "session", None), "envelope", None)


def _to(subject: Any) -> tuple[str, ...]:
    if getattr(subject, "hook", None) == "rcpt_to":
        return (subject.argument,)
    if hasattr(subject, "rcpt_to"):
        return tuple(subject.rcpt_to)
    mail = getattr(subject, "mail", None)
    return tuple(mail.recipients) if mail else ()


def _mail_from(subject: Any) -> str | None:
    if getattr(subject, "hook", None) == "mail_from":
        return str(subject.argument)
    if hasattr(subject, "mail_from"):
        return str(subject.mail_from)
    mail = getattr(subject, "mail", None)
    return str(mail.mail_from) if mail else None


def _subject(subject: Any) -> str | None:
    envelope = subject if hasattr(subject, "rcpt_to") else _envelope_of(subject)
    return None if envelope is None else envelope.subject


def _user(subject: Any) -> Any:
    if getattr(subject, "hook", None) == "auth":
        return subject.argument.username
    return subject.user if hasattr(subject, "user") else subject.session.user


def _verb(subject: Any) -> str | None:
    return subject.argument.verb if getattr(subject, "hook", None) == "command" else None


def _name(subject: Any) -> str:
    return str(getattr(subject, "session", subject).server)


KEYS: Final[Mapping[str, Key]] = {
    "to": Key(_to, fold_address, many=True),
    "mail_from": Key(_mail_from, fold_address),
    "subject": Key(_subject),
    "user": Key(_user),
    "verb": Key(_verb, str.upper),
    "name": Key(_name),
}
WHEN: Final = "when"
_WIDEST: Final = 200  # characters of a value in a failure text
_EXCERPT: Final = 40


def _attribute(name: str) -> Key:
    return Key(attrgetter(name))


# Queries also take what a subject simply has.
ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "Envelope": tuple(key for key in EnvelopeMatch.__annotations__ if key not in Match.__annotations__),
    "Call": tuple(key for key in CallMatch.__annotations__ if key not in Match.__annotations__),
    "Session": tuple(key for key in SessionMatch.__annotations__ if key not in Match.__annotations__),
}
# An envelope has them as attributes; asking it so is what makes a query among 100,000 quick.
_ENVELOPE_KEYS: Final[Mapping[str, Key]] = {
    "to": Key(attrgetter("rcpt_to"), fold_address, many=True),
    "mail_from": Key(attrgetter("mail_from"), fold_address),
}
_QUERY_KEYS: Final[Mapping[str, Mapping[str, Key]]] = {
    kind: {
        **KEYS,
        **(_ENVELOPE_KEYS if kind == "Envelope" else {}),
        **{name: _attribute(name) for name in names},
    }
    for kind, names in ATTRIBUTES.items()
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Why a subject does not match: the key, what was asked for, what is there."""

    key: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        if self.key == WHEN:
            return f"when={shown(self.expected)} is not true"
        return f"{self.key} is {cut(shown(self.actual))}, not {cut(shown(self.expected))}{self._parting()}"

    def _parting(self) -> str:
        """Where two long texts part that begin alike."""
        for kind in (str, bytes):
            if isinstance(self.expected, kind) and isinstance(self.actual, kind):
                alike = takewhile(lambda pair: pair[0] == pair[1], zip(self.actual, self.expected, strict=False))
                place = sum(1 for _ in alike)
                found, wanted = self.actual[place:][:_EXCERPT], self.expected[place:][:_EXCERPT]
                return f" (from character {place + 1} on: {found!r}, not {wanted!r})" if place >= _EXCERPT else ""
        return ""


def cut(text: str) -> str:
    """A text of any length, as much of it as a failure text has room for."""
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]} ... ({len(text)} characters)"


def shown(value: object) -> str:
    """A value as it stands in rules, reports and failure texts."""
    if isinstance(value, re.Pattern):
        flags = value.flags & ~re.UNICODE
        return f"re.compile({value.pattern!r}{f', {re.RegexFlag(flags)!r}' if flags else ''})"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    if isinstance(value, tuple) and len(value) == 1:
        return shown(value[0])
    if isinstance(value, str):
        return repr(str(value))
    if isinstance(value, tuple):
        return f"({', '.join(shown(item) for item in value)})"
    text = repr(value)
    if " at 0x" in text:  # an address means nothing to people, and is another one in each worker of xdist
        return shown(value.func) if isinstance(value, partial) else type(value).__name__
    return text


def agrees(expected: Any, actual: Any, fold: Fold = _same) -> bool:
    """A text matches if equal or as a shell pattern, a ``re.Pattern`` by search, a callable by its truth."""
    if isinstance(expected, str):
        if not isinstance(actual, str):
            return False
        wanted, found = fold(expected), fold(actual)
        return wanted == found or fnmatchcase(found, wanted)
    if isinstance(expected, re.Pattern):
        text = actual.decode("utf-8", "replace") if isinstance(actual, bytes) else actual
        return isinstance(text, str) and expected.search(text) is not None
    if callable(expected) and not isinstance(expected, type):
        return bool(expected(actual))
    plain = str(actual) if isinstance(actual, str) else actual  # some matchers look at the exact type
    return bool(expected == plain)


def _any_agrees(key: Key, expected: Any, actual: Any) -> bool:
    if not key.many:
        return agrees(expected, actual, key.fold)
    return any(agrees(expected, value, key.fold) for value in actual) or bool(
        not callable(expected) and expected == actual
    )


def is_addressed_to(address: str, expected: Any) -> bool:
    """Whether ``to=expected`` means this one recipient."""
    return _any_agrees(KEYS["to"], expected, (address,))


def differences(subject: "Subject", match: Mapping[str, Any], keys: Mapping[str, Key] = KEYS) -> Iterator[Difference]:
    """Every way in which ``subject`` is not what ``match`` asks for, in its order; ``when`` last."""
    for name, expected in match.items():
        if name == WHEN:
            continue
        actual = keys[name].values(subject)
        if not _any_agrees(keys[name], expected, actual):
            yield Difference(name, expected, actual)
    if WHEN in match and not match[WHEN](subject):
        yield Difference(WHEN, match[WHEN], None)


def matches(subject: "Subject", match: Mapping[str, Any], keys: Mapping[str, Key] = KEYS) -> bool:
    """Whether there are no differences."""
    return not match or next(differences(subject, match, keys), None) is None


def selected(subjects: Iterable[S], match: Mapping[str, Any], keys: Mapping[str, Key]) -> list[S]:
    """Those that match, in order. Of 100,000 envelopes most are excluded at a glance, by another address."""
    for name in _ENVELOPE_KEYS if keys is _QUERY_KEYS["Envelope"] else ():
        expected = match.get(name)
        if isinstance(expected, str) and not _WILDCARD.search(expected):
            subjects = _candidates(subjects, keys[name], expected.lower())
    return [subject for subject in subjects if matches(subject, match, keys)]


def _candidates(subjects: Iterable[S], key: Key, lower: str) -> list[S]:
    """Those of which a value equals the text, case aside."""
    values = key.values
    if not key.many:
        return [one for one in subjects if values(one).lower() == lower]
    found = []
    for one in subjects:  # loops, not calls: this is what a long log waits for
        for value in values(one):
            if value.lower() == lower:
                found.append(one)
                break
    return found


_WILDCARD: Final = re.compile(r"[*?\[]")


def query_keys(kind: str, match: Mapping[str, Any]) -> Mapping[str, Key]:
    """The keys of a query for this kind of subject. Raises ``TypeError`` for one that it does not have."""
    keys = _QUERY_KEYS[kind]
    for name in match:
        if name != WHEN and name not in keys:
            raise TypeError(f"unknown match key {name!r}{did_you_mean(name, (*keys, WHEN))}")
    if WHEN in match and not callable(match[WHEN]):
        raise TypeError(f"when must be a function, not {match[WHEN]!r}")
    return keys
