"""TLS between a transport and its conversation: a transformer of bytes, over memory and not over a socket.

So everything that can be done with a connection in clear (to drip, to stall, to reset, to cut off) can be done under
TLS as well, also in the middle of a handshake.
"""

import contextlib
import ssl
from typing import Any, Final, Protocol

from pytest_smtpd.net.transport import Client, Transport
from pytest_smtpd.smtp.tls import TLSInfo

_RECORDS: Final = 1 << 18


class SecureClient(Client, Protocol):
    """What a connection with TLS reports to."""

    def tls_failed(self, what: str, reason: str, /) -> None:
        """The TLS session is broken: nothing that comes from now on can be understood."""
        ...


class TLS:
    """The server's side of one TLS session.

    ``received_bytes`` is how many have come in the handshake so far, ``ready`` whether it is complete, ``failure`` what
    is wrong with what came, and ``clear_text`` whether its first byte begins no TLS handshake at all.
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
        """What was written last could not be delivered whole."""
        self._client.unheard()

    def drained(self) -> None:
        """The client has taken everything that was written."""
        self._client.drained()

    def lost(self, *, reset: bool) -> None:
        """The connection is gone."""
        self._client.lost(reset=reset)

    # --- the handshake ----------------------------------------------------------------------------------------------

    def feed(self, ciphertext: bytes) -> None:
        """Take what came from the network."""
        if not self.received_bytes:
            self.clear_text = ciphertext[:1] not in (b"", b"\x16")
        self.received_bytes += len(ciphertext)
        self._incoming.write(ciphertext)

    def handshake(self) -> bool:
        """Go on with the handshake; whether it is over: complete (``ready``), or failed (``failure``)."""
        try:
            self._object.do_handshake()
            self.ready = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.failure = "the client closed the TLS session during the handshake"
        except ssl.SSLError as error:
            self.failure = _reason(error)
        self._flush()
        return self.ready or self.failure is not None

    def begin_to_read(self) -> None:
        """The handshake is complete: hand over what came right behind it."""
        if self._incoming.pending:
            self._decrypt()

    # --- afterwards -------------------------------------------------------------------------------------------------

    def _decrypt(self) -> None:
        """Hand over the plaintext that has arrived, and then what is wrong behind it, or that it was the last."""
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
        """Decrypt all that has arrived; whether it was the last. Raises ``SSLError`` behind what is good."""
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
        """Send the records that carry it; nothing if the session is broken, for nobody could read them."""
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
        """What is known of the session so far."""
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
