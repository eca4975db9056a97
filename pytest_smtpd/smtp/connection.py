"""One SMTP or LMTP connection as a value: bytes go in, events come out, replies go in, bytes come out.

The caller's loop is ``receive_data``, ``next_event``, ``send``, in that order and again; an event has to be answered before the next
one is asked for. Nothing changes before ``send`` has been given the verdict, and then by its first digit alone (see ``states``).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pytest_smtpd.smtp import events, replies, states
from pytest_smtpd.smtp.commands import VERBS, auth_default, gate, parse_command
from pytest_smtpd.smtp.envelope import Envelope, Transaction
from pytest_smtpd.smtp.events import Command, Event
from pytest_smtpd.smtp.framing import MAX_LINE, Buffer, DotReader
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.proxy import Bad
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.sasl import OAUTH_FAILURE, Auth, Conversation, decode, encode
from pytest_smtpd.smtp.session import Session, TLSInfo
from pytest_smtpd.smtp.states import EXPECTS_COMMAND, State

_CHUNK_SIZE: Final = 1 << 18


class Connection:
    """The protocol of one connection. ``session`` is what is known of it, ``state`` where it is, ``envelope`` the last message that ended."""

    def __init__(self, options: Options, session: Session) -> None:
        self.options = options
        self.session = session
        self.envelope: Envelope | None = None
        self.state = State.CONNECTED
        if options.proxy_protocol:
            self.state = State.PROXY
        elif options.tls == "implicit":
            self.state = State.HANDSHAKE
        self._buffer = Buffer()
        self._event: Event | None = None
        self._dots = DotReader()
        self._ended = False
        self._octets = self._chunk_octets = 0
        self._last = True
        self._exchange: Conversation | None = None
        self._held: tuple[Reply, Any] | None = None
        self._login: Auth | None = None
        self._auth_refused = False

    # --- bytes to events -----------------------------------------------------------------------------------------------

    @property
    def buffered(self) -> int:
        """How many received bytes are waiting to be understood."""
        return len(self._buffer)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.session.mail is not None

    def receive_data(self, data: bytes) -> None:
        """Take what the client sent, in clear: TLS is the caller's."""
        self._buffer.append(data)

    def next_event(self) -> Event | None:
        """The next thing that the client did, or None if more bytes are needed."""
        if self._event is not None:
            raise RuntimeError(f"{self._event.name} has not been answered yet")
        reader = _READERS.get(self.state)
        event = reader(self) if reader else None
        if event is not None and not isinstance(event, events.Passing):
            self._event = event
        return event

    def release(self) -> bytes:
        """Everything not yet understood; after a PROXY header it belongs to the TLS handshake."""
        return self._buffer.take(len(self._buffer))

    def timed_out(self) -> Event:
        """The client has been silent for too long."""
        self._event = events.TimedOut(default=replies.TIMED_OUT)
        return self._event

    def overloaded(self) -> Event:
        """This client is one too many."""
        self._event = events.Overloaded(default=replies.TOO_MANY_CLIENTS)
        return self._event

    def _read_proxy(self) -> Event | None:
        header = self._buffer.proxy_header()
        if header is None:
            return None
        if isinstance(header, Bad):
            return events.BadProxyHeader(reason=header.reason)
        if header.remote_address is not None:
            self._set_remote(header.remote_address, header.remote_port)
            self.session.local_address, self.session.local_port = header.local_address or "", header.local_port
        self.state = State.HANDSHAKE if self.options.tls == "implicit" else State.CONNECTED
        return self.next_event()

    def _set_remote(self, address: str, port: int) -> None:
        self.session.remote_address, self.session.remote_port = address, port
        self.session.client_hostname = f"[{address}]"

    def _read_connected(self) -> Event | None:
        protocol = "LMTP" if self.options.lmtp else "ESMTP"
        default = replies.greeting(self.options.hostname, protocol, self.options.banner)
        login, self._login = self._login, None
        return events.Connected(default=default, secure=self.session.tls, login=login)

    def _read_secured(self) -> Event | None:
        assert self.session.tls is not None
        return events.Secured(tls=self.session.tls)

    def _read_command(self) -> Event | None:
        if self._octets:  # of a BDAT that was refused
            self._octets -= len(self._buffer.take(self._octets))
            if self._octets:
                return None
        line = self._buffer.line()
        if line is None:
            return None
        command = Command(line.text)
        if command.verb in VERBS:
            self._auth_refused = False
        command.secret = self._auth_refused
        self.session.verbs.append(command.verb)
        if line.too_long:
            return events.Refused(command=command, default=replies.LINE_TOO_LONG)
        if line.bare and self.options.strict:
            return events.Refused(command=command, default=replies.BARE_LINE_FEED)
        return self._in_sequence(parse_command(command, self.options, self.session))

    def _in_sequence(self, event: Event) -> Event:
        assert event.command is not None
        if isinstance(event, events.Refused):
            self._auth_refused = self._auth_refused or event.command.verb.strip() in ("", "AUTH")
            return event
        if states.allowed(self.state, event.name):
            refusal = gate(event.command, self.options, self.session)
        else:
            refusal = states.out_of_sequence(self.state, event.name)
        if refusal is None:
            return event
        if isinstance(event, events.Bdat):
            return events.RefusedBdat(command=event.command, default=refusal, octets=event.octets)
        return events.Refused(command=event.command, default=refusal)

    def _read_response(self) -> Event | None:
        line = self._buffer.line(MAX_LINE)
        if line is None:
            return None
        if line.too_long:
            return events.Response(line=line.text, default=replies.SASL_LINE_TOO_LONG)
        if line.text == b"*":
            self._held = None
            return events.Response(line=line.text, default=replies.AUTH_CANCELLED)
        if self._held is not None:
            return events.Response(line=line.text, default=self._held[0])
        return self._answered_challenge(line.text)

    def _answered_challenge(self, line: bytes) -> Event:
        exchange = self._exchange
        if exchange is None:  # a 334 by a rule, to something that is no exchange
            return events.Response(line=line, default=replies.AUTH_CANCELLED)
        try:
            exchange.respond(decode(line))
        except Refused as refused:
            if exchange.auth is None:
                return events.Response(line=line, default=refused.reply)
        default = auth_default(exchange, self.options)
        return events.Response(line=line, exchange=exchange, auth=exchange.auth, default=default)

    def _begin(self) -> Event:
        self._mail.begun = True
        return events.ContentBegins()

    def _read_content(self) -> Event | None:
        if self.in_transaction and not self._mail.begun:
            return self._begin()
        content = b""
        if not self._ended and self._buffer:
            content, rest = self._dots.read(self.release())
            if rest is not None:
                self._ended = True
                self._buffer.append(rest)
        if content and self.in_transaction:
            return self._chunk(content)
        return self._content_complete() if self._ended else None

    def _read_chunk(self) -> Event | None:
        if not self._mail.begun:
            return self._begin()
        if self._octets:
            data = self._buffer.take(min(self._octets, _CHUNK_SIZE))
            self._octets -= len(data)
            return self._chunk(data) if data else None
        if self._last:
            return self._content_complete()
        default = replies.TOO_BIG if self._over_size else replies.chunk_received(self._chunk_octets)
        return events.ChunkReceived(default=default)

    def _chunk(self, data: bytes) -> Event:
        self._mail.add(data, self.options.size)
        return events.Chunk(data=data, size=self._mail.size)

    def _content_complete(self) -> Event | None:
        if not self.in_transaction:  # refused while it was still coming in: nothing more to say
            self._enter(State.READY)
            return self.next_event()
        if self._mail.answered is not None:
            return events.Content(final=True)
        if self._over_size:
            return events.Content(default=replies.TOO_BIG, final=True)
        return events.Content(default=replies.MESSAGE_OK)

    @property
    def _mail(self) -> Transaction:
        assert self.session.mail is not None
        return self.session.mail

    @property
    def _over_size(self) -> bool:
        return self.options.size is not None and self._mail.size > self.options.size

    # --- replies to bytes ----------------------------------------------------------------------------------------------

    def send(
        self,
        *answers: Reply,
        detail: Any = None,
        accepted: bool | None = None,
        closes: bool = True,
        later: bool = False,
        at: float = 0.0,
    ) -> bytes:
        """Answer the event; the bytes for the client. In LMTP the answer to ``Content`` is one reply for each recipient.

        No reply at all means that none is due, or that none will ever come; ``later``, that the answer to a later event is the reply
        to this command. ``detail`` is the user of a login, or the JSON object
        of a refused token (None: no explanation, just the reply). ``accepted`` keeps (or does not keep) a message whatever the reply says. Without ``closes`` the
        connection survives a reply that would end it. ``at`` is the time that an envelope is stamped with.
        """
        event, self._event = self._event, None
        if event is None:
            raise RuntimeError("there is nothing to answer")
        digit = answers[0].digit if answers else 0
        if digit != 2:
            self.told(*answers)
        if isinstance(event, events.Authenticate) and (held := self._hold(event, answers, detail)):
            return held
        effect = _EFFECTS.get(type(event))
        if effect is not None:
            effect(self, event, answers, _Verdict(digit, detail, accepted, at, later))
        if digit or later or type(event) not in _ANSWERED_LATER:
            self._move(event, answers, digit, closes=closes)
        return answers[0].wire if len(answers) == 1 else b"".join([reply.wire for reply in answers])

    def interject(self, *answers: Reply, keep: bool, again: bool, closes: bool = True, at: float = 0.0) -> bytes:
        """Say something while content is still coming in.

        Without ``keep`` the rest is thrown away unanswered; else it is taken, and answered as usual only if ``again``.
        """
        self.told(*answers)
        if keep and not again:
            self._mail.answered = answers[0]
        elif not keep:
            self._finish(None, answers, _Verdict(5, None, False, at))
            self.session.mail = None
            if self.state is State.CHUNK:
                self._enter(State.READY)
        if closes and any(reply.code == 421 for reply in answers):
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
        if closes and digit == 4 and any(reply.code == 421 for reply in answers):
            state = State.CLOSED
        if state is State.CLOSED and not closes:
            state = _SURVIVES.get(self.state, self.state)
        self._enter(state)

    def _enter(self, state: State) -> None:
        if state in (State.READY, State.START):
            self.session.mail = None
        if state is State.HANDSHAKE:
            self._buffer.clear()
        self.state = state

    def _hold(self, event: events.Authenticate, answers: Sequence[Reply], detail: Any) -> bytes | None:
        """RFC 7628 section 3.2.2, RFC 5802 section 3: the server explains itself in a 334, and the reply follows the client's next line."""
        if event.auth is None or len(answers) != 1:
            return None
        reply, auth = answers[0], event.auth
        if reply.digit == 2 and auth.server_final is not None:
            challenge = auth.server_final
        elif reply.refuses and reply.code != 421 and auth.method in OAUTH_FAILURE:
            if detail is None:
                return None  # a rule's own words, exactly
            challenge = json.dumps(dict(detail or OAUTH_FAILURE[auth.method])).encode()
        else:
            return None
        self._held = (reply, detail or auth.username)
        self._exchange = event.exchange
        self.state = State.SASL
        return replies.challenge(encode(challenge)).wire

    # --- what each accepted event does -----------------------------------------------------------------------------------

    def _greeted(self, event: events.Connected, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        if verdict.digit == 2 and event.login is not None:
            self.session.user = verdict.detail or event.login.username

    def _hello(self, event: events.Hello, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        assert event.command is not None
        if verdict.digit == 2:
            self.session.hostname_appears_as = event.domain
            self.session.opening_command = event.command.verb

    def _plain(self, event: events.Plain, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        if event.name == "DATA":
            self._dots, self._ended = DotReader(), False

    def _sender(self, event: events.Mail, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        if verdict.digit == 2:
            self.session.mail = Transaction(self.session.transaction, event.address, event.parameters)

    def _recipient(self, event: events.Rcpt, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        if verdict.digit == 2:
            self._mail.recipients.append(event.address)
        elif verdict.digit >= 4:
            self._mail.refused[event.address] = answers[0]

    def _chunk_announced(self, event: events.Bdat, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        self._octets = event.octets
        if verdict.later:
            self._chunk_octets, self._last = event.octets, event.last

    def _chunk_refused(self, event: events.RefusedBdat, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        self._octets = event.octets

    def _chunk_received(self, event: events.ChunkReceived, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        if verdict.digit >= 4:
            self._finish(event, answers, verdict)

    def _finish(self, event: Event | None, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        """The transaction ends here, one way or the other (RFC 5321 section 4.1.1.4; RFC 2033 section 4.2 for each recipient)."""
        mail = self._mail
        accepted = any(reply.digit == 2 for reply in answers) if verdict.accepted is None else verdict.accepted
        recipients = tuple(mail.recipients)
        if self.options.lmtp and len(answers) == len(recipients):
            pairs = list(zip(recipients, answers, strict=True))
            recipients = tuple(address for address, reply in pairs if reply.digit == 2)
            mail.refused.update((address, reply) for address, reply in pairs if reply.refuses)
        reply = next((reply for reply in answers if reply.digit == 2), answers[0] if answers else mail.answered)
        self.envelope = mail.snapshot(self.session, accepted=accepted, reply=reply, rcpt_to=recipients, at=verdict.at)
        mail.chunks.clear()
        self.session.transaction += 1

    def _authenticate(self, event: events.Authenticate, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        self._auth_refused = verdict.digit >= 4
        self._exchange = event.exchange
        user = verdict.detail
        if self._held is not None and event.auth is None:
            (_, user), self._held = self._held, None
        if verdict.digit == 2:
            self.session.user = user or (event.auth.username if event.auth else True)

    def _xclient(self, event: events.Xclient, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        if not verdict.later:
            return
        session, given = self.session, event.attributes
        session.xclient = {**session.xclient, **given}
        address = given.get("ADDR")
        if address is not None:
            self._set_remote(address, session.remote_port)
        if given.get("DESTADDR"):
            session.local_address = given["DESTADDR"] or ""
        session.remote_port = int(given.get("PORT") or session.remote_port)
        session.local_port = int(given.get("DESTPORT") or session.local_port)
        if "NAME" in given:
            session.client_hostname = (given["NAME"] or "").lower() or f"[{session.remote_address}]"
        session.hostname_appears_as = session.opening_command = None
        if "LOGIN" in given:
            session.user = None
        self._login = event.login

    def _xforward(self, event: events.Xforward, answers: Sequence[Reply], verdict: "_Verdict") -> None:
        if verdict.digit == 2:
            self.session.xforward = {**self.session.xforward, **event.attributes}


class _Verdict(NamedTuple):
    """What ``send`` was told beside the replies."""

    digit: int
    detail: Any
    accepted: bool | None
    at: float
    later: bool = False


_READERS: Final[Mapping[State, Callable[[Connection], Event | None]]] = {
    State.PROXY: Connection._read_proxy,
    State.CONNECTED: Connection._read_connected,
    State.SECURED: Connection._read_secured,
    State.CONTENT: Connection._read_content,
    State.CHUNK: Connection._read_chunk,
    State.SASL: Connection._read_response,
    **dict.fromkeys(EXPECTS_COMMAND, Connection._read_command),
}
_ANSWERED_LATER: Final = (events.Bdat, events.Xclient)
# Where a connection is after a reply that would have closed it (RFC 5321 section 3.1: only QUIT is left after a 554 greeting).
_SURVIVES: Final = {State.CONNECTED: State.REFUSED, State.SECURED: State.START}
_EFFECTS: Final[Mapping[type[Event], Callable[..., None]]] = {
    events.Connected: Connection._greeted,
    events.Hello: Connection._hello,
    events.Plain: Connection._plain,
    events.Mail: Connection._sender,
    events.Rcpt: Connection._recipient,
    events.Bdat: Connection._chunk_announced,
    events.RefusedBdat: Connection._chunk_refused,
    events.ChunkReceived: Connection._chunk_received,
    events.Content: Connection._finish,
    events.Authenticate: Connection._authenticate,
    events.Response: Connection._authenticate,
    events.Xclient: Connection._xclient,
    events.Xforward: Connection._xforward,
}
