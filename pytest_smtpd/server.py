"""SMTPServer: settings, rules, log and the running server in one object. Usable without pytest."""

import os
import threading
import warnings
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, cast, overload

from pytest_smtpd.clock import Clock
from pytest_smtpd.errors import WaitTimeout, add_note, no_attribute, no_container
from pytest_smtpd.log import explain
from pytest_smtpd.log.log import LogStore, traceback_of
from pytest_smtpd.log.query import Envelopes, Log, Waiter, select
from pytest_smtpd.log.waiting import wait_async
from pytest_smtpd.outcomes import as_test_error
from pytest_smtpd.policy.ruleset import RuleSet
from pytest_smtpd.rules.check import check_rule
from pytest_smtpd.rules.match import EnvelopeMatch, query_keys
from pytest_smtpd.rules.rule import (
    HookOptions,
    Rule,
    RuleArguments,
    RuleDecorator,
    as_rules,
    complete_already,
)
from pytest_smtpd.running import Running
from pytest_smtpd.settings import Settings, SettingsDict, SettingsError, SweepOptions, make_settings
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.session import Envelope
from pytest_smtpd.smtp.values import endpoint

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from pytest_smtpd import Sweep
    from pytest_smtpd.certificates import CA, Authority
    from pytest_smtpd.lint.finding import Lint


T = TypeVar("T")


