"""Writes the seed corpus: one small tape for each thing that clients do. Run it after a change of the tape's format."""

from __future__ import annotations

import sys
from base64 import b64encode
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.smtp.walk import SETTINGS  # noqa: E402

MAIL = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\0\x19\0\x1a"


def line(*words: bytes) -> bytes:
    return b" ".join(words) + b"\r\n"


def encoded(text: bytes) -> bytes:
    return b64encode(text)


SENT: dict[str, bytes] = {
    "data": b"EHLO c\r\n" + MAIL + b"DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
    "bdat": b"EHLO c\r\n" + MAIL + b"BDAT 3\r\nabcBDAT 2 LAST\r\nxy" + MAIL + b"BDAT 0 LAST\r\n",
    "bdat-refused": b"EHLO c\r\nBDAT 4\r\nQUITRSET\r\n" + MAIL + b"BDAT 1\r\nxDATA\r\nRSET\r\n",
    "lhlo": b"LHLO c\r\n" + MAIL + b"RCPT TO:<c@d.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n",
    "parameters": b"EHLO c\r\nMAIL FROM:<> SIZE=10 BODY=8BITMIME RET=HDRS ENVID=a+2Bb AUTH=<> SMTPUTF8\r\n"
    b'RCPT TO:<@x:"a b"@[IPv6:::1]> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c+40d\r\n',
    "binary": b"EHLO c\r\nMAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<Postmaster>\r\nDATA\r\nBDAT 4 LAST\r\n\0\n\r.",
    "smuggling": b"EHLO c\r\n" + MAIL + b"DATA\r\na\n.\nb\r.\r\n\n.\r\nMAIL FROM:<x>\r\n\r\n.\r\n",
    "misc": b"HELO [192.0.2.1]\r\n"
    b"VRFY a\r\nEXPN a\r\nHELP\r\nNOOP x\r\nRSET\r\nETRN\r\nwhat\r\n\xff\xfe\r\nSTARTTLS\r\nQUIT\r\n",
    "starttls": b"STARTTLS\r\nEHLO c\r\nMAIL FROM:<a@b> REQUIRETLS\r\n",
    "plain": line(b"EHLO c") + line(b"AUTH PLAIN", encoded(b"\0tim\0tanstaaftanstaaf")) + MAIL,
    "plain-later": line(b"EHLO c")
    + line(b"AUTH PLAIN")
    + line(encoded(b"\0tim\0no"))
    + line(b"AUTH PLAIN =")
    + line(b"*"),
    "login": line(b"EHLO c") + line(b"AUTH LOGIN") + line(encoded(b"tim")) + line(encoded(b"tanstaaftanstaaf")),
    "cram": line(b"EHLO c") + line(b"AUTH CRAM-MD5") + line(encoded(b"tim " + b"0" * 32)),
    "xoauth2": line(b"EHLO c")
    + line(b"AUTH XOAUTH2", encoded(b"user=u\1auth=Bearer nope\1\1"))
    + line(b"")
    + line(b"QUIT"),
    "oauthbearer": line(b"EHLO c")
    + line(b"AUTH OAUTHBEARER", encoded(b"n,a=user,\1auth=Bearer token\1\1"))
    + line(b"AQ=="),
    "scram": line(b"EHLO c")
    + line(b"AUTH SCRAM-SHA-256", encoded(b"n,,n=user,r=abc"))
    + line(encoded(b"c=biws,r=abc,p=AAAA")),
    "proxy1": b"PROXY TCP6 ::1 2001:db8::1 4 5\r\nEHLO c\r\n"
    b"XCLIENT ADDR=IPV6:::2 PORT=9 LOGIN=u\r\nEHLO d\r\nXFORWARD NAME=n\r\n",
    "proxy2": V2 + b"EHLO c\r\n" + MAIL,
}
# What is decided, round and round: everything at once as it suggests; octet by octet; refusals; all kinds of answers.
DECISIONS = {"": b"", "octets": b"\1\0\0", "answers": b"\x09\7\5\3\1\6\2\x0d\4\x0e", "silence": b"\x20\5\0\0"}


def main() -> None:
    corpus = ROOT / "fuzz" / "corpus"
    corpus.mkdir(exist_ok=True)
    for name, sent in SENT.items():
        for number in range(len(SETTINGS)):
            way, decisions = list(DECISIONS.items())[number % len(DECISIONS)]
            file = corpus / "-".join(filter(None, ("seed", name, str(number), way)))
            file.write_bytes(bytes([number, len(decisions)]) + decisions + sent)


if __name__ == "__main__":
    main()
