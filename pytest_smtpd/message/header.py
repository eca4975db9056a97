"""The header of a message or of one of its parts, read by position (RFC 5322 section 2.2)."""

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Final

from pytest_smtpd.message.lazy import lazy

if TYPE_CHECKING:
    from pytest_smtpd.message.parameters import Structured

# RFC 5322 section 3.6.8: a field name is made of these.
_NAME: Final = bytes(octet for octet in range(33, 127) if octet != ord(":"))
_NOTHING: Final[frozenset[bytes]] = frozenset()


# Where a header field stands in the content: its name, its colon, and the end of its last line.
Field = tuple[int, int, int]


class Header:
    """The fields of one header, in order.

    ``start`` and ``end`` are the positions of its octets in the content, the empty line behind it left out; ``body`` is
    where the body begins. A header ends before a line that cannot belong to one, which is then the body's first line:
    most mail servers read a message without a header in this way.
    """

    def __init__(
        self, content: bytes, start: int = 0, delimiters: Container[bytes] = _NOTHING, *, top: bool = False
    ) -> None:
        self._content = content
        self.start = start
        first = content[start : _next_line(content, start)] if top else b""
        # What stands before the first field in exported messages: the mark of a mailbox file, or a line of blanks.
        if first.startswith(b"From ") or first.strip(b"\r\n").isspace():
            self.start += len(first)
        self._read(delimiters)

    def _read(self, delimiters: Container[bytes]) -> None:
        content, at = self._content, self.start
        positions: list[list[int]] = []
        while line := content[at : _next_line(content, at)]:
            if line[:1] in (b" ", b"\t") and positions:
                positions[-1][2] += len(line)
            elif (colon := _colon(line)) and line.rstrip() not in delimiters:
                positions.append([at, at + colon, at + len(line)])
            else:
                break
            at += len(line)
        self.positions: list[Field] = [(start, colon, end) for start, colon, end in positions]
        self.end = self.body = at
        self.defect: str | None = None
        if line and not line.strip(b"\r\n"):
            self.body += len(line)
        elif line and line.rstrip() not in delimiters:
            self.defect = f"the header ends at position {at}, before a line that is no header field"

    def octets(self, name: bytes) -> Iterator[bytes]:
        """The unfolded bodies of the fields of that name, in lower case, as they were sent."""
        content = self._content
        for start, colon, end in self.positions:
            if content[start : start + len(name)].lower() == name and content[start:colon].rstrip().lower() == name:
                yield unfolded(content[colon + 1 : end])

    def structured(self, name: bytes) -> "Structured | None":
        """The value and the parameters of the first field of that name; None without one."""
        from pytest_smtpd.message import parameters

        octets = next(self.octets(name), None)
        return None if octets is None else parameters.parse(octets)

    @lazy
    def content_type(self) -> "Structured | None":
        """The Content-Type field."""
        return self.structured(b"content-type")

    @lazy
    def charset(self) -> str | None:
        """The charset that the Content-Type field declares, in lower case."""
        charset = None if self.content_type is None else self.content_type.text("charset")
        return None if charset is None else charset.lower()

    def text(self, octets: bytes) -> str:
        """The text of an unfolded field body, decoded, without white space at its ends."""
        if octets.isascii() and b"=?" not in octets:
            return octets.decode("ascii").strip()
        # Not before it is needed: most subjects in tests are plain, and need none of the tables of charsets.
        from pytest_smtpd.message import words

        return words.decode(octets, None if octets.isascii() else self.charset).strip()

    def values(self, name: str) -> tuple[str, ...]:
        """The decoded bodies of the fields of that name, whatever its case."""
        return tuple(map(self.text, self.octets(name.lower().encode("utf-8", "replace"))))

    @lazy
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The name, as written, and the decoded body of every field."""
        content = self._content
        return tuple(
            (content[start:colon].rstrip().decode("ascii"), self.text(unfolded(content[colon + 1 : end])))
            for start, colon, end in self.positions
        )


def unfolded(octets: bytes) -> bytes:
    """RFC 5322 section 2.2.3: the line ends are taken out, the white space behind them stays."""
    if b"\n" not in octets:
        return octets
    return b"".join(line.rstrip(b"\r") for line in octets.split(b"\n"))


def _next_line(content: bytes, at: int) -> int:
    """The position behind this line's LF. A lone CR ends no line, as in SMTP."""
    return content.find(b"\n", at) + 1 or len(content)


def _colon(line: bytes) -> int:
    """Where the colon of a header field's first line stands, 0 if this is none.

    White space before it is obsolete (RFC 5322 section 4.5) and still read.
    """
    colon = line.find(b":")
    if colon < 1:
        return 0
    name = line[:colon].rstrip(b" \t")
    return 0 if not name or name.translate(None, _NAME) else colon
