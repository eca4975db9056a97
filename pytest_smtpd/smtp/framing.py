"""The receive buffer, and how bytes are cut into pieces: lines, dot-content, BDAT octets, PROXY headers."""

from dataclasses import dataclass
from typing import Final

from pytest_smtpd.smtp import proxy

# RFC 4954 section 4 gives a line of an AUTH exchange 12288 octets; an initial response has the command before it.
MAX_LINE: Final = 12288
MAX_COMMAND: Final = MAX_LINE + 512
_END_OF_DATA: Final = b"\r\n.\r\n"
_DOT: Final = b"\r\n."
_HELD_BACK: Final = tuple(_END_OF_DATA[:length] for length in range(4, 0, -1))


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end; ``too_long`` if its octets were thrown away, ``bare`` if it ended with LF alone."""

    text: bytes
    bare: bool = False
    too_long: bool = False


class Buffer:
    """Bytes that have arrived and are not yet understood."""

    __slots__ = ("_data", "_overlong", "_scanned")

    def __init__(self) -> None:
        self._data = bytearray()
        self._scanned = 0
        self._overlong = False

    def __len__(self) -> int:
        return len(self._data)

    def append(self, data: bytes) -> None:
        """Add what has just been received."""
        self._data += data

    def take(self, count: int) -> bytes:
        """At most ``count`` bytes from the front."""
        with memoryview(self._data) as view:  # a slice of the bytearray would be one more copy
            taken = bytes(view[:count])
        del self._data[:count]
        self._scanned, self._overlong = 0, False
        return taken

    def line(self, limit: int = MAX_COMMAND) -> Line | None:
        """The next complete line, or None. One over the limit is thrown away as it arrives, and reported at its end."""
        end = self._data.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._data)
            if self._scanned > limit + 1:
                del self._data[:]
                self._scanned, self._overlong = 0, True
            return None
        overlong = self._overlong
        text = self.take(end + 1)[:-1]
        bare = not text.endswith(b"\r")
        text = text if bare else text[:-1]
        if overlong or len(text) > limit:
            return Line(b"", too_long=True)
        return Line(text, bare=bare)

    def proxy_header(self) -> "proxy.Header | proxy.Bad | None":
        """The PROXY header at the very beginning, or None while it is incomplete."""
        used, header = proxy.parse(self._data)
        self.take(used)
        return header


class DotReader:
    """Dot-content (RFC 5321 section 4.5.2), chunk by chunk: only CRLF.CRLF ends it, only a dot behind CRLF goes.

    The beginning counts as the beginning of a line, so the reader acts as if a CRLF had just gone by. What may be the
    head of CRLF.CRLF is held back until the bytes behind it decide.
    """

    __slots__ = ("_held", "_virtual")

    def __init__(self) -> None:
        self._held = b"\r\n"
        self._virtual = 2

    def read(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Content that is certain now, and what follows the end of the data, or None if the end has not come."""
        window = self._held + data if self._held else data
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
