"""The text for snapshot tests: readable, and the same in every run."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import localtime, make_msgid

import pytest

from tests.message.reading import alternative, entity, html, mail, mixed, part_of, plain, read, related

NEWSLETTER = """\
1 multipart/mixed
  2 multipart/alternative
    3 text/plain
    4 multipart/related
      5 text/html
      6 image/png
  7 application/pdf
  8 message/rfc822
    9 text/plain

--- 1
Subject: Grüße
From: Ada <ada@example.com>
Date: date-1
Message-ID: <message-id-1>
In-Reply-To: <message-id-2>
References: <message-id-2>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="boundary-1"

--- 2
Content-Type: multipart/alternative; boundary="boundary-2"

--- 3
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: 8bit

    Hello,

    wörld

--- 4
MIME-Version: 1.0
Content-Type: multipart/related; boundary="boundary-3"

--- 5
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: 7bit

    <p><img src="cid:content-id-1"></p>

--- 6
Content-Type: image/png
Content-Transfer-Encoding: base64
Content-ID: <content-id-1>
MIME-Version: 1.0
Content-Disposition: inline

    3 bytes, sha256 796120837694d3f3

--- 7
Content-Type: application/pdf
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="räport.pdf"
MIME-Version: 1.0

    4 bytes, sha256 315d429b7714cedb

--- 8
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit
MIME-Version: 1.0
Content-Disposition: attachment

--- 9
Subject: Inner
Message-ID: <message-id-2>
Date: date-1
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: 7bit
MIME-Version: 1.0

    inner
