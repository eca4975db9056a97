"""What becomes of a message by its verdicts: RFC 5321 section 4.2.5, RFC 2033 section 4.2, RFC 3030 section 2.

Verdicts may come while the content is still arriving, and in LMTP there is one for each recipient.
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_smtpd.rules.verdict import NOTHING, Ending, Verdict, answer, verdict_of
from pytest_smtpd.smtp.connection import Connection
from pytest_smtpd.smtp.content import Chunk, Content, ContentBegins
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.replies import standard
from pytest_smtpd.smtp.session import Envelope
from pytest_smtpd.smtp.states import State
from tests.rfc.dialogue import RCPT
from tests.smtp.core import Core, Decide, core, instead, suggested

LMTP_RCPT = RCPT.replace("EHLO", "LHLO")
CAROL = "C: RCPT TO:<carol@server.example>\nS: 250\n"
DAVE = "C: RCPT TO:<dave@server.example>\nS: 250\n"


def code(number: int, **fields: Any) -> Verdict:
    return answer(standard(number), **fields)


def after(script: str, decide: Decide = suggested, **settings: Any) -> Core:
    line = core(decide=decide, **settings)
    line.hold(f"S: 220\n{script}")
    return line


def only(line: Core) -> Envelope:
    (envelope,) = line.envelopes
    return envelope


def outcome(envelope: Envelope) -> tuple[bool, int | None, bytes]:
    """Whether it was accepted, the code of its reply, and its content."""
    return envelope.accepted, None if envelope.reply is None else envelope.reply.code, envelope.content


# --- the verdict on the whole message ------


@pytest.mark.parametrize(
    ("number", "keep", "accepted"),
    [(250, None, True), (550, None, False), (354, None, False), (550, True, True), (250, False, False)],
)
@pytest.mark.parametrize("content", ["DATA\r\nx\r\n.", "BDAT 3 LAST\r\nx"])
def test_message_is_kept_by_its_reply_unless_the_verdict_says_otherwise(
    content: str, number: int, keep: bool | None, accepted: bool
) -> None:
    line = after(RCPT, instead({"content": code(number, keep=keep)}))
    assert line.codes(content)[-1] == number
    envelope = only(line)
    assert outcome(envelope) == (accepted, number, b"x\r\n")
    assert envelope.rcpt_to == ("bob@server.example",)


def test_message_without_an_answer_is_not_accepted() -> None:
    line = after(RCPT, instead({"content": None}))
    assert line.codes("DATA\r\nx\r\n.") == [354]
    assert outcome(only(line)) == (False, None, b"x\r\n")
    assert line.state is State.READY


def test_envelope_is_a_snapshot() -> None:
    line = after(RCPT)
    so_far = line.session.envelope
    assert so_far is not None
    line.hold(f"{CAROL}C: DATA\nS: 354\nC: x\nC: .\nS: 250")
    assert (so_far.rcpt_to, so_far.content, so_far.accepted) == (("bob@server.example",), b"", False)
    line.hold(f"{RCPT}C: DATA\nS: 354\nC: y\nC: .\nS: 250")
    assert [(mail.id, mail.content, mail.session) for mail in line.envelopes] == [
        ("core.1", b"x\r\n", line.session),
        ("core.2", b"y\r\n", line.session),
    ]


@pytest.mark.parametrize("settings", [{"max_messages": 2}, {}])
def test_refused_messages_are_counted_too(settings: dict[str, Any]) -> None:
    line = after(RCPT, instead({"content": 550}), **settings)
    assert line.codes("DATA\r\n.", "MAIL FROM:<a@b>", "RSET") == [354, 550, 250, 250]
    assert line.session.transaction == 2


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("octets", [10, 11, 5000])
def test_no_more_is_kept_than_size_allows(octets: int, chunked: bool) -> None:
    """RFC 1870 section 6.3; ``size`` still says how much there was."""
    content = b"x" * (octets - 2) + b"\r\n"
    line = after(RCPT, size=10)
    line.send(b"BDAT %d LAST\r\n" % octets + content if chunked else b"DATA\r\n" + content + b".\r\n")
    envelope = only(line)
    assert (envelope.accepted, envelope.size) == (octets == 10, octets)
    assert envelope.content == content[:10]


def test_refusal_for_size_is_final() -> None:
    line = after(RCPT, size=1)
    line.codes("DATA\r\nabc\r\n.")
    (event,) = [event for event in line.events if isinstance(event, Content)]
    assert event.final
    assert event.default == 552
    line = after(RCPT, size=5)
    line.codes("DATA\r\nabc\r\n.")
    assert [event.final for event in line.events if isinstance(event, Content)] == [False]


def test_content_kept_in_spite_of_its_size_is_kept_whole_as_far_as_it_is_there() -> None:
    line = after(RCPT, instead({"content": code(552, keep=True)}), size=5)
    line.codes("DATA\r\nabcdefgh\r\n.")
    assert (only(line).accepted, only(line).content) == (True, b"abcdefgh\r\n")


# --- a verdict for each recipient ------


def test_recipients_of_lmtp_are_served_and_refused_one_by_one() -> None:
    verdicts = [code(250), code(450), code(250)]
    line = after(f"{LMTP_RCPT}{CAROL}{CAROL.replace('carol', 'bob')}", instead({"content": verdicts}), lmtp=True)
    assert line.codes("DATA\r\nx\r\n.") == [354, 250, 450, 250]
    envelope = only(line)
    assert envelope.rcpt_to == ("bob@server.example", "bob@server.example")
    assert dict(envelope.refused) == {"carol@server.example": 450}
    assert outcome(envelope) == (True, 250, b"x\r\n")
    assert line.session.error == 450


def test_message_that_no_recipient_of_lmtp_gets_is_not_accepted() -> None:
    line = after(f"{LMTP_RCPT}{CAROL}", instead({"content": [code(450), code(554)]}), lmtp=True)
    assert line.codes("BDAT 3 LAST\r\nx") == [450, 554]
    envelope = only(line)
    assert outcome(envelope) == (False, 450, b"x\r\n")
    assert envelope.rcpt_to == ()
    assert dict(envelope.refused) == {"bob@server.example": 450, "carol@server.example": 554}
    assert line.session.error == 554


def test_recipient_of_lmtp_who_gets_no_answer_is_neither_served_nor_refused() -> None:
    line = after(f"{LMTP_RCPT}{CAROL}{DAVE}", instead({"content": [code(250), NOTHING, code(452)]}), lmtp=True)
    assert line.codes("DATA\r\nx\r\n.") == [354, 250, 452]
    assert only(line).rcpt_to == ("bob@server.example",)
    assert dict(only(line).refused) == {"dave@server.example": 452}


def test_recipient_of_lmtp_may_be_served_whatever_is_answered() -> None:
    verdicts = [code(554), code(554, keep=True), code(250, keep=False)]
    line = after(f"{LMTP_RCPT}{CAROL}{DAVE}", instead({"content": verdicts}), lmtp=True)
    assert line.codes("DATA\r\nx\r\n.") == [354, 554, 554, 250]
    assert (only(line).accepted, only(line).rcpt_to) == (True, ("carol@server.example",))
    assert dict(only(line).refused) == {"bob@server.example": 554}


@pytest.mark.parametrize("number", [250, 554])
def test_one_verdict_for_several_recipients_of_lmtp_names_none_of_them(number: int) -> None:
    line = after(f"{LMTP_RCPT}{CAROL}", instead({"content": [code(number)]}), lmtp=True)
    assert line.codes("DATA\r\nx\r\n.") == [354, number]
    assert only(line).rcpt_to == ("bob@server.example", "carol@server.example")
    assert (only(line).accepted, dict(only(line).refused)) == (number == 250, {})


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ([code(250), code(421)], State.CLOSED),
        ([code(421), code(250)], State.CLOSED),
        ([code(421, ending=Ending.STALL), code(250)], State.READY),
        ([code(421, wire=b"421 raw\r\n"), code(250)], State.READY),
        ([code(250), code(450)], State.READY),
    ],
)
def test_421_to_any_recipient_of_lmtp_closes(verdicts: list[Verdict], state: State) -> None:
    line = after(f"{LMTP_RCPT}{CAROL}", instead({"content": verdicts}), lmtp=True)
    line.codes("DATA\r\nx\r\n.")
    assert line.state is state


def test_refused_chunk_is_answered_once_and_refuses_each_recipient_of_lmtp() -> None:
    line = after(f"{LMTP_RCPT}{CAROL}", instead({"chunk": 452}), lmtp=True)
    assert line.codes("BDAT 3\r\nx") == [452]
    assert dict(only(line).refused) == {"bob@server.example": 452, "carol@server.example": 452}
    assert (only(line).accepted, only(line).rcpt_to) == (False, ())


# --- BDAT ------


def test_half_a_message_is_not_accepted_behind_a_refused_chunk() -> None:
    """RFC 3030 section 2: "accept and discard additional BDAT chunks already in the pipeline after the failed BDAT"."""
    line = after(RCPT, instead({"BDAT": 552}))
    assert line.codes("BDAT 3\r\nabcBDAT 3 LAST\r\ndefNOOP") == [552, 503, 250]
    assert line.envelopes == []
    assert line.session.mail is None


@pytest.mark.parametrize("argument", ["6", "6 LAST", "6  LAST \t", "0006"])
def test_octets_of_a_refused_bdat_are_thrown_away(argument: str) -> None:
    line = after("C: EHLO c\nS: 250")
    line.send(f"BDAT {argument}\r\nQUIT".encode())
    line.send(b"\r\nNOOP\r\n")
    assert line.codes() == [503, 250]
    assert [hook for hook, _ in line.events[-2].points] == ["command"]
    assert line.session.commands[-2:] == ("BDAT", "NOOP")


@pytest.mark.parametrize("argument", ["x", "6 FIRST", "-1", "6LAST", "\u0666"])
def test_bdat_that_says_no_number_has_no_octets(argument: str) -> None:
    assert after(RCPT).codes(f"BDAT {argument}", "NOOP") == [501, 250]


@pytest.mark.parametrize("settings", [{"disable": ["CHUNKING"]}, {"disable": ["BDAT"]}], ids=str)
def test_what_follows_a_bdat_that_is_not_offered_is_the_next_command(settings: dict[str, Any]) -> None:
    assert after("", **settings).codes("BDAT 6", "QUIT") == [502, 221]


# --- verdicts while the content arrives ------


class Early:
    """Gives a verdict as soon as so many octets of content have come."""

    def __init__(self, octets: int, *verdicts: Verdict, each: bool = False) -> None:
        self.octets, self.verdicts, self.each, self.count = octets, verdicts, each, 0

    def __call__(self, connection: Connection, event: Event) -> Any:
        size = event.size if isinstance(event, Chunk) else 0 if type(event) is ContentBegins else -1
        if size < self.octets or (self.count and not self.each):
            return suggested(connection, event)
        self.count += 1
        return self.verdicts


SENDS = {"DATA": (b"DATA\r\n", b".\r\n", [354]), "BDAT": (b"BDAT 10 LAST\r\n", b"", [])}


def sent(line: Core, how: str, cut: int) -> list[int]:
    """The codes of the replies after ten octets of content, and of those that came before the rest was there."""
    head, end, _ = SENDS[how]
    line.send(head + b"abcdefgh\r\n"[:cut])
    before = line.codes()
    line.send(b"abcdefgh\r\n"[cut:] + end)
    return [*before, 0, *line.codes()]


@pytest.mark.parametrize("how", SENDS)
@pytest.mark.parametrize("octets", [0, 2, 5])
@pytest.mark.parametrize("number", [354, 452, 552])
def test_early_refusal_throws_the_rest_away_unanswered(number: int, octets: int, how: str) -> None:
    line = after(RCPT, Early(octets, code(number)))
    assert sent(line, how, octets) == [*SENDS[how][2], number, 0]
    assert outcome(only(line)) == (False, number, b"abcdefgh\r\n"[:octets])
    assert (line.state, line.session.mail) == (State.READY, None)
    assert line.session.transaction == 2
    assert line.codes("MAIL FROM:<a@b>", "RSET") == [250, 250]


@pytest.mark.parametrize("how", SENDS)
@pytest.mark.parametrize("octets", [0, 2, 5])
def test_early_acceptance_keeps_the_rest_and_answers_no_more(octets: int, how: str) -> None:
    line = after(RCPT, Early(octets, code(250)))
    assert sent(line, how, octets) == [*SENDS[how][2], 250, 0]
    assert outcome(only(line)) == (True, 250, b"abcdefgh\r\n")
    assert [event.default for event in line.events if isinstance(event, Content)] == [None]
    assert [event.final for event in line.events if isinstance(event, Content)] == [True]
    assert line.state is State.READY


@pytest.mark.parametrize("how", SENDS)
@pytest.mark.parametrize("verdict", [code(250, keep=True), code(552, keep=True), NOTHING, Verdict(wire=b"junk")])
def test_reply_in_passing_says_nothing_about_the_message(verdict: Verdict, how: str) -> None:
    line = after(RCPT, Early(2, verdict))
    assert sent(line, how, 2)[-2:] == [0, 250]
    assert outcome(only(line)) == (True, 250, b"abcdefgh\r\n")


def test_early_acceptance_outdoes_the_limit_of_size() -> None:
    line = after(RCPT, Early(2, code(250)), size=4)
    assert sent(line, "DATA", 2) == [354, 250, 0]
    assert (only(line).accepted, only(line).content) == (True, b"abcdefgh\r\n")


@pytest.mark.parametrize("how", SENDS)
def test_early_refusal_of_each_recipient_of_lmtp(how: str) -> None:
    line = after(f"{LMTP_RCPT}{CAROL}", Early(2, code(450), code(550)), lmtp=True)
    assert sent(line, how, 2) == [*SENDS[how][2], 450, 550, 0]
    assert dict(only(line).refused) == {"bob@server.example": 450, "carol@server.example": 550}
    assert (only(line).accepted, only(line).rcpt_to) == (False, ())


@pytest.mark.parametrize("how", SENDS)
@pytest.mark.parametrize(("verdict", "closes"), [(code(421), True), (code(421, wire=b"421 raw\r\n"), False)])
def test_early_421_closes_unless_it_may_not(verdict: Verdict, closes: bool, how: str) -> None:
    line = after(RCPT, Early(2, verdict))
    sent(line, how, 2)
    assert line.state is (State.CLOSED if closes else State.READY)
    assert line.session.error == 421
    assert not only(line).accepted


def test_message_is_reported_where_it_begins_and_piece_by_piece() -> None:
    line = after(RCPT, size=3)
    line.send(b"DATA\r\n")
    line.send(b"ab\r\n")
    line.send(b"cd\r\n.\r\n")
    kinds = [type(event).__name__ for event in line.events[-5:]]
    assert kinds == ["Data", "ContentBegins", "Chunk", "Chunk", "Content"]
    chunks = [event for event in line.events if isinstance(event, Chunk)]
    assert [(chunk.data, chunk.size) for chunk in chunks] == [(b"ab", 2), (b"\r\ncd\r\n", 8)]


def test_early_verdict_is_remembered_as_the_last_error() -> None:
    line = after(RCPT, Early(2, verdict_of(standard(552))))
    sent(line, "DATA", 2)
    assert line.session.error == 552
