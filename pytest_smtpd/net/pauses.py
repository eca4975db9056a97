"""What a conversation waits for besides hooks: time, a client that does not read, the end of the connection."""

from pytest_smtpd.net.poller import Poller, Timer
from pytest_smtpd.turn import Resume


class Pause:
    """A number of seconds. The rest is skipped when the client has closed its side."""

    def __init__(self, poller: Poller, seconds: float) -> None:
        self._poller = poller
        self._seconds = seconds
        self._timer: Timer | None = None
        self._resume: Resume | None = None

    def begin(self, resume: Resume) -> None:
        """Begin to wait."""
        self._resume = resume
        self._timer = self._poller.later(self._seconds, self.skip)

    def skip(self) -> None:
        """End it now."""
        resume = self._resume
        self.cancel()
        if resume is not None:
            resume(None)

    def cancel(self) -> None:
        """Forget who waits."""
        self._resume = None
        if self._timer is not None:
            self._timer.cancel()


class Silence(Pause):
    """Until the client closes its side, or the server stops."""

    def __init__(self, poller: Poller) -> None:
        super().__init__(poller, 0.0)

    def begin(self, resume: Resume) -> None:
        """Begin to wait."""
        self._resume = resume


class Drain:
    """Until the client has taken what was sent, or never will."""

    def __init__(self) -> None:
        self._resume: Resume | None = None

    def begin(self, resume: Resume) -> None:
        """Begin to wait."""
        self._resume = resume

    def over(self) -> None:
        """End it: the client has taken everything, or is gone."""
        if self._resume is not None:
            self._resume(None)

    def cancel(self) -> None:
        """Forget who waits."""
        self._resume = None
