"""What a conversation waits for besides hooks: time, a client that does not read, the end of the connection."""

from pytest_smtpd.net.poller import Poller, Timer
from pytest_smtpd.turn import Resume


class Pause:
    """A wait for a number of seconds of the clock; ``skip`` ends it early, when the client has closed its side."""

    def __init__(self, poller: Poller, seconds: float) -> None:
        self._poller = poller
        self._seconds = seconds
        self._timer: Timer | None = None
        self._resume: Resume | None = None

    def begin(self, resume: Resume) -> None:
        """Start the wait; ``resume`` is called with None when it is over."""
        self._resume = resume
        self._timer = self._poller.later(self._seconds, self.skip)

    def skip(self) -> None:
        """End the wait now."""
        resume = self._resume
        self.cancel()
        if resume is not None:
            resume(None)

    def cancel(self) -> None:
        """Stop waiting: ``resume`` is not called."""
        self._resume = None
        if self._timer is not None:
            self._timer.cancel()


class Silence(Pause):
    """A wait until the client closes its side, or the server stops."""

    def __init__(self, poller: Poller) -> None:
        super().__init__(poller, 0.0)

    def begin(self, resume: Resume) -> None:
        """Start the wait; ``resume`` is called with None when it is over."""
        self._resume = resume


class Drain:
    """A wait until all that was written has been sent, or the client is gone."""

    def __init__(self) -> None:
        self._resume: Resume | None = None

    def begin(self, resume: Resume) -> None:
        """Start the wait; ``resume`` is called with None when it is over."""
        self._resume = resume

    def over(self) -> None:
        """End the wait: everything has been sent, or the client is gone."""
        if self._resume is not None:
            self._resume(None)

    def cancel(self) -> None:
        """Stop waiting: ``resume`` is not called."""
        self._resume = None
