"""An attachment of a message."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_smtpd.errors import no_attribute
from pytest_smtpd.smtp.values import printable, safe_repr


class Attachment:
    """A part of a message that is not its body: a file, a picture, an attached message, or more text.

    It is read-only and compares by value. ``text`` can be given as a function, which is called when the text is first
    used.
    """

    __slots__ = ("_text", "content", "content_id", "content_type", "disposition", "filename")

    if not TYPE_CHECKING:  # for type checkers, an unknown attribute is an error
        __getattr__ = no_attribute

    filename: str | None  #: The decoded file name as it was sent, with its path if it has one; None if there is none.
    content_type: str  #: In lower case, without parameters, for example ``"application/pdf"``.
    content: bytes  #: The part's own bytes, with the transfer encoding decoded and otherwise unchanged.
    #: The Content-Disposition in lower case, usually ``"attachment"`` or ``"inline"``; None if it is absent. Text
    #: without one is ``"inline"``.
    disposition: str | None
    content_id: str | None  #: The Content-ID without angle brackets; None if it is absent.
    _text: str | Callable[[], str | None] | None

    def __init__(
        self,
        *,
        filename: str | None,
        content_type: str,
        content: bytes,
        disposition: str | None = None,
        content_id: str | None = None,
        text: str | Callable[[], str | None] | None = None,
    ) -> None:
        values = (text, content, content_id, content_type, disposition, filename)
        for name, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, name, value)

    @property
    def text(self) -> str | None:
        """The decoded text of a text part, with LF as line end; None for any other type."""
        text = self._text
        if callable(text):
            text = text()
            object.__setattr__(self, "_text", text)
        return text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attachment):
            return NotImplemented
        return self._known() == other._known() and self.text == other.text

    def __hash__(self) -> int:
        return hash(self._known())

    def _known(self) -> tuple[object, ...]:
        """All values but the text, which may not be decoded yet."""
        return self.filename, self.content_type, self.content, self.disposition, self.content_id

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to {name!r} of {self!r}: it is read-only")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name!r} of {self!r}: it is read-only")

    def __reduce__(self) -> tuple[Callable[..., "Attachment"], tuple[object, ...]]:
        return _attachment, (*self._known(), self.text)

    def __repr__(self) -> str:
        kind = printable(_short(self.content_type))
        return f"<Attachment {_short(safe_repr(self.filename))} {kind} {len(self.content)} bytes>"


def _attachment(
    filename: str | None,
    content_type: str,
    content: bytes,
    disposition: str | None,
    content_id: str | None,
    text: str | None,
) -> Attachment:
    """Called by ``copy`` and ``pickle``."""
    return Attachment(
        filename=filename,
        content_type=content_type,
        content=content,
        disposition=disposition,
        content_id=content_id,
        text=text,
    )


def _short(text: str) -> str:
    """The text, shortened if it is long."""
    return text if len(text) <= 80 else f"{text[:60]}...{text[-12:]}"


Attachment.__module__ = "pytest_smtpd"
