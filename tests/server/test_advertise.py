"""``advertise``: further EHLO lines, and the parameters that are named like them."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest

from pytest_smtpd import SMTPServer
from tests.server.talk import ADA, BODY, DATA, HELLO, LHLO, MAIL, Connect, Serve, codes


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ("DELIVERBY 3600", ["DELIVERBY 3600"]),
        (["DELIVERBY 3600"], ["DELIVERBY 3600"]),
        (("XONE", "XTWO a b"), ["XONE", "XTWO a b"]),
        ({"XSET"}, ["XSET"]),
        ((), []),
    ],
)
@pytest.mark.parametrize("lmtp", [False, True])
def test_further_lines_are_offered_beside_the_others(
    serve: Serve, connect: Connect, given: Any, lines: list[str], lmtp: bool
) -> None:
    hello = LHLO if lmtp else HELLO
    usual = connect(serve(lmtp=lmtp)).say(hello).lines
    offered = connect(serve(lmtp=lmtp, advertise=given)).say(hello).lines
    assert [line for line in offered if line not in usual] == lines
    assert [line for line in offered if line in usual] == list(usual)


def test_helo_offers_nothing(serve: Serve, connect: Connect) -> None:
    assert len(connect(serve(advertise="XONE")).say("HELO client.example").lines) == 1


def test_a_client_of_the_standard_library_sees_them(serve: Serve) -> None:
    server: SMTPServer = serve(advertise=["DELIVERBY 3600", "XAPP"])
    with smtplib.SMTP(server.host, server.port, timeout=5) as client:
        client.ehlo("client.example")
        assert (client.esmtp_features["deliverby"], client.has_extn("xapp")) == ("3600", True)


def test_parameters_named_like_such_a_keyword_are_accepted_and_kept(serve: Serve, connect: Connect) -> None:
    server = serve(advertise=["DELIVERBY 3600", "XAPP"])
    wire = connect(server)
    codes(wire, HELLO)
    assert codes(wire, f"{MAIL} DELIVERBY=120;R xapp BODY=8BITMIME", f"{ADA} XAPP=1", DATA, BODY) == [
        250,
        250,
        354,
        250,
    ]
    envelope = server.one()
    assert dict(envelope.mail_from.args) == {"DELIVERBY": "120;R", "XAPP": True, "BODY": "8BITMIME"}
    assert dict(envelope.rcpt_to[0].args) == {"XAPP": "1"}
    assert envelope.body_type == "8bitmime"


def test_other_parameters_are_refused_as_ever(serve: Serve, connect: Connect) -> None:
    wire = connect(serve(advertise="XAPP"))
    assert codes(wire, HELLO, f"{MAIL} XOTHER=1", MAIL, f"{ADA} DELIVERBY=1", ADA) == [250, 555, 250, 555, 250]


def test_it_goes_by_connection_like_every_setting(serve: Serve, connect: Connect) -> None:
    one, other = serve(advertise="XONE"), serve(advertise="XTWO")
    assert "XONE" in connect(one).say(HELLO).keywords
    assert "XONE" not in connect(other).say(HELLO).keywords


@pytest.mark.parametrize("wrong", [5, b"XONE", [5], "two\r\nlines", ["", "XONE"], None])
def test_what_is_no_line_is_an_error_at_once(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"^advertise must be a collection of EHLO lines, like \['DELIVERBY 3600'\]"):
        SMTPServer(advertise=wrong)
