"""Properties that are computed at the first access and then kept."""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 - used as a decorator, like property
    """A property whose value is computed at the first access and kept in the ``__dict__`` of the instance.

    If two threads access it at once, both may compute the value, and both get the one that was stored first. Threads
    do not wait for each other, whereas ``functools.cached_property`` of Python 3.11 holds a lock for all instances
    while it computes.
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
        # Python finds a value in __dict__ by itself, and calls this only while there is none.
        if instance is None:
            return self
        value: T = instance.__dict__.setdefault(self._name, self._compute(instance))
        return value
