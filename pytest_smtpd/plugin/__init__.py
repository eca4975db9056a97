"""The pytest plugin: fixtures, markers, verification and the transcript in reports.

It imports pytest and nothing else; the rest of the package is loaded by the first test that uses it.
"""

import sys
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pytest_smtpd import _lasting

if TYPE_CHECKING:
    from pathlib import Path

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
_SERVERS: "pytest.StashKey[TestServers | None]" = pytest.StashKey()
_SHARED: "pytest.StashKey[SharedServer]" = pytest.StashKey()
_IN_BODY: "pytest.StashKey[bool]" = pytest.StashKey()
_DEFAULTS: "pytest.StashKey[Mapping[str, Any]]" = pytest.StashKey()
_ARTIFACTS: "pytest.StashKey[Path]" = pytest.StashKey()
_HAS_FAILED: "pytest.StashKey[bool]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options to the command line and to ini files."""
    artifacts = "for each test that fails, save what its servers saw below this folder: transcript, mails, a page"
    parser.addini("smtpd_timeout", "seconds that every wait of an smtpd server lasts by default", "float", 5.0)
    parser.addini("smtpd_artifacts", artifacts)
    parser.addini("smtpd_lint", "the lint setting of every smtpd server: true, warn, all, or names of rules", "string")
    parser.addini("smtpd_lint_ignore", "the lint_ignore setting of every smtpd server: names of rules", "string")
    parser.addini("smtpd_sweep", "how much every smtpd_sweep runs: off, quick or full", default="")
    group = parser.getgroup("smtpd", "SMTP test servers")
    group.addoption("--smtpd-artifacts", metavar="FOLDER", default=None, help=artifacts)
    group.addoption(
        "--smtpd-sweep",
        choices=("off", "quick", "full"),
        help="how much every smtpd_sweep runs, over markers and smtpd_sweep in ini files; off: without a fault only",
    )
    group.addoption(
        "--smtpd-sweep-point",
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
    if config.getoption("smtpd_artifacts") or config.getini("smtpd_artifacts"):
        from pytest_smtpd.plugin.artifacts import base_of

        config.stash[_ARTIFACTS] = base_of(config)
    if problem:
        raise pytest.UsageError(f"smtpd_timeout must be a number of seconds above 0: {problem}")
    config.stash[_DEFAULTS] = _lint_settings(config)


def _lint_settings(config: pytest.Config) -> dict[str, Any]:
    lint, ignored = (config.getini(name) or "" for name in ("smtpd_lint", "smtpd_lint_ignore"))
    if not lint and not ignored:
        return {}
    from pytest_smtpd.plugin.lint import read_ini

    try:
        return read_ini(lint, ignored)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Readable ids for parameters of ``smtpd``."""
    if argname != "smtpd":
        return None
    from pytest_smtpd.plugin.markers import parameter_id

    return parameter_id(val)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Load all modules before pyfakefs works: it discards modules that are first imported during a test."""
    if "pyfakefs" in sys.modules and (
        "pytest_smtpd.server" in sys.modules
        or any(name.startswith("smtpd") for item in session.items for name in getattr(item, "fixturenames", ()))
    ):
        from pytest_smtpd.plugin.whole import load_everything

        load_everything()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give each test that uses ``smtpd_session`` the fixture that empties the server, applies markers and verifies."""
    names: list[str] = getattr(item, "fixturenames", [])
    if "smtpd_session" in names and "_smtpd_borrowed" not in names:
        from pytest_smtpd.plugin.fixtures import first_of_the_test

        names.insert(first_of_the_test(item), "_smtpd_borrowed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make several tests of one whose sweep is split."""
    if "smtpd_sweep" in metafunc.fixturenames:
        from pytest_smtpd.plugin.sweeping import split

        split(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Reset what an earlier attempt left in the stash (a rerun keeps it), and refuse wrong markers before all else."""
    item.stash[_SERVERS] = None
    item.stash[_IN_BODY] = False
    if (base := item.config.stash.get(_ARTIFACTS, None)) is not None:
        from pytest_smtpd.plugin.artifacts import folder_name, remove

        item.stash[_HAS_FAILED] = False
        remove(base / folder_name(item.nodeid))  # of an earlier attempt
    shared = item.session.stash.get(_SHARED, None)
    if shared is not None and "smtpd_session" in getattr(item, "fixturenames", ()):
        shared.begin_trust()  # a fixture may now set up an application that creates its TLS context only once
    marked = map(item.get_closest_marker, ("smtpd", "smtpd_on", "smtpd_sweep"))
    if "smtpd" in getattr(item, "fixturenames", ()) or any(marked):
        from pytest_smtpd.plugin.markers import refuse_misuse

        refuse_misuse(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """The body of the test begins: rules that are added from now on have to be used."""
    item.stash[_IN_BODY] = True
    servers = item.stash.get(_SERVERS, None)
    if servers is not None:
        servers.enter_body()


@pytest.hookimpl(specname="pytest_runtest_call", trylast=True)
def pytest_runtest_call_has_passed(item: pytest.Item) -> None:
    """Verify the servers as the last thing that the test does, unless it has failed or been skipped."""
    __tracebackhide__ = True
    servers = item.stash.get(_SERVERS, None)  # the body may have requested the fixture, by getfixturevalue()
    if servers is not None:
        if "smtpd_sweep" in getattr(item, "fixturenames", ()):
            from pytest_smtpd.plugin.sweeping import verify

            verify(item)
        servers.leave_body(item)
    elif item.get_closest_marker("smtpd_on"):
        from pytest_smtpd.plugin.markers import refuse_unused

        refuse_unused(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Restore the environment after all fixtures have been torn down (``monkeypatch`` too)."""
    try:
        return (yield)
    finally:
        shared = item.session.stash.get(_SHARED, None)
        if shared is not None:
            shared.end_trust()
        servers = item.stash.get(_SERVERS, None)
        if servers is not None:
            servers.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add hook errors and the transcript of each server to the report of a failure."""
    servers = item.stash.get(_SERVERS, None)
    if servers is not None and call.when == "call" and call.excinfo is not None:
        servers.point_to_hooks(call.excinfo.value)
    if call.excinfo is not None and isinstance(call.excinfo.value, pytest.fail.Exception):
        from pytest_smtpd.plugin.misspelt import explain_scope

        explain_scope(call.excinfo.value)
    report = yield
    reporter: TestServers | SharedServer | None = servers
    if reporter is None and "smtpd_session" in getattr(item, "fixturenames", ()):  # a fixture of wider scope has failed
        reporter = item.session.stash.get(_SHARED, None)
    told = call.excinfo is not None and hasattr(call.excinfo.value, "findings")  # the failure text of a sweep shows it
    if reporter is not None and (report.failed or hasattr(report, "wasxfail")) and not told:
        from pytest_smtpd.plugin.report import show

        show(report, reporter, item.config, None if call.excinfo is None else call.excinfo.value)
    if reporter is not None and (base := item.config.stash.get(_ARTIFACTS, None)) is not None:
        _keep(item, report, reporter, base)
    if report.when == "call" and "smtpd_sweep" in getattr(item, "fixturenames", ()):
        from pytest_smtpd.plugin.sweeping import tell

        vars(report)["smtpd_sweep"] = tell(item, item.config)  # xdist passes attributes on from its workers
    if report.when == "teardown":
        item.stash[_SERVERS] = None  # free the servers and their mail: pytest keeps its items to the end of the run
    return report


def pytest_terminal_summary(terminalreporter: "TerminalReporter", config: pytest.Config) -> None:
    """Show what sweeps report beside their failures."""
    reports = (report for every in terminalreporter.stats.values() for report in every)
    told = [one for report in reports for one in getattr(report, "smtpd_sweep", ())]
    if told:
        from pytest_smtpd.plugin.sweeping import show

        show(told, terminalreporter)


def _keep(item: pytest.Item, report: pytest.TestReport, reporter: "TestServers | SharedServer", base: "Path") -> None:
    """Write the artifacts of a failure at once, for the debugger, and again when the test is over."""
    if report.failed:
        from pytest_smtpd.plugin.report import show_artifacts

        item.stash[_HAS_FAILED] = True
        show_artifacts(report, reporter, base)
    elif report.when == "teardown" and item.stash.get(_HAS_FAILED, False):
        from pytest_smtpd.plugin.report import save_again

        save_again(reporter, base, item.nodeid)


# --- fixtures -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def smtpd_ca() -> "CA":
    """The ``trustme.CA`` that signs the certificates of the test servers.

    ``smtpd_ca.issue_cert(...)`` makes one for a client.
    """
    from pytest_smtpd.certificates import authority

    return authority().ca


@pytest.fixture
def smtpd_config() -> dict[str, Any]:
    """A dict of settings, and of rules under "on", for every server; override it in a conftest, module or class.

    An override may have any scope; ``smtpd_session`` uses one of session scope.
    """
    return {}


def _servers(request: pytest.FixtureRequest) -> "TestServers":
    """The servers of one test, which are kept in its stash."""
    item: pytest.Item = request.node
    servers = item.stash.get(_SERVERS, None)
    if servers is None:
        from pytest_smtpd.plugin.servers import TestServers

        config = request.config
        servers = TestServers(
            config.getini("smtpd_timeout"), config.stash.get(_DEFAULTS, {}), in_body=item.stash.get(_IN_BODY, False)
        )
        item.stash[_SERVERS] = servers
    return servers


@pytest.fixture
def smtpd(request: pytest.FixtureRequest, smtpd_config: dict[str, Any]) -> Iterator["SMTPServer"]:
    """A fresh SMTP server on a free port; markers and parameters make it behave as you like.

    It is running when the test begins. Nothing of it is left after the test.
    """
    from pytest_smtpd.plugin.fixtures import serve

    yield from serve(request, _servers(request), smtpd_config)


@pytest.fixture
def smtpd_factory(request: pytest.FixtureRequest, smtpd_config: dict[str, Any]) -> Iterator["SMTPServerFactory"]:
    """More servers: ``smtpd_factory("backup", tls="implicit")``; stopped and verified like ``smtpd``.

    It is called as ``smtpd_factory(name=None, /, *, on=(), **settings)``.
    """
    from pytest_smtpd.plugin.fixtures import serve_more

    yield from serve_more(request, _servers(request), smtpd_config)


@pytest.fixture(scope="session")
def smtpd_session(request: pytest.FixtureRequest) -> Iterator["SMTPServer"]:
    """One SMTP server for the whole run, emptied and verified for each test that uses it.

    It is for an application that is configured once; with xdist there is one for each worker. In a test whose fixtures
    include it, ``smtpd`` *is* this server: log and rules are emptied before the test, the markers of the test apply,
    and it is verified and emptied after the test.
    """
    from pytest_smtpd.plugin.servers import SharedServer, session_config

    shared = request.session.stash[_SHARED] = SharedServer(
        session_config(request, request.config.stash.get(_DEFAULTS, {}))
    )
    yield shared.server
    shared.server.stop()
    shared.verify()


@pytest.fixture
def _smtpd_borrowed(
    request: pytest.FixtureRequest, smtpd_session: "SMTPServer", smtpd_config: dict[str, Any]
) -> Iterator[None]:
    """Prepares ``smtpd_session`` for one test, and keeps its log for the report after it."""
    from pytest_smtpd.plugin.fixtures import borrow

    yield from borrow(request, _servers(request), request.session.stash[_SHARED], smtpd_config)


@pytest.fixture
def smtpd_sweep(request: pytest.FixtureRequest, smtpd: "SMTPServer", smtpd_config: dict[str, Any]) -> "Iterator[Sweep]":
    """Run a block against every failure of its dialogue: for fault in smtpd_sweep: with fault: ..."""
    from pytest_smtpd.plugin.sweeping import serve_sweep

    yield from serve_sweep(request, smtpd, smtpd_config)
