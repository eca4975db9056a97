"""Address, Session, Envelope, TLSInfo: values that hooks get and logs keep."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd.message import Message
from pytest_smtpd.smtp.address import Address, EnvelopeDSN, RecipientDSN
from pytest_smtpd.smtp.replies import Reply
from pytest_smtpd.smtp.session import Envelope, Session
from pytest_smtpd.smtp.tls import TLSInfo
from pytest_smtpd.smtp.values import endpoint, printable, short
from tests.smtp.core import TLS

COPIES = pytest.mark.parametrize(
    "copy_of",
    [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))],
    ids=["copy", "deepcopy", "pickle"],
)
NOBODY = {"mail_from": Address("a@b"), "rcpt_to": (), "session": Session("x"), "id": "x.1", "size": 0}


def envelope(content: bytes = b"", **fields: Any) -> Envelope:
    return Envelope(Message, content=content, **(NOBODY | fields))


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


@COPIES
def test_an_address_keeps_its_parameters_when_it_is_copied(copy_of: Callable[[Address], Address]) -> None:
    address = Address(
        "a@b", args={"SIZE": "1", "SMTPUTF8": True}, dsn=RecipientDSN(notify=("NEVER",), orcpt="rfc822;x")
    )
    copied = copy_of(address)
    assert (copied, copied.args, copied.dsn, copied.domain) == ("a@b", address.args, address.dsn, "b")


@COPIES
def test_wishes_for_delivery_reports_compare_by_value_and_can_be_copied(copy_of: Callable[[Any], Any]) -> None:
    for one, other in (
        (EnvelopeDSN(ret="FULL", envid="x"), EnvelopeDSN(ret="FULL")),
        (RecipientDSN(notify=("NEVER",), orcpt="rfc822;x"), RecipientDSN(notify=("NEVER",))),
    ):
        assert copy_of(one) == one != other
        assert hash(copy_of(one)) == hash(one) != hash(other)
        assert one != "FULL"
    assert repr(EnvelopeDSN(ret="FULL")) == "EnvelopeDSN(ret='FULL', envid=None)"
    assert repr(RecipientDSN(orcpt="a;b")) == "RecipientDSN(notify=(), orcpt='a;b')"


@pytest.mark.parametrize("opening", ["EHLO", "HELO", None])
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("user", [None, "ada", ""])
@pytest.mark.parametrize("lmtp", [False, True])
def test_the_transmission_type_is_that_of_rfc_3848(
    opening: str | None, secure: bool, user: str | None, lmtp: bool
) -> None:
    session = Session(id="x", lmtp=lmtp, opening_command=opening, user=user, tls=TLS if secure else None)
    base = "LMTP" if lmtp else "ESMTP" if opening == "EHLO" else "SMTP"
    assert session.transmission_type == base + ("S" if secure else "") + ("A" if user is not None else "")
    assert session.secure is secure


def test_a_session_is_shown_in_one_line() -> None:
    session = Session(id="s1", remote=("192.0.2.1", 9))
    assert repr(session) == "<Session s1 SMTP from 192.0.2.1:9 open>"
    session.closed, session.user = True, "ada"
    assert repr(session) == "<Session s1 SMTPA from 192.0.2.1:9 user='ada' closed>"
    assert repr(Session(id="s2")) == "<Session s2 SMTP from unknown open>"
    assert repr(Session(id="s3", remote=("2001:db8::1", 9))) == "<Session s3 SMTP from [2001:db8::1]:9 open>"
    assert repr(Session(id="s", user="z" * 5000)).count("z") < 100


def test_the_repr_of_a_session_tells_nothing_of_what_a_hook_made_its_user() -> None:
    assert " user=dict " in repr(Session(id="s", user={"name": "ada", "password": "s3cret"}))
    assert " user='' " in repr(Session(id="s", user=""))


def test_a_fresh_session_knows_its_ends_and_nothing_else() -> None:
    session = Session(id="x", remote=("192.0.2.1", 9), local=("192.0.2.2", 25))
    assert (session.envelope, session.recipients, session.commands, session.transaction) == (None, (), (), 1)
    assert (session.tls, session.user, session.error, session.hostname_appears_as) == (None, None, None, None)
    assert (session.server, session.closed, session.ended, session.notes) == ("smtpd", False, None, {})
    assert (session.remote_address, session.remote_port, session.client_hostname) == ("192.0.2.1", 9, "[192.0.2.1]")
    assert (session.local_address, session.local_port) == ("192.0.2.2", 25)
    assert Session(id="x").client_hostname == ""


def test_a_session_takes_no_attributes_but_its_own() -> None:
    with pytest.raises(AttributeError):
        Session(id="x").hostname = "a"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        Session(id="x", hostname="a")


def test_a_session_made_by_hand_cannot_read_messages() -> None:
    with pytest.raises(RuntimeError, match=r"Session\(id, read\)"):
        Session(id="x").read(b"")


@pytest.mark.parametrize(
    ("recipients", "subject", "accepted", "shown"),
    [
        ((), None, True, "<Envelope a@b -> nobody>"),
        (("c@d",), "Hi", True, "<Envelope a@b -> c@d 'Hi'>"),
        (("1@d", "2@d", "3@d"), None, False, "<Envelope a@b -> 1@d, 2@d, 3@d not accepted>"),
        (("1@d", "2@d", "3@d", "4@d"), None, True, "<Envelope a@b -> 1@d, 2@d and 2 more>"),
        (("c@d",), "x" * 100, True, f"<Envelope a@b -> c@d {'x' * 60!r}>"),
    ],
)
def test_an_envelope_is_shown_in_one_short_line(
    recipients: tuple[str, ...], subject: str | None, accepted: bool, shown: str
) -> None:
    content = b"" if subject is None else f"Subject: {subject}\r\n\r\n".encode()
    assert repr(envelope(content, rcpt_to=tuple(map(Address, recipients)), accepted=accepted)) == shown


def test_a_null_sender_is_shown_as_its_path() -> None:
    assert repr(envelope(mail_from=Address(""), accepted=True)) == "<Envelope <> -> nobody>"


def test_an_envelope_reads_its_message_once() -> None:
    mail = envelope(b"Subject: x\r\n\r\nSee https://example.com/\r\n")
    assert (mail.subject, mail.text, mail.html) == ("x", "See https://example.com/\n", None)
    assert (mail.attachments, mail.links) == ((), ("https://example.com/",))
    assert mail.message is mail.message
    assert mail.message["Subject"] == "x"
    assert "https://example.com/" in mail.snapshot()


@pytest.mark.parametrize("name", ["mail_from", "code", "subject", "message", "text", "version", "ret", "other", "_x"])
def test_what_was_received_cannot_be_changed(name: str) -> None:
    """Properties and names that are none are refused like fields, with the same kind of error."""
    for value in (envelope(), Reply(250), TLS, RecipientDSN(), EnvelopeDSN()):
        with pytest.raises(AttributeError, match=f"cannot assign to '{name}' of <?"):
            setattr(value, name, "x")
        with pytest.raises(AttributeError, match=f"cannot delete '{name}' of <?"):
            delattr(value, name)


@COPIES
def test_a_tls_session_can_be_copied(copy_of: Callable[[TLSInfo], TLSInfo]) -> None:
    copied = copy_of(TLSInfo(version="TLSv1.3", cipher="c", server_name="mx", peer_certificate={"subject": ()}))
    assert (copied.version, copied.cipher, copied.server_name) == ("TLSv1.3", "c", "mx")
    assert copied.peer_certificate == {"subject": ()}


def test_an_envelope_can_be_copied() -> None:
    mail = envelope(b"Subject: x\r\n\r\n", rcpt_to=(Address("c@d"),))
    assert repr(copy.copy(mail)) == repr(mail)
    assert copy.copy(mail).session is mail.session


def test_tls_is_told_in_a_short_line() -> None:
    subject = {"subject": ((("organizationName", "trustme v1.2"),),), "subjectAltName": (("email", "a@x.example"),)}
    by_name = {"subject": ((("commonName", "Ada"),),), "serialNumber": "77" * 20}
    assert repr(TLS) == "<TLSInfo TLSv1.3 TLS_AES_256_GCM_SHA384>"
    assert repr(TLSInfo(version="TLSv1.2", server_name="mx", peer_certificate=subject)) == (
        "<TLSInfo TLSv1.2 mx client a@x.example>"
    )
    assert repr(TLSInfo(peer_certificate=by_name)) == "<TLSInfo client Ada>"
    assert repr(TLSInfo(peer_certificate={})) == "<TLSInfo client certificate>"


def test_long_values_are_shortened_in_the_middle() -> None:
    """Failure texts list them, one on each line."""
    assert short("x" * 100) == "x" * 100
    assert short("a" * 80 + "b" * 100 + "c" * 10) == "a" * 80 + "..." + "c" * 10
    assert len(repr(Reply(550, "5.1.1", "y" * 5000))) < 120


def test_what_a_terminal_would_obey_or_a_reader_not_see_is_escaped() -> None:
    assert printable("Grüße 漢") == "Grüße 漢"
    assert printable("\x1b[2J\r\n\u202e\u2028\U000e0041\ud800") == "\\x1b[2J\\r\\n\\u202e\\u2028\\U000e0041\\ud800"


@pytest.mark.parametrize(("host", "shown"), [("192.0.2.1", "192.0.2.1:25"), ("2001:db8::1", "[2001:db8::1]:25")])
def test_an_endpoint_is_written_as_in_a_url(host: str, shown: str) -> None:
    """RFC 3986 section 3.2.2."""
    assert endpoint(host, 25) == shown
