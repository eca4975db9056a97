"""Lint in a test run: the ini options, and the verdict on a test that has passed otherwise. Loaded where it is used."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import pytest

from pytest_smtpd.lint.choice import check_choice
from pytest_smtpd.lint.finding import SMTPLintWarning
from pytest_smtpd.lint.report import failure, warnings_of
from pytest_smtpd.server import SMTPServer

_FLAGS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def read_ini(config: pytest.Config) -> dict[str, Any]:
    """The settings that the ini options give to every server. Raises ``UsageError``, in one line."""
    names: list[str] = config.getini("smtpd_lint").split()
    value: Any = frozenset(names)
    if len(names) == 1:
        value = _FLAGS.get(names[0].lower(), names[0])
    settings = {"lint": value if names else False, "lint_ignore": frozenset(config.getini("smtpd_lint_ignore").split())}
    try:
        check_choice(settings)
    except ValueError as error:
        raise pytest.UsageError(f"smtpd_{error}") from None
    return settings


def problems(servers: Iterable[SMTPServer]) -> Iterator[str]:
    """Why a test fails that has passed otherwise."""
    for server in servers:
        if server.settings.lint and (problem := failure(server.settings, server.log, server.name)):
            yield problem


def warn(item: pytest.Item, servers: Iterable[SMTPServer]) -> Iterator[str]:
    """Give the warnings that servers ask for; the texts of those that a filter makes errors."""
    for server in servers:
        for warning in warnings_of(server.settings, server.log, server.name) if server.settings.lint == "warn" else ():
            try:
                item.warn(warning)
            except SMTPLintWarning as error:
                yield f"SMTPLintWarning: {error}"
