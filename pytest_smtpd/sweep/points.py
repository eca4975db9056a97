"""From a dialogue to the points at which it can fail.

A point is a step of the dialogue and one of its faults, or another set-up of the server. Its id reads without help and
is the same in each run: calls of one step are distinguished by a recipient, a sender or a subject where that is unique,
else by their number.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pytest_smtpd import Call, Envelope, Session
from pytest_smtpd.sweep.faults import FAULTS, NEEDS, OTHER, QUICK, SETTINGS, Fault, Kind, SetUp

_OF_A_HOOK: Final = {"MAIL", "RCPT"}  # whose every failure belongs to a hook
_LAST_MAILS: Final = 2  # mails of a long dialogue that are tried at level quick: the first and the last
_VOLATILE: Final = re.compile(r"[0-9]{4,}|[0-9a-f]{8,}", re.IGNORECASE)  # may differ in the next run


class Step(NamedTuple):
    """One call of the dialogue at which a server can fail.

    ``match`` and ``skip`` are the match keys and the modifier that make a rule meet it. ``number`` is which call of its
    kind it is, from 1; ``last`` whether none of its kind follows. ``alone`` is whether no other call of the dialogue
    has what ``match`` asks for. ``label`` stands for ``match`` in an id. ``replies`` is how many replies answer
    it, and ``one_of_several`` whether it is one of those, for one recipient (LMTP).
    """

    name: str
    hook: Any
    match: Mapping[str, Any]
    number: int
    last: bool = True
    skip: int = 0
    alone: bool = True
    label: str = ""
    replies: int = 1
    one_of_several: bool = False

    def id_of(self, fault: str) -> str:
        """The id of a point here."""
        number = f"#{self.skip + 1}" if self.skip else ""
        return f"{self.name}{number}-{fault}{self.label}"


class Point(NamedTuple):
    """One failure of a dialogue: a rule (``hook`` and ``options``), or ``settings``, or a server that does not run.

    ``step`` is None where it is about settings. ``always`` is whether it fails every time, not just once.
    """

    id: str
    kind: Kind
    hook: Any = ""
    options: Mapping[str, Any] = {}
    settings: Mapping[str, Any] = {}
    stopped: bool = False
    step: Step | None = None
    fault: Fault | None = None
    always: bool = False

    @property
    def marker(self) -> str:
        """The line that reproduces it in a test."""
        if self.stopped:
            return "smtpd.stop()"
        if self.step is None:
            return f"@pytest.mark.smtpd({_arguments(self.settings)})"
        options = {name: value for name, value in self.options.items() if name != "times" or not self.step.alone}
        return f'@pytest.mark.smtpd_on("{self.hook}", {_arguments(options)})'


def _arguments(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_literal(value)}" for name, value in values.items())


def _literal(value: Any) -> str:
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(map(_literal, sorted(value))) + "}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


class Dialogue:
    """The dialogue of the run without a fault."""

    def __init__(self, calls: Sequence[Call], envelopes: Sequence[Envelope], sessions: Sequence[Session]) -> None:
        self.calls: Sequence[Call] = [call for call in calls if call.hook != "close"]
        self.envelopes: Sequence[Envelope] = envelopes
        self.sessions: Sequence[Session] = sessions
        self.lmtp: bool = any(session.transmission_type.startswith("LMTP") for session in sessions)
        self.steps: list[Step] = list(_steps(self.calls, lmtp=self.lmtp))

    @property
    def traits(self) -> set[str]:
        """Its properties, by the names of ``SetUp.needs``."""
        names = {step.name for step in self.steps}
        mails = [call for call in self.calls if call.hook == "data"]
        clear_auth = any(call.hook == "auth" and not call.session.secure for call in self.calls)
        per_session = Counter(id(call.session) for call in mails)
        had = {
            "": True,
            "tls": "secure" in names,
            "no-tls": "secure" not in names,
            "starttls": "STARTTLS" in names,
            "auth": "auth" in names,
            "no-auth": "auth" not in names,
            "clear-auth": clear_auth,
            "ehlo": "EHLO" in names,
            "bdat": "BDAT" in names,
            "mail": bool(mails),
            "messages": any(count > 1 for count in per_session.values()),
            "recipients": any(len(envelope.rcpt_to) > 1 for envelope in self.envelopes),
        }
        return {trait for trait in NEEDS if had[trait]}


# --- steps ----------------------------------------------------------------------------------------------------------


def _steps(calls: Sequence[Call], *, lmtp: bool) -> Iterator[Step]:
    """The steps in the order of their first calls. A line that may be a password is no command, and gets no id."""
    by_name: dict[str, list[Call]] = {}
    for call in calls:
        if call.hook != "command":
            by_name.setdefault(call.hook, []).append(call)
        elif call.argument.verb not in _OF_A_HOOK and call.argument.shown_verb == call.argument.verb:
            by_name.setdefault(call.argument.verb, []).append(call)
    for name, alike in by_name.items():
        if name == "data" and lmtp:
            yield from _lmtp_steps(alike)
        yield from _distinct(name, alike, lmtp=lmtp)


def _distinct(name: str, alike: Sequence[Call], *, lmtp: bool) -> Iterator[Step]:
    """The calls of one step, each with a match that distinguishes it from the others."""
    hook = alike[0].hook
    verb = {"verb": name} if hook == "command" else {}
    matches = [_distinguishing(call, alike) for call in alike]
    counts, seen = Counter(matches), Counter[tuple[str, str] | None]()
    for number, (call, found) in enumerate(zip(alike, matches, strict=True), 1):
        match = verb if found is None else {found[0]: found[1]}
        label = "" if found is None else f"-{found[0]}={found[1]}"
        skip = number - 1 if found is None else seen[found]
        alone = len(alike) == 1 if found is None else counts[found] == 1
        seen[found] += 1
        replies = len(call.envelope.rcpt_to) if lmtp and name == "data" and call.envelope else 1
        yield Step(name, hook, match, number, number == len(alike), skip, alone, label, replies)


def _distinguishing(call: Call, alike: Sequence[Call]) -> tuple[str, str] | None:
    """A match key and its value that distinguish this call from the others; for a recipient always its address."""
    for key in _KEYS.get(call.hook, ()) if call.hook == "rcpt_to" or len(alike) > 1 else ():
        value = _value(call, key)
        if value is None or _VOLATILE.search(value) or any(sign in value for sign in "*?[\n"):
            continue
        if call.hook == "rcpt_to" or sum(_value(other, key) == value for other in alike) == 1:
            return key, value
    return None


_KEYS: Final[Mapping[str, Sequence[str]]] = {"mail_from": ("mail_from",), "rcpt_to": ("to",), "data": ("to", "subject")}


def _value(call: Call, key: str) -> str | None:
    """What a call has under a match key, where that is one value."""
    envelope = call.envelope
    if key == "subject":
        return None if envelope is None else envelope.subject or None
    if call.hook == "data":
        return str(envelope.rcpt_to[0]) if envelope is not None and len(envelope.rcpt_to) == 1 else None
    return str(call.argument) or None


def _lmtp_steps(alike: Sequence[Call]) -> Iterator[Step]:
    """In LMTP each recipient has a reply of its own after the content (RFC 2033 section 4.2)."""
    envelopes = [call.envelope for call in alike if call.envelope]
    addresses = dict.fromkeys(str(address) for envelope in envelopes for address in envelope.rcpt_to)
    for number, address in enumerate(addresses, 1):
        yield Step("data", "data", {"to": address}, number, label=f"-to={address}", one_of_several=True)


# --- points ---------------------------------------------------------------------------------------------------------


def points_of(dialogue: Dialogue, level: str, current: Mapping[str, Any]) -> list[Point]:
    """Every point of a dialogue, in its order; ``current`` are the sets among the settings of the server."""
    points = [
        _point(step, fault) for step in dialogue.steps for fault in _faults(step) if _is_wanted(step, fault, level)
    ]
    points += [
        Point(row.name, row.kind, settings=_changes(row, current), stopped=row.stopped)
        for row in SETTINGS.values()
        if row.needs in dialogue.traits and level in (row.level, "full")
    ]
    return list({point.id: point for point in points}.values())


def always(point: Point) -> Point | None:
    """The same failure, every time; None where it makes no difference."""
    if point.step is None or point.kind not in _LASTING:
        return None
    options = {name: value for name, value in point.options.items() if name not in ("times", "skip")}
    return point._replace(id=f"{point.id}:always", options=options, always=True)


_LASTING: Final = (Kind.TEMPORARY, Kind.PERMANENT, Kind.EITHER, Kind.LOST)


def _faults(step: Step) -> Sequence[Fault]:
    rows = FAULTS.get(step.name, OTHER)
    if step.one_of_several:
        return [row for row in rows if (row.again or row.is_raw) and not row.is_early]
    return [row for row in rows if row.is_early or not row.is_raw] if step.replies > 1 else rows


def _is_wanted(step: Step, fault: Fault, level: str) -> bool:
    if step.number > 1 and not fault.again:
        return level == "full" and fault.level == QUICK
    if level == "full":
        return True
    far = step.name in ("mail_from", "data") and step.number > _LAST_MAILS and not step.last
    return fault.level == QUICK and not far


def _point(step: Step, fault: Fault) -> Point:
    match, skip = step.match, step.skip
    if fault.is_early and "subject" in match:  # which has not arrived by then
        match, skip = {}, step.number - 1
    options = {**match, **fault.options, **({"skip": skip} if skip else {}), "times": 1}
    return Point(step.id_of(fault.name), fault.kind, step.hook, options, step=step, fault=fault)


def _changes(row: SetUp, current: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings of a row, beside what the test hides and disables already."""
    return {
        name: value | frozenset(current.get(name, ())) if isinstance(value, set) else value
        for name, value in row.changes.items()
    }
