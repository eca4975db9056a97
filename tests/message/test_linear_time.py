"""The work for a mail grows with its size, not faster, whatever a hostile sender writes.

Work is counted, never timed: each line of Python that runs, and each octet or character that a search goes over or a
slice copies. Twice the size may cost little more than twice the work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, SupportsIndex

import pytest

from pytest_smtpd.message import Message, charsets, header, links, parameters, transfer, words

_passed_over = 0


def _count(amount: int) -> None:
    global _passed_over  # noqa: PLW0603
    _passed_over += amount


class Octets(bytes):
    """Octets that count how many of them were searched or copied; a part of them does, too."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        _count(len(found) if isinstance(found, bytes) else 1)
        return Octets(found) if isinstance(found, bytes) else found

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        found = super().find(sub, start, end)
        _count((found if found >= 0 else min(len(self), len(self) if end is None else end)) - start)
        return found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        _count(len(self))
        return Text(super().decode(encoding, errors))


class Text(str):
    """The same for text."""

    __slots__ = ()

    def __getitem__(self, index: SupportsIndex | slice) -> str:
        found = super().__getitem__(index)
        _count(len(found))
        return Text(found)

    def find(self, sub: str, start: Any = 0, end: Any = None) -> int:
        found = super().find(sub, start, end)
        _count((found if found >= 0 else len(self) if end is None else min(end, len(self))) - start)
        return found

    def partition(self, sep: str) -> tuple[str, str, str]:
        _count(len(self))
        head, found, tail = super().partition(sep)
        return Text(head), found, Text(tail)


def work(call: Callable[[], object]) -> int:
    """How much work this call is."""
    lines = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        nonlocal lines
        lines += event == "line"
        return trace

    before, tracing = _passed_over, sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(tracing)
    return lines + _passed_over - before


def is_linear(call: Callable[[int], Callable[[], object]], size: int) -> None:
    once, twice = work(call(size)), work(call(2 * size))
    assert twice <= 2.1 * once + 500, f"{size}: {once}, {2 * size}: {twice}"


def test_the_count_sees_work_that_is_not_linear() -> None:
    def searched_again_and_again(size: int) -> Callable[[], object]:
        content = Octets(b"a" * size)
        return lambda: [content.find(b"b", at) for at in range(size)]

    def copied_again_and_again(size: int) -> Callable[[], object]:
        content = Octets(b"a" * size).decode()
        return lambda: [content[at:] for at in range(size)]

    def looped_again_and_again(size: int) -> Callable[[], object]:
        def loops() -> None:
            for _ in range(size):
                for _ in range(size):
                    pass

        return loops

    for call in (searched_again_and_again, copied_again_and_again, looped_again_and_again):
        with pytest.raises(AssertionError):
            is_linear(call, 100)


MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
ALTERNATIVE = MIXED.replace(b"mixed", b"alternative")
RELATED = MIXED.replace(b"mixed", b"related; start=z")
DIGEST = MIXED.replace(b"mixed", b"digest")


def nested(count: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(count))


def closings(count: int) -> bytes:
    return b"".join(b"--b%d--\r\n" % n for n in reversed(range(count)))


def within(count: int, depth: int) -> bytes:
    return nested(depth) + b"--b%d\r\n\r\nx\r\n" % (depth - 1) * count


