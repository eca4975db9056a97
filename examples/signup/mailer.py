"""Hand one message to the submission server, and say for each recipient what became of it."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
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
        with smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout) as client:
            _secure_and_log_in(client, settings)
            refused = client.send_message(message, settings.sender, list(recipients))
    except smtplib.SMTPRecipientsRefused as error:
        # Nobody has it. A 421 in the middle ends the list early: those who are not on it were not refused either.
        nobody_asked = Outcome(Verdict.RETRY, "the server went away before the message was sent")
        return dict.fromkeys(recipients, nobody_asked) | {who: _judge(*why) for who, why in error.recipients.items()}
    except smtplib.SMTPResponseException as error:
        return dict.fromkeys(recipients, _judge(error.smtp_code, error.smtp_error))
    except ssl.SSLCertVerificationError as error:
        raise MailSettingsError(f"{settings.host} is not who it claims to be: {error.verify_message}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise MailSettingsError(f"{settings.host} cannot do what we need: {error}") from error
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        # Also after the final dot: the server may have the message, but only it knows. Better twice than never.
        return dict.fromkeys(recipients, Outcome(Verdict.RETRY, f"connection lost: {error}"))
    return {one: _judge(*refused[one]) if one in refused else Outcome(Verdict.DELIVERED) for one in recipients}


def _secure_and_log_in(client: smtplib.SMTP, settings: MailSettings) -> None:
    client.starttls(context=ssl.create_default_context())
    if settings.user is None:
        return
    try:
        client.login(settings.user, settings.password)
    except smtplib.SMTPAuthenticationError as error:
        if 400 <= error.smtp_code <= 499:
            raise
        raise MailSettingsError(f"{settings.host} refused the login of {settings.user}: {error.smtp_code}") from error


def _judge(code: int, text: bytes | str) -> Outcome:
    """RFC 5321 section 4.2.1: the first digit decides, 5 is final and anything else may be repeated."""
    reason = f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    return Outcome(Verdict.BOUNCE if 500 <= code <= 599 else Verdict.RETRY, reason)
