"""BDAT: chunks are one message for one data call, and rules on the command may answer them."""

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
    script,
)


def test_chunks_are_one_message_for_one_data_call(serve: Serve, connect: Connect) -> None:
    read: list[bytes] = []

    async def hook(stream: Stream, session: Session) -> str:
        read.append(await stream.aread())
        return "queued"

    server = serve(on("data", call=hook))
    wire = connect(server)
    assert codes(wire, HELLO, MAIL, ADA, CHUNK, "NOOP", "BDAT 0") == [250] * 6
    assert wire.say(LAST_CHUNK).lines == ("2.6.0 queued",)
    assert read == [server.one().content] == [b"hello\r\nhello\r\n"]
    assert len(server.log.calls("data")) == 1


def test_the_command_of_a_chunk_is_pending_until_its_octets_are_there(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA)
    wire.send(b"BDAT 7\r\nhel")
    server.log.wait_for("data")
    assert {last(server, name).outcome for name in ("BDAT", "data")} == {"pending"}
    wire.send(b"lo\r\n")
    assert wire.reply().code == 250
    assert (last(server, "BDAT").outcome, last(server, "BDAT").code) == ("accepted", 250)
    assert last(server, "data").outcome == "pending"


@pytest.mark.parametrize(
    ("rules", "line", "code", "outcome"),
    [
        ([on("data", after=3, reply=552)], CHUNK, 552, "refused"),
        ([on("data", after=3, reply=552)], LAST_CHUNK, 552, "refused"),
        ([on("data", reply=554)], LAST_CHUNK, 554, "refused"),
        ([], LAST_CHUNK, 250, "accepted"),
    ],
)
def test_the_answer_to_a_chunk_is_final_for_its_command_and_its_message(
    serve: Serve, connect: Connect, rules: list[Rule], line: str, code: int, outcome: str
) -> None:
    server = serve(*rules)
    wire = connect(server)
    assert codes(wire, HELLO, MAIL, ADA, line)[-1] == code
    calls = last(server, "BDAT"), last(server, "data")
    assert [(call.code, call.outcome) for call in calls] == [(code, outcome)] * 2
    assert codes(wire, "AUTH LOGIN", "YWRh", "cHc=", MAIL) == [334, 334, 235, 250]
    assert [(call.code, call.outcome) for call in calls] == [(code, outcome)] * 2


# --- the client gives the message up between two chunks ------


@pytest.mark.parametrize(("line", "code"), [("RSET", 250), ("EHLO again", 250), ("HELO again", 250), ("QUIT", 221)])
@pytest.mark.parametrize("hooked", [False, True])
def test_a_message_that_is_given_up_is_dropped_before_the_reply(
    serve: Serve, connect: Connect, line: str, code: int, hooked: bool
) -> None:
    raised: list[BaseException] = []

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await stream.aread()
        except ConnectionError as error:
            raised.append(error)
            raise

    server = serve(*([on("data", call=hook)] if hooked else []))
    assert codes(connect(server), HELLO, MAIL, ADA, CHUNK, line) == [250, 250, 250, 250, code]
    call = last(server, "data")
    assert (call.outcome, call.error, call.heard) == ("dropped", None, False)
    assert [type(error) for error in raised] == [ConnectionError] * hooked
    assert server.log.envelopes() == []


@pytest.mark.parametrize("rules", [[], [on("data", reply=250, skip=1)]], ids=["no rules", "rules"])
def test_the_message_behind_one_that_was_given_up_has_a_call_of_its_own(
    serve: Serve, connect: Connect, rules: list[Rule]
) -> None:
    server = serve(*rules)
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA, CHUNK, "RSET", MAIL, BOB, LAST_CHUNK, MAIL, ADA, CHUNK, "RSET", MAIL, ADA, DATA, BODY)
    assert [call.outcome for call in server.log.calls("data")] == ["dropped", "accepted", "dropped", "accepted"]
    assert [call.envelope for call in server.log.calls("data")][1::2] == list(server.envelopes)
    assert "pending" not in {call.outcome for call in server.log}


@pytest.mark.parametrize(
    ("rules", "line", "code"),
    [
        ([], "NOOP", 250),
        ([], MAIL, 503),
        ([], "VRFY ada", 252),
        ([], "BLURB", 500),
        ([on("command", verb="RSET", reply=550)], "RSET", 550),
        ([on("command", verb="RSET", raw=b"")], "RSET", None),
        ([on("command", verb="BDAT", raw=b"", times=1, skip=1)], CHUNK, None),
    ],
)
def test_what_does_not_end_the_transaction_leaves_the_message_alone(
    serve: Serve, connect: Connect, rules: list[Rule], line: str, code: int | None
) -> None:
    server = serve(*rules)
    wire = connect(server)
    assert codes(wire, HELLO, MAIL, ADA, CHUNK) == [250] * 4
    wire.send(script(line))
    if code is not None:
        assert wire.reply().code == code
    server.catch_up()
    assert last(server, "data").outcome == "pending"
    assert codes(wire, LAST_CHUNK) == [250]
    assert server.one().content == b"hello\r\nhello\r\n"


