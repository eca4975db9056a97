"""The clients nobody here wrote: how each is told to deliver one message, and how each words a refusal."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.header import Header
from pathlib import Path
from urllib.parse import quote

from tests.interop import presence
from tests.interop.presence import NODE_MODULES, VENV, VENV_MAILERS, Need, features

HERE = Path(__file__).parent
CLIENTS = HERE / "clients"

USER = "app@example.com"  # yagmail sends in the name of the user who logged in
PASSWORD = "s3cret #1=%&"
TOKENS = ("XOAUTH2", "OAUTHBEARER")  # the methods whose secret is a token
ADA = "ada@example.com"
SUBJECT = "Grüße aus Wien"
TEXT = "Hello Ada,\r\n\r\n.hidden by a dot\r\n..by two\r\n.\r\nZwölf Boxkämpfer jagen Viktor 🥊\r\n"
HEADERS = "".join(
    f"{name}: {value}\r\n"
    for name, value in {
        "From": USER,
        "To": ADA,
        "Subject": Header(SUBJECT, "utf-8").encode(),
        "Date": "Thu, 01 Jan 1970 00:00:00 +0000",
        "Message-ID": "<1@app.example.com>",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
    }.items()
)
MESSAGE = HEADERS + "\r\n" + TEXT


@dataclass(frozen=True, kw_only=True)
class Job:
    """One message to deliver to the server that `env` describes."""

    env: Mapping[str, str]
    folder: Path
    tls: str = "starttls"
    method: str = "PLAIN"
    text: str = TEXT
    user: str = USER
    password: str = PASSWORD
    mail_from: str = USER
    rcpt_to: str = ADA

    @property
    def message(self) -> str:
        return HEADERS + "\r\n" + self.text

    @property
    def host(self) -> str:
        return self.env["SMTP_HOST"]

    @property
    def port(self) -> str:
        return self.env["SMTP_PORT"]

    @property
    def ca_file(self) -> str:
        return self.env["SSL_CERT_FILE"]

    def file(self, name: str, text: str) -> str:
        """Write a file for the client, readable for its owner only: some clients insist."""
        path = self.folder / name
        path.write_bytes(text.encode())
        path.chmod(0o600)
        return str(path)

    def json(self, **more: object) -> str:
        """Say the job for the scripts in clients/."""
        keys = ("tls", "method", "user", "password", "mail_from", "rcpt_to", "text", "message")
        return json.dumps({key: getattr(self, key) for key in keys} | {"subject": SUBJECT} | more)


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command line, with what it reads."""

    argv: Sequence[str | Path]
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a client said."""

    code: int
    output: str

    @property
    def said(self) -> dict[str, object]:
        """The JSON of a script."""
        said = json.loads(self.output.splitlines()[-1])
        assert isinstance(said, dict)
        return said

    @property
    def sent(self) -> bytes:
        """The message as the script's library handed it over to be sent."""
        return base64.b64decode(str(self.said["sent"]))


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A client: how to call it, and how it words what it met."""

    name: str
    needs: Sequence[Need]  # all of them: where one is missing, the tests of this client are skipped
    command: Callable[[Job], Command]
    refused: str  # a pattern of its output when the recipient is refused
    distrusts: str  # ... when the certificate is not trusted
    content: Callable[[Job, Report], bytes]  # exactly what has to arrive
    composes: bool = False  # it writes the header itself, and `content` is the body
    text: str = TEXT
    verifies: Sequence[str] = ("starttls", "implicit")  # the ways of TLS in which it can verify
    methods: Sequence[str] = ("PLAIN",)
    denied: str = "535"  # a pattern of its output when the login fails


def run(command: Command, env: Mapping[str, str], folder: Path, *, timeout: float = 30) -> Report:
    """Run a client in an empty home, with the server's environment and hardly any other."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [str(word) for word in command.argv],
        input=command.stdin.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment | dict(env) | dict(command.env),
        cwd=folder,
        timeout=timeout,
        check=False,
    )
    return Report(code=done.returncode, output=done.stdout.decode(errors="replace"))


def as_said(job: Job, report: Report) -> bytes:
    return report.sent


