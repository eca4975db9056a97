"""Servers and clients, and runs of pytest inside the tests. A row that a test adds is gone after it."""

from __future__ import annotations

from tests.plugin.conftest import (  # noqa: F401  fixtures
    _everything_imported,
    _inner,
    arguments,
    failure,
    reports,
    run,
    write,
)
from tests.rfc.conftest import client, serve  # noqa: F401  fixtures
