"""What a process holds, so that two moments can be compared."""

import asyncio
import gc
import os
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

# Linux, macOS.
DESCRIPTORS = next(path for path in (Path("/proc/self/fd"), Path("/dev/fd")) if path.is_dir())


@dataclass(frozen=True, slots=True)
class Residue:
    """Everything that a server must have given back when it is gone."""

    threads: frozenset[str]
    descriptors: dict[str, str]
    tasks: int
    files: frozenset[str]
    environment: dict[str, str]


@dataclass(slots=True)
class Peak:
    """The most Python memory that a block has used beyond what was there before."""

    size: int = field(default=0)


def take() -> Residue:
    """What is held at this moment."""
    gc.collect()
    return Residue(
        threads=frozenset(f"{thread.name} {thread.ident}" for thread in threading.enumerate()),
        descriptors=dict(_descriptors()),
        tasks=sum(_is_pending_task(each) for each in gc.get_objects()),
        files=frozenset(str(path) for path in Path(tempfile.gettempdir()).rglob("*")),
        # pytest writes the running phase there, and coverage tools their counters.
        environment={key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))},
    )


@contextmanager
def nothing_left(directory: Path) -> Iterator[None]:
    """Compare before and after; temporary files are looked for in a directory that nobody else writes to."""
    directory.mkdir()
    usual, tempfile.tempdir = tempfile.tempdir, str(directory)
    try:
        before = take()
        yield
        after = take()
        # Idle threads of another test (trio keeps some for ten seconds) may end at any moment.
        _assert_same(before, replace(after, threads=after.threads | before.threads))
    finally:
        tempfile.tempdir = usual


def assert_steady(cycle: Callable[[], object], count: int) -> None:
    """Memory does not grow with the number of cycles: less than one object in two cycles stays."""
    for _ in range(count // 3 + 5):
        cycle()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(count):
        cycle()
    gc.collect()
    grown = sys.getallocatedblocks() - before
    # The constant is for what the interpreter itself keeps warm (free lists, caches), measured without any server.
    assert grown < count / 2 + 500, f"{grown} memory blocks more after {count} cycles"


@contextmanager
def traced() -> Iterator[Peak]:
    """Measure the peak of Python's own memory, exactly, whatever ran in this process before."""
    peak = Peak()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield peak
        peak.size = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def _assert_same(before: Residue, after: Residue) -> None:
    differences = [
        f"{name}: {getattr(before, name)} before, {getattr(after, name)} after"
        for name in Residue.__slots__
        if getattr(before, name) != getattr(after, name)
    ]
    assert not differences, "\n".join(differences)


def _is_pending_task(thing: Any) -> bool:
    # By its type: isinstance would ask proxies, some of which raise.
    return issubclass(type(thing), asyncio.Task) and not thing.done()


def _descriptors() -> Iterator[tuple[str, str]]:
    for path in list(DESCRIPTORS.iterdir()):
        with suppress(OSError):  # the descriptor of this very listing is gone
            yield path.name, str(path.readlink())
