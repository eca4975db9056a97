"""What may outlast a block: the block itself, connections, threads and tasks."""

import contextlib
import gc
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

from pytest_smtpd import Call, SMTPServer, WaitTimeout
from pytest_smtpd.clock import monotonic

if TYPE_CHECKING:
    import asyncio

    Task = asyncio.Task[Any]

_MOMENT: Final = 0.1  # seconds for the server to learn of what the garbage collection has closed
_GLANCE: Final = 0.1  # seconds between two looks at a block that runs: its limit grows with its connections
_NUMBER: Final = re.compile(r"[-_]\d+")
_NOT_THE_BLOCKS: Final = "asyncio_"  # the threads in which a loop resolves names live as long as the loop


class Watchdog:
    """Calls ``act`` when a block takes too long; its thread lives as long as the block.

    ``limit`` gives the seconds that the block may take, and is called repeatedly: its value may grow and shrink.
    """

    def __init__(self, act: Callable[[], object]) -> None:
        self.barked: bool = False
        self._act = act
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._limit: Callable[[], float] | None = None
        self._began = 0.0

    def watch(self, limit: Callable[[], float]) -> None:
        """The block begins."""
        self.barked, self._limit, self._began = False, limit, monotonic()
        self._thread = threading.Thread(target=self._run, name="smtpd sweep", daemon=True)
        self._thread.start()

    def rest(self) -> float:
        """The block has ended, if there was one; the seconds that it took."""
        seconds, thread, self._thread = monotonic() - self._began, self._thread, None
        with self._changed:
            self._limit = None
            self._changed.notify()
        if thread is not None:
            thread.join()
        return seconds

    def _run(self) -> None:
        with self._changed:
            while self._limit is not None:
                left = self._limit() - (monotonic() - self._began)
                if left > 0:
                    self._changed.wait(min(left, _GLANCE))
                    continue
                self.barked, self._limit = True, None
                self._act()


class Leftovers:
    """The threads, tasks and connections that outlast a block."""

    def __init__(self, server: SMTPServer) -> None:
        self._server = server
        self._threads = set(threading.enumerate())
        self._tasks = _tasks()

    def threads(self) -> list[threading.Thread]:
        """Those that the block has begun; not those of the server."""
        own = f"{self._server.name} "
        return [
            thread
            for thread in threading.enumerate()
            if thread not in self._threads and not thread.name.startswith((own, _NOT_THE_BLOCKS))
        ]

    def tasks(self) -> "set[Task]":
        """Those that the block has begun."""
        return _tasks() - self._tasks

    def connections(self) -> int:
        """How many are open."""
        return sum(not session.closed for session in self._server.log.sessions())

    def pauses(self, seconds: float) -> float:
        """How long there was no connection after the first: a queue waits between its attempts.

        If there is none now, ``seconds`` more.
        """
        calls: dict[int, list[Call]] = {}
        for call in self._server.log.calls():
            calls.setdefault(id(call.session), []).append(call)
        paused, end = 0.0, None
        for one in calls.values():
            if end is not None:
                paused += max(0.0, one[0].at - end)
            end = max(end or 0.0, one[-1].at)
        return paused if self.connections() else paused + seconds

    def in_words(self) -> list[str]:
        """Everything that is still there, without numbers that differ from run to run."""
        names = [
            *("a connection" for _ in range(self.connections())),
            *(f"the thread {_name(thread.name)!r}" for thread in self.threads()),
            *(f"the task {_name(task.get_name())!r}" for task in self.tasks()),
        ]
        return sorted(set(names))

    def wait(self, seconds: float) -> None:
        """Wait for the end of all of it, for at most this many seconds."""
        end = monotonic() + seconds
        self._wait_closed(seconds)
        for thread in self.threads():
            thread.join(max(0.0, end - monotonic()))

    async def wait_async(self, seconds: float) -> None:
        """The same in a running loop."""
        end = monotonic() + seconds
        with contextlib.suppress(WaitTimeout):
            await self._server.wait_closed_async(seconds)
        library: Any = sys.modules["asyncio" if _runs_asyncio() else "trio"]
        while (self.threads() or self.tasks()) and monotonic() < end:
            await library.sleep(0.005)

    def collect(self) -> None:
        """Have the garbage collected, and let the server learn of it."""
        with _without_warnings():
            gc.collect()
        self._wait_closed(_MOMENT)

    def _wait_closed(self, seconds: float) -> None:
        with contextlib.suppress(WaitTimeout):
            self._server.wait_closed(seconds)


def _name(given: str) -> str:
    """``Thread-12 (work)``, as Python calls threads by itself, without the number."""
    return _NUMBER.sub("", given)


def _runs_asyncio() -> bool:
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None


def _tasks() -> "set[Task]":
    """The unfinished tasks of the running loop, without the current one."""
    if not _runs_asyncio():
        return set()
    import asyncio

    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


@contextlib.contextmanager
def _without_warnings() -> Generator[None, None, None]:
    """Python does not warn of resources that the garbage collection closes: the sweep reports them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


@contextlib.contextmanager
def forgotten(port: int) -> Generator[list[str], None, None]:
    """Count the connections to this port that are closed in the block only because they are garbage-collected.

    Python's own warning about it is not shown: where warnings are errors, it would fail the test without naming the
    failure point, which the sweep does. All other warnings are shown as usual.
    """
    found: list[str] = []
    ours = re.compile(rf"unclosed <\S*socket\b(?:.* raddr=\('[^']*', {port}\b|(?!.* raddr=))", re.IGNORECASE)
    with warnings.catch_warnings():
        show = warnings.showwarning

        def count(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, ResourceWarning) and ours.match(str(message)):
                # Where a handshake is reset, Python's own ssl module forgets the socket that it has just made.
                if "ssl.SSLSocket" not in str(message) or "raddr=" in str(message):
                    found.append("a connection")
            else:
                show(message, category, *place, **more)

        warnings.showwarning = count
        warnings.filterwarnings("always", ours.pattern, ResourceWarning)
        try:
            yield found
        finally:
            warnings.showwarning = show


def let_go(error: BaseException) -> None:
    """Drop the tracebacks of an exception and of its causes: their frames would keep a connection alive.

    To clear the frames is not enough: a frame keeps its function alive, and a function the variables of its closure.
    """
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            if one.__traceback__ is not None:
                with _without_warnings():
                    traceback.clear_frames(one.__traceback__)
                    one.__traceback__ = None
            todo += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
