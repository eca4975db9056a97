"""Every recipe of docs/recipes is what it says: its files are written to disk and run as a reader would run them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.presence import NODE_MODULES, VENV, missing, node, require
from tests.interop.presence import python as python_with

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/recipes"

FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"(?:#|//) (?P<name>[\w./-]+\.\w+)\n")
REMARK = re.compile(r"<!-- (?P<key>needs|plugins|run): (?P<value>.+?) -->")


@dataclass(frozen=True)
class Recipe:
    """One page: the files it shows, and the remarks (invisible when rendered) that say how to run them."""

    page: Path

    @property
    def text(self) -> str:
        return self.page.read_text(encoding="utf-8")

    def files(self) -> dict[str, str]:
        """Return the fenced blocks whose first line is a comment with the name of a file."""
        blocks = (block["code"] for block in FENCE.finditer(self.text))
        named = ((FILE_NAME.match(code), code) for code in blocks)
        return {name["name"]: code for name, code in named if name is not None}

    def remark(self, key: str) -> list[str]:
        return [
            word for remark in REMARK.finditer(self.text) if remark["key"] == key for word in remark["value"].split()
        ]

    def commands(self, python: str) -> list[list[str]]:
        """Return the commands that the page has remarks of, or pytest with its plugins."""
        runs = [remark["value"].split() for remark in REMARK.finditer(self.text) if remark["key"] == "run"]
        if runs:
            return [[python if word == "python" else word for word in run] for run in runs]
        plugins = ("pytest_smtpd.plugin", *self.remark("plugins"))
        return [[python, "-m", "pytest", "-ra", "-W", "error", *(word for name in plugins for word in ("-p", name))]]


RECIPES = [Recipe(page) for page in sorted(PAGES.glob("*.md")) if page.name != "index.md"]

every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.page.stem)


def interpreters() -> Iterator[str]:
    """Yield this Python, and the one of the interoperability suite, which has the frameworks."""
    yield sys.executable
    if VENV.exists():
        yield str(VENV)


def python_for(recipe: Recipe) -> str:
    """Choose an interpreter that has what the recipe needs, or end the test."""
    needs = recipe.remark("needs")
    require(node(*(need.removeprefix("npm:") for need in needs if need.startswith("npm:"))))
    modules = ["pytest", "trustme", *(need for need in needs if not need.startswith("npm:"))]
    pythons = list(interpreters())
    chosen = next((python for python in pythons if not missing(python_with(python, *modules))), pythons[-1])
    require(python_with(chosen, *modules))
    return chosen


@pytest.mark.wide
@every_recipe
def test_recipe_does_what_it_says(recipe: Recipe, tmp_path: Path) -> None:
    python = python_for(recipe)
    for name, code in recipe.files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYTHONDEVMODE": "1",
        "PYTEST_ADDOPTS": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "NODE_PATH": str(NODE_MODULES),
    }

    for command in recipe.commands(python):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
        )

        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        assert re.search(r"\d+ passed|^OK$", output, re.MULTILINE), output
        assert "skipped" not in output, output


@every_recipe
def test_recipe_is_problem_code_and_reason(recipe: Recipe) -> None:
    assert recipe.text.startswith("# ")
    assert "\n## Why it works\n" in recipe.text
    files = recipe.files()
    assert any(Path(name).name.startswith("test_") for name in files)
    assert len(files) == len(FENCE.findall(recipe.text)), "a code block without a file name would not be run"


def test_index_lists_every_recipe() -> None:
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^[a-z-]+$", index.partition("{toctree}")[2], re.MULTILINE)

    assert sorted(listed) == [recipe.page.stem for recipe in RECIPES]
