"""LMTP (RFC 2033): one message, and what each of its recipients is told."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pytest_smtpd.calls import Call, Outcome
from pytest_smtpd.match import is_addressed_to, matches
from pytest_smtpd.policy import actions
from pytest_smtpd.rules import Rule
from pytest_smtpd.steps import NOTHING, Answer, Dress, Send, Step, Wait


@dataclass(slots=True)
class Share:
    """What rules with ``to`` say for one recipient: the one that answers, and those before it that only slow down."""

    rule: Rule | None = None
    slow: list[Rule] = field(default_factory=list)

    @property
    def delay(self) -> float:
        """Seconds to wait before this recipient's answer."""
        return actions.delay([*self.slow, self.rule] if self.rule else self.slow)


def deal(rule: Rule, shares: Sequence[Share], recipients: Sequence[str], call: Call) -> None:
    """Give the rule to the recipients that it names and that have no answer yet. What a match raises is raised."""
    to = rule.match["to"]
    named = [
        share
        for share, address in zip(shares, recipients, strict=True)
        if share.rule is None and is_addressed_to(address, to)
    ]
    rest = {key: value for key, value in rule.match.items() if key != "to"}
    if not named or not matches(call, rest) or not rule.take():
        return
    for share in named:
        if rule.answers:
            share.rule = rule
        else:
            share.slow.append(rule)


def combine(answer: Answer, shares: Sequence[Share], slow: Sequence[Rule]) -> Answer:
    """``answer``, with what some recipients have of their own; ``slow`` are the rules that slow down all of it."""
    if not any(share.rule or share.slow for share in shares):
        return answer
    for_each = len(answer.replies) == len(shares) and (answer.rule is None or answer.rule.get("raw") is None)
    told = list(_answers(answer, shares, slow, for_each=for_each))
    ending = answer.dress if for_each and not any(map(_ends, told)) else None
    usual = ending is None and not any(one.dress or share.delay for one, share in zip(told, shares, strict=True))
    each = tuple([one.replies[0] if one.replies else None for one in told])
    return replace(
        answer,
        replies=tuple(filter(None, each)),
        outcome="error" if answer.error is not None else _outcome(told),
        rule=next(filter(None, (one.rule for one in told)), answer.rule),
        accepted=tuple(map(_kept, told)),
        closes=all(one.closes for one in told),
        dress=None if usual else lambda data: _in_turn(told, shares, ending),
        each=each,
    )


def _in_turn(told: Sequence[Answer], shares: Sequence[Share], ending: Dress | None) -> Iterator[Step]:
    """The steps of each recipient's answer, and of what they share behind them."""
    for one, share in zip(told, shares, strict=True):
        if share.delay and one is not NOTHING:
            yield Wait(share.delay)
        words = b"".join(reply.wire for reply in one.replies)
        yield from one.dress(words) if one.dress else [Send(words)] if words else []
    yield from ending(b"") if ending else []


def _answers(answer: Answer, shares: Sequence[Share], slow: Sequence[Rule], *, for_each: bool) -> Iterator[Answer]:
    """What each recipient is told. Behind a drop or a hang, nothing.

    An answer that is not for each is given once, to the first that has none of its own.
    """
    shared, ended = answer, False
    for place, share in enumerate(shares):
        if ended:
            one = NOTHING
        elif share.rule is not None:
            one = actions.rule_answer(share.rule, "data", [*share.slow, *slow])
        elif for_each:
            usual = Answer(replies=answer.replies[place : place + 1], accepted=answer.accepted, closes=answer.closes)
            one = actions.slowed(usual, [*share.slow, *slow, *([answer.rule] if answer.rule else [])])
        else:
            one, shared = shared, NOTHING
        ended = ended or _ends(one)
        yield one


def _ends(answer: Answer) -> bool:
    return answer.rule is not None and bool(answer.rule.get("drop") or answer.rule.get("hang"))


def _kept(answer: Answer) -> bool:
    if isinstance(answer.accepted, bool):
        return answer.accepted
    return any(reply.digit == 2 for reply in answer.replies)


def _outcome(told: Sequence[Answer]) -> Outcome:
    """Accepted if anybody was told so; without any reply, what became of the first."""
    replies = [reply for one in told for reply in one.replies]
    if any(reply.digit == 2 for reply in replies):
        return "accepted"
    return "refused" if replies else next(one.outcome for one in told if one is not NOTHING)
