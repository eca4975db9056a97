"""A whole transaction, without a socket: envelopes, LMTP, size, logins, proxies, and words in the middle of content."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any

import pytest

from pytest_smtpd.smtp import events
from pytest_smtpd.smtp.events import Event
from pytest_smtpd.smtp.replies import Reply, standard
from pytest_smtpd.smtp.sasl import OAUTH_FAILURE
from pytest_smtpd.smtp.states import State
from tests.smtp.helpers import HELLO, MAIL, RCPT, TLS, Line, with_mail

# --- envelopes ------


def test_an_envelope_holds_what_was_said_and_the_octets_that_were_sent() -> None:
    line = Line(hostname="mx.example")
    line.say(HELLO, b"MAIL FROM:<a@example.com> SIZE=9 BODY=8BITMIME SMTPUTF8 RET=FULL ENVID=x+20y AUTH=<>\r\n")
    line.say(
        b"RCPT TO:<b@x> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;q\r\n", b"RCPT TO:<b@x>\r\n", b"RCPT TO:<Postmaster>\r\n"
    )
    assert line.say(b"DATA\r\n", b"..a\r\n\xff\n\r\n.\r\n") == [354, 250]
    (envelope,) = line.envelopes
    assert envelope.mail_from == "a@example.com"
    assert envelope.mail_from.args == {
        "SIZE": "9", "BODY": "8BITMIME", "SMTPUTF8": True, "RET": "FULL", "ENVID": "x+20y", "AUTH": "<>",
    }  # fmt: skip
    assert envelope.rcpt_to == ("b@x", "b@x", "Postmaster")
    assert (envelope.rcpt_to[0].dsn.notify, envelope.rcpt_to[0].dsn.orcpt) == (("SUCCESS", "DELAY"), "rfc822;q")
    assert (envelope.rcpt_to[1].dsn.notify, envelope.rcpt_to[1].dsn.orcpt) == ((), None)
    assert envelope.content == b".a\r\n\xff\n\r\n"
    assert envelope.size == len(envelope.content)
    assert (envelope.body_type, envelope.smtp_utf8, envelope.require_tls) == ("8bitmime", True, False)
    assert (envelope.dsn.ret, envelope.dsn.envid) == ("FULL", "x y")
    assert envelope.accepted
    assert envelope.reply == 250
    assert envelope.refused == {}
    assert envelope.session is line.session
    assert envelope.id == "core.1"


def test_the_content_of_chunks_is_joined_without_change() -> None:
    """RFC 3030 section 2: no dot-stuffing, no end but the last octet of the last chunk."""
    line = with_mail()
    assert line.say(b"BDAT 5\r\n\r\n.\r\n", b"BDAT 3\r\n..x", b"BDAT 0 LAST\r\n") == [250, 250, 250]
    assert line.envelopes[0].content == b"\r\n.\r\n..x"
    assert line.state is State.READY


def test_refused_recipients_are_in_the_envelope_with_their_replies() -> None:
    line = with_mail()
    line.answers["RCPT"] = "550 5.1.1 Nobody"
    assert line.say(b"RCPT TO:<c@example.com>\r\n") == [550]
    del line.answers["RCPT"]
    line.say(b"DATA\r\nx\r\n.\r\n")
    (envelope,) = line.envelopes
    assert envelope.rcpt_to == ("b@example.com",)
    assert dict(envelope.refused) == {"c@example.com": 550}
    assert line.session.error == 550


def test_each_wish_for_a_report_stands_by_itself() -> None:
    line = Line()
    line.say(
        HELLO, b"MAIL FROM:<a@b> ENVID=x\r\n", b"RCPT TO:<c@d> ORCPT=rfc822;q\r\n", b"RCPT TO:<c@d> NOTIFY=NEVER\r\n"
    )
    envelope = line.session.envelope
    assert envelope is not None
    assert (envelope.dsn.ret, envelope.dsn.envid) == (None, "x")
    assert [(to.dsn.notify, to.dsn.orcpt) for to in envelope.rcpt_to] == [((), "rfc822;q"), (("NEVER",), None)]


def test_an_envelope_is_a_snapshot() -> None:
    line = with_mail()
    so_far = line.session.envelope
    assert so_far is not None
    line.say(b"RCPT TO:<c@example.com>\r\n", b"DATA\r\nx\r\n.\r\n")
    assert so_far.rcpt_to == ("b@example.com",)
    assert so_far.content == b""
    assert not so_far.accepted
    assert line.envelopes[0].content == b"x\r\n"
    line.say(MAIL, RCPT, b"DATA\r\ny\r\n.\r\n")
    assert [envelope.content for envelope in line.envelopes] == [b"x\r\n", b"y\r\n"]
    assert [envelope.id for envelope in line.envelopes] == ["core.1", "core.2"]


def test_transactions_are_counted_as_they_are_completed() -> None:
    line = with_mail()
    assert line.session.transaction == 1
    line.say(b"RSET\r\n", MAIL, RCPT)
    assert line.session.transaction == 1
    line.say(b"DATA\r\n.\r\n")
    assert line.session.transaction == 2


@pytest.mark.parametrize(
    ("accepted", "code", "expected"), [(None, 250, True), (None, 550, False), (True, 550, True), (False, 250, False)]
)
def test_a_message_is_kept_by_its_reply_unless_it_is_said_otherwise(
    accepted: bool | None, code: int, expected: bool
) -> None:
    line = with_mail()
    line.answers["content"] = code
    line.smtp.receive_data(b"DATA\r\nx\r\n.\r\n")
    until(line, events.Content)
    line.smtp.send(standard(code), accepted=accepted, at=2.0)
    assert line.smtp.envelope is not None
    assert line.smtp.envelope.accepted is expected
    assert line.smtp.envelope.reply == code


def until(line: Line, kind: type[Event]) -> Any:
    """Answer everything in the usual way, up to the first event of this kind."""
    while (event := line.smtp.next_event()) is not None:
        if isinstance(event, kind):
            return event
        if not isinstance(event, events.Passing):
            line._answer(event)
    raise AssertionError(f"no {kind.__name__} came")


@pytest.mark.parametrize(
    ("settings", "command", "code"),
    [
        ({"max_recipients": 1}, b"RCPT TO:<c@example.com>\r\n", 452),
        ({}, b"RCPT TO:<c@example.com> FOO=bar\r\n", 555),
        ({}, b"RCPT TO:<c@example.com> NOTIFY=WHENEVER\r\n", 501),
        ({"strict": True}, "RCPT TO:<ç@example.com>\r\n".encode(), 553),
    ],
)
def test_recipients_that_no_hook_is_asked_about_are_refused_all_the_same(
    settings: Any, command: bytes, code: int
) -> None:
    line = with_mail(**settings)
    assert line.say(command, b"DATA\r\nx\r\n.\r\n") == [code, 354, 250]
    assert dict(line.envelopes[0].refused) == {command.decode()[9:22]: code}
    assert "rcpt_to" not in [hook for event in line.events[4:] for hook, _ in event.points]


def test_a_bad_recipient_without_a_transaction_is_just_refused() -> None:
    line = Line()
    assert line.say(HELLO, b"RCPT TO:<c@example.com> FOO=bar\r\n", MAIL, RCPT, b"DATA\r\n.\r\n")[1] == 555
    assert dict(line.envelopes[0].refused) == {}


def test_a_recipient_that_is_accepted_at_the_second_try_was_not_refused() -> None:
    line = with_mail()
    line.answers["RCPT"] = 450
    line.say(b"RCPT TO:<c@example.com>\r\n")
    del line.answers["RCPT"]
    line.say(b"RCPT TO:<c@example.com>\r\n", b"DATA\r\nx\r\n.\r\n")
    assert line.envelopes[0].rcpt_to == ("b@example.com", "c@example.com")
    assert dict(line.envelopes[0].refused) == {}


# --- LMTP ------


def test_lmtp_answers_each_accepted_recipient_in_order() -> None:
    """RFC 2033 section 4.2: "the server MUST send a separate reply for each previously successful RCPT"."""
    line = with_mail(lmtp=True)
    line.answers["RCPT"] = 550
    line.say(b"RCPT TO:<no@example.com>\r\n")
    del line.answers["RCPT"]
    line.say(b"RCPT TO:<c@example.com>\r\n", b"RCPT TO:<b@example.com>\r\n")
    line.smtp.receive_data(b"DATA\r\nx\r\n.\r\n")
    until(line, events.Content)
    said = line.smtp.send(standard(250), standard(450), standard(250))
    assert [row[:3] for row in said.split(b"\r\n")[:-1]] == [b"250", b"450", b"250"]
    envelope = line.smtp.envelope
    assert envelope is not None
    assert envelope.accepted
    assert envelope.rcpt_to == ("b@example.com", "b@example.com")
    assert dict(envelope.refused) == {"no@example.com": 550, "c@example.com": 450}
    assert envelope.reply == 250
    assert line.state is State.READY


def test_an_lmtp_message_that_nobody_gets_is_not_accepted() -> None:
    line = with_mail(lmtp=True)
    line.smtp.receive_data(b"BDAT 1 LAST\r\nx")
    until(line, events.Content)
    line.smtp.send(standard(554))
    assert line.smtp.envelope is not None
    assert not line.smtp.envelope.accepted
    assert line.smtp.envelope.rcpt_to == ()
    assert line.smtp.envelope.reply == 554


# --- size ------


def test_an_lmtp_recipient_who_was_told_nothing_is_neither_served_nor_refused() -> None:
    line = with_mail(lmtp=True)
    line.say(b"RCPT TO:<c@example.com>\r\n", b"RCPT TO:<d@example.com>\r\n")
    line.smtp.receive_data(b"DATA\r\nx\r\n.\r\n")
    until(line, events.Content)
    line.smtp.send(standard(250), standard(452), each=(standard(250), None, standard(452)))
    assert line.smtp.envelope is not None
    assert line.smtp.envelope.rcpt_to == ("b@example.com",)
    assert dict(line.smtp.envelope.refused) == {"d@example.com": 452}


@pytest.mark.parametrize("answers", [[], [standard(554)]], ids=len)
def test_replies_that_belong_to_no_lmtp_recipient_say_nothing_about_any(answers: list[Reply]) -> None:
    line = with_mail(lmtp=True)
    line.say(b"RCPT TO:<c@example.com>\r\n")
    line.smtp.receive_data(b"DATA\r\nx\r\n.\r\n")
    until(line, events.Content)
    line.smtp.send(*answers)
    assert line.smtp.envelope is not None
    assert not line.smtp.envelope.accepted
    assert line.smtp.envelope.rcpt_to == ("b@example.com", "c@example.com")


def test_half_a_message_is_not_accepted_behind_a_refused_chunk() -> None:
    """RFC 3030 section 2: "accept and discard additional BDAT chunks already in the pipeline after the failed BDAT"."""
    line = with_mail()
    line.answers["BDAT"] = 552
    line.smtp.receive_data(b"BDAT 3\r\nabcBDAT 3 LAST\r\ndefNOOP\r\n")
    until(line, events.Bdat)
    assert line.smtp.send(standard(552)).startswith(b"552")
    line.answers.clear()
    assert line.say(b"") == [503, 250]
    assert line.envelopes == []
    assert line.say(MAIL, RCPT, b"BDAT 1 LAST\r\nx") == [250, 250, 250]


def test_an_lmtp_message_that_is_kept_all_the_same_is_for_everybody() -> None:
    line = with_mail(lmtp=True)
    line.smtp.receive_data(b"DATA\r\nx\r\n.\r\n")
    until(line, events.Content)
    line.smtp.send(standard(452), accepted=True)
    assert line.smtp.envelope is not None
    assert line.smtp.envelope.rcpt_to == ("b@example.com",)
    assert line.smtp.envelope.accepted


def test_a_421_to_any_lmtp_recipient_closes() -> None:
    line = with_mail(lmtp=True)
    line.say(b"RCPT TO:<c@example.com>\r\n")
    line.smtp.receive_data(b"DATA\r\nx\r\n.\r\n")
    until(line, events.Content)
    line.smtp.send(standard(250), standard(421))
    assert line.state is State.CLOSED
    assert line.session.error == 421


@pytest.mark.parametrize(
    ("content", "code"), [(b"x" * 8 + b"\r\n", 250), (b"x" * 9 + b"\r\n", 552), (b"x" * 5000 + b"\r\n", 552)]
)
@pytest.mark.parametrize("chunked", [False, True])
def test_content_over_size_is_refused_at_its_end_and_not_kept(content: bytes, code: int, chunked: bool) -> None:
    line = with_mail(size=10)
    sent = f"BDAT {len(content)} LAST\r\n".encode() + content if chunked else b"DATA\r\n" + content + b".\r\n"
    assert line.say(sent)[-1] == code
    (envelope,) = line.envelopes
    assert envelope.accepted == (code == 250)
    assert envelope.size == len(content)
    assert len(envelope.content) <= 10
    assert line.state is State.READY


def test_a_chunk_that_makes_it_too_big_is_refused_and_ends_the_transaction() -> None:
    line = with_mail(size=3)
    assert line.say(b"BDAT 4\r\nabcd", b"BDAT 0 LAST\r\n") == [552, 503]
    assert line.state is State.READY


def test_over_size_is_final_whatever_a_hook_says() -> None:
    line = with_mail(size=1)
    line.smtp.receive_data(b"DATA\r\nabc\r\n.\r\n")
    content = until(line, events.Content)
    assert content.final
    assert content.default == 552


@pytest.mark.parametrize(
    ("settings", "sent", "codes"),
    [
        ({"max_recipients": 1}, RCPT, [452]),
        ({"max_recipients": 2}, RCPT + RCPT, [250, 452]),
        ({"max_messages": 1}, b"DATA\r\n.\r\n" + MAIL, [354, 250, 421]),
        ({"max_messages": 2}, b"DATA\r\n.\r\n" + MAIL, [354, 250, 250]),
        ({}, b"MAIL FROM:<x@y>\r\n", [503]),
    ],
)
def test_limits_count_what_was_accepted(settings: Any, sent: bytes, codes: list[int]) -> None:
    assert with_mail(**settings).say(sent) == codes


def test_a_binary_message_needs_bdat() -> None:
    """RFC 3030 section 3."""
    line = Line()
    line.say(HELLO, b"MAIL FROM:<a@b> BODY=BINARYMIME\r\n", RCPT)
    assert line.say(b"DATA\r\n") == [503]
    assert line.say(b"BDAT 1 LAST\r\n\0") == [250]
    assert line.envelopes[0].body_type == "binarymime"


@pytest.mark.parametrize("before", [b"", HELLO, HELLO + MAIL])
def test_the_octets_of_a_refused_chunk_are_thrown_away(before: bytes) -> None:
    line = Line()
    line.say(before)
    assert line.say(b"BDAT 6\r\nQUIT\r\nNOOP\r\n") == [503, 250]
    assert line.session.commands[-2:] == ("BDAT", "NOOP")


@pytest.mark.parametrize("setting", [{"disable": ["CHUNKING"]}, {"disable": ["BDAT"]}])
def test_what_follows_a_disabled_bdat_is_the_next_command(setting: Any) -> None:
    assert Line(**setting).say(b"BDAT 6\r\nQUIT\r\n") == [502, 221]


# --- words in the middle of content ------


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("cut", [0, 2, 5])
def test_a_refusal_in_the_middle_throws_the_rest_away_unanswered(chunked: bool, cut: int) -> None:
    line = with_mail()
    sent = b"abcdefgh\r\n"
    head = b"BDAT 10 LAST\r\n" if chunked else b"DATA\r\n"
    line.smtp.receive_data(head + sent[:cut])
    until(line, events.Chunk if cut else events.ContentBegins)
    said = line.smtp.interject(standard(552), keep=False, again=False, at=3.0)
    assert said.startswith(b"552 ")
    envelope, line.smtp.envelope = line.smtp.envelope, None
    assert envelope is not None
    assert (envelope.accepted, envelope.at) == (False, 3.0)
    assert envelope.reply == 552
    assert line.say(sent[cut:], b"" if chunked else b".\r\n") == []
    assert line.state is State.READY
    assert line.session.envelope is None
    assert line.envelopes == []
    assert line.say(MAIL) == [250]


@pytest.mark.parametrize("again", [False, True])
def test_an_early_word_keeps_the_rest_and_answers_it_again_only_if_asked(again: bool) -> None:
    line = with_mail()
    line.smtp.receive_data(b"DATA\r\nab")
    until(line, events.Chunk)
    assert line.smtp.interject(standard(250), keep=True, again=again).startswith(b"250 ")
    line.smtp.receive_data(b"cd\r\n.\r\n")
    content = until(line, events.Content)
    assert (content.default is None) == (not again)
    line.smtp.send(*([content.default] if again else []), accepted=True)
    envelope = line.smtp.envelope
    assert envelope is not None
    assert envelope.content == b"abcd\r\n"
    assert envelope.accepted
    assert envelope.reply == 250


@pytest.mark.parametrize(("closes", "state"), [(True, "CLOSED"), (False, "CONTENT")])
def test_a_421_in_the_middle_closes_unless_told_not_to(closes: bool, state: str) -> None:
    line = with_mail()
    line.smtp.receive_data(b"DATA\r\nab")
    until(line, events.Chunk)
    line.smtp.interject(standard(421), keep=False, again=False, closes=closes)
    assert line.state.name == state
    assert line.session.error == 421


# --- logins ------


def test_a_login_is_remembered_and_may_not_be_repeated() -> None:
    """RFC 4954 section 4: after a successful AUTH "a server MUST reject any further AUTH commands"."""
    line = Line()
    line.say(HELLO, b"AUTH PLAIN AHRpbQB0YW5zdGFhZg==\r\n")
    assert line.session.user == "tim"
    assert line.session.transmission_type == "ESMTPA"
    assert line.say(b"AUTH PLAIN AHRpbQB0YW5zdGFhZg==\r\n") == [503]
    line.say(MAIL, RCPT, b"DATA\r\n.\r\n")
    assert line.envelopes[0].user == "tim"


def test_who_answers_may_name_the_user() -> None:
    line = Line()
    line.say(HELLO)
    line.smtp.receive_data(b"AUTH PLAIN AHRpbQB0YW5zdGFhZg==\r\n")
    until(line, events.Authenticate)
    line.smtp.send(standard(235), detail={"id": 7})
    assert line.session.user == {"id": 7}


@pytest.mark.parametrize(
    ("settings", "sent", "code"),
    [
        ({"require_auth": True}, MAIL, 530),
        ({"auth": {"tim": "x"}}, MAIL, 530),
        ({"require_auth": False, "auth": {"tim": "x"}}, MAIL, 250),
    ],
)
def test_mail_may_need_a_login(settings: Any, sent: bytes, code: int) -> None:
    line = Line(**settings)
    line.say(HELLO)
    assert line.say(sent) == [code]


def test_a_star_cancels_the_exchange() -> None:
    """RFC 4954 section 4: "the server MUST reject the AUTH command by sending a 501 reply"."""
    line = Line()
    line.say(HELLO)
    assert line.say(b"AUTH LOGIN\r\n", b"*\r\n", b"NOOP\r\n") == [334, 501, 250]
    assert line.session.user is None


@pytest.mark.parametrize("response", [b"!", b"dGl", b"\xff", b" dGlt"])
def test_what_is_no_base64_ends_the_exchange(response: bytes) -> None:
    line = Line()
    line.say(HELLO)
    assert line.say(b"AUTH PLAIN\r\n", response + b"\r\n", b"NOOP\r\n") == [334, 501, 250]


@pytest.mark.parametrize(("length", "codes"), [(12288, [334, 501, 250]), (12289, [334, 500, 250])])
def test_a_line_of_an_exchange_has_at_most_12288_octets(length: int, codes: list[int]) -> None:
    line = Line()
    line.say(HELLO)
    assert line.say(b"AUTH PLAIN\r\n", b"A" * length + b"\r\n", b"NOOP\r\n") == codes


def test_an_empty_initial_response_is_an_equals_sign() -> None:
    line = Line()
    line.say(HELLO)
    assert line.say(b"AUTH PLAIN =\r\n") == [501]
    assert line.say(b"AUTH LOGIN =\r\n") == [501]


@pytest.mark.parametrize(
    ("method", "message"),
    [("XOAUTH2", b"user=u\1auth=Bearer no\1\1"), ("OAUTHBEARER", b"n,a=u,\1auth=Bearer no\1\1")],
)
@pytest.mark.parametrize("answer", [b"", b"AQ==", b"anything"])
def test_a_refused_token_is_explained_before_it_is_refused(method: str, message: bytes, answer: bytes) -> None:
    """RFC 7628 section 3.2.3: the client answers the explanation, and then the exchange fails."""
    line = Line(auth={"u": "yes"})
    line.say(HELLO)
    assert line.say(f"AUTH {method} ".encode() + b64encode(message) + b"\r\n") == [334]
    assert json.loads(b64decode(line.said.split()[1])) == OAUTH_FAILURE[method]
    assert line.state.name == "SASL"
    assert line.say(answer + b"\r\n") == [535]
    assert line.state.name == "READY"
    assert line.session.user is None


@pytest.mark.parametrize("method", ["XOAUTH2", "OAUTHBEARER"])
def test_the_explanation_may_be_given(method: str) -> None:
    line = Line()
    line.say(HELLO)
    message = b"user=u\1auth=Bearer t\1\1" if method == "XOAUTH2" else b"n,a=u,\1auth=Bearer t\1\1"
    line.smtp.receive_data(f"AUTH {method} ".encode() + b64encode(message) + b"\r\n")
    until(line, events.Authenticate)
    said = line.smtp.send(standard(535), detail={"status": "expired"})
    assert json.loads(b64decode(said[4:])) == {"status": "expired"}
    line.smtp.receive_data(b"\r\n")
    until(line, events.Response)
    assert line.smtp.send(standard(535)).startswith(b"535 ")


def test_scram_proves_that_the_server_knows_the_password_before_the_235() -> None:
    line = Line(auth={"user": "pencil"})
    line.say(HELLO)
    assert line.say(b"AUTH SCRAM-SHA-256 " + b64encode(b"n,,n=user,r=abc") + b"\r\n") == [334]
    first = b64decode(line.said[4:])
    assert first.startswith(b"r=abc")
    final = scram_final("pencil", "n=user,r=abc", first.decode())
    assert line.say(b64encode(final) + b"\r\n") == [334]
    assert b64decode(line.said[4:]).startswith(b"v=")
    assert line.session.user is None
    assert line.say(b"\r\n") == [235]
    assert line.session.user == "user"


def scram_final(password: str, client_first_bare: str, server_first: str) -> bytes:
    """RFC 5802 section 3, from the client's side."""
    import hashlib
    import hmac

    nonce, salt, count = (part[2:] for part in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), b64decode(salt), int(count))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    without_proof = f"c=biws,r={nonce}"
    signed = f"{client_first_bare},{server_first},{without_proof}".encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
    proof = bytes(left ^ right for left, right in zip(client_key, signature, strict=True))
    return f"{without_proof},p={b64encode(proof).decode()}".encode()


