"""A thousand clients that connect at once and then do nothing."""

import selectors
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from bench.contenders import UNDER_LOAD, UnsupportedError, launch
from bench.pairing import Measure, Metric, Sample, Scale, Workload

PATIENCE = 10.0


@contextmanager
def idle(name: str, scale: Scale) -> Iterator[Measure]:
    count = scale.of(1_000)

    def measure() -> Sample:
        with launch(name) as server:
            _close(_greeted(server.port, 10))
            resident, spent, begun = server.resident(), server.cpu(), perf_counter()
            clients = _greeted(server.port, count)
            wall = perf_counter() - begun
            sample = {
                "opened": wall,
                "cpu": (server.cpu() - spent) / count,
                "memory": (server.resident() - resident) / count,
            }
            _close(clients)
            return sample

    yield measure


def _greeted(port: int, count: int) -> list[socket.socket]:
    """That many connections, all begun at once, each of which has its greeting."""
    clients = [_begun(port) for _ in range(count)]
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        give_up = perf_counter() + PATIENCE
        while selector.get_map():
            if perf_counter() > give_up:
                waiting = len(selector.get_map())
                raise UnsupportedError(f"{waiting} of {count} without a greeting after {PATIENCE:.0f} s")
            for key, _ in selector.select(1):
                selector.unregister(key.fileobj)
    return clients


def _begun(port: int) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", port))
    return client


def _close(clients: list[socket.socket]) -> None:
    for client in clients:
        client.close()


WORKLOADS = (
    Workload(
        name="idle",
        about="1,000 connections at once, greeted and idle",
        contenders=UNDER_LOAD,
        metrics=(
            Metric(name="opened", unit="s until all are greeted"),
            Metric(name="cpu", unit="us of server CPU each", factor=1e6),
            Metric(name="memory", unit="KB each", factor=1 / 1024),
        ),
        prepare=idle,
        rounds=3,
    ),
)
