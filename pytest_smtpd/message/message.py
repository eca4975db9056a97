"""A message as its reader sees it: exact octets in, text, names and files out."""

from typing import TYPE_CHECKING

from pytest_smtpd.message.header import Header
from pytest_smtpd.message.lazy import lazy
from pytest_smtpd.smtp.attachment import Attachment

if TYPE_CHECKING:
    from email.message import EmailMessage

    from pytest_smtpd.message.body import Body
    from pytest_smtpd.message.parts import Part


class Message:
    """What a message says (RFC 5322, RFC 2045 to 2049), read from the octets that were sent.

    Nothing is read before it is asked for, and each property is computed once; several threads may ask at a time. No
    content makes a property raise, and each takes time that grows linearly with the size of the content, whatever the
    sender wrote; ``parsed``, which is the standard library's, may take longer.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __repr__(self) -> str:
        return f"<Message {len(self.content)} bytes>"

    @lazy
    def _header(self) -> Header:
        return Header(self.content, 0, top=True)

    @lazy
    def _values(self) -> dict[str, tuple[str, ...]]:
        return {}

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """Every header field in order: its name as written, and its body unfolded, decoded and stripped."""
        return self._header.fields

    def header(self, name: str) -> tuple[str, ...]:
        """The decoded bodies of all header fields of that name, whatever its case."""
        key = name.lower()
        if key not in self._values:
            self._values[key] = self._header.values(key)
        return self._values[key]

    @property
    def subject(self) -> str | None:
        """The Subject, decoded; the first one if there are several, None without one."""
        return next(iter(self.header("subject")), None)

    @lazy
    def parts(self) -> "tuple[Part, ...]":
        """All parts, each multipart before its ``children``; the first is the message itself."""
        from pytest_smtpd.message import tree

        return tree.divide(self.content, self._header)

    @lazy
    def _body(self) -> "Body":
        from pytest_smtpd.message import body

        return body.find(self.parts[0])

    @property
    def text(self) -> str | None:
        """The text/plain part that a mail program shows first, with LF as line end; None without one."""
        return None if self._body.text is None else self._body.text.text

    @property
    def html(self) -> str | None:
        """The text/html part that a mail program shows first, with LF as line end; None without one."""
        return None if self._body.html is None else self._body.html.text

    @lazy
    def attachments(self) -> tuple[Attachment, ...]:
        """Every part that is not a multipart and not in ``text`` or ``html``, in order."""
        return tuple(_attachment(part) for part in self.parts if not part.is_multipart and part not in self._body)

    @lazy
    def links(self) -> tuple[str, ...]:
        """The web addresses of the text, then those of the HTML's ``<a href>``, in order and each once."""
        from pytest_smtpd.message import links

        return links.find(self.text, self.html)

    @lazy
    def parsed(self) -> "EmailMessage":
        """The content as the standard ``email`` package reads it with its modern policy.

        Content that it cannot read gives an empty message with the content as its payload.
        """
        from email import message_from_bytes, policy
        from email.message import EmailMessage

        try:
            return message_from_bytes(self.content, policy=policy.default)
        except Exception:
            broken = EmailMessage()
            broken.set_payload(self.content.decode("latin-1"))
            return broken

    def snapshot(self) -> str:
        """The message as a text to compare with an earlier run's: see ``pytest_smtpd.message.snapshot``."""
        return self._snapshot

    @lazy
    def _snapshot(self) -> str:
        from pytest_smtpd.message import snapshot

        return snapshot.write(self.parts)


def _attachment(part: "Part") -> Attachment:
    is_text = part.content_type.startswith("text/")
    return Attachment(
        filename=part.filename,
        content_type=part.content_type,
        content=part.content,
        disposition=part.disposition or ("inline" if is_text else None),
        content_id=part.content_id,
        text=(lambda: part.text) if is_text else None,
    )
