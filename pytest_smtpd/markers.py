"""Markers and fixture parameters: from what stands in a test to settings and rules, merged by precedence."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Unpack

import pytest

from pytest_smtpd.match import shown
from pytest_smtpd.record.query import Log
from pytest_smtpd.rules import Rule, on
from pytest_smtpd.server import SMTPServer
from pytest_smtpd.settings import SettingsDict, check_settings

FIXTURES: Final = ("smtpd", "smtpd_factory", "smtpd_session")


class UsageError(pytest.fail.Exception, pytest.UsageError):
    """Something about the use of this plugin is wrong; shown in one line, without a traceback."""

    __module__ = "pytest_smtpd"


class SMTPServerFactory(Protocol):
    """The type of ``smtpd_factory``: makes and starts a server, which is stopped and verified like ``smtpd``."""

    __module__ = "pytest_smtpd"

    def __call__(self, name: str | None = None, /, *, on: Iterable[Rule] = (), **settings: Unpack[SettingsDict]) -> SMTPServer:
        """A running server called ``name`` (by default ``smtpd``, ``smtpd2``, ...)."""


@dataclass(slots=True)
class Wishes:
    """Settings and rules from one or more places, the nearest first."""

    settings: dict[str, Any] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    def behind(self, other: "Wishes") -> None:
        """Add what ``other``, which is farther away, says beside this."""
        self.settings = {**other.settings, **self.settings}
        self.rules += other.rules

    @property
    def named_rules(self) -> list[Rule]:
        """The rules that are handed to every server, and act on the one they name."""
        return [rule for rule in self.rules if "name" in rule.match]


def read_dict(given: Mapping[str, Any], where: str, *, optional: bool) -> Wishes:
    """A dict of settings, with ``"on"`` for rules. Raises ``TypeError`` or ``ValueError``."""
    settings = {name: value for name, value in given.items() if name != "on"}
    try:
        return Wishes(check_settings(settings), read_rules(given.get("on", ()), optional=optional))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None


def read_rules(given: Any, *, optional: bool) -> list[Rule]:
    """One rule, or a list of them. Raises ``TypeError``."""
    rules = [given] if isinstance(given, Rule) else given
    if isinstance(rules, str) or not isinstance(rules, Iterable):
        raise TypeError(f"on takes a rule made by on(...), or a list of them, not {given!r}")
    rules = list(rules)
    for rule in rules:
        if not isinstance(rule, Rule):
            raise TypeError(f"on takes a rule made by on(...), or a list of them, not {rule!r}")
    return [rule.copy(optional=optional) for rule in rules]


def read_parameter(parameter: Any) -> Wishes:
    """A fixture parameter: a rule, a list of rules, or a dict of settings. Raises ``TypeError`` or ``ValueError``."""
    if parameter is None:
        return Wishes()
    if isinstance(parameter, Mapping):
        return read_dict(parameter, "smtpd parameter", optional=False)
    if isinstance(parameter, Rule | list | tuple):
        return Wishes({}, read_rules(parameter, optional=False))
    raise TypeError(f"smtpd parameter: a rule made by on(...), a list of rules or a dict of settings, not {parameter!r}")


def closest_marks(item: pytest.Item) -> Iterator[tuple[pytest.Mark, bool]]:
    """Our marks, nearest first, each with whether it stands on this very test.

    pytest's own order puts a parameter's marks behind the function's, and a base class before its child.
    """
    seen: set[int] = set()

    def fresh(marks: Iterable[Any], *, own: bool) -> Iterator[tuple[pytest.Mark, bool]]:
        for mark in marks:
            bare = getattr(mark, "mark", mark)
            if bare.name in ("smtpd", "smtpd_on") and id(bare) not in seen:
                seen.add(id(bare))
                yield bare, own

    yield from fresh(getattr(getattr(item, "callspec", None), "marks", ()), own=True)
    written = {id(mark) for mark in getattr(getattr(item, "obj", None), "pytestmark", ())}
    yield from fresh([mark for mark in item.own_markers if id(mark) not in written], own=True)
    for node in reversed(item.listchain()):
        if isinstance(node, pytest.Class):
            for cls in node.obj.__mro__:
                marks = cls.__dict__.get("pytestmark", ())
                yield from fresh(marks if isinstance(marks, list | tuple) else [marks], own=False)
        yield from fresh(node.own_markers, own=node is item)


def read_marks(item: pytest.Item) -> Wishes:
    """What the markers of a test say. Raises ``TypeError`` or ``ValueError`` in one line."""
    wishes = Wishes()
    for mark, own in closest_marks(item):
        if mark.name == "smtpd_on":
            wishes.rules.append(_rule(mark).copy(optional=not own))
            continue
        if mark.args:
            raise TypeError(f"@pytest.mark.smtpd takes keywords only, like tls='implicit', not {shown(mark.args)}")
        wishes.behind(read_dict(mark.kwargs, "@pytest.mark.smtpd", optional=not own))
    return wishes


def _rule(mark: pytest.Mark) -> Rule:
    if len(mark.args) == 1 and isinstance(mark.args[0], Rule) and not mark.kwargs:
        return mark.args[0]
    if len(mark.args) != 1:
        raise TypeError("@pytest.mark.smtpd_on takes one hook and keywords, like smtpd_on('rcpt_to', reply=550)")
    try:
        return on(mark.args[0], **mark.kwargs)
    except (TypeError, ValueError) as error:
        raise type(error)(f"@pytest.mark.smtpd_on: {error}") from None


def marks_problem(item: pytest.Item) -> str | None:
    """What is wrong with a test's markers, in one line."""
    try:
        read_marks(item)
    except (TypeError, ValueError) as error:
        return str(error)
    names = getattr(item, "fixturenames", FIXTURES)
    if "request" in names or set(names) & set(FIXTURES):  # with request, it may still ask for one
        return None
    for mark, own in closest_marks(item):
        if own:
            return f"@pytest.mark.{mark.name} has no effect: this test uses none of the fixtures {', '.join(FIXTURES)}"
    return None


