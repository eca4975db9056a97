"""A release puts the address of its repository into all places at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.set_repository import PLACES, address, replace
from tests.docs.pages import ROOT, pages


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for place in PLACES:
        (tmp_path / place).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    return tmp_path


def test_a_new_address_is_everywhere_and_the_old_one_nowhere(copy: Path) -> None:
    old, new = address(copy), "https://elsewhere.example/mail/pytest-smtpd"

    replace(new, copy)

    assert address(copy) == new
    texts = [(copy / place).read_text(encoding="utf-8") for place in PLACES]
    assert all(new in text and old not in text for text in texts)


def test_a_place_without_the_old_address_is_an_error_and_nothing_is_written(copy: Path) -> None:
    (copy / "README.md").write_text("nothing here\n", encoding="utf-8")
    before = address(copy)

    with pytest.raises(SystemExit, match=r"not in README\.md"):
        replace("https://elsewhere.example/x", copy)

    assert address(copy) == before


def test_no_other_page_has_the_address() -> None:
    others = [page for page in pages() if page.path.relative_to(ROOT).as_posix() not in PLACES]
    assert [page.id for page in others if address() in page.text] == []
