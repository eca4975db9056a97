"""Command lines as texts show them: secrets masked, control characters escaped.

A client with a bug may send a credential anywhere: behind an AUTH that is misspelt, behind another verb, in the
words of POP3, IMAP or HTTP, split over lines. So a line is searched for three kinds of secrets: text in the place of a
secret (``_REST`` and ``_VALUE``), words that are credentials in base64, and known passwords in any form.
Once a client has begun to log in, a line of it that is no command is not shown at all (see ``begins_login``).
"""

import re
from collections.abc import Sequence
from typing import Final

from pytest_smtpd.smtp.passwords import MASK, without_credentials, without_passwords
from pytest_smtpd.smtp.sasl import mechanism_pattern
from pytest_smtpd.smtp.values import printable

_AUTH: Final = r"auth(?:enticate|orize)?"
_SECRET_NAMES: Final = r"pass(?:word|wd|phrase)?|pwd|(?:client_)?secret|(?:[a-z]+_)?token|(?:x-)?api[-_]?key"

# METHODS stands for the names of mechanisms, and a quantifier with "+" behind it never gives anything back.
# Behind these, the rest of a line is secret.
_REST: Final = (
    # AUTH as the first word or the second; a known mechanism behind it is shown
    rf"\A\W*+(?:\S++\s++\W*+)?{_AUTH}(?:[\s=:]++|(?=METHODS))(?:[\"']?(?:METHODS)(?![\w-])[\"']?[\s=:]*+)?+(?=\S)",
    # A mechanism, or a scheme of HTTP, with a word behind it
    r"(?<![\w.@-])(?:METHODS|basic|bearer|digest|negotiate)[\"']?\s++(?=\S)",
    # POP3: "PASS secret", "APOP user digest"
    r"\A\W*+(?:\S++\s++)?pass(?:word|wd)?(?:\s*+[:=]\s*+|\s++)(?=\S)",
    r"\A\W*+apop\s++\S++\s++(?=\S)",
    # HTTP: "Authorization: Basic secret", "X-Api-Key: secret"
    r"\A(?=[\w-]*+\s*+:)(?=[\w-]*?(?:auth|cookie|token|key|secret|pass))[\w-]++\s*+:\s*+(?:[a-z]++\s++(?=\S))?(?=\S)",
)
# Behind these, a word is secret: "password=secret", "smtp://user:secret@host".
_VALUE: Final = (
    rf"(?<![\w<.@+-])(?:{_SECRET_NAMES})[\"']?\s*+[:=]\s*+[\"']?(?P<secret>[^\s\"'&;,>]+)",
    r"://[^\s:/@]*+:(?P<secret>[^\s/@]+)(?=@)",
)
_LOGIN: Final = r"auth|pass|\b(?:user|METHODS)\b"
_WORD: Final = r"(?<![\w+/=-])[A-Za-z0-9+/]{6,}={0,2}(?![^\s\"'])"


def masked(line: bytes, passwords: Sequence[str] = (), *, known: bool = True) -> str:
    """The line as texts show it. ``passwords`` are known ones; ``known`` is whether it begins with a known verb."""
    text = without_passwords(line, passwords).decode("utf-8", "backslashreplace")
    methods = mechanism_pattern()
    for pattern in _REST:
        if found := re.search(pattern.replace("METHODS", methods), text, re.IGNORECASE):
            text = f"{text[: found.end()]}{MASK}"
    for pattern in _VALUE:
        text = re.sub(pattern, _mask_secret, text, flags=re.IGNORECASE)
    text = without_credentials(text, passwords)
    if not known:
        text = re.sub(_WORD, lambda word: MASK if _looks_encoded(word[0]) else word[0], text)
    return printable(text)


def begins_login(line: bytes) -> bool:
    """Whether a line that is no command may begin a login: what comes behind it may then be a password."""
    return re.search(_LOGIN.replace("METHODS", mechanism_pattern()), line.decode("latin-1"), re.IGNORECASE) is not None


def _mask_secret(found: re.Match[str]) -> str:
    start = found.start("secret") - found.start()
    return f"{found[0][:start]}{MASK}"


def _looks_encoded(word: str) -> bool:
    """Whether a word may be base64 of something that people have chosen: no word of a language has its shape."""
    if word.endswith("="):
        return True
    mixed = re.search("[A-Z]", word) and re.search("[a-z]", word)
    return len(word) % 4 == 0 and len(word) >= 8 and bool(mixed and re.search("[a-z][A-Z]|[0-9]", word))
