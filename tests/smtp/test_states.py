"""What may follow what: RFC 5321 sections 3.3 and 4.1.4, 3207, 4954, 3030, held against every pair of state and verb.

What the verdicts of the RFC lead to is in ``tests/rfc``; here are all other verdicts. The expectations are written in
the words of the RFCs; the table of the server is not asked.
"""

from __future__ import annotations

import pytest

from pytest_smtpd.rules.verdict import Verdict, answer
from pytest_smtpd.smtp.replies import standard
from pytest_smtpd.smtp.states import EXPECTS_COMMAND, IN_TRANSACTION, SEQUENCE, State
from tests.rfc.dialogue import EHLO, MAIL, RCPT
from tests.smtp.core import Core, core, instead

LINES = {
    "EHLO": "EHLO client.example",
    "HELO": "HELO client.example",
    "MAIL": "MAIL FROM:<ann@client.example>",
    "RCPT": "RCPT TO:<bob@server.example>",
    "DATA": "DATA",
    "BDAT": "BDAT 0",
    "RSET": "RSET",
    "NOOP": "NOOP",
    "VRFY": "VRFY x",
    "HELP": "HELP",
    "STARTTLS": "STARTTLS",
    "AUTH": "AUTH LOGIN",
    "XCLIENT": "XCLIENT NAME=x",
    "XFORWARD": "XFORWARD NAME=x",
    "QUIT": "QUIT",
}
# How to get there, and what may come then.
ALWAYS = {"EHLO", "HELO", "NOOP", "VRFY", "HELP", "RSET", "QUIT"}
PLACES: dict[State, tuple[str, set[str]]] = {
    State.START: ("", ALWAYS | {"STARTTLS", "XCLIENT", "XFORWARD"}),
    State.READY: (EHLO, ALWAYS | {"STARTTLS", "XCLIENT", "XFORWARD", "AUTH", "MAIL"}),
    State.MAIL: (MAIL, ALWAYS | {"RCPT"}),
    State.RCPT: (RCPT, ALWAYS | {"RCPT", "DATA", "BDAT"}),
    State.BETWEEN_CHUNKS: (f"{RCPT}C: BDAT 0\nS: 250\n", ALWAYS | {"BDAT"}),
}
# Where the usual answer leads. What is missing here stays where it is.
LEADS: dict[tuple[State, str], State] = {
    **{(state, verb): State.READY for state in PLACES for verb in ("EHLO", "HELO")},
    **{(state, "QUIT"): State.CLOSED for state in PLACES},
    **{(state, "RSET"): State.READY for state in PLACES if state is not State.START},
    **{(state, "STARTTLS"): State.HANDSHAKE for state in (State.START, State.READY)},
    **{(state, "XCLIENT"): State.START for state in (State.START, State.READY)},
    (State.READY, "AUTH"): State.SASL,
    (State.READY, "MAIL"): State.MAIL,
    (State.MAIL, "RCPT"): State.RCPT,
    (State.RCPT, "DATA"): State.CONTENT,
    (State.RCPT, "BDAT"): State.BETWEEN_CHUNKS,
}
PAIRS = [(state, verb) for state in PLACES for verb in LINES]
IN_SEQUENCE = [(state, verb) for state, verb in PAIRS if verb in PLACES[state][1]]
OUT_OF_SEQUENCE = [pair for pair in PAIRS if pair not in IN_SEQUENCE]

Answers = dict[str, str | int | Verdict | None]


def arrive(state: State) -> tuple[Core, Answers]:
    """A line in this state, and what the server answers from now on instead of the usual."""
    answers: Answers = {}
    line = core(xclient=True, xforward=True, decide=instead(answers))
    line.hold(f"S: 220\n{PLACES[state][0]}")
    assert line.state is state
    return line, answers


def named(value: object) -> str | None:
    return value.name if isinstance(value, State) else None


@pytest.mark.parametrize(("state", "verb"), IN_SEQUENCE, ids=named)
def test_command_in_sequence_leads_where_the_rfc_says(state: State, verb: str) -> None:
    line, _ = arrive(state)
    assert 503 not in line.codes(LINES[verb])
    assert line.state is LEADS.get((state, verb), state)


@pytest.mark.parametrize(("state", "verb"), OUT_OF_SEQUENCE, ids=named)
def test_command_out_of_sequence_is_503_and_changes_nothing(state: State, verb: str) -> None:
    line, _ = arrive(state)
    before = line.session.mail
    recipients = line.session.recipients
    assert line.codes(LINES[verb]) == [503]
    assert (line.state, line.session.mail, line.session.recipients) == (state, before, recipients)


