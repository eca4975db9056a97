"""Holds the dialogues of ``tests/rfc`` with the protocol core, ``pytest_smtpd.smtp.connection``: no socket, no TLS.

Each event gets the reply that the core suggests; a test that wants other verdicts hands in a function that decides.
TCP promises octets in order and nothing else, so a client's octets can be cut in any way: ``poured`` tells what the
core makes of them then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pytest_smtpd.message import Message
from pytest_smtpd.rules.verdict import NOTHING, Verdict, answer, verdict_of
from pytest_smtpd.settings import Settings, make_settings
from pytest_smtpd.smtp.connection import Connection
from pytest_smtpd.smtp.content import Chunk, Content, ContentBegins
from pytest_smtpd.smtp.events import BadProxyHeader, Event
from pytest_smtpd.smtp.replies import Reply, parse_reply
from pytest_smtpd.smtp.session import Envelope, Session
from pytest_smtpd.smtp.states import State
from pytest_smtpd.smtp.tls import TLSInfo
from tests.rfc.dialogue import Dialogue, Handshake, Mail, Send, parse
from tests.rfc.run import SILENT_HOOKS, Conversation, assert_logged, kept
from tests.rfc.wire import Line

TLS = TLSInfo(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384")
CHALLENGE = re.compile(rb"(?m)^334 .*$")  # CRAM-MD5's is another one each time

Cut = Callable[[bytes], Iterable[bytes]]
# The verdicts on an event; None: it is not answered.
Decide = Callable[[Connection, Event], "Sequence[Verdict] | None"]


# --- how a client's octets are cut ------


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def octet_by_octet(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def at(*positions: int) -> Cut:
    """Cut at these positions."""

    def cut(data: bytes) -> Iterator[bytes]:
        edges = [0, *sorted(position for position in positions if position <= len(data)), len(data)]
        return (data[start:end] for start, end in pairwise(edges))

    return cut


# --- how its events are answered ------


def suggested(connection: Connection, event: Event) -> Sequence[Verdict] | None:
    """The verdicts of the RFC. One that refuses a token explains why, as a server's own refusal does."""
    if not event.answered:
        return None
    if event.default is None:
        return [] if event.reply_later else [NOTHING._replace(keep=True if isinstance(event, Content) else None)]
    return [answer(event.default, challenge={}) if event.explained else verdict_of(event.default)] * due(
        connection, event
    )


def due(connection: Connection, event: Event) -> int:
    """How many replies are due: in LMTP one for each recipient after the content (RFC 2033 section 4.2)."""
    per_recipient = connection.options.lmtp and isinstance(event, Content)
    return len(connection.session.recipients) if per_recipient else 1


def instead(verdicts: Mapping[str, str | int | Verdict | Sequence[Verdict] | None]) -> Decide:
    """Decides as suggested, but for the events of these names: a code, a reply, a verdict, or several; None: silence.

    The mapping may be changed while a dialogue goes on.
    """

    def decide(connection: Connection, event: Event) -> Sequence[Verdict] | None:
        if event.name not in verdicts:
            return suggested(connection, event)
        given = verdicts[event.name]
        if isinstance(given, Sequence) and not isinstance(given, str | Verdict):
            return given
        verdict = given if isinstance(given, Verdict) else NOTHING if given is None else verdict_of(reply(given))
        return [verdict] * due(connection, event)

    return decide


def reply(given: str | int) -> Reply:
    """A reply as a user writes it."""
    return parse_reply(str(given))


# --- the line ------


