"""A mail client for the tests inside the tests: copied beside each of them, for `from mail import send`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import smtplib
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_smtpd import SMTPServer

# Long enough that a busy machine never meets it, short enough that a bug ends the test.
PATIENCE = 10


def connect(server: SMTPServer, *, greet: bool = True) -> smtplib.SMTP:
    """Return a client that has read the greeting."""
    if server.url.startswith("smtps:"):
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=PATIENCE, context=server.client_context
        )
    else:
        client = smtplib.SMTP(server.host, server.port, timeout=PATIENCE)
    if greet:
        client.ehlo("client.example")
    return client


def letter(to: str, subject: str, text: str) -> bytes:
    return f"From: app@example.com\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()


def send(
    server: SMTPServer,
    to: str = "bob@example.com",
    *,
    mail_from: str = "app@example.com",
    subject: str = "Hello",
    text: str = "Hi",
) -> None:
    with connect(server) as client:
        client.sendmail(mail_from, [to], letter(to, subject, text))


def attempt(server: SMTPServer, to: str = "bob@example.com") -> BaseException | None:
    """Send like an application that swallows every error, and return the error."""
    try:
        send(server, to)
    except (OSError, smtplib.SMTPException) as error:
        return error
    return None


def greeting(server: SMTPServer) -> tuple[str, str]:
    """Return the name in the greeting, and what it says after `ESMTP`."""
    with smtplib.SMTP(timeout=PATIENCE) as client:
        _, text = client.connect(server.host, server.port)
    name, _, rest = text.decode().partition(" ESMTP")
    return name, rest.strip()


def banner(server: SMTPServer) -> str:
    return greeting(server)[1]


def features(server: SMTPServer) -> dict[str, str]:
    """Return what EHLO offers, with keys in lower case."""
    with connect(server) as client:
        return client.esmtp_features


def order(server: SMTPServer) -> list[str]:
    """Send RCPT until one is accepted; return the last word of each refusal: whose rule was asked first, second ..."""
    words = []
    with connect(server) as client:
        client.mail("app@example.com")
        while (reply := client.rcpt("bob@example.com"))[0] != 250:
            words.append(reply[1].decode().split()[-1])
    return words


def upgraded(server: SMTPServer, context: ssl.SSLContext) -> smtplib.SMTP:
    """Return a client behind a verified STARTTLS."""
    client = connect(server)
    try:
        client.starttls(context=context)
    except BaseException:
        client.close()
        raise
    client.ehlo("client.example")
    return client


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def scram(client: smtplib.SMTP, user: str, password: str) -> tuple[str, int]:
    """Log in with SCRAM-SHA-256 (RFC 5802) and return the client's proof and the code of the last reply."""
    first = f"n={user},r=client-nonce"
    code, challenge = client.docmd("AUTH", f"SCRAM-SHA-256 {b64('n,,' + first)}")
    if code != 334:
        return "", code
    server_first = base64.b64decode(challenge).decode()
    nonce, salt, rounds = (field[2:] for field in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    final = f"c={b64('n,,')},r={nonce}"
    signature = hmac.digest(hashlib.sha256(client_key).digest(), f"{first},{server_first},{final}".encode(), "sha256")
    proof = b64(bytes(a ^ b for a, b in zip(client_key, signature, strict=True)))
    code, _ = client.docmd(b64(f"{final},p={proof}"))
    return proof, client.docmd("")[0] if code == 334 else code
