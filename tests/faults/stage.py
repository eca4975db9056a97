"""Where a row is played: the observer on one side, the server on the other, the talk between them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from fnmatch import translate
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tests.faults.observer import MOMENT, PATIENCE, Observer, client_context
from tests.faults.vocabulary import BOB, CAROL, DAVE, MAIL, OK, End, Section, Sent, Step, Under, Way

if TYPE_CHECKING:
    from pytest_smtpd import SMTPServer

MESSAGE = b"Subject: Hello\r\n\r\nHello.\r\n"
_LINE = b"twenty-eight bytes a line.\r\n"
_UPGRADE: tuple[Step, ...] = ("S: 220 *", "GREET", "REPLY 250", "C: STARTTLS", "S: 220 *", "TLS")
_LADDER: dict[str, tuple[Step, ...]] = {
    "greeting": (),
    "ehlo": ("GREET", "REPLY 250"),
    "mail": (MAIL, OK),
    "rcpt": (BOB, OK, CAROL, OK, DAVE, OK),
    "data": ("C: DATA", "S: 354 *"),
}


class Stage:
    """One row, played once."""

    def __init__(self, server: SMTPServer, section: Section, way: Way, under: Under) -> None:
        self.server, self.section, self.way, self.under = server, section, way, under
        self.clients: list[Observer] = []
        self.content = b""
        self.elapsed = 0.0
        self.when_secured: Callable[[], object] = lambda: None
        self._reply: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self.clients:
            client.__exit__(kind, error, trace)

    @property
    def client(self) -> Observer:
        """The client that is talking: the latest."""
        return self.clients[-1]

    def play(self) -> None:
        """The opening, the talk, the end."""
        opening = self.way.opening or self.section.opening
        connecting = time.monotonic()
        self._open(opening)
        self.when_secured = lambda: None
        started = connecting if opening == "connect" else time.monotonic()
        self._all(self.way.steps(self.section))
        _ENDS[self.way.end](self)
        self.elapsed = time.monotonic() - started

    # ---------------------------------------------------------------- the opening

    def _open(self, opening: str) -> None:
        context = client_context(str(self.server.ca_file), self.way.client)
        self.clients.append(Observer((self.server.host, self.server.port), context))
        if self.under is Under.IMPLICIT:
            self._shake_hands()
        if self.under is Under.STARTTLS and opening != "connect":
            self._all(_UPGRADE)
            self.when_secured()
        if opening in _LADDER:
            self._climb(opening)

    def _climb(self, opening: str) -> None:
        if self.under is not Under.STARTTLS:
            self._says("220 *")
        names = list(_LADDER)
        for name in names[: names.index(opening) + 1]:
            self._all(_LADDER[name])

    def _shake_hands(self, _: str = "") -> None:
        mute = self.way.end is End.SILENCE and (self.way.opening == "secured" or "TLS" in self.way.talk)
        self.client.patience(4 * MOMENT if mute else PATIENCE)
        self.client.start_tls()
        self.client.patience(PATIENCE)

    # ---------------------------------------------------------------- the talk

    def _all(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            self._step(step)

    def _step(self, step: Step) -> None:
        if isinstance(step, Sent):
            self.client.send(step.data)
        elif isinstance(step, bytes):
            assert self.client.exactly(len(step)) == step
        else:
            word, _, rest = step.partition(" ")
            _STEPS[word](self, rest)

    def _say(self, line: str) -> None:
        self.client.send(f"{line}\r\n".encode())

    def _greet(self, _: str) -> None:
        self._say(f"{'LHLO' if 'lmtp=True' in self.way.line else 'EHLO'} client.example.org")

    def _says(self, pattern: str) -> None:
        line = self.client.line().decode()
        assert re.match(translate(pattern + "\r\n"), line), f"{pattern!r} expected, {line!r} came ({self.client.end})"

    def _replies(self, code: str) -> None:
        self._reply = []
        while not self._reply or self._reply[-1][3:4] == "-":
            line = self.client.line().decode()
            assert re.match(rf"{code}[ -].*\r\n", line), f"{code} expected, {line!r} came ({self.client.end})"
            self._reply.append(line.rstrip("\r\n"))

    def _words(self) -> list[str]:
        return [f"{line[4:]} " for line in self._reply]

    def _has(self, keyword: str) -> None:
        assert any(words.startswith(f"{keyword} ") for words in self._words()), self._reply

    def _lacks(self, keyword: str) -> None:
        assert not any(words.startswith(f"{keyword} ") for words in self._words()), self._reply

    def _hears_nothing(self, _: str) -> None:
        assert self.client.is_silent()

    def _is_secured(self, _: str) -> None:
        assert self.client.secured, self.client.end

    def _perhaps_an_alert(self, _: str) -> None:
        assert re.fullmatch(rb"(\x15\x03.\x00\x02..)?", self.client.rest(), re.DOTALL)

    def _pour(self, size: str) -> None:
        if self.way.end is End.BLOCKED:
            self.client.patience(4 * MOMENT)
        self.content = _LINE * (int(size) // len(_LINE))
        self.client.send(self.content)

    def _dot(self, _: str) -> None:
        self.client.send(b".\r\n")

    def _message(self, _: str) -> None:
        self.content = MESSAGE
        self.client.send(MESSAGE + b".\r\n")

    # ---------------------------------------------------------------- the end

    def _is_open(self) -> None:
        self._all(("C: NOOP", OK, "C: QUIT", "S: 221 *"))
        self._is_closed()

    def _is_closed(self) -> None:
        assert (self.client.rest(), self.client.end) == (b"", End.FIN)
        assert self.client.close_notify is self.client.secured, "TLS must end with a close_notify"

    def _is_cut(self) -> None:
        assert (self.client.rest(), self.client.end) == (b"", self.way.end)
        assert not self.client.close_notify, "a connection that is cut off has no close_notify"

    def _is_silent(self) -> None:
        assert self.client.end in {None, End.SILENCE}, self.client.end
        assert self.client.is_silent()
        if not self.client.is_shaking_hands:
            self._say("NOOP")
            assert self.client.is_silent()

    def _is_alert(self) -> None:
        self.client.rest()
        assert self.client.end_is_alert(self.way.alert), (self.client.end, self.client.alert)

    def _ended(self) -> None:
        assert self.client.end is self.way.end


_STEPS: dict[str, Callable[[Stage, str], None]] = {
    "C:": Stage._say,
    "S:": Stage._says,
    "REPLY": Stage._replies,
    "HAS": Stage._has,
    "LACKS": Stage._lacks,
    "TLS": Stage._shake_hands,
    "SECURED": Stage._is_secured,
    "SILENCE": Stage._hears_nothing,
    "ALERT?": Stage._perhaps_an_alert,
    "GREET": Stage._greet,
    "MESSAGE": Stage._message,
    "POUR": Stage._pour,
    "DOT": Stage._dot,
    "NEW": Stage._open,
}

_ENDS: dict[End, Callable[[Stage], None]] = {
    End.OPEN: Stage._is_open,
    End.CLOSED: Stage._is_closed,
    End.FIN: Stage._is_cut,
    End.RST: Stage._is_cut,
    End.SILENCE: Stage._is_silent,
    End.BLOCKED: Stage._ended,
    End.REFUSED: Stage._ended,
    End.ALERT: Stage._is_alert,
    End.LEFT: lambda stage: None,
}