def parameter_id(parameter: object) -> str | None:
    """A readable id for a parameter of ``smtpd``; never a secret."""
    if isinstance(parameter, Rule):
        return parameter.__name__
    if isinstance(parameter, list | tuple) and all(isinstance(rule, Rule) for rule in parameter):
        return "+".join(rule.__name__ for rule in parameter) or "no-rules"
    if isinstance(parameter, Mapping):
        words = [_setting_word(name, value) for name, value in parameter.items()]
        return "-".join(words) or "defaults"
    return None


def _setting_word(name: Any, value: Any) -> str:
    if name == "on":
        return parameter_id(value) or "on"
    if name == "auth" and isinstance(value, Mapping):
        return f"auth={','.join(map(str, value))}"
    if isinstance(value, set | frozenset | list | tuple):
        return f"{name}={','.join(sorted(map(str, value)))}"
    plain = value is None or isinstance(value, str | int | float)
    return f"{name}={value}" if plain else f"{name}={type(value).__name__}"


class Trust:
    """For a while, TLS clients in this process and its children trust the test CA beside the system's."""

    _NAMES: Final = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")

    def __init__(self) -> None:
        self._before: dict[str, str | None] | None = None

    def begin(self, server: SMTPServer) -> None:
        """Set the environment, if it is not set already."""
        if self._before is not None:
            return
        env = server.env
        self._before = {name: os.environ.get(name) for name in self._NAMES}
        for name in self._NAMES:
            os.environ[name] = env[name]

    def end(self) -> None:
        """Put the environment back as it was."""
        before, self._before = self._before, None
        for name, value in (before or {}).items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Bench:
    """The servers of one test: made, trusted, reported and verified together."""

    def __init__(self, wait_timeout: float) -> None:
        self.servers: list[SMTPServer] = []
        self.in_body = False
        self._wait_timeout = wait_timeout
        self._trust = Trust()
        self._named: list[Rule] = []
        self._past: dict[SMTPServer, Log] = {}

    def hand_to_all(self, rules: Sequence[Rule]) -> None:
        """Rules with ``name=``: every further server of this test gets them."""
        self._named = list(rules)

    def open(self, wishes: Wishes) -> SMTPServer:
        """Start a server. Raises ``TypeError``, ``ValueError`` or ``OSError``."""
        own = {id(rule.origin) for rule in wishes.rules}
        named = [rule for rule in self._named if id(rule.origin) not in own]
        server = SMTPServer(on=[*wishes.rules, *named], **wishes.settings)
        server.start()
        return self.adopt(server)

    def adopt(self, server: SMTPServer) -> SMTPServer:
        """Take part in this test."""
        if server not in self.servers:
            self.servers.append(server)
        server.wait_timeout = self._wait_timeout
        server.strict_rules = self.in_body
        if server.settings.trust and server.settings.tls is not None:
            self._trust.begin(server)
        return server

    def enter_body(self, *, inside: bool) -> None:
        """From here on, rules are declared by the test itself (or not any more)."""
        self.in_body = inside
        for server in self.servers:
            server.strict_rules = inside

    def give_back(self, server: SMTPServer) -> None:
        """Empty a server that goes on to serve other tests; what it did here is kept for the report."""
        server.strict_rules = False
        server.configure({}, ())
        self._past[server] = server.clear()

    def end(self) -> None:
        """The test is over."""
        self._trust.end()

    def verify(self) -> str | None:
        """Raise what a hook raised by mistake; else the text about rules of the test that were never used."""
        __tracebackhide__ = True
        for server in self.servers:
            server.verify()
        return "\n".join(self._unused()) or None

    def _unused(self) -> list[str]:
        """Rules that have to be used; one that was handed to several servers, by any of them."""
        held: dict[int, list[tuple[SMTPServer, Rule]]] = {}
        for server in self.servers:
            for rule in reversed(server.rules):
                if rule.optional is False and rule.hook != "close":
                    held.setdefault(id(rule.origin), []).append((server, rule))
        return [
            copies[0][0].explain_unused(copies[0][1])
            for copies in held.values()
            if not any(rule.used for _, rule in copies)
        ]

    def sections(self) -> Iterator[tuple[str, str]]:
        """Each server's name and transcript."""
        for server in self.servers:
            text = self._past.get(server, server.log).transcript()
            if text:
                yield server.name, text

    @property
    def errors(self) -> list[BaseException]:
        """What hooks raised by mistake."""
        return [error for server in self.servers for error in server.errors]


