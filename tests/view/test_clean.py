"""The HTML of a mail is written anew: what comes out has nothing that runs, loads or connects, whatever came in."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_smtpd.view.clean import clean
from tests.view.hostile import VECTORS

HARMLESS = frozenset("title src class style id alt width height dir lang href align bgcolor".split())  # noqa: SIM905
FORBIDDEN = frozenset(
    "script link meta base iframe frame frameset object embed applet form input button textarea select template svg "  # noqa: SIM905
    "math video audio source track picture noscript title xmp plaintext".split()
)


class Reader(HTMLParser):
    """Fails on whatever could do something."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in FORBIDDEN
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("href", "srcset", "background", "action", "ping", "poster", "data", "target")
            assert name != "src" or (value or "").startswith("data:image/")

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)


def check(cleaned: str) -> None:
    reader = Reader()
    reader.feed(cleaned)
    reader.close()


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_a_hostile_vector_is_harmless(vector: str) -> None:
    check(clean(vector))


PIECES = [
    *("<", ">", "/", "=", '"', "'", " ", "\n", "&", "&lt;", "&#60;", "<!--", "-->", "</", "<script", "</script>"),
    *("<style>", "</style>", "<svg>", "</svg>", "<p ", "<img src=", "onerror=x", "href=x", "<title>", "</title>"),
    *("a", "x:", "url("),
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_whatever_is_put_together_is_harmless(html: str) -> None:
    check(clean(html))


@given(st.text(max_size=60))
def test_a_text_without_markup_stays(text: str) -> None:
    plain = "".join(character for character in text if character.isprintable() and character not in "<>&")
    assert clean(plain) == plain


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p class=a>Hello <b>Ada</b><br></p>", '<p class="a">Hello <b>Ada</b><br></p>'),
        ("<a href='https://example.com/x?a=1&amp;b=2'>x</a>", '<a title="https://example.com/x?a=1&amp;b=2">x</a>'),
        ("1 < 2 > 0 &amp; &copy;", "1 &lt; 2 &gt; 0 &amp; &copy;"),
        ("<TABLE><TR><TD COLSPAN=2>x</TABLE>", '<table><tr><td colspan="2">x</table>'),
        ("<p>a<script>b</script>c</p>", "<p>ac</p>"),
        ("<img src=https://example.com/x alt=Logo>", '<img title="not loaded: https://example.com/x" alt="Logo">'),
        ("<style>p > a { color: red }</style>", "<style>p > a { color: red }</style>"),
        ("<unknown>kept</unknown>", "kept"),
    ],
)
def test_what_is_harmless_stays(html: str, expected: str) -> None:
    assert clean(html) == expected


LONG = {
    "open tags": "<p ",
    "attributes": "<p " + "a=b " * 10,
    "open brackets": "<",
    "comments that do not end": "<!--",
    "scripts that do not end": "<script>",
    "styles that do not end": "<style>url(",
    "quotation marks": "<p a='",
    "entities": "&#",
    "deep": "<div>",
    "svg in svg": "<svg>",
    "imports": "<style>@import </style>",
}


@pytest.mark.wide
@pytest.mark.parametrize("piece", LONG.values(), ids=LONG)
def test_it_takes_time_that_grows_with_the_size_only(piece: str) -> None:
    def seconds(count: int) -> float:
        html = piece * (count // len(piece))
        begin = time.process_time()
        clean(html)
        return time.process_time() - begin

    seconds(1_000)
    assert min(seconds(400_000) for _ in range(2)) < 16 * max(seconds(100_000), 0.01)  # quadratic would be 16 times
