"""The PROXY protocol, versions 1 and 2 (HAProxy, "The PROXY protocol", sections 2.1 and 2.2)."""

from __future__ import annotations

import socket
import struct

import pytest

from tests.rfc.wire import Connect, Serve

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
UNSPEC, TCP4, TCP6, UNIX = 0x00, 0x11, 0x21, 0x31


def v2(command: int, family: int, addresses: bytes, tlv: bytes = b"") -> bytes:
    """Section 2.2: signature, command, family, length, addresses, TLVs."""
    body = addresses + tlv
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def ipv4(source: str, port: int) -> bytes:
    return socket.inet_aton(source) + socket.inet_aton("198.51.100.1") + struct.pack("!HH", port, 25)


def ipv6(source: str, port: int) -> bytes:
    pack = socket.inet_pton
    return pack(socket.AF_INET6, source) + pack(socket.AF_INET6, "2001:db8::25") + struct.pack("!HH", port, 25)


GIVEN = {
    "v1 TCP4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\n", ("192.0.2.7", 56324)),
    "v1 TCP6": (b"PROXY TCP6 2001:db8::7 2001:db8::25 56324 25\r\n", ("2001:db8::7", 56324)),
    "v2 TCP4": (v2(PROXY, TCP4, ipv4("192.0.2.7", 1)), ("192.0.2.7", 1)),
    "v2 TCP6": (v2(PROXY, TCP6, ipv6("2001:db8::7", 65535)), ("2001:db8::7", 65535)),
    "v2 with TLVs": (
        v2(PROXY, TCP4, ipv4("192.0.2.7", 9), b"\x04\x00\x03\0\0\0" + b"\xea\x00\x02hi"),
        ("192.0.2.7", 9),
    ),
}
KEPT = {
    "v1 UNKNOWN": b"PROXY UNKNOWN\r\n",
    "v1 UNKNOWN with anything": b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
    "v2 LOCAL": v2(LOCAL, UNSPEC, b""),
    "v2 LOCAL with addresses": v2(LOCAL, TCP4, ipv4("192.0.2.7", 1)),
    "v2 UNSPEC": v2(PROXY, UNSPEC, b""),
}
WRONG = {
    "no header": b"EHLO client.example\r\n",
    "v1 lower case": b"proxy TCP4 192.0.2.7 198.51.100.1 56324 25\r\n",
    "v1 without addresses": b"PROXY TCP4\r\n",
    "v1 with one address": b"PROXY TCP4 192.0.2.7\r\n",
    "v1 no address": b"PROXY TCP4 notanip 198.51.100.1 56324 25\r\n",
    "v1 wrong family": b"PROXY TCP4 2001:db8::7 2001:db8::25 56324 25\r\n",
    "v1 address with a scope": b"PROXY TCP6 fe80::1%eth0 2001:db8::25 56324 25\r\n",
    "v1 port out of range": b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n",
    "v1 port no number": b"PROXY TCP4 192.0.2.7 198.51.100.1 x 25\r\n",
    "v1 unknown family": b"PROXY UDP4 192.0.2.7 198.51.100.1 56324 25\r\n",
    "v1 two spaces": b"PROXY  TCP4 192.0.2.7 198.51.100.1 56324 25\r\n",
    "v1 longer than 107 octets": b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
    "v1 endless": b"PROXY UNKNOWN " + b"x" * 5000,
    "v2 bad signature": b"\r\n\r\n\0\r\nQUIX\n" + v2(PROXY, TCP4, ipv4("192.0.2.7", 1))[12:],
    "v2 version 3": v2(0x31, TCP4, ipv4("192.0.2.7", 1)),
    "v2 unknown command": v2(0x22, TCP4, ipv4("192.0.2.7", 1)),
    "v2 addresses too short": v2(PROXY, TCP4, b"\1\2\3\4"),
}


