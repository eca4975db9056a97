"""Sweeps of the sample applications: where, how, and what came out."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pytest_smtpd import Fault, Finding, SMTPServer, SweepFailure
from tests.sweep import applications
from tests.sweep.applications import Application, Report
from tests.sweep.client import PASSWORD, USER
from tests.sweep.links import Place, dial_blocking, dial_streams, run_blocking

LOGIN: Final = {"auth": {USER: PASSWORD}, "require_auth": False}
WORLDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "clear": {"tls": None},
    "starttls": LOGIN,
    "implicit": {**LOGIN, "tls": "implicit"},
    "lmtp": {"lmtp": True, **LOGIN},
}
PLACES: Final[Mapping[str, Mapping[str, Any]]] = {
    "clear": {},
    "starttls": {"starttls": True, "login": True},
    "implicit": {"implicit": True, "login": True},
    "lmtp": {"lmtp": True, "starttls": True, "login": True},
}
WAYS: Final = ("sync", "async", "child")


def place_of(server: SMTPServer, world: str, timeout: float = 0.5) -> Place:
    return Place(server.host, server.port, server.ca_file, timeout=timeout, **PLACES[world])


class Found(NamedTuple):
    """What a sweep has found. ``names`` are those of the findings, in their order."""

    findings: tuple[Finding, ...]
    text: str
    seconds: float = 0.0

    @property
    def names(self) -> set[str]:
        return {finding.name for finding in self.findings}

    def points(self, name: str) -> set[str]:
        return {point for finding in self.findings if finding.name == name for point in finding.points}


def claim(fault: Fault, report: Report) -> None:
    """Tell the sweep what the application has told its caller."""
    fault.failed(report.failed)
    if report.delayed:
        fault.delayed(*report.delayed)


def sweep_sync(server: SMTPServer, world: str, application: Application, **options: Any) -> None:
    timeout = options.pop("own_timeout", 0.5)
    for fault in server.sweep(**options):
        with fault:
            claim(fault, run_blocking(application(dial_blocking, place_of(server, world, timeout))))


def sweep_async(server: SMTPServer, world: str, application: Application, **options: Any) -> None:
    timeout = options.pop("own_timeout", 0.5)

    async def run() -> None:
        async for fault in server.sweep(**options):
            async with fault:
                claim(fault, await application(dial_streams, place_of(server, world, timeout)))

    asyncio.run(run(), debug=False)


def sweep_child(server: SMTPServer, world: str, application: Application, **options: Any) -> None:
    """Run the application in a process of its own, which is told where the server is and answers with JSON."""
    name = next(name for name, value in vars(applications).items() if value is application)
    timeout = options.pop("own_timeout", 0.5)
    for fault in server.sweep(**options):
        with fault:
            place = place_of(server, world, timeout)
            command = [sys.executable, "-m", "tests.sweep.sweeping", name, json.dumps(place)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
            if done.returncode:
                raise ChildProcessError(done.stderr.strip().splitlines()[-1])
            claim(fault, Report(**json.loads(done.stdout)))


SWEEPS: Final[Mapping[str, Callable[..., None]]] = {"sync": sweep_sync, "async": sweep_async, "child": sweep_child}


def sweep(application: Application, world: str = "clear", way: str = "sync", **options: Any) -> Found:
    """Sweep an application. Notices count as findings here, but those for which ``strict=False`` is given."""
    options = {"strict": True, **options}
    with SMTPServer(**WORLDS[world]) as server:
        try:
            SWEEPS[way](server, world, application, **options)
        except SweepFailure as failure:
            return Found(failure.findings, str(failure))
        finally:
            let_go()
    return Found((), "")


def let_go() -> None:
    """End what leaking applications have left behind."""
    for one in applications.KEPT:
        for end in ("set", "cancel"):
            if hasattr(one, end):
                getattr(one, end)()
        if hasattr(one, "_socket"):
            one._file.close()  # type: ignore[attr-defined]
            one._socket.close()
    applications.KEPT.clear()
    gc.collect()


def main() -> None:
    name, place = sys.argv[1:]
    application: Application = getattr(applications, name)
    report = run_blocking(application(dial_blocking, Place(*json.loads(place))))
    failed = {
        address: [why.code, why.text] if hasattr(why, "code") else f"{type(why).__name__}: {why}"
        for address, why in report.failed.items()
    }
    print(json.dumps({"failed": failed, "delayed": report.delayed}))


if __name__ == "__main__":
    main()
