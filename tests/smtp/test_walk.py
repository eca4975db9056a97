"""Whatever bytes arrive, in whatever pieces, and whatever is answered: the core gives events or asks for more.

It never raises.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_smtpd.smtp.events import Chunk
from pytest_smtpd.smtp.states import State
from tests.smtp.scripts import SESSION, tapes, wires
from tests.smtp.walk import SETTINGS, converse, walk


@settings(max_examples=1500, deadline=None)
@given(tapes())
def test_no_bytes_and_no_answers_make_the_core_raise(tape: bytes) -> None:
    walk(tape)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_plain_noise_does_not_make_the_core_raise(tape: bytes) -> None:
    walk(tape)


# STARTTLS is left out: what comes with it in one piece is thrown away on purpose (RFC 3207 section 4.2).
IN_CLEAR: list[dict[str, Any]] = [dict(given) for given in SETTINGS if given.get("tls", "starttls") is None]


@settings(max_examples=700, deadline=None)
@given(wires, st.lists(st.integers(0, 300), max_size=12).map(tuple), st.sampled_from(IN_CLEAR))
@example(SESSION + b"DATA\r\n.\r\n", (50, 51), IN_CLEAR[0])
@example(SESSION + b"BDAT 5\r\n.\r\n.\r\n", (53, 54, 55), IN_CLEAR[1])
def test_chunking_never_matters(sent: bytes, cuts: tuple[int, ...], given: dict[str, Any]) -> None:
    assert converse(sent, cuts, **given) == converse(sent, **given)


@pytest.mark.parametrize("given", IN_CLEAR, ids="-".join)
def test_a_whole_session_is_the_same_octet_by_octet(given: dict[str, Any]) -> None:
    hello = b"LHLO c\r\n" if given.get("lmtp") else b"EHLO c\r\n"
    proxied = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" if given.get("proxy_protocol") else b""
    mail = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\n"
    sent = (
        proxied + hello + mail + b"DATA\r\n..a\r\nb\r\n.\r\n" + mail + b"BDAT 3\r\nabcBDAT 4 LAST\r\n\r\n.\r\nQUIT\r\n"
    )
    assert converse(sent, tuple(range(len(sent))), **given) == converse(sent, **given)


def test_an_event_has_to_be_answered_before_the_next() -> None:
    from pytest_smtpd.settings import make_settings
    from pytest_smtpd.smtp.connection import Connection
    from pytest_smtpd.smtp.session import Session

    connection = Connection(make_settings({}), Session(id="x"))
    connection.next_event()
    with pytest.raises(RuntimeError, match="not been answered"):
        connection.next_event()


def test_there_is_nothing_to_answer_before_an_event() -> None:
    from pytest_smtpd.settings import make_settings
    from pytest_smtpd.smtp.connection import Connection
    from pytest_smtpd.smtp.session import Session

    with pytest.raises(RuntimeError, match="nothing to answer"):
        Connection(make_settings({}), Session(id="x")).send()


def test_an_endless_line_does_not_fill_the_memory() -> None:
    walked = walk(b"\1\0")
    assert walked.connection.state is State.CLOSED
    from pytest_smtpd.settings import make_settings
    from tests.smtp.walk import Walk

    endless = Walk(make_settings({}), lambda choices: 0)
    endless.listen()
    for _ in range(50):
        endless.receive(b"x" * 10_000)
        assert endless.connection.buffered <= 32_768


def test_a_big_chunk_arrives_in_pieces_of_bounded_size() -> None:
    from pytest_smtpd.settings import make_settings
    from pytest_smtpd.smtp.connection import Connection
    from pytest_smtpd.smtp.session import Session

    connection = Connection(make_settings({"tls": None}), Session(id="x"))
    connection.receive_data(SESSION + b"BDAT 3000000 LAST\r\n" + bytes(3_000_000))
    sizes = []
    while (event := connection.next_event()) is not None and event.name != "content":
        if isinstance(event, Chunk):
            sizes.append(len(event.data))
        elif event.name:
            connection.send(*([event.default] if event.default else []), later=event.default is None)
    assert sum(sizes) == 3_000_000
    assert max(sizes) <= 1 << 20
