"""Rules about commands: when they are sent, in which order, and how they are written."""

from collections.abc import Iterator
from typing import Final

from pytest_smtpd.lint.facts import Dialogue, Facts, Mail, Step
from pytest_smtpd.lint.finding import Seen
from pytest_smtpd.log.explain import plural
from pytest_smtpd.smtp.extensions import EXTENSIONS, NOT_KNOWN
from pytest_smtpd.smtp.framing import MAX_LINE
from pytest_smtpd.smtp.grammar import MAX_PATH, is_address_literal, is_domain
from pytest_smtpd.smtp.replies import AUTH_CANCELLED, LINE_TOO_LONG, SASL_LINE_TOO_LONG
from pytest_smtpd.smtp.values import printable, short

_HELLOS: Final = ("EHLO", "HELO", "LHLO")
# Commands behind which nothing may be sent before their reply (RFC 2920 section 3.1, RFC 3207 section 4, RFC 4954).
_LAST: Final = ("DATA", "EHLO", "LHLO", "STARTTLS", "AUTH", "QUIT")
_OUT_OF_STEP: Final = (500, 501, 503, 555)
# Domains of hosts that only their own network knows (RFC 6761, RFC 6762, RFC 8375, and what routers make up).
_LOCAL: Final = (".localhost", ".local", ".localdomain", ".lan", ".home", ".home.arpa", ".internal", ".intranet")


def _seen(step: Step, text: str, rfc: str = "") -> Seen:
    return Seen(step.call.at, text, step.session, rfc=rfc)


def _shown(step: Step) -> str:
    """The command as a text may show it: without passwords."""
    return short(str(step.command)) or "a line"


# --- when they are sent ---------------------------------------------------------------------------------------------


def early_talk(facts: Facts) -> Iterator[Seen]:
    """Bytes before the greeting, or between STARTTLS and its 220."""
    for step in facts.steps:
        if step.misled:
            continue
        if step.awaited == "greeting" and step.command.pipelined:
            yield _seen(step, f"{_shown(step)} was sent before the greeting", "RFC 5321 3.1")
        if step.command.verb == "STARTTLS" and step.command.followed:
            yield _seen(step, "something was sent in clear text behind STARTTLS, before its reply", "RFC 3207 4")


def pipelining(facts: Facts) -> Iterator[Seen]:
    """Commands ahead of a reply where PIPELINING is not offered; anything behind a command that has to be the last."""
    for dialogue in facts.dialogues:
        yield from _not_offered(dialogue)
        yield from _behind_the_last(dialogue)


def _not_offered(dialogue: Dialogue) -> Iterator[Seen]:
    ahead = [
        step
        for step in dialogue.steps
        if step.command.pipelined
        and step.awaited == "reply"
        and not step.misled
        and step.offered is not None
        and "PIPELINING" not in step.offered
    ]
    if ahead:
        more = f", and {plural(len(ahead) - 1, 'more command')} like it" if ahead[1:] else ""
        yield _seen(ahead[0], f"{_shown(ahead[0])} was sent before the last reply{more}; PIPELINING was not offered")


def _behind_the_last(dialogue: Dialogue) -> Iterator[Seen]:
    found: dict[str, Step] = {}
    for step in dialogue.steps:
        if step.command.verb in _LAST and step.command.followed and not step.misled:
            found.setdefault(step.command.verb, step)
    for verb, step in found.items():
        yield _seen(step, f"something was sent right behind {verb}, whose reply has to be awaited")


# --- in which order -------------------------------------------------------------------------------------------------


def out_of_step(facts: Facts) -> Iterator[Seen]:
    """500, 501, 503 or 555 that no rule gave, unless the command was pipelined behind a refusal."""
    for step in facts.steps:
        call = step.call
        if call.code not in _OUT_OF_STEP or call.rule is not None or step.misled or step.behind_refusal:
            continue
        if call.reply is not None and call.reply != AUTH_CANCELLED:  # RFC 4954 section 4: the reply to a client's "*"
            yield _seen(step, f"{_shown(step)} was answered {short(call.reply.line)!r}")


def limits(facts: Facts) -> Iterator[Seen]:
    """More recipients or messages than LIMITS offers; a message over SIZE, sent without declaring its size."""
    for step in facts.steps:
        offered = _limits(step)
        most = offered.get("RCPTMAX")
        if step.command.verb == "RCPT" and most is not None and step.recipients >= most:
            yield _seen(step, f"{_shown(step)} was sent for recipient {step.recipients + 1} of {most} (LIMITS)")
        most = offered.get("MAILMAX")
        if step.command.verb == "MAIL" and most is not None and step.messages >= most:
            yield _seen(step, f"{_shown(step)} was sent for message {step.messages + 1} of {most} (LIMITS)")
    for mail in facts.mails:
        yield from _over_size(mail)


def _over_size(mail: Mail) -> Iterator[Seen]:
    step, size = mail.begun_by, mail.envelope.size
    most = "" if step is None or step.offered is None else step.offered.get("SIZE", "")
    if step is None or not most.isdigit() or not 0 < int(most) < size:  # RFC 1870 section 4: 0 is no limit
        return
    declared = mail.envelope.mail_from.args.get("SIZE")
    parameter = "without SIZE=" if declared is None else f"with SIZE={short(printable(str(declared)))}"
    text = f"a message of {size:,} bytes was sent {parameter}; the server takes {int(most):,}"
    yield Seen(mail.at, text, mail.envelope.session, mail.envelope, "RFC 1870 5")


