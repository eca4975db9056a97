"""The work of the fixtures, loaded by the first test that uses one: from what a test declares to a server."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from pytest_smtpd.plugin.markers import UsageError, closest_marks, declared_by, parameter_of, read_config
from pytest_smtpd.plugin.misspelt import place_of
from pytest_smtpd.plugin.servers import SharedServer, SMTPServerFactory, TestServers
from pytest_smtpd.server import SMTPServer
from pytest_smtpd.settings import SettingsError

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
        raise UsageError(f"{error}{_places(request.node, error)}") from None
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
        fixed = str(error).endswith("cannot change on a running server")
        advice = "; on smtpd_session it counts at start only: set it in a session-scoped smtpd_config" if fixed else ""
        raise UsageError(f"{error}{advice}{_places(request.node, error)}") from None
    servers.take(shared.server)
    yield
    servers.release(shared)


def _places(item: pytest.Item, error: Exception) -> str:
    """Where the markers are that gave the settings of which an error tells; a fixture parameter is nearer than any."""
    names = set(error.names) if isinstance(error, SettingsError) else set()
    parameter = parameter_of(item)
    names.difference_update(parameter if isinstance(parameter, Mapping) else ())
    places = []
    for mark, _ in closest_marks(item):
        if mark.name == "smtpd" and names & mark.kwargs.keys():
            names -= mark.kwargs.keys()
            places.append(place_of(item, mark))
    return f" ({', '.join(dict.fromkeys(places))})" if places else ""


def first_of_the_test(item: pytest.Item) -> int:
    """The place behind the fixtures of a wider scope, whose mail belongs to no test, and before the test's own."""
    names: list[str] = getattr(item, "fixturenames", [])
    chains = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    scopes = [chains[name][-1].scope if chains.get(name) else "function" for name in names]
    return scopes.index("function") if "function" in scopes else len(names)
