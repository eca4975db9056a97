"""Plays a tape against a whole server: its socket, its TLS, its rules and hook functions, its log.

A tape is one octet that says how many ingredients follow; two octets for each of them, a place in ``INGREDIENTS``; and
then the script of the clients. In the script an octet 255 and the letter behind it are an order (``ORDERS``); all other
octets are sent by the client that connected last, or was taken up again. Nothing in a script is invalid, so that a
fuzzer may cut and splice it.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from pytest_smtpd import Call, SMTPServer
from tests.faults.vocabulary import Given
from tests.tapes.client import Client
from tests.tapes.ingredients import INGREDIENTS, NAMES

ORDER: Final = 0xFF
_EVERY: Final = tuple(INGREDIENTS.values())
_MOST: Final = 8  # ingredients, and clients


def written(ingredients: Sequence[str], script: bytes) -> bytes:
    """A tape with these ingredients, by name."""
    places = b"".join(NAMES.index(name).to_bytes(2, "big") for name in ingredients)
    return bytes([len(ingredients)]) + places + script


class Tape:
    """A tape, read."""

    def __init__(self, tape: bytes) -> None:
        count = min(tape[0] if tape else 0, _MOST)
        places = tape[1 : 1 + 2 * count]
        self.ingredients = [_at(places[at : at + 2]) for at in range(0, len(places), 2)]
        self._script = tape[1 + 2 * count :]

    @property
    def given(self) -> Given:
        """All ingredients in one; of settings the last counts."""
        settings: dict[str, Any] = {}
        rules: list[Any] = []
        for name in self.ingredients:
            settings |= INGREDIENTS[name].settings
            rules += INGREDIENTS[name].rules
        return Given(settings, tuple(rules))

    def steps(self) -> Iterator[tuple[str, bytes]]:
        """``("", octets)`` to be sent, and ``(letter, operand)``."""
        first, *others = self._script.split(bytes([ORDER]))
        yield "", first
        for part in others:
            letter, operands = chr(part[0]) if part else "", OPERANDS.get(part[:1], 0)
            yield letter, part[1 : 1 + operands]
            yield "", part[1 + operands :]


def _at(place: bytes) -> str:
    return NAMES[int.from_bytes(place, "big") % len(NAMES)]


class Played:
    """A server and its clients while a tape is played. ``logs`` are those that were emptied, and then the last."""

    def __init__(self, tape: Tape) -> None:
        given = tape.given
        self.rules = list(given.rules)
        self.server = SMTPServer(on=given.rules, **given.settings)
        self.clients: list[Client] = []
        self.current = 0
        self.logs: list[list[Call]] = []

    def play(self, tape: Tape) -> None:
        self.server.start()
        try:
            self.connect(b"")
            for letter, operand in tape.steps():
                if letter:
                    ORDERS.get(letter, _nothing)(self, operand)
                elif operand:
                    self.client.send(operand)
            self.leave()
        finally:
            self.server.stop()
            for client in self.clients:
                client.close()
        self.logs.append(list(self.server.log))

    @property
    def client(self) -> Client:
        return self.clients[self.current]

    @property
    def deaf(self) -> bool:
        """Whether a rule makes the server stop reading, so that it cannot see a client leave."""
        return any({"hang", "after"} <= set(rule.options) for rule in self.rules)

    def has_rules_with(self, *options: str) -> bool:
        """Whether a rule has one of these options."""
        return any(option in rule.options for rule in self.rules for option in options)

    def leave(self) -> None:
        """The clients wait for what comes at once, and leave; the server notices."""
        self.settle()
        for client in self.clients:
            client.hear()
            client.close()
        if not self.deaf:
            self.server.wait_closed(10)

    # --- orders ------

    def settle(self, operand: bytes = b"") -> None:
        self.server.catch_up()

    def send_255(self, operand: bytes) -> None:
        self.client.send(bytes([ORDER]))

    def wait(self, operand: bytes) -> None:
        self.settle()
        self.client.hear()

    def pause(self, operand: bytes) -> None:
        time.sleep(0.001)
        self.wait(operand)

    def connect(self, operand: bytes) -> None:
        if len(self.clients) < _MOST:
            self.clients.append(Client(self.server.address, self.settle))
            self.current = len(self.clients) - 1

    def take_up(self, operand: bytes) -> None:
        self.current = operand[0] % len(self.clients) if operand else 0

    def secure(self, operand: bytes) -> None:
        self.client.shake_hands(_careless())

    def secure_with_care(self, operand: bytes) -> None:
        self.client.shake_hands(self.server.client_context)

    def finish(self, operand: bytes) -> None:
        self.client.finish()

    def reset(self, operand: bytes) -> None:
        self.client.reset()

    def stop(self, operand: bytes) -> None:
        self.server.stop()

    def start(self, operand: bytes) -> None:
        self.server.start()

    def clear(self, operand: bytes) -> None:
        self.logs.append(list(self.server.clear()))

    def add(self, operand: bytes) -> None:
        for rule in INGREDIENTS[_at(operand)].rules:
            self.rules.append(self.server.on(rule))

    def end_rules(self, operand: bytes) -> None:
        self.server.use_rules(())


def _nothing(played: Played, operand: bytes) -> None:
    """An order that nobody knows."""


def _careless() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


ORDERS: Final[Mapping[str, Callable[[Played, bytes], None]]] = {
    "=": Played.send_255,
    "W": Played.wait,
    "P": Played.pause,
    ",": Played.settle,
    "T": Played.secure,
    "t": Played.secure_with_care,
    "N": Played.connect,
    "O": Played.take_up,
    "F": Played.finish,
    "R": Played.reset,
    "S": Played.stop,
    "B": Played.start,
    "K": Played.clear,
    "L": Played.add,
    "E": Played.end_rules,
}
OPERANDS: Final = {b"O": 1, b"L": 2}


def play(data: bytes) -> Played | None:
    """Play a whole tape; None where its settings contradict each other."""
    tape = Tape(data)
    try:
        played = Played(tape)
    except (TypeError, ValueError):
        return None
    played.play(tape)
    return played
