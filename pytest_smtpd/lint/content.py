"""Rules about the octets of a message: line ends, line lengths, characters, size."""

import re
from collections.abc import Iterator
from typing import Final

from pytest_smtpd.lint.facts import Facts, Mail
from pytest_smtpd.lint.finding import Seen
from pytest_smtpd.log.explain import plural
from pytest_smtpd.smtp.values import printable, short

_LONGEST_LINE: Final = 998  # octets without CRLF, RFC 5321 section 4.5.3.1.6
_BARE_LF: Final = rb"(?<!\r)\n"
_BARE_CR: Final = rb"\r(?!\n)"
_STUFFED: Final = rb"(?<!\r)\n\.\."
# How far SIZE= may be from what comes: an estimate is allowed (RFC 1870 section 5).
_OCTETS_OFF: Final = 64
_SHARE_OFF: Final = 0.02


def _about(mail: Mail, text: str, rfc: str = "") -> Seen:
    return Seen(mail.at, text, mail.envelope.session, mail.envelope, rfc)


def _at(content: bytes, position: int) -> str:
    """The place of an octet, as text."""
    line = content.count(b"\n", 0, position) + 1
    return f"line {line}, byte {position + 1}"


def _lines(facts: Facts) -> Iterator[Mail]:
    """The messages that consist of lines."""
    return (mail for mail in facts.mails if not mail.is_binary)


def _octets(facts: Facts, pattern: bytes, what: str) -> Iterator[Seen]:
    for mail in _lines(facts):
        content = mail.envelope.content
        if not mail.whole:
            content = content.removesuffix(b"\r")  # its LF may have been cut off
        places = [found.start() for found in re.finditer(pattern, content)]
        if places:
            yield _about(mail, f"the content has {plural(len(places), what)}, the first at {_at(content, places[0])}")


def bare_lf(facts: Facts) -> Iterator[Seen]:
    """LF without a CR before it."""
    return _octets(facts, _BARE_LF, "bare LF")


def bare_cr(facts: Facts) -> Iterator[Seen]:
    """CR that no LF follows."""
    return _octets(facts, _BARE_CR, "bare CR")


def nul(facts: Facts) -> Iterator[Seen]:
    """NUL."""
    return _octets(facts, rb"\0", "NUL")


def dot_stuffed_lf(facts: Facts) -> Iterator[Seen]:
    """Two dots behind a bare LF: the client has doubled the first, and the server takes none away."""
    for mail in _lines(facts):
        content = mail.envelope.content
        places = [found.start() + 1 for found in re.finditer(_STUFFED, content)] if mail.by_data else []
        if places:
            lines = plural(len(places), "line")
            text = f"{lines} behind a bare LF begins with two dots, the first at {_at(content, places[0])}"
            yield _about(mail, text if len(places) == 1 else text.replace("begins", "begin"))


def long_lines(facts: Facts) -> Iterator[Seen]:
    """Lines over 998 octets, whether they end with CRLF, CR or LF."""
    for mail in _lines(facts):
        lengths = [len(line.rstrip(b"\r")) for line in mail.envelope.content.split(b"\n")]
        places = [number for number, length in enumerate(lengths, 1) if length > _LONGEST_LINE]
        if places:
            first = f"the first is line {places[0]} with {lengths[places[0] - 1]:,}"
            text = f"{plural(len(places), 'line')} of the content over {_LONGEST_LINE} octets, {first}"
            yield _about(mail, text, "RFC 5321 4.5.3.1.6")


def eight_bit(facts: Facts) -> Iterator[Seen]:
    """Octets beyond ASCII without BODY=8BITMIME; with SMTPUTF8, the header may have them (RFC 6531 section 3.6)."""
    for mail in facts.mails:
        content = mail.envelope.content
        if content.isascii() or mail.envelope.body_type != "7bit":
            continue  # which is nearly always so, and known at once
        bodies = [part.body_octets for part in mail.message.parts if not part.is_multipart]
        found = re.search(rb"[^\x00-\x7f]", content)
        if found is None or (mail.envelope.smtp_utf8 and all(map(bytes.isascii, bodies))):
            continue
        where = f"from {_at(content, found.start())} on"
        yield _about(mail, f"the content is not ASCII, {where}, and MAIL had no BODY=8BITMIME")


def size_wrong(facts: Facts) -> Iterator[Seen]:
    """A SIZE= that is far from what came."""
    for mail in facts.mails:
        declared, size = mail.envelope.mail_from.args.get("SIZE"), mail.envelope.size
        if not mail.envelope.complete or not isinstance(declared, str) or not declared.isdigit():
            continue
        if abs(int(declared) - size) > _OCTETS_OFF + _SHARE_OFF * size:
            yield _about(mail, f"MAIL announced SIZE={declared[:20]}, and {plural(size, 'byte')} came")


def same_message_id(facts: Facts) -> Iterator[Seen]:
    """Two accepted messages of different content with one Message-ID."""
    first: dict[str, Mail] = {}
    for mail in facts.mails:
        ids = mail.message.header("message-id") if mail.envelope.accepted else ()
        if not ids or not ids[0]:
            continue
        other = first.setdefault(ids[0], mail)
        if other.envelope.content != mail.envelope.content:
            known = f"was in a message of other content already: {other.envelope!r}"
            yield _about(mail, f"Message-ID {printable(short(ids[0]))} {known}")
