"""Every setting means the same in the marker, the parameter, the factory, `smtpd_config` and the constructor."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Reports = Callable[..., list[pytest.TestReport]]

# A setting, and what a client then meets.
SETTINGS = {
    "host='127.0.0.2'": "smtpd.host == '127.0.0.2' and attempt(smtpd) is None",
    "port=FREE": "smtpd.port == FREE and attempt(smtpd) is None",
    "hostname='mx.example', banner='ready'": "greeting(smtpd) == ('mx.example', 'ready')",
    "tls=None": "'starttls' not in features(smtpd)",
    "tls='starttls'": "'starttls' in features(smtpd)",
    "tls='implicit'": "smtpd.url.startswith('smtps:') and attempt(smtpd) is None",
    "require_tls=True": "said(smtpd, 'MAIL FROM:<a@b.example>') == 530",
    "certificate='expired'": "'expired' in str(raised(upgraded, smtpd, smtpd.client_context))",
    "client_certificate='optional'": "raised(upgraded, smtpd, smtpd.client_context) is None",
    "auth=None": "'auth' not in features(smtpd)",
    "auth='any'": "logged_in(smtpd, 'who', 'ever')",
    "auth={'app': 's3cret'}": "logged_in(smtpd, 'app', 's3cret') and not logged_in(smtpd, 'app', 'other')",
    "require_auth=True": "said(smtpd, 'MAIL FROM:<a@b.example>') == 530",
    "auth={'app': 's3cret'}, require_auth=False": "attempt(smtpd) is None",
    "auth_methods=['LOGIN', 'PLAIN']": "set(features(smtpd)['auth'].split()) == {'LOGIN', 'PLAIN'}",
    "auth_requires_tls=True": "'auth' not in features(smtpd)",
    "size=10": "features(smtpd)['size'] == '10' and attempt(smtpd) is not None",
    "max_recipients=1": "said(smtpd, 'MAIL FROM:<a@b.example>', *2 * ['RCPT TO:<c@d.example>']) == 452",
    "max_messages=1": "attempt(smtpd) is None and twice(smtpd) == 421",
    "max_clients=1": "crowded(smtpd) == 421",
    "hide={'SIZE'}": "'size' not in features(smtpd) and said(smtpd, 'MAIL FROM:<a@b.example> SIZE=1') == 250",
    "disable={'SIZE'}": "'size' not in features(smtpd) and said(smtpd, 'MAIL FROM:<a@b.example> SIZE=1') == 555",
    "disable=['VRFY']": "said(smtpd, 'VRFY x') == 502",
    "lmtp=True": "smtpd.url.startswith('lmtp:') and said(smtpd, 'LHLO client.example') == 250",
    "strict=True": "said(smtpd, 'MAIL FROM: <a@b.example>') >= 500",
    "strict=False": "said(smtpd, 'MAIL FROM: <a@b.example>') == 250",
    "xclient=True": "'xclient' in features(smtpd)",
    "xforward=True": "'xforward' in features(smtpd)",
    "name='relay'": "smtpd.name == 'relay'",
    "on=[on('rcpt_to', reply='550 5.1.1 one', times=1)]": "order(smtpd) == ['one']",
    "on=on('rcpt_to', reply='550 5.1.1 one', times=1)": "order(smtpd) == ['one']",
}

HELPERS = """
with socket.create_server(("127.0.0.1", 0)) as probe:
    FREE = probe.getsockname()[1]

def raised(function, *args):
    try:
        with function(*args):
            return None
    except Exception as error:
        return error

def said(server, *lines):
    with socket.create_connection(server.address, timeout=10) as sock, sock.makefile("rwb") as file:
        file.readline()
        for line in ("EHLO client.example", *lines):
            file.write(line.encode() + b"\\r\\n")
            file.flush()
            while (reply := file.readline())[3:4] == b"-":
                pass
    return int(reply[:3])

def logged_in(server, user, password):
    client = connect(server)
    try:
        return client.login(user, password)[0] == 235
    except smtplib.SMTPAuthenticationError:
        return False
    finally:
        client.close()

def twice(server):
    with connect(server) as client:
        client.sendmail("app@example.com", "bob@example.com", b"Hi")
        code, _ = client.mail("app@example.com")
        client.close()
    return code

def crowded(server):
    with connect(server):
        try:
            smtplib.SMTP(server.host, server.port, timeout=10)
        except smtplib.SMTPConnectError as error:
            return error.smtp_code
"""

WAYS = {
    "marker": "@pytest.mark.smtpd({setting})\ndef test_{n}(smtpd):\n    assert {check}\n",
    "parameter": (
        "@pytest.mark.parametrize('smtpd', [dict({setting})], indirect=True, ids=['x'])\n"
        "def test_{n}(smtpd):\n    assert {check}\n"
    ),
    "factory": "def test_{n}(smtpd_factory):\n    smtpd = smtpd_factory({setting})\n    assert {check}\n",
    "config": (
        "class Test{n}:\n    @pytest.fixture\n    def smtpd_config(self):\n        return dict({setting})\n"
        "    def test_{n}(self, smtpd):\n        assert {check}\n"
    ),
    "constructor": "def test_{n}():\n    with SMTPServer({setting}) as smtpd:\n        assert {check}\n",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_setting_is_the_same_however_it_is_given(reports: Reports, way: str) -> None:
    tests = "\n".join(way.format(n=n, setting=one, check=check) for n, (one, check) in enumerate(SETTINGS.items()))
    got = reports(HELPERS + tests)
    failed = [(_setting(report), report.longreprtext[-400:]) for report in got if report.failed]
    assert failed == []
    assert len(got) == len(SETTINGS)


def _setting(report: pytest.TestReport) -> str:
    return list(SETTINGS)[int(report.nodeid.rpartition("::test_")[2].partition("[")[0])]