def closed_without_a_word(wire: object) -> bool:
    """FIN or RST, and not one octet before it."""
    try:
        return wire.rest() == b""  # type: ignore[attr-defined, no-any-return]
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("name", GIVEN)
def test_session_has_the_address_the_header_gives(serve: Serve, client: Connect, name: str) -> None:
    header, remote = GIVEN[name]
    server = serve(proxy_protocol=True)
    wire = client(server, greet=False)
    wire.send(header)
    assert wire.reply().code == 220
    session = server.log.sessions()[0]
    assert (session.remote_address, session.remote_port) == remote
    (call,) = server.log.calls("connect")
    assert call.args[0].remote_address == remote[0]
    assert wire.say("EHLO client.example").code == 250


@pytest.mark.parametrize("name", KEPT)
def test_header_without_an_address_keeps_the_connections_own(serve: Serve, client: Connect, name: str) -> None:
    """Section 2.2: for LOCAL and UNSPEC "the receiver must use the real connection endpoints"."""
    server = serve(proxy_protocol=True)
    wire = client(server, greet=False)
    wire.send(KEPT[name])
    assert wire.reply().code == 220
    session = server.log.sessions()[0]
    assert (session.remote_address, session.remote_port) == wire.socket.getsockname()


@pytest.mark.parametrize("name", WRONG)
def test_bad_header_closes_the_connection_and_passes_no_hook(serve: Serve, client: Connect, name: str) -> None:
    """Section 2: "the receiver must abort the connection" when the header is not there or not valid."""
    server = serve(proxy_protocol=True)
    wire = client(server, greet=False)
    wire.send(WRONG[name])
    assert closed_without_a_word(wire)
    server.wait_closed()
    assert [call.hook for call in server.log] == ["close"]


@pytest.mark.parametrize("name", GIVEN)
def test_header_may_come_octet_by_octet(serve: Serve, client: Connect, name: str) -> None:
    """Section 2: a receiver has to wait for the whole header, however TCP cuts it."""
    header, remote = GIVEN[name]
    server = serve(proxy_protocol=True)
    wire = client(server, greet=False)
    for octet in header:
        wire.send(bytes([octet]))
    assert wire.reply().code == 220
    assert server.log.sessions()[0].remote_address == remote[0]


@pytest.mark.parametrize("name", GIVEN)
def test_octets_behind_the_header_are_the_clients(serve: Serve, client: Connect, name: str) -> None:
    """Section 2: what follows the header is the proxied stream."""
    server = serve(proxy_protocol=True)
    wire = client(server, greet=False)
    wire.send(GIVEN[name][0] + b"EHLO client.example\r\nQUIT\r\n")
    assert [wire.reply().code for _ in range(3)] == [220, 250, 221]


def test_header_comes_before_the_tls_handshake(serve: Serve, client: Connect) -> None:
    """Section 2: the header is in clear, TLS inside the proxied stream."""
    server = serve(proxy_protocol=True, tls="implicit")
    wire = client(server, greet=False)
    wire.send(GIVEN["v2 TCP4"][0])
    wire.secure(server.client_context, server.host)
    assert wire.reply().code == 220
    assert server.log.sessions()[0].remote_address == "192.0.2.7"
    assert [call.hook for call in server.log] == ["connect", "secure"]


@pytest.mark.parametrize("part", [b"", b"PROXY TCP4 192.", SIGNATURE, GIVEN["v2 TCP4"][0][:-1]])
def test_header_that_never_ends_just_closes(serve: Serve, client: Connect, part: bytes) -> None:
    """The ``timeout`` setting: "in a handshake or PROXY header the connection just closes"."""
    server = serve(proxy_protocol=True, timeout=0.1)
    wire = client(server, greet=False)
    wire.send(part)
    assert closed_without_a_word(wire)
    server.wait_closed()
    assert [call.hook for call in server.log] == ["close"]


def test_without_the_setting_a_header_is_an_unknown_command(serve: Serve, client: Connect) -> None:
    """Section 2: "the receiver must be configured to expect it"; else anyone could choose an address."""
    server = serve()
    wire = client(server)
    assert wire.say("PROXY TCP4 192.0.2.7 198.51.100.1 56324 25").code == 500
    assert server.log.sessions()[0].remote_address == "127.0.0.1"
