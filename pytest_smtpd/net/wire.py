"""One TCP connection: five flat calls from one loop (``_converse``), and the bytes that keep it fed."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_smtpd.net.driver import Driver, until_input
from pytest_smtpd.net.outlet import Outlet
from pytest_smtpd.net.tls import TLS
from pytest_smtpd.smtp import events
from pytest_smtpd.smtp.connection import Connection
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.states import State
from pytest_smtpd.steps import Answer, Close, Fin, Reset, Send, Stall, Wait

_FULL: Final = 1 << 20  # unread bytes after which the client has to wait
_TURNS: Final = 32  # events in a row that one connection may have


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a wire is given by the server: who answers, who records, whose certificate."""

    respond: Callable[[Event], Awaitable[Answer | None]]
    record: Callable[[Envelope], object]
    note: Callable[..., object]
    close: Callable[[], Awaitable[object]]
    gone: Callable[["Wire"], object]
    crashed: Callable[[BaseException], object]
    context: Callable[[], ssl.SSLContext]
    now: Callable[[], float]


class Wire(asyncio.Protocol):
    """The conversation with one client."""

    transport: asyncio.Transport
    _outlet: Outlet

    def __init__(self, smtp: Connection, hands: Hands, timeout: float | None, *, overloaded: bool) -> None:
        self._smtp = smtp
        self._hands = hands
        self._timeout = timeout
        self._overloaded = overloaded
        self._tls: TLS | None = None
        self._driver = Driver(self._run(), self._part_over)
        self._eof = False  # the client has finished talking, or is gone
        self._deaf = False  # what it says is thrown away
        self._paused = False  # it is not being read
        self._over = False  # we have said our last word
        self._leaving = False  # the server stops
        self._ending = False  # only the close hook is left
        self._lost = False  # the connection is gone

    # --- called by the transport ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start talking."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._outlet = Outlet(transport)
        self._driver.step()

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._deaf:
            return
        if self._tls is None:
            self._smtp.receive_data(data)
        else:
            self._tls.feed(data)
            if self._tls.ready:
                self._decrypt(self._tls)
        self._driver.wake()
        if not self._paused and self._smtp.buffered > _FULL:
            self._paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """The client has finished talking; what it said before is still answered."""
        self._client_left()
        return not self._over

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, however it ended."""
        if exc is not None and not self._over:
            self._hands.note(f"the client reset the connection ({type(exc).__name__})")
        self._deaf = True
        self.resume_writing()
        self._client_left()
        self._lost = True
        self._part_over()

    def _part_over(self) -> None:
        """The conversation and the connection end in any order; after both, nothing is left."""
        if self._lost and self._driver.over:
            self._hands.gone(self)

    def pause_writing(self) -> None:
        """Some bytes are not sent yet."""
        self._outlet.pause()

    def resume_writing(self) -> None:
        """All is sent."""
        self._outlet.resume()

    def _client_left(self) -> None:
        self._eof = True
        if not self._ending:
            self._driver.cancel()
            self._driver.wake()

    def _decrypt(self, tls: TLS) -> None:
        try:
            self._smtp.receive_data(tls.decrypt())
        except ssl.SSLError as error:
            self._tls_failed("TLS", error)
        if tls.ended or self._deaf:
            self._client_left()
        self._outlet.put(tls.output())

    def _tls_failed(self, what: str, error: ssl.SSLError) -> None:
        reason = error.reason or str(error)
        self._smtp.session.tls_error = reason
        self._hands.note(f"{what} failed: {reason}")
        self._deaf = True

    # --- the conversation -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._converse()
        except asyncio.CancelledError:
            pass  # the client has left, or the server leaves
        except Exception as error:
            self._hands.crashed(error)
        self._deaf = self._ending = True
        self._resume()
        if self._eof or not self._over:
            if not self._over and self._tls is not None and self._tls.ready:
                self._outlet.put(self._tls.close_notify())
            self._over = True
            self.transport.close()
        with contextlib.suppress(asyncio.CancelledError):  # a stop does not wait for a hook for ever
            await self._hands.close()

    async def _converse(self) -> None:
        smtp, hands = self._smtp, self._hands
        turns = 0
        while not self._leaving and (event := await self._next_event()) is not None:
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
            if not await self._more_input():
                return None if self._eof or smtp.state is State.PROXY else smtp.timed_out()
        if isinstance(event, events.BadProxyHeader):
            self._hands.note(f"closed: {event.reason}")
            return None
        return event

    async def _more_input(self) -> bool:
        """Wait for the client; False if it has gone, or been silent for too long."""
        if self._eof:
            return False
        self._resume()
        if self._timeout is None:
            await until_input()
            return True
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._timeout, self._driver.wake)
        await until_input()
        timer.cancel()
        return loop.time() < timer.when()

    def _resume(self) -> None:
        if self._paused and not self.transport.is_closing():
            self.transport.resume_reading()
        self._paused = False

    # --- TLS --------------------------------------------------------------------------------------------------------

    async def _handshake(self) -> bool:
        """Whether the session is secure now. What came behind the 220, or a PROXY header, belongs to the handshake."""
        tls = self._tls = TLS(self._hands.context())
        tls.feed(self._smtp.release())
        struck: set[int] = set()
        while True:
            if not await self._watch(tls, struck):
                return False
            try:
                done = tls.handshake()
            except ssl.SSLError as error:
                self._tls_failed("TLS handshake", error)
                self._outlet.put(tls.output())
                self._finish()
                return False
            self._outlet.put(tls.output())
            if done:
                break
            if not await self._more_input():
                self._hands.note("TLS handshake not completed")
                return False
        self._smtp.secured(tls.info)
        self._decrypt(tls)
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
            self._write(data)
        else:
            for step in answer.dress(data):
                if not await _STEPS[type(step)](self, step):
                    return False
        if self._outlet.unsent:
            await self._outlet.flush()
        if self._smtp.state is State.CLOSED:
            return await self._close(None)
        return True

    def _write(self, data: bytes) -> None:
        self._outlet.put(self._tls.encrypt(data) if self._tls is not None and self._tls.ready and data else data)

    def _finish(self) -> None:
        """FIN. Until the client's own, input is read and thrown away: to close with unread input would send RST."""
        self._over = self._deaf = True
        self._resume()
        if not self._eof:
            self._outlet.end()

    async def _send_step(self, step: Send) -> bool:
        self._write(step.data)
        return True

    async def _wait(self, step: Wait) -> bool:
        await asyncio.sleep(step.seconds)
        return not self._leaving

    async def _stall(self, step: Stall) -> bool:
        self._deaf = True
        if not step.reading:
            self._paused = True
            self.transport.pause_reading()
        if self._eof:
            return False
        await asyncio.get_running_loop().create_future()
        return False

    async def _close(self, step: Any) -> bool:
        if self._tls is not None and self._tls.ready:
            self._outlet.put(self._tls.close_notify())
        await self._outlet.flush()
        self._finish()
        return False

    async def _fin(self, step: Fin) -> bool:
        await self._outlet.flush()
        self._finish()
        return False

    async def _reset(self, step: Reset) -> bool:
        await self._outlet.flush()
        self._over = self._deaf = True
        self._outlet.reset()
        return False

    def leave(self) -> None:
        """The server stops: whatever is going on here ends now, at a second call the ``close`` hook too."""
        if self._ending and self._leaving:
            self._driver.cancel()
        self._deaf = self._leaving = True
        self._client_left()
        if self._driver.over:
            self.transport.abort()


_STEPS: Final[Mapping[type, Callable[[Wire, Any], Coroutine[Any, Any, bool]]]] = {
    Send: Wire._send_step,
    Wait: Wire._wait,
    Stall: Wire._stall,
    Close: Wire._close,
    Fin: Wire._fin,
    Reset: Wire._reset,
}
