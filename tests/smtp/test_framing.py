"""Lines (RFC 5321 section 2.3.8) and dot-content (section 4.5.2), in whatever pieces they come."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd.smtp.framing import MAX_COMMAND, MAX_LINE, Buffer, DotReader, Line


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


# --- dot-content ------


def by_the_rfc(data: bytes) -> tuple[bytes, bytes | None]:
    """Section 4.5.2 as a machine that looks at one octet after the other."""
    content, at_start, position = b"", True, 0
    while position < len(data):
        if at_start and data.startswith(b".\r\n", position):
            return content, data[position + 3 :]
        if at_start and data[position : position + 1] == b".":
            position += 1
        end = data.find(b"\r\n", position)
        if end < 0:
            return content + data[position:], None
        content += data[position : end + 2]
        position, at_start = end + 2, True
    return content, None


def read(pieces: list[bytes]) -> tuple[bytes, bytes | None]:
    reader, content = DotReader(), b""
    for number, piece in enumerate(pieces):
        certain, rest = reader.read(piece)
        content += certain
        if rest is not None:
            return content, rest + b"".join(pieces[number + 1 :])
    return content, None


ALPHABET = (b"\r", b"\n", b".", b"a")


@pytest.mark.parametrize("length", range(8))
def test_every_short_content_ends_where_the_rfc_says(length: int) -> None:
    for letters in product(ALPHABET, repeat=length):
        data = b"".join(letters)
        content, rest = by_the_rfc(data)
        for pieces in ([data], [data[at : at + 1] for at in range(length)]):
            found, behind = read(pieces)
            assert behind == rest, data
            if rest is not None:
                assert found == content, data
            else:  # what may still become the end, or a stuffed dot, waits for the octets behind it
                assert content.startswith(found), data
                assert len(content) - len(found) <= 4, data


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from((*ALPHABET, b"\r\n", b"\r\n.", b"word", b"\r\n.\r\n")), max_size=30),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_it_never_matters_how_content_is_cut(words: list[bytes], places: list[int]) -> None:
    data = b"".join(words) + b"\r\n.\r\nNOOP\r\n"
    content, rest = by_the_rfc(data)
    assert rest is not None
    assert read(cut(data, places)) == (content, rest)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), st.lists(st.integers(0, 200), max_size=5))
def test_content_survives_being_stuffed_and_read(content: bytes, places: list[int]) -> None:
    content = content.removesuffix(b"\r\n") + b"\r\n"
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
    assert read(cut(stuffed + b".\r\nQUIT\r\n", places)) == (content, b"QUIT\r\n")


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\r\n.\r", b"\0\r\n.\0\r\n"]
)
def test_only_crlf_dot_crlf_ends_the_data(end: bytes) -> None:
    content, rest = read([b"a" + end + b"MAIL FROM:<x>\r\n\r\n.\r\nQUIT\r\n"])
    assert rest == b"QUIT\r\n"
    assert b"MAIL FROM:<x>" in content


@pytest.mark.parametrize(
    ("sent", "content"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n.\r\n", b"..\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n"),
        (b"\n..\r\n.\r\n", b"\n..\r\n"),
    ],
)
def test_one_dot_is_taken_away_at_the_beginning_of_a_line(sent: bytes, content: bytes) -> None:
    assert read([sent]) == (content, b"")
    assert read([sent[at : at + 1] for at in range(len(sent))]) == (content, b"")


def test_nothing_is_held_back_that_cannot_be_part_of_the_end() -> None:
    assert DotReader().read(b"hello") == (b"hello", None)


def test_an_empty_piece_changes_nothing() -> None:
    reader = DotReader()
    assert reader.read(b"") == (b"", None)
    assert reader.read(b"a\r\n") == (b"a", None)
    assert reader.read(b"") == (b"", None)
    assert reader.read(b".\r\nrest") == (b"\r\n", b"rest")


# --- lines ------


def lines(pieces: list[bytes], limit: int = MAX_COMMAND) -> tuple[list[Line], int]:
    buffer, found = Buffer(), []
    for piece in pieces:
        buffer.append(piece)
        while (line := buffer.line(limit)) is not None:
            found.append(line)
    return found, len(buffer)


@pytest.mark.parametrize(
    ("sent", "expected", "left"),
    [
        (b"", [], 0),
        (b"NOOP", [], 4),
        (b"NOOP\r", [], 5),
        (b"NOOP\r\n", [Line(b"NOOP")], 0),
        (b"\r\n", [Line(b"")], 0),
        (b"NOOP\n", [Line(b"NOOP", bare=True)], 0),
        (b"\n", [Line(b"", bare=True)], 0),
        (b"A\r\nB\r\nC", [Line(b"A"), Line(b"B")], 1),
        (b"A\rB\r\n", [Line(b"A\rB")], 0),
        (b"A\r\r\n", [Line(b"A\r")], 0),
        (b"\0\xff\r\n", [Line(b"\0\xff")], 0),
    ],
)
def test_a_line_ends_with_crlf_or_noticed_with_lf(sent: bytes, expected: list[Line], left: int) -> None:
    assert lines([sent]) == (expected, left)
    assert lines([sent[at : at + 1] for at in range(len(sent))]) == (expected, left)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize(
    ("length", "too_long"), [(9, False), (10, False), (11, True), (12, True), (13, True), (100, True)]
)
@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_a_line_over_the_limit_is_thrown_away_and_reported_at_its_end(
    end: bytes, length: int, too_long: bool, step: int
) -> None:
    sent = b"x" * length + end + b"NOOP\r\n"
    found, left = lines([sent[at : at + step] for at in range(0, len(sent), step)], limit=10)
    first = Line(b"", too_long=True) if too_long else Line(b"x" * length, bare=end == b"\n")
    assert (found, left) == ([first, Line(b"NOOP")], 0)


def test_a_line_of_the_limit_of_rfc_4954_fits() -> None:
    assert MAX_LINE == 12288
    (line,), _ = lines([b"x" * MAX_LINE + b"\r\n"])
    assert not line.too_long
    (line,), _ = lines([b"AUTH PLAIN " + b"x" * MAX_LINE + b"\r\n"])
    assert not line.too_long


def test_an_endless_line_takes_no_more_memory_than_the_limit() -> None:
    buffer = Buffer()
    for _ in range(1000):
        buffer.append(b"x" * 100)
        assert buffer.line(50) is None
        assert len(buffer) <= 152
    buffer.append(b"\r\nNOOP\r\n")
    assert buffer.line(50) == Line(b"", too_long=True)
    assert buffer.line(50) == Line(b"NOOP")


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.one_of(st.sampled_from([b"\r\n", b"\n", b"\r", b"a", b"NOOP"]), st.binary(max_size=5)), max_size=30),
    st.lists(st.integers(0, 200), max_size=8),
    st.sampled_from([3, 8, MAX_COMMAND]),
)
def test_it_never_matters_how_lines_are_cut(words: list[bytes], places: list[int], limit: int) -> None:
    data = b"".join(words) + b"\r\n"
    found, left = lines(cut(data, places), limit)
    assert (found, left) == lines([data], limit)
    assert left == 0
    assert len(found) == data.count(b"\n")


def test_octets_are_taken_whatever_they_are() -> None:
    buffer = Buffer()
    buffer.append(b"\r\n.\r\nNOOP\r\n")
    assert buffer.take(5) == b"\r\n.\r\n"
    assert buffer.line() == Line(b"NOOP")
    assert buffer.take(5) == b""


def test_a_line_is_found_after_octets_were_taken_from_before_it() -> None:
    buffer = Buffer()
    buffer.append(b"12345")
    assert buffer.line() is None
    assert buffer.take(3) == b"123"
    buffer.append(b"\r\n")
    assert buffer.line() == Line(b"45")


def test_taking_octets_ends_the_overlong_line() -> None:
    buffer = Buffer()
    buffer.append(b"x" * 20)
    assert buffer.line(10) is None
    assert buffer.take(100) == b""
    buffer.append(b"NOOP\r\n")
    assert buffer.line(10) == Line(b"NOOP")
