#!/usr/bin/env python3
"""Whatever bytes arrive, in whatever pieces, the core gives events or asks for more, and never raises.

``python fuzz/fuzz_core.py -max_total_time=60`` looks for a counter-example, guided by the coverage of the package's
bytecode; any further option is libFuzzer's. Without a directory it works on a copy of ``fuzz/corpus``; see README.md.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "fuzz" / "corpus"
DICTIONARY = ROOT / "fuzz" / "smtp.dict"

sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["pytest_smtpd"]):
    # Also what the core imports when it needs it.
    from pytest_smtpd.message import message  # noqa: F401
    from pytest_smtpd.smtp import connection, proxy, saslprep, scram  # noqa: F401
from tests.smtp.walk import Tape, walk  # noqa: E402


def one_input(data: bytes) -> None:
    walk(data)


def tell_about(files: list[str]) -> None:
    """What the tapes in these files do: what the client sends, what the core reports, the digits of the verdicts."""
    kinds: Counter[str] = Counter()
    for name in files:
        tape = Path(name).read_bytes()
        walked = walk(tape)
        print(f"{name}: {Tape(tape).sent!r}")
        for entry in walked.happened:
            print(f"    {entry!r}")
        kinds.update(type(event).__name__ for event in walked.events)
    print(dict(kinds))


def main() -> None:
    if sys.argv[1:2] == ["--tell"]:
        tell_about(sys.argv[2:])
        return
    arguments = list(sys.argv)
    if all(argument.startswith("-") for argument in arguments[1:]):
        copy = tempfile.mkdtemp(prefix="corpus-")
        shutil.copytree(CORPUS, copy, dirs_exist_ok=True)
        arguments += [copy, f"-artifact_prefix={copy}/"]
        print(f"working on {copy}, where a counter-example is kept too")
    atheris.Setup([*arguments, f"-dict={DICTIONARY}", "-max_len=2048", "-timeout=20"], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
