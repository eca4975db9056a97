"""Rule and ``on()``: a hook, an action, its modifiers, and what has to match. Pure data, and cheap to import."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, Self, TypeVar, Unpack, get_args
from zlib import crc32

from pytest_smtpd.match import Match, shown
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.replies import Reply, leading_reply, parse_reply, standard
from pytest_smtpd.smtp.values import short

Drop = bool | Literal["fin", "rst"]
Hook = Callable[..., Any]
F = TypeVar("F", bound=Hook)


class HookOptions(Match, total=False):
    """Modifiers and match keys: all that a decorated hook function can have."""

    times: int
    skip: int
    delay: float
    drip: float
    optional: bool


class RuleArguments(HookOptions, total=False):
    """Everything that ``on`` takes beside the hook, for type checkers."""

    reply: int | str
    drop: Drop
    hang: bool
    raw: bytes
    call: Hook
    linger: float
    after: int
    accept: bool


HOOKS: Final[tuple[HookName, ...]] = get_args(HookName)

ACTIONS: Final = ("reply", "drop", "hang", "raw", "call")
MODIFIERS: Final = ("times", "skip", "delay", "drip", "linger", "after", "accept", "optional")
KEYS: Final = ("to", "mail_from", "subject", "user", "verb", "name", "when")


_ORDER: Final = (*ACTIONS, *MODIFIERS, *KEYS)

_EVERYWHERE: Final = frozenset({"times", "skip", "optional", "name", "when", "call"})
_ANSWERS: Final = _EVERYWHERE | {"reply", "drop", "hang", "raw", "delay", "drip", "linger"}
# What a rule at each hook can have; anything else could never come true there.
POSSIBLE: Final[Mapping[str, frozenset[str]]] = {
    "connect": _ANSWERS,
    "secure": _ANSWERS | {"after"},
    "auth": _ANSWERS | {"user"},
    "mail_from": _ANSWERS | {"mail_from", "user"},
    "rcpt_to": _ANSWERS | {"to", "mail_from", "user"},
    "data": _ANSWERS | {"to", "mail_from", "subject", "user", "after", "accept"},
    "close": _EVERYWHERE | {"to", "mail_from", "user"},
    "command": _ANSWERS | {"to", "mail_from", "user", "verb"},
}


class Rule:
    """What the server shall do at one hook, and when. Made by ``on(...)``; ``used`` counts how often it was applied.

    A context manager: ``with smtpd.on(...):`` ends the rule with the block. ``answers`` is whether it decides a call;
    one with a delay or drip alone lets the search go on.
    """

    __module__ = "pytest_smtpd"

    def __init__(self, hook: HookName, options: Mapping[str, Any], *, optional: bool | None = None) -> None:
        self.hook: HookName = hook
        self.options: Mapping[str, Any] = _in_order(options)
        self.match: Mapping[str, Any] = {key: options[key] for key in KEYS if key in options}
        self.optional: bool | None = options.get("optional", optional)
        self.answer: Reply | None = _answer(hook, options)
        self.answers: bool = any(options.get(action, False) is not False for action in ACTIONS)
        self.origin: Rule = self
        self.seen: int = 0
        self.used: int = 0
        self.ended: bool = False

    def copy(self, *, optional: bool | None = None) -> "Rule":
        """A fresh rule for another server; ``optional`` counts where the rule does not say it itself."""
        fresh = Rule(self.hook, self.options, optional=optional if self.optional is None else self.optional)
        fresh.origin = self.origin
        return fresh

    def get(self, name: str, default: Any = None) -> Any:
        """An action or modifier."""
        return self.options.get(name, default)

    def take(self) -> bool:
        """Count a matching call that has come to this rule; whether it applies, by ``times`` and ``skip``."""
        if not self.acts:
            return False
        self.seen += 1
        if not self._applies(self.seen):
            return False
        self.used += 1
        return True

    @property
    def acts(self) -> bool:
        """Whether it does anything at all."""
        return self.answers or not {"delay", "drip"}.isdisjoint(self.options)

    def would_take(self) -> bool:
        """What ``take`` would say, without counting."""
        return self._applies(self.seen + 1)

    def _applies(self, seen: int) -> bool:
        times = self.options.get("times")
        return not self.ended and seen > self.options.get("skip", 0) and (times is None or self.used < times)

    def end(self) -> None:
        """It applies to no further call."""
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
        """What pytest shows as the id of a parameter."""
        words = [word for name, value in self.options.items() if (word := _id_word(name, value))]
        return "-".join([self.hook, *map(_short_id, words)])


class RuleDecorator(Rule):
    """A rule without an action, as ``smtpd.on`` gives it: the hook function that it decorates becomes its action.

    Until then it does no more than its ``delay`` and ``drip`` say. Each further function is a rule of its own.
    """

    def __init__(
        self, hook: HookName, options: Mapping[str, Any], *, optional: bool, add: Callable[[Rule], object]
    ) -> None:
        super().__init__(hook, options, optional=optional)
        self._add = add

    def __call__(self, function: F) -> F:
        """Take ``function`` as the action, and return it. Raises ``TypeError`` or ``ValueError``, in one line."""
        __tracebackhide__ = True
        from pytest_smtpd.rulecheck import check_rule

        options = {**self.options, "call": function}
        check_rule(self.hook, options)
        if self.answers:
            self._add(Rule(self.hook, options, optional=self.optional))
        else:
            self.options: Mapping[str, Any] = _in_order(options)
            self.answers: bool = True
        return function


def _in_order(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """However they were given, they are shown like this."""
    return {name: options[name] for name in _ORDER if name in options}


def _id_word(name: str, value: object) -> str:
    if name == "optional":
        return ""
    if name == "reply":
        return str(value).replace("\n", " ")
    if value is True:
        return name
    text = value if isinstance(value, str) else shown(value)
    return f"{name}={text}"


def _short_id(word: str) -> str:
    """What is too long for an id is cut, and told from others that begin and end alike."""
    cut = short(word)
    return word if cut == word else f"{cut}~{crc32(word.encode('utf-8', 'surrogatepass')):x}"


def _answer(hook: str, options: Mapping[str, Any]) -> Reply | None:
    """The reply that decides how the session goes on: of ``reply``, or of the head of ``raw``."""
    reply, raw = options.get("reply"), options.get("raw")
    if raw is not None:
        return leading_reply(raw)
    if reply is None:
        return None
    return standard(reply, hook) if isinstance(reply, int) else parse_reply(reply)


def as_rules(given: Any) -> list[Rule]:
    """One rule, or several, as a list. Raises ``TypeError`` for anything else."""
    rules = [given] if isinstance(given, Rule) else given
    if not isinstance(rules, Iterable) or isinstance(rules, str):
        rules = [given]
    rules = list(rules)
    for rule in rules:
        if not isinstance(rule, Rule):
            raise TypeError(f"on takes a rule made by on(...), or a list of them, not {rule!r}")
    return rules


def on(hook: HookName, /, **options: Unpack[RuleArguments]) -> Rule:
    """A rule: at ``hook``, do this, when that matches. A value, to be given to servers, markers and parameters.

    Raises ``TypeError`` or ``ValueError``, in one line, for what could never work.
    """
    __tracebackhide__ = True
    from pytest_smtpd.rulecheck import check_rule

    check_rule(hook, options)
    return Rule(hook, options)
