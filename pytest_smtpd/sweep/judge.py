"""FINDINGS and NOTICES: one row for each thing that an application can do wrong, gravest first.

Each row is a function from a run (and the run without a fault) to *offences*: the recipient concerned, or "". What is
in doubt is never an offence: what follows a reply that was not well-formed, what the client could not know.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from pytest_smtpd import Call, Envelope
from pytest_smtpd.sweep.claims import leaves
from pytest_smtpd.sweep.faults import Kind
from pytest_smtpd.sweep.run import Run

_SESSION_STEPS: Final = {"connect", "secure", "auth", "EHLO", "HELO", "LHLO", "STARTTLS", "AUTH"}
_IN_GROUPS: Final = {"MAIL", "RCPT", "DATA"}  # not EHLO, which is sent along with the end of a TLS handshake
_REFUSALS: Final = (Kind.TEMPORARY, Kind.PERMANENT, Kind.EITHER)
_TRANSIENT: Final = (Kind.TEMPORARY, Kind.LOST, Kind.SILENT)
_INTERNAL: Final = (
    AttributeError,
    TypeError,
    UnicodeError,
    LookupError,
    NameError,
    ArithmeticError,
    RecursionError,
    StopIteration,
    StopAsyncIteration,
    NotImplementedError,
    MemoryError,
)
_INTERNAL_MODULES: Final = ("builtins", "binascii", "struct")  # a library's own class is an answer, not an accident
_CONVERSIONS: Final = ("invalid literal for", "could not convert", "not enough values to unpack", "too many values to")


class Scene(NamedTuple):
    """What a run is judged by: the run without a fault, whom it reached, and the client's own time-out, if known."""

    clean: Run
    recipients: Sequence[str]
    timeout: float | None = None
    volatile: bool = False  # whether contents differ from run to run for reasons of their own


Check = Callable[[Run, Scene], Iterator[str]]


class Row(NamedTuple):
    """One thing that can be wrong. ``headline`` has a place for whom it concerns.

    ``text`` explains it, with places for what the application has said and for ``why``, what the server has done.
    ``if_retrying`` is whether it is wrong only in an application that was seen to try again at other points.
    ``meaning`` defines it for the reference.
    """

    name: str
    headline: str
    text: str
    check: Check
    why: Callable[[Run, str], str] | None = None
    if_retrying: bool = False
    meaning: str = ""


# --- what happened to a mail ----------------------------------------------------------------------------------------


def _lost(run: Run, scene: Scene) -> Iterator[str]:
    if not _is_certain(run) and any(call.hook == "data" for call in run.calls):
        return  # the client may have taken something for a 250
    for address in scene.recipients:
        if run.claims.of(address).state == "delivered" and not run.count(address):
            yield address


def _sent_but_failed(run: Run, scene: Scene) -> Iterator[str]:
    if run.kind is Kind.LEGAL or not _is_certain(run):  # "intolerant" is the word for the former
        return
    for address in scene.recipients:
        if run.claims.of(address).state == "failed" and run.was_told(address):
            yield address


def _why_lost(run: Run, address: str) -> str:
    refused = [
        call for call in run.calls if call.hook == "rcpt_to" and call.argument == address and call.outcome == "refused"
    ]
    if refused:
        return "the server had refused this recipient"
    return "the server has accepted nothing for this recipient"


def _ambiguous(run: Run, scene: Scene) -> Iterator[str]:
    for address in scene.recipients:
        if run.claims.of(address).state == "failed" and run.count(address) and not run.was_told(address):
            yield address


def _why_ambiguous(run: Run, address: str) -> str:
    mails = [envelope for envelope in run.accepted if address in envelope.rcpt_to]
    carries = "carries a" if all(envelope.message["message-id"] for envelope in mails) else "carries no"
    return f"the mail {carries} Message-ID"


def _duplicate(run: Run, scene: Scene) -> Iterator[str]:
    yield from (address for address, recognisable in _copies(run, scene) if not recognisable)


def _recognisable(run: Run, scene: Scene) -> Iterator[str]:
    yield from (address for address, recognisable in _copies(run, scene) if recognisable)


