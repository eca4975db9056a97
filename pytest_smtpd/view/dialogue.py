"""A connection on the page: commands and replies side by side, in the order of time."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pytest_smtpd.log.log import Call, LogStore, Note
from pytest_smtpd.log.transcript import Line, entries_of, is_ehlo, lines_of, peer, traceback_lines
from pytest_smtpd.smtp.session import Envelope, Session
from pytest_smtpd.view.templates import NOTHING, Html, join, render

LONGEST: Final = 2000  # lines of one connection; all of them are in transcript.txt
WIDEST: Final = 2000  # characters of one line
LATE: Final = 0.02  # seconds after which a reply is shown with its delay
_SPEAKERS: Final = {"C": ("client", "Client"), "S": ("server", "Server"), "-": ("note", "Note")}
_LABELS: Final = {"refused": "refused", "broken": "no answer", "failed": "failed"}
_ENDED: Final = {
    "quit": "ended by QUIT",
    "client": "the client left without QUIT",
    "client-reset": "reset by the client",
    "server": "closed by the server",
    "server-reset": "reset by the server",
    "stop": "open until the server stopped",
    None: "still open",
}


class Connection(NamedTuple):
    """A session with the log in which it is, and its number on the page."""

    number: int
    store: LogStore
    session: Session


class Row(NamedTuple):
    """A line on the page, with what kind of a line it is."""

    line: Line
    kind: str
    anchor: str


class Trouble(NamedTuple):
    """A line that stands out, where on the page it is, and the command before it."""

    row: Row
    connection: Connection
    command: str

    @property
    def label(self) -> str:
        """The kind of failure, in a word or two."""
        return _LABELS[self.row.kind]

    @property
    def seconds(self) -> str:
        """When it was, since the client connected."""
        return f"{self.row.line.at - self.connection.session.at:.3f}"


def connections(stores: Sequence[LogStore]) -> list[Connection]:
    """All sessions of these logs, numbered in their order."""
    sessions = [(store, session) for store in stores for session in list(store.records.sessions)]
    return [Connection(number, *pair) for number, pair in enumerate(sessions, 1)]


def kind_of(line: Line) -> str:
    """The kind of a line: "refused", "broken", "failed", "tls", or "" for a usual one."""
    call = line.call
    if line.who == "S":
        return "refused" if line.text[:1] in ("4", "5") else ""
    if line.who == "C":
        return ""
    if call is None:
        return "failed" if " failed: " in line.text or "not completed" in line.text else ""
    if call.outcome in ("dropped", "hung"):
        return "broken"
    if call.outcome in ("refused", "error"):
        return "failed"
    return "tls" if line.text.startswith("TLS ") else ""


def section(connection: Connection, mails: "dict[Envelope, int]", *, unfolded: bool) -> tuple[Html, list[Trouble]]:
    """The section of one connection, and its lines that stand out."""
    number, store, session = connection
    entries = entries_of(store, session)
    lines = _with_mixup(store, session, lines_of(entries, session.passwords))
    rows = [Row(line, kind_of(line), f"c{number}-{place}") for place, line in enumerate(lines[:LONGEST], 1)]
    troubles = [Trouble(row, connection, _command_before(rows, row)) for row in rows if row.kind in _LABELS]
    html = render(
        "connection",
        number=number,
        peer=peer(session),
        how="TLS" if session.secure else "clear text",
        user=f", user {session.user}" if isinstance(session.user, str) and session.user else "",
        ended=_ENDED[session.ended],
        count=len(lines),
        open=Html(" open") if unfolded or troubles else NOTHING,
        rows=join(_exchange(group, session, mails) for group in _exchanges(rows)),
        more=render("more", count=len(lines) - LONGEST) if len(lines) > LONGEST else NOTHING,
        tracebacks=join(map(_traceback, entries)),
    )
    return html, troubles


def _traceback(entry: Call | Note) -> Html:
    if not isinstance(entry, Call) or entry.error is None:
        return NOTHING
    return render("traceback", text="\n".join(traceback_lines(entry)))


def _command_before(rows: Sequence[Row], row: Row) -> str:
    """The last command of the client."""
    before = rows[: rows.index(row)]
    return next((one.line.text for one in reversed(before) if one.line.who == "C"), "")


def _with_mixup(store: LogStore, session: Session, lines: list[Line]) -> list[Line]:
    """Also what the client of an open connection may have got wrong."""
    mixup = store.mixup(session)
    return [*lines, *(Line(store.now(), 0, "-", text) for text in (mixup or "").splitlines())]


def _exchanges(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows, a command together with the reply right behind it."""
    groups: list[list[Row]] = []
    for row in rows:
        if row.line.who == "S" and groups and [one.line.who for one in groups[-1]] == ["C"]:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _exchange(rows: Sequence[Row], session: Session, mails: "dict[Envelope, int]") -> Html:
    first = rows[0].line.at
    return render(
        "exchange",
        seconds=f"{first - session.at:.3f}",
        cells=join(_cell(row, row.line.at - first, mails) for row in rows),
    )


def _cell(row: Row, later: float, mails: "dict[Envelope, int]") -> Html:
    line = row.line
    side, speaker = _SPEAKERS[line.who]
    envelope = line.call.envelope if line.call is not None and line.who == "C" else None
    return render(
        "cell",
        side=side,
        kind=row.kind,
        anchor=row.anchor,
        speaker=speaker,
        label=render("label", text=_LABELS[row.kind]) if row.kind in _LABELS else NOTHING,
        text=line.text[:WIDEST],
        late=render("late", seconds=f"{later:.3f}") if later >= LATE else NOTHING,
        by=render("by", rule=line.by) if line.by else NOTHING,
        mail=render("mail_link", number=mails[envelope]) if envelope in mails else NOTHING,
        extensions=join(_extensions(line)),
    )


def _extensions(line: Line) -> Iterator[Html]:
    """What the short reply to EHLO leaves out."""
    call = line.call
    if line.who == "S" and call is not None and not call.wires and is_ehlo(call):
        for reply in call.replies:
            yield render("extensions", text="\n".join(reply.text.split("\n")[1:]))
