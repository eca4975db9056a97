"""The tree of parts that a message is made of, found by position in its content (RFC 2046 section 5.1).

A multipart begins with its header. Each delimiter line, ``--`` and the boundary, ends the part above it and begins the
next one; with another ``--`` behind the boundary it closes the multipart. What stands before the first and behind the
last delimiter is shown by no program. The line end before a delimiter belongs to the delimiter.

Where a message breaks the rules, it is read as Thunderbird does, and most programs that go line by line:

* A delimiter is a whole line, white space at its end aside. A boundary that goes on is another one.
* The delimiter of an outer multipart ends all that is open within it, also where an inner one has the same boundary.
* A multipart that is not closed ends with the one around it, or with the message.
* A part whose header is followed by a delimiter has an empty body.
"""

from pytest_smtpd.message.header import Header
from pytest_smtpd.message.parts import DEEPEST, Part


class _Open:
    """The multiparts that are open at one position, the outermost first, and their delimiters."""

    def __init__(self, root: Part) -> None:
        self.path = [root]
        self._delimiters: list[list[bytes]] = [[]]
        self.lines: dict[bytes, tuple[int, bool]] = {}  # a delimiter line -> its multipart's depth, whether it closes
        self._listen(root)

    def _listen(self, part: Part) -> None:
        if part.boundary is None or part.depth >= DEEPEST:
            return
        opening = b"--" + part.boundary
        for line, closes in ((opening, False), (opening + b"--", True)):
            if line not in self.lines:
                self.lines[line] = (part.depth, closes)
                self._delimiters[part.depth].append(line)

    def add(self, part: Part) -> None:
        """This part begins within the last of the path."""
        self.path.append(part)
        self._delimiters.append([])
        self._listen(part)

    def end(self, depth: int, position: int) -> None:
        """Whatever is deeper than ``depth`` ends at ``position``."""
        while len(self.path) > depth + 1:
            part = self.path.pop()
            part.body_end = max(position, part.body_start)
            self.ignore(self._delimiters.pop())

    def close(self, depth: int) -> None:
        """This multipart's delimiters mean nothing any more."""
        self.path[depth].is_closed = True
        self.ignore(self._delimiters[depth])
        self._delimiters[depth] = []

    def ignore(self, lines: list[bytes]) -> None:
        for line in lines:
            del self.lines[line]


def divide(content: bytes, header: Header) -> tuple[Part, ...]:
    """All parts of the message, each multipart before its children; the first is the message itself."""
    root = Part(content, header)
    children: dict[Part, list[Part]] = {root: []}
    opened = _Open(root)
    at = root.body_start
    while opened.lines and (start := _next_dashes(content, at)) >= 0:
        at = content.find(b"\n", start) + 1 or len(content)
        depth, closes = opened.lines.get(content[start:at].rstrip(), (-1, False))
        if depth < 0:
            continue
        opened.end(depth, _before_line_end(content, start))
        parent = opened.path[depth]
        parent.is_divided = True
        if closes:
            opened.close(depth)
            continue
        part = Part(content, Header(content, at, opened.lines), parent)
        children[part] = []
        children[parent].append(part)
        opened.add(part)
        at = part.body_start
    opened.end(-1, len(content))
    for part, inner in children.items():
        part.children = tuple(inner)
    return tuple(children)


def _next_dashes(content: bytes, at: int) -> int:
    """Where the next line that begins with two dashes begins, -1 without one; ``at`` is the beginning of a line."""
    return at if content.startswith(b"--", at) else (content.find(b"\n--", at) + 1 or -1)


def _before_line_end(content: bytes, at: int) -> int:
    """Where the line before the one at ``at`` ends."""
    if content[at - 2 : at] == b"\r\n":
        return at - 2
    return at - 1 if at else 0
