"""The content of a message: DATA and BDAT, the pieces in which it arrives, and the envelope that it makes."""

import re
from collections.abc import Sequence
from itertools import compress
from typing import ClassVar, Final

from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.context import Context, Decision
from pytest_smtpd.smtp.events import Event, Hooks, Plain, Refused
from pytest_smtpd.smtp.framing import Command
from pytest_smtpd.smtp.grammar import Refused as NotUnderstood
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Envelope, Phase, Transaction


class Data(Plain):
    """DATA: the content follows if the reply is a 354."""

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """From here to CRLF.CRLF, what the client sends is content."""
        context.buffer.expect_content()


def may_send_lines(event: Event, context: Context) -> Reply | None:
    """RFC 3030 section 3: a binary message cannot be dot-stuffed."""
    mail = context.session.mail
    binary = mail is not None and mail.parameters.get("body_type") == "binarymime"
    return replies.BINARY_NEEDS_BDAT if binary else None


class Bdat(Event):
    """BDAT (RFC 3030): its octets follow at once; the reply is due when they are all there."""

    reply_later = True
    octets: int
    last: bool

    def refused(self, reply: Reply) -> Refused:
        """Its octets still follow."""
        return RefusedBdat(command=self.command, default=reply, octets=self.octets)

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """Take the octets as content, or discard them."""
        if verdicts:
            context.buffer.octets = self.octets
        else:
            context.buffer.expect_chunk(self.octets, last=self.last)


class RefusedBdat(Refused):
    """A refused BDAT: its octets still follow, and are discarded."""

    octets: int

    def apply(self, verdicts: Sequence[Decision], context: Context) -> None:
        """Discard them as they come."""
        context.buffer.octets = self.octets


_CHUNK: Final = r"(?ai)([0-9]{1,20})(?: +(LAST))?"


def parse_bdat(command: Command, argument: str, context: Context) -> Event:
    """RFC 3030 section 2."""
    found = re.fullmatch(_CHUNK, argument)
    if found is None:
        raise NotUnderstood(replies.BAD_PARAMETER)
    return Bdat(command=command, octets=int(found[1]), last=found[2] is not None)


class ContentBegins(Event):
    """The client may send, or is sending, the message."""

    kind = "arriving"
    answered = False
    hooks: ClassVar[Hooks] = ()

    def apply(self, verdicts: Sequence[Decision], context: Context) -> Envelope | None:
        """An early reply: a 2xx leaves the rest to be kept, a refusal leaves it to be thrown away.

        A verdict that does not decide about the message (``keep``, or no well-formed reply) changes nothing.
        """
        mail, verdict = context.session.mail, verdicts[0]
        assert mail is not None
        if verdict.keep is True or verdict.digit == 0:
            return None
        if verdict.digit == 2:
            context.phase, mail.early_reply = Phase.ANSWERED, verdict.reply
            return None
        context.phase = Phase.DISCARDING
        envelope = finish(verdicts, context, complete=False)
        context.session.mail = None
        return envelope


class Chunk(ContentBegins):
    """Content as it arrives, dot-unstuffed; ``size`` is how much there is so far."""

    data: bytes
    size: int


class Discarded(Event):
    """The end of a message that was refused while it was still arriving."""

    kind = "discarded"
    internal = True
    hooks: ClassVar[Hooks] = ()


class ChunkReceived(Event):
    """A BDAT that is not the last is complete."""

    kind = "chunk"
    hooks: ClassVar[Hooks] = ()

    def apply(self, verdicts: Sequence[Decision], context: Context) -> Envelope | None:
        """A refused chunk ends the message; in LMTP, too, there is one reply for all recipients."""
        for_all = [verdicts[0]] * len(context.session.recipients)
        return finish(for_all, context, complete=False) if verdicts[0].digit >= 4 else None


class Content(Event):
    """The message is complete: CRLF.CRLF, or BDAT LAST. Without a default it was answered while it was arriving.

    ``final`` is whether the default stands, even if a hook decides otherwise (RFC 1870 section 6.3).
    """

    kind = "content"
    hooks: ClassVar[Hooks] = ()
    final: bool = False

    def apply(self, verdicts: Sequence[Decision], context: Context) -> Envelope:
        """The transaction ends."""
        return finish(verdicts, context)


def finish(verdicts: Sequence[Decision], context: Context, *, complete: bool = True) -> Envelope:
    """The envelope of a transaction that ends, accepted or refused (RFC 5321 section 4.1.1.4).

    In LMTP there is a verdict for each recipient (RFC 2033 section 4.2), in SMTP one for the message. ``complete`` is
    whether all of its content has arrived.
    """
    session, options = context.session, context.options
    mail = session.mail
    assert mail is not None
    kept = [verdict.digit == 2 if verdict.keep is None else verdict.keep for verdict in verdicts]
    recipients = tuple(mail.recipients)
    if options.lmtp and len(verdicts) == len(recipients):
        _refuse_some(mail, verdicts, kept)
        recipients = tuple(compress(recipients, kept))
    given = [verdict.reply for verdict in verdicts if verdict.reply is not None]
    accepted = any(kept)
    envelope = mail.envelope(
        session,
        session.read,
        most=None if accepted else options.size,  # however the content was cut into pieces
        accepted=accepted,
        reply=next((reply for reply in given if reply.digit == 2), given[0] if given else mail.early_reply),
        rcpt_to=recipients,
        complete=complete,
    )
    mail.chunks = []
    session.transaction += 1
    return envelope


def _refuse_some(mail: Transaction, verdicts: Sequence[Decision], kept: Sequence[bool]) -> None:
    """LMTP: a recipient whose reply refuses has been refused, unless the message is kept for them."""
    for address, verdict, served in zip(mail.recipients, verdicts, kept, strict=True):
        if not served and verdict.reply is not None and verdict.reply.refuses:
            mail.refuse(address, verdict.reply)
