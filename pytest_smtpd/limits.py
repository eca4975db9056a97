"""Servers that count: greylisting, rate limits and quotas, as hook functions.

They go by the server's clock, which a test can move forward (``smtpd.clock.advance(minutes=5)``). Each server and each
test has counters of its own.
"""

import inspect
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, Literal, NamedTuple, Self

from pytest_smtpd.checks import is_count, is_seconds
from pytest_smtpd.clock import duration, monotonic
from pytest_smtpd.policy.stream import Stream
from pytest_smtpd.rules.check import check_signature
from pytest_smtpd.rules.hooks import HOOKS
from pytest_smtpd.rules.shown import shown
from pytest_smtpd.rules.stateful import Stateful
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.grammar import fold_address
from pytest_smtpd.smtp.replies import Reply, parse_reply, standard
from pytest_smtpd.smtp.session import Session
from pytest_smtpd.suggest import did_you_mean

__all__ = ["greylist", "quota", "rate"]

__tracebackhide__ = True  # errors point at the caller's line

Period = Literal["second", "minute", "hour", "day"]
By = Literal["client", "user", "sender", "recipient"] | Callable[..., Hashable]
Keys = Iterable[Hashable]

_PERIODS: Final[dict[str, float]] = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}


def greylist(
    seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0, reply: int | str | Reply | None = None
) -> "Limit":
    """Refuse a client, sender and recipient that were not seen together before, and accept them after that time.

    For ``rcpt_to`` or ``data``. An early retry is refused too, and does not make the wait longer. Without ``reply``,
    ``451 4.7.1 Greylisted, try again later``. Raises ``TypeError`` or ``ValueError`` with a one-line message for wrong
    arguments.
    """
    given = {"minutes": minutes, "hours": hours, "days": days}
    words = [f"{seconds!r}"] if seconds else []
    words += [f"{name}={value!r}" for name, value in given.items() if value]
    wait = duration(seconds, minutes=minutes, hours=hours, days=days)
    if not wait:
        raise TypeError("greylist needs the time after which a retry is let in: greylist(minutes=5)")
    return _Greylist(_written("greylist", words, None, reply), _refusal(reply, replies.GREYLISTED), wait)


def rate(count: int, /, per: Period | float, *, by: By = "client", reply: int | str | Reply | None = None) -> "Limit":
    """Accept ``count`` calls in each window of ``per``, a period or seconds, and refuse more until it has moved on.

    For any hook but ``auth`` and ``close``. The window slides, and refused calls do not count. ``by`` says what
    has a count of its own: "client" (by address), "user" (the sender where nobody is logged in), "sender", "recipient",
    or a function of the hook's arguments. Without ``reply``, ``450 4.7.1 Rate limit exceeded``. Raises ``TypeError``
    or ``ValueError`` with a one-line message for wrong arguments.
    """
    _check_count("rate", "count", count)
    written = _written("rate", [repr(count), f"per={per!r}"], None if by == "client" else by, reply)
    refusal = _refusal(reply, replies.RATE_EXCEEDED)
    return _Rate(written, refusal, count, _seconds("rate", per), _known("rate", by))


def quota(messages: int, per: Period | float, *, by: By = "user", reply: int | str | Reply | None = None) -> "Limit":
    """Accept this many messages in each window of ``per``, and refuse more until it has moved on. For ``data``.

    The same as ``rate``, with other defaults: ``by`` "user", ``452 4.3.1 Quota exceeded``. At ``data``, a message
    counts when it is complete. Raises ``TypeError`` or ``ValueError`` with a one-line message for wrong arguments.
    """
    _check_count("quota", "messages", messages)
    words = [f"messages={messages!r}", f"per={per!r}"]
    written = _written("quota", words, None if by == "user" else by, reply)
    refusal = _refusal(reply, replies.QUOTA_EXCEEDED)
    return _Rate(written, refusal, messages, _seconds("quota", per), _known("quota", by))


# --- the arguments --------------------------------------------------------------------------------------------------


def _written(name: str, words: list[str], by: Any, reply: Any) -> str:
    """The call as the test wrote it."""
    if by is not None:
        words = [*words, f"by={shown(by)}"]
    if reply is not None:
        words = [*words, f"reply={shown(reply)}"]
    return f"{name}({', '.join(words)})"


def _check_count(name: str, what: str, count: Any) -> None:
    if not is_count(count):
        raise TypeError(f"{name}: {what} must be a number from 0, not {count!r}")


def _refusal(reply: Any, default: Reply) -> Reply:
    """The reply that refuses. Raises ``TypeError`` or ``ValueError`` for a value that is no reply."""
    if reply is None:
        return default
    if isinstance(reply, str):
        reply = parse_reply(reply)
    elif isinstance(reply, int) and not isinstance(reply, bool) and 400 <= reply <= 599:
        reply = standard(reply, default)
    if not isinstance(reply, Reply) or not reply.refuses:
        raise ValueError(f"reply must refuse: a code from 400 to 599, or a text with one, not {shown(reply)}")
    return reply


def _seconds(name: str, per: Any) -> float:
    if isinstance(per, str):
        if per not in _PERIODS:
            raise ValueError(f"{name}: unknown period {per!r}{did_you_mean(per, _PERIODS, 'period')}")
        return _PERIODS[per]
    if not is_seconds(per) or not per:
        raise TypeError(f"{name}: per must be one of {', '.join(_PERIODS)}, or a number of seconds, not {per!r}")
    return float(per)


# --- the keys -------------------------------------------------------------------------------------------------------


