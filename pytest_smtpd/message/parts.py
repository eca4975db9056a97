"""One part of a message: what its header says, and what its body is when it is decoded."""

from collections.abc import Iterator
from typing import Final

from pytest_smtpd.message import charsets, transfer
from pytest_smtpd.message.header import Header
from pytest_smtpd.message.lazy import lazy
from pytest_smtpd.message.parameters import Structured

# Multiparts within multiparts. A deeper one is not divided: it is one attachment. Postfix has the same limit.
DEEPEST: Final = 100
_TOKEN: Final = frozenset("!#$%&'*+-.^_`{|}~0123456789abcdefghijklmnopqrstuvwxyz")  # RFC 2045 section 5.1
_NO_FIELD: Final = Structured("", {})
_META: Final = 1024  # octets of HTML in which its charset is looked for, as in the HTML standard


class Part:
    """A whole message or a part of one: a multipart with its ``children``, or a leaf with a body of its own.

    Its header is ``message[header.start:header.end]`` and its body, before the transfer encoding is undone,
    ``message[body_start:body_end]``. ``depth`` is the number of multiparts around it.
    """

    def __init__(self, message: bytes, header: Header, parent: "Part | None" = None) -> None:
        self.message = message
        self.header = header
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.children: tuple[Part, ...] = ()
        self.body_start, self.body_end = header.body, len(message)
        # What divide() finds out about a multipart: whether a delimiter was seen, and whether the closing one was.
        self.is_divided = self.is_closed = False

    def __repr__(self) -> str:
        return f"<Part {self.content_type[:60]} {self.body_end - self.body_start} bytes>"

    @property
    def header_octets(self) -> bytes:
        """The header as it was sent, without the empty line behind it."""
        return self.message[self.header.start : self.header.end]

    @property
    def body_octets(self) -> bytes:
        """The body as it was sent."""
        return self.message[self.body_start : self.body_end]

    @lazy
    def content_type(self) -> str:
        """What the part is read as, in lower case: its Content-Type, or text/plain where that cannot be read."""
        return "text/plain" if self.is_misdeclared else self.declared_type

    @lazy
    def declared_type(self) -> str:
        """The Content-Type field in lower case, without parameters; "" if it breaks RFC 2045 section 5.1."""
        if self._content_type is _NO_FIELD:
            in_digest = self.parent is not None and self.parent.declared_type == "multipart/digest"
            return "message/rfc822" if in_digest else "text/plain"
        kind, _, subtype = self._content_type.value.partition("/")
        return f"{kind}/{subtype}" if kind and subtype and _TOKEN.issuperset(kind + subtype) else ""

    @lazy
    def is_misdeclared(self) -> bool:
        """Whether its Content-Type cannot be read, or calls it a multipart and it is none.

        RFC 2045 section 5.2 recommends to read such a part as plain text. A multipart with nothing in it is one
        without parts.
        """
        if not self.declared_type.startswith("multipart/"):
            return not self.declared_type
        return not (self.is_divided or self.depth >= DEEPEST or not self.body_octets.strip())

    @lazy
    def is_multipart(self) -> bool:
        """Whether it has parts, if any, instead of a body."""
        return self.content_type.startswith("multipart/") and self.depth < DEEPEST

    @lazy
    def _content_type(self) -> Structured:
        return self.header.content_type or _NO_FIELD

    @lazy
    def _disposition(self) -> Structured:
        return self.header.structured(b"content-disposition") or _NO_FIELD

    @lazy
    def parameters(self) -> dict[str, str]:
        """The parameters of the Content-Type field, decoded, by name in lower case without the marks of RFC 2231."""
        return self._content_type.texts(self.charset)

    @lazy
    def boundary(self) -> bytes | None:
        """The boundary of a multipart, None where it is missing, and for any other type."""
        octets = self._content_type.octets("boundary") if self.declared_type.startswith("multipart/") else None
        return None if octets is None else octets.rstrip()

    @property
    def charset(self) -> str | None:
        """The declared charset in lower case."""
        return self.header.charset

    @lazy
    def encoding(self) -> str:
        """The Content-Transfer-Encoding in lower case, "7bit" where there is none."""
        field = self.header.structured(b"content-transfer-encoding")
        return (field and field.value) or "7bit"

    @lazy
    def disposition(self) -> str | None:
        """The Content-Disposition in lower case ("attachment", "inline"), None where there is none."""
        return self._disposition.value or None

    @lazy
    def filename(self) -> str | None:
        """The decoded name from Content-Disposition, or else from Content-Type, with its path if it has one."""
        disposition = self._disposition.text("filename", self.charset)
        return self._content_type.text("name", self.charset) if disposition is None else disposition

    @lazy
    def content_id(self) -> str | None:
        """The Content-ID without angle brackets."""
        found, *_ = self.header.values("content-id") or ("",)
        return found.partition("<")[2].partition(">")[0].strip() or found.strip("<> ") or None

    @lazy
    def content(self) -> bytes:
        """The body with its transfer encoding undone and otherwise untouched. A multipart has none that counts."""
        return self.body_octets if self.is_multipart else transfer.decode(self.body_octets, self.encoding)

    @lazy
    def text(self) -> str | None:
        """The decoded text of a text part, with LF as line end, None for any other type.

        Text in ``format=flowed`` (RFC 3676) keeps its line ends: these are the lines that the sender's program wrote,
        and that a test compares; where a reader breaks them depends on the width of a window.
        """
        if not self.content_type.startswith("text/"):
            return None
        guess = _declared_in_html(self.content) if self.content_type == "text/html" else None
        return charsets.decode(self.content, self.charset, guess).replace("\r\n", "\n").replace("\r", "\n")

    @lazy
    def defects(self) -> tuple[str, ...]:
        """What is wrong with this part, a sentence each; its children have their own."""
        return tuple(self._defects())

    def _defects(self) -> Iterator[str]:
        if self.header.defect is not None:
            yield self.header.defect
        if not self.declared_type:
            yield "the Content-Type is not of the form type/subtype; text/plain is assumed"
        if self.declared_type.startswith("multipart/"):
            yield from self._multipart_defects()
        if not self.is_multipart and not transfer.is_known(self.encoding):
            yield f"the Content-Transfer-Encoding {self.encoding[:40]!r} is unknown"
        if self.encoding == "base64" and not self.is_multipart and not transfer.is_base64(self.body_octets):
            yield "there are characters in the base64 that do not belong to it, or too few"

    def _multipart_defects(self) -> Iterator[str]:
        if self.depth >= DEEPEST:
            yield f"it stands within {DEEPEST} other multiparts and is not divided"
        elif self.boundary is None:
            yield "a multipart without a boundary"
        elif not self.is_divided:
            yield "the boundary never comes"
        elif not self.is_closed:
            yield "the closing delimiter is missing"


def _declared_in_html(octets: bytes) -> str | None:
    """The charset that HTML declares for itself in a ``meta`` element, for where the header declares none."""
    _, found, rest = octets[:_META].lower().partition(b"charset=")
    label = rest.lstrip(b" \"'").partition(b">")[0].split()
    return label[0].strip(b"\"'/;").decode("latin-1") if found and label else None
