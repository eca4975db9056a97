"""Entries of public classes: their attributes and methods, with the texts of the source."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from docstrings import Member, attributes, linked, markdown, methods, signature
from tables import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def entry(kind: str, signature: str, text: str, options: Iterable[tuple[str, str]] = ()) -> str:
    """An entry of the Python domain: the index, the search and the documentation of other projects find it."""
    lines = (f":{option}:{value and f' {value}'}" for option, value in options)
    return "\n".join((f"```{{py:{kind}}} {signature}", *lines, "", text, "```", ""))


def class_entry(name: str) -> str:
    """The target of the class itself; its section has a heading and a text of its own."""
    return entry("class", name, "", [("no-typesetting", "")])


def attribute_entries(name: str, classes: Mapping[str, str]) -> list[str]:
    """The attributes that are for users. A new one without a text is an error."""
    found = {member.name: member for member in attributes(name) if member.name not in classes[name].split()}
    texts = explained(found, {attribute: member.text for attribute, member in found.items()}, name)
    return [
        entry("attribute", f"{name}.{attribute}", linked(text, set(classes) - {name}), typed(found[attribute]))
        for attribute, text in texts
    ]


def typed(member: Member) -> list[tuple[str, str]]:
    return [("type", member.type)] if member.type else []


def method_entries(name: str, classes: Mapping[str, str]) -> list[str]:
    found = {method: function for method, function in methods(name).items() if method not in classes[name].split()}
    texts = explained(found, {method: markdown(function.__doc__) for method, function in found.items()}, name)
    return [
        entry(
            "method",
            f"{name}.{signature(method, found[method])}",
            linked(text, set(classes) - {name}),
            [("async", "")] if inspect.iscoroutinefunction(found[method]) else [],
        )
        for method, text in texts
    ]


def entries_of(classes: Mapping[str, str]) -> dict[str, str]:
    """The entries of each class of a page. ``classes`` has with each what is public to the package only."""
    for name, internal in classes.items():
        there = {*(member.name for member in attributes(name)), *methods(name)}
        if stale := sorted(set(internal.split()) - there):
            raise SystemExit(f"{name} has no {stale} any more")
    return {
        name: "\n".join((class_entry(name), *attribute_entries(name, classes), *method_entries(name, classes)))
        for name in classes
    }
