"""The map of the code shows the code as it is."""

from __future__ import annotations

import re
import socket
import threading
import tomllib
from importlib import import_module
from pathlib import Path
from types import FrameType

import pytest

from pytest_smtpd import SMTPServer, on
from tests.docs.pages import DOCS, ROOT

PACKAGE = ROOT / "pytest_smtpd"
MAP = (DOCS / "reviewers.md").read_text(encoding="utf-8")
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
PACKAGES = [f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")]
SPANS = set(re.findall(r"`([^`\n]+)`", MAP))
FOLDERS = ("docs/", "tests/", "benchmarks/", "scripts/")
PATHS = sorted(span for span in SPANS if re.fullmatch(r"[\w/]+(\.(py|toml|md)|/)", span))


def section(title: str) -> str:
    """The text below a heading, up to the next."""
    _, found, rest = MAP.partition(f"# {title}\n")
    assert found, title
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


# --- what is where --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [*MODULES, *PACKAGES])
def test_every_module_has_its_place_on_the_map(module: str) -> None:
    assert module in SPANS


@pytest.mark.parametrize("path", PATHS)
def test_what_is_on_the_map_exists(path: str) -> None:
    assert ((ROOT if path.startswith(FOLDERS) or path == "CONTRIBUTING.md" else PACKAGE) / path).exists()


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "tests").iterdir() if path.is_dir()))
def test_every_folder_of_tests_is_on_the_map(folder: str) -> None:
    if not folder.startswith("__"):
        assert f"`tests/{folder}`" in MAP


def test_layers_are_those_of_the_import_contract() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    drawn = re.search(r"```text\n(.*?)```", section("Packages and layers"), re.DOTALL)
    assert drawn
    assert [re.findall(r"\w+", line) for line in drawn[1].splitlines()] == [
        re.findall(r"\w+", layer) for layer in contract["layers"]
    ]


# --- names ----------------------------------------------------------------------------------------------------------

PAIR = re.compile(r"`(?P<file>[\w/]+\.py)`\s+`(?P<name>[\w.]+)`")
PAIRS = sorted({(found["file"], found["name"]) for found in PAIR.finditer(MAP)})


def attribute(module: str, name: str) -> object:
    found: object = import_module(f"pytest_smtpd.{module.removesuffix('.py').replace('/', '.')}")
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize(("module", "name"), PAIRS)
def test_what_is_called_on_the_map_exists(module: str, name: str) -> None:
    assert callable(attribute(module, name))


def is_somewhere(name: str) -> bool:
    """Whether some module of the package has this name at its top level."""
    pattern = re.compile(rf"^(?:class |def |async def )?{name}\b", re.MULTILINE)
    return any(pattern.search((PACKAGE / module).read_text(encoding="utf-8")) for module in MODULES)


NAMES = sorted(span for span in SPANS - {*PATHS} if re.fullmatch(r"_?[A-Z]\w+(\.\w+)?", span))


@pytest.mark.parametrize("name", NAMES)
def test_classes_tables_and_methods_of_the_map_exist(name: str) -> None:
    first, _, method = name.partition(".")
    assert is_somewhere(first)
    if method:
        pattern = re.compile(rf"^class {first}\b.*?^    (async )?def {method}\b", re.MULTILINE | re.DOTALL)
        assert any(pattern.search((PACKAGE / module).read_text(encoding="utf-8")) for module in MODULES)


GROWTH = [
    line.strip("|").split("|") for line in section("Where a new thing goes").splitlines() if line.startswith("| ")
]


@pytest.mark.parametrize("row", GROWTH[1:], ids=lambda row: row[0].strip())
def test_a_new_thing_goes_into_a_table_that_exists(row: list[str]) -> None:
    _, file, table = row
    names = re.findall(r"`(_?[A-Z]\w+)`", table.partition("(")[0])
    for module in re.findall(r"`([\w/]+\.py)`", file):
        if names:
            attribute(module, names[0])
        for found in re.finditer(r"`(?P<name>_?[A-Z]\w+)` in `(?P<file>[\w/]+\.py)`", table):
            attribute(found["file"], found["name"])


# --- the way of one command -----------------------------------------------------------------------------------------

Step = tuple[str, str]


def way(title: str) -> list[Step]:
    """The files and functions that a section names, in order."""
    return [(found["file"], found["name"]) for found in PAIR.finditer(section(title))]


class Tracer:
    """What is called in the threads that are started meanwhile: files of the package, and functions."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            self.steps.append((path.relative_to(PACKAGE).as_posix(), frame.f_code.co_qualname))


def trace(*rules: dict[str, object]) -> list[Step]:
    """What a server's thread does for its second RCPT, until the reply is sent; with rules, until the end."""
    tracer = Tracer()
    threading.setprofile(tracer)
    try:
        server = SMTPServer(tls=None, on=[on("rcpt_to", to="bob@*", **rule) for rule in rules])  # type: ignore[arg-type]
        server.start()
    finally:
        threading.setprofile(None)
    with server, socket.create_connection(server.address, timeout=10) as client, client.makefile("rb") as replies:
        replies.readline()
        for line in (b"HELO client.example", b"MAIL FROM:<app@example.com>", b"RCPT TO:<ada@example.com>"):
            client.sendall(line + b"\r\n")
            assert replies.readline().startswith(b"250 ")
        server.catch_up()
        client.sendall(b"RCPT TO:<bob@example.com>\r\n")
        replies.readline()
        if rules:
            assert replies.read() == b""  # until the connection has ended
        steps = list(tracer.steps)
    begin = max(place for place, step in enumerate(steps) if step == ("smtp/mail.py", "parse_rcpt"))
    begin = max(place for place in range(begin) if steps[place] == ("net/transport.py", "Transport.ready"))
    if rules:
        return steps[begin:]
    return steps[begin : steps.index(("net/transport.py", "Transport.write"), begin) + 1]


def first_missing(named: list[Step], taken: list[Step]) -> Step | None:
    """The first step of the page that is not taken behind those before it."""
    rest = iter(taken)
    for file, name in named:
        if not any(step[0] == file and f"{step[1]}.".startswith(f"{name}.") for step in rest):
            return file, name
    return None


def test_the_way_of_a_command_is_the_one_that_a_server_takes() -> None:
    named, taken = way("One command's way"), trace()

    assert len(named) >= 10
    assert first_missing(named, taken) is None
    assert list(dict.fromkeys(file for file, _ in named)) == list(dict.fromkeys(file for file, _ in taken))


def test_the_way_past_a_rule_is_the_one_that_a_server_takes() -> None:
    named, taken = way("With a rule"), trace({"reply": 550, "delay": 0.001, "drop": True})

    assert len(named) >= 10
    assert first_missing(named, taken) is None


def test_a_way_that_is_not_taken_would_be_found() -> None:
    taken = [("a.py", "A.f"), ("b.py", "g"), ("a.py", "A.h")]
    assert first_missing([("a.py", "A.h"), ("b.py", "g")], taken) == ("b.py", "g")
    assert first_missing([("a.py", "A"), ("a.py", "A.h")], taken) is None
