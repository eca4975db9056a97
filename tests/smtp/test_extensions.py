"""What EHLO says, and the parameters of MAIL and RCPT: RFC 1870, 3030, 3461, 4954, 6152, 6531, 8689, 9422."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd.settings import make_settings
from pytest_smtpd.smtp.address import EnvelopeDSN, RecipientDSN
from pytest_smtpd.smtp.extensions import EXTENSIONS, ehlo_keywords, longest_command, read_parameters
from pytest_smtpd.smtp.grammar import Refused
from pytest_smtpd.smtp.session import Session
from tests.smtp.core import TLS

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


# --- parameters ------


def read(verb: str, *, secure: bool = False, given: Any = None, **parameters: str | bool) -> dict[str, Any]:
    session = Session(id="x", tls=TLS if secure else None)
    named = {name.replace("_", "-"): value for name, value in parameters.items()}
    return read_parameters(verb, named, make_settings(given or {}), session)


@pytest.mark.parametrize(
    ("verb", "parameters", "attributes"),
    [
        ("MAIL", {}, {}),
        ("MAIL", {"SIZE": "0"}, {}),
        ("MAIL", {"SIZE": "9" * 20}, {}),
        ("MAIL", {"BODY": "7BIT"}, {"body_type": "7bit"}),
        ("MAIL", {"BODY": "8bitMime"}, {"body_type": "8bitmime"}),
        ("MAIL", {"BODY": "BINARYMIME"}, {"body_type": "binarymime"}),
        ("MAIL", {"SMTPUTF8": True}, {"smtp_utf8": True}),
        ("MAIL", {"RET": "full"}, {"dsn": EnvelopeDSN(ret="FULL")}),
        ("MAIL", {"RET": "HDRS"}, {"dsn": EnvelopeDSN(ret="HDRS")}),
        ("MAIL", {"ENVID": "QQ314159"}, {"dsn": EnvelopeDSN(envid="QQ314159")}),
        ("MAIL", {"ENVID": "a+2Bb"}, {"dsn": EnvelopeDSN(envid="a+b")}),
        ("MAIL", {"ENVID": "x" * 100}, {"dsn": EnvelopeDSN(envid="x" * 100)}),
        ("MAIL", {"AUTH": "<>"}, {}),
        ("MAIL", {"AUTH": "e+3Dmc2@example.com"}, {}),
        ("MAIL", {"RET": "FULL", "ENVID": "x"}, {"dsn": EnvelopeDSN(ret="FULL", envid="x")}),
        ("MAIL", {"SIZE": "1", "SMTPUTF8": True, "RET": "HDRS"}, {"smtp_utf8": True, "dsn": EnvelopeDSN(ret="HDRS")}),
        ("RCPT", {"NOTIFY": "DELAY", "ORCPT": "a;b"}, {"dsn": RecipientDSN(notify=("DELAY",), orcpt="a;b")}),
        ("RCPT", {"NOTIFY": "NEVER"}, {"dsn": RecipientDSN(notify=("NEVER",))}),
        ("RCPT", {"NOTIFY": "success,Failure,DELAY"}, {"dsn": RecipientDSN(notify=("SUCCESS", "FAILURE", "DELAY"))}),
        ("RCPT", {"ORCPT": "rfc822;Carol+2Bx@Ivory.EDU"}, {"dsn": RecipientDSN(orcpt="rfc822;Carol+x@Ivory.EDU")}),
        ("RCPT", {"ORCPT": "x400;/S+3DIvory;Carol/"}, {"dsn": RecipientDSN(orcpt="x400;/S=Ivory;Carol/")}),
    ],
)
def test_parameters_fill_the_attributes_of_envelope_and_address(
    verb: str, parameters: Any, attributes: dict[str, Any]
) -> None:
    assert read(verb, **parameters) == attributes


@pytest.mark.parametrize(
    ("verb", "parameters", "code"),
    [
        ("MAIL", {"SIZE": "1_0"}, 501),
        ("MAIL", {"BODY": True}, 501),
        ("MAIL", {"RET": "HDR"}, 501),
        ("MAIL", {"AUTH": "a+"}, 501),
        ("MAIL", {"REQUIRETLS": True}, 530),
        ("MAIL", {"REQUIRETLS": "x"}, 501),
        ("MAIL", {"NOTIFY": "NEVER"}, 555),
        ("MAIL", {"SIZE": "1", "MT_PRIORITY": "3"}, 555),
        ("RCPT", {"NOTIFY": "SUCCESS,"}, 501),
        ("RCPT", {"ORCPT": "rfc822"}, 501),
        ("RCPT", {"ORCPT": "rfc822;"}, 501),
        ("RCPT", {"SIZE": "1"}, 555),
    ],
)
def test_a_wrong_parameter_is_refused(verb: str, parameters: Any, code: int) -> None:
    """More of them are in ``tests/rfc``, by RFC."""
    with pytest.raises(Refused) as refused:
        read(verb, **parameters)
    assert refused.value.reply == code


def test_requiretls_needs_tls() -> None:
    assert read("MAIL", secure=True, REQUIRETLS=True) == {"require_tls": True}


@pytest.mark.parametrize(
    ("keyword", "verb", "parameters"),
    [
        ("8BITMIME", "MAIL", {"BODY": "7BIT"}),
        ("CHUNKING", "MAIL", {"BODY": "BINARYMIME"}),
        ("AUTH", "MAIL", {"AUTH": "<>"}),
    ],
)
def test_a_parameter_of_a_disabled_extension_is_a_555(keyword: str, verb: str, parameters: Any) -> None:
    assert read(verb, given={"hide": [keyword]}, **parameters) == read(verb, **parameters)
    with pytest.raises(Refused) as refused:
        read(verb, given={"disable": [keyword]}, **parameters)
    assert (refused.value.reply.code, refused.value.reply.enhanced) == (555, "5.5.4")


def test_parameters_of_an_advertised_keyword_are_taken_and_left_to_the_test() -> None:
    given: dict[str, Any] = {"advertise": ["DELIVERBY 3600", "x-flag"]}
    assert read("MAIL", given=given, DELIVERBY="120;R", SMTPUTF8=True) == {"smtp_utf8": True}
    assert read("RCPT", given=given, X_FLAG=True) == {}
    assert said(**given) == {*ALWAYS, "STARTTLS", PLAIN, "DELIVERBY 3600", "x-flag"}
    with pytest.raises(Refused) as refused:
        read("RCPT", given=given, DELIVERBY_2="x")
    assert refused.value.reply == 555


@pytest.mark.parametrize(("opening", "code"), [("HELO", 555), ("EHLO", 250)])
def test_strict_takes_no_parameters_after_helo(opening: str, code: int) -> None:
    """RFC 5321 section 2.2.1: service extensions are for clients that have said EHLO."""
    session, found = Session(id="x", opening_command=opening), 250
    try:
        read_parameters("MAIL", {"SIZE": "1"}, make_settings({"strict": True}), session)
    except Refused as refused:
        found = refused.reply.code
    assert found == code
    assert read_parameters("MAIL", {"SIZE": "1"}, make_settings({}), session) == {}


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
