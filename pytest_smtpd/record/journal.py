"""The journal: append-only, written by the server's loop, read and awaited by any thread. One lock, one condition."""

import contextlib
import threading
from collections.abc import Callable
from traceback import format_exception
from typing import Any, NamedTuple

from pytest_smtpd.calls import Call
from pytest_smtpd.clock import Clock
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.steps import Answer


class Note(NamedTuple):
    """A line of the transcript that is no call: ``who`` is C, S or "-" for the connection itself."""

    at: float
    who: str
    text: str


class Journal:
    """Everything that a server saw, did and decided."""

    def __init__(self, clock: Clock) -> None:
        self.calls: list[Call] = []
        self.envelopes: list[Envelope] = []
        self.accepted: list[Envelope] = []
        self.sessions: list[Session] = []
        self.open: set[Session] = set()
        self.entries: dict[Session, list[Call | Note]] = {}
        self.errors: list[BaseException] = []  # a bug in the test; no clearing of the log takes it away
        self._clock = clock
        self._lock = threading.RLock()  # taken for itself where nobody is told: a Condition is slower
        self._changed = threading.Condition(self._lock)
        self._waiting = self._changes = 0
        self._listeners: set[Callable[[], object]] = set()

    # --- writing, on the server's loop ------------------------------------------------------------------------------

    def connected(self, session: Session) -> None:
        """A client is there."""
        with self._lock:
            self.open.add(session)
            self._entries(session)
        self._tell()

    def begin(self, hook: HookName, argument: Any, session: Session) -> Call:
        """A hook point is passed."""
        with self._lock:
            call = Call(hook, argument, session, len(self.calls) + 1, self._clock.now())
            if (
                hook == "close" and session not in self.entries
            ):  # all else that it did was in a log that has been cleared
                return call
            self._entries(session).append(call)
            self.calls.append(call)
        self._tell()
        return call

    def settle(self, call: Call, answer: Answer) -> None:
        """A call is decided."""
        with self._lock:
            call.replies, call.outcome = answer.replies, answer.outcome
            call.rule, call.error = answer.rule, answer.error
            call.duration = self._clock.now() - call.at
            if answer.error is not None:
                self.errors.append(answer.error)
                call.traceback = "".join(format_exception(answer.error))
        self._tell()

    def message(self, envelope: Envelope) -> None:
        """A transaction has ended, one way or the other."""
        with self._lock:
            self.envelopes.append(envelope)
            if envelope.accepted:
                self.accepted.append(envelope)
        self._tell()

    def note(self, session: Session, text: str, who: str = "-") -> None:
        """Something for the transcript; of a connection whose words were cleared away, only new words."""
        with self._lock:
            if who == "-" and session not in self.entries:
                return
            self._entries(session).append(Note(self._clock.now(), who, text))

    def sent(self) -> None:
        """A verdict has done to the session what it does."""
        self._tell()

    def closed(self, session: Session) -> None:
        """A connection has ended, and its ``close`` hook has run."""
        with self._lock:
            self.open.discard(session)
        self._tell()

    def clear(self) -> "Journal":
        """Forget everything but the connections that are open; what was there before, for whoever wants to tell it."""
        past = Journal(self._clock)
        with self._lock:
            past.calls, self.calls = self.calls, []
            past.envelopes, self.envelopes = self.envelopes, []
            past.accepted, self.accepted = self.accepted, []
            past.entries, past.sessions, past.open = self.entries, self.sessions, set(self.open)
            self.entries, self.sessions = {}, []
        return past

    def _entries(self, session: Session) -> list[Call | Note]:
        """A connection that is older than the log enters it with its next word."""
        entries = self.entries.get(session)
        if entries is None:
            entries = self.entries[session] = []
            self.sessions.append(session)
        return entries

    # --- waiting, from anywhere -------------------------------------------------------------------------------------

    def _tell(self) -> None:
        if self._waiting:
            with self._changed:
                self._changes += 1
                self._changed.notify_all()
                listeners = tuple(self._listeners)
            for listener in listeners:
                with contextlib.suppress(RuntimeError):  # the listener's event loop is gone
                    listener()

    def wait(self, ready: Callable[[], object], timeout: float) -> bool:
        """Block until ``ready()`` is true; False after ``timeout`` seconds.

        ``ready`` may be slow, and may talk to the server: it is not asked under the lock.
        """
        end = Clock.monotonic() + timeout
        with self._changed:
            self._waiting += 1
        try:
            while True:
                seen = self._changes
                if ready():
                    return True
                if not self._wait_for_more_than(seen, end - Clock.monotonic()):
                    return bool(ready())
        finally:
            with self._changed:
                self._waiting -= 1

    def _wait_for_more_than(self, seen: int, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._changes != seen, min(seconds, threading.TIMEOUT_MAX))

    def listen(self, listener: Callable[[], object]) -> None:
        """Call ``listener``, on the server's loop, after each change."""
        with self._changed:
            self._waiting += 1
            self._listeners.add(listener)

    def unlisten(self, listener: Callable[[], object]) -> None:
        """The opposite of ``listen``."""
        with self._changed:
            self._waiting -= 1
            self._listeners.discard(listener)
