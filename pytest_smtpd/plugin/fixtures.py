"""The work of the fixtures: they turn what a test declares into servers. Loaded by the first test that uses one."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from pytest_smtpd.plugin.markers import UsageError, closest_marks, declared_by, parameter_of, read_config
from pytest_smtpd.plugin.misspelt import place_of
from pytest_smtpd.plugin.servers import SharedServer, SMTPServerFactory, TestServers, session_config
from pytest_smtpd.server import SMTPServer
from pytest_smtpd.settings import SettingsError

Config = Mapping[str, Any]


def new_servers(config: pytest.Config, *, in_body: bool) -> TestServers:
    """The servers of a test that has none yet. ``in_body`` is whether its body is running already."""
    return TestServers(config.getini("smtpd_timeout"), _defaults(config), in_body=in_body)


def _defaults(config: pytest.Config) -> Config:
    """The settings that ini options give to every server."""
    if not (config.getini("smtpd_lint") or config.getini("smtpd_lint_ignore")):
        return {}
    from pytest_smtpd.plugin.lint import read_ini

    return read_ini(config)


def serve(request: pytest.FixtureRequest, servers: TestServers, config: Config) -> Iterator[SMTPServer]:
    """The work of ``smtpd``: a server for one test; that of ``smtpd_session`` if the test uses it."""
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
    """The work of ``smtpd_factory``: the factory of further servers, which are stopped after the test."""
    servers.declare(declared_by(request.node, config).rules)
    factory = SMTPServerFactory(servers, read_config(config))
    yield factory
    with ExitStack() as stops:  # all of them, even if one stop fails
        for server in reversed(factory.opened):
            stops.callback(server.stop)


def share(request: pytest.FixtureRequest, key: pytest.StashKey[SharedServer]) -> Iterator[SMTPServer]:
    """The work of ``smtpd_session``: a server for the whole run, kept in the stash of the session."""
    shared = request.session.stash[key] = SharedServer(session_config(request, _defaults(request.config)))
    yield shared.server
    shared.server.stop()
    shared.verify(at_end=True)


def borrow(
    request: pytest.FixtureRequest, servers: TestServers, shared: SharedServer, config: Config
) -> Iterator[None]:
    """The work of ``_smtpd_borrowed``: prepare the session's server for one test, and release it after the test."""
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
    """The places of the markers that gave the wrong settings of an error; a fixture parameter overrides any marker."""
    names = set(error.names) if isinstance(error, SettingsError) else set()
    parameter = parameter_of(item)
    names.difference_update(parameter if isinstance(parameter, Mapping) else ())
    places = []
    for mark, _ in closest_marks(item):
        if mark.name == "smtpd" and names & mark.kwargs.keys():
            names -= mark.kwargs.keys()
            places.append(place_of(item, mark))
    return f" ({', '.join(dict.fromkeys(places))})" if places else ""
