"""A running server, from its start to its stop: one socket, one thread, and the threads of its hooks."""

import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_smtpd import files
from pytest_smtpd.clock import Clock
from pytest_smtpd.conversation import Context, Conversation, fresh_ids
from pytest_smtpd.log.log import LogStore
from pytest_smtpd.net.listener import Listener
from pytest_smtpd.net.sockets import bind, bind_path
from pytest_smtpd.policy.executor import Executor
from pytest_smtpd.policy.responder import Server
from pytest_smtpd.policy.ruleset import RuleSet
from pytest_smtpd.settings import Settings

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")

_ALL_ADDRESSES = ("0.0.0.0", "::", "")


class Running:
    """Listens on ``port``, or on a Unix socket if the settings have a ``path``, and serves until it is stopped.

    ``settings`` returns the settings for a connection that begins now. Raises ``OSError`` if it cannot listen.
    """

    def __init__(
        self, settings: Callable[[], Settings], port: int, rules: RuleSet, log: LogStore, clock: Clock
    ) -> None:
        __tracebackhide__ = True
        first = settings()
        self.port: int = port
        self.path: str | None = None
        self._name = first.name
        self._folder: str | None = None  # the temporary folder around path, for path=True
        self._executor: Executor | None = None
        self._pid = os.getpid()
        sock, listener = self._bind(first), None
        try:
            local = sock.getsockname()
            if self.path is None:
                self.port = local[1]
            self._listener = listener = Listener(sock, self._name, log.errors.append, self._dismiss, clock)
            shared = Context(
                poller=listener.poller,
                policy=Server(rules, log, self._get_executor, listener.post),
                log=log,
                context=_server_context,
                gone=listener.gone,
                crashed=log.errors.append,
                local=None if self.path or local[0] in _ALL_ADDRESSES else local[:2],
                ids=fresh_ids(),
                clock=clock,
            )
            listener.start(lambda client, address: Conversation(shared, settings(), client, address))
        except BaseException as error:
            if listener is not None:
                listener.close()
            sock.close()
            self._remove_path()
            if isinstance(error, OSError):
                raise type(error)(error.errno, f"{self._name} cannot start: {error.strerror}") from None
            raise

    def _bind(self, settings: Settings) -> Any:
        __tracebackhide__ = True
        if settings.path is None:
            return bind(settings.host, self.port)
        path = settings.path
        if path is True:
            self._folder = files.make_folder("smtpd-")
            path = f"{self._folder}/smtpd.sock"
        try:
            sock = bind_path(path)
        except BaseException:
            self._remove_path()
            raise
        self.path = path
        return sock

    def _remove_path(self) -> None:
        for place in (self.path, self._folder):
            if place is not None:
                files.remove(place)

    def _get_executor(self) -> Executor:
        """The hook executor, which is created when a hook function runs for the first time."""
        if self._executor is None:
            self._executor = Executor(self._name, self._listener.post, self._listener.in_loop)
        return self._executor

    def _dismiss(self) -> tuple[list[threading.Thread], list[str]]:
        """End the hook threads. Returns those that are about to end, and the names of hooks that are still blocked."""
        executor, self._executor = self._executor, None
        return ([], []) if executor is None else executor.dismiss()

    def catch_up(self, *, hooks: bool = True) -> None:
        """Wait until everything that clients have sent by now has been processed.

        With ``hooks``, running hook functions that hold up further input are waited for as well.
        """
        in_hook = self._executor is not None and self._executor.runs_here  # a hook must not wait for itself
        self._listener.catch_up(hooks=hooks and not in_hook)

    def divide(self, action: Callable[[], object]) -> None:
        """Call ``action``, which replaces the log; what clients sent before is still recorded in the old log."""
        self._listener.divide(action)

    def advance(self, seconds: float) -> bool:
        """Move the clock forward by ``seconds``. Returns False, and does nothing, if the server has stopped.

        Raises ``RuntimeError`` in the server's own thread, which cannot wait for itself, and ``TimeoutError`` if that
        thread is blocked.
        """
        __tracebackhide__ = True
        if self._listener.runs_here:
            raise RuntimeError(
                "the clock cannot be moved in the server's own thread, by an async def hook or a when=; "
                "move it in the test, or in a def hook"
            )
        return self._listener.advance(seconds)

    def call(self, function: Callable[[], T]) -> T:
        """Call ``function`` in the server's thread, while nothing else is done there, and return its result."""
        return self._listener.call(function)

    def release(self) -> None:
        """Close the connections that hang because of a rule."""
        self._listener.release()

    def stop(self) -> list[str]:
        """End every connection and release the port. Returns the names of hooks that are still blocked.

        Raises ``RuntimeError`` if an ``async def`` hook of this server calls it.
        """
        if self._pid != os.getpid():
            return []
        if self._listener.runs_here:
            raise RuntimeError("an async def hook cannot stop its own server; it can drop its client: drop=True")
        blocked = self._listener.stop()
        self._remove_path()
        return blocked

    def forked(self) -> None:
        """In the child of a fork: close all copies of sockets."""
        self._listener.forked()


def _server_context(settings: Settings) -> "ssl.SSLContext":
    """The TLS context for a handshake that begins now."""
    if settings.ssl_context is not None:
        return settings.ssl_context
    from pytest_smtpd.certificates import authority

    names = (settings.host, settings.hostname)
    return authority().server_context(settings.certificate, settings.client_certificate, names)
