"""Command lines for people: secrets masked, control characters escaped.

A secret is masked wherever a client may put one: behind AUTH however it is misspelt, behind another verb, in the words
of POP3, IMAP and HTTP, and as any password of the ``auth`` setting.
"""

import re
from typing import Final

from pytest_smtpd.smtp.values import printable

MASK: Final = "***"
SHORTEST_KNOWN: Final = 6  # characters; a shorter password may be any word

_METHODS: Final = r"PLAIN|LOGIN|CRAM-MD5|XOAUTH2|OAUTHBEARER|SCRAM-[A-Z0-9-]+|NTLM|GSSAPI|EXTERNAL|ANONYMOUS"
# AUTH as the first or second word, also behind control characters, or without a space before its mechanism.
_AUTH: Final = rf"(?is)(\W*(?:[a-z0-9]+\s+)?auth)([\s=:]+|(?={_METHODS}))(.*)"
# The rest of a line whose beginning has been taken for something else.
_MECHANISM: Final = rf"(?is)(\W*(?:{_METHODS}))(\s+\S.*)"
# POP3: "PASS secret"; IMAP: "tag LOGIN user secret"; HTTP: "Authorization: Basic secret".
_ELSEWHERE: Final = (
    r"(?is)(\W*pass(?:word)?[\s:=]+)(\S.*)",
    r"(?is)(\W*(?:\S+\s+)?login\s+\S+\s+)(\S.*)",
    r"(?is)(\W*(?:proxy-)?authorization\s*:\s*(?:[a-z]+\s+)?)(\S.*)",
)


def masked(line: bytes, passwords: tuple[str, ...] = ()) -> str:
    """The line for people. ``passwords`` are known ones, of ``SHORTEST_KNOWN`` characters or more."""
    text = line.decode("utf-8", "backslashreplace")
    if found := re.fullmatch(_AUTH, text):
        text = f"{found[1]}{found[2]}{_without_credentials(found[3])}"
    elif found := re.fullmatch(_MECHANISM, text):
        text = f"{found[1]} {MASK}"
    for pattern in _ELSEWHERE:
        if found := re.fullmatch(pattern, text):
            text = f"{found[1]}{MASK}"
    for password in passwords:
        text = text.replace(password, MASK)
    return printable(text)


def _without_credentials(argument: str) -> str:
    """What stands behind AUTH, with the method shown; the first word may be a password, if the method was left out."""
    method, *credentials = argument.split() or [""]
    shown = method if re.fullmatch(rf"(?i){_METHODS}", method) else MASK * bool(method)
    return f"{shown} {MASK}" if credentials else shown
