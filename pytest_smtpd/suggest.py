"""Suggestions in error texts: what was probably meant, and which names are valid."""

from collections.abc import Iterable, Mapping
from typing import Final

_NEAR: Final = 0.65  # below that, a suggestion misleads

# Names from other tools, and of ours in the wrong place, that a similarity search would not correct; by what is asked
# for. "" stands for a name to which no suggestion is better than a far one.
_MEANT: Final[Mapping[str, Mapping[str, str]]] = {
    "option": {
        **dict.fromkeys(("recipient", "recipients", "rcpt", "to_addr", "to_addrs"), "to"),
        "rcpt_to": "to",
        **dict.fromkeys(("sender", "from", "from_", "from_addr"), "mail_from"),
        **dict.fromkeys(("code", "status", "response", "answer"), "reply"),
        "headers": "header",
        "username": "user",
        "close": "drop",
        "timeout": "hang",
        "size": "",
    },
    "match key": {
        **dict.fromkeys(("recipient", "recipients", "rcpt", "to_addr", "to_addrs"), "to"),
        **dict.fromkeys(("sender", "from", "from_", "from_addr"), "mail_from"),
        "body": "text",
        "headers": "header",
        "username": "user",
    },
}
# Names that need more than another name: how to say what is meant.
_SAID: Final[Mapping[str, Mapping[str, str]]] = {
    "hook": {
        **dict.fromkeys(("login", "authenticate", "password"), 'write on("auth", ...)'),
        **dict.fromkeys(("greeting", "banner"), 'write on("connect", ...)'),
        **dict.fromkeys(("disconnect", "disconnected"), 'write on("close", ...)'),
        **dict.fromkeys(("tls", "handshake"), 'write on("secure", ...)'),
    },
    "setting": {
        **dict.fromkeys(("user", "username", "password", "users", "login"), "write auth={'user': 'password'}"),
        "rules": "rules are given as on=[...]",
    },
}


def did_you_mean(
    word: object, valid: Iterable[str], kind: str = "match key", *, listing: bool = True, advice: str = ""
) -> str:
    """``" - did you mean 'tls'? (valid: ...)"``, or only the valid words where nothing is near.

    ``kind`` is what is asked for: "hook", "option", "match key", "setting", or anything else. ``advice`` is given
    instead, unless there is a better one for this very word.
    """
    words, text = list(valid), str(word)
    advice = _SAID.get(kind, {}).get(text.lower(), advice)
    if advice:
        return f" - {advice}"
    meant = _MEANT.get(kind, {}).get(text)
    near = [meant] if meant in words else []
    if not near and meant != "":
        near = _nearest(text.lower(), words)
    hint = f" - did you mean {near[0]!r}?" if near else ""
    return f"{hint} (valid: {', '.join(words)})" if listing else hint


def _nearest(text: str, words: Iterable[str]) -> list[str]:
    """The word that is most like the text, or of which a part is; none if even that is not near."""
    from difflib import SequenceMatcher

    def likeness(word: str) -> float:
        return max(SequenceMatcher(None, text, part).ratio() for part in (word.lower(), *word.lower().split("_")))

    best = max(words, key=likeness, default="")
    return [best] if best and likeness(best) >= _NEAR else []
