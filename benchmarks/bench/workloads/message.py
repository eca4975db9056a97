"""One message in a test: connect, greet, send 1 KB, quit, by smtplib in the process that runs the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

from bench.contenders import AIOSMTPD, EVERYONE, NODE, OURS, SINK, SMTPDFIX, launch
from bench.pairing import Measure, Metric, Sample, Scale, Workload


@contextmanager
def message(name: str, scale: Scale, *, tls: str) -> Iterator[Measure]:
    count = scale.of(10 if name == NODE else 100)  # it waits 100 ms before each greeting
    with launch(name, tls) as server, launch("client", tls) as client:
        # Where the server is no Python library, the sending process holds a client only: nothing shares its time.
        sender = client if name in (NODE, SINK) else server
        sender.ask("send", count=5, port=server.port)

        def measure() -> Sample:
            server.clear()
            walls = sender.ask("send", count=count, port=server.port)
            begun = server.cpu()
            client.ask("send", count=count, port=server.port)
            return {"wall": median(walls), "cpu": (server.cpu() - begun) / count}

        yield measure


METRICS = (
    Metric(name="wall", unit="ms", factor=1e3),
    Metric(name="cpu", unit="us of server CPU", factor=1e6),
)

WORKLOADS = tuple(
    Workload(
        name=f"message-{tls}",
        about=f"one message in a test, {tls}",
        contenders=contenders,
        metrics=METRICS,
        prepare=partial(message, tls=tls),
    )
    for tls, contenders in {
        "clear": EVERYONE,
        "starttls": (OURS, AIOSMTPD, SMTPDFIX, NODE),
        "implicit": (OURS, AIOSMTPD, SMTPDFIX, NODE),
    }.items()
)
