"""The servers of one test, which are started, trusted, reported and verified together, and the session's server."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Unpack

import pytest

from pytest_smtpd.errors import add_note
from pytest_smtpd.log.query import Log
from pytest_smtpd.outcomes import as_pytest_error
from pytest_smtpd.plugin.markers import Declared, DeclaredRule, read_config, read_dict, read_rules
from pytest_smtpd.plugin.trust import Trust
from pytest_smtpd.rules.compare import agrees
from pytest_smtpd.rules.rule import Rule
from pytest_smtpd.server import SMTPServer
from pytest_smtpd.settings import Settings, SettingsDict
from pytest_smtpd.smtp.values import shown_error


class TestServers:
    """The servers of one test: its own, and that of ``smtpd_session`` if the test uses it."""

    __test__ = False  # pytest would collect it by its name

    def __init__(self, wait_timeout: float, defaults: Mapping[str, Any], *, in_body: bool) -> None:
        self.servers: list[SMTPServer] = []
        self.in_body: bool = in_body
        self._wait_timeout = wait_timeout
        self._defaults = defaults
        self._trust = Trust()
        self._declared: list[DeclaredRule] = []
        self._past: dict[SMTPServer, tuple[Log, Settings]] = {}
        self._reported: list[BaseException] = []
        self._late: list[BaseException] = []

    def declare(self, rules: Sequence[DeclaredRule]) -> None:
        """Add rules that are declared outside of the test's body. Those with ``name=`` are for all further servers."""
        known = {id(declared.rule) for declared in self._declared}
        self._declared += [declared for declared in rules if id(declared.rule) not in known]

    def open(self, declared: Declared) -> SMTPServer:
        """Start a server with these settings and rules. Raises ``TypeError``, ``ValueError`` or ``OSError``."""
        __tracebackhide__ = True
        own = {id(one.rule) for one in declared.rules}
        named = [one for one in self._declared if "name" in one.rule.match and id(one.rule) not in own]
        server = SMTPServer(**{**self._defaults, **declared.settings})
        server.use_rules([one.copy() for one in (*declared.rules, *named)])
        server.start()
        try:
            return self.take(server)
        except BaseException:
            server.stop()
            raise

    def take(self, server: SMTPServer) -> SMTPServer:
        """Add a running server to those of this test, and return it. Clients trust it from now on."""
        if server not in self.servers:
            self.servers.append(server)
        server.wait_timeout = self._wait_timeout
        server.strict_rules = self.in_body
        self._trust.begin(server)
        return server

    def enter_body(self) -> None:
        """The body of the test begins: rules that it adds have to be used."""
        self._set_body(inside=True)

    def leave_body(self, item: pytest.Item) -> None:
        """The test has passed so far: verify its servers. Raises a hook error, or fails the test."""
        self._set_body(inside=False)
        problems = self.verify()
        problems += [sweep.problem for server in self.servers for sweep in server.sweeps if sweep.problem]
        is_swept = "smtpd_sweep" in getattr(item, "fixturenames", ())  # its log is that of the last fault only
        if not is_swept and any(server.settings.lint for server in self.servers):
            from pytest_smtpd.plugin import lint

            problems += [*lint.problems(self.servers), *lint.warn(item, self.servers)]
        if problems:  # without a traceback: where all frames were hidden, pytest would mention it in the report
            pytest.fail("\n".join(problems), pytrace=False)

    def _set_body(self, *, inside: bool) -> None:
        self.in_body = inside
        for server in self.servers:
            server.strict_rules = inside

    def point_to_hooks(self, error: BaseException) -> None:
        """The test has failed by itself: add hook errors to its error as notes."""
        if isinstance(error, pytest.skip.Exception):
            return  # nobody reads the text of a skip
        from pytest_smtpd.plugin.report import title

        for server in self.servers:
            where = f"its traceback is in '{title(server.name, 'call')}' below"
            for raised in server.errors:
                if raised is not error:
                    add_note(error, f"{server.name}: a hook raised {shown_error(raised)}; {where}")

    def release(self, shared: "SharedServer") -> None:
        """Give the session's server back, for other tests. Its log is kept for the report and verdict of this one."""
        settings = shared.server.settings
        past = shared.reset()
        self._late += shared.collect_errors()
        self._past[shared.server] = past, settings

    def end(self) -> None:
        """The test and its fixtures are over. Raises a hook error that no report has shown yet."""
        self._trust.end()
        for error in [*self._late, *self.errors]:
            if not any(error is one for one in self._reported):
                raise as_pytest_error(error)

    def verify(self) -> list[str]:
        """Raise a hook error, if there is one; else return the texts about rules of the test that were never used."""
        __tracebackhide__ = True
        for server in self.servers:
            server.catch_up()
        self._reported = self.errors
        if self._reported:
            raise as_pytest_error(self._reported[0])
        return self._unused()

    def _unused(self) -> list[str]:
        """The texts about rules that had to be used and were not; if several servers have a rule, one use is enough."""
        holders: list[tuple[SMTPServer | None, Rule]] = [
            *((server, rule) for server in self.servers for rule in reversed(server.rules) if rule.has_to_be_used),
            *((None, one.rule) for one in self._declared if one.has_to_be_used),  # even if no server has it
        ]
        copies: dict[int, list[tuple[SMTPServer | None, Rule]]] = {}
        for server, rule in holders:
            copies.setdefault(id(rule.origin), []).append((server, rule))
        return [
            _explain_unused([server for server, _ in held if server is not None], held[0][1])
            for held in copies.values()
            if not any(rule.used for _, rule in held)
        ]

    def sections(self, *, fold_ehlo: bool) -> Iterator[tuple[str, str]]:
        """The name and transcript of each server, for a report. Hook errors count as reported from then on."""
        for server in self.servers:
            server.catch_up()
        self._reported = self.errors
        for server in self.servers:
            past = [self._past[server]] if server in self._past else []
            yield server.name, _transcript(server, [*past, (server.log, server.settings)], fold_ehlo=fold_ehlo)

    def logs(self) -> Iterator[tuple[SMTPServer, list[Log]]]:
        """Each server with its log; if that was emptied after the test, with the old log before it."""
        for server in self.servers:
            yield server, [self._past[server][0], server.log] if server in self._past else [server.log]

    @property
    def errors(self) -> list[BaseException]:
        """The hook errors of all servers."""
        return [error for server in self.servers for error in server.errors]


