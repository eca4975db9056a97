"""Servers with something to look at, and what stands on their pages."""

from __future__ import annotations

import smtplib
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import suppress
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

from pytest_smtpd import SMTPServer

PATIENCE = 30
PICTURE = b64decode(  # one red point
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())  # noqa: SIM905


def mail(subject: str, html: str | None = None, text: str = "Hello Ada\n") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "app@example.com", "Ada <ada@example.com>", subject
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def send(server: SMTPServer, *messages: EmailMessage | bytes, to: Sequence[str] = ("ada@example.com",)) -> None:
    """Send all of them over one connection, as long as it lasts; what is refused is refused."""
    with smtplib.SMTP(server.host, server.port, timeout=PATIENCE) as client, suppress(smtplib.SMTPServerDisconnected):
        for message in messages:
            content = message if isinstance(message, bytes) else message.as_bytes()
            with suppress(smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused):
                client.sendmail("app@example.com", list(to), content)


class Element:
    """An element of a page, as the standard library's parser reads it."""

    def __init__(self, tag: str, attributes: dict[str, str | None], parent: Element | None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Element | str] = []

    def __iter__(self) -> Iterator[Element]:
        """The element and all within it, in order."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def find(self, tag: str, **attributes: str) -> list[Element]:
        """Those within it of this tag; ``class_`` is one of the classes."""
        wanted = attributes.pop("class_", None)
        return [
            one
            for one in self
            if one.tag == tag
            and all(one.attributes.get(name) == value for name, value in attributes.items())
            and (wanted is None or wanted in (one.attributes.get("class") or "").split())
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.at = self.root = Element("", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs), self.at)
        self.at.children.append(element)
        if tag not in _VOID:
            self.at = element

    def handle_endtag(self, tag: str) -> None:
        assert self.at.tag == tag, f"</{tag}> ends <{self.at.tag}>"  # pages are well-formed
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        self.at.children.append(data)


def read(page: str) -> Element:
    """The page as a tree. Every element has to be closed where it was opened."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.at is reader.root, f"<{reader.at.tag}> is not closed"
    return reader.root


def page_of(server: SMTPServer, folder: Path) -> Element:
    return read(server.save(folder).read_text(encoding="utf-8"))


def data(address: str) -> tuple[str, bytes]:
    """The type and the content of a data: address."""
    head, _, content = address.removeprefix("data:").partition(",")
    kind, _, encoding = head.rpartition(";")
    return (kind, b64decode(content)) if encoding == "base64" else (head, unquote_to_bytes(content))


def frames(page: Element) -> list[str]:
    """The documents that the page's frame can show: the one at the start, and those that links bring."""
    first = [one.attributes["srcdoc"] or "" for one in page.find("iframe")]
    linked = [data(one.attributes["href"] or "")[1].decode() for one in page.find("a", class_="show")]
    return [*first, *linked]
