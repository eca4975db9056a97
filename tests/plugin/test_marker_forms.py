"""Every action, modifier and match key of a rule means the same as a marker, as a parameter and in the body."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Reports = Callable[..., list[pytest.TestReport]]

# What stands in the brackets, and what a client then meets.
FORMS = {
    "'rcpt_to', reply=550": "code(attempt(smtpd)) == 550",
    "'rcpt_to', reply='550 5.1.1 No such user'": "text(attempt(smtpd)) == '5.1.1 No such user'",
    "'rcpt_to', reply='550-5.1.1 No such\\n550 5.1.1 user'": "text(attempt(smtpd)) == '5.1.1 No such\\n5.1.1 user'",
    "'mail_from', reply=451, times=2": "[code(attempt(smtpd)) for n in range(3)] == [451, 451, None]",
    "'mail_from', reply=451, skip=1, times=1": "[code(attempt(smtpd)) for n in range(3)] == [None, 451, None]",
    "'connect', reply=421": "code(attempt(smtpd)) == 421",
    "'connect', drop=True": "isinstance(attempt(smtpd), smtplib.SMTPServerDisconnected)",
    "'connect', drop='rst'": "isinstance(attempt(smtpd), (smtplib.SMTPServerDisconnected, ConnectionResetError))",
    "'data', drop=True": "isinstance(attempt(smtpd), smtplib.SMTPServerDisconnected) and not smtpd.envelopes",
    "'data', drop=True, accept=True": "attempt(smtpd) is not None and len(smtpd.envelopes) == 1",
    "'data', reply=250, accept=False": "attempt(smtpd) is None and not smtpd.envelopes",
    "'data', reply=552, after=1": "code(attempt(smtpd)) == 552",
    "'data', reply=421, drop=True": "code(attempt(smtpd)) == 421",
    "'data', reply=421, drop=True, linger=0.01": "code(attempt(smtpd)) == 421",
    "'rcpt_to', raw=b'550 5.1.1 raw\\r\\n'": "text(attempt(smtpd)) == '5.1.1 raw'",
    "'command', verb='NOOP', reply=502": "noop(smtpd) == 502",
    "'command', verb='ehlo', reply=502": "features(smtpd) == {}",
    "'command', verb=re.compile('^N'), reply=502": "noop(smtpd) == 502",
    "'auth', reply=535": "login(smtpd) == 535",
    "'auth', user='app', reply=454": "login(smtpd) == 454",
    "'mail_from', call=refuse": "code(attempt(smtpd)) == 553",
    "'mail_from', call=refuse_async": "code(attempt(smtpd)) == 553",
    "'rcpt_to', to='bob@*', reply=550": "code(attempt(smtpd)) == 550 and attempt(smtpd, 'ada@example.com') is None",
    "'rcpt_to', to='bob@EXAMPLE.com', reply=550": "code(attempt(smtpd, 'bob@example.com')) == 550",
    "'rcpt_to', to=re.compile('b.b'), reply=550": "code(attempt(smtpd)) == 550",
    "'rcpt_to', to=is_bob, reply=550": "code(attempt(smtpd)) == 550 and attempt(smtpd, 'ada@example.com') is None",
    "'rcpt_to', mail_from='app@*', reply=550": "code(attempt(smtpd)) == 550",
    "'data', subject='Hello', reply=554": "code(attempt(smtpd)) == 554",
    "'data', to='bob@*', reply=554": "code(attempt(smtpd)) == 554 and attempt(smtpd, 'ada@example.com') is None",
    "'rcpt_to', name='smtpd', reply=550": "code(attempt(smtpd)) == 550",
    "'rcpt_to', when=for_bob, reply=550": "code(attempt(smtpd)) == 550 and attempt(smtpd, 'ada@example.com') is None",
    "'rcpt_to', delay=0.001": "attempt(smtpd) is None",
    "'rcpt_to', drip=0.0001, reply='550 5.1.1 slow'": "text(attempt(smtpd)) == '5.1.1 slow'",
    "'rcpt_to', hang=True": "hangs(smtpd)",
    "'secure', drop=True": "raised(upgraded, smtpd, smtpd.client_context) is not None",
}

HELPERS = """
def refuse(address, session):
    raise Reject(553, "5.7.1 Not here")

async def refuse_async(address, session):
    raise Reject(553, "5.7.1 Not here")

def is_bob(address):
    return address.local == "bob"

def for_bob(call):
    return is_bob(call.args[0])

def code(error):
    for one in getattr(error, "recipients", {}).values():
        return one[0]
    return getattr(error, "smtp_code", None)

def text(error):
    for one in getattr(error, "recipients", {}).values():
        return one[1].decode()
    return error.smtp_error.decode()

def raised(function, *args):
    try:
        function(*args)
    except Exception as error:
        return error

def noop(server):
    with connect(server) as client:
        return client.noop()[0]

def login(server):
    with connect(server) as client:
        return code(raised(client.login, "app", "s3cret"))

def hangs(server):
    client = connect(server)
    client.mail("app@example.com")
    client.sock.settimeout(0.05)
    error = raised(client.rcpt, "bob@example.com")       # smtplib closes on a time-out
    return isinstance(error, smtplib.SMTPServerDisconnected)
"""

WAYS = {
    "marker": "@pytest.mark.smtpd_on({rule})\ndef test_{n}(smtpd):\n    assert {check}\n",
    "parameter": (
        "@pytest.mark.parametrize('smtpd', [on({rule})], indirect=True, ids=['x'])\n"
        "def test_{n}(smtpd):\n    assert {check}\n"
    ),
    "body": "def test_{n}(smtpd):\n    smtpd.on({rule})\n    assert {check}\n",
    "factory": "def test_{n}(smtpd_factory):\n    smtpd = smtpd_factory('smtpd', on=on({rule}))\n    assert {check}\n",
    "session": "@pytest.mark.smtpd_on({rule})\ndef test_{n}(smtpd_session, smtpd):\n    assert {check}\n",
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_rule_is_the_same_however_it_is_given(reports: Reports, way: str) -> None:
    tests = "\n".join(way.format(n=n, rule=rule, check=check) for n, (rule, check) in enumerate(FORMS.items()))
    got = reports(HELPERS + tests)
    failed = [(_rule(report), report.longreprtext[-400:]) for report in got if report.failed]
    assert failed == []
    assert len(got) == len(FORMS)


def _rule(report: pytest.TestReport) -> str:
    number = report.nodeid.partition("::test_")[2].partition("[")[0]
    return list(FORMS)[int(number)]
