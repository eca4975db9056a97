"""What is wrong with a rule, said when the rule is made."""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pytest_smtpd.rules import ACTIONS, HOOKS, KEYS, MODIFIERS, POSSIBLE, Rule
from pytest_smtpd.smtp.replies import leading_reply, parse_reply
from pytest_smtpd.suggest import did_you_mean

__tracebackhide__ = True  # what is raised here is about the line that called

Check = Callable[[object], bool]

_KINDS: Final = {"action": ACTIONS, "modifier": MODIFIERS, "match key": KEYS}


_ARGUMENTS: Final = {
    "connect": ("session",),
    "secure": ("tls", "session"),
    "auth": ("auth", "session"),
    "data": ("stream", "session"),
    "command": ("command", "session"),
    "close": ("session",),
}


def _is_number(value: object, least: float = 0) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value < float("inf")


def _is_count(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


_A_FLAG: Final[tuple[Check, str]] = (lambda value: isinstance(value, bool), "True or False")
_TYPES: Final[Mapping[str, tuple[Check, str]]] = {
    "drop": (
        lambda value: isinstance(value, bool | str) and value in (True, False, "fin", "rst"),
        "True, 'fin' or 'rst'",
    ),
    "hang": _A_FLAG,
    "raw": (lambda value: isinstance(value, bytes), "bytes, like b'250 ok\\r\\n'"),
    "call": (callable, "a function"),
    "times": (lambda value: _is_count(value, 1), "a number from 1"),
    "skip": (_is_count, "a number from 0"),
    "delay": (_is_number, "a number of seconds from 0"),
    "drip": (_is_number, "a number of seconds from 0, between two bytes"),
    "linger": (_is_number, "a number of seconds from 0"),
    "after": (_is_count, "a number of bytes from 0"),
    "accept": _A_FLAG,
    "optional": _A_FLAG,
    "when": (callable, "a function of the call"),
}


def check_rule(hook: object, options: Mapping[str, Any], *, needs_action: bool = True) -> None:
    """Raise ``TypeError`` or ``ValueError`` for a rule that could never work."""
    if isinstance(hook, Rule):
        raise TypeError(complete_already(hook, options))
    if not isinstance(hook, str) or hook not in HOOKS:
        raise ValueError(f"unknown hook {hook!r}{did_you_mean(hook, HOOKS)}")
    _check_names(hook, options)
    _check_values(options)
    if "call" in options:
        _check_function(hook, options["call"])
    _check_together(hook, options, needs_action=needs_action)


def complete_already(rule: Rule, options: Mapping[str, Any]) -> str:
    """What is wrong with a rule in the place of a hook, with more words beside it."""
    more = ", ".join(f"{name}=" for name in options)
    return f"{rule!r} is a rule already{f'; give {more} to the on(...) that makes it' if more else ''}"


def _check_names(hook: str, options: Mapping[str, Any]) -> None:
    for name in options:
        if name not in (*ACTIONS, *MODIFIERS, *KEYS):
            raise TypeError(f"on({hook!r}): unknown action, modifier or match key {name!r}{_nearest(hook, name)}")
        if name not in POSSIBLE[hook]:
            raise TypeError(f"on({hook!r}): the {_impossible(hook, name)}")


def _nearest(hook: str, name: str) -> str:
    return did_you_mean(name, [word for word in (*ACTIONS, *MODIFIERS, *KEYS) if word in POSSIBLE[hook]])


def _impossible(hook: str, name: str) -> str:
    """Why this hook cannot have a word, and which of that kind it can."""
    kind, words = next((kind, words) for kind, words in _KINDS.items() if name in words)
    valid = ", ".join(word for word in words if word in POSSIBLE[hook])
    why = "nobody is there any more to be answered; " if hook == "close" and kind == "action" else ""
    return f"{kind} {name!r} can never apply to this hook ({why}valid: {valid})"


def _check_values(options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if name == "reply":
            _check_reply(value)
        elif name in _TYPES and not _TYPES[name][0](value):
            raise TypeError(f"{name} must be {_TYPES[name][1]}, not {value!r}")


def _check_function(hook: str, function: Callable[..., object]) -> None:
    """What would only show when a client comes: a hook that cannot be called, or whose body would not run."""
    name = getattr(function, "__name__", type(function).__name__)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"on({hook!r}): {name} is a generator, whose body would never run; leave out its yield")
    arguments = _ARGUMENTS.get(hook, ("address", "session"))
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # a function that is written in C need not have one
    try:
        signature.bind(*arguments)
    except TypeError:
        called, takes = ", ".join(arguments), ", ".join(signature.parameters)
        raise TypeError(f"on({hook!r}): the hook is called with ({called}), not as {name}({takes})") from None


def _check_reply(reply: object) -> None:
    if isinstance(reply, str):
        try:
            parse_reply(reply)
        except ValueError as error:
            raise ValueError(f"{error}{_slip(reply)}") from None
    elif not isinstance(reply, int) or isinstance(reply, bool) or not 200 <= reply <= 599:
        number = isinstance(reply, int) and not isinstance(reply, bool)
        hint = "; a reply code is a number from 200 to 599" if number else ""
        raise ValueError(f"reply must be a code like 550 or text like '550 5.1.1 No such user', not {reply!r}{hint}")


def _slip(reply: str) -> str:
    """Which slip it is that makes a text no reply, where that can be seen."""
    heads = [re.match(r"[0-9]+", line) for line in reply.splitlines()]
    codes = {head[0] for head in heads if head}
    if len(heads) > 1 and (len(codes) > 1 or not all(heads)):
        return "; every line of a reply begins with the same code"
    wrong = [code for code in codes if len(code) != 3 or not 200 <= int(code) <= 599]
    return "; a reply code is a number from 200 to 599" if wrong else ""


def _check_together(hook: str, options: Mapping[str, Any], *, needs_action: bool) -> None:
    actions = [name for name in ACTIONS if options.get(name, False) is not False]
    for name, applies, problem in _SENSELESS:
        if name in options and options[name] is not False and applies(actions, options):
            raise ValueError(f"on({hook!r}): {problem}")
    if needs_action and not actions and not {"delay", "drip"} & options.keys():
        what = "reply=, drop=, hang=, raw= or call=" if hook != "close" else "call="
        raise TypeError(f"on({hook!r}): a rule needs an action: {what}")
    _check_answer(hook, options)


def _check_answer(hook: str, options: Mapping[str, Any]) -> None:
    if options.get("accept") is False and not _says_yes(options):
        raise ValueError(f"on({hook!r}): accept=False needs a reply that accepts, like reply=250")
    if hook == "secure" and "after" in options and "reply" in options:
        raise ValueError("on('secure'): there is no reply inside a handshake; use raw=, drop= or hang= with after=")


def _says_yes(options: Mapping[str, Any]) -> bool:
    raw, reply = options.get("raw"), options.get("reply")
    answer = leading_reply(raw) if raw is not None else None
    return answer.digit == 2 if answer else str(reply or "")[:1] == "2"


def _lacks(*names: str) -> Callable[[list[str], Mapping[str, Any]], bool]:
    return lambda actions, options: not set(names) & set(actions)


def _has(*names: str) -> Callable[[list[str], Mapping[str, Any]], bool]:
    return lambda actions, options: bool(set(names) & set(actions))


# (this given, and this holds: then it makes no sense, because)
_SENSELESS: Final = (
    ("raw", _has("reply"), "reply= and raw= are two answers; give one"),
    ("hang", _has("drop"), "drop= closes and hang= keeps open; give one"),
    ("call", _has("reply", "raw", "drop", "hang"), "call= decides by itself; leave out reply=, raw=, drop= and hang="),
    ("linger", _lacks("drop"), "linger= is the time before a drop; add drop="),
    ("linger", _lacks("reply", "raw"), "linger= is the time between an answer and the drop; add reply= or raw="),
    ("after", _lacks("reply", "raw", "drop", "hang"), "after= needs reply=, raw=, drop= or hang="),
    (
        "after",
        lambda actions, options: options.get("accept") is True and bool({"drop", "hang"} & set(actions)),
        "after= with drop= or hang= leaves no message to keep; leave out accept= or after=",
    ),
    ("accept", _has("call"), "a call= function decides by itself; leave out accept="),
    ("accept", _lacks("reply", "raw", "drop", "hang"), "accept= needs reply=, raw=, drop= or hang="),
    (
        "drip",
        lambda actions, options: bool(actions) and not set(actions) & {"reply", "raw", "call"},
        "drip= needs an answer to send byte by byte; add reply= or raw=",
    ),
)
