"""Cases for the rules about what is in a message, and how it is announced."""

from __future__ import annotations

from pytest_smtpd import on
from tests.lint.scripts import BODY, GREETED, HEADER, LETTER, QUIT, SENDER, Case, Cases, letter, mail

UTF8 = "\u00e4".encode()
BINARY = {"parameters": " BODY=BINARYMIME", "by": "BDAT"}
LONG = b"x" * 999
PATH = "a" * 64 + "@" + ".".join(["b" * 60] * 3) + ".example"
HTTPS = b"List-Unsubscribe: <https://example.com/u?1>\r\n"
ONE_CLICK = b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


def without(name: bytes) -> bytes:
    lines = [line for line in HEADER.splitlines(keepends=True) if not line.startswith(name + b":")]
    return b"".join(lines) + BODY


def having(*fields: bytes) -> bytes:
    return HEADER + b"".join(fields) + BODY


def titled(subject: bytes) -> bytes:
    return HEADER.replace(b"Subject: Hello", b"Subject: " + subject) + BODY


def mime(kind: bytes, body: bytes, *fields: bytes) -> bytes:
    return HEADER + b"MIME-Version: 1.0\r\nContent-Type: " + kind + b"\r\n" + b"".join(fields) + b"\r\n" + body


def parts(*bodies: bytes, end: bytes = b"--b--\r\n") -> bytes:
    return mime(b"multipart/mixed; boundary=b", b"".join(b"--b\r\n" + body + b"\r\n" for body in bodies) + end)


def again(content: bytes, **options: object) -> str:
    """The letter, and another message."""
    return f"{GREETED}{mail()}{mail(content, **options)}{QUIT}"  # type: ignore[arg-type]


