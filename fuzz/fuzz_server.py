#!/usr/bin/env python3
"""Whatever clients, rules and hook functions do together, the server goes on, its log is whole, and nothing is left.

``python fuzz/fuzz_server.py -max_total_time=60`` looks for a counter-example with a server in this process, guided by
the coverage of the package's bytecode; any further option is libFuzzer's. Without a directory it begins with the tapes
of ``tests/tapes/seeds.py``: the catalogue of failures, and every hook function; see README.md.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[1]

sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["pytest_smtpd"]):
    import pytest_smtpd

    # What is imported only when it is needed has to be instrumented too.
    for found in pkgutil.walk_packages(pytest_smtpd.__path__, "pytest_smtpd."):
        if not found.name.startswith("pytest_smtpd.plugin"):
            importlib.import_module(found.name)
from tests.tapes.invariants import check, nothing_left  # noqa: E402
from tests.tapes.seeds import order, seeds  # noqa: E402
from tests.tapes.tape import ORDERS, Tape, play  # noqa: E402


def one_input(data: bytes) -> None:
    with nothing_left():
        played = play(data)
    if played is not None:
        check(played)


def tell_about(files: list[str]) -> None:
    """What the tapes in these files do: the ingredients, the script, what the clients hear, and the transcript."""
    for name in files:
        data = Path(name).read_bytes()
        tape = Tape(data)
        print(f"{name}:")
        print(*(f"    with {ingredient}" for ingredient in tape.ingredients), sep="\n")
        for letter, operand in tape.steps():
            print(f"    {letter or 'send'} {operand!r}")
        played = play(data)
        if played is not None:
            print(*(f"    heard {client.heard!r}" for client in played.clients), sep="\n")
            print(played.server.log.transcript())
            print(*map(repr, played.server.errors), sep="\n")


def dictionary(folder: Path) -> Path:
    """The words of SMTP, and the orders of a tape."""
    file = folder / "server.dict"
    orders = [f'"\\xff{letter}"' for letter in sorted(ORDERS)] + [f'"\\x0d\\x0a\\xff{letter}"' for letter in "WTFRN"]
    words = (ROOT / "fuzz" / "smtp.dict").read_text(encoding="utf-8")
    file.write_text("\n".join([words, *orders, ""]), encoding="utf-8")
    return file


def corpus() -> Path:
    """A new directory with the seeds."""
    folder = Path(tempfile.mkdtemp(prefix="corpus-"))
    for number, (_, tape) in enumerate(seeds()):
        (folder / f"seed-{number:04}").write_bytes(tape)
        (folder / f"seed-{number:04}-waits").write_bytes(tape.replace(b"\r\n", b"\r\n" + order(",")))
    return folder


def main() -> None:
    if sys.argv[1:2] == ["--tell"]:
        tell_about(sys.argv[2:])
        return
    arguments = list(sys.argv)
    if all(argument.startswith("-") for argument in arguments[1:]):
        folder = corpus()
        arguments += [str(folder), f"-artifact_prefix={folder}/"]
        print(f"working on {folder}, where a counter-example is kept too")
    options = [f"-dict={dictionary(Path(tempfile.mkdtemp()))}", "-max_len=4096", "-timeout=30"]
    atheris.Setup([*arguments, *options], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
