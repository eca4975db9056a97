"""What stands between client and server: the PROXY protocol and XCLIENT, as swaks speaks them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer
from tests.interop.peers import ADA, USER, Report, named

Swaks = Callable[..., Report]


@pytest.fixture
def swaks(smtpd: SMTPServer, execute: Callable[..., Report]) -> Swaks:
    def swaks(*options: str | Path) -> Report:
        server = ("--server", smtpd.host, "--port", str(smtpd.port), "--helo", "swaks.example", "--timeout", "10s")
        return execute("swaks", *server, "--from", USER, "--to", ADA, *options, needs=named("swaks").needs)

    return swaks


def proxy_header(family: str, source: str, destination: str) -> tuple[str, ...]:
    address = ("--proxy-source", source, "--proxy-source-port", "40000")
    return ("--proxy-family", family, *address, "--proxy-dest", destination, "--proxy-dest-port", "25")


HEADERS = [
    pytest.param("1", proxy_header("TCP4", "192.0.2.7", "192.0.2.8"), "192.0.2.7", id="v1-ipv4"),
    pytest.param("1", proxy_header("TCP6", "2001:db8::7", "2001:db8::8"), "2001:db8::7", id="v1-ipv6"),
    pytest.param("2", proxy_header("AF_INET", "192.0.2.7", "192.0.2.8"), "192.0.2.7", id="v2-ipv4"),
    pytest.param("2", proxy_header("AF_INET6", "2001:db8::7", "2001:db8::8"), "2001:db8::7", id="v2-ipv6"),
]


@pytest.mark.parametrize(("version", "header", "source"), HEADERS)
@pytest.mark.smtpd(proxy_protocol=True)
def test_proxy_header_names_the_client(
    version: str, header: tuple[str, ...], source: str, smtpd: SMTPServer, swaks: Swaks
) -> None:
    report = swaks("--proxy-version", version, *header)

    assert report.code == 0, report.output
    session = smtpd.one().session
    assert (session.remote_address, session.remote_port) == (source, 40000)
    (call,) = smtpd.log.calls("connect")
    assert call.session is session


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("--tls", marks=pytest.mark.smtpd(tls="starttls"), id="starttls"),
        pytest.param("--tls-on-connect", marks=pytest.mark.smtpd(tls="implicit"), id="implicit"),
    ],
)
@pytest.mark.parametrize(("version", "header", "source"), HEADERS)
@pytest.mark.smtpd(proxy_protocol=True)
def test_proxy_header_comes_before_tls(
    version: str, header: tuple[str, ...], source: str, way: str, smtpd: SMTPServer, swaks: Swaks
) -> None:
    report = swaks(
        way, "--tls-verify", "--tls-ca-path", smtpd.env["SSL_CERT_FILE"], "--proxy-version", version, *header
    )

    assert report.code == 0, report.output
    session = smtpd.one().session
    assert session.secure
    assert session.remote_address == source


@pytest.mark.smtpd(proxy_protocol=True, timeout=0.3)
def test_client_that_waits_for_a_greeting_without_a_proxy_header_is_left_alone(smtpd: SMTPServer, swaks: Swaks) -> None:
    report = swaks()

    assert report.code != 0
    assert "<" not in report.output, "swaks marks what the server says with an arrow"
    assert smtpd.envelopes == []
    assert smtpd.log.calls("connect") == []


@pytest.mark.smtpd(xclient=True)
def test_xclient_overrides_what_the_server_knows_of_the_client(smtpd: SMTPServer, swaks: Swaks) -> None:
    report = swaks(
        *("--xclient-addr", "192.0.2.7", "--xclient-port", "40000", "--xclient-name", "client.example"),
        *("--xclient-helo", "helo.example", "--xclient-proto", "ESMTP", "--xclient-login", "ada"),
    )

    assert report.code == 0, report.output
    envelope = smtpd.one()
    session = envelope.session
    assert (session.remote_address, session.remote_port) == ("192.0.2.7", 40000)
    assert session.client_hostname == "client.example"
    assert session.xclient["HELO"] == "helo.example"
    assert envelope.user == "ada"
    assert len(smtpd.log.calls("connect")) == 2


@pytest.mark.smtpd(xclient=True)
@pytest.mark.smtpd_on("connect", skip=1, reply="554 5.7.1 Your network is not welcome")
def test_client_that_xclient_names_can_be_refused(smtpd: SMTPServer, swaks: Swaks) -> None:
    report = swaks("--xclient-addr", "192.0.2.7")

    assert report.code != 0
    assert "554 5.7.1 Your network is not welcome" in report.output
    assert smtpd.envelopes == []


def test_xclient_is_refused_where_it_is_not_allowed(smtpd: SMTPServer, swaks: Swaks) -> None:
    report = swaks("--xclient-addr", "192.0.2.7", "--xclient-no-verify")

    assert report.code != 0
    assert smtpd.envelopes == []
    assert {session.remote_address for session in smtpd.log.sessions()} == {"127.0.0.1"}
