"""The pytest plugin: fixtures, markers, verification and the transcript in reports.

It imports pytest and nothing else; the rest of the package is loaded by the first test that uses it.
"""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    import trustme

    from pytest_smtpd.bench import Bench, SMTPServerFactory, Trust
    from pytest_smtpd.markers import Wishes
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
)
_BENCH: "pytest.StashKey[Bench]" = pytest.StashKey()
_TRUST: "pytest.StashKey[Trust]" = pytest.StashKey()
_IN_BODY: "pytest.StashKey[bool]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option, in ini files only."""
    parser.addini("smtpd_timeout", "seconds that every wait of an smtpd server lasts by default", "float", 5.0)


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the markers, and check the option."""
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


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Readable ids for parameters of ``smtpd``."""
    if argname != "smtpd":
        return None
    from pytest_smtpd.markers import parameter_id

    return parameter_id(val)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test that uses ``smtpd_session`` gets it emptied, marked and verified."""
    names = getattr(item, "fixturenames", [])
    if "smtpd_session" in names and "_smtpd_guest" not in names:
        names.insert(_first_of_the_test(item, names), "_smtpd_guest")


def _first_of_the_test(item: pytest.Item, names: list[str]) -> int:
    """Behind the fixtures of a wider scope, whose mail belongs to no test, and before the test's own."""
    chains = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    scopes = [chains[name][-1].scope if chains.get(name) else "function" for name in names]
    return scopes.index("function") if "function" in scopes else len(names)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start clean (a rerun keeps the stash), and refuse wrong markers before anything else happens."""
    _forget(item, _BENCH)
    _forget(item, _IN_BODY)
    problem = _foreign(item)
    if problem is None and _marked(item):
        from pytest_smtpd.markers import marks_problem

        problem = marks_problem(item)
    if problem:
        _usage_error(problem)


def _forget(item: pytest.Item, key: "pytest.StashKey[Any]") -> None:
    if key in item.stash:
        del item.stash[key]


def _marked(item: pytest.Item) -> bool:
    return item.get_closest_marker("smtpd") is not None or item.get_closest_marker("smtpd_on") is not None


def _usage_error(problem: str) -> NoReturn:
    from pytest_smtpd.markers import UsageError

    raise UsageError(problem)


def _foreign(item: pytest.Item) -> str | None:
    """Another fixture in the place of ours, to which this test gives our markers and parameters.

    One that builds on ours is welcome, and without them so is any of a conftest or a test module.
    """
    if "smtpd" not in getattr(item, "fixturenames", ()):
        return None
    definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).get("smtpd")
    winner = definitions[-1] if definitions else None
    module = getattr(getattr(winner, "func", None), "__module__", __name__)
    if winner is None or module == __name__ or "smtpd" in winner.argnames:
        return None
    parameter = getattr(getattr(item, "callspec", None), "params", {}).get("smtpd")
    wished = _marked(item) or type(parameter).__module__ == "pytest_smtpd"
    plugins = [plugin for plugin, _ in item.config.pluginmanager.list_plugin_distinfo()]
    installed = {getattr(plugin, "__name__", "").partition(".")[0] for plugin in plugins}
    if not wished and module.partition(".")[0] not in installed:
        return None
    return (
        f"the fixture 'smtpd' of this test is not pytest-smtpd's: {module} defines one too, and wins; "
        "switch that plugin off with -p no:NAME, or rename its fixture"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Verify the servers in the call phase, without ever hiding the test's own failure."""
    __tracebackhide__ = True
    item.stash[_IN_BODY] = True
    bench = item.stash.get(_BENCH, None)
    if bench is not None:
        bench.enter_body(inside=True)
    try:
        result = yield
    except Exception as error:
        _point_to_hooks(item, error)
        raise
    bench = item.stash.get(_BENCH, None)  # the body may have asked for it
    return result if bench is None else _verified(bench, result)


def _verified(bench: "Bench", result: object) -> object:
    bench.enter_body(inside=False)
    problem = bench.verify()
    if problem:
        pytest.fail(problem, pytrace=False)
    bench.passed = True
    return result


def _point_to_hooks(item: pytest.Item, error: Exception) -> None:
    bench = item.stash.get(_BENCH, None)
    for raised in [] if bench is None else bench.errors:
        if raised is not error:
            error.add_note(f"smtpd: a hook raised {raised!r}; its traceback is in 'Captured smtpd call' below")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """When every fixture is gone (``monkeypatch`` too), put the environment back."""
    try:
        return (yield)
    finally:
        trust = item.session.stash.get(_TRUST, None)
        if trust is not None:
            trust.end()
        bench = item.stash.get(_BENCH, None)
        if bench is not None:
            bench.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add each server's transcript to the report of a failure."""
    report = yield
    bench = item.stash.get(_BENCH, None)
    if bench is not None and (report.failed or hasattr(report, "wasxfail")):
        for name, text in bench.sections():
            report.sections.append((f"Captured {name} {report.when}", text))
    return report


