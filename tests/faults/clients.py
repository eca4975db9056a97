"""Two clients that nobody here wrote, on one errand: log in if asked, send one message to three, say goodbye."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiosmtplib

from tests.faults.stage import MESSAGE

if TYPE_CHECKING:
    from pytest_smtpd import SMTPServer

SENDER = "ada@example.com"
RECIPIENTS = ["bob@example.com", "carol@example.com", "dave@example.org"]


@dataclass(frozen=True)
class Errand:
    """What the client is asked to do beside sending."""

    starttls: bool = False
    verify: bool = True
    login: bool = False
    timeout: float = 5.0


@dataclass(frozen=True)
class Outcome:
    """What the application learns."""

    text: str
    left_open: bool = False

    def __str__(self) -> str:
        return f"{self.text}, open" if self.left_open else self.text


def described(error: BaseException) -> str:
    """An exception, by its class and its codes."""
    refused = getattr(error, "recipients", None)
    if isinstance(refused, dict):
        codes = ", ".join(str(code) for code, _ in refused.values())
    elif isinstance(refused, list):
        codes = ", ".join(str(one.code) for one in refused)
    else:
        codes = str(getattr(error, "smtp_code", getattr(error, "code", "")))
    return (
        f"{type(error).__name__}({codes})" if codes and not isinstance(error, OSError | ssl.SSLError) else _plain(error)
    )


def _plain(error: BaseException) -> str:
    code = getattr(error, "smtp_code", "")
    return f"{type(error).__name__}({code})" if code != "" else type(error).__name__


def delivered(refused: dict[str, Any]) -> str:
    """A delivery, and for whom it was none."""
    codes = ", ".join(f"{address.partition('@')[0]} {reply[0]}" for address, reply in refused.items())
    return f"delivered, but {codes}" if codes else "delivered"


def by_smtplib(server: SMTPServer, errand: Errand) -> Outcome:
    client = smtplib.SMTP(timeout=errand.timeout, local_hostname="client.example.org")
    try:
        text = _with_smtplib(client, server, errand)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        text = described(error)
    left_open = client.sock is not None
    client.close()
    return Outcome(text, left_open)


def _with_smtplib(client: smtplib.SMTP, server: SMTPServer, errand: Errand) -> str:
    code, text = client.connect(server.host, server.port)
    if code != 220:
        raise smtplib.SMTPConnectError(code, text)  # as the constructor does
    if errand.starttls:
        client.starttls(context=server.client_context if errand.verify else None)
    if errand.login:
        client.login("app", "s3cret")
    refused = client.sendmail(SENDER, RECIPIENTS, MESSAGE)
    client.quit()
    return delivered(refused)


def by_aiosmtplib(server: SMTPServer, errand: Errand) -> Outcome:
    return asyncio.run(_by_aiosmtplib(server, errand))


async def _by_aiosmtplib(server: SMTPServer, errand: Errand) -> Outcome:
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        timeout=errand.timeout,
        local_hostname="client.example.org",
        start_tls=False,
        validate_certs=errand.verify,
        tls_context=server.client_context if errand.verify else None,
    )
    try:
        text = await _with_aiosmtplib(client, errand)
    except (OSError, aiosmtplib.SMTPException, ValueError) as error:
        text = described(error)
    left_open = client.is_connected
    client.close()
    return Outcome(text, left_open)


async def _with_aiosmtplib(client: aiosmtplib.SMTP, errand: Errand) -> str:
    await client.connect()
    if errand.starttls:
        await client.starttls()
    if errand.login:
        await client.login("app", "s3cret")
    refused, _ = await client.sendmail(SENDER, RECIPIENTS, MESSAGE)
    await client.quit()
    return delivered(dict(refused))


CLIENTS: dict[str, Callable[[SMTPServer, Errand], Outcome]] = {
    "smtplib": by_smtplib,
    "aiosmtplib": by_aiosmtplib,
}
