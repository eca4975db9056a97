"""python-emails."""

import _job
import emails


def send(job: _job.Job) -> None:
    _job.verify_by_default()
    message = emails.Message(subject=job["subject"], mail_from=job["mail_from"], text=job["text"])
    response = message.send(
        to=job["rcpt_to"],
        smtp={
            "host": _job.HOST,
            "port": _job.PORT,
            "user": job["user"],
            "password": job["password"],
            "tls": job["tls"] == "starttls",
            "ssl": job["tls"] == "implicit",
            "timeout": 10,
        },
    )
    # This library keeps the exception in its response.
    if response.error is not None:
        raise response.error


_job.main(send)