@pytest.mark.parametrize("code", [250, 354, 450, 550])
@pytest.mark.parametrize(("state", "verb"), OUT_OF_SEQUENCE, ids=named)
def test_command_out_of_sequence_means_nothing_whatever_is_answered(state: State, verb: str, code: int) -> None:
    line, answers = arrive(state)
    answers["refused"] = code
    assert line.codes(LINES[verb]) == [code]
    assert line.state is state


@pytest.mark.parametrize("code", [400, 450, 499, 500, 550, 599])
@pytest.mark.parametrize(("state", "verb"), IN_SEQUENCE, ids=named)
def test_refusal_leaves_every_state_as_it_is(state: State, verb: str, code: int) -> None:
    line, answers = arrive(state)
    answers[verb] = code
    assert line.codes(LINES[verb]) == [code]
    # RFC 3030 section 2: what follows a failed chunk belongs to no message.
    assert line.state is (State.READY if verb == "BDAT" else state)


@pytest.mark.parametrize(("state", "verb"), IN_SEQUENCE, ids=named)
def test_421_closes_every_state(state: State, verb: str) -> None:
    """RFC 5321 section 3.8: "the server ... closing the transmission channel"."""
    line, answers = arrive(state)
    answers[verb] = 421
    assert line.codes(LINES[verb], "NOOP") == [421]
    assert line.state is State.CLOSED


@pytest.mark.parametrize(("state", "verb"), IN_SEQUENCE, ids=named)
def test_reply_that_may_not_close_leaves_the_connection_open(state: State, verb: str) -> None:
    """Bytes of a rule in its place close nothing, whatever they say."""
    line, answers = arrive(state)
    answers[verb] = answer(standard(421), wire=b"421 raw\r\n")
    assert line.codes(LINES[verb]) == [421]
    assert line.state is (State.READY if verb == "BDAT" else state)


@pytest.mark.parametrize(("state", "verb"), IN_SEQUENCE, ids=named)
def test_silence_leaves_every_state_as_it_is(state: State, verb: str) -> None:
    line, answers = arrive(state)
    answers[verb] = None
    assert line.codes(LINES[verb]) == []
    assert line.state is state


@pytest.mark.parametrize("code", [200, 250, 299])
@pytest.mark.parametrize(("state", "verb"), sorted(LEADS, key=str), ids=named)
def test_any_2xx_accepts(state: State, verb: str, code: int) -> None:
    """A 2xx to DATA, BDAT, XCLIENT or AUTH leaves the client where it was, or is a login."""
    line, answers = arrive(state)
    answers[verb] = code
    assert line.codes(LINES[verb]) == [code]
    assert line.state is (state if verb in ("AUTH", "DATA", "BDAT", "XCLIENT") else LEADS[state, verb])


@pytest.mark.parametrize("code", [300, 334, 354])
@pytest.mark.parametrize(
    ("state", "verb", "leads"),
    [
        (State.RCPT, "DATA", State.CONTENT),
        (State.READY, "AUTH", State.SASL),
        (State.READY, "MAIL", State.READY),
        (State.MAIL, "RCPT", State.MAIL),
        (State.READY, "EHLO", State.READY),
        (State.START, "EHLO", State.START),
        (State.RCPT, "RSET", State.RCPT),
        (State.READY, "QUIT", State.READY),
    ],
    ids=named,
)
def test_3xx_asks_for_more_where_there_is_more_to_ask_for(state: State, verb: str, leads: State, code: int) -> None:
    line, answers = arrive(state)
    answers[verb] = code
    assert line.codes(LINES[verb]) == [code]
    assert line.state is leads


@pytest.mark.parametrize("digit", [0, 2, 3, 4, 5])
def test_digit_that_counts_outdoes_the_reply(digit: int) -> None:
    line, answers = arrive(State.READY)
    answers["MAIL"] = answer(standard(550))._replace(digit=digit)
    assert line.codes(LINES["MAIL"]) == [550]
    assert line.state is (State.MAIL if digit == 2 else State.READY)


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (220, State.START),
        (250, State.START),
        (300, State.START),
        (450, State.CLOSED),
        (421, State.CLOSED),
        (554, State.CLOSED),
        (None, State.START),
    ],
    ids=str,
)
def test_greeting_is_the_answer_to_connect(verdict: int | None, state: State) -> None:
    assert core(decide=instead({"connect": verdict})).state is state


