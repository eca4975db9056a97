"""RFC 5321 section 4.1.1: "receivers SHOULD tolerate trailing white space before the terminating <CRLF>"."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rfc.sasl import plain
from tests.rfc.wire import Connect, Serve

SPACES = [" ", "\t", " \t", "\t ", "  ", "\t\t", " \t \t "]
EVERYTHING: dict[str, Any] = {"xclient": True, "xforward": True}

# A command, and those before it; it is answered as it is without the white space.
COMMANDS: dict[str, list[str]] = {
    "EHLO c": [],
    "HELO c": [],
    "NOOP": [],
    "NOOP words": [],
    "RSET": [],
    "QUIT": [],
    "HELP": [],
    "HELP MAIL": [],
    "VRFY ada": [],
    "VRFY": [],
    "EXPN list": [],
    "STARTTLS": [],
    "WHATEVER": [],
    "AUTH PLAIN": ["EHLO c"],
    f"AUTH PLAIN {plain('ada', 's3cret')}": ["EHLO c"],
    "AUTH": ["EHLO c"],
    "MAIL FROM:<a@x.example>": ["EHLO c"],
    "MAIL FROM:<>": ["EHLO c"],
    "MAIL FROM:<a@x.example> SIZE=10 BODY=8BITMIME": ["EHLO c"],
    "MAIL FROM:a@x.example": ["EHLO c"],
    "RCPT TO:<b@x.example>": ["EHLO c", "MAIL FROM:<a@x.example>"],
    "RCPT TO:<b@x.example> NOTIFY=NEVER": ["EHLO c", "MAIL FROM:<a@x.example>"],
    "DATA": ["EHLO c", "MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>"],
    "BDAT 0": ["EHLO c", "MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>"],
    "BDAT 0 LAST": ["EHLO c", "MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>"],
    "XCLIENT ADDR=192.0.2.1": ["EHLO c"],
    "XFORWARD ADDR=192.0.2.1": ["EHLO c"],
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.replace(" ", "_")[:30])
def test_trailing_white_space_changes_nothing(serve: Serve, client: Connect, command: str) -> None:
    server = serve(**EVERYTHING)
    replies = []
    for space in ["", *SPACES]:
        wire = client(server)
        wire.steps(*COMMANDS[command])
        replies.append(wire.say(command + space))
        wire.close()
    assert replies == replies[:1] * len(replies)


@pytest.mark.parametrize("space", SPACES)
def test_a_message_sent_with_it_arrives(serve: Serve, client: Connect, space: str) -> None:
    server = serve()
    wire = client(server)
    for command in ("EHLO c", "MAIL FROM:<a@x.example>", "RCPT TO:<b@x.example>", "DATA"):
        wire.steps(command + space)
    wire.steps("x\r\n.")
    assert wire.say("QUIT" + space).code == 221
    assert wire.rest() == b""
    envelope = server.one()
    assert (envelope.mail_from, list(envelope.rcpt_to)) == ("a@x.example", ["b@x.example"])
    assert server.log.sessions()[0].hostname_appears_as == "c"


@pytest.mark.parametrize("space", SPACES)
def test_it_does_not_hide_a_command_from_a_rule(serve: Serve, client: Connect, space: str) -> None:
    server = serve()
    server.on("command", verb="NOOP", reply=550)
    assert client(server).say("NOOP" + space).code == 550


def test_a_tab_inside_a_command_line_is_no_trailing_white_space(serve: Serve, client: Connect) -> None:
    """The grammar has a space between a verb and its argument, and no control characters in either."""
    wire = client(serve(), ehlo=True)
    assert wire.say("MAIL\tFROM:<a@x.example>").code == 500
    assert wire.say("MAIL FROM:<a@x.example>\tSIZE=1").code == 501


def test_a_line_of_white_space_is_no_command(serve: Serve, client: Connect) -> None:
    wire = client(serve(), ehlo=True)
    assert wire.say(" \t ").code == 500
