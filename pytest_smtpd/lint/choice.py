"""The choice of rules, and their findings."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pytest_smtpd.lint.facts import Facts
from pytest_smtpd.lint.finding import ALONE, Found, Lint
from pytest_smtpd.lint.table import RULES
from pytest_smtpd.log.query import Log
from pytest_smtpd.suggest import did_you_mean

__tracebackhide__ = True  # errors point at the caller's line


def chosen(lint: "bool | str | Collection[str]", ignored: Collection[str] = ()) -> frozenset[str]:
    """The names of the rules that these two settings ask for.

    Raises ``ValueError`` with a one-line message for unknown ones.
    """
    ignored = _check("lint_ignore", [ignored] if isinstance(ignored, str) else ignored)
    if not lint:
        return frozenset()
    if lint == "all":
        names: Iterable[str] = RULES
    elif lint is True or lint == "warn":
        names = (name for name, row in RULES.items() if row.default)
    else:
        names = _check("lint", [lint] if isinstance(lint, str) else lint)
    return frozenset(names) - frozenset(ignored)


def check_choice(settings: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` with a one-line message where one of the two settings names a rule that there is not."""
    chosen(settings.get("lint", False), settings.get("lint_ignore", ()))


def _check(setting: str, names: Collection[str]) -> Collection[str]:
    for name in names:
        if name not in RULES:
            hint = did_you_mean(name, RULES, "rule", listing=False) or f" (valid: {', '.join(RULES)})"
            if name in ALONE:
                hint = f"; {name!r} stands alone, without names of rules"
            raise ValueError(f"{setting}: unknown rule {name!r}{hint}")
    return names


def find(log: Log, names: Collection[str] | None = None) -> list[Found]:
    """The findings of these rules (None: of all) in the log, in the order of time."""
    facts = Facts(log)
    rows = [(name, row) for name, row in RULES.items() if names is None or name in names]
    found = [one for name, row in rows for one in row.findings(name, facts)]
    return sorted(found, key=lambda one: one.at)


def lint(log: Log) -> list[Lint]:
    """The findings of all rules."""
    return [found.lint for found in find(log)]
