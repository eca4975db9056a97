"""The options of a sweep: one row each, with its values and its meaning."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from pytest_smtpd.suggest import did_you_mean


class Option(NamedTuple):
    """A row. ``wanted`` describes its values, ``meaning`` its effect; ``normalise`` gives the value its final form."""

    default: Any
    check: Callable[[Any], bool]
    wanted: str
    meaning: str
    normalise: Callable[[Any], Any] = lambda value: value


def _are_patterns(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, list | tuple | set | frozenset) and all(isinstance(one, str) for one in value)


def _patterns(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _is_seconds(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value > 0)


def _is_expectation(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and isinstance(reason, str) and reason and ": " in key for key, reason in value.items()
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


LEVELS: Final = ("quick", "full")
OPTIONS: Final[Mapping[str, Option]] = {
    "level": Option(
        "quick",
        lambda value: value in LEVELS,
        "'quick' or 'full'",
        "`quick`: one failure of each kind at each step; `full`: all of them",
    ),
    "only": Option(
        (),
        _are_patterns,
        "a shell pattern or a list of them",
        "shell patterns: the ids of the points to run, and no others",
        _patterns,
    ),
    "skip": Option(
        (),
        _are_patterns,
        "a shell pattern or a list of them",
        "shell patterns: the ids of points that are not run",
        _patterns,
    ),
    "timeout": Option(
        None,
        _is_seconds,
        "a number of seconds above 0 or None",
        "the client's own timeout in seconds. `None`: measured at the first point where the server hangs; "
        "a client that waits for more than 5 s has those points left out",
    ),
    "budget": Option(
        None,
        _is_seconds,
        "a number of seconds above 0 or None",
        "seconds for the whole sweep; the points that were not run are counted in the report",
    ),
    "split": Option(
        1,
        _is_count,
        "a number from 1",
        "makes this many tests of it, `[1/4]` to `[4/4]` for 4, which can run at the same time",
    ),
    "expect": Option(
        {},
        _is_expectation,
        'a dict like {"lost: rcpt_to-*": "the reason, or a ticket"}',
        "findings that are known: `finding: point pattern` and a reason. An entry that matches nothing any more fails",
        dict,
    ),
    "strict": Option(False, lambda value: isinstance(value, bool), "True or False", "notices fail the test too"),
}
_OTHERWISE: Final = {"points": "only", "include": "only", "exclude": "skip", "ignore": "skip", "xfail": "expect"}


def check_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` in its final form. Raises ``TypeError`` for an unknown option, ``ValueError`` for a wrong value."""
    for name, value in given.items():
        if name not in OPTIONS:
            meant = _OTHERWISE.get(name)
            hint = f" - did you mean {meant!r}?" if meant else did_you_mean(name, OPTIONS, "option of a sweep")
            raise TypeError(f"unknown option {name!r} of a sweep{hint}")
        if not OPTIONS[name].check(value):
            raise ValueError(f"{name} must be {OPTIONS[name].wanted}, not {value!r}")
    _check_expected(given.get("expect", {}))
    return {name: OPTIONS[name].normalise(value) for name, value in given.items()}


def _check_expected(expect: Mapping[str, str]) -> None:
    """A misspelt finding would be reported as one that does not happen any more. Raises ``ValueError``."""
    if not expect:
        return
    from pytest_smtpd.sweep.judge import FINDINGS, NOTICES

    names = [*FINDINGS, *NOTICES]
    for pattern in (key.split(": ", 1)[0] for key in expect):
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"unknown finding {pattern!r} in expect{did_you_mean(pattern, names, 'finding')}")


def check_here(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same where the test runs already: too late to make several tests of it."""
    if "split" in given:
        raise TypeError("split makes tests when they are collected: give it to @pytest.mark.smtpd_sweep(split=...)")
    return check_options(given)
