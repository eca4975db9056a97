"""Writes docs/reference/ but for the protocol and the providers: settings, hooks, rules, what was received, fixtures.

Everything comes from the code: the tables have a text in each row, the public classes and fixtures have docstrings. The
text around that is in docs/_generate/pages. A row or an attribute without a text is an error.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from classes import entries_of  # noqa: E402 - found by the line above
from docstrings import markdown  # noqa: E402
from tables import code, codes, explained, fill, literal, note, table, write_or_check  # noqa: E402

import pytest_smtpd  # noqa: E402
from pytest_smtpd import limits, plugin  # noqa: E402
from pytest_smtpd.rules import match, options  # noqa: E402
from pytest_smtpd.rules.hooks import HOOKS  # noqa: E402
from pytest_smtpd.rules.match import KEYS, WHEN, WHEN_MEANING  # noqa: E402
from pytest_smtpd.rules.options import OPTIONS  # noqa: E402
from pytest_smtpd.rules.verdict import OUTCOMES  # noqa: E402
from pytest_smtpd.settings import SETTINGS  # noqa: E402
from pytest_smtpd.smtp import replies  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPT = "reference.py"

# --- settings -------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    meanings = explained(SETTINGS, {name: row.meaning for name, row in SETTINGS.items()}, "settings")
    rows = [(code(name), code(literal(SETTINGS[name].default)), meaning) for name, meaning in meanings]
    rows.append((code("on"), code("()"), "rules, nearest first; see [rules](rules.md)"))
    parts = {
        "table": table(("setting", "default", "meaning"), rows),
        "fixed": codes(name for name, row in SETTINGS.items() if row.at_start),
        "values": "\n".join(values(name) for name, row in SETTINGS.items() if row.choices),
    }
    return note(SCRIPT) + fill("settings", parts)


def values(name: str) -> str:
    """The words that a setting can be."""
    choices: Mapping[Any, str] = SETTINGS[name].choices
    meanings = explained(choices, choices, f"values of {name}")
    return table((code(name), ""), [(code(literal(value)), meaning) for value, meaning in meanings])


# --- hooks ----------------------------------------------------------------------------------------------------------


def hooks_page() -> str:
    explained(HOOKS, {name: row.when for name, row in HOOKS.items()}, "hooks")
    rows = [
        (code(name), row.when, code(", ".join(row.arguments)), row.returns, refused(name))
        for name, row in HOOKS.items()
    ]
    head = ("hook", "when", "arguments", "may return", "refused with, by default")
    return note(SCRIPT) + fill("hooks", {"table": table(head, rows)})


def refused(name: str) -> str:
    """The answer to a ``Reject()`` without arguments."""
    row = HOOKS[name]
    if row.refusal is None:
        return ""
    if "silence" in row.has:
        return f"the connection closes without a reply; the text of a `Reject` is sent first, as a {row.refusal.code}"
    return code(row.refusal) + (", then the connection closes" if "greeting" in row.has else "")


# --- rules ----------------------------------------------------------------------------------------------------------

EVERY = (*OPTIONS, *KEYS, WHEN)


def rules_page() -> str:
    keys = {name: key.meaning for name, key in KEYS.items()} | {WHEN: WHEN_MEANING}
    parts = {
        "signature": textwrap.fill(
            f"on(hook, /, *, {', '.join(f'{name}=' for name in EVERY)})", 88, subsequent_indent="   "
        ),
        "actions": options_of("action", "what happens"),
        "modifiers": options_of("modifier", "meaning"),
        "keys": table(("match key", "compares"), arguments(explained(keys, keys, "match keys"))),
        "matrix": matrix(),
        "more": more_keys(),
        "standard": standard_replies(),
    }
    return note(SCRIPT) + fill("rules", parts)


def options_of(kind: str, meaning: str) -> str:
    found = {name: row.meaning for name, row in OPTIONS.items() if row.kind == kind}
    return table((kind, meaning), arguments(explained(found, found, f"{kind}s")))


def arguments(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(code(f"{name}="), meaning) for name, meaning in pairs]


def matrix() -> str:
    """Which hook can have what."""
    possible = {hook: {*options.possible(hook), *match.possible(hook)} for hook in HOOKS}
    everywhere = [name for name in EVERY if all(name in names for names in possible.values())]
    rows = [
        (code(f"{name}="), *("✓" if name in names else "" for names in possible.values()))
        for name in EVERY
        if name not in everywhere
    ]
    rows.append((codes(f"{name}=" for name in everywhere), *("✓" for _ in HOOKS)))
    return table(("", *map(code, HOOKS)), rows)


def more_keys() -> str:
    return table(
        ("query for", "further match keys"),
        [(f"{kind.lower()}s", codes(names)) for kind, names in match.ATTRIBUTES.items()],
    )


def standard_replies() -> str:
    """What a bare code of a rule is sent as."""
    wanted = [replies.standard(number) for number in replies.STANDARD if number >= 400]
    return table(("`reply=`", "is sent as"), [(str(reply.code), code(reply)) for reply in wanted])


# --- what was received ----------------------------------------------------------------------------------------------

# The classes of the page, each with what is public to the package only: nothing for users to rely on.
CLASSES: Mapping[str, str] = {
    "SMTPServer": "catch_up configure end_test errors explain_unused late_errors rules settings strict_rules sweeps "
    "trust_env use_rules",
    "Log": "shown",
    "Clock": "forked monotonic move skipped",
    "Envelope": "complete mail",
    "Attachment": "",
    "Address": "",
    "Session": "clock lmtp mail passwords read recipients server set_remote shown_user verbs",
    "TLSInfo": "",
    "Call": "about content decorations failure mail message records replies shared traceback verdicts wires",
    "Command": "followed known passwords secret shown_verb",
    "Auth": "mechanism_known passwords server_final unproven",
    "Stream": "open",
    "Reply": "digit line refuses wire",
    "Rule": "acts after answers begin_anew copy decoration ended function has_to_be_used most needs_use origin over "
    "reads_content seen since take verdict verdicts would_take",
}


def received_page() -> str:
    parts = entries_of(CLASSES)
    known = explained(OUTCOMES, OUTCOMES, "outcomes")
    parts["outcomes"] = table(("outcome", "how the server decided"), [(code(name), text) for name, text in known])
    return note(SCRIPT) + fill("received", parts)


# --- limits ---------------------------------------------------------------------------------------------------------

# The functions that count, and the reply with which each refuses by default.
LIMITS: Mapping[str, replies.Reply] = {
    "greylist": replies.GREYLISTED,
    "rate": replies.RATE_EXCEEDED,
    "quota": replies.QUOTA_EXCEEDED,
}


def limits_page() -> str:
    functions = {name: getattr(limits, name) for name in limits.__all__}
    texts = explained(LIMITS, {name: markdown(function.__doc__) for name, function in functions.items()}, "limits")
    rows = [(code(as_called(name, functions[name])), text, code(LIMITS[name])) for name, text in texts]
    parts = {"table": table(("function", "what it does", "refuses with"), rows)}
    return note(SCRIPT) + fill("limits", parts)


def as_called(name: str, function: Any) -> str:
    """A function as it is called: names and defaults, no types."""
    given = inspect.signature(function).parameters.values()
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in given]
    return name + str(inspect.Signature(plain)).replace("'", '"')


# --- fixtures -------------------------------------------------------------------------------------------------------


def fixtures_page() -> str:
    here = {name: value for name, value in vars(plugin).items() if name.startswith("smtpd")}
    functions = {name: value for name, value in here.items() if not inspect.isfunction(value)}
    texts = explained(functions, {name: markdown(value.__doc__) for name, value in functions.items()}, "fixtures")
    rows = [(code(name), scope_of(functions[name]), text) for name, text in texts]
    lines = [line.partition(": ") for line in plugin._MARKERS]
    uses = [(code(use.partition("(")[0]), code(f"@pytest.mark.{use}"), text) for use, _, text in lines]
    markers = table(("marker", "use", "what"), uses)
    names = ", ".join(code(name) for name in sorted(pytest_smtpd.__all__, key=str.lower))
    parts = {"table": table(("fixture", "scope", "what"), rows), "markers": markers, "names": names}
    return note(SCRIPT) + fill("fixtures", parts)


def scope_of(definition: Any) -> str:
    return str(definition._fixture_function_marker.scope)


PAGES = {
    "reference/settings.md": settings_page,
    "reference/hooks.md": hooks_page,
    "reference/rules.md": rules_page,
    "reference/received.md": received_page,
    "reference/limits.md": limits_page,
    "reference/fixtures.md": fixtures_page,
}

if __name__ == "__main__":
    write_or_check(PAGES)
