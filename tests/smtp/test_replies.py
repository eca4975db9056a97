"""Replies (RFC 5321 section 4.2), enhanced status codes (RFC 2034, RFC 3463), and the catalogue of the server's own."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_smtpd.errors import Reject
from pytest_smtpd.smtp import replies
from pytest_smtpd.smtp.replies import Reply, leading_reply, parse_reply

CATALOGUE = {name: value for name, value in vars(replies).items() if isinstance(value, Reply)}
# The default refusals of the hooks.
REFUSALS = (
    replies.SERVICE_REFUSED,
    replies.TLS_REFUSED,
    replies.CREDENTIALS_INVALID,
    replies.SENDER_REJECTED,
    replies.NO_SUCH_USER,
    replies.CONTENT_REJECTED,
    replies.NOT_IMPLEMENTED,
)
ON_THE_WIRE = re.compile(rb"(?:\d{3}-[^\r\n]*\r\n)*\d{3} [^\r\n]*\r\n")


def well_formed(reply: Reply) -> bool:
    lines = reply.wire.split(b"\r\n")[:-1]
    return bool(ON_THE_WIRE.fullmatch(reply.wire)) and {line[:3] for line in lines} == {str(reply.code).encode()}


def class_agrees(reply: Reply) -> bool:
    """RFC 2034 section 4: the class of the enhanced code is the first digit of the reply's."""
    return reply.enhanced is None or reply.enhanced[:2] == f"{reply.digit}."


@pytest.mark.parametrize("reply", CATALOGUE.values(), ids=str)
def test_each_reply_of_the_catalogue_is_well_formed(reply: Reply) -> None:
    assert well_formed(reply)
    assert class_agrees(reply)
    assert reply.text.isascii()
    assert "\n" not in reply.text
    assert len(reply.wire) <= 512


@pytest.mark.parametrize("reply", [reply for reply in CATALOGUE.values() if reply.digit in (2, 4, 5)], ids=str)
def test_each_success_and_refusal_has_an_enhanced_code_and_a_text(reply: Reply) -> None:
    assert reply.enhanced
    assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", reply.enhanced)
    assert reply.text


@pytest.mark.parametrize("default", [None, *REFUSALS], ids=str)
def test_each_code_has_a_standard_reply(default: Reply | None) -> None:
    for code in range(200, 600):
        reply = replies.standard(code, default)
        assert reply == code
        assert well_formed(reply)
        assert class_agrees(reply)
        assert (reply.enhanced is None) == (reply.digit == 3 or code == 220), code
        assert reply.enhanced is None or re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", reply.enhanced)
        assert reply.text or code == 334


@pytest.mark.parametrize("default", REFUSALS, ids=str)
def test_a_bare_code_that_is_the_default_of_its_hook_is_that_default(default: Reply) -> None:
    assert replies.standard(default.code, default) is default


@pytest.mark.parametrize("default", REFUSALS, ids=str)
def test_a_reject_without_anything_is_the_default_of_its_hook(default: Reply) -> None:
    assert replies.refusal(Reject(), default).wire == default.wire
    assert replies.refusal(Reject(default.code), default).wire == default.wire


@pytest.mark.parametrize("default", REFUSALS, ids=str)
@pytest.mark.parametrize("message", [None, "", "No", "two\nlines"])
def test_a_reject_of_any_code_gets_an_enhanced_code_of_its_class(default: Reply, message: str | None) -> None:
    for code in range(400, 600):
        reply = replies.refusal(Reject(code, message), default)
        assert reply.code == code
        assert reply.enhanced == (default.enhanced if code >= 500 else "4.0.0")
        usual = default if code == default.code else replies.standard(code)
        assert reply.text == (message or usual.text)
        assert well_formed(reply)


