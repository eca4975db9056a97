"""Markers and fixture parameters: what a test declares, merged by precedence into settings and rules."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

import pytest

from pytest_smtpd.plugin.misspelt import misspelt, place_of
from pytest_smtpd.rules.rule import Rule, as_rules, on
from pytest_smtpd.settings import SETTINGS, check_settings
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.values import described, printable

_OURS: Final = "pytest_smtpd.plugin"
_NOT_INDIRECT: Final = (
    "@pytest.mark.parametrize('smtpd', ...) needs indirect=True: without it the test gets the parameter, not a server"
)
FIXTURES: Final = ("smtpd", "smtpd_factory", "smtpd_session")
_ABOUT_SERVERS: Final = ("smtpd", "smtpd_on")
_NOT_OF_THE_PROJECT: Final = ("_pytest.", "pytest_smtpd.")
# The rules of an item's markers, by the marker: one each, however often the marker is read.
_MADE: "pytest.StashKey[dict[int, Rule]]" = pytest.StashKey()


# Type checkers do not see that the first base is a class, and the second is final to them, though not at run time.
class UsageError(pytest.fail.Exception, pytest.UsageError):  # type: ignore[misc, name-defined]  # pyright: ignore[reportGeneralTypeIssues]
    """Something about the use of this plugin is wrong; shown in one line, without a traceback."""

    __module__ = "pytest_smtpd"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, pytrace=False)  # type: ignore[call-arg]


class DeclaredRule(NamedTuple):
    """A rule that a test declares; ``optional`` is the default for a rule without ``optional=`` of its own."""

    rule: Rule
    optional: bool

    def copy(self) -> Rule:
        """A fresh rule for one server."""
        return self.rule.copy(optional=self.optional)

    @property
    def has_to_be_used(self) -> bool:
        """Whether the test fails if none of the copies is used."""
        return self.rule.needs_use(optional=self.optional)


class Declared:
    """Settings and rules from one or more places, the nearest first."""

    def __init__(self, settings: Mapping[str, Any] | None = None, rules: Iterable[DeclaredRule] = ()) -> None:
        self.settings: dict[str, Any] = dict(settings or {})
        self.rules: list[DeclaredRule] = list(rules)

    def add(self, farther: "Declared") -> None:
        """Merge the declarations of a farther place: settings key by key, its rules behind the nearer ones."""
        self.settings = {**farther.settings, **self.settings}
        self.rules += farther.rules


def read_dict(given: Mapping[str, Any], where: str, *, optional: bool) -> Declared:
    """A dict of settings, with ``"on"`` for rules. Raises ``TypeError`` or ``ValueError``."""
    __tracebackhide__ = True
    if not isinstance(given, Mapping):
        raise TypeError(f"{where} must be a dict of settings, not {described(given)}")
    settings = {name: value for name, value in given.items() if name != "on"}
    try:
        checked = check_settings(settings)
        if checked.keys() & {"lint", "lint_ignore"}:
            from pytest_smtpd.lint.choice import check_choice

            check_choice(checked)
        return Declared(checked, read_rules(given.get("on", ()), optional=optional))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None


def read_config(given: Mapping[str, Any]) -> Declared:
    """The declarations in ``smtpd_config``, for every server. Its "sweep" is read by ``smtpd_sweep``."""
    if isinstance(given, Mapping):
        given = {name: value for name, value in given.items() if name != "sweep"}
    return read_dict(given, "smtpd_config", optional=True)


def read_rules(given: Any, *, optional: bool) -> list[DeclaredRule]:
    """One rule, or a list of them. Raises ``TypeError``."""
    __tracebackhide__ = True
    return [DeclaredRule(rule, optional) for rule in as_rules(given)]


def read_parameter(parameter: Any) -> Declared:
    """A fixture parameter: a rule, a list of rules, or a dict of settings. Raises ``TypeError`` or ``ValueError``."""
    if parameter is None:
        return Declared()
    if isinstance(parameter, Mapping):
        return read_dict(parameter, "smtpd parameter", optional=False)
    if isinstance(parameter, Rule | list | tuple):
        try:
            return Declared({}, read_rules(parameter, optional=False))
        except TypeError as error:
            raise TypeError(f"smtpd parameter: {error}") from None
    raise TypeError(
        f"smtpd parameter: a rule made by on(...), a list of rules or a dict of settings, not {described(parameter)}"
    )


def closest_marks(item: pytest.Item) -> Iterator[tuple[pytest.Mark, bool]]:
    """Our marks about servers, nearest first, each with whether it is on the test itself.

    pytest's own order puts a parameter's marks behind the function's, and a base class before its child.
    """
    chain = item.listchain()
    if not any(mark.name in _ABOUT_SERVERS for node in chain for mark in node.own_markers):
        return
    seen: set[int] = set()

    def fresh(marks: Iterable[Any], *, own: bool) -> Iterator[tuple[pytest.Mark, bool]]:
        for mark in marks:
            bare = getattr(mark, "mark", mark)
            if bare.name in _ABOUT_SERVERS and id(bare) not in seen:
                seen.add(id(bare))
                yield bare, own

    yield from fresh(getattr(getattr(item, "callspec", None), "marks", ()), own=True)
    written = {id(mark) for mark in getattr(getattr(item, "obj", None), "pytestmark", ())}
    yield from fresh([mark for mark in item.own_markers if id(mark) not in written], own=True)
    for node in reversed(chain):
        if isinstance(node, pytest.Class):
            for cls in node.obj.__mro__:
                marks = cls.__dict__.get("pytestmark", ())
                yield from fresh(marks if isinstance(marks, list | tuple) else [marks], own=False)
        yield from fresh(node.own_markers, own=node is item)


def read_marks(item: pytest.Item) -> Declared:
    """The declarations of a test's markers. Raises ``TypeError`` or ``ValueError``, with the marker's place."""
    declared, made = Declared(), item.stash.setdefault(_MADE, {})
    for mark, own in closest_marks(item):
        try:
            if mark.name == "smtpd_on":
                made[id(mark)] = made.get(id(mark)) or _rule(mark)
                declared.rules.append(DeclaredRule(made[id(mark)], not own))
            else:
                declared.add(_settings(mark, own=own))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{error} ({place_of(item, mark)})") from None
    return declared


def _settings(mark: pytest.Mark, *, own: bool) -> Declared:
    if mark.args:
        wrong = ", ".join(map(described, mark.args))
        raise TypeError(f"@pytest.mark.smtpd takes keywords only, like tls='implicit', not {wrong}")
    return read_dict(mark.kwargs, "@pytest.mark.smtpd", optional=not own)


def _rule(mark: pytest.Mark) -> Rule:
    if len(mark.args) != 1:
        raise TypeError("@pytest.mark.smtpd_on takes one hook and keywords, like smtpd_on('rcpt_to', reply=550)")
    hook: Any = mark.args[0]
    if isinstance(hook, Rule) and not mark.kwargs:
        return hook
    try:
        return on(cast("HookName", hook), **mark.kwargs)  # which is for on to check
    except (TypeError, ValueError) as error:
        raise type(error)(f"@pytest.mark.smtpd_on: {error}") from None


def refuse_misuse(item: pytest.Item) -> None:
    """Raise ``UsageError`` for wrong markers, and for another fixture in the place of ours."""
    marked = any(True for _ in closest_marks(item))
    problem = _foreign(item, marked=marked) or (_marks_problem(item) if marked else None) or _unswept(item)
    if problem:
        raise UsageError(problem)


def _foreign(item: pytest.Item, *, marked: bool) -> str | None:
    """Another fixture called ``smtpd``, to which this test gives our markers and parameters.

    A fixture that builds on ours is allowed, and without our markers so is one of a conftest or of a test module.
    """
    winner = _winner(item)
    if winner is None or _is_ours(winner):
        return None
    module = winner.func.__module__
    parameter = _parameter(item)
    if module.startswith("_pytest."):  # pytest's own stand-in: the test gets the parameter itself
        return _NOT_INDIRECT if marked or _is_meant_for_us(parameter) else None
    meant = marked or type(parameter).__module__ == "pytest_smtpd"
    if not meant and not _is_installed(winner, item.config):
        return None
    return (
        f"the fixture 'smtpd' of this test is not pytest-smtpd's: {module} defines one too, and wins; "
        "switch that plugin off with -p no:NAME, or rename its fixture"
    )


def _winner(item: pytest.Item) -> Any:
    """The fixture that ``smtpd`` is in this test."""
    definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).get("smtpd")
    return definitions[-1] if definitions else None


def _is_ours(definition: Any) -> bool:
    return getattr(definition.func, "__module__", _OURS) == _OURS or "smtpd" in definition.argnames


def parameter_of(item: pytest.Item) -> object:
    """The parameter of our ``smtpd``; None if there is none, or if ``smtpd`` is another plugin's fixture."""
    winner = _winner(item)
    return _parameter(item) if winner is not None and _is_ours(winner) else None


