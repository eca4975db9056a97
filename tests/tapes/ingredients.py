"""What a tape can put into a server: settings, rules of the catalogue of failures, and hook functions of every kind.

An ingredient is a line as a test writes it, ``on(...)`` or keyword arguments of ``SMTPServer``. A tape names it by its
place in ``INGREDIENTS``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from pytest_smtpd import Reject, Rule, on
from tests.faults.catalogue import SECTIONS
from tests.faults.vocabulary import Given, evaluate

Function = Callable[..., Any]
_SECONDS: Final = {"delay": 0.002, "linger": 0.002, "drip": 0.0001}  # rules of the catalogue are slower
_SETTINGS: Final = (
    'tls="implicit"',
    "tls=None",
    'auth={"app": "s3cret", "tim": "tanstaaf"}',
    'auth="any"',
    "lmtp=True",
    "proxy_protocol=True",
    "xclient=True, xforward=True",
    "require_auth=False",
    "size=40",
    "strict=True",
    "timeout=0.001",
    "max_clients=1",
    'advertise={"X-TEST one two"}',
    'client_certificate="optional"',
    "path=True",
)
# Beside those of the catalogue: what changes an answer by a function, by a list, or in passing.
_RULES: Final = (
    'on("rcpt_to", reply=[250, 450, 550])',
    'on("data", reply=["250 2.0.0 Yes", 451, 554])',
    'on("command", then=b"421 4.3.2 bye\\r\\n")',
    'on("data", then=b"250 2.0.0 Again\\r\\n")',
    'on("command", verb="MAIL", reply=250)',
    'on("command", verb="BDAT", reply=250)',
    'on("command", verb="STARTTLS", reply=220)',
    'on("command", verb="X*", reply="334 Zm9v")',
    'on("auth", reply="334 Zm9v", times=1)',
    'on("auth", reply=235)',
    'on("rcpt_to", reply=550, accept=True)',
    'on("mail_from", reply=250, accept=False)',
    'on("connect", reply=554, accept=True)',
    'on("data", after=0, reply=250, accept=True)',
    'on("data", after=3, reply=550, times=1)',
    'on("secure", reply="554 5.7.0 No")',
    'on("command", raw=bytes.lower)',
    'on("rcpt_to", raw=lambda usual: b"")',
    'on("data", raw=lambda usual: usual + usual)',
    'on("command", delay=0.001, times=3)',
    'on("data", drip=0.0001)',
    'on("rcpt_to", user="app", drop=True)',
)


class Planned(Exception):
    """What a hook of these raises by mistake."""


class Unspeakable(Exception):
    """One that cannot even be shown."""

    def __repr__(self) -> str:
        raise Planned

    __str__ = __repr__


PLANNED: Final = (Planned, Unspeakable, SystemExit, asyncio.CancelledError)


# --- hook functions: each is called with one argument or two ------


def _raising(error: Callable[[], BaseException]) -> Function:
    def function(*args: Any) -> Any:
        raise error()

    return function


def _returning(value: Callable[[Any], Any]) -> Function:
    def function(*args: Any) -> Any:
        return value(args[0])

    return function


def _later(function: Function) -> Function:
    async def later(*args: Any) -> Any:
        await asyncio.sleep(0)
        return function(*args)

    return later


def _slowly(*args: Any) -> None:
    time.sleep(0.001)


async def _waiting(*args: Any) -> None:
    await asyncio.sleep(0.001)


async def _with_a_helper(*args: Any) -> str:
    return await asyncio.to_thread(lambda: "250 2.0.0 With help")


def _taking_notes(*args: Any) -> None:
    """Looks at everything that a session shows, and keeps how long that is."""
    session = args[-1]
    looked = [repr(getattr(session, name)) for name in dir(session) if not name.startswith("_")]
    session.notes["looked"] = sum(map(len, looked))


def _reading(stream: Any, session: Any) -> str:
    return f"250 2.0.0 {len(stream.read())} bytes"


async def _reading_later(stream: Any, session: Any) -> None:
    await stream.aread()


def _reading_a_little(stream: Any, session: Any) -> None:
    next(iter(stream), None)


async def _refusing_amid_the_content(stream: Any, session: Any) -> None:
    async for _ in stream:
        raise Reject(552)


async def _after_the_end(stream: Any, session: Any) -> Any:
    """In LMTP every second recipient is refused."""
    await stream.aread()
    return {to: Reject(550) if place % 2 else "Fine" for place, to in enumerate(session.envelope.rcpt_to)}


_FUNCTIONS: Final[tuple[Function, ...]] = (
    _returning(lambda argument: None),
    _returning(lambda argument: True),
    _returning(lambda argument: f"250 2.0.0 {argument}"),
    _returning(lambda argument: "550 5.1.1 No\n550 5.1.1 No"),
    _returning(lambda argument: "421 4.3.2 Bye"),
    _returning(lambda argument: "334 Zm9v"),
    _returning(lambda argument: "5.1.1 No code"),
    _returning(lambda argument: [argument]),
    _returning(lambda argument: Reject()),
    _raising(Reject),
    _raising(lambda: Reject(450, "4.7.1 two\nlines")),
    _raising(lambda: Reject(421)),
    _raising(Planned),
    _raising(Unspeakable),
    _raising(lambda: SystemExit(1)),
    _raising(asyncio.CancelledError),
    _slowly,
    _waiting,
    _with_a_helper,
    _taking_notes,
)
_CONTENT: Final[tuple[Function, ...]] = (
    _reading,
    _reading_later,
    _reading_a_little,
    _refusing_amid_the_content,
    _after_the_end,
)
_HOOKS: Final = ("connect", "secure", "auth", "mail_from", "rcpt_to", "data", "close", "command")


def _hooks() -> dict[str, Given]:
    """Each function at each hook point, as it is and as a coroutine."""
    every: dict[str, Given] = {}
    for hook in _HOOKS:
        here = (*_FUNCTIONS, *_CONTENT) if hook == "data" else _FUNCTIONS
        ready = [function for function in here if not asyncio.iscoroutinefunction(function)]
        for place, function in enumerate((*here, *map(_later, ready))):
            every[f"{hook} function {place}"] = Given({}, (_rule(hook, call=function),))
        for condition in (_raising(Planned), _waits_in_vain):
            every[f"{hook} when {condition.__name__}"] = Given({}, (_rule(hook, call=_waiting, when=condition),))
    return every


def _waits_in_vain(call: Any) -> bool:
    """A condition that looks at all that a call shows."""
    return len([getattr(call, name) for name in dir(call) if not name.startswith("_")]) < 0


def _rule(hook: Any, **words: Any) -> Rule:
    """A rule that is in no hurry for nobody."""
    for word, most in _SECONDS.items():
        if word in words:
            words[word] = min(words[word], most)
    return on(hook, **words)


def _given(line: str) -> Given:
    return evaluate(line.replace("timeout=0.1", "timeout=0.001"), _rule)


def _ingredients() -> dict[str, Given]:
    """By name: the line itself."""
    lines = [
        way.line
        for section in SECTIONS
        for fault in section.faults
        for way in fault.ways
        if not way.is_statement and "read_slowly" not in way.line  # it would take its time; _slowly takes less
    ]
    return {line: _given(line) for line in (*_SETTINGS, *_RULES, *lines)} | _hooks()


INGREDIENTS: Final = _ingredients()
NAMES: Final = tuple(INGREDIENTS)
