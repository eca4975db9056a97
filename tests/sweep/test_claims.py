"""What the application says of its mails, and what the sweep makes of it."""

from __future__ import annotations

import smtplib
from collections.abc import Callable

import pytest

from pytest_smtpd import Fault, SMTPServer, SweepFailure
from tests.sweep.inner import TIMEOUT, send, two_mails

BOB = "rcpt_to-550-to=bob@example.com"
Block = Callable[[SMTPServer, Fault], object]


def names(block: Block, **options: object) -> list[str]:
    """Return the findings of a sweep of one block."""
    with SMTPServer() as server:
        sweep = server.sweep(**{"only": BOB, **options})  # type: ignore[arg-type]
        try:
            for fault in sweep:
                with fault:
                    block(server, fault)
        except SweepFailure as failure:
            assert list(failure.findings) == list(sweep.findings)
            return [finding.name for finding in failure.findings]
    return []


def both(server: SMTPServer) -> dict[str, tuple[int, bytes]]:
    return send(server, "ada@example.com", "bob@example.com")


def test_silence_means_delivered() -> None:
    assert names(lambda server, fault: both(server)) == ["lost"]


def test_what_sendmail_returns_is_a_claim() -> None:
    assert names(lambda server, fault: fault.failed(both(server))) == []


def test_addresses_are_a_claim() -> None:
    assert names(lambda server, fault: fault.failed(list(both(server)))) == []
    assert names(lambda server, fault: fault.failed(tuple(both(server)))) == []


def test_exceptions_as_values_are_a_claim_with_their_codes() -> None:
    def block(server: SMTPServer, fault: Fault) -> None:
        fault.failed({who: smtplib.SMTPResponseException(code, "no") for who, (code, _) in both(server).items()})

    assert names(block, strict=True) == []


def test_code_is_looked_for_in_the_claim_of_the_recipient_that_was_refused() -> None:
    def block(server: SMTPServer, fault: Fault) -> None:
        if both(server):
            fault.failed({"bob@example.com": "bounced"})

    assert names(block, strict=True) == ["code-lost"]


def test_exception_means_that_all_failed_who_are_not_named_otherwise() -> None:
    def block(server: SMTPServer, fault: Fault) -> None:
        if both(server):
            fault.delivered("ada@example.com")
            raise RuntimeError("550 for bob")

    assert names(block) == []

    def wrong(server: SMTPServer, fault: Fault) -> None:
        if both(server):
            raise RuntimeError("550 for somebody")

    assert names(wrong) == ["sent-but-failed"]


def test_recipient_of_lmtp_with_a_reply_of_its_own_that_accepts_is_sent_but_failed() -> None:
    """RFC 2033 section 4.2: what happens to the reply for another recipient changes nothing for this one."""
    with SMTPServer(lmtp=True) as server, pytest.raises(SweepFailure) as raised:
        for fault in server.sweep(only="data-550-to=eve*"):
            with fault, smtplib.LMTP(server.host, server.port, timeout=TIMEOUT) as client:
                client.ehlo()
                client.mail("app@example.com")
                client.rcpt("bob@example.com")
                client.rcpt("eve@example.com")
                client.docmd("DATA")
                client.send(b"Subject: Hello\r\n\r\n.\r\n")
                if max(client.getreply()[0] for _ in range(2)) >= 300:
                    fault.failed()
    assert [finding.name for finding in raised.value.findings] == ["sent-but-failed"]
    assert "bob@example.com got the mail, and it was reported as failed" in str(raised.value)


def test_exception_is_swallowed_and_kept() -> None:
    kept: list[BaseException | None] = []
    with SMTPServer() as server:
        for fault in server.sweep(only="connect-554"):
            with fault:
                send(server)
            kept.append(fault.error)
    assert kept[0] is None
    assert isinstance(kept[1], smtplib.SMTPConnectError)


def test_delayed_is_no_loss() -> None:
    assert names(lambda server, fault: fault.delayed(*both(server))) == []


def test_empty_list_of_what_is_delayed_means_nobody() -> None:
    """A block that always hands over its queue does not say that all are delayed when the queue is empty."""

    def block(server: SMTPServer, fault: Fault) -> None:
        both(server)
        queue: list[str] = []
        fault.delayed(*queue)

    assert names(block) == ["lost"]


def test_delayed_without_addresses_means_all() -> None:
    def block(server: SMTPServer, fault: Fault) -> None:
        try:
            send(server)
        except smtplib.SMTPException:
            fault.delayed()

    assert names(block, only="mail_from-451") == []


def test_failed_without_addresses_means_all() -> None:
    def block(server: SMTPServer, fault: Fault) -> None:
        if both(server):
            fault.failed()

    assert names(block) == ["sent-but-failed"]  # ada got it


def test_delivered_overrules() -> None:
    def block(server: SMTPServer, fault: Fault) -> None:
        if both(server):
            fault.failed()
            fault.delivered("ada@example.com")

    assert names(block) == []

    def lie(server: SMTPServer, fault: Fault) -> None:
        fault.failed(both(server))
        fault.delivered("bob@example.com")

    assert names(lie) == ["lost"]

    def always(server: SMTPServer, fault: Fault) -> None:
        refused = both(server)
        fault.failed()
        fault.delivered(*({"ada@example.com", "bob@example.com"} - refused.keys()))

    assert names(always) == []


def test_addresses_are_compared_without_case_in_the_domain() -> None:
    def block(server: SMTPServer, fault: Fault) -> None:
        fault.failed(["Bob <bob@EXAMPLE.com>"] if both(server) else [])

    assert names(block) == []


def test_claim_about_somebody_else_is_an_error_with_a_suggestion() -> None:
    with (
        SMTPServer() as server,
        pytest.raises(SweepFailure, match=r"bop@example\.com.*did you mean 'bob@example\.com'"),
    ):
        for fault in server.sweep(only=BOB):
            with fault:
                both(server)
                if fault.point:
                    fault.failed("bop@example.com")


def test_what_is_no_address_is_a_type_error() -> None:
    with SMTPServer() as server, pytest.raises(TypeError, match="failed"):
        for fault in server.sweep(only=BOB):
            with fault:
                send(server)
                fault.failed(550)


def test_two_mails_reported_one_by_one_pass() -> None:
    assert names(lambda server, fault: fault.failed(two_mails(server)), only="*", skip="*hang*") == []
