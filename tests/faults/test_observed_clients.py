"""What CPython's smtplib and aiosmtplib make of the rows: the faults are real, since both stumble over them.

`open` says that the client was left with an open connection after the error; `|` stands between outcomes of which one
or the other comes, as the race between a reset and a read goes, or as the version of Python names it.
"""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass

import aiosmtplib
import pytest

from pytest_smtpd import SMTPServer, SMTPServerFactory, on
from tests.faults.catalogue import SECTIONS
from tests.faults.clients import CLIENTS, RECIPIENTS, SENDER, Errand
from tests.faults.stage import MESSAGE
from tests.faults.vocabulary import End, Way, evaluate

PLAIN = Errand()
IMPATIENT = Errand(timeout=0.4)
TLS = Errand(starttls=True)
UNVERIFIED = Errand(starttls=True, verify=False)
LOGIN = Errand(login=True)
IMPATIENT_LOGIN = Errand(login=True, timeout=0.4)
IMPATIENT_TLS = Errand(starttls=True, timeout=0.4)
BIG = Errand(size=8_000_000)
BIG_IMPATIENT = Errand(size=8_000_000, timeout=0.4)

GONE = "SMTPServerDisconnected"
SLOW = "SMTPReadTimeoutError"
FINE = "delivered"
UNTRUSTED = "SSLCertVerificationError"
NO_HANDSHAKE = "SSLEOFError, open|SSLZeroReturnError, open"  # the latter before Python 3.11.3


@dataclass(frozen=True)
class Seen:
    """What became of an errand in one way of one row."""

    id: str
    number: int
    smtplib: str
    aiosmtplib: str
    kept: int = 0
    errand: Errand = PLAIN
    kept_for_aiosmtplib: int | None = None

    @property
    def way(self) -> Way:
        return next(f.ways[self.number] for s in SECTIONS for f in s.faults if f.id == self.id)

    def __str__(self) -> str:
        return f"{self.id}-{self.number}"


def both(row: str, outcome: str, *numbers: int, kept: int = 0, errand: Errand = PLAIN) -> Iterator[Seen]:
    """Rows in which the clients agree, for several ways."""
    return (Seen(row, number, outcome, outcome, kept, errand) for number in numbers or (0,))


