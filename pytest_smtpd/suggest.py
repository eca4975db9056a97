"""The second half of an error text: what was probably meant, and what there is."""

from collections.abc import Iterable


def did_you_mean(word: object, valid: Iterable[str], *, listing: bool = True) -> str:
    """``" - did you mean 'tls'? (valid: ...)"``, or only the valid words where nothing is near."""
    from difflib import get_close_matches

    words = list(valid)
    near = get_close_matches(str(word), words, 1, 0.5) or get_close_matches(str(word).lower(), words, 1, 0.5)
    hint = f" - did you mean {near[0]!r}?" if near else ""
    return f"{hint} (valid: {', '.join(words)})" if listing else hint
