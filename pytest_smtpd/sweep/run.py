"""What one run of the block has shown. The checks look at nothing else."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import Final

from pytest_smtpd import Call, Envelope, Log, Rule, Session
from pytest_smtpd.sweep.claims import Claims
from pytest_smtpd.sweep.faults import REFUSALS, Kind
from pytest_smtpd.sweep.points import Point

_SESSION_STEPS: Final = {"connect", "secure", "auth", "EHLO", "HELO", "LHLO", "STARTTLS", "AUTH"}
_IN_GROUPS: Final = {"MAIL", "RCPT", "DATA"}  # not EHLO, which is sent along with the end of a TLS handshake
_WELL_FORMED: Final = (Kind.TOLD, Kind.LEGAL)  # kinds in which a reply that accepts arrives as a well-formed one


class Run:
    """One run: the claims of the application, and what the server saw.

    ``seconds`` is how long the block took, ``before`` how much of that passed before its first connection, and
    ``overrun`` whether the server had to be stopped to end it. ``leaks`` and ``collected`` describe what the block
    left behind: what is still there, and what a garbage collection has closed.
    """

    def __init__(self, point: Point | None, log: Log, claims: Claims, rule: Rule | None = None) -> None:
        self.point: Point | None = point
        self.claims: Claims = claims
        self.rule: Rule | None = rule
        self.error: BaseException | None = None
        self.seconds: float = 0.0
        self.before: float = 0.0
        self.overrun: bool = False
        self.leaks: list[str] = []
        self.collected: list[str] = []
        self.log: Log = log
        self.calls: Sequence[Call] = log.calls()
        self.sessions: Sequence[Session] = log.sessions()
        self.envelopes: Sequence[Envelope] = log.envelopes()  # the log itself is emptied before the next run
        self.accepted: Sequence[Envelope] = [envelope for envelope in self.envelopes if envelope.accepted]

    @cached_property
    def content(self) -> Sequence[str]:
        """The accepted mails as snapshots, which do not differ from run to run."""
        return [envelope.snapshot() for envelope in self.accepted]

    @property
    def reacting(self) -> float:
        """The seconds since the first connection: what a process needs to start is no reaction to a failure."""
        return self.seconds - self.before

    @property
    def kind(self) -> Kind | None:
        """What went wrong; None in the run without a fault."""
        return None if self.point is None else self.point.kind

    @property
    def reached(self) -> bool:
        """Whether the fault has happened."""
        return self.rule is None or self.rule.used > 0

    @property
    def hit(self) -> Call | None:
        """The first call at which it happened. A command that it answers for a more special hook is not that call."""
        rule = self.rule
        if rule is None:
            return None
        concerned = (call for call in self.calls if call.rule is rule or rule in call.decorations)
        return next((call for call in concerned if call.hook == rule.hook), None)

    @property
    def hits_the_session(self) -> bool:
        """Whether the fault belongs to a step of the whole session, not of one mail."""
        return self.point is not None and self.point.step is not None and self.point.step.name in _SESSION_STEPS

    @cached_property
    def is_orderly(self) -> bool:
        """Whether the mails were sent one by one, and never over two connections at once."""
        turns = [session for session, _ in groupby(call.session.id for call in self.calls if call.hook != "close")]
        begun = sum(call.hook == "mail_from" for call in self.calls)
        return len(turns) == len(set(turns)) and begun == len(self.accepted)

    def recipients_at(self, hit: Call) -> set[str]:
        """Everybody who was named as a recipient in the transaction of this call, or in the last one before it."""
        calls = [call for call in self.calls if call.session is hit.session]
        begun = [call.number for call in calls if call.hook == "mail_from"]
        first = max((number for number in begun if number <= hit.number), default=0)
        last = min((number for number in begun if number > hit.number), default=calls[-1].number + 1)
        return {str(call.argument) for call in calls if call.hook == "rcpt_to" and first <= call.number < last}

    @property
    def is_certain(self) -> bool:
        """Whether client and server can have understood each other; after garbage nothing is certain."""
        return self.kind is not Kind.GARBAGE or not self.reached

    @property
    def code(self) -> int | None:
        """The code with which the fault refuses, where it has happened and its reply was well-formed."""
        if self.point is None or self.point.fault is None or self.kind not in REFUSALS or self.hit is None:
            return None
        return self.point.fault.code

    @cached_property
    def by_recipient(self) -> dict[tuple[str, str], list[Envelope]]:
        """The accepted mails by recipient and content."""
        found: dict[tuple[str, str], list[Envelope]] = {}
        for envelope, content in zip(self.accepted, self.content, strict=True):
            for address in dict.fromkeys(map(str, envelope.rcpt_to)):
                found.setdefault((address, content), []).append(envelope)
        return found

    @property
    def pipelines(self) -> bool:
        """Whether the client sends commands of a mail before it has read the replies to those before them."""
        return any(
            call.hook == "command" and call.argument.verb in _IN_GROUPS and call.argument.pipelined
            for call in self.after_hit()
        )

    @property
    def fell_back_to_helo(self) -> bool:
        """Whether a refused EHLO was followed by a HELO that was accepted: later failures have other reasons."""
        hit = self.hit
        if hit is None or hit.hook != "command" or hit.argument.verb != "EHLO":
            return False
        later = (call for call in self.after_hit() if call.session is hit.session and call.hook == "command")
        return any(call.argument.verb == "HELO" and call.outcome == "accepted" for call in later)

    def in_clear(self) -> Iterator[Call]:
        """The calls that came before the TLS of their session, if that had any."""
        secure: set[int] = set()
        for call in self.calls:
            if call.hook == "secure" and call.outcome != "refused":
                secure.add(id(call.session))
            if id(call.session) not in secure:
                yield call

    @property
    def named(self) -> set[str]:
        """Every recipient that was named to the server, refused ones too."""
        return {str(call.argument) for call in self.calls if call.hook == "rcpt_to"}

    @property
    def attempts(self) -> int:
        """How often the client began a mail, or did not get that far."""
        mails = Counter(id(call.session) for call in self.calls if call.hook == "mail_from")
        return sum(max(1, mails[id(session)]) for session in self.sessions)

    def count(self, address: str) -> int:
        """How many mails the server has accepted for this recipient."""
        return sum(address in envelope.rcpt_to for envelope in self.accepted)

    def accepted_in_a_reply(self, address: str) -> bool:
        """Whether a well-formed reply that accepts a mail for this recipient has reached the client."""
        mails = (call for call in self.calls if call.envelope and address in call.envelope.rcpt_to)
        return any(self._reached_client(call, address) for call in mails)

    def _reached_client(self, call: Call, address: str) -> bool:
        if not call.heard or call.envelope is None or not call.envelope.accepted:
            return False
        concerned = self.rule is not None and (call.rule is self.rule or self.rule in call.decorations)
        if concerned and self.point is not None and call.session.transmission_type.startswith("LMTP"):
            concerned = self.point.options.get("to") in (None, address)  # in LMTP each recipient has a reply
        return not concerned or self.kind in _WELL_FORMED

    def after_hit(self) -> Sequence[Call]:
        """The calls behind the one at which it happened."""
        hit = self.hit
        return [] if hit is None else [call for call in self.calls if call.number > hit.number]
