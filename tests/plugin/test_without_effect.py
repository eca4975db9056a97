"""Our markers on a test that uses none of our fixtures: an error, unless something may still ask for one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Outcomes = Callable[..., dict[str, int]]

# Fixtures of somebody's plugin, as pytest-django has them.
PLUGIN = """
@pytest.fixture
def blocker(request):
    return request.config

@pytest.fixture(autouse=True)
def in_every_test(request, blocker, tmp_path):
    yield

@pytest.fixture
def server(request):
    return request.getfixturevalue("smtpd")

@pytest.fixture
def application(server):
    return server
"""


@pytest.fixture
def outcomes(pytester: pytest.Pytester, write: Callable[..., None], arguments: list[str]) -> Outcomes:
    """Return a function that runs tests beside an installed plugin."""

    def outcomes(source: str, **modules: str) -> dict[str, int]:
        write(source, outside_plugin=PLUGIN, **modules)
        metadata = pytester.mkdir("outside-1.dist-info")
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1\n", encoding="utf-8")
        (metadata / "entry_points.txt").write_text("[pytest11]\noutside = outside_plugin\n", encoding="utf-8")
        pytester.syspathinsert()
        return pytester.runpytest_inprocess(*arguments, "-p", "outside").parseoutcomes()

    return outcomes


def test_what_a_plugin_does_in_every_test_is_no_excuse(outcomes: Outcomes) -> None:
    got = outcomes("""
        @pytest.mark.smtpd_on("rcpt_to", reply=550)
        def test_it(tmp_path): pass
    """)
    assert got == {"errors": 1}


ASKING = {
    "the test": "def test_it(request): assert attempt(request.getfixturevalue('smtpd'))",
    "a fixture of a plugin": "def test_it(server): assert attempt(server)",
    "one behind another": "def test_it(application): assert attempt(application)",
    "usefixtures": "@pytest.mark.usefixtures('application')\ndef test_it(): pass",
    "a fixture of the project": "def test_it(ours): assert attempt(ours)",
}
CONFTEST = """
@pytest.fixture
def ours(request):
    return request.getfixturevalue("smtpd")
"""


@pytest.mark.parametrize("test", ASKING.values(), ids=ASKING)
def test_what_may_ask_for_a_server_later_is_left_alone(outcomes: Outcomes, test: str) -> None:
    got = outcomes(f"@pytest.mark.smtpd_on('rcpt_to', reply=550, optional=True)\n{test}", conftest=CONFTEST)
    assert got == {"passed": 1}


def test_a_fixture_of_the_project_that_runs_in_every_test_may_ask_too(outcomes: Outcomes) -> None:
    conftest = """
    @pytest.fixture(autouse=True)
    def ours(request):
        if request.node.get_closest_marker("smtpd_on"):
            attempt(request.getfixturevalue("smtpd"))
    """
    got = outcomes("@pytest.mark.smtpd_on('rcpt_to', reply=550)\ndef test_it(): pass", conftest=conftest)
    assert got == {"passed": 1}
