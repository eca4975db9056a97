"""The receive buffer, and how received bytes are divided: into command lines, content after DATA, and BDAT chunks."""

from sys import intern
from typing import TYPE_CHECKING, Final

from pytest_smtpd.errors import no_attribute
from pytest_smtpd.smtp.masking import masked
from pytest_smtpd.smtp.passwords import MASK
from pytest_smtpd.smtp.values import quoted, short

# RFC 4954 section 4 gives a line of an AUTH exchange 12288 octets; an initial response has the command before it.
MAX_LINE: Final = 12288
MAX_COMMAND: Final = MAX_LINE + 512  # AUTH, its mechanism, and behind them as much base64 as in a line of its own
_CRLF: Final = b"\r\n"
_END_OF_DATA: Final = b"\r\n.\r\n"
_DOT: Final = b"\r\n."
_UNDECIDED: Final = (b"", b".")
_HELD_BACK: Final = tuple(_END_OF_DATA[:length] for length in range(4, 0, -1))


class Command:
    """A command line. As text it is the line with secrets masked."""

    __slots__ = ("followed", "known", "passwords", "pipelined", "raw", "secret", "verb")
    __module__ = "pytest_smtpd"

    if not TYPE_CHECKING:  # for type checkers, an unknown attribute is an error
        __getattr__ = no_attribute

    def __init__(self, raw: bytes, pipelined: bool = False, passwords: tuple[str, ...] = ()) -> None:
        self.raw: bytes = raw  #: The line without its end, as bytes.
        #: The first word, in upper case.
        self.verb: str = intern(raw.rstrip(b" \t").partition(b" ")[0].upper().decode("utf-8", "replace"))
        #: Whether the line had begun to arrive before the reply to the one before it was written (RFC 2920).
        self.pipelined: bool = pipelined
        self.followed: bool = False  # whether something had arrived after it when its own reply was written
        self.passwords: tuple[str, ...] = passwords  # known ones, which are masked wherever they stand
        self.known: bool = True  # whether the server knows the verb
        self.secret: bool = False  # a line that is no command, once a login has begun: it may be a password

    @property
    def argument(self) -> str:
        """The text after the first space."""
        return self.raw.partition(b" ")[2].decode("utf-8", "replace")

    @property
    def shown_verb(self) -> str:
        """The verb, for people to read. A word that is no known verb may be a secret, and is masked then."""
        return MASK if not self.known and MASK in str(self) else self.verb

    def __str__(self) -> str:
        return MASK if self.secret else masked(self.raw, self.passwords, known=self.known)

    def __repr__(self) -> str:
        return f"<Command {quoted(short(str(self)))}>"


# A line without its end; whether it ended with LF alone; whether it was too long, and its octets thrown away.
Line = tuple[bytes, bool, bool]


class Buffer:
    """Received bytes that have not been processed yet, and what kind of bytes is expected next.

    ``data`` is not cut when a part of it has been processed; only the place up to which it has been moves on, so that
    content which is taken whole is not copied. It is empty when everything has been processed. ``octets`` is how many
    octets of a BDAT chunk are still expected, ``chunk_octets`` the size of that chunk, and ``last`` whether it is the
    last one. ``dots`` reads the content after DATA, and ``content_ended`` is whether CRLF.CRLF has arrived. ``early``
    is whether some bytes had arrived already when the last reply was given.
    """

    __slots__ = (
        "_at",
        "_overlong",
        "_scanned",
        "chunk_octets",
        "content_ended",
        "data",
        "dots",
        "early",
        "last",
        "octets",
    )

    def __init__(self) -> None:
        self.data: bytes = b""
        self._at = self._scanned = 0
        self._overlong = False
        self.dots: DotReader | None = None
        self.content_ended: bool = False
        self.octets: int = 0
        self.chunk_octets: int = 0
        self.last: bool = True
        self.early: bool = False

    def __len__(self) -> int:
        return len(self.data) - self._at

    def append(self, data: bytes) -> None:
        """Add what has just been received."""
        self.data = self.data[self._at :] + data if self.data else data
        self._scanned -= self._at
        self._at = 0

    def take(self, count: int) -> bytes:
        """Remove and return at most ``count`` bytes from the front."""
        end = min(self._at + count, len(self.data))
        taken = self.data[self._at : end]
        self._understood(end)
        self._overlong = False
        return taken

    def peek(self) -> bytes:
        """All bytes that have not been processed, without removing them."""
        return self.data[self._at :]

    def line(self, limit: int = MAX_COMMAND) -> Line | None:
        """The next complete line, or None. One over the limit is discarded as it arrives, and reported at its end."""
        data, at = self.data, self._at
        end = data.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(data)
            if len(data) - at > limit + 1:
                self._understood(self._scanned)
                self._overlong = True
            return None
        if end + 1 == len(data):
            self.data, self._at, self._scanned = b"", 0, 0
        else:
            self._at = self._scanned = end + 1
        bare = data[end - 1 : end] != b"\r" or end == at
        text = data[at : end if bare else end - 1]
        if self._overlong or len(text) > limit:
            self._overlong = False
            return b"", False, True
        return text, bare, False

    def _understood(self, end: int) -> None:
        self._at = self._scanned = end
        if end == len(self.data):
            self.data, self._at, self._scanned = b"", 0, 0

    def expect_content(self) -> None:
        """The content after DATA follows (RFC 5321 section 4.1.1.4)."""
        self.dots, self.content_ended = DotReader(), False

    def expect_chunk(self, octets: int, *, last: bool) -> None:
        """The octets of a BDAT chunk follow (RFC 3030 section 2)."""
        self.octets = self.chunk_octets = octets
        self.last = last


class DotReader:
    """Finds the end of the content after DATA and removes its dot-stuffing (RFC 5321 section 4.5.2), piece by piece.

    Only CRLF.CRLF ends the content, and only a dot right after CRLF is removed. The content begins at the beginning of
    a line, so the reader acts as if a virtual CRLF preceded it; ``_virtual`` is how many octets of that have still to
    be removed. What may be the beginning of CRLF.CRLF is held back until the bytes after it have arrived.
    """

    __slots__ = ("_held", "_virtual")

    def __init__(self) -> None:
        self._held = _CRLF
        self._virtual = 2

    @property
    def held(self) -> bytes:
        """Received bytes that may be the beginning of CRLF.CRLF."""
        return self._held[self._virtual :]

    def read(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Read the next piece, and return the content that is certain now, and what follows the end of the content.

        The latter is None if the end has not arrived yet.
        """
        if self._virtual and self._held == _CRLF and data[:1] not in _UNDECIDED:
            self._held, self._virtual = b"", 0  # no dot at the beginning: without the virtual CRLF, nothing is copied
        window = self._held + data
        # rfind first: it is several times as fast as find, and most of what arrives has no dot after a CRLF at all.
        if window.rfind(_DOT) < 0:
            self._hold(window)
            return self._real(window[: len(window) - len(self._held)]), None
        end = window.find(_END_OF_DATA)
        if end >= 0:
            body, rest = window[: end + 2], window[end + 5 :]
        else:
            self._hold(window)
            body, rest = window[: len(window) - len(self._held)], None
        return self._real(body.replace(_DOT, b"\r\n")), rest

    def _hold(self, window: bytes) -> None:
        self._held = next((head for head in _HELD_BACK if window.endswith(head)), b"")

    def _real(self, content: bytes) -> bytes:
        """The content without the virtual CRLF before it."""
        if self._virtual and content:
            content, self._virtual = content[self._virtual :], 0
        return content
