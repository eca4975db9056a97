"""A client without a network: its bytes go to a real connection, whose events are answered by hand and by rules."""

from __future__ import annotations

import asyncio
import re
import selectors
from base64 import b64encode
from collections.abc import Callable, Coroutine
from typing import Any, Self

from pytest_smtpd.calls import Call
from pytest_smtpd.clock import Clock
from pytest_smtpd.policy.book import RuleBook
from pytest_smtpd.policy.responder import Responder
from pytest_smtpd.policy.workers import Workers
from pytest_smtpd.record.journal import Journal
from pytest_smtpd.rules import Rule
from pytest_smtpd.settings import make_settings
from pytest_smtpd.smtp import events
from pytest_smtpd.smtp.connection import Connection
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.session import Session, TLSInfo
from pytest_smtpd.smtp.states import State
from pytest_smtpd.steps import Answer, Close, Fin, Reset, Send, Stall, Step

HELLO = "EHLO client.example"
MAIL = "MAIL FROM:<app@example.com>"
RCPT = "RCPT TO:<ada@example.com>"
BOB = "RCPT TO:<bob@example.com>"
DATA = "DATA"
BODY = "Subject: Hi\r\n\r\nHello\r\n."
FIRST = "BDAT 7\r\nhello"  # the line's end belongs to the chunk
LAST = "BDAT 7 LAST\r\nhello"
PLAIN = f"AUTH PLAIN {b64encode(b'%cada%cpw' % (0, 0)).decode()}"
TOKEN = f"AUTH XOAUTH2 {b64encode(b'user=ada%cauth=Bearer x%c%c' % (1, 1, 1)).decode()}"
WAY = ("", HELLO, MAIL, RCPT, DATA, BODY)

WHERE: dict[str, list[str]] = {
    "connect": [""],
    "command": ["", "NOOP"],
    "auth": ["", HELLO, PLAIN],
    "mail_from": ["", HELLO, MAIL],
    "rcpt_to": ["", HELLO, MAIL, RCPT],
    "data": ["", HELLO, MAIL, RCPT, DATA, BODY],
}

Connect = Callable[..., "Client"]


class Hasty(selectors.SelectSelector):
    """Where nothing is left to do but to wait, the time is up at once."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout and 0)
        self.passed += timeout or 0.0 if not ready else 0.0
        return ready


class HastyLoop(asyncio.SelectorEventLoop):
    """A loop with a time of its own."""

    def __init__(self) -> None:
        self.hasty = Hasty()
        super().__init__(self.hasty)

    def time(self) -> float:
        return self.hasty.passed


class LoopClock(Clock):
    """The loop's time."""

    def __init__(self, loop: HastyLoop) -> None:
        super().__init__()
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()


class Client:
    """One connection: what the client says goes in, what the policy makes of it is carried out."""

    def __init__(self, *rules: Rule, **settings: Any) -> None:
        options = make_settings(settings)
        self.loop = HastyLoop()
        self.session = Session(id="1", server=options.name, lmtp=options.lmtp)
        self.journal = Journal(LoopClock(self.loop))
        self.journal.connected(self.session)
        self.book = RuleBook(rules)
        self.workers = Workers(self.loop, "test")
        self.responder = Responder(options, self.session, self.book, self.journal, self.workers)
        self.smtp = Connection(options, self.session)
        self.envelopes: list[Envelope] = []
        self.steps: list[Step] = []
        self.told = b""
        self.ended = False
        self._task: asyncio.Task[None] | None = None

    # --- what it does ------

    def before(self, line: str) -> Self:
        """Everything that comes before this line in the usual session."""
        for step in WAY[: WAY.index(line)]:
            self.says(step)
        return self

    def says(self, *lines: str) -> list[int]:
        """The codes of what it is told; an empty line is just the connection."""
        return [code for line in lines for code in self.sends(f"{line}\r\n".encode() if line else b"")]

    def sends(self, data: bytes) -> list[int]:
        heard = len(self.told)
        self.run(self._converse(data))
        return self.codes(heard)

    def codes(self, heard: int = 0) -> list[int]:
        return [int(code) for code in re.findall(rb"(?m)^(\d\d\d)(?:[ ]|\r)", self.told[heard:])]

    def begins(self, *lines: str) -> None:
        """It says something that will take a while."""
        data = "".join(f"{line}\r\n" if line else "" for line in lines).encode()
        self._task = self.loop.create_task(self._converse(data))

    def finishes(self) -> None:
        assert self._task is not None
        self.run(asyncio.wait_for(self._task, None))

    def leaves(self) -> None:
        """The connection is gone: what is under way is cancelled, then the responder closes."""
        self.run(self.leave())

    async def leave(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.responder.close()

    def responds(self, event: Event) -> Answer | None:
        answer: Answer | None = self.run(self.responder.respond(event))
        return answer

    # --- what it leaves behind ------

    @property
    def calls(self) -> list[Call]:
        return self.journal.calls

    def last(self, hook: str) -> Call:
        return [call for call in self.calls if call.hook == hook or point(call) == hook][-1]

    @property
    def points(self) -> str:
        return " ".join(map(point, self.calls))

    @property
    def errors(self) -> list[tuple[str, BaseException]]:
        return [(point(call), call.error) for call in self.calls if call.error is not None]

    # --- how ------

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(main)

    async def _converse(self, data: bytes) -> None:
        self.smtp.receive_data(data)
        while not self.ended and (event := self._next_event()) is not None:
            answer = await self.responder.respond(event)
            if answer is not None:
                self._carry_out(event, answer)

    def _next_event(self) -> Event | None:
        if self.smtp.state is State.HANDSHAKE:
            self.smtp.secured(TLSInfo(version="TLSv1.3"))
        return self.smtp.next_event()

    def _carry_out(self, event: Event, answer: Answer) -> None:
        if isinstance(event, events.Passing):
            words = self.smtp.interject(*answer.replies, keep=answer.keep, again=answer.again, closes=answer.closes)
        else:
            words = self.smtp.send(
                *answer.replies,
                detail=answer.detail,
                accepted=answer.accepted,
                closes=answer.closes,
                later=answer.later,
                each=answer.each,
            )
        if self.smtp.envelope is not None:
            self.envelopes.append(self.smtp.envelope)
            self.smtp.envelope = None
        steps = [Send(words)] if answer.dress is None else list(answer.dress(words))
        self.steps += steps
        self.told += b"".join(step.data for step in steps if isinstance(step, Send))
        self.ended = any(isinstance(step, Fin | Reset | Stall | Close) for step in steps)

    def end(self) -> None:
        for task in (tasks := asyncio.all_tasks(self.loop)):
            task.cancel()
        if tasks:
            self.run(asyncio.wait(tasks))
        threads, _ = self.workers.dismiss()
        for thread in threads:
            thread.join(5)
        self.loop.close()


def point(call: Call) -> str:
    return call.argument.verb if call.hook == "command" else call.hook
