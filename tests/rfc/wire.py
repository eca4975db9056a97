"""A client that does nothing on its own: octets out, replies in, each checked against RFC 5321 section 4.2."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pytest_smtpd import SMTPServer

TIMEOUT = 5.0
TELLS_NO_CUT = sys.version_info < (3, 11, 4)  # ssl takes an end without close_notify for one with it
_LINE = re.compile(rb"([2-5][0-9]{2})([ -]?)([\t\x20-\x7e\x80-\xff]*)\r\n\Z")
_ENHANCED = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?: |\Z)")


@dataclass(frozen=True, slots=True)
class WireReply:
    code: int
    lines: tuple[str, ...]

    @property
    def enhanced(self) -> str | None:
        found = _ENHANCED.match(self.lines[0])
        return found[0].strip() if found else None

    @property
    def text(self) -> str:
        """The first line without its enhanced code."""
        return _ENHANCED.sub("", self.lines[0])

    @property
    def keywords(self) -> dict[str, str]:
        """What an EHLO reply offers: keyword -> argument."""
        pairs = (line.partition(" ") for line in self.lines[1:])
        return {keyword.upper(): argument for keyword, _, argument in pairs}

    def assert_classes_agree(self) -> None:
        """RFC 2034 section 4: the class of every line's enhanced code is the first digit of the reply code."""
        for line in self.lines:
            found = _ENHANCED.match(line)
            assert found is None or found[1] == str(self.code)[0], f"{self.code} with {line!r}"


class Line:
    """What a client does with any connection; how octets come and go is for the subclass to say."""

    def __init__(self) -> None:
        self.buffer = b""

    def send(self, data: bytes) -> None:
        raise NotImplementedError

    def receive(self) -> bytes:
        """Some more octets; none if the server has closed."""
        raise NotImplementedError

    def read_line(self) -> bytes:
        while b"\n" not in self.buffer:
            chunk = self.receive()
            if not chunk:
                raise ConnectionError(f"closed by the server after {self.buffer!r}")
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def reply(self) -> WireReply:
        code, more = 0, True
        lines: list[str] = []
        while more:
            raw = self.read_line()
            found = _LINE.match(raw)
            assert found, f"not a reply line: {raw!r}"
            assert len(raw) <= 512, f"a reply line of {len(raw)} octets (RFC 5321 section 4.5.3.1.5)"
            assert not lines or int(found[1]) == code, f"{found[1]!r} in a {code} reply (RFC 5321 section 4.2.1)"
            code, more = int(found[1]), found[2] == b"-"
            lines.append(found[3].decode())
        reply = WireReply(code, tuple(lines))
        reply.assert_classes_agree()
        return reply

    def say(self, text: str | bytes) -> WireReply:
        """One command, one reply."""
        self.send((text.encode() if isinstance(text, str) else text) + b"\r\n")
        return self.reply()

    def steps(self, *commands: str | bytes) -> list[WireReply]:
        """Commands in lockstep, each of which has to be accepted."""
        replies = [self.say(command) for command in commands]
        assert all(reply.code < 400 for reply in replies), list(zip(commands, replies, strict=True))
        return replies

    def rest(self) -> bytes:
        """All that is still to come until the server closes; a reset is a ``ConnectionResetError``."""
        data, self.buffer = self.buffer, b""
        while chunk := self.receive():
            data += chunk
        return data


class Wire(Line):
    """One TCP connection to a server, blocking, with a time-out on everything."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.socket: socket.socket = socket.create_connection((host, port), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> bytes:
        return self.socket.recv(65536)

    def secure(self, context: ssl.SSLContext, name: str) -> None:
        """The client's side of the TLS handshake; from here on an end without close_notify is an ``SSLEOFError``."""
        assert not self.buffer, f"octets in clear before the handshake: {self.buffer!r}"
        self.socket = context.wrap_socket(self.socket, server_hostname=name, suppress_ragged_eofs=False)

    def finish(self) -> None:
        """FIN: nothing more will be sent, replies are still read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.socket.close()


def connect(server: SMTPServer, *, greet: bool = True, ehlo: bool = False) -> Wire:
    """A connection to the server, with the greeting (and EHLO) already said where asked."""
    wire = Wire(server.host, server.port)
    if greet or ehlo:
        assert wire.reply().code == 220
    if ehlo:
        assert wire.say("EHLO client.example").code == 250
    return wire


# The types of the fixtures ``serve`` and ``client``.
Serve = Callable[..., "SMTPServer"]
Connect = Callable[..., Wire]
