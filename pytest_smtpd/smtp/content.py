"""Messages read with the standard ``email`` package, imported when one is first looked at; none of this raises."""

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from pytest_smtpd.smtp.values import read_only

if TYPE_CHECKING:
    from email.message import EmailMessage

_LINK = re.compile(r"""https?://[^\s<>"'\\^`{|}]+""", re.IGNORECASE)
_HREF = re.compile(r"""<a\b[^>]*?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_TRAILING: Final = ".,;:!?*_~"  # what ends the sentence around a link rather than the link
_BRACKETS: Final = {")": "(", "]": "["}


@read_only
@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An attached file: ``filename`` (or None), ``content_type`` ("application/pdf") and decoded ``content``."""

    filename: str | None
    content_type: str
    content: bytes

    def __repr__(self) -> str:
        return f"<Attachment {self.filename!r} {self.content_type} {len(self.content)} bytes>"


Attachment.__module__ = "pytest_smtpd"


@cache
def _policy() -> Any:
    from email.policy import default

    return default.clone(raise_on_defect=False)


def parse(content: bytes) -> "EmailMessage":
    """The message in ``content``; bytes that are none give an empty message whose payload they are."""
    from email import message_from_bytes
    from email.message import EmailMessage

    try:
        return message_from_bytes(content, policy=_policy())
    except Exception:
        broken = EmailMessage(_policy())
        broken.set_payload(content.decode("latin-1"))
        return broken


def header(message: "EmailMessage", name: str) -> str | None:
    """A header's decoded text as a plain ``str``; as it stands if it cannot be parsed; None if it is absent."""
    try:
        value = message[name]
        return None if value is None else str.__str__(value)
    except Exception:
        raw = next((value for key, value in message.raw_items() if key.lower() == name), None)
        return None if raw is None else " ".join(str(raw).split())


def body(message: "EmailMessage", subtype: Literal["plain", "html"]) -> str | None:
    """The best text/``subtype`` part as a ``str`` with LF line ends, None where there is none."""
    try:
        part = message.get_body((subtype,))
    except Exception:
        return None
    if part is None or part.get_content_type() != f"text/{subtype}":
        return None
    return _text(part).replace("\r\n", "\n")


def _text(part: Any) -> str:
    try:
        return str(part.get_content())
    except Exception:
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else str(part.get_payload())


def attachments(message: "EmailMessage") -> tuple[Attachment, ...]:
    """Every part that is an attachment or an inline file."""
    try:
        return tuple(_attachment(part) for part in _leaves(message) if _is_file(part))
    except Exception:
        return ()


def _leaves(part: Any) -> Any:
    """All parts with content of their own; an attached message is one part."""
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        for child in part.iter_parts():
            yield from _leaves(child)
    else:
        yield part


def _is_file(part: Any) -> bool:
    if part.get_content_disposition() == "attachment" or part.get_filename() is not None:
        return True
    return part.get_content_type() not in ("text/plain", "text/html")


def _attachment(part: Any) -> Attachment:
    name = part.get_filename()
    if part.get_content_maintype() == "message" and part.is_multipart():
        content = part.get_payload(0).as_bytes()
    else:
        content = part.get_payload(decode=True)
    return Attachment(
        filename=None if name is None else str.__str__(name),
        content_type=part.get_content_type(),
        content=content if isinstance(content, bytes) else b"",
    )


def links(text: str | None, html: str | None) -> tuple[str, ...]:
    """Web addresses of the plain text, then of the HTML's ``href`` attributes, each once."""
    from html import unescape

    found = [_trim(link) for link in _LINK.findall(text or "")]
    for groups in _HREF.findall(html or ""):
        target = unescape(next(filter(None, groups), "")).strip()
        if _LINK.match(target):
            found.append(target)
    return tuple(dict.fromkeys(found))


def _trim(link: str) -> str:
    """Cut what belongs to the sentence: closing punctuation, and a bracket that the link itself did not open."""
    while link:
        last = link[-1]
        unmatched = last in _BRACKETS and link.count(last) > link.count(_BRACKETS[last])
        if last not in _TRAILING and not unmatched:
            break
        link = link[:-1]
    return link