SEEN = (
    # the connection and the greeting
    Seen("C01", 0, "ConnectionRefusedError", "SMTPConnectError"),
    Seen("C03", 0, GONE, "SMTPConnectError"),
    Seen("C04", 0, f"{GONE}|ConnectionResetError", "SMTPConnectError"),
    Seen("C05", 0, GONE, "SMTPConnectTimeoutError", errand=IMPATIENT),
    *both("C06", FINE, kept=1),
    Seen("C07", 0, "SMTPConnectError(554)", "SMTPConnectResponseError(554)"),
    Seen("C08", 0, "SMTPConnectError(421)", "SMTPConnectResponseError(421)"),
    Seen("C09", 0, "SMTPConnectError(421)", "SMTPConnectResponseError(421)"),
    *both("C10", FINE, kept=1),
    *both("C11", FINE, 0, 1, kept=1),
    *both("C12", FINE, kept=1),
    Seen("C13", 0, GONE, "SMTPConnectError"),
    Seen("C14", 0, GONE, "SMTPConnectTimeoutError", errand=IMPATIENT),
    Seen("C16", 0, "SMTPConnectError(-1)", "SMTPResponseException(-1)"),
    Seen("C16", 1, "SMTPConnectError(-1)", "SMTPResponseException(-1)"),
    Seen("C17", 0, "SMTPConnectError(666)", "SMTPConnectResponseError(666)"),
    Seen("C18", 0, "SMTPConnectError(233)", "SMTPConnectResponseError(233)"),
    Seen("C18", 1, "SMTPConnectError(250)", "SMTPConnectResponseError(250)"),
    Seen("C19", 0, "SMTPConnectError(450)", "SMTPConnectResponseError(450)"),
    Seen("C20", 1, "SMTPResponseException(500)", "SMTPResponseException(-1)"),
    Seen("C21", 0, GONE, "SMTPResponseException(-1)", errand=IMPATIENT),
    *both("C22", FINE, kept=1),
    *both("C23", GONE),
    Seen("C24", 0, "SMTPDataError(250), open", SLOW, errand=IMPATIENT),
    *both("C25", FINE, kept=1),
    # EHLO
    *both("E01", FINE, 0, 1, 2, kept=1),
    *both("E02", FINE, kept=1),
    Seen("E03", 0, GONE, "SMTPHeloError(421)"),
    *both("E04", GONE, 0, 1),
    Seen("E05", 0, GONE, SLOW, errand=IMPATIENT),
    *both("E06", "SMTPHeloError(550), open"),
    *both("E07", FINE, kept=1),
    *both("E08", FINE, kept=1),
    Seen("E09", 0, GONE, SLOW, errand=IMPATIENT),
    Seen("E10", 0, "SMTPDataError(250), open", "SMTPResponseException(-1), open"),
    Seen("E11", 0, "SMTPDataError(250), open", SLOW, errand=IMPATIENT),
    Seen("E12", 0, FINE, "SMTPResponseException(-1), open", 1, kept_for_aiosmtplib=0),
    Seen("E13", 0, "SMTPSenderRefused(421)", GONE),
    *both("E15", FINE, 0, 1, 2, 3, 4, kept=1),
    *both("E22", "delivered, but dave 452", kept=1),
    # STARTTLS
    *both("S02", "SMTPResponseException(454), open", errand=TLS),
    *both("S03", "SMTPResponseException(502), open", errand=TLS),
    *both("S04", GONE, 0, 1, errand=TLS),
    *(Seen("S01", number, "SMTPNotSupportedError, open", "SMTPException, open", errand=TLS) for number in (0, 1, 2)),
    Seen("S05", 0, NO_HANDSHAKE, GONE, errand=TLS),
    Seen("S06", 0, "ConnectionResetError, open", GONE, errand=TLS),
    Seen("S07", 0, "TimeoutError, open", "SMTPTimeoutError", errand=IMPATIENT_TLS),
    Seen("S08", 0, "SSLError, open", "SSLError", errand=TLS),
    *both("S09", FINE, kept=1, errand=TLS),  # both throw the injected reply away
    *(Seen(row, 0, UNTRUSTED + ", open", UNTRUSTED, errand=TLS) for row in ("S10", "S11", "S12", "S14")),
    Seen("S13", 0, FINE, FINE, 1, UNVERIFIED),
    Seen("S13", 1, FINE, FINE, 1, UNVERIFIED),
    Seen("S13", 2, FINE, FINE, 1, UNVERIFIED),
    *(Seen(row, n, "SSLError, open", "SSLError", errand=TLS) for row in ("S15", "S16") for n in (0, 1)),
    *both("S18", GONE, errand=TLS),  # the handshake succeeds, and the next command fails
    Seen("S19", 0, "ConnectionResetError, open", GONE, errand=TLS),
    *both("S20", GONE, 0, 1, errand=TLS),
    Seen("S21", 0, GONE, "SMTPHeloError(421)", errand=TLS),
    # AUTH
    *(Seen("A01", number, "SMTPNotSupportedError, open", "SMTPException, open", errand=LOGIN) for number in (0, 1)),
    *both("A02", "SMTPException, open", errand=LOGIN),
    *both("A03", "SMTPAuthenticationError(535), open", 1, errand=LOGIN),
    *both("A04", "SMTPAuthenticationError(534), open", errand=LOGIN),
    *both("A05", "SMTPAuthenticationError(454), open", errand=LOGIN),
    *both("A06", "SMTPAuthenticationError(432), open", errand=LOGIN),
    *both("A07", "SMTPAuthenticationError(538), open", 1, errand=LOGIN),
    *both("A08", "SMTPSenderRefused(530), open"),
    *both("A09", GONE, 0, 1, 2, errand=LOGIN),
    Seen("A10", 0, GONE, SLOW, errand=IMPATIENT_LOGIN),
    Seen("A11", 1, "Error, open", FINE, errand=LOGIN, kept_for_aiosmtplib=1),  # the error is base64's
    Seen("A12", 0, "SMTPException, open", "SMTPAuthenticationError(334), open", errand=LOGIN),
    *both("A13", "SMTPAuthenticationError(501), open", errand=LOGIN),
    Seen("A15", 0, FINE, "SMTPAuthenticationError(503), open", 1, LOGIN, kept_for_aiosmtplib=0),
    # MAIL
    *both("M01", "SMTPSenderRefused(451), open"),
    *both("M02", "SMTPSenderRefused(452), open"),
    *both("M03", "SMTPSenderRefused(421)", 0, 1),
    *both("M04", "SMTPSenderRefused(550), open"),
    *both("M07", "SMTPSenderRefused(504), open", 1),
    *both("M12", GONE, 0, 1),
    Seen("M12", 2, GONE, SLOW, errand=IMPATIENT),
    Seen("M13", 0, "SMTPRecipientsRefused(421)", GONE),
    Seen("M14", 0, "SMTPDataError(250), open", SLOW, errand=IMPATIENT),
    # RCPT
    *both("R01", "delivered, but bob 550", 0, 1, kept=1),
    *both("R02", "SMTPRecipientsRefused(550, 550, 550), open"),
    *both("R03", "delivered, but bob 450", kept=1),
    *both("R04", "SMTPRecipientsRefused(450, 450, 450), open"),
    *both("R05", "delivered, but dave 452", kept=1),
    *both("R06", "delivered, but dave 552", kept=1),
    *both("R07", "delivered, but dave 451", kept=1),
    Seen("R08", 0, "SMTPRecipientsRefused(421)", GONE),  # bob, who had been accepted, is in neither
    *both("R09", FINE, kept=1),
    *both("R09", "delivered, but bob 252", 1, kept=1),  # bob was accepted, and the message delivered to him
    *both("R10", "delivered, but bob 551", kept=1),
    *both("R11", "delivered, but bob 452", kept=1),
    *both("R16", GONE, 0, 1),
    Seen("R16", 2, GONE, SLOW, errand=IMPATIENT),
    *both("R18", FINE),
    *both("R18", FINE, 1, kept=1),
    # DATA
    Seen("D01", 0, "SMTPDataError(421), open", "SMTPDataError(421)"),
    *both("D02", "SMTPDataError(451), open"),
    *both("D03", "SMTPDataError(503), open"),
    *both("D04", "SMTPDataError(250), open"),
    *both("D06", GONE, 0, 1),
    Seen("D06", 2, GONE, SLOW, errand=IMPATIENT),
    Seen("D07", 0, "SMTPDataError(421)", GONE),
    # the message
    *both("B01", GONE, errand=BIG),
    *both("B02", GONE, errand=BIG),
    Seen("B03", 0, GONE, SLOW, errand=BIG_IMPATIENT),
    Seen("B05", 0, f"{GONE}|SMTPDataError(552)", f"{GONE}|SMTPDataError(552)", errand=BIG),
    # the reply after it
    *both("X01", "SMTPDataError(451), open"),
    *both("X02", "SMTPDataError(550), open"),
    *both("X03", "SMTPSenderRefused(552), open"),  # both announce the size
    *both("X03", "SMTPDataError(552), open", 1),
    *both("X05", "SMTPDataError(421)"),
    Seen("X05", 1, "SMTPDataError(421)", "SMTPDataError(421), open"),
    *both("X06", GONE, 0, 1),
    *both("X07", GONE, 0, 1, kept=1),
    Seen("X08", 0, GONE, SLOW, 1, IMPATIENT),
    *both("X09", FINE, kept=1),
    *both("X10", "SMTPDataError(200), open", kept=1),
    *both("X11", "SMTPDataError(354), open"),
    *both("X12", "SMTPDataError(666), open"),
    *both("X12", "SMTPDataError(25), open", 1, kept=1),
    Seen("X12", 3, "SMTPDataError(-1), open", "SMTPResponseException(-1), open", 1),
    Seen("X13", 0, GONE, GONE, 1),  # smtplib takes the torn line for a yes, and fails at QUIT
    Seen("X14", 0, GONE, SLOW, 1, IMPATIENT),
    *both("X15", "SMTPDataError(550), open"),
    Seen("X16", 0, "SMTPDataError(-1), open", "SMTPResponseException(-1), open", 1),
    Seen("X17", 0, FINE, "SMTPResponseException(250)|SMTPResponseException(250), open", 1),
    Seen("X18", 0, FINE, GONE, 1),
    *both("X20", "SMTPDataError(550), open", 0, 1),
    *both("X23", FINE, kept=1),
    # a connection that is kept
    *both("Q01", GONE, kept=1),
    Seen("Q02", 1, GONE, SLOW, 1, IMPATIENT),
    Seen("Q03", 0, FINE, "SMTPResponseException(421)", 1),
    *both("Q04", "SMTPRecipientsRefused(550, 550, 550)", 1),
    *both("L05", "SMTPDataError(451), open"),
    *both("L09", "SMTPRecipientsRefused(552, 552, 550), open"),
)


