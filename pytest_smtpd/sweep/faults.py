"""FAULTS: what a server can do wrong at each step of a dialogue, one row each; SETTINGS: and how it can be set up.

A *step* is a hook point, or a command that has no hook of its own. A row is one rule on it. Its ``Kind`` is what
the client can know of the outcome, and all that the judge needs to know of the row.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple

from pytest_smtpd import on
from pytest_smtpd.settings import make_settings
from pytest_smtpd.smtp.table import Table

QUICK: Final = "quick"
FULL: Final = "full"


class Kind(Enum):
    """What a failure means to a correct client."""

    TEMPORARY = "a well-formed 4xx: not now, try again later (RFC 5321 section 4.2.1)"
    PERMANENT = "a well-formed 5xx: no, do not repeat it (RFC 5321 section 4.2.1)"
    EITHER = "a 5xx that mail servers take for a temporary one (RFC 5321 section 4.5.3.1.10)"
    LOST = "the connection ends without a reply, as if a 451 had been given (RFC 5321 section 3.8)"
    SILENT = "no reply ever comes: the client has to give up by itself (RFC 5321 section 4.5.3.2)"
    LEGAL = "unusual, and allowed: the mail has to get through"
    GARBAGE = "not a well-formed reply, or one too many: nothing is certain after it"
    ACCEPTED = "the message is accepted, and the client gets no reply that confirms it (RFC 1047)"
    TOLD = "the message is accepted, the reply confirms it to the client, and then something goes wrong"
    SET_UP = "the server is set up in another way: the mail gets through or is reported as failed"
    CERTIFICATE = "a certificate that must not be trusted"


def _unknown(kind: object, level: object) -> Iterator[str]:
    if not isinstance(kind, Kind):
        yield f"kind= must be a Kind, which says what it means to a correct client, not {kind!r}"
    if level not in (QUICK, FULL):
        yield f"level= must be {QUICK!r} or {FULL!r}, not {level!r}"


class Fault(NamedTuple):
    """One thing that can go wrong at a step: ``options`` of a rule.

    ``level`` is the lowest at which it is tried. ``again`` is whether it is also tried at later calls of the same step:
    the second recipient, the second mail.
    """

    name: str
    kind: Kind
    options: Mapping[str, Any]
    level: str = FULL
    again: bool = False

    def problems(self, step: str) -> Iterator[str]:
        """What is wrong with a row of this step."""
        if not self.name or not self.name.isascii() or not set(self.name).isdisjoint(_SIGNS):
            yield f"name={self.name!r} must be what an id and a shell pattern can have"
        yield from _unknown(self.kind, self.level)
        hook: Any = "command" if step.isupper() else step
        verb: Mapping[str, Any] = {"verb": step} if step.isupper() else {}
        try:
            on(hook, **verb, **self.options)
        except (TypeError, ValueError) as error:
            yield f"options= make no rule there: {error}"

    @property
    def code(self) -> int | None:
        """The code with which it refuses, in a well-formed reply."""
        reply = self.options.get("reply")
        if reply is None and self.kind in REFUSALS:
            reply = self.options.get("raw", b"")[:3].decode("ascii", "replace")
        text = str(reply)[:3]
        return int(text) if text.isdecimal() and text[0] in "45" else None

    @property
    def closes(self) -> bool:
        """Whether the connection is over with it, as far as a client can know: a 421 announces that, come what may."""
        return "drop" in self.options or "hang" in self.options or self.code == 421

    @property
    def is_early(self) -> bool:
        """Whether it happens while the content is arriving."""
        return "after" in self.options

    @property
    def is_raw(self) -> bool:
        """Whether it puts bytes in the place of one reply."""
        return "raw" in self.options


_SIGNS: Final = frozenset(" :#*?[]=")  # that have a meaning in ids, in patterns or in expect=
REFUSALS: Final = (Kind.TEMPORARY, Kind.PERMANENT, Kind.EITHER)
_HTTP: Final = b"HTTP/1.1 400 Bad Request\r\n\r\n"
_GOING: Final = b"421 4.3.2 Going down\r\n"


def _refused(*codes: int, level: str = FULL, again: bool = False) -> tuple[Fault, ...]:
    kinds = {4: Kind.TEMPORARY, 5: Kind.PERMANENT}
    return tuple(Fault(str(code), kinds[code // 100], {"reply": code}, level, again) for code in codes)


def _quick(*codes: int, again: bool = False) -> tuple[Fault, ...]:
    return _refused(*codes, level=QUICK, again=again)


def _lost(kind: Kind = Kind.LOST, *, again: bool = False, name: str = "", **more: Any) -> tuple[Fault, ...]:
    """The connection ends: FIN, RST."""
    return (
        Fault(f"{name}drop", kind, {**more, "drop": True}, QUICK, again),
        Fault(f"{name}rst", kind, {**more, "drop": "rst"}),
    )


def _hang(kind: Kind = Kind.SILENT, level: str = FULL, *, name: str = "", **more: Any) -> Fault:
    return Fault(f"{name}hang", kind, {**more, "hang": True}, level)


_SLOW: Final = Fault("slow", Kind.LEGAL, {"delay": 0.05})
_STAYS: Final = Fault("421-stays", Kind.TEMPORARY, {"raw": _GOING})


def _odd(code: int, then_421: Kind = Kind.LOST) -> tuple[Fault, ...]:
    """The usual answer in an unusual form: legal at first, then less and less."""
    yes = str(code).encode()
    return (
        Fault("multi-line", Kind.LEGAL, {"raw": b"%s-one\r\n%s-two\r\n%s three\r\n" % (yes, yes, yes)}, QUICK),
        Fault("code-alone", Kind.LEGAL, {"raw": yes + b"\r\n"}),
        Fault("split", Kind.LEGAL, {"drip": 0.001}),
        Fault("bare-lf", Kind.GARBAGE, {"raw": yes + b" ok\n", "accept": True}),
        Fault("surplus", Kind.GARBAGE, {"then": b"250 One reply too many\r\n"}),
        Fault("mixed", Kind.GARBAGE, {"raw": yes + b"-ok\r\n550 no\r\n"}),
        Fault("cut", Kind.GARBAGE, {"raw": yes + b" o", "drop": True}),
        Fault("cut-hang", Kind.SILENT, {"raw": yes + b" o", "hang": True}),
        Fault("then-421", then_421, {"raw": yes + b" ok\r\n" + _GOING, "drop": True}),
    )


_GARBAGE: Final = (
    Fault("garbage", Kind.GARBAGE, {"raw": _HTTP}, QUICK),
    Fault("no-code", Kind.GARBAGE, {"raw": b"hello\r\n"}),
    Fault("code-666", Kind.GARBAGE, {"raw": b"666 odd\r\n"}),
)
_MANY_LINES: Final = Fault(
    "550-many-lines", Kind.PERMANENT, {"reply": "550-5.7.26 One\n550-5.7.26 Two\n550 5.7.26 Three"}
)
_NOT_ASCII: Final = Fault("550-not-ascii", Kind.PERMANENT, {"raw": b"550 5.1.0 Emetteur refus\xe9\r\n"})
_COMMAND: Final = (*_quick(421), *_refused(500), *_lost(), _hang(), *_GARBAGE[:1])
_GREETING: Final = (*_quick(421, 550), *_refused(450), _STAYS, *_lost(), _hang(), _SLOW)
_HELLO_502: Final = Fault("502", Kind.SET_UP, {"reply": 502}, QUICK)  # HELO is left (RFC 5321 section 3.2)

_FAULTS: Final[Mapping[str, tuple[Fault, ...]]] = {
    "connect": (
        *_quick(421),
        Fault("554", Kind.EITHER, {"reply": 554}, QUICK),
        *_refused(450),
        _STAYS,
        *_lost(),
        _hang(level=QUICK),
        _SLOW,
        *_odd(220),
        *_GARBAGE,
    ),
    "EHLO": (
        *_GREETING,
        _HELLO_502,
        Fault("surplus", Kind.GARBAGE, {"then": b"250 One reply too many\r\n"}, QUICK),
        Fault("junk-inside", Kind.GARBAGE, {"raw": b"250-mx\r\nCRASH at line 3\r\n250 HELP\r\n"}),
        Fault("cut", Kind.GARBAGE, {"raw": b"250-mx\r\n", "drop": True}),
        Fault("cut-hang", Kind.SILENT, {"raw": b"250-mx\r\n", "hang": True}),
        Fault("then-421", Kind.LOST, {"raw": b"250 mx\r\n" + _GOING, "drop": True}),
        *_GARBAGE[:1],
    ),
    "HELO": (*_GREETING, *_GARBAGE[:1]),
    "LHLO": (*_GREETING, *_GARBAGE[:1]),
    "STARTTLS": (
        *_quick(454),
        *_refused(421, 501, 502),
        _STAYS,
        *_lost(),
        _hang(),
        _SLOW,
        Fault("220-drop", Kind.LOST, {"raw": b"220 go\r\n", "drop": True}, QUICK),
        Fault("220-rst", Kind.LOST, {"raw": b"220 go\r\n", "drop": "rst"}),
        Fault("220-hang", Kind.SILENT, {"raw": b"220 go\r\n", "hang": True}),
        Fault("injected", Kind.GARBAGE, {"then": b"250 injected\r\n"}),
        *_GARBAGE[:1],
    ),
    "secure": (
        *_lost(),
        _hang(),
        *_lost(name="handshake-", after=10),
        _hang(name="handshake-", after=10),
        Fault("handshake-garbage", Kind.GARBAGE, {"after": 10, "raw": b"550 no TLS\r\n"}),
    ),
    "AUTH": (
        *_quick(504),
        *_refused(421, 454, 501, 538),
        *_lost(),
        _hang(),
        Fault("bad-challenge", Kind.GARBAGE, {"raw": b"334 !!!\r\n"}),
        *_GARBAGE[:1],
    ),
    "auth": (
        *_quick(535, 454, again=True),
        *_refused(421, 432, 534),
        _STAYS,
        *_lost(),
        _hang(),
        _SLOW,
        *_odd(235),
        *_GARBAGE[:1],
    ),
    "mail_from": (
        *_quick(451, 550, again=True),
        *_quick(421),
        *_refused(452, 530, 552, 555),
        _MANY_LINES,
        _NOT_ASCII,
        _STAYS._replace(level=QUICK),
        *_lost(),
        _hang(),
        _SLOW,
        *_odd(250),
        *_GARBAGE[:1],
    ),
    "rcpt_to": (
        *_quick(450, 550, again=True),
        Fault("552", Kind.EITHER, {"reply": 552}, QUICK, again=True),
        *_quick(421),
        *_refused(452, 553),
        _MANY_LINES,
        _NOT_ASCII,
        Fault("251", Kind.LEGAL, {"reply": 251}, QUICK),
        Fault("252", Kind.LEGAL, {"reply": 252}),
        _STAYS,
        *_lost(again=True),
        _hang(),
        _SLOW,
        *_odd(250),
        *_GARBAGE[:1],
    ),
    "DATA": (
        *_quick(451, 554),
        *_refused(421, 503),
        _STAYS,
        *_lost(),
        _hang(),
        _SLOW,
        Fault("250", Kind.GARBAGE, {"raw": b"250 ok\r\n"}),
        Fault("multi-line", Kind.LEGAL, {"raw": b"354-one\r\n354 two\r\n"}),
        Fault("code-alone", Kind.LEGAL, {"raw": b"354\r\n"}),
        Fault("then-421", Kind.LOST, {"raw": b"354 go\r\n421 4.3.2 Going down\r\n", "drop": True}),
        *_GARBAGE[:1],
    ),
    "BDAT": (*_quick(451, 554), *_refused(421, 503), _STAYS, *_lost(), _hang(), _SLOW, *_GARBAGE[:1]),
    "data": (
        *_quick(451, 550, again=True),
        *_quick(421, 552),
        *_refused(452, 554),
        _MANY_LINES,
        _NOT_ASCII,
        _STAYS,
        *_lost(again=True),
        _hang(level=QUICK),
        _SLOW,
        *_lost(Kind.ACCEPTED, name="accept-", accept=True, again=True),
        _hang(Kind.ACCEPTED, name="accept-", accept=True),
        Fault("accept-451", Kind.ACCEPTED, {"reply": 451, "accept": True}, QUICK),
        Fault("accept-554", Kind.ACCEPTED, {"reply": 554, "accept": True}),
        Fault("accept-garbage", Kind.GARBAGE, {"raw": _HTTP, "accept": True}),
        *_odd(250, Kind.TOLD),
        Fault("251", Kind.LEGAL, {"reply": 251}, QUICK),
        *_GARBAGE,
        *_lost(name="early-", after=5),
        _hang(name="early-", after=5),
        Fault("early-552", Kind.PERMANENT, {"after": 5, "reply": "552 5.3.4 Too big"}, QUICK),
        Fault("early-552-drop", Kind.PERMANENT, {"after": 5, "reply": "552 5.3.4 Too big", "drop": True}),
        Fault("early-451", Kind.TEMPORARY, {"after": 5, "reply": 451}),
        Fault("early-421", Kind.TEMPORARY, {"after": 5, "reply": 421}),
        Fault("early-250", Kind.GARBAGE, {"after": 5, "reply": 250, "accept": True}),
    ),
    "RSET": (*_COMMAND,),
    "NOOP": (*_COMMAND,),
    "QUIT": (
        Fault("421", Kind.TOLD, {"reply": 421}, QUICK),
        Fault("500", Kind.TOLD, {"reply": 500}, QUICK),
        *_lost(Kind.TOLD),
        _hang(Kind.TOLD, QUICK),
        Fault("250", Kind.TOLD, {"raw": b"250 bye\r\n"}),
        Fault("multi-line", Kind.TOLD, {"raw": b"221-one\r\n221 two\r\n"}),
        Fault("slow", Kind.TOLD, {"delay": 0.05}),
        Fault("garbage", Kind.TOLD, {"raw": _HTTP}),
    ),
}


def _problems(faults: Sequence[Fault], step: str) -> Iterator[str]:
    """What is wrong with the failures of one step."""
    names = [fault.name for fault in faults]
    for fault in faults:
        yield from (f"{fault.name}: {problem}" for problem in fault.problems(step))
        if names.count(fault.name) > 1:
            yield f"{fault.name}: there are two of this name"


FAULTS: Final = Table("step", _problems, _FAULTS)
# Any other command.
OTHER: Final = _COMMAND

# What the dialogue must have had for a set-up to make a difference, for the reference.
NEEDS: Final[Mapping[str, str]] = {
    "": "",
    "tls": "TLS",
    "starttls": "STARTTLS",
    "no-tls": "no TLS",
    "auth": "a login",
    "no-auth": "no login",
    "clear-auth": "a login without TLS",
    "ehlo": "EHLO",
    "bdat": "BDAT",
    "mail": "a mail",
    "messages": "two mails on one connection",
    "recipients": "a mail to two recipients",
}


class SetUp(NamedTuple):
    """A way in which the server can be set up: ``changes`` are settings; sets are added to those of the test.

    ``needs`` names what the dialogue must have had for it to make a difference (see ``points.Dialogue.traits``);
    ``stopped`` is whether the server does not run at all.
    """

    name: str
    changes: Mapping[str, Any]
    needs: str = ""
    kind: Kind = Kind.SET_UP
    level: str = QUICK
    stopped: bool = False

    def problems(self, name: str) -> Iterator[str]:
        """What is wrong with a row."""
        if not name or name != self.name:
            yield f"name= must be the same, not {self.name!r}"
        if self.needs not in NEEDS:
            yield f"unknown needs={self.needs!r} (valid: {', '.join(filter(None, NEEDS))})"
        yield from _unknown(self.kind, self.level)
        if self.stopped == bool(self.changes):
            yield "either changes= has settings, or stopped=True says that the server does not run"
        try:
            make_settings(self.changes)
        except (TypeError, ValueError) as error:
            yield f"changes= are no settings: {error}"


def _certificate(mode: str, level: str = QUICK) -> SetUp:
    return SetUp(f"certificate={mode}", {"certificate": mode}, "tls", Kind.CERTIFICATE, level)


def _without(keyword: str, needs: str = "ehlo", level: str = FULL) -> SetUp:
    return SetUp(f"disable={keyword}", {"disable": {keyword}}, needs, Kind.SET_UP, level)


_SETTINGS: Final = (
    SetUp("connection-refused", {}, stopped=True),
    _certificate("expired"),
    _certificate("wrong-host"),
    _certificate("untrusted"),
    _certificate("self-signed", FULL),
    _certificate("not-yet-valid", FULL),
    SetUp("client_certificate=required", {"client_certificate": "required"}, "tls", level=FULL),
    SetUp("hide=STARTTLS", {"hide": {"STARTTLS"}}, "starttls"),
    _without("STARTTLS", "starttls", QUICK),
    _without("AUTH", "auth", QUICK),
    SetUp("auth=another", {"auth": {"nobody": "another"}}, "auth"),
    _without("EHLO", "ehlo", QUICK),
    _without("SIZE"),
    _without("8BITMIME", level=QUICK),
    _without("SMTPUTF8"),
    _without("PIPELINING"),
    _without("CHUNKING", "bdat"),
    _without("DSN", "ehlo"),
    SetUp("size=20", {"size": 20}, "mail"),
    SetUp("max_recipients=1", {"max_recipients": 1}, "recipients"),
    SetUp("max_messages=1", {"max_messages": 1}, "messages"),
    SetUp("require_auth", {"require_auth": True}, "no-auth", level=FULL),
    SetUp("require_tls", {"require_tls": True}, "no-tls", level=FULL),
    SetUp("auth_requires_tls", {"auth_requires_tls": True}, "clear-auth", level=FULL),
    SetUp("strict", {"strict": True}, level=FULL),
)
SETTINGS: Final = Table("set-up", SetUp.problems, {row.name: row for row in _SETTINGS})
