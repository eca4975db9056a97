"""Sign people up, and tell them."""

from __future__ import annotations

import secrets
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from functools import partial
from typing import TYPE_CHECKING

from signup.mailer import MailSettings, send
from signup.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from signup.outbox import Clock


class SignUp:
    def __init__(self, mail: MailSettings, outbox: Outbox, *, site: str = "https://app.example.com") -> None:
        self._mail = mail
        self._outbox = outbox
        self._site = site
        self._tokens: dict[str, str] = {}
        self.confirmed: set[str] = set()

    def register(self, address: str) -> None:
        """Send the welcome mail with the link that confirms the address."""
        token = secrets.token_urlsafe(16)
        self._tokens[token] = address
        body = f"Welcome!\n\nPlease confirm your address:\n{self._site}/confirm/{token}\n"
        self._outbox.put(self._compose("Welcome", body, to=[address]), address)
        self._outbox.flush()

    def invite(self, team: str, addresses: Iterable[str]) -> None:
        """One message to a whole team."""
        everyone = list(addresses)
        body = f"You have been invited to {team}.\n{self._site}/teams\n"
        self._outbox.put(self._compose(f"Join {team}", body, to=everyone), *everyone)
        self._outbox.flush()

    def confirm(self, token: str) -> bool:
        address = self._tokens.pop(token, None)
        if address is not None:
            self.confirmed.add(address)
        return address is not None

    def unreachable(self) -> dict[str, str]:
        """The addresses that mail did not get to, and why."""
        return {bounce.recipient: bounce.reason for bounce in self._outbox.bounces}

    def _compose(self, subject: str, body: str, *, to: list[str]) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._mail.sender
        message["To"] = ", ".join(to)
        message["Subject"] = subject
        message["Date"] = localtime()
        # Made once, so that every attempt carries the same one and a receiver can tell a duplicate.
        message["Message-ID"] = make_msgid(domain="app.example.com")
        message.set_content(body)
        return message


def build(mail: MailSettings, *, clock: Clock | None = None) -> tuple[SignUp, Outbox]:
    """The service as the application starts it."""
    transport = partial(send, mail)
    outbox = Outbox(transport) if clock is None else Outbox(transport, clock=clock)
    return SignUp(mail, outbox), outbox
