"""Checks of a rule when it is made. A mistake is an error in one line."""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from pytest_smtpd.rules import match, options
from pytest_smtpd.rules.compare import WHEN
from pytest_smtpd.rules.effects import read_reply
from pytest_smtpd.rules.hooks import HOOKS, check_hook
from pytest_smtpd.rules.match import KEYS, check_value
from pytest_smtpd.rules.options import OPTIONS, given, given_actions, listed, why
from pytest_smtpd.rules.stateful import Stateful
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.values import described, quoted
from pytest_smtpd.suggest import did_you_mean

__tracebackhide__ = True  # errors point at the caller's line


def check_rule(hook: str, given_options: Mapping[str, Any], *, needs_action: bool = True) -> None:
    """Raise ``TypeError`` or ``ValueError`` for a rule that could never work."""
    check_hook(hook)
    for name, value in given_options.items():
        _check_name(hook, name)
        _check_option(hook, name, value)
    _check_conflicts(hook, given_options)
    _check_actions(hook, given_actions(given_options))
    if needs_action:
        _check_acts(hook, given_options)


def _check_conflicts(hook: str, given_options: Mapping[str, Any]) -> None:
    for name, row in OPTIONS.items():
        applies = name in given_options and (row.kind == "modifier" or given(given_options, name))
        for excludes, text in row.conflicts if applies else ():
            if excludes(given_options, hook):
                raise ValueError(f"on({hook!r}): {why(text)}")


def _check_acts(hook: str, given_options: Mapping[str, Any]) -> None:
    acts = any(given(given_options, name) and (row.answers or row.decorates) for name, row in OPTIONS.items())
    if not acts:
        actions = listed(name for name in options.possible(hook) if OPTIONS[name].answers)
        raise TypeError(f"on({hook!r}): a rule needs an action: {actions}")


def _check_actions(hook: str, actions: list[str]) -> None:
    """At most one action that replies, and one that ends the connection after it."""
    for sends, what in ((True, "two answers"), (False, "two ends")):
        same = [name for name in actions if OPTIONS[name].sends == sends]
        if len(same) > 1:
            raise ValueError(f"on({hook!r}): {listed(same, 'and')} are {what}; give one")


def _check_name(hook: str, name: str) -> None:
    if name in OPTIONS and name in KEYS:
        raise TypeError(f"{name!r} has two rows, as an option and as a match key; one of them needs another name")
    if name in _possible(hook):
        return
    known = name in OPTIONS or name in KEYS or name == WHEN
    raise TypeError(f"on({hook!r}): {_not_here(hook, name) if known else _unknown(hook, name)}")


def _possible(hook: str) -> list[str]:
    return [*options.possible(hook), *match.possible(hook)]


def _unknown(hook: str, name: str) -> str:
    advice = f"that is a setting: @pytest.mark.smtpd({name}=...)" if name in Options.__annotations__ else ""
    hint = did_you_mean(name, _possible(hook), "option", advice=advice)
    return f"unknown action, modifier or match key {quoted(name)}{hint}"


def _not_here(hook: str, name: str) -> str:
    """The name applies to other hook points: which ones, and what applies to this one instead."""
    kind = _kind(name)
    others = sorted(other for other in HOOKS if name in _possible(other))
    where = " and ".join([", ".join(others[:-1]), others[-1]]) if len(others) > 1 else others[0]
    valid = ", ".join(other for other in _possible(hook) if _kind(other) == kind)
    why = ", where nobody is left to be answered" if HOOKS[hook].refusal is None and kind != "match key" else ""
    return f"{name!r} applies to {where}, not to {hook}{why} (valid {kind}s: {valid})"


def _kind(name: str) -> str:
    return OPTIONS[name].kind if name in OPTIONS else "match key"


def _check_option(hook: str, name: str, value: Any) -> None:
    if name not in OPTIONS:
        check_value(name, value)
        return
    row = OPTIONS[name]
    if not row.check(value):
        kind = ValueError if name == "reply" else TypeError
        raise kind(f"{name} must be {row.wanted}, not {described(value)}")
    if name == "reply":
        for reply in value if isinstance(value, list) else [value]:
            _check_reply(hook, reply)
    elif name == "call":
        _check_function(hook, value)


def _check_reply(hook: str, reply: Any) -> None:
    try:
        read_reply(reply, hook)
    except ValueError as error:
        raise ValueError(f"{error}{_slip(reply)}") from None


def _slip(reply: object) -> str:
    """The mistake in a text that is no reply, if it is a common one."""
    if not isinstance(reply, str):
        return ""
    heads = [re.match(r"[0-9]+", line) for line in reply.splitlines()]
    codes = {head[0] for head in heads if head}
    if len(heads) > 1 and (len(codes) > 1 or not all(heads)):
        return "; every line of a reply begins with the same code"
    wrong = [code for code in codes if len(code) != 3 or not 200 <= int(code) <= 599]
    return "; a reply code is a number from 200 to 599" if wrong else ""


def _check_function(hook: str, function: Callable[..., Any]) -> None:
    """Mistakes that would otherwise appear only when a client comes: a hook that cannot be called, or never runs."""
    name = getattr(function, "__name__", type(function).__name__)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"on({hook!r}): {name} is a generator, whose body would never run; leave out its yield")
    check_signature(hook, function, "the hook")
    if isinstance(function, Stateful):
        function.check(hook)


def check_signature(hook: str, function: Callable[..., Any], what: str) -> None:
    """Raise ``TypeError`` for a function that does not take the arguments of the hook."""
    arguments = HOOKS[hook].arguments
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # a function that is written in C need not have one
    try:
        signature.bind(*arguments)
    except TypeError:
        name = getattr(function, "__name__", type(function).__name__)
        called, takes = ", ".join(arguments), ", ".join(signature.parameters)
        raise TypeError(f"on({hook!r}): {what} is called with ({called}), not as {name}({takes})") from None
