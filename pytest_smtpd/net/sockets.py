"""Listening sockets. They are created in the thread of the caller, which gets the error if that fails."""

import contextlib
import socket
from typing import Any, Final

from pytest_smtpd.smtp.values import endpoint

# Clients wait in a queue of this length to be accepted. Where it is full, they try again only after seconds.
_BACKLOG: Final = 4096


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises ``OSError`` if the port is taken, ``RuntimeError`` if sockets are blocked."""
    __tracebackhide__ = True
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return _listening(family, (host, port), endpoint(host, port))


def bind_path(path: str) -> socket.socket:
    """A listening Unix socket. Raises ``OSError`` if ``path`` exists, ``RuntimeError`` if sockets are blocked."""
    __tracebackhide__ = True
    return _listening(socket.AF_UNIX, path, path)


def _listening(family: int, address: Any, where: str) -> socket.socket:
    __tracebackhide__ = True
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except RuntimeError as blocked:
        raise RuntimeError(
            f"smtpd cannot open a socket ({type(blocked).__name__}): with pytest-socket, allow it with "
            "--allow-hosts=127.0.0.1 or @pytest.mark.enable_socket"
        ) from None
    except OSError as error:
        raise type(error)(error.errno, f"smtpd cannot open a socket: {error.strerror or error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        problem = f"smtpd cannot listen on {where}: {getattr(error, 'strerror', None) or error}"
        number = getattr(error, "errno", None) or 0
        raise (OSError(number, problem) if number > 0 else OSError(problem)) from None  # a wrong name has no errno
    listener.setblocking(False)
    return listener


def close_listener(sock: socket.socket) -> None:
    """Stop listening, even if a forked child still holds a copy of the socket."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