def _served(way: Way, factory: SMTPServerFactory) -> SMTPServer:
    if way.is_statement:
        server = factory()
        server.stop()
        return server
    given = evaluate(way.line, on)
    return factory(on=given.rules, **given.settings)


# CPython's SSLSocket leaves its socket to the collector when the peer is gone before the handshake begins.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.wide
@pytest.mark.parametrize("client", sorted(CLIENTS))
@pytest.mark.parametrize("seen", SEEN, ids=str)
def test_a_client_meets_the_fault(seen: Seen, client: str, smtpd_factory: SMTPServerFactory) -> None:
    server = _served(seen.way, smtpd_factory)
    outcome = str(CLIENTS[client](server, seen.errand))
    if seen.way.end is End.BLOCKED:
        server.stop()  # it does not read, so it cannot notice that the client has gone
    server.wait_closed()
    assert outcome in getattr(seen, client).split("|")
    other = seen.kept_for_aiosmtplib if client == "aiosmtplib" else None
    assert len(server.envelopes) == (seen.kept if other is None else other)


def _client(server: SMTPServer) -> smtplib.SMTP:
    return smtplib.SMTP(server.host, server.port, "client.example.org", timeout=5)


@pytest.mark.parametrize("client", sorted(CLIENTS))
@pytest.mark.smtpd_on("connect", raw=b"554 5.3.2 No mail here\r\n")
def test_no_client_says_goodbye_to_a_server_that_refused_it(client: str, smtpd: SMTPServer) -> None:
    """C07"""
    CLIENTS[client](smtpd, PLAIN)
    smtpd.wait_closed()
    assert list(smtpd.log.sessions()[0].commands) == []


