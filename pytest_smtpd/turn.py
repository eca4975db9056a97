"""Turns: work that takes time, as a generator that yields what it waits for.

Most of what a server does takes no time, and is done at once. If something has to be waited for (a hook, a delay, a
client that does not read), the rest of the work is a generator. It yields a ``Wait``, and is resumed with the result of
that wait.
"""

from collections.abc import Callable, Generator
from typing import Any, Protocol

Resume = Callable[[Any], None]


class Wait(Protocol):
    """Something that has to be waited for. Its result is passed to the ``resume`` function that ``begin`` gets."""

    def begin(self, resume: Resume, /) -> None:
        """Start the wait; when it is over, ``resume`` is called with its result, in the server's thread."""
        ...

    def cancel(self) -> None:
        """Stop waiting: the result, when it comes, is dropped."""
        ...


Steps = Generator[Wait, Any, None]


class Turn:
    """Runs the generators of one connection, one at a time.

    ``busy`` is whether a generator has begun and not ended, ``wait`` what it waits for at present. ``when_over`` is
    called each time after a generator was resumed and has ended or waits again, ``crashed`` with the exception that a
    generator raises.
    """

    def __init__(self, when_over: Callable[[], object], crashed: Callable[[BaseException], object]) -> None:
        self.busy: bool = False
        self.wait: Wait | None = None
        self._steps: Steps | None = None
        self._when_over = when_over
        self._crashed = crashed

    def run(self, steps: Steps) -> None:
        """Run a generator up to its first wait; the results of its waits resume it."""
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
        """The generator has ended: clear the state, unless it has started another generator."""
        if self._steps is steps:
            self.busy, self._steps = False, None

    def cancel(self) -> None:
        """Cancel the present wait, and close the generator: the rest of its work is not done."""
        wait, steps = self.wait, self._steps
        self.busy, self.wait, self._steps = False, None, None
        if wait is not None:
            wait.cancel()
        if steps is not None:
            steps.close()
