"""Threads for ``def`` hooks: as many as are blocked at once, all daemons, ended with their server."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple

Result = tuple[Any, BaseException | None]


class _Job(NamedTuple):
    function: Callable[..., Any]
    args: tuple[Any, ...]
    done: asyncio.Future[Result]


class Workers:
    """A pool that never makes a hook wait for another one. Used from the loop's thread only."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._loop = loop
        self._name = name
        self._idle: list[SimpleQueue[_Job | None]] = []
        self._threads: dict[threading.Thread, SimpleQueue[_Job | None]] = {}
        self._running: dict[
            SimpleQueue[_Job | None], str
        ] = {}  # a worker leaves it by itself, before it tells the loop

    def submit(self, function: Callable[..., Any], args: tuple[Any, ...]) -> asyncio.Future[Result]:
        """Run it in a thread; the future gives its result and its exception, and is never cancelled by that thread."""
        done: asyncio.Future[Result] = self._loop.create_future()
        inbox = self._idle.pop() if self._idle else self._hire()
        self._running[inbox] = getattr(function, "__qualname__", repr(function))
        inbox.put(_Job(function, args, done))
        return done

    def _hire(self) -> SimpleQueue[_Job | None]:
        inbox: SimpleQueue[_Job | None] = SimpleQueue()
        name = f"{self._name} hook {len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, args=(inbox,), name=name, daemon=True)
        self._threads[thread] = inbox
        thread.start()
        return inbox

    def _work(self, inbox: SimpleQueue[_Job | None]) -> None:
        while (job := inbox.get()) is not None:
            result = _run(job)
            del self._running[inbox]
            with contextlib.suppress(RuntimeError):  # the loop is closed: the server has stopped without us
                self._loop.call_soon_threadsafe(self._finished, job.done, result, inbox)
            del job, result

    def _finished(self, done: "asyncio.Future[Result]", result: Result, inbox: SimpleQueue[_Job | None]) -> None:
        self._idle.append(inbox)
        if not done.done():
            done.set_result(result)

    def dismiss(self) -> "tuple[list[threading.Thread], list[str]]":
        """Send everybody home: the threads that are ready to go, and the names of the hooks that are still blocked."""
        for inbox in self._threads.values():
            inbox.put(None)
        running = self._running.copy()
        ready = [thread for thread, inbox in self._threads.items() if inbox not in running]
        return ready, list(dict.fromkeys(running.values()))


def _run(job: _Job) -> Result:
    try:
        return job.function(*job.args), None
    except BaseException as error:
        return None, error
