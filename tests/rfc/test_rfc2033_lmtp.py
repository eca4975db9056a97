"""RFC 2033: LMTP - LHLO, and one reply for every accepted recipient after the data."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.rfc.dialogue import CONTENT, MESSAGE, Dialogue, Mail, dialogues
from tests.rfc.wire import Connect, Serve

if TYPE_CHECKING:
    from pytest_smtpd import Session, Stream
    from tests.rfc.wire import Wire

LMTP = {"lmtp": True}
LHLO = "C: LHLO client.example\nS: 250\n"
MAIL = f"{LHLO}C: MAIL FROM:<ann@client.example>\nS: 250 2.1.0\n"
BOB = "C: RCPT TO:<bob@server.example>\nS: 250 2.1.5\n"
CAROL = "C: RCPT TO:<carol@server.example>\nS: 250 2.1.5\n"
PER_RECIPIENT = (
    "the server returns one reply for each previously successful RCPT command in the mail transaction, in the order"
)
NO_HELO = "The HELO and EHLO commands are replaced by the LHLO command. This permits a misconfiguration to be detected"


def sent(*rcpt_to: str, content: bytes = CONTENT) -> tuple[Mail, ...]:
    return (Mail("ann@client.example", rcpt_to, content),)


DIALOGUES = (
    Dialogue(
        "LHLO_lists_extensions",
        "4.1",
        "The LHLO command has identical semantics to the EHLO command",
        f"{LHLO}E: PIPELINING\nE: ENHANCEDSTATUSCODES\nE: 8BITMIME",
        settings=LMTP,
    ),
    Dialogue(
        "EHLO_is_refused",
        "4.1",
        NO_HELO,
        "C: EHLO client.example\nS: 500/502/503\nC: MAIL FROM:<>\nS: 503",
        settings=LMTP,
    ),
    Dialogue(
        "HELO_is_refused",
        "4.1",
        NO_HELO,
        "C: HELO client.example\nS: 500/502/503\nC: MAIL FROM:<>\nS: 503",
        settings=LMTP,
    ),
    Dialogue(
        "two_recipients_two_replies",
        "4.2",
        PER_RECIPIENT,
        f"{BOB}{CAROL}C: DATA\nS: 354\n{MESSAGE}S: 250\nC: NOOP\nS: 250",
        after=MAIL,
        settings=LMTP,
        hooks="mail_from rcpt_to rcpt_to data",
        mails=sent("bob@server.example", "carol@server.example"),
    ),
    Dialogue(
        "a_recipient_given_twice_is_answered_twice",
        "4.2",
        "Even if there were multiple successful RCPT commands giving the same forward-path, there must "
        "be one reply for each",
        f"{BOB}{BOB}C: DATA\nS: 354\n{MESSAGE}S: 250\nC: NOOP\nS: 250",
        after=MAIL,
        settings=LMTP,
        mails=sent("bob@server.example", "bob@server.example"),
    ),
    Dialogue(
        "refused_recipients_are_not_answered_again",
        "4.2",
        PER_RECIPIENT,
        f"C: RCPT TO:<@broken>\nS: 501/553\n{CAROL}C: DATA\nS: 354\n{MESSAGE}C: NOOP\nS: 250",
        after=MAIL,
        settings=LMTP,
        mails=sent("carol@server.example"),
    ),
    Dialogue(
        "DATA_without_a_recipient",
        "4.2",
        "when there have been no successful RCPT commands in the mail transaction, the DATA command "
        "MUST fail with a 503",
        "C: DATA\nS: 503\nC: RCPT TO:<@broken>\nS: 501/553\nC: DATA\nS: 503",
        after=MAIL,
        settings=LMTP,
        mails=(),
    ),
    Dialogue(
        "last_chunk_is_answered_for_every_recipient",
        "4.2",
        "a BDAT command containing the LAST parameter returns one reply for each previously successful RCPT command",
        f"{BOB}{CAROL}C: BDAT 17\nC> Subject: x\\r\\n\\r\\ny\\r\\n\nS: 250\nC: BDAT 0 LAST\nS: 250\nS: 250\n"
        "C: NOOP\nS: 250",
        after=MAIL,
        settings=LMTP,
        mails=sent("bob@server.example", "carol@server.example"),
    ),
    Dialogue(
        "too_large_for_every_recipient",
        "RFC 1870 section 6.3",
        "552 message size exceeds fixed maximum message size (here once for every recipient)",
        f"{BOB}{CAROL}C: DATA\nS: 354\nC: 12345678901\nC: .\nS: 552 5.3.4\nS: 552 5.3.4\nC: NOOP\nS: 250",
        after=MAIL,
        settings={**LMTP, "size": 10},
        mails=(),
    ),
    Dialogue(
        "LHLO_under_tls",
        "5",
        "The LHLO command has identical semantics to the EHLO command",
        f"{LHLO}E: STARTTLS\nC: STARTTLS\nS: 220\nTLS\nC: MAIL FROM:<>\nS: 503\n{MAIL}{BOB}C: DATA\nS: 354\n{MESSAGE}",
        settings=LMTP,
        mails=sent("bob@server.example"),
    ),
    Dialogue(
        "LHLO_is_no_smtp_command",
        "4.1",
        "This permits a misconfiguration where both parties are not using the same protocol to be detected",
        "C: LHLO client.example\nS: 500/502",
    ),
)


@dialogues(DIALOGUES)
def test_lmtp(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


RECIPIENTS = ("a@x.example", "b@x.example", "c@x.example")


def deliver(wire: Wire) -> list[tuple[int, str]]:
    """One message to three recipients; the replies after the data."""
    wire.steps("LHLO c", "MAIL FROM:<s@x.example>", *(f"RCPT TO:<{each}>" for each in RECIPIENTS), "DATA")
    wire.send(b"x\r\n.\r\n")
    replies = [wire.reply() for _ in RECIPIENTS]
    assert wire.say("NOOP").code == 250
    return [(reply.code, reply.text) for reply in replies]


def results() -> dict[str, tuple[Callable[[], Any], list[tuple[int, str | None]]]]:
    """What a ``data`` hook returns -> the replies of the three recipients."""
    from pytest_smtpd import Reject

    full = "4.2.2 Mailbox full"
    return {
        "nothing": (lambda: None, [(250, None)] * 3),
        "one text": (lambda: "2.6.0 Thanks", [(250, "Thanks")] * 3),
        "list": (lambda: ["2.6.0 A", Reject(452, full), "2.6.0 C"], [(250, "A"), (452, "Mailbox full"), (250, "C")]),
        "list of refusals": (
            lambda: [Reject(), Reject(452, full), Reject(550)],
            [(554, None), (452, None), (550, None)],
        ),
        "dict": (lambda: {"b@x.example": Reject(452, full)}, [(250, None), (452, "Mailbox full"), (250, None)]),
        "dict of all": (lambda: dict.fromkeys(RECIPIENTS, "2.6.0 ok"), [(250, "ok")] * 3),
    }


@pytest.mark.parametrize("kind", ["nothing", "one text", "list", "list of refusals", "dict", "dict of all"])
@pytest.mark.parametrize("style", ["def", "async"])
def test_hook_answers_each_recipient(serve: Serve, client: Connect, kind: str, style: str) -> None:
    """Section 4.2: the replies are in the order of the RCPT commands."""
    server = serve(lmtp=True)
    produce, expected = results()[kind]
    if style == "def":

        @server.on("data")
        def hook(stream: Stream, session: Session) -> Any:
            stream.read()
            return produce()

    else:

        @server.on("data")
        async def hook_async(stream: Stream, session: Session) -> Any:
            await asyncio.sleep(0)
            await stream.aread()
            return produce()

    replies = deliver(client(server))
    assert [code for code, _ in replies] == [code for code, _ in expected]
    assert all(text is None or text == got for (_, text), (_, got) in zip(expected, replies, strict=True))
    codes = [code for code, _ in expected]
    (envelope,) = server.log.envelopes()
    assert envelope.accepted == (250 in codes)
    kept = [each for each, code in zip(RECIPIENTS, codes, strict=True) if code == 250]
    refused = {each: code for each, code in zip(RECIPIENTS, codes, strict=True) if code != 250}
    assert envelope.refused == refused
    if kept:
        assert list(envelope.rcpt_to) == kept
        assert envelope.reply == 250


def test_reject_refuses_every_recipient(serve: Serve, client: Connect) -> None:
    """``554 5.6.0`` "(LMTP: for every recipient)"."""
    from pytest_smtpd import Reject

    server = serve(lmtp=True)

    @server.on("data")
    def hook(stream: Stream, session: Session) -> None:
        raise Reject

    assert [code for code, _ in deliver(client(server))] == [554] * 3
    assert not server.envelopes


@pytest.mark.parametrize("length", [0, 2, 4])
def test_list_of_the_wrong_length_still_answers_every_recipient(length: int) -> None:
    """It is a bug in the test, reported as one; the client is not left waiting and not told too much."""
    from pytest_smtpd import SMTPServer
    from tests.rfc.wire import connect

    codes = []
    with pytest.raises(Exception) as caught, SMTPServer(lmtp=True) as server:  # noqa: PT012

        @server.on("data")
        def hook(stream: Stream, session: Session) -> list[str]:
            return ["2.6.0 ok"] * length

        with connect(server) as wire:
            codes = [code for code, _ in deliver(wire)]
    assert codes == [451] * 3
    assert not isinstance(caught.value, AssertionError)


def test_rules_stand_in_place_of_one_recipients_reply(serve: Serve, client: Connect) -> None:
    """A ``data`` rule with ``to`` selects that recipient's reply; one with ``reply`` alone answers for each."""
    from pytest_smtpd import on

    server = serve(lmtp=True, on=[on("data", to="b@*", reply="452 4.2.2 full", times=1)])
    wire = client(server)
    assert [code for code, _ in deliver(wire)] == [250, 452, 250]
    server.on("data", reply="550 5.7.1 none of you")
    assert [code for code, _ in deliver(wire)] == [550, 550, 550]
    assert [list(envelope.rcpt_to) for envelope in server.envelopes] == [["a@x.example", "c@x.example"]]
