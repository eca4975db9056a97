"""Texts for people: transcripts that stay short whatever happened, and failures that say what came instead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_smtpd import on
from pytest_smtpd.match import query_keys
from pytest_smtpd.policy.streams import Stream
from pytest_smtpd.record import explain
from pytest_smtpd.record.query import Waiter, select
from pytest_smtpd.record.transcript import LONGEST, MOST, WIDEST
from pytest_smtpd.smtp.address import Address
from pytest_smtpd.smtp.events import Command
from pytest_smtpd.smtp.session import TLSInfo
from tests.record.scene import Scene


def lines(scene: Scene) -> list[str]:
    return scene.log.transcript().split("\n")


# --- transcripts ------


def test_a_transcript_tells_a_session_line_by_line() -> None:
    scene = Scene()
    session = scene.connect()
    scene.call("connect", session, reply="220 mx ESMTP")
    scene.call("command", session, Command(b"EHLO c"), "250-mx\n250-SIZE\n250 DSN")
    scene.call("command", session, Command(b"QUIT"), "221 2.0.0 Bye")
    heading, *told = lines(scene)
    assert heading == "session 1 from 192.0.2.1:4321 closed"
    assert [line[9:] for line in told] == [
        "S: 220 mx ESMTP",
        "C: EHLO c",
        "S: 250 mx SIZE DSN",
        "C: QUIT",
        "S: 221 2.0.0 Bye",
    ]
    # The clock is looked at for the beginning of each call and for its end, and is a quarter of a second on each time.
    assert [line[:9] for line in told] == [
        "   0.500 ",
        "   0.750 ",
        "   1.000 ",
        "   1.250 ",
        "   1.500 ",
    ]


def test_an_ipv6_address_stands_in_brackets() -> None:
    scene = Scene()
    session = scene.connect(address="2001:db8::1")
    assert lines(scene) == ["session 1 from [2001:db8::1]:4321 still open"]
    assert repr(session) == "<Session s1 SMTP from [2001:db8::1]:4321 open>"


def test_content_is_folded_and_a_shared_reply_is_told_once() -> None:
    scene = Scene()
    session = scene.connect()
    command = scene.call("command", session, Command(b"MAIL FROM:<a@x>"), "250 ok")
    command.silent = True
    scene.call("mail_from", session, Address("a@x"), "250 ok")
    stream = Stream()
    stream.size = 231
    scene.call("data", session, stream, "250 stored")
    text = scene.log.transcript()
    assert text.count("250 ok") == 1
    assert "C: <231 bytes of content>" in text
    assert text.index("<231") < text.index("250 stored")


def test_who_answered_is_told() -> None:
    scene = Scene()
    rule = on("rcpt_to", reply=550)
    scene.call("rcpt_to", scene.connect(), Address("b@x"), "550 no", rule=rule)
    assert lines(scene)[-1].endswith("S: 550 no   by on('rcpt_to', reply=550)")


@pytest.mark.parametrize(
    ("hook", "facts", "shown"),
    [
        (
            "rcpt_to",
            {"outcome": "dropped", "rule": on("rcpt_to", drop=True)},
            "-: dropped at rcpt_to   by on('rcpt_to', drop=True)",
        ),
        (
            "rcpt_to",
            {"outcome": "hung", "rule": on("rcpt_to", hang=True)},
            "-: hanging at rcpt_to   by on('rcpt_to', hang=True)",
        ),
        ("rcpt_to", {}, "-: waiting at rcpt_to"),
        ("secure", {"outcome": "accepted"}, "-: TLS handshake complete: TLSv1.3 AES"),
        ("connect", {"outcome": "refused"}, "-: connect refused"),
    ],
)
def test_what_happened_instead_of_a_reply_is_told(hook: Any, facts: Any, shown: str) -> None:
    scene = Scene()
    argument = (
        TLSInfo(version="TLSv1.3", cipher="AES") if hook == "secure" else None if hook == "connect" else Address("b@x")
    )
    scene.call(hook, scene.connect(), argument, **facts)
    assert lines(scene)[-1][9:] == shown


def test_raw_octets_are_shown_as_they_are() -> None:
    scene = Scene()
    rule = on("rcpt_to", raw=b"\xff\r\n")
    scene.call("rcpt_to", scene.connect(), Address("b@x"), outcome="refused", rule=rule)
    assert r"S: b'\xff\r\n'   by on(" in lines(scene)[-1]


def test_a_mistake_is_told_with_its_traceback() -> None:
    scene = Scene()
    try:
        raise ValueError("wrong")
    except ValueError as error:
        scene.call("rcpt_to", scene.connect(), Address("b@x"), outcome="error", error=error)
    text = scene.log.transcript()
    assert "a hook raised ValueError" in text
    assert "the rcpt_to hook of call 1 raised:\n    Traceback" in text
    assert text.endswith("    ValueError: wrong")


def test_secrets_and_control_characters_are_not_told() -> None:
    scene = Scene()
    session = scene.connect()
    scene.call("command", session, Command(b"AUTH PLAIN AHRpbQBzM2NyZXQ="), "235 ok")
    scene.call("command", session, Command(b"NOOP \x1b[2J\x07"), "250 ok")
    secret = Command(b"aHVzaA==")
    secret.secret = True
    scene.call("command", session, secret, "500 what")
    text = scene.log.transcript()
    assert "AHRpbQ" not in text
    assert "aHVzaA" not in text
    assert "AUTH PLAIN ***" in text
    assert "\x1b" not in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_line_of_any_length_is_cut() -> None:
    scene = Scene()
    scene.call("command", scene.connect(), Command(b"NOOP " + b"x" * 5000), "250 " + "y" * 5000)
    assert max(map(len, lines(scene))) < WIDEST + 60
    assert "(5005 characters)" in scene.log.transcript()


def test_of_a_long_session_the_beginning_and_the_end_are_told() -> None:
    scene = Scene()
    session = scene.connect()
    for number in range(1000):
        scene.call("command", session, Command(f"NOOP {number}".encode()), "250 ok")
    told = lines(scene)
    assert len(told) == LONGEST + 2
    assert "C: NOOP 0" in told[1]
    assert "S: 250 ok" in told[-1]
    assert "C: NOOP 999" in told[-2]
    assert f"... {2000 - LONGEST} more lines ..." in told[LONGEST // 2 + 1]


def test_of_many_sessions_the_first_and_the_last_are_told() -> None:
    scene = Scene()
    for number in range(50):
        scene.connect(number)
    told = lines(scene)
    assert len(told) == 2 * MOST + 1
    assert told[MOST] == "... 30 more sessions ..."
    assert told[0].startswith("session 1 from 192.0.2.1:0 ")
    assert told[-1].startswith("session 50 from 192.0.2.1:49 ")


@pytest.mark.parametrize("count", [0, 1, MOST, 2 * MOST - 1, 2 * MOST])
def test_of_a_few_sessions_none_is_left_out(count: int) -> None:
    scene = Scene()
    for number in range(count):
        scene.connect(number)
    assert [line for line in lines(scene) if line] == [
        f"session {number + 1} from 192.0.2.1:{number} still open" for number in range(count)
    ]


def test_a_transcript_of_one_session_keeps_its_number() -> None:
    scene = Scene()
    scene.connect(1)
    second = scene.connect(2)
    assert scene.log.transcript(second) == "session 2 from 192.0.2.1:2 still open"


# --- failures ------


def not_one(scene: Scene, **match: Any) -> str:
    keys = query_keys("Envelope", match)
    found = select(scene.journal.accepted, "Envelope", match)
    return explain.not_one(scene.journal, found, match, keys)


def test_nobody_came() -> None:
    text = not_one(Scene(), to="b@x")
    assert text.startswith("expected exactly one envelope with to='b@x', but nobody connected to the server")
    assert "use smtpd.wait_for(...)" in text


def test_the_nearest_comes_first_with_its_differences() -> None:
    scene = Scene()
    session = scene.connect()
    scene.deliver(session, "c@x", subject="No")
    scene.deliver(session, "b@x", subject="No")
    text = not_one(scene, to="b@x", subject="Yes")
    assert text.split("\n")[0] == "expected exactly one envelope with to='b@x', subject='Yes', but 2 envelopes came"
    assert text.split("\n")[1] == "  <Envelope a@x -> b@x 'No'>: subject is 'No', not 'Yes'"
    assert "to is 'c@x', not 'b@x'; subject is 'No', not 'Yes'" in text.split("\n")[2]


@pytest.mark.parametrize("key", ["text", "content"])
def test_of_a_long_text_as_much_is_told_as_is_needed(key: str) -> None:
    scene = Scene()
    long = "a line of text\r\n" * 4000
    content = f"Subject: Hi\r\n\r\n{long}".encode()
    envelope = replace(scene.deliver(scene.connect(), "b@x"), content=content)
    scene.journal.accepted[:] = [envelope]
    have = getattr(envelope, key)
    other = have[:-1] + (b"!" if key == "content" else "!")
    text = not_one(scene, **{key: other})
    assert max(map(len, text.split("\n"))) < 800
    assert f"(from character {len(have)} on: {have[-1:]!r}, not {other[-1:]!r})" in text
    assert "(from character" not in not_one(scene, **{key: other[1:]})
    assert "characters)" in not_one(scene, **{key: other[1:]})


def test_too_many_are_listed_but_not_all_of_very_many() -> None:
    scene = Scene()
    session = scene.connect()
    for _ in range(30):
        scene.deliver(session, "b@x")
    text = not_one(scene, to="b@x")
    assert "but 30 match:" in text
    assert "  and 22 more" in text
    assert len(text.split("\n")) == 11


def test_refusals_are_told_because_they_may_be_the_reason() -> None:
    scene = Scene()
    session = scene.connect()
    scene.call("rcpt_to", session, Address("b@x"), "550 5.1.1 No", rule=on("rcpt_to", reply=550))
    text = not_one(scene, to="b@x")
    assert "what was not accepted:\n  rcpt_to b@x: refused 550 5.1.1 No by on('rcpt_to', reply=550)" in text


def test_who_looks_for_a_refused_message_is_told_where_they_are() -> None:
    scene = Scene()
    hint = "messages that were refused are in smtpd.log.envelopes(accepted=False)"
    assert hint in not_one(scene, accepted=False)
    scene.deliver(scene.connect(), "b@x", accepted=False)
    for match in ({}, {"to": "b@x"}, {"accepted": False}):
        assert hint in not_one(scene, **match)
        assert "wait_for" not in not_one(scene, **match)


def test_a_refused_command_is_told_if_nothing_else_was_refused() -> None:
    scene = Scene()
    scene.call("command", scene.connect(), Command(b"MAIL FROM:<a@x>"), "530 5.7.0 Login")
    assert "  command MAIL FROM:<a@x>: refused 530 5.7.0 Login" in not_one(scene)


@pytest.mark.parametrize(
    ("kind", "hook", "match", "text"),
    [
        ("Envelope", None, {}, "waited 1 s for 2 envelopes: only 1 envelope came"),
        (
            "Envelope",
            None,
            {"to": "z@x"},
            "waited 1 s for 2 envelopes with to='z@x': 1 envelope came, none of them like that",
        ),
        ("Call", "rcpt_to", {}, "waited 1 s for 2 rcpt_to calls: only 1 rcpt_to call came"),
        ("Call", "data", {}, "waited 1 s for 2 data calls: none came\ncalls so far: rcpt_to 1"),
        ("Call", "rcpt_to", {"to": "z@x"}, "to is 'b@x', not 'z@x'"),
    ],
)
def test_a_wait_in_vain_says_what_came(kind: Any, hook: str | None, match: Any, text: str) -> None:
    scene = Scene()
    session = scene.connect()
    scene.call("rcpt_to", session, Address("b@x"), "250 ok")
    scene.deliver(session, "b@x")
    waiter = Waiter(scene.journal, kind, 2, match, hook)
    waiter.ready()
    assert text in explain.waited(waiter, 1, in_loop=False)


def test_a_wait_that_blocks_its_own_loop_says_so() -> None:
    waiter = Waiter(Scene().journal, "Envelope", 1, {})
    assert "wait_for_async" in explain.waited(waiter, 1, in_loop=True)
    assert "wait_for_async" not in explain.waited(waiter, 1, in_loop=False)


def test_what_still_waits_or_hangs_is_told() -> None:
    scene = Scene()
    session = scene.connect()
    scene.call("rcpt_to", session, Address("b@x"))
    scene.call("rcpt_to", session, Address("c@x"), outcome="hung", rule=on("rcpt_to", hang=True))
    text = explain.waited(Waiter(scene.journal, "Envelope", 1, {}), 0.5, in_loop=False)
    assert "still waiting: <Call 1 rcpt_to b@x pending>" in text
    assert "still hanging: <Call 2 rcpt_to c@x hung> by on('rcpt_to', hang=True)" in text


def test_open_connections_are_told_with_their_last_command() -> None:
    scene = Scene()
    session = scene.connect()
    text = explain.still_connected(scene.journal, 2)
    assert text.startswith("waited 2 s for every connection to end: 1 connection still open")
    assert "after connecting" in text
    session.verbs.append("NOOP")
    assert "after NOOP" in explain.still_connected(scene.journal, 2)


def test_an_unused_rule_says_which_calls_there_were() -> None:
    scene = Scene()
    rule = on("rcpt_to", to="z@x", reply=550)
    assert "there was no rcpt_to call (calls: none)" in explain.unused(rule, scene.journal)
    session = scene.connect()
    scene.call("connect", session, reply="220 x")
    assert "there was no rcpt_to call (calls: connect 1)" in explain.unused(rule, scene.journal)
    scene.call("rcpt_to", session, Address("b@x"), "250 ok")
    text = explain.unused(rule, scene.journal)
    assert text.startswith("on('rcpt_to', reply=550, to='z@x') was never used: of 1 rcpt_to call, none came to it")
    assert "to is 'b@x', not 'z@x'" in text
    assert text.endswith("remove the rule, or give it optional=True if it need not apply")


def test_an_unused_rule_that_was_reached_says_why_it_did_not_apply() -> None:
    scene = Scene()
    rule = on("rcpt_to", skip=2, reply=550)
    session = scene.connect()
    scene.call("rcpt_to", session, Address("b@x"), "250 ok")
    rule.take()
    text = explain.unused(rule, scene.journal)
    assert "was never used: 1 rcpt_to call matched, but skip=2 let it pass\n" in text
    scene.call("rcpt_to", session, Address("c@x"), "250 ok")
    rule.take()
    assert "2 rcpt_to calls matched, but skip=2 let them pass\n" in explain.unused(rule, scene.journal)
    with on("rcpt_to", reply=550) as rule:
        pass
    rule.take()
    assert "1 rcpt_to call matched, but it had ended by then\n" in explain.unused(rule, scene.journal)


def test_an_unused_rule_behind_another_says_who_answered() -> None:
    scene = Scene()
    scene.call("rcpt_to", scene.connect(), Address("b@x"), "250 ok", rule=on("rcpt_to", reply=250))
    text = explain.unused(on("rcpt_to", reply=550), scene.journal)
    assert "  <Call 1 rcpt_to b@x accepted 250>: answered by on('rcpt_to', reply=250)\n" in text


def test_an_unused_rule_that_waits_for_more_content_says_how_much_came() -> None:
    scene = Scene()
    stream = Stream()
    stream.size = 23
    scene.call("data", scene.connect(), stream, "250 ok", rule=on("data", reply=250))
    text = explain.unused(on("data", reply=552, after=1000), scene.journal)
    assert "  <Call 1 data accepted 250>: only 23 bytes came\n" in text
    assert "answered by on('data', reply=250)\n" in explain.unused(on("data", reply=552, after=5), scene.journal)


@pytest.mark.parametrize(("count", "text"), [(0, "0 envelopes"), (1, "1 envelope"), (2, "2 envelopes")])
def test_things_are_counted_in_words(count: int, text: str) -> None:
    assert explain.plural(count, "envelope") == text
