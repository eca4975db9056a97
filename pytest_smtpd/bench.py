"""The servers of one test: made, trusted, lent, reported and verified together."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Unpack

import pytest

from pytest_smtpd.markers import Wishes, read_dict, read_rules
from pytest_smtpd.match import agrees
from pytest_smtpd.record.query import Log
from pytest_smtpd.rules import Rule
from pytest_smtpd.server import SMTPServer
from pytest_smtpd.settings import SettingsDict
from pytest_smtpd.smtp.values import endpoint


class Trust:
    """For a while, TLS clients in this process and its children trust the test CA beside the system's."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] | None = None
        self._ours: dict[str, str] = {}

    def begin(self, server: SMTPServer) -> None:
        """Set the environment, if it is not set already, and the server's settings do not say otherwise."""
        if self._before is not None or not server.settings.trust or server.settings.tls is None:
            return
        self._ours = server.trust_env
        self._before = {name: os.environ.get(name) for name in self._ours}
        os.environ.update(self._ours)

    def end(self) -> None:
        """Put the environment back as it was; not what someone else, ``monkeypatch`` say, has put back already."""
        before, self._before = self._before, None
        for name, value in (before or {}).items():
            if os.environ.get(name) != self._ours[name]:
                continue
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Bench:
    """What one test works with: its own servers, and those it has been lent."""

    def __init__(self, wait_timeout: float, *, in_body: bool) -> None:
        self.servers: list[SMTPServer] = []
        self.in_body: bool = in_body
        self.made: dict[int, Rule] = {}  # by markers
        self._wait_timeout = wait_timeout
        self._trust = Trust()
        self._declared: list[Rule] = []
        self._past: dict[SMTPServer, Log] = {}
        self._told: list[BaseException] = []
        self._late: list[BaseException] = []

    def declare(self, rules: Sequence[Rule]) -> None:
        """What the test says beside its body. Every further server of this test gets the rules with ``name=``."""
        known = {id(rule.origin) for rule in self._declared}
        self._declared += [rule for rule in rules if id(rule.origin) not in known]

    def open(self, wishes: Wishes) -> SMTPServer:
        """Start a server. Raises ``TypeError``, ``ValueError`` or ``OSError``."""
        __tracebackhide__ = True
        own = {id(rule.origin) for rule in wishes.rules}
        named = [rule for rule in self._declared if "name" in rule.match and id(rule.origin) not in own]
        server = SMTPServer(on=[*wishes.rules, *named], **wishes.settings)
        server.start()
        return self.adopt(server)

    def adopt(self, server: SMTPServer) -> SMTPServer:
        """Take part in this test."""
        if server not in self.servers:
            self.servers.append(server)
        server.wait_timeout = self._wait_timeout
        server.strict_rules = self.in_body
        self._trust.begin(server)
        return server

    def enter_body(self) -> None:
        """From here on, rules are declared by the test itself."""
        self._enter(by_the_test=True)

    def leave_body(self) -> None:
        """The test has passed so far: verify its servers. Raises what a hook raised by mistake, or fails the test."""
        self._enter(by_the_test=False)
        problem = self.verify()
        if problem:
            pytest.fail(problem, pytrace=False)  # where all frames were hidden, pytest would say so in the report

    def _enter(self, *, by_the_test: bool) -> None:
        self.in_body = by_the_test
        for server in self.servers:
            server.strict_rules = by_the_test

    def point_to_hooks(self, error: BaseException) -> None:
        """The test has failed by itself: add what its hooks raised by mistake to what it says."""
        if isinstance(error, pytest.skip.Exception):
            return  # nobody reads what it says
        for server in self.servers:
            where = f"its traceback is in 'Captured {server.name} call' below"
            for raised in server.errors:
                if raised is not error:
                    error.add_note(f"{server.name}: a hook raised {raised!r}; {where}")

    def give_back(self, shared: "SharedServer") -> None:
        """The session's server goes on to other tests; what it did here is kept for the report and the verdict."""
        self._late += shared.server.errors
        self._past[shared.server] = shared.reset()

    def end(self) -> None:
        """The test and its fixtures are over. Raises what a hook raised by mistake and no report has told yet."""
        self._trust.end()
        late = [*self._late, *self.errors]
        for error in late:
            if error not in self._told:
                raise error

    def verify(self) -> str | None:
        """Raise what a hook raised by mistake; else the text about rules of the test that were never used."""
        __tracebackhide__ = True
        self._told = self.errors
        if self._told:
            raise self._told[0]
        return "\n".join(self._unused()) or None

    def _unused(self) -> list[str]:
        """Rules that have to be used; one that was handed to several servers, by any of them."""
        holders: list[tuple[SMTPServer | None, Rule]] = [
            *((server, rule) for server in self.servers for rule in reversed(server.rules)),
            *((None, rule) for rule in self._declared),  # whether or not there is a server that it is for
        ]
        copies: dict[int, list[tuple[SMTPServer | None, Rule]]] = {}
        for server, rule in holders:
            if rule.optional is False and rule.hook != "close":
                copies.setdefault(id(rule.origin), []).append((server, rule))
        return [
            _explain_unused([server for server, _ in held if server is not None], held[0][1])
            for held in copies.values()
            if not any(rule.used for _, rule in held)
        ]

    def sections(self) -> Iterator[tuple[str, str]]:
        """Each server's name and transcript, for a report, which then tells what hooks raised by mistake."""
        self._told = self.errors
        for server in self.servers:
            logs = [self._past[server], server.log] if server in self._past else [server.log]
            yield server.name, _transcript(server, logs)

    @property
    def errors(self) -> list[BaseException]:
        """What hooks raised by mistake."""
        return [error for server in self.servers for error in server.errors]


