"""The web addresses in a message."""

import re
from collections.abc import Iterator
from typing import Final

_LINK: Final = re.compile(r"""https?://[^\s<>"'\\^`{|}]+""", re.IGNORECASE)
_TRAILING: Final = ".,;:!?*_~"  # ends the sentence around a link rather than the link
_BRACKETS: Final = {")": "(", "]": "["}

# HTML, as its standard divides it into tags (section 13.2.5). Each pattern is a run of one class of characters, so that
# no text makes it go back.
_SPACE: Final = re.compile(r"[\s/]*")
_NAME: Final = re.compile(r"[^\s/>]*")
_ATTRIBUTE: Final = re.compile(r"=?[^\s/>=]*")
_UNQUOTED: Final = re.compile(r"[^\s>]*")
_BLANK: Final = re.compile(r"\s*")
_RAW: Final = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")  # no markup within
_IGNORED: Final = {ord(character): None for character in "\t\r\n"}  # in the address of a link


def find(text: str | None, html: str | None) -> tuple[str, ...]:
    """The web addresses of the text, then those of the HTML's ``<a href>``, in order and each once."""
    links = [_trimmed(link) for link in _LINK.findall(text or "")]
    links += filter(_LINK.match, _targets(html or ""))
    return tuple(dict.fromkeys(links))


def _trimmed(link: str) -> str:
    """Cut what belongs to the sentence: closing punctuation, and a bracket that the link itself did not open."""
    unmatched = {close: link.count(close) - link.count(opening) for close, opening in _BRACKETS.items()}
    end = len(link)
    while end and (link[end - 1] in _TRAILING or unmatched.get(link[end - 1], 0) > 0):
        end -= 1
        if link[end] in unmatched:
            unmatched[link[end]] -= 1
    return link[:end]


def _targets(html: str) -> Iterator[str]:
    """Where the anchors lead. Line ends within an address do not count, as in a browser; nor do links in comments."""
    at = html.find("<")
    while at >= 0:
        name, target, at = _tag(html, at)
        if name == "a" and target is not None:
            yield _unescaped(target).strip().translate(_IGNORED)
        if name in _RAW:
            end = re.compile(f"</{name}", re.IGNORECASE | re.ASCII).search(html, at)
            at = len(html) if end is None else end.start()
        at = html.find("<", at)


def _tag(html: str, at: int) -> tuple[str, str | None, int]:
    """The name of the tag at ``at``, its ``href``, and the position behind it; no name for what is no opening tag."""
    if html.startswith("<!--", at):
        return "", None, _behind(html, "-->", at + 2)  # "<!-->" is a whole comment
    if html[at + 1 : at + 2] in ("!", "?"):
        return "", None, _behind(html, ">", at)
    closing = html.startswith("/", at + 1)
    start = at + 1 + closing
    if not html[start : start + 1].isalpha():
        return "", None, start
    at = _end(_NAME, html, start)
    name = "" if closing else html[start:at].lower()
    href, at = _href(html, at)
    return name, href, at


def _href(html: str, at: int) -> tuple[str | None, int]:
    """The first ``href`` of the tag whose attributes begin at ``at``, and the position behind the tag.

    A tag that is not finished is none.
    """
    href = None
    while (at := _end(_SPACE, html, at)) < len(html):
        if html[at] == ">":
            return href, at + 1
        after = _end(_ATTRIBUTE, html, at)
        name = html[at:after].lower()
        value, at = _attribute_value(html, after)
        if name == "href" and href is None:
            href = value
    return None, at


def _attribute_value(html: str, at: int) -> tuple[str, int]:
    at = _end(_BLANK, html, at)
    if not html.startswith("=", at):
        return "", at
    at = _end(_BLANK, html, at + 1)
    quote = html[at : at + 1]
    if quote in ('"', "'") and quote:
        after = _behind(html, quote, at + 1)
        return html[at + 1 : after - 1], after
    after = _end(_UNQUOTED, html, at)
    return html[at:after], after


def _behind(html: str, end: str, at: int) -> int:
    """The position behind the next ``end``, or the end of all."""
    found = html.find(end, at)
    return len(html) if found < 0 else found + len(end)


def _end(pattern: "re.Pattern[str]", html: str, at: int) -> int:
    """The end of the run of that class of characters from here."""
    found = pattern.match(html, at)
    assert found is not None  # the patterns match the empty text too
    return found.end()


def _unescaped(value: str) -> str:
    """Decode character references, but for a number so long that Python refuses to read it."""
    if "&" not in value:
        return value
    from html import unescape

    try:
        return unescape(value)
    except ValueError:
        return value
