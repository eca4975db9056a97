"""Texts of failed expectations: what was expected, what came, how the nearest match differs, what to do."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from pytest_smtpd.log.log import Call, LogStore
from pytest_smtpd.rules.compare import Difference
from pytest_smtpd.rules.hooks import HOOKS
from pytest_smtpd.rules.match import KEYS, Key, Kind, differences, matches
from pytest_smtpd.rules.rule import Rule
from pytest_smtpd.rules.shown import cut, shown
from pytest_smtpd.smtp.commands import VERBS
from pytest_smtpd.smtp.passwords import hidden
from pytest_smtpd.smtp.session import Envelope, Session
from pytest_smtpd.smtp.values import printable, shown_error

_MOST: Final = 8
_REFUSALS: Final = ("refused", "dropped", "hung", "error")


class Wait(Protocol):
    """A wait that ended without what it waited for."""

    store: LogStore
    kind: Kind
    count: int
    match: Mapping[str, Any]
    keys: Mapping[str, Key]
    hook: str | None
    found: list[Any]


def wanted(match: Mapping[str, Any]) -> str:
    """The match as it was written."""
    return ", ".join(f"{name}={cut(shown(value))}" for name, value in match.items())


def plural(count: int, thing: str) -> str:
    """``2 envelopes``."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


# --- envelopes ------------------------------------------------------------------------------------------------------


def not_one(store: LogStore, found: Sequence[Envelope], match: Mapping[str, Any], keys: Mapping[str, Key]) -> str:
    """Why ``one(...)`` found none, or too many."""
    expected = f"expected exactly one envelope{' with ' + wanted(match) if match else ''}"
    if found:
        lines = [f"{expected}, but {len(found)} match:", *_list(found)]
        return "\n".join([*lines, "ask for less with more match keys, or use find(...) for all of them"])
    records = store.records
    lines = [f"{expected}, but {received(store)}"]
    lines += _nearest("Envelope", records.accepted, match, keys)
    lines += _refusals(store)
    if match.get("accepted") is False or len(records.envelopes) > len(records.accepted):
        lines.append("messages that were refused are in smtpd.log.envelopes(accepted=False)")
    elif not records.accepted:
        lines.append("if the application sends it later, or in another thread or process, use smtpd.wait_for(...)")
    return "\n".join(lines)


def received(store: LogStore) -> str:
    """The envelopes or connections so far, in one clause."""
    records = store.records
    if records.accepted:
        return f"{plural(len(records.accepted), 'envelope')} came"
    if not records.sessions:
        return "nobody connected to the server"
    return f"no message was accepted on {plural(len(records.sessions), 'connection')}"


def _list(subjects: Sequence[Any]) -> list[str]:
    lines = [f"  {subject!r}" for subject in subjects[:_MOST]]
    return lines if len(subjects) <= _MOST else [*lines, f"  and {len(subjects) - _MOST} more"]


def _nearest(
    kind: Kind,
    subjects: Sequence[Any],
    match: Mapping[str, Any],
    keys: Mapping[str, Key],
    otherwise: Callable[[Any], str] = lambda subject: "",
) -> list[str]:
    """The subjects, nearest first, each with its differences; ``otherwise`` gives a reason where there are none."""
    compared: list[tuple[list[Difference], Any]] = [
        (list(differences(kind, subject, match, keys)), subject) for subject in subjects[-200:]
    ]
    compared.sort(key=lambda pair: len(pair[0]))
    reasons = [("; ".join(map(str, found)) or otherwise(subject), subject) for found, subject in compared]
    lines = [
        f"  {subject!r}: {hidden(reason, subject.session.passwords)}" if reason else f"  {subject!r}"
        for reason, subject in reasons
    ]
    return lines if len(lines) <= _MOST else [*lines[:_MOST], f"  and {len(subjects) - _MOST} more"]


def _refusals(store: LogStore) -> Iterator[str]:
    """Refusals and faults that may be the reason; commands only if no other call shows one."""
    refused = [call for call in store.records.calls if call.outcome in _REFUSALS]
    special = [call for call in refused if call.about != "command"]
    if refused:
        yield "what was not accepted:"
        yield from (f"  {_summary(call)}" for call in (special or refused)[-_MOST:])


def _summary(call: Call) -> str:
    reply = f" {call.reply.line}" if call.reply else ""
    by = f" by {call.rule!r}" if call.rule else ""
    about = f" {printable(str(call.argument))}" if call.about in ("sender", "recipient", "command") else ""
    raised = f" ({shown_error(call.error)})" if call.error else ""
    return hidden(f"{call.hook}{about}: {call.outcome}{reply}{by}{raised}", call.session.passwords)


# --- waits ----------------------------------------------------------------------------------------------------------


def waited(waiter: Wait, timeout: float, *, in_loop: bool) -> str:
    """Why a wait ended without what it waited for."""
    store = waiter.store
    things = f"{waiter.hook} call" if waiter.kind == "Call" else "envelope"
    condition = f" with {wanted(waiter.match)}" if waiter.match else ""
    lines = [f"waited {timeout:g} s for {plural(waiter.count, things)}{condition}: {_came(waiter, things)}"]
    lines += _calls_instead(waiter) if waiter.kind == "Call" else _envelopes_instead(waiter)
    lines += _still_open(store)
    for session in tuple(store.open):
        lines += [f"still open {_after(session)}: {session!r}"] if session.mail is not None else []
        lines += _mixup(store, session)
    if in_loop:
        lines.append(
            "this wait blocks the running event loop: if the sender runs in it, use 'await ...wait_for_async(...)'"
        )
    return "\n".join(lines)