# --- TLS, proxies ------


def test_nothing_said_in_clear_survives_starttls() -> None:
    """RFC 3207 section 4.2: "The server MUST discard any knowledge obtained from the client"."""
    line = Line()
    line.say(HELLO)
    line.session.user = "in clear"
    assert line.say(b"STARTTLS\r\nMAIL FROM:<injected@example.com>\r\n") == [220]
    session = line.session
    assert session.tls is TLS
    assert session.secure
    assert (session.user, session.hostname_appears_as, session.opening_command) == (None, None, None)
    assert line.state is State.START
    assert "MAIL" not in session.commands
    assert line.say(MAIL) == [503]
    assert line.say(HELLO, b"STARTTLS\r\n") == [250, 503]
    assert session.transmission_type == "ESMTPS"


def test_starttls_inside_a_transaction_is_out_of_sequence() -> None:
    assert with_mail().say(b"STARTTLS\r\n") == [503]


def test_implicit_tls_greets_after_the_handshake() -> None:
    line = Line(greet=False, tls="implicit")
    assert line.state.name == "HANDSHAKE"
    assert line.say(b"") == [220]
    (connected,) = line.events
    assert isinstance(connected, events.Connected)
    assert [hook for hook, _ in connected.points] == ["connect", "secure"]


@pytest.mark.parametrize(("settings", "name"), [({"tls": "implicit"}, "HANDSHAKE"), ({}, "CONNECTED")])
def test_a_proxy_header_names_the_client_and_leaves_the_rest(settings: Any, name: str) -> None:
    line = Line(greet=False, proxy_protocol=True, **settings)
    line.smtp.receive_data(b"PROXY TCP4 192.0.2.1 192.0.2.2 4321 25\r\nclient hello")
    if name == "HANDSHAKE":
        assert line.smtp.next_event() is None
    else:
        assert isinstance(line.smtp.next_event(), events.Connected)
    assert line.state.name == name
    session = line.session
    assert (session.remote_address, session.remote_port, session.client_hostname) == ("192.0.2.1", 4321, "[192.0.2.1]")
    assert (session.local_address, session.local_port) == ("192.0.2.2", 25)
    assert line.smtp.release() == b"client hello"


