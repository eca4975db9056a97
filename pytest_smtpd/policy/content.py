"""One message on its way through the ``data`` hook point.

Its content arrives in pieces, and rules are asked in two ways while it does:

* Rules with ``after`` are asked at each piece; what they decide is an early verdict, before the content is complete.
* The other rules are walked once, nearest first. The walk begins with the content and stops at a rule that can only be
  matched when all of it is there; it continues at the end. So a hook function can read before that.

In LMTP the walk decides for each recipient (RFC 2033 section 4.2), in SMTP for the message. A rule with ``to`` stands
in place of the replies to the recipients that it names, any other for all that are still undecided.
"""

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Final

from pytest_smtpd.policy.exchange import Call, Walk, decorated
from pytest_smtpd.policy.executor import FirstStep, Run
from pytest_smtpd.policy.hook import Hooks, mistake
from pytest_smtpd.policy.ruleset import RuleSet
from pytest_smtpd.policy.stream import Pipe, Stream
from pytest_smtpd.rules.compare import WHEN
from pytest_smtpd.rules.effects import count_as, raw_fields
from pytest_smtpd.rules.match import KEYS, is_addressed_to, matches
from pytest_smtpd.rules.rule import Rule
from pytest_smtpd.rules.verdict import NOTHING, Ending, Verdict, verdict_of
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.smtp.values import described
from pytest_smtpd.turn import Wait

_REPLY: Final = rb"(?:[2-5][0-9]{2}-[^\r\n]*\r\n)*[2-5][0-9]{2}(?: [^\r\n]*)?\r\n"  # RFC 5321 section 4.2.1
Post = Callable[[Callable[[], object]], object]


