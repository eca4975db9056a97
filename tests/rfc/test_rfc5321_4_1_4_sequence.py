"""RFC 5321 section 4.1.4: what may follow what. Every verb in every state, and proof of the state it leads to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rfc.dialogue import DATA, EHLO, MAIL, MESSAGE, RCPT, Dialogue, dialogues

LOGIN = "C: AUTH PLAIN AGFubgBzM2NyZXQ=\nS: 235 2.7.0\n"
CHUNK = "C: BDAT 7\nC> half\\r\\n,\nS: 250\n"

STATES = {
    "connected": "",
    "HELO": "C: HELO client.example\nS: 250\n",
    "EHLO": EHLO,
    "logged in": EHLO + LOGIN,
    "MAIL": MAIL,
    "RCPT": RCPT,
    "BDAT": RCPT + CHUNK,
    "delivered": DATA + MESSAGE,
    "reset": RCPT + "C: RSET\nS: 250\n",
}

# What tells one state from another: which command is accepted there, and which is not.
DELIVERS = f"C: DATA\nS: 354\n{MESSAGE}"
READY = f"C: RCPT TO:<carol@server.example>\nS: 503\nC: DATA\nS: 503/554\n{MAIL.removeprefix(EHLO)}"
PROOFS = {
    "connected": f"C: MAIL FROM:<ann@client.example>\nS: 503\nC: RCPT TO:<carol@server.example>\nS: 503\n{EHLO}",
    "greeted": READY,
    "logged in": f"C: AUTH PLAIN AGFubgBzM2NyZXQ=\nS: 503\n{READY}",
    "MAIL": f"C: MAIL FROM:<>\nS: 503\nC: DATA\nS: 503/554\nC: RCPT TO:<carol@server.example>\nS: 250\n{DELIVERS}",
    "RCPT": f"C: MAIL FROM:<>\nS: 503\n{DELIVERS}",
    "DATA": MESSAGE,
    "BDAT": "C: BDAT 6 LAST\nC> done\\r\\n\nS: 250\nC: RCPT TO:<carol@server.example>\nS: 503\n",
    "TLS": f"TLS\nC: MAIL FROM:<ann@client.example>\nS: 503\n{EHLO}",
    "closed": "CLOSED\n",
}
# The state a refused command leaves behind: the one it came from.
SAME = {"HELO": "greeted", "EHLO": "greeted", "delivered": "greeted", "reset": "greeted"}

GREETED = ("HELO", "EHLO", "logged in", "delivered", "reset")
TRANSACTION = ("MAIL", "RCPT", "BDAT")
ALL = tuple(STATES)

# verb -> (command, the state it leads to where it is accepted, with which code, in which states; the code elsewhere)
VERBS: dict[str, tuple[str, str, str, tuple[str, ...], str]] = {
    "EHLO": ("C: EHLO client.example", "greeted", "250", ALL, ""),
    "HELO": ("C: HELO client.example", "greeted", "250", ALL, ""),
    "MAIL": ("C: MAIL FROM:<ann@client.example>", "MAIL", "250", GREETED, "503"),
    "RCPT": ("C: RCPT TO:<bob@server.example>", "RCPT", "250", ("MAIL", "RCPT"), "503"),
    "DATA": ("C: DATA", "DATA", "354", ("RCPT",), "503/554"),
    "BDAT": ("C: BDAT 6\nC> QUIT\\r\\n", "BDAT", "250", ("RCPT", "BDAT"), "503/554"),
    "BDAT LAST": ("C: BDAT 6 LAST\nC> QUIT\\r\\n", "greeted", "250", ("RCPT", "BDAT"), "503/554"),
    "RSET": ("C: RSET", "greeted", "250", tuple(state for state in ALL if state != "connected"), "250"),
    "NOOP": ("C: NOOP", "", "250", (), "250"),
    "VRFY": ("C: VRFY bob", "", "252", (), "252"),
    "EXPN": ("C: EXPN list", "", "", (), "250/252/502/550"),
    "HELP": ("C: HELP", "", "", (), "211/214"),
    "unknown": ("C: FROBNICATE", "", "", (), "500"),
    "LHLO": ("C: LHLO client.example", "", "", (), "500/502"),
    "XCLIENT": ("C: XCLIENT ADDR=192.0.2.1", "", "", (), "500/502/550"),
    "XFORWARD": ("C: XFORWARD ADDR=192.0.2.1", "", "", (), "500/502/550"),
    "AUTH": (LOGIN.split("\n", maxsplit=1)[0], "logged in", "235", ("EHLO", "delivered", "reset"), "503"),
    "STARTTLS": ("C: STARTTLS", "TLS", "220", ("EHLO", "logged in", "delivered", "reset"), "503"),
    "QUIT": ("C: QUIT", "closed", "221", ALL, ""),
}
# RFC 3207 and RFC 4954 leave open whether a session without EHLO may begin them.
OPEN = {("STARTTLS", "connected"), ("STARTTLS", "HELO"), ("AUTH", "HELO")}


def pair(verb: str, state: str) -> Dialogue:
    command, target, code, where, otherwise = VERBS[verb]
    accepted = state in where
    if accepted and target == "greeted" and state == "logged in":
        target = state
    reached = target if accepted else SAME.get(state, state)
    return Dialogue(
        f"{verb} after {state}".replace(" ", "_"),
        "4.1.4",
        "out of order ... a 503 failure reply MUST be returned and the SMTP server MUST stay in the same state",
        f"{command}\nS: {code if accepted else otherwise}\n{PROOFS[reached]}",
        after=STATES[state],
    )


PAIRS = [pair(verb, state) for verb in VERBS for state in STATES if (verb, state) not in OPEN]


@dialogues(PAIRS)
def test_every_verb_in_every_state(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


@pytest.mark.parametrize("verb", VERBS)
def test_every_pair_is_covered(verb: str) -> None:
    titles = {dialogue.title for dialogue in PAIRS}
    missing = [state for state in STATES if f"{verb} after {state}".replace(" ", "_") not in titles]
    assert {(verb, state) for state in missing} <= OPEN
