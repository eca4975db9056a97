"""The rule about MIME: mistakes in the parts of a message and in the encoded words of its headers."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from pytest_smtpd.lint.facts import Facts, Mail
from pytest_smtpd.lint.finding import Seen
from pytest_smtpd.message import charsets, transfer
from pytest_smtpd.message.header import unfolded
from pytest_smtpd.smtp.values import printable, short

if TYPE_CHECKING:
    from pytest_smtpd.message.parts import Part

_MOST: Final = 10  # findings for one message: a broken generator repeats itself in each part
_LONGEST_WORD: Final = 75  # octets of an encoded word, RFC 2047 section 2
_ENCODED_WORD: Final = rb"=\?([^?\s]+)\?([^?\s]*)\?([^?]*)\?="
# What only an encoded word begins with: a charset, and one of its two encodings.
_BEGINS: Final = rb"(?i)=\?[a-z0-9_:.()*+-]+\?[bq]\?"
_IDENTITY: Final = ("7bit", "8bit", "binary")


def mime(facts: Facts) -> Iterator[Seen]:
    """Defects of parts, 8-bit parts without an encoding, encoded words that mail programs cannot decode."""
    for mail in facts.mails:
        problems = _all_problems(mail) if mail.whole else iter(())
        for text, rfc in islice(problems, _MOST):
            yield Seen(mail.at, text, mail.envelope.session, mail.envelope, rfc)
        if next(problems, None) is not None:
            text = f"more than {_MOST} things are wrong with the parts of this message"
            yield Seen(mail.at, text, mail.envelope.session, mail.envelope)


def _all_problems(mail: Mail) -> Iterator[tuple[str, str]]:
    for number, part in enumerate(mail.message.parts, 1):
        for problem, rfc in _problems(part):
            line = mail.envelope.content.count(b"\n", 0, part.header.start) + 1
            where = "" if part.parent is None else f"part {number} in line {line}: "
            yield f"{where}{problem}", rfc


def _problems(part: "Part") -> Iterator[tuple[str, str]]:
    for defect in part.defects:
        yield printable(defect), "RFC 2045, RFC 2046"
    if part.header.positions and part.message[part.header.start : part.header.start + 1] in (b" ", b"\t"):
        yield "the header begins with white space, as if its first line continued another", "RFC 5322 2.2.3"
    if part.is_multipart and part.encoding not in _IDENTITY:
        yield f"a multipart has the Content-Transfer-Encoding {printable(short(part.encoding))}", "RFC 2045 6.4"
    if not part.is_multipart and part.encoding == "7bit" and not part.body_octets.isascii():
        yield "the body is not ASCII, and its Content-Transfer-Encoding is 7bit, or missing", "RFC 2045 6.2"
    for name, body in _bodies(part):
        for problem in _word_problems(body):
            yield f"the header {name} has {problem}", "RFC 2047"


def _bodies(part: "Part") -> Iterator[tuple[str, bytes]]:
    for start, colon, end in part.header.positions:
        yield part.message[start:colon].decode("ascii", "replace").strip(), unfolded(part.message[colon + 1 : end])


def _word_problems(body: bytes) -> Iterator[str]:
    """The mistakes in the encoded words of a field (RFC 2047 sections 2 to 5)."""
    whole = {found.start() for found in re.finditer(_ENCODED_WORD, body)}
    for found in re.finditer(_BEGINS, body):
        if found.start() not in whole:
            yield f"an encoded word without its end: {_shown(body[found.start() :])}"
    for found in re.finditer(_ENCODED_WORD, body):
        if problem := _word_problem(found[1], found[2].lower(), found[3], len(found[0])):
            yield f"{problem}: {_shown(found[0])}"


def _word_problem(charset: bytes, encoding: bytes, text: bytes, octets: int) -> str | None:
    name = charset.partition(b"*")[0].decode("ascii", "replace").lower()
    if encoding not in (b"b", b"q"):
        return "an encoded word that is neither in B nor in Q"
    if re.search(rb"\s", text):
        return "white space in an encoded word"
    if encoding == b"b" and not transfer.is_base64(text):
        return "an encoded word with broken base64"
    if octets > _LONGEST_WORD:
        return f"an encoded word of {octets} octets, of {_LONGEST_WORD}"
    if not charsets.is_known(name) and name != "us-ascii":
        return "an encoded word in an unknown charset"
    decoded = transfer.base64(text) if encoding == b"b" else transfer.unescape(text.replace(b"_", b" "), b"=")
    return None if _decodes(decoded, name) else "an encoded word that is not valid in its charset"


def _decodes(octets: bytes, charset: str) -> bool:
    """Whether it is text in this charset. A part of a character, whose rest is in the next word, is not."""
    if charset == "us-ascii":
        return octets.isascii()
    if charset in ("utf-8", "utf8"):
        try:
            octets.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True
    return "\ufffd" not in charsets.decode(octets, charset)


def _shown(octets: bytes) -> str:
    return printable(short(octets.decode("latin-1")))
