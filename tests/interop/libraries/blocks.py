"""How an application uses each library: two mails, the second of them to two people.

A block is written as the documentation of its library has it, with a time-out if the library has one. What the library
raises or returns for a mail is what the block reports for the recipients of that mail; then it sends the next one.
It is run by the Python of the interoperability suite.
"""

from __future__ import annotations

import binascii
import json
import logging.handlers
import os
import smtplib
import ssl
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from pathlib import Path
from types import SimpleNamespace
from typing import Final

from pytest_smtpd import Fault, SMTPServer

USER: Final = "app@example.com"
PASSWORD: Final = "s3cret"
ADA: Final = "ada@example.com"
BOB: Final = "bob@example.com"
EVE: Final = "eve@example.com"
MAILS: Final = (("Welcome", [ADA]), ("News", [BOB, EVE]))
PATIENCE: Final = 1.0  # seconds
NODEMAILER: Final = "require('nodemailer/package.json').version"
HERE: Final = Path(__file__).parent

Block = Callable[[SMTPServer, Fault], Awaitable[None] | None]


@dataclass(frozen=True)
class Library:
    """A library: the distribution or program that has a version, and the block."""

    name: str
    version: str
    block: Block
    timeout: float | None = PATIENCE
    note: str = ""


def composed(subject: str, recipients: list[str]) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = USER, ", ".join(recipients), subject
    message["Date"], message["Message-ID"] = localtime(), make_msgid(domain="app.example.com")
    message.set_content("Hello.\n")
    return message


#: What no library means to raise: it leaves the block, and is found as an error of its own.
INTERNAL: Final = (AttributeError, TypeError, UnicodeError, LookupError, binascii.Error, AssertionError)


@contextmanager
def reported(fault: Fault, recipients: list[str]) -> Iterator[None]:
    """What is raised for a mail is reported for its recipients."""
    try:
        yield
    except INTERNAL:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the library raises
        fault.failed(dict.fromkeys(recipients, error))


def with_smtplib(server: SMTPServer, fault: Fault) -> None:
    with smtplib.SMTP(server.host, server.port, timeout=PATIENCE) as client:
        client.starttls(context=ssl.create_default_context())
        client.login(USER, PASSWORD)
        for subject, recipients in MAILS:
            with reported(fault, recipients):
                fault.failed(client.send_message(composed(subject, recipients)))


async def with_aiosmtplib(server: SMTPServer, fault: Fault) -> None:
    import aiosmtplib

    access = {"hostname": server.host, "port": server.port, "username": USER, "password": PASSWORD}
    async with aiosmtplib.SMTP(**access, start_tls=True, timeout=PATIENCE) as client:
        for subject, recipients in MAILS:
            with reported(fault, recipients):
                errors, _ = await client.send_message(composed(subject, recipients))
                fault.failed(errors)


