"""Listening sockets. They are made in the caller's thread, so that a failure is an error there."""

import contextlib
import socket
from typing import Any, Final

from pytest_smtpd.smtp.values import endpoint

_BACKLOG: Final = 4096  # early and many clients wait here; a short queue costs them seconds


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, made in the caller's thread, so that a taken port is an ``OSError`` at once."""
    __tracebackhide__ = True
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return _listening(family, (host, port), endpoint(host, port))


def bind_path(path: str) -> socket.socket:
    """A listening Unix socket. Raises ``OSError`` if there is something at ``path`` already."""
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
        why = getattr(error, "strerror", None) or error
        raise OSError(getattr(error, "errno", None), f"smtpd cannot listen on {where}: {why}") from None
    listener.setblocking(False)
    return listener


def close_listener(sock: socket.socket) -> None:
    """Stop listening, for a child of a fork that still holds the socket too."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