def _transcript(server: SMTPServer, logs: Iterable[tuple[Log, Settings]], *, fold_ehlo: bool) -> str:
    transcripts = [text for log, settings in logs if (text := _with_remarks(log, settings, fold_ehlo=fold_ehlo))]
    return "\n".join(transcripts) or (
        f"nobody has connected to {server.url.partition('://')[2]}: the test did not get as far as sending, or what "
        "it tests connects to another host or port"
    )


def _with_remarks(log: Log, settings: Settings, *, fold_ehlo: bool) -> str:
    if not settings.lint:
        return log.shown(fold_ehlo=fold_ehlo)
    from pytest_smtpd.lint.report import remarks

    return log.shown(remarks=remarks(settings, log), fold_ehlo=fold_ehlo)


def _explain_unused(servers: list[SMTPServer], rule: Rule) -> str:
    named = [server for server in servers if agrees(rule.match.get("name", server.name), server.name)]
    if "name" in rule.match and not named:
        names = ", ".join(repr(server.name) for server in servers) or "none"
        return f"{rule!r} was never used: no server is called so (servers: {names})"
    if not servers:
        return (
            f"{rule!r} was never used: it is for smtpd, which this test does not use; "
            "use smtpd, give the rule to smtpd_factory(on=[...]), or give it the name= of a server"
        )
    text = named[0].explain_unused(rule)
    return text if len(servers) == 1 and named[0].name == "smtpd" else f"{named[0].name}: {text}"


def _no_name(given: object) -> str:
    """The error text for an argument that is not the name of a server."""
    kind = "settings" if isinstance(given, Mapping) else "rules" if isinstance(given, Rule | list) else None
    takes = f"takes {kind} by keyword" if kind else f"takes a name, a str, not {type(given).__name__}"
    return f"smtpd_factory {takes}, like smtpd_factory('backup', tls='implicit', on=[on(...)])"