def test_no_proxy_header_is_an_event_with_its_reason() -> None:
    line = Line(greet=False, proxy_protocol=True)
    line.smtp.receive_data(b"EHLO c\r\n")
    event = line.smtp.next_event()
    assert isinstance(event, events.BadProxyHeader)
    assert event.reason


def test_xclient_makes_the_client_someone_else_and_greets_again() -> None:
    line = Line(xclient=True)
    line.say(HELLO)
    line.session.user = "before"
    sent = (
        b"XCLIENT ADDR=IPV6:2001:db8::1 PORT=99 NAME=Host.Example HELO=h LOGIN=ada DESTADDR=192.0.2.9 DESTPORT=26\r\n"
    )
    assert line.say(sent) == [220]
    session = line.session
    assert (session.remote_address, session.remote_port, session.client_hostname) == ("2001:db8::1", 99, "host.example")
    assert (session.local_address, session.local_port) == ("192.0.2.9", 26)
    assert (session.hostname_appears_as, session.opening_command, session.user) == (None, None, "ada")
    assert dict(session.xclient)["HELO"] == "h"
    assert [hook for hook, _ in line.events[-1].points] == ["connect", "auth"]
    assert line.state is State.START


@pytest.mark.parametrize("value", [b"[UNAVAILABLE]", b"[tempunavail]"])
def test_what_xclient_does_not_know_is_none(value: bytes) -> None:
    line = Line(xclient=True)
    line.session.remote_address = "192.0.2.1"
    assert line.say(b"XCLIENT NAME=" + value + b" LOGIN=" + value + b"\r\n") == [220]
    assert dict(line.session.xclient) == {"NAME": None, "LOGIN": None}
    assert line.session.client_hostname == "[192.0.2.1]"
    assert line.session.user is None


