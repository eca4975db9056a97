"""The map of the code shows the code as it is."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS, ROOT

PACKAGE = ROOT / "pytest_smtpd"
MAP = (DOCS / "reviewers.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`((?!docs/)[a-z_/]+\.py)`", MAP)))
MODULES = [path.name for path in PACKAGE.glob("[a-z]*.py")]
PACKAGES = [f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")]


@pytest.mark.parametrize("path", PATHS)
def test_what_is_on_the_map_exists(path: str) -> None:
    rooms = ("", "policy/", "record/", "net/", "smtp/")
    assert any((PACKAGE / room / path).exists() for room in rooms)


@pytest.mark.parametrize("room", sorted([*MODULES, *PACKAGES]))
def test_every_room_is_on_the_map(room: str) -> None:
    assert f"`{room}`" in MAP


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "tests").iterdir() if path.is_dir()))
def test_every_folder_of_tests_is_on_the_map(folder: str) -> None:
    if not folder.startswith("__"):
        assert f"`tests/{folder}`" in MAP
