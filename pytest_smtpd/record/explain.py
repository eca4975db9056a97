"""The texts of failed expectations: what was expected, what came, how the nearest differs, what to do."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pytest_smtpd.calls import Call
from pytest_smtpd.match import KEYS, Difference, Key, cut, differences, shown
from pytest_smtpd.record.journal import Journal
from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp.commands import VERBS
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.session import Session

if TYPE_CHECKING:
    from pytest_smtpd.record.query import Waiter

_MOST: Final = 8


def wanted(match: Mapping[str, Any]) -> str:
    """The match as it was written."""
    return ", ".join(f"{name}={cut(shown(value))}" for name, value in match.items())


def plural(count: int, thing: str) -> str:
    """``2 envelopes``."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def not_one(journal: Journal, found: Sequence[Envelope], match: Mapping[str, Any], keys: Mapping[str, Key]) -> str:
    """Why ``one(...)`` found none, or too many."""
    expected = f"expected exactly one envelope{' with ' + wanted(match) if match else ''}"
    if found:
        lines = [f"{expected}, but {len(found)} match:", *_list(found)]
        return "\n".join([*lines, "ask for less with more match keys, or use find(...) for all of them"])
    lines = [f"{expected}, but {received(journal)}"]
    lines += _nearest(journal.accepted, match, keys)
    lines += _refused(journal)
    if match.get("accepted") is False or len(journal.envelopes) > len(journal.accepted):
        lines.append("messages that were refused are in smtpd.log.envelopes(accepted=False)")
    elif not journal.accepted:
        lines.append("if the application sends it later, or in another thread or process, use smtpd.wait_for(...)")
    return "\n".join(lines)


def received(journal: Journal) -> str:
    """What came, in one clause."""
    if journal.accepted:
        return f"{plural(len(journal.accepted), 'envelope')} came"
    if not journal.sessions:
        return "nobody connected to the server"
    return f"no message was accepted on {plural(len(journal.sessions), 'connection')}"


def _list(subjects: Sequence[Any]) -> list[str]:
    lines = [f"  {subject!r}" for subject in subjects[:_MOST]]
    return lines if len(subjects) <= _MOST else [*lines, f"  and {len(subjects) - _MOST} more"]


def _nearest(
    subjects: Sequence[Any],
    match: Mapping[str, Any],
    keys: Mapping[str, Key],
    otherwise: Callable[[Any], str] = lambda subject: "",
) -> list[str]:
    """What came, the nearest first, each with its differences; where there are none, what ``otherwise`` says."""
    judged = [(_differences(subject, match, keys), subject) for subject in subjects[-200:]]
    judged.sort(key=lambda pair: len(pair[0]))
    reasons = [("; ".join(map(str, found)) or otherwise(subject), subject) for found, subject in judged]
    lines = [f"  {subject!r}: {reason}" if reason else f"  {subject!r}" for reason, subject in reasons]
    return lines if len(lines) <= _MOST else [*lines[:_MOST], f"  and {len(subjects) - _MOST} more"]


def _differences(subject: Any, match: Mapping[str, Any], keys: Mapping[str, Key]) -> list[Difference]:
    return list(differences(subject, match, keys))


def _refused(journal: Journal) -> Iterator[str]:
    """Refusals and faults that may be the reason."""
    telling = [call for call in journal.calls if call.outcome not in ("accepted", "pending") and call.hook != "command"]
    commands = [
        call for call in journal.calls if call.hook == "command" and call.outcome in ("refused", "dropped", "hung")
    ]
    calls = telling or commands
    if calls:
        yield "what was not accepted:"
        yield from (f"  {_told(call)}" for call in calls[-_MOST:])


def _told(call: Call) -> str:
    reply = f" {call.reply}".replace("\n", " ") if call.reply else ""
    by = f" by {call.rule!r}" if call.rule else ""
    about = f" {call.argument}" if call.hook in ("mail_from", "rcpt_to", "command") else ""
    raised = f" ({call.error!r})" if call.error else ""
    return f"{call.hook}{about}: {call.outcome}{reply}{by}{raised}"


