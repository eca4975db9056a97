"""Asking the journal: every query selects by the same matching, and explains itself by the differences."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, TypeVar, Unpack, overload

from pytest_smtpd.calls import Call
from pytest_smtpd.errors import WaitTimeout
from pytest_smtpd.match import CallMatch, EnvelopeMatch, Key, SessionMatch, matches, query_keys, selected
from pytest_smtpd.record import explain
from pytest_smtpd.record.journal import Journal
from pytest_smtpd.record.transcript import transcript
from pytest_smtpd.record.waiting import wait_async
from pytest_smtpd.rules import HOOKS
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.suggest import did_you_mean

__tracebackhide__ = True  # what is raised here is about the line that called

T = TypeVar("T", Envelope, Call, Session)
_LIVE: Final = {"user", "subject", "session", "when"}  # what may become true of a call that has been decided
Kind = Literal["Envelope", "Call", "Session"]


def select(subjects: Sequence[T], kind: Kind, match: Mapping[str, Any]) -> list[T]:
    """Those that match, in order. Raises ``TypeError`` for an unknown match key."""
    keys = query_keys(kind, match)
    return selected(list(subjects), match, keys)


class Envelopes(Sequence[Envelope]):
    """The accepted envelopes, in order: a live, read-only view, equal to a list with the same ones."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __len__(self) -> int:
        return len(self._journal.accepted)

    @overload
    def __getitem__(self, index: int) -> Envelope: ...
    @overload
    def __getitem__(self, index: slice) -> list[Envelope]: ...
    def __getitem__(self, index: int | slice) -> Envelope | list[Envelope]:
        accepted = self._journal.accepted
        if isinstance(index, int) and not -len(accepted) <= index < len(accepted):
            raise IndexError(f"there is no envelope {index}: {explain.received(self._journal)}")
        return accepted[index]

    def __iter__(self) -> Iterator[Envelope]:
        return iter(list(self._journal.accepted))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Envelopes):
            return self is other or list(self) == list(other)
        return list(self) == list(other) if isinstance(other, list | tuple) else NotImplemented

    # It changes, so it cannot be hashed; for type checkers every object can.
    __hash__: ClassVar[None]  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleMethodOverride]

    def __repr__(self) -> str:
        return repr(list(self))


class Waiter:
    """A wait for ``count`` matching subjects, that looks once at those that do not change any more."""

    def __init__(
        self, journal: Journal, kind: Kind, count: int, match: Mapping[str, Any], hook: str | None = None
    ) -> None:
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise TypeError(f"count must be a number from 0, not {count!r}")
        self.journal: Journal = journal
        self.kind: Kind = kind
        self.count: int = count
        self.match: Mapping[str, Any] = match
        self.keys: Mapping[str, Key] = query_keys(kind, match)
        self.hook: str | None = hook
        self.found: list[Any] = []
        self._judged: list[Any] = []
        self._seen = 0
        self._subjects: list[Any] = []

    def ready(self) -> bool:
        """Whether they are there. What cannot change any more is judged once."""
        subjects: list[Any] = self.journal.calls if self.kind == "Call" else self.journal.accepted
        if subjects is not self._subjects:  # the log has been cleared
            self._subjects, self._judged, self._seen = subjects, [], 0
        count = len(subjects)
        while self._seen < count and self._is_final(subjects[self._seen]):
            self._judged += self._matching(self._seen, self._seen + 1)
            self._seen += 1
        self.found = [*self._judged, *self._matching(self._seen, count)]
        return len(self.found) >= self.count

    def _is_final(self, subject: Envelope | Call) -> bool:
        """Whether it will never match another way: on a call's open connection someone may still log in."""
        if isinstance(subject, Envelope):
            return True
        return subject.outcome != "pending" and (subject.session.closed or not _LIVE & self.match.keys())

    def _matching(self, start: int, end: int) -> list[Any]:
        return [
            subject
            for subject in self._subjects[start:end]
            if self.hook in (None, getattr(subject, "hook", None)) and matches(subject, self.match, self.keys)
        ]

    def wait(self, seconds: float) -> list[Any]:
        """Those that were found in time. Raises ``WaitTimeout``."""
        if not self.journal.wait(self.ready, seconds):
            raise WaitTimeout(explain.waited(self, seconds, in_loop=asyncio._get_running_loop() is not None))
        return self.found

    async def wait_async(self, seconds: float) -> list[Any]:
        """The twin of ``wait`` for asyncio and trio."""
        if not await wait_async(self.journal, self.ready, seconds):
            raise WaitTimeout(explain.waited(self, seconds, in_loop=False))
        return self.found


class Log:
    """Everything that happened, in order: iterate it for the calls, or ask it."""

    __module__ = "pytest_smtpd"

    def __init__(self, journal: Journal, timeout: Callable[[], float]) -> None:
        self._journal = journal
        self._timeout = timeout

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._journal.calls))

    def __len__(self) -> int:
        return len(self._journal.calls)

    def __repr__(self) -> str:
        journal = self._journal
        counts = f"{len(journal.sessions)} sessions, {len(journal.calls)} calls, {len(journal.envelopes)} envelopes"
        return f"<Log {counts}>"

    def calls(self, hook: HookName | None = None, **match: Unpack[CallMatch]) -> list[Call]:
        """The calls of this hook (of all hooks), in order."""
        _check_hook(hook)
        return [call for call in select(self._journal.calls, "Call", match) if hook in (None, call.hook)]

    def envelopes(self, **match: Unpack[EnvelopeMatch]) -> list[Envelope]:
        """All envelopes, the refused ones too (``accepted=False``)."""
        return select(self._journal.envelopes, "Envelope", match)

    def sessions(self, **match: Unpack[SessionMatch]) -> list[Session]:
        """The connections, in the order in which they came."""
        return select(self._journal.sessions, "Session", match)

    def transcript(self, session: Session | None = None) -> str:
        """What was said on this connection (on all of them), for people: secrets masked, content folded."""
        return transcript(self._journal, [session] if session else list(self._journal.sessions))

    def wait_for(
        self, hook: HookName, count: int = 1, *, timeout: float | None = None, **match: Unpack[CallMatch]
    ) -> list[Call]:
        """Wait until there are ``count`` such calls (a running one counts); they and any others that match.

        Raises ``WaitTimeout`` after ``timeout`` seconds.
        """
        _check_hook(hook)
        waiter = Waiter(self._journal, "Call", count, match, hook)
        return waiter.wait(self._timeout() if timeout is None else timeout)

    async def wait_for_async(
        self, hook: HookName, count: int = 1, *, timeout: float | None = None, **match: Unpack[CallMatch]
    ) -> list[Call]:
        """The twin of ``wait_for`` for asyncio and trio."""
        _check_hook(hook)
        waiter = Waiter(self._journal, "Call", count, match, hook)
        return await waiter.wait_async(self._timeout() if timeout is None else timeout)


def _check_hook(hook: object) -> None:
    if hook is not None and hook not in HOOKS:
        raise ValueError(f"unknown hook {hook!r}{did_you_mean(hook, HOOKS)}")
