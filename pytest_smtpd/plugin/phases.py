"""What the plugin does in the phases of a test that uses it. Loaded when the first such test has been collected."""

import sys
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_smtpd.plugin.servers import SharedServer, TestServers

_HAS_FAILED: "pytest.StashKey[bool]" = pytest.StashKey()


def prepare(users: Sequence[pytest.Item]) -> None:
    """All tests have been collected, and these use the plugin."""
    if "pyfakefs" in sys.modules:  # which discards modules that are first imported while it works
        from pytest_smtpd.plugin.whole import load_everything

        load_everything()
    for item in users:
        names: list[str] = getattr(item, "fixturenames", [])
        if "smtpd_session" in names and "_smtpd_borrowed" not in names:
            names.insert(_first_of_the_test(item), "_smtpd_borrowed")


def _first_of_the_test(item: pytest.Item) -> int:
    """The index of the first fixture of function scope among the fixtures of a test.

    Mail that fixtures of a wider scope send belongs to no test.
    """
    names: list[str] = getattr(item, "fixturenames", [])
    chains = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    scopes = [chains[name][-1].scope if chains.get(name) else "function" for name in names]
    return scopes.index("function") if "function" in scopes else len(names)


def set_up(item: pytest.Item, shared: "SharedServer | None") -> None:
    """Forget what an earlier attempt has left, and refuse wrong markers before all else."""
    from pytest_smtpd.plugin.markers import refuse_misuse

    item.stash[_HAS_FAILED] = False
    if (base := _artifacts(item.config)) is not None:
        from pytest_smtpd.plugin.artifacts import folder_name, remove

        remove(base / folder_name(item.nodeid))
    if shared is not None and "smtpd_session" in _fixtures(item):
        shared.begin_trust()  # a fixture may now set up an application that creates its TLS context only once
    refuse_misuse(item)


def verify(item: pytest.Item, servers: "TestServers | None") -> None:
    """The test has passed otherwise: verify its servers. Raises a hook error, or fails the test."""
    __tracebackhide__ = True
    if servers is not None:
        if "smtpd_sweep" in _fixtures(item):
            from pytest_smtpd.plugin.sweeping import verify

            verify(item)
        servers.leave_body(item)
    elif item.get_closest_marker("smtpd_on"):
        from pytest_smtpd.plugin.markers import refuse_unused

        refuse_unused(item)


def make_report(
    item: pytest.Item, call: "pytest.CallInfo[None]", servers: "TestServers | None", shared: "SharedServer | None"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let pytest make its report of a phase, and add what this plugin knows."""
    error = None if call.excinfo is None else call.excinfo.value
    if servers is not None and call.when == "call" and error is not None:
        servers.point_to_hooks(error)
    report = yield
    reporter: TestServers | SharedServer | None = servers
    if reporter is None and "smtpd_session" in _fixtures(item):  # a fixture of wider scope has failed
        reporter = shared
    is_told = hasattr(error, "findings")  # the failure text of a sweep shows the transcripts
    if reporter is not None and (report.failed or hasattr(report, "wasxfail")) and not is_told:
        from pytest_smtpd.plugin.report import show

        show(report, reporter, item.config, error)
    if reporter is not None and (base := _artifacts(item.config)) is not None:
        _keep(item, report, reporter, base)
    if report.when == "call" and "smtpd_sweep" in _fixtures(item):
        from pytest_smtpd.plugin.sweeping import tell

        vars(report)["smtpd_sweep"] = tell(item, item.config)  # xdist passes attributes on from its workers
    return report


def _keep(item: pytest.Item, report: pytest.TestReport, reporter: "TestServers | SharedServer", base: "Path") -> None:
    """Write the artifacts of a failure at once, for the debugger, and again when the test is over."""
    if report.failed:
        from pytest_smtpd.plugin.report import show_artifacts

        item.stash[_HAS_FAILED] = True
        show_artifacts(report, reporter, base)
    elif report.when == "teardown" and item.stash.get(_HAS_FAILED, False):
        from pytest_smtpd.plugin.report import save_again

        save_again(reporter, base, item.nodeid)


def _artifacts(config: pytest.Config) -> "Path | None":
    """The folder for the artifacts of all tests; None if nobody has asked for them."""
    if not (config.getoption("smtpd_artifacts") or config.getini("smtpd_artifacts")):
        return None
    from pytest_smtpd.plugin.artifacts import base_of

    return base_of(config)


def _fixtures(item: pytest.Item) -> Sequence[str]:
    names: Sequence[str] = getattr(item, "fixturenames", ())
    return names
