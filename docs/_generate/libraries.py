"""Writes docs/reference/libraries.md from what sweeps of mail libraries have shown (tests/interop/libraries)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from tables import ROOT, code, explained, fill, note, table, write_or_check  # noqa: E402 - found by the line above

from pytest_smtpd.sweep.judge import FINDINGS, NOTICES  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCRIPT = "libraries.py"
KNOWN = ROOT / "tests" / "interop" / "libraries" / "known.json"
GRAVITY = [*FINDINGS, *NOTICES]
MEANINGS = {name: row.meaning for name, row in NOTICES.items()}

#: How the block uses each library, beside what all have in common.
USE: Mapping[str, str] = {
    "smtplib": "One connection for both mails, in a `with` statement; what `send_message()` returns is reported.",
    "aiosmtplib": "One connection for both mails, in an `async with` statement, with `start_tls=True`; what "
    "`send_message()` returns is reported.",
    "Django": "`send_mail()` for each mail, with `EMAIL_USE_TLS` and a timeout.",
    "Flask-Mail": "`mail.send()` for each mail, with `MAIL_USE_TLS`.",
    "fastapi-mail": "`FastMail(config).send_message()` for each mail, with `MAIL_STARTTLS` and a timeout.",
    "redmail": "One `EmailSender` for both mails, with a timeout; `sender.send()`.",
    "emails": "`message.send(to=..., smtp={...})` for each mail, with `tls` and a timeout; the error, the status and "
    "the refused recipients of its response are reported.",
    "yagmail": "One `yagmail.SMTP` for both mails, in a `with` statement; what `send()` returns is reported.",
    "SMTPHandler": "A handler for each mail, with `secure=()` and a timeout, and `logging.raiseExceptions` off, as its "
    "documentation recommends for production. `handleError()` is not overridden.",
    "nodemailer": "One transport for both mails, with `requireTLS` and all three timeouts, in a process of its own "
    "that ends by itself; `rejectedErrors` are reported.",
    "curl": "A process for each mail, with `--ssl-reqd` and `--max-time`.",
    "msmtp": "A process for each mail, with `tls on`, a `tls_trust_file` and `timeout`.",
}
#: What a finding is in this library, in one sentence.
SENTENCES: Mapping[tuple[str, str], str] = {
    ("smtplib", "sent-but-failed"): "The `with` statement raises `SMTPResponseException` if QUIT is not answered with "
    "221, although the mails have been accepted by then.",
    ("smtplib", "collateral"): "After a refused DATA, `sendmail()` raises without sending RSET, as it does after the "
    "other refusals, so that the next mail on this connection meets a transaction that is still open.",
    ("smtplib", "out-of-step"): "The same: MAIL is sent within the transaction of a refused DATA.",
    ("Django", "lost"): "The backend does not look at what smtplib's `sendmail()` returns: a recipient who is refused "
    "beside another one who is not is not reported.",
    ("Flask-Mail", "lost"): "What smtplib's `sendmail()` returns is not looked at: a recipient who is refused beside "
    "another one who is not is not reported.",
    ("Flask-Mail", "bad-certificate"): "`starttls()` is called without an SSL context, which in smtplib means: no "
    "verification. There is no setting for it.",
    ("Flask-Mail", "sent-but-failed"): "A connection that breaks at QUIT raises, when the mail has been accepted.",
    ("fastapi-mail", "lost"): "What aiosmtplib returns about refused recipients is not looked at.",
    ("fastapi-mail", "sent-but-failed"): "Whatever happens at QUIT raises, when the mail has been accepted.",
    ("fastapi-mail", "leak"): "The connection is not closed if the login fails, or if QUIT is refused.",
    ("redmail", "lost"): "What smtplib's `send_message()` returns is not looked at: a recipient who is refused beside "
    "another one who is not is not reported.",
    ("redmail", "bad-certificate"): "`starttls()` is called without an SSL context, which in smtplib means: no "
    "verification.",
    ("redmail", "sent-but-failed"): "A connection that breaks at QUIT raises, when the mail has been accepted.",
    ("redmail", "collateral"): "After a connection that broke, `quit()` raises before the sender has forgotten it, and "
    "each further mail of this sender is sent to the dead connection.",
    ("emails", "bad-certificate"): "`starttls()` is called without an SSL context, which in smtplib means: no "
    "verification.",
    ("emails", "duplicate"): "A mail whose connection broke is sent once more, which is right, but unless a Message-ID "
    "is set it has none, so that a receiver cannot recognise the copy.",
    ("yagmail", "bad-certificate"): "`starttls()` is called without an SSL context, unless one is given as "
    '`smtp_starttls={"context": ...}`.',
    ("SMTPHandler", "lost"): "Logging never raises, by design: a record that could not be mailed goes to "
    "`handleError()`, and nowhere else.",
    ("SMTPHandler", "bad-certificate"): "With `secure=()`, as documented, `starttls()` verifies nothing; "
    "there is no way to hand it an SSL context.",
    ("nodemailer", "hang"): "The timeout is reported in time, but the connection to a server that does not read any "
    "more stays open for some seconds, and the process with it.",
    ("curl", "hang"): "`--max-time` does not limit the goodbye: curl waits up to two minutes for the reply to QUIT.",
    ("msmtp", "hang"): "`timeout` does not limit reading once TLS is in use.",
}


def read() -> dict[str, Any]:
    known: dict[str, Any] = json.loads(KNOWN.read_text(encoding="utf-8"))
    return known


def page() -> str:
    known = read()
    uses = dict(explained(known, USE, "blocks of libraries"))
    sentences = {f"{name}: {finding}": text for (name, finding), text in SENTENCES.items()}
    explained([f"{name}: {finding}" for name in known for finding in found(known[name])], sentences, "findings")
    parts = {
        "summary": summary(known),
        "libraries": "\n".join(library(name, known[name], uses[name]) for name in known),
    }
    return note(SCRIPT) + fill("libraries", parts)


def found(of: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The findings of a library by their names, gravest first, notices aside."""
    return grouped(of, [*FINDINGS])


