"""What EHLO says, and the parameters of MAIL and RCPT: RFC 1870, 3030, 3461, 4954, 6152, 6531, 8689, 9422."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd.settings import make_settings
from pytest_smtpd.smtp.extensions import EXTENSIONS, ehlo_keywords, longest_command, read_parameters
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.session import Session
from tests.smtp.helpers import TLS

PLAIN = "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2 OAUTHBEARER"
ALWAYS = ["PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING", "BINARYMIME"]


def said(*, secure: bool = False, user: str | None = None, **given: Any) -> set[str]:
    return set(ehlo_keywords(make_settings(given), Session(id="x", tls=TLS if secure else None, user=user)))


def test_ehlo_lists_the_extensions_each_once() -> None:
    assert said() == {*ALWAYS, "STARTTLS", PLAIN}
    assert len(ehlo_keywords(make_settings({}), Session(id="x"))) == len(said())


@pytest.mark.parametrize(
    ("session", "given", "more", "less"),
    [
        ({}, {"size": 1000}, {"SIZE 1000"}, {"SIZE"}),
        ({}, {"size": 0}, {"SIZE 0"}, {"SIZE"}),
        ({"secure": True}, {}, {"REQUIRETLS"}, {"STARTTLS"}),
        ({"secure": True}, {"tls": "implicit"}, {"REQUIRETLS"}, {"STARTTLS"}),
        ({}, {"tls": None}, set(), {"STARTTLS"}),
        ({}, {"auth": None}, set(), {PLAIN}),
        ({}, {"auth": {"a": "b"}}, {f"{PLAIN} SCRAM-SHA-256"}, {PLAIN}),
        ({}, {"auth_methods": ["LOGIN"]}, {"AUTH LOGIN"}, {PLAIN}),
        ({}, {"auth_requires_tls": True}, set(), {PLAIN}),
        ({"secure": True}, {"auth_requires_tls": True}, {"REQUIRETLS"}, {"STARTTLS"}),
        ({"user": "ada"}, {}, set(), {PLAIN}),
        ({}, {"max_recipients": 5}, {"LIMITS RCPTMAX=5"}, set()),
        ({}, {"max_messages": 2}, {"LIMITS MAILMAX=2"}, set()),
        ({}, {"max_messages": 2, "max_recipients": 5}, {"LIMITS MAILMAX=2 RCPTMAX=5"}, set()),
        ({}, {"xclient": True}, {"XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"}, set()),
        ({}, {"xforward": True}, {"XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"}, set()),
        ({}, {"disable": ["BDAT"]}, set(), {"CHUNKING"}),
        ({}, {"disable": ["CHUNKING"]}, set(), {"CHUNKING", "BINARYMIME"}),
    ],
)
def test_ehlo_follows_settings_and_session(session: Any, given: Any, more: set[str], less: set[str]) -> None:
    usual = said()
    assert said(**session, **given) == (usual | more) - less
    assert less <= usual


def test_ehlo_follows_the_session_where_the_server_has_told_another_one() -> None:
    options, session = make_settings({"auth_requires_tls": True}), Session(id="x")
    assert {"STARTTLS", PLAIN} & set(ehlo_keywords(options, session)) == {"STARTTLS"}
    session.tls = TLS
    assert {"STARTTLS", PLAIN} & set(ehlo_keywords(options, session)) == {PLAIN}
    session.user = "ada"
    assert {"STARTTLS", PLAIN} & set(ehlo_keywords(options, session)) == set()
    assert {"STARTTLS", PLAIN} & set(ehlo_keywords(options, Session(id="y"))) == {"STARTTLS"}


@pytest.mark.parametrize("setting", ["hide", "disable"])
@pytest.mark.parametrize("keyword", sorted(EXTENSIONS))
def test_a_hidden_or_disabled_keyword_is_not_said(setting: str, keyword: str) -> None:
    everything: dict[str, Any] = {"xclient": True, "xforward": True, "max_messages": 1}
    words = {text.split()[0] for text in said(**{**everything, setting: [keyword]})}
    words |= {text.split()[0] for text in said(secure=True, **{**everything, setting: [keyword]})}
    assert keyword not in words
    assert set(EXTENSIONS) - words <= {keyword, "BINARYMIME"}


# --- parameters ------


def read(verb: str, *, secure: bool = False, given: Any = None, **parameters: str | bool) -> dict[str, Any]:
    session = Session(id="x", tls=TLS if secure else None)
    named = {name.replace("_", "-"): value for name, value in parameters.items()}
    return read_parameters(verb, named, make_settings(given or {}), session)


@pytest.mark.parametrize(
    ("verb", "parameters", "fields"),
    [
        ("MAIL", {}, {}),
        ("MAIL", {"SIZE": "0"}, {"size": 0}),
        ("MAIL", {"SIZE": "9" * 20}, {"size": int("9" * 20)}),
        ("MAIL", {"BODY": "7BIT"}, {"body_type": "7bit"}),
        ("MAIL", {"BODY": "8bitMime"}, {"body_type": "8bitmime"}),
        ("MAIL", {"BODY": "BINARYMIME"}, {"body_type": "binarymime"}),
        ("MAIL", {"SMTPUTF8": True}, {"smtp_utf8": True}),
        ("MAIL", {"RET": "full"}, {"ret": "FULL"}),
        ("MAIL", {"RET": "HDRS"}, {"ret": "HDRS"}),
        ("MAIL", {"ENVID": "QQ314159"}, {"envid": "QQ314159"}),
        ("MAIL", {"ENVID": "a+2Bb"}, {"envid": "a+b"}),
        ("MAIL", {"ENVID": "x" * 100}, {"envid": "x" * 100}),
        ("MAIL", {"AUTH": "<>"}, {"submitter": "<>"}),
        ("MAIL", {"AUTH": "e+3Dmc2@example.com"}, {"submitter": "e=mc2@example.com"}),
        ("RCPT", {"NOTIFY": "NEVER"}, {"notify": ("NEVER",)}),
        ("RCPT", {"NOTIFY": "success,Failure,DELAY"}, {"notify": ("SUCCESS", "FAILURE", "DELAY")}),
        ("RCPT", {"ORCPT": "rfc822;Carol+2Bx@Ivory.EDU"}, {"orcpt": "rfc822;Carol+x@Ivory.EDU"}),
        ("RCPT", {"ORCPT": "x400;/S+3DIvory;Carol/"}, {"orcpt": "x400;/S=Ivory;Carol/"}),
    ],
)
def test_parameters_fill_the_fields_of_the_envelope(verb: str, parameters: Any, fields: dict[str, Any]) -> None:
    assert read(verb, **parameters) == fields


@pytest.mark.parametrize(
    ("verb", "parameters", "code"),
    [
        ("MAIL", {"SIZE": True}, 501),
        ("MAIL", {"SIZE": "x"}, 501),
        ("MAIL", {"SIZE": "-1"}, 501),
        ("MAIL", {"SIZE": "1_0"}, 501),
        ("MAIL", {"SIZE": "\u0661"}, 501),
        ("MAIL", {"SIZE": "9" * 21}, 501),
        ("MAIL", {"BODY": True}, 501),
        ("MAIL", {"BODY": "9BIT"}, 501),
        ("MAIL", {"BODY": "8BıTMIME"}, 501),
        ("MAIL", {"SMTPUTF8": "yes"}, 501),
        ("MAIL", {"RET": True}, 501),
        ("MAIL", {"RET": "NONE"}, 501),
        ("MAIL", {"ENVID": True}, 501),
        ("MAIL", {"ENVID": "x" * 101}, 501),
        ("MAIL", {"ENVID": "a+2b"}, 501),
        ("MAIL", {"AUTH": True}, 501),
        ("MAIL", {"AUTH": "a+"}, 501),
        ("MAIL", {"REQUIRETLS": True}, 530),
        ("MAIL", {"REQUIRETLS": "x"}, 501),
        ("MAIL", {"NOTIFY": "NEVER"}, 555),
        ("MAIL", {"BY": "120"}, 555),
        ("MAIL", {"SIZE": "1", "MT_PRIORITY": "3"}, 555),
        ("RCPT", {"NOTIFY": True}, 501),
        ("RCPT", {"NOTIFY": "NEVER,SUCCESS"}, 501),
        ("RCPT", {"NOTIFY": "SUCCESS,"}, 501),
        ("RCPT", {"NOTIFY": "ALWAYS"}, 501),
        ("RCPT", {"ORCPT": True}, 501),
        ("RCPT", {"ORCPT": "rfc822"}, 501),
        ("RCPT", {"ORCPT": ";a@b"}, 501),
        ("RCPT", {"ORCPT": "rfc822;"}, 501),
        ("RCPT", {"ORCPT": "rfc822;a+b"}, 501),
        ("RCPT", {"SIZE": "1"}, 555),
    ],
)
def test_a_wrong_parameter_is_refused(verb: str, parameters: Any, code: int) -> None:
    with pytest.raises(Refused) as refused:
        read(verb, **parameters)
    assert refused.value.reply == code


def test_requiretls_needs_tls() -> None:
    assert read("MAIL", secure=True, REQUIRETLS=True) == {"require_tls": True}


@pytest.mark.parametrize(("size", "fits"), [("99", True), ("100", True), ("101", False), ("9" * 20, False)])
def test_a_message_that_says_it_is_too_big_is_refused_at_once(size: str, fits: bool) -> None:
    """RFC 1870 section 6.1."""
    if fits:
        assert read("MAIL", given={"size": 100}, SIZE=size) == {"size": int(size)}
        return
    with pytest.raises(Refused) as refused:
        read("MAIL", given={"size": 100}, SIZE=size)
    assert (refused.value.reply.code, refused.value.reply.enhanced) == (552, "5.3.4")


@pytest.mark.parametrize(
    ("keyword", "verb", "parameters"),
    [
        ("SIZE", "MAIL", {"SIZE": "1"}),
        ("8BITMIME", "MAIL", {"BODY": "8BITMIME"}),
        ("8BITMIME", "MAIL", {"BODY": "7BIT"}),
        ("BINARYMIME", "MAIL", {"BODY": "BINARYMIME"}),
        ("CHUNKING", "MAIL", {"BODY": "BINARYMIME"}),
        ("SMTPUTF8", "MAIL", {"SMTPUTF8": True}),
        ("DSN", "MAIL", {"RET": "FULL"}),
        ("DSN", "MAIL", {"ENVID": "x"}),
        ("DSN", "RCPT", {"NOTIFY": "NEVER"}),
        ("DSN", "RCPT", {"ORCPT": "rfc822;a"}),
        ("AUTH", "MAIL", {"AUTH": "<>"}),
    ],
)
def test_a_parameter_of_a_disabled_extension_is_a_555(keyword: str, verb: str, parameters: Any) -> None:
    assert read(verb, **parameters)
    assert read(verb, given={"hide": [keyword]}, **parameters)
    with pytest.raises(Refused) as refused:
        read(verb, given={"disable": [keyword]}, **parameters)
    assert (refused.value.reply.code, refused.value.reply.enhanced) == (555, "5.5.4")


def test_the_auth_parameter_is_unknown_where_auth_is_not_offered() -> None:
    with pytest.raises(Refused) as refused:
        read("MAIL", given={"auth": None}, AUTH="<>")
    assert refused.value.reply == 555


# RFC 1870 section 3, 6152 section 2, 6531 section 3.2, 3461 section 4, 4954 section 3, 8689 section 2.
@pytest.mark.parametrize(
    ("verb", "given", "octets"),
    [
        ("NOOP", {}, 512),
        ("RCPT", {}, 512 + 500 + 32),
        ("RCPT", {"disable": ["DSN"]}, 512),
        ("VRFY", {}, 521),
        ("MAIL", {"disable": ["SIZE", "8BITMIME", "SMTPUTF8", "DSN", "AUTH", "REQUIRETLS"]}, 512),
        ("MAIL", {"disable": ["8BITMIME", "SMTPUTF8", "DSN", "AUTH", "REQUIRETLS"]}, 538),
        ("MAIL", {"disable": ["SIZE", "8BITMIME", "DSN", "AUTH", "REQUIRETLS"]}, 522),
        ("MAIL", {"disable": ["SIZE", "8BITMIME", "SMTPUTF8", "DSN", "REQUIRETLS"]}, 1012),
    ],
)
def test_each_extension_makes_a_command_longer_by_what_its_rfc_says(verb: str, given: Any, octets: int) -> None:
    assert longest_command(verb, make_settings(given)) == octets


@pytest.mark.parametrize("keyword", sorted(EXTENSIONS))
def test_each_extension_names_its_specification(keyword: str) -> None:
    assert EXTENSIONS[keyword].rfc.startswith(("RFC ", "Postfix "))


_names = st.sampled_from(["SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH", "REQUIRETLS", "NOTIFY", "ORCPT", "X"])


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["MAIL", "RCPT"]),
    st.dictionaries(_names, st.one_of(st.just(True), st.text(max_size=8)), max_size=3),
    st.booleans(),
)
def test_no_value_makes_a_parameter_raise_anything_but_a_refusal(
    verb: str, given: dict[str, str | bool], secure: bool
) -> None:
    code = 501
    try:
        read(verb, secure=secure, **given)
    except Refused as refused:
        code = refused.reply.code
    assert code in (501, 530, 552, 555)