def test_a_refused_xclient_changes_nothing() -> None:
    line = Line(xclient=True)
    line.answers["XCLIENT"] = 550
    assert line.say(b"XCLIENT ADDR=192.0.2.7\r\n") == [550]
    assert line.session.remote_address == ""
    assert dict(line.session.xclient) == {}


def test_xforward_is_kept_beside_the_clients_own_address() -> None:
    line = Line(xforward=True)
    line.session.remote_address = "192.0.2.1"
    assert line.say(b"XFORWARD NAME=n+20x ADDR=192.0.2.7\r\nXFORWARD PROTO=SMTP\r\n") == [250, 250]
    assert dict(line.session.xforward) == {"NAME": "n x", "ADDR": "192.0.2.7", "PROTO": "SMTP"}
    assert line.session.remote_address == "192.0.2.1"


# --- the rest ------


@pytest.mark.parametrize(
    ("hello", "name", "domain"), [(b"EHLO Client.Example\r\n", "ESMTP", "client.example"), (b"HELO c\r\n", "SMTP", "c")]
)
def test_a_greeting_is_remembered(hello: bytes, name: str, domain: str) -> None:
    line = Line()
    line.say(hello)
    assert (line.session.transmission_type, line.session.hostname_appears_as) == (name, domain)
    assert line.session.opening_command == hello[:4].decode()


