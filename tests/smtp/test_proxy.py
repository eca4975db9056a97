"""The PROXY protocol's specification, versions 1 (section 2.1) and 2 (section 2.2)."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_smtpd.smtp.proxy import Bad, Header, parse, parse_port

SIGNATURE = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
REST = b"EHLO c\r\n"


def version_2(command: int, family: int, block: bytes, version: int = 2) -> bytes:
    return SIGNATURE + bytes([version << 4 | command, family]) + struct.pack(">H", len(block)) + block


def block_of(source: str, target: str, source_port: int, target_port: int) -> bytes:
    return ip_address(source).packed + ip_address(target).packed + struct.pack(">HH", source_port, target_port)


HEADER_4 = Header(remote_address="192.0.2.1", remote_port=4321, local_address="192.0.2.2", local_port=25)
HEADER_6 = Header(remote_address="2001:db8::1", remote_port=65535, local_address="::1", local_port=0)
BLOCK_4 = block_of("192.0.2.1", "192.0.2.2", 4321, 25)
BLOCK_6 = block_of("2001:db8::1", "::1", 65535, 0)

GOOD = [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 4321 25\r\n", HEADER_4),
    (b"PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", HEADER_6),
    (b"PROXY TCP6 2001:0DB8:0000:0000:0000:0000:0000:0001 ::1 65535 0\r\n", HEADER_6),
    (b"PROXY UNKNOWN\r\n", Header()),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", Header()),
    (b"PROXY TCP6 " + b" ".join([b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] * 2) + b" 65535 65535\r\n", None),
    (version_2(1, 0x11, BLOCK_4), HEADER_4),
    (version_2(1, 0x12, BLOCK_4), HEADER_4),
    (version_2(1, 0x21, BLOCK_6), HEADER_6),
    (version_2(1, 0x11, BLOCK_4 + b"\x03\x00\x04abcd"), HEADER_4),
    (version_2(0, 0x00, b""), Header()),
    (version_2(0, 0x11, BLOCK_4), Header()),
    (version_2(1, 0x00, b"anything"), Header()),
    (version_2(1, 0x31, bytes(216)), Header()),
    (version_2(1, 0x11, BLOCK_4 + bytes(60_000)), HEADER_4),
]


@pytest.mark.parametrize(("sent", "header"), GOOD, ids=range(len(GOOD)))
def test_a_header_is_read_and_what_is_behind_it_is_left(sent: bytes, header: Header | None) -> None:
    used, found = parse(sent + REST)
    assert used == len(sent)
    assert isinstance(found, Header)
    assert header is None or found == header


@pytest.mark.parametrize(("sent", "header"), GOOD, ids=range(len(GOOD)))
def test_the_beginning_of_a_header_asks_for_more(sent: bytes, header: Header | None) -> None:
    for length in range(0, len(sent), 1 if len(sent) < 1000 else 997):
        assert parse(sent[:length]) == (0, None), sent[:length]


BAD = [
    b"EHLO c\r\n",
    b"\r\nEHLO c\r\n",
    b"PROXY\r\n",
    b"proxy TCP4 192.0.2.1 192.0.2.2 4321 25\r\n",
    b"PROXYTCP4 192.0.2.1 192.0.2.2 4321 25\r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4321\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4321 25 26\r\n",
    b"PROXY TCP4  192.0.2.1 192.0.2.2 4321 25\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 4321 25 \r\n",
    b"PROXY TCP4 192.0.2.256 192.0.2.2 4321 25\r\n",
    b"PROXY TCP4 192.0.2.01 192.0.2.2 4321 25\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 25\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 25\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1_0 25\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 x 25\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY TCP4 \xff 192.0.2.2 1 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 \xd9\xa1 2\r\n",
    b"PROXY " + b"x" * 200,
    b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
    version_2(1, 0x11, BLOCK_4, version=1),
    version_2(2, 0x11, BLOCK_4),
    version_2(15, 0x11, BLOCK_4),
    version_2(1, 0x11, BLOCK_4[:-1]),
    version_2(1, 0x21, BLOCK_4),
    SIGNATURE[:-1] + b"\r" + b"x" * 20,
]


@pytest.mark.parametrize("sent", BAD)
def test_what_is_no_header_is_bad(sent: bytes) -> None:
    _, found = parse(sent)
    assert isinstance(found, Bad)
    assert found.reason


@pytest.mark.parametrize("sent", [b"PROXY TCP4 192.0.2.1 192.0.2.2 0025 25\r\n", b"PROXY TCP6 ::1 ::1 1 00\r\n"])
def test_ports_have_no_leading_zeroes(sent: bytes) -> None:
    """Section 2.1: "Heading zeroes are not permitted" in front of a port either."""
    assert isinstance(parse(sent)[1], Bad)


@pytest.mark.parametrize("family", [0x41, 0xF1, 0x13, 0x1F, 0x23, 0x03])
def test_a_family_or_protocol_that_nobody_has_specified_is_bad(family: int) -> None:
    """Section 2.2: "other values are unspecified and must not be emitted in version 2 of this protocol and must be
    rejected as invalid by receivers".
    """
    assert isinstance(parse(version_2(1, family, bytes(216)))[1], Bad)


@pytest.mark.parametrize("family", [0x41, 0x13, 0xFF])
def test_a_local_connection_is_accepted_whatever_its_family(family: int) -> None:
    """Section 2.2: the receiver must "discard the protocol block including the family which is ignored"."""
    assert parse(version_2(0, family, bytes(5))) == (21, Header())


@pytest.mark.parametrize("family", [0x10, 0x20, 0x01])
def test_an_unspecified_protocol_names_no_address(family: int) -> None:
    assert parse(version_2(1, family, BLOCK_6)) == (16 + len(BLOCK_6), Header())


def test_a_version_1_header_has_at_most_107_octets() -> None:
    longest = b"PROXY UNKNOWN " + b"x" * (107 - 16) + b"\r\n"
    assert len(longest) == 107
    assert parse(longest) == (107, Header())
    assert isinstance(parse(longest.replace(b"x\r\n", b"xx\r\n"))[1], Bad)


@pytest.mark.parametrize("text", [b"E", b"G", b"\r\r", b"PRX", b"P\n", b"\x16\x03\x01"])
def test_what_cannot_become_a_header_is_bad_at_once(text: bytes) -> None:
    assert isinstance(parse(text)[1], Bad)


_ports = st.integers(0, 65535)


@st.composite
def _headers(draw: st.DrawFn) -> tuple[Header, bytes, bytes]:
    version = draw(st.sampled_from([4, 6]))
    addresses = st.ip_addresses(v=4) if version == 4 else st.ip_addresses(v=6)
    source, target = draw(addresses), draw(addresses)
    header = Header(
        remote_address=str(source), local_address=str(target), remote_port=draw(_ports), local_port=draw(_ports)
    )
    words = ("PROXY", f"TCP{version}", source, target, header.remote_port, header.local_port)
    block = block_of(str(source), str(target), header.remote_port, header.local_port)
    return header, " ".join(map(str, words)).encode() + b"\r\n", version_2(1, 0x11 if version == 4 else 0x21, block)


@settings(deadline=None)
@given(_headers())
def test_headers_of_both_versions_survive_being_written_and_read(written: tuple[Header, bytes, bytes]) -> None:
    header, first, second = written
    assert parse(first) == (len(first), header)
    assert parse(second) == (len(second), header)
    assert socket.inet_pton(
        socket.AF_INET6 if ":" in str(header.remote_address) else socket.AF_INET, str(header.remote_address)
    )


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from([b"", SIGNATURE, SIGNATURE + b"\x21\x11", b"PROXY ", b"PROXY TCP4 ", b"PROXY TCP6 ::1 "]),
    st.binary(max_size=60),
)
def test_no_octets_make_it_raise_and_more_octets_never_change_a_verdict(start: bytes, more: bytes) -> None:
    data = start + more
    whole = parse(data)
    for length in range(len(data)):
        used, found = parse(data[:length])
        if isinstance(found, Header):
            assert (used, found) == whole
        elif isinstance(found, Bad):
            assert isinstance(whole[1], Bad)


@pytest.mark.parametrize(
    ("sent", "used", "reason"),
    [
        (b"EHLO", 0, "no PROXY header"),
        (b"\r\nEHLO", 2, "malformed PROXY version 1 header"),
        (b"PROXY TCP4 x\r\nrest", 14, "malformed PROXY version 1 header"),
        (version_2(1, 0x11, BLOCK_4, version=3), 28, "malformed PROXY version 2 header"),
        (version_2(1, 0xF1, b"x") + REST, 17, "PROXY version 2 header of an unknown family or protocol"),
        (version_2(1, 0x11, b"x") + REST, 17, "PROXY version 2 header is too short for its addresses"),
    ],
)
def test_a_bad_header_says_what_is_wrong(sent: bytes, used: int, reason: str) -> None:
    assert parse(sent) == (used, Bad(reason))


def test_a_header_of_the_head_alone_is_complete() -> None:
    assert parse(version_2(0, 0, b"")) == (16, Header())


@pytest.mark.parametrize(("text", "port"), [("0", 0), ("25", 25), ("65535", 65535)])
def test_a_port_is_a_plain_number(text: str, port: int) -> None:
    assert parse_port(text) == port


@pytest.mark.parametrize("text", ["", " 25", "025", "65536", "-1", "+1", "1_0", "x", "\u0661", "1" * 400])
def test_what_is_no_port_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_port(text)
