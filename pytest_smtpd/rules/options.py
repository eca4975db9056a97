"""OPTIONS: one row for each action and modifier of a rule: its values, its hooks, what it does to a verdict.

An action answers; a modifier changes how, when or how often. The rows stand in the order in which a rule shows its
options, and in which they are applied to the fields of its ``Verdict``.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from pytest_smtpd.checks import is_count, is_flag, is_seconds
from pytest_smtpd.rules.hooks import HOOKS, Feature, has
from pytest_smtpd.rules.verdict import Ending, Outcome
from pytest_smtpd.smtp.replies import Reply, leading_reply, parse_reply, standard

Fields = dict[str, Any]  # of the verdict in the making
Given = Mapping[str, Any]
Condition = Callable[[Given, str], bool]  # of the options and the hook
Conflict = tuple[Condition, str]  # (condition, why the option makes no sense then)


def _leave(fields: Fields, value: Any, hook: str) -> None:
    """For options that do not change the verdict: they are read where rules are asked."""


class Option(NamedTuple):
    """A row. ``check`` tests whether a value is of the right kind, and ``wanted`` names that kind in an error.

    ``needs`` is the feature that a hook point must have; None: the option applies everywhere. ``conflicts`` are the
    combinations that exclude it. ``apply`` does to a verdict's fields what the option means. ``answers`` is whether a
    rule with it decides a call. ``decorates`` is whether it also works alone, on the usual answer; the search for a
    rule that decides then goes on. ``meaning`` is Markdown for the reference.
    """

    kind: Literal["action", "modifier"]
    check: Callable[[object], bool]
    wanted: str
    meaning: str
    needs: Feature | None = None
    conflicts: tuple[Conflict, ...] = ()
    apply: Callable[[Fields, Any, str], None] = _leave
    decorates: bool = False

    @property
    def answers(self) -> bool:
        """Whether a rule with it decides a call."""
        return self.kind == "action"


# --- kinds of values ------------------------------------------------------------------------------------------------


def _is_reply(value: object) -> bool:
    return isinstance(value, str | Reply) or (isinstance(value, int) and not isinstance(value, bool))


# --- what they do ---------------------------------------------------------------------------------------------------

_NO_ANSWER: Final[Mapping[Ending, Outcome]] = {
    Ending.FIN: "dropped",
    Ending.RST: "dropped",
    Ending.STALL: "hung",
    Ending.STALL_UNREAD: "hung",
}
_DROPS: Final = {True: Ending.FIN, "fin": Ending.FIN, "rst": Ending.RST}
_CODE: Final = rb"(?:[2-5][0-9]{2}-[^\n]*\n)*([2-5])[0-9]{2}(?![0-9])"  # a client may take this for a reply


def read_reply(value: int | str | Reply, hook: str) -> Reply:
    """A reply as a rule gives it. Raises ``ValueError`` for what is none."""
    if isinstance(value, Reply):
        return value
    if isinstance(value, str):
        return parse_reply(value)
    if not 200 <= value <= 599:
        raise ValueError(
            f"reply must be a code like 550 or text like '550 5.1.1 No such user', not {value!r}; "
            "a reply code is a number from 200 to 599"
        )
    return standard(value, HOOKS[hook].refusal)


def _say(fields: Fields, reply: Reply | None) -> None:
    fields["reply"] = reply
    if reply is not None:
        fields["digit"] = reply.digit
        fields["outcome"] = "refused" if reply.refuses else "accepted"


def _apply_reply(fields: Fields, value: Any, hook: str) -> None:
    _say(fields, read_reply(value, hook))


def _apply_raw(fields: Fields, value: Any, hook: str) -> None:
    fields["wire"] = value
    if callable(value):
        return  # what it makes of the usual answer is read when there is one
    raw_fields(fields, value, hook)


def raw_fields(fields: Fields, raw: bytes, hook: str) -> None:
    """What raw bytes mean to the session: their well-formed reply; else nothing, or a greeting.

    How the call counts is another matter: also by a code that no whole reply follows. Without one, by how it ends.
    """
    _say(fields, leading_reply(raw))
    if fields["reply"] is None:
        greets = "greeting" in HOOKS[hook].has
        code = re.match(_CODE, raw)
        fields["digit"] = 2 if greets else 0
        fields["outcome"] = "accepted" if greets else "refused" if raw else "hung"
        if code is not None:
            fields["outcome"] = "refused" if code[1] >= b"4" else "accepted"
        elif fields.get("ending", Ending.OPEN) is not Ending.OPEN:
            fields["outcome"], fields["digit"] = _NO_ANSWER[fields["ending"]], 0


def _end(ending: Ending) -> Callable[[Fields, Any, str], None]:
    def apply(fields: Fields, value: Any, hook: str) -> None:
        fields["ending"] = _DROPS[value] if ending is Ending.FIN else ending
        wire = fields.get("wire", b"")
        if fields.get("reply") is None and not callable(wire):
            raw_fields(fields, wire, hook)

    return apply


def _set(name: str) -> Callable[[Fields, Any, str], None]:
    def apply(fields: Fields, value: Any, hook: str) -> None:
        fields[name] = value

    return apply


def _apply_after(fields: Fields, value: Any, hook: str) -> None:
    if fields.get("ending") is Ending.STALL and "message" in HOOKS[hook].has:
        fields["ending"] = Ending.STALL_UNREAD


def _apply_accept(fields: Fields, value: Any, hook: str) -> None:
    if "message" in HOOKS[hook].has:
        fields["keep"] = value
    else:
        fields["digit"], fields["outcome"] = (2, "accepted") if value else (5, "refused")


# --- what excludes what ---------------------------------------------------------------------------------------------


def given(options: Given, name: str) -> bool:
    """Whether an option is given, and not switched off."""
    return options.get(name, False) is not False


def _with(*names: str) -> Condition:
    return lambda options, hook: any(given(options, name) for name in names)


def _without(*names: str) -> Condition:
    return lambda options, hook: not any(given(options, name) for name in names)


def _both(one: Condition, other: Condition) -> Condition:
    return lambda options, hook: one(options, hook) and other(options, hook)


def _says_yes(options: Given) -> bool:
    """Whether the client gets a 2xx."""
    if isinstance(options.get("raw"), bytes):
        reply = leading_reply(options["raw"])
        return reply is not None and reply.digit == 2
    return callable(options.get("raw")) or str(options.get("reply", ""))[:1] == "2"


_ANSWER: Final = ("reply", "raw")
_ACTIONS: Final = ("reply", "raw", "drop", "hang")


def _several(options: Given, hook: str) -> bool:
    return isinstance(options.get("reply"), list)


def _unanswered(options: Given, hook: str) -> bool:
    return _with("drop", "hang")(options, hook) and _without("reply", "raw", "call")(options, hook)


OPTIONS: Final[dict[str, Option]] = {
    "reply": Option(
        "action",
        lambda value: _is_reply(value) or (isinstance(value, list) and bool(value) and all(map(_is_reply, value))),
        "a code like 550 or text like '550 5.1.1 No such user'",
        'answer exactly this: a code (`550`), a text (`"550 5.1.1 No such user"`) or several lines '
        '(`"550-two\\n550 lines"`). Nothing is added to a text. 2xx accepts, 4xx and 5xx refuse, 421 closes. A list is '
        "one answer per matching call, in turn, and then the rule is over",
        "reply",
        apply=_apply_reply,
    ),
    "raw": Option(
        "action",
        lambda value: isinstance(value, bytes) or callable(value),
        "bytes, like b'250 ok\\r\\n', or a function of the usual answer's bytes",
        "send exactly these bytes. If they begin with a well-formed reply, the session goes on as after that reply, "
        "except that only `drop` closes; otherwise as if the client had been accepted (on `connect`), or as if there "
        'had been no answer (elsewhere). `b""` is an answer that never comes while the session goes on. A `334` on '
        "`auth` brings the client's next line to `auth` again. A function gets the bytes of the usual answer, and "
        "returns those that are sent instead",
        "reply",
        ((_with("reply"), "reply= and raw= are two answers; give one"),),
        apply=_apply_raw,
    ),
    "drop": Option(
        "action",
        lambda value: isinstance(value, bool | str) and value in (True, False, "fin", "rst"),
        "True, 'fin' or 'rst'",
        'close without an answer, or after the one that `reply` or `raw` gives. `True` and `"fin"` send a FIN, under '
        'TLS without a close_notify, so that the client sees the stream cut off; `"rst"` resets the connection. On '
        "`connect` under implicit TLS: before the handshake",
        "reply",
        apply=_end(Ending.FIN),
    ),
    "hang": Option(
        "action",
        is_flag,
        "True or False",
        "never answer, or after an answer fall silent. Released when the test ends, or when the client closes",
        "reply",
        ((_with("drop"), "drop= closes and hang= keeps open; give one"),),
        apply=_end(Ending.STALL),
    ),
    "call": Option(
        "action",
        callable,
        "a function",
        "a [hook function](hooks.md)",
        None,
        ((_with(*_ACTIONS), "call= decides by itself; leave out reply=, raw=, drop= and hang="),),
    ),
    "times": Option(
        "modifier",
        lambda value: is_count(value) and value != 0,
        "a number from 1",
        "apply to at most this many matching calls",
        None,
        ((_several, "a list of replies says by its length how often; leave out times="),),
    ),
    "skip": Option("modifier", is_count, "a number from 0", "let the first n matching calls pass"),
    "delay": Option(
        "modifier",
        is_seconds,
        "a number of seconds from 0",
        "seconds before the answer. Alone: the usual answer, late",
        "reply",
        apply=_set("delay"),
        decorates=True,
    ),
    "drip": Option(
        "modifier",
        is_seconds,
        "a number of seconds from 0, between two bytes",
        "the answer one byte at a time, n seconds apart. Alone: the usual answer, slowly",
        "reply",
        ((_unanswered, "drip= needs an answer to send byte by byte; add reply= or raw="),),
        apply=_set("pace"),
        decorates=True,
    ),
    "linger": Option(
        "modifier",
        is_seconds,
        "a number of seconds from 0",
        "seconds between the answer and `drop`",
        "reply",
        (
            (_without("drop"), "linger= is the time before a drop; add drop="),
            (_without(*_ANSWER), "linger= is the time between an answer and the drop; add reply= or raw="),
        ),
        apply=_set("linger"),
    ),
    "then": Option(
        "modifier",
        lambda value: isinstance(value, bytes),
        "bytes, like b'421 bye\\r\\n'",
        "further bytes right behind the answer, in the same write: an unsolicited 421, a reply too many. Alone: behind "
        "the usual answer",
        "reply",
        ((_unanswered, "then= needs an answer to follow; add reply= or raw="),),
        apply=_set("then"),
        decorates=True,
    ),
    "after": Option(
        "modifier",
        is_count,
        "a number of bytes from 0",
        "on `data`: as soon as n bytes of content have arrived, while the client is still sending. With `hang` the "
        "server stops reading, so it cannot see the client leave: the connection counts as open until the server "
        "stops. With a refusal the rest is read, discarded and not answered again. On `secure`: n bytes into the "
        "client's handshake",
        "bytes",
        (
            (_without(*_ACTIONS), "after= needs reply=, raw=, drop= or hang="),
            (
                _both(lambda options, hook: options.get("accept") is True, _with("drop", "hang")),
                "after= with drop= or hang= leaves no message to keep; leave out accept= or after=",
            ),
            (
                _both(lambda options, hook: "silence" in HOOKS[hook].has, _with("reply")),
                "there is no reply inside a handshake; use raw=, drop= or hang= with after=",
            ),
        ),
        apply=_apply_after,
    ),
    "accept": Option(
        "modifier",
        is_flag,
        "True or False",
        "how the server itself counts the call, whatever the client is told. On `data`: `True` keeps the message as "
        "accepted, and then the fault happens (the gap of RFC 1047, in which mail is delivered twice); with `after`, "
        "the early answer comes in addition, and the rest arrives, is kept and is answered as usual. `False`, with a "
        "2xx: the client is told yes, and nothing is kept. Elsewhere, beside `reply` or `raw`: `True` counts the call "
        "as accepted, `False` as refused",
        "count",
        (
            (_with("call"), "a call= function decides by itself; leave out accept="),
            (_without(*_ACTIONS), "accept= needs reply=, raw=, drop= or hang="),
            (
                _both(lambda options, hook: "message" not in HOOKS[hook].has, _without(*_ANSWER)),
                "accept= needs reply= or raw= here: without an answer there is nothing to count",
            ),
            (
                lambda options, hook: options.get("accept") is False and not _says_yes(options),
                "accept=False needs a reply that accepts, like reply=250",
            ),
        ),
        apply=_apply_accept,
    ),
    "optional": Option(
        "modifier",
        is_flag,
        "True or False",
        "`True`: the rule need not be used. `False`: it has to be, wherever it stands. Without it, "
        "[the place decides](../explanation/unused-rules.md)",
    ),
}


def possible(hook: str) -> list[str]:
    """The actions and modifiers that a rule at this hook can have."""
    return [name for name, row in OPTIONS.items() if has(hook, row.needs)]


def fields_of(options: Given, hook: str, reply: Any) -> Fields:
    """The fields of the verdict that these options make; ``reply`` is the one of several whose turn it is."""
    fields: Fields = {}
    for name, row in OPTIONS.items():
        if name in options and (row.kind == "modifier" or given(options, name)):
            row.apply(fields, reply if name == "reply" else options[name], hook)
    return fields
