"""Which function of the application a block calls, so that a report can name it."""

import ast
import builtins
import linecache
import sys
from collections.abc import Iterator
from typing import Final

NOBODY: Final = "your code"  # where no function, or more than one, can be named

_AROUND: Final = frozenset(dir(builtins)) | sys.stdlib_module_names  # str(...), dict.fromkeys(...), asyncio.run(...)
_METHODS: Final = frozenset(name for kind in (str, bytes, list, dict, set) for name in dir(kind))


def function_at(file: str, line: int) -> str:
    """``"send_mail()"``, if that is the one function that the block of the ``with`` statement at this line calls."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError):
        return NOBODY
    names = {name for statement in _blocks(tree, line) for name in _called(statement)}
    return f"{names.pop()}()" if len(names) == 1 else NOBODY


def _blocks(tree: ast.AST, line: int) -> Iterator[ast.With | ast.AsyncWith]:
    for node in ast.walk(tree):
        if isinstance(node, ast.With | ast.AsyncWith) and any(
            item.context_expr.lineno <= line <= (item.context_expr.end_lineno or 0) for item in node.items
        ):
            yield node


def _called(statement: ast.With | ast.AsyncWith) -> Iterator[str]:
    """The functions and methods of the application that a block calls; not its classes, and nothing of Python's."""
    faults = {item.context_expr.id for item in statement.items if isinstance(item.context_expr, ast.Name)}
    for part in statement.body:
        for node in ast.walk(part):
            if isinstance(node, ast.Call):
                name, root = _name(node.func), _root(node.func)
                is_method = isinstance(node.func, ast.Attribute) and name in _METHODS
                if name and not name[0].isupper() and not is_method and root not in _AROUND | faults:
                    yield name


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _root(function: ast.expr) -> str:
    """The name with which an expression like ``app.mails.send`` begins."""
    while isinstance(function, ast.Attribute | ast.Call):
        function = function.value if isinstance(function, ast.Attribute) else function.func
    return function.id if isinstance(function, ast.Name) else ""
