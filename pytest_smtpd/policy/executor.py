"""Runs the functions of users: ``async def`` on the server's event loop, ``def`` in threads that end with the server.

An exception of such a function is a result like the value that it returns; it is not raised here. Only an ``async def``
function that was cancelled has no result.
"""

import contextlib
import inspect
import os
import queue
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from pytest_smtpd.smtp.values import printable
from pytest_smtpd.turn import Resume

if TYPE_CHECKING:
    from queue import SimpleQueue

_OURS: Final = str(Path(__file__).parents[1]) + os.sep


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine."""
    call = getattr(function, "__call__", None)  # noqa: B004  an instance may have an async one
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def users_traceback(error: BaseException) -> TracebackType | None:
    """The traceback from the user's own frame on."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_OURS):
        traceback = traceback.tb_next
    return traceback or error.__traceback__


class Run:
    """One call of a function, which can be waited for. Made by ``Executor.run``, used in the server's thread only.

    ``over`` is whether it has ended; then ``value`` is what it returned and ``error`` what it raised. One that was
    cancelled has neither.
    """

    def __init__(self, executor: "Executor", function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.function: Callable[..., Any] = function
        self.args: tuple[Any, ...] = args
        self.over: bool = False
        self.cancelled: bool = False
        self.value: Any = None
        self.error: BaseException | None = None
        self.task: Any = None  # of asyncio
        self.when_over: Callable[[], object] = lambda: None
        self.executor: Executor = executor
        self._resume: Resume | None = None
        self._started = False

    @property
    def name(self) -> str:
        """How reports call the function."""
        function = getattr(self.function, "func", self.function)  # of a partial, whose arguments may be secrets
        return printable(str(getattr(function, "__qualname__", type(function).__name__)))

    @property
    def in_thread(self) -> bool:
        """Whether it runs in a thread, where it cannot be cancelled."""
        return self._started and not self.over and self.task is None and not is_async(self.function)

    def start(self) -> "Run":
        """Let it run."""
        if not self._started:
            self._started = True
            self.executor.start(self)
        return self

    def begin(self, resume: Resume) -> None:
        """Let it run, if it does not yet, and call ``resume`` with it when it is over."""
        self._resume = resume
        self.start()

    def cancel(self) -> None:
        """Nobody waits for the hook any more: a coroutine is cancelled, a thread runs to its end."""
        self._resume = None
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()

    def finish(self, value: Any, error: BaseException | None) -> None:
        """The call has ended."""
        self.over, self.value, self.error = True, value, error
        self.when_over()
        if self._resume is not None:
            resume, self._resume = self._resume, None
            resume(self)


class Job(Run):
    """Work of the server's own, that would keep other clients waiting in its thread."""


class FirstStep:
    """Until a coroutine that has just been started has come to where it waits for something itself.

    A client may give up before its hook begins; the first step of the hook still runs.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._resume: Resume | None = None

    def begin(self, resume: Resume) -> None:
        """Wait for it."""
        self._resume = resume
        self._run.executor.behind_tasks(self._over)

    def cancel(self) -> None:
        """The waiter has given up."""
        self._resume = None

    def _over(self) -> None:
        if self._resume is not None:
            self._resume(None)


class Executor:
    """Runs functions for one server, of any number of connections at once: none has to wait for another.

    ``post`` calls a function in the server's thread, from any other; it raises ``RuntimeError`` once that has ended.
    ``in_loop`` calls a function where an asyncio loop runs.
    """

    def __init__(
        self,
        name: str,
        post: Callable[[Callable[[], object]], object],
        in_loop: Callable[[Callable[[], object]], object],
    ) -> None:
        self._name = name
        self._post = post
        self._in_loop = in_loop
        self._idle: list[SimpleQueue[Run | None]] = []
        self._workers: dict[threading.Thread, SimpleQueue[Run | None]] = {}
        self._busy: dict[SimpleQueue[Run | None], str] = {}  # a worker leaves it itself, before it posts its result

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Run:
        """A call of this function, not yet started."""
        return Run(self, function, args)

    def job(self, function: Callable[[], Any]) -> Job:
        """A call of a function of the server's own, not yet started."""
        return Job(self, function, ())

    @property
    def runs_here(self) -> bool:
        """Whether this is the thread of a hook, which cannot wait for itself."""
        return threading.current_thread() in self._workers

    def start(self, run: Run) -> None:
        """Let a function run."""
        if is_async(run.function):
            self._in_loop(lambda: self._start_task(run, run.function, run.args))
            return
        try:
            inbox = self._idle.pop() if self._idle else self._hire()
        except RuntimeError as error:  # no thread can be started
            self._post(partial(run.finish, None, error))
            return
        self._busy[inbox] = run.name
        inbox.put(run)

    # --- coroutines -------------------------------------------------------------------------------------------------

    def _start_task(self, run: Run, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        import asyncio

        if run.cancelled:
            run.finish(None, None)
            return
        task = asyncio.get_running_loop().create_task(_guarded(function, args), name=f"{self._name} hook {run.name}")
        run.task = task
        task.add_done_callback(lambda done: run.finish(*((None, None) if done.cancelled() else done.result())))

    def behind_tasks(self, action: Callable[[], object]) -> None:
        """Call this when the tasks that have been started by now have had their first step."""
        import asyncio

        self._in_loop(lambda: asyncio.get_running_loop().call_soon(action))

    # --- threads ----------------------------------------------------------------------------------------------------

    def _hire(self) -> "SimpleQueue[Run | None]":
        inbox: SimpleQueue[Run | None] = queue.SimpleQueue()  # gevent has one of its own
        name = f"{self._name} hook {len(self._workers) + 1}"
        thread = threading.Thread(target=self._work, args=(inbox,), name=name, daemon=True)
        thread.start()
        self._workers[thread] = inbox
        return inbox

    def _work(self, inbox: "SimpleQueue[Run | None]") -> None:
        while (run := inbox.get()) is not None:
            value, error = _call(run)
            del self._busy[inbox]
            with contextlib.suppress(RuntimeError):  # the server has stopped without us
                self._post(_Finish(self, run, value, error, inbox))
            del run, value, error

    def returned(self, run: Run, value: Any, error: BaseException | None, inbox: "SimpleQueue[Run | None]") -> None:
        """A thread has ended its run. A ``def`` function may have returned something that is to be awaited."""
        self._idle.append(inbox)
        if error is None and inspect.isawaitable(value):
            self._in_loop(lambda: self._start_task(run, lambda: value, ()))
        else:
            run.finish(value, error)

    def dismiss(self) -> tuple[list[threading.Thread], list[str]]:
        """End the threads. Returns those that are about to end, and the names of the hooks that are still blocked."""
        for inbox in self._workers.values():
            inbox.put(None)
        busy = self._busy.copy()
        ready = [thread for thread, inbox in self._workers.items() if inbox not in busy]
        return ready, list(dict.fromkeys(busy.values()))


class _Finish:
    """A thread's result on its way to the server's thread."""

    def __init__(self, executor: Executor, *result: Any) -> None:
        self._executor = executor
        self._result = result

    def __call__(self) -> None:
        self._executor.returned(*self._result)


def _call(run: Run) -> tuple[Any, BaseException | None]:
    try:
        return run.function(*run.args), None
    except BaseException as error:
        return None, error


async def _guarded(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    """The value and the exception of the call. Only a cancellation from outside is raised."""
    import asyncio

    loop, own = asyncio.get_running_loop(), asyncio.current_task()
    assert own is not None
    try:
        return await function(*args), None
    except BaseException as error:
        is_thrown_away = asyncio.current_task(loop) is not own  # a GeneratorExit that the hook has not raised
        if is_thrown_away or (isinstance(error, asyncio.CancelledError) and own.cancelling()):
            raise
        return None, error
