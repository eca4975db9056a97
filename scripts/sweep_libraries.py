#!/usr/bin/env python3
"""Sweeps mail libraries, and compares what they do wrong with the committed list.

    scripts/sweep_libraries.py                 all of them
    scripts/sweep_libraries.py Django curl     some of them
    scripts/sweep_libraries.py --write         write the list anew

tests/interop/install.sh installs the libraries. What is not installed is left out, and said. Each takes some
minutes, since it waits for servers that fall silent. docs/_generate/libraries.py makes a page of the list.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
INTEROP = Path(os.environ.get("PYTEST_SMTPD_INTEROP_DIR", ROOT / ".interop"))
KNOWN = ROOT / "tests" / "interop" / "libraries" / "known.json"
NAMES = (
    "smtplib", "aiosmtplib", "Django", "Flask-Mail", "fastapi-mail", "redmail", "emails", "yagmail", "SMTPHandler",
    "nodemailer", "curl", "msmtp",
)  # fmt: skip

Library = dict[str, Any]


def swept(name: str, level: str) -> Library | None:
    """What the sweep says of a library; None if it is not installed."""
    python = INTEROP / "venv" / "bin" / "python"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NODE_PATH": str(INTEROP / "npm" / "node_modules")}
    command = [str(python), "-m", "tests.interop.libraries.sweep", name, level]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: left out: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
        return None
    library: Library = json.loads(done.stdout)
    return library


def wrongs(library: Library) -> set[tuple[str, str]]:
    """The findings of a library, each at each of its points; but for one that depends on the garbage collector."""
    found = [one for one in library["findings"] if one["finding"] != "collected"]
    return {(one["finding"], point) for one in found for point in one["points"]}


def differences(before: Library, now: Library) -> list[str]:
    old, new = wrongs(before), wrongs(now)
    return [
        *(f"+ {finding}: {point}" for finding, point in sorted(new - old)),
        *(f"- {finding}: {point}" for finding, point in sorted(old - new)),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--write", action="store_true", help="write the list anew")
    parser.add_argument("--level", choices=("quick", "full"), default="full")
    given = parser.parse_args()
    known: dict[str, Library] = json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.exists() else {}
    differ = False
    for name in given.names or NAMES:
        library = swept(name, given.level)
        if library is None:
            continue
        changes = differences(known.get(name, {"findings": []}), library)
        differ = differ or bool(changes)
        print(
            f"{name} {library['version']}: {len(wrongs(library))} findings at points, {len(changes)} changed",
            flush=True,
        )
        print("".join(f"  {line}\n" for line in changes), end="")
        known[name] = library
        if given.write:
            ordered = {name: known[name] for name in NAMES if name in known}
            KNOWN.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(differ and not given.write)


if __name__ == "__main__":
    sys.exit(main())