def _parameter(item: pytest.Item) -> object:
    return getattr(getattr(item, "callspec", None), "params", {}).get("smtpd")


def _is_meant_for_us(parameter: object) -> bool:
    try:
        declared = read_parameter(parameter)
    except (TypeError, ValueError):
        return False
    return bool(declared.rules or declared.settings)


def _marks_problem(item: pytest.Item) -> str | None:
    """The mistake in a test's markers, in one line."""
    try:
        read_marks(item)
    except (TypeError, ValueError) as error:
        return str(error)
    if set(getattr(item, "fixturenames", FIXTURES)) & set(FIXTURES) or _may_ask_later(item):
        return None
    for mark, own in closest_marks(item):
        if own:
            return (
                f"@pytest.mark.{mark.name} has no effect: this test uses none of the fixtures {', '.join(FIXTURES)} "
                f"({place_of(item, mark)})"
            )
    return None


def _unswept(item: pytest.Item) -> str | None:
    """The mistake in a marker for ``smtpd_sweep`` on the test itself, in one line."""
    mark = next((mark for mark in item.own_markers if mark.name == "smtpd_sweep"), None)
    if mark is None or "smtpd_sweep" in getattr(item, "fixturenames", ()) or _may_ask_later(item):
        return None
    return f"@pytest.mark.smtpd_sweep has no effect: this test does not use smtpd_sweep ({place_of(item, mark)})"


