"""Writes docs/reference/ but for the protocol: settings, hooks, rules, what was received, fixtures.

Names, defaults and signatures come from the code, the meanings from meanings.py; there has to be one for each.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
import textwrap
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from meanings import (  # noqa: E402 - found by the line above
    ACTIONS,
    ATTRIBUTES,
    FIXTURES,
    HOOKS,
    KEYS,
    METHODS,
    MODIFIERS,
    OBJECTS,
    PROSE,
    SETTINGS,
    VALUES,
)
from tables import code, codes, explained, note, table, write_or_check  # noqa: E402

import pytest_smtpd  # noqa: E402
from pytest_smtpd import match, plugin, rules, settings  # noqa: E402
from pytest_smtpd.smtp import replies  # noqa: E402
from pytest_smtpd.smtp.options import AUTH_METHODS  # noqa: E402

SCRIPT = "reference.py"

# ---------------------------------------------------------------- settings


def default_of(name: str) -> str:
    """The default, as it is written."""
    fields = {field.name: field for field in dataclasses.fields(settings.Settings)}
    if name == "on":
        return "()"
    value = fields[name].default
    return "()" if value == frozenset() else repr(value).replace("'", '"')


def settings_page() -> str:
    names = (*settings.NAMES, "on")
    rows = [
        (code(name), code(default_of(name)), meaning) for name, meaning in explained(names, SETTINGS, "settings")
    ]
    fixed = codes(name for name in settings.NAMES if name in settings.FIXED_AT_START)
    choices = {
        "tls": settings.TLS_MODES,
        "certificate": settings.CERTIFICATES,
        "client_certificate": settings.CLIENT_CERTIFICATES,
        "auth_methods": AUTH_METHODS,
    }
    values = "\n".join(value_table(name, known) for name, known in choices.items())
    parts = {"table": table(("setting", "default", "meaning"), rows), "fixed": fixed, "values": values}
    return note(SCRIPT) + fill(PROSE["settings"], parts)


def value_table(name: str, known: Any) -> str:
    rows = [(code(repr(value).replace("'", '"')), meaning) for value, meaning in value_meanings(name, known)]
    return table((code(name), ""), rows)


def value_meanings(name: str, known: Any) -> list[tuple[object, str]]:
    found = explained(map(str, known), VALUES[name], name)
    return [(value, meaning) for value, (_, meaning) in zip(known, found, strict=True)]


# ---------------------------------------------------------------- hooks


def hooks_page() -> str:
    rows = [
        (code(hook), when, code(arguments), returns, refused(hook))
        for hook, (when, arguments, returns) in explained_hooks()
    ]
    head = ("hook", "when", "arguments", "may return", "refused with, by default")
    return note(SCRIPT) + PROSE["hooks"].format(table=table(head, rows))


def explained_hooks() -> list[tuple[str, tuple[str, str, str]]]:
    explained(rules.HOOKS, dict.fromkeys(HOOKS, ""), "hooks")
    return [(hook, HOOKS[hook]) for hook in rules.HOOKS]


def refused(hook: str) -> str:
    """The reply of a Reject that says nothing."""
    special = {"close": "", "secure": "nothing can be said; the connection closes"}
    if hook in special:
        return special[hook]
    reply = replies.REFUSALS[hook]
    closes = ", then the connection closes" if hook == "connect" else ""
    return f"`{reply.code} {reply.enhanced} {reply.text}`{closes}"


# ---------------------------------------------------------------- rules


def rules_page() -> str:
    parts = {
        "signature": signature(rules.RuleArguments.__annotations__),
        "actions": table(("action", "what happens"), shown(explained(rules.ACTIONS, ACTIONS, "actions"), "=")),
        "modifiers": table(("modifier", "meaning"), shown(explained(rules.MODIFIERS, MODIFIERS, "modifiers"), "=")),
        "keys": table(("match key", "compares"), shown(explained(rules.KEYS, KEYS, "keys"), "=")),
        "matrix": matrix(),
        "more": more_keys(),
        "standard": standard_replies(),
    }
    return note(SCRIPT) + fill(PROSE["rules"], parts)


def fill(text: str, parts: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: parts.get(found[1], found[0]), text)


def shown(pairs: list[tuple[str, str]], suffix: str = "") -> list[tuple[str, str]]:
    return [(code(f"{name}{suffix}"), meaning) for name, meaning in pairs]


def signature(names: Any) -> str:
    text = f"on(hook, /, *, {', '.join(f'{name}=' for name in rules._ORDER if name in names)})"
    return textwrap.fill(text, 100, subsequent_indent="   ")


def matrix() -> str:
    """Which hook can have what."""
    everywhere = [name for name in rules._ORDER if all(name in rules.POSSIBLE[hook] for hook in rules.HOOKS)]
    rows = [
        (code(f"{name}="), *("✓" if name in rules.POSSIBLE[hook] else "" for hook in rules.HOOKS))
        for name in rules._ORDER
        if name not in everywhere
    ]
    rows.append((codes(f"{name}=" for name in everywhere), *("✓" for _ in rules.HOOKS)))
    return table(("", *map(code, rules.HOOKS)), rows)


def more_keys() -> str:
    return table(
        ("query", "match keys beside those of rules"),
        [(code(f"{kind}s"), codes(names)) for kind, names in match.ATTRIBUTES.items()],
    )


def standard_replies() -> str:
    """What a bare code of a rule says."""
    wanted = [replies.standard(number) for number in replies.STANDARD if number >= 400]
    return table(("`reply=`", "is sent as"), [(str(reply.code), code(reply)) for reply in wanted])


# ---------------------------------------------------------------- what was received

CLASSES: dict[str, type] = {name: getattr(pytest_smtpd, name) for name in ATTRIBUTES}


def attributes_of(cls: type) -> list[str]:
    """The public attributes that are no methods."""
    names = [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else assigned(cls)
    names += [name for name, value in vars(cls).items() if isinstance(value, property)]
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def assigned(cls: type) -> list[str]:
    """What a class without dataclass fields sets on itself, in that order."""
    home = import_module(f"pytest_smtpd.{pytest_smtpd._HOMES[cls.__name__]}")
    tree = ast.parse(inspect.getsource(home))
    body = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == cls.__name__)
    return [
        node.attr
        for node in ast.walk(body)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    ]


def attribute_table(name: str) -> str:
    """The attributes of a class that are meant for users; OBJECTS names the others, so that new ones are seen."""
    meanings = ATTRIBUTES[name]
    there = attributes_of(CLASSES[name])
    hidden = OBJECTS[name]
    found = explained([attribute for attribute in there if attribute not in hidden], meanings, name)
    return table(("attribute", "meaning"), shown(found))


def method_table(name: str) -> str:
    cls = CLASSES[name]
    functions = {
        method: value
        for method, value in vars(cls).items()
        if inspect.isfunction(value) and not method.startswith("_") and method not in OBJECTS[name]
    }
    found = explained(functions, METHODS[name], f"methods of {name}")
    return table(("method", "meaning"), [(code(f"{call(method, functions[method])}"), text) for method, text in found])


def call(name: str, function: Any) -> str:
    """A method as it is called: names and defaults, no types."""
    given = list(inspect.signature(function, eval_str=False).parameters.values())[1:]
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in given]
    text = str(inspect.Signature(plain))
    return f"{'await ' if inspect.iscoroutinefunction(function) else ''}{name}{text}"


def received_page() -> str:
    parts = {name: attribute_table(name) for name in ATTRIBUTES if ATTRIBUTES[name]}
    parts |= {f"{name}_methods": method_table(name) for name in METHODS}
    known = explained(outcomes(), VALUES["outcome"], "outcome")
    parts["outcomes"] = table(("outcome", "how the server decided"), shown(known))
    return note(SCRIPT) + fill(PROSE["received"], parts)


def outcomes() -> list[str]:
    from pytest_smtpd.calls import Outcome

    return list(get_args(Outcome))


# ---------------------------------------------------------------- fixtures


def fixtures_page() -> str:
    here = {name: value for name, value in vars(plugin).items() if name.startswith("smtpd")}
    functions = {name: value for name, value in here.items() if not inspect.isfunction(value)}
    found = explained(functions, FIXTURES, "fixtures")
    rows = [(code(name), scope_of(functions[name]), text) for name, text in found]
    lines = [line.partition(": ") for line in plugin._MARKERS]
    markers = "\n".join(f"`@pytest.mark.{name}`\n: {text}\n" for name, _, text in lines)
    names = ", ".join(code(name) for name in sorted(pytest_smtpd.__all__, key=str.lower))
    parts = {"table": table(("fixture", "scope", "what"), rows), "markers": markers, "names": names}
    return note(SCRIPT) + fill(PROSE["fixtures"], parts)


def scope_of(definition: Any) -> str:
    return str(definition._fixture_function_marker.scope)


PAGES = {
    "reference/settings.md": settings_page,
    "reference/hooks.md": hooks_page,
    "reference/rules.md": rules_page,
    "reference/received.md": received_page,
    "reference/fixtures.md": fixtures_page,
}

if __name__ == "__main__":
    write_or_check(PAGES)
