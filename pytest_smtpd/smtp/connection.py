"""The SMTP or LMTP protocol of one connection, without I/O.

Bytes go in and events come out; verdicts on the events go in and the bytes of replies come out.

The caller's loop is ``receive_data``, ``next_event``, ``send``, over and over; an event has to be answered before the
next one is asked for. What the client asked for takes effect in ``send`` and nowhere else, and the first digit of the
verdict alone decides whether it does (see ``states``). This module is the only place that sets the state.
"""

from collections.abc import Sequence
from typing import Final

from pytest_smtpd.smtp import events, replies, states
from pytest_smtpd.smtp.commands import VERBS, argument_of, offered, refuse
from pytest_smtpd.smtp.context import Context, Decision
from pytest_smtpd.smtp.events import Event, Refused
from pytest_smtpd.smtp.framing import MAX_LINE, Command
from pytest_smtpd.smtp.grammar import Refused as NotUnderstood
from pytest_smtpd.smtp.login import explanation
from pytest_smtpd.smtp.masking import begins_login
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.reader import READERS
from pytest_smtpd.smtp.session import Envelope, Session
from pytest_smtpd.smtp.states import EXPECTS_COMMAND, IN_TRANSACTION, SEQUENCE, State
from pytest_smtpd.smtp.tls import TLSInfo

_CONTENT: Final = frozenset({State.CONTENT, State.CHUNK})


