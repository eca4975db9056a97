"""Writes the reports of failing tests on README.md and docs/index.md, as pytest prints them.

``<!-- report: FILE -->`` stands above the block of each. The file is a block of the same page, with the other
files of that page beside it, or one of examples/.
What differs from run to run (times, ports) is left as it is while the rest is the same.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path[:0] = [str(Path(__file__).parents[2])]

from tests.docs.pages import DOCS, PLUGIN, ROOT, Page, run, settled, write  # noqa: E402 - found by the line above

PAGES: Final = (ROOT / "README.md", DOCS / "index.md")

# Columns of a line; the rest of a longer one is left out.
WIDTH: Final = 88

REPORT: Final = re.compile(
    r"^<!-- report: (?P<file>\S+) -->\n(?P<fence>```\w+\n)(?P<command>\$ pytest[^\n]*\n)?(?P<lines>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SECTION: Final = re.compile(r"^-+ Captured smtpd .*?(?=^[-=]{3,})", re.MULTILINE | re.DOTALL)


def report(output: str) -> str:
    """Of what pytest prints: the lines of the exception, and the conversation."""
    error = "".join(f"{line}\n" for line in output.splitlines() if re.match(r"E  ", line))
    section = SECTION.search(output)
    if not error or section is None:
        raise SystemExit(f"no report in\n{output}")
    return "".join(f"{shortened(line)}\n" for line in (error + section[0]).splitlines())


def shortened(line: str) -> str:
    return line.rstrip() if len(line) <= WIDTH else f"{line[: WIDTH - 3].rpartition(' ')[0].rstrip()} ..."


def printed(page: Page, found: re.Match[str]) -> str:
    """What pytest prints for the file of a block."""
    command = (found["command"] or f"$ pytest {found['file']}").removeprefix("$ ").split()
    files = {block.name: block.code for block in page.blocks() if block.name is not None}
    if found["file"] not in files:
        return run(command, ROOT / "examples", [PLUGIN]).output
    with tempfile.TemporaryDirectory() as folder:
        for name, code in files.items():
            write(Path(folder, name), code)
        return run(command, Path(folder), [PLUGIN]).output


def block(page: Page, found: re.Match[str]) -> str:
    new, old = report(printed(page, found)), found["lines"]
    lines = old if [*map(settled, new.splitlines())] == [*map(settled, old.splitlines())] else new
    return f"<!-- report: {found['file']} -->\n{found['fence']}{found['command'] or ''}{lines}```"


def main() -> None:
    stale = []
    for path in PAGES:
        page = Page(path)
        text = REPORT.sub(lambda found, page=page: block(page, found), page.text)  # type: ignore[misc]
        if text != page.text:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        raise SystemExit(f"not up to date: {', '.join(stale)}")


if __name__ == "__main__":
    main()