class Factory:
    """What ``smtpd_factory`` gives: a maker of servers for one test."""

    def __init__(self, bench: Bench, config: Wishes) -> None:
        self.opened: list[SMTPServer] = []
        self._bench = bench
        self._config = config

    def __call__(self, name: str | None = None, /, *, on: Iterable[Rule] = (), **settings: Any) -> SMTPServer:
        """A running server. Raises ``TypeError``, ``ValueError`` or ``OSError``, in one line."""
        __tracebackhide__ = True
        wishes = read_dict({"name": name or self._free_name(), **settings}, "smtpd_factory", optional=True)
        wishes.rules = read_rules(on, optional=not self._bench.in_body)
        wishes.behind(self._config)
        server = self._bench.open(wishes)
        self.opened.append(server)
        return server

    def _free_name(self) -> str:
        taken = {server.name for server in self._bench.servers}
        names = ("smtpd", *(f"smtpd{number}" for number in range(2, len(taken) + 3)))
        return next(name for name in names if name not in taken)


def all_wishes(item: pytest.Item, config: Mapping[str, Any], parameter: object) -> Wishes | str:
    """Everything that a test says about its server, nearest first; or what is wrong with it, in one line."""
    try:
        wishes = read_parameter(parameter)
        wishes.behind(read_marks(item))
        wishes.behind(read_dict(config, "smtpd_config", optional=True))
    except (TypeError, ValueError) as error:
        return str(error)
    return wishes


def session_server(request: pytest.FixtureRequest) -> SMTPServer:
    """A server for the whole session, with the settings of ``smtpd_config`` if that has been overridden for the session."""
    try:
        config = request.getfixturevalue("smtpd_config")
    except pytest.fail.Exception:  # a narrower scope: each test's own business
        config = {}
    wishes = read_dict(config, "smtpd_config", optional=True)
    return SMTPServer(on=wishes.rules, **wishes.settings).start()
