"""What every client has to be able to do with the server, and the server with every client."""

from collections.abc import Callable, Iterable

import pytest

from pytest_smtpd import SMTPServer
from tests.interop.peers import ADA, PASSWORD, PEERS, SUBJECT, USER, Job, Peer, Report, words

Deliver = Callable[..., tuple[Job, Report]]

every_peer = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)


def with_tls(pairs: Iterable[tuple[Peer, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("peer", "tls"),
        [pytest.param(peer, tls, marks=pytest.mark.smtpd(tls=tls), id=f"{peer.name}-{tls}") for peer, tls in pairs],
    )


@with_tls((peer, tls) for peer in PEERS for tls in ("starttls", "implicit"))
@pytest.mark.smtpd(auth={USER: PASSWORD}, require_tls=True)
def test_message_arrives_unchanged_over_verified_tls_after_a_login(
    peer: Peer, tls: str, smtpd: SMTPServer, deliver: Deliver
) -> None:
    job, report = deliver(peer, tls=tls)

    assert report.code == 0, report.output
    envelope = smtpd.one()
    assert (envelope.mail_from, envelope.rcpt_to, envelope.user) == (USER, (ADA,), USER)
    assert envelope.session.secure
    assert envelope.session.transmission_type == "ESMTPSA"
    body = envelope.content.partition(b"\r\n\r\n")[2]
    assert (body if peer.composes else envelope.content) == peer.content(job, report)
    assert envelope.subject == SUBJECT
    assert envelope.message["From"].addresses[0].addr_spec == USER
    assert envelope.message["To"].addresses[0].addr_spec == ADA
    assert envelope.text is not None
    assert envelope.text.rstrip().splitlines() == peer.text.splitlines()


@every_peer
@pytest.mark.smtpd_on("rcpt_to", to=ADA, reply="550 5.1.1 No such user here")
def test_refused_recipient_is_reported_in_the_words_of_the_client(
    peer: Peer, smtpd: SMTPServer, deliver: Deliver
) -> None:
    _, report = deliver(peer)

    assert report.code != 0
    assert words(peer.refused, report), report.output
    assert smtpd.envelopes == []


@with_tls((peer, tls) for peer in PEERS for tls in peer.verifies)
@pytest.mark.smtpd(certificate="untrusted")
def test_certificate_that_is_not_trusted_stops_the_client_before_it_says_its_secrets(
    peer: Peer, tls: str, smtpd: SMTPServer, deliver: Deliver
) -> None:
    _, report = deliver(peer, tls=tls)

    assert report.code != 0
    assert words(peer.distrusts, report), report.output
    assert smtpd.envelopes == []
    assert smtpd.log.calls("auth") == []


every_peer_and_method = pytest.mark.parametrize(
    ("peer", "method"),
    [
        pytest.param(peer, method, marks=pytest.mark.smtpd(auth_methods=[method]), id=f"{peer.name}-{method}")
        for peer in PEERS
        for method in peer.methods
    ],
)


@every_peer_and_method
@pytest.mark.smtpd(auth={USER: PASSWORD})
def test_login_succeeds_with_every_method_of_the_client(
    peer: Peer, method: str, smtpd: SMTPServer, deliver: Deliver
) -> None:
    _, report = deliver(peer, method=method)

    assert report.code == 0, report.output
    assert smtpd.one().user == USER
    (call,) = smtpd.log.calls("auth")
    auth = call.args[0]
    assert (auth.method, auth.username, call.code) == (method, USER, 235)


@every_peer_and_method
@pytest.mark.smtpd(auth={USER: "another secret"})
def test_wrong_secret_is_reported_in_the_words_of_the_client(
    peer: Peer, method: str, smtpd: SMTPServer, deliver: Deliver
) -> None:
    _, report = deliver(peer, method=method)

    assert report.code != 0
    assert words(peer.denied, report), report.output
    assert smtpd.envelopes == []
    assert {call.code for call in smtpd.log.calls("auth")} == {535}
