"""A page of the documentation as a reader follows it: files are written, commands are run, output is compared.

* A ``python``, ``ini`` or ``toml`` block whose first line is ``# some/name.py`` is that file.
* Other ``python`` blocks of a page build on each other; together they are one more file, ``test_page.py``.
* In a ``console`` block, ``$ pytest ...`` and ``$ rm ...`` are run, with the files as they are at that point of the
  page. The lines below have to appear in the output, in this order; ``...`` stands for lines that are left out.
* ``$ python -m pytest_smtpd ...`` is run until ``send.py``, if the page has that file, has sent its mail to it.
* ``<!-- name: some_name.py -->`` names the file without showing it. Test files that no command runs are run at the end.
* ``<!-- sketch -->`` marks tests with holes: only their markers and fixtures are tried, by ``pytest --setup-only``.
* ``<!-- before: module -->`` marks a block of another tool, which is run by itself where that tool is installed.
* ``<!-- plugins: module ... -->`` names pytest plugins that the page needs beside this project's.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PLUGIN = "pytest_smtpd.plugin"

BLOCK = re.compile(
    r"^(?:<!-- (?P<key>before|name|sketch)(?:: (?P<value>[\w./-]+))? -->\n\n?)?"
    r"```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
NAME = re.compile(r"# (?P<name>[\w./-]+\.\w+)\n")
PLUGINS = re.compile(r"<!-- plugins: (.+?) -->")

BY_HAND = ["python", "-m", "pytest_smtpd"]

# What differs from run to run: times, ports, ids, object addresses.
PASSING = (
    (re.compile(r"^(?:E +| +)\d+\.\d{3} (?=[CS-]: )"), "<time> "),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "<id>"),
    (re.compile(r"\bin \d+\.\d+ ?s\b"), "in <time>"),
    (re.compile(r" {2,}(?=\[ *\d+%\])"), "  "),
    (re.compile(r"^=+ | =+$"), ""),
    (re.compile(r"-{3,}"), "---"),
    (re.compile(r"\bsize=\d+|<\d+ bytes"), "<size>"),
)


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    remark: str | None = None
    value: str | None = None

    @property
    def name(self) -> str | None:
        if self.remark == "name":
            return self.value
        found = NAME.match(self.code) if self.language in ("python", "ini", "toml") else None
        return found["name"] if found else None

    @property
    def before(self) -> str | None:
        return self.value if self.remark == "before" else None


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def id(self) -> str:
        return self.path.relative_to(ROOT).with_suffix("").as_posix().removeprefix("docs/").replace("/", "-")

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def plugins(self) -> list[str]:
        return [PLUGIN, *(name for found in PLUGINS.findall(self.text) for name in found.split())]

    def blocks(self) -> list[Block]:
        """Every fenced block, in order."""
        found = BLOCK.finditer(self.text)
        return [Block(block["language"], block["code"], block["key"], block["value"]) for block in found]

    def follow(self, folder: Path) -> Iterator[tuple[str, str, list[str]]]:
        """Do what the page says; for each command, the command, its output, and the lines that the page shows of it."""
        blocks = [block for block in self.blocks() if block.before is None]
        unrun: set[str] = set()
        for block in blocks:
            if block.name is not None:
                write(folder / block.name, block.code)
                unrun |= {block.name} if block.name.startswith("test_") else set()
            elif block.remark == "sketch":
                yield self._pass(["pytest", "--setup-only", "test_sketch.py"], folder, block.code)
            elif block.language == "console":
                for command, shown in commands(block.code):
                    yield " ".join(command), run(command, folder, self.plugins).output, shown
                    unrun -= unrun if len(command) == 1 else set(command)
        yield from self._rest(blocks, unrun, folder)

    def _rest(self, blocks: list[Block], unrun: set[str], folder: Path) -> Iterator[tuple[str, str, list[str]]]:
        """What no command of the page has run."""
        unnamed = [block for block in blocks if block.language == "python" and block.name is None]
        code = "\n\n".join(block.code for block in unnamed if block.remark != "sketch")
        if code:
            yield self._pass(command_for(code), folder, code)
        if unrun:
            yield self._pass(["pytest", *sorted(unrun)], folder)

    def _pass(self, command: list[str], folder: Path, code: str | None = None) -> tuple[str, str, list[str]]:
        """Run what has to go well."""
        if code is not None:
            write(folder / command[-1], code)
        done = run(command, folder, self.plugins)
        assert done.code == 0, f"$ {' '.join(command)}\n{done.output}"
        assert " skipped" not in done.output, done.output
        return " ".join(command), done.output, []


def command_for(code: str) -> list[str]:
    """How to run a page's unnamed blocks."""
    has_tests = re.search(r"^(async )?def test_", code, re.MULTILINE) is not None
    return ["pytest", "-W", "error", "test_page.py"] if has_tests else ["python", "-W", "error", "page.py"]


