"""aiosmtplib, with its own defaults: it upgrades when STARTTLS is offered, and verifies."""

import asyncio

import _job
import aiosmtplib


async def deliver(job: _job.Job) -> None:
    client = aiosmtplib.SMTP(hostname=_job.HOST, port=_job.PORT, use_tls=job["tls"] == "implicit", timeout=10)
    async with client:
        await client.ehlo()
        logins = {
            "PLAIN": client.auth_plain,
            "LOGIN": client.auth_login,
            "CRAM-MD5": client.auth_crammd5,
            "XOAUTH2": client.auth_xoauth2,
        }
        await logins[job["method"]](job["user"], job["password"])
        await client.sendmail(job["mail_from"], [job["rcpt_to"]], job["message"].encode())


def send(job: _job.Job) -> None:
    asyncio.run(deliver(job))


_job.main(send, smtp=aiosmtplib.SMTP)
