"""RFC 5321 section 4.1.2 (paths, addresses, parameters) and xtext of RFC 3461 section 4: text in, values out.

Every function here is pure; for text that it cannot read it raises ``Refused`` with the reply for the client. Patterns
are texts, which the ``re`` module compiles when they are first used: most runs never meet a quoted local part.
"""

import re
from collections.abc import Iterator
from typing import Final

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.replies import Reply

MAX_LOCAL_PART: Final = 64  # octets, RFC 5321 section 4.5.3.1.1
MAX_DOMAIN: Final = 255  # octets, section 4.5.3.1.2
MAX_PATH: Final = 256  # octets with the angle brackets, section 4.5.3.1.3

_UTF8: Final = "\u0080-\U0010ffff"
_ATOM: Final = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_UTF8}-]+"
_DOT_STRING: Final = rf"{_ATOM}(?:\.{_ATOM})*"
_LOOSE_DOT_STRING: Final = rf"{_ATOM}(?:\.+{_ATOM})*\.*"  # as some mobile carriers have handed them out
_QUOTED: Final = rf'"(?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*"'
_LABEL: Final = rf"[A-Za-z0-9{_UTF8}](?:[A-Za-z0-9{_UTF8}-]*[A-Za-z0-9{_UTF8}])?"
_DOMAIN: Final = rf"{_LABEL}(?:\.{_LABEL})*"
_LOOSE_LABEL: Final = rf"[A-Za-z0-9_{_UTF8}](?:[A-Za-z0-9_{_UTF8}-]*[A-Za-z0-9_{_UTF8}])?"
_LOOSE_DOMAIN: Final = rf"{_LOOSE_LABEL}(?:\.{_LOOSE_LABEL})*"  # host names with an underscore
_LITERAL: Final = r"\[([^\[\]\\]*)\]"
_SOURCE_ROUTE: Final = r"@[^:<>]+:"
_PATH: Final = r'<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>'
_BARE_PATH: Final = r'[^<>" ](?:"(?:[^"\\]|\\.)*"|[^<>" ])*|"(?:[^"\\]|\\.)*"[^<>" ]*'
_PARAMETER: Final = rf"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~{_UTF8}]+))?"
# C0 and C1 controls and DEL; zero-width characters and the byte order mark hide in an address just as well.
_CONTROL: Final = "[\x00-\x1f\x7f-\x9f\u200b\u2060\ufeff]"
_XTEXT: Final = r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*"
_XTEXT_HEX: Final = r"\+([0-9A-F]{2})"

# Nearly every path that arrives looks like this. If it is no longer than a local part may be, it keeps every limit.
USUAL_PATH: Final = re.compile(r"<([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*)>")


class Refused(Exception):
    """The text does not match the grammar; ``reply`` is for the client."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


def decode_line(line: bytes, bad: Reply) -> str:
    """A command line as text. Raises ``Refused`` for control characters, and with ``bad`` if it is not UTF-8."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(bad) from None
    if not text.isprintable() and re.search(_CONTROL, text):
        raise Refused(replies.CONTROL_CHARACTER)
    return text


def upper(text: str) -> str:
    """Keywords are ASCII and compare without case; no other letter becomes one of theirs (``"ſ".upper() == "S"``)."""
    return text.upper() if text.isascii() else text


def fold_address(text: str) -> str:
    """Addresses compare without case in the domain (RFC 5321 section 2.4)."""
    local, at, domain = text.rpartition("@")
    return f"{local}{at}{domain.lower()}" if at else text


def split_path(argument: str, keyword: str, bad: Reply, *, strict: bool) -> tuple[str, str]:
    """``FROM:<path> parameters`` -> path, parameters; if not ``strict``, without brackets or with a space, too."""
    if upper(argument[: len(keyword)]) != keyword:
        raise Refused(bad)
    rest = argument[len(keyword) :]
    if not strict:
        rest = rest.lstrip(" ")
    bracketed = re.match(_PATH, rest)
    found = bracketed or (None if strict else re.match(_BARE_PATH, rest))
    if found is None:
        raise Refused(bad)
    path = found[1] if bracketed else found[0]
    parameters = rest[found.end() :]
    if parameters.strip(" ") and not parameters.startswith(" "):
        raise Refused(bad)
    if strict and len(path.encode()) + 2 > MAX_PATH:
        raise Refused(bad)
    return path, parameters


