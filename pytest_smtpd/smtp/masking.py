"""Command lines for people: secrets masked, control characters escaped.

A secret is masked wherever a client may put one: behind AUTH however it is misspelt, behind another verb, in the words
of POP3, IMAP and HTTP, and as any password of the ``auth`` setting.
"""

import re
from typing import Final

from pytest_smtpd.smtp.sasl import MECHANISMS
from pytest_smtpd.smtp.values import printable

MASK: Final = "***"
SHORTEST_KNOWN: Final = 6  # characters; a shorter password may be any word

_FOREIGN: Final = ("SCRAM-[A-Z0-9-]+", "NTLM", "GSSAPI", "EXTERNAL", "ANONYMOUS")  # mechanisms of other servers
# AUTH as the first or second word, also behind control characters, or without a space before its mechanism.
_AUTH: Final = r"(?is)(\W*(?:[a-z0-9]+\s+)?auth)([\s=:]+|(?=%s))(.*)"
# The rest of a line whose beginning has been taken for something else.
_MECHANISM: Final = r"(?is)(\W*(?:%s))(\s+\S.*)"
# POP3: "PASS secret"; IMAP: "tag LOGIN user secret"; HTTP: "Authorization: Basic secret".
_ELSEWHERE: Final = (
    r"(?is)(\W*pass(?:word)?[\s:=]+)(\S.*)",
    r"(?is)(\W*(?:\S+\s+)?login\s+\S+\s+)(\S.*)",
    r"(?is)(\W*(?:proxy-)?authorization\s*:\s*(?:[a-z]+\s+)?)(\S.*)",
)


def masked(line: bytes, passwords: tuple[str, ...] = ()) -> str:
    """The line for people. ``passwords`` are known ones, of ``SHORTEST_KNOWN`` characters or more."""
    text = line.decode("utf-8", "backslashreplace")
    methods = "|".join((*MECHANISMS, *_FOREIGN))
    if found := re.fullmatch(_AUTH % methods, text):
        text = f"{found[1]}{found[2]}{_without_credentials(found[3], methods)}"
    elif found := re.fullmatch(_MECHANISM % methods, text):
        text = f"{found[1]} {MASK}"
    for pattern in _ELSEWHERE:
        if found := re.fullmatch(pattern, text):
            text = f"{found[1]}{MASK}"
    for password in passwords:
        text = text.replace(password, MASK)
    return printable(text)


def _without_credentials(argument: str, methods: str) -> str:
    """What stands behind AUTH, with the method shown; the first word may be a password, if the method was left out."""
    method, *credentials = argument.split() or [""]
    shown = method if re.fullmatch(rf"(?i){methods}", method) else MASK * bool(method)
    return f"{shown} {MASK}" if credentials else shown
