"""The least a server in Python can do: an asyncio protocol that answers everything with yes and keeps nothing.

No rival, but the measure of what recording, rules, hooks and a real protocol cost on top of the event loop.
"""

import asyncio
import socket
import threading
from collections.abc import Callable

REPLIES = {
    b"EHLO": b"250-localhost\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
    b"DATA": b"354 Go ahead\r\n",
    b"QUIT": b"221 Bye\r\n",
}
YES = b"250 OK\r\n"
END = b"\r\n.\r\n"


class Bare(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.line = b""
        self.read: Callable[[bytes], None] = self.command

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 localhost ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.read(data)

    def command(self, data: bytes) -> None:
        *lines, self.line = (self.line + data).split(b"\r\n")
        for line in lines:
            verb = line[:4].upper()
            self.transport.write(REPLIES.get(verb, YES))
            if verb == b"DATA":
                self.read, self.line = self.content, b"\r\n"
            elif verb == b"QUIT":
                self.transport.close()

    def content(self, data: bytes) -> None:
        tail = self.line + data[-5:]
        if data.endswith(b".\r\n") and (data.endswith(END) or tail.endswith(END)):
            self.transport.write(YES)
            self.read, self.line = self.command, b""
        else:
            self.line = tail[-4:]


class BareServer:
    """The protocol in a loop in a thread."""

    def start(self) -> int:
        listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, args=(listening,))
        self.thread.start()
        return int(listening.getsockname()[1])

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def _run(self, listening: socket.socket) -> None:
        server = self.loop.run_until_complete(self.loop.create_server(Bare, sock=listening, backlog=1024))
        self.loop.run_forever()
        server.close()
        self.loop.close()
