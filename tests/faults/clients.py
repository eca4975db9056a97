"""Two clients that nobody here wrote, on one errand: log in if asked, send one message to three, say goodbye."""

from __future__ import annotations

import asyncio
import gc
import smtplib
import warnings
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
    size: int = 0

    @property
    def message(self) -> bytes:
        """The message, followed by as many bytes as asked for."""
        return MESSAGE + self.size // 64 * (b"x" * 62 + b"\r\n")


@dataclass(frozen=True)
class Outcome:
    """What the application learns."""

    text: str
    left_open: bool = False

    def __str__(self) -> str:
        return f"{self.text}, open" if self.left_open else self.text


def described(error: BaseException) -> str:
    """An exception, by its class and its codes."""
    codes = ", ".join(str(code) for code in _codes(error))
    return f"{type(error).__name__}({codes})" if codes else type(error).__name__


def _codes(error: BaseException) -> list[int]:
    refused = getattr(error, "recipients", ())
    if isinstance(refused, dict):  # smtplib
        return [code for code, _ in refused.values()]
    own = getattr(error, "smtp_code", getattr(error, "code", None))
    return [one.code for one in refused] or ([own] if isinstance(own, int) else [])


def delivered(refused: dict[str, Any]) -> str:
    """A delivery, and for whom it was none."""
    codes = ", ".join(f"{address.partition('@')[0]} {reply[0]}" for address, reply in refused.items())
    return f"delivered, but {codes}" if codes else "delivered"


def by_smtplib(server: SMTPServer, errand: Errand) -> Outcome:
    clients: list[smtplib.SMTP] = []
    try:
        text = _with_smtplib(clients, server, errand)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        text = described(error)
    left_open = any(client.sock is not None for client in clients)
    for client in clients:
        client.close()
    return Outcome(text, left_open)


def _with_smtplib(clients: list[smtplib.SMTP], server: SMTPServer, errand: Errand) -> str:
    client = smtplib.SMTP(server.host, server.port, "client.example.org", timeout=errand.timeout)
    clients.append(client)
    if errand.starttls:
        client.starttls(context=server.client_context if errand.verify else None)
    if errand.login:
        client.login("app", "s3cret")
    refused = client.sendmail(SENDER, RECIPIENTS, errand.message)
    client.quit()
    return delivered(refused)


def by_aiosmtplib(server: SMTPServer, errand: Errand) -> Outcome:
    transports: list[asyncio.BaseTransport | None] = []
    outcome = asyncio.run(_by_aiosmtplib(server, errand, transports))
    _collect_what_was_abandoned(server)
    return outcome


def _collect_what_was_abandoned(server: SMTPServer) -> None:
    """aiosmtplib now and then leaves a connection that fails to the collector; the server's own end never may be."""
    with warnings.catch_warnings(record=True, action="always", category=ResourceWarning) as found:
        gc.collect()
    ours = f"laddr=({server.host!r}, {server.port})"
    assert [str(warning.message) for warning in found if ours in str(warning.message)] == []


async def _by_aiosmtplib(server: SMTPServer, errand: Errand, transports: list[asyncio.BaseTransport | None]) -> Outcome:
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
        await client.connect()
        transports.append(client.transport)
        text = await _with_aiosmtplib(client, errand)
    except (OSError, aiosmtplib.SMTPException, ValueError) as error:
        text = described(error)
    left_open = client.is_connected
    client.close()
    await _forget(transports)
    return Outcome(text, left_open)


async def _forget(transports: list[asyncio.BaseTransport | None]) -> None:
    """Closes what would wait for a server that does not read; a transport is closed a few turns of the loop later."""
    await _turns_of_the_loop()
    for transport in transports:
        if isinstance(transport, asyncio.WriteTransport) and _is_open(transport):
            transport.abort()
    await _turns_of_the_loop()


async def _turns_of_the_loop() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def _is_open(transport: asyncio.WriteTransport) -> bool:
    sock = transport.get_extra_info("socket")
    return bool(sock is not None and sock.fileno() != -1)


async def _with_aiosmtplib(client: aiosmtplib.SMTP, errand: Errand) -> str:
    if errand.starttls:
        await client.starttls()
    if errand.login:
        await client.login("app", "s3cret")
    refused, _ = await client.sendmail(SENDER, RECIPIENTS, errand.message)
    await client.quit()
    return delivered(dict(refused))


CLIENTS: dict[str, Callable[[SMTPServer, Errand], Outcome]] = {
    "smtplib": by_smtplib,
    "aiosmtplib": by_aiosmtplib,
}
