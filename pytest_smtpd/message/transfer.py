"""Decoding the Content-Transfer-Encoding (RFC 2045 section 6), as tolerantly as mail programs do."""

import binascii
from collections.abc import Callable
from functools import cache
from typing import Final

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = bytes(octet for octet in range(256) if octet not in _BASE64 + b"=")
_HEX_DIGITS: Final = b"0123456789ABCDEFabcdef"
# Sequences that binascii.a2b_qp() does not decode as RFC 2045 demands.
_UNUSUAL_QUOTED_PRINTABLE: Final = (b" \n", b"\t\n", b" \r\n", b"\t\r\n", b"==")


def decode(body: bytes, encoding: str) -> bytes:
    """The decoded body. Never raises; with an unknown encoding, the body is returned as it is."""
    decoder = _DECODERS.get(encoding)
    return body if decoder is None else decoder(body)


def is_known(encoding: str) -> bool:
    """Whether this is an encoding of RFC 2045 section 6.1, or a name of uuencode."""
    return encoding in _DECODERS or encoding in ("7bit", "8bit", "binary")


def is_base64(text: bytes) -> bool:
    """Whether this is valid base64; white space and missing padding are accepted."""
    data = b"".join(text.split()).rstrip(b"=")
    return not data.translate(None, _BASE64) and len(data) % 4 != 1


def base64(body: bytes) -> bytes:
    """Decode base64 (RFC 2045 section 6.8). Characters outside of its alphabet are ignored, padding may be missing.

    Data that follows the padding is decoded, too: some senders join pieces that were encoded one by one. If there is
    anything but base64 behind the padding, such as the footer of a mailing list, all of that is ignored.
    """
    first, _, rest = body.partition(b"=")
    pieces = [first.translate(None, _NOT_BASE64)]
    rest = b"".join(rest.split())
    if not rest.translate(None, _BASE64 + b"="):
        pieces += rest.split(b"=")
    return b"".join(map(_unpadded, pieces))


def _unpadded(data: bytes) -> bytes:
    """Decode base64 without padding. A single character at the end is six bits, which is less than an octet."""
    if len(data) % 4 == 1:
        data = data[:-1]
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


def quoted_printable(body: bytes) -> bytes:
    """Decode quoted-printable (RFC 2045 section 6.7). White space at the end of a line was added in transit.

    An ``=`` without two hexadecimal digits stays as it is.
    """
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
    """Replace each ``mark`` that is followed by two hexadecimal digits by that octet. Other marks stay."""
    first, *rest = text.split(mark)
    octets = _octets_by_digits() if rest else {}
    return first + b"".join(octets.get(piece[:2], mark + piece[:2]) + piece[2:] for piece in rest)


@cache
def _octets_by_digits() -> dict[bytes, bytes]:
    return {bytes((high, low)): bytes((int(chr(high) + chr(low), 16),)) for high in _HEX_DIGITS for low in _HEX_DIGITS}


def uuencode(body: bytes) -> bytes:
    """Decode the lines between ``begin`` and ``end``. A line that cannot be decoded is left out."""
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
    # The first character is the number of octets. Some encoders write more characters than these octets need.
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
