"""Holds the same dialogues with the pure protocol core, ``pytest_smtpd.smtp.connection.Connection``: no socket, no TLS.

TCP promises octets in order and nothing else, so every way to cut them must make the same events and the same replies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.rfc.dialogue import Dialogue, Handshake, Send, parse
from tests.rfc.run import SILENT_HOOKS, Conversation, assert_logged, kept
from tests.rfc.wire import Line

if TYPE_CHECKING:
    from pytest_smtpd.smtp.events import Event
    from tests.rfc.dialogue import Mail

Cut = Callable[[bytes], Iterable[bytes]]
CHALLENGE = re.compile(rb"(?m)^334 .*$")  # CRAM-MD5's is another one each time


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def octet_by_octet(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def at(*positions: int) -> Cut:
    """Cut at these positions."""

    def cut(data: bytes) -> Iterator[bytes]:
        edges = [0, *sorted(positions), len(data)]
        return (data[start:end] for start, end in pairwise(edges))

    return cut


class Core(Line):
    """A line that ends in the protocol core, where every event gets the answer that it suggests."""

    def __init__(self, dialogue: Dialogue, cut: Cut = whole) -> None:
        from pytest_smtpd.settings import make_settings
        from pytest_smtpd.smtp.connection import Connection
        from pytest_smtpd.smtp.session import Session

        super().__init__()
        settings = make_settings(dict(dialogue.settings))
        self.connection = Connection(settings, Session(id="core", lmtp=settings.lmtp))
        self.cut = cut
        self.hooks: list[str] = []
        self.mails: list[Mail] = []
        self.happened: list[object] = []
        self.said = b""
        self.listen()

    def send(self, data: bytes) -> None:
        for piece in self.cut(data):
            self.connection.receive_data(piece)
            self.listen()

    def receive(self) -> bytes:
        from pytest_smtpd.smtp.states import State

        assert self.connection.state is State.CLOSED, f"nothing to read in {self.connection.state}"
        return b""

    def handshake(self) -> None:
        from pytest_smtpd.smtp.session import TLSInfo

        self.connection.release()
        self.connection.secured(TLSInfo(version="TLSv1.3"))
        self.listen()

    def listen(self) -> None:
        from pytest_smtpd.smtp.events import Chunk, ContentBegins, Passing

        while (event := self.connection.next_event()) is not None:
            if isinstance(event, Chunk):
                self.note_content(event.data)
            elif isinstance(event, ContentBegins):
                self.hooks.append("data=dropped")
            elif not isinstance(event, Passing):
                self.answer(event)

    def note_content(self, data: bytes) -> None:
        """Content is one thing however many pieces it comes in."""
        if self.happened and isinstance(self.happened[-1], bytes):
            data = self.happened.pop() + data  # type: ignore[operator]
        self.happened.append(data)

    def answer(self, event: Event) -> None:
        from pytest_smtpd.smtp.events import Content

        replies = [] if event.default is None else [event.default]
        if isinstance(event, Content) and self.connection.options.lmtp:
            replies *= len(self.connection.session.recipients)
        self.note(event, refused=bool(replies and replies[0].refuses), content=isinstance(event, Content))
        said = self.connection.send(*replies, later=event.default is None)
        self.buffer += said
        self.said += said
        envelope, self.connection.envelope = self.connection.envelope, None
        if envelope is not None and envelope.accepted:
            self.mails.append(kept(envelope))

    def note(self, event: Event, *, refused: bool, content: bool) -> None:
        mark = "!" if refused else ""
        if content:
            self.hooks[-1] = f"data{mark}"
        self.hooks += [f"{hook}{mark}" for hook, _ in event.points if hook not in SILENT_HOOKS]
        self.happened.append((type(event).__name__, event.command and event.command.raw, refused))

    @property
    def history(self) -> tuple[object, ...]:
        """All that can be told of the conversation afterwards."""
        return self.happened, self.hooks, self.mails, CHALLENGE.sub(b"334", self.said), self.connection.state


def in_lockstep(dialogue: Dialogue) -> None:
    """As a client that waits for each reply."""
    held(dialogue)


def held(dialogue: Dialogue) -> Core:
    """The line after the dialogue has been held."""
    line = Core(dialogue)
    Conversation(dialogue, line, line.handshake).run()
    assert_logged(dialogue, " ".join(line.hooks), line.mails)
    return line


def flights(dialogue: Dialogue) -> list[bytes]:
    """What the client sends, as long as nothing but the TLS handshake makes it wait."""
    flown = [b""]
    for step in dialogue.steps:
        if isinstance(step, Send):
            flown[-1] += step.data
        elif isinstance(step, Handshake):
            flown.append(b"")
    return flown


def poured(dialogue: Dialogue, cut: Cut = whole) -> tuple[object, ...]:
    """The history of the conversation when the client waits for nothing."""
    line = Core(dialogue, cut)
    if dialogue.settings.get("tls") == "implicit":
        line.handshake()
    first, *others = flights(dialogue)
    line.send(first)
    for flight in others:
        line.handshake()
        line.send(flight)
    return line.history


def cut_everywhere(dialogue: Dialogue) -> None:
    """Whole, octet by octet, in two at every position, and at random positions: always the same history."""
    expected = held(dialogue).history
    assert poured(dialogue) == expected
    assert poured(dialogue, octet_by_octet) == expected
    for position in positions(dialogue):
        assert poured(dialogue, at(position)) == expected, f"cut at {position}"
    cut_at_random(dialogue, expected)


def positions(dialogue: Dialogue) -> Iterator[int]:
    """Every position behind the prologue, which has dialogues of its own; in a very long line those near its ends."""
    longest = max(map(len, flights(dialogue)))
    prologue = sum(len(step.data) for step in parse(dialogue.after) if isinstance(step, Send))
    near = 300
    return (at for at in range(max(1, prologue), longest) if at < near or longest - at < near or at % 101 == 0)


def cut_at_random(dialogue: Dialogue, expected: tuple[object, ...]) -> None:
    longest = max(map(len, flights(dialogue)))

    @examples(max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sets(st.integers(0, longest), max_size=12))
    def same(edges: set[int]) -> None:
        assert poured(dialogue, at(*edges)) == expected

    same()
