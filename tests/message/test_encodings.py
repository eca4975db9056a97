"""Content-Transfer-Encoding (RFC 2045 section 6), as tolerant as mail programs are."""

from __future__ import annotations

import base64
import binascii

import pytest

from tests.message.reading import entity, mixed, plain, read

ALL = bytes(range(256))

# The encoding, the body as it is sent, and the octets.
CONTENTS: dict[str, tuple[str, bytes, bytes]] = {
    "7bit": ("7bit", b"a=3D\r\nb", b"a=3D\r\nb"),
    "8bit": ("8bit", b"\xc3\xbc\r\n", b"\xc3\xbc\r\n"),
    "binary": ("binary", b"\0\r\n\n\r", b"\0\r\n\n\r"),
    "an unknown one": ("rot13", b"abc", b"abc"),
    "an empty one": ("", b"abc", b"abc"),
    # base64
    "base64": ("base64", b"YWJj", b"abc"),
    "base64 in capitals": ("BASE64", b"YWJj", b"abc"),
    "base64 and a comment": ("base64 (a file)", b"YWJj", b"abc"),
    "base64 in quotes": ('"base64"', b"YWJj", b"abc"),
    "base64 and a semicolon": ("base64;", b"YWJj", b"abc"),
    "base64 on many lines": ("base64", base64.encodebytes(ALL * 3).replace(b"\n", b"\r\n"), ALL * 3),
    "base64 on one long line": ("base64", base64.b64encode(ALL * 100), ALL * 100),
    "base64 with one padding character": ("base64", b"YWI=", b"ab"),
    "base64 with two": ("base64", b"YQ==", b"a"),
    "base64 without padding": ("base64", b"YQ", b"a"),
    "base64 with one padding character of two": ("base64", b"YQ=", b"a"),
    "base64 with too much padding": ("base64", b"YQ=====", b"a"),
    "base64 with blanks and tabs": ("base64", b" Y W\tJ j \r\n", b"abc"),
    "base64 cut within a character": ("base64", b"YWJjZ", b"abc"),
    "base64 with other characters": ("base64", b"Y!W*J-j", b"abc"),
    "base64 with octets beyond ASCII": ("base64", b"Y\xffW\0Jj", b"abc"),
    "base64 joined from two pieces": ("base64", b"YQ==\r\nYmM=\r\n", b"abc"),
    "base64 with each line encoded by itself": ("base64", b"YQ==\r\nYg==\r\nYw==\r\n", b"abc"),
    "base64 with a footer in plain text": ("base64", b"YWI=\r\n-- \r\nour mailing list\r\n", b"ab"),
    "base64 with empty lines": ("base64", b"\r\n\r\nYWJj\r\n\r\n", b"abc"),
    "base64 of nothing": ("base64", b"", b""),
    "base64 of padding alone": ("base64", b"====", b""),
    "base64 of other characters alone": ("base64", b"---", b""),
    "base64 with bare LF": ("base64", b"YW\nJj\n", b"abc"),
    # quoted-printable
    "quoted-printable": ("quoted-printable", b"=C3=BC =3D", b"\xc3\xbc ="),
    "quoted-printable in small digits": ("quoted-printable", b"=c3=bc", b"\xc3\xbc"),
    "quoted-printable, a soft line end": ("quoted-printable", b"one =\r\ntwo", b"one two"),
    "quoted-printable, a soft bare LF": ("quoted-printable", b"one =\ntwo", b"one two"),
    "quoted-printable, blanks behind a soft line end": ("quoted-printable", b"one= \t\r\ntwo", b"onetwo"),
    "quoted-printable, blanks at the end of a line": ("quoted-printable", b"one \t\r\ntwo", b"one\r\ntwo"),
    "quoted-printable, a blank at the end of a line": ("quoted-printable", b"one \r\ntwo", b"one\r\ntwo"),
    "quoted-printable, a blank before a bare LF": ("quoted-printable", b"one \ntwo", b"one\ntwo"),
    "quoted-printable, a tab before a bare LF": ("quoted-printable", b"one\t\ntwo", b"one\ntwo"),
    "quoted-printable, blanks at the end of all": ("quoted-printable", b"one  ", b"one"),
    "quoted-printable, a tab at the end of all": ("quoted-printable", b"one\t", b"one"),
    "quoted-printable, an encoded blank at the end": ("quoted-printable", b"one=20\r\n", b"one \r\n"),
    "quoted-printable, a soft line end at the end": ("quoted-printable", b"one=\r\n", b"one"),
    "quoted-printable, an equals sign at the end": ("quoted-printable", b"one=", b"one"),
    "quoted-printable, a wrong escape": ("quoted-printable", b"a=ZZ=4", b"a=ZZ=4"),
    "quoted-printable, an escape cut off by a line end": ("quoted-printable", b"a=4\r\nb", b"a=4\r\nb"),
    "quoted-printable, two equals signs": ("quoted-printable", b"a==41", b"a=A"),
    "quoted-printable with raw octets": ("quoted-printable", b"\xc3\xbc=3D", b"\xc3\xbc="),
    "quoted-printable, hard line ends": ("quoted-printable", b"a\r\nb\nc\r\n", b"a\r\nb\nc\r\n"),
    "quoted-printable, encoded line ends": ("quoted-printable", b"a=0D=0Ab", b"a\r\nb"),
    "quoted-printable, underscores": ("quoted-printable", b"a_b", b"a_b"),
    "quoted-printable, a lone CR": ("quoted-printable", b"a=\rb\r\nc", b"ab\r\nc"),
    "quoted-printable, all octets": ("quoted-printable", binascii.b2a_qp(ALL, istext=False), ALL),
    # uuencode
    "uuencode": ("x-uuencode", b"begin 644 a.txt\r\n#86)C\r\n`\r\nend\r\n", b"abc"),
    "uuencode under another name": ("uuencode", b"begin 644 a.txt\n#86)C\n \nend\n", b"abc"),
    "uuencode with text before it": ("x-uue", b"See:\r\n\r\nbegin 644 a.txt\r\n#86)C\r\nend\r\n", b"abc"),
    "uuencode without an end": ("x-uuencode", b"begin 644 a.txt\r\n#86)C", b"abc"),
    "uuencode without a beginning": ("x-uuencode", b"#86)C\r\n", b"#86)C\r\n"),
    "uuencode with blanks cut off": ("x-uuencode", b"begin 644 a\r\n#86)C\r\n#\r\n#86)C\r\nend", b"abc\0\0\0abc"),
    "uuencode with an empty line": ("x-uuencode", b"begin 644 a\r\n\r\n#86)C\r\nend", b"abc"),
    "uuencode with a line that is none": (
        "x-uuencode",
        b"begin 644 a\r\n#86)C\r\n#\xff\xff\r\n#86)C\r\nend",
        b"abcabc",
    ),
    "uuencode with a checksum": ("x-uuencode", b"begin 644 a\r\n#86)C3\r\nend", b"abc"),
}


