"""What the log shows of each client: its commands and the state of the session at each, logins and messages."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from pytest_smtpd.log.log import Call
from pytest_smtpd.log.query import Log
from pytest_smtpd.message import Message
from pytest_smtpd.smtp.auth import Auth
from pytest_smtpd.smtp.extensions import keyword_of
from pytest_smtpd.smtp.framing import Command
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Envelope, Session

_HELLOS: Final = ("EHLO", "LHLO")
# Options of a rule that may make the reply differ from the outcome that the server records.
_MISLEADING: Final = ("raw", "then", "accept", "after")


class Step(NamedTuple):
    """A command, with the state of the session when it was sent.

    ``offered`` are the keywords of the EHLO reply in force, each with its argument; None where the log does not know.
    ``awaited`` is what the client had to wait for before it: "greeting", "handshake" or "reply". ``misled`` is whether
    a rule has given this client a reply that differs from the recorded outcome. ``behind_refusal`` is whether it was
    pipelined behind a command that was refused. ``recipients`` are those accepted before in the transaction,
    ``messages`` those completed before on the connection. ``utf8`` is whether the transaction has SMTPUTF8.
    """

    call: Call
    command: Command
    secure: bool
    offered: Mapping[str, str] | None
    awaited: str
    misled: bool
    behind_refusal: bool
    recipients: int
    messages: int
    utf8: bool

    @property
    def session(self) -> Session:
        """The connection."""
        return self.call.session


class Login(NamedTuple):
    """Credentials that have arrived, whether TLS was on, and the AUTH command; None if that is not in the log."""

    call: Call
    auth: Auth
    secure: bool
    step: Step | None


class Mail(NamedTuple):
    """A message: its envelope, its content, the call of its ``data`` hook, whether it came by DATA, and its MAIL.

    ``begun_by`` is the MAIL command; None where that, like the call, is not in the log any more.
    """

    envelope: Envelope
    message: Message
    call: Call | None = None
    by_data: bool = True
    begun_by: Step | None = None

    @property
    def at(self) -> float:
        """When it was complete."""
        return self.envelope.at if self.call is None else self.call.at + (self.call.duration or 0.0)

    @property
    def whole(self) -> bool:
        """Whether its content is known to its end."""
        return self.envelope.complete and self.envelope.size == len(self.envelope.content)

    @property
    def is_binary(self) -> bool:
        """Whether it is BINARYMIME (RFC 3030 section 3), which has no lines."""
        return self.envelope.body_type == "binarymime"


class Dialogue:
    """One connection. ``from_start`` is whether the log has it from its beginning."""

    def __init__(self, session: Session, calls: Sequence[Call]) -> None:
        self.session: Session = session
        self.calls: Sequence[Call] = calls
        self.steps: list[Step] = []
        self.logins: list[Login] = []
        self.mails: dict[str, tuple[Call, bool, Step | None]] = {}  # what a Mail has, by the ids of the envelopes
        self.from_start: bool = any(call.hook == "connect" for call in calls[:1])
        self._state = _State(self)
        for call in calls:
            self._state.take(call)

    @property
    def misled(self) -> bool:
        """Whether a rule has given the client a reply that differs from the recorded outcome."""
        return self._state.misled


class _State:
    """The state of a connection while its calls are read one by one."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        handshakes = any(call.hook == "secure" and call.outcome == "accepted" for call in dialogue.calls)
        self._secure = dialogue.session.secure and not handshakes  # since before the log begins
        self._offered: Mapping[str, str] | None = {} if dialogue.from_start else None
        self._awaited = "greeting" if dialogue.from_start else "reply"
        self.misled = self._refused = self._utf8 = False
        self._recipients = self._messages = 0
        self._by_data = True
        self._begun_by: Step | None = None

    def take(self, call: Call) -> None:
        """Read the next call."""
        if call.hook == "command":
            self._take_command(call, call.argument)
        elif call.hook == "secure" and call.outcome == "accepted":
            starttls = self._awaited == "reply"
            self._secure, self._offered = True, {}
            self._awaited = "handshake" if starttls else self._awaited
        elif call.hook == "auth":
            last = self._dialogue.steps[-1] if self._dialogue.steps else None
            self._dialogue.logins.append(Login(call, call.argument, self._secure, last))
        elif call.hook == "data" and call.envelope is not None:
            self._dialogue.mails[call.envelope.id] = (call, self._by_data, self._begun_by)
            self._messages += 1
        self.misled = self.misled or _misleads(call)

    def _take_command(self, call: Call, command: Command) -> None:
        self._refused = self._refused and command.pipelined
        if command.verb == "MAIL":
            self._utf8 = b"SMTPUTF8" in command.raw.upper().split()
        step = Step(
            call,
            command,
            self._secure,
            self._offered,
            self._awaited,
            self.misled,
            self._refused,
            self._recipients,
            self._messages,
            self._utf8,
        )
        self._dialogue.steps.append(step)
        if command.verb == "MAIL":
            self._begun_by = step
        self._awaited = "reply"
        self._refused = self._refused or call.outcome in ("refused", "error")
        if call.outcome == "accepted":
            self._accepted(command.verb, call)

    def _accepted(self, verb: str, call: Call) -> None:
        if verb in _HELLOS:
            self._offered = _keywords(call.reply)
        elif verb == "HELO":
            self._offered = {}
        elif verb == "RCPT":
            self._recipients += 1
        elif verb in ("DATA", "BDAT"):
            self._by_data = verb == "DATA"
        if verb not in ("RCPT", "DATA", "BDAT", "NOOP", "VRFY", "HELP"):
            self._recipients = 0


def _keywords(reply: Reply | None) -> Mapping[str, str]:
    """The keywords of an EHLO reply, each with its argument."""
    lines = [] if reply is None else reply.text.split("\n")[1:]
    return {keyword_of(line): line.partition(" ")[2] for line in lines}


def _misleads(call: Call) -> bool:
    rules = [*([call.rule] if call.rule is not None else []), *call.decorations]
    return any(name in rule.options for rule in rules for name in _MISLEADING)


class Facts:
    """Everything that lint rules look at."""

    def __init__(self, log: Log) -> None:
        calls: dict[Session, list[Call]] = {session: [] for session in log.sessions()}
        for call in log:
            calls.setdefault(call.session, []).append(call)
        self._envelopes = log.envelopes()
        self.dialogues: list[Dialogue] = [Dialogue(session, own) for session, own in calls.items()]

    @property
    def steps(self) -> Iterator[Step]:
        """Every command that the server has answered."""
        for dialogue in self.dialogues:
            yield from (step for step in dialogue.steps if step.call.outcome != "pending")

    @cached_property
    def mails(self) -> list[Mail]:
        """Every message, accepted or refused, in order."""
        known = {key: mail for dialogue in self.dialogues for key, mail in dialogue.mails.items()}
        found = []
        for envelope in self._envelopes:
            message = envelope.mail if isinstance(envelope.mail, Message) else Message(envelope.content)
            call, by_data, begun_by = known.get(envelope.id, (None, True, None))
            found.append(Mail(envelope, message, call, by_data, begun_by))
        return found