CASES: dict[str, Cases] = {
    "bare-lf": Cases(
        [
            Case("in the body", letter(HEADER + b"\r\none\ntwo\r\n")),
            Case("everywhere", letter(LETTER.replace(b"\r\n", b"\n") + b"\r\n")),
            Case("the first octet", letter(b"\n" + LETTER)),
            Case("in a chunk", letter(LETTER + b"\n", by="BDAT")),
            Case("in 8BITMIME", letter(HEADER + b"\r\none\ntwo\r\n", parameters=" BODY=8BITMIME")),
            Case("in a refused message", letter(HEADER + b"\r\none\ntwo\r\n", reply=550), on=[on("data", reply=550)]),
        ],
        [
            Case("CRLF", letter(LETTER)),
            Case("BINARYMIME", letter(HEADER + b"\r\none\ntwo\r\n", **BINARY)),
            Case("a CR before each", letter(HEADER + b"\r\n\r\n\r\n")),
            Case("a CR of its own", letter(HEADER + b"\r\none\rtwo\r\n")),
        ],
    ),
    "bare-cr": Cases(
        [
            Case("in the body", letter(HEADER + b"\r\none\rtwo\r\n")),
            Case("before CRLF", letter(HEADER + b"\r\none\r\r\n")),
            Case("the last octet", letter(LETTER + b"\r", by="BDAT")),
            Case("in the header", letter(titled(b"one\rtwo"))),
        ],
        [
            Case("CRLF", letter(LETTER)),
            Case("BINARYMIME", letter(HEADER + b"\r\none\rtwo\r\n", **BINARY)),
            Case("LF alone", letter(HEADER + b"\r\none\ntwo\r\n")),
            Case("a CRLF cut in two by SIZE", letter(LETTER, reply=552), settings={"size": LETTER.index(b"\n")}),
        ],
    ),
    "nul": Cases(
        [
            Case("in the body", letter(HEADER + b"\r\none\0two\r\n")),
            Case("in the header", letter(titled(b"one\0two"))),
            Case("at the end of a chunk", letter(LETTER + b"\0", by="BDAT")),
        ],
        [
            Case("none", letter(LETTER)),
            Case("BINARYMIME", letter(HEADER + b"\r\none\0two\r\n", **BINARY)),
            Case("a zero", letter(HEADER + b"\r\n0 \\0 =00\r\n")),
        ],
    ),
    "dot-stuffed-lf": Cases(
        [
            Case("behind a bare LF", letter(HEADER + b"\r\none\n..two\r\n")),
            Case("a line of two dots", letter(HEADER + b"\r\none\n..\r\n")),
            Case("three dots", letter(HEADER + b"\r\none\n...two\r\n")),
            Case("in the first line", letter(b"\n..two\r\n")),
        ],
        [
            Case("one dot behind a bare LF", letter(HEADER + b"\r\none\n.two\r\n")),
            Case("behind CRLF, where the server takes one away", letter(HEADER + b"\r\n...two\r\n")),
            Case("in a chunk, where nobody doubles dots", letter(HEADER + b"\r\none\n..two\r\n", by="BDAT")),
            Case("two dots inside a line", letter(HEADER + b"\r\none..two\nthree ..\r\n")),
        ],
    ),
    "line-length": Cases(
        [
            Case("999 octets", letter(HEADER + b"\r\n" + LONG + b"\r\n")),
            Case("a header", letter(titled(LONG))),
            Case("without a line end", letter(HEADER + b"\r\n" + LONG, by="BDAT")),
            Case("between bare LFs", letter(HEADER + b"\r\none\n" + LONG + b"\ntwo\r\n")),
            Case("a command", f"{GREETED}C: NOOP {'x' * 506}\nS: 250\n{QUIT}"),
            Case(
                "a command, refused by a strict server",
                f"{GREETED}C: NOOP {'x' * 506}\nS: 500\n{QUIT}",
                settings={"strict": True},
            ),
            Case("a command longer than anything", f"{GREETED}C: NOOP {'x' * 13000}\nS: 500\n{QUIT}"),
            Case("a path", f"{GREETED}C: MAIL FROM:<{PATH}>\nS: 250\n{QUIT}"),
            Case("a path of a recipient", f"{GREETED}C: MAIL FROM:<>\nS: 250\nC: RCPT TO:<{PATH}>\nS: 250\n{QUIT}"),
            Case(
                "MAIL beyond what few extensions allow",
                f"{GREETED}C: MAIL FROM:<app@example.com> BODY=7BIT{' ' * 500}\nS: 250\n{QUIT}",
                settings={"disable": {"SIZE", "DSN", "AUTH", "SMTPUTF8", "REQUIRETLS"}},
            ),
        ],
        [
            Case("998 octets", letter(HEADER + b"\r\n" + LONG[1:] + b"\r\n")),
            Case("998 octets and a doubled dot", letter(HEADER + b"\r\n." + b"." + LONG[2:] + b"\r\n")),
            Case("BINARYMIME", letter(HEADER + b"\r\n" + LONG + b"\r\n", **BINARY)),
            Case("a command of 510 octets", f"{GREETED}C: NOOP {'x' * 505}\nS: 250\n{QUIT}"),
            Case("a path of 256 octets", f"{GREETED}C: MAIL FROM:<{PATH[-254:]}>\nS: 250\n{QUIT}"),
            Case(
                "MAIL within what extensions allow",
                f"{GREETED}C: MAIL FROM:<app@example.com>{' ' * 600}\nS: 250\n{QUIT}",
            ),
            Case("AUTH", f"{GREETED}C: STARTTLS\nS: 220\nTLS\n{GREETED}C: AUTH XOAUTH2 {'A' * 12000}\nS: 501\n{QUIT}"),
        ],
    ),
    "smtputf8": Cases(
        [
            Case("a sender", f"{GREETED}C: MAIL FROM:<\u00e4@example.com>\nS: 250\n{QUIT}"),
            Case(
                "a recipient",
                f"{GREETED}{SENDER}C: RCPT TO:<ada@b\u00fccher.example>\nS: 250\n{QUIT}",
            ),
            Case(
                "a strict server has refused it",
                f"{GREETED}C: MAIL FROM:<\u00e4@example.com>\nS: 553\n{QUIT}",
                settings={"strict": True},
            ),
            Case("a subject", letter(titled(UTF8))),
            Case("in 8BITMIME", letter(titled(UTF8), parameters=" BODY=8BITMIME")),
            Case("a header of a part", letter(parts(b"Content-Type: text/plain; name=" + UTF8 + b"\r\n\r\nx"))),
            Case("latin-1", letter(titled(b"\xe4"))),
        ],
        [
            Case(
                "an address with SMTPUTF8",
                f"{GREETED}C: MAIL FROM:<\u00e4@example.com> SMTPUTF8\nS: 250\n"
                f"C: RCPT TO:<\u00f6@example.com>\nS: 250\n{QUIT}",
            ),
            Case("a header with SMTPUTF8", letter(titled(UTF8), parameters=" SMTPUTF8 BODY=8BITMIME")),
            Case(
                "an encoded word and punycode", letter(titled(b"=?utf-8?q?=C3=A4?="), to=("ada@xn--bcher-kva.example",))
            ),
            Case("a body", letter(LETTER + UTF8 + b"\r\n", parameters=" BODY=8BITMIME")),
            Case("ASCII with SMTPUTF8", letter(LETTER, parameters=" SMTPUTF8")),
        ],
    ),
    "bcc": Cases(
        [
            Case("Bcc", letter(having(b"Bcc: eve@example.com\r\n"))),
            Case("in lower case", letter(having(b"bcc: eve@example.com\r\n"))),
            Case("Resent-Bcc", letter(having(b"Resent-Bcc: eve@example.com\r\n"))),
            Case("folded", letter(having(b"Bcc:\r\n eve@example.com\r\n"))),
        ],
        [
            Case("none", letter(LETTER, to=("ada@example.com", "eve@example.com"))),
            Case("in the body", letter(HEADER + b"\r\nBcc: eve@example.com\r\n")),
            Case(
                "of an attached message",
                letter(parts(b"Content-Type: message/rfc822\r\n\r\nBcc: eve@example.com\r\n\r\nx")),
            ),
            Case("X-Bcc", letter(having(b"X-Bcc: eve@example.com\r\n"))),
            Case("empty", letter(having(b"Bcc:\r\n"))),
        ],
    ),
    "double-header": Cases(
        [
            Case("Subject", letter(having(b"Subject: Hello\r\n"))),
            Case("From, in another case", letter(having(b"FROM: app@example.com\r\n"))),
            Case("To", letter(having(b"To: bob@example.com\r\n"))),
            Case("Message-ID", letter(having(b"Message-Id: <2@example.com>\r\n"))),
            Case("Cc, three times", letter(having(*[b"Cc: ada@example.com\r\n"] * 3))),
        ],
        [
            Case("once each", letter(having(b"Cc: bob@example.com\r\n", b"Reply-To: app@example.com\r\n"))),
            Case("Received", letter(having(*[b"Received: by mx.example; Mon, 1 Jan 2024 12:00:00 +0000\r\n"] * 2))),
            Case("Comments and Keywords", letter(having(*[b"Comments: x\r\n", b"Keywords: y\r\n"] * 2))),
            Case("in the body", letter(HEADER + b"\r\nSubject: Hello\r\nSubject: Hello\r\n")),
            Case("in a part", letter(parts(b"Subject: x\r\n\r\nx", b"Subject: y\r\n\r\ny"))),
        ],
    ),
    "same-message-id": Cases(
        [
            Case("another body", again(LETTER + b"PS\r\n")),
            Case("another header", again(titled(b"Other"))),
            Case("on another connection", (letter(LETTER), letter(LETTER + b"PS\r\n"))),
            Case("written otherwise", again(HEADER.replace(b"Message-ID:", b"message-id:  ") + b"\r\nOther\r\n")),
        ],
        [
            Case("the same message again", again(LETTER)),
            Case("to somebody else", again(LETTER, to=("bob@example.com",))),
            Case("another Message-ID", again(LETTER.replace(b"<1@", b"<2@") + b"PS\r\n")),
            Case(
                "none",
                f"{GREETED}{mail(without(b'Message-ID'))}{mail(without(b'Message-ID') + b'PS')}{QUIT}".replace(
                    "PS\nC> .", "PS\nC> \\r\\n."
                ),
            ),
            Case(
                "refused the first time",
                f"{GREETED}{mail(reply=451)}{mail(LETTER + b'PS' + bytes((13, 10)))}{QUIT}",
                on=[on("data", reply=451, times=1)],
            ),
        ],
    ),
    "8bit": Cases(
        [
            Case("a body", letter(LETTER + UTF8 + b"\r\n")),
            Case("a header", letter(titled(UTF8))),
            Case("BODY=7BIT", letter(LETTER + b"\xff\r\n", parameters=" BODY=7BIT")),
            Case("a body with SMTPUTF8 alone", letter(LETTER + UTF8 + b"\r\n", parameters=" SMTPUTF8")),
        ],
        [
            Case("ASCII", letter(LETTER)),
            Case("8BITMIME", letter(LETTER + UTF8 + b"\r\n", parameters=" BODY=8BITMIME")),
            Case("BINARYMIME", letter(LETTER + UTF8 + b"\r\n", **BINARY)),
            Case(
                "quoted-printable",
                letter(
                    mime(
                        b"text/plain; charset=utf-8", b"=C3=A4\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n"
                    )
                ),
            ),
            Case("a header with SMTPUTF8", letter(titled(UTF8), parameters=" SMTPUTF8")),
        ],
    ),
    "no-date": Cases(
        [
            Case("none", letter(without(b"Date"))),
            Case("no header at all", letter(b"Hello.\r\n")),
            Case("nothing at all", letter(b"")),
            Case(
                "only Resent-Date",
                letter(without(b"Date").replace(b"From:", b"Resent-Date: Mon, 1 Jan 2024 12:00:00 +0000\r\nFrom:")),
            ),
        ],
        [
            Case("there", letter(LETTER)),
            Case("in lower case", letter(LETTER.replace(b"Date:", b"date:"))),
            Case(
                "cut off by an early refusal",
                letter(b"Subject: x\r\n" + LETTER, reply=552),
                on=[on("data", after=5, reply=552)],
            ),
            Case("behind SIZE", letter(b"Subject: " + b"x" * 200 + b"\r\n" + LETTER, reply=552), settings={"size": 50}),
        ],
    ),
    "no-from": Cases(
        [
            Case("none", letter(without(b"From"))),
            Case("a Sender alone", letter(without(b"From").replace(b"To:", b"Sender: app@example.com\r\nTo:"))),
            Case("nothing at all", letter(b"")),
        ],
        [
            Case("there", letter(LETTER)),
            Case("two of them", letter(having(b"From: b@example.com\r\n"))),
            Case("in capitals", letter(LETTER.replace(b"From:", b"FROM:"))),
        ],
    ),
    "no-message-id": Cases(
        [
            Case("none", letter(without(b"Message-ID"))),
            Case(
                "a Content-ID instead",
                letter(without(b"Message-ID").replace(b"To:", b"Content-ID: <1@example.com>\r\nTo:")),
            ),
            Case("nothing at all", letter(b"")),
        ],
        [
            Case("there", letter(LETTER)),
            Case("in another case", letter(LETTER.replace(b"Message-ID:", b"Message-Id:"))),
            Case("folded", letter(LETTER.replace(b"Message-ID: ", b"Message-ID:\r\n "))),
        ],
    ),
    "mime": Cases(
        [
            Case("no boundary", letter(mime(b"multipart/mixed", b"x\r\n"))),
            Case("no closing delimiter", letter(parts(b"\r\nx", end=b""))),
            Case("no delimiter", letter(mime(b"multipart/mixed; boundary=b", b"x\r\n"))),
            Case("broken base64", letter(mime(b"text/plain", b"a$b\r\n", b"Content-Transfer-Encoding: base64\r\n"))),
            Case("an unknown encoding", letter(mime(b"text/plain", b"x\r\n", b"Content-Transfer-Encoding: rot13\r\n"))),
            Case("no type", letter(mime(b"text", b"x\r\n"))),
            Case("a line that is no header", letter(HEADER + b"Hello\r\n\r\nx\r\n")),
            Case("a header that begins with white space", letter(b"   x: y\r\n" + LETTER)),
            Case("8-bit without an encoding", letter(LETTER + UTF8 + b"\r\n", parameters=" BODY=8BITMIME")),
            Case(
                "8-bit in a 7bit part",
                letter(parts(b"Content-Transfer-Encoding: 7bit\r\n\r\n" + UTF8), parameters=" BODY=8BITMIME"),
            ),
            Case(
                "a multipart in base64",
                letter(parts(b"\r\nx").replace(b"MIME-V", b"Content-Transfer-Encoding: base64\r\nMIME-V")),
            ),
            Case("an encoded word without its end", letter(titled(b"=?utf-8?q?Hello"))),
            Case("a space in an encoded word", letter(titled(b"=?utf-8?q?Hello you?="))),
            Case("an unknown charset", letter(titled(b"=?klingon?q?Hello?="))),
            Case("an encoding that there is not", letter(titled(b"=?utf-8?x?Hello?="))),
            Case("broken base64 in a word", letter(titled(b"=?utf-8?b?SGVsbG8$?="))),
            Case("half a character", letter(titled(b"=?utf-8?q?=C3?= =?utf-8?q?=A4?="))),
            Case("a word of 76 octets", letter(titled(b"=?utf-8?q?" + b"x" * 64 + b"?="))),
        ],
        [
            Case("no MIME", letter(LETTER)),
            Case("two parts", letter(parts(b"\r\nx", b"Content-Type: text/html\r\n\r\n<p>x"))),
            Case("base64", letter(mime(b"text/plain", b"SGVs\r\nbG8=\r\n", b"Content-Transfer-Encoding: base64\r\n"))),
            Case(
                "8bit, as it says",
                letter(
                    mime(b"text/plain; charset=utf-8", UTF8 + b"\r\n", b"Content-Transfer-Encoding: 8bit\r\n"),
                    parameters=" BODY=8BITMIME",
                ),
            ),
            Case("encoded words", letter(titled(b"=?utf-8?q?=C3=A4_b?= =?iso-8859-1*de?B?5A==?= =?us-ascii?q?c?="))),
            Case("what only looks like one", letter(titled(b"Is =? a question?= or =?what?"))),
            Case("a word of 75 octets", letter(titled(b"=?utf-8?q?" + b"x" * 63 + b"?="))),
            Case(
                "cut off by an early refusal",
                letter(parts(b"\r\n" + b"x" * 500), reply=552),
                on=[on("data", after=300, reply=552)],
            ),
        ],
    ),
    "unsubscribe": Cases(
        [
            Case("no Post", letter(having(HTTPS))),
            Case("a mailto alone", letter(having(b"List-Unsubscribe: <mailto:u@example.com>\r\n"))),
            Case("nothing to post to", letter(having(b"List-Unsubscribe: <mailto:u@example.com>\r\n", ONE_CLICK))),
            Case("http", letter(having(HTTPS.replace(b"https", b"http"), ONE_CLICK))),
            Case("another promise", letter(having(HTTPS, b"List-Unsubscribe-Post: One-Click\r\n"))),
            Case("a promise alone", letter(having(ONE_CLICK))),
        ],
        [
            Case("both", letter(having(HTTPS, ONE_CLICK))),
            Case(
                "a mailto beside it",
                letter(
                    having(b"List-Unsubscribe: <mailto:u@example.com>,\r\n <https://example.com/u?1>\r\n", ONE_CLICK)
                ),
            ),
            Case("neither", letter(LETTER)),
            Case("in another case", letter(having(HTTPS.replace(b"https", b"HTTPS"), ONE_CLICK.upper()))),
        ],
    ),
    "not-in-headers": Cases(
        [
            Case("somebody else", letter(LETTER, to=("bob@example.com",))),
            Case("one of two", letter(LETTER, to=("ada@example.com", "bob@example.com"))),
            Case("only in From", letter(LETTER, to=("app@example.com",))),
            Case("no To", letter(without(b"To"))),
        ],
        [
            Case("To", letter(LETTER)),
            Case(
                "Cc",
                letter(
                    having(b"Cc: Bob <bob@example.com>, eve@example.com\r\n"), to=("ada@example.com", "bob@example.com")
                ),
            ),
            Case("Bcc", letter(having(b"Bcc: bob@example.com\r\n"), to=("ada@example.com", "bob@example.com"))),
            Case("in another case", letter(LETTER.replace(b"ada@", b"Ada@"))),
            Case(
                "refused",
                f"{GREETED}{SENDER}C: RCPT TO:<bob@example.com>\nS: 550\n{QUIT}",
                on=[on("rcpt_to", reply=550)],
            ),
        ],
    ),
    "not-in-envelope": Cases(
        [
            Case("Cc", letter(having(b"Cc: bob@example.com\r\n"))),
            Case("To", letter(LETTER, to=("bob@example.com",))),
            Case("one of several", letter(having(b'Cc: "Doe, Bob" <bob@example.com>, ada@example.com\r\n'))),
            Case("another message to the other", again(LETTER.replace(b"To: ada", b"To: bob"))),
        ],
        [
            Case("everybody", letter(having(b"Cc: bob@example.com\r\n"), to=("ada@example.com", "bob@example.com"))),
            Case(
                "refused by the server",
                f"{GREETED}{SENDER}C: RCPT TO:<bob@example.com>\nS: 550\n"
                + mail(having(b"Cc: bob@example.com\r\n")).split("\n", 2)[2]
                + QUIT,
                on=[on("rcpt_to", to="bob@example.com", reply=550)],
            ),
            Case(
                "a copy for each",
                f"{GREETED}{mail(having(b'Cc: bob@example.com' + bytes((13, 10))))}"
                f"{mail(having(b'Cc: bob@example.com' + bytes((13, 10))), to=('bob@example.com',))}{QUIT}",
            ),
            Case("a group without members", letter(LETTER.replace(b"ada@example.com", b"undisclosed-recipients:;"))),
            Case("in another case", letter(LETTER.replace(b"ada@example", b"ADA@Example"))),
        ],
    ),
}
