"""What holds for every content, whatever a sender wrote."""

from __future__ import annotations

import base64
import quopri
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.header import Header
from email.message import EmailMessage
from email.policy import default
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_smtpd.message import Message
from pytest_smtpd.message.parts import Part
from pytest_smtpd.smtp.attachment import Attachment
from tests.message.reading import part_of, read
from tests.message.test_boundaries import BODIES, NESTED, UNDIVIDED
from tests.message.test_shapes import SHAPES

PROPERTIES = ("subject", "text", "html", "attachments", "links", "fields", "parts", "parsed", "_snapshot")

PIECES = [
    *(
        b"Subject: =?utf-8?q?h=C3=A9?=",
        b"Subject: =?x?z?",
        b"Subject:",
        b"From: <",
        b"no field",
        b" folded",
        b"\t",
        b"",
    ),
    *(b"", b"", b"MIME-Version: 1.0", b"Content-Type: text/html", b"Content-Type: text/plain; charset=nope"),
    *(b"Content-Type: multipart/mixed; boundary=x", b"Content-Type: multipart/alternative; boundary=y"),
    *(b"Content-Type: multipart/related; boundary=x; start=a", b"Content-Type: multipart/alternative"),
    *(
        b"Content-Type: message/rfc822",
        b"Content-Type: message/delivery-status",
        b"Content-Type: ;;=",
        b"Content-ID: <a>",
    ),
    *(b"Content-Type: multipart/digest; boundary=y", b"Content-Type: text/calendar; name=(=?", b"Content-Type: text/x"),
    *(b"Content-Type: text/plain; charset=utf-16", b"Content-Type: text/plain; charset=utf-7", b"\x1b$B-!+2AA-"),
    *(b"Content-Type: text/plain; charset=iso-2022-jp", b"Content-Type: text/plain; charset=gb2312", b"~{a\x81"),
    *(
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"=3D= \r\n=",
        b"AAA",
        b"YQ==",
    ),
    *(b"Content-Transfer-Encoding: uuencode", b"begin 644 x", b"#86)C", b"end", b"Content-Disposition: attachment"),
    *(b"Content-Disposition: attachment; filename*=utf-8''%ff", b"Content-Disposition: inline; filename*0*=x'", b"\0"),
    *(
        b"--x",
        b"--x",
        b"--x--",
        b"--y",
        b"--y--",
        b"--",
        b"\xff\xfe",
        b"\xc3\xbc",
        b"<a href=http://x>",
        b"<!--",
        b"<a ",
    ),
    *(b"http://example.com/).", b"Date: today", b"Message-ID: <a@b>", b"Received: x; y", b"<a@b> cid:a"),
]
CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=10)), max_size=20).map(b"\r\n".join),
    st.lists(st.sampled_from([*PIECES, b"\r\n", b"\n", b"\r", b"; ", b'"', b"=?", b"?="]), max_size=30).map(b"".join),
)


def look(message: Message, name: str) -> object:
    return getattr(message, name)


@given(CONTENTS, st.permutations(PROPERTIES))
def test_no_content_makes_a_property_raise_and_their_order_does_not_matter(content: bytes, order: list[str]) -> None:
    here, there = read(content), read(content)
    found = {name: look(here, name) for name in order}
    for name in PROPERTIES:
        assert look(here, name) is found[name]
        assert name in ("parts", "parsed") or look(there, name) == found[name]
    for part in here.parts:
        assert all(isinstance(text, str) for text in (*part.defects, *part.parameters.values()))
        assert len(repr(part)) < 100
        assert repr(part).isprintable()
    for text in (here.subject, here.text, here.html, here.snapshot(), *(file.text for file in here.attachments)):
        assert (text or "").encode() == (text or "").encode("utf-8", "replace")
    assert "\r" not in (here.text or "") + (here.html or "") + here.snapshot()


@given(CONTENTS)
def test_every_part_is_in_exactly_one_place(content: bytes) -> None:
    is_in_one_place(read(content))


SHAPED = [shape[0] for shape in SHAPES.values()]
DIVIDED = [content for content, _ in [*BODIES.values(), *NESTED.values()]]


@pytest.mark.parametrize("content", [*SHAPED, *DIVIDED, *UNDIVIDED.values()])
def test_every_part_of_each_mail_of_these_tests_is_in_exactly_one_place(content: bytes) -> None:
    is_in_one_place(read(content))


def is_in_one_place(message: Message) -> None:
    leaves = [part for part in message.parts if not part.is_multipart]
    in_body = (message.text is not None) + (message.html is not None)
    assert len(leaves) == in_body + len(message.attachments)
    rest = iter(leaves)
    for file in message.attachments:  # in order, and each with the octets of a part
        assert any(file.content == part.content and file.content_type == part.content_type for part in rest)


@given(CONTENTS)
def test_the_octets_of_an_attachment_are_those_of_the_content(content: bytes) -> None:
    message = read(content)
    for part in message.parts:
        assert part.body_octets in content
        assert part.header_octets in content
        assert 0 <= part.header.start <= part.header.end <= part.body_start <= part.body_end <= len(content)
    plain = {part.content for part in message.parts if part.encoding in ("7bit", "8bit", "binary")}
    for file in message.attachments:
        assert file.content not in plain or file.content in content


@given(CONTENTS)
def test_the_parts_of_a_multipart_stand_within_it_one_behind_the_other(content: bytes) -> None:
    def check(part: Part) -> None:
        at = part.body_start
        for child in part.children:
            assert at <= child.header.start <= child.body_end <= part.body_end
            at = child.body_end
            check(child)

    check(read(content).parts[0])


# ---------------------------------------------------------------- what the standard library writes