def _copies(run: Run, scene: Scene) -> Iterator[tuple[str, bool]]:
    """Who has got a mail more often than without a fault, and whether its copies have a Message-ID in common."""
    if not _is_certain(run):
        return
    usual, now = _by_recipient(scene.clean), _by_recipient(run)
    for address in dict.fromkeys(address for address, _ in now):
        more = [
            envelopes
            for (to, content), envelopes in now.items()
            if to == address and len(envelopes) > max(1, len(usual.get((to, content), ())))
        ]
        if not more and run.count(address) > max(1, scene.clean.count(address)):  # the copies differ
            more = [[envelope for envelope in run.accepted if address in envelope.rcpt_to]]
        for envelopes in more:
            ids = {envelope.message["message-id"] for envelope in envelopes}
            yield address, None not in ids and len(ids) <= max(1, scene.clean.count(address))


def _by_recipient(run: Run) -> dict[tuple[str, str], list[Envelope]]:
    found: dict[tuple[str, str], list[Envelope]] = {}
    for envelope, content in zip(run.accepted, run.content, strict=True):
        for address in dict.fromkeys(map(str, envelope.rcpt_to)):
            found.setdefault((address, content), []).append(envelope)
    return found


def _place(run: Run, scene: Scene) -> int:
    """Which mail the fault has hit, by its place among all that were begun; before the first it is that."""
    assert run.hit is not None
    begun = sum(call.hook == "mail_from" and call.number <= run.hit.number for call in run.calls)
    return min(begun if _is_of_the_session(run) else max(begun - 1, 0), len(scene.clean.accepted) - 1)


def _is_of_the_session(run: Run) -> bool:
    return run.point is not None and run.point.step is not None and run.point.step.name in _SESSION_STEPS


def _collateral(run: Run, scene: Scene) -> Iterator[str]:
    """Mails are told apart by their recipients."""
    if run.point is None or run.point.always or run.overrun or not _is_certain(run) or run.hit is None:
        return  # after too long a run the server is stopped, and what follows is no fault of the application
    mails = scene.clean.accepted
    hit, fault = mails[_place(run, scene)], run.point.fault
    whole_session = _is_of_the_session(run) or (fault is not None and fault.closes)
    touched = {
        address
        for mail in mails
        if mail is hit or (whole_session and mail.session is hit.session)
        for address in mail.rcpt_to
    }
    for address in scene.recipients:
        if address not in touched and run.claims.of(address).state == "failed" and not run.count(address):
            yield address


def _stranger(run: Run, scene: Scene) -> Iterator[str]:
    known = scene.clean.named
    for address in dict.fromkeys(address for envelope in run.accepted for address in envelope.rcpt_to):
        if address not in known:
            yield address


def _content(run: Run, scene: Scene) -> Iterator[str]:
    if run.point is None or not _is_certain(run):
        return
    usual = _by_recipient(scene.clean)
    for address, content in _by_recipient(run):
        if (address, content) not in usual and address in scene.recipients and not scene.volatile:
            yield address


# --- what was given away --------------------------------------------------------------------------------------------


def _clear_password(run: Run, scene: Scene) -> Iterator[str]:
    if _was_protected(scene.clean, "auth") and any(_gives_password(call) for call in run.in_clear()):
        yield ""


def _gives_password(call: Call) -> bool:
    """A login, or an AUTH that brings its first response along: refused or not, it has been on the wire."""
    if call.hook != "command":
        return call.hook == "auth"
    return call.argument.verb == "AUTH" and len(call.argument.argument.split()) > 1


def _downgrade(run: Run, scene: Scene) -> Iterator[str]:
    if _was_protected(scene.clean, "mail_from") and any(call.hook == "mail_from" for call in run.in_clear()):
        yield ""


def _was_protected(clean: Run, hook: str) -> bool:
    """Whether there were such calls, and each of them under TLS."""
    return any(call.hook == hook for call in clean.calls) and all(call.hook != hook for call in clean.in_clear())


def _bad_certificate(run: Run, scene: Scene) -> Iterator[str]:
    if run.kind is Kind.CERTIFICATE:
        given = [call for call in run.calls if call.hook in ("auth", "mail_from") and call.session.secure]
        if given:
            yield ""


# --- how it ended ---------------------------------------------------------------------------------------------------


def _internal_error(run: Run, scene: Scene) -> Iterator[str]:
    if any(map(_is_internal, leaves(run.error))):
        yield ""


