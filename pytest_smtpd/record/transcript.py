"""The transcript of a connection, told from the journal: who said what, when, and by which rule."""

from collections.abc import Iterator, Sequence
from typing import Final

from pytest_smtpd.calls import Call
from pytest_smtpd.record.journal import Journal, Note
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session

LONGEST: Final = 200  # lines of one session in a report
WIDEST: Final = 200  # characters of one line

_ENDINGS: Final = {"dropped": "dropped", "hung": "hanging", "pending": "waiting"}


def transcript(journal: Journal, sessions: Sequence[Session]) -> str:
    """Each session's lines under its heading."""
    return "\n".join(line for session in sessions for line in _session_lines(journal, session))


def _session_lines(journal: Journal, session: Session) -> Iterator[str]:
    entries = list(journal.entries.get(session, ()))
    number = journal.sessions.index(session) + 1 if session in journal.sessions else 0
    state = "still open" if session in journal.open else "closed"
    yield f"session {number} from {session.remote_address}:{session.remote_port} {state}"
    lines = [f"{at - entries[0].at:8.3f} {who}: {_cut(text)}" for at, who, text in _told(entries)]
    if len(lines) > LONGEST:
        half = LONGEST // 2
        lines[half:-half] = [f"         ... {len(lines) - 2 * half} more lines ..."]
    yield from lines
    for entry in entries:
        if isinstance(entry, Call) and entry.error is not None:
            yield from _traceback(entry)


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[:WIDEST]} ... ({len(text)} characters)"


Line = tuple[float, str, str]


def _told(entries: Sequence[Call | Note]) -> list[Line]:
    """The entries as lines, in the order of time. Calls that were decided by one answer share it; the last of them tells it."""
    calls = [entry for entry in entries if isinstance(entry, Call)]
    tellers = {id(call.replies): call for call in calls if call.replies}
    lines: list[Line] = []
    for entry in entries:
        if isinstance(entry, Note):
            lines.append(entry)
            continue
        if entry.hook == "command":
            lines.append((entry.at, "C", str(entry.argument)))
        elif entry.hook == "data" and (entry.replies or entry.argument.size):
            lines.append((entry.at + (entry.duration or 0.0), "C", f"<{entry.argument.size} bytes of content>"))
        if not entry.replies or tellers[id(entry.replies)] is entry:
            lines += _answer(entry)
    return sorted(lines, key=lambda line: line[0])


def _answer(call: Call) -> Iterator[Line]:
    """The reply, or what happened instead of one."""
    at = call.at + (call.duration or 0.0)
    by = f"   by {call.rule!r}" if call.rule is not None else ""
    raw = call.rule.get("raw") if call.rule is not None else None
    if raw is not None:
        yield at, "S", f"{raw!r}{by}"
    elif call.replies:
        for reply in call.replies:
            yield at, "S", f"{_one_line(reply)}{by}"
    if call.outcome in _ENDINGS and (call.outcome != "pending" or by or call.hook != "command"):
        yield at, "-", f"{_ENDINGS[call.outcome]} at {call.hook}{by}"
    elif call.hook == "secure" and call.outcome == "accepted":
        yield at, "-", f"TLS handshake complete: {call.argument.version} {call.argument.cipher}"
    elif call.outcome in ("refused", "error") and not call.replies and raw is None:
        yield at, "-", f"{call.hook} refused{by}"
    if call.error is not None:
        yield at, "-", f"a hook raised {type(call.error).__name__}{by}"


def _one_line(reply: Reply) -> str:
    """A reply of several lines folded into one."""
    return " ".join(str(reply).split("\n"))


def _traceback(call: Call) -> Iterator[str]:
    yield f"the {call.hook} hook of call {call.number} raised:"
    yield from (f"    {line}" for line in (call.traceback or "").rstrip("\n").split("\n"))
