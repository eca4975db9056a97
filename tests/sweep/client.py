"""A mail client that makes no mistake, in small steps: the sample applications are made of it, or of worse."""

from __future__ import annotations

import base64
import contextlib
import re
from typing import NamedTuple

from tests.sweep.links import Dial, Link, Place

USER, PASSWORD = "app", "open-sesame"
Reply = tuple[int, str]


class Mail(NamedTuple):
    to: tuple[str, ...]
    subject: str
    text: str = "Hello."
    message_id: str | None = None
    header_to: str = ""

    @property
    def content(self) -> bytes:
        head = [f"From: app@example.com\r\nTo: {self.header_to or ', '.join(self.to)}\r\nSubject: {self.subject}\r\n"]
        head += [f"Message-ID: <{self.message_id}@example.com>\r\n"] if self.message_id else []
        return f"{''.join(head)}\r\n{self.text}\r\n".encode()


WELCOME = Mail(("ada@example.com", "bob@example.com"), "Welcome")
INVOICE = Mail(("cyd@example.com",), "Invoice")
MAILS = (WELCOME, INVOICE)


class Refused(Exception):
    """A reply that is not the one that was hoped for."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


class Confused(Exception):
    """A reply that is none."""


Failure = Refused | Confused | OSError
FAILURES = (Refused, Confused, OSError)


class Client:
    """One connection, in the words of RFC 5321. ``offered`` is what the server offers."""

    def __init__(self, link: Link, place: Place) -> None:
        self.link, self.place = link, place
        self.offered: set[str] = set()
        self.last = b""

    async def reply(self) -> Reply:
        """Read one reply."""
        codes, texts = set(), []
        while True:
            line = await self.link.line()
            if not line.endswith(b"\n"):
                raise ConnectionError("the server has closed the connection")
            found = re.fullmatch(rb"([2-5][0-9][0-9])(?:([ -])(.*))?\r?\n", line)
            if found is None:
                raise Confused(f"not a reply: {line[:40]!r}")
            codes.add(int(found[1]))
            texts.append((found[3] or b"").decode("latin-1"))
            if found[2] != b"-":
                break
        if len(codes) > 1:
            raise Confused("a reply with several codes")
        return codes.pop(), "\n".join(texts)

    async def say(self, line: str) -> Reply:
        """Send a command, and read its reply."""
        await self.link.send(f"{line}\r\n".encode())
        return await self.reply()

    async def insist(self, line: str, digit: int = 2) -> Reply:
        """Send a command. Raises ``Refused`` unless the reply's first digit is ``digit``."""
        return wanted(await self.say(line), digit)

    async def greet(self) -> None:
        """Say hello, and learn what is offered."""
        if self.place.lmtp:
            _, text = await self.insist("LHLO client.example")
        else:
            code, text = await self.say("EHLO client.example")
            if code in (500, 502):
                code, text = await self.say("HELO client.example")
                text = ""
            wanted((code, text), 2)
        self.offered = {line.split()[0].upper() for line in text.split("\n")[1:] if line}

    async def protect(self) -> None:
        await self.insist("STARTTLS")
        await self.link.start_tls(self.place)
        await self.greet()

    async def login(self) -> None:
        secret = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
        await self.insist(f"AUTH PLAIN {secret}")

    async def begin(self) -> None:
        """Everything up to the first mail."""
        wanted(await self.reply(), 2)
        await self.greet()
        if self.place.starttls:
            await self.protect()
        if self.place.login:
            await self.login()

    async def recipients(self, mail: Mail) -> dict[str, Failure]:
        """MAIL and RCPT. Returns the refusals."""
        await self.insist("MAIL FROM:<app@example.com>")
        refused: dict[str, Failure] = {}
        for address in mail.to:
            code, text = await self.say(f"RCPT TO:<{address}>")
            if code == 421:
                raise Refused(code, text)
            if code // 100 != 2:
                refused[address] = Refused(code, text)
        return refused

    async def content(self, mail: Mail, accepted: list[str]) -> dict[str, Failure]:
        """DATA and the content. Returns refusals of single recipients, which only LMTP has."""
        await self.insist("DATA", 3)
        await self.link.send(mail.content + b".\r\n")
        if not self.place.lmtp:
            wanted(await self.reply(), 2)
            return {}
        refused: dict[str, Failure] = {}
        for place, address in enumerate(accepted):
            try:
                wanted(await self.reply(), 2)
            except Refused as error:
                refused[address] = error
            except (OSError, Confused) as error:
                return refused | dict.fromkeys(accepted[place:], error)
        return refused

    async def mail(self, mail: Mail) -> dict[str, Failure]:
        """Hand over a mail. Returns who was refused."""
        refused = await self.recipients(mail)
        accepted = [address for address in mail.to if address not in refused]
        if accepted:
            refused |= await self.content(mail, accepted)
        return refused

    async def quit(self) -> None:
        """Take leave; whatever the server says to that, the mail is on its way."""
        with contextlib.suppress(OSError, Confused):
            await self.say("QUIT")


def wanted(reply: Reply, digit: int) -> Reply:
    if reply[0] // 100 != digit:
        raise Refused(*reply)
    return reply


async def open_client(dial: Dial, place: Place) -> Client:
    return Client(await dial(place), place)
