"""Calling a hook function, ``def`` or ``async def``, and reading its verdict."""

import asyncio
import inspect
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from pytest_smtpd.calls import Call, Outcome
from pytest_smtpd.errors import Reject
from pytest_smtpd.match import fold_address
from pytest_smtpd.policy.workers import Result
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.steps import Answer, Close, Dress, said

Job = asyncio.Future[Result]
Submit = Callable[[Callable[..., Any], tuple[Any, ...]], Job]

_LIKE_A_REPLY: Final = re.compile(r"([2-5][0-9]{2})(?:[ -]|$)|[45]\.[0-9]{1,3}\.[0-9]{1,3}(?:\s|$)")
# What the hook of a client that has left may raise: how it learns of it, and the refusal that nobody hears.
_NO_MISTAKE: Final = (Reject, ConnectionError, asyncio.CancelledError)

_OURS: Final = str(Path(__file__).parents[1]) + os.sep


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine."""
    call = getattr(function, "__call__", None)  # noqa: B004  an instance may have an async one
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


async def run_hook(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    submit: Submit,
    begun: Callable[[Job], object] = lambda job: None,
) -> Result:
    """What the hook returns, and what it raises. ``submit`` runs a ``def`` hook in a thread; ``begun`` is told of it.

    Only a cancellation that comes from outside is raised; ``pytest.fail``, ``SystemExit`` and all others are the
    test's.
    """
    if is_async(function):
        return await _end_of(_in_task(function, args), begun)
    result, error = await _end_of(submit(function, args), begun)
    if error is not None or not inspect.isawaitable(result):
        return result, error
    return await _end_of(_in_task(lambda: result, ()), begun)


def _in_task(function: Callable[..., Any], args: tuple[Any, ...]) -> Job:
    """User code runs in a task: much of asyncio asks for the current one."""
    return asyncio.ensure_future(_guarded(function, args))


async def _end_of(job: Job, begun: Callable[[Job], object]) -> Result:
    """Its result. A cancellation ends a task first; a thread cannot be stopped, and goes on alone."""
    begun(job)
    try:
        await asyncio.wait([job])
    except asyncio.CancelledError:
        if isinstance(job, asyncio.Task):
            job.cancel()
            await asyncio.wait([job])
        raise
    return job.result()


def late_mistake(job: Job | None) -> BaseException | None:
    """What a hook that has ended without being listened to raised by mistake."""
    error = None if job is None or job.cancelled() else job.result()[1]
    return None if isinstance(error, _NO_MISTAKE) else error


async def _guarded(function: Callable[..., Any], args: tuple[Any, ...]) -> Result:
    try:
        return await function(*args), None
    except GeneratorExit:  # it would not be cancelled, and the loop has ended without it
        raise
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        return None, error


def users_traceback(error: BaseException) -> TracebackType | None:
    """The traceback from the user's own frame on."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_OURS):
        traceback = traceback.tb_next
    return traceback or error.__traceback__


def mistake(
    call: Call, error: BaseException, recipients: int = 1, *, outcome: Outcome = "error", dress: Dress | None = None
) -> Answer:
    """What a client is told of a bug in the test: 451, and nothing about it. After ``close`` nobody is there."""
    return Answer(
        replies=(replies.HOOK_FAILED,) * (0 if call.hook == "close" else recipients),
        outcome=outcome,
        error=error.with_traceback(users_traceback(error)),
        rule=call.rule,
        dress=dress,
    )


def refused(call: Call, reject: Reject, recipients: int = 1) -> Answer:
    """The answer for a ``Reject``."""
    if call.hook == "close":
        nobody = TypeError("a close hook has nobody to refuse, the connection is gone; let it return")
        nobody.__cause__ = reject
        return mistake(call, nobody)
    if call.hook == "secure" and reject.code is None:
        return Answer(outcome="refused", rule=call.rule, dress=lambda data: (Close(),))
    reply = replies.refusal(reject, call.hook)
    detail = dict(reject.data or {}) if call.hook == "auth" else None
    return said(*(reply,) * recipients, rule=call.rule, detail=detail)


def verdict(call: Call, value: Any, default: Reply | None, recipients: list[str] | None) -> Answer:
    """What a hook's return value means (``recipients``: LMTP's, or None). Raises ``TypeError`` or ``ValueError``."""
    if call.hook == "data":
        answers = _content_replies(value, replies.MESSAGE_OK, recipients)
        return said(*answers, rule=call.rule)
    if isinstance(value, Reject) or (call.hook not in ("auth", "close") and _reads_like_a_refusal(value)):
        raise TypeError(
            f"the {call.hook} hook returned {value!r}, which would accept; it refuses by raising Reject(code, text)"
        )
    if call.hook == "auth":
        return _login(call, value)
    return Answer(replies=() if default is None else (default,), rule=call.rule)


def _reads_like_a_refusal(value: Any) -> bool:
    """Where nothing is expected: what is surely no chance value of a last expression, and no yes in other words."""
    return isinstance(value, str) and value[:1] in ("4", "5") and _like_a_reply(value)


def _like_a_reply(text: str) -> bool:
    """Whether it begins with a reply code, or with an enhanced one that refuses; "231 bytes" is just a text."""
    found = _LIKE_A_REPLY.match(text)
    return found is not None and (found[1] is None or int(found[1]) in replies.STANDARD)


def _login(call: Call, user: Any) -> Answer:
    """A falsy user refuses; so does a SCRAM login whose password nobody has looked at."""
    if not user or call.argument.unproven:
        return refused(call, Reject())
    return said(replies.AUTHENTICATED, rule=call.rule, detail=user)


def _content_replies(value: Any, default: Reply, recipients: list[str] | None) -> list[Reply]:
    count = 1 if recipients is None else len(recipients)
    if isinstance(value, Mapping) and recipients is not None:
        answers = {fold_address(str(address)): answer for address, answer in value.items()}
        folded = [fold_address(address) for address in recipients]
        unknown = [address for address in value if fold_address(str(address)) not in folded]
        if unknown:
            raise ValueError(f"the data hook answered for {unknown[0]!r}, who is no recipient of this message")
        return [_content_reply(answers.get(address), default) for address in folded]
    if isinstance(value, list | tuple) and recipients is not None:
        if len(value) != count:
            raise ValueError(f"the data hook returned {len(value)} answers for {count} recipients")
        return [_content_reply(answer, default) for answer in value]
    return [_content_reply(value, default)] * count


def _content_reply(answer: Any, default: Reply) -> Reply:
    if answer is None:
        return default
    if isinstance(answer, Reject):
        return replies.refusal(answer, "data")
    if isinstance(answer, str) and _like_a_reply(answer):
        raise TypeError(
            f"a data hook returned {answer!r}; it gives a text without a code, or refuses by raising Reject(code, text)"
        )
    if isinstance(answer, str):
        return replies.acceptance(answer, default)
    raise TypeError(
        f"a data hook returns None or a text (LMTP: or a list or dict of texts and Rejects), not {answer!r}"
    )
