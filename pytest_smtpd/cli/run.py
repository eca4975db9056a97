"""The program: start, show what happens, and end on a signal."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Generator, Mapping, Sequence
from io import TextIOWrapper
from shlex import quote
from typing import TYPE_CHECKING, Final

from pytest_smtpd.cli.follow import Follower, Mail, Shown
from pytest_smtpd.cli.options import Options, fail, read
from pytest_smtpd.clock import monotonic
from pytest_smtpd.server import SMTPServer
from pytest_smtpd.smtp.session import Envelope
from pytest_smtpd.smtp.values import printable

if TYPE_CHECKING:
    from pathlib import Path

_TAKEN: Final = (errno.EADDRINUSE, errno.EACCES)
_COLOURS: Final[Mapping[str, str]] = {
    "heading": "1",
    "C": "36",
    "S": "0",
    "refused": "1;31",
    "-": "33",
    "mail": "1;32",
    "by": "35",
}
_FEW: Final = 50  # mails of which a page is quickly written
_SHARE: Final = 10  # the page is not written again before this many times what the last writing took


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal comes. Returns the exit code."""
    bell = Bell()
    try:
        return _serve(read(arguments), bell)
    except BrokenPipeError:  # whoever read the output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        bell.close()


def _serve(options: Options, bell: "Bell") -> int:
    server = _start(options)
    try:
        saver = Saver(server, options.save)
        printer = Printer(server)
        server._store.changes.listen(bell.ring)
        bell.ring()  # a client may have been there before
        printer.welcome()
        while not bell.stopped:
            bell.wait(saver.due())
            printer.show_news(saver)
            saver.refresh()
    finally:
        server.stop()
    printer.show_news(saver)
    saver.write()
    return 0


def _start(options: Options) -> SMTPServer:
    """A running server. Ends the program where that cannot be."""
    try:
        return SMTPServer(on=options.rules, **options.settings).start()
    except (TypeError, ValueError) as error:
        fail(str(error))
    except OSError as error:
        hint = " - try --port 0 for a free port" if error.errno in _TAKEN and "path" not in options.settings else ""
        fail(f"{error.strerror or error}{hint}")


class Bell:
    """Wakes the main thread, which waits at a pipe: when the log has changed, and when a signal has come.

    ``stopped`` is whether a signal has asked for the end.
    """

    def __init__(self) -> None:
        self.stopped: bool = False
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it
            numbers.append(signal.SIGHUP)
        self._before = {number: signal.signal(number, self._stop) for number in numbers}
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def _stop(self, number: int, frame: object) -> None:
        self.stopped = True

    def ring(self) -> None:
        """Wake it, from any thread."""
        with contextlib.suppress(OSError):  # a full pipe wakes it as well
            os.write(self._writer, b"!")

    def wait(self, seconds: float | None) -> None:
        """Wait until it rings, for at most this many seconds."""
        import select

        if not self.stopped:
            select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 65536)

    def close(self) -> None:
        """Let signals do what they did before."""
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)


class Saver:
    """Keeps a folder up to date, without spending more than a small part of its time on it.

    Every mail is written as it comes; the transcript and the page, which contain all of them, when there is time.
    """

    def __init__(self, server: SMTPServer, folder: str | None) -> None:
        self._server = server
        self._folder = folder
        self._changed = False
        self._next = 0.0
        if folder is not None:
            try:
                server.save(folder)
            except OSError as error:
                fail(f"--save {folder}: {error.strerror or error} - name a folder that can be written")

    def due(self) -> float | None:
        """How long nothing is to be done; None for as long as nothing happens."""
        return max(0.0, self._next - monotonic()) if self._changed else None

    def mail(self, number: int, envelope: Envelope) -> "Path | None":
        """Write a mail that has come. Returns its path."""
        if self._folder is None:
            return None
        from pathlib import Path

        path = Path(self._folder, f"{number}.eml")
        with _reported(path):
            envelope.save(path)
        return path

    def changed(self, mails: int) -> None:
        """Something has happened, which is to be written when there is time; of the first mails, at once."""
        self._changed = self._folder is not None
        if 0 < mails <= _FEW:
            self.write()
        self.refresh()

    def refresh(self) -> None:
        """Write what has happened, if that is due."""
        if self._changed and monotonic() >= self._next:
            self.write()

    def write(self) -> None:
        """Write everything now."""
        if self._folder is None:
            return
        begin = monotonic()
        with _reported(self._folder):
            self._server.save(self._folder)
        self._changed = False
        self._next = monotonic() + _SHARE * (monotonic() - begin)


@contextlib.contextmanager
def _reported(path: object) -> Generator[None]:
    """A disk that is full ends nothing."""
    try:
        yield
    except OSError as error:
        sys.stderr.write(f"{path} could not be written: {error.strerror or error}\n")


class Printer:
    """Writes to a terminal in colour, and to anything else without."""

    def __init__(self, server: SMTPServer) -> None:
        self._out = out = sys.stdout
        if isinstance(out, TextIOWrapper):
            out.reconfigure(errors="backslashreplace")
        self._server = server
        self._follower = Follower(server._store)
        self._coloured = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def welcome(self) -> None:
        """The address of the server, and commands to paste into another terminal."""
        server = self._server
        environment = server.env if server.settings.tls is not None else server.address_env
        lines = [f"  export {name}={quote(value)}" for name, value in environment.items()]
        self._print(Shown("heading", f"listening on {server.url} (Ctrl-C ends it)"))
        self._print(Shown("S", "\n".join(["", *lines, ""])))
        self._out.flush()

    def show_news(self, saver: Saver) -> None:
        """Print what has happened since the last time."""
        news = self._server.between_turns(self._follower.news)
        mails = [one for one in news if isinstance(one, Mail)]
        paths = {one.number: saver.mail(*one) for one in mails}
        if news:
            saver.changed(mails[-1].number if mails else 0)  # first, so that whoever reads of a mail finds it there
        for one in news:
            self._print(Shown("mail", _about(*one, paths[one.number])) if isinstance(one, Mail) else one)
        self._out.flush()

    def _print(self, line: Shown) -> None:
        by = f"   by {line.by}" if line.by else ""
        self._out.write(f"{self._painted(line.kind, line.text)}{self._painted('by', by) if by else ''}\n")

    def _painted(self, kind: str, text: str) -> str:
        return f"\033[{_COLOURS[kind]}m{text}\033[0m" if self._coloured and text else text


def _about(number: int, envelope: Envelope, path: object) -> str:
    recipients = ", ".join(envelope.rcpt_to) or "nobody"
    subject = "" if envelope.subject is None else f" {envelope.subject!r}"
    saved = "" if path is None else f", saved as {path}"
    return printable(
        f"mail {number} from {envelope.mail_from or '<>'} to {recipients}{subject}, {envelope.size} bytes{saved}"
    )
