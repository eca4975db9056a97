"""Dividing a message into its parts, by their positions in the content (RFC 2046 section 5.1).

A delimiter is a line that consists of ``--`` and the boundary of a multipart. It ends the part before it and begins the
next one. With another ``--`` at its end it closes the multipart. The line end before the delimiter belongs to the
delimiter. Text before the first and after the closing delimiter is not shown by mail programs and not part of anything.

If a message breaks the rules, it is divided as by Thunderbird and most other programs that read line by line:

* A line that only begins with a delimiter is not one. White space at its end does not count.
* A delimiter ends all multiparts within its own. If an inner one has the same boundary as an outer one, the delimiter
  belongs to the outer one.
* A multipart that is not closed ends with the multipart around it, or with the message.
* A part may consist of a header alone, without the empty line; then its body is empty.
"""

from pytest_smtpd.message.header import Header
from pytest_smtpd.message.parts import DEEPEST, Part


class _Open:
    """The multiparts that are open at the current position, and the delimiters to look for.

    ``path`` leads from the message to the current part. ``delimiters`` maps each delimiter to the depth of its
    multipart, and to whether it closes that.
    """

    def __init__(self, root: Part) -> None:
        self.path = [root]
        self.delimiters: dict[bytes, tuple[int, bool]] = {}
        self._own: list[list[bytes]] = [[]]  # the delimiters of each part of the path
        self._add_delimiters(root)

    def _add_delimiters(self, part: Part) -> None:
        if part.boundary is None or part.depth >= DEEPEST:
            return
        opening = b"--" + part.boundary
        for delimiter, closes in ((opening, False), (opening + b"--", True)):
            if delimiter not in self.delimiters:
                self.delimiters[delimiter] = (part.depth, closes)
                self._own[part.depth].append(delimiter)

    def add(self, part: Part) -> None:
        """A part begins, within the last one of the path."""
        self.path.append(part)
        self._own.append([])
        self._add_delimiters(part)

    def end(self, depth: int, position: int) -> None:
        """All parts of the path that are deeper than ``depth`` end at ``position``."""
        while len(self.path) > depth + 1:
            part = self.path.pop()
            part.body_end = max(position, part.body_start)
            self._remove_delimiters(self._own.pop())

    def close(self, depth: int) -> None:
        """The closing delimiter of the multipart at ``depth`` was found."""
        self.path[depth].is_closed = True
        self._remove_delimiters(self._own[depth])
        self._own[depth] = []

    def _remove_delimiters(self, delimiters: list[bytes]) -> None:
        for delimiter in delimiters:
            del self.delimiters[delimiter]


def divide(content: bytes, header: Header) -> tuple[Part, ...]:
    """All parts of the message in order, each multipart before its children. The first one is the message itself."""
    root = Part(content, header)
    children: dict[Part, list[Part]] = {root: []}
    opened = _Open(root)
    at = root.body_start
    while opened.delimiters and (start := _next_dashes(content, at)) >= 0:
        at = content.find(b"\n", start) + 1 or len(content)
        depth, closes = opened.delimiters.get(content[start:at].rstrip(), (-1, False))
        if depth < 0:
            continue
        opened.end(depth, _before_line_end(content, start))
        parent = opened.path[depth]
        parent.is_divided = True
        if closes:
            opened.close(depth)
            continue
        part = Part(content, Header(content, at, opened.delimiters), parent)
        children[part] = []
        children[parent].append(part)
        opened.add(part)
        at = part.body_start
    opened.end(-1, len(content))
    for part, inner in children.items():
        part.children = tuple(inner)
    return tuple(children)


def _next_dashes(content: bytes, at: int) -> int:
    """The position of the next line that begins with two dashes, or -1. ``at`` is the beginning of a line."""
    return at if content.startswith(b"--", at) else (content.find(b"\n--", at) + 1 or -1)


def _before_line_end(content: bytes, at: int) -> int:
    """The position of the line end before the line that begins at ``at``."""
    if content[at - 2 : at] == b"\r\n":
        return at - 2
    return at - 1 if at else 0