@pytest.mark.parametrize(
    ("code", "message", "enhanced", "text"),
    [
        (553, "5.7.1 Not here", "5.7.1", "Not here"),
        (450, "4.2.1 Later", "4.2.1", "Later"),
        (None, "5.1.1 Nobody", "5.1.1", "Nobody"),
        (550, "5.1.1", "5.1.1", ""),
        (550, "5.1.1x", "5.1.1", "5.1.1x"),
        (550, "Version 5.1.1", "5.1.1", "Version 5.1.1"),
        (550, "5.1.1 a\r\nb", "5.1.1", "a\nb"),
        (550, "5.1.1 a\n5.1.1 b", "5.1.1", "a\nb"),
    ],
)
def test_a_message_may_begin_with_an_enhanced_code(code: int | None, message: str, enhanced: str, text: str) -> None:
    reply = replies.refusal(Reject(code, message), replies.NO_SUCH_USER)
    assert (reply.enhanced, reply.text) == (enhanced, text)


def test_the_enhanced_code_stands_on_every_line() -> None:
    """RFC 2034 section 3: "status codes MUST appear in all reply lines"."""
    reply = replies.refusal(Reject(550, "5.1.1 one\ntwo\r\nthree\rfour"), replies.NO_SUCH_USER)
    assert reply.wire == b"550-5.1.1 one\r\n550-5.1.1 two\r\n550-5.1.1 three\r\n550 5.1.1 four\r\n"
    repeated = replies.refusal(Reject(550, "5.1.1 one\n5.1.1 two"), replies.NO_SUCH_USER)
    assert repeated.wire == b"550-5.1.1 one\r\n550 5.1.1 two\r\n"


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (True, None, ValueError),
        ("550", None, ValueError),
        (550.0, None, ValueError),
        (None, "4.1.1 no", ValueError),
        (550, b"no", TypeError),
        (550, 5, TypeError),
    ],
)
def test_a_reject_of_the_wrong_types_is_an_error(code: object, message: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        Reject(code, message)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [400, 599])
def test_a_reject_may_have_any_code_that_refuses(code: int) -> None:
    assert Reject(code).code == code


def test_a_reject_shows_what_it_was_given() -> None:
    assert repr(Reject(550, "no")) == "Reject(550, 'no')"
    assert str(Reject(550, "no")) == "550 no"
    assert repr(Reject()) == "Reject()"
    assert Reject(data={"status": "x"}).data == {"status": "x"}


# --- on the wire ------

_texts = st.text(st.characters(codec="utf-8"), max_size=40)


@settings(deadline=None)
@given(st.integers(200, 599), st.sampled_from([None, "x.1.1"]), _texts)
@example(250, None, "a\rb\nc\r\nd")
@example(250, None, "\r\n")
@example(250, None, "a\x85b\u2028c\x0bd\x0ce")
def test_no_text_breaks_a_line_that_was_not_meant(code: int, enhanced: str | None, text: str) -> None:
    reply = Reply(code, enhanced and enhanced.replace("x", str(code)[0]), text)
    assert well_formed(reply)
    assert reply.wire.count(b"\r\n") == len(re.split(r"\r\n|\r|\n", text))
    read = leading_reply(reply.wire + b"junk")
    assert read == reply


@pytest.mark.parametrize(
    ("reply", "wire"),
    [
        (Reply(250), b"250 \r\n"),
        (Reply(250, None, "OK"), b"250 OK\r\n"),
        (Reply(250, "2.0.0", "OK"), b"250 2.0.0 OK\r\n"),
        (Reply(550, "5.1.1"), b"550 5.1.1\r\n"),
        (Reply(250, None, "a\nb"), b"250-a\r\n250 b\r\n"),
        (Reply(250, None, "é"), "250 é\r\n".encode()),
    ],
)
def test_a_reply_is_written_as_section_4_2_1_says(reply: Reply, wire: bytes) -> None:
    assert reply.wire == wire


