"""The texts of public classes about their attributes and methods: docstrings, and ``#:`` comments of assignments."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from tables import code

import pytest_smtpd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARK = "#:"


class Member(NamedTuple):
    """An attribute, its text and its type; "" if it has none."""

    name: str
    text: str
    type: str


def class_called(name: str) -> type:
    return getattr(pytest_smtpd, name)  # type: ignore[no-any-return]


def attributes(name: str) -> list[Member]:
    """The public attributes of a class, properties included, in the order of the source."""
    cls = class_called(name)
    source = inspect.getsource(import_module(f"pytest_smtpd.{pytest_smtpd._HOMES[name]}"))
    lines = source.splitlines()
    body = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef) and node.name == name)
    found = {each: Member(each, comment(lines, line), kind) for each, line, kind in assignments(body)}
    for each, value in vars(cls).items():
        if isinstance(value, property):
            kind = inspect.signature(value.fget).return_annotation  # type: ignore[arg-type]  # each has a getter
            found[each] = Member(each, markdown(value.__doc__), plain_type(kind))
    return [member for each, member in found.items() if not each.startswith("_")]


def assignments(body: ast.ClassDef) -> Iterator[tuple[str, int, str]]:
    """What the class body annotates, and what its methods set on ``self``: name, first line from 0, and type."""
    annotated = [node for node in body.body if isinstance(node, ast.AnnAssign)]
    inside = [node for node in ast.walk(body) if isinstance(node, ast.Assign | ast.AnnAssign) and node not in annotated]
    seen = set()
    for node in [*annotated, *inside]:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            attribute = target.id if node in annotated and isinstance(target, ast.Name) else set_on_self(target)
            if attribute is not None and attribute not in seen:
                seen.add(attribute)
                kind = plain_type(ast.unparse(node.annotation)) if isinstance(node, ast.AnnAssign) else ""
                yield attribute, node.lineno - 1, kind


def plain_type(annotation: object) -> str:
    """An annotation as a reader wants it: without quotation marks, and without the names of modules."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", text.strip("'\""))


def set_on_self(target: ast.expr) -> str | None:
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
        return target.attr
    return None


def comment(lines: list[str], line: int) -> str:
    """The ``#:`` comment at the end of a line, or on the lines before it."""
    _, mark, text = lines[line].partition(MARK)
    if mark:
        return markdown(text)
    above: list[str] = []
    while lines[line - 1].strip().startswith(MARK):
        line -= 1
        above.insert(0, lines[line].strip().removeprefix(MARK))
    return markdown("\n".join(above))


def methods(name: str) -> dict[str, Any]:
    """The public methods of a class."""
    members = vars(class_called(name)).items()
    return {each: value for each, value in members if inspect.isfunction(value) and not each.startswith("_")}


def signature(name: str, function: Any) -> str:
    """A method as it is called: names and defaults, no types."""
    given = list(inspect.signature(function, eval_str=False).parameters.values())[1:]
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in given]
    return name + re.sub(r"'(\w+)'", r'"\1"', str(inspect.Signature(plain)))


def markdown(text: str | None) -> str:
    """A docstring as one paragraph of Markdown: double backquotes become single ones, None and True become code."""
    plain = " ".join((text or "").split())
    pieces = re.split(r"(``.+?``)", plain)
    return "".join(code(piece[2:-2]) if piece.startswith("``") else constants(piece) for piece in pieces)


def constants(text: str) -> str:
    return re.sub(r"\b(None|True|False)\b", r"`\1`", text)


def linked(text: str, names: Iterable[str]) -> str:
    """With links from the names of classes to their sections."""
    for name in names:
        text = text.replace(f"`{name}`", f"[`{name}`](#{name.lower()})")
    return text
