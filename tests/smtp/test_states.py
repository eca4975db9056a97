"""What may follow what: RFC 5321 sections 3.3 and 4.1.4, 3207, 4954, 3030, held against every pair of state and verb.

The expectations are written here anew, in the words of the RFCs; the table of the server is not asked.
"""

from __future__ import annotations

import pytest

from pytest_smtpd.smtp.states import EXPECTS_COMMAND, IN_TRANSACTION, SEQUENCE, State
from tests.smtp.helpers import HELLO, MAIL, RCPT, Line, reply

LINES = {
    "EHLO": HELLO,
    "HELO": b"HELO client.example\r\n",
    "MAIL": MAIL,
    "RCPT": RCPT,
    "DATA": b"DATA\r\n",
    "BDAT": b"BDAT 0\r\n",
    "RSET": b"RSET\r\n",
    "NOOP": b"NOOP\r\n",
    "VRFY": b"VRFY x\r\n",
    "HELP": b"HELP\r\n",
    "STARTTLS": b"STARTTLS\r\n",
    "AUTH": b"AUTH LOGIN\r\n",
    "XCLIENT": b"XCLIENT NAME=x\r\n",
    "XFORWARD": b"XFORWARD NAME=x\r\n",
    "QUIT": b"QUIT\r\n",
}
# How to get there, and what may come then.
ALWAYS = {"EHLO", "HELO", "NOOP", "VRFY", "HELP", "RSET", "QUIT"}
PLACES: dict[State, tuple[bytes, set[str]]] = {
    State.START: (b"", ALWAYS | {"STARTTLS", "XCLIENT", "XFORWARD"}),
    State.READY: (HELLO, ALWAYS | {"STARTTLS", "XCLIENT", "XFORWARD", "AUTH", "MAIL"}),
    State.MAIL: (HELLO + MAIL, ALWAYS | {"RCPT"}),
    State.RCPT: (HELLO + MAIL + RCPT, ALWAYS | {"RCPT", "DATA", "BDAT"}),
    State.BETWEEN_CHUNKS: (HELLO + MAIL + RCPT + b"BDAT 0\r\n", ALWAYS | {"BDAT"}),
}
# Where the usual answer leads. What is missing here stays where it is.
LEADS: dict[tuple[State, str], State] = {
    **{(state, verb): State.READY for state in PLACES for verb in ("EHLO", "HELO")},
    **{(state, "QUIT"): State.CLOSED for state in PLACES},
    **{(state, "RSET"): State.READY for state in PLACES if state is not State.START},
    **{(state, "STARTTLS"): State.START for state in (State.START, State.READY)},
    **{(state, "XCLIENT"): State.START for state in (State.START, State.READY)},
    (State.READY, "AUTH"): State.SASL,
    (State.READY, "MAIL"): State.MAIL,
    (State.MAIL, "RCPT"): State.RCPT,
    (State.RCPT, "DATA"): State.CONTENT,
    (State.RCPT, "BDAT"): State.BETWEEN_CHUNKS,
}
PAIRS = [(state, verb) for state in PLACES for verb in LINES]


def arrive(state: State) -> Line:
    line = Line(xclient=True, xforward=True)
    line.say(PLACES[state][0])
    assert line.state is state
    return line


def named(value: object) -> str | None:
    return value.name if isinstance(value, State) else None


@pytest.mark.parametrize(("state", "verb"), PAIRS, ids=named)
def test_each_pair_of_state_and_verb_is_in_sequence_or_a_503_that_changes_nothing(state: State, verb: str) -> None:
    line = arrive(state)
    before = line.session.envelope
    codes = line.say(LINES[verb])
    if verb in PLACES[state][1]:
        assert 503 not in codes
        assert line.state is LEADS.get((state, verb), state)
    else:
        assert codes == [503]
        assert line.state is state
        after = line.session.envelope
        assert (before and (before.mail_from, before.rcpt_to)) == (after and (after.mail_from, after.rcpt_to))


@pytest.mark.parametrize("code", [400, 450, 499, 500, 550, 599])
@pytest.mark.parametrize(("state", "verb"), PAIRS, ids=named)
def test_a_refusal_leaves_every_state_as_it_is(state: State, verb: str, code: int) -> None:
    line = arrive(state)
    line.answers[verb] = code
    codes = line.say(LINES[verb])
    assert codes[:1] in ([code], [503])
    # RFC 3030 section 2: what follows a failed chunk belongs to no message.
    assert line.state is (State.READY if verb == "BDAT" and codes == [code] else state)


@pytest.mark.parametrize(("state", "verb"), PAIRS, ids=named)
def test_a_421_closes_every_state(state: State, verb: str) -> None:
    """RFC 5321 section 3.8: "the server ... closing the transmission channel"."""
    if verb not in PLACES[state][1]:
        return
    line = arrive(state)
    line.answers[verb] = 421
    assert line.say(LINES[verb], b"NOOP\r\n") == [421]
    assert line.state is State.CLOSED