def _is_internal(error: BaseException) -> bool:
    if type(error).__module__ not in _INTERNAL_MODULES:
        return False
    is_conversion = type(error) is ValueError and str(error).startswith(_CONVERSIONS)
    return isinstance(error, _INTERNAL) or type(error).__module__ != "builtins" or is_conversion


def _hang(run: Run, scene: Scene) -> Iterator[str]:
    if run.overrun:
        yield ""


def _leak(run: Run, scene: Scene) -> Iterator[str]:
    yield from run.leaks


def _collected(run: Run, scene: Scene) -> Iterator[str]:
    yield from run.collected


def _slow(run: Run, scene: Scene) -> Iterator[str]:
    if scene.timeout is None or run.kind is None or run.overrun or _retried(run, scene) or not run.sessions:
        return
    if run.seconds - scene.clean.seconds > 1.5 * scene.timeout * max(1, len(run.sessions)):
        yield ""


# --- trying again ---------------------------------------------------------------------------------------------------


def _retried(run: Run, scene: Scene) -> bool:
    """Whether it has tried more often than without a fault."""
    return run.attempts > scene.clean.attempts


def tries_again(run: Run, scene: Scene) -> bool:
    """Whether this run shows an application that tries again after a temporary failure."""
    return run.kind in _TRANSIENT and run.reached and _retried(run, scene)


def _gave_up(run: Run, scene: Scene) -> Iterator[str]:
    if run.point is None or run.point.always or run.kind not in _TRANSIENT or _retried(run, scene):
        return
    for address in scene.recipients:
        if run.claims.of(address).state == "delayed" and not run.count(address):
            yield address


def _permanent_retried(run: Run, scene: Scene) -> Iterator[str]:
    if run.kind is not Kind.PERMANENT or not run.reached or not _retried(run, scene) or _said_helo(run):
        return
    for address in scene.recipients:
        if run.claims.of(address).state == "delayed":
            yield address


def _said_helo(run: Run) -> bool:
    """Whether a refused EHLO was followed by a HELO that was taken: later failures have reasons of their own."""
    hit = run.hit
    if hit is None or hit.hook != "command" or hit.argument.verb != "EHLO":
        return False
    later = (call for call in run.after_hit() if call.session is hit.session and call.hook == "command")
    return any(call.argument.verb == "HELO" and call.outcome == "accepted" for call in later)


# --- what was said to the server ------------------------------------------------------------------------------------


def _out_of_step(run: Run, scene: Scene) -> Iterator[str]:
    if run.kind not in _REFUSALS or not _is_certain(run) or _pipelines(run):
        return
    for call in run.after_hit():
        if call.hook == "command" and call.rule is None and call.code == 503 and not call.argument.pipelined:
            yield ""
            return


def _pipelines(run: Run) -> bool:
    """Whether the client sends commands before it has read replies; the first of them may look as if it had."""
    return any(
        call.hook == "command" and call.argument.verb in _IN_GROUPS and call.argument.pipelined
        for call in run.after_hit()
    )


def _after_421(run: Run, scene: Scene) -> Iterator[str]:
    said: set[int] = set()
    for call in run.calls:
        verb = call.argument.verb if call.hook == "command" else "QUIT"
        if id(call.session) in said and verb != "QUIT" and not call.argument.pipelined:
            yield ""
            return
        if call.code == 421 or (call is run.hit and _code(run) == 421):
            said.add(id(call.session))


def _auth_again(run: Run, scene: Scene) -> Iterator[str]:
    """On one connection, or on more connections than there are without a fault: each mail may log in for itself."""
    more = len(run.sessions) > len(scene.clean.sessions)
    refused: set[tuple[object, ...]] = set()
    for call in run.calls:
        if call.hook == "auth":
            login = (None if more else id(call.session), call.argument.username, call.argument.password)
            if login in refused:
                yield ""
                return
            if call.code == 535:
                refused.add(login)


# --- what is left of a reply ----------------------------------------------------------------------------------------


def _code_lost(run: Run, scene: Scene) -> Iterator[str]:
    code = _code(run)
    if code is None or any(map(_is_internal, leaves(run.error))):
        return
    if any(str(code) not in claim for claim in _failures(run, scene)):
        yield ""