def refuse_unused(item: pytest.Item) -> None:
    """Fail a test that has passed without our fixtures for a rule of its own markers, which was never used."""
    for declared in declared_by(item, {}).rules:
        if declared.has_to_be_used:
            pytest.fail(
                f"{declared.rule!r} was never used: the test has asked for none of the fixtures {', '.join(FIXTURES)}",
                pytrace=False,
            )


def _may_ask_later(item: pytest.Item) -> bool:
    """Whether the test, or a fixture that it needs, has ``request``, by which it may ask for our fixtures later.

    Fixtures of pytest and of installed plugins do not count: they know nothing of ours.
    """
    info = getattr(item, "_fixtureinfo", None)
    chains: dict[str, Any] = getattr(info, "name2fixturedefs", {})
    meant = [name for mark in item.iter_markers("usefixtures") for name in mark.args]
    own = [name for name, chain in chains.items() if not all(_is_installed(one, item.config) for one in chain)]
    return "request" in _needed([*getattr(info, "argnames", ()), *meant, *own], chains)


def _needed(names: Iterable[str], chains: Mapping[str, Any]) -> set[str]:
    """These fixtures, and those that they need."""
    todo, found = list(names), set[str]()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            chain = [one for one in chains.get(name, ()) if not one.func.__module__.startswith(_NOT_OF_THE_PROJECT)]
            todo += [argument for one in chain for argument in one.argnames]
    return found


def _is_installed(definition: Any, config: pytest.Config) -> bool:
    """Whether a fixture is of pytest or of a plugin that is installed, and not of the project."""
    plugins = [plugin for plugin, _ in config.pluginmanager.list_plugin_distinfo()]
    installed = {getattr(plugin, "__name__", "").partition(".")[0] for plugin in plugins}
    return definition.func.__module__.partition(".")[0] in {"_pytest", *installed}


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
    """A setting in an id: of a login the users, of an unknown setting only the name."""
    if name == "on":
        return parameter_id(value) or "on"
    row = SETTINGS.get(name)
    if row is None:
        return printable(str(name))
    if row.secret and value not in (row.default, None):
        return f"{name}={printable(','.join(map(str, value)))}" if isinstance(value, Mapping) else str(name)
    return f"{name}={_value_word(value)}"


def _value_word(value: Any) -> str:
    if value is None or isinstance(value, str | int | float):
        return printable(str(value))
    if isinstance(value, set | frozenset | list | tuple) and all(isinstance(one, str) for one in value):
        return printable(",".join(sorted(value)))
    return type(value).__name__


def declared_by(item: pytest.Item, config: Mapping[str, Any], parameter: object = None) -> Declared:
    """Everything that a test declares about its server, nearest first. Raises ``UsageError``."""
    try:
        declared = read_parameter(parameter)
        declared.add(read_marks(item))
        declared.add(read_config(config))
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None
    problem = misspelt(item)
    if problem:
        raise UsageError(problem)
    return declared
