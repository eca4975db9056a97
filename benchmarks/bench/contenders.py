"""Who is measured, and how each is started in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO, Any

from bench import environment, process
from bench.adapters import free_port

OURS, AIOSMTPD, SMTPDFIX, LOCALSERVER = "pytest_smtpd", "aiosmtpd", "smtpdfix", "pytest-localserver"
NODE, SINK = "smtp-server", "smtp-sink"
BARE = "bare asyncio"
PYTHON_SERVERS = (OURS, AIOSMTPD, SMTPDFIX, LOCALSERVER)
EVERYONE = (*PYTHON_SERVERS, NODE, BARE, SINK)
UNDER_LOAD = (OURS, AIOSMTPD, NODE, BARE, SINK)


class UnsupportedError(Exception):
    """This contender cannot do that, or is not here."""


@dataclass(slots=True)
class Server:
    """A running server and what is known about its process."""

    child: subprocess.Popen[str]
    port: int

    def ask(self, do: str, **arguments: Any) -> Any:
        """Have the process do something, and say what came of it."""
        print(json.dumps({"do": do, **arguments}), file=_pipe(self.child.stdin), flush=True)
        return _answer(self.child)

    def clear(self) -> None:
        """Forget the messages, where there is something to forget."""
        if self.child.stdin:
            self.ask("clear")

    def cpu(self) -> float:
        """CPU seconds used so far."""
        return process.cpu_seconds(self.child.pid)

    def resident(self) -> int:
        """Bytes of memory held now."""
        return process.resident_bytes(self.child.pid)

    def peak(self) -> int:
        """Most bytes held since `reset_peak`."""
        return process.peak_bytes(self.child.pid)

    def reset_peak(self) -> None:
        """Start a new peak."""
        process.reset_peak(self.child.pid)


@contextmanager
def launch(name: str, tls: str = "clear") -> Iterator[Server]:
    """Run a contender for the length of a block."""
    server = LAUNCHERS.get(name, _launch_python)(name, tls)
    try:
        yield server
    finally:
        server.child.kill()
        server.child.communicate()  # closes the pipes and waits


def _launch_python(name: str, tls: str) -> Server:
    command = [sys.executable, "-m", "bench.host", name, tls]
    return _spoken(command, os.environ | {"PYTHONPATH": str(environment.BENCHMARKS)})


def _launch_node(_name: str, tls: str) -> Server:
    node = shutil.which("node")
    if node is None or not environment.NODE_MODULES.exists():
        raise UnsupportedError("no node on this system")
    script = Path(__file__).with_name("smtp_server_host.cjs")
    command = [node, str(script), tls, str(environment.CERTIFICATE), str(environment.KEY)]
    return _spoken(command, os.environ | {"NODE_PATH": str(environment.NODE_MODULES)})


def _launch_sink(_name: str, tls: str) -> Server:
    tool = environment.postfix_tool("smtp-sink")
    if tool is None or tls != "clear":
        raise UnsupportedError("no TLS" if tool else "no smtp-sink on this system")
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [tool, *user, "-m", "2000", f"127.0.0.1:{port}", "2000"]
    child = subprocess.Popen(command, env=environment.tool_environment(), text=True)
    _wait_until_it_listens(port)
    return Server(child, port)


LAUNCHERS: dict[str, Callable[[str, str], Server]] = {NODE: _launch_node, SINK: _launch_sink}


def _spoken(command: list[str], env: dict[str, str]) -> Server:
    pipe = subprocess.PIPE
    # Not in the working directory: "python -m" would find the project's sources there before what is installed.
    child = subprocess.Popen(
        command, env=env, cwd=environment.HOME, text=True, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
    )
    try:
        return Server(child, _answer(child))
    except UnsupportedError:
        child.kill()
        raise


def _answer(child: subprocess.Popen[str]) -> Any:
    line = _pipe(child.stdout).readline()
    answer = json.loads(line) if line else {"error": "its process ended"}
    if "error" in answer:
        raise UnsupportedError(answer["error"])
    return answer["value"]


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise UnsupportedError("a process that cannot be asked")
    return pipe


def _wait_until_it_listens(port: int) -> None:
    from socket import create_connection

    give_up = monotonic() + 5
    while monotonic() < give_up:
        with suppress(ConnectionRefusedError), create_connection(("127.0.0.1", port)):
            return
    raise UnsupportedError("it never listened")