def _masked(run: Run, scene: Scene) -> Iterator[str]:
    code = _code(run)
    for address in scene.recipients if code is not None else ():
        claim = run.claims.of(address)
        if claim.state == "failed" and claim.own and str(code) in claim.words and str(code) not in claim.own:
            yield ""
            return


def _failures(run: Run, scene: Scene) -> list[str]:
    """What was said of those who did not get a mail that the fault has touched."""
    hit = run.hit
    if hit is None:
        return []
    only = str(hit.argument) if hit.hook == "rcpt_to" else run.point and run.point.options.get("to")
    mail = scene.clean.accepted[_place(run, scene)]
    claims = [run.claims.of(address) for address in mail.rcpt_to if only in (None, address)]
    return [claim.words for claim in claims if claim.state == "failed" and claim.words]


def _code(run: Run) -> int | None:
    """The code with which the fault refuses, where it has happened and its reply was well-formed."""
    if run.point is None or run.point.fault is None or run.kind not in _REFUSALS or run.hit is None:
        return None
    return run.point.fault.code


def _intolerant(run: Run, scene: Scene) -> Iterator[str]:
    if run.kind is Kind.LEGAL and run.reached:
        yield from (address for address in scene.recipients if run.claims.of(address).state == "failed")


def _is_certain(run: Run) -> bool:
    """Whether client and server can have understood each other; after garbage nothing is certain."""
    return run.kind is not Kind.GARBAGE or not run.reached


FINDINGS: Final[tuple[Row, ...]] = (
    Row(
        "lost",
        "{} did not get the mail, and nobody was told",
        "{said}; {why}.",
        _lost,
        _why_lost,
        meaning="A recipient is claimed as delivered, by a normal return or by name, and the server has accepted no "
        "mail for them. Nobody will ever know.",
    ),
    Row(
        "clear-password",
        "a password was sent in clear",
        "Without a fault, logins were protected by TLS.",
        _clear_password,
        meaning="A password was sent over a connection without TLS, or offered with AUTH there, where every login of "
        "the run without a fault was under TLS.",
    ),
    Row(
        "bad-certificate",
        "a login or a mail was given to a server whose certificate must not be trusted",
        "A client has to check the chain, the names and the dates of a certificate.",
        _bad_certificate,
        meaning="The client logged in or sent a mail under a certificate that is expired, not yet valid, for another "
        "host, self-signed, or from an unknown authority.",
    ),
    Row(
        "downgrade",
        "a mail was sent in clear",
        "Without a fault, mails were protected by TLS.",
        _downgrade,
        meaning="A mail was sent over a connection without TLS, where every mail of the run without a fault was under "
        "TLS.",
    ),
    Row(
        "duplicate",
        "{} got the mail twice",
        "The copies have no Message-ID in common.",
        _duplicate,
        meaning="A recipient got the mail more often than in the run without a fault, and the copies have no "
        "Message-ID in common by which the receiver could recognise them.",
    ),
    Row(
        "sent-but-failed",
        "{} got the mail, and it was reported as failed",
        "{said}; the server had accepted the mail and the client had been told so.",
        _sent_but_failed,
        meaning="The server accepted the mail and said so in a well-formed reply, and the application reported this "
        "recipient as failed. Whoever believes that sends the mail again.",
    ),
    Row(
        "stranger",
        "{} got a mail, and nobody had asked for that",
        "Without a fault, nothing is sent there.",
        _stranger,
        meaning="The server accepted a mail for a recipient to whom nothing is sent in the run without a fault.",
    ),
    Row(
        "content",
        "{} got a mail with another content",
        "It differs from that of the run without a fault.",
        _content,
        meaning="A recipient got a mail with other content than in the run without a fault. Dates, Message-IDs and "
        "boundaries may differ.",
    ),
    Row(
        "collateral",
        "{} did not get a mail, because of a failure of another one",
        "{said}; no fault had touched this mail.",
        _collateral,
        meaning="A mail was reported as failed that the fault had not touched: it was sent over a connection of its "
        "own, or its connection was still usable.",
    ),
    Row(
        "internal-error",
        "an error of the code itself, not of the mail, has left it",
        "{said}.",
        _internal_error,
        meaning="An exception left the block that says something about the code, not about the mail: an "
        "`AttributeError`, `TypeError`, `UnicodeError`, `LookupError`, `binascii.Error` and the like.",
    ),
    Row(
        "hang",
        "it did not end",
        "It was ended by stopping the server, after twice its time-out for each of its connections.",
        _hang,
        meaning="The block did not end within twice the client's timeout for each connection that it made. The server "
        "was stopped, which ends it.",
    ),
    Row(
        "leak",
        "{} was left behind",
        "It is still there after the block and a garbage collection.",
        _leak,
        meaning="A connection, thread or task that the block started is still there after the block and a garbage "
        "collection.",
    ),
    Row(
        "gave-up",
        "{} did not get the mail: no more attempts after a temporary failure",
        "{said}; at other points the application was seen to try again.",
        _gave_up,
        if_retrying=True,
        meaning="A recipient is claimed as delayed after a temporary failure, and no further attempt was made. Only "
        "of an application that was seen to try again at other points.",
    ),
    Row(
        "permanent-retried",
        "the mail to {} was tried again after a permanent failure",
        "{said}; a 5xx means: do not repeat it (RFC 5321 section 4.2.1).",
        _permanent_retried,
        if_retrying=True,
        meaning="A recipient is claimed as delayed, and the mail was tried again, after a permanent failure. Only of "
        "an application that was seen to try again at other points.",
    ),
    Row(
        "out-of-step",
        "a command was sent where it has no place",
        "The server had refused the one before it in good order, and answered 503.",
        _out_of_step,
        meaning="After a refusal in good order the client sent a command that has no place there, and the server "
        "answered 503.",
    ),
)

