"""A run of pytest inside a test forgets its imports, and a compiled module cannot be imported twice."""

from __future__ import annotations

from tests.plugin.conftest import _everything_imported

__all__ = ["_everything_imported"]
