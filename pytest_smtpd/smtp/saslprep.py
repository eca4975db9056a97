"""SASLprep (RFC 4013), in which SCRAM compares passwords, by the standard library's tables of RFC 3454."""

import stringprep
import unicodedata
from typing import Final

_PROHIBITED: Final = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """``text`` in its prepared form; unchanged where it has characters that RFC 4013 section 2.3 prohibits."""
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = unicodedata.normalize("NFKC", mapped)
    forbidden = any(test(character) for character in prepared for test in _PROHIBITED)
    return text if forbidden else prepared
