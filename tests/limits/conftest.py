"""Servers as in tests/server, and time that stands still but for what a test says."""

from __future__ import annotations

import pytest

from tests.server.conftest import connect, serve

__all__ = ["connect", "serve"]

START = 4096.0  # a power of two: sums with it are exact


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real time stands still for servers, so that nothing is due before its second, however slow the machine is."""
    for module in ("clock", "net.poller"):
        monkeypatch.setattr(f"pytest_smtpd.{module}.monotonic", lambda: START)
