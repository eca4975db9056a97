"""Exchanges, and the walk that decides them.

Three words carry this package:

* A *verdict* is the whole answer to one request, as one value (``rules/verdict.py``): the reply, or the bytes in
  its place, and what becomes of the connection. A rule is compiled to a verdict when it is made, a hook function comes
  to one, and so does the RFC. A verdict does nothing by itself. Its first digit moves the session in
  ``smtp/connection.py``, the log records it, and then ``conversation.py`` writes it.

* An *exchange* is what one reply answers. Most requests are answered at once, and their exchange is over with them: a
  RCPT, its verdict, its reply. For some requests the reply is due only after further events. The octets of a BDAT come
  before its reply; AUTH has challenges in between; XCLIENT is answered by a new greeting; a message is answered after
  its content. Their exchange stays open until then. It holds the log's calls on the way, which are all recorded with
  that reply, and what rules have already decided about it: a rule that accepts a BDAT has given a verdict ahead of its
  time, and a rule with nothing but ``delay`` has decorated the verdict that will come.

* A *walk* goes through the hook points, rules and hook functions until there are verdicts. Where a function has to
  run, or a message has to be read, the walk yields what has to be waited for, and is resumed with the result. Where no
  rule stands at an event's hook points, and its reply is due at once, there is no walk: the default is the verdict.

In SMTP a request has one verdict. In LMTP a message has one for each recipient (RFC 2033 section 4.2).
"""

from collections.abc import Generator, Sequence
from typing import Any, Protocol

from pytest_smtpd.rules.rule import Rule
from pytest_smtpd.rules.verdict import Verdict
from pytest_smtpd.smtp.events import Event, HookName
from pytest_smtpd.smtp.message import Message
from pytest_smtpd.smtp.session import Envelope, Session, Transaction
from pytest_smtpd.turn import Wait

# A walk through rules and hooks: it yields what has to be waited for, is sent the result, and returns the verdicts (one
# for each recipient in LMTP, none where the reply is due later) or None where nothing is to be answered.
Walk = Generator[Wait, Any, "list[Verdict] | None"]


class Call(Protocol):
    """A call in the log, as far as a decision needs it."""

    hook: HookName
    argument: Any
    session: Session
    mail: Transaction | None
    rule: Rule | None
    content: Message | None
    outcome: Any

    @property
    def args(self) -> tuple[Any, ...]: ...
    @property
    def about(self) -> str: ...


class Log(Protocol):
    """The log, in which decisions are recorded."""

    def begin(self, hook: HookName, argument: Any, session: Session) -> Any:
        """A hook point has been reached. Returns its call, which is pending."""
        ...

    def probe(self, hook: HookName, argument: Any, session: Session) -> Any:
        """A call that is not logged, only to see which rule would match it."""
        ...

    def begin_last(self, hook: HookName, session: Session) -> Any:
        """The last hook point of a connection has been reached. Returns its call."""
        ...

    def decided(
        self, event: Event, session: Session, verdict: Verdict, mail: Transaction | None, *, heard: bool
    ) -> None:
        """An event has reached its hook points and been answered at once."""
        ...

    def answered(self, calls: Sequence[Any], verdicts: Sequence[Verdict], *, heard: bool = False) -> None:
        """Calls that share one answer have been answered."""
        ...

    def message(self, envelope: Envelope, call: Any) -> None:
        """A transaction has ended with its message; ``call`` is that of its ``data`` hook."""
        ...

    def failed(self, call: Any, error: BaseException) -> None:
        """A hook has raised this exception, and its call has been answered already."""
        ...

    def note(self, session: Session, text: str, who: str = "-") -> None:
        """A line for the transcript."""
        ...


class Exchange:
    """The calls that one reply answers, and the rules that decorate it.

    ``verdict`` is what a rule on the command has decided ahead of its time: it is given when the reply is due.
    """

    __slots__ = ("calls", "decorations", "verdict")

    def __init__(self, calls: Sequence[Any] = ()) -> None:
        self.calls: list[Any] = list(calls)
        self.decorations: list[Verdict] = []
        self.verdict: Verdict | None = None


def decorated(verdict: Verdict, decorations: Sequence[Verdict]) -> Verdict:
    """The verdict, later, more slowly, or with more bytes behind it, as rules without an answer ask for."""
    if not decorations:
        return verdict
    return verdict._replace(
        decorated_by=(*verdict.decorated_by, *(one.rule for one in decorations)),
        delay=verdict.delay + sum(one.delay for one in decorations),
        pace=max(verdict.pace, *(one.pace for one in decorations)),
        then=verdict.then + b"".join(one.then for one in decorations),
    )