# Without a byte order mark, which is no part of a text that begins with it.
CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff")
LINES = st.text(CHARACTERS, max_size=50)
TEXTS = st.lists(LINES, max_size=5).map(lambda lines: "".join(f"{line}\n" for line in lines))
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), min_size=1, max_size=30
)
CHARSETS = ["utf-8", "iso-8859-15", "koi8-r", "gb18030", "iso-2022-jp", "cp949", "windows-1251", "cp950", "us-ascii"]


@given(TEXTS, st.sampled_from(CHARSETS), st.sampled_from(["base64", "quoted-printable", "8bit"]))
def test_a_text_that_the_standard_library_writes_is_read_back(text: str, charset: str, encoding: str) -> None:
    text = text.encode(charset, "ignore").decode(charset)
    encoded = text.replace("\n", "\r\n").encode(charset)
    body = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(encoded)
    head = f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    assert read(head.encode() + body).text == text


@given(TEXTS, TEXTS, NAMES, st.binary(max_size=300))
def test_a_message_that_the_standard_library_writes_is_read_back(
    text: str, page: str, name: str, content: bytes
) -> None:
    written = EmailMessage()
    written.set_content(text)
    written.add_alternative(page, subtype="html")
    written.add_attachment(content, maintype="application", subtype="pdf", filename=name, cid="<a@b.example>")
    written.add_attachment(text, filename=name)
    message = read(written.as_bytes(policy=written.policy.clone(linesep="\r\n")))
    assert (message.text, message.html) == (text or "\n", page or "\n")
    file, again = message.attachments
    assert file == Attachment(
        filename=name, content_type="application/pdf", content=content, disposition="attachment",
        content_id="a@b.example",
    )  # fmt: skip
    assert (again.filename, again.text) == (name, text or "\n")


# Not cp949: what EUC-KR has no character for, the package writes as four letters, and no mail program joins them again.
@given(LINES, st.sampled_from([charset for charset in CHARSETS if charset != "cp949"]))
def test_a_subject_that_the_standard_library_writes_is_read_back(subject: str, charset: str) -> None:
    subject = subject.encode(charset, "ignore").decode(charset).strip()
    encoded = Header(subject, charset, header_name="Subject").encode(linesep="\r\n")
    assert read(f"Subject: {encoded}\r\n\r\n".encode()).subject == subject


def simple_mails() -> Iterator[EmailMessage]:
    for linesep in ("\n", "\r\n"):
        message = EmailMessage(default.clone(linesep=linesep))
        message["Subject"], message["From"], message["To"] = "Grüße ✅", "Jürgen <a@b.example>", "c@d.example"
        yield message
        message.set_content("Hello\n\nWörld\n")
        yield message
        message.add_alternative("<p>Hello</p>\n", subtype="html")
        yield message
        part_of(message, 1).add_related(b"PNG", maintype="image", subtype="png", cid="<x@y.example>")
        yield message
        message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="räport 2.pdf")
        message.add_attachment("a,b\n", subtype="csv", filename="a.csv")
        yield message


@pytest.mark.parametrize("content", [message.as_bytes() for message in simple_mails()])
def test_a_simple_mail_is_read_as_the_standard_library_reads_it(content: bytes) -> None:
    message = read(content)
    parsed = message.parsed
    text, page = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert message.text == (None if text is None else text.get_content().replace("\r\n", "\n"))
    assert message.html == (None if page is None else page.get_content().replace("\r\n", "\n"))
    for name in ("Subject", "From", "To"):
        assert message.header(name) == (parsed[name],)
    leaves = [part for part in parsed.walk() if not part.is_multipart() and part not in (text, page)]
    assert [(file.filename, file.content_type, file.content_id) for file in message.attachments] == [
        (part.get_filename(), part.get_content_type(), part["Content-ID"] and part["Content-ID"].strip("<>"))
        for part in leaves
    ]
    assert [file.content for file in message.attachments] == [part.get_payload(decode=True) for part in leaves]


@pytest.mark.parametrize("content", [b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" * 500, b"\0", b""])
def test_the_standard_library_s_parse_never_raises(content: bytes) -> None:
    message = read(content)
    assert isinstance(message.parsed, EmailMessage)
    assert message.parsed is message.parsed


def test_content_that_the_standard_library_cannot_parse_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise IndexError("as parts of email do now and then")

    monkeypatch.setattr("email.message_from_bytes", fails)
    parsed = read(b"Subject: x\r\n\r\nh\xe9\r\n").parsed
    assert (parsed.items(), parsed.get_payload()) == ([], "Subject: x\r\n\r\nhé\r\n")


def test_threads_that_ask_at_once_get_the_same_values() -> None:
    message = read(SHAPES["a newsletter"][0])
    barrier = Barrier(8)

    def ask() -> list[int]:
        barrier.wait(timeout=30)
        return [id(look(message, name)) for name in PROPERTIES]

    with ThreadPoolExecutor(8) as pool:
        found = [task.result() for task in [pool.submit(ask) for _ in range(8)]]
    assert found.count(found[0]) == 8


def test_nothing_is_read_before_it_is_asked_for() -> None:
    assert vars(read(SHAPES["a newsletter"][0])).keys() == {"content"}


def test_the_standard_library_s_email_package_is_imported_for_parsed_alone() -> None:
    code = """
import sys
from tests.message.reading import read
message = read(b"Subject: =?utf-8?q?x?=\\r\\n\\r\\n=C3")
print([message.subject, message.text, message.links, message.attachments, message.snapshot(), "email" in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=240)
    assert done.stdout.rstrip().endswith("False]")


def test_a_message_and_a_part_are_shown_by_their_size() -> None:
    message = read(b"Content-Type: text/html\r\n\r\n<p>")
    assert repr(message) == "<Message 30 bytes>"
    assert repr(message.parts[0]) == "<Part text/html 3 bytes>"
