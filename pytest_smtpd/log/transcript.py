"""The transcript of a connection: commands and replies, their times, and the rules behind the replies."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pytest_smtpd.log.log import Call, LogStore, Note
from pytest_smtpd.log.mixups import TLS_RECORD
from pytest_smtpd.smtp.passwords import hidden
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.smtp.tls import TLSInfo
from pytest_smtpd.smtp.values import endpoint, printable

MOST: Final = 10  # sessions at either end of a report
LONGEST: Final = 200  # lines of one session in a report
WIDEST: Final = 200  # characters of one line

_ENDINGS: Final = {"dropped": "dropped", "hung": "hanging", "pending": "waiting"}
_BY: Final = "   by "
_NULS: Final = 4  # no text has as many
_UNDECODABLE: Final = 8  # bytes that are no UTF-8, if they are a quarter of a line: a piece of a TLS handshake


class Line(NamedTuple):
    """A line of the transcript: ``who`` is C, S or "-" for the connection itself, ``at`` in seconds since the epoch.

    ``place`` orders lines of the same moment. ``by`` names the rules behind an answer, ``call`` is what the line is
    about, or None.
    """

    at: float
    place: int
    who: str
    text: str
    by: str = ""
    call: Call | None = None

    def shown(self, session: Session, widest: int = WIDEST) -> str:
        """The line as a report has it."""
        return f"{self.plain(session, widest)}{self.by and _BY + self.by}"

    def plain(self, session: Session, widest: int = WIDEST) -> str:
        """The line without the rules behind it."""
        return f"{self.at - session.at:8.3f} {self.who}: {_cut(self.text, widest)}"


def transcript(
    store: LogStore,
    sessions: Sequence[Session],
    remarks: Mapping[Session, Sequence[Note]],
    *,
    whole: bool = False,
    fold_ehlo: bool = True,
) -> str:
    """Each session's lines under its heading.

    ``remarks`` are lines that are not in the log, each in its place. Only the first and the last of very many sessions
    and of very many lines are kept, unless ``whole``. ``fold_ehlo`` is whether the reply to EHLO is shortened.
    """
    most = len(sessions) if whole else MOST
    chosen = (*sessions[:most], *sessions[most:][-MOST:])
    blocks = [
        "\n".join(_session_lines(store, session, remarks.get(session, ()), whole=whole, fold_ehlo=fold_ehlo))
        for session in chosen
    ]
    if len(sessions) > len(chosen):
        blocks.insert(MOST, f"... {len(sessions) - len(chosen)} more sessions ...")
    return "\n".join(blocks)


def _session_lines(
    store: LogStore, session: Session, remarks: Sequence[Note], *, whole: bool, fold_ehlo: bool
) -> Iterator[str]:
    yield heading(store, session)
    entries = entries_of(store, session)
    ordered = lines_of(entries, session.passwords, fold_ehlo=fold_ehlo)
    if remarks:
        behind = [Line(at, len(entries), who, printable(text)) for at, who, text in remarks]
        ordered = sorted([*ordered, *behind], key=lambda line: line[:2])
    lines = [line.shown(session) for line in ordered]
    if len(lines) > LONGEST and not whole:
        half = LONGEST // 2
        lines[half:-half] = [f"         ... {len(lines) - 2 * half} more lines ..."]
    yield from lines
    if (mixup := store.mixup(session)) is not None:
        yield from (Line(store.now(), 0, "-", line).shown(session) for line in mixup.split("\n"))
    for call in entries:
        if isinstance(call, Call) and call.error is not None:
            yield from traceback_lines(call)


def entries_of(store: LogStore, session: Session) -> list[Call | Note]:
    """The log entries of a session, in order."""
    return list(store.records.entries.get(session, ()))


def heading(store: LogStore, session: Session) -> str:
    """The line above a session's own: its number, its client, and whether it has ended."""
    known = store.records.sessions
    number = known.index(session) + 1 if session in known else 0
    last = store.records.entries.get(session, ())[-1:]
    has_quit = any(isinstance(entry, Call) and _is_quit(entry) for entry in last)
    state = "still open" if session in store.open and not has_quit else "closed"
    return f"session {number} from {peer(session)} {state}"


def peer(session: Session) -> str:
    """The address of the client."""
    if not session.remote_address:
        return "a Unix socket"
    return printable(endpoint(session.remote_address, session.remote_port))


def _is_quit(call: Call) -> bool:
    return call.about == "command" and call.argument.verb == "QUIT" and call.outcome == "accepted"


def _cut(text: str, widest: int) -> str:
    return text if len(text) <= widest else f"{text[:widest]} ... ({len(text)} characters)"


def lines_of(entries: Sequence[Call | Note], passwords: Sequence[str] = (), *, fold_ehlo: bool = True) -> list[Line]:
    """The entries as lines, in the order of time. If several calls share a reply, the last one reports it.

    ``passwords`` are known ones, which no line shows: a hook may have repeated one to the client.
    """
    lines: list[Line] = []
    for place, entry in enumerate(entries):
        if isinstance(entry, Note):
            lines.append(_note_line(entry, place))
            continue
        lines += _request_lines(entry, place)
        if not entry.shared:
            lines += _answer_lines(entry, place, _exchange_behind(entries, place), fold_ehlo=fold_ehlo)
    lines = [line._replace(text=hidden(line.text, passwords), by=hidden(line.by, passwords)) for line in lines]
    return sorted(lines, key=lambda line: line[:2])


def _note_line(note: Note, place: int) -> Line:
    text, _, by = note.text.partition(_BY) if note.who == "S" else (note.text, "", "")
    return Line(note.at, place, note.who, printable(text), printable(by))


