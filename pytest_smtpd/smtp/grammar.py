"""RFC 5321 section 4.1.2 (paths, addresses, parameters) and xtext of RFC 3461 section 4: text in, values out.

Every function here is pure; what it cannot read raises ``Refused`` with the reply that says so.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.replies import Reply

MAX_LOCAL_PART: Final = 64  # octets, RFC 5321 section 4.5.3.1.1
MAX_DOMAIN: Final = 255  # octets, section 4.5.3.1.2
MAX_PATH: Final = 256  # octets with the angle brackets, section 4.5.3.1.3

_UTF8 = "\u0080-\U0010ffff"
_ATOM = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_UTF8}-]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(rf'"(?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*"')
_LABEL = rf"[A-Za-z0-9{_UTF8}](?:[A-Za-z0-9{_UTF8}-]*[A-Za-z0-9{_UTF8}])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LITERAL = re.compile(r"\[([^\[\]\\]*)\]")
_SOURCE_ROUTE = re.compile(r"@[^:<>]+:")
_PATH = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>')
_BARE_PATH = re.compile(r'[^<>" ](?:"(?:[^"\\]|\\.)*"|[^<>" ])*|"(?:[^"\\]|\\.)*"[^<>" ]*')
_PARAMETER = re.compile(rf"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~{_UTF8}]+))?")
# C0 and C1 controls and DEL; zero-width characters and the byte order mark hide in an address just as well.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_XTEXT_HEX = re.compile(r"\+([0-9A-F]{2})")


class Refused(Exception):
    """The text is not what the grammar asks for; ``reply`` says so to the client."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


def decode_line(line: bytes, bad: Reply) -> str:
    """A command's argument as text. Raises ``Refused`` for control characters, and with ``bad`` if it is not UTF-8."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(bad) from None
    if not text.isprintable() and _CONTROL.search(text):
        raise Refused(replies.CONTROL_CHARACTER)
    return text


def upper(text: str) -> str:
    """Keywords are ASCII and compare without case; no other letter becomes one of theirs (``"ſ".upper() == "S"``)."""
    return text.upper() if text.isascii() else text


def split_path(argument: str, keyword: str, bad: Reply, *, strict: bool) -> tuple[str, str]:
    """``FROM:<path> parameters`` -> path, parameters; if not ``strict``, without brackets or with a space, too."""
    if upper(argument[: len(keyword)]) != keyword:
        raise Refused(bad)
    rest = argument[len(keyword) :]
    if not strict:
        rest = rest.lstrip(" ")
    found = _PATH.match(rest) or (None if strict else _BARE_PATH.match(rest))
    if found is None:
        raise Refused(bad)
    path = found[1] if found.re is _PATH else found[0]
    parameters = rest[found.end() :]
    if parameters.strip(" ") and not parameters.startswith(" "):
        raise Refused(bad)
    if strict and len(path.encode()) + 2 > MAX_PATH:
        raise Refused(bad)
    return path, parameters


def parse_mailbox(path: str, bad: Reply, *, strict: bool) -> str:
    """The mailbox of a path: a source route is accepted and ignored (RFC 5321 section 4.1.1.3, appendix C)."""
    if route := _SOURCE_ROUTE.match(path):
        if not all(hop.startswith("@") and is_domain(hop[1:]) for hop in route[0][:-1].split(",")):
            raise Refused(bad)
        path = path[route.end() :]
    local, at, domain = path.rpartition("@")
    if not at or not is_local_part(local) or not (is_domain(domain) or is_address_literal(domain)):
        raise Refused(bad)
    if strict and (len(local.encode()) > MAX_LOCAL_PART or len(domain.encode()) > MAX_DOMAIN):
        raise Refused(bad)
    return path


def is_local_part(text: str) -> bool:
    """Dot-string or Quoted-string, with RFC 6531 section 3.3's UTF-8."""
    return bool(_DOT_STRING.fullmatch(text) or _QUOTED.fullmatch(text))


def is_domain(text: str) -> bool:
    """Domain of RFC 5321 section 4.1.2; U-labels as RFC 6531 section 3.3 adds them."""
    return bool(_DOMAIN.fullmatch(text))


def is_address_literal(text: str) -> bool:
    """RFC 5321 section 4.1.3: ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``."""
    found = _LITERAL.fullmatch(text)
    if found is None:
        return False
    tag, colon, rest = found[1].partition(":")
    try:
        if not colon:
            IPv4Address(found[1])
            return True
        if tag.upper() == "IPV6":
            return IPv6Address(rest).scope_id is None
    except ValueError:
        return False
    return False  # no other tag has ever been registered


def parse_parameters(text: str) -> Iterator[tuple[str, str | bool]]:
    """RFC 5321 section 4.1.2, Mail-parameters and Rcpt-parameters: (upper-case keyword, value or True), in order."""
    seen = set()
    for word in text.split(" "):
        if not word:
            continue
        found = _PARAMETER.fullmatch(word)
        if found is None:
            raise Refused(replies.BAD_PARAMETER)
        keyword = found[1].upper()
        if keyword in seen:
            raise Refused(replies.DUPLICATE_PARAMETER)
        seen.add(keyword)
        yield keyword, True if found[2] is None else found[2]


def decode_xtext(text: str) -> str:
    """RFC 3461 section 4. Raises ``Refused`` for what is no xtext, or decodes to control characters."""
    if not _XTEXT.fullmatch(text):
        raise Refused(replies.BAD_PARAMETER)
    octets = _XTEXT_HEX.sub(lambda found: chr(int(found[1], 16)), text).encode("latin-1")
    try:
        decoded = octets.decode("utf-8")
    except UnicodeDecodeError:
        decoded = octets.decode("latin-1")
    if _CONTROL.search(decoded):
        raise Refused(replies.BAD_PARAMETER)
    return decoded


def encode_xtext(text: str) -> str:
    """The inverse of ``decode_xtext``."""
    return "".join(
        chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}" for octet in text.encode("utf-8")
    )