NOTICES: Final[tuple[Row, ...]] = (
    Row(
        "ambiguous",
        "accepted, but your code could not know (RFC 1047)",
        "",
        _ambiguous,
        _why_ambiguous,
        meaning="The server accepted the mail, the client did not get to know, and the application reported the "
        "recipient as failed. No client can know better (RFC 1047); the line tells whether the mail has a "
        "Message-ID by which the receiver could recognise a second copy.",
    ),
    Row(
        "duplicate-recognisable",
        "accepted twice, with the same Message-ID",
        "",
        _recognisable,
        meaning="A recipient got the mail more often than in the run without a fault; all copies have the same "
        "Message-ID.",
    ),
    Row(
        "code-lost",
        "the code of the reply is not in the exception, nor in its causes",
        "",
        _code_lost,
        meaning="The mail was refused and reported as failed, but the code of the reply is neither in the exception "
        "nor in its causes, so that nobody can tell a temporary failure from a permanent one.",
    ),
    Row(
        "masked",
        "another error is reported in the place of the refusal",
        "",
        _masked,
        meaning="The exception that left the block is about something else that went wrong after the refusal; the "
        "refusal is only its context.",
    ),
    Row(
        "after-421",
        "commands after a 421",
        "",
        _after_421,
        meaning="The client sent another command than QUIT on a connection on which the server had announced, by a "
        "421, that it closes.",
    ),
    Row(
        "auth-again",
        "the same password once more after a 535",
        "",
        _auth_again,
        meaning="The client sent the same password again after a 535, which locks accounts at some servers.",
    ),
    Row(
        "intolerant",
        "an unusual reply that is legal makes it fail",
        "",
        _intolerant,
        meaning="A mail was reported as failed because of a reply that is unusual and legal, such as a 251, a reply "
        "in several lines, or a slow one.",
    ),
    Row(
        "slow",
        "it took longer than one and a half of its time-outs",
        "",
        _slow,
        meaning="The block took longer than one and a half times the client's timeout for each connection that it "
        "made.",
    ),
    Row(
        "collected",
        "left open, and closed by the garbage collection",
        "",
        _collected,
        meaning="A connection was left open, and was closed only by the garbage collection.",
    ),
)


class Offence(NamedTuple):
    """What is wrong in a run: the row, and whom or what it concerns ("" where that is the run itself).

    ``why`` is what the server has done about it.
    """

    row: Row
    about: str
    why: str = ""


def offences(run: Run, scene: Scene, rows: Sequence[Row]) -> list[Offence]:
    """Everything that is wrong in a run, gravest first."""
    return [
        Offence(row, about, row.why(run, about) if row.why else "")
        for row in rows
        for about in dict.fromkeys(row.check(run, scene))
    ]
