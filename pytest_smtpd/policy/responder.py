"""Decides how each event is answered: by the first rule that matches, by its hook function, or else by the RFC.

There is one responder for each connection. ``decide`` returns the verdicts on an event if nothing has to be waited for;
otherwise it returns a walk, a generator which yields what has to be waited for and returns the verdicts. An answer is
recorded only when the conversation calls ``record``, or the ``recorder``: after the verdicts have taken effect, and
before the client can see them.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pytest_smtpd.policy.content import Content, rewritten
from pytest_smtpd.policy.exchange import Exchange, Log, Walk, decorated
from pytest_smtpd.policy.executor import Executor
from pytest_smtpd.policy.handshake import HandshakeRules
from pytest_smtpd.policy.hook import Hooks, mistake
from pytest_smtpd.policy.recorder import Open, Recorder, is_in_passing
from pytest_smtpd.policy.ruleset import RuleSet
from pytest_smtpd.rules.hooks import HOOKS
from pytest_smtpd.rules.match import matches
from pytest_smtpd.rules.verdict import KNOWN, NOTHING, Verdict, answer, verdict_of
from pytest_smtpd.smtp import content as arriving
from pytest_smtpd.smtp import events, login
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session, Transaction
from pytest_smtpd.smtp.states import IN_TRANSACTION, SEQUENCE, State
from pytest_smtpd.turn import Wait

Verdicts = list[Verdict]
Decided = Verdict | Verdicts | Walk | None
_GONE: Final = "the client closed the connection"


class Server(NamedTuple):
    """What the responders of a server share.

    ``executor`` returns the hook executor, which is created when it is first needed; ``post`` lets the server's thread
    call a function, and can be used in any thread.
    """

    rules: RuleSet
    log: Log
    executor: Callable[[], Executor]
    post: Callable[[Callable[[], object]], object]


class Responder:
    """Answers the events of one connection, in protocol order."""

    def __init__(self, options: Options, session: Session, server: Server) -> None:
        self._options = options
        self._session = session
        self._server = server
        self._rules = server.rules
        self._log = server.log
        self._hooks = Hooks(options, session, server.executor)
        self._open = Open()
        self._close_call: Any = None
        self.recorder: Recorder = Recorder(session, server.log, self._open)
        self._handshake = HandshakeRules(server.rules, server.log, session)

    # --- the rules to use -------------------------------------------------------------------------------------------

    def pin_rules(self) -> None:
        """Use the present rules of the server, even after they have been replaced."""
        self._rules = self._handshake.rules = self._server.rules.pinned()

    def unpin_rules(self) -> None:
        """Use the rules that the server has at each time."""
        self._rules = self._handshake.rules = self._server.rules

    # --- deciding ---------------------------------------------------------------------------------------------------

    def decide(self, event: Event) -> "Decided":
        """The verdict on an event; or a list of verdicts, in LMTP one for each recipient; or a walk that returns one.

        None means that no answer is due. A verdict that is not in a list is the RFC's: no rule was asked.
        """
        special = _SPECIAL.get(type(event))
        if special is not None:
            return special(self, event)
        waiting = self._open.exchange or (self._open.data_call and self._open.message)
        if not waiting and not event.reply_later and not event.explained:
            default = event.default
            if default is not None and not self._has_rules(event):
                return KNOWN.get(default.wire) or verdict_of(default)
        return self._walk(event)

    def _has_rules(self, event: Event) -> bool:
        """Whether there is a rule at one of the hook points that the event reaches."""
        here = self._rules.by_hook
        return bool(here) and any(hook in here for hook, _ in event.hooks)

    def _by_default(self, event: Event) -> Verdict:
        """The default as a verdict. If it refuses a token, it does so with the usual challenge of the mechanism."""
        if event.default is None and event.command is not None:
            raise TypeError(
                f"verb {event.command.verb!r}: its event has no default=, the reply that the RFC would give"
            )
        if event.explained and event.default is not None:
            return answer(event.default, challenge={})
        return verdict_of(event.default)

    def _walk(self, event: Event) -> Walk:
        """Reach the hook points in order, until one refuses, or answers in place of those after it."""
        exchange = self._open.exchange = self._open.exchange or Exchange()
        verdict: Verdict | None = None
        for hook, argument in event.points:
            call = self._log.begin(hook, argument, self._session)
            exchange.calls.append(call)
            verdict = yield from self._ask(call, event.default, exchange)
            if verdict is not None and ("precedence" in HOOKS[hook].has or not verdict.proceeds):
                break
        if event.reply_later and (verdict is None or verdict.digit == 2):
            exchange.verdict = verdict
            return []
        verdict = decorated(verdict or self._by_default(event), exchange.decorations)
        message = self._open.message
        if message is not None and _ends_message(event, verdict):
            yield from self._give_up("the client gave up the message")
            self._drop([message])
        return [verdict]

    def _ask(self, call: Any, default: Reply | None, exchange: Exchange) -> Generator[Wait, Any, Verdict | None]:
        """The verdict of rules and hook functions on a call, or None for the default.

        What rules only add to the answer (a delay, a pace, more bytes) is collected in ``exchange.decorations``.
        """
        for rule in self._rules.at(call.hook):
            if rule.after is not None:
                continue
            call.rule = rule
            try:
                if not matches("Call", call, rule.match) or not rule.take():
                    continue
                if rule.verdicts:
                    return rewritten(rule.verdict, call.hook, b"" if default is None else default.wire)
            except BaseException as error:
                return mistake(call, error)[0]
            if rule.decoration is not None:
                exchange.decorations.append(rule.decoration)
            if rule.function is not None:
                run = self._hooks.run(call, rule)
                yield run
                verdicts = self._hooks.read(call, run, default)
                return None if verdicts is None else verdicts[0]
        call.rule = None
        return None

    # --- the greeting -----------------------------------------------------------------------------------------------

    def _greet(self, event: events.Connected) -> Decided:
        if event.tls is None and event.login is None and self._open.exchange is None and not self._has_rules(event):
            return verdict_of(event.default)
        return self._greeting(event)

    def _greeting(self, event: events.Connected) -> Walk:
        """Decide about the greeting, also that after XCLIENT. The hook points after ``connect`` can only refuse it."""
        exchange = self._open.exchange = self._open.exchange or Exchange()
        greeting: Verdict | None = None
        user: Any = None
        for place, (hook, argument) in enumerate(event.points):
            call = self._log.begin(hook, argument, self._session)
            exchange.calls.append(call)
            verdict = yield from self._ask(call, event.default, exchange)
            if verdict is not None and not verdict.proceeds:
                if place:
                    self._accepted(exchange, place=-2)
                return [decorated(verdict, exchange.decorations)]
            if place:
                user = user if verdict is None else verdict.user or user
                self._accepted(exchange, place=-1)
            else:
                greeting = verdict
        greeting = greeting or exchange.verdict or verdict_of(event.default)
        return [decorated(greeting._replace(user=user), exchange.decorations)]

    def _accepted(self, exchange: Exchange, *, place: int) -> None:
        """Record a call as accepted, and remove it from the exchange: another call reports the reply."""
        call = exchange.calls.pop(place)
        self._log.answered([call], [Verdict(rule=call.rule)])

    # --- the message ------------------------------------------------------------------------------------------------

    def _content_begins(self, event: Event) -> Decided:
        call = self._open.message or self.recorder.begin_data()
        if call.hook not in self._rules.by_hook:
            return None
        self._open.content = Content(
            self._options,
            self._session,
            self._rules,
            self._hooks,
            call,
            lambda work: self._server.executor().job(work),
        )
        self._open.content.begin(self._server.post)
        return self._early()

    def _content_arrives(self, event: arriving.Chunk) -> Decided:
        if self._open.content is None:
            stream, limit = self._open.data_call.argument, self._options.size
            stream.size, stream.size_exceeded = event.size, limit is not None and event.size > limit
            return None
        full = self._open.content.feed(event.data, event.size)
        return self._early() if full is None else self._when_there_is_room(full)

    def _when_there_is_room(self, full: Wait) -> Walk:
        """Wait until the hook function has read enough of the content, then decide."""
        yield full
        early = self._early()
        return (yield from early) if isinstance(early, Generator) else early

    def _early(self) -> "Verdicts | Walk | None":
        """The verdicts of a rule with ``after`` that applies now, while content arrives; None if there is none.

        If it refuses, the message is given up before the reply.
        """
        assert self._open.content is not None
        verdicts = self._open.content.early()
        if verdicts is None:
            return None
        passing, verdict = is_in_passing(verdicts[0]), verdicts[0]
        return verdicts if passing or verdict.digit == 2 else self._refuse_early(verdicts)

    def _refuse_early(self, verdicts: Verdicts) -> Walk:
        yield from self._give_up("the message was refused while it was being sent")
        return verdicts

    def _chunk_received(self, event: arriving.ChunkReceived) -> Walk:
        exchange = self._open.exchange or Exchange()
        verdict = decorated(_ahead(exchange, event) or verdict_of(event.default), exchange.decorations)
        if not verdict.proceeds:
            yield from self._give_up("the message was refused")
        return [verdict]

    def _content_complete(self, event: arriving.Content) -> Decided:
        if self._open.content is not None or self._open.exchange is not None or event.default is None:
            return self._complete(event)
        verdict = verdict_of(event.default)
        return [verdict] * len(self._session.recipients) if self._options.lmtp else verdict

    def _complete(self, event: arriving.Content) -> Walk:
        content, exchange = self._open.content, self._open.exchange or Exchange()
        count = len(self._session.recipients) if self._options.lmtp else 1
        ahead = _ahead(exchange, event)
        if content is not None and event.default is not None and ahead is None:
            verdicts = yield from content.complete(event.default, self._server.post, final=event.final)
        else:
            error = None if content is None else (yield from content.error())
            if event.default is None:  # it was accepted while it was arriving
                if error is not None:
                    self._log.failed(self._open.data_call, error)
                return [Verdict(keep=content is None or content.kept)]
            verdict = ahead or verdict_of(event.default)
            more = verdict if verdict.wire is None else NOTHING
            verdicts = [verdict._replace(error=error), *[more] * (count - 1)]
        assert verdicts is not None
        verdicts[0] = decorated(verdicts[0], exchange.decorations)
        return verdicts

    def _give_up(self, reason: str, *, cancels: bool = True) -> Generator[Wait, Any, None]:
        """The message will never be complete, or is refused: end what processes its content, and record an error of it.

        ``cancels`` is whether a hook function that reads the content is cancelled.
        """
        content = self._open.content
        if content is None:
            return
        error = yield from content.abandon(reason, cancels=cancels)
        self._open.content = None
        if error is not None:
            self._log.failed(content.call, error)

    def _drop(self, calls: Sequence[Any]) -> None:
        """Record pending calls that will get no answer."""
        for call in calls:
            if call.outcome == "pending":
                self._log.answered([call], [self._hooks.dropped(call)])

    def _handshaking(self, event: events.Handshaking) -> Verdicts | None:
        """The verdict of a rule that acts now during the handshake, or None. It can give no reply and call no hook."""
        found = self._handshake.rule_for(event)
        if found is None:
            return None
        call = self._log.begin(found.hook, found.argument, self._session)
        call.rule = found.verdict.rule
        self._open.exchange = Exchange([call])
        return [found.verdict]

    # --- recording --------------------------------------------------------------------------------------------------

    def record(self, event: Event, verdict: Verdict, before: Transaction | None, *, heard: bool) -> None:
        """Record that the default has taken effect. ``before`` is the transaction as it was before that.

        ``heard`` is whether the client may hear the reply.
        """
        if self._open.exchange is not None or type(event) in _SPECIAL:
            self.recorder.record(event, [verdict], b"", heard=heard)
        else:
            self._log.decided(event, self._session, verdict, before, heard=heard)
            if verdict.digit == 3:
                self.recorder.begin_data()

    # --- the end ----------------------------------------------------------------------------------------------------

    def close(self, *, cancels: bool) -> Generator[Wait, Any, None]:
        """The connection is gone: end what is pending, wait for hooks that still run, and reach ``close``.

        ``cancels`` is whether a hook function that reads the content of a message is cancelled. It is not if the client
        has only closed its side.
        """
        yield from self._give_up(_GONE, cancels=cancels)
        for run in self._hooks.unfinished:
            run.cancel()
            if not run.over:
                yield run
        call = self._closed()
        verdict = yield from self._ask(call, None, Exchange())
        self._log.answered([call], [verdict or NOTHING])

    def close_at_once(self) -> None:
        """The server stops, and waits no longer for hooks that still run: no rule is asked any more."""
        if self._close_call is None:
            self._log.answered([self._closed()], [NOTHING])
        else:
            self._drop([self._close_call])

    def _closed(self) -> Any:
        """Record pending calls as dropped, and that ``close`` is reached. Returns its call."""
        exchange = self._open.exchange
        pending = [] if exchange is None else exchange.calls
        if self._open.data_call is not None:
            pending = [*pending, self._open.data_call]
        self._drop(pending)
        self._session.closed = True
        self._close_call = self._log.begin_last("close", self._session)
        return self._close_call


def _ahead(exchange: Exchange, event: Event) -> Verdict | None:
    """The verdict that a rule has given in advance, on the command. None if the server itself has to refuse."""
    return None if event.default is None or event.default.refuses else exchange.verdict


def _ends_message(event: Event, verdict: Verdict) -> bool:
    """Whether the message will never be complete, because of RSET or EHLO, for example, between two BDAT chunks."""
    following = SEQUENCE[State.BETWEEN_CHUNKS].get(event.name, {}).get(verdict.digit)
    return following is not None and following not in IN_TRANSACTION


def _response(responder: Responder, event: login.Response) -> Walk:
    responder._log.note(responder._session, "***", "C")
    return responder._walk(event)


def _unasked(responder: Responder, event: events.Unasked) -> Verdict:
    return verdict_of(event.default)


_SPECIAL: Final[Mapping[type[Event], Callable[[Responder, Any], Decided]]] = {
    events.Connected: Responder._greet,
    events.Overloaded: _unasked,
    events.TimedOut: _unasked,
    events.Handshaking: Responder._handshaking,
    login.Response: _response,
    arriving.ContentBegins: Responder._content_begins,
    arriving.Chunk: Responder._content_arrives,
    arriving.ChunkReceived: Responder._chunk_received,
    arriving.Content: Responder._content_complete,
}
