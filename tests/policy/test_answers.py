"""Answers of rules and hooks in a session: how they are counted, kept, slowed down and read."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd import Reject, on
from pytest_smtpd.steps import Send, Wait
from tests.policy.client import BOB, BODY, DATA, FIRST, HELLO, LAST, MAIL, PLAIN, RCPT, WHERE, Connect

# --- raw bytes that look like a reply ------


RAWS: list[tuple[dict[str, Any], str]] = [
    ({"raw": b"250 ok"}, "accepted"),
    ({"raw": b"250 ok", "drop": True}, "accepted"),
    ({"raw": b"250"}, "accepted"),
    ({"raw": b"250-one\r\n", "hang": True}, "accepted"),
    ({"raw": b"354\n"}, "accepted"),
    ({"raw": b"550 no", "drop": "rst"}, "refused"),
    ({"raw": b"250-one\r\n550 two\r\n"}, "refused"),
    ({"raw": b"451-one\r\n250 two"}, "accepted"),
    ({"raw": b"25", "drop": True}, "dropped"),
    ({"raw": b"2500 ok\r\n", "drop": True}, "dropped"),
    ({"raw": b"650 ok\r\n", "drop": True}, "dropped"),
    ({"raw": b"ok 250\r\n", "drop": True}, "dropped"),
    ({"raw": b"ok\r\n", "hang": True}, "hung"),
]


@pytest.mark.parametrize(("options", "outcome"), RAWS)
@pytest.mark.parametrize("hook", ["rcpt_to", "connect"])
def test_raw_counts_by_the_code_it_begins_with(connect: Connect, hook: Any, options: Any, outcome: str) -> None:
    client = connect(on(hook, **options))
    client.says(*WHERE[hook])
    assert client.last(hook).outcome == outcome
    assert client.last(hook).reply is None


@pytest.mark.parametrize("raw", [b"250 ok", b"550 no"])
def test_the_session_goes_on_as_if_nothing_had_been_said_by_what_is_no_reply(connect: Connect, raw: bytes) -> None:
    client = connect(on("rcpt_to", raw=raw)).before(RCPT)
    client.says(RCPT)
    assert client.says("DATA") == [503]


@pytest.mark.parametrize("raw", [b"220 hi", b"554 no"])
def test_the_session_goes_on_as_if_accepted_by_a_greeting_that_is_no_reply(connect: Connect, raw: bytes) -> None:
    client = connect(on("connect", raw=raw), tls="implicit")
    client.says("")
    assert client.points == "connect secure"
    assert client.says("EHLO client.example") == [250]


def test_on_secure_bytes_that_are_no_reply_stand_in_place_of_the_greeting(connect: Connect) -> None:
    client = connect(on("secure", raw=b"220 hi"), tls="implicit")
    client.says("")
    assert client.told == b"220 hi"


# --- drip beside a hook ------


@pytest.mark.parametrize("hook", WHERE)
@pytest.mark.parametrize("refuses", [False, True])
def test_a_hooks_answer_drips_where_its_rule_says_so(connect: Connect, hook: Any, refuses: bool) -> None:
    def decide(*args: object) -> Any:
        if refuses:
            raise Reject(450, "4.7.1 no")
        return "ada" if hook == "auth" else None

    client = connect(on(hook, call=decide, drip=2, times=1))
    client.says(*WHERE[hook][:-1])
    if hook == "command" and not refuses:
        return  # it has not answered
    before = len(client.steps)
    client.says(WHERE[hook][-1])
    sent = client.steps[before:]
    assert sent[1] == Wait(2)
    assert {len(step.data) for step in sent if isinstance(step, Send)} == {1}


# --- what an early yes is worth ------


@pytest.mark.parametrize(("accept", "kept"), [({}, True), ({"accept": False}, False)])
def test_an_early_yes_keeps_the_message_unless_the_rule_says_otherwise(
    connect: Connect, accept: dict[str, Any], kept: bool
) -> None:
    client = connect(on("data", after=10, reply="250 early", **accept)).before(BODY)
    assert client.says(BODY) == [250]
    (envelope,) = client.envelopes
    assert (envelope.accepted, str(envelope.reply)) == (kept, "250 early")
    assert client.says(MAIL) == [250]


# --- what a hook must not return ------


SLIPS = ["550 no", "550", "451-one", "5.1.1 no such user", Reject(550)]


@pytest.mark.parametrize("value", SLIPS, ids=repr)
@pytest.mark.parametrize("hook", ["connect", "command", "mail_from", "rcpt_to"])
def test_a_hook_that_returns_a_refusal_where_only_raising_refuses_is_a_mistake(
    connect: Connect, hook: Any, value: Any
) -> None:
    client = connect(on(hook, call=lambda *args: value, times=1))
    assert client.says(*WHERE[hook])[-1] == 451
    ((_, error),) = client.errors
    assert isinstance(error, TypeError)
    assert str(error) == (
        f"the {hook} hook returned {value!r}, which would accept; it refuses by raising Reject(code, text)"
    )


@pytest.mark.parametrize("value", [None, True, False, 0, 550, "250 OK", "ok", [], 4.5], ids=repr)
@pytest.mark.parametrize("hook", ["connect", "command", "mail_from", "rcpt_to"])
def test_a_hook_accepts_by_returning_whatever_its_last_expression_was(connect: Connect, hook: Any, value: Any) -> None:
    client = connect(on(hook, call=lambda *args: value, times=1))
    assert client.says(*WHERE[hook])[-1] in (220, 250)
    assert client.errors == []


@pytest.mark.parametrize("value", ["550 no", "250 OK", "250", "4.7.1 later"])
@pytest.mark.parametrize("settings", [{}, {"lmtp": True}])
def test_a_data_hook_that_returns_a_code_is_a_mistake(connect: Connect, value: str, settings: Any) -> None:
    client = connect(on("data", call=lambda *args: [value] if settings else value), **settings)
    client.says("", "LHLO client.example" if settings else "EHLO client.example")
    assert client.says(MAIL, RCPT, "DATA", BODY)[-1] == 451
    ((_, error),) = client.errors
    assert "without a code" in str(error)
    assert repr(value) in str(error)


@pytest.mark.parametrize("value", ["queued as 250", "2.0.0 fine", "42 bytes", "231 bytes", "599", "", "1250 letters"])
def test_a_data_hook_may_return_any_other_text(connect: Connect, value: str) -> None:
    client = connect(on("data", call=lambda *args: value)).before(BODY)
    assert client.says(BODY) == [250]
    assert client.errors == []


# --- a command and the hook behind it ------


def test_a_delay_of_the_command_is_not_repeated_at_the_hook_behind_it(connect: Connect) -> None:
    other = on("rcpt_to", to="nobody@*", reply=550)
    client = connect(on("command", verb="RCPT", delay=5), on("rcpt_to", delay=1), other).before(RCPT)
    assert client.says(RCPT) == [250]
    assert client.loop.time() == 6


def test_a_drip_beside_a_command_hook_that_lets_it_pass_slows_down_the_answer(connect: Connect) -> None:
    client = connect(on("command", verb="RCPT", call=lambda command, session: None, drip=1)).before(RCPT)
    client.steps.clear()
    client.says(RCPT)
    assert {len(step.data) for step in client.steps if isinstance(step, Send)} == {1}


def test_an_auth_hook_that_returns_a_refusal_logs_nobody_in(connect: Connect) -> None:
    client = connect(on("auth", call=lambda auth, session: Reject(535, "5.7.8 no")))
    assert client.says("", HELLO, PLAIN)[-1] == 451
    ((_, error),) = client.errors
    assert str(error).startswith("the auth hook returned Reject(535, ")
    assert client.session.user is None


# --- a command whose reply comes later ------


BDATS = {
    "one chunk": [LAST],
    "two chunks": [FIRST, LAST],
}


@pytest.mark.parametrize("chunks", BDATS.values(), ids=BDATS)
@pytest.mark.parametrize("option", [{"reply": "250 taken"}, {"raw": b"250 taken\r\n"}], ids=str)
def test_a_rule_on_the_command_may_accept_the_chunks(connect: Connect, chunks: list[str], option: Any) -> None:
    client = connect(on("command", verb="BDAT", **option)).before(DATA)
    assert client.says(*chunks) == [250] * len(chunks)
    (envelope,) = client.envelopes
    assert (envelope.accepted, str(envelope.reply), envelope.content) == (True, "250 taken", b"hello\r\n" * len(chunks))
    assert (client.last("data").outcome, str(client.last("data").reply)) == ("accepted", "250 taken")
    assert client.says(MAIL) == [250], "the transaction is over"


def test_a_chunk_accepted_by_a_rule_is_kept_for_the_hook_that_decides(connect: Connect) -> None:
    got: list[bytes] = []
    client = connect(
        on("command", verb="BDAT", reply="250 taken", times=1),
        on("data", call=lambda stream, session: got.append(stream.read())),
    ).before(DATA)
    assert client.says(FIRST, LAST) == [250, 250]
    assert client.told.count(b"250 taken") == 1
    assert got == [client.envelopes[0].content] == [b"hello\r\nhello\r\n"]


def test_each_recipient_of_lmtp_is_told_what_a_rule_on_bdat_says(connect: Connect) -> None:
    client = connect(on("command", verb="BDAT", reply="250 taken"), lmtp=True)
    client.says("", "LHLO client.example", MAIL, RCPT, BOB)
    assert client.says(FIRST, LAST) == [250, 250, 250]
    assert client.envelopes[0].rcpt_to == ("ada@example.com", "bob@example.com")


def test_no_rule_on_bdat_makes_the_server_take_more_than_its_size(connect: Connect) -> None:
    client = connect(on("command", verb="BDAT", reply=250), size=10).before(DATA)
    assert client.says(FIRST, LAST) == [250, 552]
    assert [envelope.accepted for envelope in client.envelopes] == [False]
    client = connect(on("command", verb="BDAT", reply=250), size=3).before(DATA)
    assert client.says(FIRST) == [552]


def test_a_hook_of_a_message_that_a_rule_has_accepted_may_be_wrong(connect: Connect) -> None:
    wrong = on("data", call=lambda stream, session: int("x"))
    client = connect(on("command", verb="BDAT", reply=250), wrong).before(DATA)
    assert client.says(LAST) == [250]
    assert [(point, type(error)) for point, error in client.errors] == [("data", ValueError)]


def test_a_rule_on_xclient_gives_its_greeting(connect: Connect) -> None:
    client = connect(on("command", verb="XCLIENT", reply="220 hi"), xclient=True)
    assert client.says("", HELLO, "XCLIENT ADDR=192.0.2.7", MAIL) == [220, 250, 220, 503]
    assert client.told.count(b"220 hi\r\n") == 1
    assert client.session.remote_address == "192.0.2.7"
    assert [call.hook for call in client.calls if call.hook != "command"] == ["connect", "connect"]


def test_a_connect_rule_refuses_after_xclient_whatever_a_rule_on_it_says(connect: Connect) -> None:
    client = connect(
        on("command", verb="XCLIENT", reply="220 hi"), on("connect", reply="554 5.7.1 No", skip=1), xclient=True
    )
    assert client.says("", HELLO, "XCLIENT ADDR=192.0.2.7") == [220, 250, 554]


# --- an early yes, and size ------


PIECES = {"at once": [b"0123456789abcdef\r\n.\r\n"], "in two": [b"01234567", b"89abcdef\r\n.\r\n"]}


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize(
    ("after", "code", "content"),
    [(3, 250, b"0123456789abcdef\r\n"), (12, 552, b"0123456789")],
    ids=["before it is too big", "after"],
)
def test_what_was_accepted_while_it_arrived_is_kept_whole(
    connect: Connect, pieces: list[bytes], after: int, code: int, content: bytes
) -> None:
    """RFC 1870 section 6.3; and nobody is told yes whose message is not kept."""
    client = connect(on("data", reply=250, after=after), size=10).before(BODY)
    assert [told for piece in pieces for told in client.sends(piece)] == [code]
    (envelope,) = client.envelopes
    assert (envelope.accepted, envelope.size, envelope.content) == (code == 250, 18, content)


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
def test_a_fault_strikes_a_message_that_is_too_big_already(connect: Connect, pieces: list[bytes]) -> None:
    client = connect(on("data", reply="451 4.3.0 early", after=12), size=10).before(BODY)
    assert [told for piece in pieces for told in client.sends(piece)] == [451]


@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES)
def test_of_a_message_that_is_too_big_its_head_is_kept(connect: Connect, pieces: list[bytes]) -> None:
    client = connect(size=10).before(BODY)
    assert [told for piece in pieces for told in client.sends(piece)] == [552]
    (envelope,) = client.envelopes
    assert (envelope.accepted, envelope.size, envelope.content) == (False, 18, b"0123456789")


def test_a_chunk_that_is_too_big_is_refused_for_every_recipient_of_lmtp(connect: Connect) -> None:
    client = connect(lmtp=True, size=3)
    client.says("", "LHLO client.example", MAIL, RCPT, BOB)
    assert client.says(FIRST) == [552]
    (envelope,) = client.envelopes
    assert (envelope.accepted, envelope.rcpt_to) == (False, ())
    assert dict(envelope.refused) == {"ada@example.com": 552, "bob@example.com": 552}


@pytest.mark.parametrize("early", ["552 5.3.4 No", "250 early"])
def test_what_a_rule_has_said_to_one_chunk_is_not_said_to_another_message(connect: Connect, early: str) -> None:
    client = connect(
        on("command", verb="BDAT", reply="250 taken", times=1),
        on("data", reply=early, after=3, times=1),
        on("data", reply="451 4.3.0 Later"),
    ).before(DATA)
    assert client.says(LAST) == [int(early[:3])]
    assert client.says(MAIL, RCPT, DATA, BODY) == [250, 250, 354, 451]
    assert b"taken" not in client.told
