"""How values are shown in rules, reports and failure texts: in one line, and without what functions are bound to."""

import re
from functools import partial
from typing import Any, Final

from pytest_smtpd.smtp.values import quoted, safe_repr

_WIDEST: Final = 200  # characters of a value in a failure text


def cut(text: str) -> str:
    """The text, cut off where it is too long for a failure text."""
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]} ... ({len(text)} characters)"


def shown(value: object) -> str:
    """A value as it is shown in rules, reports and failure texts."""
    if isinstance(value, re.Pattern):
        return _pattern(value)
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    if isinstance(value, partial):
        return shown(value.func)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, tuple):
        return shown(value[0]) if len(value) == 1 else f"({', '.join(map(shown, value))})"
    if isinstance(value, set | frozenset) and value:
        return f"{{{', '.join(sorted(map(shown, value)))}}}"
    text = safe_repr(value)
    # An address in memory tells a reader nothing, and differs in each worker of xdist.
    return type(value).__name__ if " at 0x" in text else text


def _pattern(pattern: "re.Pattern[Any]") -> str:
    """The call that makes it: the standard library's own repr cuts a long pattern off."""
    flags = pattern.flags & ~re.UNICODE
    return f"re.compile({pattern.pattern!r}{f', {re.RegexFlag(flags)!r}' if flags else ''})"
