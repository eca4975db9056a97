"""A message as a text for snapshot tests, the same in every run.

The text begins with the tree of parts, one numbered line for each. Then follows each part, with its decoded header and
its decoded body, which is indented by four columns. Of a body that is not text, the size and the beginning of its
SHA-256 are shown. Attached messages are shown with all their parts.

What a mail library generates for each message is replaced by numbered names: dates by ``date-1``, boundaries by
``boundary-1``, and message ids and Content-IDs, wherever they occur, by ``message-id-1`` and ``content-id-1``. A value
has the same name everywhere, so a wrong reference still shows. Control characters are shown escaped.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pytest_smtpd.message import charsets, tree
from pytest_smtpd.message.header import Header
from pytest_smtpd.message.parts import Part

_DEEPEST_MESSAGE: Final = 10  # messages within messages; the content of a deeper one is shown as lines
_DEEPEST_INDENT: Final = 40  # deeper lines of the tree are not indented more
_MESSAGES: Final = ("message/rfc822", "message/global")
_IDS: Final = {
    "message-id": "message-id",
    "resent-message-id": "message-id",
    "original-message-id": "message-id",
    "in-reply-to": "message-id",
    "references": "message-id",
    "content-id": "content-id",
}
_BRACKETED: Final = re.compile(r"<([^<>\s]++)>")
_CID: Final = re.compile(r"""\b(cid:)([^\s<>"'()]++)""")  # RFC 2392
_STRUCTURED: Final = ("content-type", "content-disposition")
_SPACES: Final = frozenset("\t\u00a0\u2002\u2003\u2009\u202f\u3000")  # not printable for Python, but shown unescaped


class _Entry(NamedTuple):
    depth: int  # in the tree that is shown, attached messages included
    part: Part
    is_divided: bool  # whether its content is shown as parts, in the entries after it


def write(parts: Iterable[Part]) -> str:
    """The text for these parts of a message."""
    entries = list(_entries(parts))
    names = _Names()
    for entry in entries:
        names.learn(entry.part.header.fields)
    outline = "\n".join(_line(number, entry) for number, entry in enumerate(entries, 1))
    sections = [_section(number, entry, names) for number, entry in enumerate(entries, 1)]
    return "\n\n".join([outline, *sections]) + "\n"


def _entries(parts: Iterable[Part], depth: int = 0, messages: int = 0) -> Iterator[_Entry]:
    for part in parts:
        is_message = part.content_type in _MESSAGES and messages < _DEEPEST_MESSAGE
        yield _Entry(depth + part.depth, part, is_message or part.is_multipart)
        if is_message:
            inner = tree.divide(part.content, Header(part.content, 0, top=True))
            yield from _entries(inner, depth + part.depth + 1, messages + 1)


def _line(number: int, entry: _Entry) -> str:
    return f"{'  ' * min(entry.depth, _DEEPEST_INDENT)}{number} {entry.part.content_type}"


class _Names:
    """The names for values that differ from run to run."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._ids: dict[str, str] = {}

    def name(self, kind: str, value: str) -> str:
        """The name of a value, such as ``date-1``: always the same one for the same value."""
        if (kind, value) not in self._names:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[kind, value] = f"{kind}-{self._counts[kind]}"
        return self._names[kind, value]

    def learn(self, fields: Iterable[tuple[str, str]]) -> None:
        """Name the ids of a header. This comes first, since bodies refer to the Content-IDs of later parts."""
        for field, value in fields:
            kind = _IDS.get(field.lower())
            if kind is not None:
                self._ids |= {found: self.name(kind, found) for found in _BRACKETED.findall(value)}

    def replaced(self, text: str) -> str:
        """The text with names in place of ids."""
        if text in self._ids:
            return self._ids[text]
        text = _BRACKETED.sub(lambda found: f"<{self._ids.get(found[1], found[1])}>", text)
        return _CID.sub(lambda found: found[1] + self._ids.get(found[2], found[2]), text)

    def field(self, name: str, value: str) -> str:
        """A field body with names in place of ids and dates."""
        name = name.lower()
        if name == "date" or name.endswith("-date"):
            return self.name("date", value)
        route, semicolon, date = value.rpartition(";")
        if name == "received" and semicolon:
            return f"{self.replaced(route)}; {self.name('date', date.strip())}"
        return self.replaced(value)


def _section(number: int, entry: _Entry, names: _Names) -> str:
    part = entry.part
    lines = [f"{name}: {_field(part, name, value, names)}" for name, value in part.header.fields]
    body = [] if entry.is_divided else list(_body(part, names))
    if body:
        lines += ["", *(f"    {line}" if line else "" for line in body)]
    return "\n".join([f"--- {number}", *map(_shown, lines)])


def _field(part: Part, name: str, value: str, names: _Names) -> str:
    key = name.lower()
    field = part.header.structured(key.encode()) if key in _STRUCTURED else None
    if field is None or not field.value or len(part.header.values(key)) > 1:
        return names.field(name, value)
    parameters = field.texts(part.charset)
    if key == "content-type" and part.boundary is not None:
        parameters["boundary"] = names.name("boundary", part.boundary.decode("latin-1"))
    return "; ".join([field.value, *(f'{key}="{names.replaced(text)}"' for key, text in parameters.items())])


def _body(part: Part, names: _Names) -> Iterator[str]:
    """The lines of the decoded body, without the last line end."""
    text = part.text
    if text is not None and part.content_type != "text/rfc822-headers":
        yield from _lines(names.replaced(text))
    elif text is not None or part.content_type.startswith("message/"):
        # Reports consist of fields like those of a header (RFC 3464 section 2.1, RFC 8098 section 3.1).
        for line in _lines(text or charsets.decode(part.content, None).replace("\r\n", "\n")):
            name, colon, value = line.partition(":")
            yield f"{name}: {names.field(name, value.strip())}" if colon else line
    elif part.content:
        from hashlib import sha256

        yield f"{len(part.content)} bytes, sha256 {sha256(part.content).hexdigest()[:16]}"


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _shown(line: str) -> str:
    """The line with everything that is not printable escaped."""
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() or character in _SPACES else ascii(character)[1:-1] for character in line
    )
