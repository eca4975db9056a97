"""The failures and warnings in which a test sees the findings that it has asked for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from pytest_smtpd.lint.choice import chosen, find
from pytest_smtpd.lint.finding import Found, Lint, SMTPLintWarning
from pytest_smtpd.log.log import Note
from pytest_smtpd.log.query import Log
from pytest_smtpd.smtp.session import Session


class Asked(Protocol):
    """The two settings."""

    lint: bool | str | frozenset[str]
    lint_ignore: frozenset[str]


def asked_for(settings: Asked, log: Log) -> list[Found]:
    """The findings that these settings ask for."""
    names = chosen(settings.lint, settings.lint_ignore)
    return find(log, names) if names else []


def failure(settings: Asked, log: Log, server: str) -> str | None:
    """The text with which a test fails, which passed otherwise."""
    found = [] if settings.lint == "warn" else asked_for(settings, log)
    if not found:
        return None
    sessions = log.sessions()
    rules = list(dict.fromkeys(one.lint.rule for one in found))
    lines = [f"  {_line(one.lint, sessions)}" for one in found]
    allow = f"to allow what is meant to be so: lint_ignore={{{', '.join(map(repr, rules))}}}"
    return "\n".join([f"{server}: lint found {', '.join(rules)}:", *lines, allow])


def warnings_of(settings: Asked, log: Log, server: str) -> Iterator[SMTPLintWarning]:
    """The warnings that a test gives."""
    found = asked_for(settings, log) if settings.lint == "warn" else []
    sessions = log.sessions() if found else []
    return (SMTPLintWarning(f"{server}: {_line(one.lint, sessions)}") for one in found)


def _line(lint: Lint, sessions: Sequence[Session]) -> str:
    return f"{lint.rule}, session {sessions.index(lint.session) + 1}: {lint.text}"


def remarks(settings: Asked, log: Log) -> Mapping[Session, Sequence[Note]]:
    """The findings as lines of a transcript."""
    notes: dict[Session, list[Note]] = {}
    for at, lint in asked_for(settings, log):
        notes.setdefault(lint.session, []).append(Note(at, "-", f"lint: {lint.rule}: {lint.text}"))
    return notes