@pytest.mark.parametrize(
    ("build", "enhanced", "wire"),
    [
        (lambda: replies.challenge(""), None, b"334 \r\n"),
        (lambda: replies.challenge("AA=="), None, b"334 AA==\r\n"),
        (lambda: replies.greeting("mx.example", "ESMTP", ""), None, b"220 mx.example ESMTP\r\n"),
        (lambda: replies.greeting("mx.example", "LMTP", "ready now"), None, b"220 mx.example LMTP ready now\r\n"),
        (lambda: replies.hello(("mx.example",)), None, b"250 mx.example\r\n"),
        (lambda: replies.hello(("mx.example", "SIZE 5", "DSN")), None, b"250-mx.example\r\n250-SIZE 5\r\n250 DSN\r\n"),
        (lambda: replies.chunk_received(7), "2.0.0", b"250 2.0.0 7 octets received\r\n"),
    ],
)
def test_a_reply_that_is_made_on_demand(build: Callable[[], Reply], enhanced: str | None, wire: bytes) -> None:
    reply = build()
    assert (reply.enhanced, reply.wire) == (enhanced, wire)


def test_a_reply_with_a_lone_surrogate_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot be sent as UTF-8"):
        Reply(550, None, "a\ud800b")


# --- read ------


@pytest.mark.parametrize(
    ("text", "code", "enhanced", "rest", "wire"),
    [
        ("550", 550, None, "", b"550\r\n"),
        ("550 ", 550, None, "", b"550 \r\n"),
        ("250 OK", 250, None, "OK", b"250 OK\r\n"),
        ("550 5.1.1 No such user", 550, "5.1.1", "No such user", b"550 5.1.1 No such user\r\n"),
        ("550-two\n550 lines", 550, None, "two\nlines", b"550-two\r\n550 lines\r\n"),
        ("550 two\n550 lines", 550, None, "two\nlines", b"550-two\r\n550 lines\r\n"),
        ("550-5.1.1 two\r\n550 5.1.1 lines", 550, "5.1.1", "two\nlines", b"550-5.1.1 two\r\n550 5.1.1 lines\r\n"),
        ("550 x\r\n", 550, None, "x", b"550 x\r\n"),
        ("550 x\n", 550, None, "x", b"550 x\r\n"),
        ("334 ", 334, None, "", b"334 \r\n"),
        ("550\n550 x", 550, None, "\nx", b"550-\r\n550 x\r\n"),
        ("550 x\n550", 550, None, "x\n", b"550-x\r\n550\r\n"),
        ("550  two spaces", 550, None, " two spaces", b"550  two spaces\r\n"),
        ("550 é", 550, None, "é", "550 é\r\n".encode()),
    ],
)
def test_a_reply_is_read_as_users_write_it(text: str, code: int, enhanced: str | None, rest: str, wire: bytes) -> None:
    reply = parse_reply(text)
    assert (reply.code, reply.enhanced, reply.text, reply.wire) == (code, enhanced, rest, wire)


NO_REPLIES = [
    "",
    " ",
    "x",
    "55",
    "5500",
    "5500 x",
    "199 x",
    "600 x",
    "099",
    "550x",
    "550_x",
    " 550 x",
    "550 a\n551 b",
    "550 a\nb",
    "550 a\n\n550 b",
    "\n550 x",
    "-550",
    "550\tx",
    "5\u06650 x",
]


@pytest.mark.parametrize("text", NO_REPLIES)
def test_what_is_no_reply_is_an_error_that_shows_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"550 5\.1\.1 No such user"):
        parse_reply(text)


def test_a_reply_that_utf8_cannot_encode_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"cannot be sent as UTF-8: .*; use raw= to send other bytes"):
        parse_reply("550 \udcff")


