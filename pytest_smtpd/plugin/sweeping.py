"""``smtpd_sweep`` in pytest: its options, its share of the points, its verdict, and what failed last time."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import pytest

from pytest_smtpd.plugin.markers import UsageError
from pytest_smtpd.plugin.misspelt import place_of
from pytest_smtpd.server import SMTPServer
from pytest_smtpd.suggest import did_you_mean
from pytest_smtpd.sweep.course import Order
from pytest_smtpd.sweep.options import check_here, check_options
from pytest_smtpd.sweep.report import CLEAN
from pytest_smtpd.sweep.sweep import Sweep

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

SWEEP: "pytest.StashKey[Sweep]" = pytest.StashKey()
LEVELS: Final = ("off", "quick", "full")


def split(metafunc: pytest.Metafunc) -> None:
    """Make the tests ``[1/4]`` to ``[4/4]`` where a marker asks for it."""
    parts = _marked(metafunc.definition).get("split", 1)
    if isinstance(parts, int) and parts > 1:
        shares = [(part, parts) for part in range(1, parts + 1)]
        metafunc.parametrize("smtpd_sweep", shares, indirect=True, ids=[f"{part}/{of}" for part, of in shares])


def _marked(item: pytest.Item) -> dict[str, Any]:
    """The options that markers give, the nearest first."""
    options: dict[str, Any] = {}
    for mark in item.iter_markers("smtpd_sweep"):
        options = {**mark.kwargs, **options}
    return options


def _check_marks(item: pytest.Item) -> None:
    """Raise ``UsageError`` for a mistake in a marker, in one line with its place."""
    for mark in item.iter_markers("smtpd_sweep"):
        place = place_of(item, mark)
        if mark.args:
            raise UsageError(f"@pytest.mark.smtpd_sweep takes keywords only, like level='full' ({place})")
        try:
            check_options(mark.kwargs)
        except (TypeError, ValueError) as error:
            raise UsageError(f"@pytest.mark.smtpd_sweep: {error} ({place})") from None


def read_level(config: pytest.Config) -> str | None:
    """The value of ``--smtpd-sweep`` or of the ini option. Raises ``UsageError`` for an unknown one."""
    level: str | None = config.getoption("--smtpd-sweep") or config.getini("smtpd_sweep") or None
    if level is not None and level not in LEVELS:
        hint = did_you_mean(level, LEVELS, "level")
        raise pytest.UsageError(f"smtpd_sweep must be off, quick or full, not {level!r}{hint}")
    return level


def serve_sweep(request: pytest.FixtureRequest, server: SMTPServer, config: Mapping[str, Any]) -> Iterator[Sweep]:
    """The fixture: a sweep of the test's server."""
    item: pytest.Item = request.node
    level = read_level(request.config)
    asked: list[str] = request.config.getoption("--smtpd-sweep-point") or []
    part, parts = getattr(request, "param", (1, 1))
    order = Order(
        only=asked,
        first=[] if asked else _failed(request.config, item.nodeid),
        off=level == "off",
        part=1 if asked else part,
        parts=1 if asked else parts,
        again=_again(item),
    )
    in_config = config.get("sweep", {})
    if not isinstance(in_config, Mapping):
        raise UsageError(f'smtpd_config["sweep"] must be a dict of options, not {in_config!r}')
    _check_marks(item)
    try:
        given = {"level": level} if level in ("quick", "full") else {}
        options = {**given, **check_here(in_config), **check_options(_marked(item))}
        sweep = Sweep(server, options, order)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None
    if request.config.getoption("--smtpd-sweep"):
        sweep.fixed = given
    item.stash[SWEEP] = sweep
    yield sweep
    sweep.abandon()
    _remember(request.config, item.nodeid, sweep)


def _again(item: pytest.Item) -> Callable[[str], str]:
    def command(point: str) -> str:
        return f"pytest {_quoted(item.nodeid)} --smtpd-sweep-point={_quoted(point)}"

    return command


def _quoted(word: str) -> str:
    return shlex.quote(word) if "'" in word else f"'{word}'"


def verify(item: pytest.Item) -> None:
    """The test has passed: fail it if its sweep was not brought to its end."""
    sweep = item.stash.get(SWEEP, None)
    if sweep is not None and sweep.problem:
        pytest.fail(sweep.problem, pytrace=False)


# --- between runs ---------------------------------------------------------------------------------------------------


def _failed(config: pytest.Config, test: str) -> list[str]:
    """The points of a test that failed last time."""
    cache = getattr(config, "cache", None)
    found = None if cache is None else cache.get(_key(test), [])
    return found if isinstance(found, list) else []


def _key(test: str) -> str:
    """A file for each test: the processes of one run write at the same time."""
    return f"smtpd/sweep/{crc32(test.encode('utf-8', 'surrogatepass')):08x}"


def _remember(config: pytest.Config, test: str, sweep: Sweep) -> None:
    cache = getattr(config, "cache", None)
    if cache is None or not sweep.is_complete or sweep.order.only or sweep.order.off:
        return
    failing = list(dict.fromkeys(point for one in sweep.findings for point in one.points if point != CLEAN))
    if _failed(config, test) != failing:
        cache.set(_key(test), failing)


# --- in reports -----------------------------------------------------------------------------------------------------

Told = tuple[str, str]  # a title and a text


def tell(item: pytest.Item, config: pytest.Config) -> list[Told]:
    """The lines about a sweep at the end of the run, beside its failure.

    With ``-v`` the count of one that has passed; the transcripts of points that were asked for by their ids, and which
    of them it does not have.
    """
    sweep = item.stash.get(SWEEP, None)
    if sweep is None:
        return []
    passed = [("", f"{item.nodeid}: {sweep.counts}")] if sweep.counts and config.get_verbosity() > 0 else []
    unknown = [("", f"{item.nodeid}: {problem}") for problem in sweep.unknown]
    return [*passed, *unknown, *((f"{item.nodeid} {name}", transcript) for name, transcript in sweep.transcripts)]


def show(told: Iterable[Told], terminal: "TerminalReporter") -> None:
    """Write it."""
    lines = [text for title, text in told if not title]
    if lines:
        terminal.section("smtpd sweeps")
        terminal.write_line("\n".join(lines))
    for title, text in told:
        if title:
            terminal.section(f"smtpd sweep: {title}", "-")
            terminal.write_line(text)
