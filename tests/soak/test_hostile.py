"""Clients that would bring a server down: it stays small, says why, and the others are served meanwhile."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter

import pytest

from pytest_smtpd import SMTPServer, on
from tests.soak.background import Background
from tests.soak.dialogue import Client, deliver, others_are_served
from tests.soak.residue import traced
from tests.soak.sizes import sized

MB = 1_000_000
PIECE = 64 * 1024
BIG = sized(64, 1_000) * MB
LIMIT = MB


def times(total: int, piece: bytes) -> int:
    return total // len(piece)


def test_one_byte_at_a_time_keeps_nobody_waiting() -> None:
    with SMTPServer() as server, Client(server) as slow:
        slow.reply()
        for byte in b"EHLO client.test\r\n":
            slow.socket.sendall(bytes([byte]))
            deliver(server)  # the clock: the next byte comes when somebody else's message is through
        assert slow.reply().startswith("250")
        assert len(server.envelopes) == len("EHLO client.test\r\n")


@pytest.mark.parametrize("begin", ["", "NOOP ", "MAIL FROM:<"], ids=["garbage", "verb", "address"])
def test_an_endless_line_is_refused_and_not_kept(begin: str) -> None:
    piece = b"x" * PIECE
    with SMTPServer() as server, Client(server) as client:
        client.greeted().socket.sendall(begin.encode())
        with others_are_served(server), traced() as peak:
            client.pour(piece, times(BIG, piece))
            with suppress(ConnectionError):
                client.socket.sendall(b"\r\n")
            assert client.reply().startswith("500 ")
        assert peak.size < 2 * MB
        session = server.log.sessions()[0]
        assert session.error == 500


def test_an_endless_sasl_line_is_refused_and_not_kept() -> None:
    piece = b"x" * PIECE
    with SMTPServer() as server, Client(server) as client:
        client.greeted().say("AUTH PLAIN")
        with others_are_served(server), traced() as peak:
            client.pour(piece, times(BIG, piece))
            with suppress(ConnectionError):
                client.socket.sendall(b"\r\n")
            assert client.reply()[:1] == "5"
        assert peak.size < 2 * MB


def test_an_endless_proxy_header_is_cut() -> None:
    piece = b"PROXY TCP4 " + b"1" * PIECE
    with SMTPServer(proxy_protocol=True) as server, Client(server) as client, traced() as peak:
        assert not client.pour(piece, times(BIG, piece))
        server.wait_closed(30)
    assert peak.size < 2 * MB


@pytest.mark.parametrize(
    "piece",
    [b"X-Filler: " + b"x" * 60 + b"\r\n", b"x" * 998 + b"\r\n", b"x" * 1_000, b".." + b"\r\n", b"\r\n.\r"],
    ids=["headers", "lines", "one line", "dots", "almost the end"],
)
def test_content_beyond_size_is_refused_and_not_kept(piece: bytes) -> None:
    pieces = piece * (PIECE // len(piece))
    with SMTPServer(size=LIMIT) as server, Client(server) as client:
        assert client.greeted().transaction().say("DATA").startswith("354")
        with others_are_served(server), traced() as peak:
            client.pour(pieces, times(BIG, pieces))
            assert client.say("\r\n.").startswith("552 5.3.4")
        assert peak.size < 5 * LIMIT
        assert client.say("NOOP").startswith("250")
        assert sum(call.reply == 552 for call in server.log.calls("data")) == 1


def test_chunks_beyond_size_are_refused_and_not_kept() -> None:
    piece = b"x" * PIECE
    count = times(BIG, piece)
    with SMTPServer(size=LIMIT) as server, Client(server) as client:
        client.greeted().transaction()
        with others_are_served(server), traced() as peak:
            client.socket.sendall(f"BDAT {count * PIECE} LAST\r\n".encode())
            client.pour(piece, count)
            assert client.reply().startswith("552 5.3.4")
        assert peak.size < 5 * LIMIT
        assert client.say("NOOP").startswith("250")


@pytest.mark.parametrize("digits", ["1073741824", "9" * 25, "9" * 400], ids=["1 GB", "beyond 64 bits", "400 digits"])
def test_a_declared_size_alone_costs_nothing(digits: str) -> None:
    with SMTPServer(size=LIMIT) as server, Client(server) as client, traced() as peak:
        assert client.greeted().say(f"MAIL FROM:<app@example.com> SIZE={digits}")[:1] == "5"
        assert client.transaction().say("NOOP").startswith("250")
        client.socket.sendall(f"BDAT {digits} LAST\r\n".encode())
    assert peak.size < MB


def test_a_big_message_needs_little_more_than_itself() -> None:
    line = b"x" * 998 + b"\r\n"
    pieces = line * (PIECE // len(line))
    size = sized(16, 256) * MB
    with SMTPServer() as server, Client(server) as client, traced() as peak:
        client.greeted().transaction().say("DATA")
        client.pour(pieces, times(size, pieces))
        assert client.say(".").startswith("250")
        assert server.one().size == times(size, pieces) * len(pieces)
    assert peak.size < 2.2 * size


def test_pipelined_commands_do_not_starve_the_others() -> None:
    count = sized(20_000, 100_000)
    with SMTPServer() as server, Client(server) as flood, Client(server) as other, traced() as peak:
        flood.greeted()
        other.greeted()
        with Background(flood.pour, b"NOOP\r\n" * 1_000, count // 1_000), Background(replies, flood, count) as answered:
            server.log.wait_for("command", 100, verb="NOOP")
            assert other.say("VRFY ada")[:1] in "25"
            assert len(server.log.calls("command", verb="NOOP")) < count, "served only after the flood was over"
        assert answered.result == ["250"]
        assert len(server.log.calls("command", verb="NOOP")) == count
    assert peak.size < count * 4_000


def replies(client: Client, count: int) -> list[str]:
    """The different codes of that many replies."""
    return sorted({client.reply()[:3] for _ in range(count)})


def test_a_flood_of_commands_waits_with_the_client() -> None:
    flood = b"NOOP\r\n" * 10_000
    with SMTPServer() as server, Client(server) as client:
        client.greeted()
        with others_are_served(server), traced() as peak:
            client.socket.settimeout(0.5)
            taken = sum(1 for _ in range(2_000) if accepted(client, flood))
        # The kernel's buffers hold up to some 40 MB, which depends on its settings; then the client has to wait.
        assert taken * len(flood) < 80 * MB
        assert peak.size < 8 * MB + len(server.log) * 4_000
        client.reset()


def accepted(client: Client, piece: bytes) -> bool:
    """Whether all of it could be sent before the time-out; after one that could not, nothing more is tried."""
    if client.socket.gettimeout() == 0:
        return False
    try:
        client.socket.sendall(piece)
    except TimeoutError:
        client.socket.setblocking(False)
        return False
    return True


def test_a_client_that_does_not_read_is_not_answered_into_memory() -> None:
    # 2,000 answers of 64 KB: 128 MB for a server that does not care whether anybody takes them.
    count = 2_000
    lines = "\n".join(["250-" + "x" * 500] * 128 + ["250 end"])
    with SMTPServer(on=[on("command", verb="NOOP", reply=lines)]) as server, Client(server) as client:
        client.greeted()
        with traced() as peak:
            client.socket.sendall(b"NOOP\r\n" * count)
            server.log.wait_for("command", 3, verb="NOOP")
            for _ in range(20):
                deliver(server)
            assert len(server.log.calls("command", verb="NOOP")) < count
            assert replies(client, count) == ["250"]
        assert peak.size < 32 * MB


def test_ten_thousand_recipients_cost_each_the_same() -> None:
    half = 5_000
    with SMTPServer() as server, Client(server) as client:
        client.greeted().say("MAIL FROM:<app@example.com>")
        seconds = [timed_recipients(client, first, half) for first in (0, half)]
        client.say("DATA")
        assert client.say("Subject: Welcome\r\n\r\n.").startswith("250")
        assert len(server.one().rcpt_to) == 2 * half
        assert server.one().rcpt_to[-1] == f"user{2 * half - 1}@example.com"
    assert seconds[1] < 4 * seconds[0], "the second half took much longer than the first"


def timed_recipients(client: Client, first: int, count: int) -> float:
    begun = perf_counter()
    lines = b"".join(b"RCPT TO:<user%d@example.com>\r\n" % number for number in range(first, first + count))
    with Background(client.pour, lines, 1):
        assert replies(client, count) == ["250"]
    return perf_counter() - begun


@pytest.mark.parametrize("leave", [Client.reset, Client.close], ids=["rst", "fin"])
def test_connect_and_run(leave: Callable[[Client], None]) -> None:
    count = sized(300, 2_000)
    with SMTPServer() as server:
        for _ in range(count):
            leave(Client(server))
        deliver(server)
        server.wait_closed(30)
        assert len(server.log.calls("close")) == count + 1


def test_a_half_closed_client_is_answered_and_ended() -> None:
    with SMTPServer() as server, Client(server) as client:
        client.reply()
        client.socket.sendall(b"EHLO client.test\r\nNOOP\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.reply().startswith("250")
        assert client.reply().startswith("250")
        assert client.reply() == ""
        server.wait_closed(10)


def test_a_silent_client_is_ended_by_the_time_out() -> None:
    with SMTPServer(timeout=0.2) as server, Client(server) as client:
        client.greeted()
        assert client.reply().startswith("421 4.4.2")
        assert client.reply() == ""
        assert server.log.sessions()[0].error == 421


# s_client's interactive requests: renegotiate (TLS 1.2), update the keys, update both sides' keys (TLS 1.3).
REQUESTS = [("-tls1_2", "R", "RENEGOTIATING"), ("-tls1_3", "k", "KEYUPDATE"), ("-tls1_3", "K", "KEYUPDATE")]


@pytest.mark.parametrize(("version", "request_line", "sign"), REQUESTS, ids=["renegotiate", "update", "update both"])
def test_renegotiations_and_key_updates_harm_nobody(version: str, request_line: str, sign: str, openssl: str) -> None:
    count = sized(10, 100)
    with SMTPServer() as server:
        connect = f"{server.host}:{server.port}"
        command = [openssl, "s_client", "-starttls", "smtp", version, "-crlf", "-connect", connect]
        with Background(ask_repeatedly, command, request_line, sign, count):
            server.log.wait_for("secure")
            for _ in range(count):
                deliver(server)
        server.wait_closed(30)
        assert len(server.envelopes) == count
        assert len(server.log.calls("secure")) == count


def ask_repeatedly(command: list[str], request_line: str, sign: str, count: int) -> None:
    for _ in range(count):
        text = f"{request_line}\n"
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=240, check=False)
        assert sign in done.stdout + done.stderr


@pytest.fixture
def openssl() -> str:
    found = shutil.which("openssl")
    if found is None:
        if os.environ.get("PYTEST_SMTPD_REQUIRE_PEERS"):
            pytest.fail("no openssl on this machine")
        pytest.skip("no openssl on this machine")
    return found


def test_garbage_instead_of_a_handshake_ends_only_its_own_connection() -> None:
    with SMTPServer(tls="implicit") as server, Client(server) as client:
        client.pour(b"\xff" * PIECE, 16)
        with suppress(ConnectionError):
            client.socket.recv(1)
        with Client(server) as other:
            secured = server.client_context.wrap_socket(other.socket, server_hostname="localhost")
            with secured:
                assert secured.recv(3) == b"220"