def _transcript(server: SMTPServer, logs: Iterable[Log]) -> str:
    transcripts = [text for log in logs if (text := log.transcript())]
    return "\n".join(transcripts) or f"nobody has connected to {endpoint(*server.address)}"


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


class SMTPServerFactory:
    """What ``smtpd_factory`` gives: it makes and starts servers, which are stopped and verified like ``smtpd``."""

    __module__ = "pytest_smtpd"

    def __init__(self, bench: Bench, config: Wishes) -> None:
        self.opened: list[SMTPServer] = []
        self._bench = bench
        self._config = config

    def __call__(
        self,
        name: str | None = None,
        /,
        *,
        on: Iterable[Rule] = (),
        **settings: Unpack[SettingsDict],  # pyright: ignore[reportGeneralTypeIssues]  # a positional name is no keyword
    ) -> SMTPServer:
        """A running server called ``name`` (by default ``smtpd``, ``smtpd2``, ...).

        Raises ``TypeError``, ``ValueError`` or ``OSError``, in one line.
        """
        __tracebackhide__ = True
        wishes = read_dict({"name": name or self._free_name(), **settings}, "smtpd_factory", optional=True)
        wishes.rules = read_rules(on, optional=not self._bench.in_body)
        wishes.behind(self._config)
        server = self._bench.open(wishes)
        self.opened.append(server)
        return server

    def __repr__(self) -> str:
        return f"<SMTPServerFactory {', '.join(server.name for server in self.opened) or 'unused'}>"

    def _free_name(self) -> str:
        taken = {server.name for server in self._bench.servers}
        names = ("smtpd", *(f"smtpd{number}" for number in range(2, len(taken) + 3)))
        return next(name for name in names if name not in taken)


class SharedServer:
    """The server of ``smtpd_session``, with what it goes back to between two tests."""

    def __init__(self, config: Wishes) -> None:
        self.server: SMTPServer = SMTPServer(on=config.rules, **config.settings).start()
        self._rules = config.rules
        self._trust = Trust()
        self.begin_trust()

    def begin_trust(self) -> None:
        """An application may be set up now, by a fixture of the session, and connect before its first test."""
        self._trust.begin(self.server)

    def end_trust(self) -> None:
        """From here on each test decides."""
        self._trust.end()

    def sections(self) -> Iterator[tuple[str, str]]:
        """The server's name and transcript, while it is no test's."""
        yield self.server.name, _transcript(self.server, [self.server.log])

    def verify(self) -> None:
        """Raise, once, what a hook raised by mistake while it was no test's."""
        errors = list(self.server.errors)
        self.server.errors.clear()
        if errors:
            raise errors[0]

    def reset(self) -> Log:
        """Forget a test: its settings, its rules, a stop, and what has come, which is returned."""
        self.server.strict_rules = False
        self.server.configure({}, [rule.copy() for rule in self._rules])
        self.server.start()
        self.server.errors.clear()
        return self.server.clear()


def session_config(request: pytest.FixtureRequest) -> Wishes:
    """What ``smtpd_config`` says for the whole session, if its override has that scope."""
    try:
        config = request.getfixturevalue("smtpd_config")
    except pytest.fail.Exception as error:
        if not str(error).startswith("ScopeMismatch"):  # the override itself has failed
            raise
        config = {}  # a narrower scope: each test's own business
    return read_dict(config, "smtpd_config", optional=True)
