"""The effects of a rule's options on the fields of its verdict."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pytest_smtpd.rules.hooks import HOOKS
from pytest_smtpd.rules.verdict import Ending, Outcome
from pytest_smtpd.smtp.replies import Reply, leading_reply, parse_reply, standard

Fields = dict[str, Any]
Apply = Callable[[Fields, Any, str], None]  # of the fields, the option's value, and the hook

_NO_ANSWER: Final[Mapping[Ending, Outcome]] = {
    Ending.FIN: "dropped",
    Ending.RST: "dropped",
    Ending.STALL: "hung",
    Ending.STALL_UNREAD: "hung",
}
_DROPS: Final = {True: Ending.FIN, "fin": Ending.FIN, "rst": Ending.RST}
_CODE: Final = rb"(?:[2-5][0-9]{2}-[^\n]*\n)*([2-5])[0-9]{2}(?![0-9])"  # a client may take this for a reply


def read_reply(value: int | str | Reply, hook: str) -> Reply:
    """A reply as a rule gives it. Raises ``ValueError`` for a value that is no reply."""
    if isinstance(value, Reply):
        return value
    if isinstance(value, str):
        return parse_reply(value)
    if not 200 <= value <= 599:
        raise ValueError(
            f"reply must be a code like 550 or text like '550 5.1.1 No such user', not {value}; "
            "a reply code is a number from 200 to 599"
        )
    return standard(value, HOOKS[hook].refusal)


def leave(fields: Fields, value: Any, hook: str) -> None:
    """For options that do not change the verdict: they are read where rules are asked."""


def say(fields: Fields, reply: Reply | None) -> None:
    """The reply is sent, and its first digit decides."""
    fields["reply"] = reply
    if reply is not None:
        fields["digit"] = reply.digit
        fields["outcome"] = "refused" if reply.refuses else "accepted"


def say_reply(fields: Fields, value: Any, hook: str) -> None:
    """Reply with the value: a code, a text or a ``Reply``."""
    say(fields, read_reply(value, hook))


def write_raw(fields: Fields, value: Any, hook: str) -> None:
    """Send these bytes, or those that a function makes of the usual answer's bytes."""
    fields["wire"] = value
    if callable(value):
        return  # what it makes of the usual answer is read when there is one
    raw_fields(fields, value, hook)


def raw_fields(fields: Fields, raw: bytes, hook: str) -> None:
    """The meaning of raw bytes to the session: their well-formed reply; else none, or a greeting.

    How the call counts is another matter: also by a code that no whole reply follows. Without one, by how it ends.
    """
    say(fields, leading_reply(raw))
    if fields["reply"] is None:
        greets = "greeting" in HOOKS[hook].has
        code = re.match(_CODE, raw)
        fields["digit"] = 2 if greets else 0
        fields["outcome"] = "accepted" if greets else "refused" if raw else "hung"
        if code is not None:
            fields["outcome"] = "refused" if code[1] >= b"4" else "accepted"
        elif fields.get("ending", Ending.OPEN) is not Ending.OPEN:
            fields["outcome"], fields["digit"] = _NO_ANSWER[fields["ending"]], 0


def end(ending: Ending) -> Apply:
    """End the connection like this; the value of ``drop`` names FIN or RST."""

    def apply(fields: Fields, value: Any, hook: str) -> None:
        fields["ending"] = _DROPS[value] if ending is Ending.FIN else ending
        wire = fields.get("wire", b"")
        if fields.get("reply") is None and not callable(wire):
            raw_fields(fields, wire, hook)

    return apply


def put(name: str) -> Apply:
    """The value becomes this field of the verdict."""

    def apply(fields: Fields, value: Any, hook: str) -> None:
        fields[name] = value

    return apply


def act_early(fields: Fields, value: Any, hook: str) -> None:
    """A ``hang`` during the content: the rest is not read either."""
    if fields.get("ending") is Ending.STALL and "message" in HOOKS[hook].has:
        fields["ending"] = Ending.STALL_UNREAD


def count_as(fields: Fields, value: Any, hook: str) -> None:
    """Set how the server counts the call, or whether it keeps the message, independent of the reply."""
    if "message" in HOOKS[hook].has:
        fields["keep"] = value
        if value and not fields.get("reply") and fields.get("outcome") == "refused":  # by bytes that nobody can read
            fields["outcome"] = "accepted"
    else:
        wire = fields.get("wire")
        asks = fields.get("digit") == 3 or (isinstance(wire, bytes) and re.match(rb"3[0-9]{2}(?![0-9])", wire))
        fields["digit"], fields["outcome"] = (3 if asks else 2, "accepted") if value else (5, "refused")
