"""The command line."""

import argparse
import fnmatch
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import environment

SCALES = {False: (7, 1.0), True: (2, 0.1)}
"""By --quick: rounds, and the share of messages in each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare the environment, then measure inside it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(given)
    if not environment.inside():
        environment.prepare()
        environment.enter(given)
    return _measure(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description="pytest_smtpd beside its rivals.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work in two rounds: does it run at all")
    parser.add_argument("--only", action="append", metavar="NAME", help="workloads of this name or pattern, repeatable")
    parser.add_argument("--rounds", type=int, help="rounds of every workload")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--list", action="store_true", help="only say what workloads there are")
    return parser


def _measure(options: argparse.Namespace) -> int:
    from bench import pairing, report
    from bench.workloads import WORKLOADS

    environment.make_certificate()
    wanted = options.only or ["*"]
    chosen = [work for work in WORKLOADS if any(fnmatch.fnmatch(work.name, pattern) for pattern in wanted)]
    if options.list or not chosen:
        print("\n".join(f"{work.name:28} {work.about}" for work in WORKLOADS))
        return 0 if options.list else 2
    rounds, share = SCALES[options.quick]
    scale = pairing.Scale(rounds=options.rounds or rounds, share=share)
    print(f"{report.machine()}; in brackets: pytest_smtpd's figure as a multiple of that row's\n")
    results = {}
    for work in chosen:
        results[work.name] = pairing.run(work, scale)
        print(report.table(results[work.name]), flush=True)
    print(report.targets(results))
    if options.json:
        options.json.write_text(json.dumps(report.as_json(results), indent=1), encoding="utf-8")
    return 0
