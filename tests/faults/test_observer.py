"""The observer tells apart what it has to tell apart; a blind one would find every server right."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.faults.observer import Observer, client_context
from tests.faults.vocabulary import End

Peer = Callable[[socket.socket], object]


def _reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _serve(listener: socket.socket, act: Peer) -> None:
    peer, _ = listener.accept()
    peer.settimeout(5)
    with peer, contextlib.suppress(OSError):
        act(peer)


@contextlib.contextmanager
def _server(act: Peer) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, act))
        thread.start()
        yield listener.getsockname()
        thread.join()


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return path


def _observe(act: Peer, ca_file: Path) -> tuple[bytes, End | None]:
    with _server(act) as address, Observer(address, client_context(str(ca_file))) as client:
        return client.rest(), client.end


def test_a_close_is_a_fin(ca_file: Path) -> None:
    assert _observe(lambda peer: peer.sendall(b"220"), ca_file) == (b"220", End.FIN)


def test_a_reset_is_a_reset(ca_file: Path) -> None:
    assert _observe(_reset, ca_file) == (b"", End.RST)


def test_a_close_over_unread_input_is_a_reset(ca_file: Path) -> None:
    sent = threading.Event()
    with _server(lambda peer: sent.wait(5)) as address, Observer(address, client_context(str(ca_file))) as client:
        client.send(b"EHLO\r\n")
        sent.set()
        assert (client.rest(), client.end) == (b"", End.RST)


def test_a_fin_stays_a_fin_while_the_client_is_sending(ca_file: Path) -> None:
    def act(peer: socket.socket) -> None:
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(65_536):
            pass

    with _server(act) as address, Observer(address, client_context(str(ca_file))) as client:
        client.send(500_000 * b"x")
        assert (client.rest(), client.end) == (b"", End.FIN)


def test_a_server_that_does_not_read_blocks(ca_file: Path) -> None:
    done = threading.Event()
    with _server(lambda peer: done.wait(5)) as address, Observer(address, client_context(str(ca_file))) as client:
        client.patience(0.1)
        client.send(20_000_000 * b"x")
        assert client.end is End.BLOCKED
        done.set()


def test_silence_is_neither_an_end_nor_a_byte(ca_file: Path) -> None:
    done = threading.Event()
    with _server(lambda peer: done.wait(5)) as address, Observer(address, client_context(str(ca_file))) as client:
        assert client.is_silent()
        done.set()
        assert not client.is_silent()


def _in_tls(ca: trustme.CA, then: Callable[[ssl.SSLSocket], object]) -> Peer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)

    def act(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True, suppress_ragged_eofs=False) as tls:
            then(tls)

    return act


@pytest.mark.parametrize("close_notify", [True, False])
def test_a_close_notify_is_seen_apart_from_the_fin(ca: trustme.CA, ca_file: Path, close_notify: bool) -> None:
    def then(tls: ssl.SSLSocket) -> None:
        tls.sendall(b"220\r\n")
        tls.settimeout(0.05)  # the client answers no close_notify
        if close_notify:
            tls.unwrap()

    with _server(_in_tls(ca, then)) as address, Observer(address, client_context(str(ca_file))) as client:
        client.start_tls()
        assert (client.secured, client.line()) == (True, b"220\r\n")
        assert (client.rest(), client.end, client.close_notify) == (b"", End.FIN, close_notify)


def test_a_certificate_of_an_unknown_authority_is_an_alert(ca_file: Path) -> None:
    act = _in_tls(trustme.CA(), lambda tls: tls.recv(1))
    with _server(act) as address, Observer(address, client_context(str(ca_file))) as client:
        client.start_tls()
        assert client.end_is_alert("CERTIFICATE_VERIFY_FAILED:(19|20)"), client.alert


def test_nobody_there_is_a_refusal(ca_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with Observer(address, client_context(str(ca_file))) as client:
        assert client.end is End.REFUSED
