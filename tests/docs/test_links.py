"""Every link between pages leads somewhere, and every page can be reached."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, Page, pages

LINK = re.compile(r"(?<!\!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)|!\[[^\]\n]*\]\((?P<image>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
FENCED = re.compile(r"^(`{3,})[^\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The fragments of a page's headings, as GitHub and MyST make them."""
    text = FENCED.sub("", path.read_text(encoding="utf-8"))
    return {slug(heading) for heading in HEADING.findall(text)}


def slug(heading: str) -> str:
    plain = unicodedata.normalize("NFC", heading.replace("`", "")).lower()
    return re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def links(page: Page) -> list[str]:
    found = LINK.finditer(FENCED.sub("", page.text))
    return [target for link in found if not (target := link["target"] or link["image"]).startswith(("http", "mailto:"))]


PAGES = [*pages(), Page(ROOT / "CONTRIBUTING.md"), Page(ROOT / "SECURITY.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.id)
def test_links_resolve(page: Page) -> None:
    for link in links(page):
        name, _, fragment = link.partition("#")
        target = (page.path.parent / name).resolve() if name else page.path
        assert target.exists(), f"{page.path.relative_to(ROOT)}: {link}"
        if fragment:
            assert fragment in anchors(target), f"{page.path.relative_to(ROOT)}: {link}"


def entries(page: Page) -> set[Path]:
    """The pages that a toctree lists."""
    found: set[Path] = set()
    for tree in TOCTREE.findall(page.text):
        names = [line.strip() for line in tree.splitlines() if line.strip() and not line.startswith(":")]
        for name in names:
            found.update(page.path.parent.glob(f"{name.rpartition('<')[2].removesuffix('>')}.md"))
    return {path.resolve() for path in found}


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = {path for page in pages() for path in entries(page)}
    there = set(DOCS.rglob("*.md")) - {DOCS / "index.md"}
    assert {path.relative_to(DOCS) for path in there - listed if "_build" not in path.parts} == set()
