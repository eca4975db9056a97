"""Properties that are computed when they are first looked at, and only once."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 - used as a decorator, like property
    """A property whose value is computed at the first access and kept in the instance.

    If two threads ask at once, both may compute it, and both get the value that was kept first. No thread waits for
    another one: ``functools.cached_property`` of Python 3.11 holds one lock for all instances while it computes.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        # Python calls this only as long as the instance's __dict__ has no such key.
        if instance is None:
            return self
        value: T = instance.__dict__.setdefault(self._name, self._compute(instance))
        return value
