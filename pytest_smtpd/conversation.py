"""One connection: processes what the client sends, writes the replies, and ends the connection.

Each command passes through one round of the loop in ``_pump``::

    bytes -> transport -> engine.next_event() -> responder.decide(event) -> verdict
          -> engine.send(event, verdict)       the state moves here and nowhere else
          -> responder.record(...)             recorded, before the client can see anything
          -> transport.write(...)

The loop is synchronous. Only if something has to be waited for (a hook, a delay, a client that does not read), the rest
of the round runs as a generator, a turn; see ``turn.py``.
"""

import secrets
import socket
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from pytest_smtpd.clock import Clock
from pytest_smtpd.errors import add_note
from pytest_smtpd.line import Line
from pytest_smtpd.log.log import LogStore
from pytest_smtpd.message import Message
from pytest_smtpd.net.pauses import Drain, Pause, Silence
from pytest_smtpd.net.poller import Poller, Timer
from pytest_smtpd.policy.executor import Job, Run
from pytest_smtpd.policy.responder import Responder, Server
from pytest_smtpd.policy.stream import Pipe
from pytest_smtpd.rules.verdict import Verdict
from pytest_smtpd.settings import Settings
from pytest_smtpd.smtp import events
from pytest_smtpd.smtp.connection import Connection
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.message import ReadMessage
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.smtp.states import State
from pytest_smtpd.turn import Steps, Turn

if TYPE_CHECKING:
    import ssl

    from pytest_smtpd.net.tls import TLS

_TURNS: Final = 32  # events that one connection processes in a row before others get their turn
_FULL: Final = 1 << 20  # unprocessed bytes at which reading from the client pauses, until they have been processed
_SPECIAL: Final = (State.HANDSHAKE, State.PROXY, State.CONNECTED, State.CLOSED)
_READ_MESSAGE: Final = cast("ReadMessage", Message)
_OURS: Final = "this is a mistake of pytest-smtpd, not of the test: please report it, with the transcript"


class Context(NamedTuple):
    """What the conversations of one server share.

    ``context`` returns the TLS context for a handshake that begins now. ``gone`` is called when a conversation has
    closed its socket, ``crashed`` with an exception of the server's own code. ``local`` is the address on which the
    server listens; None for a Unix socket and for all addresses of the machine. ``ids`` yields the numbers of sessions.
    """

    poller: Poller
    policy: Server
    log: LogStore
    context: "Callable[[Settings], ssl.SSLContext]"
    gone: Callable[["Conversation"], None]
    crashed: Callable[[BaseException], object]
    local: tuple[str, int] | None
    ids: Iterator[int]
    clock: Clock


def fresh_ids() -> Iterator[int]:
    """Numbers counted from a random one, so that no other server of this run uses them."""
    return count(secrets.randbits(63))


