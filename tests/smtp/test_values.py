"""Address and Session: values that hooks get and logs keep."""

from __future__ import annotations

import copy
import pickle

import pytest

from pytest_smtpd.smtp.address import Address, EnvelopeDSN, RecipientDSN
from pytest_smtpd.smtp.content import Attachment
from pytest_smtpd.smtp.events import Command
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Session, TLSInfo
from tests.smtp.helpers import TLS, with_mail


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("a@b.example", "a", "b.example"),
        ('"a@b"@c', '"a@b"', "c"),
        ("", "", ""),
        ("Postmaster", "Postmaster", ""),
        ("a@[IPv6:::1]", "a", "[IPv6:::1]"),
    ],
)
def test_an_address_is_a_str_with_two_sides(text: str, local: str, domain: str) -> None:
    address = Address(text)
    assert address == text
    assert isinstance(address, str)
    assert hash(address) == hash(text)
    assert (address.local, address.domain) == (local, domain)
    assert dict(address.args) == {}
    assert address.dsn == RecipientDSN()


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_an_address_keeps_its_parameters_when_it_is_copied(again: object) -> None:
    address = Address(
        "a@b", args={"SIZE": "1", "SMTPUTF8": True}, dsn=RecipientDSN(notify=("NEVER",), orcpt="rfc822;x")
    )
    copied = again(address)  # type: ignore[operator]
    assert (copied, copied.args, copied.dsn, copied.domain) == ("a@b", address.args, address.dsn, "b")


@pytest.mark.parametrize("opening", ["EHLO", "HELO", None])
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("user", [None, "ada"])
@pytest.mark.parametrize("lmtp", [False, True])
def test_the_transmission_type_is_that_of_rfc_3848(
    opening: str | None, secure: bool, user: str | None, lmtp: bool
) -> None:
    session = Session(id="x", lmtp=lmtp, opening_command=opening, user=user, tls=TLS if secure else None)
    base = "LMTP" if lmtp else "ESMTP" if opening == "EHLO" else "SMTP"
    assert session.transmission_type == base + ("S" if secure else "") + ("A" if user else "")
    assert session.secure is secure


def test_a_session_is_shown_in_one_line() -> None:
    session = Session(id="s1", remote_address="192.0.2.1", remote_port=9)
    assert repr(session) == "<Session s1 SMTP from 192.0.2.1:9 open>"
    session.closed, session.user = True, "ada"
    assert repr(session) == "<Session s1 SMTPA from 192.0.2.1:9 user='ada' closed>"
    assert repr(Session(id="s2")) == "<Session s2 SMTP from unknown open>"


def test_a_fresh_session_knows_nothing() -> None:
    session = Session(id="x")
    assert (session.envelope, session.recipients, session.commands, session.transaction) == (None, (), (), 1)
    assert (session.tls, session.user, session.error, session.hostname_appears_as) == (None, None, None, None)


def read_only_values() -> list[object]:
    line = with_mail()
    line.say(b"DATA\r\nSubject: x\r\n\r\n.\r\n")
    attachment = Attachment(filename="a.txt", content_type="text/plain", content=b"x")
    return [line.envelopes[0], Reply(250), TLS, RecipientDSN(), EnvelopeDSN(), attachment]


@pytest.mark.parametrize("name", ["mail_from", "code", "subject", "message", "text", "version", "ret", "other", "_x"])
def test_what_was_received_cannot_be_changed(name: str) -> None:
    """Properties and names that are none are refused like fields, with the same kind of error."""
    for value in read_only_values():
        with pytest.raises(AttributeError, match=f"cannot assign to '{name}' of <?"):
            setattr(value, name, "x")
        with pytest.raises(AttributeError, match=f"cannot delete '{name}' of <?"):
            delattr(value, name)


def test_tls_is_told_in_a_short_line() -> None:
    subject = {"subject": ((("organizationName", "trustme v1.2"),),), "subjectAltName": (("email", "a@x.example"),)}
    by_name = {"subject": ((("commonName", "Ada"),),), "serialNumber": "77" * 20}
    assert repr(TLS) == "<TLSInfo TLSv1.3 TLS_AES_256_GCM_SHA384>"
    assert repr(TLSInfo(version="TLSv1.2", server_name="mx", peer_certificate=subject)) == (
        "<TLSInfo TLSv1.2 mx client a@x.example>"
    )
    assert repr(TLSInfo(peer_certificate=by_name)) == "<TLSInfo client Ada>"
    assert repr(TLSInfo(peer_certificate={})) == "<TLSInfo client certificate>"


def test_the_repr_of_what_a_client_may_make_long_is_short() -> None:
    """Failure texts list them, one on each line."""
    assert repr(Command(b"NOOP " + b"x" * 5000)) == f"<Command 'NOOP {'x' * 75}...{'x' * 10}'>"
    assert len(repr(Reply(550, "5.1.1", "y" * 5000))) < 120
    assert repr(Session(id="s", user="z" * 5000)).count("z") < 100


def test_the_repr_of_a_session_tells_nothing_of_what_a_hook_made_its_user() -> None:
    assert " user=dict " in repr(Session(id="s", user={"name": "ada", "password": "s3cret"}))
    assert " user='ada' " in repr(Session(id="s", user="ada"))
    assert " user='' " in repr(Session(id="s", user=""))
