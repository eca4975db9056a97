"""The tables: every workload's medians and ratios, then the targets."""

import platform
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from bench.contenders import OURS
from bench.pairing import Metric, Results
from bench.targets import TARGETS


def table(results: Results) -> str:
    """One workload: a row for each contender; in brackets our figure as a multiple of the row's."""
    metrics = results.workload.metrics
    head = ["", *(metric.unit for metric in metrics)]
    body = [[name, *(_cell(results, name, metric) for metric in metrics)] for name in results.workload.contenders]
    notes = [f"  {name}: {reason}" for name, reason in results.absent.items()]
    return "\n".join([f"{results.workload.about} ({results.workload.name})", *_aligned([head, *body]), *notes, ""])


def targets(results: Mapping[str, Results]) -> str:
    """The targets whose workload has been run."""
    head = ["target", "measured", ""]
    rows = [row for target in TARGETS if target.workload in results and (row := _target_row(target, results))]
    return "\n".join(_aligned([head, *rows])) if rows else ""


def machine() -> str:
    """What the figures were measured on."""
    return f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"


def as_json(results: Mapping[str, Results]) -> dict[str, Any]:
    """Every figure and ratio, for docs/_generate/performance.py."""
    return {
        "date": f"{date.today():%d %B %Y}".lstrip("0"),
        "machine": machine(),
        "workloads": {name: _figures(measured) for name, measured in results.items()},
        "targets": [
            {"target": str(target), "measured": figure, "met": target.met(figure)}
            for target in TARGETS
            if target.workload in results and (figure := target.figure(results)) is not None
        ],
    }


def _figures(results: Results) -> dict[str, dict[str, Any]]:
    """By contender and metric: the median in the unit of the metric, and our figure as a multiple of it."""
    return {
        name: {
            metric.name: {"median": median * metric.factor, "ratio": results.ratio(metric.name, name)}
            for metric in results.workload.metrics
            if (median := results.median(name, metric.name)) is not None
        }
        for name in results.workload.contenders
    } | {name: {"absent": reason} for name, reason in results.absent.items()}


def _target_row(target: Any, results: Mapping[str, Results]) -> list[str] | None:
    figure = target.figure(results)
    return None if figure is None else [str(target), f"{figure:.3g}", "met" if target.met(figure) else "MISSED"]


def _cell(results: Results, name: str, metric: Metric) -> str:
    value = results.median(name, metric.name)
    if value is None:
        return "-"
    ratio = None if name == OURS else results.ratio(metric.name, name)
    return f"{value * metric.factor:,.4g}" + (f" ({ratio:.2f})" if ratio is not None else "")


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    columns = max(map(len, rows))
    widths = [max((len(row[at]) for row in rows if at < len(row)), default=0) for at in range(columns)]
    for row in rows:
        name, *figures = (cell.rjust(width) for cell, width in zip(row, widths, strict=False))
        yield "  " + "  ".join([name.strip().ljust(widths[0]), *figures]).rstrip()
