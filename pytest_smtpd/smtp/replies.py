"""Replies (RFC 5321 section 4.2), and the catalogue of the server's own: the only place with reply texts."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_smtpd.errors import ENHANCED, Reject, no_attribute
from pytest_smtpd.smtp.table import Table
from pytest_smtpd.smtp.values import ReadOnly, printable, quoted, set_once, short

__tracebackhide__ = True  # errors point at the caller's line

_LINE_BREAK: Final = r"\r\n|\r|\n"
_LINE: Final = r"(?s)([2-5][0-9][0-9])(?:([ -])(.*))?"
_WIRE_LINE: Final = rb"([2-5][0-9][0-9])(?:([ -])([^\r\n]*))?\r\n"


class Reply(ReadOnly):
    """A reply. Equal to its code (``reply == 550``), and to a reply with the same bytes.

    ``wire`` holds the bytes that are sent, ``digit`` the first digit of the code, which alone decides the next state
    of the session (RFC 5321 section 4.3.2), and ``refuses`` whether that is 4 or 5. Raises ``ValueError`` for a text
    that cannot be sent as UTF-8.
    """

    __slots__ = ("code", "digit", "enhanced", "refuses", "text", "wire")
    __module__ = "pytest_smtpd"

    if not TYPE_CHECKING:  # for type checkers, an unknown attribute is an error
        __getattr__ = no_attribute

    code: int  #: The three digits, an ``int``.
    digit: int
    enhanced: str | None  #: The enhanced status code (RFC 3463), such as ``"5.1.1"``, or None.
    refuses: bool
    text: str  #: The rest, with LF between its lines.
    wire: bytes

    def __init__(self, code: int, enhanced: str | None = None, text: str = "", wire: bytes = b"") -> None:
        set_once(self, "code", code)
        set_once(self, "digit", code // 100)
        set_once(self, "enhanced", enhanced)
        set_once(self, "refuses", code >= 400)
        set_once(self, "text", text)
        set_once(self, "wire", wire or _encode(code, enhanced, text))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Reply):
            return self.wire == other.wire
        return self.code == other if isinstance(other, int) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.code)

    def __str__(self) -> str:
        text = " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)
        return "\n".join(map(printable, text.split("\n")))

    def __repr__(self) -> str:
        return f"<Reply {quoted(short(str(self)))}>"

    @property
    def line(self) -> str:
        """The whole reply in one line, with control characters escaped."""
        return " ".join(str(self).split("\n"))


def _encode(code: int, enhanced: str | None, text: str) -> bytes:
    """RFC 5321 section 4.2.1: a hyphen on all lines but the last; RFC 2034 section 4: the enhanced code on all."""
    lines = [" ".join(part for part in (enhanced, line) if part) for line in split_lines(text)]
    *heads, last = lines
    rows = [f"{code}-{line}" for line in heads] + [f"{code} {last}"]
    return _octets("\r\n".join(rows) + "\r\n")


def _octets(text: str) -> bytes:
    """RFC 6531 section 3.7.4: replies are UTF-8. Raises ``ValueError`` for text with lone surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"reply cannot be sent as UTF-8: {quoted(text)}; use raw= to send other bytes") from None


def split_lines(text: str) -> list[str]:
    """Split at CRLF, CR and LF, the only characters that could end a line for a client."""
    return re.split(_LINE_BREAK, text)


def _split_enhanced(text: str) -> tuple[str | None, str]:
    """The enhanced status code in front of a text, if there is one, and the text; lines may repeat the code."""
    found = ENHANCED.match(text)
    if found is None:
        return None, text
    enhanced = found[0].strip()
    first, *others = split_lines(text[found.end() :])
    return enhanced, "\n".join([first, *(line.removeprefix(f"{enhanced} ") for line in others)])


def parse_reply(text: str) -> Reply:
    """Read a reply as a user writes it ("550 5.1.1 No such user", several lines too); it is sent exactly so.

    Raises ``ValueError`` if the text is no reply, or cannot be encoded.
    """
    found = [re.fullmatch(_LINE, line) for line in split_lines(text.removesuffix("\n").removesuffix("\r"))]
    if not all(found) or len({line[1] for line in found if line}) != 1:
        raise ValueError(f"reply must be a code like 550 or text like '550 5.1.1 No such user', not {quoted(text)}")
    lines = [line for line in found if line]
    heads = [f"{line[1]}-{line[3] or ''}" for line in lines[:-1]]
    last = lines[-1]
    end = last[1] if last[2] is None else f"{last[1]} {last[3]}"
    enhanced, rest = _split_enhanced("\n".join(line[3] or "" for line in lines))
    wire = _octets("\r\n".join([*heads, end]) + "\r\n")
    return Reply(int(lines[0][1]), enhanced, rest, wire)