def test_the_replies_of_the_server_name_it() -> None:
    line = Line(greet=False, hostname="mx.example", banner="at your service")
    line.say(b"")
    assert line.said == b"220 mx.example ESMTP at your service\r\n"
    line.say(b"HELO c\r\n")
    assert line.said == b"250 mx.example\r\n"
    lmtp = Line(greet=False, lmtp=True)
    lmtp.say(b"")
    assert lmtp.said == b"220 localhost LMTP\r\n"


def test_a_silent_client_and_one_too_many_are_told() -> None:
    line = Line()
    event = line.smtp.timed_out()
    assert event.points == ()
    assert event.default is not None
    assert line.smtp.send(event.default).startswith(b"421 4.4.2 ")
    assert line.state.name == "CLOSED"
    crowded = Line(greet=False)
    event = crowded.smtp.overloaded()
    assert event.default is not None
    assert crowded.smtp.send(event.default).startswith(b"421 4.3.2 ")
    assert crowded.state.name == "CLOSED"


def test_pipelined_commands_are_answered_in_order() -> None:
    """RFC 2920 section 3.2."""
    line = Line()
    codes = line.say(HELLO, MAIL, b"RCPT TO:<>\r\n", RCPT, b"DATA\r\n", b"x\r\n.\r\n", MAIL, b"RSET\r\n", b"QUIT\r\n")
    assert codes == [250, 250, 501, 250, 354, 250, 250, 250, 221]


