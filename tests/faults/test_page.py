"""The page of the documentation says what the tests have tried."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tests.faults import hooks

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_page_is_what_the_catalogue_gives() -> None:
    generator = runpy.run_path(str(ROOT / "docs" / "_generate" / "faults.py"))
    committed = (ROOT / "docs" / "how-to" / "make-the-server-fail.md").read_text(encoding="utf-8")
    assert committed == generator["page"](), "run: python docs/_generate/faults.py"


def _blocks() -> list[str]:
    page = (ROOT / "docs" / "how-to" / "make-the-server-fail.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def test_the_four_ways_to_place_a_rule_are_the_same(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(_blocks()[0])
    result = pytester.runpytest_subprocess("--strict-markers", "-p", "no:asyncio", "-p", "no:randomly")
    result.assert_outcomes(passed=4)


def test_the_functions_of_the_page_are_those_of_the_lines() -> None:
    names: dict[str, object] = {}
    exec(_blocks()[1], names)
    assert [function.__name__ for function in hooks.SHOWN if function.__name__ not in names] == []
