"""fastapi-mail."""

import asyncio

import _job
import aiosmtplib
from fastapi_mail import ConnectionConfig, FastMail, MessageSchema, MessageType


def send(job: _job.Job) -> None:
    config = ConnectionConfig(
        MAIL_SERVER=_job.HOST,
        MAIL_PORT=_job.PORT,
        MAIL_USERNAME=job["user"],
        MAIL_PASSWORD=job["password"],
        MAIL_FROM=job["mail_from"],
        MAIL_STARTTLS=job["tls"] == "starttls",
        MAIL_SSL_TLS=job["tls"] == "implicit",
        VALIDATE_CERTS=True,
        TIMEOUT=10,
    )
    message = MessageSchema(
        subject=job["subject"], recipients=[job["rcpt_to"]], body=job["text"], subtype=MessageType.plain
    )
    asyncio.run(FastMail(config).send_message(message))


_job.main(send, smtp=aiosmtplib.SMTP)
