"""Write the address of the repository to all places that have it: ``python scripts/set_repository.py https://...``.

Without an argument, print the address. It is that of ``[project.urls]`` in pyproject.toml, and the pages that say how
to install the project have the same.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACES = ("pyproject.toml", "README.md", "docs/index.md", "docs/tutorial.md")


def address(root: Path = ROOT) -> str:
    """The address of the repository."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: str = project["urls"]["Repository"]
    return found


def replace(new: str, root: Path = ROOT) -> None:
    """Write a new address everywhere. A place that does not have the old one is an error, and nothing is written."""
    old = address(root)
    texts = {root / place: (root / place).read_text(encoding="utf-8") for place in PLACES}
    if without := [path.name for path, text in texts.items() if old not in text]:
        raise SystemExit(f"{old} is not in {', '.join(without)}")
    for path, text in texts.items():
        path.write_text(text.replace(old, new), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        replace(sys.argv[1])
    print(address())
