"""The PROXY protocol, versions 1 and 2, by which a proxy in front of the server names the real client."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

_SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V1_LIMIT: Final = 107  # octets with CRLF, section 2.1 of the specification
_V2_HEAD: Final = 16
_ADDRESS_SIZES: Final = {1: 4, 2: 16}  # AF_INET, AF_INET6
_FAMILIES: Final[Mapping[str, type[IPv4Address | IPv6Address]]] = {"TCP4": IPv4Address, "TCP6": IPv6Address}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A PROXY header. Without an address (UNKNOWN and LOCAL), the connection's own addresses count."""

    remote_address: str | None = None
    remote_port: int = 0
    local_address: str | None = None
    local_port: int = 0


@dataclass(frozen=True, slots=True)
class Bad:
    """Not a PROXY header."""

    reason: str


def parse(data: bytes | bytearray) -> tuple[int, Header | Bad | None]:
    """How many bytes the header takes, and the header; None while it is incomplete."""
    head = bytes(data[: len(_SIGNATURE)])
    if head == _SIGNATURE:
        return _parse_v2(bytes(data))
    if _SIGNATURE.startswith(head):
        return 0, None
    return _parse_v1(bytes(data[:_V1_LIMIT]))


def _parse_v1(data: bytes) -> tuple[int, Header | Bad | None]:
    end = data.find(b"\r\n")
    if end < 0:
        hopeful = data.startswith(b"PROXY "[: len(data)]) and len(data) < _V1_LIMIT
        return 0, None if hopeful else Bad("no PROXY header")
    words = data[:end].decode("ascii", "replace").split(" ")
    if words[:2] == ["PROXY", "UNKNOWN"]:
        return end + 2, Header()
    try:
        keyword, family, source, target, source_port, target_port = words
        kind = _FAMILIES[family]
        header = Header(
            remote_address=_address(kind, source),
            remote_port=parse_port(source_port),
            local_address=_address(kind, target),
            local_port=parse_port(target_port),
        )
    except (ValueError, KeyError):
        return end + 2, Bad("malformed PROXY version 1 header")
    return end + 2, header if keyword == "PROXY" else Bad("no PROXY header")


def _address(kind: type[IPv4Address | IPv6Address], text: str) -> str:
    if "%" in text:  # a scope is this machine's own business
        raise ValueError(text)
    return str(kind(text))


def parse_port(text: str) -> int:
    """A port in plain decimal digits. Raises ``ValueError``."""
    if not (text.isascii() and text.isdigit() and str(int(text)) == text and int(text) < 65536):
        raise ValueError(text)
    return int(text)


def _parse_v2(data: bytes) -> tuple[int, Header | Bad | None]:
    if len(data) < _V2_HEAD:
        return 0, None
    version, command = divmod(data[12], 16)
    family, length = data[13] >> 4, int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1:
        return len(data), Bad("malformed PROXY version 2 header")
    end = _V2_HEAD + length
    if len(data) < end:
        return 0, None
    protocol = data[13] & 15
    if command and (family > 3 or protocol > 2):
        return end, Bad("PROXY version 2 header of an unknown family or protocol")
    size = _ADDRESS_SIZES.get(family)
    if command == 0 or size is None or protocol == 0:
        return end, Header()
    block = data[_V2_HEAD:end]
    if len(block) < 2 * size + 4:
        return end, Bad("PROXY version 2 header is too short for its addresses")
    return end, Header(
        remote_address=str(ip_address(block[:size])),
        local_address=str(ip_address(block[size : 2 * size])),
        remote_port=int.from_bytes(block[2 * size : 2 * size + 2], "big"),
        local_port=int.from_bytes(block[2 * size + 2 : 2 * size + 4], "big"),
    )