def as_said_in_lines(job: Job, report: Report) -> bytes:
    """Libraries that mend the line ends, and see to a last one, on the message's way out."""
    return b"".join(line + b"\r\n" for line in report.sent.splitlines())


def as_said_and_a_line(job: Job, report: Report) -> bytes:
    """Some libraries end the last line, although it has an end."""
    return report.sent + b"\r\n"


def as_given(job: Job, report: Report) -> bytes:
    return job.message.encode()


def as_given_and_a_line(job: Job, report: Report) -> bytes:
    """Swaks ends the data, although it has an end."""
    return job.message.encode() + b"\r\n"


def body_as_given(job: Job, report: Report) -> bytes:
    return job.text.encode()


# ---------------------------------------------------------------- libraries, each driven by a script

NET_SMTP = presence.perl("JSON::PP", "MIME::Base64", "Net::SMTP")


def script(*interpreter: str | Path, path: str) -> Callable[[Job], Command]:
    def command(job: Job) -> Command:
        return Command(
            argv=[*interpreter, CLIENTS / path],
            stdin=job.json(),
            env={"NODE_PATH": str(NODE_MODULES), "PYTHONDONTWRITEBYTECODE": "1"},
        )

    return command


def python(
    name: str,
    path: str,
    *,
    needs: Sequence[Need] = (),
    refused: str,
    distrusts: str,
    interpreter: Path = VENV,
    methods: Sequence[str] = ("PLAIN",),
) -> Peer:
    """Describe a library for Python, which mostly ends in smtplib."""
    return Peer(
        name=name,
        needs=needs,
        command=script(interpreter, path=path),
        refused=refused,
        distrusts=distrusts,
        content=as_said_in_lines,
        methods=methods,
        denied=r'"error": "(SMTPAuthenticationError|ConnectionErrors)".*535',
    )


REFUSED_BY_SMTPLIB = r'"error": "SMTPRecipientsRefused".*550, b\'5\.1\.1 No such user'
DISTRUSTED_BY_SSL = r'"error": "SSLCertVerificationError".*CERTIFICATE_VERIFY_FAILED'

