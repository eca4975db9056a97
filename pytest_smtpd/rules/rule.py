"""Rule and ``on()``: a hook point, the options and the match keys. Cheap to import."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NoReturn, Self, TypeVar, Unpack
from zlib import crc32

from pytest_smtpd.rules.check import check_rule
from pytest_smtpd.rules.compare import WHEN
from pytest_smtpd.rules.hooks import HOOKS
from pytest_smtpd.rules.match import KEYS, Match
from pytest_smtpd.rules.options import OPTIONS, decoration_fields, given, in_order, verdict_fields
from pytest_smtpd.rules.shown import shown
from pytest_smtpd.rules.stateful import Stateful
from pytest_smtpd.rules.verdict import Verdict
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.values import described, printable, short

__tracebackhide__ = True  # errors point at the caller's line

Drop = bool | Literal["fin", "rst"]
HookFunction = Callable[..., Any]
F = TypeVar("F", bound=HookFunction)
H = TypeVar("H", bound=HookFunction | None)


class HookOptions(Match, total=False):
    """Modifiers and match keys: all that a decorated hook function can have."""

    times: int
    skip: int
    delay: float
    drip: float
    then: bytes
    optional: bool


class RuleArguments(HookOptions, total=False):
    """Everything that ``on`` takes beside the hook, for type checkers."""

    reply: int | str | Reply | list[Any]  # a list of these: list[int | str] would refuse a list[int]
    drop: Drop
    hang: bool
    raw: bytes | Callable[[bytes], bytes]
    call: HookFunction
    linger: float
    after: int
    accept: bool


class Rule:
    """A fault or hook function at one hook point, and the calls it applies to. Made by ``on(...)``.

    It is a context manager: ``with smtpd.on(...):`` ends the rule with the block. A rule is a plain value; each server
    works with a copy of its own, so that counters begin at 0.

    ``verdicts`` are what it answers, one after the other where there are several; none for a hook function, and for a
    rule that only decorates the usual answer (``decoration``). ``answers`` is whether it decides a call.
    """

    __module__ = "pytest_smtpd"

    def __init__(self, hook: HookName, given_options: Mapping[str, Any], *, id: str = "") -> None:  # noqa: A002
        self.hook: HookName = hook  #: The hook point at which it acts.
        #: All that it was made of: action, modifiers and match keys.
        self.options: Mapping[str, Any] = _in_order(given_options)
        #: Its match keys.
        self.match: Mapping[str, Any] = {key: given_options[key] for key in (*KEYS, WHEN) if key in given_options}
        #: Whether it need not be used; None if ``optional=`` was not given and no server holds the rule yet.
        self.optional: bool | None = given_options.get("optional")
        self.origin: Rule = self
        self.seen: int = 0
        self.used: int = 0  #: How often it was applied.
        self.ended: bool = False
        self.since: float | None = None  # when it was added to a running server, in seconds since the epoch
        self._id = id
        self._compile()

    def _compile(self) -> None:
        """Work out the verdicts, once."""
        self.function: HookFunction | None = self.options.get("call")
        self.after: int | None = self.options.get("after")
        self.answers: bool = any(row.answers and given(self.options, name) for name, row in OPTIONS.items())
        replies = self.options.get("reply")
        several = replies if isinstance(replies, list) else [replies]
        self.verdicts: tuple[Verdict, ...] = ()
        self.decoration: Verdict | None = None
        if self.answers and self.function is None:
            self.verdicts = tuple(Verdict(rule=self, **verdict_fields(self.options, self.hook, one)) for one in several)
        elif any(row.decorates and name in self.options for name, row in OPTIONS.items()):
            self.decoration = Verdict(rule=self, **decoration_fields(self.options, self.hook))
        self.most: int | None = len(several) if isinstance(replies, list) else self.options.get("times")

    @property
    def acts(self) -> bool:
        """Whether it does anything at all; a decorator without a function does not."""
        return self.answers or self.decoration is not None

    @property
    def has_to_be_used(self) -> bool:
        """Whether a test that does not use it fails; never for ``close``, which may come after the test."""
        return self.needs_use(optional=None)

    def needs_use(self, *, optional: bool | None) -> bool:
        """``has_to_be_used``; ``optional`` is the default for a rule without ``optional=`` of its own."""
        optional = optional if self.optional is None else self.optional
        return optional is False and HOOKS[self.hook].refusal is not None

    @property
    def over(self) -> bool:
        """Whether it will never be applied again."""
        return self.ended or (self.most is not None and self.used >= self.most)

    @property
    def reads_content(self) -> bool:
        """Whether it can only be matched when the content of a message is there."""
        return any(KEYS[name].reads_content for name in self.match if name != WHEN)

    def copy(self, *, optional: bool | None = None) -> "Rule":
        """A fresh rule for one server; ``optional`` is the default for a rule without ``optional=`` of its own."""
        fresh = Rule.__new__(type(self))
        fresh.__dict__.update(self.__dict__)
        fresh.begin_anew()
        fresh.ended = False
        fresh.origin = self.origin
        fresh.optional = optional if self.optional is None else self.optional
        fresh.verdicts = tuple(verdict._replace(rule=fresh) for verdict in self.verdicts)
        fresh.decoration = self.decoration and self.decoration._replace(rule=fresh)
        return fresh

    def begin_anew(self) -> None:
        """Count from the start, and reset the state of the function. A rule that was ended stays ended."""
        self.seen = self.used = 0
        self.function = _fresh(self.function)

    def take(self) -> bool:
        """Count a matching call. Returns whether the rule applies to it, by ``times`` and ``skip``."""
        if not self.acts:
            return False
        self.seen += 1
        if self.over or self.seen <= self.options.get("skip", 0):
            return False
        self.used += 1
        return True

    def would_take(self) -> bool:
        """The value that ``take`` would return, without counting."""
        return self.acts and not self.over and self.seen >= self.options.get("skip", 0)

    @property
    def verdict(self) -> Verdict:
        """The verdict on the call that it has just taken."""
        return self.verdicts[min(self.used, len(self.verdicts)) - 1]

    def end(self) -> None:
        """Apply to no further call. Leaving ``with rule:`` does the same."""
        self.ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    def __repr__(self) -> str:
        words = [repr(self.hook), *(f"{name}={short(shown(value))}" for name, value in self.options.items())]
        return f"on({', '.join(words)})"

    @property
    def __name__(self) -> str:
        """The id that pytest shows for a parameter."""
        words = [word for name, value in self.options.items() if (word := _id_word(name, value))]
        return self._id or "-".join([self.hook, *map(_short_id, words)])


class RuleDecorator(Rule):
    """A rule without an action, as ``smtpd.on`` gives it: the hook function that it decorates becomes its action.

    Until then it does no more than decorate the usual answer. Each further function is a rule of its own.
    """

    def __init__(
        self, hook: HookName, given_options: Mapping[str, Any], *, optional: bool, add: Callable[[Rule], object]
    ) -> None:
        super().__init__(hook, given_options)
        self.optional: bool | None = optional if self.optional is None else self.optional
        self._add = add

    def __call__(self, function: F) -> F:
        """Take ``function`` as the action, and return it.

        Raises ``TypeError`` or ``ValueError`` with a one-line message.
        """
        __tracebackhide__ = True
        complete = {**self.options, "call": function}
        check_rule(self.hook, complete)
        if self.answers:
            self._add(Rule(self.hook, complete).copy(optional=self.optional))
        else:
            self.options: Mapping[str, Any] = _in_order(complete)
            self._compile()
            self.function: HookFunction | None = _fresh(function)
        return function


def _fresh(function: Any) -> Any:
    """The function for one server: a stateful one gets a state of its own."""
    return function.fresh() if isinstance(function, Stateful) else function


def _in_order(given_options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options in the order in which they are shown."""
    keys = [name for name in (*KEYS, WHEN) if name in given_options]
    return {name: given_options[name] for name in (*in_order(given_options), *keys)}


