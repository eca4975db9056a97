"""Comparison of values with what rules and queries ask for, and how a difference is shown."""

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import Any, Final, NamedTuple

from pytest_smtpd.rules.shown import cut, shown
from pytest_smtpd.smtp.values import printable, safe_repr

__tracebackhide__ = True  # errors point at the caller's line

WHEN: Final = "when"  # the key whose value is a function of the subject
Fold = Callable[[str], str]
_EXCERPT: Final = 40  # characters of a text from where it differs


def same(text: str) -> str:
    """The fold for texts in which everything matters, case too."""
    return text


def agrees(expected: Any, actual: Any, fold: Fold = same) -> bool:
    """Whether a value matches the expected one.

    A text matches if equal or as a shell pattern, a ``re.Pattern`` by search, a set if any of its members does, a
    callable by its truth, anything else if it is equal.
    """
    if isinstance(expected, str):
        if not isinstance(actual, str):
            return False
        wanted, found = fold(expected), fold(actual)
        return wanted == found or fnmatchcase(found, wanted)
    if isinstance(expected, set | frozenset):
        return any(agrees(one, actual, fold) for one in expected)
    if isinstance(expected, re.Pattern):
        text = actual.decode("utf-8", "replace") if isinstance(actual, bytes) else actual
        return isinstance(text, str) and expected.search(text) is not None
    if callable(expected) and not isinstance(expected, type):
        return bool(expected(actual))
    plain = str(actual) if isinstance(actual, str) else actual  # some matchers look at the exact type
    return bool(expected == plain)


def any_agrees(fold: Fold, expected: Any, actual: Any) -> bool:
    """Whether one of several values matches, or all of them together equal the expected one."""
    if any(agrees(expected, value, fold) for value in actual):
        return True
    return not callable(expected) and bool(expected == actual)


def all_agree(fold: Fold, expected: Any, actual: Any) -> bool:
    """Whether all values match, one by one, in order. A set holds alternative sequences."""
    if isinstance(expected, set | frozenset):
        return any(all_agree(fold, one, actual) for one in expected)
    if isinstance(expected, tuple | list):
        pairs = zip(expected, actual, strict=False)
        return len(expected) == len(actual) and all(agrees(one, found, fold) for one, found in pairs)
    return bool(expected(actual) if callable(expected) else expected == tuple(map(str, actual)))


def header_differences(expected: Mapping[str, Any], message: Any) -> Iterator["Difference"]:
    """Each header that does not match. A repeated header matches if any of its values does."""
    for name, wanted in expected.items():
        found = () if message is None else message.header(name)
        if found if wanted is None else not any(agrees(wanted, value) for value in found):
            yield Difference(f"header {name}", wanted, found if len(found) > 1 else found[0] if found else None)


class Difference(NamedTuple):
    """Why a subject does not match: the key, the expected value, the actual value, and how to show the latter."""

    key: str
    expected: Any
    actual: Any
    show: Callable[[Any], str] = shown

    def __str__(self) -> str:
        if self.key == WHEN:
            return f"when={shown(self.expected)} is not true"
        wanted = "absent" if self.expected is None and self.key.startswith("header ") else cut(shown(self.expected))
        return f"{printable(self.key)} is {cut(self.show(self.actual))}, not {wanted}{self._parting()}"

    def _parting(self) -> str:
        """The place at which two long texts with the same beginning differ."""
        for kind in (str, bytes) if self.show is shown else ():
            if isinstance(self.expected, kind) and isinstance(self.actual, kind):
                alike = takewhile(lambda pair: pair[0] == pair[1], zip(self.actual, self.expected, strict=False))
                place = sum(1 for _ in alike)
                found, wanted = self.actual[place:][:_EXCERPT], self.expected[place:][:_EXCERPT]
                texts = f"{safe_repr(found)}, not {safe_repr(wanted)}"
                return f" (from character {place + 1} on: {texts})" if place >= _EXCERPT else ""
        return ""
