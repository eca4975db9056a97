"""Dialogues that break a lint rule, and near misses, in the script language of ``tests/rfc/dialogue.py``."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from pytest_smtpd import Rule, SMTPServer
from tests.rfc.dialogue import Dialogue
from tests.rfc.run import Conversation
from tests.rfc.wire import connect


@dataclass(frozen=True)
class Case:
    """What a client does: a script, or several, one connection each."""

    title: str
    script: str | tuple[str, ...]
    _: KW_ONLY
    settings: Mapping[str, Any] = field(default_factory=dict)
    on: Sequence[Rule] = ()
    early: bytes = b""  # what the client sends before the server may greet it

    @property
    def scripts(self) -> tuple[str, ...]:
        return (self.script,) if isinstance(self.script, str) else self.script


@dataclass(frozen=True)
class Cases:
    """For one rule: dialogues that break it, and others that nearly do."""

    broken: Sequence[Case]
    kept: Sequence[Case]


GREETED = "C: EHLO client.example\nS: 250\n"
SECURED = f"{GREETED}C: STARTTLS\nS: 220\nTLS\n{GREETED}"
QUIT = "C: QUIT\nS: 221\n"
SENDER = "C: MAIL FROM:<app@example.com>\nS: 250\n"
ENVELOPE = f"{SENDER}C: RCPT TO:<ada@example.com>\nS: 250\n"

HEADER = (
    b"Date: Mon, 1 Jan 2024 12:00:00 +0000\r\n"
    b"From: app@example.com\r\n"
    b"To: ada@example.com\r\n"
    b"Message-ID: <1@example.com>\r\n"
    b"Subject: Hello\r\n"
)
BODY = b"\r\nHello.\r\n"
LETTER = HEADER + BODY


def raw(octets: bytes) -> str:
    """Octets as a line of a script sends them."""
    return "".join(chr(o) if 32 <= o < 127 and o != 0x5C else f"\\x{o:02x}" for o in octets)


def mail(
    content: bytes = LETTER,
    *,
    parameters: str = "",
    to: Sequence[str] = ("ada@example.com",),
    by: str = "DATA",
    reply: int = 250,
) -> str:
    """A transaction with this content, exactly as it is: nothing is doubled."""
    script = f"C: MAIL FROM:<app@example.com>{parameters}\nS: 250\n"
    script += "".join(f"C: RCPT TO:<{one}>\nS: 250\n" for one in to)
    if by == "BDAT":
        return f"{script}C> BDAT {len(content)} LAST\\r\\n{raw(content)}\nS: {reply}\n"
    return f"{script}C: DATA\nS: 354\nC> {raw(content)}\nC> .\\r\\n\nS: {reply}\n"


def letter(content: bytes, **options: Any) -> str:
    """A whole connection with one message."""
    return f"{GREETED}{mail(content, **options)}{QUIT}"


def plain(user: str = "app", password: str = "s3cret") -> str:
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def hold(server: SMTPServer, script: str, early: bytes = b"") -> None:
    """Be a client that does what the script says, and leaves."""
    dialogue = Dialogue("", "", "", script, settings={"tls": server.settings.tls}, on=[None])
    sent = threading.Event()
    if early:
        server.on("connect", call=lambda session: sent.wait(10) and None)
    with connect(server, greet=False) as wire:
        if early:
            wire.send(early)
            sent.set()
        Conversation(dialogue, wire, lambda: wire.secure(server.client_context, server.host)).run()


def findings(case: Case) -> Sequence[Any]:
    """What lint says about it."""
    with SMTPServer(on=case.on, **case.settings) as server:
        for script in case.scripts:
            hold(server, script, case.early)
        server.wait_closed()
        return server.lint