# A mail, from a size.
MAILS: dict[str, Callable[[int], bytes]] = {
    "nothing but letters": lambda n: b"a" * n,
    "nothing but line ends": lambda n: b"\r\n" * n,
    "nothing but dashes": lambda n: MIXED + b"-" * n,
    "many header fields": lambda n: b"A: b\r\n" * n + b"\r\n",
    "many header fields of one name": lambda n: b"Subject: =?utf-8?q?x?=\r\n" * n + b"\r\n",
    "a long header field": lambda n: b"Subject: " + b"a" * n + b"\r\n\r\n",
    "a field of many lines": lambda n: b"Subject: a\r\n" + b" a\r\n" * n + b"\r\n",
    "a field of blanks": lambda n: b"Subject: " + b" " * n + b"\r\n\r\n",
    "a long field name": lambda n: b"a" * n + b": b\r\n\r\n",
    "colons": lambda n: b":" * n,
    "empty parts": lambda n: MIXED + b"--b\r\n" * n,
    "parts with an empty body": lambda n: MIXED + b"--b\r\n\r\n\r\n" * n,
    "parts of blanks": lambda n: MIXED + b"--b\r\n   \r\n" * n,
    "attachments": lambda n: MIXED + b"--b\r\nContent-Type: x/y; name=a\r\nContent-ID: <a>\r\n\r\nx\r\n" * n,
    "alternatives": lambda n: ALTERNATIVE + b"--b\r\nContent-Type: text/html\r\n\r\n\r\n" * n,
    "related parts": lambda n: RELATED + b"--b\r\nContent-ID: a\r\n\r\n\r\n" * n,
    "parts of a digest": lambda n: DIGEST + b"--b\r\n\r\nSubject: x\r\n" * n,
    "nearly delimiters": lambda n: MIXED + b"--bb\r\n" * n,
    "a delimiter that goes on": lambda n: MIXED + b"--b" + b"b" * n,
    "a delimiter with many blanks": lambda n: MIXED + (b"--b" + b" " * 50 + b"\r\n") * (n // 50),
    "delimiters behind the end": lambda n: MIXED + b"--b--\r\n" * n,
    "multiparts within each other": nested,
    "multiparts that are closed at once": lambda n: nested(n) + closings(n),
    "multiparts of one boundary": lambda n: MIXED + b"--b\r\n" + (MIXED + b"--b\r\n") * n,
    "parts deep within": lambda n: within(n, 50),
    "many empty multiparts": lambda n: MIXED + b"--b\r\n" + (MIXED[:-5] + b"c\r\n\r\n--c--\r\n--b\r\n") * n,
    "multiparts without a boundary": lambda n: MIXED + b"--b\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n" * n,
    "messages within messages": lambda n: b"Content-Type: message/rfc822\r\n\r\n" * n,
    "message ids": lambda n: MIXED + b"--b\r\nMessage-ID: <a@b>\r\nReferences: <a@b>\r\n\r\n<a@b> cid:a@b <\r\n" * n,
    "a field of message ids": lambda n: b"References: " + b"<a@b>" * n + b"\r\n\r\n",
    "angle brackets": lambda n: b"X: " + b"<" * n + b"\r\n\r\n" + b"<a" * n,
    "lines of text": lambda n: b"\r\n" + b"a\x1b\r\n" * n,
}


@pytest.mark.wide
@pytest.mark.parametrize("name", ["subject", "fields", "text", "attachments", "links", "_snapshot"])
@pytest.mark.parametrize("make", MAILS.values(), ids=MAILS.keys())
def test_a_mail_is_read_in_linear_time(make: Callable[[int], bytes], name: str) -> None:
    def call(size: int) -> Callable[[], object]:
        message = Message(Octets(make(size)))
        return lambda: getattr(message, name)

    # Beyond 100 multiparts within each other, and 10 messages, there is nothing more to do for each.
    is_linear(call, 200)


FIELD_BODIES: dict[str, Callable[[int], bytes]] = {
    "letters": lambda n: b"a" * n,
    "blanks": lambda n: b" " * n,
    "semicolons": lambda n: b";" * n,
    "equals signs": lambda n: b"=" * n,
    "blanks and equals signs": lambda n: b"= " * n,
    "parameters": lambda n: b"x; " + b"a=b; " * n,
    "parameters of one letter": lambda n: b"x; " + b"a;" * n,
    "different parameters": lambda n: b"x" + b"".join(b"; a%d=b" % k for k in range(n)),
    "no semicolons": lambda n: b"x; " + b"a=b " * n,
    "words": lambda n: b"x; name=" + b"a " * n,
    "sections": lambda n: b"x" + b"".join(b"; name*%d=b" % k for k in range(n)),
    "encoded sections": lambda n: b"x" + b"".join(b"; name*%d*=%%41" % k for k in range(n)),
    "apostrophes": lambda n: b"x; name*=" + b"'" * n,
    "percent signs": lambda n: b"x; name*=" + b"%" * n,
    "quotes": lambda n: b"x; name=" + b'"' * n,
    "quotes that are not closed": lambda n: b'x; name="' + b'\\"' * n,
    "quotes and semicolons": lambda n: b"x" + b'; name="\\"' * n,
    "backslashes": lambda n: b'x; name="' + b"\\" * n,
    "opening brackets": lambda n: b"x; " + b"(" * n,
    "opening brackets apart": lambda n: b"x; " + b"( " * n,
    "opening brackets in parameters": lambda n: b"x" + b"; a=(b" * n,
    "closing brackets": lambda n: b"(" + b")" * n,
    "comments": lambda n: b"x; " + b"(a) " * n,
    "comments in quotes": lambda n: b"x" + b'; a="(b)' * n,
    "comments in comments": lambda n: b"x; " + b"(" * n + b")" * n,
    "marks": lambda n: b"=?" * n,
    "marks and ends": lambda n: b"=?=" * n,
    "encoded words without an end": lambda n: b"=?a?q?" * n,
    "encoded words with text, without an end": lambda n: b"=?a?q?x" * n,
    "encoded words with one end": lambda n: b"=?a?q?x" * n + b"?=",
    "encoded words with a charset that goes on": lambda n: b"=?a" * n + b"?q?x?=",
    "encoded words": lambda n: b"=?a?q?x?= " * n,
    "encoded words of two charsets": lambda n: b"=?a?q?x?= =?b?q?x?= " * n,
    "encoded words that are none": lambda n: b"=?a?b?A?= " * n,
    "a long encoded word": lambda n: b"=?utf-8?q?" + b"=41" * n + b"?=",
    "a long encoded word in base64": lambda n: b"=?utf-8?b?" + b"AAAA" * n + b"?=",
    "an encoded word of blanks": lambda n: b"=?utf-8?b?" + b" " * n + b"?=",
    "ends": lambda n: b"?=" * n,
}


@pytest.mark.parametrize("make", FIELD_BODIES.values(), ids=FIELD_BODIES.keys())
def test_a_field_body_is_read_in_linear_time(make: Callable[[int], bytes]) -> None:
    is_linear(lambda size: lambda: words.decode(Octets(make(size))), 400)
    is_linear(lambda size: lambda: parameters.parse(Octets(make(size))), 400)
    is_linear(lambda size: lambda: parameters.parse(Octets(make(size))).texts(), 400)
    is_linear(lambda size: lambda: header.unfolded(Octets(make(size))), 400)


PAGES: dict[str, Callable[[int], str]] = {
    "tags that are not closed": lambda n: "<a \r\n" * n,
    "anchors": lambda n: '<a href="http://a.example/">' * n,
    "anchors that are not closed": lambda n: '<a href="http://a.example/ ' * n,
    "attributes": lambda n: "<a " + "b=c " * n,
    "attributes without a value": lambda n: "<a " + "b " * n,
    "addresses in one tag": lambda n: "<a " + "href=http://a " * n + ">",
    "opening quotes": lambda n: "<a href=\"'" * n,
    "single quotes": lambda n: "<a b='" * n,
    "less-than signs": lambda n: "<" * n,
    "closing tags": lambda n: "</a" * n,
    "comments": lambda n: "<!--a-->" * n,
    "comments that are not closed": lambda n: "<!--" * n,
    "declarations that are not closed": lambda n: "<!a" * n,
    "scripts": lambda n: "<script></script>" * n,
    "scripts that are not closed": lambda n: "<script>" * n,
    "ends of scripts": lambda n: "<script>" + "</scrip" * n,
    "entities": lambda n: '<a href="http://a/' + "&amp;" * n + '">',
    "entities that are none": lambda n: '<a href="http://a/' + "&a" * n + '">',
    "slashes": lambda n: "<a " + "/" * n,
    "equals signs": lambda n: "<a " + "=" * n,
    "blanks": lambda n: "<a " + " " * n,
    "blanks in an address": lambda n: "<a href='" + " " * n + "http://a'>",
}
TEXTS: dict[str, Callable[[int], str]] = {
    "a long address": lambda n: "http://" + "a" * n,
    "addresses": lambda n: "http://a.example " * n,
    "different addresses": lambda n: " ".join(f"http://a.example/{k}" for k in range(n)),
    "beginnings of addresses": lambda n: "http" * n,
    "addresses without a blank": lambda n: "http://" * n,
    "closing brackets": lambda n: "http://a" + ")" * n,
    "brackets": lambda n: "http://a" + "()" * n + ")" * n,
    "punctuation": lambda n: "http://a" + ".," * n,
}


@pytest.mark.parametrize("make", [*PAGES.values(), *TEXTS.values()], ids=[*PAGES.keys(), *TEXTS.keys()])
def test_links_are_found_in_linear_time(make: Callable[[int], str]) -> None:
    is_linear(lambda size: lambda: links.find(None, Text(make(size))), 300)
    is_linear(lambda size: lambda: links.find(Text(make(size)), None), 300)


BODIES: dict[str, Callable[[int], bytes]] = {
    "letters": lambda n: b"A" * n,
    "padding": lambda n: b"=" * n,
    "padded pieces": lambda n: b"AA==" * n,
    "dashes": lambda n: b"-" * n,
    "escapes": lambda n: b"=41" * n,
    "blanks": lambda n: b" " * n,
    "blanks and letters": lambda n: b"a " * n,
    "lines of blanks": lambda n: b" \r\n" * n,
    "soft line ends": lambda n: b"=\r\n" * n,
    "soft line ends with blanks": lambda n: b"= \r\n" * n,
    "beginnings of files": lambda n: b"begin \r\n" * n,
    "lines of files": lambda n: b"begin \r\n" + b"#86)C\r\n" * n,
    "escape sequences": lambda n: b"\x1b$B\x1b(B" * n,
    "escape sequences alone": lambda n: b"\x1b" * n,
    "shifts": lambda n: b"~{" * n,
    "plus signs": lambda n: b"+" * n,
    "double octets": lambda n: b"\x81" * n,
    "double octets of JIS": lambda n: b"\x1b$B" + b"-!" * n,
}


@pytest.mark.parametrize("make", BODIES.values(), ids=BODIES.keys())
def test_a_body_is_decoded_in_linear_time(make: Callable[[int], bytes]) -> None:
    for encoding in ("7bit", "base64", "quoted-printable", "uuencode"):
        is_linear(lambda size, encoding=encoding: lambda: transfer.decode(Octets(make(size)), encoding), 400)  # type: ignore[misc]
    for charset in (None, "utf-8", "utf-7", "utf-16", "gb2312", "shift_jis", "iso-2022-jp", "hz", "big5", "koi8-r"):
        is_linear(lambda size, charset=charset: lambda: charsets.decode(Octets(make(size)), charset), 400)  # type: ignore[misc]
