"""A mail on the page: as text, as HTML, its header, structure, attachments and source."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Final, NamedTuple

from pytest_smtpd.message import Message
from pytest_smtpd.message.parts import Part
from pytest_smtpd.smtp.attachment import Attachment
from pytest_smtpd.smtp.session import Envelope
from pytest_smtpd.view.clean import clean
from pytest_smtpd.view.templates import NOTHING, Html, join, load, render

LONGEST: Final = 256 * 1024  # characters of a text or a source, which are whole in the .eml file
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
_PICTURES: Final = 4 << 20  # bytes of pictures in the HTML of one mail, however often it shows each
_SHOWN: Final = 512 * 1024  # bytes of a picture that is shown beside its link
FRAME: Final = "mail-html"


class Budget:
    """How many bytes of attachments and HTML a page may carry; the rest is in the .eml files."""

    def __init__(self, most: int) -> None:
        self.left: int = most

    def take(self, count: int) -> bool:
        """Take ``count`` bytes, if there is room for them. Returns whether there was."""
        if count > self.left:
            return False
        self.left -= count
        return True


class Place(NamedTuple):
    """Where a mail is: its number on the page, its connection's, and its file, if it has one."""

    number: int
    connection: int
    file: str | None


def section(envelope: Envelope, place: Place, budget: Budget, *, unfolded: bool) -> Html:
    """The section of one mail."""
    message = envelope.mail if isinstance(envelope.mail, Message) else Message(envelope.content)
    return render(
        "mail",
        number=place.number,
        subject=message.subject or "(no subject)",
        sender=envelope.mail_from or "<>",
        recipients=", ".join(envelope.rcpt_to) or "nobody",
        size=_size(envelope.size),
        about=_about(message),
        kind="" if envelope.accepted else "refused",
        state=NOTHING if envelope.accepted else render("label", text="refused" if envelope.reply else "not accepted"),
        open=Html(" open") if unfolded else NOTHING,
        reply="none" if envelope.reply is None else envelope.reply.line,
        refused=join(
            render("refused", address=address, reply=reply.line) for address, reply in envelope.refused.items()
        ),
        login=render("fact", name="Logged in as", value=envelope.user) if isinstance(envelope.user, str) else NOTHING,
        connection=place.connection,
        file=_fact("File", place.file),
        show=_html(message, place, budget),
        parts=join(_parts(message, place, budget)),
    )


def _html(message: Message, place: Place, budget: Budget) -> Html:
    """The link that shows the HTML, or the place where it is too large for the page."""
    html = "" if message.html is None else frame_document(message, place.number)
    if not html:
        return NOTHING
    in_base64 = len(html) * 4 // 3
    return _html_link(html, place.number) if budget.take(in_base64) else _too_large("HTML", place)


def _parts(message: Message, place: Place, budget: Budget) -> Iterator[Html]:
    """What can be looked at, each with a heading that opens it."""
    text = message.text
    if text is not None or message.html is None:
        yield _fold("Text", render("text", text=_cut(text or "", place)), unfolded=True)
    if message.attachments:
        rows = join(_attachment(one, place, budget) for one in message.attachments)
        yield _fold(f"Attachments ({len(message.attachments)})", render("list", rows=rows), unfolded=True)
    rows = join(render("field", name=name, value=value) for name, value in message.fields)
    yield _fold("Headers", render("fields", rows=rows))
    if message.links:
        rows = join(render("item", text=link) for link in message.links)
        yield _fold(f"Links ({len(message.links)})", render("list", rows=rows))
    yield _fold("Structure", render("list", rows=join(map(_part, message.parts))))
    yield _fold("Source", render("text", text=_cut(_source(message.content), place)))


def _fold(title: str, content: Html, *, unfolded: bool = False) -> Html:
    return render("fold", title=title, content=content, open=Html(" open") if unfolded else NOTHING)


def _fact(name: str, value: str | None) -> Html:
    return NOTHING if value is None else render("fact", name=name, value=value)


def _about(message: Message) -> str:
    """A summary of the mail, shown before it is opened."""
    count = len(message.attachments)
    words = [
        "HTML" if message.html is not None else "",
        f"{count} attachment{'' if count == 1 else 's'}" if count else "",
    ]
    return "".join(f", {word}" for word in words if word)


def _size(count: int) -> str:
    for unit, factor in (("MB", 1 << 20), ("KB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def _cut(text: str, place: Place) -> str:
    if len(text) <= LONGEST:
        return text
    rest = f" in {place.file}" if place.file is not None else ""
    return f"{text[:LONGEST]}\n... {len(text) - LONGEST} more characters{rest}"


def _source(content: bytes) -> str:
    return content[: LONGEST + 1].decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def _too_large(what: str, place: Place) -> Html:
    return render("too_large", what=what, file=place.file or "the log")


# --- the HTML -------------------------------------------------------------------------------------------------------


def frame_document(message: Message, number: int) -> str:
    """The document that a frame shows: the mail's HTML, cleaned, with its own pictures, under a policy."""
    pictures = {one.content_id: one for one in message.attachments if one.content_id and one.content_type in _IMAGES}
    budget = Budget(_PICTURES)

    def resolve(content_id: str) -> str | None:
        picture = pictures.get(content_id)
        if picture is None or not budget.take(len(picture.content)):
            return None
        return _data(picture.content_type, picture.content)

    return render("frame", number=number, style=Html(load("frame.css")), body=Html(clean(message.html or "", resolve)))


def _html_link(document: str, number: int) -> Html:
    address = _data("text/html;charset=utf-8", document.encode("utf-8", "replace"))
    return render("html_link", address=address, number=number, frame=FRAME)


def _data(content_type: str, content: bytes) -> str:
    return f"data:{content_type};base64,{b64encode(content).decode('ascii')}"


# --- attachments and structure --------------------------------------------------------------------------------------


def _attachment(one: Attachment, place: Place, budget: Budget) -> Html:
    """A link that saves it, under a type that no browser shows; a small picture is shown beside it."""
    name = one.filename or "(no name)"
    if not budget.take(len(one.content) * 4 // 3):
        return _too_large(name, place)
    picture = one.content_type in _IMAGES and len(one.content) <= _SHOWN
    return render(
        "attachment",
        name=name,
        file=file_name(one),
        type=one.content_type,
        size=_size(len(one.content)),
        disposition="" if one.disposition is None else f", {one.disposition}",
        content_id="" if one.content_id is None else f", cid:{one.content_id}",
        address=_data("application/octet-stream", one.content),
        picture=render("picture", address=_data(one.content_type, one.content), name=name) if picture else NOTHING,
        text=NOTHING if one.text is None else _fold("as text", render("text", text=_cut(one.text, place))),
    )


def file_name(one: Attachment) -> str:
    """A name under which it can be saved anywhere."""
    last = (one.filename or "").replace("\\", "/").rpartition("/")[2]
    kept = "".join(character if character.isalnum() or character in "._- " else "_" for character in last)
    return kept.strip(" .")[-100:] or "attachment"


def _part(part: Part) -> Html:
    facts = [part.charset, part.encoding, part.disposition, part.filename]
    return render(
        "part",
        depth=min(part.depth, 10),
        type=part.content_type,
        size="" if part.is_multipart else _size(len(part.content)),
        facts="".join(f", {fact}" for fact in facts if fact),
        defects=join(render("defect", text=text) for text in part.defects),
    )