class Conversation:
    """Serves one client, from its greeting to the ``close`` hook."""

    def __init__(self, shared: Context, settings: Settings, sock: socket.socket, address: Any) -> None:
        self._shared = shared
        self._settings = settings
        self._log = shared.log
        self._session = _session(shared, settings, sock, address)
        self._overloaded = settings.max_clients is not None and len(shared.log.open) >= settings.max_clients
        self._engine = Connection(settings, self._session)
        self._responder = Responder(settings, self._session, shared.policy)
        self._recorder = self._responder.recorder
        self._line = Line(shared.poller, sock, self)
        self._transport = self._line.transport
        self._turn = Turn(self._pump, self._crash)
        self._silence: Timer | None = None
        self._closing = False  # the close hook point has been reached
        self._closed = False  # the close hook has ended
        self._leaving = False  # the server is stopping
        self._deferred = False  # other connections have their turn; _go_on() is scheduled
        self._pumping = False  # _pump() is running and must not be entered again
        self._received = 0  # how many bytes have been received in all, after decryption
        self._past: int | None = None  # how many of them were received before the log was emptied
        self._barriers: list[Callable[[], object]] = []  # callbacks of catch_up() calls that are still waiting
        shared.log.connected(self._session, self.mixup)

    def __repr__(self) -> str:
        return f"<Conversation {self._session!r}>"

    # --- what the listener asks for ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start to read from the client, and greet it."""
        self._transport.watch()
        self._pump()

    def catch_up(self, done: Callable[[], object]) -> None:
        """Process all that the client has sent by now; ``done`` is called when all of it has reached its rules."""
        self._transport.read_all()
        while self._deferred:
            self._go_on()
            self._transport.read_all()  # the rest of what the client has sent, if reading was paused
        self._barriers.append(done)
        self._tell_barriers()

    def _tell_barriers(self) -> None:
        """Call the callbacks of waiting ``catch_up()`` calls, unless there is more to process first.

        A running hook function is waited for if it is that of ``close``, or if the client has sent something after it.
        The server's own work in a thread (``Job``) is always waited for, a delay never.
        """
        wait = self._turn.wait
        closing = self._closing and not self._closed
        hook = isinstance(wait, Job) or (isinstance(wait, Run | Pipe) and (closing or self._engine.buffered))
        if not hook and (self._closing or not self._deferred):
            barriers, self._barriers = self._barriers, []
            for done in barriers:
                done()

    def divide(self) -> None:
        """Process what the client has sent by now with the present log and rules, even after these are replaced."""
        if self._past is None:
            self._log.pin(self._session)
            self._responder.pin_rules()
        self._past = self._received
        self._leave_past()

    def _leave_past(self) -> None:
        """Unpin the log and the rules once everything that was received before the division has been processed."""
        if self._past is None or self._closing or self._turn.busy:
            return
        if self._received - self._engine.buffered >= self._past:
            self._past = None
            self._log.unpin(self._session)
            self._responder.unpin_rules()

    def release(self) -> None:
        """Close the connection if it hangs because of a rule."""
        if isinstance(self._turn.wait, Silence):
            self._line.ended = self._line.ended or "server"
            self._turn.wait.skip()

    def leave(self) -> None:
        """The server is stopping: cancel the turn and end the session. A second call cancels the ``close`` hook too."""
        again, self._leaving, line = self._leaving, True, self._line
        line.discarding, line.ended = True, line.ended or "stop"
        if not self._closing:
            self._turn.cancel()
            self._finish()
        elif again and not self._closed:
            self._turn.cancel()
            self._responder.close_at_once()
            self._end()
        self._let_go()

    def abort(self) -> None:
        """Close the socket at once, and report the end of the conversation."""
        self._transport.close()
        self._shared.gone(self)

    def forked(self) -> None:
        """In the child of a fork: close the copy of the socket."""
        self._transport.abandon()

    # --- what the transport reports ---------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Process decrypted bytes from the client. During a TLS handshake they are empty, but the handshake goes on."""
        if self._silence is not None:
            self._silence.cancel()
        if not self._line.discarding:
            self._received += len(data)
            self._engine.receive_data(data)
            self._pump()
            waits = self._turn.busy or self._deferred or self._transport.unsent
            if waits and self._engine.buffered > _FULL:
                self._transport.pause_reading()

    def finished(self) -> None:
        """The client has closed its side; what it sent before is still answered. A delay is cut short."""
        self._line.client_closed = True
        if isinstance(self._turn.wait, Pause):
            self._turn.wait.skip()
        self._pump()
        self._let_go()

    def unheard(self) -> None:
        """The last answer could not be delivered. The client reads no more, so a turn that waits for that goes on."""
        self._log.unheard(self._session)
        if isinstance(self._turn.wait, Drain):
            self._turn.wait.over()
        self._pump()

    def drained(self) -> None:
        """All bytes have been sent: a turn that waits for that goes on, or the next event is processed."""
        if isinstance(self._turn.wait, Drain):
            self._turn.wait.over()
        self._pump()

    def lost(self, *, reset: bool) -> None:
        """The connection is gone: cancel a running hook, whose decision cannot have any effect."""
        self._line.client_closed = True
        if reset and not self._line.finished:
            self._line.ended = self._line.ended or "client-reset"
            self._log.note(self._session, "the client reset the connection")
        if isinstance(self._turn.wait, Pause):
            self._turn.wait.skip()
        elif self._turn.busy and not self._closing and not isinstance(self._turn.wait, Job):
            self._turn.cancel()
            self._finish()
        self._pump()
        self._let_go()

    def tls_failed(self, what: str, reason: str) -> None:
        """The TLS session has failed: record why, and discard further input, which cannot be decrypted."""
        if self._line.ended == "server" and reason.endswith("ALERT_DECODE_ERROR"):
            self.finished()  # the alert by which OpenSSL answers FIN without close_notify, which a rule has sent
            return
        self._session.tls_error = reason
        self._log.note(self._session, f"{what} failed: {reason}")
        self._explain_handshake(reason)
        if self._line.tls is not None and self._line.tls.refused:
            self._line.ended = self._line.ended or "server"
        self._line.discarding = True
        self.finished()

    # --- what the client may have got wrong -------------------------------------------------------------------------

    def mixup(self) -> str | None:
        """A text about a likely mistake of the client because of which it waits in vain, or None. For any thread."""
        engine, tls = self._engine, self._line.tls
        if self._closing or engine.state is State.CLOSED:
            return None
        from pytest_smtpd.log.mixups import waits_in_vain

        handshake = 0 if tls is None else tls.received_bytes
        return waits_in_vain(engine.state, engine.unread, self._session.verbs, self._settings.tls, handshake)

    def _explain_handshake(self, reason: str) -> None:
        from pytest_smtpd.log.mixups import handshake_failed

        settings, tls = self._settings, self._line.tls
        certificate = settings.certificate if settings.ssl_context is None else ""
        clear_text = tls is not None and tls.clear_text
        mixup = handshake_failed(reason, settings.tls, certificate, clear_text=clear_text)
        if mixup is not None:
            self._explain(mixup)

    def _explain(self, mixup: str) -> None:
        for line in mixup.split("\n"):
            self._log.note(self._session, line)

    # --- one turn after the other -----------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Process the input, event by event, until more input is needed or something has to be waited for."""
        if self._pumping:
            return
        self._pumping, engine = True, self._engine
        try:
            for _ in range(_TURNS):
                if self._turn.busy or self._closing or self._transport.unsent:
                    return
                if self._past is not None:
                    self._leave_past()
                event = self._special_event() if engine.state in _SPECIAL else engine.next_event()
                if event is None:
                    self._expect_more()
                    return
                self._take(event)
                self._shared.poller.rounds += 1
            self._take_turns()
        except Exception as error:
            self._crash(error)
        finally:
            self._pumping = False
            if self._barriers:
                self._tell_barriers()

    def _take(self, event: Event) -> None:
        """Process one event: at once if the verdict is known at once, else as a turn."""
        decided = self._responder.decide(event)
        if type(decided) is Verdict:
            if type(event) is events.Connected:  # the last chance to see that a client did not wait for the greeting
                self._transport.look()
            before = self._session.mail
            data = self._engine.send(event, decided)
            self._responder.record(event, decided, before, heard=bool(data) and not self._line.client_closed)
            if self._engine.envelope is not None:
                self._record_message()
            self._line.write(data)
        elif decided is not None:
            self._turn.run(self._answer(event, decided))

    def _take_turns(self) -> None:
        """Let other connections have their turn before the next event of this one."""
        self._deferred = True
        self._shared.poller.soon(self._go_on)

    def _go_on(self) -> None:
        if self._deferred:
            self._deferred = False
            self._pump()

    def _special_event(self) -> Event | None:
        """The next event in a state before the first command or after the last, or None; such states need more work."""
        engine = self._engine
        event = engine.next_event() if engine.state is State.PROXY else None
        if isinstance(event, events.BadProxyHeader):
            self._log.note(self._session, f"closed: {event.reason}")
            self._finish()
            return None
        if event is None and engine.state is State.HANDSHAKE:
            self._handshake()
        if engine.state is State.CLOSED:
            self._close()
        elif self._overloaded and engine.state is State.CONNECTED:
            self._overloaded = False
            return engine.overloaded()
        elif event is None and engine.state not in (State.PROXY, State.HANDSHAKE):
            return engine.next_event()
        return event

    def _expect_more(self) -> None:
        """All input has been processed: wait for more, or end the session if the client has closed its side."""
        if self._turn.busy:
            return
        if self._line.client_closed:
            self._finish()
            return
        if self._transport.paused:
            self._transport.resume_reading()
        if self._settings.timeout is not None:
            if self._silence is not None:
                self._silence.cancel()
            self._silence = self._shared.poller.later(self._settings.timeout, self._too_silent)

    def _too_silent(self) -> None:
        """The client has sent nothing for too long: send the reply for that, or just close where none is possible."""
        if self._turn.busy or self._closing or self._line.client_closed:
            return
        if self._engine.state in (State.PROXY, State.HANDSHAKE):
            self._finish()
            return
        event = self._engine.timed_out()
        decided = self._responder.decide(event)
        assert isinstance(decided, Verdict)
        data = self._engine.send(event, decided)
        self._responder.record(event, decided, None, heard=True)
        self._line.write(data)
        self._pump()

    # --- TLS --------------------------------------------------------------------------------------------------------

    def _handshake(self) -> None:
        """Begin or continue the TLS handshake. Bytes that arrived after the 220 or a PROXY header belong to it."""
        tls = self._line.tls
        if tls is None:
            tls = self._line.start_tls(self._shared.context(self._settings))
            if self._acts_amid_handshake(tls):
                return
        if not tls.received_bytes:
            tls.feed(self._engine.release())
        if tls.received_bytes and self._acts_amid_handshake(tls):
            return
        if not tls.handshake():
            if self._line.client_closed:
                how = "reset" if self._transport.was_reset else "closed"
                self._session.tls_error = f"the client {how} the connection during the TLS handshake"
                self._log.note(self._session, "TLS handshake not completed")
        elif tls.failure is not None:
            self._line.last_byte(close_notify=False)
            self.tls_failed("TLS handshake", tls.failure)
        else:
            self._engine.secured(tls.info)
            self._line.secured()
            tls.begin_to_read()

    def _acts_amid_handshake(self, tls: "TLS") -> bool:
        """Let a rule act during the handshake. Returns whether the rest of the handshake has to wait, or is dropped."""
        if not self._shared.policy.rules.by_hook:
            return False
        implicit = self._settings.tls == "implicit"
        event = events.Handshaking(implicit=implicit, received=tls.received_bytes, tls=tls.info)
        decided = self._responder.decide(event)
        if not isinstance(decided, list):
            return False
        self._turn.run(self._act_amid_handshake(event, decided))
        return self._turn.busy or self._closing

    def _act_amid_handshake(self, event: Event, verdicts: list[Verdict]) -> Steps:
        """Do what a rule asks for during the handshake. It can give no reply; its raw bytes are sent unencrypted."""
        verdict = verdicts[0]
        yield from self._line.pause(verdict.delay)
        self._engine.remember(verdicts)
        wire = verdict.wire if isinstance(verdict.wire, bytes) else b""
        self._recorder.record(event, verdicts, b"", heard=bool(wire) and not self._line.client_closed)
        yield from self._line.send(wire + verdict.then, verdict.pace, self._transport.write)
        if verdict.ends:
            yield from self._line.end_by(verdict)
            self._finish()

    # --- answers that take time -------------------------------------------------------------------------------------

    def _answer(self, event: Event, decided: Any) -> Steps:
        """Answer an event that takes time: wait for hooks and delays, send the bytes, and end the connection if asked.

        ``decided`` is a list of verdicts, or the walk that will return one.
        """
        verdicts: list[Verdict] | None = decided if isinstance(decided, list) else (yield from decided)
        if verdicts is None:
            return
        if not verdicts:
            self._let_act(event, verdicts)
        data = b""
        for place, verdict in enumerate(verdicts):
            yield from self._line.pause(verdict.delay)
            if place == 0:
                data = self._let_act(event, verdicts)
            usual = data if len(verdicts) == 1 else b"" if verdict.reply is None else verdict.reply.wire
            answer = verdict.wire if isinstance(verdict.wire, bytes) else usual
            yield from self._line.send(answer + verdict.then, verdict.pace, self._line.write)
            if self._line.client_closed:  # while the answer was being sent
                self._log.unheard(self._session)
            if verdict.ends:
                yield from self._line.end_by(verdict)
                self._finish()
                return

    def _let_act(self, event: Event, verdicts: list[Verdict]) -> bytes:
        """Apply the verdicts to the session, and record them. Returns the bytes of the replies."""
        if type(event) is events.Connected:  # see _take
            self._transport.look()
        data = self._engine.send(event, *verdicts)
        said = data if not verdicts or verdicts[0].wire is None else verdicts[0].wire
        self._recorder.record(event, verdicts, data, heard=bool(said) and not self._line.client_closed)
        if self._engine.envelope is not None:
            self._record_message()
        return data

    def _record_message(self) -> None:
        """Record the envelope of the transaction that has just ended."""
        envelope, self._engine.envelope = self._engine.envelope, None
        if envelope is not None:
            self._recorder.record_message(envelope)

    # --- the end ----------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        """The last reply has been given: send close_notify and FIN after it, and end the session."""
        verbs = self._session.verbs
        self._line.ended = self._line.ended or ("quit" if verbs and verbs[-1] == "QUIT" else "server")
        self._line.last_byte(close_notify=True)
        self._finish()

    def _finish(self) -> None:
        """End the session: further input is discarded, no more replies are sent, and the ``close`` hook is reached."""
        if self._closing:
            return
        mixup = self.mixup()
        self._closing = self._line.discarding = True
        if self._silence is not None:
            self._silence.cancel()
        self._session.ended = self._line.ended or ("client" if self._line.client_closed else "server")
        if not self._line.finished:
            self._line.close_notify()
        self._turn.run(self._pass_close(mixup))
        if self._barriers:
            self._tell_barriers()

    def _pass_close(self, mixup: str | None) -> Steps:
        """Run the ``close`` hook, then add to the log what the client may have got wrong."""
        try:
            yield from self._responder.close(cancels=self._session.ended != "client")
        except Exception as error:
            add_note(error, _OURS)
            self._shared.crashed(error)
        if mixup is not None:
            self._explain(mixup)
        self._end()

    def _end(self) -> None:
        """The ``close`` hook has ended: log that the connection is closed, and close the socket if possible."""
        self._session.closed = self._closed = True
        self._log.closed(self._session)
        self._let_go()

    def _let_go(self) -> None:
        """Close the socket after the ``close`` hook, unless FIN was sent and the client's has not arrived yet."""
        line = self._line
        if self._closed and (line.client_closed or self._leaving or self._transport.closed or not line.finished):
            self.abort()

    def _crash(self, error: BaseException) -> None:
        """Report an exception of the server's own code, and end this connection; the others go on."""
        add_note(error, _OURS)
        self._shared.crashed(error)
        self._turn.cancel()
        self._finish()


def _session(shared: Context, settings: Settings, sock: socket.socket, address: Any) -> Session:
    """A new session, with what is known when a client connects. A client on a Unix socket has no address."""
    if isinstance(address, tuple):
        remote = (str(address[0]).removeprefix("::ffff:"), int(address[1]))
        local = shared.local or sock.getsockname()[:2]
    else:
        remote, local = ("", 0), (str(sock.getsockname()), 0)
    return Session(
        f"{next(shared.ids):016x}",
        _READ_MESSAGE,
        server=settings.name,
        local=local,
        remote=remote,
        lmtp=settings.lmtp,
        now=shared.log.now,
        clock=shared.clock.monotonic,
    )
