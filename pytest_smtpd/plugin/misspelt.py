"""Suggestions for misspelt markers and for fixtures of the wrong scope, and the places of markers."""

import inspect
import os
import re
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest

from pytest_smtpd.suggest import distance

if TYPE_CHECKING:
    from _pytest.outcomes import Failed

_FAR: Final = 2  # letters by which a name may differ
MARKERS: Final = ("smtpd", "smtpd_on", "smtpd_sweep")


def misspelt(item: pytest.Item) -> str | None:
    """The error about a marker whose name is nearly one of ours, in one line; None if there is no such marker."""
    for mark in item.iter_markers():
        near = mark.name not in MARKERS and _is_near(mark.name, has_arguments=bool(mark.args or mark.kwargs))
        if near and mark.name not in _registered(item.config):
            return (
                f"unknown marker @pytest.mark.{mark.name} - did you mean {_meant(mark)}? "
                f"(a marker of your own belongs in the ini option markers) ({place_of(item, mark)})"
            )
    return None


@cache
def _is_near(name: str, *, has_arguments: bool) -> bool:
    """Whether a name differs from one of ours by two letters at most, or begins with one of ours."""
    name = name.lower()
    if min(distance(name, ours) for ours in MARKERS) <= (_FAR if len(name) > 5 else 1):
        return True
    head = name.partition("_")[0]
    return distance(head, "smtpd") <= 1 and (head != "smtp" or has_arguments)


def _meant(mark: pytest.Mark) -> str:
    """The marker that was meant: ``smtpd_on`` takes a hook, ``smtpd`` keywords only."""
    if distance(mark.name.lower(), "smtpd_sweep") <= _FAR:
        return "smtpd_sweep"
    if mark.args:
        return "smtpd_on"
    return "smtpd" if mark.kwargs else min(MARKERS, key=lambda ours: distance(mark.name.lower(), ours))


def _registered(config: pytest.Config) -> set[str]:
    lines: list[str] = config.getini("markers")
    return {re.split(r"[:(]", line, maxsplit=1)[0].strip() for line in lines}


def explain_scope(error: "Failed") -> None:
    """Add to pytest's ScopeMismatch about one of our fixtures which one to use instead."""
    found = re.match(r"ScopeMismatch: .* fixture (smtpd|smtpd_factory) with a (\w+) scoped request", error.msg or "")
    if found:
        error.msg = (
            f"{error.msg}\n{found[1]} lives for one test; a fixture of {found[2]} scope takes smtpd_session, "
            "one server for the whole run, which is emptied before each test that uses it"
        )


def place_of(item: pytest.Item, mark: pytest.Mark) -> str:
    """The file and the line of the test, class or module with the marker, relative to the root folder."""
    path, line, _ = item.location
    for node in item.listchain():
        if mark in node.own_markers and isinstance(node, pytest.Module):
            return path
        if mark in node.own_markers and isinstance(node, pytest.Class):
            return _place_of_class(node, mark) or path
    return path if line is None else f"{path}:{line + 1}"


def _place_of_class(node: pytest.Class, mark: pytest.Mark) -> str | None:
    """A base class may have given the marker, and may be in another file."""
    for cls in node.obj.__mro__:
        marks = cls.__dict__.get("pytestmark", ())
        if mark in (marks if isinstance(marks, list | tuple) else [marks]):
            try:
                file, (_, line) = inspect.getsourcefile(cls), inspect.getsourcelines(cls)
            except (OSError, TypeError):
                return None
            return f"{os.path.relpath(file or '', node.config.rootpath)}:{line}"
    return None
