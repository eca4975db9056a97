"""A running server, from its start to its stop: one socket, one thread, and the threads of its hooks."""

import contextlib
import os
import shutil
import ssl
import tempfile
import threading
from collections.abc import Callable
from typing import Any

from pytest_smtpd.clock import Clock
from pytest_smtpd.conversation import Context, Conversation, fresh_ids
from pytest_smtpd.log.log import LogStore
from pytest_smtpd.net.listener import Listener
from pytest_smtpd.net.sockets import bind, bind_path
from pytest_smtpd.policy.executor import Executor
from pytest_smtpd.policy.responder import Server
from pytest_smtpd.policy.ruleset import RuleSet
from pytest_smtpd.settings import Settings

_ALL_ADDRESSES = ("0.0.0.0", "::", "")


class Running:
    """Listens at ``port`` or at ``path``, and serves, until it is stopped. Raises ``OSError`` if it cannot.

    ``settings`` gives those for a connection that begins now.
    """

    def __init__(
        self, settings: Callable[[], Settings], port: int, rules: RuleSet, log: LogStore, clock: Clock
    ) -> None:
        __tracebackhide__ = True
        first = settings()
        self.port: int = port
        self.path: str | None = None
        self._name = first.name
        self._folder: str | None = None  # of our own, around the path
        self._executor: Executor | None = None
        self._pid = os.getpid()
        sock = self._bind(first)
        try:
            self._listener = listener = Listener(sock, self._name, log.errors.append, self._dismiss, clock)
            local = sock.getsockname()
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
        except BaseException:
            sock.close()
            self._remove_path()
            raise

    def _bind(self, settings: Settings) -> Any:
        __tracebackhide__ = True
        if settings.path is None:
            sock = bind(settings.host, self.port)
            self.port = sock.getsockname()[1]
            return sock
        path = settings.path
        if path is True:
            self._folder = tempfile.mkdtemp(prefix="smtpd-")
            path = f"{self._folder}/smtpd.sock"
        try:
            sock = bind_path(path)
        except BaseException:
            self._remove_path()
            raise
        self.path = path
        return sock

    def _remove_path(self) -> None:
        if self.path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _get_executor(self) -> Executor:
        """Made when a hook function has to run for the first time."""
        if self._executor is None:
            self._executor = Executor(self._name, self._listener.post, self._listener.in_loop)
        return self._executor

    def _dismiss(self) -> tuple[list[threading.Thread], list[str]]:
        executor, self._executor = self._executor, None
        return ([], []) if executor is None else executor.dismiss()

    def catch_up(self) -> None:
        """Wait until all that clients have sent by now has come to its rules and hooks."""
        self._listener.catch_up()

    def advance(self, seconds: float) -> bool:
        """Move the clock forward; whether the server was still there to do it.

        Raises ``RuntimeError`` in the server's own thread, which cannot wait for itself.
        """
        __tracebackhide__ = True
        if self._listener.runs_here:
            raise RuntimeError(
                "the clock cannot be moved in the server's own thread, by an async def hook or a when=; "
                "move it in the test, or in a def hook"
            )
        return self._listener.advance(seconds)

    def stop(self) -> list[str]:
        """End every connection and release the port; the names of hooks that are still blocked.

        Raises ``RuntimeError`` in an ``async def`` hook of this very server.
        """
        if self._pid != os.getpid():
            return []
        if self._listener.runs_here:
            raise RuntimeError("an async def hook cannot stop its own server; it can drop its client: drop=True")
        blocked = self._listener.stop()
        self._remove_path()
        return blocked

    def forked(self) -> None:
        """In the child of a fork: hold nothing open."""
        self._listener.forked()


def _server_context(settings: Settings) -> ssl.SSLContext:
    """The TLS context for a handshake that begins now."""
    if settings.ssl_context is not None:
        return settings.ssl_context
    from pytest_smtpd.certificates import authority

    names = (settings.host, settings.hostname)
    return authority().server_context(settings.certificate, settings.client_certificate, names)
