"""100,000 recorded messages: what one more costs, what they weigh, how long a query takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from bench.clients import smtp_source
from bench.contenders import AIOSMTPD, OURS, Server, launch
from bench.pairing import Measure, Metric, Sample, Scale, Workload

BATCH = 1_000
BATCHES = 100
SPECIMENS = 5
"""Batches at the beginning, and at the end, whose middle is compared."""

OPTIONS = ("-d", "-N", "-s", "10", "-l", "1000", "-m", str(BATCH))


@contextmanager
def recorded(name: str, scale: Scale) -> Iterator[Measure]:
    batches = max(2 * SPECIMENS, scale.of(BATCHES))

    def measure() -> Sample:
        with launch(name) as server:
            _batch(server, "warm")
            server.clear()
            resident = server.resident()
            costs = [_batch(server, f"batch{number}") for number in range(batches)]
            count = int(server.ask("count"))
            sample: Sample = {
                "first": median(costs[:SPECIMENS]),
                "last": median(costs[-SPECIMENS:]),
                "growth": median(costs[-SPECIMENS:]) / median(costs[:SPECIMENS]),
                "memory": (server.resident() - resident) / count,
            }
            return {**sample, **(_queries(server, count) if name == OURS else {})}

    yield measure


def _batch(server: Server, domain: str) -> float:
    """Numbered recipients in a domain of their own, so that a query for one address has exactly one answer."""
    begun = server.cpu()
    smtp_source(server.port, *OPTIONS, "-t", f"user@{domain}.example.com")
    return (server.cpu() - begun) / BATCH


def _queries(server: Server, count: int) -> Sample:
    """Seconds for one(to=...), which looks at all of them; the best of some, as others use the machine too."""
    wanted = server.ask("recipients", indices=[count // 2, count - 1, 0])
    walls = server.ask("query", matches=[{"to": address} for address in wanted * 5])
    return {"query": min(walls)}


WORKLOADS = (
    Workload(
        name="recorded",
        about="100,000 messages of 1 KB kept",
        contenders=(OURS, AIOSMTPD),
        metrics=(
            Metric(name="first", unit="us of server CPU, first thousands", factor=1e6),
            Metric(name="last", unit="us of server CPU, last thousands", factor=1e6),
            Metric(name="growth", unit="last / first"),
            Metric(name="memory", unit="KB kept per message", factor=1 / 1024),
            Metric(name="query", unit="ms for one(to=...)", factor=1e3),
        ),
        prepare=recorded,
        rounds=1,
    ),
)
