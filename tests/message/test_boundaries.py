"""Where the parts of a multipart begin and end (RFC 2046 section 5.1)."""

from __future__ import annotations

import pytest

from tests.message.reading import mail, octets, read


def two_parts(field: str | bytes, delimiter: str | bytes) -> bytes:
    line = b"--" + octets(delimiter)
    head = b"Content-Type: multipart/mixed; " + octets(field)
    return mail(head, "", line, "", "one", line, "Content-Type: image/png", "", "two", line + b"--")


# The boundary parameter, and the boundary.
BOUNDARIES: dict[str, tuple[str | bytes, str | bytes]] = {
    "a token": ("boundary=abc", "abc"),
    "in quotes": ('boundary="a b:c"', "a b:c"),
    "in capitals": ("BOUNDARY=abc", "abc"),
    "dashes and an equals sign": ("boundary=----=_Next", "----=_Next"),
    "many equals signs": ("boundary====a==b===", "===a==b==="),
    "equals signs in quotes": ('boundary="===============123=="', "===============123=="),
    "angle brackets in quotes": ('boundary="<<001-3e>>"', "<<001-3e>>"),
    "angle brackets": ("boundary=<<001-3e>>", "<<001-3e>>"),
    "an apostrophe": ("boundary=it's", "it's"),
    "apostrophes around it": ("boundary='abc'", "'abc'"),
    "a slash and a colon": ("boundary=a/b:c", "a/b:c"),
    "a question mark": ("boundary=a?b", "a?b"),
    "brackets": ("boundary=(a)b", "(a)b"),
    "a comma": ("boundary=a,b", "a,b"),
    "an at sign": ("boundary=a@b", "a@b"),
    "blanks around the equals sign": ("boundary = abc", "abc"),
    "a comment": ("boundary=abc (new)", "abc"),
    "no closing quote": ('boundary="abc', "abc"),
    "a final semicolon": ("boundary=abc;", "abc"),
    "a parameter behind it": ("boundary=abc; type=text/html", "abc"),
    "a parameter behind it without a semicolon": ("boundary=abc charset=utf-8", "abc"),
    "a parameter before it": ("charset=utf-8; boundary=abc", "abc"),
    "twice, the first counts": ("boundary=abc; boundary=xyz", "abc"),
    "folded": ('\r\n\tboundary="abc"', "abc"),
    "a blank at its end": ('boundary="abc "', "abc"),
    "longer than 70": (f"boundary={'x' * 200}", "x" * 200),
    "one character": ("boundary=x", "x"),
    "two dashes": ("boundary=--", "--"),
    "beyond ASCII": (b"boundary=\xfcber", b"\xfcber"),
    "an escaped quote": (r'boundary="a\"b"', 'a"b'),
    "a backslash": (r'boundary="a\b"', r"a\b"),
    "extended": ("boundary*=us-ascii''a%62c", "abc"),
    "in sections": ("boundary*0=a; boundary*1=bc", "abc"),
    "like an encoded word": ("boundary==?utf-8?q?abc?=", "=?utf-8?q?abc?="),
}


@pytest.mark.parametrize(("field", "boundary"), BOUNDARIES.values(), ids=BOUNDARIES.keys())
def test_a_boundary_is_read_as_mail_programs_read_it(field: str | bytes, boundary: str | bytes) -> None:
    message = read(two_parts(field, boundary))
    assert message.text == "one"
    assert [(file.content_type, file.content) for file in message.attachments] == [("image/png", b"two")]


def body(*lines: str) -> bytes:
    return mail("Content-Type: multipart/mixed; boundary=b", "", *lines)