class SMTPServer:
    """A real SMTP or LMTP server on a port of its own, in a thread of this process.

    ``with SMTPServer(...) as server:`` starts it, stops it, and raises the first exception of a hook. ``on`` are its
    rules, the nearest first; all other keywords are settings. Raises ``TypeError`` or ``ValueError`` with a one-line
    message for a wrong setting, and ``OSError`` from ``start()`` if the port is taken.
    """

    __module__ = "pytest_smtpd"

    if not TYPE_CHECKING:  # hidden from type checkers, so that they report unknown attributes
        __getattr__ = no_attribute
        __getitem__ = __len__ = no_container
        __bool__ = lambda self: True  # noqa: E731 - without it, bool(server) would call __len__, which raises

    def __init__(self, *, on: Iterable[Rule] = (), **settings: Unpack[SettingsDict]) -> None:
        __tracebackhide__ = True
        self.settings: Settings = _checked(make_settings(settings))
        self._first = self.settings
        #: The default timeout of every wait, in seconds: the ini option ``smtpd_timeout``, or 5 without pytest. It can
        #: be assigned.
        self.wait_timeout: float = 5.0
        self.strict_rules: bool = False  # whether rules added from now on have to be used
        self.clock: Clock = Clock()  #: The ``Clock`` that its waits and ``pytest_smtpd.limits`` use.
        self._store = LogStore()
        self._rules = RuleSet(rule.copy() for rule in as_rules(on))
        self.sweeps: list[Sweep] = []  # which have to be run to their end
        self._running: Running | None = None
        self._lock = threading.Lock()  # one start() or stop() at a time
        self._port = self.settings.port
        self._path: str | None = None
        self.log: Log = Log(self._store, lambda: self.wait_timeout)  #: The ``Log`` of everything that happened.
        #: The accepted envelopes, in order: a live, read-only sequence, equal to a list of the same ones.
        self.envelopes: Envelopes = Envelopes(self._store)
        self.errors: list[BaseException] = self._store.errors  # the hook errors, in order
        self.late_errors: list[BaseException] = self._store.late_errors  # of tests that had ended

    def __repr__(self) -> str:
        where = self.url if self._running else f"{self.url} stopped" if self._port or self._path else "not started"
        records = self._store.records
        counts = f"sessions={len(records.sessions)} envelopes={len(records.accepted)}"
        return f"<SMTPServer {self.name} {where} {counts}>"

    # --- start and stop ---------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen and serve; after ``stop()``, on the same port as before. Raises ``OSError`` if the port is taken."""
        __tracebackhide__ = True
        with self._lock:
            if self._running is None:
                self._running = Running(lambda: self.settings, self._port, self._rules, self._store, self.clock)
                self.clock.move = self._running.advance
                self._port, self._path = self._running.port, self._running.path
                _running.add(self)
        return self

    def stop(self) -> None:
        """End every connection and release the port, in milliseconds; nothing is left behind.

        A ``def`` hook that is still blocked is named in a ``RuntimeWarning``. Raises ``RuntimeError`` if an ``async
        def`` hook of this server calls it.
        """
        blocked: list[str] = []
        with self._lock:
            if self._running is not None:
                blocked = self._running.stop()
                self._running = self.clock.move = None
                _running.discard(self)
        if blocked:
            names = ", ".join(blocked)
            warnings.warn(
                f"{self.name}: a hook is still blocked after the server has stopped: {names}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _forked(self) -> None:
        """In the child of a fork: close copies of sockets, and replace locks that threads of the parent may hold."""
        self._lock = threading.Lock()
        self._store.changes.forked()
        self.clock.forked()
        self._rules.forked()
        if self._running is not None:
            self._running.forked()
            self._running = None

    def __enter__(self) -> Self:
        __tracebackhide__ = True
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self.stop()
        if error is None:
            self.verify()
            return
        for raised in self.errors:
            if raised is not error:
                add_note(error, f"{self.name}: a hook raised:\n{traceback_of(raised)}".rstrip())

    def clear(self) -> Log:
        """Forget what has been received and logged so far, and return it as a ``Log``.

        Rules, connections and exceptions of hooks stay. Everything that clients have sent by now is processed first;
        the outcome of a hook that is still pending belongs to the log that is returned.
        """
        self.catch_up()
        running, past = self._running, [self._store]
        if running is None:
            past[0] = self._store.clear()
        else:
            running.divide(lambda: past.__setitem__(0, self._store.clear()))
        return Log(past[0], lambda: self.wait_timeout)

    def end_test(self) -> Log:
        """``clear()`` at the end of a test, where the server goes on for other tests.

        Connections that hang are closed. What hooks of this test still raise does not fail another one: it is added to
        ``late_errors``.
        """
        if self._running is not None:
            self._running.release()
        records = self._store.records
        past = self.clear()
        records.over = True
        return past

    def catch_up(self) -> None:
        """Wait until everything that clients have sent by now has reached its rules and hooks."""
        self._catch_up(hooks=True)

    def _catch_up(self, *, hooks: bool) -> None:
        running = self._running
        if running is not None:
            running.catch_up(hooks=hooks)

    def between_turns(self, function: Callable[[], T]) -> T:
        """Call ``function`` while the server's thread does nothing else, so that the log is complete.

        Returns what ``function`` returns.
        """
        running = self._running
        return function() if running is None else running.call(function)

    def verify(self) -> None:
        """Raise the first exception, other than ``Reject``, that a hook raised; else what the ``lint`` setting finds.

        The latter is an ``AssertionError``, or with ``lint="warn"`` an ``SMTPLintWarning`` for each finding. Raises
        ``SweepFailure`` for a ``sweep()`` whose loop was left early, or never begun. Leaving a ``with`` block does
        this.
        """
        __tracebackhide__ = True
        if self.errors:
            raise as_test_error(self.errors[0])
        for sweep in self.sweeps:
            sweep.verify()
        if not self.settings.lint:
            return
        from pytest_smtpd.lint.report import failure, warnings_of

        self.catch_up()
        for warning in warnings_of(self.settings, self.log, self.name):
            warnings.warn(warning, stacklevel=2)
        problem = failure(self.settings, self.log, self.name)
        if problem:
            raise AssertionError(problem)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Apply these settings, over those that the server was made with, to connections that begin from now on.

        Raises ``ValueError`` for a setting that only counts when a server starts.
        """
        changed = _checked(make_settings(settings, self._first))
        for name in self._first.fixed_differences(changed):
            raise SettingsError(f"{name} cannot change on a running server", name)
        self.settings = changed

    @contextmanager
    def changed(self, **settings: Unpack[SettingsDict]) -> Generator[Self, None, None]:
        """Change settings for connections that begin while the block runs; after it, the previous ones apply again.

        Raises ``TypeError`` or ``ValueError`` with a one-line message for a wrong setting, and for ``host``,
        ``port`` and ``path``, which cannot change on a running server.
        """
        __tracebackhide__ = True
        before = self.settings
        for name in {"host", "port", "path"} & settings.keys():
            raise SettingsError(f"{name} cannot change on a running server", name)
        self.settings = make_settings(settings, before)
        try:
            yield self
        finally:
            self.settings = before

    def sweep(self, **options: Unpack[SweepOptions]) -> "Sweep":
        """Find out what an application does on every failure: ``for fault in server.sweep(): with fault: ...``.

        The end of the loop raises ``SweepFailure`` if there is a finding. Raises ``TypeError`` or
        ``ValueError`` with a one-line message for wrong options.
        """
        __tracebackhide__ = True
        from pytest_smtpd import Sweep

        sweep = Sweep(self, {}, name="server.sweep()")(**options)
        self.sweeps.append(sweep)
        return sweep

    def use_rules(self, rules: Iterable[Rule]) -> None:
        """Replace all rules of the server by these, nearest first. They are not copied."""
        self._rules.replace(rules)

    # --- address and environment ------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of the server in reports."""
        return self.settings.name

    @property
    def path(self) -> str | None:
        """The Unix socket on which it listens; None if it has a host and a port."""
        return self._path

    @property
    def host(self) -> str:
        """The host name or address on which it listens, or the path of its Unix socket."""
        return self.settings.host if self._path is None else self._path

    @property
    def port(self) -> int:
        """The port on which it listens, the same after ``stop()`` and ``start()``; 0 for a Unix socket.

        Raises ``RuntimeError`` as long as a free port is to be found by ``start()``: 0 is another port to many clients.
        """
        if self._path is not None:
            return 0
        if not self._port and self.settings.path is None:
            raise RuntimeError(f"{self.name} has no port yet; start it: 'with SMTPServer() as server:', or start()")
        return self._port

    @property
    def address(self) -> tuple[str, int]:
        """``(host, port)``, as ``socket.create_connection`` takes it; the path, a ``str``, for a Unix socket."""
        return cast("tuple[str, int]", self._path) if self._path is not None else (self.host, self.port)

    @property
    def url(self) -> str:
        """``smtp://host:port``; ``smtps://`` under implicit TLS, ``lmtp://`` for LMTP, ``lmtp+unix://`` for a path."""
        scheme = "lmtp" if self.settings.lmtp else "smtps" if self.settings.tls == "implicit" else "smtp"
        if self._path is not None:
            return f"{scheme}+unix://{self._path}"
        return f"{scheme}://{endpoint(self.settings.host, self.port)}"

    @property
    def _authority(self) -> "Authority":
        from pytest_smtpd.certificates import authority

        return authority()

    @property
    def ca(self) -> "CA":
        """The ``trustme.CA`` that signs the certificates of this process's servers."""
        return self._authority.ca

    @property
    def ca_file(self) -> str:
        """The path of a PEM file with the certificate of that CA."""
        return self._authority.file

    @property
    def client_context(self) -> "ssl.SSLContext":
        """A new client-side ``ssl.SSLContext`` that trusts the test CA and no other."""
        return self._authority.client_context()

    @property
    def trust_env(self) -> dict[str, str]:
        """The part of ``env`` that makes TLS clients trust the test CA as well as the CAs that they trust already."""
        environ = os.environ
        return {
            "SSL_CERT_FILE": self._authority.bundle(environ.get("SSL_CERT_FILE")),
            "NODE_EXTRA_CA_CERTS": self._authority.bundle(environ.get("NODE_EXTRA_CA_CERTS", "")),
        }

    @property
    def env(self) -> dict[str, str]:
        """Environment variables for a child process: the address of the server, and the CAs to trust.

        ``SMTP_HOST``, ``SMTP_PORT``, ``SMTP_URL``, ``SSL_CERT_FILE`` and ``NODE_EXTRA_CA_CERTS``.
        """
        return {**self.address_env, **self.trust_env}

    @property
    def address_env(self) -> dict[str, str]:
        """The part of ``env`` with the address of the server."""
        return {"SMTP_HOST": self.host, "SMTP_PORT": str(self.port), "SMTP_URL": self.url}

    # --- rules ------------------------------------------------------------------------------------------------------

    @overload
    def on(self, hook: Rule, /) -> Rule: ...
    @overload
    def on(self, hook: HookName, /, **options: Unpack[HookOptions]) -> RuleDecorator: ...
    @overload
    def on(self, hook: HookName, /, **options: Unpack[RuleArguments]) -> Rule: ...
    def on(self, hook: HookName | Rule, /, **options: Any) -> Rule:
        """Add a rule in front of the others, and return it; it takes effect at the next call that it matches.

        That may be on a connection that is open already. Without an action it is a decorator for a hook function, and
        the decorated name stays that function. Raises ``TypeError`` or ``ValueError`` with a one-line message
        for a rule that could never work.
        """
        __tracebackhide__ = True
        optional = not self.strict_rules
        if isinstance(hook, Rule):
            if options:
                raise TypeError(complete_already(hook, options))
            return self._add(hook.copy(optional=optional))
        check_rule(hook, options, needs_action=False)
        rule = Rule(hook, options)
        if rule.answers:
            return self._add(rule.copy(optional=optional))
        return self._add(RuleDecorator(hook, options, optional=optional, add=self._add))

    def _add(self, rule: Rule) -> Rule:
        rule.since = self._store.now()
        self._rules.add(rule)
        return rule

    @property
    def rules(self) -> list[Rule]:
        """All rules of the server, nearest first, even those that have ended or still lack their hook function."""
        return self._rules.every

    def explain_unused(self, rule: Rule) -> str:
        """The text with which a rule that was never used fails a test."""
        return explain.unused(rule, self._store)

    # --- what was received ------------------------------------------------------------------------------------------

    @property
    def lint(self) -> "list[Lint]":
        """The findings of all lint rules, in chronological order, about everything that clients have sent by now."""
        from pytest_smtpd.lint.choice import lint

        self.catch_up()
        return lint(self.log)

    def one(self, **match: Unpack[EnvelopeMatch]) -> Envelope:
        """The one accepted envelope that matches.

        If there is none, or more than one, raises an ``AssertionError`` that lists what was received, and how the
        closest envelope differs.
        """
        __tracebackhide__ = True
        found = self.find(**match)
        if len(found) != 1:
            raise AssertionError(explain.not_one(self._store, found, match, query_keys("Envelope", match)))
        return found[0]

    def find(self, **match: Unpack[EnvelopeMatch]) -> list[Envelope]:
        """The accepted envelopes that match, a list in order."""
        __tracebackhide__ = True
        return select(self._store.records.accepted, "Envelope", match)

    def save(self, folder: "str | os.PathLike[str]") -> "Path":
        """Write what was received to a folder, which is created if necessary. Returns the path of its ``index.html``.

        Beside that page, for a browser, there are ``transcript.txt`` and each accepted message as ``1.eml``, ``2.eml``
        and so on; files of these names are replaced. Raises ``OSError``.
        """
        from pytest_smtpd.view.files import save

        self.catch_up()
        return save(folder, [self.log], self.name, self.url.partition("://")[2])

    def wait_for(
        self, count: int = 1, *, timeout: float | None = None, **match: Unpack[EnvelopeMatch]
    ) -> list[Envelope]:
        """Wait until ``count`` envelopes that match have been accepted, and return all that match, a list.

        Those that came before the call count too. Raises ``WaitTimeout`` after ``timeout`` seconds.
        """
        __tracebackhide__ = True
        return Waiter(self._store, "Envelope", count, match).wait(self._seconds(timeout))

    async def wait_for_async(
        self, count: int = 1, *, timeout: float | None = None, **match: Unpack[EnvelopeMatch]
    ) -> list[Envelope]:
        """The same as ``wait_for``, awaitable, for asyncio and trio."""
        __tracebackhide__ = True
        return await Waiter(self._store, "Envelope", count, match).wait_async(self._seconds(timeout))

    def wait_quiet(self, seconds: float, *, count: int = 0, **match: Unpack[EnvelopeMatch]) -> None:
        """Wait ``seconds``, and check that there are then exactly ``count`` envelopes that match.

        Otherwise raises an ``AssertionError`` that lists them, and does so at once if there are more.
        """
        __tracebackhide__ = True
        more = Waiter(self._store, "Envelope", count + 1, match)
        self._store.changes.wait(more.ready, seconds)
        self._check_quiet(more, count, seconds, match)

    async def wait_quiet_async(self, seconds: float, *, count: int = 0, **match: Unpack[EnvelopeMatch]) -> None:
        """The same as ``wait_quiet``, awaitable, for asyncio and trio."""
        __tracebackhide__ = True
        more = Waiter(self._store, "Envelope", count + 1, match)
        await wait_async(self._store.changes, more.ready, seconds)
        self._check_quiet(more, count, seconds, match)

    def _check_quiet(self, more: Waiter, count: int, seconds: float, match: Mapping[str, Any]) -> None:
        __tracebackhide__ = True
        more.ready()
        if len(more.found) != count:
            raise AssertionError(explain.not_quiet(more.found, count, seconds, match))

    def wait_closed(self, timeout: float | None = None) -> None:
        """Wait until every connection has ended and every ``close`` hook has run.

        Raises ``WaitTimeout`` after ``timeout`` seconds.
        """
        __tracebackhide__ = True
        self._catch_up(hooks=False)
        seconds = self._seconds(timeout)
        if not self._store.changes.wait(lambda: not self._store.open, seconds):
            raise WaitTimeout(explain.still_connected(self._store, seconds))

    async def wait_closed_async(self, timeout: float | None = None) -> None:
        """The same as ``wait_closed``, awaitable, for asyncio and trio."""
        __tracebackhide__ = True
        self._catch_up(hooks=False)
        seconds = self._seconds(timeout)
        if not await wait_async(self._store.changes, lambda: not self._store.open, seconds):
            raise WaitTimeout(explain.still_connected(self._store, seconds))

    def _seconds(self, timeout: float | None) -> float:
        return self.wait_timeout if timeout is None else timeout


def _checked(settings: Settings) -> Settings:
    """Return ``settings``. Raises ``ValueError`` if ``lint`` or ``lint_ignore`` names an unknown lint rule."""
    __tracebackhide__ = True
    if settings.lint or settings.lint_ignore:
        from pytest_smtpd.lint.choice import chosen

        chosen(settings.lint, settings.lint_ignore)
    return settings


_running: "weakref.WeakSet[SMTPServer]" = weakref.WeakSet()


def _forked() -> None:
    """In the child of a fork: close its copies of all sockets, which would keep ports and connections open."""
    for server in list(_running):
        server._forked()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