# --- fixtures -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def smtpd_ca() -> "trustme.CA":
    """The trustme.CA that signs every certificate of the test servers."""
    from pytest_smtpd.certificates import authority

    return authority().ca


@pytest.fixture
def smtpd_config() -> dict[str, Any]:
    """Settings (and an "on" list of rules) for every server; override it in a conftest, module or class."""
    return {}


@pytest.fixture
def _smtpd_bench(request: pytest.FixtureRequest) -> "Bench":
    """The servers of one test."""
    from pytest_smtpd.bench import Bench

    bench = request.node.stash[_BENCH] = Bench(request.config.getini("smtpd_timeout"))
    bench.in_body = request.node.stash.get(_IN_BODY, False)
    return bench


def _wishes(request: pytest.FixtureRequest, config: dict[str, Any], parameter: object = None) -> "Wishes":
    """Everything that a test says about its server, nearest first. What is wrong is a one-line error."""
    from pytest_smtpd.markers import all_wishes

    wishes = all_wishes(request.node, config, parameter)
    if isinstance(wishes, str):
        _usage_error(wishes)
    return wishes


@pytest.fixture
def smtpd(
    request: pytest.FixtureRequest, _smtpd_bench: "Bench", smtpd_config: dict[str, Any]
) -> Iterator["SMTPServer"]:
    """A fresh SMTP server on a free port; markers and parameters make it behave as you like."""
    wishes = _wishes(request, smtpd_config, getattr(request, "param", None))
    if "smtpd_session" in request.fixturenames:
        server = request.getfixturevalue("smtpd_session")
        request.getfixturevalue("_smtpd_guest")
        _lend(server, wishes)
        yield server
        return
    _smtpd_bench.hand_to_all(wishes.named_rules)
    server = _smtpd_bench.open(wishes)
    yield server
    server.stop()


@pytest.fixture
def smtpd_factory(
    request: pytest.FixtureRequest, _smtpd_bench: "Bench", smtpd_config: dict[str, Any]
) -> Iterator["SMTPServerFactory"]:
    """More servers: smtpd_factory("backup", tls="implicit"); stopped and verified like smtpd."""
    from pytest_smtpd.bench import Factory

    wishes = _wishes(request, smtpd_config)
    _smtpd_bench.hand_to_all(wishes.named_rules)
    factory = Factory(_smtpd_bench, _wishes_of_config(smtpd_config))
    yield factory
    for server in factory.opened:
        server.stop()


def _wishes_of_config(config: dict[str, Any]) -> "Wishes":
    from pytest_smtpd.markers import read_dict

    return read_dict(config, "smtpd_config", optional=True)


@pytest.fixture(scope="session")
def smtpd_session(request: pytest.FixtureRequest) -> Iterator["SMTPServer"]:
    """One SMTP server for the whole run (of each worker), emptied, marked and verified for each test that uses it."""
    from pytest_smtpd.bench import Trust, session_server

    server = session_server(request)
    trust = request.session.stash[_TRUST] = Trust()  # an application may connect before the first test
    trust.begin(server)
    yield server
    server.stop()


@pytest.fixture
def _smtpd_guest(
    request: pytest.FixtureRequest, _smtpd_bench: "Bench", smtpd_session: "SMTPServer", smtpd_config: dict[str, Any]
) -> Iterator[None]:
    """A test's time on ``smtpd_session``."""
    wishes = _wishes(request, smtpd_config)
    _smtpd_bench.hand_to_all(wishes.named_rules)
    request.session.stash[_TRUST].end()  # the session's fixtures are set up; from here on the test decides
    smtpd_session.start()  # the test before may have stopped it
    smtpd_session.clear()
    _lend(smtpd_session, wishes)
    _smtpd_bench.adopt(smtpd_session)
    yield
    _smtpd_bench.give_back(smtpd_session)


def _lend(server: "SMTPServer", wishes: "Wishes") -> None:
    problem = None
    try:
        server.configure(wishes.settings, wishes.rules)
    except ValueError as error:
        problem = f"{error}; on smtpd_session it counts at start only: set it in a session-scoped smtpd_config"
    if problem:
        _usage_error(problem)
