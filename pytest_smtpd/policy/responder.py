"""Who answers a client: the first matching rule, else the hook, else the RFC. One responder for each connection."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from pytest_smtpd.calls import Call
from pytest_smtpd.match import matches
from pytest_smtpd.policy import actions, handshake, hooks
from pytest_smtpd.policy.book import RuleBook
from pytest_smtpd.policy.message import Message
from pytest_smtpd.policy.runner import Runner
from pytest_smtpd.policy.streams import Stream
from pytest_smtpd.policy.workers import Workers
from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp import events, states
from pytest_smtpd.smtp.events import Event, HookName
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.steps import LATER, NOTHING, Answer, default_answer


class Journal(Protocol):
    """What the record keeps of a responder's work."""

    def begin(self, hook: HookName, argument: Any, session: Session) -> Call:
        """A hook point is passed."""
        ...

    def settle(self, call: Call, answer: Answer) -> None:
        """A call is decided."""
        ...

    def note(self, session: Session, text: str, who: str = "-") -> None:
        """Something for the transcript."""
        ...


class Responder:
    """Answers the events of one connection, in protocol order."""

    def __init__(self, options: Options, session: Session, book: RuleBook, journal: Journal, workers: Workers) -> None:
        self.options = options
        self.session = session
        self.book = book
        self.journal = journal
        self.runner: Runner = Runner(options, session, workers)
        self._pending: list[Call] = []
        self._tail: list[Call] = []  # command calls that wait for a later reply: BDAT, XCLIENT, AUTH
        self._promised: Answer | None = None  # what a rule on such a command says there
        self._message: Message | None = None
        self.data_call: Call | None = None

    def respond(self, event: Event) -> Coroutine[Any, Any, Answer | None]:
        """The verdict on an event; None where nothing is to be said or done."""
        special = _SPECIAL.get(type(event))
        return self._pass(event) if special is None else special(self, event)

    # --- the usual way ----------------------------------------------------------------------------------------------

    async def _pass(self, event: Event) -> Answer:
        """The answer to an event that passes hook points: what they say, else the RFC's."""
        calls: list[Call] = []
        slow: list[Rule] = []
        said, detail = await self._pass_points(event, calls, slow)
        if isinstance(event, _ANSWERED_LATER) and (said is None or _first_digit(said) == 2):
            self._tail, self._promised = calls, said and actions.slowed(said, slow)
            return LATER
        if isinstance(event, _LATER_ANSWERS) and (said is None or said.goes_on):
            said = self._keep_promise(event) or said
        final = _by_default(event) if said is None else said
        if detail is not None:
            final = replace(final, detail=detail)
        if slow:
            final = actions.slowed(final, slow)
        self._settle_points(event, calls, final)
        if event.name == "DATA" and final.dress is None and _first_digit(final) == 3:
            self.data_call = self.begin("data", Stream())  # in the log before the client can see the 354
        if self._message is not None and _ends_message(event, final):
            await self._give_up("the client gave up the message")
        return final

    async def _pass_points(self, event: Event, calls: list[Call], slow: list[Rule]) -> tuple[Answer | None, Any]:
        """Pass the points in order; the first that refuses, or a ``command`` that answers, is the last.

        What was answered, and the user of an XCLIENT's LOGIN: to that what is said is the greeting.
        """
        final: Answer | None = None
        detail: Any = None
        for hook, argument in event.points:
            calls.append(self.begin(hook, argument))
            answer = await self._ask(calls[-1], event.default, slow) if self.book.at(hook) else None
            if answer is None:
                continue
            if isinstance(event, events.Connected) and hook != "connect" and answer.goes_on:
                detail = answer.detail
                continue
            final = answer
            if hook == "command" or not answer.goes_on:
                break
        return final, detail

    def _keep_promise(self, event: Event) -> Answer | None:
        """What a rule has said to the command whose answer is due now, unless the server has to refuse."""
        return self._promised if event.default is None or not event.default.refuses else None

    def _settle_points(self, event: Event, calls: list[Call], final: Answer) -> None:
        if isinstance(event, events.Connected):
            calls = [self._greeter(calls, final)]
        challenge = bool(final.replies) and final.replies[0].digit == 3
        if isinstance(event, events.Authenticate) and challenge:  # the exchange goes on: its command waits for the end
            self._tail += [call for call in calls if call.hook == "command"]
            calls = [call for call in calls if call.hook != "command"]
            if final.rule is not None and not calls:  # what a rule says is no secret
                self.journal.note(self.session, f"{final.replies[0]}   by {final.rule!r}", "S")
        elif event.command is None and not isinstance(event, events.TimedOut):
            calls = self._with_tail(*calls)
        if not calls and not challenge:  # nobody else tells it: a time-out, a client too many
            for reply in final.replies:
                self.journal.note(self.session, str(reply), "S")
        self.settle(calls, final)

    def _with_tail(self, *calls: Call) -> list[Call]:
        """These calls, behind the commands that have waited for their answer, which is there now."""
        tail, self._tail, self._promised = self._tail, [], None
        return [*tail, *calls]

    def _greeter(self, calls: list[Call], final: Answer) -> Call:
        """The call that the one reply answers: ``connect``, or the one that refused. The others are settled."""
        speaker = calls.pop(0 if final.goes_on else -1)
        for passed in calls:
            self.settle([passed], replace(NOTHING, rule=passed.rule))
        return speaker

    def begin(self, hook: HookName, argument: Any) -> Call:
        """A hook point is passed: into the log with it."""
        call = self.journal.begin(hook, argument, self.session)
        self._pending.append(call)
        return call

    def settle(self, calls: Sequence[Call], answer: Answer) -> None:
        """Write the verdict down. Calls that share it have one teller, the last, to whom a hook's mistake belongs."""
        for call in calls:
            self._pending.remove(call)
            call.silent = call is not calls[-1]
            shared = call.silent and answer.error is not None
            self.journal.settle(call, replace(answer, error=None) if shared else answer)

    async def _ask(self, call: Call, default: Reply | None, slow: list[Rule]) -> Answer | None:
        """What rules and hooks say to a call; None: the default. ``slow`` gets the rules that only slow it down."""
        earlier = len(slow)
        try:
            rule = self._first_that_answers(call, slow)
        except BaseException as error:
            return hooks.mistake(call, error)
        if pause := actions.delay([*slow[earlier:], rule] if rule else slow[earlier:]):
            await asyncio.sleep(pause)
        if rule is None:
            return None
        if rule.get("call") is None:
            return actions.rule_answer(rule, call.hook, slow)
        answer = await self.runner.run(call, rule, default)
        slow.append(rule)
        return None if answer is None else actions.slowed(answer, slow)

    def _first_that_answers(self, call: Call, slow: list[Rule]) -> Rule | None:
        for rule in self.book.at(call.hook):
            call.rule = rule
            if actions.is_early(rule) or not matches(call, rule.match) or not rule.take():
                continue
            if rule.answers:
                return rule
            slow.append(rule)
        call.rule = None
        return None

    # --- content ----------------------------------------------------------------------------------------------------

    async def _content_begins(self, event: Event) -> Answer | None:
        if self.data_call not in self._pending:
            self.data_call = self.begin("data", Stream())
        assert self.data_call is not None
        self._message = Message(self, self.data_call)
        return await self._strike(await self._message.start())

    async def _content_arrives(self, event: events.Chunk) -> Answer | None:
        if self._message is None:
            return None
        return await self._strike(await self._message.feed(event.data, event.size))

    async def _strike(self, rule: Rule | None) -> Answer | None:
        """A rule with ``after`` speaks in the middle of the content."""
        message = self._message
        if rule is None or message is None:
            return None
        if pause := actions.delay([rule]):
            await asyncio.sleep(pause)
        answer = actions.early_answer(rule, self.runner.answers_due("data"))
        message.call.rule, message.kept = rule, answer.accepted is not False
        if answer.again:
            words = answer.replies[0] if answer.replies else rule.get("raw")
            self.journal.note(self.session, f"{words!s}   by {rule!r}", "S")
            return answer
        self.settle(self._with_tail(message.call), answer)
        if not answer.keep:
            await self._give_up("the message was refused while it was being sent")
        return answer

    async def _chunk_received(self, event: events.ChunkReceived) -> Answer:
        answer = await self._pass(event)
        if not answer.goes_on and self._message is not None:
            self.settle([self._message.call], answer)
            await self._give_up("the message was refused")
        return answer

    async def _content_complete(self, event: events.Content) -> Answer:
        message = self._message
        assert message is not None
        if event.default is None:  # already accepted, while it was coming in
            self._add_mistake(message.call, await message.mistake())
            self._message = None
            self.settle(self._with_tail(), NOTHING)
            return Answer(accepted=message.kept)
        promised = self._keep_promise(event)
        if promised is None:
            answer = await message.complete(event.default, final=event.final)
        else:
            answer = actions.repeated(promised, self.runner.answers_due("data"), error=await message.mistake())
        self._message = None  # not before: of a client that leaves meanwhile, close() gives it up
        self.settle(self._with_tail(message.call), answer)
        return answer

    async def _give_up(self, reason: str) -> None:
        """The message will never be complete."""
        message = self._message
        if message is None:
            return
        mistake = await message.discard(reason)
        self._message = None
        dropped = self.runner.dropped(message.call, mistake.error if mistake else None)
        if message.call in self._pending:
            self.settle([message.call], dropped)
        else:
            self._add_mistake(message.call, dropped.error)

    def _add_mistake(self, call: Call, error: BaseException | None) -> None:
        """To a call that has been answered: what it was answered stays as it is."""
        if error is not None:
            told = Answer(replies=call.replies, outcome=call.outcome, rule=call.rule, error=error)
            self.journal.settle(call, told)

    # --- before and after -------------------------------------------------------------------------------------------

    async def _handshaking(self, event: events.Handshaking) -> Answer | None:
        strike = handshake.strike(event, self.book, self.session)
        if strike is None:
            return None
        call = self.begin(strike.hook, strike.argument)
        call.rule = strike.rule
        if pause := actions.delay([strike.rule]):
            await asyncio.sleep(pause)
        answer = strike.answer(call)
        self.settle([call], answer)
        return answer

    async def close(self) -> None:
        """The connection is gone: end what is pending, wait for blocked ``def`` hooks, and pass ``close``."""
        await self._give_up("the client closed the connection")
        await self.runner.finish()
        for pending in list(self._pending):
            self.settle([pending], self.runner.dropped(pending))
        self.session.closed = True
        call = self.begin("close", None)
        answer = await self._ask(call, None, [])
        self.settle([call], answer or Answer())