LIBRARIES = (
    python(
        "smtplib",
        "smtplib_client.py",
        methods=("PLAIN", "LOGIN", "CRAM-MD5"),
        interpreter=Path(sys.executable),
        refused=REFUSED_BY_SMTPLIB,
        distrusts=DISTRUSTED_BY_SSL,
    ),
    python(
        "aiosmtplib",
        "aiosmtplib_client.py",
        needs=presence.python(VENV, "aiosmtplib"),
        methods=("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"),
        refused=r'"error": "SMTPRecipientsRefused".*550.*5\.1\.1 No such user',
        distrusts=r'"error": "(SSLCertVerificationError|SMTPConnectError)".*CERTIFICATE_VERIFY_FAILED',
    ),
    python(
        "django",
        "django_client.py",
        needs=presence.python(VENV, "django"),
        refused=REFUSED_BY_SMTPLIB,
        distrusts=DISTRUSTED_BY_SSL,
    ),
    python(
        "django-mailers",
        "django_mailers_client.py",
        needs=[
            Need(
                str(VENV_MAILERS),
                ("-c", "import django; assert django.VERSION >= (6, 1)"),
                name="Python module django, 6.1 or newer",
            )
        ],
        interpreter=VENV_MAILERS,
        refused=REFUSED_BY_SMTPLIB,
        distrusts=DISTRUSTED_BY_SSL,
    ),
    python(
        "flask-mail",
        "flask_mail_client.py",
        needs=presence.python(VENV, "flask", "flask_mail"),
        refused=REFUSED_BY_SMTPLIB,
        distrusts=DISTRUSTED_BY_SSL,
    ),
    python(
        "fastapi-mail",
        "fastapi_mail_client.py",
        needs=presence.python(VENV, "aiosmtplib", "fastapi_mail"),
        refused=r'"error": "SMTPRecipientsRefused".*550.*5\.1\.1 No such user',
        distrusts=r'"error": "ConnectionErrors".*CERTIFICATE_VERIFY_FAILED',
    ),
    python(
        "redmail",
        "redmail_client.py",
        needs=presence.python(VENV, "redmail"),
        refused=REFUSED_BY_SMTPLIB,
        distrusts=DISTRUSTED_BY_SSL,
    ),
    python(
        "emails",
        "emails_client.py",
        needs=presence.python(VENV, "emails"),
        refused=REFUSED_BY_SMTPLIB,
        distrusts="CERTIFICATE_VERIFY_FAILED",
    ),
    python(
        "yagmail",
        "yagmail_client.py",
        needs=presence.python(VENV, "yagmail"),
        refused=REFUSED_BY_SMTPLIB,
        distrusts=DISTRUSTED_BY_SSL,
    ),
    Peer(
        name="nodemailer",
        needs=presence.node("nodemailer"),
        command=script("node", path="nodemailer.cjs"),
        refused=r'"error":"EENVELOPE","responseCode":550,.*5\.1\.1 No such user',
        distrusts=r'"error":"ESOCKET".*unable to verify the first certificate',
        content=as_said,
        methods=("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"),
        denied=r'"error":"EAUTH","responseCode":535',
    ),
    Peer(
        name="emailjs",
        needs=presence.node("emailjs"),
        command=script("node", path="emailjs.cjs"),
        refused=r"bad response on command 'RCPT'.*No such user",
        distrusts=r"unable to verify the first certificate",
        content=as_said_and_a_line,
        verifies=("implicit",),  # it has no way to verify after STARTTLS
        text=TEXT.replace("\r\n.", "\r\n "),  # it forgets to double dots at line starts
        methods=("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"),
        denied=r"authorization\.failed",
    ),
    Peer(
        name="net-smtp-perl",
        needs=NET_SMTP + presence.perl("Authen::SASL", "Digest::HMAC_MD5", "IO::Socket::SSL"),
        command=script("perl", path="net_smtp.pl"),
        refused=r'"error":"to".*550 5\.1\.1 No such user|550 5\.1\.1 No such user.*"error":"to"',
        distrusts="certificate verify failed",
        content=as_said,
        methods=("PLAIN", "LOGIN", "CRAM-MD5"),
    ),
    Peer(
        name="net-smtp-ruby",
        needs=presence.ruby("json", "net/smtp", "openssl"),
        command=script("ruby", path="net_smtp.rb"),
        refused=r'"error":"Net::SMTPFatalError","text":"550 5\.1\.1 No such user',
        distrusts=r'"error":"OpenSSL::SSL::SSLError".*certificate verify failed',
        content=as_said,
        methods=("PLAIN", "LOGIN", "CRAM-MD5"),
        denied=r'"error":"Net::SMTPAuthenticationError","text":"535',
    ),
    Peer(
        name="phpmailer",
        needs=presence.php("libphp-phpmailer/autoload.php", "ctype", "openssl"),
        command=script("php", path="phpmailer.php"),
        refused=r"SMTP Error: The following recipients failed: ada@example\.com: No such user",
        distrusts="SMTP connect\\(\\) failed|Could not connect to SMTP host",
        content=as_said_and_a_line,
        methods=("PLAIN", "LOGIN", "CRAM-MD5"),
        denied=r"SMTP Error: Could not authenticate",
    ),
    Peer(
        name="symfony-mailer",
        needs=presence.php("Symfony/Component/Mailer/autoload.php", "intl", "mbstring", "openssl"),
        command=script("php", path="symfony_mailer.php"),
        refused=r'TransportException","code":550,.*with message .*550 5\.1\.1 No such user',
        distrusts="certificate verify failed",
        content=as_said_and_a_line,
        methods=("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"),
        denied=r'got code \\"(535|334)',
    ),
)


# ---------------------------------------------------------------- programs


