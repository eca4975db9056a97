"""The replies of real mail providers as rules, and profiles of their servers, from ``providers.toml``.

The file is parsed when something is asked for, once.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from pytest_smtpd.rules.hooks import HOOKS
from pytest_smtpd.rules.rule import Rule, on
from pytest_smtpd.smtp.commands import VERBS
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.replies import parse_reply
from pytest_smtpd.suggest import did_you_mean

__all__ = ["Ehlo", "Profile", "names", "profile", "profiles", "replies", "situations"]

__tracebackhide__ = True  # errors point at the caller's line

_FILE: Final = "providers.toml"
# Read with the module, which a test file imports at its head: later a test may have faked the file system.
_DATA: Final = Path(__file__).with_name(_FILE).read_bytes()


class Ehlo(NamedTuple):
    """The lines of an EHLO reply without their code, the greeting line first: in clear, and once TLS is on."""

    clear: tuple[str, ...]
    tls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """How a provider's server introduces itself.

    ``greeting`` is the whole line with its code. ``where`` is the port on which both were seen, ``source`` the URL of
    the report, ``date`` its day, month or year (ISO 8601) if that is known, and ``note`` a remark about anything odd.
    """

    name: str
    where: str
    greeting: str
    ehlo: Ehlo
    source: str
    date: str | None = None
    note: str | None = None

    @property
    def size(self) -> int | None:
        """The largest message in bytes, from the SIZE line; None where there is no limit (RFC 1870 section 4)."""
        return _number(self.ehlo, r"SIZE +([0-9]+)")

    @property
    def auth_methods(self) -> tuple[str, ...]:
        """The mechanisms of the AUTH lines (RFC 4954 section 3, and the older form ``AUTH=``), each once."""
        lines = [re.fullmatch(r"AUTH[ =](.*)", line.upper()) for line in (*self.ehlo.tls, *self.ehlo.clear)]
        return tuple(dict.fromkeys(method for line in lines if line for method in line[1].split()))

    @property
    def max_recipients(self) -> int | None:
        """The most recipients, from RCPTMAX in the LIMITS line (RFC 9422); None where there is no limit."""
        return _number(self.ehlo, r"LIMITS .*?\bRCPTMAX=([0-9]+).*")


class ProviderReply(NamedTuple):
    """One reply of the file. ``id`` is the id of its rule; the fields are explained at the head of the file."""

    id: str
    provider: str
    situation: str
    role: str
    hook: HookName
    reply: str
    basis: str
    source: str
    verb: str | None = None
    drop: bool = False
    date: str | None = None
    note: str | None = None

    def rule(self) -> Rule:
        """A new rule that gives this reply. Raises ``ValueError`` for a row of which no rule can be made."""
        options: dict[str, Any] = {"reply": self.reply}
        if self.verb is not None:
            options["verb"] = self.verb
        if self.drop:
            options["drop"] = True
        try:
            rule = on(self.hook, **options)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{_FILE}: {self.id}: {error}") from None
        return Rule(rule.hook, rule.options, id=self.id)


class Provider(NamedTuple):
    """The replies and the profile of one provider."""

    title: str
    replies: tuple[ProviderReply, ...]
    profile: Profile | None


def replies(provider: str | None = None, situation: str | None = None, *, hook: HookName | None = None) -> list[Rule]:
    """Rules that give the replies of real providers, for a parameter of ``smtpd``, ``smtpd.on`` or ``on=``.

    ``provider``, ``situation`` and ``hook`` narrow the choice. A situation includes its variants: ``"mailbox full"``
    also gives the replies for ``"mailbox full, temporary"``. The rules are new ones at each call, in the order of the
    file, and have ids like ``gmail-mailbox-full``. Raises ``ValueError`` with a one-line message for an unknown
    name, and where no reply has all that was given.
    """
    _check("provider", provider, sorted(load()))
    _check("situation", situation, situations())
    _check("hook", hook, list(HOOKS))
    given = {"provider": provider, "situation": situation, "hook": hook}
    wanted = {field: name for field, name in given.items() if name is not None}
    found = _select(wanted)
    if not found:
        raise ValueError(_nothing(wanted))
    return [reply.rule() for reply in found]


def names() -> list[str]:
    """The providers that have replies, in alphabetical order."""
    return sorted(name for name, provider in load().items() if provider.replies)


def situations() -> list[str]:
    """The situations of the replies, in alphabetical order."""
    return sorted({reply.situation for reply in _select({})}, key=str.lower)


def profiles() -> list[str]:
    """The providers that have a profile, in alphabetical order."""
    return sorted(name for name, provider in load().items() if provider.profile)


def profile(name: str) -> Profile:
    """The profile of a provider.

    Raises ``ValueError`` with a one-line message for a name that is unknown or has no profile.
    """
    _check("provider", name, sorted(load()))
    found = load()[name].profile
    if found is None:
        raise ValueError(f"provider {name!r} has no profile (those that have one: {', '.join(profiles())})")
    return found


def load() -> Mapping[str, Provider]:
    """Everything in the file, by the names of the providers; parsed once."""
    return _parsed(_DATA)


@cache
def _parsed(data: bytes) -> Mapping[str, Provider]:
    return parse(data.decode("utf-8"))


def _select(wanted: Mapping[str, str]) -> list[ProviderReply]:
    """The replies whose fields have these values, in the order of the file."""
    every = (reply for provider in load().values() for reply in provider.replies)
    return [reply for reply in every if all(_is_about(getattr(reply, field), name) for field, name in wanted.items())]


def _is_about(value: str, wanted: str) -> bool:
    """Whether it is that name or a variant of it; only the names of situations have a comma."""
    return value == wanted or value.startswith(f"{wanted}, ")


# --- errors ---------------------------------------------------------------------------------------------------------


def _check(what: str, name: object, known: Sequence[str]) -> None:
    if name is not None and name not in known:
        hint = did_you_mean(name, known, what, listing=False) or f" (valid: {', '.join(known)})"
        raise ValueError(f"unknown {what} {name!r}{hint}")


def _nothing(wanted: Mapping[str, str]) -> str:
    """No reply has all of this: what there is for the first of it."""
    what = " and ".join(f"{field} {name!r}" for field, name in wanted.items())
    field, name = next(iter(wanted.items()))
    there = _select({field: name})
    if not there:  # a hook at which nobody has a reply, or a provider of whom only the profile is known
        return f"no reply has {what}{'; it has a profile only' if field == 'provider' else ''}"
    other = "situation" if field == "provider" else "provider"
    have = sorted({f"{getattr(reply, other)} ({reply.hook})" for reply in there}, key=str.lower)
    return f"no reply has {what}; {name!r} has: {', '.join(have)}"


# --- from TOML ------------------------------------------------------------------------------------------------------

# Field -> its type, or the texts that it can be.
_Kind = type | Collection[str]
_REPLY: Final[Mapping[str, _Kind]] = {
    "situation": str,
    "role": ("submission", "mx", "both"),
    "hook": HOOKS,
    "reply": str,
    "basis": ("wire", "doc", "list", "code"),
    "source": str,
}
_REPLY_OPTIONS: Final[Mapping[str, _Kind]] = {"verb": str, "drop": bool, "date": str, "note": str}
_PROFILE: Final[Mapping[str, _Kind]] = {"where": str, "greeting": str, "source": str}
_PROFILE_OPTIONS: Final[Mapping[str, _Kind]] = {"ehlo_clear": list, "ehlo_tls": list, "date": str, "note": str}


def parse(text: str) -> Mapping[str, Provider]:
    """Providers from TOML, by name.

    Raises ``ValueError`` with a one-line message for a missing, unknown or wrong field.
    """
    import tomllib

    return {name: _provider(name, table) for name, table in tomllib.loads(text).items()}


def _provider(name: str, table: Mapping[str, Any]) -> Provider:
    _check_fields(name, table, {"title": str}, {"replies": list, "profile": dict})
    profile = table.get("profile")
    return Provider(
        table["title"],
        tuple(_replies(name, table.get("replies", ()))),
        None if profile is None else _read_profile(name, profile),
    )


def _replies(name: str, tables: Sequence[Mapping[str, Any]]) -> Iterator[ProviderReply]:
    """An id is made of provider and situation; the second and later ones for a situation have a number."""
    seen = Counter[str]()
    for position, fields in enumerate(tables, 1):
        _check_fields(f"{name}, reply {position}", fields, _REPLY, _REPLY_OPTIONS)
        _check_reply(f"{name}, reply {position}", fields)
        plain = re.sub(r"[^a-z0-9]+", "-", f"{name} {fields['situation']}".lower()).strip("-")
        seen[plain] += 1
        yield ProviderReply(f"{plain}-{seen[plain]}" if seen[plain] > 1 else plain, name, **fields)


def _check_reply(where: str, fields: Mapping[str, Any]) -> None:
    """Check the reply as a rule would, when the file is read and not when a test asks for this reply."""
    verb = fields.get("verb")
    if fields["hook"] == "command" and verb is None:
        raise ValueError(f"{_FILE}: {where}: hook 'command' needs a verb")
    if fields["hook"] != "command" and verb is not None:
        raise ValueError(f"{_FILE}: {where}: only the hook 'command' has a verb, not {fields['hook']!r}")
    if verb is not None and verb not in VERBS:
        raise ValueError(f"{_FILE}: {where}: unknown verb {verb!r}{did_you_mean(verb, VERBS, 'verb')}")
    try:
        parse_reply(fields["reply"])
    except ValueError as error:
        raise ValueError(f"{_FILE}: {where}: {error}") from None


def _read_profile(name: str, fields: Mapping[str, Any]) -> Profile:
    where = f"{name}, profile"
    _check_fields(where, fields, _PROFILE, _PROFILE_OPTIONS)
    if "ehlo_clear" not in fields and "ehlo_tls" not in fields:
        raise ValueError(f"{_FILE}: {where}: lacks ehlo_clear, ehlo_tls or both")
    try:
        parse_reply(fields["greeting"])
    except ValueError as error:
        raise ValueError(f"{_FILE}: {where}: greeting: {error}") from None
    plain = {field: value for field, value in fields.items() if not field.startswith("ehlo_")}
    return Profile(name, ehlo=_both(fields.get("ehlo_clear"), fields.get("ehlo_tls")), **plain)


def _check_fields(
    where: str, fields: Mapping[str, Any], required: Mapping[str, _Kind], optional: Mapping[str, _Kind]
) -> None:
    kinds = {**required, **optional}
    for field, value in fields.items():
        if field not in kinds:
            raise ValueError(f"{_FILE}: {where}: unknown field {field!r}{did_you_mean(field, kinds, 'field')}")
        kind = kinds[field]
        if isinstance(kind, type):
            if not isinstance(value, kind):
                raise ValueError(f"{_FILE}: {where}: {field} must be a {kind.__name__}, not {value!r}")
        elif value not in kind:
            raise ValueError(f"{_FILE}: {where}: unknown {field} {value!r}{did_you_mean(value, kind, field)}")
    missing = [field for field in required if field not in fields]
    if missing:
        raise ValueError(f"{_FILE}: {where}: lacks {', '.join(missing)}")


def _both(clear: Sequence[str] | None, tls: Sequence[str] | None) -> Ehlo:
    """The two lists. Where one is unknown it is made from the other.

    STARTTLS takes the place of AUTH in clear, and is not offered any more under TLS (RFC 3207 section 4.2).
    """
    if tls is None:
        tls = [line for line in clear or () if line.upper() != "STARTTLS"]
    if clear is None:
        swapped = ["STARTTLS" if line.upper().startswith("AUTH") else line for line in tls]
        clear = list(dict.fromkeys([*swapped, "STARTTLS"]))
    return Ehlo(tuple(clear), tuple(tls))


def _number(ehlo: Ehlo, pattern: str) -> int | None:
    """The number in the line of that form; 0 stands for no limit."""
    found = [match for line in (*ehlo.tls, *ehlo.clear) if (match := re.fullmatch(pattern, line.upper()))]
    return (int(found[0][1]) or None) if found else None