def write(path: Path, code: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, encoding="utf-8")


def commands(code: str) -> list[tuple[list[str], list[str]]]:
    """The commands of a console block that can be run here, each with the lines shown below it."""
    found: list[tuple[list[str], list[str]]] = []
    for line in code.splitlines():
        if line.startswith("$ "):
            found.append((shlex.split(line[2:]), []))
        elif found and line.strip() not in ("", "..."):
            found[-1][1].append(line)
    return [(one, shown) for one, shown in found if one[0] in ("pytest", "rm") or one[:3] == BY_HAND]


@dataclass(frozen=True)
class Done:
    code: int
    output: str


def run(command: Sequence[str], folder: Path, plugins: Sequence[str], python: str = sys.executable) -> Done:
    """Run ``pytest`` or ``python`` as a reader would, without this suite's own options and plugins."""
    program, *arguments = command
    if program == "rm":
        for name in arguments:
            (folder / name).unlink()
        return Done(0, "")
    if program == "pytest":
        options = [word for name in plugins for word in ("-p", name)]
        options += ["-o", "asyncio_default_fixture_loop_scope=function"] * ("pytest_asyncio.plugin" in plugins)
        arguments = ["-m", "pytest", *options, *arguments]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYTEST_ADDOPTS": "-p no:cacheprovider --color=no",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "COLUMNS": "80",
    }
    for name in ("PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_VERSION"):
        environment.pop(name, None)
    if [program, *arguments[:2]] == BY_HAND:
        return serve([python, *arguments, "--port", "0"], folder, environment)
    done = subprocess.run(
        [python, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    return Done(done.returncode, done.stdout + done.stderr)


def serve(command: Sequence[str], folder: Path, environment: dict[str, str]) -> Done:
    """Serve by hand, send what the page sends, and press Ctrl-C."""
    environment = environment | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = [server.stdout.readline()]
        while "export SMTP_URL=" not in lines[-1]:
            lines.append(server.stdout.readline())
            assert lines[-1], "".join(lines)
        exported = dict(line.split("export ")[1].strip().split("=") for line in lines if "export " in line)
        if (folder / "send.py").exists():
            subprocess.run([sys.executable, "send.py"], cwd=folder, env=environment | exported, timeout=90, check=True)
        server.send_signal(signal.SIGINT)
        rest, _ = server.communicate(timeout=90)
    return Done(server.returncode, "".join(lines) + rest)


def settled(line: str) -> str:
    """A line without what differs from run to run; and smtplib writes FROM and TO now in this case, now in that."""
    for pattern, word in PASSING:
        line = pattern.sub(word, line)
    return re.sub(r"(?<= C: )(mail from|rcpt to):", lambda verb: verb[0].lower(), line.rstrip(), flags=re.IGNORECASE)


def first_missing(shown: Sequence[str], output: str) -> str | None:
    """The first of the lines shown that the output does not have, in this order; `` ...`` at the end cuts a line."""
    lines = iter([settled(line) for line in output.splitlines()])
    return next((line for line in shown if not any(is_shown(settled(line), real) for real in lines)), None)


def is_shown(line: str, real: str) -> bool:
    return real.startswith(line.removesuffix(" ...")) if line.endswith(" ...") else line == real


# Pages with a runner of their own: tests/recipes, tests/faults.
ELSEWHERE = ("docs/recipes/", "docs/reference/failures.md")


def pages() -> list[Page]:
    """README.md and every page of docs/."""
    found = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [Page(path) for path in found if "_build" not in path.parts]


def pages_to_run() -> list[Page]:
    """Those that have something to run, and are not run elsewhere."""
    here = [page for page in pages() if not page.path.relative_to(ROOT).as_posix().startswith(ELSEWHERE)]
    return [page for page in here if any(block.language in ("python", "console") for block in page.blocks())]
