"""The pytest plugin: options, hooks and fixtures.

Every run of pytest loads this module, even if no test uses the plugin. So it imports pytest and nothing else, and its
hooks only find out whether a test uses the plugin; the modules beside this one, which the first such test loads, do the
rest. Each name here costs every run a few microseconds, each hook and each fixture some more: pytest looks at them all.
"""

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_smtpd import _lasting

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import Any

    from _pytest.terminal import TerminalReporter

    from pytest_smtpd import Sweep
    from pytest_smtpd.certificates import CA
    from pytest_smtpd.plugin.servers import SharedServer, SMTPServerFactory, TestServers
    from pytest_smtpd.server import SMTPServer

_MARKERS = (
    (
        'smtpd(*, tls="starttls", auth="any", size=None, ...): settings of this test\'s smtpd server; '
        "the nearest marker wins, key by key."
    ),
    (
        "smtpd_on(hook, *, reply=None, drop=False, hang=False, raw=None, call=None, ...): "
        "make the server behave differently at one hook, "
        'e.g. smtpd_on("rcpt_to", to="bob@example.com", reply="550 5.1.1 No such user").'
    ),
    'smtpd_sweep(*, level="quick", only=(), skip=(), timeout=None, ...): options of this test\'s smtpd_sweep.',
)
# The servers of a test; None as long as it has none. A test without this entry does not use the plugin, or only by
# request.getfixturevalue().
_SERVERS: "pytest.StashKey[TestServers | None]" = pytest.StashKey()
_SHARED: "pytest.StashKey[SharedServer]" = pytest.StashKey()  # the server of smtpd_session
_IN_BODY: "pytest.StashKey[bool]" = pytest.StashKey()  # whether the body of the test is running


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options to the command line and to ini files."""
    artifacts = "for each test that fails, save what its servers saw below this folder: transcript, mails, a page"
    parser.addini("smtpd_timeout", "seconds that every wait of an smtpd server lasts by default", "float", 5.0)
    parser.addini("smtpd_artifacts", artifacts)
    parser.addini("smtpd_lint", "the lint setting of every smtpd server: true, warn, all, or names of rules", "string")
    parser.addini("smtpd_lint_ignore", "the lint_ignore setting of every smtpd server: names of rules", "string")
    parser.addini("smtpd_sweep", "how much every smtpd_sweep runs: off, quick or full", default="")
    group = parser.getgroup("smtpd", "SMTP test servers")
    # With dest=, pytest need not look for another option of that name.
    group.addoption("--smtpd-artifacts", dest="smtpd_artifacts", metavar="FOLDER", default=None, help=artifacts)
    group.addoption(
        "--smtpd-sweep",
        dest="smtpd_sweep",
        choices=("off", "quick", "full"),
        help="the level of every smtpd_sweep; it overrides markers and ini files; off: the run without a fault only",
    )
    group.addoption(
        "--smtpd-sweep-point",
        dest="smtpd_sweep_point",
        action="append",
        metavar="ID",
        help="run this point of each smtpd_sweep, whatever the level, and show its transcript; repeatable",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and check the options."""
    sys.modules.update(_lasting)
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    problem = None
    try:
        seconds = config.getini("smtpd_timeout")
    except (TypeError, ValueError, pytest.UsageError) as error:
        problem = str(error)
    else:
        if not seconds > 0:
            problem = f"not {seconds:g}"
    if problem:
        raise pytest.UsageError(f"smtpd_timeout must be a number of seconds above 0: {problem}")
    if config.getini("smtpd_lint") or config.getini("smtpd_lint_ignore"):
        from pytest_smtpd.plugin.lint import read_ini

        read_ini(config)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Readable ids for parameters of ``smtpd``."""
    if argname != "smtpd":
        return None
    from pytest_smtpd.plugin.markers import parameter_id

    return parameter_id(val)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make several tests of one whose sweep is split."""
    if "smtpd_sweep" in metafunc.fixturenames:
        from pytest_smtpd.plugin.sweeping import split

        split(metafunc)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find the tests that use the plugin."""
    users = [
        item
        for item in session.items
        if any(name.startswith("smtpd") for name in getattr(item, "fixturenames", ()))
        or any(mark.name.startswith("smtpd") for mark in item.iter_markers())
    ]
    for item in users:
        item.stash[_SERVERS] = None
    if users or "pytest_smtpd.server" in sys.modules:
        from pytest_smtpd.plugin.phases import prepare

        prepare(users)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> "Generator[None, object, object]":
    """Refuse wrong markers before all else. After the set-up begins the body, whose rules have to be used."""
    if _SERVERS in item.stash:
        from pytest_smtpd.plugin.phases import set_up

        item.stash[_SERVERS] = None  # if the test is repeated, forget the servers of the earlier attempt
        set_up(item, item.session.stash.get(_SHARED, None))
    item.stash[_IN_BODY] = False
    result = yield
    item.stash[_IN_BODY] = True
    if (servers := item.stash.get(_SERVERS, None)) is not None:
        servers.enter_body()
    return result


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Verify the servers as the last thing that the test does, unless it has failed or been skipped."""
    __tracebackhide__ = True
    if _SERVERS in item.stash:
        from pytest_smtpd.plugin.phases import verify

        verify(item, item.stash[_SERVERS])  # the body may have requested the fixture, by getfixturevalue()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> "Generator[None, object, object]":
    """Restore the environment after all fixtures have been torn down (``monkeypatch`` too)."""
    try:
        return (yield)
    finally:
        if (shared := item.session.stash.get(_SHARED, None)) is not None:
            shared.end_trust()
        if (servers := item.stash.get(_SERVERS, None)) is not None:
            servers.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> "Generator[None, pytest.TestReport, pytest.TestReport]":
    """Add hook errors and the transcript of each server to the report of a failure."""
    if call.excinfo is not None and isinstance(call.excinfo.value, pytest.fail.Exception):
        from pytest_smtpd.plugin.misspelt import explain_scope

        explain_scope(call.excinfo.value)
    if _SERVERS not in item.stash:
        return (yield)
    from pytest_smtpd.plugin.phases import make_report

    report = yield from make_report(item, call, item.stash[_SERVERS], item.session.stash.get(_SHARED, None))
    if report.when == "teardown":
        item.stash[_SERVERS] = None  # free the servers and their mail: pytest keeps its items to the end of the run
    return report