"""


def newsletter() -> bytes:
    inner, message = EmailMessage(), EmailMessage()
    date = localtime()
    inner["Subject"], inner["Message-ID"], inner["Date"] = "Inner", make_msgid(domain="x.example"), date
    inner.set_content("inner")
    message["Subject"], message["From"], message["Date"] = "Grüße", "Ada <ada@example.com>", date
    message["Message-ID"] = make_msgid(domain="x.example")
    message["In-Reply-To"] = message["References"] = inner["Message-ID"]
    content_id = make_msgid(domain="x.example")
    message.set_content("Hello,\n\nwörld\n")
    message.add_alternative(f'<p><img src="cid:{content_id[1:-1]}"></p>', subtype="html")
    part_of(message, 1).add_related(b"PNG", maintype="image", subtype="png", cid=content_id)
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="räport.pdf")
    message.add_attachment(inner)
    return message.as_bytes()


def test_a_newsletter_has_the_same_snapshot_in_every_run() -> None:
    first, second = newsletter(), newsletter()
    assert first != second
    assert read(first).snapshot() == read(second).snapshot() == NEWSLETTER


def section(content: bytes, number: int = 1) -> str:
    """What the snapshot says of one part, its number aside."""
    return read(content).snapshot().partition(f"\n--- {number}\n")[2].partition("\n--- ")[0].removesuffix("\n")


# A mail, and the section of its first part.
SECTIONS: dict[str, tuple[bytes, str]] = {
    "a plain mail": (mail("Subject: x", "", "one", "", "two"), "Subject: x\n\n    one\n\n    two"),
    "no header": (mail("", "text"), "\n    text"),
    "no body": (mail("Subject: x", ""), "Subject: x"),
    "nothing": (b"", ""),
    "an encoded body": (
        mail("Content-Transfer-Encoding: quoted-printable", "", "gr=C3=BC=", "n"),
        "Content-Transfer-Encoding: quoted-printable\n\n    grün",
    ),
    "no last line end": (b"\r\ntext", "\n    text"),
    "more than one last line end": (b"\r\ntext\r\n\r\n", "\n    text\n"),
    "blanks at the end of a line": (mail("", "-- ", "x"), "\n    -- \n    x"),
    "a file": (
        entity("application/pdf; name=a.pdf", "%PDF"),
        'Content-Type: application/pdf; name="a.pdf"\n\n    4 bytes, sha256 315d429b7714cedb',
    ),
    "an empty file": (entity("application/pdf", ""), "Content-Type: application/pdf"),
    "parameters however they are written": (
        entity("Text/Plain;\r\n CHARSET=utf-8;name*0*=utf-8''%C3%BC;name*1=x", ""),
        'Content-Type: text/plain; charset="utf-8"; name="üx"',
    ),
    "a type that cannot be read": (entity("=", ""), "Content-Type: ="),
    "a type that stands twice": (
        entity("text/plain", "", "Content-Type: text/html; x=y"),
        "Content-Type: text/plain\nContent-Type: text/html; x=y",
    ),
    "dates": (
        mail("Date: today", "Resent-Date: tomorrow", "Delivery-Date: today", "Update: today", "X-Validate: x", ""),
        "Date: date-1\nResent-Date: date-2\nDelivery-Date: date-1\nUpdate: today\nX-Validate: x",
    ),
    "the date of a hop": (
        mail("Received: from a by b; Mon, 1 Jan 2024 10:00:00 +0000", "Received: from c", ""),
        "Received: from a by b; date-1\nReceived: from c",
    ),
    "message ids": (
        mail("Message-ID: <a@x>", "References: <b@x> <c@x> <a@x>", "In-Reply-To: <c@x>", ""),
        (
            "Message-ID: <message-id-1>\nReferences: <message-id-2> <message-id-3> <message-id-1>\n"
            "In-Reply-To: <message-id-3>"
        ),
    ),
    "a message id elsewhere": (
        mail("X-Original: <a@x>", "Message-ID: <a@x>", "", "see <a@x>, not <b@x>"),
        "X-Original: <message-id-1>\nMessage-ID: <message-id-1>\n\n    see <message-id-1>, not <b@x>",
    ),
    "an address is no id": (mail("From: <a@x>", ""), "From: <a@x>"),
    "control characters": (
        mail("Subject: a\x1b[31m\0b", "", "a\x07\u202eb\u2028c\x85d"),
        "Subject: a\\x1b[31m\\x00b\n\n    a\\x07\\u202eb\\u2028c\\x85d",
    ),
    "line ends from an encoded word": (mail("Subject: =?utf-8?q?a=0AFrom:_x?=", ""), "Subject: a\\nFrom: x"),
    "spaces": (mail("", "a\tb\u00a0c\u3000d"), "\n    a\tb\u00a0c\u3000d"),
    "a delivery status": (
        entity(
            "message/delivery-status",
            "Reporting-MTA: dns; x.example\r\nArrival-Date: today\r\n\r\nAction: failed\r\nLast-Attempt-Date: now\r\n",
        ),
        (
            "Content-Type: message/delivery-status\n\n"
            "    Reporting-MTA: dns; x.example\n    Arrival-Date: date-1\n\n    Action: failed\n"
            "    Last-Attempt-Date: date-2"
        ),
    ),
    "headers of a message": (
        entity("text/rfc822-headers", "Date: today\r\nSubject: x\r\nno field\r\n"),
        "Content-Type: text/rfc822-headers\n\n    Date: date-1\n    Subject: x\n    no field",
    ),
}


@pytest.mark.parametrize(("content", "shows"), SECTIONS.values(), ids=SECTIONS.keys())
def test_a_part_is_shown_decoded(content: bytes, shows: str) -> None:
    assert section(content) == shows


def test_a_content_id_has_the_same_name_in_all_parts() -> None:
    def write(content_id: str) -> str:
        picture = entity("image/png", "x", f"Content-ID: <{content_id}>", f"X-Attachment-Id: {content_id}")
        return read(
            mixed(
                related(html(f'<img src="cid:{content_id}"> <img src="cid:other">'), picture),
                entity(f'text/x; start="<{content_id}>"', ""),
            )
        ).snapshot()

    assert write("a@x") == write("b@y")
    assert '<img src="cid:content-id-1"> <img src="cid:other">' in write("a@x")
    assert "X-Attachment-Id: content-id-1" in write("a@x")
    assert 'start="<content-id-1>"' in write("a@x")


def test_what_differs_is_seen() -> None:
    texts = {
        read(content).snapshot()
        for content in (
            plain("a"),
            plain("b"),
            html("a"),
            mixed(plain("a")),
            alternative(plain("a")),
            entity("image/png", "a"),
            entity("image/png", "b"),
            mail("References: <a@x> <a@x>", ""),
            mail("References: <a@x> <b@x>", ""),
            mail("Date: today", ""),
            mail("Resent-Date: today", ""),
        )
    }
    assert len(texts) == 11


def test_messages_are_taken_apart_ten_deep() -> None:
    content = plain("innermost")
    for _ in range(12):
        content = entity("message/rfc822", content)
    snapshot = read(content).snapshot()
    assert snapshot.startswith("1 message/rfc822\n  2 message/rfc822\n    3 message/rfc822\n")
    assert "\n" + "  " * 10 + "11 message/rfc822\n\n--- 1\n" in snapshot
    assert section(content, 11).startswith("Content-Type: message/rfc822\n\n    Content-Type: message/rfc822\n")
