"""Tapes to begin with: every line of the catalogue with its talk, and every hook function with a usual dialogue."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Final

from tests.faults.catalogue import SECTIONS
from tests.faults.stage import _LADDER, _UPGRADE, MESSAGE
from tests.faults.vocabulary import MAIL, End, Section, Sent, Step, Under, Way
from tests.tapes.ingredients import INGREDIENTS
from tests.tapes.tape import ORDER, written

_MOST: Final = 3000  # octets of content


def order(letter: str, *operands: int) -> bytes:
    return bytes([ORDER]) + letter.encode() + bytes(operands)


_WAIT: Final = order("W")
_IMPLICIT: Final = 'tls="implicit"'


# --- the catalogue ------


def catalogue() -> Iterator[tuple[str, bytes]]:
    """A name and a tape for each line of the catalogue, in each manner."""
    for section in SECTIONS:
        for fault in section.faults:
            for number, way in enumerate(fault.ways):
                if way.line not in INGREDIENTS:
                    continue
                for under in way.under or section.under:
                    yield f"{fault.id}-{number}-{under}", _tape(section, way, under)


def _tape(section: Section, way: Way, under: Under) -> bytes:
    lines = [way.line] if under is not Under.IMPLICIT else [_IMPLICIT, way.line]
    opening = way.opening or section.opening
    script = order("T") if under is Under.IMPLICIT else b""
    steps = [*(_UPGRADE if under is Under.STARTTLS and opening != "connect" else ())]
    steps += [*_climb(opening), *way.steps(section)]
    steps += ["C: NOOP", "C: QUIT"] if way.end is End.OPEN else []
    return written(lines, script + b"".join(_said(step, way) for step in steps))


def _climb(opening: str) -> list[Step]:
    names = list(_LADDER)
    rungs = names[: names.index(opening) + 1] if opening in _LADDER else []
    return [step for rung in rungs for step in _LADDER[rung]]


def _said(step: Step, way: Way) -> bytes:
    """What the client does at this step."""
    if isinstance(step, Sent):
        return step.data.replace(bytes([ORDER]), order("="))
    word, _, rest = step.partition(" ") if isinstance(step, str) else ("", "", "")
    return _SAID[word](rest, way) if word in _SAID else b""


def _greeting(rest: str, way: Way) -> bytes:
    return (b"LHLO" if "lmtp=True" in way.line else b"EHLO") + b" client.example\r\n" + _WAIT


def _content(size: str, way: Way) -> bytes:
    return b"x" * 78 + b"\r\n" + b"y" * min(int(size), _MOST) + b"\r\n" + _WAIT


def _new_client(opening: str, way: Way) -> bytes:
    return order("N") + b"".join(_said(step, way) for step in _climb(opening))


_SAID: Final[dict[str, Callable[[str, Way], bytes]]] = {
    "C:": lambda line, way: line.encode() + b"\r\n" + _WAIT,
    "GREET": _greeting,
    "MESSAGE": lambda rest, way: MESSAGE + b".\r\n" + _WAIT,
    "POUR": _content,
    "DOT": lambda rest, way: b".\r\n" + _WAIT,
    "TLS": lambda rest, way: order("T"),
    "NEW": _new_client,
}


# --- hook functions, and ingredients of our own ------


def _lines(*lines: str) -> bytes:
    return b"".join(line.encode() + b"\r\n" + _WAIT for line in lines)


_LOGIN: Final = "AUTH PLAIN " + b64encode(b"\0app\0s3cret").decode()
_TO: Final = ("RCPT TO:<bob@example.com>", "RCPT TO:<carol@example.com>")
_CONTENT: Final = MESSAGE + b".\r\n"
_DIALOGUES: Final = {
    "message": _lines("EHLO c", _LOGIN, MAIL[3:], *_TO, "DATA") + _CONTENT + _lines("RSET", "VRFY bob", "QUIT"),
    "pipelined": b"EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n" + _CONTENT + b"QUIT\r\n",
    "chunks": _lines("EHLO c", MAIL[3:], *_TO) + b"BDAT 6\r\nabcde\n" + _WAIT + b"BDAT 2 LAST\r\nxy" + _WAIT,
    "tls": _lines("EHLO c", "STARTTLS") + order("T") + _lines("EHLO c", MAIL[3:], _TO[0], "DATA") + _CONTENT + _WAIT,
    "leaves": _lines("EHLO c", MAIL[3:], _TO[0], "DATA") + _CONTENT + order("F"),
    "resets": _lines("EHLO c", MAIL[3:], _TO[0], "DATA") + b"half a mess" + order("R"),
    "stops": _lines("EHLO c", MAIL[3:], _TO[0], "DATA") + b"half a mess" + order("S") + order("B") + order("N"),
    "clears": _lines("EHLO c", MAIL[3:]) + order("K") + _lines(*_TO) + order("E") + _lines("DATA") + _CONTENT,
    "two": _lines("EHLO c", MAIL[3:]) + order("N") + _lines("EHLO d") + order("O", 0) + _lines(_TO[0], "QUIT"),
    "exchange": _lines("EHLO c", "AUTH LOGIN", b64encode(b"app").decode(), b64encode(b"s3cret").decode(), "X-1", "*"),
    "implicit": order("T") + _lines("EHLO c", "NOOP"),
    "proxy": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + _lines("EHLO c", "XCLIENT ADDR=192.0.2.3 LOGIN=app", "EHLO d"),
}
_LMTP: Final = _lines("LHLO c", MAIL[3:], *_TO, "DATA") + _CONTENT + _WAIT


def others() -> Iterator[tuple[str, bytes]]:
    """A name and a tape for each other ingredient: one dialogue after the other, and LMTP for what sees content."""
    known = {way.line for section in SECTIONS for fault in section.faults for way in fault.ways}
    for place, name in enumerate(name for name in INGREDIENTS if name not in known or name == _IMPLICIT):
        dialogues = list(_DIALOGUES.items())
        for dialogue, script in (dialogues[place % len(dialogues)], dialogues[(place + 1) % len(dialogues)]):
            yield f"{name}, {dialogue}", written([name], script)
        if name.startswith("data"):
            yield f"{name}, lmtp", written(["lmtp=True", name], _LMTP)
    for dialogue, script in _DIALOGUES.items():
        for settings in ("xclient=True, xforward=True", "proxy_protocol=True", _IMPLICIT):
            yield f"{settings}, {dialogue}", written([settings], script)


def seeds() -> list[tuple[str, bytes]]:
    return [*catalogue(), *others()]
