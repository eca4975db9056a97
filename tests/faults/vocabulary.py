"""The words in which the catalogue of failures is written down: what makes a failure, and what must then be seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from tests.faults import hooks


class Verdict(StrEnum):
    """In which class of outcome the application of a correct client must end up."""

    OK = "OK"
    RETRY = "RETRY"
    BOUNCE = "BOUNCE"
    PART = "PART"
    STOP = "STOP"
    FALLBACK = "FALLBACK"
    AMBIG = "AMBIG"


class Under(StrEnum):
    """How the observer talks: in clear, in TLS after STARTTLS, or in TLS from the first byte."""

    CLEAR = "clear"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


EVERY = (Under.CLEAR, Under.STARTTLS, Under.IMPLICIT)
IN_TLS = (Under.STARTTLS, Under.IMPLICIT)
AT_CONNECT = (Under.CLEAR, Under.IMPLICIT)  # before the greeting, STARTTLS and clear text are the same thing
CLEAR_ONLY = (Under.CLEAR,)


class End(StrEnum):
    """What the observer must find once the talk is over."""

    OPEN = "open"  # one NOOP brings one 250, one QUIT a 221 and an orderly close
    CLOSED = "closed"  # FIN, and under TLS a close_notify before it
    FIN = "fin"  # FIN at once: under TLS without a close_notify
    RST = "rst"
    SILENCE = "silence"  # open, but neither the pending command nor a NOOP is answered
    BLOCKED = "blocked"  # the server has stopped reading
    REFUSED = "refused"  # nobody listens
    ALERT = "alert"  # TLS gave up; `Way.alert` says with what
    LEFT = "left"  # the talk has said it all; the observer leaves


class Sent(NamedTuple):
    """Bytes the client sends as they are."""

    data: bytes


Step = str | bytes | Sent
"""One step of a talk:

`"C: EHLO x"` the client sends this line; `Sent(b"...")` these bytes
`"S: 250 *"`  the server says this line, with shell wildcards; `b"..."` exactly these bytes
`"REPLY 250"` the server gives a whole reply, of one or more lines, with this code
`"HAS SIZE"`, `"LACKS SIZE"`  a line of that reply is this (or begins with this word), or none is
`"TLS"`       the client starts a handshake; `"SECURED"` it has succeeded
`"SILENCE"`   nothing comes
`"ALERT?"`    nothing more comes but perhaps a TLS alert
`"MESSAGE"`   the client sends the message and the dot
`"POUR 200000"`  the client sends this many bytes of content, without a dot, as long as the server lets it
`"DOT"`       the client ends the content
`"NEW session"`  a second client connects and gets this far; it goes on with the talk
"""

_MADE_BY_THIS_NAME = "on("
_REPLY = re.compile(rb"(?:([2-5][0-5][0-9])-[\t -~]*\r\n)*([2-5][0-5][0-9])(?: [\t -~]*)?\r\n")


@dataclass(frozen=True, slots=True)
class Given:
    """A line of the catalogue, evaluated: the settings and the rules that it stands for."""

    settings: Mapping[str, Any]
    rules: tuple[Any, ...]


def _given(*rules: Any, **settings: Any) -> Given:
    return Given(settings, (*rules, *settings.pop("on", ())))


def evaluate(line: str, on: Callable[..., Any]) -> Given:
    """The settings and rules of a line: `on(...)`, or keyword arguments of `SMTPServer`."""
    names = {"on": on, "re": re, "_given": _given, **vars(hooks)}
    given: Given = eval(f"_given({line})", names)
    return given


class Declared(NamedTuple):
    """A rule as written, before anybody has made it."""

    hook: str
    words: Mapping[str, Any]

    @property
    def outcome(self) -> str | None:
        """How the server's log must say it decided; None where the words do not tell."""
        if "raw" in self.words:
            return _outcome_of_bytes(self.words["raw"])
        if "reply" in self.words:
            return "refused" if str(self.words["reply"])[0] in "45" else "accepted"
        return next((outcome for word, outcome in _OUTCOMES.items() if self.words.get(word)), None)

    @property
    def code(self) -> int | None:
        """The code of the reply, where there is one."""
        return int(str(self.words["reply"])[:3]) if "reply" in self.words else None

    @property
    def answers(self) -> bool:
        """Whether the rule ends the search for an answer, so that the call names it."""
        in_passing = "after" in self.words and self.words.get("accept")
        return bool({"reply", "raw", "drop", "hang", "call"} & set(self.words)) and not in_passing


