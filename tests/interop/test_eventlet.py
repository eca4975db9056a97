"""eventlet: the server becomes a green thread of the test's own thread, and everything goes on as ever."""

from __future__ import annotations

import sys

import pytest

from tests.interop.presence import python, require
from tests.server.children import run

PATCH = "import eventlet; eventlet.monkey_patch()"
IMPORT = "from pytest_smtpd import SMTPServer, on\nimport pytest_smtpd.server"
ORDERS = {"patched before": f"{PATCH}\n{IMPORT}", "patched behind": f"{IMPORT}\n{PATCH}"}
RULES = {"none": "", "async def": "on('data', call=hook)", "delay": "on('rcpt_to', delay=0.05)"}
BODY = """
import asyncio, smtplib

async def hook(*args):
    await asyncio.sleep(0.01)

with SMTPServer(tls={tls!r}, on=[{rules}]) as server:
    for _ in range(2):
        with smtplib.SMTP(server.host, server.port, timeout=10) as client:
            if server.settings.tls:
                client.starttls(context=server.client_context)
            client.login("ada", "s3cret")
            client.sendmail("a@example.com", ["b@example.com"], "Subject: x\\r\\n\\r\\ny")
    server.wait_closed()
    print(len(server.envelopes), [session.secure for session in server.log.sessions()])
"""


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("tls", [None, "starttls"])
@pytest.mark.parametrize("order", ORDERS)
def test_green_threads_send_mail(order: str, tls: str | None, rules: str) -> None:
    require(python(sys.executable, "eventlet"))
    program = "\n".join(("import warnings; warnings.simplefilter('ignore')", ORDERS[order], BODY))
    output = run(program.replace("{tls!r}", repr(tls)).replace("{rules}", RULES[rules]))
    secure = tls is not None
    assert output.splitlines() == [f"2 [{secure}, {secure}]"]