def curl(job: Job) -> Command:
    scheme = {"starttls": "smtp", "implicit": "smtps"}[job.tls]
    return Command(
        argv=[
            *("curl", "--silent", "--show-error", "--max-time", "10", "--ssl-reqd"),
            *("--url", f"{scheme}://{job.host}:{job.port}/curl.example"),
            *("--login-options", f"AUTH={job.method}"),
            *(
                ("--user", f"{job.user}:", "--oauth2-bearer", job.password)
                if job.method in TOKENS
                else ("--user", f"{job.user}:{job.password}")
            ),
            *("--mail-from", job.mail_from, "--mail-rcpt", job.rcpt_to),
            *("--upload-file", job.file("message.eml", job.message)),
        ]
    )


def swaks(job: Job) -> Command:
    return Command(
        argv=[
            *("swaks", "--server", job.host, "--port", job.port, "--timeout", "10s", "--helo", "swaks.example"),
            *("--auth", job.method, "--auth-user", job.user, "--auth-password", job.password),
            *("--from", job.mail_from, "--to", job.rcpt_to),
            *("--tls" if job.tls == "starttls" else "--tls-on-connect", "--tls-verify", "--tls-ca-path", job.ca_file),
            *("--data", "@" + job.file("message.eml", job.message)),
        ]
    )


def msmtp(job: Job) -> Command:
    settings = {
        "host": job.host,
        "port": job.port,
        "timeout": "10",
        "domain": "msmtp.example",
        "tls": "on",
        "tls_starttls": "on" if job.tls == "starttls" else "off",
        "tls_trust_file": job.ca_file,
        "auth": job.method.lower(),
        "user": job.user,
        "password": f'"{job.password}"',
        "from": job.mail_from,
    }
    config = job.file("msmtprc", "account default\n" + "".join(f"{key} {value}\n" for key, value in settings.items()))
    return Command(argv=["msmtp", "--file", config, job.rcpt_to], stdin=job.message.replace("\r\n", "\n"))


S_NAIL_METHODS = {"XOAUTH2": "oauthbearer"}  # what it says when told so is AUTH XOAUTH2


def s_nail(job: Job) -> Command:
    scheme = {"starttls": "smtp", "implicit": "smtps"}[job.tls]
    settings = {
        "v15-compat": "yes",
        "mta": f"{scheme}://localhost:{job.port}",  # it compares the certificate with names, not with addresses
        "smtp-use-starttls": "",
        "tls-verify": "strict",
        "tls-ca-file": job.ca_file,
        "tls-ca-no-defaults": "",
        "user": job.user,
        "password": job.password,
        "smtp-auth": {"XOAUTH2": "oauthbearer"}.get(
            job.method, job.method.lower()
        ),  # what it calls oauthbearer is XOAUTH2
        "hostname": "nail.example",
        "from": job.mail_from,
        "ttycharset": "utf-8",
        "mime-encoding": "8bit",
        "sendwait": "",
        "DEAD": "/dev/null",
        "quiet": "",
    }
    if job.tls == "implicit":
        del settings["smtp-use-starttls"]
    options = [word for name, value in settings.items() for word in ("-S", f"{name}={value}" if value else name)]
    return Command(argv=["s-nail", "-:/", *options, "-s", SUBJECT, job.rcpt_to], stdin=job.text.replace("\r\n", "\n"))


def mutt(job: Job) -> Command:
    scheme = {"starttls": "smtp", "implicit": "smtps"}[job.tls]
    settings = {
        "smtp_url": f"{scheme}://{quote(job.user)}@{job.host}:{job.port}",
        "smtp_authenticators": job.method.lower(),
        "smtp_pass": job.password,
        "ssl_starttls": "yes",
        "ssl_force_tls": "yes",
        "ssl_verify_host": "yes",
        "ssl_ca_certificates_file": job.ca_file,
        "certificate_file": f"{job.folder}/accepted",
        "from": job.mail_from,
        "realname": "",
        "use_envelope_from": "yes",
        "hostname": "mutt.example",
        "copy": "no",
        "charset": "utf-8",
        "send_charset": "utf-8",
        "allow_8bit": "yes",
        "connect_timeout": "10",
    }
    config = job.file("muttrc", "".join(f'set {name}="{value}"\n' for name, value in settings.items()))
    argv = ["mutt", "-n", "-F", config, "-s", SUBJECT, "--", job.rcpt_to]
    return Command(argv=argv, stdin=job.text.replace("\r\n", "\n"))


