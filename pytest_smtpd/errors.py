"""The exceptions that users meet."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

__tracebackhide__ = True  # errors point at the caller's line

# RFC 3463 section 2: class "." subject "." detail, at the head of a reply's text (RFC 2034 section 4).
ENHANCED = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?:[ ]|\Z)")
_CODES = "a hook refuses with a code from 400 to 599"


class Reject(Exception):
    """Raise it in a hook to refuse what the client asked for.

    ``code`` is the reply code, 400 to 599 (RFC 5321 section 4.2.1); without one the hook's own default is used.
    ``message`` is the text; it may begin with an enhanced status code (RFC 3463) and may have several lines. ``data``
    is the JSON object (``status``, ``schemes``, ``scope``) with which XOAUTH2 and OAUTHBEARER explain a refused
    token.

    Raises ``ValueError`` for a code outside 400-599, an enhanced status code of another class than the code's, or a
    message that cannot be sent as UTF-8, and ``TypeError`` for ``data`` that cannot be sent as JSON.
    """

    def __init__(
        self, code: int | None = None, message: str | None = None, *, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(code, message)
        if code is not None and (not isinstance(code, int) or isinstance(code, bool) or not 400 <= code <= 599):
            raise ValueError(_misplaced(code) or f"{_CODES}, not {_shown(code)}; to accept, return")
        if message is not None and not isinstance(message, str):
            raise TypeError(f"the message of Reject is a str, not {_shown(message)}")
        _check_encoding(message)
        _check_class(code, message)
        if data is not None:
            _check_data(data)
        self.code = code
        self.message = message
        self.data = data

    def __repr__(self) -> str:
        given = ", ".join(repr(value) for value in (self.code, self.message) if value is not None)
        return f"Reject({given})"

    def __str__(self) -> str:
        return " ".join(str(value) for value in (self.code, self.message) if value is not None)


def _shown(value: object) -> str:
    """A wrong value. Values other than texts and numbers may hold secrets, and are named by their type."""
    return repr(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"


def _misplaced(code: object) -> str | None:
    """The advice for a text given in the place of the code."""
    found = re.fullmatch(r"([45][0-9]{2})(?:[ -](.+))?", code, re.DOTALL) if isinstance(code, str) else None
    if found is None:
        return None
    words = found[1] if found[2] is None else f"{found[1]}, {found[2]!r}"
    return f"{_CODES}, a number, and its text is a second argument: write Reject({words}), not Reject({code!r})"


def _check_encoding(message: str | None) -> None:
    try:
        (message or "").encode()
    except UnicodeEncodeError:
        raise ValueError(f"the message of Reject cannot be sent as UTF-8: {message!r}") from None


def _check_data(data: object) -> None:
    import json

    try:
        sent = json.dumps(dict(data)) if isinstance(data, Mapping) else ""
    except (TypeError, ValueError):
        sent = ""
    if not sent:
        raise TypeError("the data of Reject is a dict that can be sent as JSON, like {'status': '401'}")


def _check_class(code: int | None, message: str | None) -> None:
    """RFC 2034 section 4: the enhanced code's class is the reply's first digit; every hook's default is a 5xx."""
    found = ENHANCED.match(message or "")
    digit = 5 if code is None else code // 100
    if found and int(found[1]) != digit:
        raise ValueError(f"enhanced status code {found[0].strip()} does not belong to a {code or '5xx'} reply")


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an exception, unless its type takes none, as a frozen dataclass does."""
    with suppress(Exception):
        error.add_note(note)


def no_attribute(value: object, name: str) -> Any:
    """The ``__getattr__`` of public classes. Raises an ``AttributeError`` with the attribute to use for ``name``.

    It is also called if a property has raised an ``AttributeError`` of its own, which is raised once more.
    """
    __tracebackhide__ = True
    kind = type(value)
    if hasattr(kind, name):
        return object.__getattribute__(value, name)
    if name.startswith("_"):
        raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
    from pytest_smtpd.foreign import instead_of

    raise AttributeError(instead_of(kind.__name__, name, dir(value)), name=name, obj=value)


def no_container(value: object, *_: object) -> NoReturn:
    """``__getitem__`` and ``__len__`` of values that may be mistaken for a list or a dict. Raises ``TypeError``."""
    __tracebackhide__ = True
    from pytest_smtpd.foreign import no_container

    raise TypeError(no_container(type(value).__name__))


class WaitTimeout(AssertionError, TimeoutError):
    """A wait ended before its condition was met; the text shows what came instead."""

    __module__ = "pytest_smtpd"


Reject.__module__ = "pytest_smtpd"
