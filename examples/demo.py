"""Run the examples, then the one that fails on purpose, and check that both ended as they should.

``make demo`` calls it. Exit code 0 means: the good ones passed, the bad one failed, and its report had the transcript.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BAD = "test_fails_on_purpose.py"
TRANSCRIPT = ("Captured smtpd call", "C: RCPT TO:<ada@example.com>", "S: 550 5.1.1 No such user")


def pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest here, show what it prints, and keep it."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments]
    print("\n$ pytest", *arguments, flush=True)
    process = subprocess.run(
        command, cwd=HERE, text=True, check=False, stderr=subprocess.STDOUT, stdout=subprocess.PIPE
    )
    print(process.stdout, flush=True)
    return process


def problems() -> list[str]:
    found = []
    if pytest("-v", f"--ignore={BAD}").returncode != 0:
        found.append("an example that should pass did not")
    print("Next, a test that fails on purpose, to show the dialogue in its report.")
    bad = pytest(BAD)
    if bad.returncode != 1 or "1 failed" not in bad.stdout:
        found.append(f"{BAD} should have failed, and only that")
    report = bad.stdout.lower()
    found.extend(f"its report lacks {text!r}" for text in TRANSCRIPT if text.lower() not in report)
    return found


if __name__ == "__main__":
    trouble = problems()
    for problem in trouble:
        print("demo:", problem, file=sys.stderr)
    if not trouble:
        print("demo: the examples passed, and the one that should fail failed and shows its transcript")
    sys.exit(bool(trouble))
