"""The HTML of a mail, written anew from an allow-list, for a frame in which nothing may run, load or connect.

What is written here is well-formed by construction: names of elements and attributes come from the lists below, every
``<`` of a text and every quotation mark of a value is escaped. So it does not matter whether a browser would have read
the original in another way than ``_Reader`` does. The frame is sandboxed and has a policy that loads nothing; elements
that make a browser connect even where it may not load (links, frames, refreshes, bases) are left out altogether.

The standard library's parser is not used: a hostile sender can make it take time that grows with the square of the
size. Each step here reads on from where the last one ended.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from html import escape, unescape
from typing import Final, NamedTuple


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_ELEMENTS: Final = _words(
    "a abbr address article aside b bdi bdo big blockquote body br caption center cite code col colgroup dd del dfn",
    "div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q",
    "rp rt ruby s samp section small span strike strong style sub sup table tbody td tfoot th thead time tr tt u ul",
    "var wbr",
)
_ATTRIBUTES: Final = _words(
    "align alt bgcolor border cellpadding cellspacing class color colspan dir face height hspace id lang nowrap",
    "reversed role rowspan size span start style title type valign vspace width",
)
# The content of these is no markup, up to their end tag (HTML standard, section 13.2.5).
_RAW: Final = _words("script style title textarea xmp iframe noembed noframes")
_FOREIGN: Final = _words("math svg")
# These go with all that is in them.
_LEFT_OUT: Final = (_RAW - {"style"}) | _words(
    "applet audio canvas frameset math object plaintext select svg template video"
)

_SIMPLE: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)>")
_NAME: Final = re.compile(r"[^\s/>]*", re.ASCII)
_ATTRIBUTE: Final = re.compile(r"[\s/]*+(=?[^\s/>=]*+)(?:\s*+=\s*+(\"[^\"]*+\"|'[^']*+'|[^\s>]*+))?", re.ASCII)
_CONTROLS: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))
_URL: Final = re.compile(r"(?i)url\(\s*+([\"']?)([^)\"']*+)[^)]*+\)?")
_IMPORT: Final = re.compile(r"(?i)@import[^;]*+;?")
_IMAGE: Final = re.compile(r"(?i)data:image/(?:png|jpeg|gif|webp|bmp)[;,]")

Resolve = Callable[[str], str | None]  # from a Content-ID to a data: address


class _Tag(NamedTuple):
    name: str
    closing: bool = False
    attributes: tuple[tuple[str, str], ...] = ()
    empty: bool = False  # "<svg/>"


def clean(html: str, resolve: Resolve = lambda content_id: None) -> str:
    """The HTML without all that could run, load or connect. ``resolve`` finds images that are attached to the mail."""
    return "".join(_written(_kept(_tokens(html.translate(_CONTROLS))), resolve))


# --- writing --------------------------------------------------------------------------------------------------------


def _kept(tokens: "Iterator[_Tag | str]") -> "Iterator[_Tag | str]":
    """The tokens without the elements that are left out together with their content."""
    left_out, depth = "", 0
    for token in tokens:
        is_left_out = isinstance(token, _Tag) and token.name in _LEFT_OUT
        if not depth and not is_left_out:
            yield token
        elif isinstance(token, _Tag) and is_left_out and not token.empty:
            left_out = left_out if depth else token.name
            step = 0 if token.name != left_out else -1 if token.closing else 1
            depth = max(depth + step, 0)


def _written(tokens: "Iterator[_Tag | str]", resolve: Resolve) -> Iterator[str]:
    in_style = False
    for token in tokens:
        if isinstance(token, str):
            yield _css(token, resolve).replace("<", "") if in_style else token.replace("<", "&lt;").replace(">", "&gt;")
        elif token.name in _ELEMENTS:
            in_style = token.name == "style" and not token.closing
            yield f"</{token.name}>" if token.closing else _start_tag(token, resolve)


def _start_tag(tag: _Tag, resolve: Resolve) -> str:
    attributes: dict[str, str] = {}
    for name, value in tag.attributes:
        if name in _ATTRIBUTES and name not in attributes:
            attributes[name] = _css(value, resolve) if name == "style" else value
        elif name in ("src", "href"):
            attributes.update(_address(tag.name, name, value, resolve))
    pairs = [f' {name}="{escape(value)}"' for name, value in attributes.items()]
    return f"<{tag.name}{''.join(pairs)}>"


def _address(element: str, name: str, value: str, resolve: Resolve) -> Mapping[str, str]:
    """An image that is part of the mail is shown; of any other address, only its text."""
    if element == "a" and name == "href":
        return {"title": value}
    if element != "img" or name != "src":
        return {}
    source = _own_image(value, resolve)
    return {"title": f"not loaded: {value[:200]}"} if source is None else {"src": source}


def _own_image(value: str, resolve: Resolve) -> str | None:
    address = value.strip()
    if address[:4].lower() == "cid:":
        return resolve(address[4:])
    return address if _IMAGE.match(address) else None


def _css(text: str, resolve: Resolve) -> str:
    """Styles without addresses, but those of images that are part of the mail."""

    def replaced(found: "re.Match[str]") -> str:
        source = _own_image(found[2], resolve)
        return "none" if source is None else f'url("{source}")'

    return _URL.sub(replaced, _IMPORT.sub("", text))


# --- reading --------------------------------------------------------------------------------------------------------


def _tokens(html: str) -> "Iterator[_Tag | str]":
    """Tags, and the text between them unchanged. Comments and declarations are left out."""
    at = 0
    while (start := html.find("<", at)) >= 0:
        if start > at:
            yield html[at:start]
        tag, at = _tag(html, start)
        if tag is None:
            continue
        yield tag
        if isinstance(tag, _Tag) and not tag.closing and tag.name in _RAW:
            end = re.compile(f"</{tag.name}(?=[\\s/>])", re.IGNORECASE | re.ASCII).search(html, at)
            until = len(html) if end is None else end.start()
            yield html[at:until]
            at = until
            if end is None:
                yield _Tag(tag.name, closing=True)
    yield html[at:]


def _tag(html: str, start: int) -> "tuple[_Tag | str | None, int]":
    """What begins at ``start``, and the position behind it; None if it is not shown."""
    if simple := _SIMPLE.match(html, start):
        return _simple_tag(simple[2].lower(), bool(simple[1])), simple.end()
    if html.startswith("<!--", start):
        return None, _behind(html, "-->", start + 2)  # "<!-->" is a whole comment
    if html[start + 1 : start + 2] in ("!", "?"):
        return None, _behind(html, ">", start)
    closing = html.startswith("/", start + 1)
    begin = start + 1 + closing
    if not ("a" <= html[begin : begin + 1].lower() <= "z"):
        return (None, _behind(html, ">", start)) if closing else ("<", begin)
    at = _end(_NAME, html, begin)
    name = html[begin:at].lower()
    attributes: list[tuple[str, str]] = []
    while at < len(html):
        found = _ATTRIBUTE.match(html, at)
        assert found is not None
        at = found.end()
        if found[1]:
            attributes.append((found[1].lower(), _value(found[2] or "")))
        elif html.startswith(">", at):
            empty = name in _FOREIGN and html.startswith("/>", at - 1)
            return _Tag(name, closing, tuple(attributes), empty), at + 1
    return None, at  # an incomplete tag is no tag


@lru_cache(maxsize=256)
def _simple_tag(name: str, closing: bool) -> _Tag:
    return _Tag(name, closing)


def _value(raw: str) -> str:
    """An attribute's value. Python refuses to convert very long numbers: such a value is as good as none."""
    value = raw[1:-1] if raw[:1] in ("'", '"') and raw[-1:] == raw[:1] and len(raw) > 1 else raw
    try:
        return unescape(value) if "&" in value else value
    except ValueError:
        return ""


def _behind(html: str, end: str, at: int) -> int:
    found = html.find(end, at)
    return len(html) if found < 0 else found + len(end)


def _end(pattern: "re.Pattern[str]", html: str, at: int) -> int:
    found = pattern.match(html, at)
    assert found is not None
    return found.end()