def with_django(server: SMTPServer, fault: Fault) -> None:
    from django.conf import settings
    from django.core.mail import get_connection, send_mail

    if not settings.configured:
        settings.configure(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend")
    for subject, recipients in MAILS:
        connection = get_connection(
            host=server.host, port=server.port, username=USER, password=PASSWORD, use_tls=True, timeout=PATIENCE
        )
        with reported(fault, recipients):
            send_mail(subject, "Hello.", USER, recipients, connection=connection)


def with_flask_mail(server: SMTPServer, fault: Fault) -> None:
    from flask import Flask
    from flask_mail import Mail, Message

    app = Flask(__name__)
    app.config.update(
        MAIL_SERVER=server.host, MAIL_PORT=server.port, MAIL_USERNAME=USER, MAIL_PASSWORD=PASSWORD, MAIL_USE_TLS=True
    )
    mail = Mail(app)
    with app.app_context():
        for subject, recipients in MAILS:
            with reported(fault, recipients):
                mail.send(Message(subject, recipients, body="Hello.", sender=USER))


async def with_fastapi_mail(server: SMTPServer, fault: Fault) -> None:
    from fastapi_mail import ConnectionConfig, FastMail, MessageSchema, MessageType

    config = ConnectionConfig(
        MAIL_SERVER=server.host,
        MAIL_PORT=server.port,
        MAIL_USERNAME=USER,
        MAIL_PASSWORD=PASSWORD,
        MAIL_FROM=USER,
        MAIL_STARTTLS=True,
        MAIL_SSL_TLS=False,
        TIMEOUT=int(PATIENCE),
    )
    for subject, recipients in MAILS:
        with reported(fault, recipients):
            await FastMail(config).send_message(
                MessageSchema(subject=subject, recipients=recipients, body="Hello.", subtype=MessageType.plain)
            )


def with_redmail(server: SMTPServer, fault: Fault) -> None:
    from redmail import EmailSender

    sender = EmailSender(host=server.host, port=server.port, username=USER, password=PASSWORD, timeout=PATIENCE)
    for subject, recipients in MAILS:
        with reported(fault, recipients):
            sender.send(subject=subject, sender=USER, receivers=recipients, text="Hello.")


def with_emails(server: SMTPServer, fault: Fault) -> None:
    import emails

    access = {"host": server.host, "port": server.port, "user": USER, "password": PASSWORD, "tls": True}
    for subject, recipients in MAILS:
        with reported(fault, recipients):
            response = emails.Message(subject=subject, mail_from=USER, text="Hello.").send(
                to=recipients, smtp={**access, "timeout": PATIENCE}
            )
            if response.error is not None:
                raise response.error
            if response.status_code != 250:
                fault.failed(dict.fromkeys(recipients, (response.status_code, response.status_text)))
            fault.failed(response.refused_recipients)


def with_yagmail(server: SMTPServer, fault: Fault) -> None:
    import yagmail.sender

    yagmail.sender.time = SimpleNamespace(sleep=lambda seconds: None)  # 3, 6 and 9 seconds between its attempts
    access = {"host": server.host, "port": server.port, "smtp_ssl": False, "smtp_starttls": True, "timeout": PATIENCE}
    with yagmail.SMTP(USER, PASSWORD, **access) as client:
        for subject, recipients in MAILS:
            with reported(fault, recipients):
                refused = client.send(recipients, subject, "Hello.")
                fault.failed(recipients if refused is False else refused)


def with_smtp_handler(server: SMTPServer, fault: Fault) -> None:
    for subject, recipients in MAILS:
        handler = logging.handlers.SMTPHandler(
            (server.host, server.port), USER, recipients, subject, (USER, PASSWORD), (), PATIENCE
        )
        record = logging.makeLogRecord({"msg": "Hello.", "levelno": logging.ERROR, "levelname": "ERROR"})
        raised, logging.raiseExceptions = logging.raiseExceptions, False  # as the documentation has it for production
        try:
            handler.handle(record)
        finally:
            logging.raiseExceptions = raised
            handler.close()


def with_nodemailer(server: SMTPServer, fault: Fault) -> None:
    job = {"user": USER, "password": PASSWORD, "mails": MAILS, "timeout": PATIENCE}
    done = run(["node", str(HERE / "nodemailer.cjs")], server, json.dumps(job))
    said = json.loads(done.stdout)
    for address, reason in said:
        fault.failed({address: Failed(reason)})


def with_curl(server: SMTPServer, fault: Fault) -> None:
    for subject, recipients in MAILS:
        with tempfile.NamedTemporaryFile(suffix=".eml") as file:
            file.write(composed(subject, recipients).as_bytes().replace(b"\n", b"\r\n"))
            file.flush()
            to = [word for one in recipients for word in ("--mail-rcpt", one)]
            command = ["curl", "--silent", "--show-error", "--ssl-reqd", "--max-time", str(PATIENCE)]
            command += ["--user", f"{USER}:{PASSWORD}", "--mail-from", USER, *to, "--upload-file", file.name]
            check(run([*command, f"smtp://{server.host}:{server.port}/app.example.com"], server), fault, recipients)


def with_msmtp(server: SMTPServer, fault: Fault) -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "msmtprc")
        config.touch(0o600)
        config.write_text(
            f"defaults\ntls on\ntls_trust_file {server.ca_file}\nauth on\ntimeout {PATIENCE:.0f}\naccount default\n"
            f"host {server.host}\nport {server.port}\nfrom {USER}\nuser {USER}\npassword {PASSWORD}\n",
            encoding="utf-8",
        )
        for subject, recipients in MAILS:
            text = composed(subject, recipients).as_string()
            check(run(["msmtp", "--file", str(config), *recipients], server, text), fault, recipients)


class Failed(Exception):
    """A program has said so."""


def run(command: list[str], server: SMTPServer, given: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "NODE_PATH": os.environ.get("NODE_PATH", ""), **server.env}
    return subprocess.run(
        command,
        input=given,
        env=environment,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
    )


def check(done: subprocess.CompletedProcess[str], fault: Fault, recipients: list[str]) -> None:
    """A program that exits with another code than 0 has delivered to nobody."""
    if done.returncode:
        reason = done.stderr.strip() or f"exit code {done.returncode}"
        fault.failed(dict.fromkeys(recipients, Failed(reason)))


def of(distribution: str) -> str:
    from importlib.metadata import version

    return version(distribution)


def word(number: int, *command: str) -> str:
    """A word of the first line that a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split()[number]


def python() -> str:
    import platform

    return f"Python {platform.python_version()}"


LIBRARIES: Final[dict[str, Callable[[], Library]]] = {
    "smtplib": lambda: Library("smtplib", python(), with_smtplib),
    "aiosmtplib": lambda: Library("aiosmtplib", of("aiosmtplib"), with_aiosmtplib),
    "Django": lambda: Library("Django", of("Django"), with_django),
    "Flask-Mail": lambda: Library(
        "Flask-Mail",
        of("Flask-Mail"),
        with_flask_mail,
        None,
        "It has no setting for a timeout: the points at which the server falls silent were left out.",
    ),
    "fastapi-mail": lambda: Library("fastapi-mail", of("fastapi-mail"), with_fastapi_mail),
    "redmail": lambda: Library("redmail", of("redmail"), with_redmail),
    "emails": lambda: Library("emails", of("emails"), with_emails),
    "yagmail": lambda: Library(
        "yagmail", of("yagmail"), with_yagmail, note="Its pauses between attempts were left out."
    ),
    "SMTPHandler": lambda: Library("logging.handlers.SMTPHandler", python(), with_smtp_handler),
    "nodemailer": lambda: Library("nodemailer", word(0, "node", "-p", NODEMAILER), with_nodemailer),
    "curl": lambda: Library("curl", word(1, "curl", "--version"), with_curl),
    "msmtp": lambda: Library("msmtp", word(2, "msmtp", "--version"), with_msmtp),
}
