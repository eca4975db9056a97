"""Rules with ``after``: an answer amid the content, and what becomes of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd import Rule, Session, Stream, on
from tests.server.talk import (
    ADA,
    BOB,
    BODY,
    CHUNK,
    DATA,
    HELLO,
    LAST_CHUNK,
    LHLO,
    MAIL,
    Connect,
    Serve,
    codes,
    last,
    listen,
    mistakes,
    script,
    to_data,
    used,
)

PIECES = (b"01234", b"56789", b"abcdef\r\n.\r\n")

# What a rule at 10 bytes says at 5, at 10 and at the end; the outcome and code; whether the message is kept.
STRIKES: list[tuple[dict[str, Any], list[list[int]], tuple[str, int | None], bool]] = [
    ({"reply": 552}, [[], [552], []], ("refused", 552), False),
    ({"reply": 451, "to": "ada@*"}, [[], [451], []], ("refused", 451), False),
    ({"reply": 552, "to": "bob@*"}, [[], [], [250]], ("accepted", 250), True),
    ({"reply": 250}, [[], [250], []], ("accepted", 250), True),
    ({"reply": 250, "accept": False}, [[], [250], []], ("accepted", 250), False),
    ({"reply": 552, "accept": True}, [[], [552], [250]], ("accepted", 250), True),
    ({"raw": b"550 no\r\n"}, [[], [550], []], ("refused", 550), False),
    ({"raw": b"550 no\r\n", "accept": True}, [[], [550], [250]], ("accepted", 250), True),
]


@pytest.mark.parametrize(("options", "told", "decided", "accepted"), STRIKES)
def test_a_rule_answers_once_as_soon_as_so_many_bytes_have_come(
    serve: Serve,
    connect: Connect,
    options: dict[str, Any],
    told: list[list[int]],
    decided: tuple[str, int | None],
    accepted: bool,
) -> None:
    server = serve(on("data", after=10, **options))
    wire = connect(server)
    to_data(wire)
    for piece, expected in zip(PIECES, told, strict=True):
        wire.send(piece)
        server.catch_up()
        assert listen(wire, len(expected)) == expected
    assert codes(wire, "NOOP") == [250], "nothing else was said"
    call = last(server, "data")
    assert (call.outcome, call.code) == decided
    assert [envelope.accepted for envelope in server.log.envelopes()] == [accepted]
    answered_early = told[2] == []
    assert call.rule is (server.rules[0] if answered_early else None)
    assert codes(wire, MAIL) == [250], "the transaction is over"


@pytest.mark.parametrize("options", [{"drop": True}, {"drop": "rst"}, {"reply": 552, "drop": True}], ids=str)
def test_a_rule_may_end_the_connection_amid_the_content(
    serve: Serve, connect: Connect, options: dict[str, Any]
) -> None:
    server = serve(on("data", after=10, **options))
    wire = connect(server)
    to_data(wire)
    wire.send(b"0123456789")
    if "reply" in options:
        assert wire.reply().code == 552
    if options["drop"] == "rst":
        with pytest.raises(ConnectionResetError):
            wire.rest()
    else:
        assert wire.rest() == b""
    wire.close()
    server.wait_closed()
    assert last(server, "data").outcome == ("refused" if "reply" in options else "dropped")
    assert not server.envelopes


def test_bytes_that_are_no_reply_are_said_in_passing(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=3, raw=b"junk\r\n"))
    wire = connect(server)
    to_data(wire)
    wire.send(b"0123")
    assert wire.read_line() == b"junk\r\n"
    assert codes(wire, "456\r\n.") == [250]
    assert server.one().content == b"0123456\r\n"


def test_what_was_accepted_early_is_kept_to_its_end_and_not_before(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=3, reply="250 early"))
    wire = connect(server)
    to_data(wire)
    wire.send(b"0123")
    assert wire.reply().code == 250
    assert server.envelopes == []
    wire.send(b"456\r\n.\r\nNOOP\r\n")
    assert listen(wire, 1) == [250]
    envelope = server.one()
    assert (envelope.content, str(envelope.reply)) == (b"0123456\r\n", "250 early")


def test_what_was_said_in_passing_is_in_the_transcript_with_its_rule(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=3, reply="451 4.3.0 busy", accept=True))
    wire = connect(server)
    to_data(wire)
    wire.send(script(BODY))
    assert listen(wire, 2) == [451, 250]
    told = [line.partition("S: ")[2] for line in server.log.transcript().splitlines() if "451" in line]
    assert told == ["451 4.3.0 busy   by on('data', reply='451 4.3.0 busy', after=3, accept=True)"]


def test_after_nothing_at_all_comes_right_behind_the_354(serve: Serve, connect: Connect) -> None:
    wire = connect(serve(on("data", after=0, reply=552)))
    codes(wire, HELLO, MAIL, ADA)
    wire.send(script(DATA))
    assert listen(wire, 2) == [354, 552]
    wire.send(script(BODY, MAIL))
    assert listen(wire, 1) == [250]


@pytest.mark.parametrize(("after", "code"), [(3, 552), (5, 552), (6, 250)])
def test_a_rule_waits_for_all_of_its_bytes(serve: Serve, connect: Connect, after: int, code: int) -> None:
    wire = connect(serve(on("data", after=after, reply=552)))
    to_data(wire)
    assert codes(wire, "012\r\n.", "NOOP") == [code, 250]


def test_an_early_421_closes(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=3, reply=421))
    wire = connect(server)
    to_data(wire)
    wire.send(b"0123")
    assert wire.reply().code == 421
    assert wire.rest() == b""


def test_an_early_reply_may_be_late_and_is_counted(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=3, reply=552, delay=0.05, times=1))
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY, MAIL, ADA, DATA, BODY) == [552, 250, 250, 354, 250]
    duration = server.log.calls("data")[0].duration
    assert duration is not None
    assert duration >= 0.05
    assert used(server.rules) == [1]


def test_rules_come_one_after_the_other(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=8, reply=552), on("data", after=4, reply=451, accept=True))
    wire = connect(server)
    to_data(wire)
    wire.send(b"0123")
    assert wire.reply().code == 451
    wire.send(b"4567")
    assert wire.reply().code == 552
    assert codes(wire, "\r\n.\r\nNOOP") == [250]
    assert last(server, "data").rule is server.rules[0]


# What rules of each kind say to a message of 22 bytes that comes in one piece.
CHOICES: list[tuple[list[Rule], list[int]]] = [
    ([on("data", after=99, reply=552), on("data", reply=451)], [451]),
    ([on("data", after=22, reply=552)], [552]),
    ([on("data", after=1, to="bob@*", reply=552), on("data", after=2, to="ada@*", reply=553)], [553]),
    ([on("data", after=1, skip=1, reply=552)], [250]),
    ([on("data", reply=554), on("data", after=5, reply=552)], [552]),
    ([on("data", after=5, reply=552, mail_from={"app@*", "x@*"})], [552]),
    ([on("data", after=5, rcpt_to=("ada@*",), reply=552)], [552]),
    ([on("data", after=5, rcpt_to=("bob@*",), reply=552)], [250]),
]


@pytest.mark.parametrize(("rules", "expected"), CHOICES)
def test_an_early_rule_is_chosen_by_its_match_and_its_turn(
    serve: Serve, connect: Connect, rules: list[Rule], expected: list[int]
) -> None:
    wire = connect(serve(*rules))
    to_data(wire)
    assert codes(wire, BODY, "NOOP") == [*expected, 250]


def test_a_rule_whose_match_the_first_bytes_do_not_have_yet_is_asked_again(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=5, when=lambda call: call.args[0].size >= 10, reply=552))
    wire = connect(server)
    to_data(wire)
    wire.send(b"01234")
    server.catch_up()
    wire.send(b"56789")
    assert wire.reply().code == 552


def test_a_message_counts_once_for_skip_however_many_pieces_it_comes_in(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=3, skip=1, reply=552))
    wire = connect(server)
    for expected in (250, 552):
        to_data(wire)
        for piece in (b"abcdef\r\n", b"ghijkl\r\n", b".\r\n"):
            wire.send(piece)
            server.catch_up()
        assert wire.reply().code == expected


# --- beside a hook ------


def test_an_early_refusal_breaks_the_stream_of_the_hook(serve: Serve, connect: Connect) -> None:
    raised: list[BaseException] = []

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await stream.aread()
        except ConnectionError as error:
            raised.append(error)
            raise

    server = serve(on("data", call=hook), on("data", after=4, reply=552))
    wire = connect(server)
    to_data(wire)
    wire.send(b"0123456789")
    assert wire.reply().code == 552
    assert [type(error) for error in raised] == [ConnectionError]
    call = last(server, "data")
    assert (call.outcome, call.code, call.rule, call.error) == ("refused", 552, server.rules[1], None)


def test_a_hook_has_ended_when_a_message_that_was_accepted_early_is_complete(serve: Serve, connect: Connect) -> None:
    read: list[bytes] = []

    async def hook(stream: Stream, session: Session) -> None:
        read.append(await stream.aread())

    server = serve(on("data", after=3, reply=250), on("data", call=hook))
    wire = connect(server)
    to_data(wire)
    assert codes(wire, BODY, "NOOP") == [250, 250]
    assert read == [server.one().content]


# --- and size ------


@pytest.mark.parametrize(
    "pieces", [[b"0123456789abcdef\r\n.\r\n"], [b"01234567", b"89abcdef\r\n.\r\n"]], ids=["at once", "in two"]
)
@pytest.mark.parametrize(
    ("rule", "code", "content"),
    [
        (on("data", reply=250, after=3), 250, b"0123456789abcdef\r\n"),
        (on("data", reply=250, after=12), 552, b"0123456789"),
        (on("data", reply="451 4.3.0 early", after=12), 451, b"0123456789"),
        (on("data", reply=451, subject="x"), 552, b"0123456789"),
    ],
    ids=["accepted before it is too big", "and after", "refused", "no early rule"],
)
def test_what_is_accepted_is_kept_whole_and_of_what_is_too_big_the_head(
    serve: Serve, connect: Connect, pieces: list[bytes], rule: Rule, code: int, content: bytes
) -> None:
    """RFC 1870 section 6.3: no rule accepts more than the server takes; nobody is told yes whose message is cut."""
    server = serve(rule, size=10)
    wire = connect(server)
    to_data(wire)
    for piece in pieces:
        wire.send(piece)
        server.catch_up()
    assert listen(wire, 1) == [code]
    assert codes(wire, "NOOP") == [250]
    (envelope,) = server.log.envelopes()
    assert (envelope.accepted, envelope.content) == (code == 250, content)
    assert mistakes(server) == []


# --- chunks ------


@pytest.mark.parametrize("line", [CHUNK, LAST_CHUNK], ids=["BDAT", "BDAT LAST"])
@pytest.mark.parametrize("early", ["552 5.3.4 No", "250 early"])
def test_what_is_said_to_one_chunk_is_not_said_to_another_message(
    serve: Serve, connect: Connect, line: str, early: str
) -> None:
    server = serve(on("data", reply=early, after=3, times=1), on("data", reply="451 4.3.0 Later"))
    wire = connect(server)
    told = codes(wire, HELLO, MAIL, ADA, line)
    assert told[-1] == int(early[:3])
    if early[0] == "2" and line is CHUNK:  # the early yes, and the chunk's own
        assert listen(wire, 1) == [250]
        wire.send(script(LAST_CHUNK))
    assert codes(wire, MAIL, ADA, DATA, BODY) == [250, 250, 354, 451]


def test_the_last_chunk_of_a_message_that_was_accepted_early_has_no_reply(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=3, reply="250 early"))
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA)
    wire.send(script(CHUNK, LAST_CHUNK, "NOOP"))
    assert listen(wire, 3) == [250, 250, 250]
    calls = [(call.outcome, call.code) for call in server.log.calls("command")][-3:]
    assert calls == [("accepted", 250), ("accepted", None), ("accepted", 250)]
    assert server.one().content == b"hello\r\nhello\r\n"


# --- LMTP ------


def test_in_lmtp_an_early_yes_is_said_to_each_recipient(serve: Serve, connect: Connect) -> None:
    server = serve(on("data", after=3, reply="250 early"), lmtp=True)
    wire = connect(server)
    to_data(wire, ADA, BOB, hello=LHLO)
    wire.send(script(BODY, "NOOP"))
    assert [wire.reply().lines[0] for _ in range(3)] == ["early", "early", "2.0.0 OK"]
    assert server.one().rcpt_to == ("ada@example.com", "bob@example.com")
