"""Hypothesis strategies for what clients send: commands of every kind, fragments of them, content, and plain noise."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import strategies as st

_B64 = tuple(
    b64encode(text) for text in (b"\0tim\0tanstaaftanstaaf", b"user=u\1auth=Bearer token\1\1", b"n,,n=user,r=nonce")
)
LINES = (
    b"EHLO client.example",
    b"HELO [192.0.2.1]",
    b"LHLO c",
    b"EHLO",
    b"ehlo \xff",
    b"NOOP",
    b"NOOP x",
    b"RSET",
    b"QUIT",
    b"MAIL FROM:<a@example.com>",
    b"MAIL FROM:<>",
    b"mail from: a@b SIZE=3 BODY=8BITMIME",
    b"MAIL FROM:<a@b> BODY=BINARYMIME",
    b"MAIL FROM:<\xc3\xa9@b> SMTPUTF8",
    b"MAIL FROM:<a@b> RET=FULL ENVID=a+2Bb AUTH=<>",
    b"MAIL FROM:<a@b> SIZE=99999999999",
    b"RCPT TO:<b@example.com>",
    b"RCPT TO:<Postmaster>",
    b"RCPT TO:<@x,@y:b@[IPv6:::1]> NOTIFY=NEVER ORCPT=rfc822;b",
    b"RCPT TO:",
    b"DATA",
    b"BDAT 5",
    b"BDAT 5 LAST",
    b"BDAT 0 LAST",
    b"BDAT 0",
    b"BDAT 99999999999999999999",
    b"BDAT x",
    b"STARTTLS",
    b"VRFY x",
    b"EXPN x",
    b"HELP",
    b"XYZZY",
    b"",
    b" ",
    b"\0",
    b"*",
    b"=",
    b"AUTH PLAIN",
    b"AUTH PLAIN " + _B64[0],
    b"AUTH LOGIN",
    b"AUTH LOGIN dGlt",
    b"AUTH CRAM-MD5",
    b"AUTH XOAUTH2 " + _B64[1],
    b"AUTH OAUTHBEARER",
    b"AUTH SCRAM-SHA-256 " + _B64[2],
    b"AUTH",
    b"AUTH NTLM",
    *_B64,
    b"dGlt",
    b"!!!",
    b"XCLIENT ADDR=192.0.2.9 PORT=25 LOGIN=u NAME=[UNAVAILABLE]",
    b"XCLIENT ADDR=IPV6:::1 HELO=x",
    b"XFORWARD NAME=x",
    b"XCLIENT",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2",
    b"PROXY UNKNOWN",
)
CONTENT = (b"Subject: x\r\n\r\nhi", b".", b"..", b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"hello", b"\r\n..\r\n", b"12345")
ENDS = (b"\r\n",) * 8 + (b"\n", b"\r", b"")

lines = st.builds(bytes.__add__, st.sampled_from(LINES), st.sampled_from(ENDS))
noise = st.binary(max_size=12)
SESSION = b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
wires = st.lists(
    st.one_of(lines, lines, lines, st.just(SESSION), st.sampled_from(CONTENT), noise), min_size=1, max_size=14
).map(b"".join)


@st.composite
def tapes(draw: st.DrawFn) -> bytes:
    """A tape for ``walk``."""
    decisions = draw(st.binary(max_size=40))
    return bytes([draw(st.integers(0, 255)), len(decisions)]) + decisions + draw(wires)
