"""The clients as fixtures."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer
from tests.interop.peers import Command, Job, Peer, Report, run
from tests.interop.presence import Need, program, require


@pytest.fixture
def deliver(smtpd: SMTPServer, tmp_path: Path) -> Callable[..., tuple[Job, Report]]:
    """Let a client deliver the message to `smtpd`."""

    def deliver(peer: Peer, **changes: str) -> tuple[Job, Report]:
        require(peer.needs)
        job = Job(env=smtpd.env, folder=tmp_path, text=peer.text, **changes)
        return job, run(peer.command(job), smtpd.env, tmp_path)

    return deliver


@pytest.fixture
def execute(smtpd: SMTPServer, tmp_path: Path) -> Callable[..., Report]:
    """Run a command line in the environment of `smtpd`, if its program and all that it needs beside are there."""

    def execute(
        *argv: str | Path, stdin: str = "", env: dict[str, str] | None = None, needs: Sequence[Need] = ()
    ) -> Report:
        require((*program(argv[0]), *needs))
        return run(Command(argv=argv, stdin=stdin, env=env or {}), smtpd.env, tmp_path)

    return execute
