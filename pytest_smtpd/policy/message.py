"""One message on its way through the ``data`` hook: rules that wait for its end, a hook that reads as it arrives."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_smtpd.calls import Call
from pytest_smtpd.match import matches
from pytest_smtpd.policy import actions, hooks, lmtp
from pytest_smtpd.policy.streams import Pipe, Stream
from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.steps import Answer, said

if TYPE_CHECKING:
    from pytest_smtpd.policy.responder import Responder


class Message:
    """The ``data`` call of one message. A rule that matches by content waits for its end, and so do all behind it."""

    def __init__(self, responder: "Responder", call: Call) -> None:
        self.call = call
        self.aborted: bool = False
        self.kept: bool = True  # whether a message that is accepted while it arrives is one
        self._responder = responder
        self._stream: Stream = call.argument
        self._due: int = responder.runner.answers_due("data")
        self._rules = [rule for rule in responder.book.at("data") if not actions.is_early(rule)]
        self._early = [rule for rule in responder.book.at("data") if actions.strikes(rule, responder.options.size)]
        self._next = 0
        self._slow: list[Rule] = []
        self._chosen: Rule | None = None
        self._failed: Answer | None = None
        self._pipe: Pipe | None = None
        self._task: asyncio.Task[Answer | None] | None = None

    # --- while it arrives -------------------------------------------------------------------------------------------

    async def start(self) -> Rule | None:
        """The content begins: start the hook, if it is known already. The rule that strikes at once, or None."""
        self._choose(with_content=False)
        if self._chosen is not None and self._chosen.get("call") is not None:
            self._start_hook(self._chosen)
        return self._striking(0)

    async def feed(self, data: bytes, size: int) -> Rule | None:
        """Content has arrived: hand it to the hook, no faster than it reads. The rule that strikes now, or None."""
        limit = self._responder.options.size
        self._stream.size, self._stream.size_exceeded = size, limit is not None and size > limit
        if self._pipe is not None:
            self._pipe.put(data)
            await self._pipe.room()
        return self._striking(size) if self._early else None

    def _striking(self, size: int) -> Rule | None:
        for rule in self._early:
            if size >= rule.get("after") and self._applies(rule):
                self._early.remove(rule)
                return rule
        return None

    def _applies(self, rule: Rule) -> bool:
        """Whether it matches, and its turn has come. Behind a mistake in a match, told at the end, none applies."""
        try:
            return self._failed is None and matches(self.call, rule.match) and rule.take()
        except BaseException as error:
            self._mistaken(rule, error)
            return False

    def _mistaken(self, rule: Rule, error: BaseException) -> Answer:
        self.call.rule = rule
        self._failed = hooks.mistake(self.call, error, self._due)
        return self._failed

    def _choose(self, *, with_content: bool) -> None:
        """Walk the rules from where the last walk ended, up to the one that decides."""
        lmtp = self._responder.options.lmtp
        while self._chosen is None and self._next < len(self._rules):
            rule = self._rules[self._next]
            if actions.reads_content(rule) and not with_content:
                return
            self._next += 1
            if (lmtp and actions.for_one_recipient(rule)) or not self._applies(rule):
                continue
            if rule.answers:
                self._chosen = self.call.rule = rule
            else:
                self._slow.append(rule)

    def _start_hook(self, rule: Rule) -> None:
        self._pipe = self._stream.open(asyncio.get_running_loop())
        self._task = asyncio.ensure_future(self._run_hook(rule))
        self._task.add_done_callback(lambda task: self._pipe.abandon() if self._pipe else None)

    async def _run_hook(self, rule: Rule) -> Answer | None:
        """The hook's verdict. The ``ConnectionError`` of a message that broke off is no bug when it leaves the hook."""
        answer = await self._responder.runner.run(self.call, rule, None)
        broken = self.aborted and answer is not None and isinstance(answer.error, ConnectionError)
        return Answer(outcome="dropped", rule=rule) if broken else answer

    # --- at its end -------------------------------------------------------------------------------------------------

    async def complete(self, default: Reply, *, final: bool) -> Answer:
        """All content is there: the verdict. If ``final``, it is the default, whatever the hook says."""
        if final:
            return said(*(default,) * self._due, error=await self.mistake())
        self._choose(with_content=True)
        if self._failed is not None:
            await self._finish_hook()
            return self._failed
        slow = [*self._slow, *([self._chosen] if self._chosen else [])]
        if pause := actions.delay(slow):
            await asyncio.sleep(pause)
        answer = await self._decide(default)
        if self._responder.options.lmtp:
            answer = self._per_recipient(answer)
        return actions.slowed(answer, slow)

    async def _decide(self, default: Reply) -> Answer:
        count = self._due
        if self._chosen is None:
            return said(*(default,) * count)
        if self._chosen.get("call") is None:
            return actions.rule_answer(self._chosen, "data", self._slow, count)
        if self._task is None:  # it had to wait for the content
            self._start_hook(self._chosen)
            envelope = self._responder.session.envelope
            if self._pipe is not None and envelope is not None:
                self._pipe.put(envelope.content)
        answer = await self._finish_hook()
        return answer or said(*(default,) * count)

    async def mistake(self) -> BaseException | None:
        """All content is there, and the verdict is known: what the test has done wrong all the same."""
        answer = await self._finish_hook()
        answer = self._failed or answer
        return answer.error if answer is not None else None

    async def _finish_hook(self) -> Answer | None:
        if self._task is None:
            return None
        if self._pipe is not None:
            self._pipe.end()
        return await asyncio.shield(self._task)

    def _per_recipient(self, answer: Answer) -> Answer:
        """LMTP: rules with ``to`` that are nearer than the one that decides speak for the recipients that they name."""
        recipients = self._responder.runner.recipients or []
        shares = [lmtp.Share() for _ in recipients]
        nearer = self._rules.index(self._chosen) if self._chosen in self._rules else len(self._rules)
        for rule in filter(actions.for_one_recipient, self._rules[:nearer]):
            try:
                lmtp.deal(rule, shares, recipients, self.call)
            except BaseException as error:
                return self._mistaken(rule, error)
        return lmtp.combine(answer, shares, self._slow)

    def abort(self, reason: str) -> None:
        """The rest will never come: a hook that reads gets the ``ConnectionError``, any other is cancelled."""
        self.aborted = True
        reading = self._pipe is not None and self._pipe.has_reader
        if self._pipe is not None:
            self._pipe.end(broken=reason)
        if self._task is not None and not reading and self._responder.runner.can_be_cancelled(self.call):
            self._task.cancel()

    async def discard(self, reason: str) -> Answer | None:
        """Give it up, and wait until its hook has ended; a bug of the hook, if it had one."""
        self.abort(reason)
        answer = None
        if self._task is not None:
            await asyncio.wait([self._task])
            answer = None if self._task.cancelled() else self._task.result()
        answer = self._failed or answer
        return replace(answer, replies=()) if answer is not None and answer.error is not None else None
