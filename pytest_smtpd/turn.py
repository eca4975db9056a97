"""Turns: work that takes time, as a generator that yields what it waits for.

Most of what a server does takes no time, and is done at once. Where something has to be waited for (a hook, a delay, a
client that does not read), the rest of it is a generator. It yields a ``Wait``, and is resumed with its result.
"""

from collections.abc import Callable, Generator
from typing import Any, Protocol

Resume = Callable[[Any], None]


class Wait(Protocol):
    """Something that has to be waited for. ``begin`` starts it, and gets a function to call with its result."""

    def begin(self, resume: Resume, /) -> None:
        """Start it; when it is over, ``resume`` is called in the server's thread with its result."""
        ...

    def cancel(self) -> None:
        """The waiter has given up."""
        ...


Steps = Generator[Wait, Any, None]


class Turn:
    """Runs one generator after the other, each to its end.

    ``busy`` is whether one is under way, and ``wait`` what it waits for. ``when_over`` is called after a turn that had
    to wait, ``crashed`` with what a turn raises.
    """

    def __init__(self, when_over: Callable[[], object], crashed: Callable[[BaseException], object]) -> None:
        self.busy: bool = False
        self.wait: Wait | None = None
        self._steps: Steps | None = None
        self._when_over = when_over
        self._crashed = crashed

    def run(self, steps: Steps) -> None:
        """Continue with this, as far as it need not wait."""
        self.busy, self._steps = True, steps
        self._step(steps, None)

    def _resume(self, value: Any) -> None:
        if self._steps is not None:
            self._step(self._steps, value)
            self._when_over()

    def _step(self, steps: Steps, value: Any) -> None:
        self.wait = None
        try:
            wait = steps.send(value)
        except StopIteration:
            self._end(steps)
        except Exception as error:
            self._end(steps)
            self._crashed(error)
        else:
            self.wait = wait
            wait.begin(self._resume)

    def _end(self, steps: Steps) -> None:
        """This turn is over; it may have begun another one."""
        if self._steps is steps:
            self.busy, self._steps = False, None

    def cancel(self) -> None:
        """The waiter has given up the rest."""
        wait, steps = self.wait, self._steps
        self.busy, self.wait, self._steps = False, None, None
        if wait is not None:
            wait.cancel()
        if steps is not None:
            steps.close()
