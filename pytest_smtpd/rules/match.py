"""KEYS: one row for each match key of rules and queries.

To match is to have no differences, so what selects a value also explains why another was not selected.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import takewhile
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple, TypedDict, TypeVar

from pytest_smtpd.rules.hooks import Feature, has
from pytest_smtpd.rules.shown import cut, shown
from pytest_smtpd.smtp.grammar import fold_address
from pytest_smtpd.suggest import did_you_mean

__tracebackhide__ = True  # errors point at the caller's line

_EXCERPT: Final = 40  # characters of a text from where it differs

S = TypeVar("S")
Fold = Callable[[str], str]
Kind = Literal["Envelope", "Call", "Session"]


class Match(TypedDict, total=False):
    """The match keys, for type checkers; each takes a text or pattern, a ``re.Pattern``, a set, a value or a
    function.
    """

    to: Any
    mail_from: Any
    rcpt_to: Any
    subject: Any
    header: Mapping[str, Any]
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
    heard: Any


class SessionMatch(Match, total=False):
    """Match keys and attributes of sessions."""

    secure: bool
    closed: bool
    ended: Any
    id: Any
    hostname_appears_as: Any
    opening_command: Any
    transmission_type: Any
    remote_address: Any
    client_hostname: Any


def _same(text: str) -> str:
    return text


class Key(NamedTuple):
    """A row: what a key compares, of each kind of subject.

    ``call``, ``envelope`` and ``session`` give the value (of ``many`` values, a sequence); None: this kind has none.
    ``agree`` compares it with what is asked for. ``fold`` takes away the differences that do not matter. ``needs`` is
    the feature that the hook point of a rule must have (see ``hooks.Feature``). ``reads_content`` is whether the value
    is only there when the message is complete, and takes time to read. ``meaning`` is Markdown for the reference.
    """

    meaning: str
    call: Callable[[Any], Any] | None
    envelope: Callable[[Any], Any] | None
    session: Callable[[Any], Any] | None
    needs: Feature | None = None
    fold: Fold = _same
    agree: "Callable[[Key, Any, Any], bool]" = lambda key, expected, actual: agrees(expected, actual, key.fold)
    takes_lists: bool = False
    reads_content: bool = False

    def value(self, kind: Kind, subject: Any) -> Any:
        """The value of a subject."""
        read = getattr(self, kind.lower())
        return None if read is None else read(subject)


# --- what is compared -----------------------------------------------------------------------------------------------


def agrees(expected: Any, actual: Any, fold: Fold = _same) -> bool:
    """Whether a value is what is asked for.

    A text matches if equal or as a shell pattern, a ``re.Pattern`` by search, a set if any of its members does, a
    callable by its truth, anything else if it is equal.
    """
    if isinstance(expected, str):
        if not isinstance(actual, str):
            return False
        wanted, found = fold(expected), fold(actual)
        return wanted == found or fnmatchcase(found, wanted)
    if isinstance(expected, set | frozenset):
        return any(agrees(one, actual, fold) for one in expected)
    if isinstance(expected, re.Pattern):
        text = actual.decode("utf-8", "replace") if isinstance(actual, bytes) else actual
        return isinstance(text, str) and expected.search(text) is not None
    if callable(expected) and not isinstance(expected, type):
        return bool(expected(actual))
    plain = str(actual) if isinstance(actual, str) else actual  # some matchers look at the exact type
    return bool(expected == plain)


def _any_agrees(key: Key, expected: Any, actual: Any) -> bool:
    """One of several values is enough; what is no text, pattern or set may also be equal to all of them."""
    if any(agrees(expected, value, key.fold) for value in actual):
        return True
    return not callable(expected) and bool(expected == actual)


def _all_agree(key: Key, expected: Any, actual: Any) -> bool:
    """All of them, in order; in a set, any such sequence."""
    if isinstance(expected, set | frozenset):
        return any(_all_agree(key, one, actual) for one in expected)
    if isinstance(expected, tuple | list):
        pairs = zip(expected, actual, strict=False)
        return len(expected) == len(actual) and all(agrees(one, found, key.fold) for one, found in pairs)
    return bool(expected(actual) if callable(expected) else expected == tuple(map(str, actual)))


def _headers_agree(key: Key, expected: Mapping[str, Any], actual: Any) -> bool:
    return next(_header_differences(expected, actual), None) is None


def _header_differences(expected: Mapping[str, Any], message: Any) -> Iterator["Difference"]:
    for name, wanted in expected.items():
        found = () if message is None else message.header(name)
        if found if wanted is None else not any(agrees(wanted, value) for value in found):
            yield Difference(f"header {name}", wanted, found if len(found) > 1 else found[0] if found else None)


# --- where it is found ----------------------------------------------------------------------------------------------


def _recipients(subject: Any) -> tuple[str, ...]:
    return tuple(subject.mail.recipients) if subject.mail else ()


def _sender(subject: Any) -> str | None:
    return str(subject.mail.mail_from) if subject.mail else None


def _call_to(call: Any) -> tuple[str, ...]:
    return (call.argument,) if call.about == "recipient" else _recipients(call)


def _call_sender(call: Any) -> str | None:
    return str(call.argument) if call.about == "sender" else _sender(call)


def _call_verb(call: Any) -> str | None:
    return call.argument.verb if call.about == "command" else None


def _call_user(call: Any) -> Any:
    return call.argument.username if call.about == "login" else call.session.user


def _call_message(call: Any) -> Any:
    return call.message


def _session_message(session: Any) -> Any:
    envelope = session.envelope
    return None if envelope is None else envelope.mail


def _subject(message: Any) -> str | None:
    return None if message is None else message.subject


def _envelope_message(envelope: Any) -> Any:
    return envelope.mail


WHEN: Final = "when"
KEYS: Final[dict[str, Key]] = {
    "to": Key(
        "an envelope recipient: the one of this RCPT; on `data` any of them, and in LMTP the one whose reply this is",
        _call_to,
        attrgetter("rcpt_to"),
        _recipients,
        "recipients",
        fold_address,
        _any_agrees,
    ),
    "mail_from": Key(
        "the envelope sender",
        _call_sender,
        attrgetter("mail_from"),
        _sender,
        "sender",
        fold_address,
    ),
    "rcpt_to": Key(
        "all recipients, a tuple or list, in order",
        _recipients,
        attrgetter("rcpt_to"),
        _recipients,
        "message",
        fold_address,
        _all_agree,
        takes_lists=True,
    ),
    "subject": Key(
        "the parsed Subject",
        lambda call: _subject(call.message),
        attrgetter("subject"),
        lambda session: _subject(_session_message(session)),
        "message",
        reads_content=True,
    ),
    "header": Key(
        'headers of the message by their names: `{"List-Id": "*news*", "Bcc": None}`. Of a header that occurs twice, '
        "one value has to match; `None` means that the header is absent",
        _call_message,
        _envelope_message,
        _session_message,
        "message",
        agree=_headers_agree,
        reads_content=True,
    ),
    "user": Key(
        "the logged-in user; on `auth`, the name that wants to log in",
        _call_user,
        attrgetter("user"),
        attrgetter("user"),
        "user",
    ),
    "verb": Key("the verb of a `command`, in any case", _call_verb, None, None, "verb", str.upper),
    "name": Key(
        "the server's name",
        lambda call: call.session.server,
        lambda envelope: envelope.session.server,
        attrgetter("server"),
    ),
}
WHEN_MEANING: Final = "anything else: a function of the [call](received.md#call)"


def possible(hook: str) -> list[str]:
    """The match keys that a rule at this hook can have."""
    return [*(name for name, key in KEYS.items() if has(hook, key.needs)), WHEN]


def _attribute(name: str) -> Key:
    read = attrgetter(name)
    return Key("", read, read, read)


# Queries also take what a subject simply has.
ATTRIBUTES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "Envelope": tuple(key for key in EnvelopeMatch.__annotations__ if key not in Match.__annotations__),
    "Call": tuple(key for key in CallMatch.__annotations__ if key not in Match.__annotations__),
    "Session": tuple(key for key in SessionMatch.__annotations__ if key not in Match.__annotations__),
}


def query_keys(kind: Kind, match: Mapping[str, Any]) -> Mapping[str, Key]:
    """The keys of a query for this kind of subject. Raises ``TypeError`` for one that it does not have."""
    keys = {**KEYS, **{name: _attribute(name) for name in ATTRIBUTES[kind]}}
    for name, value in match.items():
        if name != WHEN and name not in keys:
            raise TypeError(f"unknown match key {name!r}{did_you_mean(name, (*keys, WHEN))}")
        check_value(name, value, keys)
    return keys


def check_value(name: str, value: object, keys: Mapping[str, Key] = KEYS) -> None:
    """Raise ``TypeError`` for a value that a key can never match."""
    if name == WHEN:
        if not callable(value):
            raise TypeError(f"when must be a function of the call, not {shown(value)}")
    elif keys[name].agree is _headers_agree and not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict of header names, like {{'List-Id': '*news*'}}, not {shown(value)}")
    elif isinstance(value, list) and not keys[name].takes_lists:
        raise TypeError(
            f"{name} compares one value, not the list {shown(value)}; any of several is a set, "
            "and all recipients in order are rcpt_to=(...)"
        )


# --- matching -------------------------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """Why a subject does not match: the key, what was asked for, what is there."""

    key: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        if self.key == WHEN:
            return f"when={shown(self.expected)} is not true"
        wanted = "absent" if self.expected is None and self.key.startswith("header ") else cut(shown(self.expected))
        return f"{self.key} is {cut(shown(self.actual))}, not {wanted}{self._parting()}"

    def _parting(self) -> str:
        """Where two long texts differ that begin alike."""
        for kind in (str, bytes):
            if isinstance(self.expected, kind) and isinstance(self.actual, kind):
                alike = takewhile(lambda pair: pair[0] == pair[1], zip(self.actual, self.expected, strict=False))
                place = sum(1 for _ in alike)
                found, wanted = self.actual[place:][:_EXCERPT], self.expected[place:][:_EXCERPT]
                return f" (from character {place + 1} on: {found!r}, not {wanted!r})" if place >= _EXCERPT else ""
        return ""


def differences(
    kind: Kind, subject: Any, match: Mapping[str, Any], keys: Mapping[str, Key] = KEYS
) -> Iterator[Difference]:
    """Every way in which ``subject`` is not what ``match`` asks for, in its order; ``when`` last."""
    for name, expected in match.items():
        if name == WHEN:
            continue
        key = keys[name]
        actual = key.value(kind, subject)
        if key.agree is _headers_agree:
            yield from _header_differences(expected, actual)
        elif not key.agree(key, expected, actual):
            yield Difference(name, expected, actual)
    if WHEN in match and not match[WHEN](subject):
        yield Difference(WHEN, match[WHEN], None)


def matches(kind: Kind, subject: Any, match: Mapping[str, Any], keys: Mapping[str, Key] = KEYS) -> bool:
    """Whether there are no differences."""
    return not match or next(differences(kind, subject, match, keys), None) is None


def is_addressed_to(address: str, expected: Any) -> bool:
    """Whether ``to=expected`` means this one recipient."""
    return _any_agrees(KEYS["to"], expected, (address,))


def selected(kind: Kind, subjects: Iterable[S], match: Mapping[str, Any], keys: Mapping[str, Key]) -> list[S]:
    """Those that match, in order. In a long log most envelopes are excluded quickly, by another address."""
    if kind == "Envelope":
        for name in ("to", "mail_from"):
            expected = match.get(name)
            if isinstance(expected, str) and not re.search(r"[*?\[]", expected):
                subjects = _candidates(subjects, attrgetter("rcpt_to" if name == "to" else name), expected.lower())
    return [subject for subject in subjects if matches(kind, subject, match, keys)]


def _candidates(subjects: Iterable[S], read: Callable[[S], Any], lower: str) -> list[S]:
    """Those of which a value equals the text, case aside."""
    found = []
    for one in subjects:  # loops, not calls: queries of a long log spend their time here
        values = read(one)
        for value in (values,) if isinstance(values, str) else values:
            if value.lower() == lower:
                found.append(one)
                break
    return found