def noticed(of: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return grouped(of, [*NOTICES])


def grouped(of: Mapping[str, Any], names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    groups = {name: [one for one in of["findings"] if one["finding"] == name] for name in names}
    return {name: group for name, group in groups.items() if group}


def points(group: Iterable[Mapping[str, Any]]) -> int:
    return len({point for one in group for point in one["points"]})


def summary(known: Mapping[str, Any]) -> str:
    rows = [
        (f"[{name}](#{name.lower()})", of["version"], listed(found(of)) or "nothing", listed(noticed(of)) or "nothing")
        for name, of in known.items()
    ]
    return table(("library", "version", "findings", "notices"), rows)


def listed(groups: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    return ", ".join(f"{code(name)} {points(group)}" for name, group in groups.items())


def library(name: str, of: Mapping[str, Any], use: str) -> str:
    more = f" {of['note']}" if of["note"] else ""
    findings = [
        f"* {code(finding)} at {count(group)}. {SENTENCES[name, finding]}\n{reproduced(group)}"
        for finding, group in found(of).items()
    ]
    nothing = "No findings.\n"
    return f"## {name}\n\n{of['version']}. {use}{more}\n\n{''.join(findings) or nothing}"


def count(group: Sequence[Mapping[str, Any]]) -> str:
    number = points(group)
    return "1 point" if number == 1 else f"{number} points"


def reproduced(group: Sequence[Mapping[str, Any]]) -> str:
    """The marker of the finding that was seen at most points."""
    marker = max(group, key=lambda one: len(one["points"]))["marker"]
    return f"  {code(marker)}\n" if marker else ""


PAGES = {"reference/libraries.md": page}

if __name__ == "__main__":
    write_or_check(PAGES)
