"""The server's thread: it accepts clients and serves them, with an asyncio loop on top once a coroutine has to run."""

import contextlib
import errno
import socket
import threading
from collections.abc import Callable
from functools import partial
from select import select
from typing import Any, Final, Protocol, TypeVar

from pytest_smtpd.clock import Clock
from pytest_smtpd.net.loop import Loop
from pytest_smtpd.net.mailbox import Mailbox
from pytest_smtpd.net.poller import READ, Action, Poller, Served, new_poller
from pytest_smtpd.net.sockets import close_listener

_PATIENCE: Final = 0.25  # seconds that stop() waits for hooks that are still running
_BLOCKED: Final = 1.0  # seconds without progress after which the server's thread counts as blocked
T = TypeVar("T")

# Errors of accept() while no descriptor or memory is left for another connection.
_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Connected(Protocol):
    """The conversation with one client, as the listener uses it."""

    def start(self) -> None:
        """Start to read from the client, and greet it."""
        ...

    def catch_up(self, done: Callable[[], object]) -> None:
        """Process all that it has sent by now; ``done`` is called when all of it has reached its rules and hooks."""
        ...

    def divide(self) -> None:
        """Process what it has sent by now with the present log and rules, even after these are replaced."""
        ...

    def release(self) -> None:
        """Close the connection if it hangs because of a rule."""
        ...

    def leave(self) -> None:
        """The server is stopping: end the conversation. A second call does not wait for the ``close`` hook."""
        ...

    def abort(self) -> None:
        """Close the socket at once, and report the end of the conversation."""
        ...

    def forked(self) -> None:
        """In the child of a fork: close the copy of the socket."""
        ...


Connect = Callable[[socket.socket, Any], Connected]


