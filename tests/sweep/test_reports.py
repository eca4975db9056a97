"""What a report says of the application, and what it puts together."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable

import pytest

from pytest_smtpd import Fault, Finding, SMTPServer, SweepFailure
from tests.sweep.inner import careless, letter, send

Block = Callable[[SMTPServer, Fault], object]
TO_BOB = "rcpt_to-550-to=bob@example.com"
NAMES_IT = "careless() returned normally, as in the run without a fault; the server had refused this recipient."


class Shop:
    def __init__(self, server: SMTPServer) -> None:
        self.server = server

    def order(self) -> None:
        careless(self.server)

    async def order_later(self) -> None:
        await asyncio.to_thread(careless, self.server)


def findings(block: Block, *points: str) -> tuple[Finding, ...]:
    """What a sweep finds in a block. It calls ``block``: the names that are looked for stand in other loops."""
    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only=points):
            with fault:
                block(server, fault)
    return failure.value.findings


# --- who it was -----------------------------------------------------------------------------------------------------


def test_function_that_the_block_calls_is_named() -> None:
    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only=TO_BOB):
            with fault:
                careless(server)
    (finding,) = failure.value.findings
    assert finding.claim == "careless() returned normally"
    assert finding.text.splitlines()[1] == NAMES_IT
    assert NAMES_IT.partition(";")[0] in str(failure.value)


def test_method_that_the_block_calls_is_named() -> None:
    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only=TO_BOB):
            with fault:
                shop = Shop(server)
                shop.order()
    assert failure.value.findings[0].claim == "order() returned normally"


def test_coroutine_that_the_block_awaits_is_named() -> None:
    async def main(server: SMTPServer) -> None:
        async for fault in server.sweep(only=TO_BOB):
            async with fault:
                await Shop(server).order_later()

    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        asyncio.run(main(server))
    assert failure.value.findings[0].claim == "order_later() returned normally"


def test_coroutine_that_the_block_runs_is_named() -> None:
    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only=TO_BOB):
            with fault:
                asyncio.run(Shop(server).order_later(), debug=False)
    assert failure.value.findings[0].claim == "order_later() returned normally"


def test_function_whose_exception_is_reported_is_named() -> None:
    def deliver() -> None:
        try:
            careless(server)
        except smtplib.SMTPException as error:
            raise TypeError("not a mail") from error

    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only="mail_from-550"):
            with fault:
                for address in ["bob@example.com"]:
                    try:
                        deliver()
                    except smtplib.SMTPException as error:
                        fault.failed(dict.fromkeys([str(address)], error))
    assert failure.value.findings[0].claim == "deliver() raised TypeError: not a mail"


def test_none_of_several_functions_is_named() -> None:
    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only=TO_BOB):
            with fault:
                send(server)
                careless(server)
    assert failure.value.findings[0].claim == "your code returned normally"
    assert failure.value.findings[0].text.splitlines()[1].startswith("Your code returned normally, as in the run")


def test_function_of_a_block_without_source_is_not_named() -> None:
    source = "for fault in sweep:\n    with fault:\n        careless(server)\n"
    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        exec(source, {"sweep": server.sweep(only=TO_BOB), "server": server, "careless": careless})
    assert failure.value.findings[0].claim == "your code returned normally"


# --- what belongs together ------------------------------------------------------------------------------------------


def quits_loudly(explain: Callable[[SMTPServer, smtplib.SMTPResponseException], str]) -> Block:
    """Report a mail as failed whose server only refuses the goodbye, in words that ``explain`` finds."""

    def block(server: SMTPServer, fault: Fault) -> None:
        with smtplib.SMTP(server.host, server.port, timeout=5) as client:
            client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))
            code, text = client.quit()
            if code != 221:
                raise RuntimeError(explain(server, smtplib.SMTPResponseException(code, text)))

    return block


GOODBYES = ("QUIT-421", "QUIT-500")


@pytest.mark.parametrize(
    "explain",
    [
        pytest.param(lambda server, error: f"server said {error.smtp_code}", id="numbers"),
        pytest.param(lambda server, error: f"port {server.port + error.smtp_code} is no good", id="ports"),
        pytest.param(lambda server, error: f"no mail for user{error.smtp_code}@example.com", id="addresses"),
        pytest.param(lambda server, error: f"server said {error.smtp_error.decode()!r}", id="texts"),
        pytest.param(lambda server, error: f"{error} from {server.host}", id="all"),
        pytest.param(lambda server, error: f"{'while saying goodbye ' * 8}{error}", id="long"),
    ],
)
def test_texts_that_differ_in_what_the_server_said_are_one_finding(
    explain: Callable[[SMTPServer, smtplib.SMTPResponseException], str],
) -> None:
    (finding,) = findings(quits_loudly(explain), *GOODBYES)
    assert finding.name == "sent-but-failed"
    assert sorted(finding.points) == sorted(GOODBYES)


def test_reply_in_several_lines_is_a_reply_like_another() -> None:
    def block(server: SMTPServer, fault: Fault) -> None:
        with smtplib.SMTP(server.host, server.port, timeout=5) as client:
            try:
                client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))
            except smtplib.SMTPResponseException as error:
                raise TypeError(f"no mail: {error}") from error

    (finding,) = findings(block, "mail_from-550", "mail_from-550-many-lines", "mail_from-451")
    assert len(finding.points) == 3


def test_texts_that_differ_otherwise_are_two_findings() -> None:
    words = {421: "the server goes down", 500: "the server knows no goodbye"}
    found = findings(quits_loudly(lambda server, error: words[error.smtp_code]), *GOODBYES)
    assert [finding.name for finding in found] == ["sent-but-failed"] * 2


def test_long_text_is_cut_and_hides_passwords_first() -> None:
    def block(server: SMTPServer, fault: Fault) -> None:
        with smtplib.SMTP(server.host, server.port, timeout=5) as client:
            try:
                client.login("app", "open-sesame")
            except smtplib.SMTPException:
                raise TypeError(f"{'x' * 130} open-sesame {'y' * 100}") from None
            client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))

    with SMTPServer(auth={"app": "open-sesame"}, require_auth=False) as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep(only="auth=another"):
            with fault:
                block(server, fault)
    (finding,) = failure.value.findings
    assert "open" not in finding.claim
    assert finding.claim.endswith("...")


def test_client_that_goes_elsewhere_is_told_where_the_server_is() -> None:
    with SMTPServer() as server, pytest.raises(SweepFailure) as failure:
        for fault in server.sweep():
            with fault:
                pass
    assert str(failure.value) == (
        "the run without a fault has delivered no mail: no client has connected to "
        f"{server.host} port {server.port}, where the server of this test listens (smtpd.host and smtpd.port)"
    )
