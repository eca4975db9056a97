"""Hook functions of one connection: running them, and reading what they decide."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from pytest_smtpd.errors import Reject
from pytest_smtpd.policy.exchange import Call
from pytest_smtpd.policy.executor import Executor, Run, users_traceback
from pytest_smtpd.rules.hooks import HOOKS, refused
from pytest_smtpd.rules.rule import Rule
from pytest_smtpd.rules.verdict import Verdict
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session

# What the hook of a client that has left may raise: the error of its stream, or a refusal that cannot be sent.
_NO_MISTAKE: Final = (Reject, ConnectionError)


def mistake(call: Call, error: BaseException, count: int = 1) -> list[Verdict]:
    """The verdicts for a hook or a match that has raised an exception: 451, without details (RFC 5321 section 4.2.3).

    ``count`` is the number of recipients. At ``close`` there is nobody left to reply to.
    """
    BaseException.with_traceback(error, users_traceback(error))
    if HOOKS[call.hook].refusal is None:
        return [Verdict(outcome="error", rule=call.rule, error=error)]
    reply = replies.HOOK_FAILED
    return [Verdict(reply, reply.digit, "error", rule=call.rule, error=error)] * count


class Hooks:
    """Runs the hook functions of one connection. Those run one at a time, in protocol order."""

    def __init__(self, options: Options, session: Session, executor: Callable[[], Executor]) -> None:
        self._options = options
        self._session = session
        self._executor = executor
        self._runs: dict[Any, Run] = {}  # by call, until somebody has read the result

    @property
    def recipients(self) -> Sequence[str] | None:
        """LMTP's recipients, each of whom has an answer of their own; None in SMTP."""
        return self._session.recipients if self._options.lmtp else None

    def run(self, call: Call, rule: Rule) -> Run:
        """A call of the rule's function, not yet started."""
        assert rule.function is not None
        call.rule = rule
        run = self._runs[call] = self._executor().run(rule.function, call.args)
        return run

    def read(self, call: Call, run: Run, default: Reply | None) -> list[Verdict] | None:
        """The verdicts of a function that has ended; None if it has let a command pass."""
        self._runs.pop(call, None)
        rule, recipients = call.rule, self.recipients if call.about == "content" else None
        try:
            verdicts = self._verdicts(call, run, default, recipients)
        except Exception as wrong:
            # Without a traceback, which would show our own lines. It may be the value's own: any of its methods fails.
            verdicts = mistake(call, wrong.with_traceback(None), 1 if recipients is None else len(recipients))
        if verdicts is None:
            call.rule = None
            return None
        return [verdict._replace(rule=rule) for verdict in verdicts]

    def _verdicts(
        self, call: Call, run: Run, default: Reply | None, recipients: Sequence[str] | None
    ) -> list[Verdict] | None:
        count = 1 if recipients is None else len(recipients)
        if isinstance(run.error, Reject):
            try:
                return [refused(call.hook, run.error)] * count
            except TypeError as nobody:  # its cause shows the line of the hook; ours are of no interest
                run.error.__traceback__ = users_traceback(run.error)
                return mistake(call, nobody.with_traceback(None))
        if run.error is not None:
            return mistake(call, run.error, count)
        return HOOKS[call.hook].read(call, run.value, default, recipients)

    # --- calls without a reply --------------------------------------------------------------------------------------

    @property
    def unfinished(self) -> list[Run]:
        """Functions that are still running."""
        return [run for run in self._runs.values() if not run.over]

    def dropped(self, call: Call) -> Verdict:
        """The verdict on a call that nobody waits for; a hook error is still reported."""
        run = self._runs.pop(call, None)
        error = None if run is None else run.error
        if error is None or isinstance(error, _NO_MISTAKE):
            return Verdict(outcome="dropped", rule=call.rule)
        BaseException.with_traceback(error, users_traceback(error))
        return Verdict(outcome="dropped", rule=call.rule, error=error)
