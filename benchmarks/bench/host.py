"""A process with one Python server in it: ``python -m bench.host ADAPTER TLS``.

Requests come as JSON lines on standard input, one answer each on standard output; the first line said is the port.
"""

import json
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from bench.adapters import ADAPTERS, Adapter
from bench.clients import send_one
from bench.states import stop_in


def cycle(adapter: Adapter, tls: str, count: int) -> list[float]:
    """Seconds for each start and stop of a new server."""

    def once() -> None:
        adapter.start(tls)
        adapter.stop()

    return [timed(once) for _ in range(count)]


def send(port: int, tls: str, count: int) -> list[float]:
    """Seconds for each message, sent from this process as a test would send it."""
    return [timed(lambda: send_one(port, tls)) for _ in range(count)]


def timed(action: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    begun = perf_counter()
    action()
    return perf_counter() - begun


@dataclass(slots=True)
class Host:
    """The server of this process, and what can be asked of it."""

    adapter: Adapter
    tls: str
    port: int = 0

    def start(self) -> int:
        self.port = self.adapter.start(self.tls)
        return self.port

    def answer(self, request: dict[str, Any]) -> object:
        """Do what is asked for."""
        return QUESTIONS[request.pop("do")](self, **request)


QUESTIONS: dict[str, Callable[..., object]] = {
    "clear": lambda host: host.adapter.clear(),
    "count": lambda host: host.adapter.count(),
    "cycle": lambda host, count: cycle(type(host.adapter)(), host.tls, count),
    "send": lambda host, count, port=0: send(port or host.port, host.tls, count),
    "recipients": lambda host, indices: host.adapter.recipients(indices),
    "query": lambda host, matches: [timed(partial(host.adapter.query, **match)) for match in matches],
    "stop_in": lambda host, state: stop_in(state, host.adapter),
}


def said(action: Callable[[], object]) -> None:
    """Print what a call returns, or why it failed."""
    try:
        result = {"value": action()}
    except Exception as failure:  # noqa: BLE001 - whatever it is, the process that asked has to hear of it
        result = {"error": str(failure).partition("\n")[0] or type(failure).__name__}
    print(json.dumps(result), flush=True)


def main() -> None:
    """Serve until standard input ends."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    name, tls = sys.argv[1:]
    host = Host(ADAPTERS[name](), tls)
    said(host.start)
    for line in sys.stdin:
        said(partial(host.answer, json.loads(line)))


if __name__ == "__main__":
    main()