def _id_word(name: str, value: object) -> str:
    if name == "optional":
        return ""
    if name == "reply":
        replies = value if isinstance(value, list) else [value]
        return ",".join(printable(str(reply).replace("\n", " ")) for reply in replies)
    if value is True:
        return name
    text = printable(value) if isinstance(value, str) else shown(value)
    return f"{name}={text}"


def _short_id(word: str) -> str:
    """A text that is too long for an id is cut, and gets a checksum, since others may begin and end alike."""
    cut = short(word)
    return word if cut == word else f"{cut}~{crc32(word.encode('utf-8', 'surrogatepass')):x}"


def as_rules(value: Any) -> list[Rule]:
    """One rule, or several, as a list. Raises ``TypeError`` for anything else."""
    rules = [value] if isinstance(value, Rule) else value
    if not isinstance(rules, Iterable) or isinstance(rules, str | Mapping):
        _no_rule(value)
    rules = list(rules)
    for rule in rules:
        if not isinstance(rule, Rule):
            _no_rule(rule)
    return rules


def _no_rule(value: object) -> NoReturn:
    """Raise an error that names the type of the argument, not its content: that may hold passwords."""
    raise TypeError(f"on takes a rule made by on(...), or a list of them, not {described(value)}")


def on(hook: HookName, /, **given_options: Unpack[RuleArguments]) -> Rule:
    """A rule: at ``hook``, do this, when that matches. A value, to be given to servers, markers and parameters.

    Raises ``TypeError`` or ``ValueError`` with a one-line message for what could never work.
    """
    __tracebackhide__ = True
    if isinstance(hook, Rule):
        raise TypeError(complete_already(hook, given_options))
    check_rule(hook, given_options)
    return Rule(hook, given_options)


def complete_already(rule: Rule, given_options: Mapping[str, Any]) -> str:
    """The error about a rule given in the place of a hook, with more options."""
    more = ", ".join(f"{name}=" for name in given_options)
    return f"{rule!r} is a rule already{f'; give {more} to the on(...) that makes it' if more else ''}"
