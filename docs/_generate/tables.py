"""Markdown from values; what the generators of pages share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def code(value: object) -> str:
    """A value as code in a cell."""
    return f"`{str(value).replace('|', chr(92) + '|')}`" if str(value) else ""


def codes(values: Iterable[object]) -> str:
    return ", ".join(code(value) for value in values)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def explained(names: Iterable[str], meanings: Mapping[str, str], what: str) -> list[tuple[str, str]]:
    """Each name with its meaning. One without the other is an error: something has changed."""
    known = list(names)
    missing, stale = [name for name in known if name not in meanings], [name for name in meanings if name not in known]
    if missing or stale:
        raise SystemExit(f"{what}: not explained {missing}; explained, but not there {stale}")
    return [(name, meanings[name]) for name in known]


def note(script: str) -> str:
    return f"<!-- Made by docs/_generate/{script} from the code: change it there. -->\n\n"


def write_or_check(pages: Mapping[str, Callable[[], str]]) -> None:
    """Write each page, or with ``--check`` say which are not up to date."""
    stale = []
    for name, page in pages.items():
        path = DOCS / name
        text = page()
        if "--check" in sys.argv:
            stale += [] if path.exists() and path.read_text(encoding="utf-8") == text else [name]
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        raise SystemExit(f"not up to date: {', '.join(stale)}")