# The server's own refusal of a token comes with the mechanism's usual explanation.
_EXPLAINED: Final[Mapping[str, Any]] = {}
_ANSWERED_LATER: Final = (events.Bdat, events.Xclient)
_LATER_ANSWERS: Final = (events.ChunkReceived, events.Connected)  # and Content, which has rules of its own
_SPECIAL: Final[Mapping[type[Event], Callable[[Responder, Any], Coroutine[Any, Any, Answer | None]]]] = {
    events.ContentBegins: Responder._content_begins,
    events.Chunk: Responder._content_arrives,
    events.ChunkReceived: Responder._chunk_received,
    events.Content: Responder._content_complete,
    events.Handshaking: Responder._handshaking,
}


def _by_default(event: Event) -> Answer:
    answer = NOTHING if event.default is None else default_answer(event.default)
    return replace(answer, detail=_EXPLAINED) if isinstance(event, events.Authenticate) else answer


def _ends_message(event: Event, answer: Answer) -> bool:
    """RSET or a new greeting between two BDAT chunks: the content will never be complete."""
    between = states.State.BETWEEN_CHUNKS
    return states.following(between, event.name, _first_digit(answer)) not in states.IN_TRANSACTION


def _first_digit(answer: Answer) -> int:
    return answer.replies[0].digit if answer.replies else 0
