"""AUTH and the LOGIN of XCLIENT: who decides, what is explained first, and what is forgotten."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from pytest_smtpd import Auth, Reject, Rule, Session, on
from tests.rfc.sasl import plain
from tests.server.talk import (
    HELLO,
    LHLO,
    MAIL,
    PLAIN,
    TOKEN,
    Connect,
    Serve,
    codes,
    last,
    point,
    points,
)


def refuse_with_data(auth: Auth, session: Session) -> None:
    raise Reject(data={"status": "7"})


def test_a_refused_token_is_explained_and_its_command_waits_for_the_end(serve: Serve, connect: Connect) -> None:
    server = serve(on("auth", call=refuse_with_data))
    wire = connect(server)
    codes(wire, HELLO)
    assert wire.say(TOKEN).lines == (b64encode(b'{"status": "7"}').decode(),)
    assert codes(wire, "=") == [535]
    decided = [(point(call), call.code, call.outcome) for call in server.log][-2:]
    assert decided == [("AUTH", 535, "refused"), ("auth", 535, "refused")]


def test_a_rule_says_exactly_its_reply_and_explains_nothing(serve: Serve, connect: Connect) -> None:
    assert codes(connect(serve(auth={"ada": "other"})), HELLO, TOKEN, "=") == [250, 334, 535]
    assert codes(connect(serve(on("auth", reply=535))), HELLO, TOKEN, "NOOP") == [250, 535, 250]


def test_a_login_that_a_rule_makes_late_has_the_same_user(serve: Serve, connect: Connect) -> None:
    server = serve(on("auth", delay=0.02), on("auth", call=lambda auth, session: {"id": 7}))
    assert codes(connect(server), HELLO, PLAIN) == [250, 235]
    assert server.log.sessions()[0].user == {"id": 7}
    duration = last(server, "auth").duration
    assert duration is not None
    assert duration >= 0.02


@pytest.mark.parametrize(("hook", "match"), [("connect", {}), ("command", {"verb": "AUTH"})], ids=str)
def test_a_call_before_the_login_has_its_user_afterwards(
    serve: Serve, connect: Connect, hook: Any, match: dict[str, Any]
) -> None:
    server = serve()
    assert server.log.calls(hook, user="ada", **match) == []
    codes(connect(server), HELLO, PLAIN)
    assert len(server.log.calls(hook, user="ada", **match)) == 1


def test_what_a_rule_says_in_an_exchange_is_told_once(serve: Serve, connect: Connect) -> None:
    server = serve(on("auth", reply="334 QUJD", times=1))
    wire = connect(server)
    assert codes(wire, HELLO, PLAIN) == [250, 334]
    wire.close()
    server.wait_closed()
    (told,) = [line for line in server.log.transcript().splitlines() if "S: 334 " in line]
    assert told.endswith("S: 334 QUJD   by on('auth', reply='334 QUJD', times=1)")


def test_authcid_and_authzid_are_as_they_were_sent(serve: Serve, connect: Connect) -> None:
    server = serve()
    wire = connect(server)
    codes(wire, HELLO, f"AUTH PLAIN {plain('ada', 'pw', 'boss')}")
    auth = last(server, "auth").argument
    assert (auth.method, auth.username, auth.authcid, auth.authzid, auth.password) == (
        "PLAIN",
        "ada",
        "ada",
        "boss",
        "pw",
    )


# --- XCLIENT ------


XCLIENTS: list[tuple[list[Rule], int, Any, str]] = [
    ([], 220, "ada", "XCLIENT connect auth"),
    ([on("auth", call=lambda auth, session: {"name": auth.username})], 220, {"name": "ada"}, "XCLIENT connect auth"),
    ([on("auth", user="ada", reply=535)], 535, None, "XCLIENT connect auth"),
    ([on("auth", call=lambda auth, session: None)], 535, None, "XCLIENT connect auth"),
    ([on("auth", user="bob", reply=535)], 220, "ada", "XCLIENT connect auth"),
    ([on("connect", skip=1, reply=554)], 554, None, "XCLIENT connect"),
    ([on("command", verb="XCLIENT", reply=550)], 550, None, "XCLIENT"),
]


@pytest.mark.parametrize(("rules", "code", "user", "reached"), XCLIENTS)
def test_the_login_of_an_xclient_goes_to_auth(
    serve: Serve, connect: Connect, rules: list[Rule], code: int, user: Any, reached: str
) -> None:
    server = serve(*rules, xclient=True)
    assert codes(connect(server), HELLO, "XCLIENT LOGIN=ada") == [250, code]
    assert server.log.sessions()[0].user == user
    assert points(server).removesuffix(" close") == f"connect EHLO {reached}"
    assert last(server, "XCLIENT").code == code
    assert "pending" not in {call.outcome for call in server.log}


def test_the_greeting_after_xclient_answers_connect_and_a_refused_login_does_not_undo_it(
    serve: Serve, connect: Connect
) -> None:
    server = serve(on("auth", call=refuse_with_data), xclient=True)
    codes(connect(server), HELLO, "XCLIENT LOGIN=ada")
    assert (last(server, "auth").outcome, last(server, "auth").code) == ("refused", 535)
    assert last(server, "connect").outcome == "accepted"


@pytest.mark.parametrize("attributes", ["ADDR=192.0.2.7", "LOGIN=[UNAVAILABLE]", "LOGIN="])
@pytest.mark.parametrize("lmtp", [False, True])
def test_an_xclient_without_a_login_forgets_an_earlier_one(
    serve: Serve, connect: Connect, attributes: str, lmtp: bool
) -> None:
    server = serve(xclient=True, require_auth=True, lmtp=lmtp)
    hello = LHLO if lmtp else HELLO
    wire = connect(server)
    assert codes(wire, hello, "XCLIENT LOGIN=ada", hello, MAIL, "RSET") == [250, 220, 250, 250, 250]
    assert codes(wire, f"XCLIENT {attributes}", hello, MAIL) == [220, 250, 530]
    assert server.log.sessions()[0].user is None
    assert server.log.sessions()[0].xclient["LOGIN"] in ("", None) or attributes.startswith("ADDR")


def test_a_login_by_auth_is_forgotten_by_xclient_too(serve: Serve, connect: Connect) -> None:
    server = serve(xclient=True)
    wire = connect(server)
    assert codes(wire, HELLO, PLAIN, "XCLIENT NAME=spike.example", HELLO) == [250, 235, 220, 250]
    assert server.log.sessions()[0].user is None
    assert codes(wire, PLAIN) == [235], "and another may follow"


def test_an_xforward_leaves_the_login_alone(serve: Serve, connect: Connect) -> None:
    server = serve(xforward=True)
    wire = connect(server)
    assert codes(wire, HELLO, PLAIN, "XFORWARD NAME=spike.example ADDR=192.0.2.7") == [250, 235, 250]
    session = server.log.sessions()[0]
    assert (session.user, session.remote_address) == ("ada", "127.0.0.1")


def test_a_rule_on_xclient_gives_its_greeting(serve: Serve, connect: Connect) -> None:
    server = serve(on("command", verb="XCLIENT", reply="220 hi"), xclient=True)
    wire = connect(server)
    codes(wire, HELLO)
    assert wire.say("XCLIENT ADDR=192.0.2.7").lines == ("hi",)
    assert codes(wire, MAIL, HELLO) == [503, 250]
    assert server.log.sessions()[0].remote_address == "192.0.2.7"
    assert [call.hook for call in server.log if call.hook != "command"] == ["connect", "connect"]


def test_a_connect_rule_refuses_after_xclient_whatever_a_rule_on_it_says(serve: Serve, connect: Connect) -> None:
    server = serve(
        on("command", verb="XCLIENT", reply="220 hi"), on("connect", reply="554 5.7.1 No", skip=1), xclient=True
    )
    assert codes(connect(server), HELLO, "XCLIENT ADDR=192.0.2.7") == [250, 554]
