"""Children of a fork that live on, and what they find."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 20  # seconds that a child has to answer, on however busy a machine


@contextmanager
def child(work: Callable[[], Any] = lambda: None) -> Iterator[Any]:
    """What ``work`` returns or raises in a forked child, which is alive inside the block."""
    answer, question = os.pipe()
    here, there = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(there)
            os.write(question, pickle.dumps(_outcome(work)))
            os.read(here, 1)
        finally:
            os._exit(0)
    os.close(question)
    os.close(here)
    try:
        yield _read(answer)
    finally:
        os.close(there)
        os.close(answer)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except BaseException as error:  # noqa: BLE001  it is told to the parent
        return f"{type(error).__name__}: {error}"


def _read(pipe: int) -> Any:
    ready, _, _ = select.select([pipe], [], [], PATIENCE)
    assert ready, "the child does not answer"
    return pickle.loads(os.read(pipe, 1 << 20))


def run(source: str, *arguments: str, check: bool = True) -> str:
    """What a program of its own prints; it fails if it warns, or says anything on its standard error."""
    done = subprocess.run(
        [sys.executable, "-u", *arguments, "-W", "error", "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONDEVMODE": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert not check or (done.returncode == 0 and not done.stderr), f"{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout
