"""Which parts of a message are its body.

The body is what a mail program shows first: a text/plain part, a text/html part, or both as alternatives. All other
parts are attachments, even if they are text: the footer of a mailing list, the lines below a picture, an invitation.

RFC 8621 section 4.1.4 describes how mail programs choose the body. This module chooses in the same way, but it wants
one part of each kind where a program shows several, one below the other:

* If HTML follows plain text in a multipart/mixed or multipart/related, it is taken as the HTML of the message. Most
  senders of such a message have just chosen the wrong multipart for their alternatives.
* If plain text follows HTML, it is not taken as the text of the message: it is nearly always a footer. Such a message
  has no text.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pytest_smtpd.message.parts import Part


class Body(NamedTuple):
    """The parts that a mail program shows first."""

    text: Part | None = None
    html: Part | None = None


_NONE = Body()


def find(part: Part) -> Body:
    """The body within this part.

    Parts with any disposition but "inline" are not shown, nor is what a multipart of such a disposition contains; an
    unknown disposition means an attachment (RFC 2183 section 2.8).
    """
    if part.disposition not in (None, "inline"):
        return _NONE
    if not part.is_multipart:
        return _leaf(part)
    if part.content_type == "multipart/alternative":
        return _best(part.children)
    if part.content_type == "multipart/related":
        return _first(_root_first(part))
    return _first(part.children)


def _leaf(part: Part) -> Body:
    if part.content_type == "text/plain":
        return Body(text=part)
    return Body(html=part) if part.content_type == "text/html" else _NONE


def _first(parts: Sequence[Part]) -> Body:
    """The body within parts that are shown one below the other.

    Text with a file name is an attached file, unless it is the first part: some programs give a name to the body.
    """
    body = _NONE
    for part in parts:
        if part is not parts[0] and _has_name(part):
            continue
        found = find(part)
        if body == _NONE:
            body = found
        elif body.html is None and found.html is not None:
            body = body._replace(html=found.html)
    return body


def _best(parts: Sequence[Part]) -> Body:
    """The body within alternatives, of which the last one is the best (RFC 2046 section 5.1.4).

    One with a file name counts only if there is no other: some senders attach files here.
    """
    bodies = [part for part in parts if part is parts[0] or not _has_name(part)]
    named = [part for part in parts[1:] if _has_name(part)]
    found = [find(part) for part in (*reversed(bodies), *reversed(named))]
    return Body(_first_part(body.text for body in found), _first_part(body.html for body in found))


def _first_part(parts: Iterable[Part | None]) -> Part | None:
    return next((part for part in parts if part is not None), None)


def _root_first(related: Part) -> Sequence[Part]:
    """The children of a multipart/related, its root first.

    The parameter ``start`` is the Content-ID of the root; otherwise the root is the first part (RFC 2387 section 3.2).
    """
    start = related.parameters.get("start", "").strip("<> ")
    root = next((part for part in related.children if start and part.content_id == start), None)
    if root is None:
        return related.children
    return [root, *(part for part in related.children if part is not root)]


def _has_name(part: Part) -> bool:
    return not part.is_multipart and part.filename is not None