class Connection:
    """The protocol of one connection.

    ``session`` is what is known about the connection, ``state`` its protocol state, ``envelope`` the last message whose
    transaction has ended.
    """

    def __init__(self, options: Options, session: Session) -> None:
        self.options: Options = options
        self.session: Session = session
        session.passwords = options.passwords
        self.envelope: Envelope | None = None
        self.state: State = State.CONNECTED
        if options.proxy_protocol:
            self.state = State.PROXY
        elif options.tls == "implicit":
            self.state = State.HANDSHAKE
        self._context = Context(options, session)
        self._buffer = self._context.buffer
        self._event: Event | None = None

    # --- bytes to events --------------------------------------------------------------------------------------------

    @property
    def buffered(self) -> int:
        """How many received bytes have not been processed yet."""
        return len(self._buffer)

    @property
    def unread(self) -> bytes:
        """The received bytes that have led to no event yet; during a message, the last bytes of its content."""
        mail, dots = self.session.mail, self._buffer.dots
        if self.state is State.CONTENT and mail is not None and dots is not None:
            return b"".join(mail.chunks[-8:])[-8:] + dots.held
        return self._buffer.peek()

    def receive_data(self, data: bytes) -> None:
        """Add bytes that the client has sent; under TLS, the caller has decrypted them."""
        self._buffer.append(data)

    def next_event(self) -> Event | None:
        """The next thing that the client did, or None if more bytes are needed."""
        if self._event is not None:
            raise RuntimeError(f"{self._event.name} has not been answered yet")
        state = self.state
        if state in EXPECTS_COMMAND:
            self._event = self._next_command(state) if self._buffer.data else None
            return self._event
        read = READERS.get(state)
        event = None if read is None else read(self._context)
        if event is None:
            return None
        if event.internal:
            self._move(event.name, 0)
            return self.next_event()
        if event.answered:
            self._event = event
        return event

    def _next_command(self, state: State) -> Event | None:
        """The next command line: parsed, in sequence, and within the limits; or its refusal."""
        context, buffer = self._context, self._buffer
        if buffer.octets:  # the chunk of a refused BDAT is discarded
            buffer.octets -= len(buffer.take(buffer.octets))
        line = None if buffer.octets else buffer.line()
        if line is None:
            return None
        text, bare, too_long = line
        command = Command(text, buffer.early, self.session.passwords)
        if command.verb not in VERBS:
            self._take_for_secret(command)
        else:
            self.session.verbs.append(command.verb)
        too_long = too_long or (len(text) > MAX_LINE and command.verb != "AUTH")
        if too_long or (bare and self.options.strict):
            return refuse(command, replies.LINE_TOO_LONG if too_long else replies.BARE_LINE_FEED, context)
        try:
            return self._understood(command, state)
        except NotUnderstood as refused:
            return refuse(command, refused.reply, context)

    def _take_for_secret(self, command: Command) -> None:
        """Mark a line that is no command, since it may be a credential in the wrong place and has to be masked."""
        context = self._context
        command.known, command.secret = False, context.login_begun
        context.login_begun = context.login_begun or begins_login(command.raw)
        self.session.verbs.append(command.shown_verb)

    def _understood(self, command: Command, state: State) -> Event:
        """The event for a command, or its refusal. Raises ``NotUnderstood`` if its syntax is wrong."""
        context, verb, text = self._context, command.verb, command.raw
        row = self.options.cache.get(verb) or offered(command, context)
        argument = text[len(verb) + 1 :].decode().rstrip(" ") if text.isascii() else "\0"
        if not argument.isprintable():
            argument = argument_of(command, context)
        event = row.parse(command, argument, context)
        if isinstance(event, Refused):
            return event
        if verb not in SEQUENCE[state]:
            return self._out_of_sequence(event, verb)
        refusal = None if row.gate is None else row.gate(event, context)
        if refusal is not None:
            return event.refused(refusal)
        if event.transaction is not None:
            self.session.mail = event.transaction
        return event

    def _out_of_sequence(self, event: Event, verb: str) -> Event:
        """The refusal of a command that may not come in this state. Even if a rule accepts it, it has no effect."""
        refused = event.refused(states.out_of_sequence(self.state, verb))
        refused.otherwise = None
        return refused

    def release(self) -> bytes:
        """Remove and return all bytes not yet processed; after a PROXY header, they belong to the TLS handshake."""
        return self._buffer.take(len(self._buffer))

    def timed_out(self) -> Event:
        """The event for a client that has sent nothing for too long."""
        self._event = events.TimedOut(default=replies.TIMED_OUT)
        return self._event

    def overloaded(self) -> Event:
        """The event for a client that connects while there are ``max_clients`` already."""
        self._event = events.Overloaded(default=replies.TOO_MANY_CLIENTS)
        return self._event

    # --- verdicts to bytes ------------------------------------------------------------------------------------------

    def send(self, event: Event, *verdicts: Decision) -> bytes:
        """Answer the event with these verdicts. Returns the bytes of the replies.

        In LMTP there is a verdict for each recipient after the content, otherwise one. No verdict at all means that the
        reply to this command is due at a later event; a verdict without a reply means that there will be no reply.
        """
        if event.answered and event is not self._event:
            raise RuntimeError("there is nothing to answer")
        self._event = None
        context = self._context
        buffer = context.buffer
        buffer.early = bool(buffer.data) and type(event) is not events.Secured  # which gets no reply
        if buffer.early and event.command is not None:
            event.command.followed = True
        if not verdicts:
            event.apply((), context)
            self._move(event.name, 0)
            return b""
        reply, digit = verdicts[0].reply, verdicts[0].digit
        if len(verdicts) > 1 or (reply is not None and reply.refuses):
            self.remember(verdicts)
        if isinstance(event, Refused) and digit in (2, 3):
            event = self._accepted(event)
        return self._answer(event, verdicts)

    def _answer(self, event: Event, verdicts: Sequence[Decision]) -> bytes:
        """Let the verdicts take effect. Returns the bytes of the replies."""
        verdict, context = verdicts[0], self._context
        if event.explained and (challenge := explanation(event, verdict, context)) is not None:
            self._enter(State.SASL)
            return challenge.wire
        envelope = event.apply(verdicts, context)
        if envelope is not None:
            self.envelope = envelope
        if verdict.digit or not event.reply_later:
            name = event.kind or (event.command.verb if event.command else "")  # event.name, without the cost of a call
            self._move(name, verdict.digit, *verdicts)
        if len(verdicts) == 1:
            return b"" if verdict.reply is None else verdict.reply.wire
        return b"".join([verdict.reply.wire for verdict in verdicts if verdict.reply is not None])

    def _accepted(self, event: Refused) -> Event:
        """The event that a refused command becomes because a rule has accepted it, if it may come in this state."""
        otherwise = event.otherwise
        return otherwise if otherwise is not None and otherwise.name in SEQUENCE[self.state] else event

    def remember(self, verdicts: Sequence[Decision]) -> None:
        """The last refusal becomes the session's error, even if the call is counted as accepted."""
        for verdict in verdicts:
            if verdict.reply is not None and verdict.reply.refuses:
                self.session.error = verdict.reply

    def secured(self, tls: TLSInfo) -> None:
        """The TLS handshake is complete. What the client said before it is forgotten (RFC 3207 section 4.2)."""
        session = self.session
        session.tls = tls
        session.user = session.hostname_appears_as = session.opening_command = None
        self._move("implicit TLS" if self.options.tls == "implicit" else "STARTTLS", 0)

    # --- the state --------------------------------------------------------------------------------------------------

    def _move(self, name: str, digit: int, *verdicts: Decision) -> None:
        """Move to the state that ``SEQUENCE`` has for this event and digit; if it has none, the state stays."""
        row = SEQUENCE[self.state].get(name)
        state = self.state if row is None else row.get(digit, self.state)
        if state is State.CLOSED or digit >= 4 or len(verdicts) > 1:
            state = self._closed_or_not(state, verdicts)
        if state is not self.state:
            self._enter(state)

    def _closed_or_not(self, state: State, verdicts: Sequence[Decision]) -> State:
        """The next state, with regard to replies that close the connection, and to verdicts that keep it open.

        A 421 closes (RFC 5321 section 3.8), in LMTP the 421 for any recipient. A verdict that does not close overrides
        both the 421 and the table.
        """
        if any(verdict.closes and verdict.reply is not None and verdict.reply.code == 421 for verdict in verdicts):
            return State.CLOSED
        if state is State.CLOSED and not all(verdict.closes for verdict in verdicts):
            return states.SURVIVES.get(self.state, self.state)
        return state

    def _enter(self, state: State) -> None:
        if state not in IN_TRANSACTION and (self.state in _CONTENT or state is not State.CLOSED):
            self.session.mail = self._context.phase = None  # kept if a client leaves in between, for the close hook
        if state is State.HANDSHAKE and self.state is not State.PROXY:  # nothing sent in clear survives STARTTLS
            self.release()
        self.state = state