# The lines of a multipart/mixed with the boundary "b", and the bodies of its parts.
BODIES: dict[str, tuple[bytes, list[bytes]]] = {
    "one part": (body("--b", "", "one", "--b--"), [b"one"]),
    "two parts": (body("--b", "", "one", "--b", "", "two", "--b--"), [b"one", b"two"]),
    "preamble and epilogue": (body("before", "--b", "", "one", "--b--", "behind"), [b"one"]),
    "a preamble with dashes": (body("--", "--bb", "-b", "--b", "", "one", "--b--"), [b"one"]),
    "delimiters in the epilogue": (body("--b", "", "one", "--b--", "--b", "", "two", "--b--"), [b"one"]),
    "blanks behind the boundary": (body("--b  ", "", "one", "--b \t", "", "two", "--b-- "), [b"one", b"two"]),
    "blanks before the boundary": (body("--b", "", "one", " --b", "two", "--b--"), [b"one\r\n --b\r\ntwo"]),
    "a longer line": (body("--b", "", "one", "--bc", "--b-", "--b--c", "--b--"), [b"one\r\n--bc\r\n--b-\r\n--b--c"]),
    "in capitals it is another one": (body("--b", "", "one", "--B", "--b--"), [b"one\r\n--B"]),
    "not closed": (body("--b", "", "one"), [b"one\r\n"]),
    "not closed behind a delimiter": (body("--b", "", "one", "--b"), [b"one", b""]),
    "closed without a line end": (body("--b", "", "one").rstrip() + b"\r\n--b--", [b"one"]),
    "no line end before the delimiter": (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b--", [b""]),
    "an empty line before the delimiter": (body("--b", "", "one", "", "--b--"), [b"one\r\n"]),
    "empty lines only": (body("--b", "", "", "", "--b--"), [b"\r\n"]),
    "nothing in a part": (body("--b", "--b", "--b--"), [b"", b""]),
    "a header and nothing else": (body("--b", "A: b", "--b--"), [b""]),
    "a header and an empty line": (body("--b", "A: b", "", "--b--"), [b""]),
    "no empty line before the text": (body("--b", "one", "--b--"), [b"one"]),
    "no empty line behind the header": (body("--b", "A: b", "no field", "--b--"), [b"no field"]),
    "no empty line behind the multipart's own header": (
        mail("Content-Type: multipart/mixed; boundary=b", "--b", "", "one", "--b--"),
        [b"one"],
    ),
    "bare LF": (b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--\n", [b"one", b"two"]),
    "LF and CRLF": (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\r\n\none\n--b\n\r\ntwo\r\n--b--",
        [b"one", b"two"],
    ),
    "a lone CR is content": (body("--b", "", "one\r--b\rtwo", "--b--"), [b"one\r--b\rtwo"]),
    "the boundary in the text": (body("--b", "", "b and --b", "--b--"), [b"b and --b"]),
    "in the content of a header": (body("--b", "A: --b", " --b", "", "one", "--b--"), [b"one"]),
    "no parts": (body("--b--"), []),
    "no parts and nothing else": (body(""), []),
    "an encoding on the multipart does not count": (
        mail(
            "Content-Type: multipart/mixed; boundary=b",
            "Content-Transfer-Encoding: base64",
            "",
            "--b",
            "",
            "a",
            "--b--",
        ),
        [b"a"],
    ),
}


@pytest.mark.parametrize(("content", "bodies"), BODIES.values(), ids=BODIES.keys())
def test_a_part_is_what_stands_between_two_delimiters(content: bytes, bodies: list[bytes]) -> None:
    message = read(content)
    assert [part.body_octets for part in message.parts[1:]] == bodies


def outer_and_inner(outer: str, inner: str, *lines: str) -> bytes:
    head = mail(f"Content-Type: multipart/mixed; boundary={outer}", "", f"--{outer}")
    return head + mail(f"Content-Type: multipart/alternative; boundary={inner}", "", *lines)


# A multipart/alternative in a multipart/mixed: content, and (depth, body) of each leaf.
NESTED: dict[str, tuple[bytes, list[tuple[int, bytes]]]] = {
    "closed both": (
        outer_and_inner("o", "i", "--i", "", "one", "--i--", "--o", "", "two", "--o--"),
        [(2, b"one"), (1, b"two")],
    ),
    "the inner one is not closed": (
        outer_and_inner("o", "i", "--i", "", "one", "--o", "", "two", "--o--"),
        [(2, b"one"), (1, b"two")],
    ),
    "neither is closed": (outer_and_inner("o", "i", "--i", "", "one"), [(2, b"one\r\n")]),
    "the outer one is closed first": (
        outer_and_inner("o", "i", "--i", "", "one", "--o--", "--i", "", "two", "--i--"),
        [(2, b"one")],
    ),
    "the outer boundary begins like the inner one": (
        outer_and_inner("abc", "ab", "--ab", "", "one", "--ab--", "--abc", "", "two", "--abc--"),
        [(2, b"one"), (1, b"two")],
    ),
    "the inner boundary begins like the outer one": (
        outer_and_inner("ab", "abc", "--abc", "", "one", "--abc--", "--ab", "", "two", "--ab--"),
        [(2, b"one"), (1, b"two")],
    ),
    "the inner boundary is the outer one and two dashes": (
        outer_and_inner("ab", "ab--", "--ab--", "", "one", "--ab----"),
        [],
    ),
    "the same boundary": (
        outer_and_inner("b", "b", "--b", "", "one", "--b", "", "two", "--b--"),
        [(1, b"one"), (1, b"two")],
    ),
    "an inner one without parts": (outer_and_inner("o", "i", "--i--", "--o", "", "two", "--o--"), [(1, b"two")]),
    "an inner one with nothing in it": (outer_and_inner("o", "i", "--o", "", "two", "--o--"), [(1, b"two")]),
    "text between the inner and the outer delimiter": (
        outer_and_inner("o", "i", "--i", "", "one", "--i--", "nobody sees this", "--o", "", "two", "--o--"),
        [(2, b"one"), (1, b"two")],
    ),
}


@pytest.mark.parametrize(("content", "leaves"), NESTED.values(), ids=NESTED.keys())
def test_multiparts_stand_within_multiparts(content: bytes, leaves: list[tuple[int, bytes]]) -> None:
    parts = read(content).parts
    assert [(part.depth, part.body_octets) for part in parts if not part.is_multipart] == leaves


# A multipart that cannot be divided is text (RFC 2045 section 5.2).
UNDIVIDED: dict[str, bytes] = {
    "no boundary": mail("Content-Type: multipart/mixed", "", "--b", "", "text", "--b--"),
    "an empty boundary": mail('Content-Type: multipart/mixed; boundary=""', "", "--", "", "text", "----"),
    "another boundary": mail("Content-Type: multipart/mixed; boundary=b", "", "--c", "", "text", "--c--"),
    "a boundary in another case": mail("Content-Type: multipart/mixed; boundary=b", "", "--B", "", "text", "--B--"),
    "no delimiter": mail("Content-Type: multipart/mixed; boundary=b", "", "text"),
}


@pytest.mark.parametrize("content", UNDIVIDED.values(), ids=UNDIVIDED.keys())
def test_a_multipart_that_cannot_be_divided_is_text(content: bytes) -> None:
    message = read(content)
    assert message.text == content.partition(b"\r\n\r\n")[2].decode().replace("\r\n", "\n")
    assert (message.html, message.attachments) == (None, ())
    assert message.parts[0].defects


def test_100_multiparts_within_each_other_are_divided_and_a_deeper_one_is_kept_whole() -> None:
    def nested(depth: int) -> bytes:
        opening = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)
        )
        return opening + b"\r\ntext\r\n" + b"".join(b"--b%d--\r\n" % n for n in reversed(range(depth)))

    message = read(nested(100))
    assert (message.text, message.attachments, len(message.parts)) == ("text", (), 101)
    message = read(nested(101))
    (whole,) = message.attachments
    assert (message.text, whole.content_type, len(message.parts)) == (None, "multipart/mixed", 101)
    assert whole.content == b"--b100\r\n\r\ntext\r\n--b100--"
    assert message.parts[-1].defects == ("the multipart is within 100 others, so it is not divided",)


