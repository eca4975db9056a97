"""Which parts of a message are its body, and which are attachments.

The body is what a mail program shows first: one text/plain part, one text/html part, or both. RFC 8621 section 4.1.4
describes the way in which a mail program finds it, and this module follows it but for two cases:

* HTML behind plain text is taken as the message's HTML also in a multipart/mixed or multipart/related. A program shows
  it below the text; but it is nearly always the same message, in a multipart of the wrong type.
* Plain text behind HTML is not taken, except in a multipart/alternative: that is a mailing list's footer, and a message
  in HTML alone has no text.

All other parts are attachments, further text among them: a footer, the lines under a picture, an invitation.
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
    """What ``part`` has to offer as a body.

    Only inline content is ever shown as one; a disposition that nobody knows means an attachment (RFC 2183 section
    2.8), and attached multiparts are attached with all that is in them.
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
    """Parts that are shown one below the other. Text with a name is a file, unless it comes first.

    Apple Mail and some gateways give names to bodies; the first part is one all the same.
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
    """The alternatives of one message, of which the last is the best (RFC 2046 section 5.1.4).

    One with a name counts only where there is no other: some senders put files there.
    """
    bodies = [part for part in parts if part is parts[0] or not _has_name(part)]
    named = [part for part in parts[1:] if _has_name(part)]
    found = [find(part) for part in (*reversed(bodies), *reversed(named))]
    return Body(_first_part(body.text for body in found), _first_part(body.html for body in found))


def _first_part(parts: Iterable[Part | None]) -> Part | None:
    return next((part for part in parts if part is not None), None)


def _root_first(related: Part) -> Sequence[Part]:
    """RFC 2387 section 3.2: ``start`` gives the Content-ID of the root, which is the first part without it."""
    start = related.parameters.get("start", "").strip("<> ")
    root = next((part for part in related.children if start and part.content_id == start), None)
    if root is None:
        return related.children
    return [root, *(part for part in related.children if part is not root)]


def _has_name(part: Part) -> bool:
    return not part.is_multipart and part.filename is not None