def git_send_email(job: Job) -> Command:
    return Command(
        argv=[
            *("git", "-c", f"sendemail.smtpPass={job.password}"),
            *("send-email", "--quiet", "--confirm=never", "--no-validate", "--no-thread", "--suppress-cc=all"),
            *("--smtp-server", job.host, "--smtp-server-port", job.port, "--smtp-domain", "git.example"),
            *("--smtp-encryption", {"starttls": "tls", "implicit": "ssl"}[job.tls], "--smtp-auth", job.method),
            *("--smtp-user", job.user, "--smtp-ssl-cert-path", job.ca_file),
            *("--from", job.mail_from, "--envelope-sender", job.mail_from, "--to", job.rcpt_to),
            *("--8bit-encoding", "UTF-8", "--transfer-encoding", "8bit"),
            job.file("0001.patch", job.message.replace("\r\n", "\n")),
        ]
    )


PROGRAMS = (
    Peer(
        name="curl",
        needs=features("curl", ["--version"], {"SMTP and TLS": r"\bsmtps\b"}),
        command=curl,
        refused=r"curl: \(55\) RCPT failed: 550",
        distrusts=r"curl: \(60\) SSL certificate problem",
        content=as_given,
        methods=("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER"),
        denied=r"curl: \(67\) Login denied",
    ),
    Peer(
        name="swaks",
        needs=features("swaks", ["--support"], {"TLS": "TLS supported", "CRAM-MD5": "AUTH CRAM-MD5 supported"}),
        command=swaks,
        refused=r"(?m)^<~\* 550 5\.1\.1 No such user",
        distrusts=r"TLS startup failed .*certificate verify failed",
        content=as_given_and_a_line,
        methods=("PLAIN", "LOGIN", "CRAM-MD5"),
    ),
    Peer(
        name="msmtp",
        needs=features(
            "msmtp", ["--version"], {"TLS": r"TLS/SSL library: (?!none)", "SCRAM-SHA-256": r"\bscram-sha-256\b"}
        ),
        command=msmtp,
        refused=r"msmtp: recipient address ada@example\.com not accepted.*\nmsmtp: server message: 550 5\.1\.1 No such",
        distrusts=r"msmtp: TLS certificate verification failed",
        content=as_given,
        methods=("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"),
    ),
    Peer(
        name="s-nail",
        needs=features(
            "s-nail",
            ["-:/", "-X", "version", "-X", "exit"],
            {"SMTP": r"\+smtp\b", "TLS": r"\+tls\b", "CRAM-MD5": r"\+md5\b"},
        ),
        command=s_nail,
        refused=r"s-nail: SMTP server: 550 5\.1\.1 No such user",
        distrusts=r"certificate",
        content=body_as_given,
        composes=True,
        methods=("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"),
        denied=r"SMTP server: (535|334)",  # to XOAUTH2 the refusal begins with a challenge, and that is all it shows
    ),
    Peer(
        name="mutt",
        needs=features("mutt", ["-v"], {"SMTP": r"\+USE_SMTP\b", "TLS": r"\+USE_SSL_", "SASL": r"\+USE_G?SASL\b"}),
        command=mutt,
        refused=r"SMTP session failed: 550 5\.1\.1 No such user",
        distrusts=r"[Cc]ertificate",
        content=body_as_given,
        composes=True,
        methods=("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"),
        denied=r"SASL authentication failed",
    ),
    Peer(
        name="git-send-email",
        needs=(
            Need("git", ("send-email", "-h"), pattern="--smtp-server", name="git send-email"),
            *presence.perl("Authen::SASL", "IO::Socket::SSL"),
        ),
        command=git_send_email,
        refused=r"5\.1\.1 No such user",
        distrusts=r"certificate verify failed",
        content=body_as_given,
        composes=True,
        denied=r"5\.7\.8",
    ),
)

PEERS = LIBRARIES + PROGRAMS


def named(name: str) -> Peer:
    return next(peer for peer in PEERS if peer.name == name)


def words(pattern: str, report: Report) -> bool:
    return re.search(pattern, report.output) is not None
