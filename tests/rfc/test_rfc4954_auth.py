"""RFC 4954: AUTH, whatever the mechanism."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.rfc.dialogue import EHLO, MAIL, MESSAGE, RCPT, Dialogue, dialogues
from tests.rfc.sasl import b64, plain
from tests.rfc.wire import Connect, Serve

GOOD, BAD = plain("ada", "s3cret"), plain("ada", "guess")
KNOWN = {"auth": {"ada": "s3cret"}}
LOGIN = f"C: AUTH PLAIN {GOOD}\nS: 235 2.7.0\n"
CANCEL = (
    'it issues a line with a single "*". If the server receives such a response, it MUST reject ... by sending a 501'
)
DECODE = "If the server cannot [BASE64] decode any client response, it MUST reject the AUTH command with a 501 reply"
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256")

EXCHANGES = (
    Dialogue(
        "initial_response",
        "4",
        "initial-response: an optional initial client response",
        LOGIN,
        after=EHLO,
        hooks="auth",
    ),
    Dialogue(
        "response_on_its_own_line",
        "4",
        "A server challenge is sent as a 334 reply with the text part containing the [BASE64] encoded string",
        f"C: AUTH PLAIN\nS: 334\nC: {GOOD}\nS: 235 2.7.0",
        after=EHLO,
        hooks="auth",
    ),
    Dialogue(
        "LOGIN_asks_twice",
        "4",
        "a series of server challenges and client responses that are specific to the chosen SASL mechanism",
        f"C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {b64('ada')}\nS: 334 UGFzc3dvcmQ6\nC: {b64('s3cret')}\nS: 235 2.7.0",
        after=EHLO,
        settings=KNOWN,
        hooks="auth",
    ),
    Dialogue(
        "LOGIN_takes_the_user_as_initial_response",
        "4",
        "initial-response: an optional initial client response",
        f"C: AUTH LOGIN {b64('ada')}\nS: 334 UGFzc3dvcmQ6\nC: {b64('s3cret')}\nS: 235 2.7.0",
        after=EHLO,
        settings=KNOWN,
    ),
    Dialogue(
        "mechanism_in_any_case",
        "4",
        "verbs and argument values are not case sensitive (RFC 5321 section 2.4)",
        f"C: auth plain {GOOD}\nS: 235",
        after=EHLO,
    ),
    Dialogue(
        "wrong_password_may_be_tried_again",
        "6",
        "535 5.7.8 Authentication credentials invalid",
        f"C: AUTH PLAIN {BAD}\nS: 535 5.7.8\nC: AUTH PLAIN {BAD}\nS: 535 5.7.8\n{LOGIN}",
        after=EHLO,
        settings=KNOWN,
        hooks="auth! auth! auth",
    ),
    Dialogue(
        "unknown_user",
        "6",
        "535 5.7.8 Authentication credentials invalid",
        f"C: AUTH PLAIN {plain('eve', 's3cret')}\nS: 535 5.7.8\nC: AUTH LOGIN {b64('eve')}\nS: 334\n"
        f"C: {b64('x')}\nS: 535 5.7.8",
        after=EHLO,
        settings=KNOWN,
    ),
    Dialogue(
        "after_success_no_more",
        "4",
        "After a successful AUTH command completes, a server MUST reject any further AUTH commands with a 503 reply",
        f"{LOGIN}C: AUTH PLAIN {GOOD}\nS: 503\nC: AUTH LOGIN\nS: 503\nC: RSET\nS: 250\nC: AUTH PLAIN {GOOD}\nS: 503",
        after=EHLO,
        hooks="auth",
    ),
    Dialogue(
        "not_inside_a_transaction",
        "4",
        "An AUTH command issued during a mail transaction MUST be rejected with a 503 reply",
        f"C: AUTH PLAIN {GOOD}\nS: 503\nC: DATA\nS: 354\n{MESSAGE}{LOGIN}",
        after=RCPT,
        hooks="mail_from rcpt_to data auth",
    ),
    Dialogue(
        "commands_are_responses_during_the_exchange",
        "4",
        "A client response consists of a line containing a string encoded as [BASE64]",
        "C: AUTH PLAIN\nS: 334\nC: QUIT\nS: 501/535\nC: NOOP\nS: 250",
        after=EHLO,
    ),
)

ERRORS = (
    *(
        Dialogue(
            f"cancel_{mechanism}",
            "4",
            CANCEL,
            f"C: AUTH {mechanism}\nS: 334\nC: *\nS: 501\nC: NOOP\nS: 250\n{LOGIN}",
            after=EHLO,
            settings=KNOWN,
            hooks="auth",
        )
        for mechanism in MECHANISMS
    ),
    Dialogue(
        "cancel_the_second_step",
        "4",
        CANCEL,
        f"C: AUTH LOGIN {b64('ada')}\nS: 334\nC: *\nS: 501\nC: NOOP\nS: 250",
        after=EHLO,
        hooks="",
    ),
    *(
        Dialogue(
            f"bad_base64_for_{mechanism}",
            "4",
            DECODE,
            f"C: AUTH {mechanism}\nS: 334\nC: ???\nS: 501 5.5.2\nC: NOOP\nS: 250",
            after=EHLO,
            settings=KNOWN,
            hooks="",
        )
        for mechanism in MECHANISMS
    ),
    *(
        Dialogue(f"bad_initial_base64_{text}", "4", DECODE, f"C: AUTH PLAIN {text}\nS: 501 5.5.2\n{LOGIN}", after=EHLO)
        for text in ("*", "A", "AGE", "AGEAYg=", "AGEA!Yg=", "AGEAYg==x", "ä")
    ),
    Dialogue(
        "unknown_mechanism",
        "4",
        "If the requested authentication mechanism is invalid ... the server rejects the AUTH command with a 504 reply",
        "C: AUTH KERBEROS_V4\nS: 504 5.5.4\nC: AUTH SCRAM-SHA-256\nS: 504 5.5.4",
        after=EHLO,
    ),
    Dialogue("no_mechanism", "4", "AUTH mechanism [initial-response]", "C: AUTH\nS: 501", after=EHLO),
    Dialogue(
        "two_initial_responses",
        "4",
        "AUTH mechanism [initial-response]",
        f"C: AUTH PLAIN {GOOD} {GOOD}\nS: 501",
        after=EHLO,
    ),
    Dialogue(
        "empty_initial_response_is_an_equals_sign",
        "4",
        "an initial response of zero length ... MUST instead transmit the response as a single equals sign",
        f"C: AUTH PLAIN =\nS: 501/535\n{LOGIN}",
        after=EHLO,
    ),
    *(
        Dialogue(
            f"PLAIN_{name}",
            "RFC 4616 section 2",
            "message = [authzid] UTF8NUL authcid UTF8NUL passwd",
            f"C: AUTH PLAIN {b64(text)}\nS: 501/535\n{LOGIN}",
            after=EHLO,
            hooks="auth",
        )
        for name, text in (
            ("no_NUL", b"ada"),
            ("one_NUL", b"ada\0x"),
            ("three_NUL", b"\0a\0b\0c"),
            ("no_utf8", b"\0\xff\0x"),
        )
    ),
)

LIMIT = 12288
LONG = plain("ada", "p" * 9205)

LENGTHS = (
    *tuple(
        Dialogue(
            f"response_of_12288_octets_{name}",
            "4",
            "servers MUST be able to handle the maximum encoded size of challenges and responses ... 12288 octets",
            f"{script}S: 235",
            after=EHLO,
            settings={"strict": strict},
        )
        for name, strict, script in (
            ("initial", False, f"C: AUTH PLAIN {LONG}\n"),
            ("own_line", True, f"C: AUTH PLAIN\nS: 334\nC: {LONG}\n"),
        )
    ),
    Dialogue(
        "response_over_12288_octets",
        "4",
        "500 5.5.6 Authentication Exchange line is too long",
        f"C: AUTH PLAIN\nS: 334\nC: {plain('ada', 'p' * 20000)}\nS: 500 5.5.6\nC: NOOP\nS: 250",
        after=EHLO,
        settings={"strict": True},
    ),
)

REQUIRED = "530 5.7.0 Authentication required"
POLICY = (
    Dialogue(
        "authentication_required_before_MAIL",
        "6",
        REQUIRED,
        f"C: MAIL FROM:<ann@client.example>\nS: 530 5.7.0\nC: NOOP\nS: 250\n{LOGIN}{MAIL.removeprefix(EHLO)}",
        after=EHLO,
        settings={"require_auth": True},
        hooks="auth mail_from",
    ),
    Dialogue(
        "known_users_make_it_required",
        "6",
        REQUIRED,
        "C: MAIL FROM:<>\nS: 530 5.7.0",
        after=EHLO,
        settings=KNOWN,
        hooks="",
    ),
    Dialogue("known_users_but_not_required", "6", REQUIRED, MAIL, settings={**KNOWN, "require_auth": False}),
    Dialogue(
        "not_in_clear",
        "4",
        "538 5.7.11 Encryption required for requested authentication mechanism",
        f"{EHLO}E! AUTH\nC: AUTH PLAIN {GOOD}\nS: 538 5.7.11\nC: STARTTLS\nS: 220\nTLS\n{EHLO}{LOGIN}",
        settings={"auth_requires_tls": True},
        hooks="secure auth",
    ),
    Dialogue(
        "no_AUTH_at_all",
        "3",
        "The EHLO keyword value associated with this extension is AUTH",
        f"{EHLO}E! AUTH\nC: AUTH PLAIN {GOOD}\nS: 500/502/503/504\n{MAIL.removeprefix(EHLO)}",
        settings={"auth": None},
        hooks="mail_from",
    ),
    Dialogue(
        "disabled_AUTH",
        "RFC 5321 section 4.2.4",
        "502 SHOULD be used when the command is actually recognized by the SMTP server, but not implemented",
        f"{EHLO}E! AUTH\nC: AUTH PLAIN {GOOD}\nS: 502 5.5.1",
        settings={"disable": {"AUTH"}},
        hooks="",
    ),
    Dialogue(
        "hidden_AUTH_still_works",
        "3",
        "The EHLO keyword value associated with this extension is AUTH",
        f"{EHLO}E! AUTH\n{LOGIN}",
        settings={"hide": {"AUTH"}},
    ),
    *(
        Dialogue(
            f"MAIL_{value}",
            "5",
            "the xtext mechanism ... in order to encode any illegal characters",
            f"C: MAIL FROM:<a@x.example> {value}\nS: {codes}",
            after=EHLO,
        )
        for value, codes in (
            ("AUTH=<>", "250"),
            ("AUTH=e+3Dmc2@example.com", "250"),
            ("AUTH", "501"),
            ("AUTH=", "501"),
            ("AUTH=a+zz@example.com", "501"),
        )
    ),
)


@dialogues(EXCHANGES, ERRORS, LENGTHS, POLICY)
def test_auth(dialogue: Dialogue, converse: Callable[[Dialogue], None]) -> None:
    converse(dialogue)


ALL = set(MECHANISMS)


@pytest.mark.parametrize(
    ("settings", "offered"),
    [
        ({}, ALL - {"SCRAM-SHA-256"}),
        ({"auth": {"ada": "x"}}, ALL),
        ({"auth_methods": ("LOGIN",)}, {"LOGIN"}),
        ({"auth": {"ada": "x"}, "auth_methods": ["SCRAM-SHA-256", "PLAIN"]}, {"SCRAM-SHA-256", "PLAIN"}),
    ],
    ids=["any", "dict", "LOGIN", "two"],
)
def test_ehlo_offers_the_mechanisms_and_auth_takes_no_other(
    serve: Serve, client: Connect, settings: dict[str, object], offered: set[str]
) -> None:
    """Section 3: "The AUTH EHLO keyword contains as a parameter a space-separated list of the names"."""
    wire = client(serve(**settings))
    reply = wire.say("EHLO client.example")
    assert set(reply.keywords["AUTH"].split(" ")) == offered
    for mechanism in MECHANISMS:
        reply = wire.say(f"AUTH {mechanism}")
        assert reply.code == (334 if mechanism in offered else 504), mechanism
        if mechanism in offered:
            assert wire.say("*").code == 501
