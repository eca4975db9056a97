"""The log: written by the server's thread alone, read and awaited by any thread.

Nothing here is locked while it is written: one thread appends, the others look at copies. Only a thread or coroutine
that waits for a change needs a lock (see ``waiting``).
"""

from collections.abc import Callable, Sequence
from traceback import format_exception
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_smtpd.clock import epoch, monotonic
from pytest_smtpd.errors import no_attribute
from pytest_smtpd.log.waiting import Changes
from pytest_smtpd.rules.hooks import HOOKS
from pytest_smtpd.rules.rule import Rule
from pytest_smtpd.rules.verdict import Outcome, Verdict
from pytest_smtpd.smtp.events import Event, HookName
from pytest_smtpd.smtp.message import Message
from pytest_smtpd.smtp.passwords import hidden
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Envelope, Session, Transaction
from pytest_smtpd.smtp.values import printable, set_once, short


class Call:
    """A hook point that was reached, whether or not a rule or a hook function stood there.

    It is in the log from the moment it begins.
    """

    # A log may hold hundreds of thousands of calls, so what can be derived from other attributes is not kept.
    __slots__ = (
        "about",
        "argument",
        "at",
        "content",
        "duration",
        "envelope",
        "failure",
        "heard",
        "hook",
        "mail",
        "number",
        "outcome",
        "records",
        "rule",
        "session",
        "shared",
        "verdicts",
    )
    __module__ = "pytest_smtpd"

    if not TYPE_CHECKING:  # hidden from type checkers, so that they report unknown attributes
        __getattr__ = no_attribute

    def __init__(
        self,
        hook: HookName,
        argument: Any,
        session: Session,
        number: int,
        at: float,
        verdicts: tuple[Verdict, ...] = (),
        outcome: Outcome = "pending",
        duration: float | None = None,
        heard: bool | None = None,
    ) -> None:
        self.hook: HookName = hook  #: The name of the hook point.
        self.argument: Any = session if argument is None else argument  #: The first of ``args``.
        self.about: str = HOOKS[hook].about  # what the argument is; a hook point without a row is an error here
        self.session: Session = session  #: The connection.
        self.number: int = number  #: Its place in the log, from 1.
        self.at: float = at  #: When it began, in seconds since the epoch.
        self.verdicts: tuple[Verdict, ...] = verdicts  # in LMTP, one for each recipient after a message
        self.outcome: Outcome = outcome  #: How the server decided; see below.
        self.duration: float | None = duration  #: How long it took, in seconds; None while it is pending.
        #: Whether the whole reply was written before the client closed its side. False if there was no reply, None
        #: while the call is pending.
        self.heard: bool | None = heard
        self.rule: Rule | None = None  #: The ``Rule`` that decided, or None.
        #: The ``Envelope`` that a ``data`` call made, accepted or not; else None.
        self.envelope: Envelope | None = None
        self.mail: Transaction | None = session.mail
        self.content: Message | None = None  # of a message that is complete, before there is an envelope
        self.shared: bool = False  # whether a later call reports the reply in a transcript
        self.failure: tuple[BaseException, str] | None = None  # an exception, and its traceback when it was caught
        self.records: Any = None  # the Records that it is in

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments, as a hook function gets them."""
        return (self.session,) if self.argument is self.session else (self.argument, self.session)

    @property
    def replies(self) -> tuple[Reply, ...]:
        """The replies: none, one, or in LMTP one for each recipient after a message."""
        return tuple([verdict.reply for verdict in self.verdicts if verdict.reply is not None])

    @property
    def wires(self) -> tuple[bytes, ...]:
        """What was written instead of the replies."""
        return tuple([verdict.wire for verdict in self.verdicts if isinstance(verdict.wire, bytes)])

    @property
    def decorations(self) -> tuple[Rule, ...]:
        """The rules that have delayed or paced the answer, or added to it."""
        return self.verdicts[0].decorated_by if self.verdicts else ()

    @property
    def error(self) -> BaseException | None:
        """The exception, other than ``Reject``, that a hook function or a match raised; None if there was none."""
        return None if self.failure is None else self.failure[0]

    @property
    def traceback(self) -> str | None:
        """The traceback of ``error``, as it was when it was caught."""
        return None if self.failure is None else self.failure[1]

    @property
    def reply(self) -> Reply | None:
        """The ``Reply``, or None. In LMTP, of the replies to a message the first that accepts, else the first."""
        return next((reply for reply in self.replies if reply.digit == 2), self.replies[0] if self.replies else None)

    @property
    def code(self) -> int | None:
        """The code of ``reply``, or None."""
        return None if self.reply is None else self.reply.code

    @property
    def message(self) -> Message | None:
        """The reader of the call's message, once its content is there."""
        return self.envelope.mail if self.envelope is not None else self.content

    def __repr__(self) -> str:
        about = f" {_shown(self.argument)}" if self.about not in ("", "content") else ""
        about = hidden(about, self.session.passwords)
        return f"<Call {self.number} {self.hook}{about} {self.outcome}{f' {self.code}' if self.code else ''}>"