@settings(deadline=None)
@given(
    st.integers(200, 599),
    st.sampled_from(["", "0.1.1"]),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20),
)
def test_a_reply_survives_being_written_and_read(code: int, enhanced: str, text: str) -> None:
    words = [str(code), enhanced.replace("0.", f"{code // 100}.", 1) if code // 100 != 3 else "", text]
    reply = parse_reply(" ".join(word for word in words if word))
    again = parse_reply(str(reply)) if reply.text.strip() else reply
    assert again == reply
    assert leading_reply(reply.wire) == reply


@pytest.mark.parametrize(
    ("raw", "code", "text", "length"),
    [
        (b"250 ok\r\n", 250, "ok", 8),
        (b"250\r\n", 250, "", 5),
        (b"250 \r\n", 250, "", 6),
        (b"250-a\r\n250 b\r\nrest", 250, "a\nb", 14),
        (b"250 ok\r\n250 again\r\n", 250, "ok", 8),
        (b"550 \xff\r\n", 550, "\ufffd", 7),
    ],
)
def test_raw_octets_may_begin_with_a_reply(raw: bytes, code: int, text: str, length: int) -> None:
    reply = leading_reply(raw)
    assert reply is not None
    assert (reply.code, reply.text, reply.wire) == (code, text, raw[:length])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"250 ok",
        b"250 ok\n",
        b"250 ok\r",
        b"250-ok\r\n",
        b"250-a\r\n251 b\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"150 x\r\n",
        b"650 x\r\n",
        b"x\r\n",
        b" 250 ok\r\n",
        b"250-a\r\nx\r\n",
        b"250_x\r\n",
        b"\r\n250 ok\r\n",
        b"250 a\rb\r\n",
    ],
)
def test_what_does_not_begin_with_a_reply_is_none(raw: bytes) -> None:
    assert leading_reply(raw) is None


def test_an_enhanced_code_at_the_head_of_raw_octets_counts() -> None:
    reply = leading_reply(b"550-5.1.1 a\r\n550 5.1.1 b\r\n")
    assert reply is not None
    assert reply.enhanced == "5.1.1"
    assert reply.text == "a\nb"


@settings(deadline=None)
@given(st.binary(max_size=30))
def test_no_octets_make_leading_reply_raise(raw: bytes) -> None:
    reply = leading_reply(raw)
    assert reply is None or raw.startswith(reply.wire)


# --- as a value ------


def test_a_reply_equals_its_code_and_a_reply_that_says_the_same() -> None:
    reply = Reply(550, "5.1.1", "x")
    assert reply == 550
    assert reply != 551
    assert reply == Reply(550, "5.1.1", "x")
    assert reply == Reply(550, None, "5.1.1 x")
    assert reply != Reply(550, "5.1.1", "y")
    assert reply != "550"
    assert hash(reply) == hash(Reply(550, "5.1.1", "x")) == hash(550)
    assert reply in {550: "there"}


def test_a_reply_is_shown_in_one_line() -> None:
    assert str(Reply(550, "5.1.1", "No")) == "550 5.1.1 No"
    assert repr(Reply(250, None, "a\nb")) == r"<Reply '250 a\nb'>"
    assert str(Reply(250)) == "250"


def test_a_reply_is_shown_to_people_as_one_line_that_no_terminal_obeys() -> None:
    assert Reply(250, "2.0.0", "a\nb").line == "250 2.0.0 a b"
    assert Reply(250, None, "\x1b[2Jx\u202e").line == "250 \\x1b[2Jx\\u202e"


@pytest.mark.parametrize("copy_of", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copied_reply_is_sent_as_the_original(copy_of: Callable[[Reply], Reply]) -> None:
    reply = parse_reply("550-5.1.1 a\n550 b")
    again = copy_of(reply)
    assert (again.code, again.enhanced, again.text, again.wire) == (550, "5.1.1", "a\nb", reply.wire)


@pytest.mark.parametrize(
    ("code", "digit", "refuses"), [(200, 2, False), (354, 3, False), (399, 3, False), (400, 4, True), (599, 5, True)]
)
def test_four_and_five_refuse(code: int, digit: int, refuses: bool) -> None:
    assert (Reply(code).digit, Reply(code).refuses) == (digit, refuses)


@pytest.mark.parametrize(
    ("text", "enhanced", "rest"),
    [
        ("queued as 1", "2.6.0", "queued as 1"),
        ("2.1.0 stored", "2.1.0", "stored"),
        ("", "2.6.0", ""),
        ("a\nb", "2.6.0", "a\nb"),
    ],
)
def test_a_hooks_text_replaces_that_of_the_250(text: str, enhanced: str, rest: str) -> None:
    reply = replies.acceptance(text, replies.MESSAGE_OK)
    assert (reply.code, reply.enhanced, reply.text) == (250, enhanced, rest)
