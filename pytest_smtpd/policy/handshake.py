"""Rules that act before or during a TLS handshake, where no reply can be given."""

from typing import Any, NamedTuple

from pytest_smtpd.policy.exchange import Call, Log
from pytest_smtpd.policy.hook import mistake
from pytest_smtpd.policy.ruleset import RuleSet
from pytest_smtpd.rules.match import matches
from pytest_smtpd.rules.rule import Rule
from pytest_smtpd.rules.verdict import NOTHING, Ending, Verdict
from pytest_smtpd.smtp.events import Handshaking, HookName
from pytest_smtpd.smtp.session import Session


class Found(NamedTuple):
    """A rule that acts now: its hook point, the argument there, and its verdict."""

    hook: HookName
    argument: Any
    verdict: Verdict


class HandshakeRules:
    """Finds the rules of one connection that act before its handshake is complete, each once.

    A rule on ``connect`` that only drops acts before the handshake of implicit TLS. Any other rule there is asked
    after it, since its match may need ``tls``. A rule on ``secure`` with ``after`` acts n bytes into any handshake.
    """

    def __init__(self, rules: RuleSet, log: Log, session: Session) -> None:
        self.rules: RuleSet = rules
        self._log = log
        self._session = session
        self._counted: list[Rule] = []  # as having met this handshake, whether they acted or let it pass

    def rule_for(self, event: Handshaking) -> Found | None:
        """The rule that acts now, and what it does."""
        before = self._drop_before() if event.implicit and event.received == 0 else None
        return before or self._after(event)

    def _drop_before(self) -> Found | None:
        call = self._log.probe("connect", None, self._session)
        for rule in self.rules.by_hook.get("connect", ()):
            if not rule.answers or not rule.would_take():
                continue
            drops = bool(rule.verdicts) and _only_drops(rule.verdicts[0])
            verdict = self._verdict(rule, call, takes=drops)
            if verdict is not None:
                return Found("connect", None, verdict) if drops else None
        return None

    def _after(self, event: Handshaking) -> Found | None:
        call = self._log.probe("secure", event.tls, self._session)
        for rule in self.rules.by_hook.get("secure", ()):
            if rule.after is None or event.received < rule.after or rule in self._counted or rule.over:
                continue
            seen = rule.seen
            verdict = self._verdict(rule, call, takes=True)
            if rule.seen > seen:
                self._counted.append(rule)
            if verdict is not None:
                return Found("secure", event.tls, verdict)
        return None

    def _verdict(self, rule: Rule, call: Call, *, takes: bool) -> Verdict | None:
        """The verdict of a rule, if it matches; the rule counts as used only if it ``takes`` the call.

        Where its match raises, the connection can only close: a 451 would be no TLS. That of a rule which does not
        act now may ask for what the handshake has yet to show: nothing behind it acts now either.
        """
        try:
            if not matches("Call", call, rule.match) or (takes and not rule.take()):
                return None
        except BaseException as error:
            if not takes:
                return NOTHING
            return Verdict(outcome="error", rule=rule, error=mistake(call, error)[0].error, ending=Ending.FIN)
        return rule.verdict if takes else rule.verdicts[0] if rule.verdicts else NOTHING


def _only_drops(verdict: Verdict) -> bool:
    return verdict.ending in (Ending.FIN, Ending.RST) and verdict.reply is None and verdict.wire is None