# --- size ------


def test_a_chunk_over_the_size_refuses_the_message_and_its_hook_is_told(serve: Serve, connect: Connect) -> None:
    raised: list[BaseException] = []

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await stream.aread()
        except ConnectionError as error:
            raised.append(error)
            raise

    server = serve(on("data", call=hook), size=10)
    assert codes(connect(server), HELLO, MAIL, ADA, CHUNK, CHUNK, MAIL) == [250, 250, 250, 250, 552, 250]
    call = last(server, "data")
    assert (call.outcome, call.code, call.error) == ("refused", 552, None)
    assert [envelope.accepted for envelope in server.log.envelopes()] == [False]
    assert [type(error) for error in raised] == [ConnectionError]


def test_a_chunk_that_is_too_big_is_refused_once_for_every_recipient_of_lmtp(serve: Serve, connect: Connect) -> None:
    server = serve(lmtp=True, size=3)
    assert codes(connect(server), LHLO, MAIL, ADA, BOB, CHUNK, "NOOP") == [250, 250, 250, 250, 552, 250]
    (envelope,) = server.log.envelopes()
    assert (envelope.accepted, envelope.rcpt_to) == (False, ())
    assert dict(envelope.refused) == {"ada@example.com": 552, "bob@example.com": 552}


def test_no_rule_on_the_command_makes_the_server_take_more_than_its_size(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="BDAT", reply=250), size=10)
    assert codes(connect(server), HELLO, MAIL, ADA, CHUNK, LAST_CHUNK) == [250, 250, 250, 250, 552]
    assert [envelope.accepted for envelope in server.log.envelopes()] == [False]


# --- a rule on the command ------


@pytest.mark.parametrize("chunks", [(LAST_CHUNK,), (CHUNK, LAST_CHUNK)], ids=["one", "two"])
@pytest.mark.parametrize("option", [{"reply": "250 taken"}, {"raw": b"250 taken\r\n"}], ids=str)
def test_a_rule_on_the_command_may_accept_the_chunks(
    serve: Serve, connect: Connect, chunks: tuple[str, ...], option: dict[str, Any]
) -> None:
    server = serve(on("command", verb="BDAT", **option))
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA)
    assert [wire.say(line).lines for line in chunks] == [("taken",)] * len(chunks)
    envelope = server.one()
    assert (str(envelope.reply), envelope.content) == ("250 taken", b"hello\r\n" * len(chunks))
    assert (last(server, "data").outcome, str(last(server, "data").reply)) == ("accepted", "250 taken")
    assert codes(wire, MAIL) == [250], "the transaction is over"


def test_a_chunk_accepted_by_a_rule_is_kept_for_the_hook_that_decides(serve: Serve, connect: Connect) -> None:
    got: list[bytes] = []
    server = serve(
        on("command", verb="BDAT", reply="250 taken", times=1),
        on("data", call=lambda stream, session: got.append(stream.read())),
    )
    wire = connect(server)
    codes(wire, HELLO, MAIL, ADA)
    assert [wire.say(line).lines[0] for line in (CHUNK, LAST_CHUNK)] == ["taken", "2.6.0 Message accepted"]
    assert got == [server.one().content] == [b"hello\r\nhello\r\n"]


def test_each_recipient_of_lmtp_is_told_what_a_rule_on_the_command_says(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="BDAT", reply="250 taken"), lmtp=True)
    wire = connect(server)
    codes(wire, LHLO, MAIL, ADA, BOB)
    wire.send(script(CHUNK, LAST_CHUNK, "NOOP"))
    assert [wire.reply().lines[0] for _ in range(4)] == ["taken", "taken", "taken", "2.0.0 OK"]
    assert server.one().rcpt_to == ("ada@example.com", "bob@example.com")


def test_behind_a_refused_chunk_its_octets_are_thrown_away_and_no_other_is_taken(
    serve: Serve, connect: Connect
) -> None:
    """RFC 3030 section 2."""
    server = serve(on("command", verb="BDAT", reply="451 4.3.0 Later", times=1))
    lines = (HELLO, MAIL, ADA, CHUNK, "NOOP", LAST_CHUNK, "RSET", MAIL, BOB, LAST_CHUNK)
    assert codes(connect(server), *lines) == [250, 250, 250, 451, 250, 503, 250, 250, 250, 250]
    assert server.one().content == b"hello\r\n"
    assert len(server.log.calls("data")) == 1


def test_a_hook_behind_a_rule_that_waits_gets_pipelined_chunks_whole(serve: Serve, connect: Connect) -> None:
    read: list[bytes] = []
    server = serve(
        on("data", subject="other", reply=550),
        on("data", call=lambda stream, session: read.append(stream.read())),
    )
    wire = connect(server)
    wire.send(script(HELLO, MAIL, ADA, CHUNK, "BDAT 0", LAST_CHUNK))
    assert listen(wire, 6) == [250] * 6
    assert read == [b"hello\r\nhello\r\n"]
