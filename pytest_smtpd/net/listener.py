"""The server's thread: it accepts clients and serves them, with an asyncio loop on top once a coroutine has to run."""

import contextlib
import errno
import socket
import threading
from collections.abc import Callable
from functools import partial
from select import select
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from pytest_smtpd.clock import Clock
from pytest_smtpd.net.mailbox import Mailbox
from pytest_smtpd.net.poller import READ, Action, Poller, Served, new_poller
from pytest_smtpd.net.sockets import close_listener

if TYPE_CHECKING:
    import asyncio

_PATIENCE: Final = 0.25  # seconds that a stop gives to hooks that are still running
_BLOCKED: Final = 1.0  # seconds after which a stop goes on without a thread that does not react
T = TypeVar("T")

_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Connected(Protocol):
    """A client that is being served."""

    def start(self) -> None:
        """Greet it, and listen to it."""
        ...

    def catch_up(self, done: Callable[[], object]) -> None:
        """Process all that it has sent by now; ``done`` is called when all of it has come to its rules and hooks."""
        ...

    def divide(self) -> None:
        """What it has sent by now belongs to what was before; what it sends from now on does not."""
        ...

    def leave(self) -> None:
        """The server stops: end what is going on. A second call does not wait for the ``close`` hook either."""
        ...

    def abort(self) -> None:
        """Close the socket at once."""
        ...

    def forked(self) -> None:
        """In the child of a fork: let go of the socket."""
        ...


Connect = Callable[[socket.socket, Any], Connected]


