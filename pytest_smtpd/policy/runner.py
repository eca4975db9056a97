"""Runs the hook functions of one connection: what they decide, and what those raise that nobody waits for any more."""

import asyncio
from functools import partial

from pytest_smtpd.calls import Call
from pytest_smtpd.errors import Reject
from pytest_smtpd.policy import hooks
from pytest_smtpd.policy.workers import Workers
from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.steps import Answer


class Runner:
    """One for each connection, whose hooks run one at a time."""

    def __init__(self, options: Options, session: Session, workers: Workers) -> None:
        self._lmtp = options.lmtp
        self._session = session
        self._workers = workers
        self._jobs: dict[Call, hooks.Job] = {}

    @property
    def recipients(self) -> list[str] | None:
        """LMTP's recipients, each of whom has an answer of their own; None in SMTP."""
        return list(self._session.recipients) if self._lmtp else None

    def answers_due(self, hook: HookName) -> int:
        """One; of LMTP's ``data`` one for each recipient."""
        return len(self._session.recipients) if self._lmtp and hook == "data" else 1

    async def run(self, call: Call, rule: Rule, default: Reply | None) -> Answer | None:
        """Let a hook function decide. None if it is a ``command`` hook that returned."""
        count = self.answers_due(call.hook)
        begun = partial(self._jobs.__setitem__, call)
        value, error = await hooks.run_hook(rule.get("call"), call.args, self._workers.submit, begun)
        del self._jobs[call]  # not before: of a client that leaves meanwhile, it is asked what it raised
        if isinstance(error, Reject):
            return hooks.refused(call, error, count)
        if error is not None:
            return hooks.mistake(call, error, count)
        try:
            answer = hooks.verdict(call, value, default, self.recipients)
        except (TypeError, ValueError) as wrong:
            return hooks.mistake(call, wrong.with_traceback(None), count)  # which would show our lines, not the test's
        if call.hook != "command":
            return answer
        call.rule = None  # it has let the command pass
        return None

    def can_be_cancelled(self, call: Call) -> bool:
        """Whether its hook does not run in a thread."""
        job = self._jobs.get(call)
        return job is None or isinstance(job, asyncio.Task)

    async def finish(self) -> None:
        """Wait for blocked ``def`` hooks."""
        if self._jobs:
            await asyncio.wait(self._jobs.values())

    def dropped(self, call: Call, mistake: BaseException | None = None) -> Answer:
        """The verdict on a call that nobody waits for; what its hook raised by mistake is told all the same."""
        mistake = mistake or hooks.late_mistake(self._jobs.pop(call, None))
        if mistake is None:
            return Answer(outcome="dropped", rule=call.rule)
        return hooks.mistake(call, mistake, 0, outcome="dropped")
