"""One part of a message: what its header declares, and its decoded body."""

from collections.abc import Iterator
from typing import Final

from pytest_smtpd.message import charsets, transfer
from pytest_smtpd.message.header import Header
from pytest_smtpd.message.lazy import lazy
from pytest_smtpd.message.parameters import Structured

# How deep multiparts are divided. A deeper one is a single attachment. Postfix has the same limit.
DEEPEST: Final = 100
_TOKEN: Final = frozenset("!#$%&'*+-.^_`{|}~0123456789abcdefghijklmnopqrstuvwxyz")  # RFC 2045 section 5.1
_NO_FIELD: Final = Structured("", {})
_META: Final = 1024  # octets of an HTML document in which its charset is looked for (HTML standard, section 13.2.3.2)


class Part:
    """A whole message, or one of its parts: a multipart with ``children``, or a single part with content.

    ``message`` is the content of the whole message. In it, the header of the part is at ``header.start:header.end``,
    and its body, still encoded, at ``body_start:body_end``. ``depth`` is the number of multiparts around the part.
    """

    def __init__(self, message: bytes, header: Header, parent: "Part | None" = None) -> None:
        self.message = message
        self.header = header
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.children: tuple[Part, ...] = ()
        self.body_start: int = header.body
        self.body_end: int = len(message)
        self.is_divided = False  # whether a delimiter of this multipart was found
        self.is_closed = False  # whether its closing delimiter was found

    def __repr__(self) -> str:
        return f"<Part {self.content_type[:60]} {self.body_end - self.body_start} bytes>"

    @property
    def header_octets(self) -> bytes:
        """The header as it was sent, without the empty line after it."""
        return self.message[self.header.start : self.header.end]

    @property
    def body_octets(self) -> bytes:
        """The body as it was sent."""
        return self.message[self.body_start : self.body_end]

    @lazy
    def content_type(self) -> str:
        """The type as which the part is read, in lower case: what it declares, or text/plain if that is wrong."""
        return "text/plain" if self.is_misdeclared else self.declared_type

    @lazy
    def declared_type(self) -> str:
        """The declared or default type in lower case, without parameters; "" if it breaks RFC 2045 section 5.1."""
        if self._content_type is _NO_FIELD:
            in_digest = self.parent is not None and self.parent.declared_type == "multipart/digest"
            return "message/rfc822" if in_digest else "text/plain"
        kind, _, subtype = self._content_type.value.partition("/")
        return f"{kind}/{subtype}" if kind and subtype and _TOKEN.issuperset(kind + subtype) else ""

    @lazy
    def is_misdeclared(self) -> bool:
        """Whether the Content-Type cannot be parsed, or the part is declared a multipart but cannot be divided.

        RFC 2045 section 5.2 recommends to read such a part as plain text. A multipart with an empty body is still a
        multipart: it has no parts.
        """
        if not self.declared_type.startswith("multipart/"):
            return not self.declared_type
        return not (self.is_divided or self.depth >= DEEPEST or not self.body_octets.strip())

    @lazy
    def is_multipart(self) -> bool:
        """Whether this is a multipart, which has children (possibly none) instead of content."""
        return self.content_type.startswith("multipart/") and self.depth < DEEPEST

    @lazy
    def _content_type(self) -> Structured:
        return self.header.content_type or _NO_FIELD

    @lazy
    def _disposition(self) -> Structured:
        return self.header.structured(b"content-disposition") or _NO_FIELD

    @lazy
    def parameters(self) -> dict[str, str]:
        """The decoded parameters of the Content-Type field, by their names in lower case."""
        return self._content_type.texts(self.charset)

    @lazy
    def boundary(self) -> bytes | None:
        """The boundary of a multipart, None if there is none or if this is not a multipart."""
        octets = self._content_type.octets("boundary") if self.declared_type.startswith("multipart/") else None
        return None if octets is None else octets.rstrip()

    @property
    def charset(self) -> str | None:
        """The declared charset in lower case, None if there is none."""
        return self.header.charset

    @lazy
    def encoding(self) -> str:
        """The Content-Transfer-Encoding in lower case, "7bit" if there is none."""
        field = self.header.structured(b"content-transfer-encoding")
        return (field and field.value) or "7bit"

    @lazy
    def disposition(self) -> str | None:
        """The Content-Disposition in lower case ("attachment", "inline"), None if there is none."""
        return self._disposition.value or None

    @lazy
    def filename(self) -> str | None:
        """The decoded file name of Content-Disposition, otherwise that of Content-Type; its path is kept."""
        disposition = self._disposition.text("filename", self.charset)
        return self._content_type.text("name", self.charset) if disposition is None else disposition

    @lazy
    def content_id(self) -> str | None:
        """The Content-ID without angle brackets, None if there is none."""
        found, *_ = self.header.values("content-id") or ("",)
        return found.partition("<")[2].partition(">")[0].strip() or found.strip("<> ") or None

    @lazy
    def content(self) -> bytes:
        """The body, with its transfer encoding decoded and otherwise unchanged; of a multipart, the body as sent."""
        return self.body_octets if self.is_multipart else transfer.decode(self.body_octets, self.encoding)

    @lazy
    def text(self) -> str | None:
        """The decoded text of a text part, with LF as line end; None for any other type.

        Lines of ``format=flowed`` text (RFC 3676) are not joined. A test compares the lines that the application wrote;
        how a mail program wraps them depends on the width of its window.
        """
        if not self.content_type.startswith("text/"):
            return None
        guess = _declared_in_html(self.content) if self.content_type == "text/html" else None
        return charsets.decode(self.content, self.charset, guess).replace("\r\n", "\n").replace("\r", "\n")

    @lazy
    def defects(self) -> tuple[str, ...]:
        """The defects of this part, one sentence each. Its children have defects of their own."""
        return tuple(self._defects())

    def _defects(self) -> Iterator[str]:
        if self.header.defect is not None:
            yield self.header.defect
        if not self.declared_type:
            yield "the Content-Type is not type/subtype, so the part is read as text/plain"
        if self.declared_type.startswith("multipart/"):
            yield from self._multipart_defects()
        if not self.is_multipart and not transfer.is_known(self.encoding):
            yield f"the Content-Transfer-Encoding {self.encoding[:40]!r} is unknown"
        if self.encoding == "base64" and not self.is_multipart and not transfer.is_base64(self.body_octets):
            yield "the base64 is not valid: it has wrong characters, or is incomplete"

    def _multipart_defects(self) -> Iterator[str]:
        if self.depth >= DEEPEST:
            yield f"the multipart is within {DEEPEST} others, so it is not divided"
        elif self.boundary is None:
            yield "the multipart has no boundary parameter"
        elif not self.is_divided:
            yield "the multipart has no line with its boundary"
        elif not self.is_closed:
            yield "the multipart has no closing delimiter"


def _declared_in_html(octets: bytes) -> str | None:
    """The charset that an HTML document declares in a ``meta`` element. It counts only if the header declares none."""
    _, found, rest = octets[:_META].lower().partition(b"charset=")
    label = rest.partition(b">")[0].split()
    return label[0].decode("latin-1") if found and label else None  # quotation marks around a charset do no harm
