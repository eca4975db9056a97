"""The properties of a TLS session."""

from collections.abc import Mapping
from typing import Any

from pytest_smtpd.smtp.values import ReadOnly, quoted, set_once, short


class TLSInfo(ReadOnly):
    """A TLS session, as far as it is known."""

    __slots__ = ("cipher", "peer_certificate", "server_name", "version")
    __module__ = "pytest_smtpd"

    version: str | None  #: For example ``"TLSv1.3"``.
    cipher: str | None  #: Its name in OpenSSL.
    #: The name that the client asked for (SNI), or None; always None with an ``ssl_context`` of your own.
    server_name: str | None
    #: The verified certificate of the client, as ``ssl.SSLSocket.getpeercert()`` gives it, or None.
    peer_certificate: Mapping[str, Any] | None

    def __init__(
        self,
        *,
        version: str | None = None,
        cipher: str | None = None,
        server_name: str | None = None,
        peer_certificate: Mapping[str, Any] | None = None,
    ) -> None:
        set_once(self, "version", version)
        set_once(self, "cipher", cipher)
        set_once(self, "server_name", server_name)
        set_once(self, "peer_certificate", peer_certificate)

    def __repr__(self) -> str:
        words = [word for word in (self.version, self.cipher) if word]
        name = [] if self.server_name is None else [quoted(self.server_name)[1:-1]]
        client = [] if self.peer_certificate is None else [f"client {_subject(self.peer_certificate)}"]
        return f"<TLSInfo {' '.join([*words, *name, *client])}>"


def _subject(certificate: Mapping[str, Any]) -> str:
    """The first name in a certificate."""
    names = [*certificate.get("subjectAltName", ()), *(pair for row in certificate.get("subject", ()) for pair in row)]
    return short(quoted(str(names[0][1]))[1:-1]) if names else "certificate"