def _limits(step: Step) -> dict[str, int]:
    """The limits that LIMITS announces (RFC 9422)."""
    words = (step.offered or {}).get("LIMITS", "").upper().split()
    pairs = [word.partition("=") for word in words]
    return {name: int(value) for name, _, value in pairs if value.isascii() and value.isdigit()}


def helo_first(facts: Facts) -> Iterator[Seen]:
    """HELO without having tried EHLO."""
    for dialogue in facts.dialogues:
        hellos = [step for step in dialogue.steps if step.command.verb in _HELLOS]
        if dialogue.from_start and hellos and hellos[0].command.verb == "HELO":
            yield _seen(hellos[0], f"{_shown(hellos[0])} came first; EHLO was not tried")


def no_quit(facts: Facts) -> Iterator[Seen]:
    """The client has closed the connection without QUIT, and no rule had kept it waiting, misled it or sent it away."""
    for dialogue in facts.dialogues:
        session = dialogue.session
        closed = session.ended in ("client", "client-reset") and session.tls_error is None
        if closed and "QUIT" not in session.commands and _was_greeted(dialogue) and not _has_reason_to_leave(dialogue):
            last = session.commands[-1] if session.commands else "the greeting"
            at = dialogue.calls[-1].at
            yield Seen(at, f"the client closed the connection after {printable(short(last))}", session)


def _was_greeted(dialogue: Dialogue) -> bool:
    return any(call.hook == "connect" and call.outcome == "accepted" for call in dialogue.calls)


def _has_reason_to_leave(dialogue: Dialogue) -> bool:
    """Whether the server announced the end, or a rule kept the client waiting or misled it."""
    hangs = any(call.outcome in ("dropped", "hung") and call.rule is not None for call in dialogue.calls)
    return hangs or dialogue.misled or any(call.code == 421 for call in dialogue.calls)


# --- how they are written -------------------------------------------------------------------------------------------


def ehlo_name(facts: Facts) -> Iterator[Seen]:
    """An EHLO or HELO whose name is neither a domain nor an address literal."""
    yield from (
        _seen(step, f"{_shown(step)} names no domain and no address literal")
        for step, name in _names(facts)
        if not _is_domain(name) and not is_address_literal(name)
    )


def ehlo_unqualified(facts: Facts) -> Iterator[Seen]:
    """A name that means nothing to the server's network."""
    for step, name in _names(facts):
        if _is_domain(name) and ("." not in name or name.lower().endswith(_LOCAL)):
            yield _seen(step, f"{_shown(step)} is not the full name of a host that others could look up")


def _names(facts: Facts) -> Iterator[tuple[Step, str]]:
    """The greetings, each name of a connection once."""
    for dialogue in facts.dialogues:
        found: dict[str, Step] = {}
        for step in dialogue.steps:
            if step.command.verb in _HELLOS:
                found.setdefault(step.command.argument.strip(" \t"), step)
        yield from ((step, name) for name, step in found.items())


def _is_domain(name: str) -> bool:
    return name.isascii() and is_domain(name)


def long_commands(facts: Facts) -> Iterator[Seen]:
    """Command lines and paths over what RFC 5321 section 4.5.3.1 allows; more by what the extensions on offer allow."""
    for step in facts.steps:
        problem = _line_problem(step)
        if problem:
            yield _seen(step, problem, "RFC 5321 4.5.3.1.4")
    for dialogue in facts.dialogues:
        yield from _long_paths(dialogue)


def _line_problem(step: Step) -> str:
    reply, octets, most = step.call.reply, len(step.command.raw), _longest(step)
    if not octets and reply == LINE_TOO_LONG:  # the line itself has been discarded
        return f"a command line was longer than {MAX_LINE:,} octets"
    if reply == SASL_LINE_TOO_LONG:
        return f"a line of an AUTH exchange was longer than {MAX_LINE:,} octets"
    return f"{_shown(step)} has {octets:,} octets, of {most:,}" if octets > most else ""


def _long_paths(dialogue: Dialogue) -> Iterator[Seen]:
    for call in dialogue.calls:
        octets = len(str(call.argument).encode()) + 2 if call.about in ("sender", "recipient") else 0
        if octets > MAX_PATH:
            text = f"<{printable(short(str(call.argument)))}> has {octets} octets, of {MAX_PATH}"
            yield Seen(call.at, text, call.session, None, "RFC 5321 4.5.3.1.3")


def _longest(step: Step) -> int:
    """The octets that a command may have, without its CRLF."""
    verb = step.command.verb
    if verb == "AUTH":
        return MAX_LINE
    offered = EXTENSIONS if step.offered is None else step.offered
    return 510 + sum(EXTENSIONS.get(keyword, NOT_KNOWN).more_octets.get(verb, 0) for keyword in offered)


def utf8_addresses(facts: Facts) -> Iterator[Seen]:
    """MAIL or RCPT with a non-ASCII address, in a transaction without SMTPUTF8."""
    for step in facts.steps:
        if step.command.verb in ("MAIL", "RCPT") and not step.command.raw.isascii() and not step.utf8:
            yield _seen(step, f"{_shown(step)} has an address that is not ASCII, without SMTPUTF8")
