"""Which part is the text, which the HTML, and which are attachments.

Each part is in exactly one of them. The bodies here say what they should be: "text" and "html" are the body.
"""

from __future__ import annotations

import pytest

from tests.message.reading import alternative, entity, html, mixed, multipart, picture, plain, read, related

TEXT, HTML, PICTURE = plain("text"), html("html"), picture()
PDF = entity("application/pdf", "pdf", "Content-Disposition: attachment; filename=a.pdf")
CALENDAR = entity("text/calendar; method=REQUEST; charset=utf-8", "calendar")
ATTACHED_TEXT = plain("file", "Content-Disposition: attachment; filename=a.txt")
ATTACHED_HTML = html("file", "Content-Disposition: attachment; filename=a.html")
NAMED_TEXT = entity("text/plain; charset=utf-8; name=a.txt", "file")
NAMED_HTML = entity("text/html; charset=utf-8; name=a.html", "file")
SIGNATURE = entity("application/pgp-signature; name=signature.asc", "signature")
MESSAGE = entity("message/rfc822", TEXT)


def with_id(part: bytes, content_id: str) -> bytes:
    return f"Content-ID: <{content_id}>\r\n".encode() + part


# The mail, whether it has the body "text" and the body "html", and the contents of its attachments.
Shape = tuple[bytes, bool, bool, list[str]]
SHAPES: dict[str, Shape] = {
    # One part
    "text": (TEXT, True, False, []),
    "html": (HTML, False, True, []),
    "a file": (PDF, False, False, ["pdf"]),
    "a picture": (PICTURE, False, False, ["PNG"]),
    "an invitation": (CALENDAR, False, False, ["calendar"]),
    "text in Markdown": (entity("text/markdown", "md"), False, False, ["md"]),
    "text with a name": (entity("text/plain; name=text.txt", "text"), True, False, []),
    "text, inline, with a name": (plain("text", "Content-Disposition: inline; filename=text.txt"), True, False, []),
    "html with a name": (entity("text/html; name=mail.html", "html"), False, True, []),
    "text, attached": (ATTACHED_TEXT, False, False, ["file"]),
    "html, attached": (ATTACHED_HTML, False, False, ["file"]),
    "text, inline": (plain("text", "Content-Disposition: inline"), True, False, []),
    "text of a disposition that nobody knows": (plain("file", "Content-Disposition: x-odd"), False, False, ["file"]),
    # multipart/mixed
    "text and a file": (mixed(TEXT, PDF), True, False, ["pdf"]),
    "html and a file": (mixed(HTML, PDF), False, True, ["pdf"]),
    "a file and text": (mixed(PDF, TEXT), True, False, ["pdf"]),
    "files alone": (mixed(PDF, PICTURE), False, False, ["pdf", "PNG"]),
    "text, a picture and text under it": (mixed(TEXT, PICTURE, plain("under it")), True, False, ["PNG", "under it"]),
    "a picture and text under it": (mixed(PICTURE, TEXT), True, False, ["PNG"]),
    "text and a footer": (mixed(TEXT, plain("footer")), True, False, ["footer"]),
    "html and a footer in text": (mixed(HTML, plain("footer")), False, True, ["footer"]),
    "html and a footer in html": (mixed(HTML, html("footer")), False, True, ["footer"]),
    "both alternatives and a footer": (
        mixed(alternative(TEXT, HTML), plain("footer", "Content-Disposition: inline")),
        True,
        True,
        ["footer"],
    ),
    "text and html in the wrong multipart": (mixed(TEXT, HTML), True, True, []),
    "text, html and a footer": (mixed(TEXT, HTML, plain("footer")), True, True, ["footer"]),
    "text and an attached text": (mixed(TEXT, ATTACHED_TEXT), True, False, ["file"]),
    "an attached text and text": (mixed(ATTACHED_TEXT, TEXT), True, False, ["file"]),
    "text and a text with a name": (mixed(TEXT, NAMED_TEXT), True, False, ["file"]),
    "a picture and a text with a name": (mixed(PICTURE, NAMED_TEXT), False, False, ["PNG", "file"]),
    "a text with a name first": (mixed(entity("text/plain; name=x.txt", "text"), PDF), True, False, ["pdf"]),
    "text and an html with a name": (mixed(TEXT, NAMED_HTML), True, False, ["file"]),
    "text and an attached html": (mixed(TEXT, ATTACHED_HTML), True, False, ["file"]),
    "attached texts alone": (mixed(ATTACHED_TEXT, ATTACHED_HTML), False, False, ["file", "file"]),
    "text and a message": (mixed(TEXT, MESSAGE), True, False, ["Content-Type: text/plain; charset=utf-8\r\n\r\ntext"]),
    "a message alone": (mixed(MESSAGE), False, False, ["Content-Type: text/plain; charset=utf-8\r\n\r\ntext"]),
    "mixed in mixed": (mixed(mixed(TEXT, PDF), plain("footer")), True, False, ["pdf", "footer"]),
    "a warning before both alternatives": (mixed(TEXT, alternative(plain("original"), HTML)), True, True, ["original"]),
    "an attached multipart": (
        mixed(TEXT, multipart("mixed", plain("a"), html("b"), fields=("Content-Disposition: attachment",))),
        True,
        False,
        ["a", "b"],
    ),
    "nothing": (mixed(), False, False, []),
    # multipart/alternative
    "both alternatives": (alternative(TEXT, HTML), True, True, []),
    "the alternatives in the wrong order": (alternative(HTML, TEXT), True, True, []),
    "one alternative": (alternative(TEXT), True, False, []),
    "an alternative in html alone": (alternative(HTML), False, True, []),
    "two texts, the last is the best": (alternative(plain("poorer"), TEXT), True, False, ["poorer"]),
    "two htmls, the last is the best": (alternative(TEXT, html("poorer"), HTML), True, True, ["poorer"]),
    "text, AMP and html": (alternative(TEXT, entity("text/x-amp-html", "amp"), HTML), True, True, ["amp"]),
    "text, enriched text": (alternative(TEXT, entity("text/enriched", "rich")), True, False, ["rich"]),
    "text, html and an invitation": (alternative(TEXT, HTML, CALENDAR), True, True, ["calendar"]),
    "text and an invitation": (alternative(TEXT, CALENDAR), True, False, ["calendar"]),
    "text, html and an attached invitation": (
        mixed(alternative(TEXT, HTML, CALENDAR), entity("application/ics; name=invite.ics", "ics")),
        True,
        True,
        ["calendar", "ics"],
    ),
    "alternatives with names": (
        alternative(entity("text/plain; name=a.txt", "text"), entity("text/html; name=a.html", "html")),
        True,
        True,
        [],
    ),
    "a text file among the alternatives": (alternative(TEXT, HTML, NAMED_TEXT), True, True, ["file"]),
    "an attached text among the alternatives": (alternative(TEXT, HTML, ATTACHED_TEXT), True, True, ["file"]),
    "a picture as the best": (alternative(TEXT, PICTURE), True, False, ["PNG"]),
    "html with pictures as the best": (alternative(TEXT, related(HTML, PICTURE)), True, True, ["PNG"]),
    "html between files as the best": (
        alternative(TEXT, mixed(HTML, PDF, html("below"))),
        True,
        True,
        ["pdf", "below"],
    ),
    "text between files as the best": (
        alternative(plain("poorer"), mixed(TEXT, PICTURE)),
        True,
        False,
        ["poorer", "PNG"],
    ),
    "alternatives in alternatives": (alternative(alternative(TEXT, HTML), PDF), True, True, ["pdf"]),
    "no alternative": (alternative(), False, False, []),
    "an alternative that is a message": (
        alternative(TEXT, MESSAGE),
        True,
        False,
        ["Content-Type: text/plain; charset=utf-8\r\n\r\ntext"],
    ),
    # multipart/related
    "html and its picture": (related(HTML, PICTURE), False, True, ["PNG"]),
    "both alternatives and a picture": (related(alternative(TEXT, HTML), PICTURE), True, True, ["PNG"]),
    "text as the root": (related(TEXT, PICTURE), True, False, ["PNG"]),
    "html outside of the root": (related(TEXT, HTML, PICTURE), True, True, ["PNG"]),
    "html behind a picture": (related(PICTURE, HTML), False, True, ["PNG"]),
    "html outside of a root of alternatives": (related(alternative(TEXT), HTML), True, True, []),
    "text behind the root": (related(HTML, plain("behind")), False, True, ["behind"]),
    "two htmls": (related(HTML, html("frame")), False, True, ["frame"]),
    "start names the root": (
        multipart('related; start="<root@x>"', html("frame"), with_id(HTML, "root@x")),
        False,
        True,
        ["frame"],
    ),
    "start without brackets": (
        multipart("related; start=root@x", html("frame"), with_id(HTML, "root@x")),
        False,
        True,
        ["frame"],
    ),
    "start names a multipart": (
        multipart('related; start="<root@x>"', PICTURE, with_id(alternative(TEXT, HTML), "root@x")),
        True,
        True,
        ["PNG"],
    ),
    "start names nothing": (multipart('related; start="<no@x>"', HTML, PICTURE), False, True, ["PNG"]),
    "start is empty": (multipart('related; start=""', HTML, PICTURE), False, True, ["PNG"]),
    "start names a root with a name": (
        multipart('related; start="<r@x>"', PICTURE, with_id(entity("text/html; name=a.html", "html"), "r@x")),
        False,
        True,
        ["PNG"],
    ),
    # As programs send it
    "a newsletter": (mixed(related(alternative(TEXT, HTML), PICTURE), PDF), True, True, ["PNG", "pdf"]),
    "the other order": (mixed(alternative(TEXT, related(HTML, PICTURE)), PDF), True, True, ["PNG", "pdf"]),
    "signed": (multipart('signed; protocol="application/pgp-signature"', TEXT, SIGNATURE), True, False, ["signature"]),
    "signed alternatives": (multipart("signed", alternative(TEXT, HTML), SIGNATURE), True, True, ["signature"]),
    "signed, and a list's footer": (
        mixed(multipart("signed", TEXT, SIGNATURE), plain("footer")),
        True,
        False,
        ["signature", "footer"],
    ),
    "encrypted": (
        multipart(
            "encrypted", entity("application/pgp-encrypted", "Version: 1"), entity("application/octet-stream", "x")
        ),
        False,
        False,
        ["Version: 1", "x"],
    ),
    "a bounce": (
        multipart("report; report-type=delivery-status", TEXT, entity("message/delivery-status", "status"), MESSAGE),
        True,
        False,
        ["status", "Content-Type: text/plain; charset=utf-8\r\n\r\ntext"],
    ),
    "a bounce with the headers alone": (
        multipart("report", TEXT, entity("message/delivery-status", "a"), entity("text/rfc822-headers", "b")),
        True,
        False,
        ["a", "b"],
    ),
    "a receipt": (
        multipart("report", alternative(TEXT, HTML), entity("message/disposition-notification", "a")),
        True,
        True,
        ["a"],
    ),
    "a digest": (
        mixed(TEXT, multipart("digest", entity("", "one"), entity("message/rfc822", "two"))),
        True,
        False,
        ["one", "two"],
    ),
    "a subtype that nobody knows": (multipart("x-odd", TEXT, PDF), True, False, ["pdf"]),
    "parallel": (multipart("parallel", TEXT, HTML), True, True, []),
    "form-data": (multipart("form-data", plain("x", "Content-Disposition: form-data; name=a")), False, False, ["x"]),
    "a file for the Mac": (
        mixed(TEXT, multipart("appledouble", entity("application/applefile", "fork"), NAMED_TEXT)),
        True,
        False,
        ["fork", "file"],
    ),
    "an empty multipart beside the text": (mixed(entity("multipart/related; boundary=x", ""), TEXT), True, False, []),
    "a multipart that is none beside the text": (
        mixed(TEXT, entity("multipart/related", "what is it")),
        True,
        False,
        ["what is it"],
    ),
    "not closed": (multipart("mixed", TEXT, PDF, closed=False), True, False, ["pdf\r\n"]),
    "a part without a header": (mixed(b"\r\ntext"), True, False, []),
    "a type that cannot be read": (entity("nonsense", "text"), True, False, []),
}


