"""Holds a dialogue over any line, and over a socket compares the wire with the log."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatchmethod
from typing import TYPE_CHECKING

from tests.rfc.dialogue import Closed, Dialogue, Expect, Handshake, Hides, Mail, Offers, Send
from tests.rfc.wire import Line, WireReply, connect

if TYPE_CHECKING:
    from pytest_smtpd import Call, Envelope, SMTPServer

SILENT_HOOKS = ("connect", "command", "close")
INTERMEDIATE = 3
UNCOUNTED = (334, 421)  # a challenge is not the answer to AUTH; a 421 after silence answers nothing


class Conversation:
    """One run of a script: walks the steps over a line and keeps the replies."""

    def __init__(self, dialogue: Dialogue, line: Line, handshake: Callable[[], None]) -> None:
        self.dialogue, self.line, self.handshake = dialogue, line, handshake
        self.replies: list[WireReply] = []

    def run(self) -> None:
        if self.dialogue.settings.get("tls") == "implicit":
            self.handshake()
        for step in self.dialogue.steps:
            self.take(step)

    @singledispatchmethod
    def take(self, step: object) -> None:
        raise TypeError(step)

    @take.register
    def _(self, step: Send) -> None:
        self.line.send(step.data)

    @take.register
    def _(self, step: Expect) -> None:
        reply = self.line.reply()
        self.replies.append(reply)
        assert reply.code in step.codes, f"{reply} instead of {step.codes}"
        assert step.enhanced in (None, reply.enhanced), f"{reply} instead of {step.enhanced}"
        assert step.text in (None, reply.text), f"{reply.text!r} instead of {step.text!r}"
        if not self.dialogue.on:
            assert_enhanced(reply, self.hostname)

    @take.register
    def _(self, step: Offers) -> None:
        assert step.line in self.replies[-1].lines, f"no {step.line!r} in {self.replies[-1].lines}"

    @take.register
    def _(self, step: Hides) -> None:
        assert step.keyword not in self.replies[-1].keywords

    @take.register
    def _(self, step: Handshake) -> None:
        self.handshake()

    @take.register
    def _(self, step: Closed) -> None:
        assert self.line.rest() == b""

    @property
    def codes(self) -> list[int]:
        return [reply.code for reply in self.replies]

    @property
    def hostname(self) -> str:
        return str(self.dialogue.settings.get("hostname", "localhost"))


def assert_enhanced(reply: WireReply, hostname: str) -> None:
    """RFC 2034 section 4: a code in every line of every 2xx, 4xx and 5xx reply but the answers to connect and EHLO."""
    greets = reply.code in (220, 250) and reply.lines[0].split(" ")[0] == hostname
    if greets or reply.code // 100 == INTERMEDIATE:
        return
    assert reply.enhanced, f"no enhanced code in {reply}"
    assert all(line.startswith(reply.enhanced) for line in reply.lines), f"not in every line: {reply}"


def over_a_socket(server: SMTPServer, dialogue: Dialogue) -> None:
    with connect(server, greet=False) as wire:
        conversation = Conversation(dialogue, wire, lambda: wire.secure(server.client_context, server.host))
        conversation.run()
    server.wait_closed()
    calls = list(server.log)
    assert_orderly(calls)
    if not dialogue.on and not dialogue.settings.get("lmtp"):
        assert replies_on_the_wire(calls) == [code for code in conversation.codes if code not in UNCOUNTED]
    assert_logged(dialogue, passed(calls), [kept(mail) for mail in server.envelopes])


def assert_logged(dialogue: Dialogue, hooks: str, mails: list[Mail]) -> None:
    """The dialogue's expectation on the log."""
    assert dialogue.hooks in (None, hooks)
    if dialogue.mails is not None:
        assert [mail.like(other) for mail, other in zip(mails, dialogue.mails, strict=False)] == list(dialogue.mails)
        assert len(mails) == len(dialogue.mails)


def kept(envelope: Envelope) -> Mail:
    return Mail(str(envelope.mail_from), tuple(map(str, envelope.rcpt_to)), envelope.content)


def assert_orderly(calls: list[Call]) -> None:
    """One ``close``, the last call; numbers without a gap; nothing left undecided."""
    assert [call.number for call in calls] == list(range(1, len(calls) + 1))
    assert [call.hook for call in calls].count("close") == 1
    assert calls[-1].hook == "close"
    assert "pending" not in {call.outcome for call in calls}


def replies_on_the_wire(calls: list[Call]) -> list[int]:
    """The codes the client must have seen, as the log tells it: MAIL, RCPT, AUTH ... are answered once, DATA twice."""
    codes: list[int] = []
    intermediate = False
    for call in calls:
        answers = (
            call.hook == "command" or (call.hook == "connect" and not codes) or (call.hook == "data" and intermediate)
        )
        if answers and call.code not in (None, *UNCOUNTED):
            codes.append(call.code)
        if call.hook in ("command", "data"):
            intermediate = call.hook == "command" and call.code is not None and call.code // 100 == INTERMEDIATE
    return codes


def passed(calls: list[Call]) -> str:
    marks = {"accepted": "", "refused": "!"}
    return " ".join(
        call.hook + marks.get(call.outcome, f"={call.outcome}") for call in calls if call.hook not in SILENT_HOOKS
    )