class SMTPServerFactory:
    """The value of ``smtpd_factory``: it makes and starts servers, which are stopped and verified like ``smtpd``."""

    __module__ = "pytest_smtpd"

    def __init__(self, servers: TestServers, config: Declared) -> None:
        self.opened: list[SMTPServer] = []
        self._servers = servers
        self._config = config

    def __call__(
        self,
        name: str | None = None,
        /,
        *,
        on: Iterable[Rule] = (),
        **settings: Unpack[SettingsDict],  # pyright: ignore[reportGeneralTypeIssues]  # a positional name is no keyword
    ) -> SMTPServer:
        """Start and return a server called ``name`` (by default ``smtpd``, ``smtpd2``, ...).

        Raises ``TypeError``, ``ValueError`` or ``OSError``, in one line.
        """
        __tracebackhide__ = True
        if name is not None and not isinstance(name, str):
            raise TypeError(_no_name(name))
        declared = read_dict({"name": name or self._free_name(), **settings}, "smtpd_factory", optional=True)
        declared.rules = read_rules(on, optional=not self._servers.in_body)
        declared.add(self._config)
        server = self._servers.open(declared)
        self.opened.append(server)
        return server

    def __repr__(self) -> str:
        return f"<SMTPServerFactory {', '.join(server.name for server in self.opened) or 'unused'}>"

    def _free_name(self) -> str:
        taken = {server.name for server in self._servers.servers}
        names = ("smtpd", *(f"smtpd{number}" for number in range(2, len(taken) + 3)))
        return next(name for name in names if name not in taken)


class SharedServer:
    """The server of ``smtpd_session``, with the settings and rules that are restored between two tests."""

    def __init__(self, config: Declared) -> None:
        self.server: SMTPServer = SMTPServer(**config.settings)
        self._config = config
        self._trust = Trust()
        self.server.use_rules([one.copy() for one in config.rules])
        self.server.start()
        try:
            self.begin_trust()
        except BaseException:
            self.server.stop()
            raise

    def begin_trust(self) -> None:
        """Make clients trust it: a session fixture may set up an application that connects before the first test."""
        self._trust.begin(self.server)

    def end_trust(self) -> None:
        """End the trust; from now on, the settings of each test decide about it."""
        self._trust.end()

    def sections(self, *, fold_ehlo: bool) -> Iterator[tuple[str, str]]:
        """The server's name and transcript, while it belongs to no test."""
        self.server.catch_up()
        logs = [(self.server.log, self.server.settings)]
        yield self.server.name, _transcript(self.server, logs, fold_ehlo=fold_ehlo)

    def logs(self) -> Iterator[tuple[SMTPServer, list[Log]]]:
        """The server, with its log."""
        yield self.server, [self.server.log]

    def verify(self, *, at_end: bool = False) -> None:
        """Raise, once, a hook error from a time when the server belonged to no test; ``at_end`` also a late one."""
        errors = [*self.collect_errors(), *(self.server.late_errors if at_end else ())]
        if errors:
            raise as_pytest_error(errors[0])

    def collect_errors(self) -> list[BaseException]:
        """Return the hook errors, and remove them from the server."""
        errors = list(self.server.errors)
        self.server.errors.clear()
        return errors

    def empty(self) -> None:
        """Empty the log for a test. What clients had sent before is processed first, by the rules of that time.

        Raises a hook error from the time before, when fixtures of a wider scope may have used the server.
        """
        self.server.start()  # such a fixture may have stopped the server
        self.server.catch_up()
        self.verify()
        self.server.clear()

    def borrow(self, declared: Declared) -> None:
        """Apply the settings and rules of a test. Raises ``ValueError`` for a setting that is fixed at start."""
        self.server.configure(declared.settings)
        self.server.use_rules([one.copy() for one in declared.rules])

    def reset(self) -> Log:
        """Undo a test's settings and rules, and start the server if it was stopped. Empties and returns the log."""
        self.server.strict_rules = False
        self.server.sweeps.clear()
        past = self.server.end_test()
        self.server.configure({})
        self.server.use_rules([one.copy() for one in self._config.rules])
        self.server.start()
        return past


def session_config(request: pytest.FixtureRequest, defaults: Mapping[str, Any]) -> Declared:
    """The ``defaults`` and, if its override has session scope, the settings and rules of ``smtpd_config`` over them."""
    try:
        config = request.getfixturevalue("smtpd_config")
    except pytest.fail.Exception as error:
        if not str(error).startswith("ScopeMismatch"):  # the override itself has failed
            raise
        config = {}  # a narrower scope: it is read for each test
    declared = read_config(config)
    declared.add(Declared(defaults))
    return declared
