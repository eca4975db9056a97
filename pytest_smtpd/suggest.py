"""The second half of an error text: what was probably meant, and what there is."""

from collections.abc import Iterable, Mapping
from typing import Final

# Words of other interfaces, and of ours in other places, that no likeness leads to the right one.
_MEANT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("rcpt_to", "recipient", "recipients", "rcpt", "to_addr", "to_addrs"), "to"),
    **dict.fromkeys(("sender", "from", "from_", "from_addr"), "mail_from"),
    "body": "text",
    "username": "user",
}


def did_you_mean(word: object, valid: Iterable[str], *, listing: bool = True) -> str:
    """``" - did you mean 'tls'? (valid: ...)"``, or only the valid words where nothing is near."""
    from difflib import get_close_matches

    words = list(valid)
    near = [_MEANT[word]] if isinstance(word, str) and _MEANT.get(word) in words else []
    near = near or get_close_matches(str(word), words, 1, 0.5) or get_close_matches(str(word).lower(), words, 1, 0.5)
    hint = f" - did you mean {near[0]!r}?" if near else ""
    return f"{hint} (valid: {', '.join(words)})" if listing else hint
