"""Cases for the rules about commands and logins."""

from __future__ import annotations

from pytest_smtpd import on
from tests.lint.scripts import (
    ENVELOPE,
    GREETED,
    LETTER,
    QUIT,
    SECURED,
    SENDER,
    Case,
    Cases,
    b64,
    letter,
    mail,
    plain,
)

BEARER = "user=app\x01auth=Bearer t0ken\x01\x01"
TOKEN = f"C: AUTH XOAUTH2 {b64(BEARER)}\nS: 334\nC: \nS: 535\n"
PIPED = "MAIL FROM:<app@example.com>\\r\\nRCPT TO:<ada@example.com>\\r\\n"
LIMITED = {"max_recipients": 2, "max_messages": 2}


def login(password: str, code: int = 535) -> str:
    return f"C: AUTH PLAIN {plain(password=password)}\nS: {code}\n"


WRONG = {"auth": {"app": "s3cret"}}
TWO_RCPTS = "C: RCPT TO:<ada@example.com>\nS: 250\nC: RCPT TO:<bob@example.com>\nS: 250\n"
LONG = "x" * 520
FAR = "a" * 200 + "@" + "b" * 60 + ".example"

CASES: dict[str, Cases] = {
    "clear-password": Cases(
        [
            Case("AUTH PLAIN", f"{GREETED}C: AUTH PLAIN {plain()}\nS: 235\n{QUIT}"),
            Case(
                "AUTH LOGIN", f"{GREETED}C: AUTH LOGIN\nS: 334\nC: {b64('app')}\nS: 334\nC: {b64('pw')}\nS: 235\n{QUIT}"
            ),
            Case("XOAUTH2", f"{GREETED}C: AUTH XOAUTH2 {b64(BEARER)}\nS: 235\n{QUIT}"),
            Case(
                "OAUTHBEARER",
                f"{GREETED}C: AUTH OAUTHBEARER {b64('n,a=app,' + chr(1) + 'auth=Bearer t0ken' + chr(1) * 2)}\nS: 235\n"
                f"{QUIT}",
            ),
            Case(
                "refused for want of TLS, and told all the same",
                f"{GREETED}C: AUTH PLAIN {plain()}\nS: 538\n{QUIT}",
                settings={"auth_requires_tls": True},
            ),
            Case("a wrong password", f"{GREETED}{login('guess')}{QUIT}", settings=WRONG),
            Case(
                "after a refused STARTTLS",
                f"{GREETED}C: STARTTLS\nS: 454\n{login('s3cret', 235)}{QUIT}",
                on=[on("command", verb="STARTTLS", reply=454)],
            ),
        ],
        [
            Case("PLAIN over STARTTLS", f"{SECURED}C: AUTH PLAIN {plain()}\nS: 235\n{QUIT}"),
            Case(
                "LOGIN over implicit TLS",
                f"{GREETED}C: AUTH LOGIN {b64('app')}\nS: 334\nC: {b64('pw')}\nS: 235\n{QUIT}",
                settings={"tls": "implicit"},
            ),
            Case(
                "LOGIN given up before the password",
                f"{GREETED}C: AUTH LOGIN\nS: 334\nC: {b64('app')}\nS: 334\nC: *\nS: 501\n{QUIT}",
            ),
            Case(
                "refused before the password is told",
                f"{GREETED}C: AUTH PLAIN\nS: 538\nC: AUTH LOGIN {b64('app')}\nS: 538\n{QUIT}",
                settings={"auth_requires_tls": True},
            ),
            Case("a digest", f"{GREETED}C: AUTH CRAM-MD5\nS: 334\nC: {b64('app ' + '0' * 32)}\nS: 235\n{QUIT}"),
            Case("no login", f"{GREETED}{mail()}{QUIT}"),
        ],
    ),
    "auth-again": Cases(
        [
            Case("at once", f"{SECURED}{login('guess')}{login('guess')}{QUIT}", settings=WRONG),
            Case("on another connection", (f"{SECURED}{login('guess')}{QUIT}",) * 2, settings=WRONG),
            Case(
                "by another mechanism",
                f"{SECURED}{login('guess')}C: AUTH LOGIN\nS: 334\nC: {b64('app')}\nS: 334\nC: {b64('guess')}\nS: 535\n"
                f"{QUIT}",
                settings=WRONG,
            ),
            Case(
                "a token",
                f"{SECURED}{TOKEN}{TOKEN}{QUIT}",
                settings=WRONG,
            ),
            Case(
                "refused by a rule, accepted the second time",
                f"{SECURED}{login('s3cret')}{login('s3cret', 235)}{QUIT}",
                on=[on("auth", reply=535, times=1)],
            ),
        ],
        [
            Case("another password", f"{SECURED}{login('guess')}{login('s3cret', 235)}{QUIT}", settings=WRONG),
            Case(
                "another user",
                f"{SECURED}{login('guess')}C: AUTH PLAIN {plain('bob', 'guess')}\nS: 535\n{QUIT}",
                settings=WRONG,
            ),
            Case(
                "after a temporary failure",
                f"{SECURED}{login('s3cret', 454)}{login('s3cret', 235)}{QUIT}",
                on=[on("auth", reply=454, times=1)],
            ),
            Case("on two connections, both accepted", (f"{SECURED}{login('s3cret', 235)}{QUIT}",) * 2),
            Case(
                "a token after a password",
                f"{SECURED}{login('guess')}C: AUTH XOAUTH2 {b64(BEARER)}\nS: 334\nC: \nS: 535\n{QUIT}",
                settings=WRONG,
            ),
        ],
    ),
    "early-talk": Cases(
        [
            Case("EHLO before the greeting", f"S: 220\nS: 250\n{QUIT}", early=b"EHLO client.example\r\n"),
            Case("all of it before the greeting", "S: 220\nS: 250\nS: 221\n", early=b"NOOP\r\nQUIT\r\n"),
            Case(
                "HTTP before the greeting",
                "S: 220\nS: 500\nS: 500\n",
                early=b"GET / HTTP/1.1\r\nHost: mx.example\r\n",
            ),
            Case(
                "a command behind STARTTLS in clear",
                f"{GREETED}C> STARTTLS\\r\\nEHLO again.example\\r\\n\nS: 220\nTLS\n{GREETED}{QUIT}",
            ),
            Case(
                "half a line behind STARTTLS",
                f"{GREETED}C> STARTTLS\\r\\nEH\nS: 220\nTLS\n{GREETED}{QUIT}",
            ),
        ],
        [
            Case("EHLO behind the greeting", f"S: 220\n{GREETED}{QUIT}"),
            Case("a greeting that takes its time", f"S: 220\n{GREETED}{QUIT}", on=[on("connect", delay=0.05)]),
            Case("EHLO right behind the handshake", f"{SECURED}{QUIT}"),
            Case("EHLO behind implicit TLS", f"{GREETED}{QUIT}", settings={"tls": "implicit"}),
            Case("pipelining where it may be", f"{GREETED}C> NOOP\\r\\nQUIT\\r\\n\nS: 250\nS: 221\n"),
            Case(
                "STARTTLS refused, and a command behind its reply",
                f"{GREETED}C: STARTTLS\nS: 454\n{mail()}{QUIT}",
                on=[on("command", verb="STARTTLS", reply=454)],
            ),
        ],
    ),
    "pipelining": Cases(
        [
            Case(
                "not offered",
                f"{GREETED}C> {PIPED}\nS: 250\nS: 250\n{QUIT}",
                settings={"hide": {"PIPELINING"}},
            ),
            Case("after HELO", "C: HELO client.example\nS: 250\nC> NOOP\\r\\nNOOP\\r\\n\nS: 250\nS: 250\n" + QUIT),
            Case("before any EHLO", "S: 220\nC> NOOP\\r\\nNOOP\\r\\n\nS: 250\nS: 250\n" + QUIT),
            Case("behind EHLO", f"C> EHLO client.example\\r\\nNOOP\\r\\n\nS: 250\nS: 250\n{QUIT}"),
            Case(
                "behind DATA",
                f"{GREETED}{ENVELOPE}C> DATA\\r\\nSubject: x\\r\\n\\r\\n.\\r\\n\nS: 354\nS: 250\n{QUIT}",
            ),
            Case("behind QUIT", f"{GREETED}C> QUIT\\r\\nNOOP\\r\\n\nS: 221\n"),
            Case(
                "behind AUTH",
                f"{SECURED}C> AUTH PLAIN {plain()}\\r\\nMAIL FROM:<app@example.com>\\r\\n\nS: 235\nS: 250\n{QUIT}",
            ),
            Case(
                "a password that did not wait for its challenge",
                f"{SECURED}C> AUTH LOGIN\\r\\n{b64('app')}\\r\\n{b64('pw')}\\r\\n\nS: 334\nS: 334\nS: 235\n{QUIT}",
            ),
            Case("behind STARTTLS", f"{GREETED}C> STARTTLS\\r\\nNOOP\\r\\n\nS: 220\nTLS\n{GREETED}{QUIT}"),
            Case(
                "ahead of the reply to the message",
                f"{GREETED}{ENVELOPE}C: DATA\nS: 354\nC> Subject: x\\r\\n\\r\\n.\\r\\nQUIT\\r\\n\nS: 250\nS: 221\n",
                settings={"disable": {"PIPELINING"}},
            ),
        ],
        [
            Case(
                "an envelope in one go",
                f"{GREETED}C> {PIPED}DATA\\r\\n\nS: 250\nS: 250\n"
                f"S: 354\nC> Subject: x\\r\\n\\r\\n.\\r\\nRSET\\r\\nQUIT\\r\\n\nS: 250\nS: 250\nS: 221\n",
            ),
            Case("BDAT and its octets", f"{GREETED}{mail(by='BDAT')}{QUIT}"),
            Case("one after the other, not offered", letter(LETTER), settings={"hide": {"PIPELINING"}}),
            Case("EHLO right behind the handshake", f"{SECURED}{QUIT}", settings={"hide": {"PIPELINING"}}),
            Case("offered under TLS", f"{SECURED}C> NOOP\\r\\nNOOP\\r\\nQUIT\\r\\n\nS: 250\nS: 250\nS: 221\n"),
            Case(
                "a reply too many that a rule has sent",
                f"{GREETED}C: NOOP\nS: 250\nC: NOOP\nS: 250\nC: NOOP\nS: 250\nS: 250\n{QUIT}",
                settings={"hide": {"PIPELINING"}},
                on=[on("command", verb="NOOP", then=b"250 2.0.0 once more\r\n", times=1)],
            ),
        ],
    ),
    "ehlo-name": Cases(
        [
            Case("an underscore", "C: EHLO my_host\nS: 250\n" + QUIT),
            Case("a bare address", "C: HELO 2001:db8::1\nS: 250\n" + QUIT),
            Case("a broken literal", "C: EHLO [127.0.0.1\nS: 250\n" + QUIT),
            Case("a name with a space", "C: EHLO Ada's Laptop\nS: 250\n" + QUIT),
            Case("not ASCII", "C: EHLO b\u00fcro.example\nS: 250\n" + QUIT),
            Case("none", "C: EHLO\nS: 501\n" + QUIT),
            Case("in LMTP", "C: LHLO my_host\nS: 250\n" + QUIT, settings={"lmtp": True}),
        ],
        [
            Case("a domain", GREETED + QUIT),
            Case("one label", "C: HELO localhost\nS: 250\n" + QUIT),
            Case("an IPv4 literal", "C: EHLO [127.0.0.1]\nS: 250\n" + QUIT),
            Case("an IPv6 literal", "C: EHLO [IPv6:2001:db8::1]\nS: 250\n" + QUIT),
            Case("punycode", "C: EHLO xn--bro-hoa.example\nS: 250\n" + QUIT),
            Case("digits", "C: EHLO 4.example\nS: 250\n" + QUIT),
        ],
    ),
    "ehlo-unqualified": Cases(
        [
            Case("one label", "C: EHLO localhost\nS: 250\n" + QUIT),
            Case("localdomain", "C: EHLO localhost.localdomain\nS: 250\n" + QUIT),
            Case("multicast DNS", "C: EHLO Adas-Laptop.local\nS: 250\n" + QUIT),
            Case("HELO", "C: HELO web\nS: 250\n" + QUIT),
        ],
        [
            Case("a full name", GREETED + QUIT),
            Case("a literal", "C: EHLO [192.0.2.1]\nS: 250\n" + QUIT),
            Case("no domain at all, which is another rule's", "C: EHLO my_host\nS: 250\n" + QUIT),
            Case("a name with local in it", "C: EHLO local.example\nS: 250\n" + QUIT),
        ],
    ),
    "out-of-step": Cases(
        [
            Case("an unknown command", f"{GREETED}C: FOO\nS: 500\n{QUIT}"),
            Case("MAIL without EHLO", f"C: MAIL FROM:<app@example.com>\nS: 503\n{QUIT}"),
            Case(
                "no EHLO after STARTTLS",
                f"{GREETED}C: STARTTLS\nS: 220\nTLS\nC: MAIL FROM:<a@example.com>\nS: 503\n{QUIT}",
            ),
            Case(
                "RCPT after a refused MAIL",
                f"{GREETED}C: MAIL FROM:<app@example.com>\nS: 550\nC: RCPT TO:<a@example.com>\nS: 503\n{QUIT}",
                on=[on("mail_from", reply=550)],
            ),
            Case("a malformed address", f"{GREETED}C: MAIL FROM:<app@>\nS: 501\n{QUIT}"),
            Case(
                "a parameter that is not offered",
                f"{GREETED}C: MAIL FROM:<app@example.com> SIZE=5\nS: 555\n{QUIT}",
                settings={"disable": {"SIZE"}},
            ),
            Case("broken base64", f"{SECURED}C: AUTH PLAIN $$$\nS: 501\n{QUIT}"),
            Case(
                "DATA without recipients, one after the other",
                f"{GREETED}{SENDER}C: DATA\nS: 503\n{QUIT}",
            ),
            Case("EHLO to an LMTP server", "C: EHLO client.example\nS: 500\n" + QUIT, settings={"lmtp": True}),
        ],
        [
            Case("a whole message", letter(LETTER)),
            Case("a rule gave it", f"{GREETED}C: NOOP\nS: 500\n{QUIT}", on=[on("command", verb="NOOP", reply=500)]),
            Case(
                "a hook gave it",
                f"{GREETED}C: MAIL FROM:<app@example.com>\nS: 501\n{QUIT}",
                on=[on("mail_from", call=lambda address, session: "501 5.1.7 No")],
            ),
            Case(
                "pipelined behind a refusal",
                f"{GREETED}C> {PIPED}DATA\\r\\n\nS: 550\nS: 503\nS: 503\n{QUIT}",
                on=[on("mail_from", reply=550)],
            ),
            Case("a login given up", f"{SECURED}C: AUTH PLAIN\nS: 334\nC: *\nS: 501\n{QUIT}"),
            Case(
                "other refusals",
                f"{GREETED}C: EXPN list\nS: 502\n{SENDER}C: RCPT TO:<a@example.com>\nS: 550\n{QUIT}",
                on=[on("rcpt_to", reply=550)],
            ),
            Case(
                "told yes by a rule, while the server kept nothing",
                f"{GREETED}{SENDER}C: RCPT TO:<ada@example.com>\nS: 250\nC: DATA\nS: 503\n{QUIT}",
                on=[on("rcpt_to", reply=250, accept=False)],
            ),
            Case(
                "EHLO refused, HELO tried",
                "C: EHLO client.example\nS: 502\nC: HELO client.example\nS: 250\n" + QUIT,
                settings={"disable": {"EHLO"}},
            ),
        ],
    ),
    "limits": Cases(
        [
            Case(
                "one recipient too many",
                f"{GREETED}{SENDER}{TWO_RCPTS}C: RCPT TO:<eve@example.com>\nS: 452\n{QUIT}",
                settings=LIMITED,
            ),
            Case(
                "one message too many",
                f"{GREETED}{mail()}{mail()}C: MAIL FROM:<app@example.com>\nS: 421\n",
                settings=LIMITED,
            ),
            Case("over SIZE without saying so", letter(LETTER, reply=552), settings={"size": 100}),
            Case(
                "over SIZE, and announced as less",
                letter(LETTER, parameters=" SIZE=50", reply=552),
                settings={"size": 100},
            ),
            Case(
                "recipients that a pipeline does not wait for",
                f"{GREETED}C> {PIPED}RCPT TO:<b@example.com>\\r\\nRCPT TO:<c@example.com>\\r\\n\n"
                f"S: 250\nS: 250\nS: 250\nS: 452\n{QUIT}",
                settings=LIMITED,
            ),
        ],
        [
            Case(
                "as many as offered",
                f"{GREETED}{mail(to=('ada@example.com', 'bob@example.com'))}{mail()}{QUIT}",
                settings=LIMITED,
            ),
            Case(
                "SIZE= asked, and was refused",
                f"{GREETED}C: MAIL FROM:<app@example.com> SIZE=500\nS: 552\n{QUIT}",
                settings={"size": 100},
            ),
            Case(
                "a refused recipient does not count",
                f"{GREETED}{SENDER}C: RCPT TO:<no@example.com>\nS: 550\n{TWO_RCPTS}{QUIT}",
                settings=LIMITED,
                on=[on("rcpt_to", to="no@example.com", reply=550)],
            ),
            Case(
                "another transaction begins from nothing",
                f"{GREETED}{SENDER}{TWO_RCPTS}C: RSET\nS: 250\n{SENDER}{TWO_RCPTS}{QUIT}",
                settings=LIMITED,
            ),
            Case(
                "a limit that EHLO does not show",
                f"{GREETED}{SENDER}{TWO_RCPTS}C: RCPT TO:<eve@example.com>\nS: 452\n{QUIT}",
                settings={**LIMITED, "hide": {"LIMITS"}},
            ),
            Case("exactly SIZE", letter(LETTER), settings={"size": len(LETTER)}),
        ],
    ),
    "helo-first": Cases(
        [
            Case("HELO", "C: HELO client.example\nS: 250\n" + QUIT),
            Case("HELO, then EHLO", "C: HELO client.example\nS: 250\n" + GREETED + QUIT),
            Case("HELO after a NOOP", "C: NOOP\nS: 250\nC: HELO client.example\nS: 250\n" + QUIT),
        ],
        [
            Case("EHLO", GREETED + QUIT),
            Case(
                "HELO after a refused EHLO",
                "C: EHLO client.example\nS: 502\nC: HELO client.example\nS: 250\n" + QUIT,
                settings={"disable": {"EHLO"}},
            ),
            Case("no greeting at all", QUIT),
            Case("LHLO", "C: LHLO client.example\nS: 250\n" + QUIT, settings={"lmtp": True}),
        ],
    ),
    "no-quit": Cases(
        [
            Case("after a message", f"{GREETED}{mail()}"),
            Case("after EHLO", GREETED),
            Case("after the greeting", "S: 220\n"),
            Case(
                "after a refusal", f"{GREETED}C: MAIL FROM:<app@example.com>\nS: 550\n", on=[on("mail_from", reply=550)]
            ),
        ],
        [
            Case("QUIT", letter(LETTER)),
            Case(
                "sent away by 421",
                f"{GREETED}C: MAIL FROM:<app@example.com>\nS: 421\nCLOSED\n",
                on=[on("mail_from", reply=421)],
            ),
            Case("dropped", f"{GREETED}C: MAIL FROM:<app@example.com>\nCLOSED\n", on=[on("mail_from", drop=True)]),
            Case("kept waiting", f"{GREETED}C: MAIL FROM:<app@example.com>\n", on=[on("mail_from", hang=True)]),
            Case("not welcome", "S: 554\nCLOSED\n", on=[on("connect", reply=554)]),
            Case("told rubbish", f"{GREETED}C: NOOP\nS: 250\n", on=[on("command", verb="NOOP", raw=b"250 ?\r\n!")]),
            Case(
                "QUIT, and a reply that is no 221",
                f"{GREETED}C: QUIT\nS: 451\n",
                on=[on("command", verb="QUIT", reply=451)],
            ),
        ],
    ),
    "size-wrong": Cases(
        [
            Case("far too small", letter(LETTER, parameters=" SIZE=5")),
            Case("far too big", letter(LETTER, parameters=" SIZE=5000")),
            Case(
                "of a refused message", letter(LETTER, parameters=" SIZE=5000", reply=554), on=[on("data", reply=554)]
            ),
        ],
        [
            Case("exact", letter(LETTER, parameters=f" SIZE={len(LETTER)}")),
            Case("an estimate", letter(LETTER, parameters=f" SIZE={len(LETTER) + 60}")),
            Case("without the last CRLF", letter(LETTER, parameters=f" SIZE={len(LETTER) - 2}")),
            Case("none", letter(LETTER)),
        ],
    ),
}
