"""Hand one message to the submission server, and report the outcome for each recipient."""

from __future__ import annotations

import binascii
import smtplib
import ssl
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from email.message import EmailMessage


class Verdict(Enum):
    DELIVERED = "delivered"
    RETRY = "retry"
    BOUNCE = "bounce"


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: Verdict
    reason: str = ""


class MailSettingsError(Exception):
    """The server cannot be used as configured: wrong password, wrong certificate. Repeating does not help."""


class Client(smtplib.SMTP):
    def __exit__(self, *error: object) -> None:
        with suppress(smtplib.SMTPException):  # by now the mail has been accepted or refused
            self.docmd("QUIT")
        self.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    host: str
    port: int = 587
    sender: str = "app@example.com"
    user: str | None = None
    password: str = ""
    timeout: float = 30.0


def send(settings: MailSettings, message: EmailMessage, recipients: Sequence[str]) -> dict[str, Outcome]:
    """One outcome for each recipient; never raises for what the next attempt may heal."""
    try:
        with Client(settings.host, settings.port, timeout=settings.timeout) as client:
            _secure_and_log_in(client, settings)
            answers = client.send_message(message, settings.sender, list(recipients))
    except smtplib.SMTPRecipientsRefused as error:
        # Nobody has it. A 421 in the middle ends the list early: those who are not on it were not refused either.
        nobody_asked = Outcome(Verdict.RETRY, "the server went away before the message was sent")
        return dict.fromkeys(recipients, nobody_asked) | {who: _judge(*why) for who, why in error.recipients.items()}
    except smtplib.SMTPResponseException as error:
        if error.smtp_code == 530:  # RFC 4954: authentication required
            raise MailSettingsError(f"{settings.host} wants a login: {error.smtp_code}") from error
        return dict.fromkeys(recipients, _judge(error.smtp_code, error.smtp_error))
    except smtplib.SMTPNotSupportedError as error:
        # The server has no SMTPUTF8, and an address needs it.
        return dict.fromkeys(recipients, Outcome(Verdict.BOUNCE, str(error)))
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        # Also after the final dot: the server may have the message, but only it knows. Better twice than never.
        return dict.fromkeys(recipients, Outcome(Verdict.RETRY, f"connection lost: {error}"))
    refused = {who: why for who, why in answers.items() if not 200 <= why[0] <= 299}  # smtplib takes 252 for a refusal
    return {one: _judge(*refused[one]) if one in refused else Outcome(Verdict.DELIVERED) for one in recipients}


def _secure_and_log_in(client: smtplib.SMTP, settings: MailSettings) -> None:
    _greet(client)
    with _no_is_an_alarm(f"{settings.host} refused STARTTLS"):
        _start_tls(client, settings)
    _greet(client)
    if settings.user is not None:
        with _no_is_an_alarm(f"{settings.host} refused the login of {settings.user}"):
            client.login(settings.user, settings.password)


def _greet(client: smtplib.SMTP) -> None:
    """Say EHLO, and HELO to a server that does not know it. A server that says "later" offers nothing now."""
    code, text = client.ehlo()
    if 500 <= code <= 599:
        code, text = client.helo()
    if not 200 <= code <= 299:
        raise smtplib.SMTPHeloError(code, text)


def _start_tls(client: smtplib.SMTP, settings: MailSettings) -> None:
    try:
        client.starttls(context=ssl.create_default_context())
    except ssl.SSLCertVerificationError as error:
        raise MailSettingsError(f"{settings.host} is not who it claims to be: {error.verify_message}") from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        raise  # the connection was lost, which is an OSError like any other; before Python 3.11.3 it is the latter
    except ssl.SSLError as error:
        raise MailSettingsError(f"{settings.host} and we cannot agree on TLS: {error.reason}") from error


@contextmanager
def _no_is_an_alarm(what: str) -> Generator[None]:
    """What is refused for good here, or not offered, or answered by nonsense, is not about the mail."""
    try:
        yield
    except smtplib.SMTPServerDisconnected:
        raise
    except (smtplib.SMTPException, binascii.Error) as error:
        code = getattr(error, "smtp_code", None)
        if code is not None and not 500 <= code <= 599:
            raise
        raise MailSettingsError(f"{what}: {code or error}") from error


def _judge(code: int, text: bytes | str) -> Outcome:
    """RFC 5321 section 4.2.1: the first digit decides, 5 is final and anything else may be repeated."""
    if isinstance(text, str):
        return Outcome(Verdict.RETRY, text)  # smtplib itself, which calls a line that is too long a 500
    return Outcome(Verdict.BOUNCE if 500 <= code <= 599 else Verdict.RETRY, f"{code} {text.decode(errors='replace')}")
