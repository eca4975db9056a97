"""VERBS: one row for each command - how its argument is read, and what has to hold before it counts."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.address import NO_ARGS, NO_RECIPIENT_DSN, Address, RecipientDSN
from pytest_smtpd.smtp.events import (
    Authenticate,
    Bdat,
    Command,
    Event,
    Hello,
    Mail,
    Plain,
    Rcpt,
    RefusedBdat,
    Xclient,
    Xforward,
)
from pytest_smtpd.smtp.events import (
    Refused as RefusedCommand,
)
from pytest_smtpd.smtp.extensions import (
    ehlo_keywords,
    envelope_dsn,
    longest_command,
    read_parameters,
    recipient_dsn,
)
from pytest_smtpd.smtp.grammar import (
    Refused,
    decode_line,
    is_address_literal,
    is_domain,
    parse_mailbox,
    parse_parameters,
    split_path,
    upper,
)
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.sasl import SERVER_FIRST, Auth, Conversation, decode, encode, owner
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.smtp.xclient import XCLIENT_NAMES, XFORWARD_NAMES, read_attributes

Parser = Callable[[Command, str, Options, Session], Event]
A = TypeVar("A", bound=Authenticate)
Gate = Callable[[Options, Session], Reply | None]


def _pass(options: Options, session: Session) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A row. ``gate`` is asked when the command is well-formed and in sequence, and may still refuse it."""

    rfc: str
    parse: Parser
    gate: Gate = _pass
    offered: Callable[[Options], bool] = lambda options: True
    missing: Reply = replies.UNKNOWN_COMMAND
    in_clear: bool = False


def _plain(reply: Reply) -> Parser:
    def parse(command: Command, argument: str, options: Options, session: Session) -> Event:
        if argument and command.verb != "NOOP":
            raise Refused(replies.NO_ARGUMENT_ALLOWED)
        return Plain(command=command, default=reply)

    return parse


def _verify(command: Command, argument: str, options: Options, session: Session) -> Event:
    if not argument:
        raise Refused(replies.ARGUMENT_NEEDED)
    return Plain(command=command, default=replies.CANNOT_VERIFY)


def _not_implemented(command: Command, argument: str, options: Options, session: Session) -> Event:
    raise Refused(replies.NOT_IMPLEMENTED)


def _hello(command: Command, argument: str, options: Options, session: Session) -> Event:
    """RFC 5321 section 4.1.1.1."""
    if not argument:
        raise Refused(replies.BAD_DOMAIN)
    if options.strict and not ((is_domain(argument) and argument.isascii()) or is_address_literal(argument)):
        raise Refused(replies.BAD_DOMAIN)
    keywords = () if command.verb == "HELO" else ehlo_keywords(options, session)
    return Hello(command=command, domain=argument.lower(), default=replies.hello((options.hostname, *keywords)))


def _starttls(command: Command, argument: str, options: Options, session: Session) -> Event:
    """RFC 3207 section 4."""
    if argument:
        raise Refused(replies.NO_ARGUMENT_ALLOWED)
    if session.secure:
        raise Refused(replies.TLS_ACTIVE)
    return Plain(command=command, default=replies.READY_FOR_TLS)


_KEPT: Final = ("body_type", "smtp_utf8", "require_tls", "dsn")  # what an envelope has a field for


def _mail(command: Command, argument: str, options: Options, session: Session) -> Event:
    """RFC 5321 section 4.1.1.2."""
    bad = replies.BAD_SENDER
    path, rest = split_path(argument, "FROM:", bad, strict=options.strict)
    mailbox = parse_mailbox(path, bad, strict=options.strict) if path else ""
    args = dict(parse_parameters(rest)) or NO_ARGS
    fields = read_parameters("MAIL", args, options, session)
    if options.strict and not mailbox.isascii() and not fields.get("smtp_utf8"):
        raise Refused(replies.NEED_SMTPUTF8)
    if "ret" in fields or "envid" in fields:
        fields["dsn"] = envelope_dsn(fields)
    kept: dict[str, Any] = {name: fields[name] for name in _KEPT if name in fields}
    address = Address(mailbox, args=args)
    return Mail(command=command, address=address, parameters=kept or NO_ARGS, default=replies.SENDER_OK)


def _mail_gate(options: Options, session: Session) -> Reply | None:
    if options.login_needed and session.user is None:
        return replies.AUTH_REQUIRED
    if options.max_messages is not None and session.transaction > options.max_messages:
        return replies.TOO_MANY_MESSAGES
    return None


