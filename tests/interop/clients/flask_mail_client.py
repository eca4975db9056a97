"""Flask-Mail."""

import _job
from flask import Flask
from flask_mail import Mail, Message


def send(job: _job.Job) -> None:
    _job.verify_by_default()
    app = Flask(__name__)
    app.config.update(
        MAIL_SERVER=_job.HOST,
        MAIL_PORT=_job.PORT,
        MAIL_USERNAME=job["user"],
        MAIL_PASSWORD=job["password"],
        MAIL_USE_TLS=job["tls"] == "starttls",
        MAIL_USE_SSL=job["tls"] == "implicit",
    )
    mail = Mail(app)
    with app.app_context():
        mail.send(Message(job["subject"], [job["rcpt_to"]], body=job["text"], sender=job["mail_from"]))


_job.main(send)
