"""Nobody waits for an acknowledgement: TCP's 40 ms are more than a whole message takes."""

import smtplib
import ssl
from collections.abc import Callable
from time import perf_counter

import pytest

from pytest_smtpd import SMTPServer
from tests.soak.dialogue import MESSAGE, TIMEOUT

DELAYED_ACK = 0.04  # seconds, on Linux; other systems wait longer


def in_clear(server: SMTPServer, context: ssl.SSLContext) -> smtplib.SMTP:
    return smtplib.SMTP(server.host, server.port, "client.test", TIMEOUT)


def starttls(server: SMTPServer, context: ssl.SSLContext) -> smtplib.SMTP:
    client = in_clear(server, context)
    client.starttls(context=context)
    return client


def implicit(server: SMTPServer, context: ssl.SSLContext) -> smtplib.SMTP:
    return smtplib.SMTP_SSL(server.host, server.port, "client.test", timeout=TIMEOUT, context=context)


@pytest.mark.parametrize("connect", [in_clear, starttls, implicit])
def test_no_step_of_a_message_waits_for_an_acknowledgement(
    connect: Callable[[SMTPServer, ssl.SSLContext], smtplib.SMTP],
) -> None:
    seconds = []
    with SMTPServer(tls="implicit" if connect is implicit else "starttls") as server:
        context = server.client_context
        for _ in range(15):
            begun = perf_counter()
            with connect(server, context) as client:
                client.sendmail("app@example.com", ["ada@example.com"], MESSAGE)
            seconds.append(perf_counter() - begun)
    # The quickest of some: a busy machine slows down some of them, a delayed acknowledgement every one.
    assert min(seconds) < DELAYED_ACK * 0.9
