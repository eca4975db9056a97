"""What holds after every tape, whatever the clients, the rules and the hook functions have done."""

from __future__ import annotations

import gc
import re
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest_smtpd
from pytest_smtpd import Call, Envelope, Session, SMTPServer
from tests.rfc.run import UNCOUNTED
from tests.tapes.ingredients import PLANNED
from tests.tapes.tape import Played

_PACKAGE: Final = str(Path(pytest_smtpd.__file__).parent)
_DESCRIPTORS: Final = next((path for path in (Path("/proc/self/fd"), Path("/dev/fd")) if path.is_dir()), None)
_OUTCOMES: Final = {"accepted", "refused", "dropped", "hung", "error"}
_REPLIES: Final = re.compile(rb"(?:[2-5]\d\d-[^\r\n]*\r\n)*([2-5]\d\d)(?: [^\r\n]*)?\r\n")
_FREE: Final = ("raw", "then", "drop", "hang")  # rules that may write anything, or cut a reply off


def check(played: Played) -> None:
    """Raise ``AssertionError`` for what must not be."""
    for error in played.server.errors:
        _is_of_a_hook(error)
    for log in played.logs:
        _is_orderly(log)
    calls = [call for log in played.logs for call in log]
    for session in {call.session for call in calls}:
        _has_ended([call for call in calls if call.session is session], session)
    _are_of_the_log(played.server.envelopes, list(played.server.log))
    _can_be_shown(played.server)
    if not played.has_rules_with(*_FREE):
        for client in played.clients:
            codes = _codes(client.heard)
            if len(played.clients) == len(played.logs) == 1 and not played.has_rules_with("after"):
                _are_in_order(codes, calls)


def _is_of_a_hook(error: BaseException) -> None:
    """It was planned, or says what was wrong with a hook; nothing has failed in the server itself.

    A traceback begins in the hook function; what has failed in the server has no frame of one.
    """
    trace, notes = error.__traceback__, getattr(error, "__notes__", ())
    assert isinstance(error, (*PLANNED, TypeError, ValueError, RuntimeError)), _unexpected(error)
    assert not any("pytest-smtpd" in note for note in notes), _unexpected(error)
    assert trace is None or not trace.tb_frame.f_code.co_filename.startswith(_PACKAGE), _unexpected(error)


def _unexpected(error: BaseException) -> Exception:
    """The error itself is what is worth seeing."""
    failure = AssertionError(f"the server has failed: {type(error).__name__}")
    failure.__cause__ = error
    return failure


def _is_orderly(log: Sequence[Call]) -> None:
    assert [call.number for call in log] == list(range(1, len(log) + 1))
    for call in log:
        assert call.outcome in _OUTCOMES, call
        assert call.heard in (True, False), call
        assert call.duration is not None, call
        assert _printable(repr(call)), repr(call)


def _has_ended(calls: Sequence[Call], session: Session) -> None:
    assert session.closed
    assert session.ended is not None
    assert session.tls_error is None or _printable(session.tls_error)
    assert _printable(repr(session))
    hooks = [call.hook for call in calls]
    assert hooks.count("close") <= 1, hooks
    assert "close" not in hooks[:-1], hooks


def _are_of_the_log(envelopes: Sequence[Envelope], calls: Sequence[Call]) -> None:
    """Each accepted envelope belongs to a call, and to recipients who were accepted."""
    of_calls = {id(call.envelope): call for call in calls if call.envelope is not None}
    for envelope in envelopes:
        assert envelope.accepted
        assert id(envelope) in of_calls
        assert envelope.rcpt_to
        assert len(envelope.content) <= envelope.size
        assert _printable(repr(envelope))


def _printable(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def _can_be_shown(server: SMTPServer) -> None:
    """Nothing for a terminal to obey, and no password that the settings know."""
    text = server.log.transcript()
    assert _printable(text), text
    users = server.settings.auth
    for password in users.values() if isinstance(users, Mapping) else ():
        assert password not in text, text


def _codes(heard: bytes) -> list[int]:
    """The codes of the replies. All is well-formed, but there may be the beginning of one more."""
    codes, place = [], 0
    while match := _REPLIES.match(heard, place):
        place = match.end()
        codes.append(int(match[1]))
    rest = heard[place:]
    assert b"\r\n" not in rest or re.match(rb"[2-5]\d\d-", rest), rest
    return codes


def _are_in_order(codes: list[int], calls: Sequence[Call]) -> None:
    """What the client has heard is what the log says, in order; more may have been said after it had left.

    A message begins before the commands between its chunks, and is answered after them: the order is that of the
    replies. A reply in passing (``after`` with ``accept``) belongs to a call that reports another one.
    """
    answered = sorted(calls, key=lambda call: call.at + (call.duration or 0.0))
    logged = iter([reply.code for call in answered if not call.shared for reply in call.replies])
    assert all(code in logged for code in codes if code not in UNCOUNTED), (codes, calls)


@contextmanager
def nothing_left() -> Iterator[None]:
    """No thread, no socket, and nothing raised where nobody can catch it."""
    raised: list[Any] = []
    usual = sys.unraisablehook, threading.excepthook
    sys.unraisablehook = threading.excepthook = raised.append
    threads, descriptors = set(threading.enumerate()), _descriptors()
    try:
        yield
        assert set(threading.enumerate()) <= threads
        if _descriptors() > descriptors:
            gc.collect()  # the tape's own clients, where it has failed
        assert _descriptors() <= descriptors
    finally:
        sys.unraisablehook, threading.excepthook = usual
    assert raised == [], [(each.exc_type, each.exc_value) for each in raised]


def _descriptors() -> int:
    return 0 if _DESCRIPTORS is None else len(list(_DESCRIPTORS.iterdir()))
