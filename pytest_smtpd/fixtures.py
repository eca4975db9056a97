"""What the fixtures do, loaded by the first test that uses one: from what a test says to a server, and back."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from pytest_smtpd.bench import Bench, SharedServer, SMTPServerFactory
from pytest_smtpd.markers import UsageError, Wishes, all_wishes, parameter_of, read_dict
from pytest_smtpd.server import SMTPServer

Config = Mapping[str, Any]


def serve(request: pytest.FixtureRequest, bench: Bench, config: Config) -> Iterator[SMTPServer]:
    """``smtpd``: a server for one test; the session's, where the test uses that."""
    if "smtpd_session" in request.fixturenames:
        request.getfixturevalue("_smtpd_guest")
        yield request.getfixturevalue("smtpd_session")
        return
    wishes = all_wishes(request.node, config, bench.made, getattr(request, "param", None))
    bench.declare(wishes.rules)
    try:
        server = bench.open(wishes)
    except (OSError, RuntimeError) as error:  # a port that is taken, or sockets that are blocked
        raise UsageError(str(error)) from None
    yield server
    server.stop()


def serve_more(request: pytest.FixtureRequest, bench: Bench, config: Config) -> Iterator[SMTPServerFactory]:
    """``smtpd_factory``: the maker of a test's further servers."""
    bench.declare(all_wishes(request.node, config, bench.made).rules)
    factory = SMTPServerFactory(bench, read_dict(config, "smtpd_config", optional=True))
    yield factory
    with ExitStack() as stops:  # all of them, whatever one of them has to say
        for server in reversed(factory.opened):
            stops.callback(server.stop)


def be_guest(request: pytest.FixtureRequest, bench: Bench, shared: SharedServer, config: Config) -> Iterator[None]:
    """A test's time on the session's server."""
    shared.end_trust()
    wishes = all_wishes(request.node, config, bench.made, parameter_of(request.node))
    bench.declare(wishes.rules)
    shared.server.start()  # a fixture of the session may have stopped it
    shared.verify()  # what fixtures of a wider scope have done with it
    shared.server.clear()
    _lend(shared.server, wishes)
    bench.adopt(shared.server)
    yield
    bench.give_back(shared)


def first_of_the_test(item: pytest.Item) -> int:
    """The place behind the fixtures of a wider scope, whose mail belongs to no test, and before the test's own."""
    names: list[str] = getattr(item, "fixturenames", [])
    chains = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    scopes = [chains[name][-1].scope if chains.get(name) else "function" for name in names]
    return scopes.index("function") if "function" in scopes else len(names)


def _lend(server: SMTPServer, wishes: Wishes) -> None:
    try:
        server.configure(wishes.settings, wishes.rules)
    except ValueError as error:
        raise UsageError(
            f"{error}; on smtpd_session it counts at start only: set it in a session-scoped smtpd_config"
        ) from None