def leading_reply(raw: bytes) -> Reply | None:
    """The well-formed reply that ``raw`` begins with, or None (RFC 5321 section 4.2)."""
    wire_line = re.compile(_WIRE_LINE)
    position, codes, texts = 0, set[bytes](), list[str]()
    while found := wire_line.match(raw, position):
        codes.add(found[1])
        texts.append((found[3] or b"").decode("utf-8", "replace"))
        position = found.end()
        if found[2] != b"-":
            break
    else:
        return None
    if len(codes) != 1:
        return None
    enhanced, rest = _split_enhanced("\n".join(texts))
    return Reply(int(codes.pop()), enhanced, rest, raw[:position])


# --- the catalogue --------------------------------------------------------------------------------------------------


def own(code: int, enhanced: str | None, text: str) -> Reply:
    """A reply of the server's own. Raises ``TypeError`` if the RFCs do not allow it."""
    for problem in _problems(code, enhanced, text):
        raise TypeError(f"reply {code!r} {text!r}: {problem}")
    return Reply(code, enhanced, text)


def _problems(code: int, enhanced: str | None, text: str) -> Iterator[str]:
    """RFC 2034 section 4: the enhanced code is of the reply's class; only greetings and 3xx replies go without one."""
    digit = code // 100
    if not 2 <= digit <= 5:
        yield "a reply code is a number from 200 to 599"
    if enhanced is None and digit != 3 and code != 220:
        yield f"it needs an enhanced status code, like '{digit}.0.0' (RFC 2034 section 4)"
    if enhanced is not None and not _is_enhanced(enhanced, digit):
        yield f"{enhanced!r} is no enhanced status code of a {digit}xx reply (RFC 2034 section 4)"
    if not text and digit != 3:
        yield "it needs a text"
    if not (text.isprintable() and text.isascii()):
        yield "its text must be one line of ASCII"


def _is_enhanced(text: str, digit: int) -> bool:
    found = ENHANCED.match(text)
    return found is not None and found[0] == text and int(found[1]) == digit


class Standard(NamedTuple):
    """A row: what a bare code stands for in a rule or ``Reject``. ``rfc`` is where the code is defined."""

    enhanced: str | None
    text: str
    rfc: str

    def problems(self, code: int) -> Iterator[str]:
        """The mistakes in a row."""
        yield from _problems(code, self.enhanced, self.text)
        if not self.rfc:
            yield "rfc= must say where the code is defined"


_ROWS: Final = {
    211: Standard("2.0.0", "System status", "RFC 5321 4.2.3"),
    214: Standard("2.0.0", "See RFC 5321", "RFC 5321 4.2.3"),
    220: Standard(None, "Service ready", "RFC 5321 3.1, 4.2.3; RFC 3207 4"),
    221: Standard("2.0.0", "Bye", "RFC 5321 4.1.1.10"),
    235: Standard("2.7.0", "Authentication succeeded", "RFC 4954 6"),
    250: Standard("2.0.0", "OK", "RFC 5321 4.2.3"),
    251: Standard("2.1.5", "User not local; will forward", "RFC 5321 3.4"),
    252: Standard("2.5.0", "Cannot VRFY user, but will accept message and attempt delivery", "RFC 5321 3.5.3"),
    334: Standard(None, "", "RFC 4954 4"),
    354: Standard(None, "End data with <CR><LF>.<CR><LF>", "RFC 5321 4.1.1.4"),
    421: Standard("4.3.2", "Service not available, closing transmission channel", "RFC 5321 3.8, 4.2.3"),
    432: Standard("4.7.12", "A password transition is needed", "RFC 4954 6"),
    450: Standard("4.2.1", "Mailbox unavailable, try again later", "RFC 5321 4.2.3"),
    451: Standard("4.3.0", "Local error in processing, try again later", "RFC 5321 4.2.3"),
    452: Standard("4.3.1", "Insufficient system storage", "RFC 5321 4.2.3, 4.5.3.1.10"),
    454: Standard("4.7.0", "Temporary authentication failure", "RFC 4954 6; RFC 3207 4"),
    455: Standard("4.5.4", "Unable to accommodate parameters", "RFC 5321 4.1.1.11"),
    500: Standard("5.5.2", "Command not recognized", "RFC 5321 4.2.4, 4.5.3.1"),
    501: Standard("5.5.4", "Syntax error in parameters or arguments", "RFC 5321 4.2.3; RFC 4954 4"),
    502: Standard("5.5.1", "Command not implemented", "RFC 5321 4.2.4"),
    503: Standard("5.5.1", "Bad sequence of commands", "RFC 5321 4.1.4; RFC 3030 2"),
    504: Standard("5.5.4", "Command parameter not implemented", "RFC 5321 4.2.3; RFC 4954 4"),
    521: Standard("5.3.2", "Host does not accept mail", "RFC 7504"),
    523: Standard("5.7.10", "Encryption needed", "RFC 5248"),
    530: Standard("5.7.0", "Authentication required", "RFC 4954 6; RFC 3207 4"),
    534: Standard("5.7.9", "Authentication mechanism is too weak", "RFC 4954 6"),
    535: Standard("5.7.8", "Authentication credentials invalid", "RFC 4954 6"),
    538: Standard("5.7.11", "Encryption required for requested authentication mechanism", "RFC 4954 6"),
    550: Standard("5.7.1", "Mailbox unavailable", "RFC 5321 4.2.3"),
    551: Standard("5.1.6", "User not local", "RFC 5321 3.4"),
    552: Standard("5.2.2", "Exceeded storage allocation", "RFC 5321 4.2.3; RFC 1870 6"),
    553: Standard("5.1.3", "Mailbox name not allowed", "RFC 5321 4.2.3; RFC 6531 3.5"),
    554: Standard("5.0.0", "Transaction failed", "RFC 5321 3.1, 4.2.3"),
    555: Standard("5.5.4", "Parameters not recognized or not implemented", "RFC 5321 4.1.1.11"),
    556: Standard("5.1.10", "Domain does not accept mail", "RFC 7504"),
}
STANDARD: Final = Table("reply code", Standard.problems, _ROWS)
_GENERIC: Final = {2: "OK", 3: "Go on", 4: "Try again later", 5: "Refused"}

