"""TLS between a transport and its conversation. It works on buffers in memory, and not on a socket.

So everything that a rule can do with an unencrypted connection (drip, stall, reset, cut off) can be done under TLS as
well, even in the middle of a handshake.
"""

import contextlib
import ssl
from typing import Any, Final, Protocol

from pytest_smtpd.net.transport import Client, Transport
from pytest_smtpd.smtp.tls import TLSInfo

_RECORDS: Final = 1 << 18  # bytes of plaintext that are read at once


class SecureClient(Client, Protocol):
    """What a connection with TLS reports to, in the server's thread."""

    def tls_failed(self, what: str, reason: str, /) -> None:
        """The TLS session has failed, and further input cannot be decrypted.

        ``what`` is what has failed ("TLS handshake" or "TLS"), ``reason`` the error of OpenSSL.
        """
        ...


class TLS:
    """The server's side of one TLS session.

    ``received_bytes`` is how many bytes of ciphertext have arrived so far, ``ready`` whether the handshake is complete,
    ``failure`` why the session has failed (None: it has not), ``refused`` whether the server has refused the handshake
    (an alert is the client's refusal), and ``clear_text`` whether the first byte cannot begin a
    TLS handshake, as when a client speaks without TLS.
    """

    def __init__(self, transport: Transport, context: ssl.SSLContext, client: SecureClient) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._transport = transport
        self._client = client
        self.received_bytes: int = 0
        self.clear_text: bool = False
        self.ready: bool = False
        self.failure: str | None = None
        self.refused: bool = False
        transport.client = self

    # --- what the transport reports ---------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Ciphertext has arrived."""
        self.feed(data)
        if self.ready:
            self._decrypt()
        else:
            self._client.received(b"")

    def finished(self) -> None:
        """The client has closed its side."""
        self._client.finished()

    def unheard(self) -> None:
        """Not all of what was written last could be delivered."""
        self._client.unheard()

    def drained(self) -> None:
        """Everything that was written has been sent."""
        self._client.drained()

    def lost(self, *, reset: bool) -> None:
        """The connection is gone."""
        self._client.lost(reset=reset)

    # --- the handshake ----------------------------------------------------------------------------------------------

    def feed(self, ciphertext: bytes) -> None:
        """Add ciphertext from the network."""
        if not self.received_bytes:
            self.clear_text = ciphertext[:1] not in (b"", b"\x16")
        self.received_bytes += len(ciphertext)
        self._incoming.write(ciphertext)

    def handshake(self) -> bool:
        """Continue the handshake. Returns whether it is over: complete (``ready``) or failed (``failure``)."""
        try:
            self._object.do_handshake()
            self.ready = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.failure = "the client closed the TLS session during the handshake"
        except ssl.SSLError as error:
            self.failure = _reason(error)
            self.refused = "ALERT" not in self.failure
        self._flush()
        return self.ready or self.failure is not None

    def begin_to_read(self) -> None:
        """The handshake is complete: decrypt and hand over what arrived together with its last message."""
        if self._incoming.pending:
            self._decrypt()

    # --- after the handshake ----------------------------------------------------------------------------------------

    def _decrypt(self) -> None:
        """Decrypt and hand over what has arrived; then report a failure, or that the client has ended the session."""
        pieces: list[bytes] = []
        ended = False
        try:
            ended = self._read_into(pieces)
        except ssl.SSLError as error:
            self.failure = _reason(error)
        if pieces:
            self._client.received(b"".join(pieces))
        self._flush()
        if self.failure is not None:
            self._client.tls_failed("TLS", self.failure)
        elif ended:
            self._client.finished()

    def _read_into(self, pieces: list[bytes]) -> bool:
        """Decrypt all that has arrived, and add it to ``pieces``. Returns whether the client has ended the session.

        Raises ``SSLError`` for a broken record; the plaintext before it has been added.
        """
        try:
            while self._incoming.pending or self._object.pending():  # without data, read() raises, which is costly
                if not (piece := self._object.read(_RECORDS)):
                    return True
                pieces.append(piece)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True
        return False

    def write(self, plaintext: bytes) -> None:
        """Encrypt and send the plaintext; nothing if the session has failed, since no client could read it."""
        if self.failure is None and plaintext:
            try:
                self._object.write(plaintext)
            except ssl.SSLError as error:
                self.failure = _reason(error)
        self._flush()

    def close_notify(self) -> None:
        """Send the alert that ends the session in good order."""
        with contextlib.suppress(ssl.SSLError):  # the peer has not sent its close_notify yet, and need not
            self._object.unwrap()
        self._flush()

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._transport.write(self._outgoing.read())

    @property
    def info(self) -> TLSInfo:
        """What is known about the TLS session so far."""
        cipher = self._object.cipher()
        certificate: Any = self._object.getpeercert() if self.ready else None
        return TLSInfo(
            version=self._object.version() if self.ready else None,
            cipher=cipher[0] if cipher else None,
            server_name=getattr(self._object, "requested_server_name", None),
            peer_certificate=certificate or None,
        )


def _reason(error: ssl.SSLError) -> str:
    return error.reason or str(error)
