"""The web addresses in the text and the HTML of a message."""

import re
from collections.abc import Iterator
from typing import Final

_LINK: Final = re.compile(r"""https?://[^\s<>"'\\^`{|}]+""", re.IGNORECASE)
_TRAILING: Final = ".,;:!?*_~"  # at its end, these belong to the sentence around the link
_BRACKETS: Final = {")": "(", "]": "["}

# Tags are recognised as in the HTML standard, section 13.2.5. Each pattern is a run of one class of characters, so it
# never backtracks.
_BETWEEN_ATTRIBUTES: Final = re.compile(r"[\s/]*", re.ASCII)
_TAG_NAME: Final = re.compile(r"[^\s/>]*", re.ASCII)
_ATTRIBUTE_NAME: Final = re.compile(r"=?[^\s/>=]*", re.ASCII)
_UNQUOTED: Final = re.compile(r"[^\s>]*", re.ASCII)
_SPACE: Final = re.compile(r"\s*", re.ASCII)
# The content of these elements is not parsed as HTML.
_RAW: Final = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
_NOT_IN_ADDRESSES: Final = {ord(character): None for character in "\t\r\n"}


def find(text: str | None, html: str | None) -> tuple[str, ...]:
    """The web addresses in the text, then those of ``<a href>`` in the HTML, in order and each once."""
    links = [_trimmed(link) for link in _LINK.findall(text or "")]
    links += filter(_LINK.match, _targets(html or ""))
    return tuple(dict.fromkeys(links))


def _trimmed(link: str) -> str:
    """The link without the end of its sentence: punctuation, and closing brackets that it does not open itself."""
    unmatched = {close: link.count(close) - link.count(opening) for close, opening in _BRACKETS.items()}
    end = len(link)
    while end and (link[end - 1] in _TRAILING or unmatched.get(link[end - 1], 0) > 0):
        end -= 1
        if link[end] in unmatched:
            unmatched[link[end]] -= 1
    return link[:end]


def _targets(html: str) -> Iterator[str]:
    """The ``href`` of each ``<a>``. Line ends within an address are removed, as by a browser (URL standard, 4.4)."""
    at = html.find("<")
    while at >= 0:
        name, target, at = _tag(html, at)
        if name == "a" and target is not None:
            yield _unescaped(target).strip().translate(_NOT_IN_ADDRESSES)
        if name in _RAW:
            end = re.compile(f"</{name}", re.IGNORECASE | re.ASCII).search(html, at)
            at = len(html) if end is None else end.start()
        at = html.find("<", at)


def _tag(html: str, at: int) -> tuple[str, str | None, int]:
    """The name of the start tag at ``at``, its ``href``, and the position behind it.

    The name is empty for anything else that begins with ``<``.
    """
    if html.startswith("<!--", at):
        return "", None, _behind(html, "-->", at + 2)  # "<!-->" is a whole comment
    if html[at + 1 : at + 2] in ("!", "?"):
        return "", None, _behind(html, ">", at)
    closing = html.startswith("/", at + 1)
    start = at + 1 + closing
    if not html[start : start + 1].isalpha():
        return "", None, start
    at = _end(_TAG_NAME, html, start)
    name = "" if closing else html[start:at].lower()
    href, at = _href(html, at)
    return name, href, at


def _href(html: str, at: int) -> tuple[str | None, int]:
    """The first ``href`` among the attributes that begin at ``at``, and the position behind the tag.

    A tag that is not complete does not count.
    """
    href = None
    while (at := _end(_BETWEEN_ATTRIBUTES, html, at)) < len(html):
        if html[at] == ">":
            return href, at + 1
        after = _end(_ATTRIBUTE_NAME, html, at)
        name = html[at:after].lower()
        value, at = _attribute_value(html, after)
        if name == "href" and href is None:
            href = value
    return None, at


def _attribute_value(html: str, at: int) -> tuple[str, int]:
    """The value of the attribute whose name ends at ``at``, and the position behind it."""
    at = _end(_SPACE, html, at)
    if not html.startswith("=", at):
        return "", at
    at = _end(_SPACE, html, at + 1)
    quote = html[at : at + 1]
    if quote in ('"', "'") and quote:
        after = _behind(html, quote, at + 1)
        return html[at + 1 : after - 1], after
    after = _end(_UNQUOTED, html, at)
    return html[at:after], after


def _behind(html: str, end: str, at: int) -> int:
    """The position behind the next ``end``, or the end of the HTML."""
    found = html.find(end, at)
    return len(html) if found < 0 else found + len(end)


def _end(pattern: "re.Pattern[str]", html: str, at: int) -> int:
    """The end of the run of characters that begins at ``at``."""
    found = pattern.match(html, at)
    assert found is not None  # the patterns match the empty text too
    return found.end()


def _unescaped(value: str) -> str:
    """The value with its character references decoded.

    Python refuses to convert very long numbers; a value with such a reference is returned as it is.
    """
    if "&" not in value:
        return value
    from html import unescape

    try:
        return unescape(value)
    except ValueError:
        return value
