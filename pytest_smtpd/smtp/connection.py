"""One SMTP or LMTP connection as a value: bytes go in, events come out, replies go in, bytes come out.

The caller's loop is ``receive_data``, ``next_event``, ``send``, in that order and again; an event has to be answered
before the next one is asked for. Nothing changes before ``send`` has been given the verdict, and then by its first
digit alone (see ``states``).
"""

from collections.abc import Sequence
from typing import Any, Final

from pytest_smtpd.smtp import events, replies, states
from pytest_smtpd.smtp.commands import gate
from pytest_smtpd.smtp.effects import Effects, Verdict
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.intake import Intake, Moved
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session, TLSInfo, open_transaction
from pytest_smtpd.smtp.states import EXPECTS_COMMAND, State

_CONTENT: Final = (State.CONTENT, State.CHUNK)
_ANSWERED_LATER: Final = (events.Bdat, events.Xclient)
# Where a connection is after a reply that would have closed it (RFC 5321 section 3.1: after a 554 greeting, only QUIT).
_SURVIVES: Final = {State.CONNECTED: State.REFUSED, State.SECURED: State.START}


class Connection:
    """The protocol of one connection.

    ``session`` is what is known of it, ``state`` where it is, ``envelope`` the last message that ended.
    """

    def __init__(self, options: Options, session: Session) -> None:
        self.options = options
        self.session = session
        self.envelope: Envelope | None = None
        self.state: State = State.CONNECTED
        if options.proxy_protocol:
            self.state = State.PROXY
        elif options.tls == "implicit":
            self.state = State.HANDSHAKE
        self._intake = Intake(options, session)
        self._effects = Effects(options, session, self._intake)
        self._event: Event | None = None

    # --- bytes to events --------------------------------------------------------------------------------------------

    @property
    def buffered(self) -> int:
        """How many received bytes are waiting to be understood."""
        return len(self._intake)

    def receive_data(self, data: bytes) -> None:
        """Take what the client sent, in clear: TLS is the caller's."""
        self._intake.append(data)

    def next_event(self) -> Event | None:
        """The next thing that the client did, or None if more bytes are needed."""
        if self._event is not None:
            raise RuntimeError(f"{self._event.name} has not been answered yet")
        if self.state in EXPECTS_COMMAND and not self._intake:
            return None  # asked after each reply, and nearly always nothing more has been said
        while isinstance(event := self._intake.read(self.state), Moved):
            self.state = event.state
        if event is None or isinstance(event, events.Passing):
            return event
        self._event = self._in_sequence(event)
        return self._event

    def release(self) -> bytes:
        """Everything not yet understood; after a PROXY header it belongs to the TLS handshake."""
        return self._intake.release()

    def timed_out(self) -> Event:
        """The client has been silent for too long."""
        self._event = events.TimedOut(default=replies.TIMED_OUT)
        return self._event

    def overloaded(self) -> Event:
        """This client is one too many."""
        self._event = events.Overloaded(default=replies.TOO_MANY_CLIENTS)
        return self._event

    def _in_sequence(self, event: Event) -> Event:
        """The event, or its refusal if it may not come now."""
        if event.command is None or isinstance(event, events.Refused):
            return event
        if states.allowed(self.state, event.name):
            refusal = gate(event.command, self.options, self.session)
        else:
            refusal = states.out_of_sequence(self.state, event.name)
        return event if refusal is None else event.refused(refusal)

    # --- replies to bytes -------------------------------------------------------------------------------------------

    def send(
        self,
        *answers: Reply,
        detail: Any = None,
        accepted: bool | tuple[bool, ...] | None = None,
        closes: bool = True,
        later: bool = False,
        at: float = 0.0,
        each: Sequence[Reply | None] | None = None,
    ) -> bytes:
        """Answer the event; the bytes for the client. In LMTP, ``Content`` is answered by one reply for each recipient.

        No reply at all means that none is due, or that none will ever come; ``later``, that the answer to a later event
        is the reply to this command. ``detail`` is the user of a login, or the JSON object of a refused token (None: no
        explanation, just the reply). ``accepted`` keeps (or does not keep) a message whatever the reply says, in LMTP
        for all recipients or for each. Without ``closes`` the connection survives a reply that would end it. ``at`` is
        the time stamp of an envelope, ``each`` LMTP's reply to each recipient where not all of them have one.
        """
        event, self._event = self._event, None
        if event is None:
            raise RuntimeError("there is nothing to answer")
        digit = answers[0].digit if answers else 0
        if digit != 2 or len(answers) > 1:
            self.told(*answers)
        if isinstance(event, events.Authenticate) and (said := self._intake.login.explain(event, answers, detail)):
            self.state = State.SASL
            return said
        verdict = Verdict(answers, digit, detail, accepted, later, at, each)
        self.envelope = self._effects.apply(event, verdict) or self.envelope
        if digit or later or type(event) not in _ANSWERED_LATER:
            self._move(event, answers, digit, closes=closes)
        return answers[0].wire if len(answers) == 1 else b"".join([reply.wire for reply in answers])

    def interject(self, *answers: Reply, keep: bool, again: bool, closes: bool = True, at: float = 0.0) -> bytes:
        """Say something while content is still coming in.

        Without ``keep`` the rest is thrown away unanswered; else it is taken, and answered as usual only if ``again``.
        """
        self.told(*answers)
        if keep and not again:
            open_transaction(self.session).answered = answers[0]
        elif not keep:
            self.envelope = self._effects.finish(Verdict(answers, 5, at=at))
            self.session.mail = None
            if self.state is State.CHUNK:
                self._enter(State.READY)
        if closes and 421 in answers:
            self._enter(State.CLOSED)
        return b"".join([reply.wire for reply in answers])

    def secured(self, tls: TLSInfo) -> None:
        """The handshake is complete. What the client said in clear is forgotten (RFC 3207 section 4.2)."""
        session = self.session
        session.tls = tls
        session.user = session.hostname_appears_as = session.opening_command = None
        self.state = State.CONNECTED if self.options.tls == "implicit" else State.SECURED

    def told(self, *answers: Reply) -> None:
        """The client has been told this, whatever it means to the session: a refusal is remembered."""
        for reply in answers:
            if reply.refuses:
                self.session.error = reply

    def _move(self, event: Event, answers: Sequence[Reply], digit: int, *, closes: bool) -> None:
        state = states.following(self.state, event.name, digit)
        if closes and 421 in answers:  # LMTP: whoever's answer it is
            state = State.CLOSED
        if state is State.CLOSED and not closes:
            state = _SURVIVES.get(self.state, self.state)
        self._enter(state)

    def _enter(self, state: State) -> None:
        if state not in states.IN_TRANSACTION and (self.state in _CONTENT or state is not State.CLOSED):
            self.session.mail = None  # of a client that leaves before its content, the close hook still sees it
        if state is State.HANDSHAKE:  # nothing said in clear survives STARTTLS
            self._intake.release()
        self.state = state