@pytest.mark.parametrize(("encoding", "body", "content"), CONTENTS.values(), ids=CONTENTS.keys())
def test_an_attachment_is_what_was_encoded(encoding: str, body: bytes, content: bytes) -> None:
    part = entity("application/pdf", body, f"Content-Transfer-Encoding: {encoding}")
    message = read(mixed(plain("text"), part, plain("behind")))
    assert [file.content for file in message.attachments] == [content, b"behind"]


@pytest.mark.parametrize(("encoding", "body", "content"), CONTENTS.values(), ids=CONTENTS.keys())
def test_a_text_is_what_was_encoded(encoding: str, body: bytes, content: bytes) -> None:
    message = read(entity("text/plain; charset=iso-8859-15", body, f"Content-Transfer-Encoding: {encoding}"))
    assert message.text == content.decode("iso-8859-15").replace("\r\n", "\n").replace("\r", "\n")


def test_the_first_of_two_encodings_counts() -> None:
    content = entity("text/plain", b"YWJj", "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: 7bit")
    assert read(content).text == "abc"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("7bit", b"Subject: inner\r\n\r\n\r\n text \r\n\r\n"),
        ("8bit", b"Subject: \xc3\xbc\r\n\r\nb\xfc\n"),
        ("binary", b"Subject: x\n\n\0\r"),
    ],
)
def test_an_attached_message_keeps_its_bytes(encoding: str, body: bytes) -> None:
    part = entity("message/rfc822", body, f"Content-Transfer-Encoding: {encoding}")
    (inner,) = read(mixed(plain("see below"), part)).attachments
    assert (inner.content_type, inner.content, inner.text) == ("message/rfc822", body, None)


@pytest.mark.parametrize("kind", ["message/rfc822", "message/global", "message/partial; id=x; number=1"])
def test_an_attached_message_in_base64_is_decoded(kind: str) -> None:
    inner = b"Subject: inner\r\n\r\ntext\r\n"
    part = entity(kind, base64.encodebytes(inner), "Content-Transfer-Encoding: base64")
    assert [file.content for file in read(mixed(plain("see below"), part)).attachments] == [inner]


def test_a_delivery_status_keeps_all_of_its_groups() -> None:
    status = (
        b"Reporting-MTA: dns; mx.example.com\r\n\r\n"
        b"Final-Recipient: rfc822; ada@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        b"Final-Recipient: rfc822; bob@example.com\r\nAction: delayed\r\nStatus: 4.2.2\r\n"
    )
    (attached,) = read(mixed(plain("It failed."), entity("message/delivery-status", status))).attachments
    assert (attached.content, attached.text) == (status, None)


def test_a_part_that_cannot_be_read_spoils_no_other() -> None:
    message = read(
        mixed(
            plain("text"),
            entity("message/rfc822", b"\xff\xfe\0", "Content-Transfer-Encoding: base64"),
            entity("multipart/mixed", b"nothing"),
            entity("application/pdf", b"%PDF", "Content-Disposition: attachment; filename*=x''%"),
            entity(b"\xff/\xff", b"odd"),
        )
    )
    assert message.text == "text"
    assert [file.content for file in message.attachments] == [b"", b"nothing", b"%PDF", b"odd"]
