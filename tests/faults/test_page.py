"""The page of the documentation says what the tests have tried."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_page_is_what_the_catalogue_gives() -> None:
    generator = runpy.run_path(str(ROOT / "docs" / "_generate" / "faults.py"))
    committed = (ROOT / "docs" / "how-to" / "make-the-server-fail.md").read_text(encoding="utf-8")
    assert committed == generator["page"](), "run: python docs/_generate/faults.py"
