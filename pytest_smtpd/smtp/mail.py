"""The sender and the recipients of a mail transaction (RFC 5321 section 3.3): MAIL and RCPT.

For each there is how the argument is read, what has to hold before it counts, and what its answer does.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.address import NO_ARGS, Address
from pytest_smtpd.smtp.context import Context, Decision
from pytest_smtpd.smtp.events import Event, Hooks, Refused
from pytest_smtpd.smtp.extensions import ABSENT, absent_parameters, read_parameters
from pytest_smtpd.smtp.framing import Command
from pytest_smtpd.smtp.grammar import (
    MAX_LOCAL_PART,
    USUAL_PATH,
    parse_mailbox,
    parse_parameters,
    path_as_it_stands,
    split_path,
)
from pytest_smtpd.smtp.grammar import Refused as NotUnderstood
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Transaction

# --- the sender -----------------------------------------------------------------------------------------------------


class Mail(Event):
    """MAIL FROM, well-formed and in sequence. The transaction is there at once, and ends if the sender is refused."""

    hooks: ClassVar[Hooks] = (("command", "command"), ("mail_from", "address"))
    address: Address

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """The transaction stays open, or ends with the refusal."""
        context.session.mail = self.transaction if verdicts[0].digit == 2 else None


def parse_mail(command: Command, argument: str, context: Context) -> Event:
    """RFC 5321 section 4.1.1.2."""
    options, session = context.options, context.session
    usual = USUAL_PATH.fullmatch(argument, 5) if len(argument) <= MAX_LOCAL_PART else None
    if usual is not None and argument[:5].upper() == "FROM:":
        return _mail(command, str.__new__(Address, usual[1]), NO_ARGS, context)
    bad = replies.BAD_SENDER
    path, rest = split_path(argument, "FROM:", bad, strict=options.strict)
    mailbox = parse_mailbox(path, bad, strict=options.strict) if path else ""
    args = dict(parse_parameters(rest))
    parameters = read_parameters("MAIL", args, options, session) if args else NO_ARGS
    if options.strict and not mailbox.isascii() and not parameters.get("smtp_utf8"):
        raise NotUnderstood(replies.NEED_SMTPUTF8)
    return _mail(command, Address(mailbox, args=args or NO_ARGS), parameters, context)


def _mail(command: Command, address: Address, parameters: Mapping[str, Any], context: Context) -> Mail:
    options = context.options
    if options.cache.get(ABSENT["MAIL"], True):
        parameters = {**absent_parameters("MAIL", options), **parameters}
    transaction = Transaction(context.session.transaction, address, parameters)
    return Mail(command=command, address=address, transaction=transaction, default=replies.SENDER_OK)


def mail_as_it_stands(command: Command, argument: str, context: Context) -> Event:
    """A MAIL that no grammar explains, and a rule accepts."""
    return _mail(command, Address(path_as_it_stands(argument, "FROM:")), NO_ARGS, context)


def may_send(event: Event, context: Context) -> Reply | None:
    """Who has to log in does that first; then the limits of this connection and of a message (RFC 1870 section 6.1)."""
    options, session = context.options, context.session
    if options.login_needed and session.user is None:
        return replies.AUTH_REQUIRED
    if options.max_messages is not None and session.transaction > options.max_messages:
        return replies.TOO_MANY_MESSAGES
    assert isinstance(event, Mail)
    declared = event.address.args.get("SIZE")
    if options.size is not None and isinstance(declared, str) and int(declared) > options.size:
        return replies.TOO_BIG
    return None


# --- the recipients -------------------------------------------------------------------------------------------------


class Rcpt(Event):
    """RCPT TO, well-formed and in sequence."""

    hooks: ClassVar[Hooks] = (("command", "command"), ("rcpt_to", "address"))
    address: Address

    def refused(self, reply: Reply) -> Refused:
        """The address stays known: the envelope lists it with its reply."""
        return RefusedRcpt(command=self.command, default=reply, otherwise=self, address=self.address)

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """The recipient is in the envelope, or among those that were refused."""
        mail, verdict = context.session.mail, verdicts[0]
        assert mail is not None
        if verdict.digit == 2:
            mail.recipients.append(self.address)
            if mail.refused:
                mail.refused.pop(self.address, None)  # it was tried again
        elif verdict.digit >= 4 and verdict.reply is not None:
            mail.refuse(self.address, verdict.reply)


class RefusedRcpt(Refused):
    """A well-formed recipient that a limit, or a parameter, has turned away; no ``rcpt_to`` hook is asked."""

    address: Address

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """It is among the envelope's refused recipients."""
        mail, verdict = context.session.mail, verdicts[0]
        if mail is not None and verdict.digit >= 4 and verdict.reply is not None:
            mail.refuse(self.address, verdict.reply)


def parse_rcpt(command: Command, argument: str, context: Context) -> Event:
    """RFC 5321 section 4.1.1.3; ``<Postmaster>`` needs no domain (section 4.5.1)."""
    options, bad = context.options, replies.BAD_RECIPIENT
    usual = USUAL_PATH.fullmatch(argument, 3) if len(argument) <= MAX_LOCAL_PART else None
    if usual is not None and argument[:3].upper() == "TO:":
        address = str.__new__(Address, usual[1])
        if options.cache.get(ABSENT["RCPT"], True):
            vars(address).update(absent_parameters("RCPT", options))
        return Rcpt(command=command, address=address, default=replies.RECIPIENT_OK)
    path, rest = split_path(argument, "TO:", bad, strict=options.strict)
    mailbox = path if path.lower() == "postmaster" else parse_mailbox(path, bad, strict=options.strict)
    args = dict(parse_parameters(rest))
    address = Address(mailbox, args=args or NO_ARGS)
    event = Rcpt(command=command, address=address, default=replies.RECIPIENT_OK)
    try:
        _read_rcpt_parameters(address, context)
    except NotUnderstood as refused:
        return event.refused(refused.reply)
    return event


def _read_rcpt_parameters(address: Address, context: Context) -> None:
    options, session = context.options, context.session
    vars(address).update(absent_parameters("RCPT", options))
    if address.args:
        for name, value in read_parameters("RCPT", address.args, options, session).items():
            setattr(address, name, value)
    utf8 = session.mail is not None and session.mail.parameters.get("smtp_utf8")
    if options.strict and not address.isascii() and not utf8:
        raise NotUnderstood(replies.NEED_SMTPUTF8)


def rcpt_as_it_stands(command: Command, argument: str, context: Context) -> Event:
    """A RCPT that no grammar explains, and a rule accepts."""
    address = Address(path_as_it_stands(argument, "TO:"))
    vars(address).update(absent_parameters("RCPT", context.options))
    return Rcpt(command=command, address=address)


def may_add_recipient(event: Event, context: Context) -> Reply | None:
    """The limit of recipients (RFC 5321 section 4.5.3.1.10)."""
    most = context.options.max_recipients
    mail = context.session.mail
    return replies.TOO_MANY_RECIPIENTS if most is not None and mail and len(mail.recipients) >= most else None
