"""The asyncio loop on top of the poller, which is made when a coroutine has to run. Most servers never need it."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pytest_smtpd.net.poller import Action, Poller

if TYPE_CHECKING:
    import asyncio

_PATIENCE: Final = 0.25  # seconds that a task may go on after it was cancelled


class Loop:
    """Makes an asyncio loop when the first call asks for one, and runs it in the server's thread.

    The loop uses the poller as its selector. ``wanted`` is whether a call has asked for it, so that ``run`` is due.
    ``helpers`` are the threads in which hooks run functions by ``asyncio.to_thread()``. ``crashed`` is called with each
    exception that asyncio reports.
    """

    def __init__(self, poller: Poller, name: str, crashed: Callable[[BaseException], object]) -> None:
        self.wanted: bool = False
        self.helpers: list[threading.Thread] = []
        self._poller = poller
        self._name = name
        self._crashed = crashed
        self._waiting: list[Action] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last: object = None  # a reference to the task that ends the loop

    def call(self, action: Action) -> None:
        """Call this where an asyncio loop runs, which is made if necessary. Only for the server's thread."""
        if self._loop is None:
            self._waiting.append(action)
            self.wanted = True
        else:
            action()

    def run(self) -> None:
        """Make the loop, and run it until ``end`` has ended it."""
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        class ServerLoop(asyncio.SelectorEventLoop):
            """A loop with a clock that cannot be frozen, and never in debug mode, which would read source files."""

            def get_debug(self) -> bool:
                return False

            def time(self) -> float:
                from pytest_smtpd.clock import monotonic

                return monotonic()

        def note_thread() -> None:
            self.helpers.append(threading.current_thread())

        poller = self._poller
        self._loop = loop = ServerLoop(poller)
        try:
            loop.set_debug(False)
            loop.set_default_executor(ThreadPoolExecutor(8, f"{self._name} to_thread", note_thread))
            loop.set_exception_handler(lambda loop, context: self._crashed(_exception(context)))
            poller.in_turn = loop.call_soon
            poller.asyncio = asyncio
            for action in self._waiting:
                loop.call_soon(action)
            poller.enter_loop()  # with None as our loop: run_forever() requires that no loop is running
            poller.loop = loop
            loop.run_forever()
        finally:
            poller.leave_loop()
            loop.close()

    def end(self, done: Callable[[list[str]], object]) -> None:
        """Cancel all tasks, those of async hooks and those that they have started; then end the loop.

        A task that goes on although it was cancelled is waited for no longer than 0.25 seconds. ``done`` is called at
        the end, with the names of such tasks.
        """
        import asyncio

        assert self._loop is not None
        loop = self._loop
        tasks: set[Any] = asyncio.all_tasks(loop)
        stubborn: list[str] = []

        def over(task: Any = None) -> None:
            tasks.discard(task)
            if not tasks:
                timer.cancel()
                self._last = loop.create_task(end())

        def give_up() -> None:
            for task in tasks:
                task._log_destroy_pending = False  # no warning of asyncio: that of stop() names it
            stubborn.extend(dict.fromkeys(map(_name_of, tasks)))
            tasks.clear()
            over()

        async def end() -> None:
            try:
                await loop.shutdown_asyncgens()
            finally:
                done(stubborn)
                loop.stop()

        timer = self._poller.later(_PATIENCE, give_up)
        for task in list(tasks):
            task.add_done_callback(over)
            task.cancel()
        if not tasks:
            over()


def _name_of(task: Any) -> str:
    """The name of a task in a warning: that of its hook, or of the coroutine that a hook has started."""
    name: str = task.get_name()
    _, is_hook, hook = name.partition(" hook ")
    return hook if is_hook else getattr(task.get_coro(), "__qualname__", name)


def _exception(context: dict[str, Any]) -> BaseException:
    error = context.get("exception")
    return error if isinstance(error, BaseException) else RuntimeError(context.get("message"))
