"""The checks of a run: a function for each finding and each notice, from a run and its scene to *offences*.

An offence is the recipient concerned, or "" where it is the run itself. A doubtful case is never one: what follows a
reply that was not well-formed, what the client could not know.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pytest_smtpd import Call, Envelope
from pytest_smtpd.sweep.claims import leaves
from pytest_smtpd.sweep.faults import REFUSALS, Kind
from pytest_smtpd.sweep.run import Run

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
_INTERNAL_MODULES: Final = ("builtins", "binascii", "struct")  # a library's own class was raised on purpose
_CONVERSIONS: Final = ("invalid literal for", "could not convert", "not enough values to unpack", "too many values to")


class Scene(NamedTuple):
    """What a run is compared with: the run without a fault, its recipients, and the client's timeout, if known."""

    clean: Run
    recipients: Sequence[str]
    timeout: float | None = None
    volatile: bool = False  # whether contents differ from run to run for reasons of their own


# --- what happened to a mail ----------------------------------------------------------------------------------------


def lost(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients who are claimed as delivered, and for whom nothing was accepted."""
    if not run.is_certain and any(call.hook == "data" for call in run.calls):
        return  # the client may have taken something for a 250
    for address in scene.recipients:
        if run.claims.of(address).state == "delivered" and not run.count(address):
            yield address


def sent_but_failed(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients who are claimed as failed, although the client got the reply that accepted their mail."""
    if run.kind is Kind.LEGAL or not run.is_certain:  # "intolerant" is the word for the former
        return
    for address in scene.recipients:
        is_whole = run.count(address) >= scene.clean.count(address)  # else the claim may be about another mail
        if is_whole and run.claims.of(address).state == "failed" and run.accepted_in_a_reply(address):
            yield address


def why_lost(run: Run, address: str) -> str:
    """What the server has done about a recipient who is lost."""
    refused = [
        call for call in run.calls if call.hook == "rcpt_to" and call.argument == address and call.outcome == "refused"
    ]
    if refused:
        return "the server had refused this recipient"
    return "the server has accepted nothing for this recipient"


def ambiguous(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients who are claimed as failed, and whose mail was accepted, without a reply that reached the client."""
    for address in scene.recipients:
        if run.claims.of(address).state == "failed" and run.count(address) and not run.accepted_in_a_reply(address):
            yield address


def why_ambiguous(run: Run, address: str) -> str:
    """Whether the receiver could recognise a second copy."""
    mails = [envelope for envelope in run.accepted if address in envelope.rcpt_to]
    carries = "carries a" if all(envelope.message["message-id"] for envelope in mails) else "carries no"
    return f"the mail {carries} Message-ID"


def duplicate(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients whose copies have no Message-ID in common."""
    yield from (address for address, recognisable in _copies(run, scene) if not recognisable)


def recognisable(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients whose copies all have the same Message-ID."""
    yield from (address for address, recognisable in _copies(run, scene) if recognisable)


def _copies(run: Run, scene: Scene) -> Iterator[tuple[str, bool]]:
    """Who has got a mail more often than without a fault, and whether its copies have a Message-ID in common."""
    if not run.is_certain:
        return
    for address in dict.fromkeys(address for address, _ in run.by_recipient):
        usual = max(1, scene.clean.count(address))
        for copies in _repeated(run, scene, address):
            ids = {envelope.message["message-id"] for envelope in copies}
            yield address, None not in ids and len(ids) <= usual


def _repeated(run: Run, scene: Scene, address: str) -> list[list[Envelope]]:
    """The mails that this recipient has got more often than without a fault, each as the list of its copies."""
    usual = scene.clean.by_recipient
    alike = [
        copies
        for (to, content), copies in run.by_recipient.items()
        if to == address and len(copies) > max(1, len(usual.get((to, content), ())))
    ]
    if alike or run.count(address) <= max(1, scene.clean.count(address)):
        return alike
    return [[envelope for envelope in run.accepted if address in envelope.rcpt_to]]  # the copies differ


def _hit_mails(run: Run, scene: Scene) -> list[Envelope]:
    """The mails of the run without a fault that this fault has hit; none where that cannot be told.

    A mail is recognised by its recipients, or else by its place among all mails, if those are sent one by one.
    """
    assert run.hit is not None
    mails = scene.clean.accepted
    named = set() if run.hits_the_session else run.recipients_at(run.hit)
    if named:
        return [mail for mail in mails if not named.isdisjoint(mail.rcpt_to)]
    if not scene.clean.is_orderly:
        return []
    begun = sum(call.hook == "mail_from" and call.number <= run.hit.number for call in run.calls)
    return [mails[min(begun if run.hits_the_session else max(begun - 1, 0), len(mails) - 1)]]


def _touched(run: Run, scene: Scene) -> Sequence[Envelope]:
    """The mails of the run without a fault that this fault may concern: those it hits, or all of their connection."""
    hit = _hit_mails(run, scene)
    closes = run.point is not None and run.point.fault is not None and run.point.fault.closes
    if hit and not run.hits_the_session and not closes:
        return hit
    if not hit or not scene.clean.is_orderly:
        return scene.clean.accepted
    return [mail for mail in scene.clean.accepted if any(mail.session is one.session for one in hit)]


def collateral(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients of a mail that was reported as failed, and that the fault has not touched."""
    if run.point is None or run.point.always or run.overrun or not run.is_certain or run.hit is None:
        return  # after too long a run the server is stopped, and what follows is no fault of the application
    touched = {address for mail in _touched(run, scene) for address in mail.rcpt_to}
    for address in scene.recipients:
        if address not in touched and run.claims.of(address).state == "failed" and not run.count(address):
            yield address


def stranger(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients to whom nothing is sent without a fault."""
    known = scene.clean.named
    for address in dict.fromkeys(address for envelope in run.accepted for address in envelope.rcpt_to):
        if address not in known:
            yield address


def content(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients whose mail differs from what they get without a fault."""
    if run.point is None or not run.is_certain:
        return
    usual = scene.clean.by_recipient
    for address, content in run.by_recipient:
        if (address, content) not in usual and address in scene.recipients and not scene.volatile:
            yield address


# --- passwords and mails --------------------------------------------------------------------------------------------


def clear_password(run: Run, scene: Scene) -> Iterator[str]:
    """A login without TLS, where all are under TLS without a fault."""
    if _was_protected(scene.clean, "auth") and any(_gives_password(call) for call in run.in_clear()):
        yield ""


def _gives_password(call: Call) -> bool:
    """A login, or an AUTH that brings its first response along: refused or not, the password was sent."""
    if call.hook != "command":
        return call.hook == "auth"
    return call.argument.verb == "AUTH" and len(call.argument.argument.split()) > 1


def downgrade(run: Run, scene: Scene) -> Iterator[str]:
    """A mail without TLS, where all are under TLS without a fault."""
    if _was_protected(scene.clean, "mail_from") and any(call.hook == "mail_from" for call in run.in_clear()):
        yield ""


def _was_protected(clean: Run, hook: str) -> bool:
    """Whether there were such calls, and each of them under TLS."""
    return any(call.hook == hook for call in clean.calls) and all(call.hook != hook for call in clean.in_clear())


def bad_certificate(run: Run, scene: Scene) -> Iterator[str]:
    """A login or a mail under a certificate that must not be trusted."""
    if run.kind is Kind.CERTIFICATE:
        given = [call for call in run.calls if call.hook in ("auth", "mail_from") and call.session.secure]
        if given:
            yield ""


# --- how it ended ---------------------------------------------------------------------------------------------------


def internal_error(run: Run, scene: Scene) -> Iterator[str]:
    """An exception that is about the code, not about the mail."""
    if any(map(_is_internal, leaves(run.error))):
        yield ""


def _is_internal(error: BaseException) -> bool:
    if type(error).__module__ not in _INTERNAL_MODULES:
        return False
    is_conversion = type(error) is ValueError and str(error).startswith(_CONVERSIONS)
    return isinstance(error, _INTERNAL) or type(error).__module__ != "builtins" or is_conversion


def hang(run: Run, scene: Scene) -> Iterator[str]:
    """A block that had to be ended by stopping the server."""
    if run.overrun:
        yield ""


def leak(run: Run, scene: Scene) -> Iterator[str]:
    """Connections, threads and tasks that outlast the block and a garbage collection."""
    yield from run.leaks


def collected(run: Run, scene: Scene) -> Iterator[str]:
    """Connections that only the garbage collection has closed."""
    yield from run.collected


def slow(run: Run, scene: Scene) -> Iterator[str]:
    """A block that took longer than one and a half timeouts for each of its connections."""
    if scene.timeout is None or run.kind is None or run.overrun or _retried(run, scene) or not run.sessions:
        return
    if run.reacting - scene.clean.reacting > 1.5 * scene.timeout * max(1, len(run.sessions)):
        yield ""


# --- trying again ---------------------------------------------------------------------------------------------------


def _retried(run: Run, scene: Scene) -> bool:
    """Whether it has tried more often than without a fault."""
    return run.attempts > scene.clean.attempts


def tries_again(run: Run, scene: Scene) -> bool:
    """Whether this run shows an application that tries again after a temporary failure."""
    return run.kind in _TRANSIENT and run.reached and _retried(run, scene)


def gave_up(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients whose mail is claimed as delayed, and was not tried again after a temporary failure."""
    if run.point is None or run.point.always or run.kind not in _TRANSIENT or _retried(run, scene):
        return
    for address in scene.recipients:
        if run.claims.of(address).state == "delayed" and not run.count(address):
            yield address


def permanent_retried(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients whose mail was tried again after a permanent failure."""
    if run.kind is not Kind.PERMANENT or not run.reached or not _retried(run, scene) or run.fell_back_to_helo:
        return
    for address in scene.recipients:
        if run.claims.of(address).state == "delayed":
            yield address


# --- commands out of place ------------------------------------------------------------------------------------------


def out_of_step(run: Run, scene: Scene) -> Iterator[str]:
    """A command that got a 503 after an orderly refusal."""
    if run.kind not in REFUSALS or not run.is_certain or run.pipelines:
        return
    for call in run.after_hit():
        if call.hook == "command" and call.rule is None and call.code == 503 and not call.argument.pipelined:
            yield ""
            return


def after_421(run: Run, scene: Scene) -> Iterator[str]:
    """A command other than QUIT after a 421."""
    announced: set[int] = set()
    for call in run.calls:
        verb = call.argument.verb if call.hook == "command" else "QUIT"
        if id(call.session) in announced and verb != "QUIT" and not call.argument.pipelined:
            yield ""
            return
        if call.code == 421 or (call is run.hit and run.code == 421):
            announced.add(id(call.session))


def auth_again(run: Run, scene: Scene) -> Iterator[str]:
    """On one connection, or on more connections than there are without a fault: each mail may log in for itself."""
    more = len(run.sessions) > len(scene.clean.sessions)
    refused: list[Call] = []
    for call in run.calls:
        if call.hook == "auth":
            before = (other for other in refused if more or other.session is call.session)
            if any(call.argument.repeats(other.argument) for other in before):
                yield ""
                return
            if call.code == 535:
                refused.append(call)


# --- replies in exceptions ------------------------------------------------------------------------------------------


def code_lost(run: Run, scene: Scene) -> Iterator[str]:
    """A failure that does not name the code with which the server has refused."""
    code = run.code
    if code is None or any(map(_is_internal, leaves(run.error))):
        return
    if any(str(code) not in claim for claim in _failures(run, scene)):
        yield ""


def masked(run: Run, scene: Scene) -> Iterator[str]:
    """A failure that names another error, and has the refusal only as its context."""
    code = run.code
    for address in scene.recipients if code is not None else ():
        claim = run.claims.of(address)
        if claim.state == "failed" and claim.own and str(code) in claim.words and str(code) not in claim.own:
            yield ""
            return


def _failures(run: Run, scene: Scene) -> list[str]:
    """The claims about those who did not get a mail that the fault concerns."""
    hit = run.hit
    if hit is None:
        return []
    only = str(hit.argument) if hit.hook == "rcpt_to" else run.point and run.point.options.get("to")
    addresses = dict.fromkeys(address for mail in _hit_mails(run, scene) for address in mail.rcpt_to)
    claims = [run.claims.of(address) for address in addresses if only in (None, address)]
    return [claim.words for claim in claims if claim.state == "failed" and claim.words]


def intolerant(run: Run, scene: Scene) -> Iterator[str]:
    """Recipients who are claimed as failed because of a reply that is unusual and legal."""
    if run.kind is Kind.LEGAL and run.reached:
        yield from (address for address in scene.recipients if run.claims.of(address).state == "failed")
