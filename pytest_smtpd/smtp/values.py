"""Values that cannot be changed, and how texts show values."""

import re
from typing import Any, Final

_WIDEST: Final = 100  # characters of one value in a repr
# What str.isprintable lets pass and no reader can see: fillers, joiners and selectors of variants (Unicode's property
# Default_Ignorable_Code_Point, beyond its format characters), and the empty pattern of Braille.
_INVISIBLE: Final = "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"

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

    These are the characters for which ``str.isprintable`` is false (control characters, ESC, bidi controls, line and
    paragraph separators, tags, surrogates), and a few that are just as invisible.
    """
    if not text.isprintable():
        text = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return text if text.isascii() else re.sub(_INVISIBLE, lambda found: ascii(found[0])[1:-1], text)


def quoted(text: str) -> str:
    """The text in quotes, as in Python source, without a character that could not be seen."""
    return printable(repr(str(text)))


def safe_repr(value: object) -> str:
    """A repr in one line, even if the value's own method raises."""
    try:
        return printable(repr(value))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"


def shown_error(error: BaseException) -> str:
    """The repr of an exception, with its type even if its own method leaves that out."""
    name, text = type(error).__name__, safe_repr(error)
    return text if name in text else f"{name}({text!r})"


def described(value: object) -> str:
    """A wrong value, in an error in one line; what may hold secrets (a dict, a tuple, an object) by its type alone."""
    if value is None or isinstance(value, str | bytes | int | float):
        return short(safe_repr(value))
    if isinstance(value, list | set | frozenset) and all(isinstance(one, str | bytes | int | float) for one in value):
        return short(safe_repr(value))
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def short(text: str) -> str:
    """The text, or its head and its tail where it is too long for a repr of one line."""
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 20]}...{text[-10:]}"


def endpoint(host: str, port: int) -> str:
    """``host:port``, as in a URL: an IPv6 address stands in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
