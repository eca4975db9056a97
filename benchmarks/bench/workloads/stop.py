"""How long the server takes to stop while clients are in the middle of something."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

from bench.contenders import AIOSMTPD, LOCALSERVER, OURS, launch
from bench.pairing import Measure, Metric, Sample, Scale, Workload
from bench.states import RULES, STATES


@contextmanager
def stopping(name: str, scale: Scale, *, state: str) -> Iterator[Measure]:
    count = scale.of(10)
    tls, _ = STATES[state]

    def measure() -> Sample:
        # A process for each round: a rival that does not stop would be in the next one's way.
        with launch(name, tls) as host:
            walls = [host.ask("stop_in", state=state) for _ in range(count)]
            return {"wall": median(walls), "worst": max(walls)}

    yield measure


WORKLOADS = tuple(
    Workload(
        name=f"stop-{state.replace(' ', '-')}",
        about=f"stop: {state}",
        contenders=(OURS,) if state in RULES else (OURS, AIOSMTPD, LOCALSERVER),
        metrics=(Metric(name="wall", unit="ms", factor=1e3), Metric(name="worst", unit="ms, worst", factor=1e3)),
        prepare=partial(stopping, state=state),
        rounds=3,
    )
    for state in STATES
)
