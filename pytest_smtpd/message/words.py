"""Text of header fields: encoded words (RFC 2047) and raw octets (RFC 6532).

Mail programs decode encoded words wherever they stand, also within quotation marks and next to other characters,
where RFC 2047 section 5 forbids them, and so does this module.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from pytest_smtpd.message import charsets, transfer

# A piece of a field's body: its charset, None for what is no encoded word, and its octets.
Piece = tuple[str | None, bytes]
_MARK: Final = b"=?"
_END: Final = b"?="


def decode(octets: bytes, guess: str | None = None) -> str:
    """The text of an unfolded field body. An encoded word that cannot be read is left as it is.

    Octets outside of encoded words are UTF-8 where they are valid, else in the charset ``guess``, else windows-1252.
    """
    if _MARK not in octets:
        return charsets.decode(octets, None, guess)
    pieces = list(_pieces(octets))
    # White space between two encoded words is no text (RFC 2047 section 6.2).
    shown = [piece for n, piece in enumerate(pieces) if piece[0] or piece[1].strip() or n in (0, len(pieces) - 1)]
    # Words of one charset are read as one: senders split a text in the middle of a character of several octets, though
    # section 5 forbids it.
    runs = [(charset, b"".join(piece for _, piece in run)) for charset, run in groupby(shown, key=itemgetter(0))]
    return "".join(charsets.decode(run, charset, guess) for charset, run in runs)


def _pieces(octets: bytes) -> Iterator[Piece]:
    """Encoded words and what stands between them. Each octet is looked at a fixed number of times."""
    done, mark = 0, octets.find(_MARK)
    while mark >= 0:
        following = octets.find(_MARK, mark + len(_MARK))
        end, word = _word(octets, mark, following)
        if word is not None:
            if mark > done:
                yield None, octets[done:mark]
            yield word
            done = end
            # Padding and the end of a base64 word, "=?=", look like the mark of a next one.
            following = octets.find(_MARK, end) if 0 <= following < end else following
        mark = following
    if done < len(octets):
        yield None, octets[done:]


def _word(octets: bytes, mark: int, following: int) -> tuple[int, Piece | None]:
    """The encoded word at ``mark``, and the position behind it; it ends before the word that follows."""
    limit = len(octets) if following < 0 else following + 3
    question = octets.find(b"?", mark + 2, limit)
    kind = octets[question + 1 : question + 3].lower()
    if question < 0 or kind not in (b"b?", b"q?"):
        return mark, None
    end = octets.find(_END, question + 3, limit)
    charset = _charset(octets[mark + 2 : question])
    if end < 0 or charset is None:
        return mark, None
    text = octets[question + 3 : end]
    if kind == b"q?":
        return end + 2, (charset, transfer.unescape(text.replace(b"_", b" "), b"="))
    return end + 2, (charset, transfer.base64(text)) if transfer.is_base64(text) else None


def _charset(label: bytes) -> str | None:
    """The charset in lower case, without a language (RFC 2231 section 5); None if this can be none."""
    name = label.partition(b"*")[0].lower()
    return name.decode("ascii") if name and name.isascii() and not name.split()[1:] else None
