"""The transcript of a connection: who said what, when, and by which rule."""

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
_NULS: Final = 4  # so many are in no text
_UNDECODABLE: Final = 8  # bytes that are no UTF-8, if they are a quarter of a line: a piece of a TLS handshake


class Line(NamedTuple):
    """A line of the transcript: ``who`` is C, S or "-" for the connection itself, ``at`` in seconds since the epoch.

    ``place`` orders lines of the same moment. ``by`` names the rules behind an answer, ``call`` is what the line is
    about; None for what is no call.
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

    ``remarks`` are lines that are not in the log, each in its place. Of very many sessions there are the first and the
    last, and so of very many lines, unless it has to be ``whole``. ``fold_ehlo`` is whether the reply to EHLO is short.
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
    """What has been logged of a session, in order."""
    return list(store.records.entries.get(session, ()))


def heading(store: LogStore, session: Session) -> str:
    """The line above a session's own: its number, its client, and whether it has ended."""
    known = store.records.sessions
    number = known.index(session) + 1 if session in known else 0
    last = store.records.entries.get(session, ())[-1:]
    said_goodbye = any(isinstance(entry, Call) and _is_goodbye(entry) for entry in last)
    state = "still open" if session in store.open and not said_goodbye else "closed"
    return f"session {number} from {peer(session)} {state}"


def peer(session: Session) -> str:
    """Where the client is."""
    if not session.remote_address:
        return "a Unix socket"
    return printable(endpoint(session.remote_address, session.remote_port))


def _is_goodbye(call: Call) -> bool:
    return call.about == "command" and call.argument.verb == "QUIT" and call.outcome == "accepted"


def _cut(text: str, widest: int) -> str:
    return text if len(text) <= widest else f"{text[:widest]} ... ({len(text)} characters)"


def lines_of(entries: Sequence[Call | Note], passwords: Sequence[str] = (), *, fold_ehlo: bool = True) -> list[Line]:
    """The entries as lines, in the order of time. Of calls that share an answer, the last reports it.

    ``passwords`` are known ones, which no line shows: a hook may have repeated one to the client.
    """
    lines: list[Line] = []
    for place, entry in enumerate(entries):
        if isinstance(entry, Note):
            text, _, by = entry.text.partition(_BY) if entry.who == "S" else (entry.text, "", "")
            lines.append(Line(entry.at, place, entry.who, printable(text), printable(by)))
            continue
        if entry.about == "command":
            lines.append(Line(entry.at, place, "C", _command(entry), call=entry))
        elif entry.about == "content" and (entry.replies or entry.argument.size):
            lines.append(Line(_end(entry), place, "C", f"<{entry.argument.size} bytes of content>", call=entry))
        if not entry.shared:
            notes = _exchange_behind(entries, place)
            at, behind = (notes[-1].at, place + len(notes)) if notes else (_end(entry), place)
            answered = not notes or notes[-1].who == "C"
            for who, text, by in _answer(entry, fold_ehlo=fold_ehlo) if answered else _deferred(entry):
                lines.append(Line(at, behind, who, text, by, entry))
    lines = [line._replace(text=hidden(line.text, passwords), by=hidden(line.by, passwords)) for line in lines]
    return sorted(lines, key=lambda line: line[:2])


def _command(call: Call) -> str:
    """The command line; of what is no text, a TLS handshake say, only how long it is."""
    raw = call.argument.raw
    return f"<{len(raw)} bytes that are no text>" if _is_binary(raw) else str(call.argument)


def _is_binary(raw: bytes) -> bool:
    undecodable = len(raw) - len(raw.decode("utf-8", "ignore").encode("utf-8"))
    return raw.startswith(TLS_RECORD) or raw.count(b"\0") >= _NULS or undecodable >= max(_UNDECODABLE, len(raw) / 4)


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


def _deferred(call: Call) -> Iterator[tuple[str, str, str]]:
    """A verdict whose reply is due when the client has answered the 334."""
    replies = " ".join(reply.line for reply in call.replies)
    yield "-", f"decided: {replies}; the reply follows the client's next line", ""


def _answer(call: Call, *, fold_ehlo: bool) -> Iterator[tuple[str, str, str]]:
    """The reply, or what happened instead of one, and by which rule: in LMTP, only at the replies of that rule."""
    rules = [*([call.rule] if call.rule is not None else []), *call.decorations]
    by = ", ".join(map(repr, rules))
    own = _own_reply(call)
    for who, text in _said(call, fold_ehlo=fold_ehlo):
        others = own is not None and who == "S" and text != own
        yield who, text, "" if others else by


def _own_reply(call: Call) -> str | None:
    """The reply of the rule, where other recipients of LMTP have got others."""
    if call.rule is None or call.wires or len(call.replies) < 2 or not call.rule.verdicts:
        return None
    reply = call.rule.verdicts[0].reply
    return None if reply is None else reply.line


def _said(call: Call, *, fold_ehlo: bool) -> Iterator[tuple[str, str]]:
    if call.wires:
        yield from (("S", repr(wire)) for wire in call.wires)
    elif fold_ehlo and is_ehlo(call):
        yield from (("S", _folded(reply)) for reply in call.replies)
    else:
        yield from (("S", reply.line) for reply in call.replies)
    if call.heard and (then := _then(call)):
        yield "S", repr(then)
    if call.outcome in _ENDINGS and (call.outcome != "pending" or call.rule is not None or call.about != "command"):
        yield "-", f"{_ENDINGS[call.outcome]} at {call.hook}"
    elif call.outcome == "accepted" and isinstance(call.argument, TLSInfo):
        yield "-", f"TLS handshake complete: {call.argument.version} {call.argument.cipher}"
    elif call.outcome in ("refused", "error") and not call.replies and not call.wires:
        yield "-", f"{call.hook} refused"
    if call.error is not None:
        yield "-", f"a hook raised {type(call.error).__name__}"


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
    """What a hook has raised by mistake, and where."""
    yield f"the {call.hook} hook of call {call.number} raised:"
    text = hidden(call.traceback or "", call.session.passwords)
    yield from (f"    {line}" for line in text.rstrip("\n").split("\n"))
