"""Connections without a network, for every file of this directory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pytest_smtpd.rules import Rule
from tests.policy.client import Client, Connect


@pytest.fixture
def connect() -> Iterator[Connect]:
    """``connect(*rules, **settings)`` is a client that nobody has answered yet; ended after the test."""
    clients: list[Client] = []

    def new(*rules: Rule, **settings: Any) -> Client:
        clients.append(Client(*rules, **settings))
        return clients[-1]

    yield new
    for client in clients:
        client.end()
