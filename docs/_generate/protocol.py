"""Writes docs/reference/protocol.md and docs/reference/states.svg from the tables that the server itself uses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from diagram import diagram  # noqa: E402 - found by the line above
from tables import code, codes, explained, note, table, write_or_check  # noqa: E402

from pytest_smtpd.smtp import replies  # noqa: E402
from pytest_smtpd.smtp.commands import VERBS  # noqa: E402
from pytest_smtpd.smtp.extensions import EXTENSIONS  # noqa: E402
from pytest_smtpd.smtp.options import Options  # noqa: E402
from pytest_smtpd.smtp.replies import Reply  # noqa: E402
from pytest_smtpd.smtp.session import Session, TLSInfo  # noqa: E402
from pytest_smtpd.smtp.states import SEQUENCE, State  # noqa: E402

SCRIPT = "protocol.py"

# ---------------------------------------------------------------- verbs

ALWAYS = VERBS["NOOP"].offered
WANTED = {
    "EHLO": "not in LMTP",
    "HELO": "not in LMTP",
    "LHLO": "`lmtp=True`",
    "STARTTLS": '`tls="starttls"`',
    "AUTH": "unless `auth=None`",
    "BDAT": 'unless `disable={"CHUNKING"}`',
    "XCLIENT": "`xclient=True`",
    "XFORWARD": "`xforward=True`",
}


def verbs() -> str:
    wanted = dict(explained([verb for verb, row in VERBS.items() if row.offered is not ALWAYS], WANTED, "verbs"))
    rows = [
        (code(verb), row.rfc, where(verb), wanted.get(verb, ""), missing(row.missing) if verb in wanted else "")
        for verb, row in VERBS.items()
    ]
    return table(("verb", "defined in", "in state", "offered", "where it is not"), rows)


def missing(reply: Reply) -> str:
    """What is said to a verb that is not offered."""
    return code(f"{reply.code} {reply.enhanced}")


def where(verb: str) -> str:
    """The states in which a verb may come."""
    found = [state for state in SEQUENCE if verb in SEQUENCE[state]]
    if not found or VERBS[verb].parse is VERBS["TURN"].parse:
        return "never: `502 5.5.1`"
    usual = [state for state in SEQUENCE if "NOOP" in SEQUENCE[state]]
    return "any" if set(usual) <= set(found) else ", ".join(state.value for state in found)


# ---------------------------------------------------------------- extensions


def extensions() -> str:
    rows = [
        (code(keyword), row.rfc, advertised(row), codes(row.mail), codes(row.rcpt))
        for keyword, row in EXTENSIONS.items()
    ]
    return table(("EHLO keyword", "defined in", "advertised by default", "parameters of MAIL", "of RCPT"), rows)


def advertised(row: Any) -> str:
    """What a server with default settings says, in clear and under TLS."""
    clear, secure = (row.argument(Options(), session) for session in (Session(id=""), Session(id="", tls=TLSInfo())))
    said = [(word, text) for word, text in (("in clear", clear), ("under TLS", secure)) if text is not None]
    if not said:
        return "no"
    when = "yes" if len(said) == 2 else said[0][0]
    return f"{when}, {code(said[0][1])}" if said[0][1] else when


# ---------------------------------------------------------------- replies

RFC_OF_CODE = {
    "211": "RFC 5321 4.2.3",
    "214": "RFC 5321 4.2.3",
    "220": "RFC 5321 3.1, 4.2.3; RFC 3207 4",
    "221": "RFC 5321 4.1.1.10",
    "235": "RFC 4954 6",
    "250": "RFC 5321 4.2.3",
    "251": "RFC 5321 3.4",
    "252": "RFC 5321 3.5.3",
    "334": "RFC 4954 4",
    "354": "RFC 5321 4.1.1.4",
    "421": "RFC 5321 3.8, 4.2.3",
    "432": "RFC 4954 6",
    "450": "RFC 5321 4.2.3",
    "451": "RFC 5321 4.2.3",
    "452": "RFC 5321 4.2.3, 4.5.3.1.10",
    "454": "RFC 4954 6; RFC 3207 4",
    "455": "RFC 5321 4.1.1.11",
    "500": "RFC 5321 4.2.4, 4.5.3.1",
    "501": "RFC 5321 4.2.3; RFC 4954 4",
    "502": "RFC 5321 4.2.4",
    "503": "RFC 5321 4.1.4; RFC 3030 2",
    "504": "RFC 5321 4.2.3; RFC 4954 4",
    "521": "RFC 7504",
    "523": "RFC 5248",
    "530": "RFC 4954 6; RFC 3207 4",
    "534": "RFC 4954 6",
    "535": "RFC 4954 6",
    "538": "RFC 4954 6",
    "550": "RFC 5321 4.2.3",
    "551": "RFC 5321 3.4",
    "552": "RFC 5321 4.2.3; RFC 1870 6",
    "553": "RFC 5321 4.2.3; RFC 6531 3.5",
    "554": "RFC 5321 3.1, 4.2.3",
    "555": "RFC 5321 4.1.1.11",
    "556": "RFC 7504",
}


def catalogue() -> dict[str, list[Reply]]:
    """Every reply that the server can give by itself, or for a bare code, by code."""
    own = [value for value in vars(replies).values() if isinstance(value, Reply)]
    known = [*own, *replies.REFUSALS.values(), *map(replies.standard, replies.STANDARD)]
    found: dict[str, list[Reply]] = {str(number): [] for number in replies.STANDARD}
    for reply in known:
        if reply not in found[str(reply.code)]:
            found[str(reply.code)].append(reply)
    return found


def reply_codes() -> str:
    given = catalogue()
    rows = [(number, rfc, texts(given[number])) for number, rfc in explained(given, RFC_OF_CODE, "reply codes")]
    return table(("code", "defined in", "texts"), rows)


def texts(known: list[Reply]) -> str:
    return "<br>".join(code(str(reply).partition(" ")[2]) for reply in known if reply.text)


# ---------------------------------------------------------------- states


def transitions() -> str:
    rows = [(state.value, coming(state), moves(state)) for state in SEQUENCE]
    return table(("state", "what may come", "and where it leads"), rows)


USUAL = ("EHLO", "HELO", "LHLO", "NOOP", "HELP", "VRFY", "EXPN", "QUIT")
GREETINGS = USUAL[:3]


def coming(state: State) -> str:
    """What may come; what may nearly always come in two words."""
    events = list(SEQUENCE[state])
    usual = set(USUAL) <= set(events)
    special = [event_word(event) for event in events if not (usual and event in USUAL)]
    return ", ".join([*(["the usual"] if usual else []), *special]) or "no command"


def event_word(event: str) -> str:
    """A verb as code; what is no command in plain words."""
    return code(event) if event.isupper() else f"the {WORDS[event]}"


WORDS = {
    "connect": "answer to `connect`",
    "secure": "answer to `secure`",
    "response": "verdict on the client's line",
    "chunk": "answer to a chunk",
    "content": "answer to the message",
}


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
    return "<br>".join(f"{events_words(events)}{told}: **{after.value}**" for (after, told), events in found.items())


def events_words(events: list[str]) -> str:
    greeting = ["a greeting"] if set(GREETINGS) <= set(events) else []
    return " or ".join([*greeting, *(event_word(event) for event in events if event not in GREETINGS)])


def answer(digits: list[int]) -> str:
    """The first digits of the replies; nothing where all lead here, or none is due."""
    words = [f"{digit}xx" for digit in digits if digit]
    return "" if len(digits) > 4 or not words else f" {' or '.join(words)}"


PAGE = """\
# Protocol

