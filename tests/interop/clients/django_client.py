"""Django as most projects have it: the EMAIL_* settings."""

import _job
from django.conf import settings
from django.core.mail import EmailMessage


def send(job: _job.Job) -> None:
    settings.configure(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST=_job.HOST,
        EMAIL_PORT=_job.PORT,
        EMAIL_HOST_USER=job["user"],
        EMAIL_HOST_PASSWORD=job["password"],
        EMAIL_USE_TLS=job["tls"] == "starttls",
        EMAIL_USE_SSL=job["tls"] == "implicit",
        EMAIL_TIMEOUT=10,
    )
    EmailMessage(job["subject"], job["text"], job["mail_from"], [job["rcpt_to"]]).send()


_job.main(send)
