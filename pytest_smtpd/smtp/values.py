"""Values that cannot be changed, and say so; and how values stand in a repr."""

from dataclasses import FrozenInstanceError
from typing import Final, TypeVar

_WIDEST: Final = 100  # characters of one value in a repr
T = TypeVar("T")


def read_only(cls: type[T]) -> type[T]:
    """For a frozen dataclass with slots: to set or delete what is no field of it is a clear error, too.

    The methods that ``dataclass`` makes look for a ``super()`` of the class as it was before it got its slots.
    """

    def refuse_to_set(self: T, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to {name!r} of {self!r}: it is read-only")

    def refuse_to_delete(self: T, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete {name!r} of {self!r}: it is read-only")

    cls.__setattr__ = refuse_to_set  # type: ignore[method-assign, assignment]
    cls.__delattr__ = refuse_to_delete  # type: ignore[method-assign, assignment]
    return cls


def short(text: str) -> str:
    """The text, or its head and its tail: a repr is one short line."""
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 20]}...{text[-10:]}"


def endpoint(host: str, port: int) -> str:
    """``host:port``, as in a URL: an IPv6 address stands in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
