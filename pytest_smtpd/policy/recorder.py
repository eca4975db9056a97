"""Records the answers of one connection, after they have changed its state and before the client can see them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from pytest_smtpd.policy.content import Content
from pytest_smtpd.policy.exchange import Exchange, Log
from pytest_smtpd.policy.stream import Stream
from pytest_smtpd.rules.verdict import NOTHING, Verdict
from pytest_smtpd.smtp import content as arriving
from pytest_smtpd.smtp import events
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.session import Envelope, Session


class Open:
    """The requests of one connection that have not been answered yet.

    ``exchange`` is the exchange whose reply is due at a later event, ``content`` the message whose content is arriving
    (None if no rule at ``data`` can be interested in it), ``data_call`` the ``data`` call of the last message.
    """

    def __init__(self) -> None:
        self.exchange: Exchange | None = None
        self.content: Content | None = None
        self.data_call: Any = None

    @property
    def message(self) -> Any:
        """The call of a message that has begun and is not answered yet, or None."""
        call = self.data_call
        return call if call is not None and call.outcome == "pending" else None


class Recorder:
    """Records the answers of one connection, in protocol order."""

    def __init__(self, session: Session, log: Log, open_: Open) -> None:
        self._session = session
        self._log = log
        self._open = open_

    def begin_data(self) -> Any:
        """The content of a message may come now: begin its ``data`` call. Returns that call, which is pending."""
        self._open.data_call = self._log.begin("data", Stream(), self._session)
        return self._open.data_call

    def record_message(self, envelope: Envelope) -> None:
        """Record the envelope of the last message, whose transaction has ended."""
        self._log.message(envelope, self._open.data_call)

    def record(self, event: Event, verdicts: Sequence[Verdict], data: bytes, *, heard: bool) -> None:
        """Record verdicts that have taken effect. No verdict at all means that the reply is due at a later event.

        ``data`` is what the client is sent, unless a rule sends something else. ``heard`` is whether the client may
        hear it.
        """
        special = _SPECIAL.get(type(event))
        if special is not None:
            special(self, event, verdicts, heard=heard)
        elif self._open.exchange is None:
            self._log.decided(event, self._session, verdicts[0], None, heard=heard)
        elif verdicts:
            self._record_exchange(event, verdicts, data, heard=heard)
        if verdicts and verdicts[0].digit == 3 and isinstance(event, arriving.Data) and not verdicts[0].ends:
            self.begin_data()

    def _record_exchange(self, event: Event, verdicts: Sequence[Verdict], data: bytes, *, heard: bool) -> None:
        exchange, self._open.exchange = self._open.exchange, None
        assert exchange is not None
        verdict = verdicts[0]
        if verdict.digit == 3 and _is_auth(event):
            self._record_challenge(exchange, verdicts, heard=heard)
        elif exchange.calls:
            self._log.answered(exchange.calls, verdicts, heard=heard)
        else:
            self._note(event, verdicts, heard=heard)
        if event.explained and data.startswith(b"334 ") and (verdict.rule is None or verdict.digit != 3):
            self._log.note(self._session, "334 ***", "S")

    def _record_challenge(self, exchange: Exchange, verdicts: Sequence[Verdict], *, heard: bool) -> None:
        """A 334 answers the login; the AUTH command is answered at the end of its exchange."""
        verdict = verdicts[0]
        self._open.exchange = Exchange([call for call in exchange.calls if call.about == "command"])
        logins = [call for call in exchange.calls if call.about != "command"]
        if logins:
            self._log.answered(logins, verdicts, heard=heard)
        elif verdict.rule is not None and verdict.reply is not None:
            self._log.note(self._session, f"{verdict.reply.line}   by {verdict.rule!r}", "S")

    def _note(self, event: Event, verdicts: Sequence[Verdict], *, heard: bool) -> None:
        """Add replies that no call reports to the transcript, as notes."""
        for verdict in verdicts:
            if verdict.reply is not None:
                self._log.note(self._session, verdict.reply.line, "S")

    def _record_early(self, event: Event, verdicts: Sequence[Verdict], *, heard: bool) -> None:
        """Record the verdicts of a rule with ``after``, which has decided while the content was arriving."""
        content, verdict = self._open.content, verdicts[0]
        self._open.data_call.rule = verdict.rule
        if content is not None:
            content.kept = verdict.keep is not False
        if is_in_passing(verdict):
            sent = verdict.reply.line if verdict.wire is None and verdict.reply else repr(verdict.wire)
            self._log.note(self._session, f"{sent}   by {verdict.rule!r}", "S")
            return
        self._answer_content(verdicts, heard=heard)

    def _record_chunk(self, event: Event, verdicts: Sequence[Verdict], *, heard: bool) -> None:
        """Record the reply to a BDAT that is not the last."""
        if not verdicts[0].proceeds:
            self._record_content(event, verdicts, heard=heard)
            return
        exchange, self._open.exchange = self._open.exchange, None
        if exchange is not None:
            self._log.answered(exchange.calls, verdicts, heard=heard)

    def _record_content(self, event: Event, verdicts: Sequence[Verdict], *, heard: bool) -> None:
        """Record the reply to a message whose content is complete."""
        self._open.content = None
        if event.default is not None:
            self._answer_content(verdicts, heard=heard)
            return
        exchange, self._open.exchange = self._open.exchange, None  # it was answered while it was arriving
        if exchange is not None and exchange.calls:
            self._log.answered(exchange.calls, [NOTHING])

    def _answer_content(self, verdicts: Sequence[Verdict], *, heard: bool) -> None:
        """Record the reply to a message, for its ``data`` call and for the command that brought its last octets."""
        calls = [] if self._open.exchange is None else self._open.exchange.calls
        self._open.exchange = None
        self._log.answered([*calls, self._open.data_call], verdicts, heard=heard)


def _is_auth(event: Event) -> bool:
    """Whether the event is a step of AUTH, even one that the server refuses by default."""
    otherwise = event.otherwise if isinstance(event, events.Refused) else None
    return event.explained if otherwise is None else otherwise.explained


def is_in_passing(verdict: Verdict) -> bool:
    """Whether an early verdict leaves the message undecided, so that it is answered once more at its end."""
    return verdict.keep is True or (verdict.digit == 0 and verdict.wire is not None and not verdict.ends)


class _Record(Protocol):
    def __call__(self, recorder: Recorder, event: Event, verdicts: Sequence[Verdict], /, *, heard: bool) -> None: ...


_SPECIAL: Final[Mapping[type[Event], _Record]] = {
    events.Overloaded: Recorder._note,
    events.TimedOut: Recorder._note,
    arriving.ContentBegins: Recorder._record_early,
    arriving.Chunk: Recorder._record_early,
    arriving.ChunkReceived: Recorder._record_chunk,
    arriving.Content: Recorder._record_content,
}
