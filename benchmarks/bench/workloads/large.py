"""One message of 50 MB: how fast, and how much memory at the peak."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.clients import smtp_source
from bench.contenders import UNDER_LOAD, launch
from bench.pairing import Measure, Metric, Sample, Scale, Workload


@contextmanager
def large(name: str, scale: Scale) -> Iterator[Measure]:
    size = scale.of(50_000_000)

    def measure() -> Sample:
        # A new process each time: memory that a former message has left behind would hide this one's peak.
        with launch(name) as server:
            smtp_source(server.port, "-l", "1000", "-m", "20")
            server.reset_peak()
            resident, begun = server.resident(), server.cpu()
            wall = smtp_source(server.port, "-l", str(size), "-m", "1")
            spent, peak, kept = server.cpu() - begun, server.peak() - resident, server.resident() - resident
            return {"rate": size / wall, "cpu": spent, "peak": peak / size, "kept": kept / size}

    yield measure


WORKLOADS = (
    Workload(
        name="large",
        about="one message of 50 MB from smtp-source",
        contenders=UNDER_LOAD,
        metrics=(
            Metric(name="rate", unit="MB/s", factor=1e-6),
            Metric(name="cpu", unit="ms of server CPU", factor=1e3),
            Metric(name="peak", unit="x message at the peak"),
            Metric(name="kept", unit="x message kept"),
        ),
        prepare=large,
        rounds=5,
    ),
)
