"""The page: where it went wrong, then the connections, then the mails."""

from collections.abc import Sequence
from typing import Final

from pytest_smtpd.log.log import LogStore
from pytest_smtpd.smtp.session import Envelope
from pytest_smtpd.view import dialogue, mails
from pytest_smtpd.view.dialogue import Trouble
from pytest_smtpd.view.templates import NOTHING, Html, join, load, render

_UNFOLDED: Final = 3  # connections or mails that are few enough to be open from the start
_TROUBLES: Final = 20
_ROOM: Final = 48 << 20  # bytes of HTML and attachments in one page


def page(title: str, address: str, stores: Sequence[LogStore]) -> str:
    """The text of ``index.html`` for these logs, one after the other."""
    accepted, refused = envelopes(stores)
    numbers = {envelope: number for number, envelope in enumerate((*accepted, *refused), 1)}
    found = dialogue.connections(stores)
    sections, troubles = [], []
    for connection in found:
        html, own = dialogue.section(connection, numbers, unfolded=len(found) <= _UNFOLDED)
        sections.append(html)
        troubles += own
    return render(
        "page",
        title=title,
        address=address,
        style=Html(load("page.css")),
        summary=_summary(len(found), len(accepted), len(refused), len(troubles)),
        troubles=_troubles(troubles),
        connections=join(sections) if sections else render("nobody", address=address),
        mails=_mails(accepted, refused, {one.session: one.number for one in found}),
    )


def envelopes(stores: Sequence[LogStore]) -> tuple[list[Envelope], list[Envelope]]:
    """The accepted envelopes, and the refused ones."""
    every = [envelope for store in stores for envelope in list(store.records.envelopes)]
    return [one for one in every if one.accepted], [one for one in every if not one.accepted]


def _summary(connections: int, accepted: int, refused: int, troubles: int) -> str:
    counts = (
        (connections, "connection", "connections", True),
        (accepted, "mail accepted", "mails accepted", True),
        (refused, "mail not accepted", "mails not accepted", False),
        (troubles, "line stands out", "lines stand out", False),
    )
    return ", ".join(f"{count} {one if count == 1 else more}" for count, one, more, always in counts if count or always)


def _troubles(troubles: list[Trouble]) -> Html:
    """The failures, with links to their lines."""
    if not troubles:
        return NOTHING
    rows = [
        render(
            "trouble",
            anchor=one.row.anchor,
            connection=one.connection.number,
            seconds=one.seconds,
            label=one.label,
            text=one.row.line.text[: dialogue.WIDEST],
            command=render("after", command=one.command[: dialogue.WIDEST]) if one.command else NOTHING,
            by=render("by", rule=one.row.line.by) if one.row.line.by else NOTHING,
        )
        for one in troubles[:_TROUBLES]
    ]
    more = len(troubles) - len(rows)
    return render("troubles", rows=join(rows), more=render("more", count=more) if more > 0 else NOTHING)


def _mails(accepted: list[Envelope], refused: list[Envelope], numbers: dict[object, int]) -> Html:
    """The mails, and one frame for the HTML of all of them: a frame each would take the browser too long."""
    budget, every = mails.Budget(_ROOM), [*accepted, *refused]
    if not every:
        return render("no_mail")
    sections = [
        mails.section(
            envelope,
            mails.Place(number, numbers.get(envelope.session, 0), f"{number}.eml" if envelope.accepted else None),
            budget,
            unfolded=len(every) <= _UNFOLDED,
        )
        for number, envelope in enumerate(every, 1)
    ]
    first = next(((number, one) for number, one in enumerate(every, 1) if one.html is not None), None)
    return render(
        "mails",
        sections=join(sections),
        layout="beside" if first else "alone",
        frame=NOTHING if first is None else _frame(*first),
    )


def _frame(number: int, envelope: Envelope) -> Html:
    from pytest_smtpd.message import Message

    document = mails.frame_document(Message(envelope.content), number)
    return render("html_frame", document=Html(escaped_attribute(document)), frame=mails.FRAME, number=number)


def escaped_attribute(document: str) -> str:
    """A document as the value of an attribute, where nothing but these two characters means anything."""
    return document.replace("&", "&amp;").replace('"', "&quot;")