def _rcpt(command: Command, argument: str, options: Options, session: Session) -> Event:
    """RFC 5321 section 4.1.1.3; ``<Postmaster>`` needs no domain (section 4.5.1)."""
    bad = replies.BAD_RECIPIENT
    path, rest = split_path(argument, "TO:", bad, strict=options.strict)
    mailbox = path if path.lower() == "postmaster" else parse_mailbox(path, bad, strict=options.strict)
    args = dict(parse_parameters(rest)) or NO_ARGS
    try:
        dsn = _rcpt_dsn(mailbox, args, options, session)
    except Refused as refused:
        return Rcpt(command=command, address=Address(mailbox, args=args)).refused(refused.reply)
    return Rcpt(command=command, address=Address(mailbox, args=args, dsn=dsn), default=replies.RECIPIENT_OK)


def _rcpt_dsn(mailbox: str, args: Mapping[str, str | bool], options: Options, session: Session) -> RecipientDSN:
    fields = read_parameters("RCPT", args, options, session)
    utf8 = session.mail is not None and session.mail.parameters.get("smtp_utf8")
    if options.strict and not mailbox.isascii() and not utf8:
        raise Refused(replies.NEED_SMTPUTF8)
    return recipient_dsn(fields) if fields else NO_RECIPIENT_DSN


def _rcpt_gate(options: Options, session: Session) -> Reply | None:
    full = options.max_recipients is not None and len(session.recipients) >= options.max_recipients
    return replies.TOO_MANY_RECIPIENTS if full else None


def _data_gate(options: Options, session: Session) -> Reply | None:
    """RFC 3030 section 3: a binary message cannot be dot-stuffed."""
    binary = session.mail is not None and session.mail.parameters.get("body_type") == "binarymime"
    return replies.BINARY_NEEDS_BDAT if binary else None


_CHUNK = re.compile(r"([0-9]{1,20})(?: +(LAST))?", re.IGNORECASE | re.ASCII)


def _bdat(command: Command, argument: str, options: Options, session: Session) -> Event:
    """RFC 3030 section 2."""
    found = _CHUNK.fullmatch(argument)
    if found is None:
        raise Refused(replies.BAD_PARAMETER)
    return Bdat(command=command, octets=int(found[1]), last=found[2] is not None)


def _auth(command: Command, argument: str, options: Options, session: Session) -> Event:
    """RFC 4954 section 4."""
    method, *initial = argument.split() or [""]
    exchange = _exchange(upper(method), options, session)
    if len(initial) > 1 or (initial and exchange.method in SERVER_FIRST):
        raise Refused(replies.BAD_PARAMETER)
    if initial:
        exchange.respond(b"" if initial[0] == "=" else decode(initial[0].encode()))
    return authenticate(Authenticate, exchange, options, command=command)


def _exchange(method: str, options: Options, session: Session) -> Conversation:
    if options.auth_requires_tls and not session.secure:
        raise Refused(replies.AUTH_NEEDS_TLS)
    if session.user is not None:
        raise Refused(replies.ALREADY_AUTHENTICATED)
    if method not in options.methods:
        raise Refused(replies.UNKNOWN_MECHANISM if method else replies.ARGUMENT_NEEDED)
    return Conversation(method, options.hostname)


def authenticate(kind: type[A], exchange: Conversation, options: Options, **facts: Any) -> A:
    """The event; by default the next challenge, and when there are credentials, the verdict of the ``auth`` setting."""
    if exchange.auth is None:
        return kind(exchange=exchange, default=replies.challenge(encode(exchange.challenge)), **facts)
    user = owner(options.auth, exchange.auth)
    default = replies.REFUSALS["auth"] if user is None else replies.AUTHENTICATED
    return kind(exchange=exchange, auth=exchange.auth, user=user, default=default, **facts)


def _xclient(command: Command, argument: str, options: Options, session: Session) -> Event:
    attributes = read_attributes(argument, XCLIENT_NAMES)
    login = attributes.get("LOGIN")
    auth = Auth("XCLIENT", login.strip()) if login and login.strip() else None
    return Xclient(command=command, attributes=attributes, login=auth)


def _xforward(command: Command, argument: str, options: Options, session: Session) -> Event:
    return Xforward(command=command, attributes=read_attributes(argument, XFORWARD_NAMES), default=replies.OK)


