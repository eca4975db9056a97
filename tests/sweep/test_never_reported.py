"""What is never reported: each of these was a false alarm once, and each is true of a client that does it right."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pytest_smtpd import SMTPServer, SweepFailure
from tests.sweep import applications as app
from tests.sweep.client import MAILS
from tests.sweep.inner import TIMEOUT, letter, send, two_mails
from tests.sweep.links import Dial, Link, Place
from tests.sweep.sweeping import WAYS, WORLDS, sweep

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # ssl, of its own handshakes
USUAL = {"ambiguous"}


def found(block: Callable[[SMTPServer, Any], object], *, settings: dict[str, Any] | None = None, **options: Any) -> str:
    """Return the report of a sweep of one block; "" if there is nothing in it that fails."""
    with SMTPServer(**settings or {}) as server:
        try:
            for fault in server.sweep(**options):
                with fault:
                    block(server, fault)
        except SweepFailure as failure:
            return str(failure)
    return ""


@pytest.mark.wide
@pytest.mark.parametrize(
    "world", [pytest.param(world, marks=[pytest.mark.nightly] * (world != "lmtp")) for world in WORLDS]
)
@pytest.mark.parametrize("way", [pytest.param(way, marks=[pytest.mark.nightly] * (way != "sync")) for way in WAYS[:2]])
@pytest.mark.parametrize("application", [app.careful, app.one_connection], ids=["careful", "one-connection"])
def test_nothing_is_found_in_a_careful_application(application: app.Application, world: str, way: str) -> None:
    report = sweep(application, world, way, level="full", skip="*slow*")
    assert report.names <= USUAL, report.text


def test_pipelined_commands_behind_a_refusal() -> None:
    """RFC 2920: RCPT and DATA are on their way before the client knows that MAIL was refused."""

    def block(server: SMTPServer, fault: Any) -> None:
        with socket.create_connection(server.address, TIMEOUT) as client, client.makefile("rb") as replies:

            def reply() -> bytes:
                while (line := replies.readline())[3:4] == b"-":
                    pass
                return line

            reply()
            client.sendall(b"EHLO client.example\r\n")
            reply()
            client.sendall(b"MAIL FROM:<app@example.com>\r\nRCPT TO:<ada@example.com>\r\nDATA\r\n")
            codes = [reply()[:3] for _ in range(3)]
            if codes[2] == b"354":
                client.sendall(b"Subject: x\r\n\r\nHello.\r\n.\r\n")
                codes.append(reply()[:3])
            if codes[-1] != b"250" or codes[1] != b"250":
                raise ConnectionError(str(codes))

    assert not found(block, only=["mail_from-451", "mail_from-550", "rcpt_to-450*", "rcpt_to-550*"], strict=True)


@pytest.mark.parametrize("point", ["connect-421", "connect-554", "EHLO-421", "EHLO-550", "AUTH-504", "auth-535"])
def test_fault_of_the_session_is_no_collateral(point: str) -> None:
    """Two mails of one session: neither can get through where the session fails."""

    def block(server: SMTPServer, fault: Any) -> None:
        with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT) as client:
            client.login("app", "open-sesame")
            for to in ("ada@example.com", "bob@example.com"):
                client.sendmail("app@example.com", [to], letter(to))

    assert not found(block, only=point)


def test_mail_that_is_begun_twice_is_no_collateral() -> None:
    """A client that asks for the recipient first, and resets, begins more mails than it sends."""

    def block(server: SMTPServer, fault: Any) -> None:
        with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT) as client:
            client.ehlo()
            for to in ("ada@example.com", "bob@example.com"):
                client.mail("app@example.com")
                client.rcpt(to)
                client.rset()
                try:
                    client.sendmail("app@example.com", [to], letter(to))
                except smtplib.SMTPException as error:
                    fault.failed({to: error})

    assert not found(block, only="data-550*", strict=True)


def test_fault_of_one_of_two_connections_at_once_is_no_collateral() -> None:
    """The connections finish in another order than they began."""

    def block(server: SMTPServer, fault: Any) -> None:
        people = ("ada@example.com", "bob@example.com")
        with contextlib.ExitStack() as stack:
            clients = []
            for to in people:
                try:
                    clients.append((to, stack.enter_context(smtplib.SMTP(server.host, server.port, timeout=TIMEOUT))))
                except (OSError, smtplib.SMTPException) as error:
                    fault.failed({to: error})
            for to, client in reversed(clients):
                try:
                    client.sendmail("app@example.com", [to], letter(to))
                except (OSError, smtplib.SMTPException) as error:
                    fault.failed({to: error})

    assert not found(
        block, only=["connect-554", "mail_from-550", "rcpt_to-550*", "data-550*", "data-421*", "data-drop*"]
    )


def test_one_of_two_mails_to_the_same_recipient_is_not_sent_but_failed() -> None:
    def block(server: SMTPServer, fault: Any) -> None:
        for subject in ("Welcome", "Invoice"):
            try:
                send(server, "ada@example.com", subject=subject)
            except (OSError, smtplib.SMTPException) as error:
                fault.failed({"ada@example.com": error})

    assert not found(block, only=["rcpt_to-550*", "data-550*", "connect-554"])


def test_block_that_does_not_wait_for_its_client_measures_no_timeout() -> None:
    """It returns at once, and the client gives up later."""
    threads: list[threading.Thread] = []

    def work(server: SMTPServer) -> None:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            send(server, "ada@example.com")

    def block(server: SMTPServer, fault: Any) -> None:
        threads.append(threading.Thread(target=work, args=(server,)))
        threads[-1].start()
        fault.delayed()

    report = found(block, only=["data-hang", "QUIT-hang", "data-slow"])
    for thread in threads:
        thread.join()
    assert "leak" not in report
    assert "slow" not in report


def test_starttls_that_fails_is_no_collateral() -> None:
    report = sweep(app.one_connection, "starttls", only=["STARTTLS-454", "STARTTLS-220-drop"])
    assert report.names == set(), report.text


@pytest.mark.parametrize("application", [app.careful, app.one_connection], ids=["careful", "one-connection"])
def test_hello_after_a_refused_ehlo(application: app.Application) -> None:
    report = sweep(application, only=["EHLO-502", "disable=EHLO"])
    assert report.names == set(), report.text


def test_trying_again_what_failed_for_another_reason_than_a_refused_ehlo() -> None:
    """HELO was taken instead. That it does not offer STARTTLS may be otherwise tomorrow."""

    def attempt(server: SMTPServer) -> bool:
        with contextlib.suppress(OSError, smtplib.SMTPException), smtplib.SMTP(server.host, server.port) as client:
            client.starttls(context=server.client_context)
            client.sendmail("app@example.com", ["ada@example.com"], letter("Hello"))
            return True
        return False

    def block(server: SMTPServer, fault: Any) -> None:
        if not (attempt(server) or attempt(server)):
            fault.delayed("ada@example.com")

    assert not found(block, only=["connect-421", "EHLO-550", "EHLO-550:always"])


GARBLED = ["*garbage*", "*surplus*", "*mixed*", "*bare-lf*", "*cut*", "*no-code*", "*666*", "*junk*", "*injected*"]


@pytest.mark.parametrize("world", ["clear", pytest.param("starttls", marks=pytest.mark.wide)])
@pytest.mark.parametrize("application", [app.careful, app.one_connection], ids=["careful", "one-connection"])
def test_client_that_is_out_of_step_after_a_reply_that_is_none(application: app.Application, world: str) -> None:
    report = sweep(application, world, level="full", only=GARBLED)
    assert report.names <= USUAL, report.text


def test_message_in_doubt_after_garbage_is_not_lost() -> None:
    """To a client that reads two replies at once, a surplus 250 may stand for the one after the content."""

    def block(server: SMTPServer, fault: Any) -> None:
        with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT) as client:
            client.sendmail("app@example.com", ["ada@example.com"], letter("x"))

    assert not found(block, level="full", only=["*surplus*", "*mixed*", "data-garbage", "data-code-666"])


@pytest.mark.wide
def test_recipient_that_this_server_had_not_counted_is_not_lost() -> None:
    def block(server: SMTPServer, fault: Any) -> None:
        fault.failed(two_mails(server))

    assert not found(block, level="full", only=["rcpt_to-*"])


def test_what_differs_between_two_runs_of_a_point() -> None:
    turns: list[object] = []

    def block(server: SMTPServer, fault: Any) -> None:
        turns.append(fault.point)
        refused = send(server, "ada@example.com", "bob@example.com")
        if turns.count(fault.point) != 1:
            fault.failed(refused)

    assert not found(block, only="rcpt_to-550*")


def test_connection_that_only_the_functions_of_a_traceback_know() -> None:
    def block(server: SMTPServer, fault: Any) -> None:
        client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)

        def retried(work: Callable[[], object]) -> None:
            work()

        retried(lambda: client.sendmail("app@example.com", ["ada@example.com"], letter("Hello")))
        client.quit()

    assert not found(block, only="mail_from-550")


def test_content_that_changes_by_itself() -> None:
    count = iter(range(10_000))

    def block(server: SMTPServer, fault: Any) -> None:
        send(server, subject=f"Mail number {next(count)}")

    assert not found(block, only="QUIT-*")


def test_process_that_is_slow_to_start() -> None:
    """What passes before the first connection has nothing to do with a failure of the server."""

    def block(server: SMTPServer, fault: Any) -> None:
        if fault.point:
            threading.Event().wait(0.8)
        fault.failed(send(server, "ada@example.com", "bob@example.com"))

    assert not found(block, only="rcpt_to-550-*", timeout=0.2, strict=True)


@pytest.mark.wide
def test_slow_retry_queue() -> None:
    """Between two attempts it waits for longer than its time-out, which is neither a hang nor slow."""

    async def patient(dial: Dial, place: Place) -> app.Report:
        async def unhurried(there: Place) -> Link:
            if next(attempts) > len(MAILS):
                threading.Event().wait(0.3)
            return await dial(there)

        attempts = iter(range(1, 100))
        return await app.queued(unhurried, place)

    report = sweep(patient, only=["connect-421", "connect-drop", "connection-refused"], timeout=0.05)
    assert report.names == set(), report.text


# --- libraries that are used as they should be ----------------------------------------------------------------------


@pytest.mark.parametrize("level", ["quick", pytest.param("full", marks=pytest.mark.nightly)])
def test_smtplib_used_as_it_should_be(level: str) -> None:
    report = found(lambda server, fault: fault.failed(two_mails(server)), level=level)
    assert not report, report


@pytest.mark.wide
@pytest.mark.parametrize("level", ["quick", pytest.param("full", marks=pytest.mark.nightly)])
def test_smtplib_with_starttls_and_a_login(level: str) -> None:
    def one(server: SMTPServer, to: list[str], subject: str) -> dict[str, Any]:
        try:
            client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
            try:
                client.starttls(context=server.client_context)
                client.login("app", "open-sesame")
                refused = client.sendmail("app@example.com", to, letter(subject))
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    client.quit()
                return refused
            finally:
                client.close()
        except (OSError, smtplib.SMTPException, ValueError) as error:  # a bad challenge is a binascii.Error
            return dict.fromkeys(to, error)

    def block(server: SMTPServer, fault: Any) -> None:
        fault.failed(one(server, ["ada@example.com", "bob@example.com"], "Welcome"))
        fault.failed(one(server, ["cyd@example.com"], "Invoice"))

    report = found(block, level=level, settings={"auth": {"app": "open-sesame"}})
    assert not report, report


@pytest.mark.wide
@pytest.mark.parametrize("level", ["quick", pytest.param("full", marks=pytest.mark.nightly)])
def test_aiosmtplib_used_as_it_should_be(level: Any) -> None:
    aiosmtplib = pytest.importorskip("aiosmtplib")

    async def one(server: SMTPServer, to: list[str], subject: str) -> dict[str, Any]:
        try:
            refused, _ = await aiosmtplib.send(
                letter(subject),
                sender="app@example.com",
                recipients=to,
                hostname=server.host,
                port=server.port,
                timeout=TIMEOUT,
                start_tls=True,
                tls_context=server.client_context,
            )
        except (OSError, aiosmtplib.SMTPException, ValueError) as error:
            return dict.fromkeys(to, error)
        return {address: tuple(reply) for address, reply in refused.items()}

    async def main() -> None:
        with SMTPServer() as server:
            async for fault in server.sweep(level=level):
                async with fault:
                    fault.failed(await one(server, ["ada@example.com", "bob@example.com"], "Welcome"))
                    fault.failed(await one(server, ["cyd@example.com"], "Invoice"))

    asyncio.run(main(), debug=False)