class Content:
    """The message whose content is arriving. ``kept`` is whether it is kept if it is accepted while it arrives."""

    def __init__(
        self, options: Options, session: Session, rules: RuleSet, hooks: Hooks, call: Call, in_worker: "InWorker"
    ) -> None:
        self.call: Call = call
        self.kept: bool = True
        self._hooks = hooks
        self._in_worker = in_worker
        self._lmtp = options.lmtp
        self._size = options.size
        self._session = session
        self._stream: Stream = call.argument
        here = list(rules.at(call.hook))
        self._early = [rule for rule in here if _can_be_early(rule, options.size)]
        self._rules = [rule for rule in here if rule.after is None]
        self._next = 0
        self._recipients: Sequence[str] = session.recipients if options.lmtp else ("",)
        self._verdicts: list[Verdict | None] = [None] * len(self._recipients)
        self._decorations: list[list[Verdict]] = [[] for _ in self._recipients]
        self._for_all: list[Verdict] = []
        self._raw_for: list[int] = []  # the recipients in place of whose replies the bytes of one rule are sent
        self._failed: Verdict | None = None
        self._pipe: Pipe | None = None
        self._run: Run | None = None

    # --- while the content arrives ----------------------------------------------------------------------------------

    def begin(self, post: Post) -> None:
        """The content begins: start the hook function, if it is known already."""
        self._walk(complete=False)
        if self._run is not None:
            self._start(self._run, post)

    def feed(self, data: bytes, size: int) -> Pipe | None:
        """Content has arrived: pass it to the hook. Returns what to wait for, if the hook reads more slowly."""
        self._stream.size, self._stream.size_exceeded = size, self._size is not None and size > self._size
        if self._pipe is None:
            return None
        self._pipe.put(data)
        return self._pipe if self._pipe.full else None

    def early(self) -> list[Verdict] | None:
        """The verdicts of a rule with ``after`` that applies now, while the content is arriving.

        A rule that does not match is asked again when more has arrived. Once it matches, it has counted the message.
        """
        for rule in tuple(self._early) if self._failed is None else ():
            if rule.over or self._stream.size < (rule.after or 0):
                continue
            try:
                if not matches("Call", self.call, rule.match):
                    continue
            except BaseException as error:  # reported at the end: behind a hook error no rule applies
                self._fail(rule, error)
                return None
            self._early.remove(rule)
            if rule.take():
                return spread(rule.verdict, len(self._recipients), named=False)
        return None

    def _start(self, run: Run, post: Post) -> None:
        self._pipe = self._stream.open(post)
        run.when_over = self._pipe.abandon
        run.start()

    # --- the walk ---------------------------------------------------------------------------------------------------

    def _walk(self, *, complete: bool) -> None:
        """Ask the rules, from where the last walk has stopped, until the verdict for each recipient is known."""
        while self._next < len(self._rules) and self._run is None and self._failed is None and None in self._verdicts:
            rule = self._rules[self._next]
            if not complete and _needs_content(rule):
                return
            self._next += 1
            if not rule.over:
                self._ask(rule)

    def _ask(self, rule: Rule) -> None:
        try:
            places = self._places(rule)
            if not places or not rule.take():
                return
        except BaseException as error:
            self._fail(rule, error)
            return
        if rule.function is not None:
            self._run = self._hooks.run(self.call, rule)
        elif rule.decoration is not None:
            self._decorate(rule, places)
        else:
            named = self._names_recipients(rule)
            verdicts = spread(rule.verdict, len(places), named=named)
            if rule.verdict.wire is not None and not named:
                self._raw_for = places
            for place, verdict in zip(places, verdicts, strict=True):
                self._verdicts[place] = verdict

    def _names_recipients(self, rule: Rule) -> bool:
        """Whether the rule replies in LMTP for the recipients in its ``to``; a hook function decides for all."""
        return self._lmtp and "to" in rule.match and rule.function is None

    def _places(self, rule: Rule) -> list[int]:
        """The places of the undecided recipients to whom the rule applies; none if it does not match."""
        undecided = [place for place, verdict in enumerate(self._verdicts) if verdict is None]
        if not self._names_recipients(rule):
            return undecided if matches("Call", self.call, rule.match) else []
        others = {key: value for key, value in rule.match.items() if key != "to"}
        named = [place for place in undecided if is_addressed_to(self._recipients[place], rule.match["to"])]
        return named if named and matches("Call", self.call, others) else []

    def _decorate(self, rule: Rule, places: Sequence[int]) -> None:
        assert rule.decoration is not None
        if not self._names_recipients(rule):
            self._for_all.append(rule.decoration)
            return
        for place in places:
            self._decorations[place].append(rule.decoration)

    def _fail(self, rule: Rule, error: BaseException) -> None:
        self.call.rule = rule
        self._failed = mistake(self.call, error)[0]

    # --- at its end -------------------------------------------------------------------------------------------------

    def complete(self, default: Reply, post: Post, *, final: bool) -> Walk:
        """The content is complete: decide. If ``final``, the default is the verdict, even against a hook."""
        if final:
            error = yield from self.error()
            return [verdict_of(default)._replace(error=error)] + [verdict_of(default)] * (len(self._recipients) - 1)
        yield from self._read_content()
        started = self._run is not None
        self._walk(complete=True)
        if self._run is not None and not started:  # it had to wait for the content
            self._start(self._run, post)
            if self._pipe is not None and self._session.mail is not None:
                self._pipe.put(b"".join(self._session.mail.chunks))
        decided = yield from self._finish_hook()
        if self._failed is not None:
            return [self._failed] * len(self._recipients)
        usual = verdict_of(default)
        verdicts = [
            verdict or (usual if decided is None else decided[place]) for place, verdict in enumerate(self._verdicts)
        ]
        return self._decorated(self._rewritten(verdicts, default))

    def _read_content(self) -> Generator[Wait, Any, None]:
        """Read the message for rules that match its content, in a thread, so that no other connection waits."""
        rules = [rule for rule in self._rules[self._next :] if rule.reads_content and not rule.over]
        if not rules or self._session.mail is None or None not in self._verdicts:
            return
        content = b"".join(self._session.mail.chunks)
        read = self._session.read
        names = {name for rule in rules for name in rule.match if name != WHEN and KEYS[name].reads_content}
        yield self._in_worker(lambda: _parse(self.call, read, content, names))

    def _rewritten(self, verdicts: list[Verdict], default: Reply) -> list[Verdict]:
        """The verdicts, with the bytes that ``raw=`` functions make of the usual replies'."""
        once = self._raw_for
        try:
            verdicts = [
                rewritten(verdict, self.call.hook, default.wire * max(1, len(once) if place in once else 1))
                for place, verdict in enumerate(verdicts)
            ]
        except BaseException as error:
            return mistake(self.call, error, len(verdicts))
        for place, verdict in zip(once, divided([verdicts[place] for place in once], self.call.hook), strict=True):
            verdicts[place] = verdict
        return verdicts

    def _decorated(self, verdicts: list[Verdict]) -> list[Verdict]:
        """The verdicts with the decorations of rules.

        A decoration for all recipients delays the first reply, and puts its bytes behind the last one. After a verdict
        that ends the connection, no reply follows.
        """
        last = next((place for place, verdict in enumerate(verdicts) if verdict.ends), len(verdicts) - 1)
        given = []
        for place, verdict in enumerate(verdicts):
            if place > last:
                given.append(NOTHING if verdict.keep is None else Verdict(keep=verdict.keep))
                continue
            common = [
                one._replace(delay=one.delay if place == 0 else 0.0, then=one.then if place == last else b"")
                for one in self._for_all
            ]
            given.append(decorated(verdict, [*common, *self._decorations[place]]))
        return given

    def _finish_hook(self) -> Generator[Wait, Any, list[Verdict] | None]:
        """The verdicts of the hook function, if there is one."""
        run, pipe = self._run, self._pipe
        if run is None or pipe is None:
            return None
        pipe.end()
        if not run.over:
            yield run
        return self._hooks.read(self.call, run, None)

    def error(self) -> Generator[Wait, Any, BaseException | None]:
        """The error of a hook that runs although the verdict is known without it."""
        decided = yield from self._finish_hook()
        failed = self._failed or (decided[0] if decided else None)
        return None if failed is None else failed.error

    # --- if it never ends -------------------------------------------------------------------------------------------

    def abandon(self, reason: str, *, cancels: bool) -> Generator[Wait, Any, BaseException | None]:
        """The rest will never come. A hook that reads gets a ``ConnectionError``, when it reads.

        A coroutine that waits for something else is cancelled if this ``cancels``. Waits until the hook has ended.
        Returns the hook error, if there is one.
        """
        if self._run is not None and self._pipe is not None:
            yield from _end(self._run, self._pipe, reason, cancels=cancels)
        error = self._hooks.dropped(self.call).error
        return error or (self._failed and self._failed.error)


