"""SMTPServer: the layers wired into one object. Usable without pytest."""

import os
import ssl
import threading
import warnings
from collections.abc import Iterable, Mapping
from traceback import format_exception
from typing import TYPE_CHECKING, Any, Self, Unpack, overload

from pytest_smtpd.clock import Clock
from pytest_smtpd.errors import WaitTimeout
from pytest_smtpd.handler import Shared, connect
from pytest_smtpd.match import EnvelopeMatch, query_keys
from pytest_smtpd.net.loop import Listener, bind
from pytest_smtpd.policy.book import RuleBook
from pytest_smtpd.policy.workers import Workers
from pytest_smtpd.record import explain
from pytest_smtpd.record.journal import Journal
from pytest_smtpd.record.query import Envelopes, Log, Waiter, select
from pytest_smtpd.record.waiting import wait_async
from pytest_smtpd.rulecheck import check_rule, complete_already
from pytest_smtpd.rules import HookOptions, Rule, RuleArguments, RuleDecorator, as_rules
from pytest_smtpd.settings import Settings, SettingsDict, make_settings
from pytest_smtpd.smtp.envelope import Envelope
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.values import endpoint

if TYPE_CHECKING:
    import trustme

    from pytest_smtpd.certificates import Authority


class SMTPServer:
    """A real SMTP or LMTP server on a port of its own, in a thread of this process.

    ``with SMTPServer(...) as server:`` starts it, stops it, and raises what a hook raised by mistake. ``on`` are its
    rules, the nearest first; all other keywords are settings. Raises ``TypeError`` or ``ValueError``, in one line,
    for a wrong setting, and ``OSError`` from ``start()`` if the port is taken.
    """

    __module__ = "pytest_smtpd"

    def __init__(self, *, on: Iterable[Rule] = (), **settings: Unpack[SettingsDict]) -> None:
        __tracebackhide__ = True
        self.settings: Settings = make_settings(settings)
        self._first = self.settings
        self.wait_timeout: float = 5.0
        self.strict_rules: bool = False  # whether rules added from now on have to be used
        self._clock = Clock()
        self._journal = Journal(self._clock)
        self._book = RuleBook(rule.copy() for rule in as_rules(on))
        self._listener: Listener | None = None
        self._workers: Workers | None = None
        self._stopping = threading.Lock()  # two threads that stop it at once both see it stopped
        self._pid = 0
        self._port = self.settings.port
        self.log: Log = Log(self._journal, lambda: self.wait_timeout)
        self.envelopes: Envelopes = Envelopes(self._journal)
        self.errors: list[BaseException] = self._journal.errors  # what hooks raised by mistake, in order

    def __repr__(self) -> str:
        where = self.url if self._listener else f"{self.url} stopped"
        counts = f"sessions={len(self._journal.sessions)} envelopes={len(self._journal.accepted)}"
        return f"<SMTPServer {self.name} {where} {counts}>"

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Listen and serve; after a ``stop()`` on the same port as before. Raises ``OSError`` if the port is taken."""
        __tracebackhide__ = True
        if self._listener is not None:
            return self
        sock = bind(self.host, self._port)
        self._port = sock.getsockname()[1]
        self._pid = os.getpid()
        listener = self._listener = Listener(sock, self.name, self.errors.append)
        self._workers = Workers(listener.loop, self.name)
        shared = Shared(
            book=self._book,
            journal=self._journal,
            workers=self._workers,
            gone=listener.gone,
            crashed=self.errors.append,
            context=self._server_context,
            now=self._clock.now,
        )
        listener.start(lambda client, address: connect(shared, self.settings, client, address))
        return self

    def stop(self) -> None:
        """End every connection and release the port, in milliseconds; nothing is left behind.

        A ``def`` hook that is still blocked is named in a ``RuntimeWarning``. Raises ``RuntimeError`` in an ``async
        def`` hook of this very server.
        """
        if self._pid != os.getpid():
            return
        if self._listener is not None and self._listener.runs_here:
            raise RuntimeError("an async def hook cannot stop its own server; it can drop its client: drop=True")
        blocked: list[str] = []
        with self._stopping:
            listener, workers = self._listener, self._workers
            if listener is not None and workers is not None:
                self._listener = None
                blocked = listener.stop(workers.dismiss)
                self._workers = None
        if blocked:
            names = ", ".join(blocked)
            warnings.warn(
                f"{self.name}: a hook is still blocked after the server has stopped: {names}",
                RuntimeWarning,
                stacklevel=2,
            )

    def __enter__(self) -> Self:
        __tracebackhide__ = True
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        self.stop()
        if error is None:
            self.verify()
            return
        for raised in self.errors:
            error.add_note("".join([f"{self.name}: a hook raised:\n", *format_exception(raised)]).rstrip())

    def clear(self) -> Log:
        """Forget what has been received and logged so far, and return it. Rules, connections and ``errors`` stay."""
        return Log(self._journal.clear(), lambda: self.wait_timeout)

    def verify(self) -> None:
        """Raise what a hook raised by mistake (the first, if there were several)."""
        __tracebackhide__ = True
        if self.errors:
            raise self.errors[0]

    def configure(self, settings: Mapping[str, Any], rules: Iterable[Rule]) -> None:
        """Other settings and rules than those it was made with, for connections and calls from now on.

        Raises ``ValueError`` for a setting that only counts when a server starts.
        """
        changed = make_settings(settings, self._first)
        for name in self._first.fixed_differences(changed):
            raise ValueError(f"{name} cannot change on a running server")
        self.settings = changed
        self._book.replace(rules)

    # --- where it is ------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.settings.name

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self.settings.host

    @property
    def port(self) -> int:
        """The port it listens on; kept by ``stop()`` and ``start()``."""
        return self._port

    @property
    def address(self) -> tuple[str, int]:
        """``(host, port)``."""
        return (self.host, self.port)

    @property
    def url(self) -> str:
        """``smtp://host:port``; ``smtps://`` under implicit TLS, ``lmtp://`` for LMTP."""
        scheme = "lmtp" if self.settings.lmtp else "smtps" if self.settings.tls == "implicit" else "smtp"
        return f"{scheme}://{endpoint(*self.address)}"

    @property
    def _authority(self) -> "Authority":
        from pytest_smtpd.certificates import authority

        return authority()

    @property
    def ca(self) -> "trustme.CA":
        """The CA that signs every certificate of this process's servers."""
        return self._authority.ca

    @property
    def ca_file(self) -> str:
        """The CA's certificate as a PEM file."""
        return self._authority.file

    @property
    def client_context(self) -> ssl.SSLContext:
        """A new client context that trusts the test CA only."""
        return self._authority.client_context()

    @property
    def trust_env(self) -> dict[str, str]:
        """The part of ``env`` that says whom to trust: the test CA beside those whom the environment trusts already."""
        environ = os.environ
        return {
            "SSL_CERT_FILE": self._authority.bundle(environ.get("SSL_CERT_FILE")),
            "NODE_EXTRA_CA_CERTS": self._authority.bundle(environ.get("NODE_EXTRA_CA_CERTS", "")),
        }

    @property
    def env(self) -> dict[str, str]:
        """What a child process needs: where the server is, and whom to trust."""
        return {
            "SMTP_HOST": self.host,
            "SMTP_PORT": str(self.port),
            "SMTP_URL": self.url,
            **self.trust_env,
        }

    # --- rules ------------------------------------------------------------------------------------------------------

    @overload
    def on(self, hook: Rule, /) -> Rule: ...
    @overload
    def on(self, hook: HookName, /, **options: Unpack[HookOptions]) -> RuleDecorator: ...
    @overload
    def on(self, hook: HookName, /, **options: Unpack[RuleArguments]) -> Rule: ...
    def on(self, hook: HookName | Rule, /, **options: Any) -> Rule:
        """Add a rule in front of the others; it takes effect at the next matching call, on open connections too.

        Without an action it is a decorator for a hook function, and returns that function.
        Raises ``TypeError`` or ``ValueError``, in one line, for what could never work.
        """
        __tracebackhide__ = True
        if isinstance(hook, Rule):
            if options:
                raise TypeError(complete_already(hook, options))
            return self._add(hook.copy(optional=self._optional))
        check_rule(hook, options, needs_action=False)
        rule = Rule(hook, options, optional=self._optional)
        return self._add(rule if rule.answers else RuleDecorator(hook, options, optional=self._optional, add=self._add))

    @property
    def _optional(self) -> bool:
        return not self.strict_rules

    def _add(self, rule: Rule) -> Rule:
        self._book.add(rule, nearest=True)
        return rule

    @property
    def rules(self) -> list[Rule]:
        """The server's rules, nearest first; those that have ended too, and those that wait for a function."""
        return list(self._book)

    def explain_unused(self, rule: Rule) -> str:
        """Why a rule that was never used fails a test."""
        return explain.unused(rule, self._journal)

    # --- what came --------------------------------------------------------------------------------------------------

    def one(self, **match: Unpack[EnvelopeMatch]) -> Envelope:
        """The one accepted envelope that matches. Raises ``AssertionError`` if there is none, or more than one."""
        __tracebackhide__ = True
        found = self.find(**match)
        if len(found) != 1:
            raise AssertionError(explain.not_one(self._journal, found, match, query_keys("Envelope", match)))
        return found[0]

    def find(self, **match: Unpack[EnvelopeMatch]) -> list[Envelope]:
        """The accepted envelopes that match, in order. Raises ``TypeError`` for an unknown match key."""
        __tracebackhide__ = True
        return select(self._journal.accepted, "Envelope", match)

    def wait_for(
        self, count: int = 1, *, timeout: float | None = None, **match: Unpack[EnvelopeMatch]
    ) -> list[Envelope]:
        """Wait until ``count`` envelopes that match have been accepted, those that already came included.

        Raises ``WaitTimeout`` after ``timeout`` seconds (the ini option ``smtpd_timeout`` by default).
        """
        __tracebackhide__ = True
        return Waiter(self._journal, "Envelope", count, match).wait(self._seconds(timeout))

    async def wait_for_async(
        self, count: int = 1, *, timeout: float | None = None, **match: Unpack[EnvelopeMatch]
    ) -> list[Envelope]:
        """The twin of ``wait_for`` for asyncio and trio."""
        __tracebackhide__ = True
        return await Waiter(self._journal, "Envelope", count, match).wait_async(self._seconds(timeout))

    def wait_closed(self, timeout: float | None = None) -> None:
        """Wait until every connection has ended and every ``close`` hook has run. Raises ``WaitTimeout``."""
        __tracebackhide__ = True
        self._settle()
        seconds = self._seconds(timeout)
        if not self._journal.wait(lambda: not self._journal.open, seconds):
            raise WaitTimeout(explain.still_connected(self._journal, seconds))

    async def wait_closed_async(self, timeout: float | None = None) -> None:
        """The twin of ``wait_closed`` for asyncio and trio."""
        __tracebackhide__ = True
        self._settle()
        seconds = self._seconds(timeout)
        if not await wait_async(self._journal, lambda: not self._journal.open, seconds):
            raise WaitTimeout(explain.still_connected(self._journal, seconds))

    def _seconds(self, timeout: float | None) -> float:
        return self.wait_timeout if timeout is None else timeout

    def _settle(self) -> None:
        if self._listener is not None:
            self._listener.settle()

    def _server_context(self, settings: Settings) -> ssl.SSLContext:
        if settings.ssl_context is not None:
            return settings.ssl_context
        names = (settings.host, settings.hostname)
        return self._authority.server_context(settings.certificate, settings.client_certificate, names)