def test_an_answer_of_several_lines_is_one_answer() -> None:
    line = Line()
    line.say(HELLO)
    line.smtp.receive_data(MAIL)
    until(line, events.Mail)
    assert line.smtp.send(Reply(250, None, "a\nb")) == b"250-a\r\n250 b\r\n"
    assert line.state is State.MAIL


# --- secrets ------


@pytest.mark.parametrize(
    ("settings", "before", "code"),
    [
        ({}, [], 503),
        ({}, [HELLO, MAIL], 503),
        ({"auth": None}, [HELLO], 502),
        ({"disable": {"AUTH"}}, [HELLO], 502),
        ({"auth_requires_tls": True}, [HELLO], 538),
        ({"require_tls": True}, [HELLO], 530),
        ({"auth_methods": ["PLAIN"]}, [HELLO], 504),
    ],
)
def test_what_follows_a_refused_auth_is_kept_secret(settings: Any, before: list[bytes], code: int) -> None:
    """A client that goes on as if it had been asked says its password as a command line."""
    line = Line(**settings)
    line.say(*before)
    assert line.say(b"AUTH LOGIN\r\n", b"czNjcmV0\r\n", b"\r\n", b"cGFzc3dvcmQ=\r\n")[0] == code
    told = [str(event.command) for event in line.events if event.command is not None]
    assert told[-3:] == ["***"] * 3
    assert line.session.commands[-4:] == ("AUTH", "***", "***", "***")
    line.say(b"NOOP\r\n")
    assert str(line.events[-1].command) == "NOOP"


