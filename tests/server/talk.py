"""What clients of these tests say, and how a test looks at what the server made of it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

from pytest_smtpd import Call, Rule, SMTPServer
from tests.rfc.wire import Wire

Serve = Callable[..., SMTPServer]
Connect = Callable[..., Wire]

HELLO = "EHLO client.example"
LHLO = "LHLO client.example"
MAIL = "MAIL FROM:<app@example.com>"
ADA = "RCPT TO:<ada@example.com>"
BOB = "RCPT TO:<bob@example.com>"
EVE = "RCPT TO:<eve@example.com>"
DATA = "DATA"
BODY = "Subject: Hi\r\n\r\nHello\r\n."
CONTENT = b"Subject: Hi\r\n\r\nHello\r\n"
CHUNK = "BDAT 7\r\nhello"  # the line's end belongs to the chunk
LAST_CHUNK = "BDAT 7 LAST\r\nhello"
PLAIN = f"AUTH PLAIN {b64encode(b'%cada%cpw' % (0, 0)).decode()}"
TOKEN = f"AUTH XOAUTH2 {b64encode(b'user=ada%cauth=Bearer x%c%c' % (1, 1, 1)).decode()}"
STARTTLS = "STARTTLS"

# What a client says, after the greeting, to get to each hook; the last line is what brings the call.
WAYS: dict[str, tuple[str, ...]] = {
    "command": ("NOOP",),
    "auth": (HELLO, PLAIN),
    "mail_from": (HELLO, MAIL),
    "rcpt_to": (HELLO, MAIL, ADA),
    "data": (HELLO, MAIL, ADA, DATA, BODY),
}


def script(*lines: str) -> bytes:
    """These lines at once, for a client that does not wait for its replies."""
    return "".join(f"{line}\r\n" for line in lines).encode()


def codes(wire: Wire, *lines: str) -> list[int]:
    """The codes of the replies to these lines, each said when the one before it is answered."""
    return [wire.say(line).code for line in lines]


def listen(wire: Wire, count: int) -> list[int]:
    """The codes of the next replies."""
    return [wire.reply().code for _ in range(count)]


def told_at(hook: str, wire: Wire) -> list[int]:
    """Go from the first byte to a hook: the codes of all replies, the greeting's too."""
    return [wire.reply().code, *codes(wire, *WAYS.get(hook, ()))]


def to_data(wire: Wire, *recipients: str, hello: str = HELLO) -> None:
    """Say all that comes before the content."""
    wire.steps(hello, MAIL, *(recipients or (ADA,)), DATA)


def point(call: Call) -> str:
    """The hook of a call, or the verb of a command."""
    return str(call.argument.verb) if call.hook == "command" else call.hook


def points(server: SMTPServer) -> str:
    """The hook points that were reached, in order."""
    return " ".join(map(point, server.log))


def last(server: SMTPServer, name: str) -> Call:
    """The last call of this hook, or command of this verb."""
    return [call for call in server.log if name in (call.hook, point(call))][-1]


def mistakes(server: SMTPServer) -> list[BaseException]:
    """What hooks and matches have raised by mistake; a test that does not ask for it fails by it."""
    raised, server.errors[:] = list(server.errors), []
    return raised


def nothing(*args: object) -> None:
    """A hook that returns."""


def used(rules: list[Rule]) -> list[int]:
    """How often each of them was applied."""
    return [rule.used for rule in rules]
