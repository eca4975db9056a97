"""What the tests of all tables have in common: the parts that a row cannot do without, and the reference."""

from __future__ import annotations

import base64
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_smtpd import SMTPServer

GENERATORS = Path(__file__).parents[2] / "docs" / "_generate"


def required(row: Any) -> list[str]:
    """The parts without which no row can be made."""
    return [part for part in row._fields if part not in row._field_defaults]


def without(row: Any, part: str) -> str:
    """The error of a row that is made of all its parts but this."""
    parts = {name: value for name, value in row._asdict().items() if name != part}
    with pytest.raises(TypeError) as caught:
        type(row)(**parts)
    return one_line(caught.value)


def refusal(table: Any, name: str | int, row: Any) -> str:
    """The error of a row that may not enter a table, which is then as before."""
    before = dict(table)
    with pytest.raises(TypeError) as caught:
        table[name] = row
    assert dict(table) == before
    return one_line(caught.value)


def mistake(server: SMTPServer) -> str:
    """The error of ours that a client has met; it has closed the connection, and would fail the test."""
    server.wait_closed()
    (error,) = server.errors
    server.errors.clear()
    assert isinstance(error, TypeError | LookupError), error
    return one_line(error)


def one_line(error: BaseException) -> str:
    text = str(error)
    assert text
    assert "\n" not in text
    return text


def page(name: str) -> str:
    """A page of the reference as its generator makes it now: ``page("rules")`` is docs/reference/rules.md."""
    scripts = [path for path in sorted(GENERATORS.glob("*.py")) if f'"reference/{name}.md"' in path.read_text("utf-8")]
    (script,) = scripts
    path, modules = list(sys.path), set(sys.modules)
    try:
        generator = runpy.run_path(str(script))  # anew each time: it may keep copies while it runs
        text: str = generator["PAGES"][f"reference/{name}.md"]()
    finally:
        sys.path[:] = path
        for module in set(sys.modules) - modules:
            if Path(getattr(sys.modules[module], "__file__", None) or "").parent == GENERATORS:
                del sys.modules[module]
    return text


def row_of(name: str, text: str) -> list[str]:
    """The cells of the line of a table whose first cell is ``name`` as code."""
    lines = [line for line in text.splitlines() if line.startswith((f"| `{name}` ", f"| {name} "))]
    assert lines, f"no row of {name}"
    return [cell.strip() for cell in lines[0].strip("|").split(" | ")]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
