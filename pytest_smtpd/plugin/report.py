"""The sections of a failing test's report, in the place where every tool shows them.

Terminals, junit XML, IDEs, HTML reports and the debugger's prompt agree on one thing only: all of them show the
report's ``longrepr``. A text there is shown once by each; half of them do not read ``report.sections``.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from pytest_smtpd.log.query import Log
from pytest_smtpd.server import SMTPServer
from pytest_smtpd.smtp.extensions import EXTENSIONS

_EHLO_WORDS: Final = ("ehlo", "extension", "has_extn", "esmtp_features", "authentication method")
_LONG: Final = 7  # letters of a keyword that is no word of everyday English


def is_shown(config: pytest.Config) -> bool:
    """Whether reports show captured sections at all (``--show-capture``)."""
    return bool(config.getoption("showcapture", "all") == "all")


class Reporter(Protocol):
    """Servers with something to report."""

    def logs(self) -> Iterator[tuple[SMTPServer, list[Log]]]:
        """Each server with its log; where that was emptied behind the test, also with the log from before."""
        ...

    def sections(self, *, fold_ehlo: bool) -> Iterator[tuple[str, str]]:
        """Each server's name and transcript."""
        ...


def show(report: pytest.TestReport, reporter: Reporter, config: pytest.Config, error: BaseException | None) -> None:
    """Add each server's transcript to the report of a failure; a wrong marker or setting is one line and no more."""
    from pytest_smtpd.plugin.markers import UsageError

    sections = list(reporter.sections(fold_ehlo=not is_about_ehlo(error)))
    if is_shown(config) and not isinstance(error, UsageError):
        add_sections(report, [(title(name, report.when), text) for name, text in sections])
        keep_whole_in_pycharm(report, config)


def keep_whole_in_pycharm(report: pytest.TestReport, config: pytest.Config) -> None:
    """Divide the entries of a traceback by "- - -", not "_ _ _", where a run is reported to PyCharm or TeamCity.

    Their plugin for pytest cuts the text of a failed ``==`` at the first such line, and so would lose the sections.
    """
    if getattr(config, "_teamcityReporting", None) is not None:
        for traceback, *_ in getattr(report.longrepr, "chain", ()):
            traceback.entrysep = "- "


def show_artifacts(report: pytest.TestReport, reporter: Reporter, base: Path) -> None:
    """Write what a failing test's servers saw, and show where at the end of its report."""
    from pytest_smtpd.plugin import artifacts

    try:
        path = artifacts.save(base / artifacts.folder_name(report.nodeid), reporter.logs(), report.nodeid)
    except Exception as error:  # a full disk, or a test that has replaced the file system
        add_sections(report, [("smtpd artifacts", f"could not be written: {type(error).__name__}: {error}")])
    else:
        add_sections(report, [("smtpd artifacts", str(path))] if path is not None else [])


def save_again(reporter: Reporter, base: Path, nodeid: str) -> None:
    """The failed test is over: what came while it was torn down belongs to its artifacts too."""
    from pytest_smtpd.plugin import artifacts

    with contextlib.suppress(Exception):  # the report of the failure has shown it
        artifacts.save(base / artifacts.folder_name(nodeid), reporter.logs(), nodeid)


def title(server: str, when: str | None) -> str:
    """The title of a server's section."""
    return f"Captured smtpd {when}" if server == "smtpd" else f"Captured smtpd ({server}) {when}"


def add_sections(report: pytest.TestReport, sections: Iterable[tuple[str, str]]) -> None:
    """Show these titles and texts at the end of a failure."""
    longrepr: Any = report.longrepr
    if not hasattr(longrepr, "addsection"):
        longrepr = Extended(longrepr)
        report.longrepr = longrepr
    for name, text in sections:
        longrepr.addsection(name, text)


class Extended:
    """A failure's text that is no exception's (a fixture that is not found, an unexpected pass), with sections."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.reprcrash: Any = getattr(inner, "reprcrash", None) or _Crash(str(inner))
        self.sections: list[tuple[str, str, str]] = []

    def addsection(self, name: str, content: str, sep: str = "-") -> None:
        """Add one, like those of an exception's text."""
        self.sections.append((name, content, sep))

    def __str__(self) -> str:
        sections = [f"{f' {name} ':{sep}^80}\n{content}" for name, content, sep in self.sections]
        return "\n".join([str(self.inner), *sections])

    def toterminal(self, tw: Any) -> None:
        """Write all of it."""
        if hasattr(self.inner, "toterminal"):
            self.inner.toterminal(tw)
        else:
            tw.line(str(self.inner))
        for name, content, sep in self.sections:
            tw.sep(sep, name)
            tw.line(content)


class _Crash:
    """The one-line summary of a failure."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __str__(self) -> str:
        return self.message


def is_about_ehlo(error: BaseException | None) -> bool:
    """Whether a failure is about what the reply to EHLO offers; then all of that reply is worth its place."""
    return any(_names_extension(text) for text in _texts(error)) or any(map(_asks_for_extension, _lines(error)))


def _names_extension(text: str) -> bool:
    words = text.lower()
    return _asks_for_extension(text) or any(
        keyword in text or (len(keyword) >= _LONG and keyword.lower() in words) for keyword in EXTENSIONS
    )


def _asks_for_extension(text: str) -> bool:
    words = text.lower()
    return any(word in words for word in _EHLO_WORDS)


def _lines(error: BaseException | None) -> Iterator[str]:
    """The source lines at which an exception passed."""
    import linecache
    import traceback

    for frame, number in traceback.walk_tb(None if error is None else error.__traceback__):
        yield linecache.getline(frame.f_code.co_filename, number)


def _texts(error: BaseException | None) -> Iterator[str]:
    """The texts of an exception and of those behind it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        try:
            yield f"{type(error).__name__}: {error}"
        except Exception:
            yield type(error).__name__
        error = error.__cause__ or error.__context__
