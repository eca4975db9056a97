"""TLS as a transformer of bytes: ciphertext in, plaintext out, and the reverse. It never touches a socket."""

import contextlib
import ssl
from typing import Any, Final

from pytest_smtpd.smtp.session import TLSInfo

_RECORDS: Final = 1 << 18


class TLS:
    """The server's side of one TLS session."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.received: int = 0
        self.ready: bool = False
        self.ended: bool = False
        self.failure: ssl.SSLError | None = None

    def feed(self, ciphertext: bytes) -> None:
        """Take what came from the network."""
        self.received += len(ciphertext)
        self._incoming.write(ciphertext)

    def output(self) -> bytes:
        """What has to go to the network now."""
        return self._outgoing.read()

    def handshake(self) -> bool:
        """Go on with the handshake; whether it is complete. Raises ``ssl.SSLError``: ``output`` is the alert then."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.ready = True
        return True

    def decrypt(self) -> bytes:
        """The plaintext that has arrived; ``failure`` says what is wrong behind it, ``ended`` is the close_notify."""
        pieces = []
        try:
            while piece := self._object.read(_RECORDS):
                pieces.append(piece)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.failure = error
        return b"".join(pieces)

    def encrypt(self, plaintext: bytes) -> bytes:
        """The records that carry ``plaintext``."""
        self._object.write(plaintext)
        return self._outgoing.read()

    def close_notify(self) -> bytes:
        """The alert that ends the session in good order."""
        with contextlib.suppress(ssl.SSLError):  # the peer has not said goodbye yet, and need not
            self._object.unwrap()
        return self._outgoing.read()

    @property
    def info(self) -> TLSInfo:
        """What is known of the session so far."""
        cipher = self._object.cipher()
        certificate: Any = self._object.getpeercert() if self.ready else None
        return TLSInfo(
            version=self._object.version() if self.ready else None,
            cipher=cipher[0] if cipher else None,
            server_name=getattr(self._object, "requested_server_name", None),
            peer_certificate=certificate or None,
        )
