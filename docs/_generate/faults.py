"""Writes the page of all failures and the guide to the commonest, from the catalogue that tests/faults walks."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from tables import fill, note, write_or_check  # noqa: E402 - found by the line above

from tests.faults import hooks  # noqa: E402
from tests.faults.catalogue import SECTIONS  # noqa: E402
from tests.faults.vocabulary import Fault, Verdict, Way  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCRIPT = "faults.py"
#: The ten failures that every program meets one day, by the id of the catalogue and the number of the way.
EVERYDAY = ("R02", "R04", "R11", "A03", "C08", "C05", "X02", "M05", "S11", "X07")
#: The commonest of each step.
COMMON: Mapping[str, Sequence[str]] = {
    "The connection and the greeting": ("C01", "C04", "C06", "C07", "C16"),
    "EHLO and HELO": ("E01", "E03", "E04", "E15"),
    "STARTTLS and TLS": ("S01", "S02", "S10", "S12", "S18"),
    "AUTH": ("A01", "A04", "A05", "A08"),
    "MAIL FROM": ("M02", "M04", "M11", "M16"),
    "RCPT TO": ("R01", "R03", "R05", "R13", "R16"),
    "DATA and BDAT": ("D02", "D06"),
    "While the message is on its way": ("B01", "B03", "B04", "B06"),
    "The reply after the message": ("X01", "X06", "X08", "X09", "X22"),
    "RSET, NOOP, QUIT, and a connection that is kept": ("Q01", "Q05", "Q06"),
    "Limits and sequences": ("L01", "L02", "L05", "L06"),
}

#: What the first way alone does, for failures whose title names what their other ways do too.
FIRST_WAYS: Mapping[str, str] = {
    "S11": "the certificate has expired",
    "E15": "SIZE is not offered",
    "S18": "a client certificate is required, and in TLS 1.3 the client learns that after its handshake",
    "M11": "MAIL needs TLS",
    "R16": "the second RCPT ends the connection",
    "D06": "DATA ends the connection",
    "X22": "LMTP: the message is refused for one recipient of several",
    "Q06": "the idle connection ends without a reply",
}

MEANINGS = {
    Verdict.OK: "the message is delivered, and nobody has to do anything",
    Verdict.RETRY: "the whole message again, later, at another host first if there is one; a lost connection is the "
    "same as a 451",
    Verdict.BOUNCE: "not again; the sender gets to know",
    Verdict.PART: "a result for each recipient: some delivered, some to be tried again, some given up",
    Verdict.STOP: "a wrong setting or password: someone has to look; do not retry; do not fall back to weaker security",
    Verdict.FALLBACK: "something simpler on the same connection",
    Verdict.AMBIG: "the server may have the message: sending it again may deliver it twice",
}


def code(text: str) -> str:
    """Text as code in a cell of a table."""
    fence = "``" if "`" in text else "`"
    return fence + text.replace("|", "\\|") + fence if text else ""


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|")


def rows(fault: Fault) -> list[str]:
    """A row for each way; what they share is in the first."""
    client = f"{'/'.join(fault.verdicts)}: {fault.client} (RFC {fault.rfc.replace(' ', ', ')})"
    return [row(fault, way, client if number == 0 else "") for number, way in enumerate(fault.ways)]


def row(fault: Fault, way: Way, client: str) -> str:
    first = bool(client)
    what = ": ".join(filter(None, [fault.title if first else "", way.what]))
    line = code(way.line) if way.line else "*no rule needed*"
    return f"| {code(fault.id) if first else ''} | {cell(what)} | {line} | {cell(client)} |"


def tables() -> str:
    """The whole catalogue, a table for each step."""
    head = "| failure | what happens | line | a correct client |\n|---|---|---|---|\n"
    return "\n".join(
        f"## {section.title}\n\n{head}" + "".join(f"{line}\n" for fault in section.faults for line in rows(fault))
        for section in SECTIONS
    )


def out_of_reach() -> str:
    """What no line can do, and what to do instead."""
    missing = [fault for section in SECTIONS for fault in section.faults if fault.reason]
    return "".join(f"| {code(f.id)} | {cell(f.title)} | {cell(f.reason)} |\n" for f in missing)


def functions() -> str:
    sources = "\n\n\n".join(inspect.getsource(function).rstrip() for function in hooks.SHOWN)
    imports = "import ssl\nimport time\nimport warnings\n\nfrom pytest_smtpd import Session, Stream"
    return f"```python\n{imports}\n\n\n{sources}\n```\n"


def catalogue() -> str:
    """The page of the reference: every failure."""
    meanings = "".join(f"| {verdict} | {meaning} |\n" for verdict, meaning in MEANINGS.items())
    count = sum(len(section.faults) for section in SECTIONS)
    parts = {"meanings": meanings, "tables": tables(), "functions": functions(), "unreachable": out_of_reach()}
    return note(SCRIPT) + fill("failures", {"count": str(count), **parts})


def chosen(ids: Iterable[str]) -> str:
    """A short table: the first line of each of these failures, and where the catalogue has the others."""
    known = {fault.id: fault for section in SECTIONS for fault in section.faults}
    titles = {name: fault.title for name, fault in known.items()} | dict(FIRST_WAYS)
    rows = [
        f"| {cell(titles[each])} | {code(known[each].ways[0].line or '')} | {{failure}}`{each}` |\n" for each in ids
    ]
    return "| what happens | line | more |\n|---|---|---|\n" + "".join(rows)


def guide() -> str:
    """The page for those who look for one failure, or do not know yet which there are."""
    if [section.title for section in SECTIONS] != list(COMMON):
        raise SystemExit("COMMON has not the sections of the catalogue")
    steps = "\n".join(f"### {title}\n\n{chosen(ids)}" for title, ids in COMMON.items())
    function = inspect.getsource(hooks.read_slowly).rstrip()
    parts = {"everyday": chosen(EVERYDAY), "steps": steps, "read_slowly": function}
    return note(SCRIPT) + fill("make-the-server-fail", parts)


PAGES = {"how-to/make-the-server-fail.md": guide, "reference/failures.md": catalogue}

if __name__ == "__main__":
    write_or_check(PAGES)
