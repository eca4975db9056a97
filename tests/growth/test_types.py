"""What a table says, the types say too, which cannot grow by themselves; and a setting is read where its row says."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

import pytest_smtpd
from pytest_smtpd import Address, Call, Envelope, Session
from pytest_smtpd.rules import match
from pytest_smtpd.rules.compare import WHEN
from pytest_smtpd.rules.hooks import HOOKS
from pytest_smtpd.rules.match import ATTRIBUTES, KEYS, Match
from pytest_smtpd.rules.options import OPTIONS
from pytest_smtpd.rules.rule import HookOptions, RuleArguments
from pytest_smtpd.settings import SETTINGS, Settings, SettingsDict, Where
from pytest_smtpd.smtp.events import HookName
from pytest_smtpd.smtp.extensions import EXTENSIONS
from pytest_smtpd.smtp.options import AuthMethod, Options
from pytest_smtpd.smtp.sasl import MECHANISMS

PACKAGE = Path(pytest_smtpd.__file__).parent


def names(*types: Any) -> set[str]:
    """The names of a Literal or of the fields of a TypedDict."""
    return {name for one in types for name in (get_args(one) or one.__annotations__)}


# (the names of a type, those of a table)
TOLD = {
    "smtp.events.HookName": (names(HookName), set(HOOKS)),
    "smtp.options.AuthMethod": (names(AuthMethod), set(MECHANISMS)),
    "settings.SettingsDict": (names(SettingsDict), set(SETTINGS)),
    "rules.match.Match": (names(Match), {*KEYS, WHEN}),
    "rules.rule.RuleArguments": (names(RuleArguments), {*OPTIONS, *KEYS, WHEN}),
}


@pytest.mark.parametrize("type_", TOLD)
def test_a_type_and_its_table_have_the_same_names(type_: str) -> None:
    told, rows = TOLD[type_]
    assert sorted(rows - told) == [], f"{type_} lacks these; add them for type checkers"
    assert sorted(told - rows) == [], f"{type_} has these, and its table has no row for them"


def test_each_setting_is_an_attribute_for_type_checkers() -> None:
    told = names(Settings, Options)
    assert sorted(SETTINGS.keys() - told) == [], "annotate these in Settings, or in Options if the protocol reads them"


def test_a_decorated_function_may_have_what_goes_with_a_function() -> None:
    def goes_with_a_function(name: str) -> bool:
        options = {name: 1, "call": print}
        return not any(
            excludes(options, "data") for excludes, _ in (*OPTIONS[name].conflicts, *OPTIONS["call"].conflicts)
        )

    possible = {name for name in OPTIONS if name != "call" and goes_with_a_function(name)}
    assert names(HookOptions) == possible | names(Match)


@pytest.mark.parametrize(("verb", "owner"), [("MAIL", Envelope), ("RCPT", Address)])
def test_what_a_parameter_fills_is_an_attribute_for_type_checkers(verb: str, owner: type) -> None:
    filled = {one.attribute for row in EXTENSIONS.values() for one in row.parameters(verb).values() if one.attribute}
    assert sorted(filled - owner.__annotations__.keys()) == [], f"annotate these in {owner.__name__}"


SUBJECTS: Mapping[str, type] = {"Envelope": Envelope, "Call": Call, "Session": Session}


@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_filter_of_queries_is_an_attribute_of_what_is_asked_for(kind: match.Kind) -> None:
    owner = SUBJECTS[kind]
    missing = [name for name in ATTRIBUTES[kind] if not hasattr(owner, name) and name not in owner.__annotations__]
    assert missing == []
    assert set(ATTRIBUTES[kind]) & KEYS.keys() == set()


# --- where settings are read ----------------------------------------------------------------------------------------

READERS: Mapping[Where, tuple[str, ...]] = {
    "listener": ("running.py",),
    "protocol": ("smtp/**/*.py",),
    "conversation": ("conversation.py",),
    "certificates": ("running.py",),
    "plugin": ("plugin/*.py",),
    "lint": ("lint/*.py",),
    "settings": ("settings.py",),
    "reports": ("server.py", "conversation.py"),
}


def attributes_read_in(where: Where) -> Iterator[str]:
    for pattern in READERS[where]:
        for path in PACKAGE.glob(pattern):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute):
                    yield node.attr


@pytest.mark.parametrize("where", READERS)
def test_a_setting_is_read_where_its_row_says(where: Where) -> None:
    told = {name for name, row in SETTINGS.items() if row.read_by == where}
    assert sorted(told - set(attributes_read_in(where))) == [], f"nobody reads these in {READERS[where]}"


def test_every_reader_is_known() -> None:
    assert set(READERS) == set(get_args(Where))
