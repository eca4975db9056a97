"""Rounds: in each, every contender is measured once, so that the machine's drift meets all of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from statistics import median

from bench.contenders import OURS, UnsupportedError

Sample = Mapping[str, float]
Measure = Callable[[], Sample]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much work a run does."""

    rounds: int
    share: float
    """Of the full number of messages, connections or cycles."""

    def of(self, full: int) -> int:
        """The scaled number, at least one."""
        return max(1, round(full * self.share))


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One figure of a workload."""

    name: str
    unit: str
    factor: float = 1.0
    """From the measured SI value to `unit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Something a server is put through."""

    name: str
    about: str
    contenders: tuple[str, ...]
    metrics: tuple[Metric, ...]
    prepare: Callable[[str, Scale], AbstractContextManager[Measure]]
    """A contender ready to be measured once a round."""
    rounds: int | None = None
    """Instead of the scale's, where one round is long or exact."""


@dataclass(slots=True)
class Results:
    """The samples of one workload, a list for each contender, in the order of rounds."""

    workload: Workload
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def median(self, contender: str, metric: str) -> float | None:
        """The middle of a contender's rounds."""
        values = [sample[metric] for sample in self.samples.get(contender, ()) if metric in sample]
        return median(values) if values else None

    def ratio(self, metric: str, rival: str) -> float | None:
        """The middle of the rounds' ratios, ours over the rival's."""
        pairs = zip(self.samples.get(OURS, ()), self.samples.get(rival, ()), strict=False)
        ratios = [ours[metric] / theirs[metric] for ours, theirs in pairs if metric in ours and theirs.get(metric)]
        return median(ratios) if ratios else None


def run(workload: Workload, scale: Scale) -> Results:
    """Measure all contenders of a workload, A B C A B C ..."""
    results = Results(workload)
    with ExitStack() as stack:
        ready = dict(_prepared(workload, scale, stack, results))
        for _ in range(min(workload.rounds or scale.rounds, scale.rounds)):
            for name in [name for name in ready if name not in results.absent]:
                _measure(name, ready[name], results)
    return results


def _prepared(workload: Workload, scale: Scale, stack: ExitStack, results: Results) -> Iterator[tuple[str, Measure]]:
    for name in workload.contenders:
        try:
            yield name, stack.enter_context(workload.prepare(name, scale))
        except UnsupportedError as reason:
            results.absent[name] = str(reason)


def _measure(name: str, measure: Measure, results: Results) -> None:
    try:
        results.samples.setdefault(name, []).append(measure())
    except UnsupportedError as reason:
        results.absent[name] = str(reason)
