"""Waits for sockets and for time. Serves our own sockets itself; the rest is for an asyncio loop that may run on top.

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


# At run time new_poller adds the real one.
if TYPE_CHECKING:
    _Selector = selectors.DefaultSelector
else:
    _Selector = object


class Served:
    """What belongs to a socket of ours: ``ready`` is called in the server's thread when the socket is."""

    def ready(self, events: int) -> None:
        """It can be read, or written to."""
        raise NotImplementedError


class Timer:
    """A call that is due at some time. ``cancel`` takes it back."""

    __slots__ = ("action", "due")

    def __init__(self, due: float, action: Action) -> None:
        self.due: float = due
        self.action: Action | None = action

    def cancel(self) -> None:
        """It will not be called."""
        self.action = None


class Poller(_Selector):
    """A selector whose ``select`` serves sockets, and calls what is due. Made by ``new_poller``.

    ``crashed`` gets the exceptions of what it calls. ``in_turn`` is ``call_soon`` of the asyncio loop on top of it, if
    there is one. Timers go by ``clock``, which a test can move forward. ``rounds`` counts what has been done: while it
    grows, the server's thread is not blocked. ``asyncio`` is that module, if ``loop`` runs on top.
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
        """Call this after so many seconds."""
        timer = Timer(self._clock.monotonic() + seconds, action)
        heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets and time, serve ours, and return the others."""
        self.rounds += 1
        longest = 0 if self._soon else self._until_next(timeout) if self._timers else timeout
        ready = super().select(longest) if self.asyncio is None else self._wait_outside(longest)
        others = []
        if ready and timeout == 0 and self.in_turn is not None:
            # The loop has work that was there before; a client's reset must not overtake the first step of a hook.
            # Nor must a time-out overtake what a client has sent in time.
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
        """What is ready. Meanwhile our loop does not run: other greenlets of this thread may have their own."""
        self.leave_loop()
        try:
            return super().select(seconds)
        finally:
            self.enter_loop()

    def leave_loop(self) -> None:
        """From here on, the loop runs in this thread that ran here before ours: none, but for greenlets."""
        self.asyncio._set_running_loop(self._outer)

    def enter_loop(self) -> None:
        """From here on, ours does."""
        self._outer = self.asyncio._get_running_loop()
        self.asyncio._set_running_loop(self.loop)

    def _until_next(self, timeout: float | None) -> float:
        """How long to wait for the next timer, at most."""
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
        """Call what is due by now, in the order of time."""
        now = self._clock.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heappop(self._timers)[2]
            if timer.action is not None:
                self._call(timer.action)

    def advance(self, seconds: float) -> None:
        """Move the clock forward, from one timer that is due on the way to the next, and call each in its time.

        So what one of them starts, the next byte of a drip say, belongs to the same way if it is due on it.
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
        """How far the clock has to be moved, in all, to be at the next timer; None if there is none."""
        while self._timers and self._timers[0][2].action is None:
            heappop(self._timers)
        return self._timers[0][0] - monotonic() if self._timers else None

    def _call(self, action: Action) -> None:
        try:
            action()
        except Exception as error:
            self._crashed(error)


def new_poller(crashed: Callable[[BaseException], object], clock: Clock) -> Poller:
    """A poller on the best selector that there is now: gevent and eventlet bring one that lets others run meanwhile."""
    return _poller_class(selectors.DefaultSelector)(crashed, clock)


@cache
def _poller_class(selector: Any) -> type[Poller]:
    return type("Poller", (Poller, selector), {"__module__": __name__})
