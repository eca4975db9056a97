"""yagmail: the user is the sender."""

import ssl

import _job
import yagmail


def send(job: _job.Job) -> None:
    context = ssl.create_default_context()
    implicit = job["tls"] == "implicit"
    with yagmail.SMTP(
        job["user"],
        job["password"],
        host=_job.HOST,
        port=_job.PORT,
        smtp_ssl=implicit,
        smtp_starttls=False if implicit else {"context": context},
        **({"context": context} if implicit else {}),
    ) as client:
        client.send(job["rcpt_to"], job["subject"], [yagmail.raw(line) for line in job["text"].splitlines()])


_job.main(send)
