"""The transcript of a connection, told from the journal: who said what, when, and by which rule."""

from collections.abc import Iterator, Sequence
from typing import Final

from pytest_smtpd.calls import Call
from pytest_smtpd.record.journal import Journal, Note
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.smtp.values import endpoint

MOST: Final = 10  # sessions at either end of a report
LONGEST: Final = 200  # lines of one session in a report
WIDEST: Final = 200  # characters of one line

_ENDINGS: Final = {"dropped": "dropped", "hung": "hanging", "pending": "waiting"}


def transcript(journal: Journal, sessions: Sequence[Session]) -> str:
    """Each session's lines under its heading; of very many sessions, the first and the last."""
    blocks = ["\n".join(_session_lines(journal, session)) for session in (*sessions[:MOST], *sessions[MOST:][-MOST:])]
    if len(sessions) > 2 * MOST:
        blocks.insert(MOST, f"... {len(sessions) - 2 * MOST} more sessions ...")
    return "\n".join(blocks)


def _session_lines(journal: Journal, session: Session) -> Iterator[str]:
    entries = list(journal.entries.get(session, ()))
    number = journal.sessions.index(session) + 1 if session in journal.sessions else 0
    said_goodbye = any(isinstance(entry, Call) and _is_goodbye(entry) for entry in entries[-1:])
    state = "still open" if session in journal.open and not said_goodbye else "closed"
    yield f"session {number} from {endpoint(session.remote_address, session.remote_port)} {state}"
    lines = [f"{at - session.at:8.3f} {who}: {text}" for at, _, who, text in _told(entries)]
    if len(lines) > LONGEST:
        half = LONGEST // 2
        lines[half:-half] = [f"         ... {len(lines) - 2 * half} more lines ..."]
    yield from lines
    for entry in entries:
        if isinstance(entry, Call) and entry.error is not None:
            yield from _traceback(entry)


def _is_goodbye(call: Call) -> bool:
    return call.hook == "command" and call.argument.verb == "QUIT" and call.outcome == "accepted"


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[:WIDEST]} ... ({len(text)} characters)"


Line = tuple[float, float, str, str]  # when, place, who, what


def _told(entries: Sequence[Call | Note]) -> list[Line]:
    """The entries as lines, in the order of time. Of calls that share an answer, one tells it."""
    lines: list[Line] = []
    for place, entry in enumerate(entries):
        if isinstance(entry, Note):
            lines.append((entry.at, place, entry.who, _cut(entry.text)))
            continue
        if entry.hook == "command":
            lines.append((entry.at, place, "C", _cut(str(entry.argument))))
        elif entry.hook == "data" and (entry.replies or entry.argument.size):
            lines.append((_end(entry), place, "C", f"<{entry.argument.size} bytes of content>"))
        if not entry.silent:
            notes = _exchange_behind(entries, place)
            at, behind = (notes[-1].at, place + len(notes)) if notes else (_end(entry), place)
            said = _answer(entry) if not notes or notes[-1].who == "C" else _unsaid(entry)
            lines += ((at, behind, who, text) for who, text in said)
    return sorted(lines, key=lambda line: line[:2])


def _end(call: Call) -> float:
    return call.at + (call.duration or 0.0)


def _exchange_behind(entries: Sequence[Call | Note], place: int) -> list[Note]:
    """A login's 334 that explains the verdict, and the client's line: both come between the verdict and its reply."""
    call = entries[place]
    assert isinstance(call, Call)
    if call.hook != "auth" or any(reply.digit == 3 for reply in call.replies):
        return []
    notes: list[Note] = []
    for entry in entries[place + 1 :]:
        if not isinstance(entry, Note) or entry.who == "-":
            break
        notes.append(entry)
    return notes


def _unsaid(call: Call) -> Iterator[tuple[str, str]]:
    """A verdict that waits for the client's answer to the 334."""
    replies = " ".join(_one_line(reply) for reply in call.replies)
    yield "-", f"decided: {replies}; to be said after the client's next line"


def _answer(call: Call) -> Iterator[tuple[str, str]]:
    """The reply, or what happened instead of one, and by which rule: in LMTP, only what that rule has said."""
    by = f"   by {call.rule!r}" if call.rule is not None else ""
    answers_one = call.rule is not None and call.rule.get("raw") is None and len(call.replies) > 1
    own = call.rule.answer if call.rule is not None and answers_one else None
    for who, text in _said(call):
        others = own is not None and who == "S" and text != _one_line(own)
        yield who, f"{_cut(text)}{'' if others else by}"


def _said(call: Call) -> Iterator[tuple[str, str]]:
    raw = call.rule.get("raw") if call.rule is not None else None
    if raw is not None:
        yield "S", repr(raw)
    else:
        yield from (("S", _one_line(reply)) for reply in call.replies)
    if call.outcome in _ENDINGS and (call.outcome != "pending" or call.rule is not None or call.hook != "command"):
        yield "-", f"{_ENDINGS[call.outcome]} at {call.hook}"
    elif call.hook == "secure" and call.outcome == "accepted":
        yield "-", f"TLS handshake complete: {call.argument.version} {call.argument.cipher}"
    elif call.outcome in ("refused", "error") and not call.replies and raw is None:
        yield "-", f"{call.hook} refused"
    if call.error is not None:
        yield "-", f"a hook raised {type(call.error).__name__}"


def _one_line(reply: Reply) -> str:
    """A reply of several lines folded into one."""
    return " ".join(str(reply).split("\n"))


def _traceback(call: Call) -> Iterator[str]:
    yield f"the {call.hook} hook of call {call.number} raised:"
    yield from (f"    {line}" for line in (call.traceback or "").rstrip("\n").split("\n"))
