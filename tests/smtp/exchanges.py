"""AUTH exchanges without a connection: what a mechanism makes of a client's responses."""

from __future__ import annotations

import pytest

from pytest_smtpd.smtp.auth import Auth
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.sasl import Exchange


def login(method: str, *responses: bytes, hostname: str = "localhost") -> Auth:
    """The credentials that these responses bring; not one of them may be superfluous."""
    exchange = Exchange(method, hostname)
    for response in responses:
        assert exchange.auth is None
        exchange.respond(response)
    assert exchange.auth is not None
    assert exchange.auth.method == exchange.method == method
    return exchange.auth


def refused(method: str, *responses: bytes) -> None:
    """The last of these responses is malformed."""
    exchange = Exchange(method, "localhost")
    for response in responses[:-1]:
        exchange.respond(response)
    with pytest.raises(Refused) as caught:
        exchange.respond(responses[-1])
    assert caught.value.reply == 501
