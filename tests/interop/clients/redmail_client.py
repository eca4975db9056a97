"""Red Mail."""

import smtplib

import _job
from redmail import EmailSender


def send(job: _job.Job) -> None:
    _job.verify_by_default()
    sender = EmailSender(
        host=_job.HOST,
        port=_job.PORT,
        username=job["user"],
        password=job["password"],
        cls_smtp=smtplib.SMTP_SSL if job["tls"] == "implicit" else smtplib.SMTP,
        use_starttls=job["tls"] == "starttls",
        timeout=10,
    )
    sender.send(subject=job["subject"], sender=job["mail_from"], receivers=[job["rcpt_to"]], text=job["text"])


_job.main(send)
