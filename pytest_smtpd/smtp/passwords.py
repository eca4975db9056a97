"""Passwords that the server knows, and SASL responses, masked in any text, in every encoding."""

import binascii
import re
from collections.abc import Iterable, Sequence
from typing import Final

MASK: Final = "***"
SHORTEST_KNOWN: Final = 6  # characters; a shorter password may be any word
_BASE64: Final = r"[A-Za-z0-9+/_-]{8,}={0,2}"


def hidden(text: str, passwords: Sequence[str]) -> str:
    """A text in which a client's words may be repeated, with known passwords masked."""
    if not passwords:
        return text
    octets = text.encode("utf-8", "backslashreplace")
    return without_credentials(without_passwords(octets, passwords).decode(), passwords)


def without_credentials(text: str, passwords: Sequence[str]) -> str:
    """The text, with SASL responses and known passwords masked in words of base64."""
    return re.sub(_BASE64, lambda word: MASK if _is_credential(word[0], passwords) else word[0], text)


def without_passwords(text: bytes, passwords: Iterable[str]) -> bytes:
    """The text, with known passwords masked, in every encoding."""
    for password in passwords:
        for secret in _octets(password):
            text = text.replace(secret, MASK.encode())
    if b"%" in text:
        text = re.sub(rb"[^\s/@:]*%[^\s/@:]*", lambda word: _without_quoted(word[0], passwords), text)
    return text


def _octets(password: str) -> tuple[bytes, ...]:
    """A password in the encodings in which clients send it."""
    try:
        return password.encode(), password.encode("latin-1")
    except UnicodeEncodeError:
        return (password.encode(),)


def _without_quoted(word: bytes, passwords: Iterable[str]) -> bytes:
    from urllib.parse import unquote_to_bytes

    plain = unquote_to_bytes(word)
    return MASK.encode() if any(secret in plain for password in passwords for secret in _octets(password)) else word


def _is_credential(word: str, passwords: Iterable[str]) -> bool:
    """Whether base64, wherever it was cut off, holds a known password, or fields as SASL has them (RFC 4616, 7628)."""
    if word.isupper():  # the name of a mechanism (RFC 4422 section 3.1), or another word
        return False
    secrets = [secret for password in passwords for secret in _octets(password)]
    return any(_has_fields(plain) or any(secret in plain for secret in secrets) for plain in _decodings(word))


def _decodings(word: str) -> Iterable[bytes]:
    digits = word.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    for cut in range(4):
        whole = digits[cut:]
        whole = whole[:-1] if len(whole) % 4 == 1 else whole
        yield binascii.a2b_base64(f"{whole}{'=' * (-len(whole) % 4)}")


def _has_fields(plain: bytes) -> bool:
    """Whether these octets are text in fields that are separated by NUL or ^A."""
    if b"\0" not in plain and b"\1" not in plain:
        return False
    try:
        return plain.decode().translate({0: "", 1: ""}).isprintable()
    except UnicodeDecodeError:
        return False
