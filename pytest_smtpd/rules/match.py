"""KEYS: one row for each match key of rules and queries.

To match is to have no differences, so what selects a value also explains why another was not selected.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from operator import attrgetter
from typing import Any, Final, Literal, NamedTuple, TypedDict

from pytest_smtpd.rules.compare import WHEN, Difference, Fold, agrees, all_agree, any_agrees, header_differences, same
from pytest_smtpd.rules.hooks import Feature, has, unknown_feature
from pytest_smtpd.rules.shown import shown
from pytest_smtpd.smtp.grammar import fold_address
from pytest_smtpd.smtp.table import Table, not_callable
from pytest_smtpd.smtp.values import described, quoted
from pytest_smtpd.suggest import did_you_mean

__tracebackhide__ = True  # errors point at the caller's line

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


# Queries also match plain attributes: a line in one of the classes above is all that a filter needs.
ATTRIBUTES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "Envelope": tuple(key for key in EnvelopeMatch.__annotations__ if key not in Match.__annotations__),
    "Call": tuple(key for key in CallMatch.__annotations__ if key not in Match.__annotations__),
    "Session": tuple(key for key in SessionMatch.__annotations__ if key not in Match.__annotations__),
}


class Key(NamedTuple):
    """A row: what a key compares, of each kind of subject.

    ``call``, ``envelope`` and ``session`` read the value; None: this kind of subject has no such value.
    ``agree`` compares the value with the expected one; ``differ`` replaces it for several values, each with a
    difference of its own. ``fold`` removes differences that do not matter. ``needs`` is the feature
    that the hook point of a rule must have (see ``hooks.Feature``). ``accepts`` checks the expected value, and
    ``wanted`` describes it in an error. ``reads_content`` is whether the value is only there when the message is
    complete, and takes time to read. ``settled`` is whether it cannot change once a call has been decided, so that
    those who wait look at it once. ``show`` is the text of a value that may hold
    secrets. ``meaning`` is Markdown for the reference.
    """

    meaning: str
    call: Callable[[Any], Any] | None
    envelope: Callable[[Any], Any] | None
    session: Callable[[Any], Any] | None
    needs: Feature | None = None
    fold: Fold = same
    agree: Callable[[Fold, Any, Any], bool] = lambda fold, expected, actual: agrees(expected, actual, fold)
    differ: Callable[[Any, Any], Iterator[Difference]] | None = None
    accepts: Callable[[object], bool] = lambda value: not isinstance(value, list)
    wanted: str = ""
    reads_content: bool = False
    settled: bool = False
    show: Callable[[Any, Any], str] | None = None

    def value(self, kind: Kind, subject: Any) -> Any:
        """The value of a subject of a kind that has one."""
        return getattr(self, kind.lower())(subject)

    def kinds(self) -> list[Kind]:
        """The kinds of subjects that have a value."""
        return [kind for kind in ATTRIBUTES if getattr(self, kind.lower()) is not None]

    def problems(self, name: str) -> Iterator[str]:
        """The mistakes in a row."""
        if not name.isidentifier() or name == WHEN or any(name in names for names in ATTRIBUTES.values()):
            yield "its name must be one that a keyword argument can have, and nothing else has"
        if not self.meaning:
            yield "meaning= must say what it compares"
        if self.call is None:
            yield "call= must give its value of a call, which is what rules match"
        given = {"envelope": self.envelope, "session": self.session, "differ": self.differ}
        yield from not_callable(
            fold=self.fold,
            agree=self.agree,
            accepts=self.accepts,
            **{part: value for part, value in {"call": self.call, **given}.items() if value is not None},
        )
        if self.needs is not None:
            yield from unknown_feature(self.needs)


# --- reading the values ---------------------------------------------------------------------------------------------


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


def _shown_user(subject: Any, user: Any) -> str:
    session = getattr(subject, "session", subject)
    return str(session.shown_user(user))


def _shown_verb(call: Any, verb: Any) -> str:
    return "None" if verb is None else quoted(call.argument.shown_verb)


def _session_message(session: Any) -> Any:
    envelope = session.envelope
    return None if envelope is None else envelope.mail


def _subject(message: Any) -> str | None:
    return None if message is None else message.subject


def _header(message: Any) -> Any:
    """The message, with its header split into fields: that takes time, once."""
    if message is not None:
        message.header("")
    return message


def _names_headers(value: object) -> bool:
    return isinstance(value, Mapping) and not any(isinstance(wanted, list) for wanted in value.values())


def _may_be_verb(value: object) -> bool:
    return not isinstance(value, list) and not (isinstance(value, str) and " " in value.strip())


_ROWS: Final = {
    "to": Key(
        "an envelope recipient: the one of this RCPT; on `data` any of them, and in LMTP the one whose reply this is",
        _call_to,
        attrgetter("rcpt_to"),
        _recipients,
        "recipients",
        fold_address,
        any_agrees,
        settled=True,
    ),
    "mail_from": Key(
        "the envelope sender",
        _call_sender,
        attrgetter("mail_from"),
        _sender,
        "sender",
        fold_address,
        settled=True,
    ),
    "rcpt_to": Key(
        "all recipients, a tuple or list, in order",
        _recipients,
        attrgetter("rcpt_to"),
        _recipients,
        "message",
        fold_address,
        all_agree,
        accepts=lambda value: not isinstance(value, str),
        wanted="all recipients in order, like ('ada@example.com', 'bob@example.com'), where to= is any one of them",
        settled=True,
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
        lambda call: _header(call.message),
        lambda envelope: _header(envelope.mail),
        lambda session: _header(_session_message(session)),
        "message",
        differ=header_differences,
        accepts=_names_headers,
        wanted="a dict of header names, like {'List-Id': '*news*'}, each with one value",
        reads_content=True,
    ),
    "user": Key(
        "the logged-in user; on `auth`, the name that wants to log in",
        _call_user,
        attrgetter("user"),
        attrgetter("user"),
        "user",
        show=_shown_user,
    ),
    "verb": Key(
        "the verb of a `command`, in any case",
        _call_verb,
        None,
        None,
        "verb",
        str.upper,
        accepts=_may_be_verb,
        wanted="one verb, like 'RCPT', or a set of them",
        settled=True,
        show=_shown_verb,
    ),
    "name": Key(
        "the server's name",
        lambda call: call.session.server,
        lambda envelope: envelope.session.server,
        attrgetter("server"),
        settled=True,
    ),
}
KEYS: Final = Table("match key", Key.problems, _ROWS)
WHEN_MEANING: Final = "anything else: a function of the [call](received.md#call)"


def possible(hook: str) -> list[str]:
    """The match keys that a rule at this hook can have."""
    return [*(name for name, key in KEYS.items() if has(hook, key.needs)), WHEN]


def _attribute(name: str) -> Key:
    read = attrgetter(name)
    return Key("", read, read, read, settled=name != "session")  # which lives on


def query_keys(kind: Kind, match: Mapping[str, Any]) -> Mapping[str, Key]:
    """The keys of a query for this kind of subject. Raises ``TypeError`` for a key that does not apply to it."""
    keys = {**KEYS, **{name: _attribute(name) for name in ATTRIBUTES[kind]}}
    for name, value in match.items():
        if name != WHEN and name not in keys:
            raise TypeError(f"unknown match key {quoted(name)}{did_you_mean(name, (*keys, WHEN))}")
        if name != WHEN and kind not in (kinds := keys[name].kinds()):
            there = " and ".join(f"{one.lower()}s" for one in kinds)
            raise TypeError(f"{name!r} applies to {there}, not to {kind.lower()}s")
        check_value(name, value, keys)
    return keys


def check_value(name: str, value: object, keys: Mapping[str, Key] = KEYS) -> None:
    """Raise ``TypeError`` for a value that a key can never match."""
    if name == WHEN:
        if not callable(value):
            raise TypeError(f"when must be a function of the call, not {described(value)}")
    elif not keys[name].accepts(value) and keys[name].wanted:
        raise TypeError(f"{name} must be {keys[name].wanted}, not {described(value)}")
    elif not keys[name].accepts(value):
        raise TypeError(
            f"{name} compares one value, not {_a_list(value)}; any of several is a set, "
            "and all recipients in order are rcpt_to=(...)"
        )


def _a_list(value: object) -> str:
    text = described(value)
    return f"the list {text}" if text.startswith("[") else text


# --- matching -------------------------------------------------------------------------------------------------------


def differences(
    kind: Kind, subject: Any, match: Mapping[str, Any], keys: Mapping[str, Key] = KEYS
) -> Iterator[Difference]:
    """Every difference between ``subject`` and ``match``, in the order of the match; ``when`` last."""
    for name, expected in match.items():
        if name == WHEN:
            continue
        key = keys[name]
        actual = key.value(kind, subject)
        if key.differ is not None:
            yield from key.differ(expected, actual)
        elif not key.agree(key.fold, expected, actual):
            yield Difference(name, expected, actual, partial(key.show, subject) if key.show else shown)
    if WHEN in match and not match[WHEN](subject):
        yield Difference(WHEN, match[WHEN], None)


def matches(kind: Kind, subject: Any, match: Mapping[str, Any], keys: Mapping[str, Key] = KEYS) -> bool:
    """Whether there are no differences."""
    return not match or next(differences(kind, subject, match, keys), None) is None


def is_addressed_to(address: str, expected: Any) -> bool:
    """Whether ``to=expected`` means this one recipient."""
    return any_agrees(fold_address, expected, (address,))
