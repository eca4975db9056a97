"""Clients that vanish at any byte, politely or not."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_smtpd import SMTPServer
from tests.soak.dialogue import Client, client_hello, deliver
from tests.soak.residue import nothing_left
from tests.soak.sizes import sized

# Each step is sent when the one before has been answered, by so many replies.
STEPS = (
    (b"EHLO client.test\r\n", 1),
    (b"AUTH PLAIN AGFwcABzM2NyZXQ=\r\n", 1),
    (b"MAIL FROM:<app@example.com> SIZE=60\r\n", 1),
    (b"RCPT TO:<ada@example.com>\r\nRCPT TO:<bob@example.com>\r\n", 2),
    (b"DATA\r\n", 1),
    (b"Subject: Welcome\r\n\r\n..Thank you\r\n.\r\n", 1),
    (b"MAIL FROM:<app@example.com>\r\nRCPT TO:<ada@example.com>\r\nBDAT 12 LAST\r\nSubject: a\r\n", 3),
    (b"QUIT\r\n", 1),
)
LENGTH = sum(len(step) for step, _ in STEPS)

Leave = Callable[[Client], None]


LEAVES: dict[str, Leave] = {"fin": Client.close, "rst": Client.reset}


def speak_until(client: Client, point: int) -> None:
    """The dialogue, up to a byte of it."""
    for step, replies in STEPS:
        client.socket.sendall(step[:point])
        if point < len(step):
            return
        point -= len(step)
        for _ in range(replies):
            client.reply()


def in_clear(client: Client, server: SMTPServer, point: int) -> None:
    client.reply()
    speak_until(client, point)


def before_the_greeting(client: Client, server: SMTPServer, point: int) -> None:
    client.socket.sendall(b"EHLO client.test\r\n"[: point % 18])


def in_the_handshake(client: Client, server: SMTPServer, point: int) -> None:
    client.greeted().say("STARTTLS")
    hello = client_hello(server.client_context)
    client.socket.sendall(hello[: point % len(hello)])


def under_tls(client: Client, server: SMTPServer, point: int) -> None:
    speak_until(client.greeted().starttls(server.client_context), point)


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES)
@pytest.mark.parametrize("speak", [in_clear, before_the_greeting, in_the_handshake, under_tls])
def test_an_aborted_connection_ends_and_leaves_nothing(
    speak: Callable[[Client, SMTPServer, int], None], leave: Leave, tmp_path: Path
) -> None:
    points = random.Random(speak.__name__)
    count = sized(40, 250)
    with SMTPServer() as warm:
        assert warm.ca_file  # the certificate is made once, and the folder for it
    with nothing_left(tmp_path / "temporary"), SMTPServer() as server:
        for _ in range(count):
            with suppress(ConnectionError):
                client = Client(server)
                speak(client, server, points.randrange(LENGTH))
                leave(client)
        deliver(server, to="last@example.com")
        server.wait_closed(30)
        assert len(server.find(to="last@example.com")) == 1
        assert len(server.log.calls("close")) == count + 1
        assert len(server.log.calls("connect")) == count + 1
        assert all(session.closed for session in server.log.sessions())
