"""gevent's patch_all(): the server becomes a greenlet of the test's own thread, and everything goes on as ever."""

from __future__ import annotations

import sys

import pytest

from tests.interop.presence import python, require
from tests.server.children import run

PATCH = "from gevent import monkey; monkey.patch_all()"
IMPORT = "from pytest_smtpd import SMTPServer, on"
PRELUDE = """
import asyncio, smtplib, socket, ssl, threading, time
import gevent

def send(server):
    kind = smtplib.SMTP_SSL if server.settings.tls == "implicit" else smtplib.SMTP
    options = {"context": server.client_context} if kind is smtplib.SMTP_SSL else {}
    with kind(server.host, server.port, timeout=10, **options) as client:
        if server.settings.tls == "starttls":
            client.starttls(context=server.client_context)
        client.login("ada", "s3cret")
        client.sendmail("a@example.com", ["b@example.com"], "Subject: x\\r\\n\\r\\ny")

def hook(*args):
    time.sleep(0.01)

async def async_hook(*args):
    await asyncio.sleep(0.01)

def read(stream, session):
    assert stream.read() == b"Subject: x\\r\\n\\r\\ny\\r\\n"

async def aread(stream, session):
    assert await stream.aread() == b"Subject: x\\r\\n\\r\\ny\\r\\n"
"""
# A conftest may import our names before an application's start patches everything, or after it.
ORDERS = {"patched before": f"{PATCH}\n{IMPORT}", "patched behind": f"{IMPORT}\n{PATCH}"}
RULES = {
    "none": "",
    "def": "on('rcpt_to', call=hook), on('data', call=read)",
    "async def": "on('rcpt_to', call=async_hook), on('data', call=aread)",
    "both": "on('rcpt_to', call=async_hook), on('data', call=read)",
    "delay": "on('rcpt_to', delay=0.05)",
}


@pytest.fixture(autouse=True)
def _needs() -> None:
    require(python(sys.executable, "gevent"))


def program(order: str, body: str) -> str:
    return "\n".join((ORDERS[order], PRELUDE, f"with gevent.Timeout(60):\n{body}"))


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("tls", [None, "starttls", "implicit"])
@pytest.mark.parametrize("order", ORDERS)
def test_greenlets_send_mail(order: str, tls: str | None, rules: str) -> None:
    output = run(
        program(
            order,
            f"""
    with SMTPServer(tls={tls!r}, on=[{RULES[rules]}]) as server:
        for _ in range(2):
            gevent.joinall([gevent.spawn(send, server) for _ in range(3)], raise_error=True)
        server.wait_closed()
        print(len(server.wait_for(6)), server.envelopes[0].subject)
        print({{session.tls and session.tls.server_name for session in server.log.sessions()}})
        server.stop()
        server.start()
        send(server)
        print(len(server.envelopes))
""",
        )
    )
    assert output.splitlines() == ["6 x", "{None}", "7"]


@pytest.mark.parametrize("order", ORDERS)
def test_the_name_that_a_client_asks_for_is_known(order: str) -> None:
    output = run(
        program(
            order,
            """
    with SMTPServer(host="localhost", tls="implicit") as server:
        send(server)
        print(server.log.sessions()[0].tls.server_name)
""",
        )
    )
    assert output == "localhost\n"


@pytest.mark.parametrize("order", ORDERS)
def test_a_wait_lets_other_greenlets_run(order: str) -> None:
    """The mail that is waited for is sent by a greenlet of the same thread."""
    output = run(
        program(
            order,
            """
    with SMTPServer(tls=None) as server:
        later = gevent.spawn_later(0.05, send, server)
        print(len(server.wait_for(timeout=20)))
        later.get()
        again = gevent.spawn(send, server)
        server.wait_quiet(0.3, count=2)
        again.get()
        server.clear()
        print(len(server.envelopes))
""",
        )
    )
    assert output == "1\n0\n"


@pytest.mark.parametrize("order", ORDERS)
def test_several_servers_and_a_loop_of_the_test_have_loops_in_one_thread(order: str) -> None:
    output = run(
        program(
            order,
            """
    rule = on("rcpt_to", call=async_hook)
    with SMTPServer(on=[rule]) as one, SMTPServer(on=[rule]) as two:
        gevent.joinall([gevent.spawn(send, server) for server in (one, two, one, two)], raise_error=True)

        async def test():
            await asyncio.sleep(0.01)
            return len(await one.wait_for_async(2))

        print(asyncio.run(test()), len(two.envelopes))
        gevent.joinall([gevent.spawn(send, server) for server in (one, two)], raise_error=True)
        print(len(one.envelopes), len(two.envelopes))
""",
        )
    )
    assert output == "2 2\n3 3\n"


@pytest.mark.parametrize("order", ORDERS)
def test_a_hang_a_drop_and_a_stop(order: str) -> None:
    output = run(
        program(
            order,
            """
    with SMTPServer(on=[on("mail_from", hang=True)]) as server:
        client = smtplib.SMTP(server.host, server.port, timeout=10)
        client.ehlo()
        client.putcmd("MAIL FROM:<a@example.com>")
        server.log.wait_for("mail_from", outcome="hung")
        server.stop()
        print(server.log.sessions()[0].ended)
        client.close()
    with SMTPServer(on=[on("connect", drop="rst")]) as server:
        try:
            smtplib.SMTP(server.host, server.port, timeout=10)
        except (OSError, smtplib.SMTPServerDisconnected) as error:
            print(type(error).__name__)
""",
        )
    )
    assert output.splitlines()[0] == "stop"
    assert output.splitlines()[1] in ("ConnectionResetError", "SMTPServerDisconnected")