class Listener(Served):
    """Accepts clients and serves them, in a daemon thread of its own, until it is stopped.

    ``dismiss`` is called when everything has ended: it ends the hook threads, and returns those that are about to end
    and the names of hooks that are still blocked.
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
        self._newest: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._for_loop: list[Action] = []  # what is to be done as soon as there is one
        self._helpers: list[threading.Thread] = []  # in which hooks have called asyncio.to_thread
        self._leaving = self._ending = self._over = self._arriving = False
        self._left: tuple[list[threading.Thread], list[str]] = ([], [])
        self._last: object = None  # the task that ends the loop
        self._stubborn: list[str] = []  # tasks that go on although they were cancelled
        self._thread = threading.Thread(target=self._serve, name=f"{name} server", daemon=True)

    def start(self, connect: Connect) -> None:
        """Begin to serve; ``connect`` makes what serves a client, from its socket and address.

        If this fails, nothing serves, and ``close`` is for the caller to call.
        """
        self._connect = connect
        try:
            self._thread.start()
        except BaseException:
            if self._thread.is_alive():  # Ctrl-C has come when it had just begun
                self.stop()
            raise

    def close(self) -> None:
        """Close what was opened for a thread that has not been started."""
        self._mailbox.close()
        self.poller.close()

    def _serve(self) -> None:
        poller = self.poller
        try:
            self._listen()
            while not self._over and not self._for_loop:
                poller.select()
            if not self._over:
                self._run_loop()
        finally:
            self._mailbox.close()
            poller.close()

    # --- the asyncio loop -------------------------------------------------------------------------------------------

    def in_loop(self, action: Action) -> None:
        """Call this where an asyncio loop runs. In the server's thread."""
        if self._loop is None:
            self._for_loop.append(action)
        else:
            action()

    def _run_loop(self) -> None:
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        def note_thread() -> None:
            self._helpers.append(threading.current_thread())

        class Loop(asyncio.SelectorEventLoop):
            """A loop with a clock that cannot be frozen, and never in debug mode, which reads source files."""

            def get_debug(self) -> bool:
                return False

            def time(self) -> float:
                from pytest_smtpd.clock import monotonic

                return monotonic()

        self._loop = loop = Loop(self.poller)
        try:
            loop.set_debug(False)
            loop.set_default_executor(ThreadPoolExecutor(8, f"{self._name} to_thread", note_thread))
            loop.set_exception_handler(lambda loop, context: self._crashed(_exception(context)))
            self.poller.in_turn = loop.call_soon
            self.poller.asyncio = asyncio
            for action in self._for_loop:
                loop.call_soon(action)
            self.poller.enter_loop()  # with none, which it is to be at the beginning
            self.poller.loop = loop
            loop.run_forever()
        finally:
            self.poller.leave_loop()
            loop.close()

    # --- clients ----------------------------------------------------------------------------------------------------

    def ready(self, events: int) -> None:
        """A client is there; others come next."""
        self._accept()

    def _accept(self) -> bool:
        """Serve the next client; whether there was one."""
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
            client.close()  # reset already: some systems do not know its address any more
            return True
        finally:
            self._arriving = False
        served.start()
        return True

    def _not_accepted(self, error: OSError) -> None:
        """Without a descriptor left, accepting can only be tried again later; else there was nobody to accept."""
        if error.errno in _FULL:
            self.poller.unregister(self._socket)
            self.poller.later(0.1, self._listen)

    def _listen(self) -> None:
        if self._socket.fileno() >= 0 and not self._leaving:
            self.poller.register(self._socket, READ, self)

    def gone(self, client: Connected) -> None:
        """Nothing is left of this client."""
        self._clients.discard(client)
        if self._leaving and not self._clients:
            self.poller.soon(self._end)

    @property
    def runs_here(self) -> bool:
        """Whether this is the server's own thread, which cannot wait for itself."""
        return threading.current_thread() is self._thread

    def catch_up(self, *, hooks: bool) -> None:
        """Wait until all that clients have sent by now has been processed. From any other thread.

        A delay is not waited for; a hook only if ``hooks``, only for what was sent behind it, and not for long.
        """
        if self.runs_here or self._nobody_is_there():
            return
        begun, done = threading.Event(), threading.Event()

        def process() -> None:
            while self._accept():
                pass
            behind: set[Connected | None] = {None, *self._clients}

            def caught_up(client: Connected | None) -> None:
                behind.discard(client)
                if not behind or (client is None and not hooks):
                    self.poller.soon(done.set)

            for client in list(self._clients):
                client.catch_up(partial(caught_up, client))
            caught_up(None)
            begun.set()

        with contextlib.suppress(RuntimeError):  # it has stopped
            self.post(process)
            if self._wait_while_it_works(begun.wait):
                done.wait(_BLOCKED)

    def _nobody_is_there(self) -> bool:
        """Whether there is no client, accepted or waiting, so that there is nothing to catch up with. In any thread.

        A client waits in the kernel, then counts as arriving, then is one of ours. So the kernel is asked first.
        """
        try:
            waiting, _, _ = select([self._socket], [], [], 0)
        except (OSError, ValueError, RuntimeError):  # it has stopped, has too high a number, or eventlet waits for it
            return False
        return not waiting and not self._arriving and not self._clients

    def divide(self, action: Action) -> None:
        """Begin something new by calling ``action``: what clients have sent before belongs to what was before."""

        def divide() -> None:
            for client in self._clients if todo else ():
                client.divide()
            begin()

        def begin() -> None:
            with contextlib.suppress(IndexError):  # somebody else has begun it
                todo.pop()()
            done.set()

        todo, done = [action], threading.Event()
        if self.runs_here:
            divide()
            return
        with contextlib.suppress(RuntimeError):  # it has stopped
            self.post(divide)
            self._wait_while_it_works(done.wait)
        begin()

    def _wait_while_it_works(self, wait: Callable[[float], bool]) -> bool:
        """Wait for the server's thread, but not for one that a function of a rule blocks; whether that was enough."""
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
        """Move the clock forward, behind what clients have sent by now; whether the thread was there to do it.

        From any other thread. Raises ``TimeoutError`` if the thread does not react.
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
        except RuntimeError:  # it has stopped
            return False
        if done.wait(_BLOCKED * 5):
            return True
        if self._thread.is_alive():
            raise TimeoutError(f"{self._name}: the clock cannot be moved, for an async def hook or a match is blocked")
        return False

    def call(self, function: Callable[[], T]) -> T:
        """What ``function`` returns, called in the server's thread while nothing else is being done there."""
        results: list[T] = []
        done = threading.Event()

        def run() -> None:
            try:
                results.append(function())
            finally:
                done.set()

        with contextlib.suppress(RuntimeError):  # it has stopped
            self.post(run)
            done.wait(_BLOCKED)
        return results[0] if results else function()

    # --- the end ----------------------------------------------------------------------------------------------------

    def stop(self) -> list[str]:
        """End everything. Returns the names of hooks that are still blocked."""
        with contextlib.suppress(RuntimeError):  # it has ended, and Ctrl-C kept an earlier stop from noticing that
            self.post(self._begin_to_leave)
        self._wait_while_it_works(self._has_ended)
        if self._thread.is_alive():
            from pytest_smtpd.net.blocked import what_blocks

            self._let_go()
            return [what_blocks(self._thread), *self._dismiss()[1]]
        for thread in self._left[0]:
            thread.join()
        for thread in self._helpers:
            thread.join(_PATIENCE)
        return self._left[1]

    def _has_ended(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _begin_to_leave(self) -> None:
        if self._leaving:
            return
        self._leaving = True
        with contextlib.suppress(KeyError, ValueError):
            self.poller.unregister(self._socket)
        close_listener(self._socket)
        self._leave((_PATIENCE, _PATIENCE / 10))

    def _leave(self, patience: tuple[float, ...]) -> None:
        """Ask all clients to leave; some have to wait for the end of a hook first."""
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
        if self._ending:
            return
        self._ending = True
        if self._loop is None and not self._for_loop:
            self._left = self._dismiss()
            self._over = True
        else:
            self.in_loop(self._end_loop)

    def _end_loop(self) -> None:
        """Cancel the tasks that async hooks have started, or are; the loop ends when they have, or does not wait."""
        import asyncio

        assert self._loop is not None
        loop = self._loop
        tasks: set[Any] = asyncio.all_tasks(loop)

        def over(task: Any = None) -> None:
            tasks.discard(task)
            if not tasks:
                timer.cancel()
                self._last = loop.create_task(end())

        def give_up() -> None:
            for task in tasks:
                task._log_destroy_pending = False  # the warning of the stop names it
            self._stubborn = list(dict.fromkeys(map(_name, tasks)))
            tasks.clear()
            over()

        async def end() -> None:
            try:
                await loop.shutdown_asyncgens()
            finally:
                ready, blocked = self._dismiss()
                self._left = (ready, [*self._stubborn, *blocked])
                loop.stop()

        timer = self.poller.later(_PATIENCE, give_up)
        for task in list(tasks):
            task.add_done_callback(over)
            task.cancel()
        if not tasks:
            over()

    def _let_go(self) -> None:
        """The thread does not react: a hook blocks it. Close what a client could still see."""
        close_listener(self._socket)
        for client in list(self._clients):
            with contextlib.suppress(Exception):
                client.abort()

    def forked(self) -> None:
        """In the child of a fork, where the thread does not run: hold nothing open."""
        self._socket.close()
        if self._newest is not None:  # which may not be among the clients yet
            self._newest.close()
        for client in list(self._clients):
            client.forked()
        self._mailbox.forked()
        self.poller.close()


def _name(task: Any) -> str:
    """How a warning calls a task: by its hook, or by the coroutine that a hook has started."""
    name: str = task.get_name()
    _, is_hook, hook = name.partition(" hook ")
    return hook if is_hook else getattr(task.get_coro(), "__qualname__", name)


def _nothing() -> None:
    pass


def _exception(context: dict[str, Any]) -> BaseException:
    error = context.get("exception")
    return error if isinstance(error, BaseException) else RuntimeError(context.get("message"))
