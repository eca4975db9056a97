"""Fills the tables of docs/explanation/performance.md with the figures of one run of the benchmarks.

``python benchmarks/run.py --json docs/_generate/figures.json`` writes them. ``<!-- figures: NAME -->`` stands above
each table, and above the line that says when and where they were measured.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.docs.pages import DOCS  # noqa: E402 - found by the line above

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = DOCS / "explanation" / "performance.md"
FIGURES: Final = DOCS / "_generate" / "figures.json"

OURS, AIOSMTPD, SMTPDFIX, LOCALSERVER = "pytest_smtpd", "aiosmtpd", "smtpdfix", "pytest-localserver"
NODE, BARE, SINK = "smtp-server", "bare asyncio", "smtp-sink"


class Table(NamedTuple):
    """Contenders side by side; a row is what it says, a workload, and one of its metrics."""

    title: str
    contenders: tuple[str, ...]
    rows: tuple[tuple[str, str, str], ...]


_LOADS: Final = tuple(
    (f"{size[:-2]} {size[-2:]}, {sessions} at once, {words}", f"throughput-{size}-{sessions}-{kind}", "cpu")
    for size in ("1KB", "100KB")
    for kind, words in (("new", "a connection each"), ("reused", "connections kept"))
    for sessions in (1, 10, 50)
)
_STATES: Final = ("connected", "mid-transfer", "mid-handshake", "hang", "delay", "async-hook", "100-connected")

TABLES: Final = {
    "test": Table(
        "milliseconds",
        (OURS, AIOSMTPD, SMTPDFIX, LOCALSERVER, BARE, SINK),
        (
            ("make, start, stop a server", "server", "wall"),
            ("the fixture, set-up and teardown in pytest", "fixture", "wall"),
            ("the first test of a run, above the others", "first", "default"),
            ("the same with `tls=None`", "first", "clear"),
            ("one message, in clear", "message-clear", "wall"),
            ("one message, STARTTLS", "message-starttls", "wall"),
            ("one message, implicit TLS", "message-implicit", "wall"),
            ("CPU of an installed plugin that is not used", "unused", "cpu"),
        ),
    ),
    "tls": Table(
        "microseconds",
        (OURS, AIOSMTPD, SMTPDFIX, NODE),
        (
            ("one message, in clear", "message-clear", "cpu"),
            ("one message, STARTTLS", "message-starttls", "cpu"),
            ("one message, implicit TLS", "message-implicit", "cpu"),
        ),
    ),
    "load": Table("microseconds", (OURS, AIOSMTPD, NODE, BARE, SINK), _LOADS),
    "dots": Table(
        "milliseconds",
        (OURS, AIOSMTPD, NODE, SINK),
        (("DATA", "transfer-data", "cpu"), ("BDAT", "transfer-bdat", "cpu")),
    ),
    "large": Table(
        "one message of 50 MB",
        (OURS, AIOSMTPD, NODE, BARE, SINK),
        (("MB per second", "large", "rate"), ("memory at the peak, times the message", "large", "peak")),
    ),
    "idle": Table(
        "1,000 clients at once",
        (OURS, AIOSMTPD, NODE, BARE, SINK),
        (("seconds until all are greeted", "idle", "opened"), ("memory each, KB", "idle", "memory")),
    ),
    "recorded": Table(
        "100,000 messages",
        (OURS,),
        (
            ("cost of the last thousands over the first", "recorded", "growth"),
            ("KB of memory kept for each", "recorded", "memory"),
            ("milliseconds of `one(to=...)`, which looks at all of them", "recorded", "query"),
        ),
    ),
    "stop": Table(
        "milliseconds, at worst",
        (OURS,),
        tuple((state.replace("-", " "), f"stop-{state}", "worst") for state in _STATES),
    ),
}


def table(figures: dict[str, Any], name: str) -> Iterator[str]:
    """A table in Markdown. In brackets: ours as a multiple of the other's."""
    title, contenders, rows = TABLES[name]
    yield f"| {title} | {' | '.join(contenders)} |"
    yield "|---" * (len(contenders) + 1) + "|"
    for words, workload, metric in rows:
        cells = (cell(figures["workloads"][workload].get(contender, {}), metric, contender) for contender in contenders)
        yield f"| {words} | {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def cell(measured: dict[str, Any], metric: str, contender: str) -> str:
    if metric not in measured:
        return ""
    median, ratio = measured[metric]["median"], measured[metric]["ratio"]
    return number(median) + (f" ({number(ratio)})" if contender != OURS and ratio is not None else "")


def number(value: float) -> str:
    """Two digits that count, or three before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def targets(figures: dict[str, Any]) -> Iterator[str]:
    """What the project has set out to reach, and what it has reached."""
    yield "| target | measured | |"
    yield "|---|---|---|"
    for row in figures["targets"]:
        yield f"| {row['target']} | {row['measured']:.3g} | {'met' if row['met'] else '**missed**'} |"


def run_of(figures: dict[str, Any]) -> Iterator[str]:
    yield f"The figures are those of one run on {figures['date']}: {figures['machine']}, in a virtual machine with two"
    yield "cores. Trust the ratios to about a tenth."


def part(figures: dict[str, Any], name: str) -> str:
    makers = {"targets": targets, "run": run_of}
    lines = makers[name](figures) if name in makers else table(figures, name)
    return "\n".join(lines)


def main() -> None:
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    filled = re.sub(
        r"^<!-- figures: (\w+) -->\n.*?(?=\n\n|\n\Z)",
        lambda found: f"<!-- figures: {found[1]} -->\n{part(figures, found[1])}",
        text,
        flags=re.MULTILINE | re.DOTALL,
    )
    if filled != text:
        if "--check" in sys.argv:
            raise SystemExit(f"not up to date: {PAGE.name}")
        PAGE.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    main()
