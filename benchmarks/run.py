"""Measure pytest_smtpd beside its rivals: ``python benchmarks/run.py [--quick] [--only NAME] [--json FILE]``.

The first run makes ``.bench`` with every rival in it; each run then installs the working tree there and
measures from inside. Nothing outside that directory is changed.
"""

from bench.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
