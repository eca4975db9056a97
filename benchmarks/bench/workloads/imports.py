"""What an installed plugin costs a pytest run that does not use it: the whole process, with it and without."""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.contenders import LOCALSERVER, OURS, SMTPDFIX
from bench.pairing import Measure, Metric, Sample, Scale, Workload

# The names of the entry points. Everyone else's are switched off in both runs of a pair.
PLUGINS = {OURS: "pytest-smtpd", SMTPDFIX: "smtpd", LOCALSERVER: "localserver"}


@contextmanager
def unused(name: str, scale: Scale) -> Iterator[Measure]:
    pairs = scale.of(40)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "test_nothing.py").write_text("def test_nothing(): pass\n", encoding="utf-8")
        without = _command(set(PLUGINS.values()))
        using = _command(set(PLUGINS.values()) - {PLUGINS[name]})

        def measure() -> Sample:
            bare: list[tuple[float, float]] = []
            full: list[tuple[float, float]] = []
            with _on_one_core():
                for number in range(pairs):
                    turn = -1 if number % 2 else 1  # who comes first
                    for command, runs in ((without, bare), (using, full))[::turn]:
                        runs.append(_run(command, directory))
            return {
                "wall": median(after - before for (before, _), (after, _) in zip(bare, full, strict=True)),
                "cpu": median(after - before for (_, before), (_, after) in zip(bare, full, strict=True)),
                "bare": median(cpu for _, cpu in bare),
            }

        for command in (without, using):  # which compiles what is not compiled yet
            _run(command, directory)
        yield measure


@contextmanager
def _on_one_core() -> Iterator[None]:
    """A process that is moved to another core pays for what it finds there."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _command(switched_off: set[str]) -> list[str]:
    options = [option for plugin in sorted(switched_off) for option in ("-p", f"no:{plugin}")]
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]


def _run(command: list[str], directory: str) -> tuple[float, float]:
    # Nor PYTHONDONTWRITEBYTECODE: pytest would compile a plugin again in each run.
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "PYTHON"))}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    subprocess.run(command, cwd=directory, env=env, stdout=subprocess.DEVNULL, check=True)
    wall, after = perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


WORKLOADS = (
    Workload(
        name="unused",
        about="a pytest run of one empty test, beyond the same run with the plugin switched off",
        contenders=tuple(PLUGINS),
        metrics=(
            Metric(name="wall", unit="ms", factor=1e3),
            Metric(name="cpu", unit="ms of CPU", factor=1e3),
            Metric(name="bare", unit="ms of CPU without any", factor=1e3),
        ),
        prepare=unused,
        rounds=5,
    ),
)
