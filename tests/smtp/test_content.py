"""Messages as hooks and queries see them; no content makes any of it raise."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd.smtp import content
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.session import Session


def envelope(octets: bytes) -> Envelope:
    return Envelope(
        id="x.1",
        mail_from=Address("a@b"),
        rcpt_to=(Address("c@d"),),
        content=octets,
        size=len(octets),
        session=Session(id="x"),
    )


def look_at(mail: Envelope) -> list[object]:
    return [mail.message, mail.subject, mail.text, mail.html, mail.attachments, mail.links, repr(mail)]


PIECES = [
    b"Subject: =?utf-8?q?h=C3=A9?=",
    b"Subject: =?x?z?",
    b"Subject:",
    b"From: <",
    b"Content-Type: text/html",
    b"Content-Type: text/plain; charset=nope",
    b"Content-Type: multipart/mixed; boundary=x",
    b"Content-Type: multipart/alternative",
    b"Content-Type: message/rfc822",
    b"Content-Type: ;;=",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Disposition: attachment; filename*=utf-8''%ff",
    b"Content-Disposition: attachment; filename=a",
    b"--x",
    b"--x--",
    b"",
    b"",
    b" folded",
    b"\xff\xfe",
    b"=3D=",
    b"AAA",
    b"<a href=http://x>",
    b"http://example.com/).",
    b"MIME-Version: 1.0",
    b"\0",
]


@settings(deadline=None, max_examples=400)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=10)), max_size=14).map(b"\r\n".join))
def test_no_content_makes_a_query_raise(octets: bytes) -> None:
    assert len(look_at(envelope(octets))) == 7


def a_message() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Grüße"
    message["From"] = "a@b"
    message.set_content("See https://example.com/a.\n")
    message.add_alternative('<p><a href="https://example.com/b?x=1&amp;y=2">b</a></p>', subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="räport.pdf")
    message.add_attachment("plain text", filename="a.txt")
    return message


def test_a_message_is_taken_apart() -> None:
    mail = envelope(a_message().as_bytes())
    assert mail.subject == "Grüße"
    assert type(mail.subject) is str
    assert mail.text == "See https://example.com/a.\n"
    assert mail.html is not None
    assert "<p>" in mail.html
    assert mail.links == ("https://example.com/a", "https://example.com/b?x=1&y=2")
    pdf, text = mail.attachments
    assert (pdf.filename, pdf.content_type, pdf.content) == ("räport.pdf", "application/pdf", b"%PDF")
    assert (text.filename, text.content_type, text.content) == ("a.txt", "text/plain", b"plain text\n")
    assert mail.message is mail.message


def test_what_is_absent_is_none_or_empty() -> None:
    mail = envelope(b"X: y\r\n\r\n")
    assert (mail.subject, mail.html, mail.attachments, mail.links) == (None, None, (), ())
    only_html = envelope(b"Content-Type: text/html\r\n\r\n<b>x</b>")
    assert only_html.text is None
    assert only_html.html == "<b>x</b>"


def test_an_attached_message_is_one_attachment() -> None:
    outer = EmailMessage()
    outer.set_content("forwarded")
    outer.add_attachment(a_message())
    (inner,) = envelope(outer.as_bytes()).attachments
    assert inner.content_type == "message/rfc822"
    assert b"PDF" in inner.content or b"JVBERg" in inner.content


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("", ()),
        ("no link", ()),
        ("http://a.example", ("http://a.example",)),
        ("HTTPS://A.example/x", ("HTTPS://A.example/x",)),
        ("(see http://a.example/x).", ("http://a.example/x",)),
        ("http://a.example/x_(y)", ("http://a.example/x_(y)",)),
        ("<http://a.example/x>", ("http://a.example/x",)),
        ("http://a.example, http://b.example!", ("http://a.example", "http://b.example")),
        ("http://a.example http://a.example", ("http://a.example",)),
        ("http://a.example/?q=1&r=2#f", ("http://a.example/?q=1&r=2#f",)),
        ("[http://a.example]", ("http://a.example",)),
        ("ftp://a.example mailto:a@b", ()),
    ],
)
def test_links_of_a_text_end_where_people_end_them(text: str, links: tuple[str, ...]) -> None:
    assert content.links(text, None) == links


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ('<a href="http://a.example/">x</a>', ("http://a.example/",)),
        ("<a href='http://a.example/'>x</a>", ("http://a.example/",)),
        ("<a href=http://a.example/>x</a>", ("http://a.example/",)),
        ('<A class="b" HREF = "http://a.example/?a&amp;b">x</A>', ("http://a.example/?a&b",)),
        ('<a\nhref="http://a.example/">', ("http://a.example/",)),
        ('<a href=" http://a.example/ ">', ("http://a.example/",)),
        ('<a href="/relative">', ()),
        ('<a href="">', ()),
        ('<abbr href="http://a.example/">', ()),
        ('<img src="http://a.example/">', ()),
    ],
)
def test_links_of_html_are_those_of_its_anchors(html: str, links: tuple[str, ...]) -> None:
    assert content.links(None, html) == links


def test_links_come_in_order_and_each_once() -> None:
    assert content.links("http://a http://b", '<a href="http://b"><a href="http://c">') == (
        "http://a",
        "http://b",
        "http://c",
    )


@pytest.mark.parametrize(
    ("recipients", "subject", "accepted", "shown"),
    [
        ((), None, True, "<Envelope a@b -> nobody>"),
        (("c@d",), "Hi", True, "<Envelope a@b -> c@d 'Hi'>"),
        (("1@d", "2@d", "3@d"), None, False, "<Envelope a@b -> 1@d, 2@d, 3@d not accepted>"),
        (("1@d", "2@d", "3@d", "4@d"), None, True, "<Envelope a@b -> 1@d, 2@d and 2 more>"),
        (("c@d",), "x" * 100, True, f"<Envelope a@b -> c@d {'x' * 60!r}>"),
    ],
)
def test_an_envelope_is_shown_in_one_short_line(
    recipients: tuple[str, ...], subject: str | None, accepted: bool, shown: str
) -> None:
    octets = b"" if subject is None else f"Subject: {subject}\r\n\r\n".encode()
    mail = Envelope(
        id="x", mail_from=Address("a@b"), rcpt_to=tuple(map(Address, recipients)), content=octets, size=0,
        session=Session(id="x"), accepted=accepted,
    )  # fmt: skip
    assert repr(mail) == shown


def test_a_null_sender_is_shown_as_its_path() -> None:
    mail = Envelope(
        id="x", mail_from=Address(""), rcpt_to=(), content=b"", size=0, session=Session(id="x"), accepted=True
    )
    assert repr(mail) == "<Envelope <> -> nobody>"


def test_an_attachment_is_shown_without_its_content() -> None:
    attachment = content.Attachment(filename="a.txt", content_type="text/plain", content=b"secret")
    assert repr(attachment) == "<Attachment 'a.txt' text/plain 6 bytes>"


def test_an_invitation_is_an_attachment_though_nobody_says_so() -> None:
    """RFC 6047 section 2.4: a text/calendar part, which usually has no Content-Disposition."""
    message = content.parse(
        b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n"
        b"--x\r\nContent-Type: text/plain\r\n\r\nCome!\r\n"
        b"--x\r\nContent-Type: text/html\r\n\r\n<p>Come!</p>\r\n"
        b"--x\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n--x--\r\n"
    )
    (invitation,) = content.attachments(message)
    assert (invitation.content_type, invitation.filename) == ("text/calendar", None)
    assert invitation.content.startswith(b"BEGIN:VCALENDAR")


def _fails(*args: object, **kwargs: object) -> None:
    raise IndexError("as parts of email do now and then")


def test_a_subject_that_email_cannot_parse_is_given_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmailMessage, "__getitem__", _fails)
    assert envelope(b"From: a\r\nSUBJECT: one\r\n  two =?x?=\r\n\r\n").subject == "one two =?x?="
    assert envelope(b"From: a\r\n\r\n").subject is None


def test_a_message_that_email_cannot_parse_keeps_its_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email.message_from_bytes", _fails)
    message = envelope(b"Subject: x\r\n\r\nh\xe9\r\n").message
    assert isinstance(message, EmailMessage)
    assert (message.items(), message.get_payload()) == ([], "Subject: x\r\n\r\nhé\r\n")


def test_a_text_in_an_unknown_charset_is_read_as_utf_8() -> None:
    head = b"Content-Type: text/plain; charset=nope\r\nContent-Transfer-Encoding: "
    assert envelope(head + b"8bit\r\n\r\nh\xc3\xa9\xff\r\n").text == "hé\ufffd\n"
    assert envelope(head + b"base64\r\n\r\naMOp\r\n").text == "hé"


@pytest.mark.parametrize(
    ("disposition", "files"), [(b"attachment", 1), (b"inline", 0), (b"inline; filename=a", 1), (b"ATTACHMENT", 1)]
)
def test_what_is_attached_is_a_file_and_what_has_a_name(disposition: bytes, files: int) -> None:
    mail = envelope(b"Content-Type: text/plain\r\nContent-Disposition: " + disposition + b"\r\n\r\nx")
    assert len(mail.attachments) == files


def test_a_part_of_several_that_is_no_message_is_kept_as_a_file_without_content() -> None:
    mail = envelope(b"Content-Type: message/partial; id=1; number=1\r\n\r\nSubject: x\r\n\r\nx")
    assert [(one.content_type, type(one.content)) for one in mail.attachments] == [("message/partial", bytes)]
