"""OPTIONS: one row for each action and modifier of a rule: its values, its hooks, its effect on a verdict.

An action answers a call; a modifier changes how, when or how often. A rule shows its options, and applies them to the
fields of its ``Verdict``, in the order of the rows, actions before modifiers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from pytest_smtpd.checks import is_count, is_flag, is_seconds
from pytest_smtpd.rules import effects
from pytest_smtpd.rules.effects import Apply, Fields
from pytest_smtpd.rules.hooks import HOOKS, Feature, has, unknown_feature
from pytest_smtpd.rules.verdict import DECORATING, Ending, Verdict
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.table import Table, not_callable

Given = Mapping[str, Any]
Condition = Callable[[Given, str], bool]  # of the options and the hook
Conflict = tuple[Condition, str]  # (condition, why the option makes no sense then)


class Option(NamedTuple):
    """A row. ``check`` tests whether a value is of the right kind, and ``wanted`` names that kind in an error.

    ``apply`` does to a verdict's fields what the option means. ``needs`` is the feature that a hook point must have;
    None: the option applies everywhere. ``conflicts`` are the combinations that exclude it; ``{or_actions}``,
    ``{and_actions}`` and ``{or_answers}`` in their texts are lists of such options. ``sends`` is whether it sends the
    client something. ``answers`` is whether a rule with it decides a call. ``decorates`` is whether it also works
    alone, on the usual answer; the search for a rule that decides then goes on. ``meaning`` is Markdown for the
    reference.
    """

    kind: Literal["action", "modifier"]
    check: Callable[[object], bool]
    wanted: str
    meaning: str
    apply: Apply
    needs: Feature | None = None
    conflicts: tuple[Conflict, ...] = ()
    sends: bool = False
    decorates: bool = False

    @property
    def answers(self) -> bool:
        """Whether a rule with it decides a call."""
        return self.kind == "action"

    def problems(self, name: str) -> Iterator[str]:
        """The mistakes in a row."""
        if not name.isidentifier():
            yield "its name must be one that a keyword argument can have"
        if self.kind not in ("action", "modifier"):
            yield f"kind= must be 'action' or 'modifier', not {self.kind!r}"
        if not self.wanted or not self.meaning:
            yield "wanted= and meaning= must say what its values are, and what it does"
        yield from not_callable(check=self.check, apply=self.apply)
        if self.needs is not None:
            yield from unknown_feature(self.needs)
        if (self.sends and not self.answers) or (self.decorates and self.answers):
            yield "only an action sends something (sends=), and only a modifier decorates (decorates=)"


# --- conflicts ------------------------------------------------------------------------------------------------------


def given(options: Given, name: str) -> bool:
    """Whether an option is given, and not switched off."""
    return options.get(name, False) is not False


def given_actions(options: Given) -> list[str]:
    """The actions that are given, but ``call``, which decides by itself."""
    return [name for name in _actions() if given(options, name)]


def _actions(*, sending: bool = False) -> list[str]:
    return [name for name, row in OPTIONS.items() if row.answers and name != "call" and (row.sends or not sending)]


def _with(*names: str) -> Condition:
    return lambda options, hook: any(given(options, name) for name in names)


def _without(*names: str) -> Condition:
    return lambda options, hook: not any(given(options, name) for name in names)


def _both(one: Condition, other: Condition) -> Condition:
    return lambda options, hook: one(options, hook) and other(options, hook)


def _acts(options: Given, hook: str) -> bool:
    return bool(given_actions(options))


def _does_nothing(options: Given, hook: str) -> bool:
    return not given_actions(options)


def _sends_nothing(options: Given, hook: str) -> bool:
    return not any(OPTIONS[name].sends for name in given_actions(options))


def _sends_refusal(options: Given, hook: str) -> bool:
    """Whether the client gets anything but a 2xx."""
    others = {name: value for name, value in options.items() if name != "accept"}
    answers = [fields_of(others, hook, reply) for reply in _replies(options)]
    return any(fields.get("digit") != 2 and not callable(fields.get("wire")) for fields in answers)


def _sends_reply(options: Given, hook: str) -> bool:
    """Whether the answer is a well-formed reply, not raw bytes."""
    answers = [fields_of(options, hook, reply) for reply in _replies(options)]
    return any(fields.get("reply") is not None and "wire" not in fields for fields in answers)


def _replies(options: Given) -> list[Any]:
    replies = options.get("reply")
    return replies if isinstance(replies, list) else [replies]


def listed(names: Iterable[str], word: str = "or") -> str:
    """``reply=, raw= or drop=``."""
    *others, last = [f"{name}=" for name in names]
    return f"{', '.join(others)} {word} {last}" if others else last


def why(text: str) -> str:
    """The text of a conflict, with its lists of options."""
    actions, answers = _actions(), _actions(sending=True)
    text = text.replace("{or_actions}", listed(actions)).replace("{and_actions}", listed(actions, "and"))
    return text.replace("{or_answers}", listed(answers))


# --- the table ------------------------------------------------------------------------------------------------------


def _is_reply(value: object) -> bool:
    return isinstance(value, str | Reply) or (isinstance(value, int) and not isinstance(value, bool))


_ROWS: Final = {
    "reply": Option(
        "action",
        lambda value: _is_reply(value) or (isinstance(value, list) and bool(value) and all(map(_is_reply, value))),
        "a code like 550 or text like '550 5.1.1 No such user'",
        'answer exactly this: a code (`550`), a string (`"550 5.1.1 No such user"`) or several lines '
        '(`"550-two\\n550 lines"`). Nothing is added to a string. 2xx accepts, 4xx and 5xx refuse, 421 closes. A '
        "list is one answer per matching call, in turn, and then the rule is over",
        effects.say_reply,
        "reply",
        sends=True,
    ),
    "raw": Option(
        "action",
        lambda value: isinstance(value, bytes) or callable(value),
        "bytes, like b'250 ok\\r\\n', or a function of the usual answer's bytes",
        "send exactly these bytes. If they begin with a well-formed reply, the session continues as after that reply, "
        "except that only `drop` closes; otherwise as if the client had been accepted (on `connect`), or as if there "
        'had been no answer (elsewhere). `b""` sends no reply; the session continues. A `334` on '
        "`auth` brings the client's next line to `auth` again. A function gets the bytes of the usual answer, and "
        "returns those that are sent instead",
        effects.write_raw,
        "reply",
        sends=True,
    ),
    "drop": Option(
        "action",
        lambda value: isinstance(value, bool | str) and value in (True, False, "fin", "rst"),
        "True, 'fin' or 'rst'",
        'close without an answer, or after the one that `reply` or `raw` gives. `True` and `"fin"` send a FIN, '
        'under TLS without a close_notify, so that the client sees the stream cut off; `"rst"` resets the '
        "connection. On `connect` under implicit TLS: before the handshake",
        effects.end(Ending.FIN),
        "reply",
    ),
    "hang": Option(
        "action",
        is_flag,
        "True or False",
        "never answer, or send nothing more after an answer. Released when the test ends, or when the client closes",
        effects.end(Ending.STALL),
        "reply",
        ((_with("drop"), "drop= closes and hang= keeps open; give one"),),
    ),
    "call": Option(
        "action",
        callable,
        "a function",
        "a [hook function](hooks.md)",
        effects.leave,
        conflicts=((_acts, "call= decides by itself; leave out {and_actions}"),),
    ),
    "times": Option(
        "modifier",
        lambda value: is_count(value) and value != 0,
        "a number from 1",
        "apply to at most this many matching calls",
        effects.leave,
        conflicts=(
            (
                lambda options, hook: isinstance(options.get("reply"), list),
                "the length of a list of replies is how often the rule applies; leave out times=",
            ),
        ),
    ),
    "skip": Option("modifier", is_count, "a number from 0", "let the first n matching calls pass", effects.leave),
    "delay": Option(
        "modifier",
        is_seconds,
        "a number of seconds from 0",
        "seconds before the answer. Alone: the usual answer, late",
        effects.put("delay"),
        "reply",
        decorates=True,
    ),
    "drip": Option(
        "modifier",
        is_seconds,
        "a number of seconds from 0, between two bytes",
        "the answer one byte at a time, n seconds apart. Alone: the usual answer, slowly",
        effects.put("pace"),
        "reply",
        ((_both(_acts, _sends_nothing), "drip= needs an answer to send byte by byte; add {or_answers}"),),
        decorates=True,
    ),
    "linger": Option(
        "modifier",
        is_seconds,
        "a number of seconds from 0",
        "seconds between the answer and `drop`",
        effects.put("linger"),
        "reply",
        (
            (_without("drop"), "linger= is the time before a drop; add drop="),
            (_sends_nothing, "linger= is the time between an answer and the drop; add {or_answers}"),
        ),
    ),
    "then": Option(
        "modifier",
        lambda value: isinstance(value, bytes),
        "bytes, like b'421 bye\\r\\n'",
        "further bytes right behind the answer, in the same write: an unsolicited 421, a reply too many. Alone: "
        "behind the usual answer",
        effects.put("then"),
        "reply",
        ((_both(_acts, _sends_nothing), "then= needs an answer to follow; add {or_answers}"),),
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
        effects.act_early,
        "bytes",
        (
            (_does_nothing, "after= needs {or_actions}"),
            (
                _both(lambda options, hook: options.get("accept") is True, _with("drop", "hang")),
                "after= with drop= or hang= leaves no message to keep; leave out accept= or after=",
            ),
            (
                _both(lambda options, hook: "silence" in HOOKS[hook].has, _sends_reply),
                "there is no reply inside a handshake; use raw=, drop= or hang= with after=",
            ),
            (
                lambda options, hook: callable(options.get("raw")),
                "after= acts before there is a usual answer for a raw= function to change; give raw= as bytes",
            ),
            (
                _with("subject", "header"),
                "after= acts while the message arrives, when subject= and header= are not known yet; leave one out",
            ),
        ),
    ),
    "accept": Option(
        "modifier",
        is_flag,
        "True or False",
        "how the server itself counts the call, independent of the reply. On `data`: `True` keeps the message as "
        "accepted, and then the fault happens (the gap of RFC 1047, in which mail is delivered twice); with `after`, "
        "the early answer comes in addition, and the rest arrives, is kept and is answered as usual. `False`, with a "
        "2xx: the client gets that reply, and nothing is kept. Elsewhere, beside `reply` or `raw`: `True` counts the "
        "call as accepted, `False` as refused",
        effects.count_as,
        "count",
        (
            (_with("call"), "a call= function decides by itself; leave out accept="),
            (_does_nothing, "accept= needs {or_actions}"),
            (
                _both(lambda options, hook: "message" not in HOOKS[hook].has, _sends_nothing),
                "accept= needs {or_answers} here: without an answer there is nothing to count",
            ),
            (
                _both(lambda options, hook: options.get("accept") is False, _sends_refusal),
                "accept=False needs a reply that accepts, like reply=250",
            ),
        ),
    ),
    "optional": Option(
        "modifier",
        is_flag,
        "True or False",
        "`True`: the rule need not be used. `False`: it has to be, wherever it stands. Without it, "
        "[the place decides](../explanation/unused-rules.md)",
        effects.leave,
    ),
}
OPTIONS: Final = Table("option", Option.problems, _ROWS)


def possible(hook: str) -> list[str]:
    """The actions and modifiers that a rule at this hook can have."""
    return [name for name, row in OPTIONS.items() if has(hook, row.needs)]


# --- from options to a verdict --------------------------------------------------------------------------------------


def in_order(options: Given) -> list[str]:
    """The names of options as rules show and apply them, wherever a row stands: actions, then modifiers."""
    names = [name for name in OPTIONS if name in options]
    return sorted(names, key=lambda name: not OPTIONS[name].answers)


def fields_of(options: Given, hook: str, reply: Any) -> Fields:
    """The fields of the verdict that these options make; ``reply`` is the current one of a list.

    Raises ``TypeError`` for a row whose ``apply`` sets a field that a verdict does not have.
    """
    fields: Fields = {}
    for name in in_order(options):
        row = OPTIONS[name]
        if row.kind == "modifier" or given(options, name):
            row.apply(fields, reply if name == "reply" else options[name], hook)
            if not fields.keys() <= _FIELDS:
                unknown = min(fields.keys() - _FIELDS)
                raise TypeError(f"option {name!r}: its apply= sets {unknown!r} (valid: {', '.join(Verdict._fields)})")
    return fields


_FIELDS: Final = frozenset(Verdict._fields)


def verdict_fields(options: Given, hook: str, reply: Any) -> Fields:
    """The fields of a rule that decides. Raises ``TypeError`` if the client would get neither an answer nor an end."""
    fields = fields_of(options, hook, reply)
    if not fields.keys() & {"reply", "wire", "ending"}:
        names = listed(given_actions(options), "and")
        raise TypeError(f"on({hook!r}): {names} does nothing: its apply= must set 'reply', 'wire' or 'ending'")
    return fields


def decoration_fields(options: Given, hook: str) -> Fields:
    """The fields of a rule that only decorates. Raises ``TypeError`` for a field that it may not set."""
    fields = fields_of(options, hook, None)
    if wrong := fields.keys() - DECORATING:
        others = ", ".join(sorted(DECORATING))
        raise TypeError(f"on({hook!r}): {min(wrong)!r} cannot be added to the usual answer (what can: {others})")
    return fields
