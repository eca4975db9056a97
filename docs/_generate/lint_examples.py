"""EXAMPLES: for each lint rule a wrong and a right example. The tests send both, and ask lint about them.

An example is a dialogue (``C:`` the client sends this line, ``C>`` these octets, ``S:`` the server replies so) or else
a message, whose lines end in CRLF unless they show another end.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

GREETED = "C: EHLO client.example\nS: 250\n"
SECURED = f"{GREETED}C: STARTTLS\nS: 220\nTLS\n{GREETED}"
LOGIN = "C: AUTH PLAIN AGFwcABzM2NyZXQ=\n"  # app, s3cret
WRONG_LOGIN = "C: AUTH PLAIN AGFwcABndWVzcw==\nS: 535\n"  # app, guess
SENDER = "C: MAIL FROM:<app@example.com>\nS: 250\n"
HEADER = "Date: Mon, 1 Jan 2024 12:00:00 +0000\nFrom: app@example.com\nTo: ada@example.com\n"
HELLO = "Subject: Hello\n\n"


class Example(NamedTuple):
    """``why`` is what happens to such mail, and where it comes from.

    ``before`` is what the client said before, and is not shown. ``settings`` are those of the server. ``bare`` messages
    are sent as they are; to others the tests add Date, From, To and Message-ID if the example does not show them.
    """

    why: str
    wrong: str
    right: str
    before: str = GREETED
    settings: Mapping[str, Any] = MappingProxyType({})
    bare: bool = False
    quits: bool = True


def _sent(recipient: str, content: str, parameters: str = "") -> str:
    """A transaction."""
    lines = "".join(f"C: {line}\n" for line in [*content.splitlines(), "."])
    return (
        f"C: MAIL FROM:<app@example.com>{parameters}\nS: 250\nC: RCPT TO:<{recipient}>\nS: 250\n"
        f"C: DATA\nS: 354\n{lines}S: 250\n"
    )


def _with_id(identifier: str, body: str) -> str:
    return f"Message-ID: <{identifier}@example.com>\n\n{body}\n"


EXAMPLES: dict[str, Example] = {
    "clear-password": Example(
        "Whoever can read the network has the password. Libraries log in without TLS unless they are told to demand "
        "it.",
        f"{LOGIN}S: 235\n",
        f"C: STARTTLS\nS: 220\nTLS\n{GREETED}{LOGIN}S: 235\n",
    ),
    "bare-lf": Example(
        "Servers disagree on whether LF alone ends a line, so a text with it can hide a second message (SMTP "
        "smuggling), and several refuse it. It comes from text that is sent over a socket, or by curl, without "
        "conversion.",
        f"{HELLO}one\\n\ntwo\\r\\n\n",
        f"{HELLO}one\\r\\n\ntwo\\r\\n\n",
    ),
    "bare-cr": Example(
        "The same as for a bare LF. It comes from the output of programs that draw progress bars, and from binary "
        "data without an encoding.",
        f"{HELLO}50 %\\r\n100 %\\r\\n\n",
        f"{HELLO}50 %\\r\\n\n100 %\\r\\n\n",
    ),
    "nul": Example(
        "Servers cut the line there, replace the octet or refuse the message. It comes from binary data without an "
        "encoding, and from UTF-16.",
        f"{HELLO}a\\0b\n",
        "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nYQBi\n",
    ),
    "dot-stuffed-lf": Example(
        "A client that doubles the dots before it converts line ends doubles one that the server does not take "
        "away: the reader sees two.",
        f"{HELLO}one\\n\n..two\\r\\n\n",
        f"{HELLO}one\\r\\n\n..two\\r\\n\n",
    ),
    "line-length": Example(
        "Servers break longer lines, which spoils HTML and signatures, or refuse them. A template without line "
        "breaks and without quoted-printable is the usual cause.",
        f'{HELLO}{{"x" * 1000}}\n',
        'Content-Transfer-Encoding: quoted-printable\n\n{"x" * 75}=\n{"x" * 75}\n',
    ),
    "early-talk": Example(
        "Servers hang up on clients that do not wait, since many spammers do not. What is sent in clear text behind "
        "STARTTLS is lost, or worse, is taken for protected.",
        "C> STARTTLS\\r\\nNOOP\\r\\n\nS: 220\nTLS\n",
        f"C: STARTTLS\nS: 220\nTLS\n{GREETED}",
    ),
    "pipelining": Example(
        "A server that does not expect it throws away what has come too early, and the dialogue is out of step from "
        "there on.",
        "C> EHLO client.example\\r\\nNOOP\\r\\n\nS: 250\nS: 250\n",
        f"{GREETED}C> MAIL FROM:<app@example.com>\\r\\nRCPT TO:<ada@example.com>\\r\\n\nS: 250\nS: 250\n",
        before="",
    ),
    "smtputf8": Example(
        "Servers without the extension refuse the command, cut it, or deliver a header that nobody can read.",
        f"{SENDER}C: RCPT TO:<dörte@example.com>\nS: 250\n",
        "C: MAIL FROM:<app@example.com> SMTPUTF8\nS: 250\nC: RCPT TO:<dörte@example.com>\nS: 250\n",
    ),
    "ehlo-name": Example(
        "Many servers refuse it at once. The name is usually that of a container or a laptop, with an underscore in "
        "it, or an address without its brackets.",
        "C: EHLO build_host\nS: 250\n",
        GREETED,
        before="",
    ),
    "out-of-step": Example(
        "The client has sent what the server does not know, cannot read, or does not expect at this place.",
        f"{SENDER}C: DATA\nS: 503\n",
        _sent("ada@example.com", "Subject: Hello\n"),
    ),
    "limits": Example(
        "The server has said in its EHLO reply how many it takes (here: one recipient). It refuses the rest, and "
        "the client that does not look may not notice.",
        f"{SENDER}C: RCPT TO:<ada@example.com>\nS: 250\nC: RCPT TO:<bob@example.com>\nS: 452\n",
        _sent("ada@example.com", "Subject: Hello\n") + _sent("bob@example.com", "Subject: Hello\n"),
        settings={"max_recipients": 1},
    ),
    "bcc": Example(
        "Every recipient can read who got a blind copy. With smtplib, `send_message` takes the header out, and "
        "`sendmail` with `message.as_bytes()` does not.",
        f"Bcc: boss@example.com\n{HELLO}Hello.\n",
        f"{HELLO}Hello.\n",
    ),
    "double-header": Example(
        'Gmail refuses such mail, and others show one of the two. With an older message class, `message["Subject"] '
        "= ...` adds a second header; `EmailMessage` raises an exception.",
        "Subject: Hello\nSubject: Welcome\n\nHello.\n",
        "Subject: Welcome\n\nHello.\n",
    ),
    "auth-again": Example(
        "Providers lock an account after some attempts, and such a client uses them up. smtplib tries a refused "
        "password once more with each mechanism that the server offers: sent to a real provider, one typing error "
        'counts three times. `auth_methods=["PLAIN"]` makes the test server offer one only.',
        2 * WRONG_LOGIN,
        WRONG_LOGIN,
        before=SECURED,
        settings={"auth": {"app": "s3cret"}},
    ),
    "same-message-id": Example(
        "Mailboxes take the second message for a copy of the first, and throw it away. It comes from an ID that is "
        "made once, where the program starts. A retry has to carry the same ID, with the same content.",
        _sent("ada@example.com", _with_id("1", "Your code is 123.")) + _sent("ada@example.com", _with_id("1", "456.")),
        _sent("ada@example.com", _with_id("1", "Your code is 123.")) + _sent("ada@example.com", _with_id("2", "456.")),
    ),
    "8bit": Example(
        "Nearly all servers cope. A server without 8BITMIME may strip the eighth bit or bounce the message. All "
        "versions of smtplib send 8-bit content of `sendmail` so, which is why `lint=True` does not ask for this "
        "rule.",
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nZwölf.\n",
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nZw=C3=B6lf.\n",
    ),
    "no-date": Example(
        "A submission server adds the date, and a mail that stays in a queue for hours gets a wrong one. Elsewhere "
        "the missing date counts as a sign of spam. `EmailMessage` does not set it.",
        f"From: app@example.com\nTo: ada@example.com\nMessage-ID: <1@example.com>\n{HELLO}Hello.\n",
        f"{HEADER}Message-ID: <1@example.com>\n{HELLO}Hello.\n",
        bare=True,
    ),
    "no-from": Example(
        "The receiver sees no sender, and DMARC has nothing to check.",
        f"Date: Mon, 1 Jan 2024 12:00:00 +0000\nTo: ada@example.com\nMessage-ID: <1@example.com>\n{HELLO}Hello.\n",
        f"{HEADER}Message-ID: <1@example.com>\n{HELLO}Hello.\n",
        bare=True,
    ),
    "no-message-id": Example(
        "Without an ID a receiver cannot tell a second copy from a second message, answers form no thread, and "
        "nobody finds the mail in a log. `email.utils.make_msgid` makes one.",
        f"{HEADER}{HELLO}Hello.\n",
        f"{HEADER}Message-ID: <1@example.com>\n{HELLO}Hello.\n",
        bare=True,
    ),
    "no-quit": Example(
        "The server cannot tell whether the client has had its reply. Some throw away a message whose client vanishes.",
        _sent("ada@example.com", "Subject: Hello\n"),
        _sent("ada@example.com", "Subject: Hello\n") + "C: QUIT\nS: 221\n",
        quits=False,
    ),
    "helo-first": Example(
        "A client that never says EHLO gets no TLS, no login and no size limit.",
        "C: HELO client.example\nS: 250\n",
        GREETED,
        before="",
    ),
    "size-wrong": Example(
        "A server decides by `SIZE=` whether it takes the message. Too large a number has a small message refused, "
        "too small a number has a large one refused only after all of it was sent.",
        _sent("ada@example.com", "Subject: Hello\n", " SIZE=1000000"),
        _sent("ada@example.com", "Subject: Hello\n", " SIZE=16"),
    ),
    "ehlo-unqualified": Example(
        "Servers that look the name up refuse the client, or count it as a sign of spam. It is the name of the "
        "machine that runs the test, and often without consequence there: see what production says.",
        "C: EHLO localhost\nS: 250\n",
        "C: EHLO mail.example.com\nS: 250\n",
        before="",
    ),
    "mime": Example(
        "Mail programs guess what a broken part means, and each guesses in its own way. The text says which part, "
        "in which line, and what is wrong with it.",
        "Content-Type: text/plain; charset=utf-8\n\nZwölf.\n",
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nZw=C3=B6lf.\n",
    ),
    "unsubscribe": Example(
        "Gmail and Yahoo ask senders of bulk mail for the one-click form, which is a pair of headers.",
        f"List-Unsubscribe: <https://example.com/u/1>\n{HELLO}Hello.\n",
        "List-Unsubscribe: <https://example.com/u/1>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
        f"{HELLO}Hello.\n",
    ),
    "not-in-headers": Example(
        "Right for blind copies and mailing lists. In other mail it is a recipient whom the application forgot to "
        "name, or did not mean.",
        f"To: undisclosed-recipients:;\n{HELLO}Hello.\n",
        f"To: ada@example.com\n{HELLO}Hello.\n",
    ),
    "not-in-envelope": Example(
        "The header promises a copy to somebody who gets none. It comes from a list of recipients that is made "
        "apart from the header.",
        f"To: ada@example.com, bob@example.com\n{HELLO}Hello.\n",
        f"To: ada@example.com\n{HELLO}Hello.\n",
    ),
}
