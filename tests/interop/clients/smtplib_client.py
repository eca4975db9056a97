"""The standard library's smtplib."""

import smtplib
import ssl

import _job


def send(job: _job.Job) -> None:
    context = ssl.create_default_context()
    if job["tls"] == "implicit":
        client: smtplib.SMTP = smtplib.SMTP_SSL(_job.HOST, _job.PORT, timeout=10, context=context)
    else:
        client = smtplib.SMTP(_job.HOST, _job.PORT, timeout=10)
    with client:
        if job["tls"] == "starttls":
            client.starttls(context=context)
        client.ehlo()
        client.user, client.password = job["user"], job["password"]
        client.auth(job["method"], getattr(client, "auth_" + job["method"].lower().replace("-", "_")))
        client.sendmail(job["mail_from"], [job["rcpt_to"]], job["message"].encode())


_job.main(send)
