"""Calls from other threads, made in the server's thread."""

import os
import socket
import sys
import threading
from collections import deque
from typing import Final

from pytest_smtpd.net.poller import READ, Action, Poller, Served

_ONE: Final = (1).to_bytes(8, sys.byteorder)  # what an eventfd counts


class Mailbox(Served):
    """Calls from other threads, made in the server's thread."""

    # Taken here, where no tool that replaces modules and functions for a test looks for them.
    _read = staticmethod(os.read)
    _write = staticmethod(os.write)
    _close = staticmethod(os.close)

    def __init__(self, poller: Poller) -> None:
        self._calls: deque[Action] = deque()
        self._lock = threading.Lock()
        self._is_open = True
        if hasattr(os, "eventfd"):  # half the price of a pair of sockets
            self._fds: tuple[int, ...] = (os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC),)
        else:
            near, far = socket.socketpair()
            near.setblocking(False)
            self._fds = (near.detach(), far.detach())
        poller.register(self._fds[0], READ, self)

    def put(self, call: Action) -> None:
        """Have this called. Raises ``RuntimeError`` if the server has stopped."""
        with self._lock:
            if not self._is_open:
                raise RuntimeError("the server has stopped")
            self._calls.append(call)
            self._write(self._fds[-1], _ONE)

    def ready(self, events: int) -> None:
        """Make the calls that have come."""
        self._read(self._fds[0], 4096)
        while self._calls:
            self._calls.popleft()()

    def forked(self) -> None:
        """In the child of a fork: whoever held the lock was a thread that is not here."""
        self._lock = threading.Lock()
        self.close()

    def close(self) -> None:
        """Take no further calls."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                for fd in self._fds:
                    self._close(fd)
