"""The header of a message or of one of its parts, read by position (RFC 5322 section 2.2)."""

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Final

from pytest_smtpd.message.lazy import lazy

if TYPE_CHECKING:
    from pytest_smtpd.message.parameters import Structured

# The octets of which a field name consists (RFC 5322 section 3.6.8).
_NAME: Final = bytes(octet for octet in range(33, 127) if octet != ord(":"))
_NOTHING: Final[frozenset[bytes]] = frozenset()

# A header field by position: where its name begins, where its colon is, and where the line after the field begins.
Field = tuple[int, int, int]


class Header:
    """The header that begins at the position ``start`` of the content.

    ``start`` and ``end`` are the positions of its first octet and behind its last one, ``body`` is where the body
    begins. The empty line between the two belongs to neither. If the empty line is missing, the body begins with the
    first line that is neither a header field nor one of the ``delimiters`` of the multiparts around this part. So a
    message without any header is all body, as it is for most mail servers. ``defect`` then names the place.

    ``top`` is true for a message as a whole. Exported messages may begin with a line that is no header field and is
    skipped: the "From " line of a mailbox file, or a line of spaces.
    """

    def __init__(
        self, content: bytes, start: int, delimiters: Container[bytes] = _NOTHING, *, top: bool = False
    ) -> None:
        self._content = content
        self.start: int = start
        first = content[start : _next_line(content, start)] if top else b""
        if first.startswith(b"From ") or first.strip(b"\r\n").isspace():
            self.start += len(first)
        self.positions: list[Field] = []
        self.end: int = self._read_fields(delimiters)
        self.body: int = self.end
        self.defect: str | None = None
        line = content[self.end : _next_line(content, self.end)]
        if not line.strip(b"\r\n"):
            self.body += len(line)
        elif line.rstrip() not in delimiters:
            self.defect = f"the header ends at position {self.end}, before a line that is no header field"

    def _read_fields(self, delimiters: Container[bytes]) -> int:
        """Collect the positions of the fields, and return where the line after the last one begins."""
        content, at = self._content, self.start
        while line := content[at : _next_line(content, at)]:
            end = at + len(line)
            if line[:1] in (b" ", b"\t") and self.positions:
                self.positions[-1] = (*self.positions[-1][:2], end)
            elif (colon := _colon(line)) and line.rstrip() not in delimiters:
                self.positions.append((at, at + colon, end))
            else:
                break
            at = end
        return at

    def octets(self, name: bytes) -> Iterator[bytes]:
        """The unfolded bodies of the fields with this name, not decoded. The name is in lower case."""
        content = self._content
        for start, colon, end in self.positions:
            if content[start : start + len(name)].lower() == name and content[start:colon].rstrip().lower() == name:
                yield unfolded(content[colon + 1 : end])

    def structured(self, name: bytes) -> "Structured | None":
        """The value and the parameters of the first field with this name, None if there is no such field."""
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
        """The decoded text of an unfolded field body, without white space at its ends."""
        if octets.isascii() and b"=?" not in octets:
            return octets.decode("ascii").strip()
        # Imported only if needed: most subjects in tests are ASCII, and do not need the tables of charsets.
        from pytest_smtpd.message import words

        return words.decode(octets, None if octets.isascii() else self.charset).strip()

    def values(self, name: str) -> tuple[str, ...]:
        """The decoded bodies of all fields with this name, in any case."""
        return tuple(map(self.text, self.octets(name.lower().encode("utf-8", "replace"))))

    @lazy
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The name of every field, as it was written, and its decoded body."""
        content = self._content
        return tuple(
            (content[start:colon].rstrip().decode("ascii"), self.text(unfolded(content[colon + 1 : end])))
            for start, colon, end in self.positions
        )


def unfolded(octets: bytes) -> bytes:
    """The field body without its line ends; the white space that follows them stays (RFC 5322 section 2.2.3)."""
    if b"\n" not in octets:
        return octets
    return b"".join(line.rstrip(b"\r") for line in octets.split(b"\n"))


def _next_line(content: bytes, at: int) -> int:
    """The position behind the LF of the line at ``at``. A CR alone does not end a line (RFC 5321 section 2.3.8)."""
    return content.find(b"\n", at) + 1 or len(content)


def _colon(line: bytes) -> int:
    """The position of the colon behind the field name, 0 if this line does not begin a header field.

    White space between the two is accepted (the obsolete syntax of RFC 5322 section 4.5).
    """
    colon = line.find(b":")
    if colon < 1:
        return 0
    name = line[:colon].rstrip(b" \t")
    return 0 if not name or name.translate(None, _NAME) else colon
