"""The state diagram as SVG: the edges come from the table of transitions, the places of the states are set by hand."""

from __future__ import annotations

from html import escape
from math import hypot
from typing import TYPE_CHECKING

from pytest_smtpd.smtp.states import EXPECTS_COMMAND, SURVIVES, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_smtpd.smtp.states import Row

    Edges = dict[tuple[State, State], str]

PLACES = {
    State.PROXY: (95, 80),
    State.CONNECTED: (95, 200),
    State.REFUSED: (95, 330),
    State.CLOSED: (215, 460),
    State.SECURED: (370, 80),
    State.HANDSHAKE: (640, 80),
    State.START: (370, 200),
    State.READY: (640, 200),
    State.SASL: (900, 110),
    State.MAIL: (400, 370),
    State.RCPT: (640, 370),
    State.CONTENT: (900, 240),
    State.CHUNK: (900, 370),
    State.BETWEEN_CHUNKS: (640, 470),
}
WIDTH, HEIGHT, BOX = 1010, 515, 17
HELLO = ("HELO", "EHLO", "LHLO")
# Edges that would run through a box, or into another's label, are bent (pixels to the left, seen along the arrow).
BENT = {
    (State.PROXY, State.HANDSHAKE): 20,
    (State.HANDSHAKE, State.CONNECTED): -115,
    (State.READY, State.CONNECTED): -82,
    (State.CONNECTED, State.CLOSED): 60,
    (State.SECURED, State.CLOSED): -58,
    (State.CHUNK, State.READY): 42,
    (State.BETWEEN_CHUNKS, State.READY): 92,
    (State.READY, State.MAIL): 30,
    (State.MAIL, State.READY): 30,
}


Events = dict[str, list[int]]  # the events that lead along an edge, with the first digits of the replies


def moves(sequence: Mapping[State, Row]) -> dict[tuple[State, State], Events]:
    """Where events lead; without what is true of every state, or leads nowhere else."""
    found: dict[tuple[State, State], Events] = {}
    for state, row in sequence.items():
        for event, digits in row.items():
            for digit, after in digits.items():
                if after is not state and event != "QUIT":
                    found.setdefault((state, after), {}).setdefault(event, []).append(digit)
    return found


def label(state: State, events: Events) -> str:
    """The events of an edge, with the first digits of the reply where not all lead here."""
    words = [word(state, event, digits) for event, digits in events.items() if event not in HELLO]
    return ", ".join([*(["hello"] if set(HELLO) & set(events) else []), *words])


def word(state: State, event: str, digits: list[int]) -> str:
    codes = "" if len(digits) > 4 or digits == [0] else "/".join(f"{digit}xx" for digit in digits if digit)
    return " ".join(filter(None, (event, codes if codes != "2xx" or state not in EXPECTS_COMMAND else "")))


def has_no_reply(events: Events) -> bool:
    """Whether nothing is replied on the way."""
    return all(digits == [0] for digits in events.values())


def half_width(state: State) -> float:
    return len(state.value) * 3.9 + 12


def border(state: State, towards: tuple[float, float]) -> tuple[float, float]:
    """Where the line from a state's centre leaves its box."""
    x, y = PLACES[state]
    dx, dy = towards[0] - x, towards[1] - y
    scale = min(half_width(state) / abs(dx) if dx else 9e9, BOX / abs(dy) if dy else 9e9)
    return x + dx * scale, y + dy * scale


def arrow(pair: tuple[State, State], text: str, style: str, *, both_ways: bool) -> str:
    start, end = PLACES[pair[0]], PLACES[pair[1]]
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = hypot(dx, dy)
    bend = BENT.get(pair, 24 if both_ways else 0)
    middle = ((start[0] + end[0]) / 2 + dy / length * bend * 2, (start[1] + end[1]) / 2 - dx / length * bend * 2)
    (x1, y1), (x2, y2) = border(pair[0], middle), border(pair[1], middle)
    x, y = (x1 + 2 * middle[0] + x2) / 4, (y1 + 2 * middle[1] + y2) / 4
    way = f"M{x1:.0f} {y1:.0f}Q{middle[0]:.0f} {middle[1]:.0f} {x2:.0f} {y2:.0f}"
    return (
        f'<path class="{style}" d="{way}" marker-end="url(#tip)"/>\n'
        f'<text class="halo" x="{x:.0f}" y="{y + 4:.0f}">{escape(text)}</text>\n'
        f'<text class="event" x="{x:.0f}" y="{y + 4:.0f}">{escape(text)}</text>\n'
    )


def box(state: State) -> str:
    x, y = PLACES[state]
    half = half_width(state)
    return (
        f'<rect class="state" x="{x - half:.0f}" y="{y - BOX}" width="{2 * half:.0f}" height="{2 * BOX}" rx="8"/>\n'
        f'<text x="{x}" y="{y + 4}">{escape(state.value)}</text>\n'
    )


STYLE = """\
text{font:13px sans-serif;text-anchor:middle;fill:#1b1f24}
.halo,.event{font-size:11px;fill:#57606a}
.halo{stroke:#fff;stroke-width:5px}
.state{fill:#eef4fb;stroke:#3a6ea5}
.move{fill:none;stroke:#3a6ea5;stroke-width:1.3}
.pass{fill:none;stroke:#8b949e;stroke-width:1.3;stroke-dasharray:4 3}"""


def diagram(sequence: Mapping[State, Row]) -> str:
    """The whole drawing."""
    missing = [state for state in sequence if state not in PLACES]
    if missing:
        raise SystemExit(f"the diagram has no place for {missing}")
    found = moves(sequence)
    every: Edges = {pair: label(pair[0], events) for pair, events in found.items()}
    # Only where a rule sends the reply as raw bytes, which close nothing.
    refused = {(State.CONNECTED, SURVIVES[State.CONNECTED]): "refused, not closed"}
    arrows = [
        arrow(
            pair,
            text,
            "pass" if pair in refused or has_no_reply(found[pair]) else "move",
            both_ways=pair[::-1] in every,
        )
        for pair, text in (every | refused).items()
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n<style>{STYLE}</style>\n'
        '<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L10 5L0 10z" fill="#3a6ea5"/></marker>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
        f"{''.join(arrows)}{''.join(box(state) for state in sequence)}</svg>\n"
    )