def pytest_terminal_summary(terminalreporter: "TerminalReporter") -> None:
    """Show what sweeps report beside their failures."""
    reports = (report for every in terminalreporter.stats.values() for report in every)
    told = [one for report in reports for one in getattr(report, "smtpd_sweep", ())]
    if told:
        from pytest_smtpd.plugin.sweeping import show

        show(told, terminalreporter)


# --- fixtures -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def smtpd_ca() -> "CA":
    """The ``trustme.CA`` that signs the certificates of the test servers.

    ``smtpd_ca.issue_cert(...)`` makes one for a client.
    """
    from pytest_smtpd.certificates import authority

    return authority().ca


@pytest.fixture
def smtpd_config() -> "dict[str, Any]":
    """A dict of settings, and of rules under "on", for every server; override it in a conftest, module or class.

    An override may have any scope; ``smtpd_session`` uses one of session scope.
    """
    return {}


def _servers(request: pytest.FixtureRequest) -> "TestServers":
    """The servers of one test, which are kept in its stash."""
    item: pytest.Item = request.node
    servers = item.stash.get(_SERVERS, None)
    if servers is None:
        from pytest_smtpd.plugin.fixtures import new_servers

        servers = item.stash[_SERVERS] = new_servers(item.config, in_body=item.stash.get(_IN_BODY, False))
    return servers


@pytest.fixture
def smtpd(request: pytest.FixtureRequest, smtpd_config: "dict[str, Any]") -> "Iterator[SMTPServer]":
    """A fresh SMTP server on a free port; markers and parameters make it behave as you like.

    It is running when the test begins. Nothing of it is left after the test.
    """
    from pytest_smtpd.plugin.fixtures import serve

    yield from serve(request, _servers(request), smtpd_config)


@pytest.fixture
def smtpd_factory(request: pytest.FixtureRequest, smtpd_config: "dict[str, Any]") -> "Iterator[SMTPServerFactory]":
    """More servers: ``smtpd_factory("backup", tls="implicit")``; stopped and verified like ``smtpd``.

    It is called as ``smtpd_factory(name=None, /, *, on=(), **settings)``.
    """
    from pytest_smtpd.plugin.fixtures import serve_more

    yield from serve_more(request, _servers(request), smtpd_config)


@pytest.fixture(scope="session")
def smtpd_session(request: pytest.FixtureRequest) -> "Iterator[SMTPServer]":
    """One SMTP server for the whole run, emptied and verified for each test that uses it.

    It is for an application that is configured once; with xdist there is one for each worker. In a test whose fixtures
    include it, ``smtpd`` *is* this server: log and rules are emptied before the test, the markers of the test apply,
    and it is verified and emptied after the test.
    """
    from pytest_smtpd.plugin.fixtures import share

    yield from share(request, _SHARED)


@pytest.fixture
def _smtpd_borrowed(
    request: pytest.FixtureRequest, smtpd_session: "SMTPServer", smtpd_config: "dict[str, Any]"
) -> "Iterator[None]":
    """Prepares ``smtpd_session`` for one test, and keeps its log for the report after it."""
    from pytest_smtpd.plugin.fixtures import borrow

    yield from borrow(request, _servers(request), request.session.stash[_SHARED], smtpd_config)


@pytest.fixture
def smtpd_sweep(
    request: pytest.FixtureRequest, smtpd: "SMTPServer", smtpd_config: "dict[str, Any]"
) -> "Iterator[Sweep]":
    """Run a block against every failure of its dialogue: for fault in smtpd_sweep: with fault: ..."""
    from pytest_smtpd.plugin.sweeping import serve_sweep

    yield from serve_sweep(request, smtpd, smtpd_config)
