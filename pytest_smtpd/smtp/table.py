"""Table: a dict of rows, each checked when it is added.

Tables are read when a row is needed, and what is derived from them is derived anew when one has changed, so adding a
row is all that a new thing takes.
An incomplete row is an error in one line when it is added, instead of a server that behaves strangely later.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

K = TypeVar("K")
R = TypeVar("R")


class Table(dict[K, R]):
    """Rows by name, in order: a ``dict``, except that it checks what is added.

    ``what`` names in errors what a row describes. ``problems`` yields the mistakes in a row of a given name. Raises
    ``TypeError`` for a row that has any problem, and ``LookupError`` for a name without a row. ``changes`` counts the
    changes of all tables.
    """

    changes: ClassVar[int] = 0

    def __init__(self, what: str, problems: Callable[[Any, Any], Iterator[str]], rows: Mapping[K, R]) -> None:
        super().__init__()
        self._what = what
        self._problems = problems
        for name, row in rows.items():
            self[name] = row

    def __setitem__(self, name: K, row: R) -> None:
        for problem in self._problems(row, name):
            raise TypeError(f"{self._what} {name!r}: {problem}")
        super().__setitem__(name, row)
        Table.changes += 1

    def __delitem__(self, name: K) -> None:
        super().__delitem__(name)
        Table.changes += 1

    def __missing__(self, name: object) -> NoReturn:
        raise LookupError(f"{self._what} {name!r} has no row (there are: {', '.join(map(str, self))})")


def not_callable(**parts: object) -> Iterator[str]:
    """The problems of a row whose ``parts`` have to be functions."""
    for name, part in parts.items():
        if not callable(part):
            yield f"{name}= must be a function, not {part!r}"
