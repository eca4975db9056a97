"""Lines (RFC 5321 section 2.3.8), commands, and dot-content (section 4.5.2).

That it never matters how octets are cut is tested for whole conversations, in ``test_cuts.py``; here each case comes
whole and octet by octet.
"""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd.smtp.framing import MAX_COMMAND, MAX_LINE, Buffer, Command, DotReader, Line
from tests.smtp.core import octet_by_octet

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
        for pieces in ([data], list(octet_by_octet(data))):
            found, behind = read(pieces)
            assert behind == rest, data
            if rest is not None:
                assert found == content, data
            else:  # what may still become the end, or a stuffed dot, waits for the octets behind it
                assert content.startswith(found), data
                assert len(content) - len(found) <= 4, data


@settings(deadline=None, max_examples=200)
@given(st.lists(st.one_of(st.sampled_from((*ALPHABET, b"\r\n")), st.binary(max_size=9)), max_size=20).map(b"".join))
def test_content_survives_being_stuffed_and_read(content: bytes) -> None:
    content = content.removesuffix(b"\r\n") + b"\r\n"
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
    assert read([stuffed + b".\r\nQUIT\r\n"]) == (content, b"QUIT\r\n")


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
    assert read(list(octet_by_octet(sent))) == (content, b"")


def test_nothing_is_held_back_that_cannot_be_part_of_the_end() -> None:
    assert DotReader().read(b"hello") == (b"hello", None)


def test_an_empty_piece_changes_nothing() -> None:
    reader = DotReader()
    assert reader.read(b"") == (b"", None)
    assert reader.read(b"a\r\n") == (b"a", None)
    assert reader.read(b"") == (b"", None)
    assert reader.read(b".\r\nrest") == (b"\r\n", b"rest")


# --- lines ------


def line(text: bytes, *, bare: bool = False, too_long: bool = False) -> Line:
    return text, bare, too_long


def lines(pieces: list[bytes], limit: int = MAX_COMMAND) -> tuple[list[Line], int]:
    """The lines in these octets, and how many of them are left."""
    buffer, found = Buffer(), []
    for piece in pieces:
        buffer.append(piece)
        while (next_line := buffer.line(limit)) is not None:
            found.append(next_line)
    return found, len(buffer)


@pytest.mark.parametrize(
    ("sent", "expected", "left"),
    [
        (b"", [], 0),
        (b"NOOP", [], 4),
        (b"NOOP\r", [], 5),
        (b"NOOP\r\n", [line(b"NOOP")], 0),
        (b"\r\n", [line(b"")], 0),
        (b"NOOP\n", [line(b"NOOP", bare=True)], 0),
        (b"\n", [line(b"", bare=True)], 0),
        (b"A\r\nB\r\nC", [line(b"A"), line(b"B")], 1),
        (b"A\rB\r\n", [line(b"A\rB")], 0),
        (b"A\r\r\n", [line(b"A\r")], 0),
        (b"\0\xff\r\n", [line(b"\0\xff")], 0),
    ],
)
def test_a_line_ends_with_crlf_or_noticed_with_lf(sent: bytes, expected: list[Line], left: int) -> None:
    assert lines([sent]) == (expected, left)
    assert lines(list(octet_by_octet(sent))) == (expected, left)


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
    first = line(b"", too_long=True) if too_long else line(b"x" * length, bare=end == b"\n")
    assert (found, left) == ([first, line(b"NOOP")], 0)


def test_a_line_of_the_limit_of_rfc_4954_fits() -> None:
    """Section 4: 12288 octets of base64, in an exchange or behind AUTH and its mechanism."""
    assert MAX_LINE == 12288
    for text in (b"x" * MAX_LINE, b"AUTH PLAIN " + b"x" * MAX_LINE):
        assert lines([text + b"\r\n"]) == ([line(text)], 0)
    longest = b"x" * MAX_COMMAND
    assert lines([longest + b"\r\n"]) == ([line(longest)], 0)
    assert lines([longest + b"x\r\n"]) == ([line(b"", too_long=True)], 0)


def test_an_endless_line_takes_no_more_memory_than_the_limit() -> None:
    buffer = Buffer()
    for _ in range(1000):
        buffer.append(b"x" * 100)
        assert buffer.line(50) is None
        assert len(buffer) <= 152
    buffer.append(b"\r\nNOOP\r\n")
    assert buffer.line(50) == line(b"", too_long=True)
    assert buffer.line(50) == line(b"NOOP")


def test_octets_are_taken_whatever_they_are() -> None:
    buffer = Buffer()
    buffer.append(b"\r\n.\r\nNOOP\r\n")
    assert buffer.take(5) == b"\r\n.\r\n"
    assert buffer.line() == line(b"NOOP")
    assert buffer.take(5) == b""


def test_a_line_is_found_after_octets_were_taken_from_before_it() -> None:
    buffer = Buffer()
    buffer.append(b"12345")
    assert buffer.line() is None
    assert buffer.take(3) == b"123"
    buffer.append(b"\r\n")
    assert buffer.line() == line(b"45")


def test_taking_octets_ends_the_overlong_line() -> None:
    buffer = Buffer()
    buffer.append(b"x" * 20)
    assert buffer.line(10) is None
    assert buffer.take(100) == b""
    buffer.append(b"NOOP\r\n")
    assert buffer.line(10) == line(b"NOOP")


def test_what_is_looked_at_stays() -> None:
    buffer = Buffer()
    buffer.append(b"A\r\nrest")
    assert buffer.line() == line(b"A")
    assert buffer.peek() == b"rest"
    assert buffer.take(2) == b"re"
    assert buffer.peek() == b"st"
    assert len(buffer) == 2
    assert buffer.take(2) + buffer.peek() == b"st"
    assert buffer.data == b""


# --- commands ------


@pytest.mark.parametrize(
    ("raw", "verb", "argument", "shown"),
    [
        (b"MAIL FROM:<a@b>", "MAIL", "FROM:<a@b>", "MAIL FROM:<a@b>"),
        (b"quit", "QUIT", "", "quit"),
        (b"quit \t", "QUIT", "\t", "quit \\t"),
        (b"", "", "", ""),
        (b" NOOP", "", "NOOP", " NOOP"),
        (b"AUTH PLAIN c2VjcmV0", "AUTH", "PLAIN c2VjcmV0", "AUTH PLAIN ***"),
        (b"NOOP \xff", "NOOP", "\ufffd", "NOOP \\xff"),
        (b"n\xc5\xbfoop", "N\u017fOOP", "", "n\u017foop"),
    ],
)
def test_a_command_has_a_verb_and_an_argument(raw: bytes, verb: str, argument: str, shown: str) -> None:
    command = Command(raw)
    assert (command.verb, command.argument, command.raw, str(command)) == (verb, argument, raw, shown)
    assert (command.pipelined, command.secret, command.passwords) == (False, False, ())


def test_a_command_that_may_be_a_password_is_not_shown() -> None:
    command = Command(b"czNjcmV0")
    command.secret = True
    assert (str(command), repr(command)) == ("***", "<Command '***'>")
    assert (command.verb, command.raw) == ("CZNJCMV0", b"czNjcmV0")


def test_a_known_password_is_masked_in_a_command() -> None:
    assert str(Command(b"NOOP pencil1", passwords=("pencil1",))) == "NOOP ***"


def test_a_long_command_is_shown_in_one_short_line() -> None:
    """Failure texts list them, one on each line."""
    assert repr(Command(b"NOOP " + b"x" * 5000)) == f"<Command 'NOOP {'x' * 75}...{'x' * 10}'>"
