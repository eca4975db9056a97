"""Whoever follows a page word for word sees what it shows."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.set_repository import address
from tests.docs.pages import DOCS, ROOT, Page, commands, first_missing, pages, pages_to_run, run, write

# The environment of the comparisons (`make bench`), which has the other tools.
OTHER_TOOLS = os.environ.get("PYTEST_SMTPD_OTHER_TOOLS", str(ROOT / ".bench/bin/python"))

# Columns of a line of code; longer ones would have to be scrolled in a browser.
WIDTH = 88

LANGUAGES = ("python", "console", "ini", "toml", "text", "mermaid", "javascript", "sh", "yaml")


# How to install the project, the same on each of these pages; `make release-check` installs it as they do.
INSTALL = ["python3 -m venv .venv", ". .venv/bin/activate", f"python -m pip install git+{address()}"]
INSTALLING = ("README", "index", "tutorial")

# Commands that run elsewhere: in CI, or by whoever measures.
ELSEWHERE = ("make demo", "make test", "python benchmarks/run.py")


def by_id(page: Page) -> str:
    return page.id


@pytest.mark.wide
@pytest.mark.parametrize("page", pages_to_run(), ids=by_id)
def test_page_does_what_it_says(page: Page, tmp_path: Path) -> None:
    for plugin in page.plugins:
        pytest.importorskip(plugin)
    for command, output, shown in page.follow(tmp_path):
        missing = first_missing(shown, output)
        assert missing is None, f"$ {command}\nnot in the output, or not there: {missing}\n\n{output}"


BEFORE = [
    pytest.param(block.before, block.code, id=f"{page.id}-{block.before}")
    for page in pages_to_run()
    for block in page.blocks()
    if block.before is not None
]


def python_with(module: str) -> str | None:
    """An interpreter that has this tool, and pytest."""
    if find_spec(module) is not None:
        return sys.executable
    code = f"import pytest, {module}"
    if not Path(OTHER_TOOLS).exists() or subprocess.run([OTHER_TOOLS, "-c", code], check=False).returncode:
        return None
    return OTHER_TOOLS


@pytest.mark.wide
@pytest.mark.parametrize(("module", "code"), BEFORE)
def test_code_before_the_migration_works_too(module: str, code: str, tmp_path: Path) -> None:
    python = python_with(module)
    if python is None:
        pytest.skip(f"{module} is not installed ('make bench' installs it)")
    assert python is not None
    write(tmp_path / "test_before.py", code)

    done = run(["pytest", "test_before.py"], tmp_path, PLUGINS_OF.get(module, ()), python)

    assert done.code == 0, done.output
    assert " passed" in done.output


PLUGINS_OF = {"smtpdfix": ("smtpdfix",), "pytest_localserver": ("pytest_localserver.plugin",)}


@pytest.mark.parametrize("page", [page for page in pages() if page.path.is_relative_to(DOCS)], ids=by_id)
def test_every_block_says_what_it_is(page: Page) -> None:
    unknown = {block.language for block in page.blocks()} - set(LANGUAGES)
    assert unknown == set(), "a block in another language would not be run"


@pytest.mark.parametrize("page", pages(), ids=by_id)
def test_lines_of_code_fit_into_a_page(page: Page) -> None:
    lines = [line for block in page.blocks() for line in block.code.splitlines()]
    assert [line for line in lines if len(line) > WIDTH] == []


def written(code: str) -> list[str]:
    """The commands of a console block as they stand: lines with a prompt, or all lines where none has one."""
    lines = [line.partition("  # ")[0].rstrip() for line in code.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")] or lines


@pytest.mark.parametrize("page", pages(), ids=by_id)
def test_every_command_is_run_by_a_test_or_by_ci(page: Page) -> None:
    blocks = [block.code for block in page.blocks() if block.language == "console"]
    run_here = {shlex.join(command) for code in blocks for command, _ in commands(code)}
    others = [one for code in blocks for one in written(code) if shlex.join(shlex.split(one)) not in run_here]

    assert [one for one in others if not one.startswith(ELSEWHERE)] == (INSTALL if page.id in INSTALLING else [])


# Those of recipes are for other plugins too, and are run with them.
INI = [
    pytest.param(block.code, id=f"{page.id}-{number}")
    for page in pages()
    for number, block in enumerate(page.blocks())
    if block.language == "ini" and not page.id.startswith("recipes-")
]


@pytest.mark.parametrize("code", INI)
def test_ini_blocks_have_options_and_values_that_exist(code: str, tmp_path: Path) -> None:
    write(tmp_path / "pytest.ini", code)
    write(tmp_path / "test_one.py", "def test(smtpd): pass")

    done = run(["pytest", "--strict-config", "-W", "error"], tmp_path, ["pytest_smtpd.plugin"])

    assert done.code == 0, done.output


def test_lines_of_a_console_block_belong_to_the_command_above() -> None:
    block = "$ pip install x\ny\n$ pytest\na\n...\nb\n$ pytest -v\nc\n"
    assert commands(block) == [(["pytest"], ["a", "b"]), (["pytest", "-v"], ["c"])]


@pytest.mark.parametrize(
    ("output", "missing"), [("a\nx\nb\n", None), ("b\na\n", "b"), ("a\nbb\n", "b"), ("", "a")], ids=repr
)
def test_lines_shown_have_to_appear_whole_and_in_order(output: str, missing: str | None) -> None:
    assert first_missing(["a", "b"], output) == missing
