"""Writes the pages about lint: the table of the reference, and a wrong and a right example for each rule."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from lint_examples import EXAMPLES  # noqa: E402 - found by the line above
from tables import code, explained, fill, note, table, write_or_check  # noqa: E402

from pytest_smtpd.lint.table import RULES  # noqa: E402

SCRIPT = "lint.py"


def reference() -> str:
    meanings = explained(RULES, {name: row.what for name, row in RULES.items()}, "lint rules")
    rows = [
        (f"[{code(name)}](../how-to/other-side.md#{name})", what, RULES[name].rfc, *flags(name))
        for name, what in meanings
    ]
    head = ("rule", "finds", "RFC", "certain", "default")
    return note(SCRIPT) + fill("lint", {"table": table(head, rows), "count": str(len(rows))})


def flags(name: str) -> tuple[str, str]:
    return "yes" if RULES[name].certain else "", "yes" if RULES[name].default else ""


def other_side() -> str:
    explained(RULES, {name: example.why for name, example in EXAMPLES.items()}, "examples of lint rules")
    parts = {
        "default": "\n".join(section(name) for name, row in RULES.items() if row.default),
        "more": "\n".join(section(name) for name, row in RULES.items() if not row.default),
    }
    return note(SCRIPT) + fill("other-side", parts)


def section(name: str) -> str:
    example, row = EXAMPLES[name], RULES[name]
    what = row.what[0].upper() + row.what[1:]
    blocks = "\n".join(f"{title}:\n\n```text\n{text}```\n" for title, text in shown(name))
    return f"### {name}\n\n{what} ({row.rfc}). {example.why}\n\n{blocks}"


def shown(name: str) -> list[tuple[str, str]]:
    example = EXAMPLES[name]
    return [("Wrong", example.wrong), ("Right", example.right)]


PAGES = {"reference/lint.md": reference, "how-to/other-side.md": other_side}

if __name__ == "__main__":
    write_or_check(PAGES)