VERBS: Final[Mapping[str, Verb]] = {
    "EHLO": Verb(rfc="RFC 5321 4.1.1.1", parse=_hello, in_clear=True, offered=lambda options: not options.lmtp),
    "HELO": Verb(rfc="RFC 5321 4.1.1.1", parse=_hello, in_clear=True, offered=lambda options: not options.lmtp),
    "LHLO": Verb(rfc="RFC 2033 4.1", parse=_hello, in_clear=True, offered=lambda options: options.lmtp),
    "STARTTLS": Verb(
        rfc="RFC 3207 4",
        parse=_starttls,
        in_clear=True,
        offered=lambda options: options.tls is not None,
        missing=replies.NOT_IMPLEMENTED,
    ),
    "AUTH": Verb(
        rfc="RFC 4954 4",
        parse=_auth,
        offered=lambda options: options.auth is not None,
        missing=replies.NOT_IMPLEMENTED,
    ),
    "MAIL": Verb(rfc="RFC 5321 4.1.1.2", parse=_mail, gate=_mail_gate),
    "RCPT": Verb(rfc="RFC 5321 4.1.1.3", parse=_rcpt, gate=_rcpt_gate),
    "DATA": Verb(rfc="RFC 5321 4.1.1.4", parse=_plain(replies.GO_AHEAD), gate=_data_gate),
    "BDAT": Verb(
        rfc="RFC 3030 2",
        parse=_bdat,
        offered=lambda options: options.accepts("CHUNKING"),
        missing=replies.NOT_IMPLEMENTED,
    ),
    "RSET": Verb(rfc="RFC 5321 4.1.1.5", parse=_plain(replies.OK), in_clear=True),
    "NOOP": Verb(rfc="RFC 5321 4.1.1.9", parse=_plain(replies.OK), in_clear=True),
    "QUIT": Verb(rfc="RFC 5321 4.1.1.10", parse=_plain(replies.BYE), in_clear=True),
    "VRFY": Verb(rfc="RFC 5321 4.1.1.6", parse=_verify),
    "HELP": Verb(rfc="RFC 5321 4.1.1.8", parse=lambda command, *_: Plain(command=command, default=replies.HELP)),
    "XCLIENT": Verb(
        rfc="Postfix XCLIENT",
        parse=_xclient,
        offered=lambda options: options.xclient,
        missing=replies.NOT_ALLOWED,
    ),
    "XFORWARD": Verb(
        rfc="Postfix XFORWARD",
        parse=_xforward,
        offered=lambda options: options.xforward,
        missing=replies.NOT_ALLOWED,
    ),
    # Known, and deliberately not there (RFC 5321 section 4.2.4: 502 rather than 500).
    **{
        verb: Verb(rfc=rfc, parse=_not_implemented)
        for verb, rfc in {
            "EXPN": "RFC 5321 4.1.1.7",
            "ETRN": "RFC 1985",
            "TURN": "RFC 821",
            "SEND": "RFC 821",
            "SOML": "RFC 821",
            "SAML": "RFC 821",
        }.items()
    },
}


def parse_command(command: Command, options: Options, session: Session) -> Event:
    """The event for a command line; ``events.Refused`` if it is unknown, disabled, malformed or needs TLS."""
    try:
        row = _known(command, options, session)
        argument = decode_line(command.raw, replies.BAD_ENCODING).partition(" ")[2].rstrip(" ")
        return row.parse(command, argument, options, session)
    except Refused as refused:
        known = command.verb == "BDAT" and options.accepts("BDAT") and options.accepts("CHUNKING")
        chunk = _CHUNK.fullmatch(command.argument) if known else None
        if chunk is not None:  # its octets follow all the same
            return RefusedBdat(command=command, default=refused.reply, octets=int(chunk[1]))
        return RefusedCommand(command=command, default=refused.reply)


def _known(command: Command, options: Options, session: Session) -> Verb:
    row = VERBS.get(command.verb)
    if options.require_tls and not session.secure and not (row is not None and row.in_clear):
        raise Refused(replies.TLS_REQUIRED)
    if row is None:
        raise Refused(replies.UNKNOWN_COMMAND)
    if not options.accepts(command.verb):
        raise Refused(replies.NOT_IMPLEMENTED)
    if not row.offered(options):
        raise Refused(row.missing)
    if options.strict and len(command.raw) + 2 > longest_command(command.verb, options):
        raise Refused(replies.LINE_TOO_LONG)
    return row


def gate(command: Command, options: Options, session: Session) -> Reply | None:
    """The refusal of a well-formed command that comes in sequence, or None."""
    return VERBS[command.verb].gate(options, session)
