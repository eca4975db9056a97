"""A message, read from the octets that were sent."""

from typing import TYPE_CHECKING

from pytest_smtpd.message.header import Header
from pytest_smtpd.message.lazy import lazy
from pytest_smtpd.smtp.attachment import Attachment

if TYPE_CHECKING:
    from email.message import EmailMessage

    from pytest_smtpd.message.body import Body
    from pytest_smtpd.message.parts import Part


class Message:
    """The header, text, HTML, attachments and links of a message (RFC 5322, RFC 2045 to 2049).

    Each property is computed when it is first used, and then kept; several threads may use a message at the same time.
    No content makes a property raise an exception. The time that a property takes grows linearly with the size of the
    content, even if the content is malicious; only ``parsed``, which is the standard library's work, may take longer.
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
        """Every header field in order: its name as written, and its body, unfolded, decoded and stripped."""
        return self._header.fields

    def header(self, name: str) -> tuple[str, ...]:
        """The decoded bodies of all header fields with this name, in any case."""
        key = name.lower()
        if key not in self._values:
            self._values[key] = self._header.values(key)
        return self._values[key]

    @property
    def subject(self) -> str | None:
        """The decoded Subject, the first one if there are several; None if there is none."""
        return next(iter(self.header("subject")), None)

    @lazy
    def parts(self) -> "tuple[Part, ...]":
        """All parts in order, each multipart before its ``children``. The first one is the message itself."""
        from pytest_smtpd.message import tree

        return tree.divide(self.content, self._header)

    @lazy
    def _body(self) -> "Body":
        from pytest_smtpd.message import body

        return body.find(self.parts[0])

    @property
    def text(self) -> str | None:
        """The text/plain part that a mail program shows first, with LF as line end; None if there is none."""
        return None if self._body.text is None else self._body.text.text

    @property
    def html(self) -> str | None:
        """The text/html part that a mail program shows first, with LF as line end; None if there is none."""
        return None if self._body.html is None else self._body.html.text

    @lazy
    def attachments(self) -> tuple[Attachment, ...]:
        """All parts but multiparts and those of ``text`` and ``html``, in order."""
        return tuple(_attachment(part) for part in self.parts if not part.is_multipart and part not in self._body)

    @lazy
    def links(self) -> tuple[str, ...]:
        """The web addresses in the text, then those of ``<a href>`` in the HTML, in order and each once."""
        from pytest_smtpd.message import links

        return links.find(self.text, self.html)

    @lazy
    def parsed(self) -> "EmailMessage":
        """The content as parsed by the standard ``email`` package with its modern policy.

        If the package raises an exception, this is an empty message with the content as its payload.
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
        """The message as a text for snapshot tests, which is the same in every run.

        It shows the tree of parts, their decoded headers and their decoded bodies. Dates, message ids, Content-IDs and
        boundaries are replaced by numbered names.
        """
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