InWorker = Callable[[Callable[[], object]], Wait]


def _end(run: Run, pipe: Pipe, reason: str, *, cancels: bool) -> Generator[Wait, Any, None]:
    """Let a hook see that the content has ended too early, and wait until the hook has ended."""
    if not run.over and not run.in_thread:
        yield FirstStep(run)
    reading = pipe.has_reader
    pipe.end(broken=reason)
    if run.over:
        return
    if cancels and not reading and not run.in_thread:
        run.cancel()
    yield run


def _parse(call: Call, read: Callable[[bytes], Any], content: bytes, names: Iterable[str]) -> None:
    """Read the values of these match keys. The message caches them."""
    call.content = read(content)
    for name in names:
        KEYS[name].value("Call", call)


def _needs_content(rule: Rule) -> bool:
    """Whether the rule can only be matched when all of the content is there."""
    return rule.reads_content or (WHEN in rule.match and rule.function is None)


def _can_be_early(rule: Rule, size: int | None) -> bool:
    """Whether the rule may fire during the content: not to accept more than ``size`` (RFC 1870 section 6.3)."""
    if rule.after is None:
        return False
    accepts = any(verdict.digit == 2 for verdict in rule.verdicts)
    return size is None or rule.after <= size or not accepts


def spread(verdict: Verdict, count: int, *, named: bool) -> list[Verdict]:
    """The verdict of one rule for several recipients of LMTP.

    A reply is given for each of them. Raw bytes, bytes behind the answer, a drop and a hang happen once, after the
    replies if there are any. A rule that names recipients (``named``) acts for each.
    """
    if named or count < 2:
        return [verdict] * count
    if verdict.wire is not None or (verdict.ends and verdict.reply is None):
        return [verdict] + [Verdict(keep=verdict.keep, outcome=verdict.outcome)] * (count - 1)
    first = verdict._replace(ending=Ending.OPEN, linger=0.0, then=b"")
    return [first] + [first._replace(delay=0.0)] * (count - 2) + [verdict._replace(delay=0.0)]


def divided(verdicts: list[Verdict], hook: str) -> list[Verdict]:
    """The verdicts for recipients of LMTP in place of whose replies the bytes of the first one are sent.

    If these are as many replies as there are recipients, each recipient gets its own.
    """
    first = verdicts[0] if len(verdicts) > 1 else NOTHING
    raw = first.wire
    if first.rule is None or not isinstance(raw, bytes):
        return verdicts
    replies = [found[0] for found in re.finditer(_REPLY, raw)]
    if b"".join(replies) != raw or len(replies) != len(verdicts):
        return verdicts
    accept = first.rule.options.get("accept")
    given = []
    for place, reply in enumerate(replies):
        fields: dict[str, Any] = {"wire": reply, "ending": Ending.OPEN}
        raw_fields(fields, reply, hook)
        if accept is not None:
            count_as(fields, accept, hook)
        is_last = place == len(replies) - 1
        fields |= {"ending": first.ending} if is_last else {"linger": 0.0, "then": b""}
        given.append(first._replace(**fields, delay=first.delay if place == 0 else 0.0))
    return given


def rewritten(verdict: Verdict, hook: str, usual: bytes) -> Verdict:
    """The verdict, with the bytes that a ``raw=`` function makes of the usual reply's. Raises what that raises."""
    if not callable(verdict.wire):
        return verdict
    made = verdict.wire(usual)
    if not isinstance(made, bytes):
        raise TypeError(f"a raw= function returns bytes, not {described(made)}")
    fields: dict[str, Any] = {"wire": made, "ending": verdict.ending}
    raw_fields(fields, made, hook)
    if verdict.rule.options.get("accept") is not None:
        count_as(fields, verdict.rule.options["accept"], hook)
    return verdict._replace(**fields)
