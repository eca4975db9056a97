"""SMTP dialogues as data, written the way the RFCs print them.

They are held twice: over a socket by the tests beside this file, and by ``tests/smtp`` with the protocol core alone.

A script has one step per line:

    C: text         the client sends the text and CRLF
    C> text         the client sends the text alone
    S: 250 2.1.0    the server replies so: code (alternatives with ``/``), then enhanced code and text, if fixed
    E: SIZE 1000    the multi-line reply just read has this line
    E! STARTTLS     ... and has no line with this keyword
    TLS             the client does its TLS handshake
    CLOSED          the server has closed the connection

``\\r``, ``\\n``, ``\\t``, ``\\0`` and ``\\xNN`` in a client's text stand for octets.
A script that does not begin with the greeting (``S:``) expects a 220 first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Send:
    data: bytes


@dataclass(frozen=True, slots=True)
class Expect:
    codes: tuple[int, ...]
    enhanced: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Offers:
    line: str


@dataclass(frozen=True, slots=True)
class Hides:
    keyword: str


@dataclass(frozen=True, slots=True)
class Handshake:
    pass


@dataclass(frozen=True, slots=True)
class Closed:
    pass


Step = Send | Expect | Offers | Hides | Handshake | Closed


@dataclass(frozen=True, slots=True)
class Mail:
    """What one accepted envelope has to be."""

    mail_from: str
    rcpt_to: tuple[str, ...]
    content: bytes | None = None

    def like(self, other: Mail) -> Mail:
        """This mail as far as the other one says anything."""
        return replace(self, content=self.content if other.content is not None else None)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One conversation and what must be in the log after it.

    ``hooks`` are the hooks that were passed, in order, without ``connect``, ``command`` and ``close``; ``!`` marks a
    refused call. ``mails`` are the accepted envelopes. ``None`` leaves either unchecked.
    """

    title: str
    section: str
    quote: str
    script: str
    _: KW_ONLY
    after: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    on: Sequence[Any] = ()
    hooks: str | None = None
    mails: tuple[Mail, ...] | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        steps = tuple(parse(f"{self.after}\n{self.script}"))
        return steps if isinstance(steps[0], Expect) else (Expect((220,)), *steps)

    @property
    def pure(self) -> bool:
        """Whether the protocol core alone can hold it: no rules, no clock, no other connections."""
        return not self.on and not {"timeout", "max_clients"} & set(self.settings)


EHLO = """
C: EHLO client.example
S: 250
"""
MAIL = f"""{EHLO}
C: MAIL FROM:<ann@client.example>
S: 250 2.1.0
"""
RCPT = f"""{MAIL}
C: RCPT TO:<bob@server.example>
S: 250 2.1.5
"""
DATA = f"""{RCPT}
C: DATA
S: 354
"""
MESSAGE = """
C: Subject: x
C:
C: y
C: .
S: 250
"""
CONTENT = b"Subject: x\r\n\r\ny\r\n"
DELIVERED = Mail("ann@client.example", ("bob@server.example",), CONTENT)


_ESCAPE = re.compile(rb"\\(r|n|t|0|\\|x[0-9a-fA-F]{2})")
_OCTETS = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\Z")


def octets(text: str) -> bytes:
    """The octets a script's text stands for."""
    return _ESCAPE.sub(lambda m: _OCTETS.get(m[1]) or bytes([int(m[1][1:], 16)]), text.encode())


def _expect(text: str) -> Expect:
    codes, _, rest = text.partition(" ")
    first, _, after = rest.partition(" ")
    enhanced = first if _ENHANCED.match(first) else None
    words = after if enhanced else rest
    return Expect(tuple(int(code) for code in codes.split("/")), enhanced, words or None)


_PARSERS: dict[str, Callable[[str], Step]] = {
    "C:": lambda text: Send(octets(text) + b"\r\n"),
    "C>": lambda text: Send(octets(text)),
    "S:": _expect,
    "E:": Offers,
    "E!": Hides,
    "TLS": lambda _: Handshake(),
    "CLOSED": lambda _: Closed(),
}


def parse(script: str) -> Iterator[Step]:
    for line in script.splitlines():
        if line.strip():
            kind, _, text = line.lstrip().partition(" ")
            yield _PARSERS[kind](text)


def dialogues(*groups: Sequence[Dialogue]) -> pytest.MarkDecorator:
    """Parametrise a test with dialogues; their titles are the ids."""
    every = [dialogue for group in groups for dialogue in group]
    return pytest.mark.parametrize("dialogue", every, ids=[dialogue.title for dialogue in every])
