"""Suggestions in error texts: the name that was probably meant, and the valid names."""

from collections.abc import Iterable, Mapping
from typing import Final

_FAR: Final = 5  # how unlike a word is that would only mislead
_LONG: Final = 4  # letters: a part of a shorter word is no evidence
_LONGEST: Final = 40  # letters of a text that are compared

# Names from other tools, and of ours in the wrong place, that a similarity search would not correct; by the kind of
# name. "" is for a name for which no suggestion would be right.
_MEANT: Final[Mapping[str, Mapping[str, str]]] = {
    "hook": {
        **dict.fromkeys(("sender", "from", "mail", "envelope_from", "return_path"), "mail_from"),
        **dict.fromkeys(("recipient", "recipients", "to", "mail_to", "envelope_to"), "rcpt_to"),
        **dict.fromkeys(("message", "body", "content", "dot", "eom", "end_of_data", "send", "deliver"), "data"),
        **dict.fromkeys(("open", "connected", "connection", "greeting", "banner"), "connect"),
        **dict.fromkeys(("disconnect", "disconnected", "hangup", "end"), "close"),
        **dict.fromkeys(("login", "authenticate", "password", "user", "username"), "auth"),
        **dict.fromkeys(("tls", "ssl", "handshake"), "secure"),
    },
    "option": {
        **dict.fromkeys(("recipient", "recipients", "rcpt", "to_addr", "to_addrs"), "to"),
        "rcpt_to": "to",
        **dict.fromkeys(("sender", "from", "from_", "from_addr"), "mail_from"),
        **dict.fromkeys(
            ("code", "status", "response", "respond", "answer", "error", "reject", "text", "message"), "reply"
        ),
        **dict.fromkeys(("close", "disconnect", "abort", "reset", "rst", "fin"), "drop"),
        **dict.fromkeys(("timeout", "stall", "silent", "freeze"), "hang"),
        **dict.fromkeys(("wait", "sleep", "slow", "latency"), "delay"),
        **dict.fromkeys(("count", "n", "repeat", "limit", "once", "max"), "times"),
        **dict.fromkeys(("function", "func", "callback", "handler", "hook", "side_effect"), "call"),
        **dict.fromkeys(("bytes", "data"), "raw"),
        "keep": "accept",
        "headers": "header",
        "username": "user",
    },
    "match key": {
        **dict.fromkeys(("recipient", "recipients", "rcpt", "to_addr", "to_addrs", "address", "email"), "to"),
        **dict.fromkeys(("sender", "from", "from_", "from_addr"), "mail_from"),
        **dict.fromkeys(("body", "plain"), "text"),
        **dict.fromkeys(("status", "response"), "reply"),
        **dict.fromkeys(("username", "login", "auth"), "user"),
        "headers": "header",
        **dict.fromkeys(("count", "timeout", "tls"), ""),
    },
    "setting": {
        **dict.fromkeys(
            ("max_size", "maxsize", "max_message_size", "message_size", "size_limit", "data_size_limit"), "size"
        ),
        **dict.fromkeys(("max_rcpt", "max_rcpts", "max_rcpt_to"), "max_recipients"),
        **dict.fromkeys(("max_connections", "max_sessions"), "max_clients"),
        **dict.fromkeys(("greeting", "ident"), "banner"),
        **dict.fromkeys(("domain", "fqdn", "server_hostname", "server_name"), "hostname"),
        **dict.fromkeys(("address", "bind", "ip", "listen"), "host"),
        **dict.fromkeys(("mechanisms", "auth_mechanisms", "sasl"), "auth_methods"),
        **dict.fromkeys(("enforce_auth", "auth_required", "require_login"), "require_auth"),
        **dict.fromkeys(("require_starttls", "enforce_tls", "tls_required"), "require_tls"),
        **dict.fromkeys(("socket", "unix_socket"), "path"),
        **dict.fromkeys(("extensions", "features", "capabilities"), "advertise"),
        **dict.fromkeys(("client", "protocol", "verify"), ""),
    },
}
# Names that need more than another name: how to express the intent.
_SAID: Final[Mapping[str, Mapping[str, str]]] = {
    "option": {"password": "a login that fails is on('auth', reply=535); users are @pytest.mark.smtpd(auth={...})"},
    "match key": {
        name: f'write header={{"{name.replace("_", "-").title()}": ...}}'
        for name in ("cc", "bcc", "date", "message_id", "reply_to", "in_reply_to", "references", "content_type")
    },
    "setting": {
        **dict.fromkeys(
            ("user", "username", "password", "users", "login", "credentials"), "write auth={'user': 'password'}"
        ),
        **dict.fromkeys(
            ("starttls", "ssl", "use_tls", "use_ssl", "implicit", "smtps", "tls_mode", "secure"),
            "write tls='starttls', tls='implicit' or tls=None",
        ),
        **dict.fromkeys(
            ("cert", "certfile", "cert_file", "keyfile", "key", "ciphers", "context"),
            "write ssl_context=..., or certificate='expired' and the like",
        ),
        **dict.fromkeys(("rules", "rule", "hooks", "hook", "handler"), "rules are given as on=[...]"),
    },
}


def did_you_mean(
    word: object, valid: Iterable[str], kind: str = "match key", *, listing: bool = True, advice: str = ""
) -> str:
    """``" - did you mean 'tls'? (valid: ...)"``, or only the valid words where nothing is near.

    ``kind`` is the kind of name: "hook", "option", "match key", "setting", or anything else. ``advice`` is given
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
    """The word that was misspelt, cut short or drawn out; none if that would be guesswork."""
    best = min(words, key=lambda word: _unlikeness(_plain(text), word), default="")
    return [best] if best and _unlikeness(_plain(text), best) < _FAR else []


def _unlikeness(text: str, word: str) -> float:
    """0 for a word in another spelling, and up to ``_FAR`` for a word that only shares a part with the text."""
    whole, parts = _plain(word), [part for part in word.lower().split("_") if len(part) >= _LONG]
    slips = distance(text, whole)
    if slips <= 1:
        return slips
    if text in parts:
        return 1.5
    if slips == 2 and len(text) > _LONG + 1:
        return slips
    short, long = sorted((text, whole), key=len)
    if len(short) >= _LONG and long.startswith(short):
        return _FAR - 2
    return _FAR - 1 if len(text) >= _LONG and any(distance(text, part) <= 1 for part in parts) else _FAR


def _plain(text: str) -> str:
    return text.lower().replace("_", "").replace("-", "")[:_LONGEST]


def distance(one: str, other: str) -> int:
    """How many letters were added, left out, replaced, or exchanged with their neighbour."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                row[j] = min(row[j], rows[i - 2][j - 2] + 1)
        rows.append(row)
    return rows[-1][-1]
