"""FINDINGS and NOTICES: one row for each thing that an application can do wrong, gravest first."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from pytest_smtpd.smtp.table import Table, not_callable
from pytest_smtpd.sweep import checks
from pytest_smtpd.sweep.checks import Scene
from pytest_smtpd.sweep.run import Run

Check = Callable[[Run, Scene], Iterator[str]]


class Row(NamedTuple):
    """One thing that can be wrong. ``headline`` has a place for whom it concerns.

    ``text`` explains it, with places for what the application has said and for ``why``, what the server has done.
    ``meaning`` defines it for the reference. ``if_retrying`` is whether it is wrong only in an application that was
    seen to try again at other points.
    """

    name: str
    headline: str
    text: str
    check: Check
    meaning: str
    why: Callable[[Run, str], str] | None = None
    if_retrying: bool = False

    def problems(self, name: str) -> Iterator[str]:
        """What is wrong with a row."""
        if not name.replace("-", "").isalnum() or not name.islower() or name != self.name:
            yield f"its name must be words in lower case with hyphens between them, here and in name={self.name!r}"
        if not self.headline or not self.meaning:
            yield "headline= and meaning= must say what has happened, and define it for the reference"
        yield from not_callable(check=self.check, **({} if self.why is None else {"why": self.why}))
        yield from _wrong_places("headline", self.headline, "recipient")
        yield from _wrong_places("text", self.text, said="", **({} if self.why is None else {"why": ""}))


def _wrong_places(part: str, text: str, *about: str, **places: str) -> Iterator[str]:
    try:
        text.format(*about, **places)
    except (LookupError, ValueError) as error:
        known = ", ".join(["{}"] * len(about) + [f"{{{name}}}" for name in places])
        yield f"{part}= can have places for {known} and nothing else ({type(error).__name__}: {error})"


_FINDINGS: Final = (
    Row(
        "lost",
        "{} did not get the mail, and nobody was told",
        "{said}; {why}.",
        checks.lost,
        why=checks.why_lost,
        meaning="A recipient is claimed as delivered, by a normal return or by name, and the server has accepted no "
        "mail for them. Nobody will ever know.",
    ),
    Row(
        "clear-password",
        "a password was sent in clear",
        "Without a fault, logins were protected by TLS.",
        checks.clear_password,
        meaning="A password was sent over a connection without TLS, or offered with AUTH there, where every login of "
        "the run without a fault was under TLS.",
    ),
    Row(
        "bad-certificate",
        "a login or a mail was given to a server whose certificate must not be trusted",
        "A client has to check the chain, the names and the dates of a certificate.",
        checks.bad_certificate,
        meaning="The client logged in or sent a mail under a certificate that is expired, not yet valid, for another "
        "host, self-signed, or from an unknown authority.",
    ),
    Row(
        "downgrade",
        "a mail was sent in clear",
        "Without a fault, mails were protected by TLS.",
        checks.downgrade,
        meaning="A mail was sent over a connection without TLS, where every mail of the run without a fault was under "
        "TLS.",
    ),
    Row(
        "duplicate",
        "{} got the mail twice",
        "The copies have no Message-ID in common.",
        checks.duplicate,
        meaning="A recipient got the mail more often than in the run without a fault, and the copies have no "
        "Message-ID in common by which the receiver could recognise them.",
    ),
    Row(
        "sent-but-failed",
        "{} got the mail, and it was reported as failed",
        "{said}; the server had accepted the mail and the client had been told so.",
        checks.sent_but_failed,
        meaning="The server accepted the mail and said so in a well-formed reply, and the application reported this "
        "recipient as failed. Whoever believes that sends the mail again.",
    ),
    Row(
        "stranger",
        "{} got a mail, and nobody had asked for that",
        "Without a fault, nothing is sent there.",
        checks.stranger,
        meaning="The server accepted a mail for a recipient to whom nothing is sent in the run without a fault.",
    ),
    Row(
        "content",
        "{} got a mail with another content",
        "It differs from that of the run without a fault.",
        checks.content,
        meaning="A recipient got a mail with other content than in the run without a fault. Dates, Message-IDs and "
        "boundaries may differ.",
    ),
    Row(
        "collateral",
        "{} did not get a mail, because of a failure of another one",
        "{said}; no fault had touched this mail.",
        checks.collateral,
        meaning="A mail was reported as failed that the fault had not touched: it was sent over a connection of its "
        "own, or its connection was still usable.",
    ),
    Row(
        "internal-error",
        "an error of the code itself, not of the mail, has left it",
        "{said}.",
        checks.internal_error,
        meaning="An exception left the block that says something about the code, not about the mail: an "
        "`AttributeError`, `TypeError`, `UnicodeError`, `LookupError`, `binascii.Error` and the like.",
    ),
    Row(
        "hang",
        "it did not end",
        "It was ended by stopping the server, after twice its timeout for each of its connections.",
        checks.hang,
        meaning="The block did not end within twice the client's timeout for each connection that it made. The server "
        "was stopped, which ends it.",
    ),
    Row(
        "leak",
        "{} was left behind",
        "It is still there after the block and a garbage collection.",
        checks.leak,
        meaning="A connection, thread or task that the block started is still there after the block and a garbage "
        "collection.",
    ),
    Row(
        "gave-up",
        "{} did not get the mail: no more attempts after a temporary failure",
        "{said}; at other points the application was seen to try again.",
        checks.gave_up,
        if_retrying=True,
        meaning="A recipient is claimed as delayed after a temporary failure, and no further attempt was made. "
        "Reported only if the application retried at other points.",
    ),
    Row(
        "permanent-retried",
        "the mail to {} was tried again after a permanent failure",
        "{said}; a 5xx means: do not repeat it (RFC 5321 section 4.2.1).",
        checks.permanent_retried,
        if_retrying=True,
        meaning="A recipient is claimed as delayed, and the mail was tried again, after a permanent failure. "
        "Reported only if the application retried at other points.",
    ),
    Row(
        "out-of-step",
        "a command was sent where it has no place",
        "The server had refused the one before it in good order, and answered 503.",
        checks.out_of_step,
        meaning="After a refusal in good order the client sent a command that has no place there, and the server "
        "answered 503.",
    ),
)

_NOTICES: Final = (
    Row(
        "ambiguous",
        "accepted, but your code could not know (RFC 1047)",
        "",
        checks.ambiguous,
        why=checks.why_ambiguous,
        meaning="The server accepted the mail, the client did not get to know, and the application reported the "
        "recipient as failed. No client can know better (RFC 1047); the line tells whether the mail has a "
        "Message-ID by which the receiver could recognise a second copy.",
    ),
    Row(
        "duplicate-recognisable",
        "accepted twice, with the same Message-ID",
        "",
        checks.recognisable,
        meaning="A recipient got the mail more often than in the run without a fault; all copies have the same "
        "Message-ID.",
    ),
    Row(
        "code-lost",
        "the code of the reply is not in the exception, nor in its causes",
        "",
        checks.code_lost,
        meaning="The mail was refused and reported as failed, but the code of the reply is neither in the exception "
        "nor in its causes, so that nobody can tell a temporary failure from a permanent one.",
    ),
    Row(
        "masked",
        "another error is reported in the place of the refusal",
        "",
        checks.masked,
        meaning="The exception that left the block is about something else that went wrong after the refusal; the "
        "refusal is only its context.",
    ),
    Row(
        "after-421",
        "commands after a 421",
        "",
        checks.after_421,
        meaning="The client sent another command than QUIT on a connection on which the server had announced, by a "
        "421, that it closes.",
    ),
    Row(
        "auth-again",
        "the same password once more after a 535",
        "",
        checks.auth_again,
        meaning="The client sent the same password again after a 535, which locks accounts at some servers.",
    ),
    Row(
        "intolerant",
        "an unusual reply that is legal makes it fail",
        "",
        checks.intolerant,
        meaning="A mail was reported as failed because of a reply that is unusual and legal, such as a 251, a reply "
        "in several lines, or a slow one.",
    ),
    Row(
        "slow",
        "it took longer than one and a half of its timeouts",
        "",
        checks.slow,
        meaning="The block took longer than one and a half times the client's timeout for each connection that it "
        "made.",
    ),
    Row(
        "collected",
        "left open, and closed by the garbage collection",
        "",
        checks.collected,
        meaning="A connection was left open, and was closed only by the garbage collection.",
    ),
)
FINDINGS: Final = Table("finding", Row.problems, {row.name: row for row in _FINDINGS})
NOTICES: Final = Table("notice", Row.problems, {row.name: row for row in _NOTICES})


class Offence(NamedTuple):
    """What is wrong in a run: the row, and whom or what it concerns ("" where that is the run itself).

    ``why`` is what the server has done about it.
    """

    row: Row
    about: str
    why: str = ""


def offences(run: Run, scene: Scene) -> list[Offence]:
    """Everything that is wrong in a run, gravest first."""
    return [
        Offence(row, about, row.why(run, about) if row.why else "")
        for row in (*FINDINGS.values(), *NOTICES.values())
        for about in dict.fromkeys(row.check(run, scene))
    ]
