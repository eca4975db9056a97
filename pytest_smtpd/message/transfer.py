"""Content-Transfer-Encoding undone (RFC 2045 section 6), as tolerant as mail programs are."""

import binascii
from collections.abc import Callable
from functools import cache
from typing import Final

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = bytes(octet for octet in range(256) if octet not in _BASE64 + b"=")
_HEX_DIGITS: Final = b"0123456789ABCDEFabcdef"
# What binascii reads otherwise than RFC 2045 and mail programs do.
_UNUSUAL_QUOTED_PRINTABLE: Final = (b" \n", b"\t\n", b" \r\n", b"\t\r\n", b"==")


def decode(body: bytes, encoding: str) -> bytes:
    """The octets that ``body`` stands for. Never raises; under an unknown encoding they are what was sent."""
    decoder = _DECODERS.get(encoding)
    return body if decoder is None else decoder(body)


def is_known(encoding: str) -> bool:
    """Whether RFC 2045 section 6.1 names this encoding, or it is a name of uuencode."""
    return encoding in _DECODERS or encoding in ("7bit", "8bit", "binary")


def is_base64(text: bytes) -> bool:
    """Whether this is base64 as an encoder writes it, white space and missing padding aside."""
    data = b"".join(text.split()).rstrip(b"=")
    return not data.translate(None, _BASE64) and len(data) % 4 != 1


def base64(body: bytes) -> bytes:
    """RFC 2045 section 6.8: characters outside of the alphabet are ignored; missing padding does no harm.

    Behind padding the data may go on, as it does where encoded pieces were joined. Anything else there is none: a
    mailing list's footer, for instance.
    """
    head, padding, tail = body.partition(b"=")
    pieces = [head.translate(None, _NOT_BASE64)]
    tail = b"".join(tail.split())
    if padding and not tail.translate(None, _BASE64 + b"="):
        pieces += tail.split(b"=")
    return b"".join(map(_quanta, pieces))


def _quanta(data: bytes) -> bytes:
    """Data without padding. A last single character holds six bits, which make no octet."""
    if len(data) % 4 == 1:
        data = data[:-1]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


def quoted_printable(body: bytes) -> bytes:
    """RFC 2045 section 6.7. White space at the end of a line was added on the way; a wrong escape stays as it is."""
    unusual = any(sequence in body for sequence in _UNUSUAL_QUOTED_PRINTABLE) or body.endswith((b" ", b"\t"))
    if not unusual and body.count(b"=\r") == body.count(b"=\r\n"):
        return binascii.a2b_qp(body)
    return b"".join(map(_quoted_printable_line, body.splitlines(keepends=True)))


def _quoted_printable_line(line: bytes) -> bytes:
    text = line.rstrip(b"\r\n")
    end = line[len(text) :]
    text = text.rstrip(b" \t")
    if text.endswith(b"="):
        text, end = text[:-1], b""
    return unescape(text, b"=") + end


def unescape(text: bytes, mark: bytes) -> bytes:
    """Replace each ``mark`` and two hexadecimal digits by the octet; a mark without them stays."""
    first, *rest = text.split(mark)
    octets = _octets_by_digits() if rest else {}
    return first + b"".join(octets.get(piece[:2], mark + piece[:2]) + piece[2:] for piece in rest)


@cache
def _octets_by_digits() -> dict[bytes, bytes]:
    return {bytes((high, low)): bytes((int(chr(high) + chr(low), 16),)) for high in _HEX_DIGITS for low in _HEX_DIGITS}


def uuencode(body: bytes) -> bytes:
    """The file between the lines ``begin`` and ``end``; a line that cannot be read is left out."""
    lines = iter(body.splitlines())
    if not any(line.startswith(b"begin ") for line in lines):
        return body
    decoded = []
    for line in lines:
        if line.strip() == b"end":
            break
        decoded.append(_uuencoded_line(line))
    return b"".join(decoded)


def _uuencoded_line(line: bytes) -> bytes:
    if not line:
        return b""
    # The first character counts the octets. Some encoders write more than these need, some have lost final blanks.
    length = ((line[0] - 32) & 63) * 4 // 3 + 3
    try:
        return binascii.a2b_uu(line[: 1 + length // 4 * 4])
    except binascii.Error:
        return b""


_DECODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "base64": base64,
    "quoted-printable": quoted_printable,
    "x-uuencode": uuencode,
    "uuencode": uuencode,
    "x-uue": uuencode,
    "uue": uuencode,
}
