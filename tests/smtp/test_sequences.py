"""RFC 5321 section 4.1.4: any sequence of commands, against a model with three facts."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.smtp.core import Core, core

LOGIN = "AUTH PLAIN AGFubgBzM2NyZXQ="
WHOLE_MESSAGE = "DATA\r\nSubject: x\r\n\r\nQUIT\r\n."
LINES = (
    "EHLO client.example",
    "HELO client.example",
    "MAIL FROM:<ann@client.example>",
    "MAIL FROM:<@broken>",
    "RCPT TO:<bob@server.example>",
    "RCPT TO:<@broken>",
    WHOLE_MESSAGE,
    "BDAT 0",
    "BDAT 0 LAST",
    "RSET",
    "NOOP",
    "VRFY bob",
    "WHAT",
    LOGIN,
)
ALWAYS = {"NOOP": [250], "VRFY bob": [252], "WHAT": [500]}


@dataclass
class Model:
    """What section 4.1.4 says has to be remembered."""

    greeted: bool = False
    user: bool = False
    open: str = ""
    delivered: int = 0

    def hear(self, line: str) -> list[int]:
        """The codes that a line may be answered with."""
        verb = line.split(" ", maxsplit=1)[0].split("\r", maxsplit=1)[0]
        return HEARD[verb](self, line)

    def nothing(self, line: str) -> list[int]:
        return ALWAYS[line]

    def reset(self, line: str) -> list[int]:
        self.open = ""
        return [250]

    def greet(self, line: str) -> list[int]:
        self.greeted, self.open = True, ""
        return [250]

    def log_in(self, line: str) -> list[int]:
        if not self.greeted or self.user or self.open:
            return [503]
        self.user = True
        return [235]

    def sender(self, line: str) -> list[int]:
        if "broken" in line:
            return [501, 503]
        if not self.greeted or self.open:
            return [503]
        self.open = "MAIL"
        return [250]

    def recipient(self, line: str) -> list[int]:
        if "broken" in line:
            return [501, 503]
        if self.open not in ("MAIL", "RCPT"):
            return [503]
        self.open = "RCPT"
        return [250]

    def chunk(self, line: str) -> list[int]:
        if self.open not in ("RCPT", "BDAT"):
            return [503]
        self.open = "" if line.endswith("LAST") else "BDAT"
        self.delivered += not self.open
        return [250]

    def message(self, line: str) -> list[int]:
        if self.open != "RCPT":
            return [503]
        self.open = ""
        self.delivered += 1
        return [250]


HEARD = {
    "EHLO": Model.greet,
    "HELO": Model.greet,
    "AUTH": Model.log_in,
    "MAIL": Model.sender,
    "RCPT": Model.recipient,
    "BDAT": Model.chunk,
    "DATA": Model.message,
    "RSET": Model.reset,
    "NOOP": Model.nothing,
    "VRFY": Model.nothing,
    "WHAT": Model.nothing,
}


def said(client: Core, line: str) -> int:
    """The code of the reply that decides: the one after the content, where there is content."""
    command, _, content = line.partition("\r\n")
    code = client.say(command).code
    if code == 354:
        code = client.say(content).code
    return code


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(st.sampled_from(LINES), max_size=40))
@example([LINES[0], LINES[2], LINES[4], "BDAT 0", "RSET", LINES[2], LINES[4], WHOLE_MESSAGE])
@example([LINES[0], LOGIN, LINES[2], LINES[0], LOGIN, LINES[4]])
def test_any_sequence_of_commands_is_answered_as_the_rfc_says(lines: list[str]) -> None:
    """ "A mail transaction may be aborted by the RSET, a new EHLO, or the QUIT command"; all else keeps its order."""
    client, model = core(), Model()
    assert client.reply().code == 220
    for number, line in enumerate(lines):
        expected = model.hear(line)
        assert said(client, line) in expected, (number, line, lines[:number])
    assert len(client.mails) == model.delivered
