"""The work of the fixtures, loaded by the first test that uses one: from what a test declares to a server."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from pytest_smtpd.plugin.markers import UsageError, declared_by, parameter_of, read_config
from pytest_smtpd.plugin.servers import SharedServer, SMTPServerFactory, TestServers
from pytest_smtpd.server import SMTPServer

Config = Mapping[str, Any]


def serve(request: pytest.FixtureRequest, servers: TestServers, config: Config) -> Iterator[SMTPServer]:
    """``smtpd``: a server for one test; the session's, where the test uses that."""
    if "smtpd_session" in request.fixturenames:
        request.getfixturevalue("_smtpd_borrowed")
        yield request.getfixturevalue("smtpd_session")
        return
    declared = declared_by(request.node, config, getattr(request, "param", None))
    servers.declare(declared.rules)
    try:
        server = servers.open(declared)
    except (OSError, RuntimeError, ValueError) as error:  # a port that is taken, sockets that are blocked
        raise UsageError(str(error)) from None
    yield server
    server.stop()


def serve_more(request: pytest.FixtureRequest, servers: TestServers, config: Config) -> Iterator[SMTPServerFactory]:
    """``smtpd_factory``: the maker of a test's further servers."""
    servers.declare(declared_by(request.node, config).rules)
    factory = SMTPServerFactory(servers, read_config(config))
    yield factory
    with ExitStack() as stops:  # all of them, even if one stop fails
        for server in reversed(factory.opened):
            stops.callback(server.stop)


def borrow(
    request: pytest.FixtureRequest, servers: TestServers, shared: SharedServer, config: Config
) -> Iterator[None]:
    """A test's time on the session's server."""
    shared.end_trust()
    declared = declared_by(request.node, config, parameter_of(request.node))
    servers.declare(declared.rules)
    shared.empty()
    try:
        shared.borrow(declared)
    except ValueError as error:
        if not str(error).endswith("cannot change on a running server"):
            raise UsageError(str(error)) from None
        raise UsageError(
            f"{error}; on smtpd_session it counts at start only: set it in a session-scoped smtpd_config"
        ) from None
    servers.take(shared.server)
    yield
    servers.release(shared)


def first_of_the_test(item: pytest.Item) -> int:
    """The place behind the fixtures of a wider scope, whose mail belongs to no test, and before the test's own."""
    names: list[str] = getattr(item, "fixturenames", [])
    chains = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    scopes = [chains[name][-1].scope if chains.get(name) else "function" for name in names]
    return scopes.index("function") if "function" in scopes else len(names)
