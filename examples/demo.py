"""Run the examples, then the one that fails on purpose, and check that both ended as they should.

``make demo`` calls it. Exit code 0 means: the good ones passed, the bad one failed, and its report had the transcript.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BAD = "test_fails_on_purpose.py"
BEGIN = """\
The application: a small sign-up service, examples/signup/. It welcomes new users, invites teams, resets passwords, and
keeps what the mail server refuses for now in an outbox. It sends with smtplib, and knows nothing of its tests.
First its tests, examples/test_signup.py: mail that arrives, is refused, retried, or sent over TLS."""
BETWEEN = "Next, a test that fails on purpose, to show the dialogue in its report."
END = f"""\
What you have seen:
  {HERE}/signup/    the application
  {HERE}/test_signup.py    its tests
  {HERE}/{BAD}    the one that failed
Read on in docs/tutorial.md (your first test) and docs/how-to/make-the-server-fail.md (every failure, one line each)."""
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


def problems(bad: subprocess.CompletedProcess[str]) -> list[str]:
    """What is wrong with the report of the test that fails on purpose."""
    report = bad.stdout.lower()
    found = [f"its report lacks {text!r}" for text in TRANSCRIPT if text.lower() not in report]
    if bad.returncode != 1 or "1 failed" not in bad.stdout:
        found.insert(0, f"{BAD} should have failed, and only that")
    return found


def main() -> int:
    """The whole demonstration; returns the exit code."""
    print(BEGIN)
    good = pytest("-v", f"--ignore={BAD}")
    print(BETWEEN)
    bad = pytest(BAD)
    trouble = [*(["an example that should pass did not"] if good.returncode else []), *problems(bad)]
    for problem in trouble:
        print("demo:", problem, file=sys.stderr)
    if not trouble:
        print(END)
        print("demo: the examples passed, and the one that should fail failed and shows its transcript")
    return bool(trouble)


if __name__ == "__main__":
    sys.exit(main())
