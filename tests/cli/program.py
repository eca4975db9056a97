"""``python -m pytest_smtpd`` in a process of its own, read line by line."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30  # seconds


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-X", "dev", "-W", "error", "-m", "pytest_smtpd", *arguments]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, without what runs of pytest add to it."""
    foreign = ("PYTEST", "SMTPD", "SSL_", "NODE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PYTHONPATH": str(ROOT), **(extra or {})}


class Program:
    """A running server; ``lines`` is what it has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.env: dict[str, str] = {}
        while line := self.next_line():
            self._note(line)
            if self.env and not line.strip():
                break

    def _note(self, line: str) -> None:
        found = re.match(r" *export (\w+)=(.*)", line)
        if found:
            self.env[found[1]] = found[2]

    @property
    def port(self) -> int:
        return int(self.env["SMTP_PORT"])

    def next_line(self) -> str:
        """The next line with its line end; "" at the end of the output."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.lines += [line] if line else []
        return line

    def read_until(self, pattern: str) -> str:
        """Read on to the line that matches, and return that."""
        while line := self.next_line():
            if re.search(pattern, line):
                return line.rstrip("\n")
        raise AssertionError(f"no line like {pattern!r} in:\n{''.join(self.lines)}")

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal, read the rest, and return the exit code and what was written to stderr."""
        self.process.send_signal(number)
        out, error = self.process.communicate(timeout=PATIENCE)
        self.lines += out.splitlines(keepends=True)
        return self.process.returncode, error

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE)

    def send(self, to: str = "ada@example.com", subject: str = "Welcome") -> None:
        with self.client() as client:
            client.sendmail("app@example.com", to, f"Subject: {subject}\n\nHi\n")


@contextmanager
def running(*arguments: str, extra: Mapping[str, str] | None = None, cwd: Path | None = None) -> Iterator[Program]:
    """A server on a free port, which is killed if the test has not ended it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a child inherits what nohup ignores
    process = subprocess.Popen(
        command("--port", "0", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(extra),
        cwd=cwd,
    )
    signal.signal(signal.SIGHUP, before)
    try:
        yield Program(process)
    finally:
        process.kill()
        process.communicate()


def refused(*arguments: str, extra: Mapping[str, str] | None = None) -> str:
    """The one line on stderr of a command line that is wrong."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, env=environment(extra), timeout=PATIENCE, check=False
    )
    assert done.returncode == 2, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line
