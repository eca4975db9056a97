r"""Content-Type, Content-Disposition: a value and its parameters (RFC 2045 section 5.1, RFC 2183, RFC 2231).

Senders often break the grammar, and mail programs still read the field. So does this module:

* A value without quotation marks extends to the next semicolon. It may contain spaces, ``=`` and quotes
  (``filename=O'Brien 2.pdf``, ``boundary=----=_Next``), but it ends before a word that begins another parameter.
* In a quoted string, a backslash escapes only ``"`` and ``\``. Before any other character it stays: then it is nearly
  always a Windows path that the sender forgot to escape.
* If a parameter occurs twice, the first one counts.
* Apostrophes are ordinary characters: the name in ``filename='a.pdf'`` begins and ends with one.
* A file name is returned as sent, including a path.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from pytest_smtpd.message import charsets, transfer, words

# Each pattern is a run of one class of characters, so it never backtracks. The text is latin-1, in which the octets of
# UTF-8 look like all sorts of characters, such as spaces: only ASCII counts.
_SPACE: Final = re.compile(r"\s*", re.ASCII)
_NAME: Final = re.compile(r"[^\s;=]*", re.ASCII)
_WORD: Final = re.compile(r"[^\s;]*", re.ASCII)
_QUOTED: Final = re.compile(r'[^"\\]*')
_MARK: Final = re.compile(r'\\.|["()]', re.DOTALL)  # an escape, or what delimits quoted strings and comments

# One form in which a parameter was sent: its octets, its charset, and whether they were percent-encoded. If not, they
# may contain encoded words.
Reading = tuple[bytes, str | None, bool]


class Structured(NamedTuple):
    """A value in lower case, and its parameters by their names in lower case.

    These strings are the octets of the field, one character each (latin-1). ``text`` and ``texts`` decode them.
    """

    value: str
    parameters: dict[str, str]

    def octets(self, name: str) -> bytes | None:
        """A parameter as octets, such as a boundary, which is compared with octets."""
        return next((octets for octets, *_ in self._readings(name)), None)

    def text(self, name: str, guess: str | None = None) -> str | None:
        """A parameter as text, None if it is absent or empty.

        ``name*`` is preferred to ``name*0``, ``name*1`` ..., and these to ``name``; but a form that cannot be decoded
        completely counts only if no other one can.
        """
        readings = [_text(*reading, guess) for reading in self._readings(name)]
        return next((text for text in readings if "\ufffd" not in text), readings[0] if readings else None)

    def texts(self, guess: str | None = None) -> dict[str, str]:
        """All parameters as text. Their names have no asterisks."""
        names = dict.fromkeys(name.partition("*")[0] for name in self.parameters)
        found = ((name, self.text(name, guess)) for name in names)
        return {name: text for name, text in found if text is not None}

    def _readings(self, name: str) -> Iterator[Reading]:
        """The forms in which the parameter was sent, the preferred one first; empty ones are left out."""
        extended = self.parameters.get(f"{name}*")
        plain = self.parameters.get(name, "")
        readings = [_extended(extended)] if extended is not None else []
        readings += [self._sections(name), (plain.encode("latin-1"), None, False)]
        return (reading for reading in readings if reading[0].strip())

    def _sections(self, name: str) -> Reading:
        """RFC 2231 section 3: a value in numbered sections, of which some may be percent-encoded."""
        charset: str | None = None
        extended = False
        sections = []
        for number in range(len(self.parameters)):
            plain = self.parameters.get(f"{name}*{number}")
            encoded = self.parameters.get(f"{name}*{number}*")
            if encoded is not None and number == 0:
                octets, charset, extended = _extended(encoded)
                sections.append(octets)
            elif encoded is not None:
                sections.append(transfer.unescape(encoded.encode("latin-1"), b"%"))
            elif plain is not None:
                sections.append(plain.encode("latin-1"))
            else:
                break
        return b"".join(sections), charset, extended


def _extended(value: str) -> Reading:
    """RFC 2231 section 4: ``charset'language'text`` with percent-encoded text. Either apostrophe may be missing."""
    charset, *rest = value.split("'", 2)
    if len(rest) < 2 and not (rest and charsets.is_known(charset)):
        charset, rest = "", [value]
    return transfer.unescape(rest[-1].encode("latin-1"), b"%"), charset or None, True


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
    """The value, and where the parameters begin. The semicolon between them may be missing."""
    end = text.find(";")
    head = text if end < 0 else text[:end]
    first, *_ = head.split(None, 1) or [""]
    if "=" in first:
        return "", 0
    if "=" in head:
        return first.lower(), text.find(first) + len(first)
    return "".join(head.split()).strip("\"'").lower(), len(head)


def _parameter(text: str, at: int) -> tuple[int, str, str | None]:
    """The position behind the next parameter, its name, and its value, which is None if there is no ``=``."""
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
    """The position behind a quoted string that begins at ``at``, and the string.

    Without a closing quotation mark it is read as if it had no opening one.
    """
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
    """The position behind a value without quotation marks that begins at ``at``, and the value."""
    end = following = _end(_WORD, text, at)
    while following < len(text) and text[following] != ";":
        word = _end(_SPACE, text, following)
        following = _end(_WORD, text, word)
        if _begins_parameter(text[word:following]):
            break
        end = following
    return end, text[at:end].rstrip(" \t\r\n")


def _begins_parameter(word: str) -> bool:
    """Whether this word is ``name=...``. An encoded word, ``=?...?=``, is not."""
    name, equals, _ = word.partition("=")
    is_name = name.isascii() and name[:1].isalpha() and name.replace("-", "").replace("*", "").isalnum()
    return is_name and bool(equals)


def _without_comments(text: str) -> str:
    """The text without its comments (RFC 5322 section 3.2.2).

    In a parameter, only brackets with white space or a semicolon on both sides make a comment: ``report(1).pdf`` and
    ``report (1).pdf`` are names that should have been quoted.
    """
    parameters = text.find(";") if ";" in text else len(text)
    kept = []
    done = 0
    for start, end in _brackets(text):
        if start < parameters or (text[start - 1] in " \t;=" and text[end : end + 1] in ("", " ", "\t", ";")):
            kept.append(text[done:start])
            done = end
    return "".join([*kept, text[done:]])


def _brackets(text: str) -> Iterator[tuple[int, int]]:
    """The beginning and end of each outermost pair of brackets that is not within a quoted string."""
    depth = start = 0
    quoted = False
    for found in _MARK.finditer(text):
        if found[0] == '"' and not depth:
            quoted = not quoted
        elif found[0] in "()" and not quoted:
            outside = not depth
            depth = max(depth + (1 if found[0] == "(" else -1), 0)
            if outside:
                start = found.start()
            elif not depth:
                yield start, found.end()


def _end(pattern: "re.Pattern[str]", text: str, at: int) -> int:
    """The end of the run of characters that begins at ``at``."""
    found = pattern.match(text, at)
    assert found is not None  # the patterns match the empty text too
    return found.end()
