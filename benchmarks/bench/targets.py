"""What the project has set out to reach, each a figure of one run."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.contenders import AIOSMTPD, OURS, SINK
from bench.pairing import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A limit on one of our figures, or on its ratio to a rival's."""

    workload: str
    metric: str
    limit: float
    against: str | None = None
    at_least: bool = False

    def figure(self, results: Mapping[str, Results]) -> float | None:
        """What was measured, in the unit of the metric or as a ratio."""
        measured = results[self.workload]
        if self.against:
            return measured.ratio(self.metric, self.against)
        metric = next(metric for metric in measured.workload.metrics if metric.name == self.metric)
        value = measured.median(OURS, self.metric)
        return None if value is None else value * metric.factor

    def met(self, figure: float) -> bool:
        """Whether a figure is within the limit."""
        return figure >= self.limit if self.at_least else figure <= self.limit

    def __str__(self) -> str:
        comparison = "at least" if self.at_least else "at most"
        return f"{self.workload} {self.metric} {comparison} {self.limit:g}" + (
            f" x {self.against}" if self.against else ""
        )


TARGETS = (
    Target(workload="server", metric="wall", limit=0.6),
    Target(workload="fixture", metric="wall", limit=0.42),
    Target(workload="first", metric="default", limit=75.0),
    Target(workload="first", metric="clear", limit=30.0),
    Target(workload="unused", metric="cpu", limit=1.0),
    Target(workload="message-clear", metric="wall", limit=2.2, against=SINK),
    Target(workload="message-starttls", metric="cpu", limit=0.55, against=AIOSMTPD),
    *(
        Target(workload=f"throughput-{size}-{sessions}-{kind}", metric="cpu", limit=limit, against=AIOSMTPD)
        for size, kind, limit in (("1KB", "new", 0.35), ("1KB", "reused", 0.4), ("100KB", "new", 0.15))
        for sessions in (1, 10, 50)
    ),
    Target(workload="large", metric="rate", limit=4.0, against=AIOSMTPD, at_least=True),
    Target(workload="large", metric="peak", limit=2.2),
    Target(workload="idle", metric="opened", limit=0.5),
    Target(workload="idle", metric="memory", limit=12.0),
    Target(workload="recorded", metric="growth", limit=1.1),
    Target(workload="recorded", metric="memory", limit=4.0),
    Target(workload="recorded", metric="query", limit=50.0),
    *(
        Target(workload=f"stop-{state}", metric="worst", limit=50.0)
        for state in ("connected", "100-connected", "mid-transfer", "mid-handshake", "hang", "delay", "async-hook")
    ),
)
