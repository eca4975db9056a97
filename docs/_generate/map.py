"""Writes docs/reviewers.md: the layers from pyproject.toml, the modules from the first lines of their docstrings."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from docstrings import markdown  # noqa: E402 - found by the line above
from tables import ROOT, code, fill, note, table, write_or_check  # noqa: E402

SCRIPT = "map.py"
PACKAGE = ROOT / "pytest_smtpd"


def layers() -> list[list[str]]:
    """The layers of the import contract, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    return [layer.split(" | ") for layer in contract["layers"]]


def home(name: str) -> Path:
    """The file or the folder of a layer."""
    folder = PACKAGE / name
    return folder if folder.is_dir() else folder.with_suffix(".py")


def summary(path: Path) -> str:
    """What a module holds: the first paragraph of its docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not text:
        raise SystemExit(f"{path.relative_to(ROOT)} has no docstring")
    return markdown(text.partition("\n\n")[0])


def drawing() -> str:
    """Each layer on a line, the modules that do not know each other side by side."""
    lines = ["   |   ".join(name + "/" * home(name).is_dir() for name in names) for names in layers()]
    return "\n".join(lines)


def contents() -> str:
    rows = []
    for names in layers():
        for name in names:
            path = home(name)
            rows.append(
                (
                    code(name + "/" if path.is_dir() else path.name),
                    summary(path / "__init__.py" if path.is_dir() else path),
                )
            )
    return table(("package or module", "holds"), rows)


def modules() -> str:
    """A table for each package."""
    packages = [name for names in layers() for name in names if home(name).is_dir()]
    return "\n".join(f"### {name}/\n\n{table(('module', 'holds'), rows_of(name))}" for name in packages)


def rows_of(package: str) -> list[tuple[str, str]]:
    paths = sorted((PACKAGE / package).glob("*.py"))
    return [(code(f"{package}/{path.name}"), summary(path)) for path in paths if path.name != "__init__.py"]


def page() -> str:
    return note(SCRIPT) + fill("reviewers", {"drawing": drawing(), "contents": contents(), "modules": modules()})


PAGES = {"reviewers.md": page}

if __name__ == "__main__":
    write_or_check(PAGES)
