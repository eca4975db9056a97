"""VERBS: one row for each command, with the parser of its argument and the conditions on which it is accepted."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from pytest_smtpd.smtp import content, login, mail, replies, xclient
from pytest_smtpd.smtp.context import Context
from pytest_smtpd.smtp.events import Event, Hello, Plain
from pytest_smtpd.smtp.events import Refused as RefusedCommand
from pytest_smtpd.smtp.extensions import ehlo_keywords, longest_command
from pytest_smtpd.smtp.framing import Command
from pytest_smtpd.smtp.grammar import Refused, decode_line, is_address_literal, is_domain
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.states import SEQUENCE, State
from pytest_smtpd.smtp.table import Table, not_callable
from pytest_smtpd.smtp.values import is_keyword

Parser = Callable[[Command, str, Context], Event]
Gate = Callable[[Event, Context], Reply | None]


class Verb(NamedTuple):
    """One command. ``parse`` reads its argument, and raises ``Refused`` for what the RFC does not allow.

    ``gate`` is called for a command that is well-formed and in sequence; it may return the reply that refuses it.
    ``as_it_stands`` reads the argument of a malformed command, for the event that it becomes if a rule accepts it.
    ``offered`` is whether the server knows the verb with these options; ``missing`` is the reply if it does not, and
    ``condition`` is the text about that in the reference. ``in_clear`` is whether ``require_tls`` allows the command
    before TLS is on.

    The states in which a verb may come, and those to which it leads, are in ``states.SEQUENCE``.
    """

    rfc: str
    parse: Parser
    gate: Gate | None = None
    as_it_stands: Parser | None = None
    offered: Callable[[Options], bool] = lambda options: True
    missing: Reply = replies.UNKNOWN_COMMAND
    in_clear: bool = False
    condition: str = ""

    def problems(self, verb: str) -> Iterator[str]:
        """The texts about what is wrong with this row."""
        if not is_keyword(verb):
            yield "it must be in upper case, of letters, digits and hyphens"
        if not self.rfc:
            yield "rfc= must say where it is defined"
        optional = {"gate": self.gate, "as_it_stands": self.as_it_stands}
        given = {name: part for name, part in optional.items() if part is not None}
        yield from not_callable(parse=self.parse, offered=self.offered, **given)
        if not isinstance(self.missing, Reply) or not self.missing.refuses:
            yield f"missing= must be a reply that refuses, not {self.missing!r}"
        if (self.offered is Verb._field_defaults["offered"]) == bool(self.condition):
            yield "condition= must say when it is offered, if that is not always"
        moves = [row[verb] for row in SEQUENCE.values() if verb in row]
        if not moves and self.parse is not _not_implemented:
            yield "states.SEQUENCE has no row for it: say in which states it may come"
        for digit, state in (move for row in moves for move in row.items()):
            if digit not in range(6) or not isinstance(state, State):
                yield f"states.SEQUENCE has {digit!r}: {state!r} for it, not the first digit of a reply and a State"


def _plain(reply: Reply, kind: type[Plain] = Plain, *, takes_argument: bool = False) -> Parser:
    def parse(command: Command, argument: str, context: Context) -> Event:
        if argument and not takes_argument:
            raise Refused(replies.NO_ARGUMENT_ALLOWED)
        return kind(command=command, default=reply)

    return parse


def _without_argument(rfc: str, reply: Reply, kind: type[Plain] = Plain, **more: Any) -> Verb:
    return Verb(rfc, _plain(reply, kind), as_it_stands=_plain(reply, kind, takes_argument=True), **more)


def _verify(command: Command, argument: str, context: Context) -> Event:
    if not argument:
        raise Refused(replies.ARGUMENT_NEEDED)
    return Plain(command=command, default=replies.CANNOT_VERIFY)


def _not_implemented(command: Command, argument: str, context: Context) -> Event:
    raise Refused(replies.NOT_IMPLEMENTED)


def _hello(command: Command, argument: str, context: Context) -> Event:
    """EHLO, HELO and LHLO: their argument is a domain or an address literal (RFC 5321 section 4.1.1.1)."""
    options = context.options
    if not argument:
        raise Refused(replies.BAD_DOMAIN)
    if options.strict and not ((is_domain(argument) and argument.isascii()) or is_address_literal(argument)):
        raise Refused(replies.BAD_DOMAIN)
    return _hello_as_it_stands(command, argument, context)


def _hello_as_it_stands(command: Command, argument: str, context: Context) -> Event:
    keywords = () if command.verb == "HELO" else ehlo_keywords(context.options, context.session)
    default = replies.hello((context.options.hello, *keywords))
    return Hello(command=command, domain=argument.lower(), default=default)


def _starttls(command: Command, argument: str, context: Context) -> Event:
    """STARTTLS takes no argument, and cannot be repeated (RFC 3207 section 4)."""
    if argument:
        raise Refused(replies.NO_ARGUMENT_ALLOWED)
    if context.session.secure:
        raise Refused(replies.TLS_ACTIVE)
    return Plain(command=command, default=replies.READY_FOR_TLS)


def _starttls_as_it_stands(command: Command, argument: str, context: Context) -> Event:
    """STARTTLS that a rule has accepted. If TLS is on already, it has no effect: there is no TLS inside of TLS."""
    kind = "refused" if context.session.secure else ""
    return Plain(command=command, default=replies.READY_FOR_TLS, kind=kind)


def _speaks_smtp(options: Options) -> bool:
    return not options.lmtp


# RFC 5321 section 4.2.4: a server replies 502, not 500, to a verb that it knows and does not implement.
_ROWS: Final = {
    "EHLO": Verb(
        "RFC 5321 4.1.1.1",
        _hello,
        None,
        _hello_as_it_stands,
        offered=_speaks_smtp,
        in_clear=True,
        condition="`lmtp=False`",
    ),
    "HELO": Verb(
        "RFC 5321 4.1.1.1",
        _hello,
        None,
        _hello_as_it_stands,
        offered=_speaks_smtp,
        in_clear=True,
        condition="`lmtp=False`",
    ),
    "LHLO": Verb(
        "RFC 2033 4.1",
        _hello,
        None,
        _hello_as_it_stands,
        offered=lambda options: options.lmtp,
        in_clear=True,
        condition="`lmtp=True`",
    ),
    "STARTTLS": Verb(
        "RFC 3207 4",
        _starttls,
        as_it_stands=_starttls_as_it_stands,
        offered=lambda options: options.tls is not None,
        missing=replies.NOT_IMPLEMENTED,
        in_clear=True,
        condition="unless `tls=None`",
    ),
    "AUTH": Verb(
        "RFC 4954 4",
        login.parse_auth,
        None,
        login.auth_as_it_stands,
        offered=lambda options: options.auth is not None,
        missing=replies.NOT_IMPLEMENTED,
        condition="unless `auth=None`",
    ),
    "MAIL": Verb("RFC 5321 4.1.1.2", mail.parse_mail, mail.may_send, mail.mail_as_it_stands),
    "RCPT": Verb("RFC 5321 4.1.1.3", mail.parse_rcpt, mail.may_add_recipient, mail.rcpt_as_it_stands),
    "DATA": _without_argument("RFC 5321 4.1.1.4", replies.GO_AHEAD, content.Data, gate=content.may_send_lines),
    "BDAT": Verb(
        "RFC 3030 2",
        content.parse_bdat,
        offered=lambda options: options.accepts("CHUNKING"),
        missing=replies.NOT_IMPLEMENTED,
        condition='unless `disable={"CHUNKING"}`',
    ),
    "RSET": _without_argument("RFC 5321 4.1.1.5", replies.OK, in_clear=True),
    "NOOP": Verb("RFC 5321 4.1.1.9", _plain(replies.OK, takes_argument=True), in_clear=True),
    "QUIT": _without_argument("RFC 5321 4.1.1.10", replies.BYE, in_clear=True),
    "VRFY": Verb("RFC 5321 4.1.1.6", _verify),
    "HELP": Verb("RFC 5321 4.1.1.8", _plain(replies.HELP, takes_argument=True)),
    "XCLIENT": Verb(
        "Postfix XCLIENT",
        xclient.parse_xclient,
        offered=lambda options: options.xclient,
        missing=replies.NOT_ALLOWED,
        condition="`xclient=True`",
    ),
    "XFORWARD": Verb(
        "Postfix XFORWARD",
        xclient.parse_xforward,
        offered=lambda options: options.xforward,
        missing=replies.NOT_ALLOWED,
        condition="`xforward=True`",
    ),
    "EXPN": Verb("RFC 5321 4.1.1.7", _not_implemented),
    "ETRN": Verb("RFC 1985", _not_implemented),
    "TURN": Verb("RFC 821", _not_implemented),
    "SEND": Verb("RFC 821", _not_implemented),
    "SOML": Verb("RFC 821", _not_implemented),
    "SAML": Verb("RFC 821", _not_implemented),
}
VERBS: Final = Table("verb", Verb.problems, _ROWS)


def refuse(command: Command, reply: Reply, context: Context) -> Event:
    """The event for a command line that is refused. If that is a BDAT, its octets follow all the same."""
    row, options = VERBS.get(command.verb), context.options
    if command.verb == "BDAT" and options.accepts("BDAT") and options.accepts("CHUNKING"):
        chunk = re.match(r"(?ai)([0-9]{1,20})(?: +LAST)?[ \t]*\Z", command.argument)
        if chunk is not None:
            return content.RefusedBdat(command=command, default=reply, octets=int(chunk[1]))
    otherwise = None if row is None or row.as_it_stands is None else row.as_it_stands
    argument = command.argument.rstrip(" \t")
    return RefusedCommand(command=command, default=reply, otherwise=otherwise and otherwise(command, argument, context))


def offered(command: Command, context: Context) -> Verb:
    """The row of a verb that may be used here. Raises ``Refused`` for one that is unknown, disabled or needs TLS.

    The row is kept in the cache of the options if it may be used for every command with this verb.
    """
    options = context.options
    row = VERBS.get(command.verb)
    if options.require_tls and not context.session.secure and not (row is not None and row.in_clear):
        raise Refused(replies.TLS_REQUIRED)
    if row is None:
        if any(command.verb in moves for moves in SEQUENCE.values()):
            raise TypeError(f"verb {command.verb!r}: states.SEQUENCE has a row for it, and commands.VERBS has none")
        raise Refused(replies.UNKNOWN_COMMAND)
    if not options.accepts(command.verb):
        raise Refused(replies.NOT_IMPLEMENTED)
    if not row.offered(options):
        raise Refused(row.missing)
    if options.strict and len(command.raw) + 2 > longest_command(command.verb, options):
        raise Refused(replies.LINE_TOO_LONG)
    if not options.strict and not options.require_tls:
        options.cache[command.verb] = row
    return row


def argument_of(command: Command, context: Context) -> str:
    """The text after the verb. Raises ``Refused`` for invalid UTF-8 and for control characters."""
    line = command.raw.rstrip(b" " if context.options.strict else b" \t")
    return decode_line(line, replies.BAD_ENCODING).partition(" ")[2].rstrip(" ")