@pytest.mark.parametrize(
    ("verdict", "state"), [(None, State.START), (220, State.START), (450, State.CLOSED), (554, State.CLOSED)], ids=str
)
def test_refused_handshake_closes(verdict: int | None, state: State) -> None:
    line = core(decide=instead({"secure": verdict}))
    line.hold("S: 220\nC: STARTTLS\nS: 220\nTLS")
    assert line.state is state


def test_handshake_that_is_refused_by_bytes_in_the_clear_goes_on() -> None:
    line = core(decide=instead({"secure": answer(standard(554), wire=b"554 raw\r\n")}))
    line.hold("S: 220\nC: STARTTLS\nS: 220\nTLS")
    assert line.state is State.START


@pytest.mark.parametrize(
    ("code", "state"),
    [(250, State.READY), (450, State.READY), (354, State.READY), (554, State.READY), (421, State.CLOSED)],
)
@pytest.mark.parametrize("content", ["DATA\r\nx\r\n.", "BDAT 3 LAST\r\nx"])
def test_transaction_is_over_after_the_content_whatever_is_answered(content: str, code: int, state: State) -> None:
    line, answers = arrive(State.RCPT)
    answers["content"] = code
    assert line.codes(content)[-1] == code
    assert line.state is state
    assert line.session.envelope is None
    (envelope,) = line.envelopes
    assert envelope.accepted == (code == 250)
    assert envelope.reply == code


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (250, State.BETWEEN_CHUNKS),
        (354, State.BETWEEN_CHUNKS),
        (None, State.BETWEEN_CHUNKS),
        (450, State.READY),
        (552, State.READY),
        (421, State.CLOSED),
    ],
    ids=str,
)
def test_refused_chunk_ends_the_transaction(verdict: int | None, state: State) -> None:
    """RFC 3030 section 2: after a failed BDAT the transaction is over."""
    line, answers = arrive(State.RCPT)
    answers["chunk"] = verdict
    assert line.codes("BDAT 2\r\n") == [verdict] * (verdict is not None)
    assert line.state is state
    assert [envelope.accepted for envelope in line.envelopes] == [False] * (state is not State.BETWEEN_CHUNKS)


@pytest.mark.parametrize(
    ("code", "state"),
    [(235, State.READY), (334, State.SASL), (454, State.READY), (535, State.READY), (421, State.CLOSED)],
)
def test_exchange_ends_with_a_verdict_and_goes_on_with_a_334(code: int, state: State) -> None:
    line, answers = arrive(State.READY)
    assert line.codes("AUTH LOGIN") == [334]
    answers["response"] = code
    assert line.codes("dGlt") == [code]
    assert line.state is state


def test_refused_greeting_that_does_not_close_leaves_only_quit() -> None:
    """RFC 5321 section 3.1: a 554 as the first message; "the server ... SHOULD respond to any commands other than QUIT
    with a 503".
    """
    line = core(decide=instead({"connect": answer(standard(554), wire=b"554 raw\r\n")}))
    assert line.codes("EHLO c", "NOOP", "MAIL FROM:<a@b>") == [554, 503, 503, 503]
    assert line.state is State.REFUSED
    assert line.codes("QUIT") == [221]
    assert line.ended


@pytest.mark.parametrize(
    ("state", "verb", "text"),
    [
        *((State.START, verb, "Send EHLO first") for verb in ("MAIL", "RCPT", "DATA", "BDAT", "AUTH")),
        (State.READY, "RCPT", "Need MAIL before RCPT"),
        *(
            (state, verb, "Need RCPT before the message")
            for state in (State.READY, State.MAIL)
            for verb in ("DATA", "BDAT")
        ),
        *((state, "MAIL", "Nested MAIL command") for state in (State.MAIL, State.RCPT, State.BETWEEN_CHUNKS)),
        (State.RCPT, "AUTH", "Bad sequence of commands"),
        (State.BETWEEN_CHUNKS, "DATA", "Bad sequence of commands"),
    ],
    ids=named,
)
def test_503_says_what_is_missing(state: State, verb: str, text: str) -> None:
    line, _ = arrive(state)
    reply = line.say(LINES[verb])
    assert (reply.code, reply.enhanced, reply.text) == (503, "5.5.1", text)


def test_every_state_is_in_the_table_and_each_digit_is_one() -> None:
    assert set(SEQUENCE) == set(State)
    assert {State.REFUSED, *PLACES} == EXPECTS_COMMAND
    assert {State.MAIL, State.RCPT, State.CONTENT, State.CHUNK, State.BETWEEN_CHUNKS} == IN_TRANSACTION
    for row in SEQUENCE.values():
        for targets in row.values():
            assert set(targets) <= set(range(6))
