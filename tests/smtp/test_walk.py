"""Whatever bytes arrive, in whatever pieces, and whatever is answered: the core gives events or asks for more.

It never raises, and never contradicts itself.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd.smtp.content import Chunk
from tests.smtp.clients import READY, tapes
from tests.smtp.core import core
from tests.smtp.walk import walk


@settings(max_examples=1500, deadline=None)
@given(tapes())
def test_no_bytes_and_no_verdicts_make_the_core_raise(tape: bytes) -> None:
    walk(tape)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_noise_does_not_make_the_core_raise(tape: bytes) -> None:
    walk(tape)


def test_endless_line_does_not_fill_the_memory() -> None:
    line = core()
    for _ in range(50):
        line.send(b"x" * 10_000)
        assert line.connection.buffered <= 32_768


def test_big_chunk_arrives_in_pieces_of_bounded_size() -> None:
    line = core()
    line.send(READY + b"BDAT 3000000 LAST\r\n" + bytes(3_000_000))
    sizes = [len(event.data) for event in line.events if isinstance(event, Chunk)]
    assert sum(sizes) == 3_000_000
    assert max(sizes) <= 1 << 20
