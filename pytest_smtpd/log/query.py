"""Queries of the log: they select by the same match keys as rules; a failure shows how the closest entry differs."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, Unpack, overload

from pytest_smtpd.errors import WaitTimeout, no_attribute, no_container
from pytest_smtpd.log import explain
from pytest_smtpd.log.log import Call, LogStore, Note
from pytest_smtpd.log.waiting import wait_async
from pytest_smtpd.rules.compare import WHEN
from pytest_smtpd.rules.hooks import check_hook
from pytest_smtpd.rules.match import (
    CallMatch,
    EnvelopeMatch,
    Key,
    Kind,
    SessionMatch,
    matches,
    query_keys,
)
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.session import Envelope, Session
from pytest_smtpd.smtp.values import described

__tracebackhide__ = True  # errors point at the caller's line

T = TypeVar("T", Envelope, Call, Session)


def select(subjects: Sequence[T], kind: Kind, match: Mapping[str, Any]) -> list[T]:
    """The subjects that match, in order. Raises ``TypeError`` for an unknown match key.

    In a long log most envelopes are excluded quickly, by another address.
    """
    keys = query_keys(kind, match)
    candidates: Sequence[T] = list(subjects)  # the server's thread may add others meanwhile
    for name in ("to", "mail_from") if kind == "Envelope" else ():
        address = match.get(name)
        if isinstance(address, str) and not re.search(r"[*?\[]", address):
            candidates = _with_address(candidates, attrgetter("rcpt_to" if name == "to" else name), address.lower())
    return [subject for subject in candidates if matches(kind, subject, match, keys)]


def _with_address(subjects: Sequence[T], read: Callable[[T], Any], address: str) -> list[T]:
    """The subjects of which an address equals ``address`` (which is in lower case) in any case."""
    found = []
    for one in subjects:  # loops, not calls: queries of a long log spend their time here
        values = read(one)
        for value in (values,) if isinstance(values, str) else values:
            if value.lower() == address:
                found.append(one)
                break
    return found


class Envelopes(Sequence[Envelope]):
    """The accepted envelopes, in order: a live, read-only view, equal to a list with the same ones."""

    if not TYPE_CHECKING:  # hidden from type checkers, so that they report unknown attributes
        __getattr__ = no_attribute

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def __len__(self) -> int:
        return len(self._store.records.accepted)

    @overload
    def __getitem__(self, index: int) -> Envelope: ...
    @overload
    def __getitem__(self, index: slice) -> list[Envelope]: ...
    def __getitem__(self, index: int | slice) -> Envelope | list[Envelope]:
        accepted = self._store.records.accepted
        if isinstance(index, int) and not -len(accepted) <= index < len(accepted):
            raise IndexError(f"there is no envelope {index}: {explain.received(self._store)}")
        return accepted[index]

    def __iter__(self) -> Iterator[Envelope]:
        return iter(list(self._store.records.accepted))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Envelopes):
            return self is other or list(self) == list(other)
        return list(self) == list(other) if isinstance(other, list | tuple) else NotImplemented

    # It changes, so it cannot be hashed; for type checkers every object can.
    __hash__: ClassVar[None]  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleMethodOverride]

    def __repr__(self) -> str:
        return repr(list(self))


class Waiter:
    """Waits for ``count`` subjects (calls or accepted envelopes) that match.

    ``found`` are all subjects that match so far. Those that cannot change any more are matched only once.
    """

    def __init__(
        self, store: LogStore, kind: Kind, count: int, match: Mapping[str, Any], hook: str | None = None
    ) -> None:
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise TypeError(f"count must be a number from 0, not {described(count)}")
        self.store: LogStore = store
        self.kind: Kind = kind
        self.count: int = count
        self.match: Mapping[str, Any] = match
        self.keys: Mapping[str, Key] = query_keys(kind, match)
        self.hook: str | None = hook
        self.found: list[Any] = []
        self._settled = all(name != WHEN and self.keys[name].settled for name in match)
        self._judged: list[Any] = []
        self._seen = 0
        self._subjects: list[Any] = []

    def ready(self) -> bool:
        """Whether enough subjects match by now. Those that cannot change any more are matched only once."""
        records = self.store.records
        subjects: list[Any] = records.calls if self.kind == "Call" else records.accepted
        if subjects is not self._subjects:  # the log has been cleared
            self._subjects, self._judged, self._seen = subjects, [], 0
        count = len(subjects)
        while self._seen < count and self._is_final(subjects[self._seen]):
            self._judged += self._matching(self._seen, self._seen + 1)
            self._seen += 1
        self.found = [*self._judged, *self._matching(self._seen, count)]
        return len(self.found) >= self.count

    def _is_final(self, subject: Envelope | Call) -> bool:
        """Whether the match of a subject cannot change any more.

        That of a call may change as long as it is pending, and, with match keys about its session, as long as its
        connection is open: the client may still log in, for example.
        """
        if isinstance(subject, Envelope):
            return True
        return subject.outcome != "pending" and (subject.session.closed or self._settled)

    def _matching(self, start: int, end: int) -> list[Any]:
        return [
            subject
            for subject in self._subjects[start:end]
            if (self.hook is None or subject.hook == self.hook) and matches(self.kind, subject, self.match, self.keys)
        ]

    def wait(self, seconds: float) -> list[Any]:
        """Wait, and return all subjects that match. Raises ``WaitTimeout`` if there are too few after ``seconds``."""
        if not self.store.changes.wait(self.ready, seconds):
            asyncio = sys.modules.get("asyncio")
            in_loop = asyncio is not None and asyncio._get_running_loop() is not None
            raise WaitTimeout(explain.waited(self, seconds, in_loop=in_loop))
        return self.found

    async def wait_async(self, seconds: float) -> list[Any]:
        """The same as ``wait``, awaitable, for asyncio and trio."""
        if not await wait_async(self.store.changes, self.ready, seconds):
            raise WaitTimeout(explain.waited(self, seconds, in_loop=False))
        return self.found


class Log:
    """Everything that happened, in order: iterate over it for the calls, or query it."""

    __module__ = "pytest_smtpd"

    if not TYPE_CHECKING:  # hidden from type checkers, so that they report unknown attributes
        __getattr__ = no_attribute
        __getitem__ = no_container

    def __init__(self, store: LogStore, timeout: Callable[[], float]) -> None:
        self._store = store
        self._timeout = timeout

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._store.records.calls))

    def __len__(self) -> int:
        return len(self._store.records.calls)

    def __repr__(self) -> str:
        records = self._store.records
        counts = f"{len(records.sessions)} sessions, {len(records.calls)} calls, {len(records.envelopes)} envelopes"
        return f"<Log {counts}>"

    def calls(self, hook: HookName | None = None, **match: Unpack[CallMatch]) -> list[Call]:
        """The calls of this hook, or of all hooks, that match, a list in order."""
        if hook is not None:
            check_hook(hook)
        return select([call for call in self if hook in (None, call.hook)], "Call", match)

    def envelopes(self, **match: Unpack[EnvelopeMatch]) -> list[Envelope]:
        """The envelopes that match, the refused ones too (``accepted=False``), a list in order."""
        return select(self._store.records.envelopes, "Envelope", match)

    def sessions(self, **match: Unpack[SessionMatch]) -> list[Session]:
        """The connections that match, a list in order."""
        return select(self._store.records.sessions, "Session", match)

    def transcript(self, session: Session | None = None) -> str:
        """The conversation on this connection, or on all, as a text: secrets masked, content shortened to its size."""
        return self.shown([session] if session else None)

    def shown(
        self,
        sessions: Sequence[Session] | None = None,
        *,
        remarks: Mapping[Session, Sequence[Note]] | None = None,
        whole: bool = False,
        fold_ehlo: bool = True,
    ) -> str:
        """The transcript, for reports.

        ``remarks`` are further lines, which are put in chronological order; ``whole`` is whether it is shown in full,
        however long it is, and ``fold_ehlo`` is whether the reply to EHLO is shortened to one line.
        """
        from pytest_smtpd.log.transcript import transcript

        chosen = list(self._store.records.sessions) if sessions is None else sessions
        return transcript(self._store, chosen, remarks or {}, whole=whole, fold_ehlo=fold_ehlo)

    def wait_for(
        self, hook: HookName, count: int = 1, *, timeout: float | None = None, **match: Unpack[CallMatch]
    ) -> list[Call]:
        """Wait until there are ``count`` calls that match, and return all that match, a list.

        A call counts from the moment it begins, while it is still pending. Raises ``WaitTimeout`` after ``timeout``
        seconds.
        """
        check_hook(hook)
        waiter = Waiter(self._store, "Call", count, match, hook)
        return waiter.wait(self._timeout() if timeout is None else timeout)

    async def wait_for_async(
        self, hook: HookName, count: int = 1, *, timeout: float | None = None, **match: Unpack[CallMatch]
    ) -> list[Call]:
        """The same as ``wait_for``, awaitable, for asyncio and trio."""
        check_hook(hook)
        waiter = Waiter(self._store, "Call", count, match, hook)
        return await waiter.wait_async(self._timeout() if timeout is None else timeout)
