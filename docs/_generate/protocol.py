"""Writes docs/reference/protocol.md and docs/reference/states.svg from the tables that the server itself uses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from diagram import diagram  # noqa: E402 - found by the line above
from tables import code, explained, fill, note, table, write_or_check  # noqa: E402

from pytest_smtpd.settings import make_settings  # noqa: E402
from pytest_smtpd.smtp import replies  # noqa: E402
from pytest_smtpd.smtp.commands import VERBS  # noqa: E402
from pytest_smtpd.smtp.extensions import EXTENSIONS, Extension, Parameter  # noqa: E402
from pytest_smtpd.smtp.replies import STANDARD, Reply  # noqa: E402
from pytest_smtpd.smtp.sasl import MECHANISMS  # noqa: E402
from pytest_smtpd.smtp.session import Session  # noqa: E402
from pytest_smtpd.smtp.states import EVENTS, EXPECTS_COMMAND, SEQUENCE, State  # noqa: E402
from pytest_smtpd.smtp.tls import TLSInfo  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPT = "protocol.py"

# --- verbs ----------------------------------------------------------------------------------------------------------

ALWAYS = VERBS["NOOP"].offered


def verbs() -> str:
    conditional = [verb for verb, row in VERBS.items() if row.offered is not ALWAYS]
    explained(conditional, {verb: row.condition for verb, row in VERBS.items() if row.condition}, "conditions of verbs")
    rows = [
        (code(verb), row.rfc, where(verb), row.condition, missing(row.missing) if row.condition else "")
        for verb, row in VERBS.items()
    ]
    return table(("verb", "defined in", "in state", "offered", "where it is not"), rows)


def missing(reply: Reply) -> str:
    """The reply to a verb that is not offered."""
    return code(f"{reply.code} {reply.enhanced}")


def where(verb: str) -> str:
    """The states in which a verb may come."""
    found = [state for state in SEQUENCE if verb in SEQUENCE[state] and state in EXPECTS_COMMAND]
    if not found or VERBS[verb].parse is VERBS["TURN"].parse:
        return "never: `502 5.5.1`"
    usual = [state for state in SEQUENCE if "NOOP" in SEQUENCE[state]]
    return "any" if set(usual) <= set(found) else ", ".join(state.value for state in found)


# --- extensions and mechanisms --------------------------------------------------------------------------------------


def extensions() -> str:
    rows = [
        (code(keyword), row.rfc, advertised(row), parameters(row.mail), parameters(row.rcpt))
        for keyword, row in EXTENSIONS.items()
    ]
    return table(("EHLO keyword", "defined in", "advertised by default", "parameters of MAIL", "of RCPT"), rows)


def advertised(row: Extension) -> str:
    """What a server with default settings advertises, in clear text and under TLS."""
    sessions = Session(id=""), Session(id="", tls=TLSInfo())
    clear, secure = (row.argument(make_settings({}), session) for session in sessions)
    lines = [(word, text) for word, text in (("in clear text", clear), ("under TLS", secure)) if text is not None]
    if not lines:
        return "no"
    when = "yes" if len(lines) == 2 else lines[0][0]
    return f"{when}, {code(lines[0][1])}" if lines[0][1] else when


def parameters(known: Mapping[str, Parameter]) -> str:
    """Each parameter, and the attribute that it fills."""
    return "<br>".join(code(name) + filled(parameter) for name, parameter in known.items())


def filled(parameter: Parameter) -> str:
    attribute = ".".join(filter(None, (parameter.attribute, parameter.part)))
    return f" → {code(attribute)}" if attribute else ""


def mechanisms() -> str:
    rows = [
        (code(name), row.rfc, *map(yes_or_no, (not row.needs_password, row.client_first, not row.secret_in_clear)))
        for name, row in MECHANISMS.items()
    ]
    return table(("mechanism", "defined in", '`auth="any"`', "initial response", "keeps the password secret"), rows)


def yes_or_no(value: object) -> str:
    return "yes" if value else "no"


# --- replies --------------------------------------------------------------------------------------------------------


def catalogue() -> dict[int, list[Reply]]:
    """Every reply that the server can give by itself, or for a bare code, by code."""
    known = [*(value for value in vars(replies).values() if isinstance(value, Reply)), *map(replies.standard, STANDARD)]
    found: dict[int, list[Reply]] = {number: [] for number in STANDARD}
    for reply in known:
        if reply.code not in found:
            raise SystemExit(f"STANDARD has no row for the code of {reply!r}")
        if reply not in found[reply.code]:
            found[reply.code].append(reply)
    return found


def reply_codes() -> str:
    rows = [(code(str(number)), STANDARD[number].rfc, texts(given)) for number, given in catalogue().items()]
    return table(("reply code", "defined in", "texts"), rows)


def texts(known: list[Reply]) -> str:
    return "<br>".join(code(str(reply).partition(" ")[2]) for reply in known if reply.text)


# --- states ---------------------------------------------------------------------------------------------------------


def transitions() -> str:
    events = dict.fromkeys(event for state in SEQUENCE for event in SEQUENCE[state] if state not in EXPECTS_COMMAND)
    explained(events, EVENTS, "events that are no commands")
    rows = [(state.value, coming(state), moves(state)) for state in SEQUENCE]
    return table(("state", "what may come", "and where it leads"), rows)


USUAL = ("EHLO", "HELO", "LHLO", "NOOP", "HELP", "VRFY", "EXPN", "QUIT")
HELLO = USUAL[:3]


def coming(state: State) -> str:
    """What may come; what may nearly always come in two words."""
    events = list(SEQUENCE[state])
    usual = set(USUAL) <= set(events)
    special = [event_word(event, state) for event in events if not (usual and event in USUAL)]
    return ", ".join([*(["the usual"] if usual else []), *special]) or "nothing"


def event_word(event: str, state: State) -> str:
    """A verb as code; what is no command in plain words."""
    return code(event) if state in EXPECTS_COMMAND else EVENTS[event]


def moves(state: State) -> str:
    """Each next state, with the events and the first digits of the reply."""
    found: dict[tuple[State, str], list[str]] = {}
    for event, digits in SEQUENCE[state].items():
        ways: dict[State, list[int]] = {}
        for digit, after in digits.items():
            ways.setdefault(after, []).append(digit)
        for after, which in ways.items():
            if after is not state and event != "QUIT":
                found.setdefault((after, answer(which)), []).append(event)
    return "<br>".join(
        f"{events_words(events, state)}{digits}: **{after.value}**" for (after, digits), events in found.items()
    )


def events_words(events: list[str], state: State) -> str:
    hello = ["a hello"] if set(HELLO) <= set(events) else []
    return " or ".join([*hello, *(event_word(event, state) for event in events if event not in HELLO)])


def answer(digits: list[int]) -> str:
    """The first digits of the replies; nothing where all lead here, or none is due."""
    words = [f"{digit}xx" for digit in digits if digit]
    return "" if len(digits) > 4 or not words else f" {' or '.join(words)}"


def page() -> str:
    parts = {
        "verbs": verbs(),
        "extensions": extensions(),
        "mechanisms": mechanisms(),
        "replies": reply_codes(),
        "transitions": transitions(),
    }
    return note(SCRIPT) + fill("protocol", parts)


PAGES = {"reference/protocol.md": page, "reference/states.svg": lambda: diagram(SEQUENCE)}

if __name__ == "__main__":
    write_or_check(PAGES)
