"""The selector of the server's thread, which waits for sockets and timers.

It serves the server's own sockets itself. Events of other sockets are for an asyncio loop that may run on top of it.
Without asyncio, calling ``select`` again and again is all that a server does. An asyncio loop that is made with this
selector calls it as well, so both kinds of work share one thread and one wait.
"""

import selectors
from collections.abc import Callable
from functools import cache
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from pytest_smtpd.clock import Clock, monotonic

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE
Action = Callable[[], object]


# At run time, new_poller() adds the real base class, which gevent and eventlet replace.
if TYPE_CHECKING:
    _Selector = selectors.DefaultSelector
else:
    _Selector = object


class Served:
    """The object behind one of the server's own sockets, with which the socket is registered."""

    def ready(self, events: int) -> None:
        """The socket is readable (``READ``) or writable (``WRITE``). Called in the server's thread."""
        raise NotImplementedError


class Timer:
    """A call that is due at a time of the clock, unless it is cancelled before."""

    __slots__ = ("action", "due")

    def __init__(self, due: float, action: Action) -> None:
        self.due: float = due
        self.action: Action | None = action

    def cancel(self) -> None:
        """Do not make the call."""
        self.action = None


class Poller(_Selector):
    """A selector whose ``select`` also serves the server's sockets and makes the calls of timers.

    It is made by ``new_poller``. ``crashed`` is called with each exception that a call raises. Timers use ``clock``,
    which a test can move forward. ``rounds`` counts the calls of ``select`` and the events that were processed: while
    it grows, the server's thread is not blocked. If an asyncio loop runs on top, ``loop`` is that loop, ``in_turn`` its
    ``call_soon``, and ``asyncio`` the module.
    """

    def __init__(self, crashed: Callable[[BaseException], object], clock: Clock) -> None:
        super().__init__()
        self.in_turn: Callable[..., object] | None = None
        self.rounds: int = 0
        self.asyncio: Any = None
        self.loop: Any = None
        self._outer: Any = None
        self._clock = clock
        self._crashed = crashed
        self._soon: list[Action] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = count()

    def soon(self, action: Action) -> None:
        """Call this when all that is ready now has been served."""
        self._soon.append(action)

    def later(self, seconds: float, action: Action) -> Timer:
        """Call this after a number of seconds of the clock."""
        timer = Timer(self._clock.monotonic() + seconds, action)
        heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets and timers, serve the server's own, and return the events of other sockets, for asyncio."""
        self.rounds += 1
        longest = 0 if self._soon else self._until_next(timeout) if self._timers else timeout
        ready = super().select(longest) if self.asyncio is None else self._wait_outside(longest)
        others = []
        if ready and timeout == 0 and self.in_turn is not None:
            # The loop has callbacks from before, so ours queue up behind them: a client's reset must not overtake the
            # first step of a hook, nor must a timeout overtake what a client has sent in time.
            self.in_turn(self._serve, [one for one in ready if isinstance(one[0].data, Served)])
            return [one for one in ready if not isinstance(one[0].data, Served)]
        for key, events in ready:
            if isinstance(key.data, Served):
                try:
                    key.data.ready(events)
                except Exception as error:
                    self._crashed(error)
            else:
                others.append((key, events))
        if self._soon:
            self._call_soon()
        if self._timers:
            self.call_due()
        return others

    def _wait_outside(self, seconds: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets; meanwhile our loop is not the running loop of this thread.

        With gevent or eventlet, other greenlets run in this thread during the wait, and may run loops of their own.
        """
        self.leave_loop()
        try:
            return super().select(seconds)
        finally:
            self.enter_loop()

    def leave_loop(self) -> None:
        """Make the loop that ran before ours the running loop of this thread again: None, except with greenlets."""
        self.asyncio._set_running_loop(self._outer)

    def enter_loop(self) -> None:
        """Make our loop the running loop of this thread, and remember which one was."""
        self._outer = self.asyncio._get_running_loop()
        self.asyncio._set_running_loop(self.loop)

    def _until_next(self, timeout: float | None) -> float:
        """The seconds until the next timer is due, but not more than ``timeout``."""
        seconds = max(0.0, self._timers[0][0] - self._clock.monotonic())
        return seconds if timeout is None else min(seconds, timeout)

    def _serve(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, events in ready:
            self._call(lambda key=key, events=events: key.data.ready(events))  # type: ignore[misc]
        self._call_soon()
        self.call_due()

    def _call_soon(self) -> None:
        actions, self._soon = self._soon, []
        for action in actions:
            self._call(action)

    def call_due(self) -> None:
        """Make the calls of all timers that are due by now, in chronological order."""
        now = self._clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heappop(self._timers)[2]
            if timer.action is not None:
                self._call(timer.action)

    def advance(self, seconds: float) -> None:
        """Move the clock forward by ``seconds``, but stop at each timer on the way and make its call there.

        So a timer that such a call starts, for the next byte of a drip for example, is on the way as well, if it is due
        within that time.
        """
        clock = self._clock
        end = clock.skipped + seconds
        while True:
            while self._soon:
                self._call_soon()
            skipped = self._until_due()
            if skipped is None or skipped > end:
                break
            clock.skipped = max(clock.skipped, skipped)
            self.call_due()
        clock.skipped = end

    def _until_due(self) -> float | None:
        """The value of ``clock.skipped`` at which the next timer is due; None if there is no timer."""
        while self._timers and self._timers[0][2].action is None:
            heappop(self._timers)
        return self._timers[0][0] - monotonic() if self._timers else None

    def _call(self, action: Action) -> None:
        try:
            action()
        except Exception as error:
            self._crashed(error)


def new_poller(crashed: Callable[[BaseException], object], clock: Clock) -> Poller:
    """A poller on the present ``DefaultSelector``: that of gevent or eventlet lets other greenlets run meanwhile."""
    return _poller_class(selectors.DefaultSelector)(crashed, clock)


@cache
def _poller_class(selector: Any) -> type[Poller]:
    return type("Poller", (Poller, selector), {"__module__": __name__})
