"""A server that lives long."""

import smtplib
from collections.abc import Generator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from pytest_smtpd import SMTPServer
from tests.soak.dialogue import MESSAGE, TIMEOUT
from tests.soak.residue import assert_steady, nothing_left
from tests.soak.sizes import sized

SESSIONS, BATCH = 3, 100


def mail(server: SMTPServer) -> Generator[None]:
    """Messages without end, over a few connections in turn, each of which is replaced now and then."""
    while True:
        with ExitStack() as sessions:
            clients = [
                sessions.enter_context(smtplib.SMTP(server.host, server.port, "client.test", TIMEOUT))
                for _ in range(SESSIONS)
            ]
            for number in range(5 * BATCH):
                clients[number % SESSIONS].sendmail("app@example.com", ["ada@example.com"], MESSAGE)
                yield


def test_messages_that_were_cleared_leave_nothing(tmp_path: Path) -> None:
    with nothing_left(tmp_path / "temporary"), SMTPServer() as server:
        messages = mail(server)

        def batch() -> None:
            list(islice(messages, BATCH))
            assert len(server.envelopes) == BATCH
            server.clear()
            assert len(server.log) == 0

        assert_steady(batch, sized(20, 200_000 // BATCH))
        messages.close()


def test_every_message_of_many_is_kept_in_order() -> None:
    count = sized(1_000, 100_000)
    with SMTPServer() as server, smtplib.SMTP(server.host, server.port, "client.test", TIMEOUT) as client:
        for number in range(count):
            client.sendmail("app@example.com", [f"user{number}@example.com"], MESSAGE)
        assert [envelope.rcpt_to for envelope in server.envelopes] == [
            (f"user{number}@example.com",) for number in range(count)
        ]
        assert server.one(to=f"user{count - 1}@example.com").subject == "Welcome"
