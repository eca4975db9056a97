"""From a rule to an answer: the only room that knows what the actions and modifiers mean on the wire."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from pytest_smtpd.calls import Outcome
from pytest_smtpd.rules import Rule
from pytest_smtpd.steps import Answer, Close, Dress, Fin, Reset, Send, Stall, Step, Wait

_LAST_CODE: Final = re.compile(rb"(?:[2-5][0-9]{2}-[^\n]*\n)*([2-5][0-9]{2})(?![0-9])")
_ENDINGS: Final[dict[object, Step]] = {True: Fin(), "fin": Fin(), "rst": Reset()}


def rule_answer(rule: Rule, hook: str, slow: Sequence[Rule] = (), recipients: int = 1) -> Answer:
    """The answer that ``rule`` gives; ``slow`` are rules with a drip alone that came before it."""
    reply = rule.answer
    per_recipient = recipients if rule.get("raw") is None else 1
    return Answer(
        replies=() if reply is None else (reply,) * per_recipient,
        outcome=_outcome(rule, hook),
        rule=rule,
        accepted=rule.get("accept"),
        closes=rule.get("raw") is None and not rule.get("hang"),
        dress=_dress(rule, hook, _drip([rule, *slow])),
        admits=(hook == "connect") if reply is None and rule.get("raw") else None,
    )


def early_answer(rule: Rule, recipients: int = 1) -> Answer:
    """The answer of a rule with ``after``, amid the content: only a refusal gives up the rest of the message."""
    per_recipient = recipients if rule.get("raw") is None else 1
    refuses = rule.answer is not None and rule.answer.refuses
    accept = rule.get("accept")
    speaks = rule.get("reply") is not None or rule.get("raw") is not None
    return Answer(
        replies=() if rule.answer is None else (rule.answer,) * per_recipient,
        outcome=_outcome(rule, "data"),
        rule=rule,
        accepted=accept,
        closes=rule.get("raw") is None and not rule.get("hang"),
        dress=_dress(rule, "data", _drip([rule]), reading=not rule.get("hang")),
        keep=speaks and (accept is True or not refuses),
        again=accept is True or (speaks and rule.answer is None),
    )


def slowed(answer: Answer, slow: Sequence[Rule]) -> Answer:
    """The normal answer, byte by byte where a rule with a drip alone says so."""
    drip = _drip(slow)
    return replace(answer, dress=lambda data: _trickle(data, drip)) if drip and answer.dress is None else answer


def repeated(answer: Answer, count: int, **facts: Any) -> Answer:
    """The same to each recipient of LMTP; bytes that a rule puts on the wire stand for all of them."""
    raw = answer.rule is not None and answer.rule.get("raw") is not None
    return replace(answer, replies=answer.replies * (1 if raw else count), **facts)


def delay(rules: Iterable[Rule]) -> float:
    """Seconds to wait before the answer."""
    return float(sum(rule.get("delay", 0.0) for rule in rules))


def is_early_drop(rule: Rule) -> bool:
    """Whether a rule on ``connect`` strikes before the handshake of implicit TLS: a drop and nothing else."""
    return bool(rule.get("drop")) and rule.get("reply") is None and rule.get("raw") is None


def is_early(rule: Rule) -> bool:
    """Whether it waits for a number of bytes rather than for the end."""
    return rule.get("after") is not None


def strikes(rule: Rule, size: int | None) -> bool:
    """Whether it can speak amid the content: not with a yes to more than the server takes (RFC 1870 section 6.3)."""
    after = rule.get("after")
    accepts = rule.answer is not None and not rule.answer.refuses
    return after is not None and (size is None or after <= size or not accepts)


def reads_content(rule: Rule) -> bool:
    """Whether it can only be judged when the content is there."""
    return "subject" in rule.match or ("when" in rule.match and rule.get("call") is None)


def for_one_recipient(rule: Rule) -> bool:
    """LMTP: whether it stands in place of the reply for the recipients that it names."""
    return "to" in rule.match and rule.get("call") is None


def _drip(rules: Iterable[Rule]) -> float:
    return max((rule.get("drip", 0.0) for rule in rules), default=0.0)


def _outcome(rule: Rule, hook: str) -> Outcome:
    if rule.answer is not None:
        return "refused" if rule.answer.refuses else "accepted"
    if found := _LAST_CODE.match(rule.get("raw", b"")):  # no well-formed reply, but a client may take it for one
        return "refused" if found[1] >= b"4" else "accepted"
    if rule.get("drop"):
        return "dropped"
    if rule.get("hang") or rule.get("raw") == b"":
        return "hung"
    return "accepted" if hook == "connect" else "refused"


def _dress(rule: Rule, hook: str, drip: float, *, reading: bool = True) -> Dress | None:
    """The steps of an action; None where they are the usual ones."""
    raw, drop, hang = rule.get("raw"), rule.get("drop"), rule.get("hang")
    leaves = hook == "secure" and raw is None and rule.answer is not None and rule.answer.refuses
    if raw is None and not drop and not hang and not drip and not leaves:
        return None

    def steps(data: bytes) -> Iterator[Step]:
        yield from _trickle(data if raw is None else raw, drip)
        if drop:
            if rule.get("linger"):
                yield Wait(rule.get("linger"))
            yield _ENDINGS[drop]
        elif hang:
            yield Stall(reading=reading)
        elif leaves:
            yield Close()

    return steps


def _trickle(data: bytes, drip: float) -> Iterator[Step]:
    if not drip:
        if data:
            yield Send(data)
        return
    for position in range(len(data)):
        if position:
            yield Wait(drip)
        yield Send(data[position : position + 1])
