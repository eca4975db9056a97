"""Common mistakes of clients, recognised by the bytes that they send, and how to correct them.

Each of these leaves both sides waiting for each other, or ends in an error whose text does not name the cause: TLS
where clear text is expected, the reverse, a certificate authority that is not trusted, and lines that end in LF alone.
"""

from typing import Final

from pytest_smtpd.smtp.states import State

TLS_RECORD: Final = b"\x16\x03"  # a handshake record, of any version (RFC 8446 section 5.1)
_UNTRUSTED: Final = ("UNKNOWN_CA", "CERTIFICATE_UNKNOWN", "BAD_CERTIFICATE")  # alerts (RFC 8446 section 6.2)
_BARE_ENDS: Final = (b"\n.\n", b"\n.\r\n", b"\r\n\n")  # of the last one, the dot behind CRLF has been unstuffed

# The first line describes the mistake, the second one the correction.
_HELLO_IN_CLEAR: Final = (
    "the client began with a TLS handshake, but this port begins in clear text\n"
    "connect without TLS{starttls}, or give the server tls='implicit'"
)
_SILENT: Final = (
    "the client has sent nothing: this port speaks TLS from the first byte, so a client without TLS waits in vain\n"
    "connect with TLS (smtplib.SMTP_SSL), or give the server tls='starttls'"
)
_CLEAR_TEXT: Final = (
    "the client sent clear text, but this port speaks TLS from the first byte\n"
    "connect with TLS (smtplib.SMTP_SSL), or give the server tls='starttls'"
)
_NOT_TRUSTED: Final = (
    "the client refused the server's certificate: it does not trust the test CA, or asked for another host name\n"
    "let it use ssl.create_default_context(), called while the test runs, or smtpd.client_context; "
    "give another process smtpd.env"
)
_BARE_LF: Final = (
    "the content ends with a dot on a line of its own, but with a bare LF: the client waits for a reply in vain\n"
    "end lines with CRLF: only CRLF.CRLF ends a message (RFC 5321 section 4.1.1.4)"
)


def waits_in_vain(state: State, unread: bytes, verbs: list[str], tls: str | None, handshake: int) -> str | None:
    """The mistake for which a client waits for ever, or waited until it left; None if none is recognised.

    ``unread`` are the last bytes that came and led to nothing, ``verbs`` the commands so far, ``tls`` is the setting,
    and ``handshake`` the bytes that came in the TLS handshake.
    """
    if state is State.HANDSHAKE:
        return _SILENT if tls == "implicit" and not handshake else None
    if state is State.CONTENT:
        return _BARE_LF if unread.endswith(_BARE_ENDS) else None
    first = verbs[0] if verbs else ""
    if unread.startswith(TLS_RECORD) or first.startswith(TLS_RECORD.decode()):
        return _HELLO_IN_CLEAR.format(starttls=" (STARTTLS comes later)" if tls == "starttls" else "")
    return None


def handshake_failed(reason: str, tls: str | None, certificate: str, *, clear_text: bool) -> str | None:
    """Why a TLS handshake failed, unless the test asked for that failure."""
    if clear_text:
        return _CLEAR_TEXT if tls == "implicit" else None
    refused = any(reason.endswith(alert) for alert in _UNTRUSTED)
    return _NOT_TRUSTED if refused and certificate == "valid" else None