From the tables by which the server itself works.

## Verbs

{verbs}
An unknown verb is `500 5.5.2`, one of the setting `disable` is `502 5.5.1`.

## Extensions

{extensions}
Parameters of MAIL and RCPT that no extension brings are refused with `555 5.5.4`, values that a parameter cannot have
with `501 5.5.4`. `SIZE` shows a number with `size=`, and `LIMITS` is there with `max_recipients` or `max_messages`.

## Reply codes

The texts that the server gives by itself, or for a bare code of a rule.

{replies}
## States

![State diagram: from connected, over the greeting and the transaction, to closed](states.svg)

Two rules hold everywhere. What is not in the table is out of sequence: a 503, and nothing else happens. And the first
digit of the *reply* leads on, whoever gave it; a digit without an entry leaves the state alone, so a refused RCPT
cannot harm its transaction. QUIT closes from every state that expects a command, and a 421 closes from every state.
The usual: NOOP, HELP, VRFY, EXPN, QUIT and a greeting, which is EHLO, HELO or LHLO.

{transitions}"""


def page() -> str:
    parts = {
        "verbs": verbs(),
        "extensions": extensions(),
        "replies": reply_codes(),
        "transitions": transitions(),
    }
    return note(SCRIPT) + PAGE.format(**parts)


PAGES = {"reference/protocol.md": page, "reference/states.svg": lambda: diagram(SEQUENCE)}

if __name__ == "__main__":
    write_or_check(PAGES)