def _calls_instead(waiter: Wait) -> list[str]:
    """The calls of this hook point that did not match; where it was never reached, how many others there were."""
    reached = [call for call in waiter.store.records.calls if call.hook == waiter.hook]
    if not reached:
        return [f"calls so far: {_counts(waiter.store) or 'none'}"]
    return _nearest("Call", reached, waiter.match, waiter.keys) if waiter.match else []


def _envelopes_instead(waiter: Wait) -> list[str]:
    """The envelopes that did not match, and what was refused."""
    nearest = _nearest("Envelope", waiter.store.records.accepted, waiter.match, waiter.keys)
    return [*nearest, *_refusals(waiter.store)]


def _came(waiter: Wait, things: str) -> str:
    if waiter.found:
        return f"only {plural(len(waiter.found), things)} came"
    if waiter.kind == "Envelope":
        none = received(waiter.store)
        return f"{none}, none of them like that" if waiter.store.records.accepted else none
    return "none came"


def not_quiet(found: Sequence[Envelope], count: int, seconds: float, match: Mapping[str, Any]) -> str:
    """Why ``wait_quiet`` failed."""
    condition = f" with {wanted(match)}" if match else ""
    expected = f"{plural(count, 'envelope')}{condition} and no more" if count else f"no envelope{condition}"
    came = f"{len(found)} came" if found else "none came"
    return "\n".join([f"expected {expected} for {seconds:g} s, but {came}", *_list(found)])


def _counts(store: LogStore) -> str:
    """How many calls of each hook that is answered; the end of a connection comes when the client likes."""
    counts = Counter(call.hook for call in store.records.calls if HOOKS[call.hook].refusal is not None)
    return ", ".join(f"{hook} {count}" for hook, count in counts.items())


def _still_open(store: LogStore) -> Iterator[str]:
    for call in store.records.calls:
        if call.outcome == "pending" or (call.outcome == "hung" and not call.session.closed):
            by = f" by {call.rule!r}" if call.rule else ""
            yield f"still {'hanging' if call.outcome == 'hung' else 'waiting'}: {call!r}{by}"


def still_connected(store: LogStore, timeout: float) -> str:
    """Why ``wait_closed`` gave up."""
    sessions = tuple(store.open)  # the server goes on meanwhile
    lines = [f"waited {timeout:g} s for every connection to end: {plural(len(sessions), 'connection')} still open"]
    for session in sessions:
        lines += [f"  {session!r} {_after(session)}", *_mixup(store, session)]
    lines += _still_open(store)
    return "\n".join([*lines, "the client has to quit, or close its socket, before this can return"])


def _mixup(store: LogStore, session: Session) -> list[str]:
    """The mistake for which the client of an open connection waits for ever, if one is recognised."""
    return [f"  {line}" for line in (store.mixup(session) or "").splitlines()]


def _after(session: Session) -> str:
    """The last command of a session. An unknown one is not named: it may be a secret."""
    if not session.commands:
        return "after connecting"
    verb = session.commands[-1]
    return f"after {verb}" if verb in VERBS else "after an unknown command"


# --- rules ----------------------------------------------------------------------------------------------------------


def unused(rule: Rule, store: LogStore) -> str:
    """Why an unused rule fails a test."""
    if not rule.acts:
        lacks = "has no action, and no function was decorated with it"
        return f"{rule!r} {lacks}; give it an action, like reply=550, or a function"
    calls = [call for call in store.records.calls if call.hook == rule.hook]
    lines = [f"{rule!r} was never used: "]
    advice = "remove the rule, or give it optional=True if it need not apply"
    if rule.seen:
        passed = f"skip={rule.options.get('skip', 0)} let {'it' if rule.seen == 1 else 'them'} pass"
        lines[0] += f"{plural(rule.seen, f'{rule.hook} call')} matched, but {passed}"
    elif not calls:
        lines[0] += f"there was no {rule.hook} call (calls: {_counts(store) or 'none'})"
    else:
        lines[0] += _unmatched(len(calls), rule)
        lines += _nearest("Call", calls, rule.match, KEYS, lambda call: _elsewhere(call, rule))
        if any(_is_behind_another(call, rule) for call in calls):
            advice = f"the nearest of the rules that match answers: make that one match less, or {advice}"
    return "\n".join([*lines, advice])


def _is_behind_another(call: Call, rule: Rule) -> bool:
    """Whether a nearer rule has answered a call that this rule matches as well."""
    is_late = rule.since is not None and call.at < rule.since
    return call.rule is not None and not is_late and matches("Call", call, rule.match)


def _unmatched(count: int, rule: Rule) -> str:
    were, them = ("was", "it") if count == 1 else ("were", "any of them")
    return f"there {were} {plural(count, f'{rule.hook} call')}, and the rule did not apply to {them}"


def _elsewhere(call: Call, rule: Rule) -> str:
    """Why the rule did not apply to a call that matches it, if the log shows that."""
    answered_early = call.rule is not None and call.rule.after is not None  # content after the answer was not counted
    if rule.after is not None and not answered_early and call.about == "content" and call.argument.size < rule.after:
        return f"only {plural(call.argument.size, 'byte')} came"
    if rule.since is not None and call.at < rule.since:
        return "the rule was added after this call"
    if call.rule is not None:
        return f"answered by {call.rule!r}"
    return "the rule has ended" if rule.ended else ""
