"""Filling the files in ``templates``: everything but markup is escaped, so that no call can forget it."""

from collections.abc import Iterable
from functools import cache
from html import escape
from pkgutil import get_data
from string import Template
from typing import Final

from pytest_smtpd.smtp.values import printable

_PACKAGE: Final = __name__.rpartition(".")[0]


class Html(str):
    """Markup: it is put into a page as it is. Any other text is escaped."""

    __slots__ = ()


@cache
def load(name: str) -> str:
    """The text of a file in ``templates``."""
    found = get_data(_PACKAGE, f"templates/{name}")  # not by open(), which a test may have replaced
    assert found is not None
    return found.decode("utf-8")


@cache
def _template(name: str) -> Template:
    return Template(load(f"{name}.html").rstrip("\n"))


def render(name: str, /, **values: object) -> Html:
    """The template of this name, filled."""
    return Html(_template(name).substitute({key: escaped(value) for key, value in values.items()}))


def escaped(value: object) -> str:
    """Markup unchanged; of anything else the text, with invisible characters escaped."""
    return value if isinstance(value, Html) else escape(visible(str(value)))


def visible(text: str) -> str:
    """The text with its line ends, and with every other character escaped that could not be seen."""
    if text.isprintable():
        return text
    return "\n".join(printable(line) for line in text.replace("\t", "    ").split("\n"))


def join(pieces: Iterable[str]) -> Html:
    """Pieces of markup in a row."""
    return Html("\n".join(pieces))


NOTHING = Html("")