@pytest.mark.parametrize("code", ["250 sure", "235 hello", None])
def test_what_follows_an_auth_that_a_rule_has_answered_in_its_own_way_is_kept_secret(code: str | None) -> None:
    line = Line()
    line.answers["AUTH"] = code
    line.say(HELLO, b"AUTH LOGIN\r\n", b"czNjcmV0\r\n", b"cGFzc3dvcmQ=\r\n")
    assert line.session.commands[-3:] == ("AUTH", "***", "***")


def test_what_follows_a_login_is_no_secret() -> None:
    line = Line()
    assert line.say(HELLO, b"AUTH PLAIN AGFkYQBzM2NyZXQ=\r\n", b"MIAL FROM:<a@b>\r\n") == [250, 235, 500]
    assert line.session.commands[-2:] == ("AUTH", "MIAL")


@pytest.mark.parametrize(("login", "user"), [(b"", "ada"), (b" LOGIN=[UNAVAILABLE]", None)])
def test_xclient_logs_out_only_if_it_names_a_login(login: bytes, user: str | None) -> None:
    line = Line(xclient=True)
    line.say(HELLO, b"AUTH PLAIN AGFkYQBzM2NyZXQ=\r\n", b"XCLIENT ADDR=192.0.2.7" + login + b"\r\n")
    assert line.session.user == user