class Listener(Served):
    """Accepts clients and serves them, in a daemon thread of its own, until it is stopped.

    ``crashed`` is called with each exception of the server's own code. ``dismiss`` is called when all conversations
    have ended: it ends the hook threads, and returns those that are about to end and the names of hooks that are still
    blocked. ``post`` lets the server's thread make a call; it can be used in any thread. ``in_loop`` makes a call where
    an asyncio loop runs; it can be used in the server's thread.
    """

    def __init__(
        self,
        sock: socket.socket,
        name: str,
        crashed: Callable[[BaseException], object],
        dismiss: Callable[[], tuple[list[threading.Thread], list[str]]],
        clock: Clock,
    ) -> None:
        self._socket = sock
        self._is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6)
        self._name = name
        self._crashed = crashed
        self._dismiss = dismiss
        self.poller: Poller = new_poller(crashed, clock)
        try:
            self._mailbox = Mailbox(self.poller)
        except BaseException:
            self.poller.close()
            raise
        self.post: Callable[[Action], None] = self._mailbox.put
        self._connect: Connect
        self._clients: set[Connected] = set()
        self._newest: socket.socket | None = None  # the socket of the client that was accepted last
        self._loop = Loop(self.poller, name, crashed)
        self.in_loop: Callable[[Action], None] = self._loop.call
        # The server is stopping; all conversations have ended; the thread is to end; a client is being accepted.
        self._leaving = self._ending = self._over = self._arriving = False
        self._left: tuple[list[threading.Thread], list[str]] = ([], [])  # what dismiss has returned
        self._thread = threading.Thread(target=self._serve, name=f"{name} server", daemon=True)

    def start(self, connect: Connect) -> None:
        """Start the thread. ``connect`` makes the conversation with a client from its socket and address.

        If this raises, no thread is running, and the caller has to call ``close``.
        """
        self._connect = connect
        try:
            self._thread.start()
        except BaseException:
            if self._thread.is_alive():  # Ctrl-C has come just after the thread had started
                self.stop()
            raise

    def close(self) -> None:
        """Close the descriptors that were opened for the thread, if that could not be started."""
        self._mailbox.close()
        self.poller.close()

    def _serve(self) -> None:
        poller = self.poller
        try:
            self._listen()
            while not self._over and not self._loop.wanted:
                poller.select()
            if not self._over:
                self._loop.run()
        finally:
            self._mailbox.close()
            poller.close()

    # --- clients ----------------------------------------------------------------------------------------------------

    def ready(self, events: int) -> None:
        """A client has connected. Accept one; the poller reports further ones in its next round."""
        self._accept()

    def _accept(self) -> bool:
        """Accept and start to serve the next client. Returns whether there was one."""
        self._arriving, client = True, None
        try:
            client, address = self._socket.accept()
            self._newest = client
            client.setblocking(False)
            if self._is_tcp:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            served = self._connect(client, address)
            self._clients.add(served)
        except OSError as error:
            if client is None:
                self._not_accepted(error)
                return False
            client.close()  # the client has reset the connection already: on some systems, its address is unknown then
            return True
        finally:
            self._arriving = False
        served.start()
        return True

    def _not_accepted(self, error: OSError) -> None:
        """If no descriptor is left, try to accept again 0.1 seconds later; otherwise no client was waiting."""
        if error.errno in _FULL:
            self.poller.unregister(self._socket)
            self.poller.later(0.1, self._listen)

    def _listen(self) -> None:
        if self._socket.fileno() >= 0 and not self._leaving:
            self.poller.register(self._socket, READ, self)

    def gone(self, client: Connected) -> None:
        """A client's connection has ended and its socket is closed, in general after its ``close`` hook has run."""
        self._clients.discard(client)
        if self._leaving and not self._clients:
            self.poller.soon(self._end)

    @property
    def runs_here(self) -> bool:
        """Whether the caller runs in the server's own thread, which cannot wait for itself."""
        return threading.current_thread() is self._thread

    def catch_up(self, *, hooks: bool) -> None:
        """Wait until everything that clients have sent by now has been processed. No-op in the server's thread.

        A delay is not waited for. With ``hooks``, a running hook is waited for, for a second at most, if it is that of
        ``close``, or if its client has sent something after it.
        """
        if self.runs_here or self._nobody_is_there():
            return
        begun, done = threading.Event(), threading.Event()

        def process() -> None:
            while self._accept():
                pass
            # Who still has something to process; None stands for the loop below, which must not be overtaken.
            behind: set[Connected | None] = {None, *self._clients}

            def caught_up(client: Connected | None) -> None:
                behind.discard(client)
                if not behind or (client is None and not hooks):
                    self.poller.soon(done.set)

            for client in list(self._clients):
                client.catch_up(partial(caught_up, client))
            caught_up(None)
            begun.set()

        with contextlib.suppress(RuntimeError):  # the server has stopped
            self.post(process)
            if self._wait_while_it_works(begun.wait):
                done.wait(_BLOCKED)

    def _nobody_is_there(self) -> bool:
        """Whether no client is connected or waits to be accepted, so that there is nothing to process. For any thread.

        A client first waits in the kernel's queue, then ``_arriving`` is set, then it is one of ``_clients``. They are
        looked at in this order, so that no client is missed.
        """
        try:
            waiting, _, _ = select([self._socket], [], [], 0)
        except (OSError, ValueError, RuntimeError):  # closed, a descriptor too high for select(), or eventlet uses it
            return False
        return not waiting and not self._arriving and not self._clients

    def divide(self, action: Action) -> None:
        """Call ``action``, which replaces the log; what clients sent before is still recorded in the old log.

        It is called in the server's thread, or in that of the caller if the server's is blocked or has ended.
        """

        def divide() -> None:
            for client in self._clients if todo else ():
                client.divide()
            begin()

        def begin() -> None:
            with contextlib.suppress(IndexError):  # the other thread has made the call
                todo.pop()()
            done.set()

        todo, done = [action], threading.Event()
        if self.runs_here:
            divide()
            return
        with contextlib.suppress(RuntimeError):  # the server has stopped
            self.post(divide)
            self._wait_while_it_works(done.wait)
        begin()

    def _wait_while_it_works(self, wait: Callable[[float], bool]) -> bool:
        """Call ``wait``, with a number of seconds, until it returns true.

        Returns False if the server's thread makes no progress, since a function of a rule blocks it.
        """
        before = -1
        while not wait(_BLOCKED):
            if before == self.poller.rounds:
                return False
            before = self.poller.rounds
        return True

    def _process_all(self) -> None:
        while self._accept():
            pass
        for client in list(self._clients):
            client.catch_up(_nothing)

    def advance(self, seconds: float) -> bool:
        """Process what clients have sent by now, then move the clock forward by ``seconds``.

        It is only for other threads than the server's. Returns False if the server has stopped. Raises ``TimeoutError``
        if its thread is blocked for 5 seconds.
        """
        done = threading.Event()

        def move() -> None:
            try:
                self._process_all()
                self.poller.advance(seconds)
            finally:
                done.set()

        try:
            self.post(move)
        except RuntimeError:  # the server has stopped
            return False
        if done.wait(_BLOCKED * 5):
            return True
        if self._thread.is_alive():
            raise TimeoutError(f"{self._name}: the clock cannot be moved, for an async def hook or a match is blocked")
        return False

    def call(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the server's thread, while nothing else is done there, and return its result.

        If that thread is blocked or has ended, ``function`` is called in the thread of the caller.
        """
        results: list[T] = []
        done = threading.Event()

        def run() -> None:
            try:
                results.append(function())
            finally:
                done.set()

        with contextlib.suppress(RuntimeError):  # the server has stopped
            self.post(run)
            done.wait(_BLOCKED)
        return results[0] if results else function()

    def release(self) -> None:
        """Close the connections that hang because of a rule."""

        def release() -> None:
            for client in list(self._clients):
                client.release()

        self.call(release)

    # --- the end ----------------------------------------------------------------------------------------------------

    def stop(self) -> list[str]:
        """End all connections and the thread. Returns the names of hooks that are still blocked."""
        with contextlib.suppress(RuntimeError):  # the thread has ended, after an earlier stop() that Ctrl-C interrupted
            self.post(self._begin_to_leave)
        self._wait_while_it_works(self._has_ended)
        if self._thread.is_alive():
            from pytest_smtpd.net.blocked import what_blocks

            self._let_go()
            return [what_blocks(self._thread), *self._dismiss()[1]]
        for thread in self._left[0]:
            thread.join()
        for thread in self._loop.helpers:
            thread.join(_PATIENCE)
        return self._left[1]

    def _has_ended(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _begin_to_leave(self) -> None:
        """Stop accepting clients, and ask the conversations to end."""
        if self._leaving:
            return
        self._leaving = True
        with contextlib.suppress(KeyError, ValueError):
            self.poller.unregister(self._socket)
        close_listener(self._socket)
        self._leave((_PATIENCE, _PATIENCE / 10))

    def _leave(self, patience: tuple[float, ...]) -> None:
        """Ask all conversations to end, once more after each number of seconds in ``patience``; then abort the rest.

        They may have to wait for the end of a hook.
        """
        if self._ending:
            return
        for client in list(self._clients):
            client.leave()
        if not self._clients:
            self.poller.soon(self._end)
        elif patience:
            seconds, *others = patience
            self.poller.later(seconds, lambda: self._leave(tuple(others)))
        else:
            for client in list(self._clients):
                client.abort()
            self.poller.soon(self._end)

    def _end(self) -> None:
        """All conversations have ended: end the asyncio loop, the hooks and the thread."""
        if self._ending:
            return
        self._ending = True
        if self._loop.wanted:
            self._loop.call(lambda: self._loop.end(self._end_hooks))
        else:
            self._end_hooks([])

    def _end_hooks(self, stubborn: list[str]) -> None:
        """End the threads of hooks, and then this one. ``stubborn`` are the tasks that go on although cancelled."""
        ready, blocked = self._dismiss()
        self._left = (ready, [*stubborn, *blocked])
        self._over = True

    def _let_go(self) -> None:
        """A hook blocks the server's thread: close all sockets from here, so that no client is left waiting."""
        close_listener(self._socket)
        for client in list(self._clients):
            with contextlib.suppress(Exception):
                client.abort()

    def forked(self) -> None:
        """In the child of a fork, where the thread does not run: close the copies of all descriptors."""
        self._socket.close()
        if self._newest is not None:  # which may not be among the clients yet
            self._newest.close()
        for client in list(self._clients):
            client.forked()
        self._mailbox.forked()
        self.poller.close()


def _nothing() -> None:
    pass
