"""Django from 6.1 on: the MAILERS setting."""

import _job
from django.conf import settings
from django.core.mail import EmailMessage


def send(job: _job.Job) -> None:
    settings.configure(
        MAILERS={
            "default": {
                "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
                "OPTIONS": {
                    "host": _job.HOST,
                    "port": _job.PORT,
                    "username": job["user"],
                    "password": job["password"],
                    "use_tls": job["tls"] == "starttls",
                    "use_ssl": job["tls"] == "implicit",
                    "timeout": 10,
                },
            },
        },
    )
    EmailMessage(job["subject"], job["text"], job["mail_from"], [job["rcpt_to"]]).send()


_job.main(send)
