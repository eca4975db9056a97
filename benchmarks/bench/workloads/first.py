"""The first test of a run that uses the fixture: what has to be imported and made once is paid there."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.contenders import LOCALSERVER, OURS, SMTPDFIX, UnsupportedError
from bench.pairing import Measure, Metric, Sample, Scale, Workload
from bench.workloads.fixture import PLUGIN_AND_FIXTURE

CONFTEST = """
spent = []

def pytest_runtest_logreport(report):
    if report.when != "call":
        spent.append(report.duration)

def pytest_sessionfinish():
    print("SPENT", sum(spent))
"""
#: What stands above the test: the default settings, and for us a server without TLS.
MARKERS = {"default": "", "clear": "@pytest.mark.smtpd(tls=None)\n"}


@contextmanager
def first(name: str, scale: Scale) -> Iterator[Measure]:
    plugin, wanted = PLUGIN_AND_FIXTURE[name]
    markers = MARKERS if name == OURS else {"default": ""}
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "conftest.py").write_text(CONFTEST, encoding="utf-8")
        Path(directory, "test_bare.py").write_text("def test_one(request): pass\n", encoding="utf-8")
        for kind, marker in markers.items():
            text = f"import pytest\n{marker}def test_one({wanted}): pass\n"
            Path(directory, f"test_{kind}.py").write_text(text, encoding="utf-8")

        def measure() -> Sample:
            bare = _spent(directory, "test_bare.py", plugin, scale)
            return {kind: _spent(directory, f"test_{kind}.py", plugin, scale) - bare for kind in markers}

        measure()  # compiles what is not compiled yet
        yield measure


def _spent(directory: str, file: str, plugin: str, scale: Scale) -> float:
    """Seconds of set-up and tear-down of the only test of a run; the median of several runs."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-p", plugin, file]
    env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": "/usr/bin:/bin"}
    found = []
    for _ in range(scale.of(10)):
        done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UnsupportedError(f"pytest ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}")
        line = next(line for line in done.stdout.splitlines() if "SPENT" in line)
        found.append(float(line.partition("SPENT")[2]))
    return median(found)


WORKLOADS = (
    Workload(
        name="first",
        about="set-up and tear-down of the first test of a run, beyond those of a test without the fixture",
        contenders=(OURS, SMTPDFIX, LOCALSERVER),
        metrics=(
            Metric(name="default", unit="ms", factor=1e3),
            Metric(name="clear", unit="ms with tls=None", factor=1e3),
        ),
        prepare=first,
    ),
)
