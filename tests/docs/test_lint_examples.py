"""For each lint rule the documentation has a wrong example, in which it finds something, and a right one."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from pytest_smtpd.lint.table import RULES
from tests.docs.pages import DOCS
from tests.lint.scripts import QUIT, Case, findings, mail
from tests.rfc.dialogue import octets

sys.path.insert(0, str(DOCS / "_generate"))
try:
    from lint_examples import EXAMPLES  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]
finally:
    sys.path.pop(0)

DEFAULTS = {
    "Date": "Mon, 1 Jan 2024 12:00:00 +0000",
    "From": "app@example.com",
    "To": "ada@example.com",
    "Message-ID": "<1@example.com>",
}
REPEATED = re.compile(r'\{"(\w)" \* (\d+)\}')


def content(text: str, *, bare: bool) -> bytes:
    """A message as its example stands for it."""
    text = REPEATED.sub(lambda found: found[1] * int(found[2]), text)
    missing = [f"{name}: {value}" for name, value in DEFAULTS.items() if not bare and f"{name}:" not in text]
    lines = [*missing, *text.splitlines()]
    return b"".join(octets(line) + b"\r\n" * (not line.endswith(("\\n", "\\r"))) for line in lines)


def script(example: Any, text: str) -> str:
    """The dialogue of an example, from the greeting on."""
    is_dialogue = text.startswith(("C: ", "C> ", "S: "))
    part = text if is_dialogue else mail(content(text, bare=example.bare))
    return f"{example.before}{part}{QUIT if example.quits else ''}"


def found_in(rule: str, text: str) -> set[str]:
    example = EXAMPLES[rule]
    return {one.rule for one in findings(Case(rule, script(example, text), settings=dict(example.settings)))}


@pytest.mark.parametrize("rule", RULES)
def test_wrong_example_is_found(rule: str) -> None:
    assert rule in found_in(rule, EXAMPLES[rule].wrong)


@pytest.mark.parametrize("rule", RULES)
def test_right_example_is_clean(rule: str) -> None:
    found = found_in(rule, EXAMPLES[rule].right)
    assert rule not in found
    assert not {name for name in found if RULES[name].default}


@pytest.mark.parametrize("rule", RULES)
def test_example_is_on_the_page(rule: str) -> None:
    page = (DOCS / "how-to/other-side.md").read_text(encoding="utf-8")
    assert f"Wrong:\n\n```text\n{EXAMPLES[rule].wrong}```\n\nRight:\n\n```text\n{EXAMPLES[rule].right}```\n" in page
