"""Conversations as they happen: the lines of the transcript that are new, each once."""

from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from pytest_smtpd.log.log import Call, LogStore, Note
from pytest_smtpd.log.transcript import Line, heading, lines_of, peer
from pytest_smtpd.smtp.session import Envelope, Session


class Shown(NamedTuple):
    """A line to print: ``kind`` is "heading", "C", "S", "refused", "-" or "mail"; ``by`` is the rule behind it."""

    kind: str
    text: str
    by: str = ""


class Mail(NamedTuple):
    """A mail that was accepted, and its number."""

    number: int
    envelope: Envelope


class Following:
    """One session, and the lines of it that have been printed.

    The entries from ``start`` on are not over yet: a hook point that is pending, or a login whose reply is still due.
    """

    def __init__(self, store: LogStore, session: Session) -> None:
        self.session = session
        self._store = store
        self._start = 0
        self._printed: Counter[tuple[int, str, str]] = Counter()

    def lines(self) -> list[Line]:
        """The lines that are new and will not change any more."""
        entries = self._store.records.entries[self.session][self._start :]
        seen: Counter[tuple[int, str, str]] = Counter()
        fresh: list[Line] = []
        for line in lines_of(entries, self.session.passwords):
            if self._is_final(line):
                key = line.place, line.who, line.text
                seen[key] += 1
                if seen[key] > self._printed[key]:
                    fresh.append(line)
        self._printed |= seen
        if not any(_is_open(entry) for entry in entries) and not _awaits_client(entries):
            self._start += len(entries)
            self._printed.clear()
        return fresh

    def _is_final(self, line: Line) -> bool:
        call = line.call
        if call is None or (line.who == "C" and call.about == "command"):
            return True
        deferred = line.who == "-" and call.about == "login" and call.outcome in ("accepted", "refused")
        return call.outcome != "pending" and not deferred


def _is_open(entry: Call | Note) -> bool:
    return isinstance(entry, Call) and entry.outcome == "pending"


def _awaits_client(entries: list[Call | Note]) -> bool:
    """Whether the last entry is a challenge: the reply to the login follows the client's response."""
    return bool(entries) and isinstance(entries[-1], Note) and entries[-1].who == "S"


class Follower:
    """All sessions of a log."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._open: list[Following] = []
        self._sessions = self._mails = 0
        self._last: Session | None = None

    def news(self) -> list[Shown | Mail]:
        """The lines that are new, and among them the mails that were accepted. Called in the server's thread."""
        records = self._store.records
        self._open += [Following(self._store, session) for session in records.sessions[self._sessions :]]
        self._sessions = len(records.sessions)
        mails = dict(zip(records.accepted[self._mails :], count(self._mails + 1), strict=False))
        self._mails = len(records.accepted)
        shown = [one for following in list(self._open) for one in self._of(following, mails)]
        return [*shown, *(Mail(number, envelope) for envelope, number in mails.items())]

    def _of(self, following: Following, mails: dict[Envelope, int]) -> Iterator[Shown | Mail]:
        """The new lines of one session, under its heading if the lines before them belong to another session.

        A mail follows the reply to it, and is removed from ``mails``.
        """
        session = following.session
        is_over = session not in self._store.open
        lines = following.lines()
        if lines and session is not self._last:
            self._last = session
            number = self._store.records.sessions.index(session) + 1
            yield Shown("heading", f"session {number} from {peer(session)}")
        for place, line in enumerate(lines, 1):
            refused = line.who == "S" and line.text[:1] in ("4", "5")
            yield Shown("refused" if refused else line.who, line.plain(session), line.by)
            is_last = all(other.call is not line.call for other in lines[place : place + 1])
            if is_last and line.call is not None and line.call.envelope in mails:
                yield Mail(mails.pop(line.call.envelope), line.call.envelope)
        if is_over:
            self._open.remove(following)
            self._last = None
            yield Shown("heading", heading(self._store, session))
