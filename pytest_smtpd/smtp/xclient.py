"""Postfix's XCLIENT and XFORWARD: how a proxy or relay in front of the server describes the real client."""

import re
from collections.abc import Sequence
from typing import Final

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.auth import Auth
from pytest_smtpd.smtp.context import Context, Decision
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.framing import Command
from pytest_smtpd.smtp.grammar import Refused, decode_xtext

# The attributes that a proxy may set, and those that a relay may pass on.
XCLIENT_NAMES: Final = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT")
XFORWARD_NAMES: Final = ("NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE")


class Xclient(Event):
    """XCLIENT: the reply to it is a new greeting."""

    reply_later = True
    attributes: dict[str, str | None]
    login: Auth | None = None

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """The session gets the attributes; what the client sent before the new greeting is forgotten, a login too."""
        if verdicts:
            return
        session, given = context.session, self.attributes
        session.xclient = {**session.xclient, **given}
        address = given.get("ADDR")
        if address is not None:
            session.set_remote(address, session.remote_port)
        session.local_address = given.get("DESTADDR") or session.local_address
        session.remote_port = int(given.get("PORT") or session.remote_port)
        session.local_port = int(given.get("DESTPORT") or session.local_port)
        if "NAME" in given:
            session.client_hostname = (given["NAME"] or "").lower() or f"[{session.remote_address}]"
        session.hostname_appears_as = session.opening_command = session.user = None
        context.xclient_login = self.login


class Xforward(Event):
    """XFORWARD."""

    attributes: dict[str, str | None]

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """The attributes are kept beside those of an earlier XFORWARD."""
        if verdicts[0].digit == 2:
            context.session.xforward = {**context.session.xforward, **self.attributes}


def parse_xclient(command: Command, argument: str, context: Context) -> Event:
    """Postfix, XCLIENT_README: ``NAME=value`` pairs in xtext."""
    attributes = _read_attributes(argument, XCLIENT_NAMES)
    login = attributes.get("LOGIN")
    auth = Auth("XCLIENT", login.strip()) if login and login.strip() else None
    return Xclient(command=command, attributes=attributes, login=auth)


def parse_xforward(command: Command, argument: str, context: Context) -> Event:
    """Postfix, XFORWARD_README."""
    return Xforward(command=command, attributes=_read_attributes(argument, XFORWARD_NAMES), default=replies.OK)


def _read_attributes(argument: str, names: tuple[str, ...]) -> dict[str, str | None]:
    """NAME=value pairs in xtext; [UNAVAILABLE] is None, and the first of two counts. Raises ``Refused``."""
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
    from ipaddress import ip_address

    from pytest_smtpd.smtp.proxy import parse_port

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
