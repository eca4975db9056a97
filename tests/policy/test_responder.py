"""Who answers a client: real events of a connection, put to rules and hooks by hand. No network, and nobody waits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_smtpd import Reject, on
from pytest_smtpd.calls import Call
from pytest_smtpd.policy.streams import Stream
from pytest_smtpd.record.journal import Note
from pytest_smtpd.rules import Rule
from pytest_smtpd.smtp import events
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.events import Command
from pytest_smtpd.smtp.sasl import Auth
from pytest_smtpd.smtp.session import Session, TLSInfo
from pytest_smtpd.smtp.states import State
from pytest_smtpd.steps import Close, Fin, Reset, Send, Stall
from tests.policy.client import (
    BOB,
    BODY,
    DATA,
    FIRST,
    HELLO,
    LAST,
    MAIL,
    PLAIN,
    RCPT,
    TOKEN,
    WHERE,
    Connect,
    point,
)

# --- the points of a session, and what each is answered with ------


ORDERS: list[tuple[dict[str, Any], list[str], str]] = [
    ({}, [MAIL, RCPT, DATA, BODY, "QUIT"], "MAIL mail_from RCPT rcpt_to DATA data QUIT"),
    ({}, [MAIL, RCPT, BOB], "MAIL mail_from RCPT rcpt_to RCPT rcpt_to"),
    ({}, [MAIL, RCPT, FIRST, FIRST, LAST], "MAIL mail_from RCPT rcpt_to BDAT data BDAT BDAT"),
    ({}, [PLAIN], "AUTH auth"),
    ({}, ["AUTH LOGIN", "YWRh", "cHc="], "AUTH auth"),
    ({}, ["AUTH LOGIN", "*"], "AUTH"),
    ({}, ["STARTTLS", HELLO], "STARTTLS secure EHLO"),
    ({}, ["NOOP", "RSET", "VRFY ada", "BLURB"], "NOOP RSET VRFY BLURB"),
    ({}, ["MAIL FROM:<a b>", RCPT, DATA], "MAIL RCPT DATA"),
    ({"max_recipients": 1}, [MAIL, RCPT, BOB], "MAIL mail_from RCPT rcpt_to RCPT"),
    ({"require_auth": True}, [MAIL], "MAIL"),
    ({"auth": None}, [PLAIN], "AUTH"),
    ({"xclient": True}, ["XCLIENT NAME=spike"], "XCLIENT connect"),
    ({"xclient": True}, ["XCLIENT LOGIN=ada"], "XCLIENT connect auth"),
    ({"xclient": True}, ["XCLIENT LOGIN=[UNAVAILABLE]"], "XCLIENT connect"),
    ({"lmtp": True}, [MAIL, RCPT, BOB, DATA, BODY], "MAIL mail_from RCPT rcpt_to RCPT rcpt_to DATA data"),
]


@pytest.mark.parametrize(("settings", "lines", "expected"), ORDERS)
def test_points_are_passed_in_protocol_order(
    connect: Connect, settings: dict[str, Any], lines: list[str], expected: str
) -> None:
    hello = "LHLO" if settings.get("lmtp") else "EHLO"
    client = connect(**settings)
    client.says("", f"{hello} client.example", *lines)
    client.leaves()
    assert client.points == f"connect {hello} {expected} close"
    assert [call.number for call in client.calls] == list(range(1, len(client.calls) + 1))


def test_under_implicit_tls_connect_and_secure_come_before_the_greeting(connect: Connect) -> None:
    client = connect(tls="implicit")
    assert client.says("") == [220]
    assert client.points == "connect secure"


def test_a_client_too_many_passes_close_only(connect: Connect) -> None:
    client = connect(on("connect", reply=554))
    answer = client.responds(client.smtp.overloaded())
    assert answer is not None
    assert [reply.code for reply in answer.replies] == [421]
    client.leaves()
    assert client.points == "close"


def test_silence_passes_no_hook(connect: Connect) -> None:
    client = connect(on("command", reply=250)).before(HELLO)
    answer = client.responds(client.smtp.timed_out())
    assert answer is not None
    assert [str(reply)[:9] for reply in answer.replies] == ["421 4.4.2"]
    assert client.points == "connect"


def test_each_call_carries_the_reply_that_answers_it(connect: Connect) -> None:
    client = connect()
    client.says("", HELLO, PLAIN, MAIL, RCPT, "RCPT TO:<a b>", DATA, BODY, "QUIT")
    client.leaves()
    assert [(point(call), call.code, call.outcome) for call in client.calls] == [
        ("connect", 220, "accepted"),
        ("EHLO", 250, "accepted"),
        ("AUTH", 235, "accepted"),
        ("auth", 235, "accepted"),
        ("MAIL", 250, "accepted"),
        ("mail_from", 250, "accepted"),
        ("RCPT", 250, "accepted"),
        ("rcpt_to", 250, "accepted"),
        ("RCPT", 501, "refused"),
        ("DATA", 354, "accepted"),
        ("data", 250, "accepted"),
        ("QUIT", 221, "accepted"),
        ("close", None, "accepted"),
    ]
    assert client.codes() == [220, 250, 235, 250, 250, 501, 354, 250, 221]


SHARED: list[tuple[str, str, list[str]]] = [
    ("mail_from", "MAIL", [HELLO, MAIL]),
    ("rcpt_to", "RCPT", [HELLO, MAIL, RCPT]),
    ("auth", "AUTH", [HELLO, PLAIN]),
    ("auth", "AUTH", [HELLO, "AUTH LOGIN", "YWRh", "cHc="]),
    ("data", "BDAT", [HELLO, MAIL, RCPT, LAST]),
    ("connect", "XCLIENT", [HELLO, "XCLIENT NAME=spike"]),
]


@pytest.mark.parametrize(("hook", "verb", "lines"), SHARED)
def test_the_command_carries_the_same_reply_as_the_more_special_call(
    connect: Connect, hook: Any, verb: str, lines: list[str]
) -> None:
    skip = 1 if hook == "connect" else 0
    client = connect(on(hook, reply="554 5.0.0 not today", skip=skip), xclient=True)
    assert client.says("", *lines)[-1] == 554
    assert str(client.last(hook).reply) == str(client.last(verb).reply) == "554 5.0.0 not today"
    assert client.last(hook).outcome == client.last(verb).outcome == "refused"
    assert [call.hook for call in client.calls if call.code == 554 and not call.silent] == [hook]


# --- which rule answers ------


Decided = tuple[int, int | None, float]  # the code, the place of the rule that decided, the seconds that passed
CHOICES: list[tuple[list[Rule], Decided]] = [
    ([], (250, None, 0)),
    ([on("rcpt_to", reply=550), on("rcpt_to", reply=450)], (550, 0, 0)),
    ([on("rcpt_to", reply=250), on("rcpt_to", reply=450)], (250, 0, 0)),
    ([on("rcpt_to", to="bob@*", reply=550), on("rcpt_to", reply=450)], (450, 1, 0)),
    ([on("rcpt_to", to="bob@*", reply=550)], (250, None, 0)),
    ([on("rcpt_to", to="ada@EXAMPLE.com", reply=550)], (550, 0, 0)),
    ([on("rcpt_to", mail_from="bob@*", reply=550), on("rcpt_to", mail_from="app@*", reply=450)], (450, 1, 0)),
    ([on("rcpt_to", user="ada", reply=550)], (250, None, 0)),
    ([on("rcpt_to", name="other", reply=550), on("rcpt_to", name="smtpd", reply=450)], (450, 1, 0)),
    ([on("rcpt_to", when=lambda call: call.args[0].local == "ada", reply=550)], (550, 0, 0)),
    ([on("mail_from", reply=250), on("rcpt_to", reply=450)], (450, 1, 0)),
    ([on("rcpt_to", delay=60)], (250, None, 60)),
    ([on("rcpt_to", delay=60), on("rcpt_to", reply=450)], (450, 1, 60)),
    ([on("rcpt_to", delay=60), on("rcpt_to", delay=5), on("rcpt_to", delay=30, reply=450)], (450, 2, 95)),
    ([on("rcpt_to", reply=450), on("rcpt_to", delay=60)], (450, 0, 0)),
    ([on("rcpt_to", delay=60, to="bob@*"), on("rcpt_to", reply=450)], (450, 1, 0)),
    ([on("rcpt_to", drip=1)], (250, None, 0)),
    ([on("rcpt_to", hang=False, delay=1), on("rcpt_to", reply=450)], (450, 1, 1)),
    ([on("rcpt_to", delay=60), on("rcpt_to", call=lambda address, session: None)], (250, 1, 60)),
]


@pytest.mark.parametrize(("rules", "decided"), CHOICES)
def test_the_nearest_rule_that_matches_and_answers_decides(
    connect: Connect, rules: list[Rule], decided: Decided
) -> None:
    code, place, seconds = decided
    fresh = [rule.copy() for rule in rules]
    client = connect(*fresh).before(RCPT)
    assert client.says(RCPT) == [code]
    call = client.last("rcpt_to")
    assert call.rule is (None if place is None else fresh[place])
    assert call.duration == client.loop.time() == seconds


def test_only_rules_that_were_asked_count_as_used(connect: Connect) -> None:
    rules = [
        on("rcpt_to", to="bob@*", reply=550),
        on("rcpt_to", delay=1),
        on("rcpt_to", reply=450),
        on("rcpt_to", reply=451),
    ]
    connect(*rules).before(RCPT).says(RCPT, RCPT)
    assert [rule.used for rule in rules] == [0, 2, 2, 0]


COUNTS: list[tuple[list[Rule], list[int]]] = [
    ([on("rcpt_to", reply=450, times=2)], [450, 450, 250]),
    ([on("rcpt_to", reply=550, skip=1)], [250, 550, 550]),
    ([on("rcpt_to", reply=450, skip=1, times=1)], [250, 450, 250]),
    ([on("rcpt_to", reply=450, times=1), on("rcpt_to", reply=550, times=1)], [450, 550, 250]),
    ([on("rcpt_to", reply=450, times=1), on("rcpt_to", reply=550, skip=1)], [450, 250, 550]),
    ([on("rcpt_to", to="bob@*", reply=450, times=1)], [250, 250, 250]),
    ([on("rcpt_to", delay=1, times=1), on("rcpt_to", reply=450, skip=1)], [250, 450, 450]),
]


@pytest.mark.parametrize(("rules", "codes"), COUNTS)
def test_times_and_skip_count_the_calls_that_reach_the_rule(
    connect: Connect, rules: list[Rule], codes: list[int]
) -> None:
    client = connect(*(rule.copy() for rule in rules)).before(RCPT)
    assert client.says(RCPT, RCPT, RCPT) == codes


def test_calls_that_do_not_match_are_not_counted(connect: Connect) -> None:
    client = connect(on("rcpt_to", to="bob@*", reply=450, skip=1, times=1)).before(RCPT)
    assert client.says(RCPT, BOB, RCPT, BOB, RCPT, BOB) == [250, 250, 250, 450, 250, 250]


def test_a_rule_takes_effect_at_the_next_call_until_it_is_ended(connect: Connect) -> None:
    client = connect(on("rcpt_to", reply=450)).before(RCPT)
    nearest = on("rcpt_to", reply=550)
    assert client.says(RCPT) == [450]
    client.book.add(nearest, nearest=True)
    assert client.says(RCPT) == [550]
    nearest.end()
    assert client.says(RCPT) == [450]


def test_an_answer_drips_where_a_rule_alone_says_so(connect: Connect) -> None:
    client = connect(on("rcpt_to", drip=3)).before(RCPT)
    client.steps.clear()
    assert client.says(RCPT) == [250]
    assert len([step for step in client.steps if isinstance(step, Send)]) == len(b"250 2.1.5 OK\r\n")


def test_the_user_who_is_logged_in_can_be_matched(connect: Connect) -> None:
    client = connect(on("mail_from", user="ada", reply=550))
    assert client.says("", HELLO, MAIL, "RSET", PLAIN, MAIL) == [220, 250, 250, 250, 235, 550]


# --- a command speaks first ------


def nothing(*args: object) -> None:
    """A hook that returns."""


def refuse(*args: object) -> None:
    raise Reject(450, "4.7.1 later")


FIRST_WORDS: list[tuple[list[Rule], list[str], list[int], str]] = [
    ([on("command", verb="MAIL", reply=250)], [HELLO, MAIL, RCPT], [250, 250, 250], "EHLO MAIL RCPT rcpt_to"),
    ([on("command", verb="mail", reply=550)], [HELLO, MAIL, RCPT], [250, 550, 503], "EHLO MAIL RCPT"),
    ([on("command", verb="E*", reply=502)], [HELLO, "HELO x"], [502, 250], "EHLO HELO"),
    ([on("command", verb="QUIT", reply=500)], ["QUIT", "NOOP"], [500, 250], "QUIT NOOP"),
    ([on("command", verb="NOOP", reply=421)], ["NOOP", "NOOP"], [421], "NOOP"),
    ([on("command", verb="STARTTLS", reply=454)], [HELLO, "STARTTLS", "NOOP"], [250, 454, 250], "EHLO STARTTLS NOOP"),
    ([on("command", verb="AUTH", reply=504)], [HELLO, PLAIN], [250, 504], "EHLO AUTH"),
    ([on("command", verb="BLURB", reply=250)], ["BLURB"], [250], "BLURB"),
    (
        [on("command", verb="RCPT", reply=250), on("rcpt_to", reply=550)],
        [HELLO, MAIL, RCPT, DATA],
        [250, 250, 250, 354],
        "EHLO MAIL mail_from RCPT DATA data",
    ),
    (
        [on("command", verb="DATA", reply=250)],
        [HELLO, MAIL, RCPT, DATA, "NOOP"],
        [250, 250, 250, 250, 250],
        "EHLO MAIL mail_from RCPT rcpt_to DATA NOOP",
    ),
    (
        [on("command", verb="RSET", reply=550)],
        [HELLO, MAIL, "RSET", RCPT],
        [250, 250, 550, 250],
        "EHLO MAIL mail_from RSET RCPT rcpt_to",
    ),
    (
        [on("command", verb="MAIL", call=refuse), on("mail_from", call=nothing)],
        [HELLO, MAIL],
        [250, 450],
        "EHLO MAIL",
    ),
    (
        [on("command", call=nothing), on("mail_from", reply=550)],
        [HELLO, MAIL],
        [250, 550],
        "EHLO MAIL mail_from",
    ),
    (
        [on("command", verb="MAIL", delay=1), on("mail_from", reply=550)],
        [HELLO, MAIL],
        [250, 550],
        "EHLO MAIL mail_from",
    ),
    (
        [on("command", verb="BDAT", reply=451)],
        [HELLO, MAIL, RCPT, LAST, "NOOP"],
        [250, 250, 250, 451, 250],
        "EHLO MAIL mail_from RCPT rcpt_to BDAT NOOP",
    ),
]


@pytest.mark.parametrize(("rules", "lines", "codes", "points"), FIRST_WORDS)
def test_a_command_that_answers_is_the_last_to_be_asked(
    connect: Connect, rules: list[Rule], lines: list[str], codes: list[int], points: str
) -> None:
    client = connect(*(rule.copy() for rule in rules))
    assert client.says("", *lines) == [220, *codes]
    assert client.points == f"connect {points}"


def test_a_command_hook_that_returns_is_asked_but_has_not_decided(connect: Connect) -> None:
    passing, decisive = on("command", call=nothing), on("mail_from", reply=550)
    client = connect(passing, decisive).before(MAIL)
    client.says(MAIL)
    assert client.last("mail_from").rule is decisive
    assert client.last("EHLO").rule is None
    assert passing.used == 2


# --- how it was decided ------


OUTCOMES: list[tuple[dict[str, Any], str, int | None, list[int]]] = [
    ({"reply": 250}, "accepted", 250, [250]),
    ({"reply": 550}, "refused", 550, [550]),
    ({"reply": 450}, "refused", 450, [450]),
    ({"reply": 250, "drop": True}, "accepted", 250, [250]),
    ({"reply": 550, "drop": "rst"}, "refused", 550, [550]),
    ({"reply": 550, "hang": True}, "refused", 550, [550]),
    ({"raw": b"250 fine\r\n"}, "accepted", 250, [250]),
    ({"raw": b"550-no\r\n550 no\r\n"}, "refused", 550, [550]),
    ({"drop": True}, "dropped", None, []),
    ({"drop": "rst"}, "dropped", None, []),
    ({"hang": True}, "hung", None, []),
    ({"raw": b""}, "hung", None, []),
    ({"call": nothing}, "accepted", 250, [250]),
    ({"call": refuse}, "refused", 450, [450]),
]


@pytest.mark.parametrize(("options", "outcome", "code", "told"), OUTCOMES)
def test_the_outcome_says_how_it_was_decided(
    connect: Connect, options: dict[str, Any], outcome: str, code: int | None, told: list[int]
) -> None:
    rule = on("rcpt_to", **options)
    client = connect(rule).before(RCPT)
    assert client.says(RCPT) == told
    call = client.last("rcpt_to")
    assert (call.outcome, call.code, call.rule, call.error) == (outcome, code, rule, None)
    client.leaves()
    assert call.outcome == outcome


def test_a_call_is_pending_while_its_hook_runs(connect: Connect) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def hook(address: Address, session: Session) -> None:
        began.set()
        await go.wait()

    client = connect(on("mail_from", call=hook)).before(MAIL)
    client.begins(MAIL, RCPT)
    client.run(began.wait())
    assert client.points.endswith("MAIL mail_from")
    calls = client.calls[-2:]
    assert [(call.outcome, call.reply, call.duration) for call in calls] == [("pending", None, None)] * 2
    go.set()
    client.finishes()
    assert [(call.outcome, call.code) for call in calls] == [("accepted", 250)] * 2
    assert client.points.endswith("MAIL mail_from RCPT rcpt_to")


RAW: list[tuple[str, bytes, list[str], list[int]]] = [
    ("connect", b"HTTP/1.1 400\r\n", [HELLO], [250]),
    ("connect", b"554 go away\r\n", ["QUIT"], [221]),
    ("connect", b"421 go away\r\n", ["QUIT"], [221]),
    ("rcpt_to", b"junk\r\n", [DATA, RCPT, DATA], [503, 250, 354]),
    ("rcpt_to", b"250 ok\r\njunk", [DATA], [354]),
    ("rcpt_to", b"421 x\r\n", [DATA, RCPT], [503, 250]),
    ("mail_from", b"", [RCPT, MAIL, RCPT], [503, 250, 250]),
    ("auth", b"junk", ["NOOP"], [250]),
    ("auth", b"334 \r\n", ["AGFkYQBwdw==", "NOOP"], [235, 250]),
]


@pytest.mark.parametrize(("hook", "raw", "lines", "codes"), RAW)
def test_the_session_goes_on_as_after_the_reply_that_raw_begins_with(
    connect: Connect, hook: Any, raw: bytes, lines: list[str], codes: list[int]
) -> None:
    client = connect(on(hook, raw=raw, times=1))
    before = {"connect": [], "mail_from": [HELLO, MAIL], "auth": [HELLO, PLAIN]}.get(hook, [HELLO, MAIL, RCPT])
    client.says("", *before)
    assert client.told.endswith(raw)
    assert client.says(*lines) == codes


def test_a_challenge_by_a_rule_brings_the_next_line_to_auth_again(connect: Connect) -> None:
    client = connect(on("auth", reply="334 more", times=1)).before(MAIL)
    assert client.says(PLAIN) == [334]
    assert client.last("AUTH").outcome == "pending"
    assert client.says("AGJvYgBwdw==") == [235]
    assert client.points.endswith("EHLO AUTH auth auth")
    assert [call.code for call in client.calls[-3:]] == [235, 334, 235]


# --- hooks ------


REFUSED_WITH = {
    "connect": "554 5.3.2",
    "command": "502 5.5.1",
    "auth": "535 5.7.8",
    "mail_from": "550 5.7.1",
    "rcpt_to": "550 5.1.1",
    "data": "554 5.6.0",
}


def raising(error: BaseException, kind: str) -> Callable[..., Any]:
    def plain(*args: object) -> None:
        raise error

    async def asynchronous(*args: object) -> None:
        raise error

    return plain if kind == "def" else asynchronous


KINDS = pytest.mark.parametrize("kind", ["def", "async def"])


@KINDS
@pytest.mark.parametrize("hook", WHERE)
def test_a_bare_reject_refuses_with_the_default_of_its_hook(connect: Connect, hook: Any, kind: str) -> None:
    rule = on(hook, call=raising(Reject(), kind))
    client = connect(rule)
    client.says(*WHERE[hook])
    call = client.calls[-1]
    assert (call.hook, call.outcome, call.rule, call.error) == (hook, "refused", rule, None)
    assert str(call.reply).startswith(REFUSED_WITH[hook])
    assert client.told.endswith(call.replies[0].wire)
    assert (client.smtp.state is State.CLOSED) is (hook == "connect")


@pytest.mark.parametrize(
    ("reject", "words", "closes"),
    [
        (Reject(450), b"450 4.0.0 ", False),
        (Reject(450, "later"), b"450 4.0.0 later\r\n", False),
        (Reject(550, "gone"), b"550 5.1.1 gone\r\n", False),
        (Reject(553, "5.7.1 not here"), b"553 5.7.1 not here\r\n", False),
        (Reject(550, "5.7.1 no\r\n250 yes"), b"550-5.7.1 no\r\n550 5.7.1 250 yes\r\n", False),
        (Reject(421, "4.3.2 bye"), b"421 4.3.2 bye\r\n", True),
    ],
)
def test_a_reject_says_what_it_was_given(connect: Connect, reject: Reject, words: bytes, closes: bool) -> None:
    client = connect(on("rcpt_to", to="ada@*", call=raising(reject, "async def"))).before(RCPT)
    heard = len(client.told)
    client.says(RCPT)
    assert client.told[heard:].startswith(words)
    assert (client.smtp.state is State.CLOSED) is closes
    assert client.says(BOB) == ([] if closes else [250])


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_reject_of_the_handshake_closes_without_a_word(connect: Connect, tls: str) -> None:
    client = connect(on("secure", call=raising(Reject(), "async def")), tls=tls)
    told = client.says("") if tls == "implicit" else client.says("", HELLO, "STARTTLS")
    assert told == ([] if tls == "implicit" else [220, 250, 220])
    assert client.steps[-1:] == [Close()]
    assert (client.last("secure").outcome, client.last("secure").reply) == ("refused", None)
    assert client.last("connect").outcome == "accepted"


@pytest.mark.parametrize("value", [None, 0, 7, 250, True, "", "fine", "5500 letters", b"550", [550], object()])
@pytest.mark.parametrize("hook", ["connect", "mail_from", "rcpt_to"])
def test_whatever_it_returns_a_hook_that_returns_accepts(connect: Connect, hook: Any, value: Any) -> None:
    rule = on(hook, call=lambda *args: value)
    client = connect(rule)
    assert client.says(*WHERE[hook])[-1] // 100 == 2
    assert (client.last(hook).outcome, client.last(hook).rule) == ("accepted", rule)


LOGINS: list[tuple[Any, Any, int, Any]] = [
    ("any", "someone", 235, "someone"),
    ("any", None, 535, None),
    ("any", "", 535, None),
    ({"ada": "other"}, {"id": 7}, 235, {"id": 7}),
    ({"ada": "pw"}, False, 535, None),
]


@pytest.mark.parametrize(("auth", "value", "code", "user"), LOGINS)
def test_an_auth_hook_names_the_user_whatever_the_setting_says(
    connect: Connect, auth: Any, value: Any, code: int, user: Any
) -> None:
    client = connect(on("auth", call=lambda auth, session: value), auth=auth).before(MAIL)
    assert client.says(PLAIN) == [code]
    assert client.session.user == user


@pytest.mark.parametrize(("auth", "code", "user"), [({"ada": "pw"}, 235, "ada"), ({"ada": "other"}, 535, None)])
def test_without_a_hook_the_setting_decides_a_login(connect: Connect, auth: Any, code: int, user: Any) -> None:
    client = connect(on("auth", delay=1), auth=auth).before(MAIL)
    assert client.says(PLAIN) == [code]
    assert client.session.user == user


def test_a_login_that_is_late_has_the_same_user(connect: Connect) -> None:
    client = connect(on("auth", delay=60), on("auth", call=lambda auth, session: {"id": 7})).before(MAIL)
    assert client.says(PLAIN) == [235]
    assert (client.session.user, client.loop.time()) == ({"id": 7}, 60)


def test_a_refused_token_is_explained_and_its_command_waits_for_the_end(connect: Connect) -> None:
    client = connect(on("auth", call=raising(Reject(data={"status": "7"}), "async def"))).before(MAIL)
    assert client.says(TOKEN) == [334]
    assert b64encode(b'{"status": "7"}') in client.told
    assert client.says("=") == [535]
    assert [(point(call), call.code, call.outcome) for call in client.calls[-2:]] == [
        ("AUTH", 535, "refused"),
        ("auth", 535, "refused"),
    ]


def test_the_server_explains_its_own_refusal_of_a_token_but_a_rule_says_exactly_its_reply(connect: Connect) -> None:
    assert connect(auth={"ada": "other"}).before(MAIL).says(TOKEN, "=") == [334, 535]
    assert connect(on("auth", reply=535)).before(MAIL).says(TOKEN, "NOOP") == [535, 250]


@KINDS
def test_each_hook_gets_its_argument_and_the_session_where_it_belongs(connect: Connect, kind: str) -> None:
    happened: list[tuple[str, list[type], bool]] = []
    here = threading.get_ident()

    def hook(name: Any) -> Rule:
        def plain(*args: Any) -> str:
            happened.append((name, [type(argument) for argument in args], threading.get_ident() == here))
            return "user"

        async def asynchronous(*args: Any) -> str:
            return plain(*args)

        return on(name, call=plain if kind == "def" else asynchronous)

    client = connect(*(hook(name) for name in (*WHERE, "secure", "close")))
    client.says("", HELLO, "STARTTLS", HELLO, PLAIN, MAIL, RCPT, DATA, BODY)
    client.leaves()
    assert [(name, types) for name, types, _ in happened] == [
        ("connect", [Session]),
        ("command", [Command, Session]),
        ("command", [Command, Session]),
        ("secure", [TLSInfo, Session]),
        ("command", [Command, Session]),
        ("command", [Command, Session]),
        ("auth", [Auth, Session]),
        ("command", [Command, Session]),
        ("mail_from", [Address, Session]),
        ("command", [Command, Session]),
        ("rcpt_to", [Address, Session]),
        ("command", [Command, Session]),
        ("data", [Stream, Session]),
        ("close", [Session]),
    ]
    assert {on_the_loop for *_, on_the_loop in happened} == {kind == "async def"}


# --- mistakes ------


ERRORS: list[BaseException] = [
    ValueError("a secret"),
    AssertionError("a secret"),
    pytest.fail.Exception("a secret"),
    SystemExit("a secret"),
    ConnectionError("a secret"),
]


@KINDS
@pytest.mark.parametrize("hook", WHERE)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_mistake_in_a_hook_is_a_451_and_one_call_tells_it(
    connect: Connect, hook: Any, error: BaseException, kind: str
) -> None:
    rule = on(hook, call=raising(error, kind))
    client = connect(rule)
    assert client.says(*WHERE[hook])[-1] == 451
    assert b"451 4.3.0 " in client.told
    assert b"secret" not in client.told
    assert client.errors == [(point(client.calls[-1]), error)]
    call = client.calls[-1]
    assert (call.hook, call.outcome, call.code, call.rule) == (hook, "error", 451, rule)
    assert client.says("NOOP") == ([] if hook == "connect" else [451 if hook == "command" else 250])


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_a_mistake_after_the_handshake_is_a_451_too(connect: Connect, tls: str) -> None:
    error = ValueError("x")
    client = connect(on("secure", call=raising(error, "async def")), tls=tls)
    lines = [""] if tls == "implicit" else ["", HELLO, "STARTTLS"]
    assert client.says(*lines)[-1] == 451
    assert client.errors == [("secure", error)]
    assert client.last("connect").outcome == "accepted"


def test_a_mistake_in_close_is_told_by_its_call(connect: Connect) -> None:
    error = ValueError("x")
    client = connect(on("close", call=raising(error, "async def"))).before(MAIL)
    client.leaves()
    assert client.errors == [("close", error)]
    assert client.last("close").outcome == "error"


def test_a_reject_that_cannot_be_made_is_a_mistake(connect: Connect) -> None:
    def hook(address: Address, session: Session) -> None:
        raise Reject(250)

    client = connect(on("rcpt_to", call=hook)).before(RCPT)
    assert client.says(RCPT) == [451]
    assert [type(error) for _, error in client.errors] == [ValueError]


@pytest.mark.parametrize("hook", WHERE)
def test_a_mistake_in_a_match_is_like_one_in_a_hook(connect: Connect, hook: Any) -> None:
    error = LookupError("x")

    def when(call: Call) -> bool:
        raise error

    rules = [on(hook, delay=1), on(hook, when=when, reply=250), on(hook, reply=550)]
    client = connect(*rules)
    assert client.says(*WHERE[hook])[-1] == 451
    assert client.errors == [(point(client.calls[-1]), error)]
    assert client.calls[-1].outcome == "error"
    assert rules[2].used == 0


def test_a_mistake_gives_the_recipient_no_chance_but_the_transaction_goes_on(connect: Connect) -> None:
    client = connect(on("rcpt_to", to="ada@*", call=raising(ValueError(), "async def")))
    client.says("", HELLO, MAIL, RCPT, BOB, DATA, BODY)
    (envelope,) = client.envelopes
    assert envelope.accepted
    assert envelope.rcpt_to == ("bob@example.com",)
    assert envelope.refused == {"ada@example.com": 451}


# --- the client goes away ------


LEFT = [*WHERE.items(), ("data", [*WHERE["data"][:-1], "Subject: half a message"])]


@pytest.mark.parametrize(("hook", "lines"), LEFT)
def test_a_client_that_leaves_cancels_the_hook_and_only_close_follows(
    connect: Connect, hook: Any, lines: list[str]
) -> None:
    began, happened = asyncio.Event(), list[str]()

    async def waiting(*args: object) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            happened.append("cancelled")

    async def last(session: Session) -> None:
        happened.append("close")

    rule = on(hook, call=waiting)
    client = connect(rule, on("close", call=last))
    client.says(*lines[:-1])
    client.begins(lines[-1], MAIL)
    client.run(began.wait())
    pending = client.calls[-1]
    client.leaves()
    assert happened == ["cancelled", "close"]
    assert (pending.hook, pending.outcome, pending.error, pending.rule) == (hook, "dropped", None, rule)
    assert client.calls[-2:] == [pending, client.last("close")]
    assert client.session.closed


@pytest.mark.parametrize("hook", ["mail_from", "data"])
def test_a_blocked_def_hook_runs_to_its_end_and_close_waits_for_it(connect: Connect, hook: Any) -> None:
    gate, began = threading.Event(), asyncio.Event()
    happened: list[str] = []

    def blocked(*args: object) -> None:
        client.loop.call_soon_threadsafe(began.set)
        gate.wait(20)
        happened.append("ended")

    async def last(session: Session) -> None:
        happened.append("close")

    client = connect(on(hook, call=blocked), on("close", call=last))
    client.says(*WHERE[hook][:-1])
    client.begins(*WHERE[hook][-1:])
    client.run(began.wait())
    leaving = client.loop.create_task(client.leave())
    for _ in range(20):
        client.run(turn())
    assert (happened, leaving.done()) == ([], False)
    gate.set()
    client.run(asyncio.wait_for(leaving, None))
    assert happened == ["ended", "close"]
    assert client.last(hook).outcome == "dropped"


async def turn() -> None:
    """One turn of the loop."""
    await asyncio.sleep(0)


@KINDS
@pytest.mark.parametrize("caught", [True, False])
def test_a_reading_hook_gets_a_connection_error_which_is_no_bug(connect: Connect, kind: str, caught: bool) -> None:
    began, raised = asyncio.Event(), list[BaseException]()

    @contextlib.contextmanager
    def watched() -> Iterator[None]:
        try:
            yield
        except ConnectionError as error:
            raised.append(error)
            if not caught:
                raise

    def plain(stream: Stream, session: Session) -> None:
        with watched():
            for _ in stream:
                client.loop.call_soon_threadsafe(began.set)

    async def asynchronous(stream: Stream, session: Session) -> None:
        with watched():
            async for _ in stream:
                began.set()

    client = connect(on("data", call=plain if kind == "def" else asynchronous)).before(BODY)
    client.says("Subject: half a message")
    client.run(began.wait())
    client.leaves()
    assert [type(error) for error in raised] == [ConnectionError]
    assert client.errors == []
    assert client.last("data").outcome == "dropped"
    assert client.envelopes == []


def test_another_error_of_a_hook_whose_client_has_left_is_still_a_bug(connect: Connect) -> None:
    error = ValueError("x")

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await stream.aread()
        except ConnectionError:
            raise error from None

    client = connect(on("data", call=hook)).before(BODY)
    client.says("Subject: half a message")
    client.leaves()
    assert client.errors == [("data", error)]
    assert client.last("data").outcome == "dropped"


UNFINISHED: list[tuple[list[str], dict[str, str]]] = [
    ([HELLO, "AUTH LOGIN"], {"AUTH": "dropped"}),
    ([HELLO, MAIL, RCPT, DATA, "Subject: x"], {"DATA": "accepted", "data": "dropped"}),
    ([HELLO, MAIL, RCPT, "BDAT 90\r\nhello"], {"BDAT": "dropped", "data": "dropped"}),
    ([HELLO, MAIL, RCPT, FIRST], {"BDAT": "accepted", "data": "dropped"}),
    ([HELLO, MAIL, RCPT, DATA, BODY], {"DATA": "accepted", "data": "accepted"}),
]


@pytest.mark.parametrize(("lines", "outcomes"), UNFINISHED)
def test_close_settles_what_is_pending_as_dropped(connect: Connect, lines: list[str], outcomes: dict[str, str]) -> None:
    client = connect()
    client.says("", *lines)
    client.leaves()
    assert {hook: client.last(hook).outcome for hook in outcomes} == outcomes
    assert "pending" not in {call.outcome for call in client.calls}
    assert client.points.count("close") == 1


def test_the_close_hook_sees_a_closed_session_with_its_data(connect: Connect) -> None:
    seen: list[tuple[bool, Any, tuple[str, ...]]] = []

    async def hook(session: Session) -> None:
        seen.append((session.closed, session.user, session.commands))

    client = connect(on("close", call=hook)).before(MAIL)
    client.says(PLAIN)
    client.leaves()
    assert seen == [(True, "ada", ("EHLO", "AUTH"))]


# --- what becomes of a message ------


FATES: list[tuple[dict[str, Any], list[int], bool, str]] = [
    ({"reply": 554}, [554], False, "refused"),
    ({"reply": 451, "accept": True}, [451], True, "refused"),
    ({"reply": 250, "accept": False}, [250], False, "accepted"),
    ({"reply": 250, "drop": True}, [250], True, "accepted"),
    ({"drop": True}, [], False, "dropped"),
    ({"drop": "rst", "accept": True}, [], True, "dropped"),
    ({"hang": True}, [], False, "hung"),
    ({"hang": True, "accept": True}, [], True, "hung"),
    ({"raw": b"250 ok\r\n"}, [250], True, "accepted"),
    ({"raw": b"", "accept": True}, [], True, "hung"),
    ({"subject": "Hi", "reply": 554}, [554], False, "refused"),
    ({"subject": "Other", "reply": 554}, [250], True, "accepted"),
    ({"call": refuse}, [450], False, "refused"),
]


@pytest.mark.parametrize(("options", "codes", "accepted", "outcome"), FATES)
def test_a_message_is_kept_if_it_was_accepted_or_counts_as_accepted(
    connect: Connect, options: dict[str, Any], codes: list[int], accepted: bool, outcome: str
) -> None:
    client = connect(on("data", **options)).before(BODY)
    assert client.says(BODY) == codes
    assert [envelope.accepted for envelope in client.envelopes] == [accepted]
    assert client.last("data").outcome == outcome


def test_each_message_is_a_call_of_its_own(connect: Connect) -> None:
    client = connect(on("data", delay=60), on("data", reply=451, delay=5, times=1)).before(BODY)
    first = client.responder.data_call
    assert client.says(BODY, MAIL, RCPT, DATA, BODY) == [451, 250, 250, 354, 250]
    second = client.responder.data_call
    assert [call for call in client.calls if call.hook == "data"] == [first, second]
    assert client.loop.time() == 125


def test_a_message_over_the_size_is_refused_whatever_the_hook_says(connect: Connect) -> None:
    client = connect(on("data", call=lambda stream, session: "welcome"), size=10).before(BODY)
    assert client.says(BODY) == [552]
    assert (client.last("data").outcome, client.last("data").code) == ("refused", 552)


# --- in the middle of the content ------


Strike = tuple[dict[str, Any], list[list[int]], tuple[str, int | None], list[bool]]
# What a rule at 10 bytes says at 5, at 10 and at the end; the outcome; whether the envelopes are accepted.
STRIKES: list[Strike] = [
    ({"reply": 552}, [[], [552], []], ("refused", 552), [False]),
    ({"reply": 451, "to": "ada@*"}, [[], [451], []], ("refused", 451), [False]),
    ({"reply": 552, "to": "bob@*"}, [[], [], [250]], ("accepted", 250), [True]),
    ({"reply": 250}, [[], [250], []], ("accepted", 250), [True]),
    ({"reply": 250, "accept": False}, [[], [250], []], ("accepted", 250), [False]),
    ({"reply": 552, "accept": True}, [[], [552], [250]], ("accepted", 250), [True]),
    ({"raw": b"550 no\r\n"}, [[], [550], []], ("refused", 550), [False]),
    ({"raw": b"550 no\r\n", "accept": True}, [[], [550], [250]], ("accepted", 250), [True]),
    ({"raw": b"junk\r\n"}, [[], [], [250]], ("accepted", 250), [True]),
    ({"drop": True}, [[], [], []], ("dropped", None), [False]),
    ({"drop": "rst"}, [[], [], []], ("dropped", None), [False]),
    ({"reply": 552, "drop": True}, [[], [552], []], ("refused", 552), [False]),
    ({"hang": True}, [[], [], []], ("hung", None), [False]),
]
ENDINGS = {"drop": (Fin, Reset), "hang": (Stall,)}


@pytest.mark.parametrize(("options", "told", "decided", "accepted"), STRIKES)
def test_a_rule_strikes_once_as_soon_as_so_many_bytes_have_come(
    connect: Connect,
    options: dict[str, Any],
    told: list[list[int]],
    decided: tuple[str, int | None],
    accepted: list[bool],
) -> None:
    rule = on("data", after=10, **options)
    client = connect(rule).before(BODY)
    assert [client.sends(data) for data in (b"01234", b"56789", b"abcdef\r\n.\r\n")] == told
    call = client.last("data")
    assert (call.outcome, call.code) == decided
    assert [envelope.accepted for envelope in client.envelopes] == accepted
    ends = [ending for action, ending in ENDINGS.items() if action in options]
    assert client.ended is bool(ends)
    assert all(isinstance(client.steps[-1], ending) for ending in ends)
    assert client.says("NOOP") == ([] if ends else [250])
    assert call.rule is (rule if decided != ("accepted", 250) or told[2] == [] else None)


def test_what_an_early_yes_was_said_to_is_kept_to_its_end(connect: Connect) -> None:
    client = connect(on("data", after=3, reply="250 early")).before(BODY)
    client.sends(b"0123")
    assert client.envelopes == []
    client.sends(b"456\r\n.\r\n")
    (envelope,) = client.envelopes
    assert envelope.content == b"0123456\r\n"
    assert str(envelope.reply) == "250 early"


def test_a_bug_of_a_hook_whose_message_was_accepted_early_is_not_lost(connect: Connect) -> None:
    error = ValueError("x")

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await stream.aread()
        finally:
            raise error

    client = connect(on("data", after=3, reply=250), on("data", call=hook)).before(BODY)
    assert client.says(BODY, "NOOP") == [250, 250]
    assert client.errors == [("data", error)]


def test_what_was_said_in_passing_is_in_the_transcript_with_its_rule(connect: Connect) -> None:
    rule = on("data", after=3, reply="451 4.3.0 busy", accept=True)
    client = connect(rule).before(BODY)
    client.says(BODY)
    notes = [(entry.who, entry.text) for entry in client.journal.entries[client.session] if isinstance(entry, Note)]
    assert notes == [("S", f"451 4.3.0 busy   by {rule!r}")]


def test_after_nothing_at_all_strikes_behind_the_354(connect: Connect) -> None:
    client = connect(on("data", after=0, reply=552)).before(DATA)
    assert client.says(DATA) == [354, 552]
    assert client.says(BODY, MAIL) == [250]


@pytest.mark.parametrize(("after", "code"), [(3, 552), (5, 552), (6, 250)])
def test_a_rule_waits_for_all_of_its_bytes(connect: Connect, after: int, code: int) -> None:
    client = connect(on("data", after=after, reply=552)).before(BODY)
    assert client.sends(b"012\r\n.\r\n") == [code]


def test_an_early_421_closes(connect: Connect) -> None:
    client = connect(on("data", after=3, reply=421)).before(BODY)
    assert client.sends(b"0123") == [421]
    assert client.smtp.state is State.CLOSED


def test_a_strike_may_be_late_and_is_counted(connect: Connect) -> None:
    rule = on("data", after=3, reply=552, delay=60, times=1)
    client = connect(rule).before(BODY)
    assert client.says(BODY, MAIL, RCPT, DATA, BODY) == [552, 250, 250, 354, 250]
    assert client.loop.time() == 60
    assert rule.used == 1


def test_rules_strike_one_after_the_other(connect: Connect) -> None:
    rules = [on("data", after=8, reply=552), on("data", after=4, reply=451, accept=True)]
    client = connect(*rules).before(BODY)
    assert [client.sends(b"0123"), client.sends(b"4567"), client.sends(b"\r\n.\r\n")] == [[451], [552], []]
    assert client.last("data").rule is rules[0]


def test_an_early_refusal_breaks_the_stream_of_the_hook(connect: Connect) -> None:
    raised: list[BaseException] = []

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await stream.aread()
        except ConnectionError as error:
            raised.append(error)
            raise

    rules = [on("data", call=hook), on("data", after=4, reply=552)]
    client = connect(*rules).before(BODY)
    assert client.sends(b"0123456789") == [552]
    assert [type(error) for error in raised] == [ConnectionError]
    call = client.last("data")
    assert (call.outcome, call.code, call.rule, call.error) == ("refused", 552, rules[1], None)


def test_a_hook_has_ended_when_a_message_that_was_accepted_early_is_complete(connect: Connect) -> None:
    happened: list[str] = []

    async def hook(stream: Stream, session: Session) -> None:
        try:
            async for _ in stream:
                pass
        finally:
            happened.append("ended")

    client = connect(on("data", after=3, reply=250), on("data", call=hook)).before(BODY)
    assert client.says(BODY) == [250]
    assert happened == ["ended"]
    assert client.errors == []


def test_a_bug_of_a_hook_whose_message_was_refused_early_is_not_lost(connect: Connect) -> None:
    error = ValueError("x")

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await stream.aread()
        finally:
            raise error

    client = connect(on("data", call=hook), on("data", after=4, reply=552)).before(BODY)
    assert client.sends(b"0123456789") == [552]
    assert client.errors == [("data", error)]


# --- content by chunks ------


def test_chunks_are_one_message_for_one_data_call(connect: Connect) -> None:
    read: list[bytes] = []

    async def hook(stream: Stream, session: Session) -> str:
        read.append(await stream.aread())
        return "queued"

    client = connect(on("data", call=hook)).before(DATA)
    assert client.says(FIRST, "NOOP", "BDAT 0", LAST) == [250, 250, 250, 250]
    assert read == [b"hello\r\nhello\r\n"]
    assert [envelope.content for envelope in client.envelopes] == read
    assert client.told.endswith(b"250 2.6.0 queued\r\n")


def test_the_command_of_a_chunk_is_pending_until_its_octets_are_there(connect: Connect) -> None:
    client = connect().before(DATA)
    client.sends(b"BDAT 7\r\nhel")
    assert (client.last("BDAT").outcome, client.last("data").outcome) == ("pending", "pending")
    assert client.sends(b"lo\r\n") == [250]
    assert (client.last("BDAT").outcome, client.last("BDAT").code) == ("accepted", 250)
    assert client.last("data").outcome == "pending"


@pytest.mark.parametrize(
    ("rules", "line", "code", "outcome"),
    [
        ([on("data", after=3, reply=552)], FIRST, 552, "refused"),
        ([on("data", after=3, reply=552)], LAST, 552, "refused"),
        ([on("data", reply=554)], LAST, 554, "refused"),
        ([], LAST, 250, "accepted"),
    ],
)
def test_the_answer_to_a_chunk_is_final_for_its_command_and_what_follows_is_a_new_matter(
    connect: Connect, rules: list[Rule], line: str, code: int, outcome: str
) -> None:
    client = connect(*(rule.copy() for rule in rules)).before(DATA)
    assert client.says(line) == [code]
    decided = [(call.code, call.outcome) for call in (client.last("BDAT"), client.last("data"))]
    assert decided == [(code, outcome)] * 2
    assert client.says("AUTH LOGIN", "YWRh", "cHc=", MAIL) == [334, 334, 235, 250]
    assert [(call.code, call.outcome) for call in (client.last("BDAT"), client.last("data"))] == decided


GIVE_UPS: list[tuple[str, int]] = [("RSET", 250), ("EHLO again", 250), ("HELO again", 250), ("QUIT", 221)]


@pytest.mark.parametrize(("line", "code"), GIVE_UPS)
def test_a_client_may_give_up_the_message_between_two_chunks(connect: Connect, line: str, code: int) -> None:
    raised: list[BaseException] = []

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await stream.aread()
        except ConnectionError as error:
            raised.append(error)
            raise

    client = connect(on("data", call=hook)).before(DATA)
    assert client.says(FIRST, line) == [250, code]
    assert [type(error) for error in raised] == [ConnectionError]
    assert (client.last("data").outcome, client.last("data").error) == ("dropped", None)
    assert client.envelopes == []
    assert client.says(MAIL) == ([] if line == "QUIT" else [250])


@pytest.mark.parametrize(
    ("rules", "line", "code"),
    [
        ([], "NOOP", 250),
        ([], MAIL, 503),
        ([], "VRFY ada", 252),
        ([on("command", verb="RSET", reply=550)], "RSET", 550),
        ([on("command", verb="RSET", raw=b"")], "RSET", None),
        ([on("command", verb="BDAT", raw=b"", times=1, skip=1)], FIRST, None),
    ],
)
def test_what_does_not_end_the_transaction_leaves_the_message_alone(
    connect: Connect, rules: list[Rule], line: str, code: int | None
) -> None:
    client = connect(*(rule.copy() for rule in rules)).before(DATA)
    assert client.says(FIRST, line) == [250] + [code] * (code is not None)
    assert client.last("data").outcome == "pending"
    assert client.says(LAST) == [250]
    assert [envelope.content for envelope in client.envelopes] == [b"hello\r\nhello\r\n"]


def test_a_chunk_over_the_size_refuses_the_message_and_its_hook_is_told(connect: Connect) -> None:
    raised: list[BaseException] = []

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await stream.aread()
        except ConnectionError as error:
            raised.append(error)
            raise

    client = connect(on("data", call=hook), size=10).before(DATA)
    assert client.says(FIRST, FIRST) == [250, 552]
    assert (client.last("data").outcome, client.last("data").code) == ("refused", 552)
    assert [envelope.accepted for envelope in client.envelopes] == [False]
    assert [type(error) for error in raised] == [ConnectionError]
    assert client.errors == []
    assert client.says(MAIL) == [250]


def test_a_bug_that_shows_when_the_message_is_given_up_is_told(connect: Connect) -> None:
    error = ValueError("x")

    async def hook(stream: Stream, session: Session) -> None:
        try:
            await stream.aread()
        except ConnectionError:
            raise error from None

    client = connect(on("data", call=hook)).before(DATA)
    assert client.says(FIRST, "RSET", "NOOP") == [250, 250, 250]
    assert client.errors == [("data", error)]


# --- XCLIENT ------


XCLIENTS: list[tuple[list[Rule], list[int], Any, str]] = [
    ([], [220], "ada", "XCLIENT connect auth"),
    ([on("auth", call=lambda auth, session: {"name": auth.username})], [220], {"name": "ada"}, "XCLIENT connect auth"),
    ([on("auth", user="ada", reply=535)], [535], None, "XCLIENT connect auth"),
    ([on("auth", call=lambda auth, session: None)], [535], None, "XCLIENT connect auth"),
    ([on("auth", user="bob", reply=535)], [220], "ada", "XCLIENT connect auth"),
    ([on("connect", skip=1, reply=554)], [554], None, "XCLIENT connect"),
    ([on("command", verb="XCLIENT", reply=550)], [550], None, "XCLIENT"),
]


@pytest.mark.parametrize(("rules", "codes", "user", "points"), XCLIENTS)
def test_the_login_of_an_xclient_goes_to_auth(
    connect: Connect, rules: list[Rule], codes: list[int], user: Any, points: str
) -> None:
    client = connect(*(rule.copy() for rule in rules), xclient=True).before(MAIL)
    assert client.says("XCLIENT LOGIN=ada") == codes
    assert client.session.user == user
    assert client.points == f"connect EHLO {points}"
    assert client.last("XCLIENT").code == codes[0]
    assert "pending" not in {call.outcome for call in client.calls}


def test_the_greeting_after_xclient_answers_connect_and_a_refused_login_does_not_undo_it(connect: Connect) -> None:
    client = connect(on("auth", call=raising(Reject(), "async def")), xclient=True).before(MAIL)
    client.says("XCLIENT LOGIN=ada")
    assert (client.last("auth").outcome, client.last("auth").code) == ("refused", 535)
    assert client.last("connect").outcome == "accepted"


# --- LMTP ------


RECIPIENTS: list[tuple[list[Rule], list[int], list[str]]] = [
    ([], [250, 250], ["ada", "bob"]),
    ([on("data", reply=554)], [554, 554], []),
    ([on("data", to="bob@*", reply=550)], [250, 550], ["ada"]),
    ([on("data", to="bob@*", reply=550), on("data", reply=451)], [451, 550], []),
    ([on("data", to="bob@*", reply=250), on("data", reply=451)], [451, 250], ["bob"]),
    ([on("data", call=refuse)], [450, 450], []),
    ([on("data", call=lambda stream, session: [None, Reject(550)])], [250, 550], ["ada"]),
    ([on("data", call=lambda stream, session: {"ada@example.com": Reject()})], [554, 250], ["bob"]),
    ([on("data", call=lambda stream, session: ["only one"])], [451, 451], []),
    ([on("data", raw=b"250 once\r\n")], [250], ["ada", "bob"]),
]


@pytest.mark.parametrize(("rules", "codes", "accepted"), RECIPIENTS)
def test_in_lmtp_each_recipient_has_an_answer(
    connect: Connect, rules: list[Rule], codes: list[int], accepted: list[str]
) -> None:
    client = connect(*(rule.copy() for rule in rules), lmtp=True)
    client.says("", "LHLO client.example", MAIL, RCPT, BOB, DATA)
    assert client.says(BODY) == codes
    (envelope,) = client.envelopes
    assert envelope.accepted is bool(accepted)
    call = client.last("data")
    assert call.reply == envelope.reply
    assert [reply.code for reply in call.replies] == codes
    if len(codes) == 2 and accepted:
        assert [address.local for address in envelope.rcpt_to] == accepted
        assert {address.partition("@")[0] for address in envelope.refused} == {"ada", "bob"} - set(accepted)


@pytest.mark.parametrize(("error", "code"), [(Reject(450), 450), (ValueError("x"), 451)])
@pytest.mark.parametrize(
    ("hook", "lines"), [("mail_from", [MAIL]), ("rcpt_to", [MAIL, RCPT]), ("rcpt_to", [MAIL, RCPT, BOB])]
)
def test_in_lmtp_too_all_but_the_message_has_one_answer(
    connect: Connect, hook: Any, lines: list[str], error: BaseException, code: int
) -> None:
    client = connect(on(hook, skip=lines.count(BOB), call=raising(error, "async def")), lmtp=True)
    client.says("", "LHLO client.example", *lines[:-1])
    assert client.says(lines[-1]) == [code]
    assert client.says("NOOP") == [250]


# --- during a handshake ------


def handshake(received: int, *, implicit: bool = True, struck: set[int] | None = None) -> events.Handshaking:
    remembered = set[int]() if struck is None else struck
    return events.Handshaking(implicit=implicit, received=received, tls=TLSInfo(), struck=remembered)


BEFORE: list[tuple[list[Rule], bool, int, bool]] = [
    ([on("connect", drop=True)], True, 0, True),
    ([on("connect", drop="rst")], True, 0, True),
    ([on("connect", drop=True)], False, 0, False),
    ([on("connect", drop=True)], True, 1, False),
    ([on("connect", reply=421, drop=True)], True, 0, False),
    ([on("connect", reply=421)], True, 0, False),
    ([on("connect", hang=True)], True, 0, False),
    ([on("connect", drop=True, skip=1)], True, 0, False),
    ([on("connect", drop=True, name="other")], True, 0, False),
    ([on("connect", reply=421), on("connect", drop=True)], True, 0, False),
    ([on("connect", delay=1), on("connect", drop=True)], True, 0, True),
    ([on("connect", reply=421, name="other"), on("connect", drop=True)], True, 0, True),
]


@pytest.mark.parametrize(("rules", "implicit", "received", "strikes"), BEFORE)
def test_only_a_drop_on_connect_comes_before_the_handshake_of_implicit_tls(
    connect: Connect, rules: list[Rule], implicit: bool, received: int, strikes: bool
) -> None:
    fresh = [rule.copy() for rule in rules]
    client = connect(*fresh)
    answer = client.responds(handshake(received, implicit=implicit))
    assert (answer is not None) is strikes
    assert [(call.hook, call.outcome, call.rule) for call in client.calls] == (
        [("connect", "dropped", fresh[-1])] if strikes else []
    )
    assert [rule.used for rule in fresh] == [0] * (len(fresh) - 1) + [int(strikes)]


AMID: list[tuple[dict[str, Any], int, str | None]] = [
    ({"drop": True, "after": 100}, 99, None),
    ({"drop": True, "after": 100}, 100, "dropped"),
    ({"drop": True, "after": 100}, 300, "dropped"),
    ({"hang": True, "after": 100}, 100, "hung"),
    ({"raw": b"250 junk\r\n", "after": 0}, 0, "accepted"),
    ({"drop": True, "after": 100, "skip": 1}, 100, None),
    ({"drop": True, "after": 100, "name": "other"}, 100, None),
    ({"drop": True}, 300, None),
]


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize(("options", "received", "outcome"), AMID)
def test_a_rule_on_secure_strikes_after_so_many_bytes_of_the_handshake(
    connect: Connect, options: dict[str, Any], received: int, outcome: str | None, implicit: bool
) -> None:
    rule = on("secure", **options)
    client = connect(rule)
    answer = client.responds(handshake(received, implicit=implicit))
    assert (None if answer is None else answer.outcome) == outcome
    assert [(call.hook, call.outcome, call.rule) for call in client.calls] == (
        [("secure", outcome, rule)] if outcome else []
    )


def test_a_rule_strikes_once_in_a_handshake_and_is_no_answer_to_its_end(connect: Connect) -> None:
    rules = [on("secure", after=5, raw=b"\x15", delay=30), on("secure", after=9, raw=b"\x16")]
    client = connect(*rules, tls="implicit")
    struck: set[int] = set()
    answers = [client.responds(handshake(received, struck=struck)) for received in (4, 5, 6, 9, 10)]
    assert [answer.rule if answer else None for answer in answers] == [None, rules[0], None, rules[1], None]
    assert client.loop.time() == 30
    assert client.says("") == [220]
    assert client.last("secure").rule is None
