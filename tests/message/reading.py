"""The one door through which these tests read a mail, and how they write one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smtpd.message import Message

if TYPE_CHECKING:
    from email.message import EmailMessage, MIMEPart

CRLF = b"\r\n"


def read(content: bytes) -> Message:
    """The message in ``content``."""
    return Message(content)


def octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def mail(*lines: str | bytes) -> bytes:
    """These lines, each with a CRLF; what is a ``str`` goes out in UTF-8."""
    return b"".join(octets(line) + CRLF for line in lines)


def entity(content_type: str | bytes, body: str | bytes, *fields: str | bytes) -> bytes:
    """A message or a part of one, with its header; without a line end behind its body."""
    header = ([b"Content-Type: " + octets(content_type)] if content_type else []) + [octets(field) for field in fields]
    return b"".join(field + CRLF for field in header) + CRLF + octets(body)


def plain(body: str | bytes, *fields: str | bytes) -> bytes:
    return entity("text/plain; charset=utf-8", body, *fields)


def html(body: str | bytes, *fields: str | bytes) -> bytes:
    return entity("text/html; charset=utf-8", body, *fields)


def picture(*fields: str | bytes) -> bytes:
    return entity("image/png", "PNG", *fields)


def multipart(subtype: str, *parts: bytes, fields: tuple[str, ...] = (), closed: bool = True) -> bytes:
    """A multipart of these parts. ``subtype`` may go on with parameters."""
    boundary = f"b{sum(map(len, parts))}-{len(parts)}"
    delimiter = b"--" + boundary.encode()
    body = b"".join(delimiter + CRLF + part + CRLF for part in parts) + (delimiter + b"--" + CRLF if closed else b"")
    kind, semicolon, parameters = subtype.partition(";")
    return entity(f'multipart/{kind}; boundary="{boundary}"{semicolon}{parameters}', body, *fields)


def mixed(*parts: bytes) -> bytes:
    return multipart("mixed", *parts)


def alternative(*parts: bytes) -> bytes:
    return multipart("alternative", *parts)


def related(*parts: bytes) -> bytes:
    return multipart("related", *parts)


def part_of(message: EmailMessage, number: int) -> MIMEPart:
    """A part of a message that the standard library writes."""
    return list(message.iter_parts())[number]
