"""The page of the documentation says what the tests have tried."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults import hooks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "failures.md"


def test_the_functions_of_the_page_are_those_of_the_lines() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    exec(block, names)
    assert [function.__name__ for function in hooks.SHOWN if function.__name__ not in names] == []
