"""Findings: observations of a rule, and the ``Lint`` that users get."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from pytest_smtpd.lint.facts import Facts
from pytest_smtpd.smtp.session import Envelope, Session
from pytest_smtpd.smtp.table import not_callable
from pytest_smtpd.smtp.values import short

ALONE: Final = ("warn", "all")  # values of the setting that are no names of rules


class Lint(NamedTuple):
    """One finding: the name of the ``rule``; ``text`` has the observation, its place, the RFC's section and advice.

    ``certain`` is whether it breaks the RFC without any doubt. ``envelope`` is None where it is about no message.
    """

    rule: str
    certain: bool
    text: str
    session: Session
    envelope: Envelope | None

    def __repr__(self) -> str:
        return f"<Lint {self.rule} {short(self.text)!r}>"


Lint.__module__ = "pytest_smtpd"


class SMTPLintWarning(UserWarning):
    """The warning of ``lint="warn"`` about a client, in a test that passes."""

    __module__ = "pytest_smtpd"


class Seen(NamedTuple):
    """An observation of a rule; ``at`` is in seconds since the epoch. ``rfc`` replaces the one of the row."""

    at: float
    text: str
    session: Session
    envelope: Envelope | None = None
    rfc: str = ""


class LintRule(NamedTuple):
    """A row. ``what`` is a short description of the mistake, for the reference; ``advice`` is how to correct it.

    ``certain`` is whether what it finds breaks the RFC without any doubt, ``default`` whether ``lint=True`` asks for
    it.
    """

    what: str
    rfc: str
    certain: bool
    default: bool
    find: Callable[[Facts], Iterable[Seen]]
    advice: str

    def problems(self, name: str) -> Iterator[str]:
        """What is wrong with a row."""
        if not name.replace("-", "").isalnum() or not name.islower() or name in ALONE:
            yield "its name must be words in lower case with hyphens between them, and not 'warn' or 'all'"
        if not self.what or not self.advice:
            yield "what= and advice= must say what is wrong, and what to do"
        if not self.rfc.startswith("RFC "):
            yield f"rfc= must name the RFC and its section, not {self.rfc!r}"
        for part in ("certain", "default"):
            if not isinstance(getattr(self, part), bool):
                yield f"{part}= must be True or False, not {getattr(self, part)!r}"
        yield from not_callable(find=self.find)

    def findings(self, name: str, facts: Facts) -> "Iterator[Found]":
        """The finding as text."""
        for seen in self.find(facts):
            text = f"{seen.text} ({seen.rfc or self.rfc}); {self.advice}"
            yield Found(seen.at, Lint(name, self.certain, text, seen.session, seen.envelope))


class Found(NamedTuple):
    """A finding, with its place in the transcript."""

    at: float
    lint: Lint
