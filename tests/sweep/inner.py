"""Senders for the test modules inside the tests, with nothing but smtplib."""

from __future__ import annotations

import contextlib
import smtplib
from typing import Any

from pytest_smtpd import SMTPServer

TIMEOUT = 1.5  # a busy machine may need much of it


def letter(subject: str) -> str:
    return f"From: app@example.com\r\nSubject: {subject}\r\n\r\nHello.\r\n"


def send(server: SMTPServer, *to: str, subject: str = "Hello") -> dict[str, tuple[int, bytes]]:
    """Send one mail. Returns who was refused; raises if that is everybody."""
    client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    try:
        refused = client.sendmail("app@example.com", to or ["ada@example.com"], letter(subject))
        with contextlib.suppress(OSError, smtplib.SMTPException):  # the mail is on its way
            client.quit()
    finally:
        client.close()
    return refused


def careless(server: SMTPServer) -> None:
    """Lose mail: nobody hears of the refusals that sendmail() returns."""
    send(server, "ada@example.com", "bob@example.com")


def two_mails(server: SMTPServer) -> dict[str, object]:
    """Send two mails to two people. Returns who has not got one, and why."""
    failed: dict[str, object] = {}
    for to, subject in ((["ada@example.com", "bob@example.com"], "Welcome"), (["cyd@example.com"], "Invoice")):
        try:
            failed |= send(server, *to, subject=subject)
        except (OSError, smtplib.SMTPException) as error:
            failed |= dict.fromkeys(to, error)
    return failed


def ids(**options: Any) -> list[str | None]:
    """Return the ids of the points that a sweep of these two mails runs; None is the run without a fault."""
    found = []
    with SMTPServer() as server:
        for fault in server.sweep(**options):
            found.append(fault.point)
            with fault:
                fault.failed(two_mails(server))
    return found
