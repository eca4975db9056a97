"""TLS as a transformer of bytes: no socket, whatever the pieces."""

from __future__ import annotations

import ssl

import pytest
import trustme

from pytest_smtpd.net.tls import TLS


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Server's and client's."""
    ca = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.issue_cert("localhost").configure_cert(server)
    ca.configure_trust(client)
    return server, client


class Client:
    """The other side."""

    def __init__(self, context: ssl.SSLContext, name: str = "localhost") -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)

    def handshake(self) -> bool:
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def shaken(contexts: tuple[ssl.SSLContext, ssl.SSLContext], size: int = 1 << 16) -> tuple[TLS, Client]:
    server, client = TLS(contexts[0]), Client(contexts[1])
    done = False
    while not (done and server.ready):
        done = client.handshake()
        for piece in pieces(client.outgoing.read(), size):
            server.feed(piece)
            server.handshake()
        client.incoming.write(server.output())
    return server, client


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_a_handshake_completes_in_pieces_of_any_size(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], size: int
) -> None:
    server, client = shaken(contexts, size)
    assert server.ready
    assert server.info.version == client.object.version() == "TLSv1.3"
    assert server.info.cipher
    assert server.info.peer_certificate is None
    assert server.received > 100


def test_before_the_handshake_nothing_is_known(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server = TLS(contexts[0])
    assert not server.handshake()
    assert (server.ready, server.info.version, server.output()) == (False, None, b"")


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize("plaintext", [b"x", b"EHLO client.example\r\n", bytes(100_000)], ids=len)
def test_what_goes_in_comes_out(contexts: tuple[ssl.SSLContext, ssl.SSLContext], plaintext: bytes, size: int) -> None:
    if len(plaintext) > 1000 and size == 1:
        plaintext = plaintext[:3000]
    server, client = shaken(contexts)
    client.object.write(plaintext)
    got = b""
    for piece in pieces(client.outgoing.read(), size):
        server.feed(piece)
        got += server.decrypt()
    assert got == plaintext
    assert not server.ended
    client.incoming.write(server.encrypt(plaintext))
    back = b""
    while len(back) < len(plaintext):
        back += client.object.read(1 << 16)
    assert back == plaintext


def test_both_sides_say_goodbye(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = shaken(contexts)
    client.object.write(b"QUIT\r\n")
    with pytest.raises(ssl.SSLWantReadError):
        client.object.unwrap()
    server.feed(client.outgoing.read())
    assert server.decrypt() == b"QUIT\r\n"
    assert server.ended
    client.incoming.write(server.close_notify())
    client.object.unwrap()


def test_a_goodbye_does_not_wait_for_the_other_side(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = shaken(contexts)
    client.incoming.write(server.close_notify())
    assert client.object.read() == b""


@pytest.mark.parametrize("junk", [b"EHLO c\r\n", b"\x16\x03\x01\x00\x05hello", bytes(20)])
def test_what_is_no_handshake_is_an_error_with_an_alert(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], junk: bytes
) -> None:
    server = TLS(contexts[0])
    server.feed(junk)
    with pytest.raises(ssl.SSLError):
        server.handshake()
    assert not server.ready
    server.output()


def test_a_broken_record_is_an_error(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = shaken(contexts)
    client.object.write(b"NOOP\r\n")
    record = bytearray(client.outgoing.read())
    record[-1] ^= 1
    server.feed(bytes(record))
    assert server.decrypt() == b""
    assert server.failure is not None


def test_what_came_before_a_broken_record_is_not_lost(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = shaken(contexts)
    client.object.write(b"NOOP\r\n")
    good = client.outgoing.read()
    client.object.write(b"QUIT\r\n")
    bad = bytearray(client.outgoing.read())
    bad[-1] ^= 1
    server.feed(good + bytes(bad))
    assert server.decrypt() == b"NOOP\r\n"
    assert server.failure is not None
