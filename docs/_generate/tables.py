"""Markdown from values; what the generators of pages share."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
TEMPLATES = Path(__file__).with_name("pages")


def code(value: object) -> str:
    """A value as code in a cell."""
    return f"`{str(value).replace('|', chr(92) + '|')}`" if str(value) else ""


def codes(values: Iterable[object]) -> str:
    return ", ".join(code(value) for value in values)


def literal(value: object) -> str:
    """A value as it is written."""
    return "()" if value == frozenset() else repr(value).replace("'", '"')


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def explained(names: Iterable[str], meanings: Mapping[str, str], what: str) -> list[tuple[str, str]]:
    """Each name with its meaning. A name without one, or a meaning without its name, is an error: something changed."""
    known = list(names)
    missing = [name for name in known if not meanings.get(name)]
    stale = [name for name in meanings if name not in known]
    if missing or stale:
        raise SystemExit(f"{what}: not explained {missing}; explained, but not there {stale}")
    return [(name, meanings[name]) for name in known]


def note(script: str) -> str:
    return f"<!-- Made by docs/_generate/{script} from the code: change it there. -->\n\n"


def fill(template: str, parts: Mapping[str, str]) -> str:
    """A page from ``docs/_generate/pages``, with the parts in place of ``{their names}``."""
    text = (TEMPLATES / f"{template}.md.in").read_text(encoding="utf-8")
    unused = [name for name in parts if f"{{{name}}}" not in text]
    if unused:
        raise SystemExit(f"{template}.md.in has no place for {unused}")
    return re.sub(r"\{(\w+)\}", lambda found: parts.get(found[1], found[0]), text)


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