# The default refusals of hooks, which are rows of rules/hooks.py.
SERVICE_REFUSED: Final = own(554, "5.3.2", "Service not available")
TLS_REFUSED: Final = own(554, "5.7.0", "TLS session refused")
CREDENTIALS_INVALID: Final = own(535, "5.7.8", "Authentication credentials invalid")
SENDER_REJECTED: Final = own(550, "5.7.1", "Sender rejected")
NO_SUCH_USER: Final = own(550, "5.1.1", "No such user here")
CONTENT_REJECTED: Final = own(554, "5.6.0", "Message content rejected")

OK: Final = own(250, "2.0.0", "OK")
SENDER_OK: Final = own(250, "2.1.0", "OK")
RECIPIENT_OK: Final = own(250, "2.1.5", "OK")
MESSAGE_OK: Final = own(250, "2.6.0", "Message accepted")
AUTHENTICATED: Final = own(235, "2.7.0", "Authentication succeeded")
GO_AHEAD: Final = own(354, None, "End data with <CR><LF>.<CR><LF>")
READY_FOR_TLS: Final = own(220, "2.0.0", "Ready to start TLS")
BYE: Final = own(221, "2.0.0", "Bye")
HELP: Final = own(214, "2.0.0", "See RFC 5321")
CANNOT_VERIFY: Final = own(252, "2.5.0", "Cannot VRFY user, but will accept message and attempt delivery")

HOOK_FAILED: Final = own(451, "4.3.0", "Error in a test hook")
TIMED_OUT: Final = own(421, "4.4.2", "Timeout, closing connection")
TOO_MANY_CLIENTS: Final = own(421, "4.3.2", "Too many connections")
TOO_MANY_MESSAGES: Final = own(421, "4.7.0", "Too many messages on this connection")
TOO_MANY_RECIPIENTS: Final = own(452, "4.5.3", "Too many recipients")

# What the functions of limits.py refuse with.
GREYLISTED: Final = own(451, "4.7.1", "Greylisted, try again later")
RATE_EXCEEDED: Final = own(450, "4.7.1", "Rate limit exceeded")
QUOTA_EXCEEDED: Final = own(452, "4.3.1", "Quota exceeded")