@pytest.mark.parametrize(("content", "has_text", "has_html", "attached"), SHAPES.values(), ids=SHAPES.keys())
def test_the_body_is_what_a_mail_program_shows_first(
    content: bytes, has_text: bool, has_html: bool, attached: list[str]
) -> None:
    message = read(content)
    assert message.text == ("text" if has_text else None)
    assert message.html == ("html" if has_html else None)
    assert [file.content.decode() for file in message.attachments] == attached


@pytest.mark.parametrize(
    ("part", "disposition", "text"),
    [
        (plain("ü"), "inline", "ü"),
        (html("ü"), "inline", "ü"),
        (CALENDAR, "inline", "calendar"),
        (entity("text/csv", "a\r\nb"), "inline", "a\nb"),
        (plain("ü", "Content-Disposition: attachment"), "attachment", "ü"),
        (plain("ü", "Content-Disposition: inline"), "inline", "ü"),
        (PICTURE, None, None),
        (picture("Content-Disposition: Inline"), "inline", None),
        (MESSAGE, None, None),
        (entity("application/json", "{}"), None, None),
        (entity("message/delivery-status", "a: b"), None, None),
    ],
)
def test_text_that_is_not_the_body_is_an_attachment_with_its_text(
    part: bytes, disposition: str | None, text: str | None
) -> None:
    (file,) = read(mixed(html("body"), part)).attachments
    assert (file.disposition, file.text) == (disposition, text)


@pytest.mark.parametrize("content", [plain(""), mixed(plain(""), PDF), alternative(plain(""), HTML)])
def test_a_body_may_be_empty(content: bytes) -> None:
    assert read(content).text == ""


def test_an_attachment_has_the_id_by_which_html_shows_it() -> None:
    message = read(related(html('<img src="cid:a@b.example">'), with_id(PICTURE, "a@b.example")))
    assert [file.content_id for file in message.attachments] == ["a@b.example"]


def test_attachments_come_in_the_order_of_the_message() -> None:
    parts = [entity("application/x-n", str(n)) for n in range(9)]
    message = read(mixed(parts[0], related(HTML, *parts[1:4]), *parts[4:8], multipart("mixed", parts[8])))
    assert [file.content.decode() for file in message.attachments] == [str(n) for n in range(9)]
