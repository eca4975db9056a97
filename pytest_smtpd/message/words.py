"""The text of header fields: encoded words (RFC 2047) and raw octets (RFC 6532).

Like mail programs, this module decodes encoded words everywhere, even where RFC 2047 section 5 forbids them: within
quotation marks, and directly next to other characters.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from pytest_smtpd.message import charsets, transfer

# A piece of a field body: its octets, and its charset, which is None outside of encoded words.
Piece = tuple[str | None, bytes]
_MARK: Final = b"=?"
_END: Final = b"?="


def decode(octets: bytes, guess: str | None = None) -> str:
    """The text of an unfolded field body. An encoded word that cannot be decoded stays as it is.

    Octets outside of encoded words are read as UTF-8 if they are valid UTF-8, otherwise in the charset ``guess`` or as
    windows-1252.
    """
    if _MARK not in octets:
        return charsets.decode(octets, None, guess)
    pieces = list(_pieces(octets))
    # White space between two encoded words is not part of the text (RFC 2047 section 6.2).
    shown = [piece for n, piece in enumerate(pieces) if piece[0] or piece[1].strip() or n in (0, len(pieces) - 1)]
    # Adjacent words in one charset are decoded together: some senders split a text within a multi-byte character.
    runs = [(charset, b"".join(piece for _, piece in run)) for charset, run in groupby(shown, key=itemgetter(0))]
    return "".join(charsets.decode(run, charset, guess) for charset, run in runs)


def _pieces(octets: bytes) -> Iterator[Piece]:
    """The encoded words and the text between them. Every octet is searched a fixed number of times."""
    done, mark = 0, octets.find(_MARK)
    while mark >= 0:
        following = octets.find(_MARK, mark + len(_MARK))
        end, word = _word(octets, mark, following)
        if word is not None:
            if mark > done:
                yield None, octets[done:mark]
            yield word
            done = end
            # The padding and the end of a base64 word, "=?=", look like the beginning of another word.
            following = octets.find(_MARK, end) if 0 <= following < end else following
        mark = following
    if done < len(octets):
        yield None, octets[done:]


def _word(octets: bytes, mark: int, following: int) -> tuple[int, Piece | None]:
    """The position behind the encoded word at ``mark``, and the word, or None if this is none.

    ``following`` is the position of the next mark, before which the word has to end.
    """
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
    """The charset in lower case without its language (RFC 2231 section 5), None if this cannot be a charset."""
    name = label.partition(b"*")[0].lower()
    return name.decode("ascii") if name and name.isascii() and not name.split()[1:] else None
