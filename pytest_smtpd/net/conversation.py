"""The conversation with one client: five flat calls from one loop (``_converse``)."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from pytest_smtpd.net.hands import Hands
from pytest_smtpd.net.tls import TLS
from pytest_smtpd.net.wire import Wire
from pytest_smtpd.smtp import events
from pytest_smtpd.smtp.connection import Connection
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.states import State
from pytest_smtpd.steps import Answer, Close, Fin, Reset, Send, Stall, Wait

_TURNS: Final = 32  # events in a row that one connection may have


class Conversation:
    """Hears what the client does, asks for the verdict, and carries it out."""

    def __init__(self, wire: Wire, smtp: Connection, hands: Hands, *, overloaded: bool) -> None:
        self._wire = wire
        self._smtp = smtp
        self._hands = hands
        self._overloaded = overloaded

    async def run(self) -> None:
        """From the greeting to the ``close`` hook."""
        try:
            await self._converse()
        except asyncio.CancelledError:
            pass  # the client has left, or the server leaves
        except Exception as error:
            error.add_note("this is a mistake of pytest-smtpd, not of the test: please report it, with the transcript")
            self._hands.crashed(error)
        self._wire.hang_up()
        with contextlib.suppress(asyncio.CancelledError):  # a stop does not wait for a hook for ever
            await self._hands.close()

    async def _converse(self) -> None:
        wire, smtp, hands = self._wire, self._smtp, self._hands
        turns = 0
        while not wire.leaving and (event := await self._next_event()) is not None:
            if isinstance(event, events.Response):
                hands.note("***", "C")
            answer = await hands.respond(event)
            if answer is not None:
                data = self._send(event, answer)
                if data.startswith(b"334 ") and (answer.rule is None or answer.replies[0].digit != 3):
                    hands.note("334 ***", "S")  # a challenge, or an explanation before the reply
                if smtp.envelope is not None:
                    hands.record(smtp.envelope)
                    smtp.envelope = None
                hands.sent()
                if not await self._perform(answer, data):
                    return
            turns += 1
            if turns % _TURNS == 0:  # others want to be served too
                await asyncio.sleep(0)

    def _send(self, event: Event, answer: Answer) -> bytes:
        at = self._hands.now()
        if isinstance(event, events.Passing):
            return self._smtp.interject(
                *answer.replies, keep=answer.keep, again=answer.again, closes=answer.closes, at=at
            )
        return self._smtp.send(
            *answer.replies,
            detail=answer.detail,
            accepted=answer.accepted,
            closes=answer.closes,
            later=answer.later,
            at=at,
            each=answer.each,
        )

    async def _next_event(self) -> Event | None:
        """What the client did; None when there is nobody left to answer."""
        smtp = self._smtp
        if smtp.state is State.HANDSHAKE and not await self._handshake():
            return None
        if self._overloaded and smtp.state is State.CONNECTED:
            return smtp.overloaded()
        while (event := smtp.next_event()) is None:
            if smtp.state is State.HANDSHAKE:  # the PROXY header is read
                return await self._next_event()
            if not await self._wire.more_input():
                return None if self._wire.eof or smtp.state is State.PROXY else smtp.timed_out()
        if isinstance(event, events.BadProxyHeader):
            self._hands.note(f"closed: {event.reason}")
            return None
        return event

    # --- TLS --------------------------------------------------------------------------------------------------------

    async def _handshake(self) -> bool:
        """Whether the session is secure now. What came behind the 220, or a PROXY header, belongs to the handshake."""
        wire = self._wire
        tls = wire.tls = TLS(self._hands.context)
        struck: set[int] = set()
        if not await self._watch(tls, struck):
            return False
        tls.feed(self._smtp.release())
        while True:
            if tls.received and not await self._watch(tls, struck):
                return False
            try:
                done = tls.handshake()
            except ssl.SSLError as error:
                wire.tls_failed("TLS handshake", error)
                wire.outlet.put(tls.output())
                wire.finish()
                return False
            wire.outlet.put(tls.output())
            if done:
                break
            if not await wire.more_input():
                self._hands.note("TLS handshake not completed")
                return False
        self._smtp.secured(tls.info)
        wire.decrypt(tls)
        return True

    async def _watch(self, tls: TLS, struck: set[int]) -> bool:
        """Let rules strike in the middle of a handshake; whether it may go on."""
        implicit = self._smtp.options.tls == "implicit"
        event = events.Handshaking(implicit=implicit, received=tls.received, tls=tls.info, struck=struck)
        while (answer := await self._hands.respond(event)) is not None:
            self._smtp.told(*answer.replies)
            if answer.dress is not None and not await self._perform(answer, b""):
                return False
        return True

    # --- steps ------------------------------------------------------------------------------------------------------

    async def _perform(self, answer: Answer, data: bytes) -> bool:
        """Do what the answer says; whether the conversation goes on."""
        if answer.dress is None:
            self._wire.write(data)
        else:
            for step in answer.dress(data):
                if not await _STEPS[type(step)](self, step):
                    return False
        if self._wire.outlet.unsent:
            await self._wire.outlet.flush()
        if self._smtp.state is State.CLOSED:
            return await self._close(None)
        return True

    async def _send_step(self, step: Send) -> bool:
        self._wire.write(step.data)
        return True

    async def _wait(self, step: Wait) -> bool:
        await asyncio.sleep(step.seconds)
        return not self._wire.leaving

    async def _stall(self, step: Stall) -> bool:
        self._wire.deaf = True
        if not step.reading:
            self._wire.stop_reading()
        if self._wire.eof:
            return False
        await asyncio.get_running_loop().create_future()
        return False

    async def _close(self, step: Any) -> bool:
        self._wire.close_notify()
        return await self._fin(step)

    async def _fin(self, step: Any) -> bool:
        await self._wire.outlet.flush()
        self._wire.finish()
        return False

    async def _reset(self, step: Reset) -> bool:
        await self._wire.outlet.flush()
        self._wire.reset()
        return False


_STEPS: Final[Mapping[type, Callable[[Conversation, Any], Coroutine[Any, Any, bool]]]] = {
    Send: Conversation._send_step,
    Wait: Conversation._wait,
    Stall: Conversation._stall,
    Close: Conversation._close,
    Fin: Conversation._fin,
    Reset: Conversation._reset,
}
