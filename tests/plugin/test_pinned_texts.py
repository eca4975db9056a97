"""A few texts word for word: for a test tool, they are the product. Change them on purpose only."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.plugin.reading import failure_text, sections

Failure = Callable[..., pytest.TestReport]

PRELUDE = """
@pytest.fixture
def sent(smtpd):
    send(smtpd, "ada@example.com", subject="Welcome")
    send(smtpd, "bob@example.com", subject="Invoice 7")

def said(query, *args, **options):
    with pytest.raises(AssertionError) as caught:
        query(*args, **options)
    pytest.fail(str(caught.value), pytrace=False)

"""
ADA = "  <Envelope app@example.com -> ada@example.com 'Welcome'>"
BOB = "  <Envelope app@example.com -> bob@example.com 'Invoice 7'>"

HOOKS = ["connect", "secure", "auth", "mail_from", "rcpt_to", "data", "close", "command"]

# What the test does, and the lines it then says.
TEXTS = {
    "one, nothing came": (
        'def test(smtpd): said(smtpd.one, to="bob@example.com")',
        "expected exactly one envelope with to='bob@example.com', but nobody connected to the server",
        "if the application sends it later, or in another thread or process, use smtpd.wait_for(...)",
    ),
    "one, the nearest": (
        'def test(smtpd, sent): said(smtpd.one, to="bob@example.com", subject="Invoice 8")',
        "expected exactly one envelope with to='bob@example.com', subject='Invoice 8', but 2 envelopes came",
        f"{BOB}: subject is 'Invoice 7', not 'Invoice 8'",
        f"{ADA}: to is 'ada@example.com', not 'bob@example.com'; subject is 'Welcome', not 'Invoice 8'",
    ),
    "one, too many": (
        "def test(smtpd, sent): said(smtpd.one)",
        "expected exactly one envelope, but 2 match:",
        ADA,
        BOB,
        "ask for less with more match keys, or use find(...) for all of them",
    ),
    "wait_for, too few": (
        'def test(smtpd, sent): said(smtpd.wait_for, 2, timeout=0.01, to="ada@example.com")',
        "waited 0.01 s for 2 envelopes with to='ada@example.com': only 1 envelope came",
        ADA,
        f"{BOB}: to is 'bob@example.com', not 'ada@example.com'",
    ),
    "log.wait_for, none": (
        'def test(smtpd): said(smtpd.log.wait_for, "rcpt_to", timeout=0.01, to="bob@example.com")',
        "waited 0.01 s for 1 rcpt_to call with to='bob@example.com': none came",
        "calls so far: none",
    ),
    "unused rule, no call": (
        '@pytest.mark.smtpd_on("rcpt_to", reply=550)\ndef test(smtpd): pass',
        "on('rcpt_to', reply=550) was never used: there was no rcpt_to call (calls: none)",
        "remove the rule, or give it optional=True if it need not apply",
    ),
    "unused rule, other calls": (
        "@pytest.mark.smtpd_on('rcpt_to', to='bounce@*', reply=550)\ndef test(smtpd): send(smtpd, 'ada@example.com')",
        (
            "on('rcpt_to', reply=550, to='bounce@*') was never used: "
            "there was 1 rcpt_to call, and the rule did not apply to it"
        ),
        "  <Call 6 rcpt_to ada@example.com accepted 250>: to is 'ada@example.com', not 'bounce@*'",
        "remove the rule, or give it optional=True if it need not apply",
    ),
    "wrong hook": (
        '@pytest.mark.smtpd_on("rctp", reply=550)\ndef test(smtpd): pass',
        (
            f"@pytest.mark.smtpd_on: unknown hook 'rctp' - did you mean 'rcpt_to'? (valid: {', '.join(HOOKS)}) "
            "(test_inner.py:16)"
        ),
    ),
    "wrong reply": (
        '@pytest.mark.smtpd_on("rcpt_to", reply="Unknown")\ndef test(smtpd): pass',
        (
            "@pytest.mark.smtpd_on: reply must be a code like 550 or text like '550 5.1.1 No such user', not 'Unknown' "
            "(test_inner.py:16)"
        ),
    ),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_text_of_a_failure(failure: Failure, text: tuple[str, ...]) -> None:
    source, *lines = text
    assert failure_text(failure(PRELUDE + source)).strip().splitlines() == lines


def test_the_transcript(failure: Failure) -> None:
    report = failure("""
        @pytest.mark.smtpd(tls=None, auth={"app": "s3cret"}, auth_methods=["PLAIN"], hostname="mx.example")
        @pytest.mark.smtpd_on("rcpt_to", to="carol@*", reply="550 5.1.1 No such user")
        @pytest.mark.smtpd_on("data", drop=True, accept=True)
        def test(smtpd):
            client = connect(smtpd, greet=False)
            client.docmd("EHLO client.example")
            client.docmd("AUTH PLAIN " + b64("\\0app\\0s3cret"))
            client.docmd("MAIL FROM:<app@example.com>")
            client.docmd("RCPT TO:<ada@example.com>")
            client.docmd("RCPT TO:<carol@example.com>")
            client.docmd("DATA")
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.send("Subject: Hello\\r\\n\\r\\nHi\\r\\n.\\r\\n"), client.getreply()
            smtpd.wait_closed()
            assert False
    """)
    section = sections(report)["Captured smtpd call"]
    lasting = re.sub(r"(?m)^ +\d+\.\d{3}", "T", re.sub(r"127\.0\.0\.1:\d+", "CLIENT", section))
    assert lasting.rstrip().splitlines() == [
        "session 1 from CLIENT closed",
        "T S: 220 mx.example ESMTP",
        "T C: EHLO client.example",
        "T S: 250 mx.example (9 extensions)",
        "T C: AUTH PLAIN ***",
        "T S: 235 2.7.0 Authentication succeeded",
        "T C: MAIL FROM:<app@example.com>",
        "T S: 250 2.1.0 OK",
        "T C: RCPT TO:<ada@example.com>",
        "T S: 250 2.1.5 OK",
        "T C: RCPT TO:<carol@example.com>",
        "T S: 550 5.1.1 No such user   by on('rcpt_to', reply='550 5.1.1 No such user', to='carol@*')",
        "T C: DATA",
        "T S: 354 End data with <CR><LF>.<CR><LF>",
        "T C: <22 bytes of content>",
        "T -: dropped at data   by on('data', drop=True, accept=True)",
    ]
