"""The socket of one connection: hands on what arrives, and sends as fast as the client reads."""

import contextlib
import socket
import struct
from fcntl import ioctl
from termios import FIONREAD
from typing import Final, Protocol

from pytest_smtpd.net.poller import READ, WRITE, Poller, Served

_MOST: Final = 1 << 18  # bytes read at once
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: close() sends RST
_NONE: Final = struct.pack("i", 0)  # the FIONREAD of a socket without unread bytes


class Client(Protocol):
    """What a connection reports to, in the server's thread."""

    def received(self, data: bytes, /) -> None:
        """Bytes have arrived."""
        ...

    def finished(self) -> None:
        """The client has closed its side: it will send nothing more."""
        ...

    def unheard(self) -> None:
        """Not all of what was written last could be delivered."""
        ...

    def drained(self) -> None:
        """Everything that was written has been sent."""
        ...

    def lost(self, *, reset: bool) -> None:
        """The connection is gone, and nothing more can be read from it."""
        ...


class Transport(Served):
    """One TCP or Unix connection.

    ``unsent`` are the bytes that the kernel has not accepted yet, since the client reads too slowly. ``paused`` is
    whether reading is paused. ``was_reset`` is whether the client has reset the connection, which may be known before
    everything that it had sent is read.
    """

    def __init__(self, poller: Poller, sock: socket.socket, client: Client) -> None:
        self.was_reset: bool = False
        self.closed: bool = False
        self._poller = poller
        self._socket = sock
        self.client: Client = client
        self.unsent: bytearray = bytearray()
        self.paused: bool = False
        self._watched = 0  # the events for which the socket is registered with the poller
        self._empty = False  # the last recv() found nothing to read
        self._mute = self._ends = False  # what is written is dropped; FIN has to be sent after the unsent bytes

    # --- input ------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read what the client has sent already, although it should have waited. Costs one system call."""
        if not self.closed and not self.paused and ioctl(self._socket, FIONREAD, _NONE) != _NONE:
            self.ready(READ)

    def ready(self, events: int) -> None:
        """The socket is readable or writable: send unsent bytes, and read once."""
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
        """Read everything that the client has sent by now."""
        self._empty = False
        while not (self._empty or self.paused or self.closed):
            self.ready(READ)

    def pause_reading(self) -> None:
        """Stop reading: input stays in the kernel's buffer, and when that is full, the client has to wait."""
        self.paused = True
        self.watch()

    def resume_reading(self) -> None:
        """Start to read again."""
        self.paused = False
        self.watch()

    # --- output -----------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send these bytes, now or, where the kernel does not accept them yet, as soon as it does."""
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
        """Nothing could be sent. Returns 0, the number of bytes sent.

        If the kernel's buffer is full, the bytes are sent later. If the client is gone (EPIPE) or has reset the
        connection, everything that is written is dropped from now on, while what the client had sent before may still
        wait to be read.
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
        """Send FIN after all unsent bytes."""
        self._ends = True
        if not self.unsent:
            self._shut_down()

    def _shut_down(self) -> None:
        with contextlib.suppress(OSError):  # the client has reset the connection just now
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Send RST at once, and close the socket."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close(gracefully=False)

    def close(self, *, gracefully: bool = True) -> None:
        """Close the socket.

        ``gracefully`` shuts the connection down first, which ends it even if a forked child holds a copy of the socket.
        """
        if self.closed:
            return
        self.unsent.clear()
        self._end()
        if gracefully:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _lose(self) -> None:
        """The connection is lost: close the socket. ``lost`` is called after all that is ready now has been served."""
        unheard = bool(self.unsent)
        self.unsent.clear()
        self._end()
        if unheard:
            self.client.unheard()
        self._socket.close()
        self._poller.soon(lambda: self.client.lost(reset=self.was_reset))

    def _end(self) -> None:
        """Stop reading, writing and polling."""
        self._mute = self.paused = True
        self.watch()
        self.closed = True

    def abandon(self) -> None:
        """In the child of a fork: close our copy of the descriptor, and leave the connection alone."""
        self.closed = self._mute = True
        self._socket.close()

    def watch(self) -> None:
        """Register the socket with the poller for the events that matter now. The first call starts to read."""
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
