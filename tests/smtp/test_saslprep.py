"""SASLprep by the examples of RFC 4013 section 3, and by its tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_smtpd.smtp.saslprep import saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),  # SOFT HYPHEN mapped to nothing
        ("user", "user"),  # no transformation
        ("USER", "USER"),  # case preserved, will not match #2
        ("\u00aa", "a"),  # output is NFKC, input in ISO 8859-1
        ("\u2168", "IX"),  # output is NFKC, will match #1
        ("", ""),
        ("a\u00a0b", "a b"),  # section 2.1: non-ASCII space characters are mapped to SPACE
        ("a\u3000b", "a b"),
        ("a\u1680b", "a b"),  # one that NFKC alone leaves as it is
        ("a\u200bb", "ab"),
        ("a\ufe00b", "ab"),
        ("e\u0301", "\u00e9"),
    ],
)
def test_the_examples_of_section_3_and_the_mappings(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text",
    [
        "\u0007",
        "a\u00ad\u0007",
        "\u00aa\x7f",
        "\u00aa\u0080",
        "\u00aa\ue000",
        "\u00aa\ufdd0",
        "\u00aa\ud800",
        "\u00aa\u2ff0",
        "\u00aa\u200e",
        "\u00aa\U000e0001",
    ],
)
def test_what_section_2_3_prohibits_is_left_as_it_is(text: str) -> None:
    assert saslprep(text) == text


def test_a_string_that_fails_the_bidirectional_check_is_left_as_it_is() -> None:
    """Section 3, example 7: U+0627 U+0031 is an error."""
    assert saslprep("\u06271") == "\u06271"


@given(st.text(max_size=10))
def test_what_is_prepared_stays_as_it_is(text: str) -> None:
    prepared = saslprep(text)
    assert saslprep(prepared) == prepared


@given(st.text([chr(code) for code in range(32, 127)]))
def test_printable_ascii_stays_as_it_is(text: str) -> None:
    assert saslprep(text) == text
