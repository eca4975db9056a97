"""BDAT (RFC 3030) beside DATA, on one connection: no rival has it, so each way is the other's measure."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter

from bench.clients import RECIPIENT, SENDER, Dialogue
from bench.contenders import AIOSMTPD, NODE, OURS, SINK, UnsupportedError, launch
from bench.pairing import Measure, Metric, Sample, Scale, Workload

LINE = b"." + b"x" * 75 + b"\r\n"
CHUNK = 65_536


def by_data(client: Dialogue, content: bytes) -> bytes:
    client.say(b"DATA\r\n")
    return client.say(content.replace(b"\r\n.", b"\r\n.."), b".\r\n")


def by_bdat(client: Dialogue, content: bytes) -> bytes:
    reply = b""
    for begin in range(0, len(content), CHUNK):
        chunk = content[begin : begin + CHUNK]
        last = b" LAST" if begin + CHUNK >= len(content) else b""
        reply = client.say(b"BDAT %d%s\r\n" % (len(chunk), last), chunk)
    return reply


WAYS = {"data": by_data, "bdat": by_bdat}


@contextmanager
def transfer(name: str, scale: Scale, *, way: str) -> Iterator[Measure]:
    content = b"Subject: lines that begin with a dot\r\n\r\n" + LINE * (1_000_000 // len(LINE))
    count = scale.of(40)
    with launch(name) as server:

        def measure() -> Sample:
            server.clear()
            client = Dialogue(server.port)
            client.say(b"EHLO client.test\r\n")
            spent, begun = server.cpu(), perf_counter()
            for _ in range(count):
                _one_message(client, way, content)
            wall, spent = perf_counter() - begun, server.cpu() - spent
            client.close()
            return {"cpu": spent / count, "rate": count * len(content) / wall}

        yield measure


def _one_message(client: Dialogue, way: str, content: bytes) -> None:
    client.say(f"MAIL FROM:<{SENDER}>\r\n".encode())
    client.say(f"RCPT TO:<{RECIPIENT}>\r\n".encode())
    reply = WAYS[way](client, content)
    if not reply.startswith(b"250"):
        raise UnsupportedError(reply.decode(errors="replace").strip())


WORKLOADS = tuple(
    Workload(
        name=f"transfer-{way}",
        about=f"1 MB of dotted lines by {way.upper()}, one connection",
        contenders=contenders,
        metrics=(
            Metric(name="cpu", unit="ms of server CPU", factor=1e3),
            Metric(name="rate", unit="MB/s", factor=1e-6),
        ),
        prepare=partial(transfer, way=way),
    )
    for way, contenders in {"data": (OURS, AIOSMTPD, NODE, SINK), "bdat": (OURS,)}.items()
)
