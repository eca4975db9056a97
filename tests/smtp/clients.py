"""What clients send: the dialogues of ``tests/rfc`` that the core can hold alone, and mixtures of their lines."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from hypothesis import strategies as st

from tests.rfc.dialogue import Dialogue, Send

_RFC = Path(__file__).resolve().parents[1] / "rfc"
_LONGEST = 200  # octets of a line in a mixture


def _dialogues() -> list[Dialogue]:
    modules = [import_module(f"tests.rfc.{file.stem}") for file in sorted(_RFC.glob("test_*.py"))]
    groups = [value for module in modules for value in vars(module).values() if isinstance(value, tuple | list)]
    return [one for group in groups for one in group if isinstance(one, Dialogue) and one.pure]


DIALOGUES = _dialogues()
_EVERY = {step.data for dialogue in DIALOGUES for step in dialogue.steps if isinstance(step, Send)}
SENT = tuple(sorted(data for data in _EVERY if len(data) <= _LONGEST))
# What no dialogue has: headers of a proxy, numbers and names that are too big.
UNUSUAL = (
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY UNKNOWN\r\n",
    b"BDAT 99999999999999999999\r\n",
    b"BDAT 5\r\n",
    b"BDAT 5 LAST\r\n",
    b"MAIL FROM:<a@b> SIZE=99999999999\r\n",
    b"XCLIENT ADDR=192.0.2.9 PORT=25 LOGIN=u NAME=[UNAVAILABLE]\r\n",
    b"*\r\n",
    b"=\r\n",
    b" \r\n",
)
CONTENT = (b"Subject: x\r\n\r\nhi", b".", b"..", b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"hello", b"\r\n..\r\n", b"12345")
READY = b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"  # for content

lines = st.sampled_from(SENT + UNUSUAL)
other_ends = st.sampled_from([b"\n", b"\r", b""])
without_crlf = st.builds(lambda line, end: line.removesuffix(b"\r\n") + end, lines, other_ends)
noise = st.binary(max_size=12)
pieces = st.one_of(lines, lines, lines, without_crlf, st.just(READY), st.sampled_from(CONTENT), noise)
streams = st.lists(pieces, min_size=1, max_size=14).map(b"".join)


@st.composite
def tapes(draw: st.DrawFn) -> bytes:
    """A tape for ``walk``."""
    decisions = draw(st.binary(max_size=40))
    return bytes([draw(st.integers(0, 255)), len(decisions)]) + decisions + draw(streams)
