"""Writes docs/reference/sweep.md from the tables of the sweep: options, findings, notices, failure points, classes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from classes import entries_of  # noqa: E402 - found by the line above
from tables import code, explained, fill, literal, note, table, write_or_check  # noqa: E402

from pytest_smtpd.rules.hooks import HOOKS  # noqa: E402
from pytest_smtpd.sweep.faults import FAULTS, NEEDS, OTHER, SETTINGS, Fault, Kind, SetUp  # noqa: E402
from pytest_smtpd.sweep.judge import FINDINGS, NOTICES, Row  # noqa: E402
from pytest_smtpd.sweep.options import OPTIONS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCRIPT = "sweep.py"

# The classes of the page, each with what is public to the package only: nothing for users to rely on.
CLASSES: Mapping[str, str] = {
    "Sweep": "abandon counts fixed is_complete options order problem transcripts",
    "Fault": "",
    "Finding": "",
    "SweepFailure": "",
}


def page() -> str:
    return note(SCRIPT) + fill(
        "sweep",
        {
            "options": options(),
            "findings": judged("finding", FINDINGS),
            "notices": judged("notice", NOTICES),
            "kinds": kinds(),
            "points": "\n".join(step(name, faults) for name, faults in {**FAULTS, "other": OTHER}.items()),
            "settings": settings(),
            **entries_of(CLASSES),
        },
    )


def options() -> str:
    meanings = explained(OPTIONS, {name: row.meaning for name, row in OPTIONS.items()}, "options of a sweep")
    rows = [(code(name), code(literal(OPTIONS[name].default)), OPTIONS[name].wanted, text) for name, text in meanings]
    return table(("option", "default", "may be", "meaning"), rows)


def judged(kind: str, rows: Mapping[str, Row]) -> str:
    """Findings or notices, gravest first."""
    meanings = explained(rows, {name: row.meaning for name, row in rows.items()}, f"{kind}s of a sweep")
    return table((kind, "means"), [(code(name), text) for name, text in meanings])


def kinds() -> str:
    names = [kind.name for kind in Kind]
    meanings = explained(names, {kind.name: kind.value for kind in Kind}, "kinds of failures")
    return table(("kind", "what it means to a correct client"), [(word(Kind[name]), text) for name, text in meanings])


def word(kind: Kind) -> str:
    return "confirmed" if kind is Kind.TOLD else kind.name.lower().replace("_", " ")


def step(name: str, faults: Iterable[Fault]) -> str:
    """The failures of one step of the dialogue."""
    rows = [(point(name, fault), code(arguments(fault.options)), word(fault.kind), level(fault)) for fault in faults]
    return f"### {title(name)}\n\n" + table(("point", "what the server does", "kind", "level"), rows)


def title(name: str) -> str:
    if name == "other":
        return "Any other command"
    return f"{code(name)}: {HOOKS[name].when}" if name in HOOKS else f"{code(name)}: the command"


def point(name: str, fault: Fault) -> str:
    return code(f"{'VERB' if name == 'other' else name}-{fault.name}")


def level(fault: Fault | SetUp) -> str:
    again = ", also at later calls" if isinstance(fault, Fault) and fault.again else ""
    return fault.level + again


def arguments(values: Mapping[str, object]) -> str:
    """Options of a rule, or settings, as they are written."""
    return ", ".join(f"{name}={literal(value)}" for name, value in values.items())


def settings() -> str:
    rows = [(code(name), what(row), NEEDS[row.needs], word(row.kind), row.level) for name, row in SETTINGS.items()]
    return table(("point", "the server", "tried if there was", "kind", "level"), rows)


def what(row: SetUp) -> str:
    return "does not run" if row.stopped else code(arguments(row.changes))


PAGES = {"reference/sweep.md": page}

if __name__ == "__main__":
    write_or_check(PAGES)
