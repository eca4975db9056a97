"""Calls that other threads ask for and the server's thread makes."""

import os
import socket
import sys
import threading
from collections import deque
from typing import Final

from pytest_smtpd.net.poller import READ, Action, Poller, Served

_ONE: Final = (1).to_bytes(8, sys.byteorder)  # adds one to the counter of an eventfd, which wakes the poller


class Mailbox(Served):
    """Calls that other threads ask for and the server's thread makes."""

    # Kept in a class, where tools that patch modules and functions for a test do not look for them.
    _read = staticmethod(os.read)
    _write = staticmethod(os.write)
    _close = staticmethod(os.close)

    def __init__(self, poller: Poller) -> None:
        self._calls: deque[Action] = deque()
        self._lock = threading.Lock()
        self._is_open = True
        if hasattr(os, "eventfd"):  # cheaper than a pair of sockets
            self._fds: tuple[int, ...] = (os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC),)
        else:
            near, far = socket.socketpair()
            near.setblocking(False)
            self._fds = (near.detach(), far.detach())
        poller.register(self._fds[0], READ, self)

    def put(self, call: Action) -> None:
        """Let the server's thread make this call. Raises ``RuntimeError`` if the server has stopped."""
        with self._lock:
            if not self._is_open:
                raise RuntimeError("the server has stopped")
            self._calls.append(call)
            self._write(self._fds[-1], _ONE)

    def ready(self, events: int) -> None:
        """Make the calls that are waiting."""
        self._read(self._fds[0], 4096)
        while self._calls:
            self._calls.popleft()()

    def forked(self) -> None:
        """In the child of a fork: replace the lock, whose holder does not exist here, and close the descriptors."""
        self._lock = threading.Lock()
        self.close()

    def close(self) -> None:
        """Accept no further calls, and close the descriptors."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                for fd in self._fds:
                    self._close(fd)