def test_lmtp_keeps_a_message_for_those_whom_the_caller_names() -> None:
    line = with_mail(lmtp=True)
    line.say(b"RCPT TO:<c@example.com>\r\n")
    line.smtp.receive_data(b"DATA\r\nx\r\n.\r\n")
    until(line, events.Content)
    line.smtp.send(standard(554), standard(554), accepted=(False, True))
    assert line.smtp.envelope is not None
    assert (line.smtp.envelope.accepted, line.smtp.envelope.rcpt_to) == (True, ("c@example.com",))


def test_after_xclient_no_handshake_is_reported_again() -> None:
    line = Line(greet=False, tls="implicit", xclient=True)
    line.say(b"")
    line.say(HELLO, b"XCLIENT ADDR=192.0.2.7\r\n")
    hooks = [[hook for hook, _ in event.points] for event in line.events if isinstance(event, events.Connected)]
    assert hooks == [["connect", "secure"], ["connect"]]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("AUTH PLAIN AGFkYQBzM2NyZXQ=", "AUTH PLAIN ***"),
        ("auth plain =", "auth plain ***"),
        ("AUTH LOGIN YWRh czNjcmV0", "AUTH LOGIN ***"),
        ("AUTH SCRAM-SHA-256", "AUTH SCRAM-SHA-256"),
        ("AUTH AGFkYQBzM2NyZXQ=", "AUTH ***"),
        ("AUTH PLAIN=AGFkYQBzM2NyZXQ=", "AUTH ***"),
        ("AUTH=PLAIN AGFkYQBzM2NyZXQ=", "AUTH=PLAIN ***"),
        ("auth: AGFkYQBzM2NyZXQ=", "auth: ***"),
        ("\tAUTH\tPLAIN\tAGFkYQBzM2NyZXQ=", "AUTH\\tPLAIN ***"),
        ("AUTH", "AUTH"),
        ("AUTHOR x y", "AUTHOR x y"),
        ("NOOP x y", "NOOP x y"),
    ],
)
def test_a_secret_is_not_shown_whatever_is_wrong_with_the_command(sent: str, shown: str) -> None:
    assert str(events.Command(sent.encode())) == shown


@pytest.mark.parametrize(
    ("auth", "user"),
    [({"app": "t0ken", "other": "x"}, "app"), ("any", "")],
)
def test_a_token_without_a_name_logs_in(auth: Any, user: str) -> None:
    """RFC 7628 section 3.1: the authzid may be left out."""
    line = Line(auth=auth)
    token = b64encode(b"n,,\x01auth=Bearer t0ken\x01\x01")
    assert line.say(HELLO, b"AUTH OAUTHBEARER " + token + b"\r\n", MAIL) == [250, 235, 250]
    assert line.session.user == user
    assert line.session.transmission_type == "ESMTPA"


def test_a_strict_server_takes_no_parameters_after_helo() -> None:
    """RFC 5321 section 2.2.1: service extensions are for clients that have said EHLO."""
    line = Line(strict=True)
    assert line.say(b"HELO client.example\r\n", b"MAIL FROM:<a@b.example> SIZE=1\r\n", MAIL) == [250, 555, 250]
    assert Line().say(b"HELO client.example\r\n", b"MAIL FROM:<a@b.example> SIZE=1\r\n") == [250, 250]


@pytest.mark.parametrize("detail", ["ada", True, ["x"], None])
def test_only_a_mapping_explains_why_a_token_is_refused(detail: Any) -> None:
    line = Line()
    line.say(HELLO)
    token = b64encode(b"user=ada\x01auth=Bearer x\x01\x01")
    line.smtp.receive_data(b"AUTH XOAUTH2 " + token + b"\r\n")
    until(line, events.Authenticate)
    assert line.smtp.send(standard(535), detail=detail).startswith(b"535")