class _By(NamedTuple):
    """A row: the keys under which a call counts, and whether they are known at a hook."""

    keys: Callable[..., Keys]
    known_at: Callable[[str], bool] = lambda hook: True


def _client(*args: Any) -> Keys:
    return (args[-1].remote_address,)


def _sender(*args: Any) -> Keys:
    mail = args[-1].mail
    return () if mail is None else (fold_address(mail.mail_from),)


def _user(*args: Any) -> Keys:
    """The sender where nobody is logged in."""
    user = args[-1].user
    if user is None:
        return _sender(*args)
    return (("user", user if isinstance(user, Hashable) else repr(user)),)


def _recipient(*args: Any) -> Keys:
    """The recipient of this RCPT; at ``data`` all recipients."""
    addresses = [args[0]] if isinstance(args[0], str) else args[-1].recipients
    return dict.fromkeys(fold_address(address) for address in addresses)


def _has_sender(hook: str) -> bool:
    return "sender" in HOOKS[hook].has


def _has_recipient(hook: str) -> bool:
    return HOOKS[hook].about in ("recipient", "content")


_BY: Final[dict[str, _By]] = {
    "client": _By(_client),
    "user": _By(_user, _has_sender),
    "sender": _By(_sender, _has_sender),
    "recipient": _By(_recipient, _has_recipient),
}


def _known(name: str, by: Any) -> _By:
    """The key under which to count. Raises ``TypeError`` or ``ValueError``."""
    if isinstance(by, str) and by in _BY:
        return _BY[by]
    if not callable(by):
        kind = ValueError if isinstance(by, str) else TypeError
        raise kind(f"{name}: by must be one of {', '.join(_BY)}, or a function, not {by!r}{_near(by)}")
    if inspect.iscoroutinefunction(by):
        raise TypeError(f"{name}: by={shown(by)} is a coroutine function; it has to return the key itself")

    def keys(*args: Any) -> Keys:
        return (by(*args),)

    def known_at(hook: str) -> bool:
        check_signature(hook, by, f"by={shown(by)}")
        return True

    return _By(keys, known_at)


def _near(by: Any) -> str:
    return did_you_mean(by, _BY, "by", listing=False) if isinstance(by, str) else ""


# --- the functions --------------------------------------------------------------------------------------------------


class Limit(Stateful):
    """A hook function that accepts calls within a limit, and refuses the others with its reply."""

    def __init__(self, written: str, reply: Reply) -> None:
        self._written = written
        self._reply = reply
        self._forget()

    def __repr__(self) -> str:
        return self._written

    def _forget(self) -> None:
        self._lock = threading.Lock()  # hook functions of several connections run at the same time

    def fresh(self) -> Self:
        """A fresh function with counters of its own."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._forget()
        return copy

    def check(self, hook: str) -> None:
        """Raise ``TypeError`` at hooks where its key is not known, or where None does not accept."""
        if HOOKS[hook].about == "login":  # there the returned value is the user who has logged in
            raise TypeError(f"on({hook!r}): {self!r} cannot decide who logs in; use on('command', verb='AUTH', ...)")
        if HOOKS[hook].refusal is None or not self._known_at(hook):
            possible = [name for name in HOOKS if HOOKS[name].refusal and HOOKS[name].about != "login"]
            where = ", ".join(name for name in possible if self._known_at(name))
            raise TypeError(f"on({hook!r}): {self!r} does not know whom to count there; use it on {where}")

    def __call__(self, *args: Any) -> Reply | None:
        """The refusal; None accepts."""
        session: Session = args[-1]
        if isinstance(args[0], Stream):
            for _ in args[0]:  # a message counts when it is complete; an incomplete one raises ConnectionError here
                pass
            if args[0].size_exceeded:
                return None  # the server refuses it in any case
        now = (session.clock or monotonic)()
        with self._lock:
            return None if self._passes(args, now) else self._reply

    def _known_at(self, hook: str) -> bool:
        raise NotImplementedError

    def _passes(self, args: tuple[Any, ...], now: float) -> bool:
        """Whether this call may pass; if it may, it counts."""
        raise NotImplementedError


class _Greylist(Limit):
    def __init__(self, written: str, reply: Reply, wait: float) -> None:
        super().__init__(written, reply)
        self._wait = wait

    def _forget(self) -> None:
        super()._forget()
        self._first: dict[Hashable, float] = {}  # when each client, sender and recipient were seen first

    def _known_at(self, hook: str) -> bool:
        return _has_recipient(hook)

    def _passes(self, args: tuple[Any, ...], now: float) -> bool:
        before = (*_client(*args), *_sender(*args))
        first = [self._first.setdefault((*before, recipient), now) for recipient in _recipient(*args)]
        return all(now - since >= self._wait for since in first)


class _Rate(Limit):
    def __init__(self, written: str, reply: Reply, most: int, seconds: float, by: _By) -> None:
        super().__init__(written, reply)
        self._most = most
        self._seconds = seconds
        self._by = by

    def _forget(self) -> None:
        super()._forget()
        self._passed: dict[Hashable, deque[float]] = {}  # when those passed that still count

    def _known_at(self, hook: str) -> bool:
        return self._by.known_at(hook)

    def _passes(self, args: tuple[Any, ...], now: float) -> bool:
        counted = [self._passed.setdefault(key, deque()) for key in self._by.keys(*args)]
        for times in counted:
            while times and now - times[0] >= self._seconds:
                times.popleft()
        if any(len(times) >= self._most for times in counted):
            return False
        for times in counted:
            times.append(now)
        return True
