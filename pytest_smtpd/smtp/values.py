"""Values that cannot be changed, and how values are shown to people."""

from typing import Any, Final

_WIDEST: Final = 100  # characters of one value in a repr

_KEYWORD: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")

set_once: Final = object.__setattr__  # how the constructor of a ReadOnly value fills its fields


class ReadOnly:
    """The base of values that cannot be changed: setting or deleting any attribute is an ``AttributeError``.

    They can be copied and pickled as far as their fields can.
    """

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        fields, slots = state if isinstance(state, tuple) else (state, None)
        for name, value in {**(fields or {}), **(slots or {})}.items():
            set_once(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to {name!r} of {self!r}: it is read-only")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name!r} of {self!r}: it is read-only")


def is_keyword(text: str) -> bool:
    """Whether it is the name of a verb, an EHLO keyword or a parameter, as tables have it: in upper case."""
    return bool(text) and text[0] != "-" and _KEYWORD.issuperset(text)


def printable(text: str) -> str:
    """The text with every character escaped that a terminal would obey or a reader could not see.

    These are the characters for which ``str.isprintable`` is false: control characters, ESC, bidi controls, line and
    paragraph separators, tags, surrogates.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def short(text: str) -> str:
    """The text, or its head and its tail where it is too long for a repr of one line."""
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 20]}...{text[-10:]}"


def endpoint(host: str, port: int) -> str:
    """``host:port``, as in a URL: an IPv6 address stands in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
