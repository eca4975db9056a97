"""Postfix's XCLIENT and XFORWARD: what a proxy or relay in front of the server says of the real client."""

import re
from ipaddress import ip_address
from typing import Final

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.grammar import Refused, decode_xtext
from pytest_smtpd.smtp.proxy import parse_port

# The attributes that a proxy may set, and those that a relay may pass on.
XCLIENT_NAMES: Final = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
XFORWARD_NAMES: Final = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")


def read_attributes(argument: str, names: tuple[str, ...]) -> dict[str, str | None]:
    """NAME=value pairs in xtext; what is unavailable is None, and the first of two counts. Raises ``Refused``."""
    attributes: dict[str, str | None] = {}
    for word in argument.split():
        name, equals, value = word.partition("=")
        if name.upper() not in names or not equals:
            raise Refused(replies.BAD_PARAMETER)
        absent = value.upper() in ("[UNAVAILABLE]", "[TEMPUNAVAIL]")
        attributes.setdefault(name.upper(), None if absent else _value(name.upper(), decode_xtext(value)))
    if not attributes:
        raise Refused(replies.ARGUMENT_NEEDED)
    return attributes


def _value(name: str, text: str) -> str:
    try:
        if name in ("ADDR", "DESTADDR"):
            address = ip_address(re.sub("^ipv6:", "", text, flags=re.IGNORECASE))
            if "%" in text:
                raise ValueError
            return str(address)
        if name in ("PORT", "DESTPORT"):
            parse_port(text)
    except ValueError:
        raise Refused(replies.BAD_PARAMETER) from None
    return text
