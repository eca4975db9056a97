"""Start and stop: of the server alone, and of the fixture in a real pytest run."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.contenders import AIOSMTPD, LOCALSERVER, OURS, PYTHON_SERVERS, SMTPDFIX, UnsupportedError, launch
from bench.environment import BENCHMARKS
from bench.pairing import Measure, Metric, Sample, Scale, Workload

# What each pytest process loads besides pytest itself, and the fixture that its tests ask for.
PLUGIN_AND_FIXTURE = {
    OURS: ("pytest_smtpd.plugin", "smtpd"),
    AIOSMTPD: ("", "controller"),
    SMTPDFIX: ("smtpdfix.fixture", "smtpd"),
    LOCALSERVER: ("pytest_localserver.plugin", "smtpserver"),
}

# The fixture of aiosmtpd is the one its users write; the rest takes the time of every set-up and teardown.
CONFTEST = f"""
import json, sys
import pytest
sys.path.insert(0, {str(BENCHMARKS)!r})
from bench.adapters import Aiosmtpd

@pytest.fixture
def controller():
    adapter = Aiosmtpd()
    adapter.start("clear")
    yield adapter.controller
    adapter.stop()

spent = {{}}

def pytest_runtest_logreport(report):
    if report.when != "call":
        spent[report.nodeid] = spent.get(report.nodeid, 0) + report.duration

def pytest_sessionfinish():
    print("SPENT", json.dumps(list(spent.values())))
"""


@contextmanager
def server(name: str, scale: Scale) -> Iterator[Measure]:
    count = scale.of(200)
    with launch(name) as host:
        host.ask("cycle", count=3)

        def measure() -> Sample:
            begun = host.cpu()
            walls = host.ask("cycle", count=count)
            return {"wall": median(walls), "cpu": (host.cpu() - begun) / count}

        yield measure


@contextmanager
def fixture(name: str, scale: Scale) -> Iterator[Measure]:
    plugin, wanted = PLUGIN_AND_FIXTURE[name]
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "conftest.py").write_text(CONFTEST, encoding="utf-8")
        test = "import pytest\n@pytest.mark.parametrize('n', range({}))\ndef test_one(n, {}): pass\n"
        Path(directory, "test_bare.py").write_text(test.format(scale.of(300), "request"), encoding="utf-8")
        Path(directory, "test_with.py").write_text(test.format(scale.of(300), wanted), encoding="utf-8")

        def measure() -> Sample:
            bare, used = (median(_durations(directory, file, plugin)) for file in ("test_bare.py", "test_with.py"))
            return {"wall": used - bare}

        yield measure


def _durations(directory: str, file: str, plugin: str) -> list[float]:
    options = ["-q", "-s", "-p", "no:cacheprovider", *(["-p", plugin] if plugin else [])]
    command = [sys.executable, "-m", "pytest", *options, file]
    env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnsupportedError(f"pytest ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}")
    line = next(line for line in done.stdout.splitlines() if "SPENT" in line)
    values: list[float] = json.loads(line.partition("SPENT")[2])
    return values


WORKLOADS = (
    Workload(
        name="server",
        about="make, start and stop a server",
        contenders=PYTHON_SERVERS,
        metrics=(Metric(name="wall", unit="ms", factor=1e3), Metric(name="cpu", unit="ms", factor=1e3)),
        prepare=server,
    ),
    Workload(
        name="fixture",
        about="set-up and teardown of the fixture in pytest, beyond those of a test without it",
        contenders=PYTHON_SERVERS,
        metrics=(Metric(name="wall", unit="ms", factor=1e3),),
        prepare=fixture,
    ),
)
