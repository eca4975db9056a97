"""Every test of this directory is a soak test."""

from pathlib import Path

import pytest

from tests.soak.sizes import FULL

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.soak)
            item.add_marker(pytest.mark.wide)
            if FULL:
                item.add_marker(pytest.mark.timeout(1800))
