"""The server's thread with its private event loop, and how both end."""

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

from pytest_smtpd.clock import Clock
from pytest_smtpd.net.wire import Wire
from pytest_smtpd.smtp.values import endpoint

_BACKLOG: Final = 4096  # early and many clients wait here; a short queue costs them seconds
_BATCH: Final = 256
_PATIENCE: Final = 0.25  # seconds that a stop gives to hooks that are still running


class Loop(asyncio.SelectorEventLoop):
    """A loop with a clock that cannot be frozen."""

    def time(self) -> float:
        """Seconds that pass evenly."""
        return Clock.monotonic()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, made in the caller's thread, so that a taken port is an ``OSError`` at once."""
    __tracebackhide__ = True
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # With the protocol named, asyncio switches Nagle's algorithm off on each client's socket.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except RuntimeError as blocked:
        raise RuntimeError(
            f"smtpd cannot open a socket ({type(blocked).__name__}): with pytest-socket, allow it with "
            "--allow-hosts=127.0.0.1 or @pytest.mark.enable_socket"
        ) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        where, why = endpoint(host, port), error.strerror or error
        raise type(error)(error.errno, f"smtpd cannot listen on {where}: {why}") from None
    listener.setblocking(False)
    return listener


class Listener:
    """Accepts clients and runs their wires, in a daemon thread of its own, until it is stopped."""

    def __init__(self, listener: socket.socket, name: str, crashed: Callable[[BaseException], object]) -> None:
        self.loop: Loop = Loop()
        self.loop.set_debug(False)
        self.loop.set_exception_handler(lambda loop, context: crashed(_exception(context)))
        self._listener = listener
        self._connect: Callable[[socket.socket, Any], Wire]
        self._wires: set[Wire] = set()
        self._empty: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._serve, name=f"{name} server", daemon=True)

    def start(self, connect: Callable[[socket.socket, Any], Wire]) -> None:
        """Begin to serve; ``connect`` makes the wire of each client, from its socket and address."""
        self._connect = connect
        self._thread.start()

    def _serve(self) -> None:
        try:
            self._listen()
            self.loop.run_forever()
        finally:
            self.loop.close()

    def _accept(self) -> None:
        for _ in range(_BATCH):
            try:
                client, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._out_of_files(error)
                return
            client.setblocking(False)
            try:
                wire = self._connect(client, address)
            except OSError:  # reset already: some systems do not know its address any more
                client.close()
                continue
            self._wires.add(wire)
            task = self.loop.create_task(self._open(wire, client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open(self, wire: Wire, client: socket.socket) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: wire, client)
        except OSError:
            client.close()
            await wire.unmade()

    def _out_of_files(self, error: OSError) -> None:
        """Without a descriptor left, accepting can only be tried again later."""
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            self.loop.remove_reader(self._listener)
            self.loop.call_later(0.1, self._listen)

    def _listen(self) -> None:
        if self._listener.fileno() >= 0:
            self.loop.add_reader(self._listener, self._accept)

    def gone(self, wire: Wire) -> None:
        """This wire has ended."""
        self._wires.discard(wire)
        if not self._wires and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    @property
    def runs_here(self) -> bool:
        """Whether this is the loop's own thread, which cannot wait for itself."""
        return threading.current_thread() is self._thread

    def settle(self) -> None:
        """Wait until every client that has connected by now is known. From any other thread."""
        if self.runs_here:
            return
        known = threading.Event()
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(lambda: self.loop.call_soon(lambda: self.loop.call_soon(known.set)))
            known.wait(1.0)

    def stop(self, last: Callable[[], tuple[list[threading.Thread], list[str]]]) -> list[str]:
        """End everything; ``last`` sends the hook threads home. Returns the names of hooks that are still blocked."""
        left: list[tuple[list[threading.Thread], list[str]]] = []

        def begin() -> None:
            self._tasks.add(self.loop.create_task(self._shut_down(last, left)))

        self.loop.call_soon_threadsafe(begin)
        self._thread.join()
        for thread in left[0][0]:
            thread.join()
        return left[0][1]

    async def _shut_down(
        self,
        last: Callable[[], tuple[list[threading.Thread], list[str]]],
        left: list[tuple[list[threading.Thread], list[str]]],
    ) -> None:
        try:
            await self._end_everything()
        finally:
            left.append(last())
            self.loop.stop()

    async def _end_everything(self) -> None:
        self.loop.remove_reader(self._listener)
        self._listener.close()
        opening = [task for task in self._tasks if task is not asyncio.current_task()]
        if opening:
            await asyncio.wait(opening)
        for patience in (_PATIENCE, _PATIENCE / 10):
            if self._wires:
                self._empty = self.loop.create_future()
                for wire in list(self._wires):
                    wire.leave()
                await asyncio.wait([self._empty], timeout=patience)
        for wire in list(self._wires):
            wire.transport.abort()
        if strays := asyncio.all_tasks() - {asyncio.current_task()}:  # which async hooks have started
            for stray in strays:
                stray.cancel()
            await asyncio.wait(strays, timeout=_PATIENCE)
        await self.loop.shutdown_asyncgens()
        await asyncio.sleep(0)


def _exception(context: dict[str, Any]) -> BaseException:
    error = context.get("exception")
    return error if isinstance(error, BaseException) else RuntimeError(context.get("message"))
