"""Kinds of values that settings can have: how a value is checked, and its final form."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from pytest_smtpd.checks import is_count, is_encodable, is_flag, is_word
from pytest_smtpd.smtp.commands import VERBS
from pytest_smtpd.smtp.extensions import EXTENSIONS
from pytest_smtpd.smtp.sasl import MECHANISMS
from pytest_smtpd.smtp.values import quoted
from pytest_smtpd.suggest import did_you_mean

__tracebackhide__ = True  # errors point at the caller's line

Check = Callable[[Any], bool]
Choices = Mapping[str | None, str]  # values of a setting that is one of a few words, and what each of them means


def or_none(check: Check) -> Check:
    """A check that also allows None."""
    return lambda value: value is None or check(value)


def is_port(value: object) -> bool:
    """The number of a TCP port; 0 stands for a free one."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535


def is_path(value: object) -> bool:
    """The path of a Unix socket (text or a path object), True for one of our own, or None."""
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str):
        return path is None or path is True
    try:
        return b"\0" not in os.fsencode(path) and path != ""
    except UnicodeEncodeError:
        return False


def is_auth(value: object) -> bool:
    """The values of ``auth``: "any", users with their passwords, or None."""
    if value is None or value == "any":
        return True
    return isinstance(value, Mapping) and all(is_encodable(text) for pair in value.items() for text in pair)


def are_words(value: object) -> bool:
    """Several texts, which can be looked at twice."""
    if isinstance(value, str) or not isinstance(value, Collection):  # an iterator is consumed here
        return False
    return all(isinstance(word, str) for word in value)


def are_lines(value: object) -> bool:
    """One line of text, or several."""
    return is_word(value) or (isinstance(value, Collection) and are_words(value) and all(map(is_word, value)))


def are_names(value: object) -> bool:
    """One name, or several."""
    return is_word(value) or are_words(value)


def is_context(value: object) -> bool:
    """An ``ssl.SSLContext``, or None."""
    if value is None:
        return True
    import ssl

    return isinstance(value, ssl.SSLContext)


# Kinds that several settings have in common, each with its name in an error.
A_FLAG: Final = (is_flag, "True or False")
A_COUNT: Final = (or_none(is_count), "a number from 0, or None")
A_CHOICE: Final = (None, "")  # the choices of the row are its possible values

# --- their final form -----------------------------------------------------------------------------------------------


def read_methods(value: Iterable[str] | None) -> tuple[str, ...] | None:
    """Names of AUTH mechanisms, in upper case. Raises ``ValueError`` for an unknown one."""
    if value is None:
        return None
    methods = tuple(method.upper() for method in value)
    for method in methods:
        if method not in MECHANISMS:
            raise ValueError(
                f"auth_methods: unknown method {quoted(method)}{did_you_mean(method, MECHANISMS, 'method')}"
            )
    return methods


def read_keywords(setting: str, kind: str, *, verbs: bool) -> Callable[[Iterable[str]], frozenset[str]]:
    """A reader of names of EHLO keywords, and of ``verbs``; ``kind`` is what an error calls them."""

    def normalise(value: Iterable[str]) -> frozenset[str]:
        known = dict.fromkeys((*EXTENSIONS, *(VERBS if verbs else ())))
        words = frozenset(word.upper() for word in value)
        for word in sorted(words):
            if word not in known:
                raise ValueError(f"{setting}: unknown {kind} {quoted(word)}{did_you_mean(word, known, kind)}")
        return words

    return normalise


def read_lines(value: str | Iterable[str]) -> tuple[str, ...]:
    """Lines as a tuple; a single text is one line."""
    return (value,) if isinstance(value, str) else tuple(value)


def read_names(value: str | Iterable[str]) -> frozenset[str]:
    """Names as a set; a single text is one name."""
    return frozenset({value} if isinstance(value, str) else value)


def read_profile(value: str | None) -> str | None:
    """The name of a provider's profile. Raises ``ValueError`` for an unknown one."""
    if value is not None:
        from pytest_smtpd.providers import profile

        try:
            profile(value)
        except ValueError as error:
            raise ValueError(f"profile: {error}") from None
    return value