_OUTCOMES = {"drop": "dropped", "hang": "hung"}


def _outcome_of_bytes(raw: bytes) -> str | None:
    reply = _REPLY.match(raw)
    if reply is None:
        return None
    return "refused" if reply[2][:1] in b"45" else "accepted"


def _declared(hook: str, **words: Any) -> Declared:
    return Declared(hook, words)


_CLIENT = ("C:", "TLS", "MESSAGE", "POUR", "DOT", "NEW", "SECURED")


def speaks_first(talk: tuple[Step, ...]) -> bool:
    """Whether a talk begins with something that the client does."""
    first = talk[0] if talk else ""
    return isinstance(first, Sent) or (isinstance(first, str) and first.startswith(_CLIENT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One line that makes a failure, and what the observer and the log must then show."""

    line: str
    what: str = ""
    talk: tuple[Step, ...] = ()
    end: End = End.OPEN
    under: tuple[Under, ...] | None = None
    opening: str | None = None
    used: tuple[int, ...] | None = None
    kept: int = 0
    rcpt_to: tuple[str, ...] | None = None
    content: bytes | None = None
    takes: float = 0.0
    alert: str = ""
    client: str = "careful"
    log: str | None = None

    def steps(self, section: Section) -> tuple[Step, ...]:
        """The whole talk, with what clients say at this moment unless the way has its own words."""
        return self.talk if self.opening or speaks_first(self.talk) else (*section.say, *self.talk)

    @property
    def is_statement(self) -> bool:
        """Whether the line is something a test does, not something it declares."""
        return self.line.startswith("smtpd.")

    @property
    def declared(self) -> tuple[Declared, ...]:
        """The rules of the line, in the order in which they are asked."""
        return () if self.is_statement else evaluate(self.line, _declared).rules

    def __str__(self) -> str:
        return self.line


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row: what the server does, where it is said, what a correct client does, and the lines that make it."""

    id: str
    title: str
    rfc: str
    verdicts: tuple[Verdict, ...]
    client: str
    ways: tuple[Way, ...] = ()
    reason: str = ""
    """Why no server can do this; only where there is no line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The failures of one moment of the conversation, and how a client gets to that moment."""

    title: str
    opening: str
    say: tuple[Step, ...]
    under: tuple[Under, ...]
    faults: tuple[Fault, ...]


def fault(
    id: str,  # noqa: A002 - the word of the table
    title: str,
    rfc: str,
    verdicts: Verdict | tuple[Verdict, ...],
    client: str,
    *ways: Way,
    reason: str = "",
) -> Fault:
    """A row, written as it is read."""
    several = verdicts if isinstance(verdicts, tuple) else (verdicts,)
    return Fault(id=id, title=title, rfc=rfc, verdicts=several, client=client, ways=ways, reason=reason)


def way(line: str, *talk: Step, **rest: Any) -> Way:
    """A line and the talk that it leads to."""
    return Way(line=line, talk=talk, **rest)


BOB, CAROL, DAVE = (f"C: RCPT TO:<{a}>" for a in ("bob@example.com", "carol@example.com", "dave@example.org"))
"""The three recipients; the third is of another domain."""

MAIL = "C: MAIL FROM:<ada@example.com>"
OK = "S: 250 *"
DELIVER = ("C: DATA", "S: 354 *", "MESSAGE", OK)
