"""Rules that strike before or amid a TLS handshake, where no hook is asked and no reply can be given."""

from typing import Any, NamedTuple

from pytest_smtpd.calls import Call
from pytest_smtpd.match import matches
from pytest_smtpd.policy import actions, hooks
from pytest_smtpd.policy.book import RuleBook
from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp.events import Handshaking, HookName
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.steps import Answer, Fin


class Strike(NamedTuple):
    """A rule that acts now, or whose match raised ``error``."""

    hook: HookName
    argument: Any
    rule: Rule
    error: BaseException | None = None

    def answer(self, call: Call) -> Answer:
        """What it does; behind a mistake the connection can only close, the 451 would be no TLS."""
        if self.error is None:
            return actions.rule_answer(self.rule, self.hook)
        return hooks.mistake(call, self.error, 0, dress=lambda data: (Fin(),))


def strike(event: Handshaking, book: RuleBook, session: Session) -> Strike | None:
    """A drop on ``connect`` before the handshake of implicit TLS, a rule on ``secure`` after n bytes of any."""
    before = _before(book, session) if event.implicit and event.received == 0 else None
    return before or _amid(event, book, session)


def _before(book: RuleBook, session: Session) -> Strike | None:
    """The drop, if it is what answers. Any other rule is judged after the handshake: its match may ask for ``tls``."""
    for rule in book.at("connect"):
        if not rule.answers or not rule.would_take():
            continue
        drops = actions.is_early_drop(rule)
        call = Call("connect", None, session, 0, 0.0)
        try:
            if matches(call, rule.match):
                return Strike("connect", None, rule) if drops and rule.take() else None
        except BaseException as error:
            return Strike("connect", None, rule, error) if drops else None
    return None


def _amid(event: Handshaking, book: RuleBook, session: Session) -> Strike | None:
    for rule in book.at("secure"):
        if not actions.is_early(rule) or event.received < rule.get("after") or id(rule) in event.struck:
            continue
        call = Call("secure", event.tls, session, 0, 0.0)
        try:
            if not matches(call, rule.match) or not rule.take():
                continue
        except BaseException as error:
            return Strike("secure", event.tls, rule, error)
        event.struck.add(id(rule))
        return Strike("secure", event.tls, rule)
    return None
