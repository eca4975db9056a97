"""How values are shown in rules, reports and failure texts: in one line, and without what functions are bound to."""

import re
from functools import partial
from typing import Final

from pytest_smtpd.smtp.values import quoted, safe_repr

_WIDEST: Final = 200  # characters of a value in a failure text


def cut(text: str) -> str:
    """A text of any length, as much of it as a failure text has room for."""
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]} ... ({len(text)} characters)"


def shown(value: object) -> str:
    """A value as it is shown in rules, reports and failure texts."""
    if isinstance(value, re.Pattern):
        flags = value.flags & ~re.UNICODE
        return f"re.compile({value.pattern!r}{f', {re.RegexFlag(flags)!r}' if flags else ''})"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    if isinstance(value, partial):
        return shown(value.func)
    if isinstance(value, tuple) and len(value) == 1:
        return shown(value[0])
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, tuple):
        return f"({', '.join(shown(item) for item in value)})"
    if isinstance(value, set | frozenset) and value:
        return f"{{{', '.join(sorted(map(shown, value)))}}}"
    text = safe_repr(value)
    # An address means nothing to people, and is another one in each worker of xdist.
    return type(value).__name__ if " at 0x" in text else text