def _request_lines(call: Call, place: int) -> Iterator[Line]:
    """The line for a command, or for content."""
    if call.about == "command":
        yield Line(call.at, place, "C", _command(call), call=call)
    elif call.about == "content" and (call.replies or call.argument.size):
        yield Line(_end(call), place, "C", f"<{call.argument.size} bytes of content>", call=call)


def _answer_lines(call: Call, place: int, exchange: Sequence[Note], *, fold_ehlo: bool) -> Iterator[Line]:
    """The reply to a call. ``exchange`` are the lines of a login that came between the verdict and its reply."""
    at, behind = (exchange[-1].at, place + len(exchange)) if exchange else (_end(call), place)
    replied = not exchange or exchange[-1].who == "C"
    for who, text, by in _answer(call, fold_ehlo=fold_ehlo) if replied else _deferred(call):
        yield Line(at, behind, who, text, by, call)


def _command(call: Call) -> str:
    """The command line; for binary data, such as a TLS handshake, only its length."""
    raw = call.argument.raw
    return f"<{len(raw)} bytes that are no text>" if _is_binary(raw) else str(call.argument)


def _is_binary(raw: bytes) -> bool:
    undecodable = len(raw) - len(raw.decode("utf-8", "ignore").encode("utf-8"))
    return raw.startswith(TLS_RECORD) or raw.count(b"\0") >= _NULS or undecodable >= max(_UNDECODABLE, len(raw) / 4)


def _end(call: Call) -> float:
    return call.at + (call.duration or 0.0)


def _exchange_behind(entries: Sequence[Call | Note], place: int) -> list[Note]:
    """The lines of a login between its verdict and the reply: the 334 that explains the verdict, the client's line."""
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


def _deferred(call: Call) -> Iterator[tuple[str, str, str]]:
    """A verdict whose reply is due when the client has answered the 334."""
    replies = " ".join(reply.line for reply in call.replies)
    yield "-", f"decided: {replies}; the reply follows the client's next line", ""


def _answer(call: Call, *, fold_ehlo: bool) -> Iterator[tuple[str, str, str]]:
    """The reply, or what happened instead of one, and by which rule."""
    rules = [*([call.rule] if call.rule is not None else []), *call.decorations]
    by = ", ".join(map(repr, rules))
    if len(call.verdicts) > 1:
        yield from _sent_to_each(call)
    else:
        yield from (("S", text, by) for text in _sent(call, fold_ehlo=fold_ehlo))
    if event := _event(call):
        yield "-", event, by
    if call.error is not None:
        yield "-", f"a hook raised {type(call.error).__name__}", by


def _sent_to_each(call: Call) -> Iterator[tuple[str, str, str]]:
    """The answers for the recipients of LMTP, in order, each with its rules."""
    for verdict in call.verdicts:
        by = ", ".join(map(repr, [*([verdict.rule] if verdict.rule is not None else []), *verdict.decorated_by]))
        if isinstance(verdict.wire, bytes):
            yield "S", repr(verdict.wire), by
        elif verdict.reply is not None:
            yield "S", verdict.reply.line, by
        elif verdict.ends and call.outcome not in _ENDINGS:
            yield "-", f"{_ENDINGS.get(verdict.outcome, verdict.outcome)} at {call.hook}", by
        if call.heard and verdict.then:
            yield "S", repr(verdict.then), by


def _sent(call: Call, *, fold_ehlo: bool) -> Iterator[str]:
    """The bytes that were sent to the client: raw ones as a repr, replies as lines."""
    if call.wires:
        yield from map(repr, call.wires)
    else:
        folds = fold_ehlo and is_ehlo(call)
        yield from (_folded(reply) if folds else reply.line for reply in call.replies)
    if call.heard and (then := _then(call)):
        yield repr(then)


def _event(call: Call) -> str:
    """An event of the connection in place of a reply, or without one."""
    if call.outcome in _ENDINGS:
        command_waits = call.outcome == "pending" and call.about == "command" and call.rule is None
        return "" if command_waits else f"{_ENDINGS[call.outcome]} at {call.hook}"
    if call.outcome == "accepted" and isinstance(call.argument, TLSInfo):
        return f"TLS handshake complete: {call.argument.version} {call.argument.cipher}"
    refused = call.outcome in ("refused", "error") and not call.replies and not call.wires
    return f"{call.hook} refused" if refused else ""


def is_ehlo(call: Call) -> bool:
    """Whether this is the server's own list of extensions (RFC 5321 section 4.1.1.1)."""
    greets = call.about == "command" and call.argument.verb in ("EHLO", "LHLO")
    return greets and call.outcome == "accepted" and call.rule is None and not call.shared


def _folded(reply: Reply) -> str:
    """The reply to EHLO without the names of its extensions."""
    head, *extensions = reply.text.split("\n")
    count = f" ({len(extensions)} extension{'' if len(extensions) == 1 else 's'})" if extensions else ""
    return printable(f"{reply.code} {head}{count}")


def _then(call: Call) -> bytes:
    """The bytes that rules have put behind the answer."""
    own = call.rule.verdicts[:1] if call.rule is not None else ()
    return b"".join(verdict.then for verdict in (*own, *(rule.decoration for rule in call.decorations)) if verdict)


def traceback_lines(call: Call) -> Iterator[str]:
    """The traceback of a hook error."""
    yield f"the {call.hook} hook of call {call.number} raised:"
    text = hidden(call.traceback or "", call.session.passwords)
    yield from (f"    {line}" for line in text.rstrip("\n").split("\n"))