@pytest.mark.smtpd_on("connect", reply="220 " + 30 * "x", drip=0.02)
def test_smtplib_counts_its_time_out_for_each_byte(smtpd: SMTPServer) -> None:
    """C15: 35 bytes take 0.7 seconds, and 0.4 are not exceeded."""
    assert str(CLIENTS["smtplib"](smtpd, IMPATIENT)) == FINE


@pytest.mark.smtpd_on("connect", reply="220 " + 30 * "x", drip=0.02)
def test_aiosmtplib_counts_its_time_out_for_the_whole_reply(smtpd: SMTPServer) -> None:
    """C15"""
    assert str(CLIENTS["aiosmtplib"](smtpd, IMPATIENT)) == "SMTPConnectTimeoutError"


@pytest.mark.smtpd_on("command", verb="EHLO", raw=b"421 4.3.2 Stopping\r\n")
def test_smtplib_says_helo_after_a_421(smtpd: SMTPServer) -> None:
    """E03, with a server that does not close"""
    assert str(CLIENTS["smtplib"](smtpd, PLAIN)) == FINE
    assert list(smtpd.log.sessions()[0].commands)[:2] == ["EHLO", "HELO"]


@pytest.mark.smtpd(hide={"STARTTLS"})
def test_aiosmtplib_goes_on_in_clear_where_starttls_is_missing(smtpd: SMTPServer) -> None:
    """S01: what it does by default"""
    asyncio.run(aiosmtplib.send(MESSAGE, sender=SENDER, recipients=RECIPIENTS, hostname=smtpd.host, port=smtpd.port))
    assert smtpd.one().session.tls is None


