"""The receive buffer, and how bytes are cut into pieces: lines, dot-content, BDAT octets, PROXY headers."""

from dataclasses import dataclass
from typing import Final

from pytest_smtpd.smtp import proxy

# RFC 4954 section 4 gives a line of an AUTH exchange 12288 octets; an initial response has the command before it.
MAX_LINE: Final = 12288
MAX_COMMAND: Final = MAX_LINE + 512
_CRLF: Final = b"\r\n"
_END_OF_DATA: Final = b"\r\n.\r\n"
_DOT: Final = b"\r\n."
_UNDECIDED: Final = (b"", b".")
_HELD_BACK: Final = tuple(_END_OF_DATA[:length] for length in range(4, 0, -1))


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end; ``too_long`` if its octets were thrown away, ``bare`` if it ended with LF alone."""

    text: bytes
    bare: bool = False
    too_long: bool = False


class Buffer:
    """Bytes that have arrived and are not yet understood.

    They stay as they came, with the place up to which they are understood: content that is taken whole is not copied.
    """

    __slots__ = ("_at", "_data", "_overlong", "_scanned")

    def __init__(self) -> None:
        self._data = b""
        self._at = self._scanned = 0
        self._overlong = False

    def __len__(self) -> int:
        return len(self._data) - self._at

    def append(self, data: bytes) -> None:
        """Add what has just been received."""
        self._data = self._data[self._at :] + data
        self._scanned -= self._at
        self._at = 0

    def take(self, count: int) -> bytes:
        """At most ``count`` bytes from the front."""
        end = min(self._at + count, len(self._data))
        taken = self._data[self._at : end]
        self._advance(end)
        self._overlong = False
        return taken

    def line(self, limit: int = MAX_COMMAND) -> Line | None:
        """The next complete line, or None. One over the limit is thrown away as it arrives, and reported at its end."""
        end = self._data.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._data)
            if len(self) > limit + 1:
                self._advance(self._scanned)
                self._overlong = True
            return None
        text = self._data[self._at : end]
        self._advance(end + 1)
        bare = not text.endswith(b"\r")
        text = text if bare else text[:-1]
        if self._overlong or len(text) > limit:
            self._overlong = False
            return Line(b"", too_long=True)
        return Line(text, bare=bare)

    def proxy_header(self) -> "proxy.Header | proxy.Bad | None":
        """The PROXY header at the very beginning, or None while it is incomplete."""
        used, header = proxy.parse(self._data[self._at :])
        self.take(used)
        return header

    def _advance(self, end: int) -> None:
        self._at = self._scanned = end
        if end == len(self._data):
            self._data, self._at, self._scanned = b"", 0, 0


class DotReader:
    """Dot-content (RFC 5321 section 4.5.2), chunk by chunk: only CRLF.CRLF ends it, only a dot behind CRLF goes.

    The beginning counts as the beginning of a line, so the reader acts as if a CRLF had just gone by. What may be the
    head of CRLF.CRLF is held back until the bytes behind it decide.
    """

    __slots__ = ("_held", "_virtual")

    def __init__(self) -> None:
        self._held = _CRLF
        self._virtual = 2

    def read(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Content that is certain now, and what follows the end of the data, or None if the end has not come."""
        if self._virtual and self._held == _CRLF and data[:1] not in _UNDECIDED:
            self._held, self._virtual = b"", 0  # the usual beginning needs no CRLF before it, and so no copy
        window = self._held + data
        # rfind first: it is several times as fast as find, and most of what arrives has no dot behind a CRLF at all.
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
        """Without the CRLF that never was."""
        if self._virtual and content:
            content, self._virtual = content[self._virtual :], 0
        return content