def waited(waiter: "Waiter", timeout: float, *, in_loop: bool) -> str:
    """Why a wait ended without what it waited for."""
    journal = waiter.journal
    things = f"{waiter.hook} call" if waiter.kind == "Call" else "envelope"
    condition = f" with {wanted(waiter.match)}" if waiter.match else ""
    lines = [f"waited {timeout:g} s for {plural(waiter.count, things)}{condition}: {_came(waiter, things)}"]
    if waiter.kind == "Call":
        here = [call for call in journal.calls if call.hook == waiter.hook]
        lines += _nearest(here, waiter.match, waiter.keys) if waiter.match else []
        lines += [] if here else [f"calls so far: {_counts(journal) or 'none'}"]
    else:
        lines += _nearest(journal.accepted, waiter.match, waiter.keys)
        lines += _refused(journal)
    lines += _still_open(journal)
    lines += (f"still open {_after(one)}: {one!r}" for one in tuple(journal.open) if one.mail is not None)
    if in_loop:
        lines.append(
            "this wait blocks the running event loop: if the sender runs in it, use 'await ...wait_for_async(...)'"
        )
    return "\n".join(lines)


def _came(waiter: "Waiter", things: str) -> str:
    if waiter.found:
        return f"only {plural(len(waiter.found), things)} came"
    if waiter.kind == "Envelope":
        none = received(waiter.journal)
        return f"{none}, none of them like that" if waiter.journal.accepted else none
    return "none came"


def _counts(journal: Journal) -> str:
    """How many calls of each hook; without ``close``, which comes when the client likes."""
    counts = Counter(call.hook for call in journal.calls if call.hook != "close")
    return ", ".join(f"{hook} {count}" for hook, count in counts.items())


def _still_open(journal: Journal) -> Iterator[str]:
    for call in journal.calls:
        if call.outcome == "pending" or (call.outcome == "hung" and not call.session.closed):
            by = f" by {call.rule!r}" if call.rule else ""
            yield f"still {'hanging' if call.outcome == 'hung' else 'waiting'}: {call!r}{by}"


def still_connected(journal: Journal, timeout: float) -> str:
    """Why ``wait_closed`` gave up."""
    sessions = tuple(journal.open)  # the server goes on meanwhile
    lines = [f"waited {timeout:g} s for every connection to end: {plural(len(sessions), 'connection')} still open"]
    lines += [f"  {session!r} {_after(session)}" for session in sessions]
    lines += _still_open(journal)
    return "\n".join([*lines, "the client has to quit, or close its socket, before this can return"])


def _after(session: Session) -> str:
    """Where a session is. A line that is no command may be a secret, or anything else."""
    if not session.commands:
        return "after connecting"
    verb = session.commands[-1]
    return f"after {verb}" if verb in VERBS else "after an unknown command"


def unused(rule: Rule, journal: Journal) -> str:
    """Why an unused rule fails a test."""
    if not rule.acts:
        lacks = "has no action, and no function was decorated with it"
        return f"{rule!r} {lacks}; give it an action, like reply=550, or a function"
    calls = [call for call in journal.calls if call.hook == rule.hook]
    lines = [f"{rule!r} was never used: "]
    if rule.seen:
        lines[0] += f"{plural(rule.seen, f'{rule.hook} call')} matched, but {_let_pass(rule)}"
    elif not calls:
        lines[0] += f"there was no {rule.hook} call (calls: {_counts(journal) or 'none'})"
    else:
        lines[0] += f"of {plural(len(calls), f'{rule.hook} call')}, none came to it"
        lines += _nearest(calls, rule.match, KEYS, lambda call: _elsewhere(call, rule))
    return "\n".join([*lines, "remove the rule, or give it optional=True if it need not apply"])


def _let_pass(rule: Rule) -> str:
    """Why a rule did not apply to calls that came to it."""
    skip = rule.get("skip", 0)
    return f"skip={skip} let {'it' if rule.seen == 1 else 'them'} pass" if rule.seen <= skip else "it had ended by then"


def _elsewhere(call: Call, rule: Rule) -> str:
    """Why a call that matches did not come to a rule, where that can be seen."""
    after = rule.get("after")
    if after is not None and rule.hook == "data" and call.argument.size < after:
        return f"only {plural(call.argument.size, 'byte')} came"
    return f"answered by {call.rule!r}" if call.rule is not None else ""
