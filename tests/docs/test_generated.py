"""The pages of the reference are what their generators make of the code."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.docs.pages import DOCS, ROOT


@pytest.mark.parametrize("script", ["reference.py", "protocol.py"])
def test_committed_pages_are_what_the_code_gives(script: str) -> None:
    command = [sys.executable, str(DOCS / "_generate" / script), "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run: python docs/_generate/{script}\n{done.stdout}{done.stderr}"