def test_the_positions_of_a_part_are_those_in_the_content() -> None:
    content = mail(
        "Content-Type: multipart/mixed; boundary=b", "", "--b", "A: one", " two", "", "text", "--b", "", "x", "--b--"
    )
    _, first, second = read(content).parts
    assert content[first.header.start : first.header.end] == b"A: one\r\n two\r\n" == first.header_octets
    assert content[first.body_start : first.body_end] == b"text" == first.body_octets
    assert (second.header_octets, second.body_octets) == (b"", b"x")


@pytest.mark.parametrize(
    ("content", "defects"),
    [
        (mail("Content-Type: multipart/mixed", "", "text"), ["the multipart has no boundary parameter"]),
        (
            mail("Content-Type: multipart/mixed; boundary=b", "", "text"),
            ["the multipart has no line with its boundary"],
        ),
        (body("--b", "", "one"), ["the multipart has no closing delimiter"]),
        (body("--b", "", "one", "--b--"), []),
        (
            mail("Content-Type: pdf", "", "x"),
            ["the Content-Type is not type/subtype, so the part is read as text/plain"],
        ),
        (mail("A: b", "no field"), ["the header ends at position 6, before a line that is no header field"]),
        (mail("Content-Transfer-Encoding: rot13", "", "x"), ["the Content-Transfer-Encoding 'rot13' is unknown"]),
        (
            mail("Content-Transfer-Encoding: base64", "", "YQ==", "--", "list"),
            ["the base64 is not valid: it has wrong characters, or is incomplete"],
        ),
        (mail("Content-Transfer-Encoding: base64", "", "YQ=="), []),
    ],
)
def test_defects_say_what_is_wrong(content: bytes, defects: list[str]) -> None:
    assert list(read(content).parts[0].defects) == defects
