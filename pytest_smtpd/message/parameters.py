r"""Values with parameters: Content-Type and Content-Disposition (RFC 2045 section 5.1, RFC 2183, RFC 2231).

What senders write is often against the grammar, and mail programs read it all the same. So does this module:

* A value without quotation marks goes on to the next semicolon, blanks, ``=`` and quotes included
  (``filename=O'Brien 2.pdf``, ``boundary=----=_Next``), but not over a word that begins a next parameter.
* A backslash in a quoted string is taken out before ``"`` and ``\`` only: before anything else it is a path of Windows
  that somebody forgot to escape.
* Of a parameter that stands twice, the first counts.
* An apostrophe is a character like any other: ``'a.pdf'`` is a name that begins with one.
* A file name is given as it stands, with its path.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pytest_smtpd.message import charsets, transfer, words

# Each pattern is a run of one class of characters, so that no text makes it go back.
_SPACE: Final = re.compile(r"\s*")
_NAME: Final = re.compile(r"[^\s;=]*")
_WORD: Final = re.compile(r"[^\s;]*")
_QUOTED: Final = re.compile(r'[^"\\]*')


class Structured(NamedTuple):
    """A value in lower case, and its parameters by name in lower case.

    The strings hold one octet in each character, as latin-1 does, until somebody asks for text.
    """

    value: str
    parameters: dict[str, str]

    def octets(self, name: str) -> bytes | None:
        """A parameter as octets, for what is compared with octets of the content."""
        return next((octets for octets, *_ in self._readings(name)), None)

    def text(self, name: str, guess: str | None = None) -> str | None:
        """A parameter as text, None if it is absent or empty.

        ``name*`` goes before ``name*0``, and that before ``name``, but a reading with undecodable octets comes last.
        """
        readings = [_text(*reading, guess) for reading in self._readings(name)]
        return next((text for text in readings if "\ufffd" not in text), readings[0] if readings else None)

    def texts(self, guess: str | None = None) -> dict[str, str]:
        """All parameters as text, by their names without the marks of RFC 2231."""
        names = dict.fromkeys(name.partition("*")[0] for name in self.parameters)
        found = ((name, self.text(name, guess)) for name in names)
        return {name: text for name, text in found if text is not None}

    def _readings(self, name: str) -> Iterator[tuple[bytes, str | None, bool]]:
        """The octets of each form in which the parameter is there, their charset, and whether that is fixed."""
        found = self.parameters.get
        for octets, charset, extended in (
            *_extended(found(f"{name}*")),
            *self._sections(name),
            (found(name, "").encode("latin-1"), None, False),
        ):
            if octets.strip():
                yield octets, charset, extended

    def _sections(self, name: str) -> Iterator[tuple[bytes, str | None, bool]]:
        """RFC 2231 section 3: a value in numbered sections, of which some may be percent-encoded."""
        charset: str | None = None
        extended = False
        sections = []
        for number in range(len(self.parameters)):
            plain = self.parameters.get(f"{name}*{number}")
            encoded = self.parameters.get(f"{name}*{number}*")
            if encoded is not None and number == 0:
                ((octets, charset, extended),) = _extended(encoded)
                sections.append(octets)
            elif encoded is not None:
                sections.append(transfer.unescape(encoded.encode("latin-1"), b"%"))
            elif plain is not None:
                sections.append(plain.encode("latin-1"))
            else:
                break
        yield b"".join(sections), charset, extended


def _extended(value: str | None) -> Iterator[tuple[bytes, str | None, bool]]:
    """RFC 2231 section 4: ``charset'language'text``, the text percent-encoded. One quote or both may be missing."""
    if value is None:
        return
    charset, *rest = value.split("'", 2)
    if len(rest) < 2 and not (rest and charsets.is_known(charset)):
        charset, rest = "", [value]
    yield transfer.unescape(rest[-1].encode("latin-1"), b"%"), charset or None, True


def _text(octets: bytes, charset: str | None, extended: bool, guess: str | None) -> str:
    text = charsets.decode(octets, charset, guess) if extended else words.decode(octets, guess)
    return text.strip()


def parse(octets: bytes) -> Structured:
    """Read an unfolded field body."""
    text = octets.decode("latin-1")
    if "(" in text:
        text = _without_comments(text)
    value, at = _value(text)
    parameters: dict[str, str] = {}
    while at < len(text):
        at, name, found = _parameter(text, at)
        if found is not None:
            parameters.setdefault(name.lower(), found)
    return Structured(value, parameters)


def _value(text: str) -> tuple[str, int]:
    """What stands before the parameters, and where these begin, also where the semicolon between is missing."""
    end = text.find(";")
    head = text if end < 0 else text[:end]
    first, *_ = head.split(None, 1) or [""]
    if "=" in first:
        return "", 0
    if "=" in head:
        return first.lower(), text.find(first) + len(first)
    return "".join(head.split()).strip("\"'").lower(), len(head)


def _parameter(text: str, at: int) -> tuple[int, str, str | None]:
    """The next parameter; its value is None if there is no ``=``. The position grows with every call."""
    at = _end(_SPACE, text, at)
    after = _end(_NAME, text, at)
    name = text[at:after]
    at = _end(_SPACE, text, after)
    if not text.startswith("=", at):
        return at + text.startswith(";", at), name, None
    at = _end(_SPACE, text, at + 1)
    after, value = _quoted(text, at + 1) if text.startswith('"', at) else _unquoted(text, at)
    return after, name, value


def _quoted(text: str, at: int) -> tuple[int, str]:
    """A quoted string from behind its opening mark; without a closing one it is read as if it had no marks."""
    pieces = []
    start = at
    while True:
        end = _end(_QUOTED, text, at)
        pieces.append(text[at:end])
        if text.startswith('"', end):
            return end + 1, "".join(pieces)
        if end == len(text):
            return _unquoted(text, start)
        escaped = text[end + 1 : end + 2] in ('"', "\\")
        pieces.append(text[end + 1] if escaped else "\\")
        at = end + 1 + escaped


def _unquoted(text: str, at: int) -> tuple[int, str]:
    end = following = _end(_WORD, text, at)
    while following < len(text) and text[following] != ";":
        word = _end(_SPACE, text, following)
        following = _end(_WORD, text, word)
        if _begins_parameter(text[word:following]):
            break
        end = following
    return end, text[at:end].rstrip()


def _begins_parameter(word: str) -> bool:
    """Whether this word is ``name=...``; an encoded word, ``=?...?=``, is not."""
    name, equals, _ = word.partition("=")
    return bool(equals) and name.rstrip("*").replace("-", "").replace("*", "").isalnum() and name[0].isalpha()


def _without_comments(text: str) -> str:
    """Take out comments (RFC 5322 section 3.2.2).

    In a parameter, a bracket counts only with white space or a semicolon on both sides: ``report(1).pdf`` and
    ``report (1).pdf`` without quotation marks are names.
    """
    ends = _brackets(text)
    parameters = text.find(";") % (len(text) + 1)
    kept = []
    done = 0
    quoted = escaped = False
    for at, character in enumerate(text):
        if escaped or character == "\\":
            escaped = not escaped
        elif character == '"' and at >= done:
            quoted = not quoted
        elif at in ends and at >= done and not quoted and (at < parameters or _apart(text, at, ends[at])):
            kept.append(text[done:at])
            done = ends[at]
    return "".join([*kept, text[done:]])


def _apart(text: str, start: int, end: int) -> bool:
    return text[start - 1] in " \t;=" and text[end : end + 1] in ("", " ", "\t", ";")


def _brackets(text: str) -> dict[int, int]:
    """Where each bracket that opens a comment has its end."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    escaped = False
    for at, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "(":
            opened.append(at)
        elif character == ")" and opened:
            ends[opened.pop()] = at + 1
    return ends


def _end(pattern: "re.Pattern[str]", text: str, at: int) -> int:
    """The end of the run of that class of characters from here."""
    found = pattern.match(text, at)
    assert found is not None  # the patterns match the empty text too
    return found.end()