def path_as_it_stands(argument: str, keyword: str) -> str:
    """The address of an argument that cannot be parsed: the text between ``<`` and ``>``, else the first word."""
    rest = argument[len(keyword) :] if upper(argument[: len(keyword)]) == keyword else argument
    before, opening, behind = rest.partition("<")
    if opening:
        return behind.rpartition(">")[0] if ">" in behind else behind
    return (before.split() or [""])[0]


def parse_mailbox(path: str, bad: Reply, *, strict: bool) -> str:
    """The mailbox of a path; a source route is accepted and ignored (RFC 5321 section 4.1.1.3, appendix C).

    If not ``strict``, a domain may be absent or contain underscores, and the local part may have doubled or final dots.
    """
    if path.startswith("@"):
        path = _without_route(path, bad)
    local, at, domain = path.rpartition("@")
    if not at and not strict and is_local_part(path, strict=False):
        return path
    if not at or not is_local_part(local, strict=strict):
        raise Refused(bad)
    if not (is_domain(domain, strict=strict) or is_address_literal(domain)):
        raise Refused(bad)
    if strict and (len(local.encode()) > MAX_LOCAL_PART or len(domain.encode()) > MAX_DOMAIN):
        raise Refused(bad)
    return path


def _without_route(path: str, bad: Reply) -> str:
    """The path without the source route that it begins with, if that is one. Raises ``Refused``."""
    route = re.match(_SOURCE_ROUTE, path)
    if route is None:
        return path
    if not all(hop.startswith("@") and is_domain(hop[1:]) for hop in route[0][:-1].split(",")):
        raise Refused(bad)
    return path[route.end() :]


def is_local_part(text: str, *, strict: bool = True) -> bool:
    """Dot-string or Quoted-string, with RFC 6531 section 3.3's UTF-8."""
    return bool(re.fullmatch(_DOT_STRING if strict else _LOOSE_DOT_STRING, text) or re.fullmatch(_QUOTED, text))


def is_domain(text: str, *, strict: bool = True) -> bool:
    """Domain of RFC 5321 section 4.1.2; U-labels as RFC 6531 section 3.3 adds them."""
    return re.fullmatch(_DOMAIN if strict else _LOOSE_DOMAIN, text) is not None


def is_address_literal(text: str) -> bool:
    """RFC 5321 section 4.1.3: ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``."""
    found = re.fullmatch(_LITERAL, text)
    if found is None:
        return False
    from ipaddress import IPv4Address, IPv6Address

    tag, colon, rest = found[1].partition(":")
    try:
        if not colon:
            IPv4Address(found[1])
            return True
        # No tag but IPv6 has ever been registered.
        return tag.upper() == "IPV6" and IPv6Address(rest).scope_id is None
    except ValueError:
        return False


def parse_parameters(text: str) -> Iterator[tuple[str, str | bool]]:
    """RFC 5321 section 4.1.2, Mail-parameters and Rcpt-parameters: (upper-case keyword, value or True), in order."""
    seen = set()
    for word in text.split(" "):
        if not word:
            continue
        found = re.fullmatch(_PARAMETER, word)
        if found is None:
            raise Refused(replies.BAD_PARAMETER)
        keyword = found[1].upper()
        if keyword in seen:
            raise Refused(replies.DUPLICATE_PARAMETER)
        seen.add(keyword)
        yield keyword, True if found[2] is None else found[2]


def decode_xtext(text: str) -> str:
    """RFC 3461 section 4. Raises ``Refused`` for a text that is no xtext, or decodes to control characters."""
    if not re.fullmatch(_XTEXT, text):
        raise Refused(replies.BAD_PARAMETER)
    octets = re.sub(_XTEXT_HEX, lambda found: chr(int(found[1], 16)), text).encode("latin-1")
    try:
        decoded = octets.decode("utf-8")
    except UnicodeDecodeError:
        decoded = octets.decode("latin-1")
    if re.search(_CONTROL, decoded):
        raise Refused(replies.BAD_PARAMETER)
    return decoded


def encode_xtext(text: str) -> str:
    """The inverse of ``decode_xtext``."""
    return "".join(
        chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}" for octet in text.encode("utf-8")
    )
