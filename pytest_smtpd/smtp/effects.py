"""What an answered event does to the session and its transaction; which state follows is for ``states`` to say."""

from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from typing import Any, Final, NamedTuple

from pytest_smtpd.smtp import events
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.envelope import NO_CHUNKS, Envelope, Transaction
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.intake import Intake
from pytest_smtpd.smtp.options import Options
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session, open_transaction, set_remote


class Verdict(NamedTuple):
    """What ``Connection.send`` was told; ``digit`` is the first of the first reply, 0 if there is none.

    ``each`` is LMTP's reply to each recipient, where it is known who was told what; None for who was told nothing.
    """

    replies: Sequence[Reply]
    digit: int
    detail: Any = None
    accepted: bool | tuple[bool, ...] | None = None
    later: bool = False
    at: float = 0.0
    each: Sequence[Reply | None] | None = None


class Effects:
    """One method for each kind of event; those that end a transaction give its envelope."""

    def __init__(self, options: Options, session: Session, intake: Intake) -> None:
        self._options = options
        self._session = session
        self._intake = intake

    def apply(self, event: Event, verdict: Verdict) -> Envelope | None:
        """Do what the verdict on ``event`` means; the envelope of a message that has ended by it."""
        effect = _EFFECTS.get(type(event))
        return None if effect is None else effect(self, event, verdict)

    def finish(self, verdict: Verdict) -> Envelope:
        """The transaction ends, one way or the other (RFC 5321 section 4.1.1.4; RFC 2033 section 4.2)."""
        mail, answers = open_transaction(self._session), verdict.replies
        recipients, accepted = tuple(mail.recipients), verdict.accepted
        each = answers if verdict.each is None else verdict.each
        if self._options.lmtp and not isinstance(accepted, bool) and len(each) == len(recipients):
            recipients = _served(mail, each, accepted)
            accepted = bool(recipients)
        elif accepted is None:
            accepted = any(reply.digit == 2 for reply in answers)
        reply = next((reply for reply in answers if reply.digit == 2), answers[0] if answers else mail.answered)
        envelope = mail.snapshot(
            self._session,
            most=None if accepted else self._options.size,  # whatever the pieces were in which it came
            accepted=accepted,
            reply=reply,
            rcpt_to=recipients,
            at=verdict.at,
        )
        mail.chunks = NO_CHUNKS
        self._session.transaction += 1
        return envelope

    def _connected(self, event: events.Connected, verdict: Verdict) -> None:
        if verdict.digit == 2 and event.login is not None:
            self._session.user = verdict.detail or event.login.username

    def _hello(self, event: events.Hello, verdict: Verdict) -> None:
        assert event.command is not None
        if verdict.digit == 2:
            self._session.hostname_appears_as = event.domain
            self._session.opening_command = event.command.verb

    def _plain(self, event: events.Plain, verdict: Verdict) -> None:
        if event.name == "DATA":
            self._intake.expect_content()

    def _mail(self, event: events.Mail, verdict: Verdict) -> None:
        if verdict.digit == 2:
            self._session.mail = Transaction(self._session.transaction, event.address, event.parameters)

    def _rcpt(self, event: events.Rcpt, verdict: Verdict) -> None:
        mail = open_transaction(self._session)
        if verdict.digit == 2:
            mail.recipients.append(event.address)
            if mail.refused:
                mail.refused.pop(event.address, None)  # it was tried again
        elif verdict.digit >= 4:
            mail.refuse(event.address, verdict.replies[0])

    def _refused(self, event: events.Refused, verdict: Verdict) -> None:
        assert event.command is not None
        if event.command.verb.strip() in ("", "AUTH"):
            self._intake.login.failed = True

    def _refused_rcpt(self, event: events.RefusedRcpt, verdict: Verdict) -> None:
        if self._session.mail is not None and verdict.digit >= 4:
            self._session.mail.refuse(event.address, verdict.replies[0])

    def _bdat(self, event: events.Bdat, verdict: Verdict) -> None:
        if verdict.later:
            self._intake.expect_chunk(event.octets, last=event.last)
        else:
            self._intake.skip(event.octets)

    def _refused_bdat(self, event: events.RefusedBdat, verdict: Verdict) -> None:
        self._intake.skip(event.octets)

    def _chunk_received(self, event: events.ChunkReceived, verdict: Verdict) -> Envelope | None:
        if verdict.digit < 4:
            return None
        to_all = [verdict.replies[0]] * len(self._session.recipients)  # in LMTP, too, it is said once
        return self.finish(verdict._replace(each=to_all))

    def _content(self, event: events.Content, verdict: Verdict) -> Envelope:
        return self.finish(verdict)

    def _authenticate(self, event: events.Authenticate, verdict: Verdict) -> None:
        user = self._intake.login.settle(event, verdict.digit, verdict.detail)
        if user is not None:
            self._session.user = user

    def _xclient(self, event: events.Xclient, verdict: Verdict) -> None:
        """The client is who it says it is; what it said before the new greeting is forgotten."""
        if not verdict.later:
            return
        session, given = self._session, event.attributes
        session.xclient = {**session.xclient, **given}
        address = given.get("ADDR")
        if address is not None:
            set_remote(session, address, session.remote_port)
        session.local_address = given.get("DESTADDR") or session.local_address
        session.remote_port = int(given.get("PORT") or session.remote_port)
        session.local_port = int(given.get("DESTPORT") or session.local_port)
        if "NAME" in given:
            session.client_hostname = (given["NAME"] or "").lower() or f"[{session.remote_address}]"
        session.hostname_appears_as = session.opening_command = None
        if "LOGIN" in given:
            session.user = None
        self._intake.introduced = event.login

    def _xforward(self, event: events.Xforward, verdict: Verdict) -> None:
        if verdict.digit == 2:
            self._session.xforward = {**self._session.xforward, **event.attributes}


def _served(mail: Transaction, each: Sequence[Reply | None], kept: Sequence[bool] | None) -> tuple[Address, ...]:
    """LMTP: whom the message is for, by their own replies or by ``kept``; who was told nothing is not refused."""
    kept = [reply is not None and reply.digit == 2 for reply in each] if kept is None else kept
    for address, reply, served in zip(mail.recipients, each, kept, strict=True):
        if reply is not None and reply.refuses and not served:
            mail.refuse(address, reply)
    return tuple(compress(mail.recipients, kept))


_EFFECTS: Final[Mapping[type[Event], Callable[[Effects, Any, Verdict], Envelope | None]]] = {
    events.Connected: Effects._connected,
    events.Hello: Effects._hello,
    events.Plain: Effects._plain,
    events.Mail: Effects._mail,
    events.Rcpt: Effects._rcpt,
    events.Refused: Effects._refused,
    events.RefusedRcpt: Effects._refused_rcpt,
    events.Bdat: Effects._bdat,
    events.RefusedBdat: Effects._refused_bdat,
    events.ChunkReceived: Effects._chunk_received,
    events.Content: Effects._content,
    events.Authenticate: Effects._authenticate,
    events.Response: Effects._authenticate,
    events.Xclient: Effects._xclient,
    events.Xforward: Effects._xforward,
}