class Note(NamedTuple):
    """A line of the transcript that is not a call. ``who`` is C (client), S (server) or "-" (the connection itself)."""

    at: float
    who: str
    text: str


class Records:
    """What has been logged since the log was last emptied. ``entries`` are the calls and notes of each session."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.envelopes: list[Envelope] = []
        self.accepted: list[Envelope] = []
        self.sessions: list[Session] = []
        self.entries: dict[Session, list[Call | Note]] = {}
        self.over: bool = False  # the test that they belong to has ended

    def of(self, session: Session) -> "list[Call | Note]":
        """The entries of a session. A session that began before the log was emptied is added by its next entry."""
        entries = self.entries.get(session)
        if entries is None:
            entries = self.entries[session] = []
            self.sessions.append(session)
        return entries


class LogStore:
    """Everything that a server saw, did and decided.

    ``open`` are the sessions that have not ended; ``mixups`` has a function for each that returns why its client may
    wait in vain, or None. ``errors`` are the hook errors, in order; they stay when the log is emptied. ``late_errors``
    are those of hooks that have outlived their test, where the server is not stopped after each. ``epoch`` is
    what has to be added to ``monotonic()`` to get the time since the epoch.
    """

    def __init__(self, records: Records | None = None) -> None:
        self.records: Records = records or Records()
        self.open: set[Session] = set()
        self.mixups: dict[Session, Callable[[], str | None]] = {}
        self.errors: list[BaseException] = []
        self.late_errors: list[BaseException] = []
        self.epoch: float = epoch()
        self.changes: Changes = Changes()
        self._pinned: dict[Session, Records] = {}

    def now(self) -> float:
        """Seconds since the epoch."""
        return monotonic() + self.epoch

    def mixup(self, session: Session) -> str | None:
        """What the client of an open connection may have got wrong; None if there is no sign of a mistake."""
        find = self.mixups.get(session)
        return None if find is None else find()

    # --- writing, in the server's thread ----------------------------------------------------------------------------

    def connected(self, session: Session, mixup: Callable[[], str | None] | None = None) -> None:
        """A client has connected. ``mixup`` returns what it may have got wrong, or None."""
        self.open.add(session)
        if mixup is not None:
            self.mixups[session] = mixup
        self.records.of(session)
        if self.changes.awaited:
            self.changes.notify()

    def pin(self, session: Session) -> None:
        """Record what this session does in the present records, even after the log has been emptied."""
        self._pinned[session] = self.records

    def unpin(self, session: Session) -> None:
        """Record what this session does in the records that the log has at each time."""
        self._pinned.pop(session, None)

    def begin(self, hook: HookName, argument: Any, session: Session) -> Call:
        """A hook point has been reached. Returns its call, which is pending."""
        records = self._pinned.get(session, self.records)
        call = Call(hook, argument, session, len(records.calls) + 1, monotonic() + self.epoch)
        call.records = records
        records.of(session).append(call)
        records.calls.append(call)
        if self.changes.awaited:
            self.changes.notify()
        return call

    def probe(self, hook: HookName, argument: Any, session: Session) -> Call:
        """A call that is not logged, only to see which rule would match it."""
        return Call(hook, argument, session, 0, monotonic() + self.epoch)

    def begin_last(self, hook: HookName, session: Session) -> Call:
        """The last hook point of a connection is reached. Its call is only logged if the connection is in the log."""
        if session in self._pinned.get(session, self.records).entries:
            return self.begin(hook, None, session)
        call = Call(hook, None, session, 0, monotonic() + self.epoch)
        call.records = Records()
        return call

    def decided(
        self, event: Event, session: Session, verdict: Verdict, mail: Transaction | None, *, heard: bool
    ) -> None:
        """Record an event that has reached its hook points and been answered at once; its last call reports the reply.

        ``mail`` is the transaction as it was when the event came.
        """
        records, at = self._pinned.get(session, self.records), monotonic() + self.epoch
        calls, entries = records.calls, records.entries.get(session) or records.of(session)
        verdicts = (verdict,)
        call = None
        for hook, attribute in event.hooks:
            argument = getattr(event, attribute) if attribute else None
            if argument is None and attribute:
                continue
            call = Call(hook, argument, session, len(calls) + 1, at, verdicts, verdict.outcome, 0.0, heard)
            call.records, call.mail, call.shared = records, mail, True
            entries.append(call)
            calls.append(call)
        if call is not None:
            call.shared = False
        if self.changes.awaited:
            self.changes.notify()

    def answered(self, calls: Sequence[Call], verdicts: Sequence[Verdict], *, heard: bool = False) -> None:
        """Record the answer of calls that share it; the last of them reports it in transcripts.

        In LMTP a message is answered once for each recipient. A hook error belongs to the last call.
        """
        first, now = verdicts[0], monotonic() + self.epoch
        rule = next((verdict.rule for verdict in verdicts if verdict.rule is not None), None)
        outcome = first.outcome if len(verdicts) == 1 else outcome_of(verdicts)
        for call in calls:
            call.verdicts, call.outcome, call.rule = tuple(verdicts), outcome, rule
            call.duration = now - call.at
            call.shared = call is not calls[-1]
            call.heard = heard
            if first.error is not None and not call.shared:
                self.failed(call, first.error)
        if self.changes.awaited:
            self.changes.notify()

    def failed(self, call: Call, error: BaseException) -> None:
        """A hook has raised this exception, which is not ``Reject``."""
        call.failure = (error, traceback_of(error))
        is_late = call.records is not None and call.records.over
        (self.late_errors if is_late else self.errors).append(error)

    def unheard(self, session: Session) -> None:
        """Not all of the last answer on this connection could be sent: the client cannot have read it."""
        entries = self._pinned.get(session, self.records).entries.get(session, ())
        calls = [entry for entry in entries if isinstance(entry, Call)]
        while calls and calls[-1].heard is None:  # a call that has begun since then, and is not answered yet
            calls.pop()
        for call in reversed(calls):
            if not call.heard or (call is not calls[-1] and not call.shared):
                break
            call.heard = False

    def message(self, envelope: Envelope, call: Call | None) -> None:
        """Record the envelope of a transaction that has ended, accepted or refused, where its ``data`` call is."""
        records: Records = self.records if call is None else call.records
        set_once(envelope, "at", monotonic() + self.epoch)
        records.envelopes.append(envelope)
        if envelope.accepted:
            records.accepted.append(envelope)
        if call is not None:
            call.envelope = envelope
        if self.changes.awaited:
            self.changes.notify()

    def note(self, session: Session, text: str, who: str = "-") -> None:
        """Add a line to the transcript. ``who`` is C, S or "-", as for ``Note``.

        A connection that is not in the log since that was emptied gets lines of client and server only.
        """
        records = self._pinned.get(session, self.records)
        if who != "-" or session in records.entries:
            records.of(session).append(Note(monotonic() + self.epoch, who, text))

    def closed(self, session: Session) -> None:
        """A connection has ended, and its ``close`` hook has run."""
        self.open.discard(session)
        self._pinned.pop(session, None)
        self.mixups.pop(session, None)
        if self.changes.awaited:
            self.changes.notify()

    def clear(self) -> "LogStore":
        """Forget everything but the connections that are open. Returns what was there before.

        The outcome of a pending call is still recorded in the log in which it began.
        """
        past = LogStore(self.records)
        past.open, past.mixups, past.epoch = set(self.open), self.mixups, self.epoch
        self.records = Records()
        return past


def outcome_of(verdicts: Sequence[Verdict]) -> Any:
    """The outcome of several verdicts: accepted if any reply accepts; without replies, that of the first verdict."""
    if any(verdict.error is not None for verdict in verdicts):
        return verdicts[0].outcome
    if len(verdicts) > 1 and any(verdict.reply is not None for verdict in verdicts):
        told = [verdict.reply.digit for verdict in verdicts if verdict.reply is not None]
        return "accepted" if 2 in told else "refused"
    return verdicts[0].outcome


def traceback_of(error: BaseException) -> str:
    """The traceback as text that a terminal may show, even if the exception's own methods raise."""
    try:
        text = "".join(format_exception(error))
        return "\n".join(map(printable, text.split("\n")))
    except KeyboardInterrupt:
        raise
    except BaseException as broken:
        return f"{type(error).__name__}, whose text cannot be shown: {type(broken).__name__}\n"


def _shown(argument: Any) -> str:
    return short(printable(str(argument)) if isinstance(argument, str) else repr(argument)) or "<>"