UNKNOWN_COMMAND: Final = own(500, "5.5.2", "Command not recognized")
LINE_TOO_LONG: Final = own(500, "5.5.2", "Line too long")
SASL_LINE_TOO_LONG: Final = own(500, "5.5.6", "Authentication exchange line is too long")
BARE_LINE_FEED: Final = own(500, "5.5.2", "Command lines must end in CRLF")
CONTROL_CHARACTER: Final = own(501, "5.5.2", "Control characters are not allowed")
BAD_ENCODING: Final = own(501, "5.5.2", "Commands must be valid UTF-8")
NOT_IMPLEMENTED: Final = own(502, "5.5.1", "Command not implemented")
NO_ARGUMENT_ALLOWED: Final = own(501, "5.5.4", "This command takes no argument")
ARGUMENT_NEEDED: Final = own(501, "5.5.4", "This command needs an argument")
BAD_DOMAIN: Final = own(501, "5.5.4", "A valid domain or address literal is needed")
BAD_SENDER: Final = own(501, "5.1.7", "Bad sender address syntax")
BAD_RECIPIENT: Final = own(501, "5.1.3", "Bad recipient address syntax")
NEED_SMTPUTF8: Final = own(553, "5.6.7", "An address with these characters needs SMTPUTF8")
BAD_PARAMETER: Final = own(501, "5.5.4", "Bad value of a parameter")
DUPLICATE_PARAMETER: Final = own(501, "5.5.4", "Parameter given twice")
UNKNOWN_PARAMETER: Final = own(555, "5.5.4", "Parameter not recognized or not implemented")
TOO_BIG: Final = own(552, "5.3.4", "Message size exceeds fixed limit")
NEED_HELLO: Final = own(503, "5.5.1", "Send EHLO first")
NEED_MAIL: Final = own(503, "5.5.1", "Need MAIL before RCPT")
NEED_RECIPIENT: Final = own(503, "5.5.1", "Need RCPT before the message")
NESTED_MAIL: Final = own(503, "5.5.1", "Nested MAIL command")
OUT_OF_SEQUENCE: Final = own(503, "5.5.1", "Bad sequence of commands")
BINARY_NEEDS_BDAT: Final = own(503, "5.5.1", "A BINARYMIME message needs BDAT")
TLS_ACTIVE: Final = own(503, "5.5.1", "TLS already active")
TLS_REQUIRED: Final = own(530, "5.7.0", "Must issue a STARTTLS command first")
REQUIRETLS_IN_CLEAR: Final = own(530, "5.7.10", "REQUIRETLS needs a TLS session")
AUTH_REQUIRED: Final = own(530, "5.7.0", "Authentication required")
AUTH_NEEDS_TLS: Final = own(538, "5.7.11", "Encryption required for requested authentication mechanism")
ALREADY_AUTHENTICATED: Final = own(503, "5.5.1", "Already authenticated")
UNKNOWN_MECHANISM: Final = own(504, "5.5.4", "Unrecognized authentication type")
BAD_BASE64: Final = own(501, "5.5.2", "Cannot decode base64")
BAD_CREDENTIALS: Final = own(501, "5.5.2", "Malformed credentials")
AUTH_CANCELLED: Final = own(501, "5.7.0", "Authentication cancelled")
NOT_ALLOWED: Final = own(550, "5.7.1", "Not allowed")


def standard(code: int, default: Reply | None = None) -> Reply:
    """The reply that a bare ``code`` stands for; ``default``, a hook's own refusal, where that has this code."""
    if default is not None and default.code == code:
        return default
    row = STANDARD.get(code)
    if row is not None:
        return Reply(code, row.enhanced, row.text)
    digit = code // 100
    return Reply(code, None if digit == 3 else f"{digit}.0.0", _GENERIC[digit])


def refusal(reject: Reject, default: Reply) -> Reply:
    """The reply for a ``Reject``: what it leaves out is taken from ``default``, the hook's own refusal."""
    code = default.code if reject.code is None else reject.code
    enhanced, text = _split_enhanced(reject.message or "")
    if not reject.message:
        text = default.text if code == default.code else standard(code).text
    if enhanced is None:
        enhanced = default.enhanced if code // 100 == default.digit else f"{code // 100}.0.0"
    return Reply(code, enhanced, text)


def acceptance(text: str, default: Reply) -> Reply:
    """``default`` with another text, which may begin with an enhanced status code."""
    enhanced, rest = _split_enhanced(text)
    return Reply(default.code, enhanced or default.enhanced, rest)


@lru_cache(maxsize=64)
def greeting(hostname: str, protocol: str, banner: str) -> Reply:
    """RFC 5321 section 3.1: the server's name first, then the protocol."""
    return Reply(220, None, " ".join(part for part in (hostname, protocol, banner) if part))


@lru_cache(maxsize=64)
def hello(lines: tuple[str, ...]) -> Reply:
    """RFC 5321 section 4.1.1.1: the server's name, then one keyword on each line."""
    return Reply(250, None, "\n".join(lines))


def challenge(encoded: str) -> Reply:
    """RFC 4954 section 4: 334 and the challenge in base64; an empty one keeps the space."""
    return Reply(334, None, encoded)


def chunk_received(octets: int) -> Reply:
    """RFC 3030 section 2: the reply to a BDAT that is not the last."""
    return Reply(250, "2.0.0", f"{octets} octets received")
