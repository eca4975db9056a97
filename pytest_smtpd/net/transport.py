"""The socket of one connection: hands on what arrives, and sends as fast as the client reads."""

import contextlib
import socket
import struct
from fcntl import ioctl
from termios import FIONREAD
from typing import Final, Protocol

from pytest_smtpd.net.poller import READ, WRITE, Poller, Served

_MOST: Final = 1 << 18  # bytes read at once
_RESET: Final = struct.pack("ii", 1, 0)
_NONE: Final = struct.pack("i", 0)


class Client(Protocol):
    """What a connection reports to, in the server's thread."""

    def received(self, data: bytes, /) -> None:
        """Bytes have arrived."""
        ...

    def finished(self) -> None:
        """The client has closed its side: it will send nothing more."""
        ...

    def unheard(self) -> None:
        """What was written last could not be delivered whole."""
        ...

    def drained(self) -> None:
        """The client has taken everything that was written."""
        ...

    def lost(self, *, reset: bool) -> None:
        """The connection is gone, and nothing more can be read from it."""
        ...


class Transport(Served):
    """One TCP or Unix connection.

    ``unsent`` are the bytes that the client has not taken yet. ``paused`` is whether what it sends is left where it
    is. ``was_reset`` is whether it has reset the connection, which may be known before all that it had sent is read.
    """

    def __init__(self, poller: Poller, sock: socket.socket, client: Client) -> None:
        self.was_reset: bool = False
        self.closed: bool = False
        self._poller = poller
        self._socket = sock
        self.client: Client = client
        self.unsent: bytearray = bytearray()
        self.paused: bool = False
        self._watched = 0
        self._empty = False  # nothing more has arrived
        self._mute = self._ends = False

    # --- what comes -------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take what the client has sent already, although it should have waited. Costs one system call."""
        if not self.closed and not self.paused and ioctl(self._socket, FIONREAD, _NONE) != _NONE:
            self.ready(READ)

    def ready(self, events: int) -> None:
        """The socket can be read, or written to."""
        if events & WRITE and self.unsent:
            self._send_rest()
        if not events & READ or self.paused or self.closed:
            return
        try:
            data = self._socket.recv(_MOST)
        except (BlockingIOError, InterruptedError):
            self._empty = True
        except OSError:
            self.was_reset = True
            self._lose()
        else:
            if data:
                self.client.received(data)
            else:
                self.pause_reading()
                self.client.finished()

    def read_all(self) -> None:
        """Take all that the client has sent by now."""
        self._empty = False
        while not (self._empty or self.paused or self.closed):
            self.ready(READ)

    def pause_reading(self) -> None:
        """Leave what comes in the kernel's buffer."""
        self.paused = True
        self.watch()

    def resume_reading(self) -> None:
        """Read again what comes."""
        self.paused = False
        self.watch()

    # --- what goes --------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send this; what the client does not take yet, later."""
        if self._mute or not data:
            return
        if not self.unsent:
            try:
                sent = self._socket.send(data)
            except OSError as error:
                sent = self._failed(error)
            if sent == len(data) or self._mute:
                return
            data = data[sent:]
        self.unsent += data
        self.watch()

    def _send_rest(self) -> None:
        try:
            sent = self._socket.send(self.unsent)
        except OSError as error:
            sent = self._failed(error)
        del self.unsent[:sent]
        if self.unsent or self._mute:
            return
        self.watch()
        if self._ends:
            self._shut_down()
        self.client.drained()

    def _failed(self, error: OSError) -> int:
        """Nothing could be sent: the client does not read now, or never will again.

        A client that is gone (EPIPE), or has reset the connection, hears nothing any more. What it had sent before may
        still wait to be read.
        """
        if isinstance(error, BlockingIOError | InterruptedError):
            return 0
        self.was_reset = self.was_reset or not isinstance(error, BrokenPipeError)
        self._mute = True
        self.unsent.clear()
        self.watch()
        self.client.unheard()
        return 0

    # --- the end ----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """FIN, behind everything else."""
        self._ends = True
        if not self.unsent:
            self._shut_down()

    def _shut_down(self) -> None:
        with contextlib.suppress(OSError):  # the client has reset the connection just now
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST, now."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close(gracefully=False)

    def close(self, *, gracefully: bool = True) -> None:
        """Close the socket, for a child of a fork that still holds it too."""
        if self.closed:
            return
        self.unsent.clear()
        self._end()
        if gracefully:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _lose(self) -> None:
        """Nothing can be read any more. This is reported later, when the present turn is over."""
        unheard = bool(self.unsent)
        self.unsent.clear()
        self._end()
        if unheard:
            self.client.unheard()
        self._socket.close()
        self._poller.soon(lambda: self.client.lost(reset=self.was_reset))

    def _end(self) -> None:
        self._mute = self.paused = True
        self.watch()
        self.closed = True

    def abandon(self) -> None:
        """In the child of a fork: close our copy of the descriptor, and leave the connection alone."""
        self.closed = self._mute = True
        self._socket.close()

    def watch(self) -> None:
        """Have the poller look for what matters now; from the first call on, the client is listened to."""
        if self.closed:
            return
        wanted = (WRITE if self.unsent else 0) | (0 if self.paused else READ)
        if wanted == self._watched:
            return
        if not wanted:
            self._poller.unregister(self._socket)
        elif not self._watched:
            self._poller.register(self._socket, wanted, self)
        else:
            self._poller.modify(self._socket, wanted, self)
        self._watched = wanted
