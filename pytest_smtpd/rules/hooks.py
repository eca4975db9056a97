"""HOOKS: one row for each point at which a test can take part in what the server does.

A *hook point* is a moment at which a mail server decides something: a client has connected, a client wants to log
in, a recipient is named, a message has arrived. An event of the protocol reaches one or more of them, in order (see
``smtp/events.py``). RCPT, for instance, reaches ``command``, as every command line does, and then ``rcpt_to``.

At each hook point the rules for it are asked, the nearest first. A rule answers by itself, with a reply, with bytes or
by closing the connection, or it names a *hook function* that answers. Where nobody does, the event's own default is
given: what the RFC and the settings ask for. After a refusal, the hook points that are left are not reached; nor after
an answer at ``command``, which replaces theirs.

A row holds the properties of one hook point:

* ``arguments`` are what its hook functions are called with, and ``about`` is what the first of them means.
* ``has`` are its features: values that are known there, and effects that are possible. An option or a match key names
  the feature it needs (``options.py``, ``match.py``), so a rule that could never work is an error when it is made.
* ``read`` turns what a hook function returns into verdicts. Usually any value accepts; at ``auth`` it is the user.
* ``refusal`` is the reply to a ``Reject()`` without arguments. A hook point without one cannot refuse.
* ``when`` and ``returns`` are its texts in the reference.

All other modules ask for these fields, and name a hook point only in the place where it is reached. So a new hook point
is a row here, its name in ``smtp.events.HookName``, and the event that reaches it.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol, get_args

from pytest_smtpd.errors import Reject
from pytest_smtpd.rules.verdict import NOTHING, Ending, Verdict, answer
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.grammar import fold_address
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.table import Table, not_callable
from pytest_smtpd.smtp.values import described
from pytest_smtpd.suggest import did_you_mean

__tracebackhide__ = True  # errors point at the caller's line

# The features of hook points; options and match keys name the one that they need.
Feature = Literal[
    "reply",  # the client can be answered
    "greeting",  # the answer is the greeting
    "silence",  # a refusal without a text closes without a reply
    "bytes",  # bytes of the client arrive while the hook point is pending
    "count",  # the server may count the call otherwise than its reply
    "user",  # a user may be logged in
    "sender",  # the sender is known
    "recipients",  # recipients are known
    "message",  # there is a message, or there will be one
    "verb",  # there is a command line
    "precedence",  # its answer replaces those of later hook points
]
_FEATURES: Final = frozenset(get_args(Feature))


About = Literal["", "login", "sender", "recipient", "content", "command"]


class Passed(Protocol):
    """The call that a hook function answers."""

    @property
    def argument(self) -> Any: ...


# (call, returned value, the reply that would be given, LMTP's recipients or None) -> verdicts; None: let it pass.
ReadValue = Callable[[Passed, Any, Reply | None, Sequence[str] | None], "list[Verdict] | None"]


class Hook(NamedTuple):
    """A row; the head of this module explains its fields. ``when`` and ``returns`` are Markdown."""

    when: str
    arguments: tuple[str, ...]
    has: frozenset[Feature]
    read: ReadValue
    refusal: Reply | None = None
    returns: str = ""
    about: About = ""

    def problems(self, name: str) -> Iterator[str]:
        """The mistakes in a row."""
        if not self.when:
            yield "when= must say when it is reached"
        if not isinstance(self.arguments, tuple) or self.arguments[-1:] != ("session",) or len(self.arguments) > 2:
            yield f"arguments= must be ('session',) or (..., 'session'), not {self.arguments!r}"
        for feature in self.has:
            yield from unknown_feature(feature)
        yield from not_callable(read=self.read)
        if ("reply" in self.has) != (self.refusal is not None):
            yield "a hook that can reply needs a refusal=, and no other has one"
        if self.refusal is not None and not self.refusal.refuses:
            yield f"refusal= must be a reply that refuses, not {self.refusal!r}"
        if self.about not in get_args(About):
            yield f"unknown about={self.about!r} (valid: {', '.join(filter(None, get_args(About)))})"
        if self.about and len(self.arguments) != 2:
            yield "about= says what the first of two arguments is"


def unknown_feature(feature: object) -> Iterator[str]:
    """The problem of a row that names a feature which no hook point could have."""
    if feature not in _FEATURES:
        yield f"unknown feature {feature!r} (valid: {', '.join(sorted(_FEATURES))})"


# --- how a returned value is read -----------------------------------------------------------------------------------

_CODED: Final = r"([2-5][0-9]{2})(?:[ -]|$)"
_REFUSING: Final = r"[45]\.[0-9]{1,3}\.[0-9]{1,3}(?:\s|$)"
_ENHANCED: Final = r"[2-5][0-9]{2}[ -][245]\.[0-9]{1,3}\.[0-9]{1,3}(?:\s|$)"


def _reply(value: Any, *, enhanced: bool = False) -> Reply | None:
    """The reply that a hook has returned: a ``Reply``, or a string that begins with a reply code.

    ``enhanced``: only a text with an enhanced status code behind its code, since any text has a meaning there.
    """
    if isinstance(value, Reply):
        return value
    if not isinstance(value, str):
        return None
    coded = re.match(_CODED, value)
    if re.match(_ENHANCED, value) or (coded and not enhanced and int(coded[1]) in replies.STANDARD):
        return replies.parse_reply(value)
    return None


def _no_reject(value: Any) -> None:
    if isinstance(value, Reject):
        raise TypeError(f"the hook returned {value!r}, which would accept; refuse by raising it: raise {value!r}")


def _read_nothing(call: Passed, value: Any, default: Reply | None, recipients: Sequence[str] | None) -> list[Verdict]:
    """A reply is given; any other value accepts."""
    _no_reject(value)
    if isinstance(value, str) and re.match(_REFUSING, value):
        raise TypeError(f"the hook returned {value!r}, which would accept; put a reply code in front, or raise Reject")
    reply = _reply(value) or default
    return [NOTHING if reply is None else answer(reply)]


def _read_command(
    call: Passed, value: Any, default: Reply | None, recipients: Sequence[str] | None
) -> list[Verdict] | None:
    """A reply is sent, with any code; any other value leaves the command to the server."""
    _no_reject(value)
    reply = replies.parse_reply(value) if isinstance(value, str) and re.match(_CODED, value) else _reply(value)
    return None if reply is None else [answer(reply)]


def _read_user(call: Passed, value: Any, default: Reply | None, recipients: Sequence[str] | None) -> list[Verdict]:
    """The user. A false value refuses; so does a login for whose proof no password was given."""
    _no_reject(value)
    reply = _reply(value, enhanced=True)
    if reply is not None:
        return [answer(reply, challenge={} if reply.refuses else None)]
    if not value or call.argument.unproven:
        return [answer(replies.CREDENTIALS_INVALID, challenge={})]
    return [answer(replies.AUTHENTICATED, user=value)]


def _read_content(call: Passed, value: Any, default: Reply | None, recipients: Sequence[str] | None) -> list[Verdict]:
    """The text of the 250, or a reply; in LMTP also a list of these and ``Reject``s, or a dict by address."""
    if recipients is None:
        _no_reject(value)
        return [answer(_content_reply(value))]
    if isinstance(value, Mapping):
        value = _by_recipient(value, recipients)
    if not isinstance(value, list | tuple):
        return [answer(_content_reply(value))] * len(recipients)
    if len(value) != len(recipients):
        raise ValueError(f"the data hook returned {len(value)} answers for {len(recipients)} recipients")
    return [answer(_content_reply(one)) for one in value]


def _by_recipient(value: Mapping[Any, Any], recipients: Sequence[str]) -> list[Any]:
    """The values of a dict by address, in the order of the recipients; None for one that it lacks."""
    given = {fold_address(str(address)): one for address, one in value.items()}
    folded = [fold_address(address) for address in recipients]
    for address in value:
        if fold_address(str(address)) not in folded:
            who = described(address)
            raise ValueError(f"the data hook answered for {who}, who is no recipient of this message")
    return [given.get(address) for address in folded]


def _content_reply(value: Any) -> Reply:
    if value is None:
        return replies.MESSAGE_OK
    if isinstance(value, Reject):
        return replies.refusal(value, replies.CONTENT_REJECTED)
    reply = _reply(value, enhanced=True)
    if reply is not None:
        return reply
    if isinstance(value, str):
        return replies.acceptance(value, replies.MESSAGE_OK)
    raise TypeError(
        "a data hook returns None, a text or a Reply (in LMTP also a list or dict of these and Rejects), "
        f"not {described(value)}"
    )


# --- the table ------------------------------------------------------------------------------------------------------

_ROWS: Final = {
    "connect": Hook(
        "a client has connected, before the greeting",
        ("session",),
        frozenset({"reply", "greeting", "count"}),
        _read_nothing,
        replies.SERVICE_REFUSED,
    ),
    "secure": Hook(
        "a TLS handshake is complete, by STARTTLS or implicit",
        ("tls", "session"),
        frozenset({"reply", "silence", "bytes"}),
        _read_nothing,
        replies.TLS_REFUSED,
    ),
    "auth": Hook(
        "credentials have arrived",
        ("auth", "session"),
        frozenset({"reply", "count", "user"}),
        _read_user,
        replies.CREDENTIALS_INVALID,
        "the user, kept in `session.user`; a false value refuses",
        "login",
    ),
    "mail_from": Hook(
        "a MAIL FROM that is well-formed and in sequence",
        ("address", "session"),
        frozenset({"reply", "count", "user", "sender"}),
        _read_nothing,
        replies.SENDER_REJECTED,
        about="sender",
    ),
    "rcpt_to": Hook(
        "each RCPT TO that is well-formed and in sequence",
        ("address", "session"),
        frozenset({"reply", "count", "user", "sender", "recipients"}),
        _read_nothing,
        replies.NO_SUCH_USER,
        about="recipient",
    ),
    "data": Hook(
        "DATA or the first BDAT was accepted; the content streams in",
        ("stream", "session"),
        frozenset({"reply", "bytes", "count", "user", "sender", "recipients", "message"}),
        _read_content,
        replies.CONTENT_REJECTED,
        "a string, the text of the 250; in LMTP also a list, or `{address: ...}`, of strings and `Reject`s",
        "content",
    ),
    "close": Hook(
        "the connection is gone, however it ended",
        ("session",),
        frozenset({"user", "sender", "recipients"}),
        _read_nothing,
    ),
    "command": Hook(
        "every command line, before the server acts on it",
        ("command", "session"),
        frozenset({"reply", "count", "user", "sender", "recipients", "verb", "precedence"}),
        _read_command,
        replies.NOT_IMPLEMENTED,
        about="command",
    ),
}
HOOKS: Final = Table("hook", Hook.problems, _ROWS)


def has(hook: str, feature: Feature | None) -> bool:
    """Whether a hook point has this feature. None stands for no feature in particular, and every hook point has it."""
    return feature is None or feature in HOOKS[hook].has


def check_hook(hook: object) -> None:
    """Raises ``ValueError`` for an unknown hook point, ``TypeError`` for a function, both with a one-line message."""
    if isinstance(hook, str) and hook in HOOKS:
        return
    if callable(hook):
        raise TypeError("on needs the name of a hook before the function: @smtpd.on('rcpt_to')")
    from pytest_smtpd.smtp.commands import VERBS

    word = str(hook).lower()
    is_verb = word.upper() in VERBS and not any(name.startswith(word) for name in HOOKS)  # mail and rcpt have hooks
    advice = f'write on("command", verb="{word.upper()}", ...)' if is_verb else ""
    raise ValueError(f"unknown hook {described(hook)}{did_you_mean(hook, HOOKS, 'hook', advice=advice)}")


def refused(hook: str, reject: Reject) -> Verdict:
    """The verdict for a ``Reject`` that a hook has raised. Raises ``TypeError`` at a hook point that cannot refuse."""
    row = HOOKS[hook]
    if row.refusal is None:
        problem = TypeError(f"a {hook} hook has nobody to refuse, the connection is gone; let it return")
        raise problem from reject
    if "silence" in row.has and reject.code is None and not reject.message:
        return Verdict(digit=5, outcome="refused", ending=Ending.CLOSE)
    return answer(replies.refusal(reject, row.refusal), challenge=dict(reject.data or {}))
