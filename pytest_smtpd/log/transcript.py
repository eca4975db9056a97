"""The transcript of a connection: who said what, when, and by which rule."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pytest_smtpd.log.log import Call, LogStore, Note
from pytest_smtpd.smtp.passwords import hidden
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.smtp.values import endpoint, printable

MOST: Final = 10  # sessions at either end of a report
LONGEST: Final = 200  # lines of one session in a report
WIDEST: Final = 200  # characters of one line

_ENDINGS: Final = {"dropped": "dropped", "hung": "hanging", "pending": "waiting"}
_NONE: Final[Mapping[Session, Sequence[Note]]] = MappingProxyType({})
Line = tuple[float, float, str, str]  # when, place, who, what


def transcript(store: LogStore, sessions: Sequence[Session], remarks: Mapping[Session, Sequence[Note]] = _NONE) -> str:
    """Each session's lines under its heading; of very many sessions, the first and the last.

    ``remarks`` are lines that are not in the log, each in its place.
    """
    shown = (*sessions[:MOST], *sessions[MOST:][-MOST:])
    blocks = [_block(store, session, remarks.get(session, ())) for session in shown]
    if len(sessions) > 2 * MOST:
        blocks.insert(MOST, f"... {len(sessions) - 2 * MOST} more sessions ...")
    return "\n".join(blocks)


def _block(store: LogStore, session: Session, remarks: Sequence[Note]) -> str:
    """A session's lines; a hook may have repeated a known password to the client, or in its error."""
    text = "\n".join(_session_lines(store, session, remarks))
    return hidden(text, session.passwords)


def _session_lines(store: LogStore, session: Session, remarks: Sequence[Note]) -> Iterator[str]:
    entries = list(store.records.entries.get(session, ()))
    known = store.records.sessions
    number = known.index(session) + 1 if session in known else 0
    said_goodbye = any(isinstance(entry, Call) and _is_goodbye(entry) for entry in entries[-1:])
    state = "still open" if session in store.open and not said_goodbye else "closed"
    yield f"session {number} from {_peer(session)} {state}"
    behind = [(at, float("inf"), who, printable(text)) for at, who, text in remarks]
    ordered = sorted([*_lines(entries), *behind], key=lambda line: line[:2])
    lines = [f"{at - session.at:8.3f} {who}: {text}" for at, _, who, text in ordered]
    if len(lines) > LONGEST:
        half = LONGEST // 2
        lines[half:-half] = [f"         ... {len(lines) - 2 * half} more lines ..."]
    yield from lines
    for entry in entries:
        if isinstance(entry, Call) and entry.error is not None:
            yield from _traceback(entry)


def _peer(session: Session) -> str:
    if not session.remote_address:
        return "a Unix socket"
    return printable(endpoint(session.remote_address, session.remote_port))


def _is_goodbye(call: Call) -> bool:
    return call.about == "command" and call.argument.verb == "QUIT" and call.outcome == "accepted"


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[:WIDEST]} ... ({len(text)} characters)"


def _lines(entries: Sequence[Call | Note]) -> list[Line]:
    """The entries as lines, in the order of time. Of calls that share an answer, the last reports it."""
    lines: list[Line] = []
    for place, entry in enumerate(entries):
        if isinstance(entry, Note):
            lines.append((entry.at, place, entry.who, _cut(printable(entry.text))))
            continue
        if entry.about == "command":
            lines.append((entry.at, place, "C", _cut(str(entry.argument))))
        elif entry.about == "content" and (entry.replies or entry.argument.size):
            lines.append((_end(entry), place, "C", f"<{entry.argument.size} bytes of content>"))
        if not entry.shared:
            notes = _exchange_behind(entries, place)
            at, behind = (notes[-1].at, place + len(notes)) if notes else (_end(entry), place)
            answered = not notes or notes[-1].who == "C"
            lines += ((at, behind, who, text) for who, text in (_answer(entry) if answered else _deferred(entry)))
    return sorted(lines, key=lambda line: line[:2])


def _end(call: Call) -> float:
    return call.at + (call.duration or 0.0)


def _exchange_behind(entries: Sequence[Call | Note], place: int) -> list[Note]:
    """A login's 334 that explains the verdict, and the client's line: both come between the verdict and its reply."""
    call = entries[place]
    assert isinstance(call, Call)
    if call.about != "login" or any(reply.digit == 3 for reply in call.replies):
        return []
    notes: list[Note] = []
    for entry in entries[place + 1 :]:
        if not isinstance(entry, Note) or entry.who == "-":
            break
        notes.append(entry)
    return notes


def _deferred(call: Call) -> Iterator[tuple[str, str]]:
    """A verdict whose reply is due when the client has answered the 334."""
    replies = " ".join(reply.line for reply in call.replies)
    yield "-", f"decided: {replies}; the reply follows the client's next line"


def _answer(call: Call) -> Iterator[tuple[str, str]]:
    """The reply, or what happened instead of one, and by which rule: in LMTP, only at the replies of that rule."""
    rules = [*([call.rule] if call.rule is not None else []), *call.decorations]
    by = f"   by {', '.join(map(repr, rules))}" if rules else ""
    own = _own_reply(call)
    for who, text in _said(call):
        others = own is not None and who == "S" and text != own
        yield who, f"{_cut(text)}{'' if others else by}"


def _own_reply(call: Call) -> str | None:
    """The reply of the rule, where other recipients of LMTP have got others."""
    if call.rule is None or call.wires or len(call.replies) < 2 or not call.rule.verdicts:
        return None
    reply = call.rule.verdicts[0].reply
    return None if reply is None else reply.line


def _said(call: Call) -> Iterator[tuple[str, str]]:
    if call.wires:
        yield from (("S", repr(wire)) for wire in call.wires)
    else:
        yield from (("S", reply.line) for reply in call.replies)
    if call.heard and (then := _then(call)):
        yield "S", repr(then)
    if call.outcome in _ENDINGS and (call.outcome != "pending" or call.rule is not None or call.about != "command"):
        yield "-", f"{_ENDINGS[call.outcome]} at {call.hook}"
    elif call.outcome == "accepted" and hasattr(call.argument, "cipher"):
        yield "-", f"TLS handshake complete: {call.argument.version} {call.argument.cipher}"
    elif call.outcome in ("refused", "error") and not call.replies and not call.wires:
        yield "-", f"{call.hook} refused"
    if call.error is not None:
        yield "-", f"a hook raised {type(call.error).__name__}"


def _then(call: Call) -> bytes:
    """The bytes that rules have put behind the answer."""
    own = call.rule.verdicts[:1] if call.rule is not None else ()
    return b"".join(verdict.then for verdict in (*own, *(rule.decoration for rule in call.decorations)) if verdict)


def _traceback(call: Call) -> Iterator[str]:
    yield f"the {call.hook} hook of call {call.number} raised:"
    yield from (f"    {line}" for line in (call.traceback or "").rstrip("\n").split("\n"))