class Core(Line):
    """A line whose other end is the protocol core.

    ``happened`` is what the core has reported, ``hooks`` the hook points that were reached, with their outcome as in
    ``Dialogue.hooks``; ``said`` are all octets of its replies, and ``ended`` is whether no more can come.
    """

    def __init__(self, settings: Settings, *, cut: Cut = whole, decide: Decide = suggested) -> None:
        super().__init__()
        self.connection = Connection(settings, Session("core", Message, lmtp=settings.lmtp))
        self.cut, self.decide = cut, decide
        self.events: list[Event] = []
        self.happened: list[object] = []
        self.hooks: list[str] = []
        self.envelopes: list[Envelope] = []
        self.said = b""
        self.ended = False
        self.listen()

    @property
    def session(self) -> Session:
        return self.connection.session

    @property
    def state(self) -> State:
        return self.connection.state

    @property
    def mails(self) -> list[Mail]:
        """The messages that were accepted."""
        return [kept(envelope) for envelope in self.envelopes if envelope.accepted]

    # --- the client's side ------

    def send(self, data: bytes) -> None:
        for piece in self.cut(data):
            self.connection.receive_data(piece)
            self.listen()

    def receive(self) -> bytes:
        assert self.state is State.CLOSED, f"nothing to read in {self.state}"
        return b""

    def handshake(self) -> None:
        self.connection.release()
        self.connection.secured(TLS)
        self.listen()

    def codes(self, *lines: str | bytes) -> list[int]:
        """Send these lines; the codes of all replies that have come."""
        for line in lines:
            self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        codes = []
        while self.buffer:
            codes.append(self.reply().code)
        return codes

    def hold(self, script: str) -> None:
        """Hold a part of a dialogue, in the language of ``dialogue.py``."""
        conversation = Conversation(Dialogue("", "", "", script), self, self.handshake)
        for step in parse(script):
            conversation.take(step)

    # --- the server's side ------

    def listen(self) -> None:
        """Answer events until the core asks for more octets."""
        while not self.ended and (event := self.next_event()) is not None:
            self.events.append(event)
            self.note(event)
            verdicts = self.decide(self.connection, event)
            if verdicts is not None:
                self.give(event, verdicts)

    def next_event(self) -> Event | None:
        return self.connection.next_event()

    def note(self, event: Event) -> None:
        """What happened; content is one thing however many pieces it comes in."""
        if isinstance(event, Chunk):
            data = event.data
            if self.happened and isinstance(self.happened[-1], bytes):
                data = self.happened.pop() + data  # type: ignore[operator]
            self.happened.append(data)
        elif isinstance(event, ContentBegins):
            self.hooks.append("data=dropped")
        else:
            self.happened.append((type(event).__name__, event.command and event.command.raw))

    def give(self, event: Event, verdicts: Sequence[Verdict]) -> bytes:
        """Answer the event; the octets of the replies."""
        mark = "!" if any(verdict.digit >= 4 for verdict in verdicts) else ""
        if isinstance(event, Content):
            self.hooks[-1] = f"data{mark}"
        self.hooks += [f"{hook}{mark}" for hook, _ in event.points if hook not in SILENT_HOOKS]
        self.happened.append([verdict.digit for verdict in verdicts])
        said = self.connection.send(event, *verdicts)
        self.buffer += said
        self.said += said
        envelope, self.connection.envelope = self.connection.envelope, None
        if envelope is not None:
            self.envelopes.append(envelope)
        self.ended = isinstance(event, BadProxyHeader) or self.state is State.CLOSED
        return said

    @property
    def history(self) -> tuple[object, ...]:
        """All that can be told of the conversation afterwards."""
        said = CHALLENGE.sub(b"334", self.said)
        return self.happened, self.hooks, self.mails, said, self.session.commands, self.state


def core(*, cut: Cut = whole, decide: Decide = suggested, **settings: Any) -> Core:
    """A line to the core of a server with these settings."""
    return Core(make_settings(settings), cut=cut, decide=decide)


# --- dialogues ------


def held(dialogue: Dialogue) -> Core:
    """The line after the dialogue has been held, by a client that waits for each reply."""
    line = core(**dialogue.settings)
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


def poured(settings: Settings, flown: Sequence[bytes], cut: Cut = whole) -> Core:
    """The line after the client has sent these flights, with a TLS handshake between them, and waited for nothing."""
    line = Core(settings, cut=cut)
    if settings.tls == "implicit":
        line.handshake()
    first, *others = flown
    line.send(first)
    for flight in others:
        line.handshake()
        line.send(flight)
    return line