@pytest.mark.parametrize("client", sorted(CLIENTS))
@pytest.mark.smtpd(auth={"app": "another"}, auth_methods=["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_refused_password_is_tried_with_every_mechanism(client: str, smtpd: SMTPServer) -> None:
    """A03"""
    assert str(CLIENTS[client](smtpd, LOGIN)) == "SMTPAuthenticationError(535), open"
    assert [call.args[0].method for call in smtpd.log.calls("auth")] == ["CRAM-MD5", "PLAIN", "LOGIN"]


@pytest.mark.smtpd_on("command", verb="DATA", reply=451, times=1)
def test_smtplib_loses_the_message_after_one_whose_data_was_refused(smtpd: SMTPServer) -> None:
    """D02, and M10: it sends no RSET"""
    with _client(smtpd) as client:
        with pytest.raises(smtplib.SMTPDataError):
            client.sendmail(SENDER, RECIPIENTS, MESSAGE)
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            client.sendmail(SENDER, RECIPIENTS, MESSAGE)
    assert refused.value.smtp_code == 503
    assert len(smtpd.envelopes) == 0


@pytest.mark.smtpd_on("data", raw=b"421 4.3.2 Stopping\r\n", times=1)
def test_aiosmtplib_goes_on_after_a_421(smtpd: SMTPServer) -> None:
    """X05, with a server that does not close"""

    async def twice() -> None:
        async with aiosmtplib.SMTP(hostname=smtpd.host, port=smtpd.port, start_tls=False) as client:
            with pytest.raises(aiosmtplib.SMTPDataError):
                await client.sendmail(SENDER, RECIPIENTS, MESSAGE)
            await client.sendmail(SENDER, RECIPIENTS, MESSAGE)

    asyncio.run(twice())
    assert len(smtpd.log.sessions()) == 1
    assert len(smtpd.envelopes) == 1


@pytest.mark.smtpd_on("data", raw=b"550 5.2.2 Bo\xeete pleine\r\n")
def test_aiosmtplib_reports_a_text_that_cannot_be_printed(smtpd: SMTPServer) -> None:
    """X19"""

    async def send() -> None:
        await aiosmtplib.send(
            MESSAGE, sender=SENDER, recipients=RECIPIENTS, hostname=smtpd.host, port=smtpd.port, start_tls=False
        )

    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        asyncio.run(send())
    with pytest.raises(UnicodeEncodeError):
        refused.value.message.encode()


@pytest.mark.smtpd(lmtp=True)
@pytest.mark.smtpd_on("data", to="dave@*", reply="550 5.2.2 Full")
def test_smtplib_reads_a_single_reply_where_lmtp_has_three(smtpd: SMTPServer) -> None:
    """X22: the refusal is read as the reply to QUIT"""
    client = smtplib.LMTP(smtpd.host, smtpd.port, "client.example.org")
    assert client.sendmail(SENDER, RECIPIENTS, MESSAGE) == {}
    client.close()
    assert list(smtpd.one().refused) == ["dave@example.org"]


@pytest.mark.smtpd_on("command", verb="QUIT", drop=True)
def test_smtplib_in_a_with_block_does_not_mind_a_lost_goodbye(smtpd: SMTPServer) -> None:
    """Q01"""
    with _client(smtpd) as client:
        client.sendmail(SENDER, RECIPIENTS, MESSAGE)
    assert len(smtpd.envelopes) == 1


@pytest.mark.smtpd_on("command", verb="QUIT", reply="421 4.3.2 Stopping")
def test_smtplib_in_a_with_block_fails_a_message_that_was_delivered(smtpd: SMTPServer) -> None:
    """Q03"""
    with pytest.raises(smtplib.SMTPResponseException), _client(smtpd) as client:
        client.sendmail(SENDER, RECIPIENTS, MESSAGE)
    assert len(smtpd.envelopes) == 1


@pytest.mark.smtpd(timeout=0.1)
def test_smtplib_blames_the_sender_for_an_idle_connection(smtpd: SMTPServer) -> None:
    """Q05"""
    client = _client(smtpd)
    client.ehlo()
    smtpd.wait_closed()
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        client.sendmail(SENDER, RECIPIENTS, MESSAGE)
    assert refused.value.smtp_code == 421
    client.close()