@pytest.mark.parametrize(("state", "verb"), PAIRS, ids=named)
def test_no_answer_leaves_every_state_as_it_is(state: State, verb: str) -> None:
    if verb not in PLACES[state][1] or verb in ("BDAT", "XCLIENT"):
        return
    line = arrive(state)
    line.answers[verb] = None
    assert line.say(LINES[verb]) == []
    assert line.state is state


@pytest.mark.parametrize("code", [200, 250, 299])
@pytest.mark.parametrize(("state", "verb"), sorted(LEADS, key=str), ids=named)
def test_any_2xx_accepts(state: State, verb: str, code: int) -> None:
    """A 2xx to DATA, BDAT, XCLIENT or AUTH leaves the client where it was, or is a login."""
    line = arrive(state)
    line.answers[verb] = code
    assert line.say(LINES[verb])[:1] == [code]
    expected = {"AUTH": State.READY, "DATA": state, "BDAT": state, "XCLIENT": state}.get(verb, LEADS[state, verb])
    assert line.state is expected


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
def test_a_3xx_asks_for_more_where_there_is_more_to_ask_for(state: State, verb: str, leads: State, code: int) -> None:
    line = arrive(state)
    line.answers[verb] = code
    assert line.say(LINES[verb])[:1] == [code]
    assert line.state is leads


@pytest.mark.parametrize(
    ("answer", "state"),
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
def test_the_greeting_is_the_answer_to_connect(answer: int | None, state: State) -> None:
    line = Line(greet=False)
    line.answers["connect"] = answer
    line.say(b"")
    assert line.state is state


@pytest.mark.parametrize(
    ("code", "state"),
    [(250, State.READY), (450, State.READY), (354, State.READY), (554, State.READY), (421, State.CLOSED)],
)
@pytest.mark.parametrize("content", [b"DATA\r\nx\r\n.\r\n", b"BDAT 1 LAST\r\nx"])
def test_whatever_is_said_of_the_content_the_transaction_is_over(content: bytes, code: int, state: State) -> None:
    line = arrive(State.RCPT)
    line.answers["content"] = code
    assert line.say(content)[-1] == code
    assert line.state is state
    assert line.session.envelope is None
    (envelope,) = line.envelopes
    assert envelope.accepted == (code == 250)
    assert envelope.reply == code
    assert envelope.at == 1.5


@pytest.mark.parametrize(
    ("code", "state"), [(250, State.BETWEEN_CHUNKS), (450, State.READY), (552, State.READY), (421, State.CLOSED)]
)
def test_a_refused_chunk_ends_the_transaction(code: int, state: State) -> None:
    """RFC 3030 section 2: after a failed BDAT the transaction is over."""
    line = arrive(State.RCPT)
    line.answers["chunk"] = code
    assert line.say(b"BDAT 1\r\nx") == [code]
    assert line.state is state
    assert [envelope.accepted for envelope in line.envelopes] == ([] if code == 250 else [False])


@pytest.mark.parametrize(
    ("code", "state"),
    [(235, State.READY), (334, State.SASL), (454, State.READY), (535, State.READY), (421, State.CLOSED)],
)
def test_an_exchange_ends_with_a_verdict_and_goes_on_with_a_334(code: int, state: State) -> None:
    line = arrive(State.READY)
    assert line.say(b"AUTH LOGIN\r\n") == [334]
    line.answers["response"] = code
    assert line.say(b"dGlt\r\n") == [code]
    assert line.state is state


def test_a_refused_greeting_that_does_not_close_leaves_only_quit() -> None:
    """RFC 5321 section 3.1: a 554 as the first message; "the server ... SHOULD respond to any commands other than QUIT
    with a 503".
    """
    line = Line(greet=False)
    line.smtp.next_event()
    line.smtp.send(reply(554), closes=False)
    for command in (HELLO, b"NOOP\r\n", MAIL):
        assert line.say(command) == [503]
        assert line.state.name == "REFUSED"
    assert line.say(b"QUIT\r\n") == [221]
    assert line.state.name == "CLOSED"


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
def test_a_503_says_what_is_missing(state: State, verb: str, text: str) -> None:
    line = arrive(state)
    line.say(LINES[verb])
    assert line.said == f"503 5.5.1 {text}\r\n".encode()


def test_nothing_follows_a_closed_connection() -> None:
    line = arrive(State.READY)
    assert line.say(b"QUIT\r\n", HELLO, b"NOOP\r\n") == [221]
    assert line.smtp.next_event() is None


def test_every_state_is_in_the_table_and_can_be_left() -> None:
    assert set(SEQUENCE) == set(State)
    assert {State.REFUSED, *PLACES} == EXPECTS_COMMAND
    assert {State.MAIL, State.RCPT, State.CONTENT, State.CHUNK, State.BETWEEN_CHUNKS} == IN_TRANSACTION
    for row in SEQUENCE.values():
        for targets in row.values():
            assert set(targets) <= set(range(6))
