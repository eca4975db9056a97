"""Messages from smtp-source: sessions, sizes, connections per message and reused."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product

from bench.clients import smtp_source
from bench.contenders import NODE, UNDER_LOAD, launch
from bench.pairing import Measure, Metric, Sample, Scale, Workload

SIZES = {"1KB": (1_000, 600), "100KB": (100_000, 60)}
"""Name: bytes of payload, messages in a round."""

CONNECTIONS: dict[str, tuple[str, ...]] = {"new": (), "reused": ("-d",)}


@contextmanager
def throughput(name: str, scale: Scale, *, sessions: int, size: str, connections: str) -> Iterator[Measure]:
    length, full = SIZES[size]
    # smtp-server waits 100 ms before each greeting: what it takes in CPU is seen in fewer messages, too.
    share = 0.1 if name == NODE and connections == "new" else 1.0
    count = max(sessions, scale.of(round(full * share)))
    options = (*CONNECTIONS[connections], "-s", str(sessions), "-l", str(length))
    with launch(name) as server:
        smtp_source(server.port, *options, "-m", str(sessions))

        def measure() -> Sample:
            server.clear()
            begun = server.cpu()
            wall = smtp_source(server.port, *options, "-m", str(count))
            return {"cpu": (server.cpu() - begun) / count, "rate": count / wall}

        yield measure


METRICS = (
    Metric(name="cpu", unit="us of server CPU", factor=1e6),
    Metric(name="rate", unit="messages/s"),
)

WORKLOADS = tuple(
    Workload(
        name=f"throughput-{size}-{sessions}-{connections}",
        about=f"{size}, {sessions} sessions, connections {connections}",
        contenders=UNDER_LOAD,
        metrics=METRICS,
        prepare=partial(throughput, sessions=sessions, size=size, connections=connections),
    )
    for size, sessions, connections in product(SIZES, (1, 10, 50), CONNECTIONS)
)
